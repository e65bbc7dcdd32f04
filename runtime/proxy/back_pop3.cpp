// The proxy as POP3 client: STLS, CAPA, XCLIENT (Dovecot names it in the greeting), AUTH PLAIN or
// USER and PASS.
#include <fmt/format.h>

#include "compiler/source/text.h"
#include "runtime/proxy/back_base.h"

namespace plan::proxy {
namespace {

class Pop3Back final : public BackBase {
 public:
  using BackBase::BackBase;

 protected:
  void after_tls(BackStep& step) override {
    if (options_.tls == TlsMode::starttls) announce(step);
  }

  void line(const std::string& text, BackStep& step) override {
    const bool is_ok = is_status(text, "+OK");
    switch (state_) {
      case State::greeting:
        if (!is_ok) return fail(step, "the greeting is not +OK: " + printable(text, 200));
        is_xclient_offered_ = text.find("XCLIENT") != std::string::npos;
        if (!needs_tls()) return announce(step);
        step.output += "STLS\r\n";
        state_ = State::stls;
        return;
      case State::stls:
        if (!is_ok) return fail(step, "STLS was refused: " + printable(text, 200));
        return ask_for_tls(step);
      case State::xclient:
        if (!is_ok) return fail(step, "XCLIENT was refused: " + printable(text, 200));
        return ask_capabilities(step);
      case State::capa_status:
        if (!is_ok) return log_in(step);  // an old server without CAPA
        state_ = State::capa;
        return;
      case State::capa:
        return capa_line(text, step);
      case State::user:
        if (!is_ok) return verdict(text, step);
        step.output +=
            "PASS " + credential().password.reveal_for("passing the client's login on") + "\r\n";
        state_ = State::verdict;
        return;
      case State::verdict:
        if (text.starts_with("+ ") || text == "+") {
          if (response_.empty())
            step.output += "*\r\n";
          else
            step.output += response_ + "\r\n";
          response_.clear();
          return;
        }
        return verdict(text, step);
    }
  }

 private:
  enum class State : std::uint8_t { greeting, stls, xclient, capa_status, capa, user, verdict };

  static bool is_status(std::string_view text, std::string_view status) {
    return text.starts_with(status) && (text.size() == status.size() || text[status.size()] == ' ');
  }

  void announce(BackStep& step) {
    if (!options_.is_announced || !is_xclient_offered_) return ask_capabilities(step);
    step.output += "XCLIENT " + xclient_attributes() + "\r\n";
    state_ = State::xclient;
  }

  void ask_capabilities(BackStep& step) {
    step.output += "CAPA\r\n";
    state_ = State::capa_status;
  }

  void capa_line(const std::string& text, BackStep& step) {
    if (text == ".") return log_in(step);
    const std::vector<std::string> words = upper_words(text);
    if (!words.empty() && words[0] == "SASL" && has_word(words, "PLAIN")) is_plain_offered_ = true;
  }

  void log_in(BackStep& step) {
    const Credential& login = credential();
    if (is_plain_offered_) {
      const std::string message = login.plain_base64();
      // RFC 5034: a command line is at most 255 octets, so a long response goes behind the
      // challenge.
      if (message.size() <= 240) {
        step.output += "AUTH PLAIN " + message + "\r\n";
      } else {
        step.output += "AUTH PLAIN\r\n";
        response_ = message;
      }
      state_ = State::verdict;
      return;
    }
    if (!login.authorize_as.empty())
      return fail(step, "the backend offers no SASL PLAIN, which this login needs");
    step.output += "USER " + login.login + "\r\n";
    state_ = State::user;
  }

  void verdict(const std::string& text, BackStep& step) {
    if (is_status(text, "+OK")) {
      if (keep(text, step)) accept(step);
      return;
    }
    if (!is_status(text, "-ERR"))
      return fail(step, "neither +OK nor -ERR: " + printable(text, 200));
    if (!keep(text, step)) return;
    const std::string words = lower_ascii(text);
    refuse(step, words.starts_with("-err [sys/temp]") || words.starts_with("-err [in-use]") ||
                     words.starts_with("-err [login-delay]"));
  }

  State state_ = State::greeting;
  std::string response_;
  bool is_xclient_offered_ = false;
  bool is_plain_offered_ = false;
};

}  // namespace

std::unique_ptr<BackMachine> make_pop3_back(BackOptions options, const LoginRequest& request) {
  return std::make_unique<Pop3Back>(std::move(options), request);
}

}  // namespace plan::proxy
