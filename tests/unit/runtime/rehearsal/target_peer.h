#pragma once
// An embedded target of a test's own, and conversations with it over HTTP.
#include <charconv>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "compiler/ir/digest.h"
#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/net/stream.h"
#include "runtime/rehearsal/embedded_target.h"
#include "tests/support/temp_dir.h"

namespace plan::rehearsal {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

inline HttpHeaders login(const std::string& user_and_password) {
  return {{"authorization", "Basic " + ir::to_base64(user_and_password)}};
}

/// One HTTP request; its answer may go on (an event stream, a WebSocket).
class HttpPeer {
 public:
  HttpPeer(std::uint16_t port, const std::string& method, const std::string& path,
           const HttpHeaders& asked_with, const std::string& body = {}) {
    auto connected = net::connect_tcp("127.0.0.1", port, soon());
    if (!connected) return;
    stream_ = std::move(*connected);
    reader_ = std::make_unique<net::LineReader>(*stream_, 1U << 20U);
    std::string request = method + " " + path + " HTTP/1.1\r\nhost: localhost\r\n";
    for (const auto& [name, value] : asked_with) request += name + ": " + value + "\r\n";
    if (method == "POST") request += "content-length: " + std::to_string(body.size()) + "\r\n";
    if (!stream_->write_all(request + "\r\n" + body, soon())) return;
    auto line = reader_->line(soon());
    if (!line || line->size() < 12) return;
    std::from_chars(line->data() + 9, line->data() + 12, status);
    while ((line = reader_->line(soon())) && !line->empty())
      if (const std::size_t colon = line->find(':'); colon != std::string::npos)
        headers[lower_ascii(line->substr(0, colon))] =
            std::string(trim(std::string_view(*line).substr(colon + 1)));
  }

  /// The next line, or nothing when the other side has closed.
  std::optional<std::string> line() {
    auto got = reader_->line(soon());
    return got ? std::optional(std::move(*got)) : std::nullopt;
  }
  std::optional<std::string> bytes(std::size_t size) {
    auto got = reader_->bytes(size, soon());
    return got ? std::optional(std::move(*got)) : std::nullopt;
  }
  void write(const std::string& text) { EXPECT_TRUE(stream_->write_all(text, soon()).has_value()); }
  /// A body of known length as JSON.
  ir::Value json() {
    std::size_t size = 0;
    const std::string& length = headers["content-length"];
    std::from_chars(length.data(), length.data() + length.size(), size);
    const auto body = bytes(size);
    auto parsed = ir::parse_json(body.value_or(""));
    return parsed ? std::move(*parsed) : ir::Value();
  }

  int status = 0;
  std::map<std::string, std::string> headers = {};

 private:
  // Long enough for any machine: what is awaited comes.
  static net::Deadline soon() { return net::Deadline::after(std::chrono::seconds(60)); }

  std::unique_ptr<net::SocketStream> stream_;
  std::unique_ptr<net::LineReader> reader_;
};

/// A target on a directory that goes with it.
class TargetPeer {
 public:
  TargetPeer() {
    options.data_directory = folder_.file("data");
    options.admin_password = "adminpw";
    options.hostname = "vm";
    options.http = ListenAt{};
  }

  void start() {
    target_.reset();
    auto started = EmbeddedTarget::start(options);
    ASSERT_TRUE(started) << started.error().to_line();
    target_ = std::move(*started);
  }
  [[nodiscard]] std::uint16_t port() const { return target_->port(Service::http); }
  [[nodiscard]] std::string file(const std::string& name) const { return folder_.file(name); }

  /// The arguments of the first response to one call, as the administrator; of an error too.
  ir::Value call(const std::string& method, const std::string& arguments) {
    HttpHeaders headers = login("admin:adminpw");
    headers.emplace_back("content-type", "application/json");
    HttpPeer peer(
        port(), "POST", "/jmap/", headers,
        R"({"using":["urn:ietf:params:jmap:core","urn:ietf:params:jmap:mail","urn:stalwart:jmap"],"methodCalls":[[")" +
            method + "\"," + arguments + R"(,"0"]]})");
    EXPECT_EQ(peer.status, 200) << method;
    return peer.json()["methodResponses"].item(0).item(1);
  }
  int session_status(const std::string& user_and_password) {
    return HttpPeer(port(), "GET", "/jmap/session", login(user_and_password)).status;
  }

  EmbeddedTargetOptions options;

 private:
  test::TempDir folder_;
  std::unique_ptr<EmbeddedTarget> target_;
};

}  // namespace plan::rehearsal
