// After login: bytes both ways, and the end of it.
#include "runtime/proxy/limits.h"
#include "runtime/proxy/server.h"

namespace plan::proxy {
namespace asio = net::asio;

namespace {
/// After so many chunks without a pause another connection has its turn.
constexpr int kChunksInARow = 16;
}  // namespace

void Server::start_relay(const ConnectionPtr& connection) {
  Connection& c = *connection;
  c.phase = Connection::Phase::relay;
  c.last_up = c.last_down = clock_->now();
  c.deadline = SteadyTime::max();
  c.backend_deadline = SteadyTime::max();
  asio::co_spawn(io_, pump(connection, true), asio::detached);
  asio::co_spawn(io_, pump(connection, false), asio::detached);
}

awaitable<void> Server::pump(ConnectionPtr connection, bool is_up) {
  Connection& c = *connection;
  Leg& from = is_up ? c.client : c.backend;
  Leg& to = is_up ? c.backend : c.client;
  std::string rest;  // what the other side did not take yet: only then a session has a buffer
  net::AsioError failure;
  int in_a_row = 0;
  for (;;) {
    if (is_up && c.is_kicked) break;  // nothing new goes to the backend; say_goodbye() closes
    const Leg::Io got = from.try_read(scratch_.data(), scratch_.size());
    if (got.is_failed) {
      c.close();
      break;
    }
    if (got.is_end) {
      to.end_output();
      (is_up ? c.is_up_done : c.is_down_done) = true;
      if (is_up && !c.is_down_done)
        break;  // a client that has ended its direction may still want to hear the rest
      // A server that has ended its direction is done with the session. Unread input of the client
      // must not turn the end into a reset that overtakes the server's last words.
      c.is_kicked = true;
      c.backend.close();
      if (!is_up) co_await close_gently(c.client);
      c.close();
      break;
    }
    if (got.want != Leg::Want::nothing) {
      in_a_row = 0;
      const auto kind = got.want == Leg::Want::write ? asio::posix::stream_descriptor::wait_write
                                                     : asio::posix::stream_descriptor::wait_read;
      co_await from.descriptor().async_wait(kind,
                                            asio::redirect_error(asio::use_awaitable, failure));
      if (failure || !from.is_open()) break;
      continue;
    }
    const auto now = clock_->now();
    if (is_up) {
      c.bytes_up += got.bytes;
      c.last_up = now;
      c.is_answer_owed = true;
    } else {
      c.bytes_down += got.bytes;
      c.last_down = now;
      c.is_answer_owed = false;
      c.boundary.feed(std::string_view(scratch_.data(), got.bytes));
    }
    const Leg::Io first = to.try_write(scratch_.data(), got.bytes);
    if (first.is_failed) {
      c.close();
      break;
    }
    if (first.bytes < got.bytes) {
      rest.assign(scratch_.data() + first.bytes, got.bytes - first.bytes);
      if (!is_up) c.is_down_blocked = true;
      const bool is_written = co_await write_all(to, rest);
      if (!is_up) c.is_down_blocked = false;
      std::string().swap(rest);
      if (!is_written) {
        c.close();
        break;
      }
    }
    if (++in_a_row >= kChunksInARow) {
      in_a_row = 0;
      co_await asio::post(io_, asio::use_awaitable);
    }
  }
}

awaitable<void> Server::say_goodbye(ConnectionPtr connection) {
  // The client's next command does not reach the backend any more. What the backend still owes is
  // waited for, so that a command that was carried out is not answered by silence; then the
  // protocol's own farewell, then the end.
  Connection& c = *connection;
  const auto over = clock_->now() + config_.close_grace;
  asio::steady_timer timer(io_);
  net::AsioError ignored;
  for (;;) {
    const auto now = clock_->now();
    const bool is_quiet = now - c.last_down >= kGoodbyeQuiet && now - c.last_up >= kGoodbyeQuiet;
    if (!c.client.is_open() || now >= over) break;
    if (is_quiet && !c.is_answer_owed && !c.is_down_blocked && c.boundary.is_between_lines()) break;
    timer.expires_after(std::chrono::milliseconds(10));
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
  c.backend.close();
  if (c.client.is_open() && !c.is_down_blocked && c.boundary.is_between_lines()) {
    const std::string words = session_goodbye(c.listener->config.protocol, config_.server_name);
    static_cast<void>(c.client.try_write(words.data(), words.size()));
  }
  c.close();
}

awaitable<void> Server::close_gently(Leg& leg) {
  // Closing while unread input waits would reset the connection and take our last words with it.
  leg.end_output();
  asio::steady_timer timer(io_);
  net::AsioError ignored;
  for (int round = 0; round < 10 && leg.is_open(); ++round) {
    const Leg::Io io = leg.try_read(scratch_.data(), scratch_.size());
    if (io.is_end || io.is_failed) break;
    timer.expires_after(std::chrono::milliseconds(20));
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
  leg.close();
}

}  // namespace plan::proxy
