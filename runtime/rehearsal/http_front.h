#pragma once
#include "runtime/net/http_server.h"
#include "runtime/rehearsal/directory.h"
#include "runtime/rehearsal/world.h"

namespace plan::rehearsal {

/// Answers one HTTP request of the target: session, JMAP, upload, download, schema, health
/// (reference 3.1).
[[nodiscard]] net::HttpServerResponse answer_http(World& world,
                                                  const net::HttpServerRequest& request);
/// What `/jmap/session` says; without a login only what everybody may know. Takes the lock.
[[nodiscard]] ir::Value jmap_session(World& world, const Login* login);
/// The base of all URLs that are handed out: none in recovery mode. The lock is held.
[[nodiscard]] std::string public_url(const World& world);
/// How large a body may be, by its path.
[[nodiscard]] std::size_t body_limit(const net::HttpServerRequest& head);

}  // namespace plan::rehearsal
