#pragma once
#include <fstream>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "runtime/net/stream.h"
#include "runtime/proxy/control_client.h"
#include "runtime/proxy/proxy.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_certificate.h"

namespace plan::proxy {

inline net::Deadline within(int ms = 10'000) {
  return net::Deadline::after(std::chrono::milliseconds(ms));
}

/// A proxy in a thread of this process.
class RunningProxy {
 public:
  explicit RunningProxy(const ProxyConfig& config) : config_(config) {
    std::promise<void> ready;
    std::future<void> is_ready = ready.get_future();
    thread_ = std::thread([this, &ready] {
      ProxyHooks hooks;
      bool is_told = false;
      hooks.on_ready = [&](const std::vector<BoundListener>& listeners) {
        for (const BoundListener& listener : listeners) ports_[listener.name] = listener.port;
        is_told = true;
        ready.set_value();
      };
      const Outcome ended = run_proxy(config_, stop_, hooks);
      if (!ended) error_ = ended.error();
      if (!is_told) ready.set_value();
    });
    is_ready.wait();
  }
  ~RunningProxy() { stop(); }
  RunningProxy(const RunningProxy&) = delete;
  RunningProxy& operator=(const RunningProxy&) = delete;
  void stop() {
    stop_.request();
    if (thread_.joinable()) thread_.join();
  }
  [[nodiscard]] std::uint16_t port(const std::string& listener) const {
    return ports_.at(listener);
  }
  /// Why it did not start, or ended; empty: it runs.
  [[nodiscard]] std::string failure() const { return error_ ? error_->to_line() : ""; }
  [[nodiscard]] const Error& error() const { return error_.value(); }

 private:
  ProxyConfig config_;
  step::StopSignal stop_;
  std::map<std::string, std::uint16_t> ports_;
  std::optional<Error> error_;
  std::thread thread_;
};

/// A mail client that speaks lines.
class Client {
 public:
  explicit Client(std::uint16_t port, bool is_tls = false) {
    auto stream = net::connect_tcp("127.0.0.1", port, within());
    if (!stream) return;
    stream_ = std::move(*stream);
    if (is_tls) start_tls();
    reader_.emplace(*stream_, std::size_t{1} << 20U);
  }
  void start_tls() {
    net::TlsClientOptions options;
    options.is_unverified_allowed = true;
    const Outcome started = stream_->start_tls(options, within());
    EXPECT_TRUE(started) << started.error().to_line();
    reader_.emplace(*stream_, std::size_t{1} << 20U);
  }
  void send(const std::string& text) { static_cast<void>(stream_->write_all(text, within())); }
  /// Next line; "(end)" when the proxy has closed, "(silence)" when nothing came in time.
  std::string line(int ms = 10'000) {
    auto line = reader_->line(within(ms));
    if (line) return *line;
    return line.error().code().name == "timed-out" ? "(silence)" : "(end)";
  }
  std::string ask(const std::string& text) {
    send(text + "\r\n");
    return line();
  }
  net::SocketStream& stream() { return *stream_; }
  void close() { stream_->close(); }

 private:
  std::unique_ptr<net::SocketStream> stream_;
  std::optional<net::LineReader> reader_;
};

inline constexpr const char* kTestToken = "0123456789abcdef0123456789abcdef";

inline ProxyConfig basic_config(const test::TempDir& folder, const std::string& name = "proxy") {
  ProxyConfig config;
  config.server_name = "mail.test";
  config.map_file = folder.file(name + ".map");
  config.control.unix_path = folder.file(name + ".sock");
  config.control.token_file = folder.file(name + ".token");
  config.close_grace = std::chrono::milliseconds(800);
  {
    std::ofstream token(config.control.token_file);
    token << kTestToken << "\n";
  }
  std::filesystem::permissions(config.control.token_file, std::filesystem::perms::owner_read |
                                                              std::filesystem::perms::owner_write);
  return config;
}

inline void add_destination(ProxyConfig& config, const std::string& name, Protocol protocol,
                            std::uint16_t port, TlsMode tls = TlsMode::none) {
  DestinationConfig& destination = config.destinations[name];
  destination.name = name;
  destination.address = "127.0.0.1";
  destination.is_unverified_allowed = true;
  EndpointConfig endpoint;
  endpoint.port = port;
  endpoint.tls = tls;
  destination.endpoints[protocol] = endpoint;
}

inline void add_listener(ProxyConfig& config, const std::string& name, Protocol protocol,
                         TlsMode tls = TlsMode::none) {
  ListenerConfig listener;
  listener.name = name;
  listener.protocol = protocol;
  listener.address = "127.0.0.1";
  listener.tls = tls;
  listener.plain_login = tls == TlsMode::none;
  config.listeners.push_back(listener);
}

inline std::unique_ptr<ProxyControl> open_control(const ProxyConfig& config) {
  auto control = ProxyControl::open({"unix:" + config.control.unix_path, ""},
                                    secret::Secret(kTestToken), within());
  EXPECT_TRUE(control) << control.error().to_line();
  return control ? std::move(*control) : nullptr;
}

}  // namespace plan::proxy
