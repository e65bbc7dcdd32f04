#pragma once
#include <string>

#include "compiler/source/result.h"
#include "runtime/net/host.h"

namespace plan::server::source {

/// Servers of calendars and contacts on the source's machine, by the files that they keep: "sogo at
/// /etc/sogo/sogo.conf"; empty when none is seen. One on another machine is for the author of the
/// plan to name.
[[nodiscard]] Result<std::string> dav_servers(net::Host& host);

}  // namespace plan::server::source
