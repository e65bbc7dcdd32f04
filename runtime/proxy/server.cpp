#include "runtime/proxy/server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>

#include "compiler/source/text.h"
#include "runtime/proxy/errors.h"
#include "runtime/proxy/limits.h"
#include "runtime/proxy/token_file.h"

namespace plan::proxy {
namespace asio = net::asio;
namespace {

std::string text_of(const sockaddr_storage& address, std::uint16_t& port) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.ss_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &address, sizeof v4);
    port = ntohs(v4.sin_port);
    inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
  } else if (address.ss_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &address, sizeof v6);
    port = ntohs(v6.sin6_port);
    inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
    // One client has one name, whichever listener took it.
    if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) return std::string(text.data()).substr(7);
  }
  return text.data();
}

}  // namespace

Connection::Connection(Server& owner, const ListenerState& from, asio::io_context& io)
    : server(&owner),
      listener(&from),
      client(io),
      backend(io),
      boundary(from.config.protocol),
      is_control(from.is_control) {
  server->add(*this);
}

Connection::~Connection() { server->remove(*this); }

Result<std::unique_ptr<Server>> Server::make(const ProxyConfig& config, net::Clock& clock) {
  std::unique_ptr<Server> server(new Server(config, clock));
  server->scratch_.resize(kRelayChunkBytes);
  for (const auto& [name, destination] : config.destinations) {
    DestinationState state;
    state.config = destination;
    PLAN_TRY(context, make_client_context(destination));
    state.context = std::move(context);
    server->destinations_.emplace(name, std::move(state));
  }
  if (!config.control.unix_path.empty() || !config.control.https_address.empty()) {
    PLAN_TRY(token, read_token_file(config.control.token_file));
    server->token_ = std::move(token);
  }
  AccountMap::Options options;
  options.path = config.map_file;
  options.is_created = config.is_map_created;
  options.default_destination = config.default_destination;
  options.boot_id = net::boot_id();
  PLAN_TRY(map, AccountMap::open(std::move(options), clock));
  server->map_ = std::move(map);
  return server;
}

Server::~Server() {
  for (const auto& listener : listeners_) {
    net::AsioError ignored;
    listener->descriptor.close(ignored);
  }
  listeners_.clear();
}

Result<SSL_CTX*> Server::context_of(const std::string& certificate, const std::string& key) {
  const auto found = contexts_.find({certificate, key});
  if (found != contexts_.end()) return found->second.get();
  PLAN_TRY(context, make_server_context(certificate, key));
  return contexts_.emplace(std::make_pair(certificate, key), std::move(context))
      .first->second.get();
}

Outcome Server::listen() {
  for (const ListenerConfig& listener : config_.listeners)
    PLAN_TRY_VOID(listen_tcp(listener, false));
  if (!config_.control.https_address.empty()) {
    ListenerConfig control;
    control.name = "control-https";
    control.address = config_.control.https_address;
    control.port = config_.control.https_port;
    control.tls = TlsMode::implicit;
    control.certificate = config_.control.certificate;
    control.key = config_.control.key;
    PLAN_TRY_VOID(listen_tcp(control, true));
  }
  if (!config_.control.unix_path.empty()) PLAN_TRY_VOID(listen_unix());
  return {};
}

Outcome Server::listen_tcp(ListenerConfig config, bool is_control) {
  const auto fail = [&config](const std::string& what) {
    return Error(errors::proxy_listen,
                 fmt::format("listener {}: {} {}:{}: {}", config.name, what, config.address,
                             config.port, std::strerror(errno)));
  };
  auto state = std::make_unique<ListenerState>(io_);
  state->is_control = is_control;
  if (config.tls != TlsMode::none) {
    PLAN_TRY(context,
             context_of(config.certificate.empty() ? config_.certificate : config.certificate,
                        config.key.empty() ? config_.key : config.key));
    state->context = context;
  }
  net::AsioError failure;
  const auto address = asio::ip::make_address(config.address, failure);
  if (failure)
    return Error(errors::proxy_listen,
                 fmt::format("listener {}: {} is no address", config.name, config.address));
  const asio::ip::tcp::endpoint endpoint(address, config.port);
  const int socket = ::socket(endpoint.protocol().family(),
                              SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
  if (socket < 0) return fail("cannot make a socket for");
  state->descriptor.assign(socket, failure);
  const int on = 1;
  ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  // [::] and 0.0.0.0 may stand side by side in one configuration.
  if (address.is_v6()) ::setsockopt(socket, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (::bind(socket, endpoint.data(), static_cast<socklen_t>(endpoint.size())) != 0)
    return fail("cannot bind");
  if (::listen(socket, 1024) != 0) return fail("cannot listen on");
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  ::getsockname(socket, reinterpret_cast<sockaddr*>(&bound), &size);
  static_cast<void>(text_of(bound, state->port));
  state->config = std::move(config);
  listeners_.push_back(std::move(state));
  return {};
}

Outcome Server::listen_unix() {
  const std::string& path = config_.control.unix_path;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return Error(errors::proxy_listen, "the path of the control socket is too long: " + path);
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (socket < 0) return Error(errors::proxy_listen, "cannot make the control socket");
  auto state = std::make_unique<ListenerState>(io_);
  net::AsioError failure;
  state->descriptor.assign(socket, failure);
  state->is_control = true;
  state->is_unix = true;
  state->config.name = "control";
  // What is left over from a proxy that died is taken away; one that answers is not.
  struct stat there {};
  if (::lstat(path.c_str(), &there) == 0 && S_ISSOCK(there.st_mode)) {
    const int other = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool is_alive =
        other >= 0 && ::connect(other, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    if (other >= 0) ::close(other);
    if (is_alive) {
      return Error(errors::proxy_listen, "another proxy answers on the control socket " + path);
    }
    ::unlink(path.c_str());
  }
  const mode_t before = ::umask(0177);
  const int bound = ::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address);
  const int reason = errno;
  ::umask(before);
  if (bound != 0)
    return Error(errors::proxy_listen,
                 fmt::format("cannot bind the control socket {}: {}", path, std::strerror(reason)));
  if (::listen(socket, 64) != 0)
    return Error(errors::proxy_listen, "cannot listen on the control socket " + path);
  listeners_.push_back(std::move(state));
  return {};
}

void Server::run(const step::StopSignal& stop, const ProxyHooks& hooks) {
  std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes to sockets without MSG_NOSIGNAL
  std::vector<BoundListener> bound;
  for (const auto& listener : listeners_) {
    asio::co_spawn(io_, accept_all(*listener), asio::detached);
    if (!listener->is_unix)
      bound.push_back({listener->config.name, listener->config.protocol, listener->config.address,
                       listener->port});
  }
  asio::co_spawn(io_, tick(stop), asio::detached);
  if (hooks.on_ready) asio::post(io_, [&hooks, &bound] { hooks.on_ready(bound); });
  io_.run();
  // Everything is closed; the coroutines find that out and end before what they use goes.
  for (int round = 0; round < 100 && !connections_.empty(); ++round) {
    io_.restart();
    io_.run_for(std::chrono::milliseconds(5));
  }
  if (!config_.control.unix_path.empty()) ::unlink(config_.control.unix_path.c_str());
}

awaitable<void> Server::accept_all(ListenerState& listener) {
  net::AsioError failure;
  asio::steady_timer pause(io_);
  while (listener.descriptor.is_open()) {
    co_await listener.descriptor.async_wait(asio::posix::stream_descriptor::wait_read,
                                            asio::redirect_error(asio::use_awaitable, failure));
    if (failure) break;
    for (int batch = 0; batch < 64; ++batch) {
      sockaddr_storage address{};
      socklen_t size = sizeof address;
      const int socket =
          ::accept4(listener.descriptor.native_handle(), reinterpret_cast<sockaddr*>(&address),
                    &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (socket < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
          pause.expires_after(
              std::chrono::milliseconds(100));  // out of descriptors: spinning would not bring any
          co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, failure));
        }
        break;
      }
      std::uint16_t port = 0;
      const std::string text = listener.is_unix ? "" : text_of(address, port);
      const auto in_use = per_address_.find(text);
      const bool is_full = listener.is_control
                               ? control_connections_ >= kControlConnectionsMax
                               : connections_.size() >= config_.connections_max ||
                                     (in_use != per_address_.end() &&
                                      in_use->second >= config_.connections_per_address_max);
      if (is_full || is_draining_) {
        ++counters_.refused_connections;
        ::close(socket);
        continue;
      }
      ++counters_.accepted;
      const auto connection = std::make_shared<Connection>(*this, listener, io_);
      connection->client.assign(socket);
      connection->client_address = text;
      connection->client_port = port;
      ++per_address_[text];
      sockaddr_storage local{};
      size = sizeof local;
      if (!listener.is_unix &&
          ::getsockname(socket, reinterpret_cast<sockaddr*>(&local), &size) == 0) {
        connection->local_address = text_of(local, connection->local_port);
      }
      connection->deadline =
          clock_->now() +
          (listener.is_control ? std::chrono::milliseconds(kControlHello) : config_.login_timeout);
      if (listener.is_control) {
        ++control_connections_;
        asio::co_spawn(io_, serve_control(*this, connection, !listener.is_unix), asio::detached);
      } else {
        asio::co_spawn(io_, serve(connection), asio::detached);
      }
    }
  }
}

void Server::add(Connection& connection) {
  connection.id = next_id_++;
  connection.index = connections_.size();
  connections_.push_back(&connection);
}

void Server::remove(Connection& connection) {
  unname_connection(connection);
  if (connection.is_control) --control_connections_;
  if (const auto found = per_address_.find(connection.client_address);
      found != per_address_.end() && --found->second == 0)
    per_address_.erase(found);
  connections_.back()->index = connection.index;
  connections_[connection.index] = connections_.back();
  connections_.pop_back();
}

void Server::name_connection(Connection& connection, const std::string& name) {
  unname_connection(connection);
  connection.name = name;
  by_name_.emplace(name, &connection);
}

void Server::unname_connection(Connection& connection) {
  if (connection.name.empty()) return;
  const auto [begin, end] = by_name_.equal_range(connection.name);
  for (auto at = begin; at != end; ++at) {
    if (at->second == &connection) {
      by_name_.erase(at);
      break;
    }
  }
  connection.name.clear();
}

ConnectionPtr Server::pointer_to(Connection& connection) const {
  return connection.shared_from_this();
}

std::size_t Server::start_closing(const std::vector<std::string>& names) {
  std::size_t count = 0;
  for (const std::string& name : names) {
    const auto [begin, end] = by_name_.equal_range(name);
    for (auto at = begin; at != end; ++at) {
      Connection& c = *at->second;
      if (c.phase == Connection::Phase::attempt) {
        c.is_cancelled = true;
        c.backend.close();
        ++count;
      } else if (c.phase == Connection::Phase::relay && !c.is_kicked) {
        c.is_kicked = true;
        ++counters_.kicked;
        ++count;
        asio::co_spawn(io_, say_goodbye(pointer_to(c)), asio::detached);
      }
    }
  }
  return count;
}

std::size_t Server::session_count(const std::vector<std::string>& names) const {
  std::size_t count = 0;
  for (const std::string& name : names) {
    const auto [begin, end] = by_name_.equal_range(name);
    count += static_cast<std::size_t>(std::count_if(begin, end, [](const auto& item) {
      return item.second->phase == Connection::Phase::relay && item.second->backend.is_open();
    }));
  }
  return count;
}

std::size_t Server::parked_count(const std::vector<std::string>& names) const {
  std::size_t count = 0;
  for (const std::string& name : names) {
    const auto [begin, end] = by_name_.equal_range(name);
    count += static_cast<std::size_t>(std::count_if(begin, end, [](const auto& item) {
      return item.second->phase == Connection::Phase::parked;
    }));
  }
  return count;
}

void Server::wake(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    const auto [begin, end] = by_name_.equal_range(name);
    for (auto at = begin; at != end; ++at) {
      at->second->has_news = true;
      if (at->second->park != nullptr) at->second->park->cancel();
    }
  }
}

void Server::start_draining() {
  is_draining_ = true;
  for (Connection* c : connections_) {
    if (c->is_control) continue;
    if (c->park != nullptr) c->park->cancel();
    if (c->phase == Connection::Phase::relay && !c->is_kicked) {
      c->is_kicked = true;
      asio::co_spawn(io_, say_goodbye(pointer_to(*c)), asio::detached);
    } else if (c->phase == Connection::Phase::before_login) {
      c->deadline = clock_->now();
    }
  }
}

void Server::sweep(SteadyTime now, bool is_idle_checked) {
  for (Connection* c : connections_) {
    if (now >= c->backend_deadline) {
      c->backend_deadline = SteadyTime::max();
      c->backend.close();
    }
    if (now >= c->deadline) {
      c->deadline = SteadyTime::max();
      const std::string words = c->front == nullptr ? "" : c->front->goodbye();
      if (!words.empty() && c->client.is_open())
        static_cast<void>(c->client.try_write(words.data(), words.size()));
      c->close();
    }
    if (is_idle_checked && c->phase == Connection::Phase::relay) {
      const auto silence = now - std::max(c->last_up, c->last_down);
      const bool is_half_closed = c->is_up_done || c->is_down_done;
      if (silence >=
          (is_half_closed ? std::chrono::milliseconds(kHalfClosedMax) : config_.idle_timeout))
        c->close();
    }
  }
}

awaitable<void> Server::tick(const step::StopSignal& stop) {
  asio::steady_timer timer(io_);
  net::AsioError ignored;
  int round = 0;
  while (!stop.is_requested()) {
    timer.expires_after(std::chrono::milliseconds(100));
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    const bool is_idle_checked = ++round % 10 == 0;
    sweep(clock_->now(), is_idle_checked);
    const std::vector<std::string> returned = map_->expire_due();
    if (!returned.empty()) wake(returned);
  }
  for (const auto& listener : listeners_) listener->descriptor.close(ignored);
  start_draining();
  const auto over = clock_->now() + config_.close_grace + std::chrono::milliseconds(500);
  while (!connections_.empty() && clock_->now() < over) {
    sweep(clock_->now(), false);
    timer.expires_after(std::chrono::milliseconds(20));
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    const bool is_only_control = std::all_of(connections_.begin(), connections_.end(),
                                             [](const Connection* c) { return c->is_control; });
    if (is_only_control) break;
  }
  for (Connection* c : connections_) c->close();
  io_.stop();
}

Outcome run_proxy(const ProxyConfig& config, const step::StopSignal& stop,
                  const ProxyHooks& hooks) {
  PLAN_TRY(server, Server::make(config, net::system_clock()));
  PLAN_TRY_VOID(server->listen());
  server->run(stop, hooks);
  return {};
}

}  // namespace plan::proxy
