#include "runtime/rehearsal/smtp_server.h"
namespace plan::rehearsal { void serve_smtp(World&, Service, std::unique_ptr<net::SocketStream>, const net::StopSignal&) {} }
