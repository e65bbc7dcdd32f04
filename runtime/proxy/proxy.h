#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "compiler/source/result.h"
#include "runtime/proxy/config.h"
#include "runtime/step/step_driver.h"

namespace plan::proxy {

/// Where a listener really listens (tests ask for port 0).
struct BoundListener {
  std::string name = {};
  Protocol protocol = Protocol::imap;
  std::string address = {};
  std::uint16_t port = 0;
};

struct ProxyHooks {
  /// Called once, on the proxy's thread, when everything listens (also `control-https` when
  /// configured).
  std::function<void(const std::vector<BoundListener>&)> on_ready = {};
};

/// Runs the proxy until `stop` is requested (looked at every 100 ms), then says goodbye to every
/// session and returns. One thread, the caller's. Errors before the first connection is taken:
/// proxy-listen, proxy-tls, map-unreadable, map-corrupt, map-locked, proxy-config.
[[nodiscard]] Outcome run_proxy(const ProxyConfig& config, const step::StopSignal& stop,
                                const ProxyHooks& hooks = {});

}  // namespace plan::proxy
