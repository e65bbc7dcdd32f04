#include "runtime/rehearsal/imap_server.h"
namespace plan::rehearsal { void serve_imap(World&, Service, std::unique_ptr<net::SocketStream>, const net::StopSignal&) {} }
