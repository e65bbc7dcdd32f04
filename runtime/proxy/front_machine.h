#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "runtime/proxy/protocol.h"
#include "runtime/proxy/sasl.h"

namespace plan::proxy {

struct FrontOptions {
  std::string server_name = {};
  std::string greeting_token =
      {};  ///< shown in greetings so that `address.move` recognises this proxy; may be empty
  bool is_starttls_offered = false;
  bool is_tls = false;
  bool is_plain_login_allowed = false;
  int failures_max = 3;
};

/// What the connection does after a call: send `output`, then `next`.
struct FrontStep {
  enum class Next : std::uint8_t {
    read = 0,       ///< give it more bytes
    start_tls = 1,  ///< handshake, then tls_started()
    login = 2,  ///< login() has the credential; answer with refused() or unavailable(), or relay
    close = 3,
  };
  std::string output = {};
  Next next = Next::read;
};

/// What the client asked for, and how it must be answered.
struct LoginRequest {
  Credential credential = {};
  std::string tag = {};         ///< IMAP: of the client's command
  std::string hello_name = {};  ///< submission: of its EHLO
  bool is_esmtp = true;
};

/// The proxy's side of a protocol before login: bytes in, step out. Pure: no socket, no clock.
/// After `close` nothing may be called. Between `login` and the answer no bytes are fed; what came
/// too early is kept.
class FrontMachine {
 public:
  FrontMachine() = default;
  FrontMachine(const FrontMachine&) = delete;
  FrontMachine& operator=(const FrontMachine&) = delete;
  virtual ~FrontMachine() = default;

  [[nodiscard]] virtual FrontStep start() = 0;
  [[nodiscard]] virtual FrontStep feed(std::string_view bytes) = 0;
  [[nodiscard]] virtual FrontStep tls_started() = 0;
  [[nodiscard]] virtual LoginRequest& login() = 0;
  /// The backend said no; `reply` are its words, already for this client. Counts as a failure
  /// unless `is_temporary`.
  [[nodiscard]] virtual FrontStep refused(std::string_view reply, bool is_temporary) = 0;
  /// Nobody could judge the login (backend down, account in a move): a temporary failure, then the
  /// end.
  [[nodiscard]] virtual FrontStep unavailable() = 0;
  /// Words before the proxy closes by itself (timeout, shutdown); may be empty.
  [[nodiscard]] virtual std::string goodbye() const = 0;
  /// A sign of life for a client whose login is parked; empty where the protocol has none.
  [[nodiscard]] virtual std::string keepalive() const = 0;
  /// What the client sent behind its login command; goes to the backend first.
  [[nodiscard]] virtual std::string take_rest() = 0;
};

/// For all protocols but smtp.
[[nodiscard]] std::unique_ptr<FrontMachine> make_front_machine(Protocol protocol,
                                                               FrontOptions options);

/// Words for a session that the proxy ends after login, at a line boundary of what the server
/// sends: IMAP and ManageSieve BYE, submission 421. POP3 has none.
[[nodiscard]] std::string session_goodbye(Protocol protocol, const std::string& server_name);

}  // namespace plan::proxy
