#include "runtime/net/connection_server.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "runtime/net/errors.h"

namespace plan::net {
namespace {

// How long a thread may take to notice stop(). Short enough for tests, long enough to cost nothing.
constexpr std::chrono::milliseconds kSlice{200};

}  // namespace

struct ConnectionServer::State final : StopSignal {
  [[nodiscard]] bool is_stopping() const override { return stopping.load(); }

  void accept_all() {
    while (!stopping.load()) {
      auto accepted = listener->accept();
      if (!accepted) {
        if (stopping.load() || accepted.error().is(errors::stopped_listening)) return;
        std::this_thread::sleep_for(
            std::chrono::milliseconds(20));  // out of descriptors: do not spin
        continue;
      }
      {
        const std::lock_guard lock(mutex);
        if (running >= options.connections_max) continue;  // closes it
        ++running;
      }
      // Detached, but counted: stop() waits until the last has left.
      std::thread([this, stream = std::move(*accepted)]() mutable {
        handler(std::move(stream), *this);
        const std::lock_guard lock(mutex);
        --running;
        ended.notify_all();
      }).detach();
    }
  }

  ConnectionServerOptions options;
  Handler handler;
  std::unique_ptr<Listener> listener;
  std::atomic<bool> stopping{false};
  std::thread acceptor;
  std::mutex mutex;
  std::condition_variable ended;
  std::size_t running = 0;  // guarded by mutex
};

ConnectionServer::ConnectionServer(std::unique_ptr<State> state) : state_(std::move(state)) {}

ConnectionServer::~ConnectionServer() { stop(); }

Result<std::unique_ptr<ConnectionServer>> ConnectionServer::start(
    const ConnectionServerOptions& options, Handler handler) {
  auto state = std::make_unique<State>();
  state->options = options;
  state->handler = std::move(handler);
  PLAN_TRY(listener, listen_tcp(options.address, options.port));
  state->listener = std::move(listener);
  State* raw = state.get();
  state->acceptor = std::thread([raw] { raw->accept_all(); });
  return std::unique_ptr<ConnectionServer>(new ConnectionServer(std::move(state)));
}

std::uint16_t ConnectionServer::port() const { return state_->listener->port(); }

void ConnectionServer::stop() {
  if (state_->stopping.exchange(true)) return;
  state_->listener->close();
  if (state_->acceptor.joinable()) state_->acceptor.join();
  std::unique_lock lock(state_->mutex);
  state_->ended.wait(lock, [this] { return state_->running == 0; });
}

Result<std::string> read_line(LineReader& reader, std::chrono::milliseconds patience,
                              const StopSignal& signal) {
  const Deadline end = Deadline::after(patience);
  for (;;) {
    if (signal.is_stopping()) return Error(errors::stopped_listening, "the server is stopping");
    auto line = reader.line(end.sooner(Deadline::after(kSlice)));
    if (line || !line.error().is(errors::timed_out) || end.is_over()) return line;
  }
}

}  // namespace plan::net
