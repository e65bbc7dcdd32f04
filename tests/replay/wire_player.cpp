#include <algorithm>
#include <chrono>
#include <fstream>

#include "alter.h"
#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "player.h"
#include "runtime/net/errors.h"
#include "runtime/net/stream.h"
#include "tests/support/shared_data.h"

namespace plan::replay {
namespace {

using ir::Value;
using net::Deadline;
using rehearsal::Service;

constexpr std::chrono::milliseconds kSilence{400};

std::optional<Service> service_of(std::string_view opened) {
  for (const Service service :
       {Service::submission, Service::submissions, Service::imaps, Service::imap, Service::sieve,
        Service::smtp, Service::pop3, Service::pop3s, Service::lmtp, Service::smtp_behind_proxy,
        Service::imap_behind_proxy})
    if (opened.find("port " + std::to_string(rehearsal::well_known_port(service)) + ",") !=
        std::string_view::npos)
      return service;
  return std::nullopt;
}

// One conversation; a command and the lines until the next one are one exchange.
class Conversation {
 public:
  Conversation(Stage& stage, Score& score) : stage_(stage), score_(score) {}

  void open(const std::string& scenario, std::string_view text) {
    finish();
    if (scenario != scenario_) number_ = 0;
    scenario_ = scenario;
    stream_.reset();
    reader_.reset();
    const auto service = service_of(text);
    is_supported_ = service.has_value();
    service_ = service.value_or(Service::http);
    command_ = "(greeting)";
    if (!service) return;
    // A recorder on loopback had an address of its own, which the target tells apart.
    const std::size_t from = text.find("client address 127.0.0.");
    auto connected = net::connect_tcp(
        "127.0.0.1", stage_.target().port(*service), Deadline::after(std::chrono::seconds(5)),
        from == std::string_view::npos ? std::string{} : std::string(text.substr(from + 15)));
    if (!connected) return;
    stream_ = std::move(*connected);
    if (text.find("implicit TLS") != std::string_view::npos) start_tls();
    reader_ = std::make_unique<net::LineReader>(*stream_, 1U << 20U);
  }

  void client(const std::string& text) {
    // What a proxy puts first has no answer of its own: the greeting follows it.
    const bool is_header = text.starts_with("PROXY ") || text.starts_with("\r\n\r\n");
    if (is_header && command_ == "(greeting)" && expected_.empty()) {
      command_ = "(greeting behind a header)";
      send(latin1(text));
      return;
    }
    finish();
    command_ = text.substr(0, text.find('\n'));
    std::string wire;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '\n' && (i == 0 || text[i - 1] != '\r')) wire += '\r';
      wire += text[i];
    }
    send(wire.ends_with('\n') && service_ == Service::smtp_behind_proxy ? wire : wire + "\r\n");
  }

  void server(const std::string& text) { expected_.push_back(text); }

  void note(std::string_view text) {
    if (text.find("TLS handshake") == std::string_view::npos) return;
    finish();
    command_ = "(after the handshake)";
    start_tls();
  }

  void finish() {
    if (command_.empty()) return;
    const std::string command = std::exchange(command_, {});
    const std::vector<std::string> expected = std::exchange(expected_, {});
    if (command == "(after the handshake)" && expected.empty()) return;
    const std::string where = scenario_ + "/" + std::to_string(++number_);
    const bool is_sent = is_sent_by_plan(command);
    alter_lines(expected, score_.altered, where, score_);
    if (!is_supported_ || !reader_) {
      score_.disagree(where, command, "no such listener here", is_sent);
      return;
    }
    std::vector<std::string> lines;
    while (!is_complete(command, lines, expected)) {
      auto line = reader_->line(Deadline::after(std::chrono::seconds(3)));
      if (!line) break;
      lines.push_back(std::move(*line));
    }
    if (lines.size() == expected.size() && expected.empty()) {
      auto line = reader_->line(Deadline::after(kSilence / 4));
      if (line) lines.push_back(std::move(*line));
    }
    std::vector<std::string> left;
    std::vector<std::string> right;
    for (const std::string& line : expected) left.push_back(normal_line(line));
    for (const std::string& line : lines) right.push_back(normal_line(line));
    // Untagged lines of one answer have no order among each other.
    std::sort(left.begin(), left.end());
    std::sort(right.begin(), right.end());
    if (left == right) {
      score_.agree(where, is_sent);
      return;
    }
    std::string shown;
    for (std::size_t i = 0; i < std::max(left.size(), right.size()); ++i)
      if (i >= left.size() || i >= right.size() || left[i] != right[i]) {
        shown = "recorded " + (i < left.size() ? left[i] : std::string("nothing")) + ", here " +
                (i < right.size() ? right[i] : std::string("nothing"));
        break;
      }
    score_.disagree(where, command.substr(0, 80), shown.substr(0, 300), is_sent);
  }

 private:
  // The probe of the mail path speaks SMTP on port 25; nothing else of plan's own speaks one of
  // these protocols to the target.
  bool is_sent_by_plan(const std::string& command) {
    const bool was_data = std::exchange(is_data_, command == "DATA");
    if (service_ != Service::smtp) return false;
    const std::string verb = command.substr(0, command.find(' '));
    return was_data || verb == "(greeting)" || verb == "EHLO" || verb == "MAIL" || verb == "RCPT" ||
           verb == "DATA" || verb == "QUIT";
  }

  void send(const std::string& wire) {
    if (!stream_) return;
    static_cast<void>(
        stream_->write_all(wire, Deadline::after(std::chrono::seconds(5))).has_value());
  }

  // Bytes above 127 stand in the recording as Latin-1.
  static std::string latin1(const std::string& text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const auto byte = static_cast<unsigned char>(text[i]);
      if ((byte == 0xc2U || byte == 0xc3U) && i + 1 < text.size())
        out +=
            static_cast<char>(static_cast<unsigned char>(text[++i]) + (byte == 0xc3U ? 0x40U : 0U));
      else
        out += text[i];
    }
    return out;
  }

  // Is the answer here whole? By the protocol where it says so, else as many lines as recorded:
  // one exchange that differs must not shift those after it.
  bool is_complete(const std::string& command, const std::vector<std::string>& lines,
                   const std::vector<std::string>& expected) const {
    const bool is_imap = service_ == Service::imap || service_ == Service::imaps ||
                         service_ == Service::imap_behind_proxy;
    const bool is_command = !command.starts_with('(');
    if (is_imap && is_command && !expected.empty()) {
      const std::string tag = command.substr(0, command.find(' ')) + " ";
      if (lines.empty()) return false;
      if (lines.back().starts_with(tag)) return true;
      const bool is_tagged_awaited =
          std::any_of(expected.begin(), expected.end(),
                      [&tag](const std::string& line) { return line.starts_with(tag); });
      return !is_tagged_awaited && lines.size() >= expected.size();
    }
    if (service_ == Service::sieve && !expected.empty()) {
      if (lines.empty()) return false;
      const std::string& last = lines.back();
      return last.starts_with("OK") || last.starts_with("NO") || last.starts_with("BYE");
    }
    return lines.size() >= expected.size();
  }

  void start_tls() {
    if (!stream_) return;
    net::TlsClientOptions tls;
    tls.is_unverified_allowed = true;
    if (!stream_->start_tls(tls, Deadline::after(std::chrono::seconds(5)))) return;
    reader_ = std::make_unique<net::LineReader>(*stream_, 1U << 20U);
  }

  Stage& stage_;
  Score& score_;
  std::unique_ptr<net::SocketStream> stream_;
  std::unique_ptr<net::LineReader> reader_;
  bool is_supported_ = false;
  Service service_ = Service::http;
  std::string scenario_;
  std::size_t number_ = 0;  // of the exchange within the scenario
  bool is_data_ = false;
  std::string command_;
  std::vector<std::string> expected_;
};

}  // namespace

Score play_wire(Stage& stage, const std::filesystem::path& file) {
  const auto begin = std::chrono::steady_clock::now();
  Score score = score_of(file);
  Conversation conversation(stage, score);
  std::ifstream lines(file);
  std::string text;
  while (std::getline(lines, text)) {
    auto record = ir::parse_json(text);
    if (!record) continue;
    const std::string_view from = (*record)["from"].string_or("");
    const std::string said((*record)["text"].string_or(""));
    if (from == "open")
      conversation.open(std::string((*record)["scenario"].string_or("")), said);
    else if (from == "C")
      conversation.client(said);
    else if (from == "S")
      conversation.server(said);
    else if (from == "note")
      conversation.note(said);
  }
  conversation.finish();
  score.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return score;
}

}  // namespace plan::replay
