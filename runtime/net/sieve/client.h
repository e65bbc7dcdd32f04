#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/source/result.h"
#include "runtime/net/imap/client.h"
#include "runtime/net/sieve/limits.h"
#include "runtime/net/stream.h"
#include "runtime/secret/secret.h"

namespace plan::net::sieve {

using imap::Endpoint;  // host, port, security, certificate
using imap::Security;

struct ClientOptions {
  Limits limits = {};
  std::chrono::milliseconds silence_max = kSilenceMax;
  std::chrono::milliseconds connect_max{10'000};
  Blame blame = Blame::source;
};

struct ScriptName {
  std::string name = {};
  bool is_active = false;
};

/// A ManageSieve client (RFC 5804) over one connection; one thread at a time.
///
/// Errors: sieve-refused, script-missing (NONEXISTENT), login-refused, script-invalid, and those of
/// Stream and LineReader, after which the connection is of no use. The words of a NO may come as a
/// literal of several lines; they are read and stand in the detail.
class Client {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Client>> connect(const Endpoint& endpoint,
                                                               const ClientOptions& options = {});
  /// Over a stream that is connected: reads the capabilities.
  [[nodiscard]] static Result<std::unique_ptr<Client>> over(std::unique_ptr<Stream> stream,
                                                            const ClientOptions& options = {});
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// By upper-case name: IMPLEMENTATION, SASL, SIEVE, STARTTLS, VERSION, ...
  [[nodiscard]] const std::map<std::string, std::string>& capabilities() const {
    return capabilities_;
  }
  [[nodiscard]] std::string peer_certificate_sha256() const;

  /// SASL PLAIN; a master user acts for `authorization` when that is not empty.
  [[nodiscard]] Outcome authenticate_plain(std::string_view authorization, std::string_view user,
                                           const secret::Secret& password);
  [[nodiscard]] Result<std::vector<ScriptName>> list();
  [[nodiscard]] Result<std::string> get(std::string_view name);
  [[nodiscard]] Outcome put(std::string_view name, std::string_view script);
  /// An empty name: no script is active.
  [[nodiscard]] Outcome set_active(std::string_view name);
  [[nodiscard]] Outcome remove(std::string_view name);
  void logout();

 private:
  struct Word {
    enum class Type : std::uint8_t { atom, string } type = Type::atom;
    std::string text = {};
    [[nodiscard]] bool is_atom(std::string_view name) const;
  };
  using Line = std::vector<Word>;
  struct Answer {
    std::vector<Line> lines = {};
    std::string code = {};  ///< upper case, of the last line
    std::string text = {};
  };

  Client(std::unique_ptr<Stream> stream, const ClientOptions& options);
  [[nodiscard]] Outcome read_capabilities();
  [[nodiscard]] Result<Line> read_line();
  /// Lines up to OK; the error that NO and BYE mean.
  [[nodiscard]] Result<Answer> read_answer(std::string_view doing);
  [[nodiscard]] Result<Answer> run(std::string_view command, std::string_view doing,
                                   bool is_read_only);
  [[nodiscard]] static std::string quoted(std::string_view text);

  std::unique_ptr<Stream> stream_;
  SocketStream* socket_ = nullptr;
  ClientOptions options_;
  LineReader reader_;
  std::map<std::string, std::string> capabilities_;
};

}  // namespace plan::net::sieve
