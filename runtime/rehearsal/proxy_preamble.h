#pragma once
#include <memory>

#include "runtime/net/connection_server.h"
#include "runtime/net/stream.h"

namespace plan::rehearsal {

/// Reads the PROXY header, version 1 or 2, that a trusted proxy puts before a connection
/// (migration-proxy.md; the specification of HAProxy), and gives the stream with the address it
/// names; UNKNOWN and LOCAL keep the connection's own. Waits for it without a word, as the real
/// server does. Null: what came is no header, or nothing came.
[[nodiscard]] std::unique_ptr<net::SocketStream> behind_proxy(
    std::unique_ptr<net::SocketStream> stream, const net::StopSignal& signal);

}  // namespace plan::rehearsal
