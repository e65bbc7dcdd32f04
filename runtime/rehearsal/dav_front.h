#pragma once
#include <string_view>

#include "runtime/net/http_server.h"
#include "runtime/rehearsal/directory.h"
#include "runtime/rehearsal/world.h"

namespace plan::rehearsal {

/// Below `/dav/cal/` or `/dav/card/`?
[[nodiscard]] bool is_dav_path(std::string_view path);

/// Calendars and contacts as the real server shows them over CalDAV and CardDAV, for reading only:
/// PROPFIND of an account's home and of a collection, GET of an item. Everything else is 405; there
/// is no REPORT, so a client reads item by item. Takes the lock.
[[nodiscard]] net::HttpServerResponse answer_dav(World& world, const Login& login,
                                                 const net::HttpServerRequest& request);

}  // namespace plan::rehearsal
