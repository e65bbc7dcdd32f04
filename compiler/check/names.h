#pragma once
#include "compiler/syntax/names.h"

namespace plan::check {

// The names of the world that plans and expressions have in common.
using syntax::is_ip_address;
using syntax::is_ip_in_network;
using syntax::is_loopback;
using syntax::why_not_address;
using syntax::why_not_domain;
using syntax::why_not_host;
using syntax::why_not_url;

}  // namespace plan::check
