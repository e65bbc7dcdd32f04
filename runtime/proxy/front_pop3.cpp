// POP3 before login: RFC 1939, CAPA (RFC 2449), STLS (RFC 2595), AUTH (RFC 5034), response codes
// (RFC 3206).
#include "compiler/source/text.h"
#include "runtime/proxy/front_base.h"

namespace plan::proxy {
namespace {

class Pop3Front final : public FrontBase {
 public:
  using FrontBase::FrontBase;

  FrontStep start() override {
    return {.output = "+OK " + options_.server_name + " ready" + greeting_mark() + "\r\n"};
  }
  FrontStep unavailable() override {
    FrontStep step;
    step.output =
        "-ERR [SYS/TEMP] Mailbox is not available at the moment, the password was not judged\r\n";
    step.next = FrontStep::Next::close;
    return step;
  }
  std::string goodbye() const override { return ""; }
  std::string keepalive() const override { return ""; }

 protected:
  bool process(FrontStep& step) override {
    std::string line;
    switch (input_.take_line(kFrontLineBytesMax, line)) {
      case InputBuffer::Got::more:
        return false;
      case InputBuffer::Got::too_long:
        step.output += "-ERR Line is too long\r\n";
        step.next = FrontStep::Next::close;
        return true;
      case InputBuffer::Got::line:
        break;
    }
    if (is_sasl_) {
      is_sasl_ = false;
      sasl_result(sasl_.answer(line), step);
    } else {
      command(line, step);
    }
    return true;
  }
  void forget() override {
    FrontBase::forget();
    user_.clear();
    is_sasl_ = false;
  }

 private:
  void bad(FrontStep& step, std::string_view words) {
    step.output += "-ERR " + std::string(words) + "\r\n";
    count_bad(step);
  }

  void command(const std::string& line, FrontStep& step) {
    const std::size_t blank = line.find(' ');
    const std::string_view word = std::string_view(line).substr(0, blank);
    const std::string_view rest =
        blank == std::string::npos ? std::string_view() : std::string_view(line).substr(blank + 1);
    const auto is = [word](std::string_view name) { return equals_ignoring_case(word, name); };
    if (is("CAPA")) {
      step.output +=
          "+OK Capabilities "
          "follow\r\nTOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\n";
      if (is_starttls_possible()) step.output += "STLS\r\n";
      if (may_log_in()) step.output += "USER\r\nSASL PLAIN LOGIN\r\n";
      step.output += ".\r\n";
    } else if (is("NOOP")) {
      step.output += "+OK\r\n";
    } else if (is("QUIT")) {
      step.output += "+OK Bye\r\n";
      step.next = FrontStep::Next::close;
    } else if (is("STLS")) {
      start_tls(step);
    } else if (is("USER")) {
      if (!is_private(step)) return;
      if (trim(rest).empty()) return bad(step, "USER takes a name");
      user_ = trim(rest);
      step.output += "+OK\r\n";
    } else if (is("PASS")) {
      if (!is_private(step)) return;
      if (user_.empty()) return bad(step, "USER comes first");
      login_ = LoginRequest();
      login_.credential.login = std::move(user_);
      login_.credential.password =
          secret::Secret(std::string(rest));  // blanks are part of a password
      user_.clear();
      if (login_.credential.is_usable())
        step.next = FrontStep::Next::login;
      else
        not_usable(step);
    } else if (is("AUTH")) {
      authenticate(rest, step);
    } else {
      bad(step, "Not known, or not before login");
    }
  }

  void start_tls(FrontStep& step) {
    if (!is_starttls_possible()) return bad(step, "STLS is not possible here");
    if (is_injection()) {
      bad(step, "Nothing may follow STLS before TLS is there");
      step.next = FrontStep::Next::close;
      return;
    }
    step.output += "+OK Begin TLS now\r\n";
    step.next = FrontStep::Next::start_tls;
  }

  bool is_private(FrontStep& step) {
    if (may_log_in()) return true;
    bad(step, "Use STLS first");
    return false;
  }

  void not_usable(FrontStep& step) {
    step.output += "-ERR [AUTH] Name or password cannot be used\r\n";
    count_failure(step);
  }

  void authenticate(std::string_view rest, FrontStep& step) {
    if (trim(rest).empty()) {
      step.output += may_log_in() ? "+OK\r\nPLAIN\r\nLOGIN\r\n.\r\n" : "+OK\r\n.\r\n";
      return;
    }
    if (!is_private(step)) return;
    login_ = LoginRequest();
    const std::size_t blank = rest.find(' ');
    const auto mechanism = SaslServer::mechanism_by_name(rest.substr(0, blank));
    if (!mechanism) return bad(step, "Mechanism is not supported");
    std::optional<std::string_view> initial;
    if (blank != std::string_view::npos) initial = trim(rest.substr(blank + 1));
    sasl_result(sasl_.start(*mechanism, initial), step);
  }

  void sasl_result(SaslServer::Progress progress, FrontStep& step) {
    switch (progress) {
      case SaslServer::Progress::challenge:
        step.output += "+ " + sasl_.challenge_base64() + "\r\n";
        is_sasl_ = true;
        return;
      case SaslServer::Progress::ready:
        login_.credential = sasl_.take();
        step.next = FrontStep::Next::login;
        return;
      case SaslServer::Progress::malformed:
        return not_usable(step);
      case SaslServer::Progress::cancelled:
        return bad(step, "Authentication cancelled");
    }
  }

  std::string user_;
};

}  // namespace

std::unique_ptr<FrontMachine> make_pop3_front(FrontOptions options) {
  return std::make_unique<Pop3Front>(std::move(options));
}

}  // namespace plan::proxy
