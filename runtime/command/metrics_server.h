#pragma once
#include <memory>
#include <string>

#include "compiler/source/result.h"
#include "runtime/net/http_server.h"
#include "runtime/report/metrics.h"

namespace plan::command {

/// Serves a run's counts at `/metrics` for a Prometheus on the same machine. Nothing asks who reads
/// them, so the address is one of the loopback, and nothing else.
class MetricsServer {
 public:
  /// `address`: "127.0.0.1:9464", "[::1]:9464", "localhost:9464"; port 0 takes a free one. Errors:
  /// bad-option (no loopback, no port), address-in-use.
  [[nodiscard]] static Result<std::unique_ptr<MetricsServer>> start(const std::string& address);
  [[nodiscard]] report::EventSink& sink() { return metrics_; }
  /// "http://127.0.0.1:9464/metrics".
  [[nodiscard]] std::string url() const;

 private:
  MetricsServer() = default;
  report::Metrics metrics_;
  std::string host_;
  std::unique_ptr<net::HttpServer> server_;  ///< last: it reads the metrics
};

}  // namespace plan::command
