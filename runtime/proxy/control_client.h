#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/ir/value.h"
#include "compiler/source/result.h"
#include "runtime/net/stream.h"
#include "runtime/secret/secret.h"

namespace plan::proxy {

struct ControlAddress {
  std::string control = {};  ///< "unix:/run/plan-proxy/control.sock" or "https://203.0.113.10:8443"
  std::string certificate_sha256 = {};  ///< of the HTTPS side; required there
};

/// Where the proxy of a block of the plan's `proxies` is told what to do. A relative Unix path
/// starts in `plan_directory`.
[[nodiscard]] ControlAddress control_address(const ir::Value& proxy_block,
                                             std::string_view plan_directory);

/// What one proxy knows about one login name.
struct NameStanding {
  std::string name = {};
  std::string state = {};             ///< settled, held, returned, prepared
  std::string destination = {};       ///< authority now
  std::string next_destination = {};  ///< prepared one, else empty
  std::uint64_t generation = 0;
  std::int64_t left_ms = 0;  ///< until the bound of a hold; 0 when over or none
  bool is_known = false;     ///< false: not in the map, so the default destination
};

/// A client of the control protocol (docs/formats/proxy.md). Blocking, one thread at a time. Every
/// command may be repeated with the same generation. Errors: proxy-unreachable (effect none when
/// nothing was sent, else unknown), token-refused, proxy-answer, and what the proxy refuses by name
/// (generation-stale, lease-held, hold-expired, ...), all blame proxy.
class ProxyControl {
 public:
  /// Connects and shows the token.
  [[nodiscard]] static Result<std::unique_ptr<ProxyControl>> open(const ControlAddress& address,
                                                                  const secret::Secret& token,
                                                                  net::Deadline deadline);
  ~ProxyControl();
  ProxyControl(const ProxyControl&) = delete;
  ProxyControl& operator=(const ProxyControl&) = delete;

  /// One request as it stands in docs/formats/proxy.md; the answer without its `ok`.
  [[nodiscard]] Result<ir::Value> request(const ir::Value& request, net::Deadline deadline);

  [[nodiscard]] Result<ir::Value> status(net::Deadline deadline);
  [[nodiscard]] Result<std::vector<NameStanding>> names(const std::vector<std::string>& names,
                                                        net::Deadline deadline);
  /// Parks new logins, ends sessions and logins on their way; returns when none is left. The answer
  /// has `closed`.
  [[nodiscard]] Result<ir::Value> hold(const std::vector<std::string>& names,
                                       std::uint64_t generation, std::int64_t bound_ms,
                                       std::string_view lease, net::Deadline deadline);
  [[nodiscard]] Outcome prepare(const std::vector<std::string>& names, std::uint64_t generation,
                                const std::string& destination, std::string_view lease,
                                net::Deadline deadline);
  /// Back from prepared to held; from now on the bound ends in a temporary failure, never in a
  /// return.
  [[nodiscard]] Outcome unprepare(const std::vector<std::string>& names, std::uint64_t generation,
                                  std::string_view lease, net::Deadline deadline);
  [[nodiscard]] Outcome commit(const std::vector<std::string>& names, std::uint64_t generation,
                               std::string_view lease, net::Deadline deadline);
  [[nodiscard]] Outcome abort(const std::vector<std::string>& names, std::uint64_t generation,
                              std::string_view lease, net::Deadline deadline);
  /// Logs in at a destination past every hold and closes again: {verdict:
  /// accepted|refused|unavailable, greeting, reply}.
  [[nodiscard]] Result<ir::Value> probe(const std::string& destination, const std::string& protocol,
                                        const std::string& login, const secret::Secret& password,
                                        net::Deadline deadline);
  /// Makes `lease` the one that commands must bear; refused (lease-held) while another run's
  /// accounts are held.
  [[nodiscard]] Outcome acquire(std::string_view lease, net::Deadline deadline);
  [[nodiscard]] Outcome take_over(std::string_view lease, net::Deadline deadline);

 private:
  struct State;
  explicit ProxyControl(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace plan::proxy
