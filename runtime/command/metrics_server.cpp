#include "runtime/command/metrics_server.h"

#include <fmt/format.h>

#include <charconv>

#include "compiler/source/text.h"
#include "runtime/command/errors.h"

namespace plan::command {
namespace {

Error bad(const std::string& address) {
  return Error(
      errors::bad_option,
      fmt::format("--metrics is a loopback address with a port, as 127.0.0.1:9464, and not "
                  "`{}`",
                  printable(address, 100)));
}

}  // namespace

Result<std::unique_ptr<MetricsServer>> MetricsServer::start(const std::string& address) {
  const std::size_t colon = address.rfind(':');
  if (colon == std::string::npos) return bad(address);
  std::string host = address.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const std::string port_text = address.substr(colon + 1);
  std::uint16_t port = 0;
  const char* const end = port_text.data() + port_text.size();
  const auto [stopped, failure] = std::from_chars(port_text.data(), end, port);
  if (port_text.empty() || stopped != end || failure != std::errc()) return bad(address);
  if (host == "localhost") host = "127.0.0.1";
  const bool is_four =
      host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string::npos;
  if (!is_four && host != "::1") return bad(address);
  std::unique_ptr<MetricsServer> made(new MetricsServer());
  made->host_ = host;
  net::HttpServerOptions options;
  options.address = host;
  options.port = port;
  options.connections_max = 8;
  const report::Metrics* metrics = &made->metrics_;
  PLAN_TRY(server,
           net::HttpServer::start(options, [metrics](const net::HttpServerRequest& request) {
             net::HttpServerResponse response;
             response.content_type = "text/plain; charset=utf-8";
             if (request.method != "GET" && request.method != "HEAD") {
               response.status = 405;
             } else if (request.path != "/metrics") {
               response.status = 404;
               response.body = "the counts are at /metrics\n";
             } else {
               response.content_type = "text/plain; version=0.0.4; charset=utf-8";
               response.body = metrics->text();
             }
             return response;
           }));
  made->server_ = std::move(server);
  return made;
}

std::string MetricsServer::url() const {
  const bool is_six = host_.find(':') != std::string::npos;
  return fmt::format("http://{}{}{}:{}/metrics", is_six ? "[" : "", host_, is_six ? "]" : "",
                     server_->port());
}

}  // namespace plan::command
