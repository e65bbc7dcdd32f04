#include "tests/support/fake_http_server.h"

#include <fmt/format.h>

#include "compiler/source/check.h"
#include "compiler/source/text.h"
#include "runtime/net/errors.h"

namespace plan::test {
namespace {

constexpr std::chrono::seconds kPatience{20};

}  // namespace

FakeHttpServer::FakeHttpServer(Handler handle, net::TlsServerOptions tls)
    : handle_(std::move(handle)), tls_(std::move(tls)) {
  auto listener = net::listen_tcp("127.0.0.1", 0);
  PLAN_CHECK(listener.has_value(), "loopback has a free port");
  listener_ = std::move(*listener);
  acceptor_ = std::thread([this] { accept_all(); });
}

FakeHttpServer::~FakeHttpServer() {
  {
    const std::lock_guard lock(mutex_);
    is_over_ = true;
  }
  ended_.notify_all();
  listener_->close();
  acceptor_.join();
  for (std::thread& thread : threads_) thread.join();
}

std::string FakeHttpServer::url() const {
  return fmt::format("{}://127.0.0.1:{}", tls_.certificate_file.empty() ? "http" : "https",
                     listener_->port());
}

std::vector<FakeRequest> FakeHttpServer::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

void FakeHttpServer::accept_all() {
  for (;;) {
    auto stream = listener_->accept();
    if (!stream) return;
    const std::size_t number = accepted_++;
    threads_.emplace_back(
        [this, number, peer = std::shared_ptr<net::SocketStream>(std::move(*stream))] {
          if (!tls_.certificate_file.empty() &&
              !peer->accept_tls(tls_, net::Deadline::after(kPatience)))
            return;
          serve(*peer, number);
          peer->close();
        });
  }
}

void FakeHttpServer::serve(net::SocketStream& stream, std::size_t number) {
  net::LineReader reader(stream, 1 << 16U);
  // Short waits, so that the end of a test is not held up by a kept connection.
  const auto wait_line = [&]() -> Result<std::string> {
    for (;;) {
      auto line = reader.line(net::Deadline::after(std::chrono::milliseconds(50)));
      const bool is_idle = !line && line.error().is(net::errors::timed_out);
      const std::lock_guard lock(mutex_);
      if (!is_idle || is_over_) return line;
    }
  };
  for (;;) {
    auto first = wait_line();
    if (!first || first->empty()) return;
    FakeRequest request;
    request.connection = number;
    const auto words = split(*first, ' ');
    if (words.size() < 3) return;
    request.method = std::string(words[0]);
    request.target = std::string(words[1]);
    for (;;) {
      auto line = reader.line(net::Deadline::after(kPatience));
      if (!line) return;
      if (line->empty()) break;
      const std::size_t colon = line->find(':');
      if (colon == std::string::npos) return;
      request.headers[lower_ascii(line->substr(0, colon))] =
          std::string(trim(std::string_view(*line).substr(colon + 1)));
    }
    if (request.headers.contains("content-length")) {
      auto body = reader.bytes(std::stoul(request.headers["content-length"]),
                               net::Deadline::after(kPatience));
      if (!body) return;
      request.body = std::move(*body);
    }
    FakeAnswer answer;
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(request);
      answer = handle_(request);
    }
    if (answer.before_sending) answer.before_sending();
    if (answer.fault == FakeAnswer::Fault::drop) return;
    std::string text;
    if (answer.fault == FakeAnswer::Fault::raw) {
      text = answer.body;
    } else {
      const std::size_t length = answer.claimed_length >= 0
                                     ? static_cast<std::size_t>(answer.claimed_length)
                                     : answer.body.size();
      text = fmt::format("HTTP/1.1 {} X\r\nContent-Length: {}\r\n", answer.status, length);
      for (const auto& [name, value] : answer.headers)
        text += fmt::format("{}: {}\r\n", name, value);
      text += "\r\n";
      if (answer.fault == FakeAnswer::Fault::none) text += answer.body;
      if (answer.fault == FakeAnswer::Fault::cut)
        text += answer.body.substr(0, answer.body.size() / 2);
    }
    if (!stream.write_all(text, net::Deadline::after(kPatience))) return;
    if (answer.fault == FakeAnswer::Fault::stall) {
      std::unique_lock lock(mutex_);
      ended_.wait(lock, [this] { return is_over_; });
    }
    if (answer.fault != FakeAnswer::Fault::none) return;
  }
}

}  // namespace plan::test
