#include "runtime/proxy/front_machine.h"

#include "compiler/source/check.h"
#include "runtime/proxy/front_base.h"

namespace plan::proxy {

std::unique_ptr<FrontMachine> make_front_machine(Protocol protocol, FrontOptions options) {
  switch (protocol) {
    case Protocol::imap:
      return make_imap_front(std::move(options));
    case Protocol::pop3:
      return make_pop3_front(std::move(options));
    case Protocol::sieve:
      return make_sieve_front(std::move(options));
    case Protocol::submission:
      return make_submission_front(std::move(options));
    case Protocol::smtp:
      break;
  }
  PLAN_CHECK(false, "port 25 is relayed without a machine");
  return nullptr;
}

std::string session_goodbye(Protocol protocol, const std::string& server_name) {
  switch (protocol) {
    case Protocol::imap:
      return "* BYE [UNAVAILABLE] Mailbox is being moved, connect again in a moment\r\n";
    case Protocol::sieve:
      return "BYE (TRYLATER) \"Mailbox is being moved, connect again in a moment\"\r\n";
    case Protocol::submission:
      return "421 4.3.2 " + server_name + " Service is being moved, connect again in a moment\r\n";
    case Protocol::pop3:
    case Protocol::smtp:
      return "";
  }
  return "";
}

}  // namespace plan::proxy
