// The proxy as submission client: EHLO, STARTTLS, XCLIENT with the attributes that are offered,
// AUTH PLAIN or LOGIN.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/source/text.h"
#include "runtime/proxy/back_base.h"

namespace plan::proxy {
namespace {

class SubmissionBack final : public BackBase {
 public:
  using BackBase::BackBase;

 protected:
  void after_tls(BackStep& step) override {
    if (options_.tls == TlsMode::starttls) hello(step);
  }

  void line(const std::string& text, BackStep& step) override {
    const bool is_code =
        text.size() >= 3 &&
        std::all_of(text.begin(), text.begin() + 3, [](char c) { return c >= '0' && c <= '9'; }) &&
        (text.size() == 3 || text[3] == ' ' || text[3] == '-');
    if (!is_code) return fail(step, "no SMTP reply: " + printable(text, 200));
    const bool is_last = text.size() == 3 || text[3] == ' ';
    const char digit = text[0];
    if (text.starts_with("421")) return fail(step, "the backend closes: " + printable(text, 200));
    switch (state_) {
      case State::greeting:
        if (digit != '2') return fail(step, "the greeting is not 220: " + printable(text, 200));
        if (is_last) hello(step);
        return;
      case State::hello:
        if (digit != '2') return fail(step, "EHLO was refused: " + printable(text, 200));
        if (text.size() > 4) capability(std::string_view(text).substr(4));
        if (is_last) hello_done(step);
        return;
      case State::starttls:
        if (digit != '2') return fail(step, "STARTTLS was refused: " + printable(text, 200));
        if (is_last) ask_for_tls(step);
        return;
      case State::xclient:
        if (digit != '2') return fail(step, "XCLIENT was refused: " + printable(text, 200));
        if (is_last) {
          is_announcement_done_ = true;
          hello(step);
        }
        return;
      case State::verdict:
        return verdict_line(text, is_last, step);
    }
  }

 private:
  enum class State : std::uint8_t { greeting, hello, starttls, xclient, verdict };

  void hello(BackStep& step) {
    auth_.clear();
    xclient_.clear();
    is_starttls_offered_ = false;
    step.output +=
        "EHLO " +
        (request_->hello_name.empty() ? std::string("[127.0.0.1]") : request_->hello_name) + "\r\n";
    state_ = State::hello;
  }

  void capability(std::string_view text) {
    std::vector<std::string> words = upper_words(text);
    if (words.empty()) return;
    if (words[0] == "STARTTLS") is_starttls_offered_ = true;
    if (words[0] == "AUTH") auth_.insert(auth_.end(), words.begin() + 1, words.end());
    if (words[0].starts_with("AUTH=")) auth_.push_back(words[0].substr(5));
    if (words[0] == "XCLIENT") xclient_.assign(words.begin() + 1, words.end());
  }

  void hello_done(BackStep& step) {
    if (needs_tls()) {
      if (!is_starttls_offered_) return fail(step, "STARTTLS is not offered");
      step.output += "STARTTLS\r\n";
      state_ = State::starttls;
      return;
    }
    const std::string attributes =
        options_.is_announced && !is_announcement_done_ ? smtp_attributes() : "";
    if (!attributes.empty()) {
      step.output += "XCLIENT" + attributes + "\r\n";
      state_ = State::xclient;
      return;
    }
    log_in(step);
  }

  /// Those that EHLO offered (Postfix: NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT). LOGIN is
  /// never sent: the backend judges the password itself.
  std::string smtp_attributes() const {
    const ClientInfo& client = options_.client;
    std::string text;
    const auto add = [&](std::string_view name, const std::string& value) {
      if (has_word(xclient_, name)) text += fmt::format(" {}={}", name, value);
    };
    const auto address = [](const std::string& value) {
      return value.find(':') == std::string::npos ? value : "IPV6:" + value;
    };
    add("ADDR", address(client.address));
    add("PORT", std::to_string(client.port));
    add("DESTADDR", address(client.local_address));
    add("DESTPORT", std::to_string(client.local_port));
    add("SESSION", client.session);
    add("TTL", "4");
    add("CLIENT-TRANSPORT", client.is_tls ? "TLS" : "insecure");
    if (!request_->hello_name.empty()) add("HELO", request_->hello_name);
    add("PROTO", request_->is_esmtp ? "ESMTP" : "SMTP");
    return text;
  }

  void log_in(BackStep& step) {
    state_ = State::verdict;
    if (has_word(auth_, "PLAIN")) {
      const std::string message = credential().plain_base64();
      if (message.size() <= 480) {  // RFC 5321 4.5.3.1.4: a command line is at most 512 octets
        step.output += "AUTH PLAIN " + message + "\r\n";
      } else {
        step.output += "AUTH PLAIN\r\n";
        responses_ = {message};
      }
    } else if (has_word(auth_, "LOGIN") && credential().authorize_as.empty()) {
      step.output += "AUTH LOGIN\r\n";
      responses_ = {password_base64(credential()), login_base64()};  // taken from the end
    } else {
      fail(step, "the backend offers neither AUTH PLAIN nor a LOGIN that fits");
    }
  }

  std::string login_base64() const {
    Credential name;
    name.password = secret::Secret(credential().login);
    return password_base64(name);
  }

  void verdict_line(const std::string& text, bool is_last, BackStep& step) {
    if (text.starts_with("334")) {
      if (!is_last) return;
      if (responses_.empty()) {
        step.output += "*\r\n";
        return;
      }
      step.output += responses_.back() + "\r\n";
      responses_.pop_back();
      return;
    }
    if (!keep(text, step) || !is_last) return;
    if (text[0] == '2')
      accept(step);
    else if (text[0] == '4' || text[0] == '5')
      refuse(step, text[0] == '4');
    else
      fail(step, "an answer to AUTH that is none: " + printable(text, 200));
  }

  State state_ = State::greeting;
  std::vector<std::string> auth_;
  std::vector<std::string> xclient_;
  std::vector<std::string> responses_;
  bool is_starttls_offered_ = false;
};

}  // namespace

std::unique_ptr<BackMachine> make_submission_back(BackOptions options,
                                                  const LoginRequest& request) {
  return std::make_unique<SubmissionBack>(std::move(options), request);
}

}  // namespace plan::proxy
