// From the greeting to the relay: one client until its login is decided.
#include <fmt/format.h>

#include "compiler/source/text.h"
#include "runtime/proxy/limits.h"
#include "runtime/proxy/login_name.h"
#include "runtime/proxy/proxy_header.h"
#include "runtime/proxy/server.h"

namespace plan::proxy {
namespace asio = net::asio;

std::string Server::routed_name(const std::string& login) const {
  // `bob%example.org` is a name of its own on some old servers: what the map knows whole is not
  // cut.
  std::string name = normal_login(login);
  if (map_->knows(name)) return name;
  return std::string(user_part(name, config_.master_separators));
}

awaitable<void> Server::serve(ConnectionPtr connection) {
  Connection& c = *connection;
  bool is_ready = true;
  if (c.listener->config.tls == TlsMode::implicit) {
    is_ready = c.client.begin_tls(c.listener->context, true, "");
    if (is_ready) is_ready = co_await handshake(c.client);
  }
  if (is_ready && c.listener->config.protocol == Protocol::smtp) {
    is_ready = co_await open_mail_relay(c);
  } else if (is_ready) {
    FrontOptions options;
    options.server_name = config_.server_name;
    options.greeting_token = map_->instance().substr(0, 12);
    options.is_starttls_offered = c.listener->config.tls == TlsMode::starttls;
    options.is_tls = c.client.is_tls();
    options.is_plain_login_allowed = c.listener->config.plain_login;
    options.failures_max = config_.login_failures_max;
    const std::unique_ptr<FrontMachine> front =
        make_front_machine(c.listener->config.protocol, options);
    c.front = front.get();
    is_ready = co_await talk_before_login(c, *front);
    c.front = nullptr;
  }
  if (is_ready) {
    start_relay(connection);
  } else {
    c.backend.close();
    if (c.client.is_open()) co_await close_gently(c.client);
    c.close();
  }
}

awaitable<bool> Server::talk_before_login(Connection& c, FrontMachine& front) {
  FrontStep step = front.start();
  for (;;) {
    if (!step.output.empty()) {
      const bool is_sent = co_await write_all(c.client, step.output);
      if (!is_sent) co_return false;
    }
    switch (step.next) {
      case FrontStep::Next::close:
        co_return false;
      case FrontStep::Next::start_tls: {
        if (!c.client.begin_tls(c.listener->context, true, "")) co_return false;
        const bool is_tls = co_await handshake(c.client);
        if (!is_tls) co_return false;
        step = front.tls_started();
        break;
      }
      case FrontStep::Next::login: {
        step = co_await log_in(c, front);
        if (c.phase == Connection::Phase::relay) co_return true;
        unname_connection(c);
        c.phase = Connection::Phase::before_login;
        c.deadline = clock_->now() + config_.login_timeout;
        break;
      }
      case FrontStep::Next::read: {
        std::string bytes;
        const bool is_read = co_await read_some(c.client, bytes);
        if (!is_read) co_return false;
        step = front.feed(bytes);
        break;
      }
    }
  }
}

/// Returns with phase `relay` when the client is through; otherwise what the client is told.
awaitable<FrontStep> Server::log_in(Connection& c, FrontMachine& front) {
  LoginRequest& request = front.login();
  const std::string name = routed_name(request.credential.routed_name());
  const Protocol protocol = c.listener->config.protocol;
  name_connection(c, name);
  c.deadline = SteadyTime::max();
  for (;;) {
    if (is_draining_ || !c.client.is_open()) co_return front.unavailable();
    const Route route = map_->route(name);
    if (route.kind == Route::Kind::unavailable) {
      ++counters_.unavailable;
      co_return front.unavailable();
    }
    if (route.kind == Route::Kind::park) {
      if (c.phase != Connection::Phase::parked) ++counters_.parked;
      c.phase = Connection::Phase::parked;
      const bool is_there = co_await wait_parked(c, front, route.left);
      if (!is_there) {
        c.client.close();
        co_return front.unavailable();
      }
      continue;
    }
    const auto found = destinations_.find(route.destination);
    if (found == destinations_.end() || !found->second.config.endpoints.contains(protocol)) {
      ++counters_.unavailable;
      co_return front.unavailable();
    }
    const DestinationState& destination = found->second;
    const EndpointConfig& endpoint = destination.config.endpoints.at(protocol);
    BackOptions options;
    options.tls = endpoint.tls;
    options.is_announced =
        endpoint.announce.value_or(destination.config.announce) == Announce::native;
    options.client.address = c.client_address;
    options.client.port = c.client_port;
    options.client.local_address = c.local_address;
    options.client.local_port = c.local_port;
    options.client.session = fmt::format("{}-{:x}", map_->instance().substr(0, 8), c.id);
    options.client.is_tls = c.client.is_tls();
    const std::unique_ptr<BackMachine> back = make_back_machine(protocol, options, request);
    c.phase = Connection::Phase::attempt;
    c.is_cancelled = false;
    c.destination = &destination;
    c.backend_deadline = clock_->now() + config_.backend_timeout;
    std::string why;
    BackStep::Next outcome = BackStep::Next::unavailable;
    const bool is_connected = co_await open_backend(c.backend, destination, protocol, &c, why);
    if (is_connected && !c.is_cancelled)
      outcome = co_await converse(c.backend, destination, *back, why, &c);
    c.backend_deadline = SteadyTime::max();
    if (c.is_cancelled) {  // a hold came meanwhile: nobody has seen the verdict, the login waits
                           // like the others
      c.backend.close();
      continue;
    }
    if (outcome == BackStep::Next::accepted) {
      ++counters_.logins;
      const std::string words = back->reply() + back->take_rest();
      const bool is_said = co_await write_all(c.client, words);
      const std::string pipelined = front.take_rest();
      bool is_passed = is_said;
      if (is_said && !pipelined.empty()) is_passed = co_await write_all(c.backend, pipelined);
      if (c.is_cancelled ||
          !is_passed) {  // held while it was told: the session ends as a session does
        c.close();
        co_return front.unavailable();
      }
      c.boundary.feed(words);
      c.is_answer_owed = !pipelined.empty();
      c.phase = Connection::Phase::relay;
      co_return FrontStep();
    }
    c.backend.close();
    if (outcome == BackStep::Next::refused && !route.is_refusal_masked) {
      ++counters_.refused_logins;
      co_return front.refused(back->reply(), back->is_temporary());
    }
    ++counters_.unavailable;
    co_return front.unavailable();
  }
}

awaitable<bool> Server::wait_parked(Connection& c, FrontMachine& front,
                                    std::chrono::milliseconds left) {
  asio::steady_timer timer(io_);
  const auto over = clock_->now() + left;
  auto next_sign = clock_->now() + config_.keepalive;
  const std::string sign = front.keepalive();
  net::AsioError ignored;
  c.has_news = false;
  for (;;) {
    const auto now = clock_->now();
    if (now >= over) co_return true;
    timer.expires_after(std::min(std::chrono::duration_cast<std::chrono::milliseconds>(over - now) +
                                     std::chrono::milliseconds(1),
                                 std::chrono::milliseconds(500)));
    c.park = &timer;
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    c.park = nullptr;
    if (!c.client.is_open() || c.client.is_hung_up()) co_return false;
    if (c.has_news || is_draining_) co_return true;
    if (!sign.empty() && clock_->now() >= next_sign) {
      next_sign = clock_->now() + config_.keepalive;
      const bool is_sent = co_await write_all(c.client, sign);
      if (!is_sent) co_return false;
    }
  }
}

awaitable<bool> Server::open_backend(Leg& leg, const DestinationState& destination,
                                     Protocol protocol, const Connection* client,
                                     std::string& why) {
  const EndpointConfig& endpoint = destination.config.endpoints.at(protocol);
  const Announce announce = endpoint.announce.value_or(destination.config.announce);
  net::AsioError failure;
  std::vector<asio::ip::tcp::endpoint> endpoints;
  const auto literal = asio::ip::make_address(destination.config.address, failure);
  if (!failure) {
    endpoints.emplace_back(literal, endpoint.port);
  } else {
    asio::ip::tcp::resolver resolver(io_);
    const std::string service = std::to_string(endpoint.port);
    const auto results = co_await resolver.async_resolve(
        destination.config.address, service, asio::redirect_error(asio::use_awaitable, failure));
    if (failure) {
      why = "no address for " + destination.config.address;
      co_return false;
    }
    for (const auto& result : results) endpoints.push_back(result.endpoint());
  }
  bool is_connected = false;
  for (const auto& candidate : endpoints) {
    leg.close();
    is_connected = co_await connect_to(leg, candidate);
    if (is_connected || (client != nullptr && client->is_cancelled)) break;
  }
  if (!is_connected) {
    why =
        fmt::format("{}:{} does not accept connections", destination.config.address, endpoint.port);
    co_return false;
  }
  if (announce == Announce::proxy_v1 || announce == Announce::proxy_v2) {
    const auto header = announce == Announce::proxy_v1 ? proxy_header_v1 : proxy_header_v2;
    // A probe has no client: the header says so.
    const std::string bytes = client == nullptr
                                  ? header("", 0, "", 0)
                                  : header(client->client_address, client->client_port,
                                           client->local_address, client->local_port);
    const bool is_sent = co_await write_all(leg, bytes);
    if (!is_sent) co_return false;
  }
  if (endpoint.tls != TlsMode::implicit) co_return true;
  co_return co_await start_backend_tls(leg, destination, why);
}

awaitable<bool> Server::start_backend_tls(Leg& leg, const DestinationState& destination,
                                          std::string& why) {
  const DestinationConfig& config = destination.config;
  if (!leg.is_open() || !leg.begin_tls(destination.context.get(), false,
                                       config.tls_name.empty() ? config.address : config.tls_name))
    co_return false;
  const bool is_tls = co_await handshake(leg);
  if (!is_tls) {
    why = "the TLS handshake with " + config.address + " failed";
    co_return false;
  }
  if (!config.certificate_sha256.empty() &&
      !equals_ignoring_case(leg.peer_certificate_sha256(), config.certificate_sha256)) {
    why = config.address + " shows another certificate than the pinned one";
    leg.close();
    co_return false;
  }
  co_return true;
}

awaitable<BackStep::Next> Server::converse(Leg& leg, const DestinationState& destination,
                                           BackMachine& back, std::string& why,
                                           Connection* client) {
  std::string bytes;
  for (;;) {
    if (client != nullptr) client->backend_deadline = clock_->now() + config_.backend_timeout;
    bytes.clear();
    const bool is_read = co_await read_some(leg, bytes);
    if (!is_read) {
      why = "the backend closed before its verdict";
      co_return BackStep::Next::unavailable;
    }
    BackStep step = back.feed(bytes);
    while (step.next == BackStep::Next::start_tls) {
      const bool is_tls = co_await start_backend_tls(leg, destination, why);
      if (!is_tls) co_return BackStep::Next::unavailable;
      step = back.tls_started();
    }
    if (!step.output.empty()) {
      const bool is_sent = co_await write_all(leg, step.output);
      if (!is_sent) co_return BackStep::Next::unavailable;
    }
    if (step.next == BackStep::Next::read) continue;
    if (step.next == BackStep::Next::unavailable) why = back.why();
    co_return step.next;
  }
}

awaitable<bool> Server::open_mail_relay(Connection& c) {
  std::string why;
  const auto found = destinations_.find(config_.smtp_destination);
  bool is_connected = false;
  if (!is_draining_ && found != destinations_.end() &&
      found->second.config.endpoints.contains(Protocol::smtp)) {
    c.deadline = SteadyTime::max();
    c.backend_deadline = clock_->now() + config_.backend_timeout;
    c.phase = Connection::Phase::attempt;
    c.destination = &found->second;
    is_connected = co_await open_backend(c.backend, found->second, Protocol::smtp, &c, why);
  }
  if (is_connected) co_return true;
  c.deadline = clock_->now() + config_.login_timeout;
  // Senders queue and come again; silence would look like a broken server in their logs.
  const std::string words =
      "421 4.3.2 " + config_.server_name + " Service is not available at the moment\r\n";
  co_await write_all(c.client, words);
  co_return false;
}

awaitable<void> Server::probe(const DestinationState& destination, Protocol protocol,
                              LoginRequest& request, Verdict& verdict) {
  Leg leg(io_);
  asio::steady_timer limit(io_);
  limit.expires_after(config_.backend_timeout);
  Leg* opened = &leg;
  limit.async_wait([opened](net::AsioError failure) {
    if (!failure) opened->close();
  });
  const bool is_connected = co_await open_backend(leg, destination, protocol, nullptr, verdict.why);
  if (is_connected && protocol != Protocol::smtp) {
    BackOptions options;
    options.tls = destination.config.endpoints.at(protocol).tls;
    const std::unique_ptr<BackMachine> back = make_back_machine(protocol, options, request);
    verdict.outcome = co_await converse(leg, destination, *back, verdict.why, nullptr);
    verdict.reply = back->reply();
    verdict.greeting = back->greeting();
    verdict.certificate_sha256 = leg.peer_certificate_sha256();
  }
  // The handler above borrows the leg: it must have run, or been called off, before the leg goes.
  limit.cancel();
  leg.close();
  co_await asio::post(io_, asio::use_awaitable);
}

}  // namespace plan::proxy
