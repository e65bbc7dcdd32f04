// The server's side of the control protocol.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/proxy/control_request.h"
#include "runtime/proxy/errors.h"
#include "runtime/proxy/limits.h"
#include "runtime/proxy/server.h"
#include "runtime/proxy/token_file.h"

namespace plan::proxy {
namespace asio = net::asio;
namespace {

ir::Value ok(std::vector<std::pair<std::string, ir::Value>> members = {}) {
  ir::Value answer = ir::Value::map({{"ok", true}});
  for (auto& [key, value] : members) answer.set(std::move(key), std::move(value));
  return answer;
}

ir::Value refusal(const Error& error) {
  return ir::Value::map(
      {{"ok", false}, {"error", error.code().name}, {"message", printable(error.message(), 1000)}});
}

std::int64_t number(std::uint64_t value) {
  return static_cast<std::int64_t>(std::min<std::uint64_t>(value, INT64_MAX));
}

std::string_view phase_name(Connection::Phase phase) {
  switch (phase) {
    case Connection::Phase::before_login:
      return "before-login";
    case Connection::Phase::parked:
      return "parked";
    case Connection::Phase::attempt:
      return "attempt";
    case Connection::Phase::relay:
      return "session";
  }
  return "?";
}

ir::Value view_of(Server& server, const std::string& name) {
  const NameView view = server.accounts().view(name);
  return ir::Value::map({{"name", name},
                         {"state", to_string(view.state)},
                         {"destination", view.destination},
                         {"next_destination", view.next_destination},
                         {"generation", number(view.generation)},
                         {"left_ms", view.left_ms},
                         {"firm", view.is_firm},
                         {"known", view.is_known}});
}

ir::Value status_of(Server& server) {
  ir::List listeners;
  for (const auto& listener : server.listeners()) {
    if (listener->is_control) continue;
    listeners.push_back(ir::Value::map(
        {{"name", listener->config.name},
         {"protocol", to_string(listener->config.protocol)},
         {"address", listener->config.address},
         {"port", int{listener->port}},
         {"tls", to_string(listener->config.tls)},
         {"certificate_sha256",
          listener->context == nullptr ? "" : certificate_sha256(listener->context)}}));
  }
  ir::List destinations;
  for (const auto& [name, destination] : server.destinations()) {
    ir::Value ports = ir::Value::map();
    for (const auto& [protocol, endpoint] : destination.config.endpoints)
      ports.set(std::string(to_string(protocol)), int{endpoint.port});
    destinations.push_back(ir::Value::map(
        {{"name", name}, {"address", destination.config.address}, {"ports", ports}}));
  }
  std::size_t sessions = 0;
  std::size_t parked = 0;
  for (const Connection* connection : server.connections()) {
    if (connection->phase == Connection::Phase::relay) ++sessions;
    if (connection->phase == Connection::Phase::parked) ++parked;
  }
  const Server::Counters& counters = server.counters();
  AccountMap& map = server.accounts();
  return ok(
      {{"protocol", 1},
       {"instance", map.instance()},
       {"greeting_token", map.instance().substr(0, 12)},
       {"server_name", server.config().server_name},
       {"default_destination", server.config().default_destination},
       {"smtp_destination", server.config().smtp_destination},
       {"hold_bound_ms", number(static_cast<std::uint64_t>(server.config().hold_bound.count()))},
       {"lease", map.lease()},
       {"names", number(map.known_count())},
       {"transactions", number(map.transaction_count())},
       {"map_is_writable", !map.is_poisoned()},
       {"map_bytes", number(map.file_bytes())},
       {"is_draining", server.is_draining()},
       {"connections", number(server.connections().size())},
       {"sessions", number(sessions)},
       {"parked", number(parked)},
       {"counters", ir::Value::map({{"accepted", number(counters.accepted)},
                                    {"refused_connections", number(counters.refused_connections)},
                                    {"logins", number(counters.logins)},
                                    {"refused_logins", number(counters.refused_logins)},
                                    {"unavailable", number(counters.unavailable)},
                                    {"parked", number(counters.parked)},
                                    {"kicked", number(counters.kicked)}})},
       {"listeners", std::move(listeners)},
       {"destinations", std::move(destinations)}});
}

ir::Value sessions_of(Server& server, const ControlRequest& request) {
  const auto now = net::system_clock().now();
  std::vector<const Connection*> found;
  for (const Connection* connection : server.connections()) {
    if (connection->is_control) continue;
    if (!request.names.empty() && std::find(request.names.begin(), request.names.end(),
                                            connection->name) == request.names.end())
      continue;
    found.push_back(connection);
  }
  std::sort(found.begin(), found.end(),
            [](const Connection* left, const Connection* right) { return left->id < right->id; });
  if (found.size() > request.count) found.resize(request.count);
  ir::List list;
  for (const Connection* connection : found) {
    const auto idle = now - std::max(connection->last_up, connection->last_down);
    list.push_back(ir::Value::map(
        {{"id", number(connection->id)},
         {"name", connection->name},
         {"phase", phase_name(connection->phase)},
         {"protocol", to_string(connection->listener->config.protocol)},
         {"client", connection->client_address},
         {"tls", connection->client.is_tls()},
         {"destination",
          connection->destination == nullptr ? "" : connection->destination->config.name},
         {"bytes_up", number(connection->bytes_up)},
         {"bytes_down", number(connection->bytes_down)},
         {"idle_ms", connection->phase == Connection::Phase::relay
                         ? std::chrono::duration_cast<std::chrono::milliseconds>(idle).count()
                         : 0}}));
  }
  return ok({{"sessions", std::move(list)}});
}

ir::Value confirm(Server& server, const ControlRequest& request) {
  ir::List differing;
  for (const std::string& name : request.names) {
    const NameView view = server.accounts().view(name);
    if (view.state != NameState::settled || view.destination != request.destination)
      differing.push_back(view_of(server, name));
  }
  const bool is_confirmed = differing.empty();
  return ok({{"is_confirmed", is_confirmed}, {"differing", std::move(differing)}});
}

/// Waits until no session of the names is left; after the grace they are cut.
awaitable<std::size_t> end_sessions(Server& server, const std::vector<std::string>& names) {
  const std::size_t closing = server.start_closing(names);
  asio::steady_timer timer(server.io());
  net::AsioError ignored;
  const auto over =
      net::system_clock().now() + server.config().close_grace + std::chrono::milliseconds(500);
  while (server.session_count(names) > 0 && net::system_clock().now() < over) {
    timer.expires_after(std::chrono::milliseconds(5));
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
  for (Connection* connection : server.connections()) {
    if (connection->phase == Connection::Phase::relay &&
        std::find(names.begin(), names.end(), connection->name) != names.end())
      connection->close();
  }
  co_return closing;
}

Error no_destination(const Server& server, const std::string& asked) {
  std::string there;
  for (const auto& [name, destination] : server.destinations())
    there += (there.empty() ? "" : ", ") + name;
  return {errors::unknown_destination,
          fmt::format("there is no destination `{}`; there are: {}", printable(asked, 60), there)};
}

awaitable<ir::Value> probe(Server& server, ControlRequest& request) {
  const auto destination = server.destinations().find(request.destination);
  const auto protocol = protocol_by_name(request.protocol.empty() ? "imap" : request.protocol);
  if (destination == server.destinations().end()) {
    const Error error = no_destination(server, request.destination);
    co_return refusal(error);
  }
  if (!protocol || !destination->second.config.endpoints.contains(*protocol)) {
    const Error error(errors::request_malformed, "that destination has no endpoint for `" +
                                                     printable(request.protocol, 20) + "`");
    co_return refusal(error);
  }
  LoginRequest login;
  login.tag = "P9";
  login.credential.login = request.login;
  login.credential.password = secret::Secret(std::move(request.password));
  if (!login.credential.is_usable()) {
    const Error error(errors::request_malformed, "`login` and `password` cannot be used");
    co_return refusal(error);
  }
  Server::Verdict verdict;
  co_await server.probe(destination->second, *protocol, login, verdict);
  const char* word = "unavailable";
  if (verdict.outcome == BackStep::Next::accepted) word = "accepted";
  if (verdict.outcome == BackStep::Next::refused) word = "refused";
  ir::Value answer = ok({{"verdict", word},
                         {"greeting", printable(verdict.greeting, 500)},
                         {"reply", printable(verdict.reply, 500)},
                         {"why", printable(verdict.why, 500)},
                         {"certificate_sha256", verdict.certificate_sha256}});
  co_return answer;
}

ir::Value after(Outcome outcome, ir::Value answer) {
  return outcome ? std::move(answer) : refusal(outcome.error());
}

awaitable<ir::Value> answer_request(Server& server, ControlRequest& request) {
  AccountMap& map = server.accounts();
  switch (request.op) {
    case ControlOp::status:
      co_return status_of(server);
    case ControlOp::sessions:
      co_return sessions_of(server, request);
    case ControlOp::confirm:
      co_return confirm(server, request);
    case ControlOp::names: {
      ir::List list;
      for (const std::string& name : request.names) list.push_back(view_of(server, name));
      ir::Value answer = ok({{"names", std::move(list)}});
      co_return answer;
    }
    case ControlOp::map: {
      ir::List list;
      for (const std::string& name : map.names_after(request.after, request.count))
        list.push_back(view_of(server, name));
      ir::Value answer = ok({{"names", std::move(list)}});
      co_return answer;
    }
    case ControlOp::hold: {
      const auto bound = request.bound_ms > 0 ? std::chrono::milliseconds(request.bound_ms)
                                              : server.config().hold_bound;
      const Outcome held = map.hold(request.names, request.generation, bound, request.lease);
      if (!held) co_return refusal(held.error());
      const std::size_t closed = co_await end_sessions(server, request.names);
      ir::Value answer = ok({{"closed", number(closed)},
                             {"parked", number(server.parked_count(request.names))},
                             {"left_ms", map.view(request.names.front()).left_ms}});
      co_return answer;
    }
    case ControlOp::prepare: {
      if (!server.destinations().contains(request.destination)) {
        const Error error = no_destination(server, request.destination);
        co_return refusal(error);
      }
      ir::Value answer = after(
          map.prepare(request.names, request.generation, request.destination, request.lease), ok());
      co_return answer;
    }
    case ControlOp::unprepare: {
      ir::Value answer =
          after(map.unprepare(request.names, request.generation, request.lease), ok());
      co_return answer;
    }
    case ControlOp::commit:
    case ControlOp::abort: {
      const std::size_t parked = server.parked_count(request.names);
      const Outcome done = request.op == ControlOp::commit
                               ? map.commit(request.names, request.generation, request.lease)
                               : map.abort(request.names, request.generation, request.lease);
      if (done) server.wake(request.names);
      ir::Value answer = after(done, ok({{"released", number(parked)}}));
      co_return answer;
    }
    case ControlOp::kick: {
      const std::size_t closed = co_await end_sessions(server, request.names);
      ir::Value answer = ok({{"closed", number(closed)}});
      co_return answer;
    }
    case ControlOp::drain:
      server.start_draining();
      co_return ok();
    case ControlOp::probe: {
      ir::Value answer = co_await probe(server, request);
      co_return answer;
    }
    case ControlOp::acquire: {
      ir::Value answer = after(map.acquire(request.lease), ok());
      co_return answer;
    }
    case ControlOp::take_over: {
      ir::Value answer = after(map.take_over(request.lease), ok());
      co_return answer;
    }
  }
  co_return ok();
}

awaitable<std::string> answer_text(Server& server, std::string_view json) {
  auto request = read_control_request(json);
  ir::Value answer;
  if (!request) {
    answer = refusal(request.error());
  } else {
    answer = co_await answer_request(server, *request);
  }
  co_return ir::write_json(answer);
}

/// One line without its end, or nothing when the stream ended or the line is too long.
awaitable<bool> read_line(Leg& leg, std::string& buffer, std::size_t bytes_max, std::string& line) {
  std::size_t searched = 0;
  for (;;) {
    const std::size_t end = buffer.find('\n', searched);
    if (end != std::string::npos && end <= bytes_max) {
      line = buffer.substr(0, end);
      buffer.erase(0, end + 1);
      co_return true;
    }
    if (buffer.size() > bytes_max) co_return false;
    searched = buffer.size();
    const bool is_read = co_await read_some(leg, buffer);
    if (!is_read) co_return false;
  }
}

awaitable<void> refuse_token(Server& server, Leg& leg, std::string_view words) {
  asio::steady_timer pause(server.io());
  net::AsioError ignored;
  pause.expires_after(std::chrono::milliseconds(300));  // guessing takes time
  co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  co_await write_all(leg, words);
}

awaitable<void> serve_lines(Server& server, Connection& c) {
  std::string buffer;
  std::string line;
  const bool is_there = co_await read_line(c.client, buffer, kTokenBytesMax + 100, line);
  if (!is_there) co_return;
  const auto hello = ir::parse_json(line);
  const Error wrong(errors::token_refused, "the token is not the one of this proxy");
  if (!hello || !is_same_token((*hello)["token"].string_or(""), server.token())) {
    const std::string words = ir::write_json(refusal(wrong)) + "\n";
    co_await refuse_token(server, c.client, words);
    co_return;
  }
  const std::string welcome =
      ir::write_json(ok({{"protocol", 1}, {"instance", server.accounts().instance()}})) + "\n";
  bool is_sent = co_await write_all(c.client, welcome);
  while (is_sent) {
    c.deadline = net::system_clock().now() + kControlIdle;
    const bool is_read = co_await read_line(c.client, buffer, kControlRequestBytesMax, line);
    if (!is_read) co_return;
    c.deadline = SteadyTime::max();  // a hold takes its time
    std::string answer = co_await answer_text(server, line);
    answer += '\n';
    is_sent = co_await write_all(c.client, answer);
  }
}

std::string http_answer(std::string_view status, const std::string& body, bool is_kept) {
  return fmt::format(
      "HTTP/1.1 {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: "
      "{}\r\n\r\n{}",
      status, body.size(), is_kept ? "keep-alive" : "close", body);
}

awaitable<void> serve_http(Server& server, Connection& c) {
  std::string buffer;
  for (;;) {
    std::size_t end = std::string::npos;
    while ((end = buffer.find("\r\n\r\n")) == std::string::npos) {
      if (buffer.size() > kControlHeadBytesMax) co_return;
      const bool is_read = co_await read_some(c.client, buffer);
      if (!is_read) co_return;
    }
    const auto head = read_http_head(std::string_view(buffer).substr(0, end));
    buffer.erase(0, end + 4);
    const Error wrong(errors::token_refused, "the token is not the one of this proxy");
    const Error malformed(errors::request_malformed,
                          "not a request that the control address takes");
    if (!head) {
      const std::string words =
          http_answer("400 Bad Request", ir::write_json(refusal(malformed)), false);
      co_await write_all(c.client, words);
      co_return;
    }
    if (!is_same_token(head->bearer, server.token())) {
      const std::string words =
          http_answer("401 Unauthorized", ir::write_json(refusal(wrong)), false);
      co_await refuse_token(server, c.client, words);
      co_return;
    }
    if (!head->is_post || head->path != "/control" ||
        head->content_length > kControlRequestBytesMax) {
      const std::string words =
          http_answer("404 Not Found", ir::write_json(refusal(malformed)), false);
      co_await write_all(c.client, words);
      co_return;
    }
    while (buffer.size() < head->content_length) {
      const bool is_read = co_await read_some(c.client, buffer);
      if (!is_read) co_return;
    }
    const std::string body = buffer.substr(0, head->content_length);
    buffer.erase(0, head->content_length);
    c.deadline = SteadyTime::max();
    const std::string answer = co_await answer_text(server, body);
    const std::string words = http_answer("200 OK", answer, head->is_kept_alive);
    const bool is_sent = co_await write_all(c.client, words);
    if (!is_sent || !head->is_kept_alive) co_return;
    c.deadline = net::system_clock().now() + kControlIdle;
  }
}

}  // namespace

awaitable<void> serve_control(Server& server, ConnectionPtr connection, bool is_http) {
  Connection& c = *connection;
  if (is_http) {
    bool is_ready = c.client.begin_tls(c.listener->context, true, "");
    if (is_ready) is_ready = co_await handshake(c.client);
    if (is_ready) co_await serve_http(server, c);
  } else {
    co_await serve_lines(server, c);
  }
  c.close();
}

}  // namespace plan::proxy
