#pragma once
#include <memory>

#include "runtime/net/connection_server.h"
#include "runtime/rehearsal/world.h"

namespace plan::rehearsal {

/// One SMTP conversation: port 25 or submission by `service` (RFC 5321, 6409; split-delivery.md 4
/// and 5).
void serve_smtp(World& world, Service service, std::unique_ptr<net::SocketStream> stream,
                const net::StopSignal& signal);

}  // namespace plan::rehearsal
