#include "tests/support/fake_backend.h"

#include <algorithm>

#include "compiler/ir/digest.h"
#include "compiler/source/text.h"

namespace plan::test {
namespace {

constexpr std::chrono::seconds kPatience{20};

net::Deadline soon() { return net::Deadline::after(kPatience); }

/// Password of a SASL PLAIN message.
std::string password_in(const std::string& base64) {
  bool is_valid = false;
  const std::string message = ir::from_base64(base64, &is_valid);
  const std::size_t last = message.rfind('\0');
  return last == std::string::npos ? "" : message.substr(last + 1);
}

std::string last_word(const std::string& line) {
  std::string word = line.substr(line.rfind(' ') + 1);
  std::erase(word, '"');
  return word;
}

bool is_good(const std::string& line) {
  return password_in(last_word(line)) == "secret" || last_word(line) == "secret";
}

}  // namespace

FakeBackend::FakeBackend(Handler handler) : handler_(std::move(handler)) {
  auto listener = net::listen_tcp("127.0.0.1", 0);
  listener_ = std::move(*listener);
  port_ = listener_->port();
  acceptor_ = std::thread([this] {
    for (;;) {
      auto accepted = listener_->accept();
      if (!accepted) return;
      ++connections_;
      const std::lock_guard lock(mutex_);
      threads_.emplace_back(
          [this, stream = std::shared_ptr<net::SocketStream>(std::move(*accepted))] {
            {
              const std::lock_guard inner(mutex_);
              streams_.push_back(stream.get());
            }
            net::LineReader reader(*stream, 1 << 20);
            handler_(*stream, reader, *this);
            const std::lock_guard inner(mutex_);
            std::erase(streams_, stream.get());
            stream->close();
          });
    }
  });
}

void FakeBackend::stop() {
  if (!acceptor_.joinable()) return;
  listener_->close();
  acceptor_.join();
  std::vector<std::thread> threads;
  {
    const std::lock_guard lock(mutex_);
    threads.swap(threads_);
  }
  for (std::thread& thread : threads) thread.join();
}

std::vector<std::string> FakeBackend::lines() const {
  const std::lock_guard lock(mutex_);
  return lines_;
}

void FakeBackend::note(const std::string& line) {
  const std::lock_guard lock(mutex_);
  lines_.push_back(line);
}

bool say(net::SocketStream& stream, const std::string& text) {
  return stream.write_all(text, soon()).has_value();
}

FakeBackend::Handler imap_server(std::string name) {
  return [name](net::SocketStream& stream, net::LineReader& reader, FakeBackend& backend) {
    say(stream, "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN ID] " + name + " ready\r\n");
    std::string idle_tag;
    for (;;) {
      auto line = reader.line(soon());
      if (!line) return;
      backend.note(*line);
      const std::string tag = line->substr(0, line->find(' '));
      const std::string rest = line->substr(std::min(line->size(), tag.size() + 1));
      bool is_sent = true;
      if (*line == "DONE")
        is_sent = say(stream, idle_tag + " OK done\r\n");
      else if (rest.starts_with("AUTHENTICATE")) {
        is_sent = say(stream, is_good(*line) ? tag + " OK [CAPABILITY IMAP4rev1 IDLE] Logged in\r\n"
                                             : tag + " NO [AUTHENTICATIONFAILED] wrong\r\n");
      } else if (rest == "IDLE") {
        idle_tag = tag;
        is_sent = say(stream, "+ idling\r\n");
      } else if (rest == "WHO") {
        is_sent = say(stream, "* WHO " + name + "\r\n" + tag + " OK\r\n");
      } else if (rest == "HALF") {
        is_sent = say(stream, "* 1 FETCH (BODY[] {10}\r\n12345");
      } else if (rest.starts_with("BULK")) {
        is_sent = say(stream, std::string(8U << 20U, 'x') + "\r\n" + tag + " OK\r\n");
      } else if (rest == "LOGOUT") {
        say(stream, "* BYE\r\n" + tag + " OK\r\n");
        return;
      } else {
        is_sent = say(stream, tag + " OK\r\n");
      }
      if (!is_sent) return;
    }
  };
}

FakeBackend::Handler pop3_server(std::string name) {
  return [name](net::SocketStream& stream, net::LineReader& reader, FakeBackend& backend) {
    say(stream, "+OK " + name + " ready\r\n");
    for (;;) {
      auto line = reader.line(soon());
      if (!line) return;
      backend.note(*line);
      bool is_sent = true;
      if (*line == "CAPA")
        is_sent = say(stream, "+OK\r\nSASL PLAIN\r\n.\r\n");
      else if (line->starts_with("AUTH"))
        is_sent = say(stream, is_good(*line) ? "+OK Logged in\r\n" : "-ERR [AUTH] wrong\r\n");
      else if (*line == "WHO")
        is_sent = say(stream, "+OK " + name + "\r\n");
      else if (*line == "QUIT") {
        say(stream, "+OK Bye\r\n");
        return;
      } else {
        is_sent = say(stream, "-ERR\r\n");
      }
      if (!is_sent) return;
    }
  };
}

FakeBackend::Handler sieve_server(std::string name) {
  return [name](net::SocketStream& stream, net::LineReader& reader, FakeBackend& backend) {
    say(stream,
        "\"IMPLEMENTATION\" \"x\"\r\n\"SASL\" \"PLAIN\"\r\n\"SIEVE\" \"fileinto\"\r\nOK "
        "\"ready\"\r\n");
    for (;;) {
      auto line = reader.line(soon());
      if (!line) return;
      backend.note(*line);
      bool is_sent = true;
      if (line->starts_with("AUTHENTICATE"))
        is_sent = say(stream, is_good(*line) ? "OK \"in\"\r\n" : "NO \"wrong\"\r\n");
      else if (*line == "WHO")
        is_sent = say(stream, "OK \"" + name + "\"\r\n");
      else
        is_sent = say(stream, "NO\r\n");
      if (!is_sent) return;
    }
  };
}

FakeBackend::Handler submission_server(std::string name) {
  return [name](net::SocketStream& stream, net::LineReader& reader, FakeBackend& backend) {
    say(stream, "220 " + name + " ESMTP\r\n");
    for (;;) {
      auto line = reader.line(soon());
      if (!line) return;
      backend.note(*line);
      bool is_sent = true;
      if (line->starts_with("EHLO"))
        is_sent = say(stream, "250-" + name + "\r\n250 AUTH PLAIN\r\n");
      else if (line->starts_with("AUTH"))
        is_sent = say(stream, is_good(*line) ? "235 2.7.0 in\r\n" : "535 5.7.8 wrong\r\n");
      else if (*line == "WHO")
        is_sent = say(stream, "250 " + name + "\r\n");
      else
        is_sent = say(stream, "250 ok\r\n");
      if (!is_sent) return;
    }
  };
}

}  // namespace plan::test
