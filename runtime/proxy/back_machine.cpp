#include "runtime/proxy/back_machine.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "compiler/ir/digest.h"
#include "compiler/source/check.h"
#include "runtime/proxy/back_base.h"

namespace plan::proxy {

std::vector<std::string> upper_words(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  for (const char c : text) {
    if (c == ' ' || c == '\t') {
      if (!word.empty()) words.push_back(std::move(word));
      word.clear();
    } else {
      word += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    }
  }
  if (!word.empty()) words.push_back(std::move(word));
  return words;
}

bool has_word(const std::vector<std::string>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

std::string password_base64(const Credential& credential) {
  return ir::to_base64(credential.password.reveal_for("passing the client's login on"));
}

std::string BackBase::xclient_attributes() const {
  const ClientInfo& client = options_.client;
  return fmt::format("ADDR={} PORT={} DESTADDR={} DESTPORT={} SESSION={} TTL=4 CLIENT-TRANSPORT={}",
                     client.address, client.port, client.local_address, client.local_port,
                     client.session, client.is_tls ? "TLS" : "insecure");
}

std::unique_ptr<BackMachine> make_back_machine(Protocol protocol, BackOptions options,
                                               const LoginRequest& request) {
  switch (protocol) {
    case Protocol::imap:
      return make_imap_back(std::move(options), request);
    case Protocol::pop3:
      return make_pop3_back(std::move(options), request);
    case Protocol::sieve:
      return make_sieve_back(std::move(options), request);
    case Protocol::submission:
      return make_submission_back(std::move(options), request);
    case Protocol::smtp:
      break;
  }
  PLAN_CHECK(false, "port 25 is relayed without a machine");
  return nullptr;
}

}  // namespace plan::proxy
