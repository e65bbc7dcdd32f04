#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/source/result.h"
#include "runtime/proxy/protocol.h"

namespace plan::proxy {

struct ListenerConfig {
  std::string name = {};
  Protocol protocol = Protocol::imap;
  std::string address = "0.0.0.0";
  std::uint16_t port = 0;  ///< 0: the kernel chooses (tests)
  TlsMode tls = TlsMode::none;
  std::string certificate = {};  ///< PEM chain; empty: the one of [server]
  std::string key = {};
  bool plain_login = false;  ///< passwords may come without TLS
};

struct EndpointConfig {
  std::uint16_t port = 0;
  TlsMode tls = TlsMode::none;
  std::optional<Announce> announce = {};  ///< absent: the destination's
};

struct DestinationConfig {
  std::string name = {};
  std::string address = {};
  std::string tls_name = {};            ///< name in its certificate; empty: `address`
  std::string certificate_sha256 = {};  ///< hex; the only check when given
  std::string ca_file = {};             ///< empty: the system's store
  bool is_unverified_allowed = false;
  Announce announce = Announce::none;
  std::map<Protocol, EndpointConfig> endpoints = {};
};

struct ControlConfig {
  std::string unix_path = {};
  std::string https_address = {};  ///< empty: no HTTPS
  std::uint16_t https_port = 0;
  std::string certificate = {};  ///< empty: the one of [server]
  std::string key = {};
  std::string token_file = {};
};

/// The whole configuration of `plan proxy run`.
struct ProxyConfig {
  std::string server_name = {};  ///< in greetings
  std::string certificate = {};
  std::string key = {};
  std::string map_file = {};
  bool is_map_created =
      true;  ///< a missing map is created (map_missing = "create"), else the start is refused
  std::string default_destination = "source";  ///< of names that the map does not know
  std::string smtp_destination = "source";     ///< where port 25 goes
  std::vector<std::string> master_separators = {"%", "*"};
  std::chrono::milliseconds hold_bound{20'000};  ///< when a hold command names none
  std::chrono::milliseconds close_grace{2'000};  ///< for a session to reach a command boundary
  std::chrono::milliseconds keepalive{10'000};   ///< between signs of life to a parked IMAP client
  std::size_t connections_max = 8192;
  std::size_t connections_per_address_max = 512;
  std::chrono::milliseconds login_timeout{60'000};
  std::chrono::milliseconds idle_timeout{35 * 60'000};
  std::chrono::milliseconds backend_timeout{
      15'000};                 ///< connect, and each answer until the verdict
  int login_failures_max = 3;  ///< refused logins of one connection
  std::map<std::string, DestinationConfig> destinations = {};
  std::vector<ListenerConfig> listeners = {};
  ControlConfig control = {};
};

/// One thing that is wrong with a configuration.
struct ConfigProblem {
  int line = 0;  ///< from 1; 0 when it belongs to the whole file
  std::string message = {};
};

/// Reads a configuration (TOML 1.0, see docs/formats/proxy.md). All problems at once; nothing when
/// there is one. Unknown keys are problems. Looks at no other file.
[[nodiscard]] std::optional<ProxyConfig> read_config(std::string_view toml,
                                                     std::vector<ConfigProblem>& problems);

/// What `plan proxy check` does beyond reading: certificates load and belong to their keys, the
/// token file has a token, the map can be read. Opens no socket, changes nothing.
[[nodiscard]] std::vector<ConfigProblem> check_files(const ProxyConfig& config);

/// read_config of a file; the first problem and the number of the others. Errors: proxy-config,
/// file-unreadable.
[[nodiscard]] Result<ProxyConfig> load_config(const std::string& path);

}  // namespace plan::proxy
