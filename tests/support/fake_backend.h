#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "runtime/net/stream.h"

namespace plan::test {

/// A mail server for many clients on loopback: a thread and a handler for each connection.
class FakeBackend {
 public:
  using Handler = std::function<void(net::SocketStream&, net::LineReader&, FakeBackend&)>;
  explicit FakeBackend(Handler handler);
  ~FakeBackend() { stop(); }
  FakeBackend(const FakeBackend&) = delete;
  FakeBackend& operator=(const FakeBackend&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  void stop();
  /// Lines that clients sent, in the order of arrival.
  [[nodiscard]] std::vector<std::string> lines() const;
  void note(const std::string& line);
  [[nodiscard]] int connections() const { return connections_.load(); }

 private:
  std::unique_ptr<net::Listener> listener_;
  std::uint16_t port_ = 0;
  Handler handler_;
  std::thread acceptor_;
  mutable std::mutex mutex_;
  std::vector<std::thread> threads_;
  std::vector<net::SocketStream*> streams_;
  std::vector<std::string> lines_;
  std::atomic<int> connections_{0};
};

/// Sends text; false when the client has gone.
bool say(net::SocketStream& stream, const std::string& text);

/// An IMAP server that takes every name with the password "secret", answers NOOP, IDLE/DONE,
/// LOGOUT, and WHO with its own name: `* WHO <name>`.
FakeBackend::Handler imap_server(std::string name);
/// The same for POP3, ManageSieve and submission; `WHO` works in each.
FakeBackend::Handler pop3_server(std::string name);
FakeBackend::Handler sieve_server(std::string name);
FakeBackend::Handler submission_server(std::string name);

}  // namespace plan::test
