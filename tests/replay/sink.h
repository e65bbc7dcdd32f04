#pragma once
// The mail servers around the target in the recordings of split delivery: the source, and the
// outside world.
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "runtime/net/stream.h"

namespace plan::replay {

/// A mail as a sink took it.
struct TakenMail {
  std::string sender = {};
  std::vector<std::string> recipients = {};
  std::string bytes = {};
};

/// Takes mail over SMTP, one thread for each connection, and keeps it.
class Sink {
 public:
  /// Listens on all addresses: a relay must not be named by one of loopback.
  Sink();
  ~Sink();
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  /// Stops listening, and listens again on the same port.
  void go_down();
  void come_up();
  [[nodiscard]] std::vector<TakenMail> taken() const;

  /// The answer to RCPT; empty: taken. From the threads of the connections.
  std::function<std::string(const std::string& recipient)> refusal = {};
  /// What happens to a mail besides being kept, before it is acknowledged.
  std::function<void(const TakenMail&)> on_mail = {};
  /// Offers STARTTLS with this certificate.
  void offer_tls(const net::TlsServerOptions& options);
  void offer_no_tls();
  /// Answers MAIL with this; empty: takes it.
  void refuse_all(const std::string& answer);

 private:
  void accept_all();
  void serve(net::SocketStream& stream);

  mutable std::mutex mutex_;  // guards what follows
  std::vector<TakenMail> taken_;
  std::string refused_with_;
  bool offers_tls_ = false;
  net::TlsServerOptions tls_;
  std::vector<std::thread> conversations_;

  std::unique_ptr<net::Listener> listener_;
  std::thread acceptor_;
  std::uint16_t port_ = 0;
  std::atomic<bool> is_stopping_{false};
};

}  // namespace plan::replay
