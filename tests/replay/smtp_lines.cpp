#include "smtp_lines.h"

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
  explicit Client(std::uint16_t port) {
    auto connected = net::connect_tcp("127.0.0.1", port, soon());
    if (!connected) return;
    stream_ = std::move(*connected);
    reader_ = std::make_unique<net::LineReader>(*stream_, 1U << 16U);
    static_cast<void>(answer());
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

// "(250, b'2.1.0 OK')" to "250 2.1.0".
std::string code_of_recorded(std::string_view text) {
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

std::string code_of_line(std::string_view line) {
  std::string out(line.substr(0, 3));
  if (line.size() < 9 || line[5] != '.') return out;
  const std::size_t blank = line.find(' ', 4);
  return out + " " +
         std::string(line.substr(4, blank == std::string_view::npos ? blank : blank - 4));
}

}  // namespace

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
