#pragma once
#include <memory>

#include "runtime/net/connection_server.h"
#include "runtime/rehearsal/embedded_target.h"
#include "runtime/rehearsal/world.h"

namespace plan::rehearsal {

/// One POP3 conversation (RFC 1939, 2449, 2595) about the Inbox, until it ends. Deletions happen at
/// QUIT.
void serve_pop3(World& world, Service service, std::unique_ptr<net::SocketStream> stream,
                const net::StopSignal& signal);

}  // namespace plan::rehearsal
