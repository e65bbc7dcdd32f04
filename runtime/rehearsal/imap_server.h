#pragma once
#include <memory>

#include "runtime/net/connection_server.h"
#include "runtime/rehearsal/world.h"

namespace plan::rehearsal {

/// One IMAP conversation (RFC 9051 and 3501 as far as README.md says).
void serve_imap(World& world, Service service, std::unique_ptr<net::SocketStream> stream,
                const net::StopSignal& signal);

}  // namespace plan::rehearsal
