#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "compiler/source/result.h"
#include "runtime/net/stream.h"

namespace plan::net {

/// Lets the threads of a server end soon after stop(): they wait for input in slices and look at
/// this in between.
class StopSignal {
 public:
  StopSignal() = default;
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;
  virtual ~StopSignal() = default;
  [[nodiscard]] virtual bool is_stopping() const = 0;
};

struct ConnectionServerOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;             ///< 0: the kernel chooses, see ConnectionServer::port()
  std::size_t connections_max = 512;  ///< more are closed at once
};

/// One listening port with a thread for each connection, for servers of few connections (the
/// rehearsal target, control interfaces). The handler owns the stream and returns when the
/// conversation is over; it must return soon once the signal says so, which `wait_readable` and
/// `read_line` below do for it.
class ConnectionServer {
 public:
  using Handler = std::function<void(std::unique_ptr<SocketStream>, const StopSignal&)>;

  /// Errors: address-in-use and what listen_tcp says.
  [[nodiscard]] static Result<std::unique_ptr<ConnectionServer>> start(
      const ConnectionServerOptions& options, Handler handler);
  ConnectionServer(const ConnectionServer&) = delete;
  ConnectionServer& operator=(const ConnectionServer&) = delete;
  ~ConnectionServer();  ///< stops

  [[nodiscard]] std::uint16_t port() const;
  /// Closes the port, tells the handlers, waits for them.
  void stop();

 private:
  struct State;
  explicit ConnectionServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// `reader.line` up to `patience`, in slices that end when the server stops. Errors: those of
/// LineReader; stopped-listening.
[[nodiscard]] Result<std::string> read_line(LineReader& reader, std::chrono::milliseconds patience,
                                            const StopSignal& signal);

}  // namespace plan::net
