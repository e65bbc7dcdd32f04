#include "runtime/proxy/control_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>

#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/net/connect_once.h"
#include "runtime/net/errors.h"
#include "runtime/proxy/errors.h"
#include "runtime/proxy/limits.h"

namespace plan::proxy {
namespace {

constexpr std::size_t kAnswerBytesMax = 8 * 1024 * 1024;

const ErrorCode* code_by_name(std::string_view name) {
  static constexpr const ErrorCode* kCodes[] = {
#define PLAN_ERROR(identifier, code, summary, remedy) &errors::identifier,
#include "runtime/proxy/errors.def"
#undef PLAN_ERROR
  };
  const auto* const found =
      std::find_if(std::begin(kCodes), std::end(kCodes),
                   [name](const ErrorCode* code) { return code->name == name; });
  return found == std::end(kCodes) ? nullptr : *found;
}

Error not_understood(std::string_view what) {
  return Error(errors::proxy_answer, "the proxy's answer is not understood")
      .with_blame(Blame::proxy)
      .with_detail(what)
      .with_effect(Effect::unknown);
}

ir::Value names_value(const std::vector<std::string>& names) {
  ir::List list;
  for (const std::string& name : names) list.emplace_back(name);
  return ir::Value(std::move(list));
}

ir::Value command(std::string_view op, const std::vector<std::string>& names,
                  std::uint64_t generation, std::string_view lease) {
  return ir::Value::map({{"op", op},
                         {"names", names_value(names)},
                         {"generation", static_cast<std::int64_t>(generation)},
                         {"lease", lease}});
}

}  // namespace

struct ProxyControl::State {
  std::unique_ptr<net::SocketStream> stream;
  std::unique_ptr<net::LineReader> reader;
  std::string control;   ///< its address, as the plan has it
  std::string host;      ///< HTTPS only
  secret::Secret token;  ///< HTTPS only: every request carries it
  bool is_http = false;

  /// Of a look at the world that has found the proxy silent before, it asks nothing.
  Result<std::string> exchange(const std::string& json, net::Deadline deadline);
  Result<std::string> ask(const std::string& json, net::Deadline deadline);
};

ProxyControl::ProxyControl(std::unique_ptr<State> state) : state_(std::move(state)) {}
ProxyControl::~ProxyControl() = default;

Result<std::string> ProxyControl::State::exchange(const std::string& json, net::Deadline deadline) {
  net::ConnectTurn turn("proxy " + control);
  if (turn.refusal()) return Error(*turn.refusal());
  auto answer = ask(json, deadline);
  if (answer)
    turn.answered();
  else
    turn.not_answered(answer.error());
  return answer;
}

Result<std::string> ProxyControl::State::ask(const std::string& json, net::Deadline deadline) {
  const auto lost = [this](Error error) {
    const std::string words = error.to_line();
    return Error(errors::proxy_unreachable, "the proxy at " + control + " did not answer")
        .with_blame(Blame::proxy)
        .with_detail(words)
        .with_effect(Effect::unknown)
        .with_retry(Retry::safe);
  };
  if (!is_http) {
    if (auto written = stream->write_all(json + "\n", deadline); !written)
      return lost(std::move(written).error());
    auto line = reader->line(deadline);
    if (!line) return lost(std::move(line).error());
    return std::move(*line);
  }
  const std::string head = fmt::format(
      "POST /control HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Type: "
      "application/json\r\nContent-Length: {}\r\n\r\n",
      host, token.reveal_for("the proxy's control address"), json.size());
  if (auto written = stream->write_all(head + json, deadline); !written)
    return lost(std::move(written).error());
  auto first = reader->line(deadline);
  if (!first) return lost(std::move(first).error());
  if (!first->starts_with("HTTP/1.1 ")) return not_understood(*first);
  std::optional<std::size_t> length;
  for (int lines = 0;; ++lines) {
    auto line = reader->line(deadline);
    if (!line) return lost(std::move(line).error());
    if (line->empty()) break;
    if (lines > 100) return not_understood("too many header lines");
    const std::size_t colon = line->find(':');
    if (colon == std::string::npos ||
        !equals_ignoring_case(std::string_view(*line).substr(0, colon), "Content-Length"))
      continue;
    const std::string_view value = trim(std::string_view(*line).substr(colon + 1));
    std::size_t size = 0;
    const auto [end, failure] = std::from_chars(value.data(), value.data() + value.size(), size);
    if (failure != std::errc{} || end != value.data() + value.size() || size > kAnswerBytesMax)
      return not_understood(*line);
    length = size;
  }
  if (!length) return not_understood("no Content-Length");
  auto body = reader->bytes(*length, deadline);
  if (!body) return lost(std::move(body).error());
  return std::move(*body);
}

ControlAddress control_address(const ir::Value& proxy_block, std::string_view plan_directory) {
  constexpr std::string_view kUnix = "unix:";
  ControlAddress address{std::string(proxy_block["control"].string_or("")),
                         std::string(proxy_block["certificate_sha256"].string_or(""))};
  if (address.control.starts_with(kUnix)) {
    const std::filesystem::path path(address.control.substr(kUnix.size()));
    address.control = std::string(kUnix) + (std::filesystem::path(plan_directory) / path).string();
  }
  return address;
}

Result<std::unique_ptr<ProxyControl>> ProxyControl::open(const ControlAddress& address,
                                                         const secret::Secret& token,
                                                         net::Deadline deadline) {
  const auto unreachable = [&address](Error error) {
    const std::string words = error.to_line();
    return Error(errors::proxy_unreachable, "no connection to " + address.control)
        .with_blame(Blame::proxy)
        .with_retry(Retry::safe)
        .with_detail(words);
  };
  auto state = std::make_unique<State>();
  const std::string& control = address.control;
  state->control = control;
  if (control.starts_with("unix:")) {
    auto stream = net::connect_unix(control.substr(5), deadline);
    if (!stream) return unreachable(std::move(stream).error());
    state->stream = std::move(*stream);
  } else if (control.starts_with("https://")) {
    std::string place = control.substr(8);
    if (place.ends_with('/')) place.pop_back();
    const std::size_t colon = place.rfind(':');
    std::uint16_t port = 0;
    bool is_good = colon != std::string::npos && colon > 0;
    if (is_good) {
      const auto [end, failure] =
          std::from_chars(place.data() + colon + 1, place.data() + place.size(), port);
      is_good = failure == std::errc{} && end == place.data() + place.size();
    }
    if (!is_good || address.certificate_sha256.empty()) {
      return Error(errors::proxy_unreachable,
                   control + " needs the form https://HOST:PORT and a pinned certificate")
          .with_blame(Blame::plan);
    }
    std::string host = place.substr(0, colon);
    if (host.size() > 2 && host.front() == '[' && host.back() == ']')
      host = host.substr(1, host.size() - 2);
    auto stream = net::connect_tcp(host, port, deadline);
    if (!stream) return unreachable(std::move(stream).error());
    state->stream = std::move(*stream);
    net::TlsClientOptions options;
    options.server_name = host;
    options.pinned_sha256_hex = address.certificate_sha256;
    net::ConnectTurn turn("tls " + control);
    if (turn.refusal()) return Error(*turn.refusal());
    auto secured = state->stream->start_tls(options, deadline);
    if (!secured && secured.error().is(net::errors::timed_out)) {
      Error silent = unreachable(std::move(secured).error());
      turn.not_answered(silent);
      return silent;
    }
    turn.answered();
    if (!secured)
      return std::move(secured).error().with_blame(Blame::proxy).while_doing("opening " + control);
    state->is_http = true;
    state->host = place;
    state->token = token.clone();
  } else {
    return Error(errors::proxy_unreachable, "the proxy's control address `" +
                                                printable(control, 200) +
                                                "` begins neither with unix: nor with https://")
        .with_blame(Blame::plan);
  }
  state->reader = std::make_unique<net::LineReader>(*state->stream, kAnswerBytesMax);
  if (!state->is_http) {
    const std::string hello =
        ir::write_json(ir::Value::map({{"token", token.reveal_for("the proxy's control socket")}}));
    auto welcome = state->exchange(hello, deadline);
    if (!welcome) return std::move(welcome).error().with_effect(Effect::none);
    const auto parsed = ir::parse_json(*welcome);
    if (!parsed) return not_understood(*welcome).with_effect(Effect::none);
    if (!(*parsed)["ok"].bool_or(false))
      return Error(errors::token_refused, "the proxy at " + control + " refused the token")
          .with_blame(Blame::proxy);
  }
  return std::unique_ptr<ProxyControl>(new ProxyControl(std::move(state)));
}

Result<ir::Value> ProxyControl::request(const ir::Value& request, net::Deadline deadline) {
  PLAN_TRY(text, state_->exchange(ir::write_json(request), deadline));
  ir::JsonLimits limits;
  limits.bytes_max = kAnswerBytesMax;
  auto answer = ir::parse_json(text, limits);
  if (!answer || !answer->is_map()) return not_understood(text);
  if ((*answer)["ok"].bool_or(false)) return std::move(*answer);
  const ErrorCode* code = code_by_name((*answer)["error"].string_or(""));
  if (code == nullptr) return not_understood(text);
  return Error(*code, std::string((*answer)["message"].string_or(code->summary)))
      .with_blame(Blame::proxy);
}

Result<ir::Value> ProxyControl::status(net::Deadline deadline) {
  return request(ir::Value::map({{"op", "status"}}), deadline);
}

Result<std::vector<NameStanding>> ProxyControl::names(const std::vector<std::string>& names,
                                                      net::Deadline deadline) {
  PLAN_TRY(answer,
           request(ir::Value::map({{"op", "names"}, {"names", names_value(names)}}), deadline));
  std::vector<NameStanding> standings;
  for (const ir::Value& item : answer["names"].items()) {
    NameStanding standing;
    standing.name = std::string(item["name"].string_or(""));
    standing.state = std::string(item["state"].string_or(""));
    standing.destination = std::string(item["destination"].string_or(""));
    standing.next_destination = std::string(item["next_destination"].string_or(""));
    standing.generation =
        static_cast<std::uint64_t>(std::max<std::int64_t>(0, item["generation"].integer_or(0)));
    standing.left_ms = item["left_ms"].integer_or(0);
    standing.is_known = item["known"].bool_or(false);
    standings.push_back(std::move(standing));
  }
  if (standings.size() != names.size())
    return not_understood("another number of names than was asked for");
  return standings;
}

Result<ir::Value> ProxyControl::hold(const std::vector<std::string>& names,
                                     std::uint64_t generation, std::int64_t bound_ms,
                                     std::string_view lease, net::Deadline deadline) {
  ir::Value message = command("hold", names, generation, lease);
  message.set("bound_ms", bound_ms);
  return request(message, deadline);
}

Outcome ProxyControl::prepare(const std::vector<std::string>& names, std::uint64_t generation,
                              const std::string& destination, std::string_view lease,
                              net::Deadline deadline) {
  ir::Value message = command("prepare", names, generation, lease);
  message.set("destination", destination);
  PLAN_TRY_VOID(request(message, deadline));
  return {};
}

Outcome ProxyControl::unprepare(const std::vector<std::string>& names, std::uint64_t generation,
                                std::string_view lease, net::Deadline deadline) {
  PLAN_TRY_VOID(request(command("unprepare", names, generation, lease), deadline));
  return {};
}

Outcome ProxyControl::commit(const std::vector<std::string>& names, std::uint64_t generation,
                             std::string_view lease, net::Deadline deadline) {
  PLAN_TRY_VOID(request(command("commit", names, generation, lease), deadline));
  return {};
}

Outcome ProxyControl::abort(const std::vector<std::string>& names, std::uint64_t generation,
                            std::string_view lease, net::Deadline deadline) {
  PLAN_TRY_VOID(request(command("abort", names, generation, lease), deadline));
  return {};
}

Outcome ProxyControl::acquire(std::string_view lease, net::Deadline deadline) {
  PLAN_TRY_VOID(request(ir::Value::map({{"op", "acquire"}, {"lease", lease}}), deadline));
  return {};
}

Outcome ProxyControl::take_over(std::string_view lease, net::Deadline deadline) {
  PLAN_TRY_VOID(request(ir::Value::map({{"op", "take-over"}, {"lease", lease}}), deadline));
  return {};
}

Result<ir::Value> ProxyControl::probe(const std::string& destination, const std::string& protocol,
                                      const std::string& login, const secret::Secret& password,
                                      net::Deadline deadline) {
  return request(
      ir::Value::map({{"op", "probe"},
                      {"destination", destination},
                      {"protocol", protocol},
                      {"login", login},
                      {"password", password.reveal_for("a probe that passes the hold")}}),
      deadline);
}

}  // namespace plan::proxy
