#include "push_player.h"

#include <charconv>
#include <thread>

#include "compiler/ir/digest.h"
#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/net/stream.h"

namespace plan::replay {
namespace {

using ir::Value;
using net::Deadline;

constexpr std::chrono::seconds kPatience{20};       // for what has to come
constexpr std::chrono::milliseconds kSilence{300};  // for what must not

class Connection {
 public:
  Connection(Stage& stage, const std::string& path,
             const std::vector<std::pair<std::string, std::string>>& headers) {
    auto connected = net::connect_tcp("127.0.0.1", stage.target().port(rehearsal::Service::http),
                                      Deadline::after(kPatience));
    if (!connected) return;
    stream_ = std::move(*connected);
    reader_ = std::make_unique<net::LineReader>(*stream_, 1U << 20U);
    std::string request = "GET " + path + " HTTP/1.1\r\n";
    for (const auto& [name, value] : headers) request += name + ": " + value + "\r\n";
    if (!stream_->write_all(request + "\r\n", Deadline::after(kPatience))) return;
    auto line = reader_->line(Deadline::after(kPatience));
    if (!line || line->size() < 12) return;
    std::from_chars(line->data() + 9, line->data() + 12, answer_.status);
    while ((line = reader_->line(Deadline::after(kPatience))) && !line->empty()) {
      const std::size_t colon = line->find(':');
      if (colon != std::string::npos)
        answer_.headers[lower_ascii(line->substr(0, colon))] =
            std::string(trim(std::string_view(*line).substr(colon + 1)));
    }
  }

  HttpAnswer& answer() { return answer_; }
  [[nodiscard]] bool is_open() const { return reader_ != nullptr; }

  std::optional<std::string> line(Deadline deadline) {
    if (!reader_) return std::nullopt;
    auto got = reader_->line(deadline);
    return got ? std::optional(std::move(*got)) : std::nullopt;
  }

  void send_frame(const std::string& text) {
    // RFC 6455, 5.2: a client masks; a mask of zeros changes nothing.
    std::string frame = "\x81";
    if (text.size() < 126) {
      frame += static_cast<char>(0x80U | text.size());
    } else {
      frame += static_cast<char>(0x80U | 126U);
      frame += static_cast<char>(text.size() >> 8U);
      frame += static_cast<char>(text.size() & 0xffU);
    }
    frame += std::string(4, '\0') + text;
    if (stream_)
      static_cast<void>(stream_->write_all(frame, Deadline::after(kPatience)).has_value());
  }

  std::optional<std::string> frame(Deadline deadline) {
    if (!reader_) return std::nullopt;
    auto head = reader_->bytes(2, deadline);
    if (!head) return std::nullopt;
    std::size_t size = static_cast<unsigned char>((*head)[1]) & 0x7fU;
    if (size >= 126) {
      auto longer = reader_->bytes(size == 126 ? 2 : 8, Deadline::after(kPatience));
      if (!longer) return std::nullopt;
      size = 0;
      for (const char byte : *longer) size = size << 8U | static_cast<unsigned char>(byte);
    }
    auto payload = reader_->bytes(size, Deadline::after(kPatience));
    return payload ? std::optional(std::move(*payload)) : std::nullopt;
  }

 private:
  std::unique_ptr<net::SocketStream> stream_;
  std::unique_ptr<net::LineReader> reader_;
  HttpAnswer answer_;
};

void import_message(Stage& stage, const std::string& account) {
  static int number = 0;
  const std::vector<std::pair<std::string, std::string>> headers = {
      {"authorization", "Basic " + ir::to_base64("admin:adminpw")},
      {"content-type", "message/rfc822"}};
  const std::uint16_t port = stage.target().port(rehearsal::Service::http);
  const HttpAnswer uploaded =
      send_http(port, "POST", "/jmap/upload/" + account + "/", headers,
                "From: a@b.test\r\nSubject: pushed " + std::to_string(++number) + "\r\n\r\nx\r\n");
  auto body = ir::parse_json(uploaded.body);
  const std::string blob(body ? (*body)["blobId"].string_or("") : "");
  static_cast<void>(send_http(
      port, "POST", "/jmap/",
      {{"authorization", "Basic " + ir::to_base64("admin:adminpw")},
       {"content-type", "application/json"}},
      R"({"using":["urn:ietf:params:jmap:core","urn:ietf:params:jmap:mail"],"methodCalls":[["Email/import",{"accountId":")" +
          account + R"(","emails":{"e":{"blobId":")" + blob +
          R"(","mailboxIds":{"a":true}}}},"0"]]})"));
}

// The events of a chunked stream: `[{"event": name, "data": JSON}]`.
Value events_of(std::string_view body) {
  Value out = Value::list();
  std::string event;
  for (const std::string_view line : split(body, '\n')) {
    if (line.starts_with("event: ")) event = trim(line.substr(7));
    if (!line.starts_with("data: ")) continue;
    auto data = ir::parse_json(trim(line.substr(6)));
    out.push_back(Value::map({{"event", event}, {"data", data ? std::move(*data) : Value()}}));
  }
  return out;
}

bool imports_meanwhile(std::string_view note) {
  return note.find("a message is imported") != std::string_view::npos;
}

}  // namespace

bool goes_on(const Value& record) {
  const auto status = record["response"]["status"].integer_or(0);
  const std::string_view path = record["request"]["path"].string_or("");
  return (status == 200 && path.starts_with("/jmap/eventsource")) || status == 101;
}

HttpAnswer play_stream(Stage& stage,
                       const std::vector<std::pair<std::string, std::string>>& headers,
                       Value& record, const std::string& account) {
  const std::string path(record["request"]["path"].string_or(""));
  Connection connection(stage, path, headers);
  HttpAnswer answer = connection.answer();
  std::string body;
  if (imports_meanwhile(record["note"].string_or(""))) {
    import_message(stage, account);
    while (auto line = connection.line(Deadline::after(kPatience))) body += *line + "\n";
  } else if (answer.status == 200) {
    while (auto line = connection.line(Deadline::after(kSilence))) body += *line + "\n";
  }
  if (answer.status != 200) return answer;
  const Value recorded = events_of(record["response"]["body"]["$text"].string_or(""));
  Value response = record["response"];
  response.set("body", recorded);
  record.set("response", response);
  answer.body = ir::write_json(events_of(body));
  return answer;
}

Frames play_frames(Stage& stage, const Value& record, const std::string& user,
                   const std::string& password, const std::string& account) {
  Connection connection(stage, "/jmap/ws",
                        {{"host", "127.0.0.1"},
                         {"authorization", "Basic " + ir::to_base64(user + ":" + password)},
                         {"upgrade", "websocket"},
                         {"connection", "Upgrade"},
                         {"sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="},
                         {"sec-websocket-version", "13"},
                         {"sec-websocket-protocol", "jmap"}});
  Frames frames;
  const auto take = [&](std::chrono::milliseconds patience) {
    auto got = connection.frame(Deadline::after(patience));
    if (!got) return;
    auto parsed = ir::parse_json(*got);
    frames.ours.push_back(parsed ? std::move(*parsed) : Value(*got));
  };
  for (const Value& each : record["frames"].items()) {
    const std::string text(each["text"].string_or(""));
    const std::string_view from = each["from"].string_or("");
    if (from == "C") {
      connection.send_frame(text);
    } else if (from == "S") {
      auto parsed = ir::parse_json(text);
      frames.recorded.push_back(parsed ? std::move(*parsed) : Value(text));
      take(kPatience);
    } else if (imports_meanwhile(text)) {
      import_message(stage, account);
    } else if (text.starts_with("no answer")) {
      take(kSilence);
    }
  }
  return frames;
}

}  // namespace plan::replay
