#include "smtp_lines.h"

#include <algorithm>

#include "compiler/ir/digest.h"
#include "compiler/source/text.h"
#include "runtime/net/stream.h"

namespace plan::replay {
namespace {

using ir::Value;
using net::Deadline;
using rehearsal::Service;

// One conversation; every command gives the first three digits and the rest of its last line.
class Client {
 public:
  explicit Client(std::uint16_t port, const std::string& client_address = {}) {
    auto connected = net::connect_tcp("127.0.0.1", port, soon(), client_address);
    if (!connected) return;
    stream_ = std::move(*connected);
    reader_ = std::make_unique<net::LineReader>(*stream_, 1U << 16U);
    static_cast<void>(answer());
    static_cast<void>(say("EHLO client.test"));
  }

  void start_tls() {
    if (!stream_ || !say("STARTTLS").starts_with("220")) return;
    net::TlsClientOptions tls;
    tls.is_unverified_allowed = true;
    if (!stream_->start_tls(tls, soon())) return;
    reader_ = std::make_unique<net::LineReader>(*stream_, 1U << 16U);
    static_cast<void>(say("EHLO client.test"));
  }

  std::string say(const std::string& line) {
    if (!stream_ || !stream_->write_all(line + "\r\n", soon())) return {};
    return answer();
  }

 private:
  static Deadline soon() { return Deadline::after(std::chrono::seconds(10)); }

  std::string answer() {
    for (;;) {
      auto line = reader_->line(soon());
      if (!line) return {};
      if (line->size() < 4 || (*line)[3] != '-') return *line;
    }
  }

  std::unique_ptr<net::SocketStream> stream_;
  std::unique_ptr<net::LineReader> reader_;
};

std::string login_line(const SmtpSide& side) {
  return "AUTH PLAIN " +
         ir::to_base64(std::string(1, '\0') + side.user + std::string(1, '\0') + side.password);
}

std::string message_of(const SmtpSide& side, const std::string& recipient) {
  return "From: " + side.sender + "\r\nTo: " + recipient + "\r\nSubject: " + side.subject +
         "\r\nMessage-ID: <" + side.subject + "." + recipient + ">\r\n" +
         "Date: Mon, 23 Nov 2026 09:15:25 +0000\r\n\r\nhello\r\n.";
}

std::string code_of_line(std::string_view line) {
  std::string out(line.substr(0, 3));
  if (line.size() < 9 || line[5] != '.') return out;
  const std::size_t blank = line.find(' ', 4);
  return out + " " +
         std::string(line.substr(4, blank == std::string_view::npos ? blank : blank - 4));
}

}  // namespace

std::string code_of_recorded(std::string_view text) {
  if (text.size() >= 3 && text[0] >= '2' && text[0] <= '5') return code_of_line(text);
  // An exception of the recorder's library has the code in its brackets.
  const std::size_t open = text.find('(');
  std::string out(text.substr(open == std::string_view::npos ? 0 : open + 1, 3));
  const std::size_t quote = text.find('\'');
  if (quote == std::string_view::npos) return out;
  const std::string_view rest = text.substr(quote + 1);
  const std::size_t blank = rest.find_first_of(" '");
  if (blank != std::string_view::npos && blank >= 5 && rest[1] == '.')
    out += " " + std::string(rest.substr(0, blank));
  return out;
}

std::vector<std::string> send_mail(Stage& stage, const Envelope& envelope,
                                   std::size_t answers_max) {
  std::vector<std::string> out;
  Client client(stage.target().port(envelope.service), envelope.client_address);
  if (envelope.has_starttls) client.start_tls();
  if (!envelope.user.empty()) {
    SmtpSide side;
    side.user = envelope.user;
    side.password = envelope.password;
    const std::string answer = client.say(login_line(side));
    if (!answer.starts_with("235")) return {code_of_line(answer)};
  }
  if (answers_max == 0) return out;
  const auto say = [&](const std::string& line) {
    out.push_back(code_of_line(client.say(line)));
    return out.back().starts_with("2") || out.back().starts_with("354");
  };
  static_cast<void>(say("MAIL FROM:<" + envelope.sender + ">"));
  for (const std::string& recipient : envelope.recipients)
    if (out.size() >= answers_max || !say("RCPT TO:<" + recipient + ">")) return out;
  if (out.size() >= answers_max) return out;
  if (!client.say("DATA").starts_with("354")) return out;
  static_cast<void>(say(envelope.bytes + "\r\n."));
  return out;
}

std::optional<std::string> play_smtp(Stage& stage, const Value& lines, const SmtpSide& side) {
  const bool has_login = lines.item(0).item(0).string_or("") == "auth";
  SmtpSide from = side;
  if (has_login) from.sender = side.user;
  Client client(stage.target().port(has_login ? Service::submission : Service::smtp));
  std::string recipient;
  for (const Value& line : lines.items()) {
    const std::string what(line.item(0).string_or(""));
    std::string got;
    if (what == "auth") {
      got = client.say(login_line(side));
    } else if (what == "mail") {
      got = client.say("MAIL FROM:<" + from.sender + ">");
    } else if (what == "data" || what == "EXC") {
      got = client.say("DATA");
      if (got.starts_with("354")) got = client.say(message_of(from, recipient));
    } else {
      got = client.say("RCPT TO:<" + what + ">");
      recipient = what;
    }
    const std::string wanted = code_of_recorded(line.item(1).string_or(""));
    if (code_of_line(got) != wanted) return what + ": recorded " + wanted + ", here " + got;
  }
  return std::nullopt;
}

void alter_smtp(const Value& lines, const std::string& where, Score& score) {
  const std::size_t number = score.altered++ % std::max<std::size_t>(lines.size(), 1);
  const std::string wanted = code_of_recorded(lines.item(number).item(1).string_or(""));
  std::string other(lines.item(number).item(1).string_or(""));
  const std::size_t digit = other.find_first_of("0123456789");
  if (digit != std::string::npos) other[digit] = other[digit] == '9' ? '1' : '9';
  if (wanted.empty() || code_of_recorded(other) == wanted)
    score.deaf.push_back(where + ": " + std::string(lines.item(number).item(1).string_or("")));
}

void submit(Stage& stage, const SmtpSide& side, const std::string& recipient) {
  SmtpSide from = side;
  const bool has_login = !side.user.empty();
  if (has_login) from.sender = side.user;
  Client client(stage.target().port(has_login ? Service::submission : Service::smtp));
  if (has_login) static_cast<void>(client.say(login_line(side)));
  static_cast<void>(client.say("MAIL FROM:<" + from.sender + ">"));
  static_cast<void>(client.say("RCPT TO:<" + recipient + ">"));
  if (client.say("DATA").starts_with("354"))
    static_cast<void>(client.say(message_of(from, recipient)));
}

}  // namespace plan::replay
