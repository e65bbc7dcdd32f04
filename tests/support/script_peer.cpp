#include "tests/support/script_peer.h"

#include <array>
#include <sstream>

namespace plan::test {
namespace {

using namespace std::chrono_literals;

bool matches(std::string_view wanted, std::string_view line) {
  const std::size_t any = wanted.find("{any}");
  if (any == std::string_view::npos) return wanted == line;
  const std::string_view head = wanted.substr(0, any);
  const std::string_view tail = wanted.substr(any + 5);
  return line.size() >= head.size() + tail.size() && line.substr(0, head.size()) == head &&
         line.substr(line.size() - tail.size()) == tail;
}

}  // namespace

ScriptPeer::ScriptPeer(std::string script)
    : listener_(std::move(*net::listen_tcp("127.0.0.1", 0))) {
  thread_ = std::thread([this, script = std::move(script)] { play(script); });
}

ScriptPeer::~ScriptPeer() { static_cast<void>(complaints()); }

std::string ScriptPeer::complaints() {
  if (thread_.joinable()) {
    listener_->close();
    thread_.join();
  }
  return complaints_;
}

void ScriptPeer::play(const std::string& script) {
  auto accepted = listener_->accept();
  if (!accepted) {
    complaints_ = "nobody came";
    return;
  }
  net::SocketStream& client = **accepted;
  net::LineReader reader(client, 1 << 20);
  bool is_bytewise = false;
  const auto deadline = [] { return net::Deadline::after(10s); };
  const auto read_line = [&](std::string& line) {
    auto read = reader.line(deadline());
    if (read) line = *read;
    return read.has_value();
  };
  std::istringstream lines(script);
  std::string step;
  while (std::getline(lines, step)) {
    std::string line;
    if (step.starts_with("S: ")) {
      std::string text = step.substr(3) + "\r\n";
      for (std::size_t at; (at = text.find("{crlf}")) != std::string::npos;)
        text.replace(at, 6, "\r\n");
      for (std::size_t at = 0; at < text.size(); at += is_bytewise ? 1 : text.size()) {
        if (!client.write_all(std::string_view(text).substr(at, is_bytewise ? 1 : text.size()),
                              deadline()))
          return;
      }
    } else if (step.starts_with("C: ")) {
      if (!read_line(line)) {
        complaints_ += "the client left before: " + step + "\n";
        return;
      }
      if (!matches(step.substr(3), line))
        complaints_ += "wanted `" + step.substr(3) + "`, got `" + line + "`\n";
    } else if (step == "data") {
      while (read_line(line) && line != ".") data_ += line + "\r\n";
    } else if (step == "bytewise") {
      is_bytewise = true;
    } else if (step.starts_with("pause ")) {
      std::this_thread::sleep_for(std::chrono::milliseconds(std::stoi(step.substr(6))));
    } else if (step == "cut") {
      client.close();
      return;
    } else if (!step.empty()) {
      complaints_ += "the script has a line that is no step: " + step + "\n";
    }
  }
  std::array<char, 1000> rest;
  while (true) {
    auto count = client.read_some(rest.data(), rest.size(), deadline());
    if (!count || *count == 0) return;
  }
}

}  // namespace plan::test
