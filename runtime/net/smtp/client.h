#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/source/result.h"
#include "runtime/net/stream.h"
#include "runtime/secret/secret.h"

namespace plan::net::smtp {

/// One answer of a server (RFC 5321 4.2). `lines` without code and separator.
struct Reply {
  int code = 0;
  std::vector<std::string> lines = {};

  [[nodiscard]] bool is_success() const { return code >= 200 && code < 300; }
  [[nodiscard]] bool is_temporary() const { return code >= 400 && code < 500; }
  /// "450 4.3.0 text; next line", for messages; printable.
  [[nodiscard]] std::string to_text() const;
};

enum class Security : std::uint8_t {
  none,
  starttls,  ///< refused when the server does not offer it
  tls,       ///< from the first byte
};

struct ConnectOptions {
  std::string host = {};
  std::uint16_t port = 25;
  Security security = Security::none;
  TlsClientOptions tls = {};
  /// A name with a dot: servers refuse others (reference/split-delivery.md section 3).
  std::string ehlo_name = "plan.invalid";
  std::string bind_address = {};
  /// When not empty, sent ahead of everything: "PROXY TCP4 203.0.113.9 10.9.0.2 40000 25" (without
  /// CRLF).
  std::string proxy_header = {};
};

struct Envelope {
  std::string sender = {};  ///< empty: the null sender
  std::vector<std::string> recipients = {};
};

struct RecipientResult {
  std::string address = {};
  Reply reply = {};
};

/// What became of one message. Refusals are results; only a connection that fails is an Error.
struct SendResult {
  bool is_accepted = false;  ///< the server took responsibility for the recipients with a 2xx reply
  Reply reply = {};          ///< the reply that decided: to the data, or the first refusal
  std::vector<RecipientResult> recipients = {};  ///< one each, in order, as far as they were asked
};

/// An SMTP or submission session (RFC 5321, 3207, 4954, 6152, 6531). One thread at a time; every
/// call blocks up to its deadline. After an Error the session is of no use.
class Client {
 public:
  /// Connects, greets, says EHLO and turns TLS on. Errors: those of connect_tcp and start_tls,
  /// refused (the greeting or EHLO is no 2xx, or STARTTLS is not offered), protocol-violation.
  [[nodiscard]] static Result<std::unique_ptr<Client>> connect(const ConnectOptions& options,
                                                               Deadline deadline);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// AUTH PLAIN (RFC 4616). Errors: login-refused (535 and other 5xx), refused (4xx, or clear text
  /// and not loopback).
  [[nodiscard]] Outcome login(std::string_view user, const secret::Secret& password,
                              Deadline deadline);
  /// Sends one message. Line ends of any kind become CRLF, leading dots are doubled. Errors:
  /// connection-lost and timed-out, with effect `unknown` from the first byte of the data on (the
  /// server may have it) and none before; refused when an address holds characters that cannot
  /// stand in a command.
  [[nodiscard]] Result<SendResult> send(const Envelope& envelope, std::string_view message,
                                        Deadline deadline);
  /// MAIL and RCPT only, then RSET: what the server would say. Nothing is sent.
  [[nodiscard]] Result<SendResult> ask(const Envelope& envelope, Deadline deadline);
  /// Says goodbye; the answer does not matter.
  void quit(Deadline deadline);

  /// A keyword of the EHLO answer, upper case: "SIZE", "8BITMIME", "AUTH".
  [[nodiscard]] bool has(std::string_view keyword) const;
  /// What stands behind the keyword: "PLAIN LOGIN"; empty when it is not there.
  [[nodiscard]] std::string parameter(std::string_view keyword) const;
  [[nodiscard]] const Reply& greeting() const { return greeting_; }
  [[nodiscard]] const SocketStream& stream() const { return *stream_; }

 private:
  explicit Client(std::unique_ptr<SocketStream> stream);
  [[nodiscard]] Result<Reply> command(std::string_view line, Deadline deadline);
  [[nodiscard]] Outcome say_ehlo(const std::string& name, Deadline deadline);
  [[nodiscard]] Result<SendResult> open_transaction(const Envelope& envelope,
                                                    std::string_view message, Deadline deadline);

  std::unique_ptr<SocketStream> stream_;
  LineReader reader_;
  Reply greeting_ = {};
  Reply capabilities_ = {};
};

/// Reads one reply, of at most kReplyLinesMax lines. Errors: protocol-violation, those of
/// LineReader.
[[nodiscard]] Result<Reply> read_reply(LineReader& reader, Deadline deadline);

/// The message as it goes over the wire after DATA: CRLF line ends, doubled dots, the final dot.
[[nodiscard]] std::string dot_stuffed(std::string_view message);

}  // namespace plan::net::smtp
