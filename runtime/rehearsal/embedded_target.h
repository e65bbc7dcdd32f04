#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "compiler/source/result.h"
#include "runtime/net/clock.h"
#include "runtime/net/stream.h"

namespace plan::rehearsal {

/// A listener of the embedded target. Port 0: the kernel chooses; read it back with
/// EmbeddedTarget::port().
struct ListenAt {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;
};

enum class Service : std::uint8_t {
  http,
  https,
  smtp,
  submission,
  submissions,
  imap,
  imaps,
  sieve,
  pop3,
  pop3s,
  lmtp,
  smtp_behind_proxy,  ///< as smtp, on a port of its own whose clients begin with a PROXY header
  imap_behind_proxy
};

/// Which port of the real server a listener stands for: MTA expressions such as `local_port != 25`
/// see that number, whatever port the rehearsal listens on.
[[nodiscard]] std::uint16_t well_known_port(Service service);
[[nodiscard]] const char* to_string(Service service);

struct EmbeddedTargetOptions {
  std::string data_directory = {};  ///< made when missing; one process at a time
  std::optional<ListenAt> http = {};
  std::optional<ListenAt> https = {};
  std::optional<ListenAt> smtp = {};         ///< port 25: STARTTLS when there is a certificate
  std::optional<ListenAt> submission = {};   ///< 587: STARTTLS, login required
  std::optional<ListenAt> submissions = {};  ///< 465: TLS from the start
  std::optional<ListenAt> imap = {};         ///< 143: STARTTLS
  std::optional<ListenAt> imaps = {};        ///< 993
  std::optional<ListenAt> sieve = {};        ///< 4190: ManageSieve
  std::optional<ListenAt> pop3 = {};         ///< 110: STLS
  std::optional<ListenAt> pop3s = {};        ///< 995
  std::optional<ListenAt> lmtp = {};         ///< 24
  std::optional<ListenAt> smtp_behind_proxy = {};
  std::optional<ListenAt> imap_behind_proxy = {};
  /// Who has to send a PROXY header on the two before, as `overrideProxyTrustedNetworks` of a
  /// listener; everybody else speaks as on any port.
  std::vector<std::string> proxy_networks = {};
  std::optional<net::TlsServerOptions> tls = {};
  std::string hostname =
      "localhost.localdomain";  ///< until SystemSettings.defaultHostname is written
  /// Base of the URLs handed out, as STALWART_PUBLIC_URL ("https://mail.example.org/prefix");
  /// empty: https and the host name.
  std::string public_url = {};
  std::string admin_user = "admin";
  std::string admin_password =
      {};  ///< in clear or a hash the server takes; as STALWART_RECOVERY_ADMIN
  /// JSON (not compressed) of the schema it is born with; empty: the one in the repository. What
  /// `/api/schema` serves.
  std::string schema_json = {};
  /// As in recovery mode: nothing is seeded, no mail is moved (reference/stalwart-admin.md 4.1).
  bool is_recovery_mode = false;
  /// As before the first configuration: besides recovery mode, only `x:Bootstrap` answers
  /// (reference/stalwart-admin.md 4.2).
  bool is_bootstrap_mode = false;
  /// Has the machine working DNS? Without it ReloadSettings refuses while SpamPyzor is enabled, as
  /// the real one does.
  bool has_dns = false;
  /// MX of every outside domain as "address:port"; empty: outside mail is tried and fails for want
  /// of DNS.
  std::string outside_mx = {};
  /// How fast the retry schedule runs, for tests: 1 is real time.
  double schedule_speed = 1.0;
  net::Clock* clock = nullptr;  ///< null: the machine's
};

/// A stand-in for a Stalwart 0.16.15, for rehearsals: one process, state in RocksDB, driven by a
/// schema document. It answers as the recordings of the real server do as far as
/// runtime/rehearsal/README.md says, and names itself a rehearsal target in its greeting of IMAP
/// ID, ManageSieve and the HTTP header `server`.
///
/// What one request changed is on disk before its answer is sent: after kill -9 and a start with
/// the same directory it goes on where it was (not after a power cut: nothing is synced).
/// Thread-safe.
class EmbeddedTarget {
 public:
  /// Errors: address-in-use, store-busy, store-unreadable, bad-json (the schema).
  [[nodiscard]] static Result<std::unique_ptr<EmbeddedTarget>> start(EmbeddedTargetOptions options);
  EmbeddedTarget(const EmbeddedTarget&) = delete;
  EmbeddedTarget& operator=(const EmbeddedTarget&) = delete;
  ~EmbeddedTarget();

  /// Port of a service, 0 when it is off.
  [[nodiscard]] std::uint16_t port(Service service) const;
  /// "http://127.0.0.1:12345", or https when there is only that.
  [[nodiscard]] std::string url() const;
  /// SHA-256 (hex) of the certificate it shows; empty without TLS.
  [[nodiscard]] std::string certificate_sha256() const;
  /// Ends all conversations and closes the store.
  void stop();

 private:
  struct State;
  explicit EmbeddedTarget(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// Runs a target until SIGINT or SIGTERM, for the hidden command `plan target run`. Prints one JSON
/// line
/// {"ready":true,"url":...,"ports":{...},"certificate_sha256":...} to stdout when it listens.
/// `arguments` are
/// `--data DIR`, `--address A` (for all services), `--http PORT`, `--https`, `--smtp`,
/// `--submission`, `--submissions`,
/// `--imap`, `--imaps`, `--sieve`, `--pop3`, `--pop3s`, `--lmtp PORT`,
/// `--smtp-behind-proxy`, `--imap-behind-proxy PORT`, `--proxy-network N`, `--certificate FILE
/// --key FILE`, `--hostname NAME`,
/// `--admin USER:PASSWORD` or
/// `--admin-file FILE` (the same in a file, kept out of the process list), `--schema FILE`,
/// `--recovery`, `--bootstrap`, `--dns`,
/// `--outside-mx A:P`, `--public-url URL`, `--schedule-speed X`. Returns the exit code.
[[nodiscard]] int run_embedded_target(const std::vector<std::string>& arguments);

}  // namespace plan::rehearsal
