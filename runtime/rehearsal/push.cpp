#include "runtime/rehearsal/push.h"

#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "compiler/ir/digest.h"
#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/net/connection_server.h"
#include "runtime/net/errors.h"
#include "runtime/rehearsal/http_front.h"
#include "runtime/rehearsal/ids.h"
#include "runtime/rehearsal/jmap.h"

namespace plan::rehearsal {
namespace {

using net::Deadline;
using net::HttpServerRequest;
using net::HttpServerResponse;

constexpr std::array<std::pair<ChangeKind, std::string_view>, 11> kTypes = {{
    {ChangeKind::thread, "Thread"},
    {ChangeKind::mailbox, "Mailbox"},
    {ChangeKind::email, "Email"},
    {ChangeKind::script, "SieveScript"},
    {ChangeKind::identity, "Identity"},
    {ChangeKind::submission, "EmailSubmission"},
    {ChangeKind::address_book, "AddressBook"},
    {ChangeKind::card, "ContactCard"},
    {ChangeKind::calendar, "Calendar"},
    {ChangeKind::event, "CalendarEvent"},
    {ChangeKind::file, "FileNode"},
}};
constexpr std::chrono::seconds kPingMin{30};  // an interval asked for is never shorter
constexpr std::chrono::milliseconds kSlice{100};
constexpr std::chrono::seconds kWriting{10};
constexpr std::size_t kMessageBytesMax = std::size_t{10} << 20U;

const std::array<std::string_view, 11>& other_types() {
  static constexpr std::array<std::string_view, 11> kOthers = {"*",
                                                               "Core",
                                                               "EmailDelivery",
                                                               "VacationResponse",
                                                               "PushSubscription",
                                                               "SearchSnippet",
                                                               "Quota",
                                                               "Principal",
                                                               "ShareNotification",
                                                               "ParticipantIdentity",
                                                               "CalendarEventNotification"};
  return kOthers;
}

HttpServerResponse invalid_parameters(std::string_view detail) {
  HttpServerResponse out;
  out.status = 400;
  out.content_type = "application/problem+json";
  out.body = ir::write_json(ir::Value::map({{"type", "about:blank"},
                                            {"status", 400},
                                            {"title", "Invalid parameters"},
                                            {"detail", detail}}));
  return out;
}

using States = std::map<ChangeKind, std::uint64_t>;

// The changes of one account as one client follows them.
class Watch {
 public:
  Watch(World& world, const Login& login) : world_(world), account_(login.account) {
    const std::lock_guard lock(world_.mutex);
    seen_ = now();
  }

  void follow(const std::vector<std::string>& types) {
    const std::lock_guard lock(world_.mutex);
    types_ = types;
    seen_ = now();
    is_on_ = true;
  }
  void stop() { is_on_ = false; }

  // The StateChange of what changed since the last call, waiting up to `patience`; null: nothing.
  ir::Value next(std::chrono::milliseconds patience) {
    std::unique_lock lock(world_.mutex);
    if (!is_on_) return {};
    if (now() == seen_ && patience.count() > 0) world_.changed.wait_for(lock, patience);
    const States current = now();
    if (current == seen_) return {};
    ir::Value changed = ir::Value::map();
    for (const auto& [kind, name] : kTypes) {
      const bool is_wanted =
          std::any_of(types_.begin(), types_.end(),
                      [&](const std::string& each) { return each == "*" || each == name; });
      const auto at = current.find(kind);
      if (!is_wanted || at == current.end()) continue;
      const auto before = seen_.find(kind);
      if (before == seen_.end() || before->second != at->second)
        changed.set(std::string(name), encode_state(at->second));
    }
    seen_ = current;
    if (changed.size() == 0) return {};
    return ir::Value::map(
        {{"@type", "StateChange"}, {"changed", ir::Value::map({{encode_id(account_), changed}})}});
  }

 private:
  States now() const {
    const MailAccount* account = world_.mail.find(account_);
    return account == nullptr ? States{} : account->last_change;
  }

  World& world_;
  std::uint64_t account_;
  std::vector<std::string> types_;
  States seen_;
  bool is_on_ = false;
};

std::string parameter(const HttpServerRequest& request, std::string_view name) {
  for (const std::string_view pair : split(request.query, '&'))
    if (pair.substr(0, pair.find('=')) == name && pair.find('=') != std::string_view::npos)
      return net::percent_decode(pair.substr(name.size() + 1)).value_or("");
  return {};
}

bool is_known_type(std::string_view name) {
  return std::any_of(kTypes.begin(), kTypes.end(),
                     [name](const auto& each) { return each.second == name; }) ||
         std::find(other_types().begin(), other_types().end(), name) != other_types().end();
}

bool write_chunk(net::SocketStream& stream, std::string_view text) {
  std::array<char, 16> size{};
  const auto end = std::to_chars(size.data(), size.data() + size.size(), text.size(), 16).ptr;
  const std::string chunk = std::string(size.data(), end) + "\r\n" + std::string(text) + "\r\n";
  return stream.write_all(chunk, Deadline::after(kWriting)).has_value();
}

HttpServerResponse event_source(World& world, const Login& login,
                                const HttpServerRequest& request) {
  const std::string wanted = parameter(request, "types");
  std::vector<std::string> types;
  for (const std::string_view each : split(wanted.empty() ? std::string_view("*") : wanted, ',')) {
    if (!is_known_type(each))
      return invalid_parameters("One or multiple parameters could not be parsed.");
    types.emplace_back(each);
  }
  const std::string asked = parameter(request, "ping");
  std::int64_t seconds = 0;
  std::from_chars(asked.data(), asked.data() + asked.size(), seconds);
  const std::chrono::seconds ping =
      seconds == 0
          ? std::chrono::seconds(0)
          : std::max(kPingMin, std::chrono::seconds(std::min<std::int64_t>(seconds, 3600)));
  const bool ends_after_state = parameter(request, "closeafter") == "state";
  HttpServerResponse out;
  out.content_type = "text/event-stream";
  out.headers.emplace_back("cache-control", "no-store");
  out.headers.emplace_back("transfer-encoding", "chunked");
  const auto watch = std::make_shared<Watch>(world, login);
  watch->follow(types);
  out.goes_on = [watch, ping, ends_after_state](net::SocketStream& stream, net::LineReader&,
                                                const net::StopSignal& signal) {
    auto next_ping = std::chrono::steady_clock::now() + ping;
    while (!signal.is_stopping()) {
      const ir::Value change = watch->next(kSlice);
      if (!change.is_null()) {
        if (!write_chunk(stream, "event: state\ndata: " + ir::write_json(change) + "\n\n")) return;
        if (ends_after_state) break;
      }
      if (ping.count() > 0 && std::chrono::steady_clock::now() >= next_ping) {
        if (!write_chunk(stream, "event: ping\ndata: {\"interval\":" +
                                     std::to_string(ping.count()) + "}\n\n"))
          return;
        next_ping += ping;
      }
    }
    static_cast<void>(stream.write_all("0\r\n\r\n", Deadline::after(kWriting)).has_value());
  };
  return out;
}

// One WebSocket: text messages in and out, a ping answered, fragments refused.
class Socket {
 public:
  Socket(World& world, Login login, std::string peer)
      : world_(world), login_(std::move(login)), peer_(std::move(peer)), watch_(world, login_) {}

  void run(net::SocketStream& stream, net::LineReader& reader, const net::StopSignal& signal) {
    while (!signal.is_stopping()) {
      const ir::Value change = watch_.next(std::chrono::milliseconds(0));
      if (!change.is_null() && !send(stream, kText, ir::write_json(change))) return;
      auto head = reader.bytes(2, Deadline::after(kSlice));
      if (!head) {
        if (head.error().is(net::errors::timed_out)) continue;
        return;
      }
      if (!one_frame(stream, reader, *head)) break;
    }
    static_cast<void>(send(stream, kClose, {}));
  }

 private:
  static constexpr unsigned kText = 1;
  static constexpr unsigned kClose = 8;
  static constexpr unsigned kPing = 9;
  static constexpr unsigned kPong = 10;

  static bool send(net::SocketStream& stream, unsigned opcode, std::string_view payload) {
    std::string frame(1, static_cast<char>(0x80U | opcode));
    if (payload.size() < 126) {
      frame += static_cast<char>(payload.size());
    } else {
      const bool is_long = payload.size() > 0xffffU;
      frame += static_cast<char>(is_long ? 127 : 126);
      for (int shift = is_long ? 56 : 8; shift >= 0; shift -= 8)
        frame += static_cast<char>(
            (static_cast<std::uint64_t>(payload.size()) >> static_cast<unsigned>(shift)) & 0xffU);
    }
    frame += payload;
    return stream.write_all(frame, Deadline::after(kWriting)).has_value();
  }

  // False: the conversation is over.
  bool one_frame(net::SocketStream& stream, net::LineReader& reader, const std::string& head) {
    const auto first = static_cast<unsigned char>(head[0]);
    const auto second = static_cast<unsigned char>(head[1]);
    const bool is_whole = (first & 0x80U) != 0;
    const bool is_masked = (second & 0x80U) != 0;
    if (!is_whole || !is_masked) return false;  // RFC 6455, 5.1: a client masks
    std::uint64_t size = second & 0x7fU;
    if (size >= 126) {
      auto longer = reader.bytes(size == 126 ? 2 : 8, Deadline::after(kWriting));
      if (!longer) return false;
      size = 0;
      for (const char byte : *longer) size = size << 8U | static_cast<unsigned char>(byte);
    }
    if (size > kMessageBytesMax) return false;
    auto mask = reader.bytes(4, Deadline::after(kWriting));
    if (!mask) return false;
    std::string payload;
    if (size > 0) {
      auto bytes = reader.bytes(static_cast<std::size_t>(size), Deadline::after(kWriting));
      if (!bytes) return false;
      payload = std::move(*bytes);
    }
    for (std::size_t i = 0; i < payload.size(); ++i)
      payload[i] = static_cast<char>(payload[i] ^ (*mask)[i % 4]);
    switch (first & 0x0fU) {
      case kText:
        return message(stream, payload);
      case kPing:
        return send(stream, kPong, payload);
      case kPong:
        return true;
      default:
        return false;
    }
  }

  bool message(net::SocketStream& stream, const std::string& text) {
    const auto given = ir::parse_json(text);
    const std::string_view type = given ? (*given)["@type"].string_or("") : "";
    if (type == "WebSocketPushEnable") {
      std::vector<std::string> types;
      for (const ir::Value& each : (*given)["dataTypes"].items())
        types.emplace_back(each.string_or(""));
      if (types.empty()) types.emplace_back("*");
      watch_.follow(types);
      return true;
    }
    if (type == "WebSocketPushDisable") {
      watch_.stop();
      return true;
    }
    ir::Value answer;
    if (type == "Request") {
      JmapResponse response = run_jmap(world_, login_, text, peer_);
      if (response.is_dropped) return false;
      answer = ir::Value::map({{"@type", response.status == 200 ? "Response" : "RequestError"}});
      for (const auto& [name, value] : response.body.members()) answer.set(name, value);
    } else {
      answer = request_error("notRequest", "Invalid WebSocket JMAP request");
      answer.set("@type", "RequestError");
    }
    if (given && (*given)["id"].is_string()) answer.set("requestId", (*given)["id"]);
    return send(stream, kText, ir::write_json(answer));
  }

  World& world_;
  const Login login_;
  const std::string peer_;
  Watch watch_;
};

HttpServerResponse web_socket(World& world, const Login& login, const HttpServerRequest& request) {
  const std::string_view key = request.header("sec-websocket-key");
  if (!equals_ignoring_case(request.header("upgrade"), "websocket") || key.empty())
    return invalid_parameters("WebSocket upgrade failed");
  // RFC 6455, 4.2.2: proof that the request was understood.
  const std::string proof = std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest{};
  SHA1(reinterpret_cast<const unsigned char*>(proof.data()), proof.size(), digest.data());
  HttpServerResponse out;
  out.status = 101;
  out.headers.emplace_back("connection", "upgrade");
  out.headers.emplace_back("upgrade", "websocket");
  out.headers.emplace_back(
      "sec-websocket-accept",
      ir::to_base64({reinterpret_cast<const char*>(digest.data()), digest.size()}));
  out.headers.emplace_back("sec-websocket-protocol", "jmap");
  const auto socket = std::make_shared<Socket>(world, login, request.peer_address);
  out.goes_on = [socket](net::SocketStream& stream, net::LineReader& reader,
                         const net::StopSignal& signal) { socket->run(stream, reader, signal); };
  return out;
}

}  // namespace

bool is_push_path(std::string_view path) {
  return path == "/jmap/ws" || path == "/jmap/eventsource" || path == "/jmap/eventsource/";
}

HttpServerResponse answer_push(World& world, const Login& login, const HttpServerRequest& request) {
  return request.path == "/jmap/ws" ? web_socket(world, login, request)
                                    : event_source(world, login, request);
}

}  // namespace plan::rehearsal
