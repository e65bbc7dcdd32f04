#include "runtime/rehearsal/sieve_server.h"
namespace plan::rehearsal { void serve_sieve(World&, Service, std::unique_ptr<net::SocketStream>, const net::StopSignal&) {} }
