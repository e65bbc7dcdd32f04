#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "runtime/proxy/front_machine.h"
#include "runtime/proxy/protocol.h"

namespace plan::proxy {

/// Who the client is, for a destination that is told (IMAP ID, XCLIENT).
struct ClientInfo {
  std::string address = {};
  std::uint16_t port = 0;
  std::string local_address = {};  ///< that the client connected to
  std::uint16_t local_port = 0;
  std::string session = {};
  bool is_tls = false;
};

struct BackOptions {
  TlsMode tls = TlsMode::none;
  bool is_announced = false;
  ClientInfo client = {};
};

struct BackStep {
  enum class Next : std::uint8_t {
    read = 0,
    start_tls = 1,    ///< handshake, then tls_started()
    accepted = 2,     ///< send reply() to the client, then take_rest(), then relay
    refused = 3,      ///< the backend judged and said no: reply()
    unavailable = 4,  ///< it did not judge: why()
  };
  std::string output = {};  ///< for the backend
  Next next = Next::read;
};

/// The proxy as a client of a backend, from the greeting to the verdict. Pure. What the backend
/// says in clear text behind its STARTTLS answer is an error (response injection). Only a verdict
/// is a verdict: an end of the stream, BYE, a 421 or a protocol error is `unavailable`, never a
/// wrong password.
class BackMachine {
 public:
  BackMachine() = default;
  BackMachine(const BackMachine&) = delete;
  BackMachine& operator=(const BackMachine&) = delete;
  virtual ~BackMachine() = default;

  [[nodiscard]] virtual BackStep feed(std::string_view bytes) = 0;
  [[nodiscard]] virtual BackStep tls_started() = 0;
  /// The backend's words, complete, for the client (IMAP: with the client's own tag).
  [[nodiscard]] virtual const std::string& reply() const = 0;
  /// The refusal says by a code of its own that it is temporary; it does not count as a wrong
  /// password.
  [[nodiscard]] virtual bool is_temporary() const = 0;
  [[nodiscard]] virtual const std::string& why() const = 0;
  /// First words of the backend, one line; for `probe`.
  [[nodiscard]] virtual const std::string& greeting() const = 0;
  [[nodiscard]] virtual std::string take_rest() = 0;
};

/// `request` must outlive the machine. For all protocols but smtp.
[[nodiscard]] std::unique_ptr<BackMachine> make_back_machine(Protocol protocol, BackOptions options,
                                                             const LoginRequest& request);

}  // namespace plan::proxy
