#include "sink.h"

#include <chrono>

#include <gtest/gtest.h>

#include "compiler/source/text.h"
#include "runtime/net/errors.h"

namespace plan::replay {
namespace {

using net::Deadline;

constexpr std::chrono::seconds kPatience{20};
constexpr std::chrono::milliseconds kSlice{100};

std::string path_in(std::string_view line) {
  const std::size_t open = line.find('<');
  const std::size_t close = line.find('>', open);
  if (open == std::string_view::npos || close == std::string_view::npos) return {};
  return std::string(line.substr(open + 1, close - open - 1));
}

}  // namespace

Sink::Sink() { come_up(); }

Sink::~Sink() {
  is_stopping_ = true;
  go_down();
  for (std::thread& each : conversations_) each.join();
}

void Sink::go_down() {
  if (!listener_) return;
  listener_->close();
  acceptor_.join();
  listener_.reset();
}

void Sink::come_up() {
  // After a while down somebody else may be about to let go of the port.
  for (int attempt = 0; attempt < 50 && !listener_; ++attempt) {
    auto made = net::listen_tcp("0.0.0.0", port_);
    if (made)
      listener_ = std::move(*made);
    else
      std::this_thread::sleep_for(kSlice);
  }
  ASSERT_TRUE(listener_ != nullptr) << "no port for the source";
  port_ = listener_->port();
  acceptor_ = std::thread([this] { accept_all(); });
}

std::vector<TakenMail> Sink::taken() const {
  const std::lock_guard lock(mutex_);
  return taken_;
}

void Sink::offer_tls(const net::TlsServerOptions& options) {
  const std::lock_guard lock(mutex_);
  tls_ = options;
  offers_tls_ = true;
}

void Sink::offer_no_tls() {
  const std::lock_guard lock(mutex_);
  offers_tls_ = false;
}

void Sink::refuse_all(const std::string& answer) {
  const std::lock_guard lock(mutex_);
  refused_with_ = answer;
}

void Sink::accept_all() {
  for (;;) {
    auto stream = listener_->accept();
    if (!stream) return;
    const std::lock_guard lock(mutex_);
    conversations_.emplace_back(
        [this, peer = std::shared_ptr<net::SocketStream>(std::move(*stream))] {
          serve(*peer);
          peer->close();
        });
  }
}

void Sink::serve(net::SocketStream& stream) {
  net::LineReader reader(stream, 1U << 20U);
  const auto say = [&stream](const std::string& text) {
    return stream.write_all(text + "\r\n", Deadline::after(kPatience)).has_value();
  };
  bool has_tls = false;
  TakenMail mail;
  if (!say("220 sink ESMTP")) return;
  while (!is_stopping_) {
    auto line = reader.line(Deadline::after(kSlice));
    if (!line && line.error().is(net::errors::timed_out)) continue;
    if (!line) return;
    const std::string verb = lower_ascii(line->substr(0, 4));
    std::string refused_with;
    bool offers_tls = false;
    net::TlsServerOptions tls;
    {
      const std::lock_guard lock(mutex_);
      refused_with = refused_with_;
      offers_tls = offers_tls_ && !has_tls;
      tls = tls_;
    }
    std::string answer = "250 2.0.0 Ok";
    if (verb == "ehlo") {
      answer = offers_tls ? "250-sink\r\n250 STARTTLS" : "250 sink";
    } else if (verb == "star") {
      if (!say("220 2.0.0 Ready") || !stream.accept_tls(tls, Deadline::after(kPatience))) return;
      has_tls = true;
      continue;
    } else if (verb == "mail") {
      mail = {path_in(*line), {}, {}};
      answer = refused_with.empty() ? "250 2.1.0 Ok" : refused_with;
    } else if (verb == "rcpt") {
      const std::string refused = refusal ? refusal(path_in(*line)) : std::string{};
      if (refused.empty()) mail.recipients.push_back(path_in(*line));
      answer = refused.empty() ? "250 2.1.5 Ok" : refused;
    } else if (verb == "data") {
      if (!say("354 Go on")) return;
      for (;;) {
        auto text = reader.line(Deadline::after(kPatience));
        if (!text) return;
        if (*text == ".") break;
        mail.bytes += (text->starts_with("..") ? text->substr(1) : *text) + "\r\n";
      }
      if (on_mail) on_mail(mail);
      const std::lock_guard lock(mutex_);
      taken_.push_back(mail);
    } else if (verb == "quit") {
      static_cast<void>(say("221 2.0.0 Bye"));
      return;
    }
    if (!say(answer)) return;
  }
}

}  // namespace plan::replay
