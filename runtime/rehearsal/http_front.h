#pragma once
#include "runtime/net/http_server.h"
#include "runtime/rehearsal/world.h"

namespace plan::rehearsal {

/// Answers one HTTP request of the target: session, JMAP, upload, download, schema, health
/// (reference 3.1).
[[nodiscard]] net::HttpServerResponse answer_http(World& world,
                                                  const net::HttpServerRequest& request);
/// How large a body may be, by its path.
[[nodiscard]] std::size_t body_limit(const net::HttpServerRequest& head);

}  // namespace plan::rehearsal
