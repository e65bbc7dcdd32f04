#pragma once
#include "runtime/net/http_server.h"
#include "runtime/rehearsal/directory.h"
#include "runtime/rehearsal/world.h"

namespace plan::rehearsal {

/// Is this a path of push: `/jmap/eventsource` or `/jmap/ws`?
[[nodiscard]] bool is_push_path(std::string_view path);
/// State changes as they happen, as events (RFC 8620, 7.3) or over a WebSocket that also takes
/// requests (RFC 8887). Of the account that logged in only.
[[nodiscard]] net::HttpServerResponse answer_push(World& world, const Login& login,
                                                  const net::HttpServerRequest& request);

}  // namespace plan::rehearsal
