#pragma once
#include <memory>

#include "runtime/net/connection_server.h"
#include "runtime/rehearsal/world.h"

namespace plan::rehearsal {

/// One ManageSieve conversation (RFC 5804).
void serve_sieve(World& world, Service service, std::unique_ptr<net::SocketStream> stream,
                 const net::StopSignal& signal);

}  // namespace plan::rehearsal
