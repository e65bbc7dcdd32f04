#include <algorithm>
#include <fstream>

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
  for (const Service service : {Service::submission, Service::submissions, Service::imaps,
                                Service::imap, Service::sieve, Service::smtp})
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
    scenario_ = scenario;
    stream_.reset();
    reader_.reset();
    const auto service = service_of(text);
    is_supported_ = service.has_value();
    command_ = "(greeting)";
    if (!service) return;
    auto connected = net::connect_tcp("127.0.0.1", stage_.target().port(*service),
                                      Deadline::after(std::chrono::seconds(5)));
    if (!connected) return;
    stream_ = std::move(*connected);
    if (text.find("implicit TLS") != std::string_view::npos) start_tls();
    reader_ = std::make_unique<net::LineReader>(*stream_, 1U << 20U);
  }

  void client(const std::string& text) {
    finish();
    command_ = text.substr(0, text.find('\n'));
    if (!stream_) return;
    std::string wire;
    for (const char c : text) {
      if (c == '\n') wire += '\r';
      wire += c;
    }
    static_cast<void>(
        stream_->write_all(wire + "\r\n", Deadline::after(std::chrono::seconds(5))).has_value());
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
    ++score_.total;
    if (!is_supported_ || !reader_) {
      score_.disagreements.push_back(scenario_ + " " + command + ": no such listener here");
      return;
    }
    std::vector<std::string> lines;
    while (lines.size() < expected.size()) {
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
      ++score_.agreed;
      return;
    }
    std::string shown;
    for (std::size_t i = 0; i < std::max(left.size(), right.size()); ++i)
      if (i >= left.size() || i >= right.size() || left[i] != right[i]) {
        shown = "recorded " + (i < left.size() ? left[i] : std::string("nothing")) + ", here " +
                (i < right.size() ? right[i] : std::string("nothing"));
        break;
      }
    score_.disagreements.push_back(scenario_ + " " + command.substr(0, 80) + ": " +
                                   shown.substr(0, 300));
  }

 private:
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
  std::string scenario_;
  std::string command_;
  std::vector<std::string> expected_;
};

}  // namespace

Score play_wire(Stage& stage, const std::filesystem::path& file) {
  Score score;
  score.topic = file.stem().string();
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
  return score;
}

}  // namespace plan::replay
