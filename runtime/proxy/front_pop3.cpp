// POP3 before login: RFC 1939, CAPA (RFC 2449), STLS (RFC 2595), AUTH (RFC 5034), response codes
// (RFC 3206).
#include "compiler/source/text.h"
#include "runtime/proxy/front_base.h"

namespace plan::proxy {
namespace {

constexpr FrontWords kWords{
    .challenge_begin = "+ ",
    .unusable = "-ERR [AUTH] Name or password cannot be used",
    .cancelled = "-ERR Authentication cancelled",
    .tls_begins = "+OK Begin TLS now",
    .tls_not_here = "-ERR STLS is not possible here",
    .tls_injection = "-ERR Nothing may follow STLS before TLS is there",
    .line_too_long = "-ERR Line is too long",
};

class Pop3Front final : public LineFront {
 public:
  explicit Pop3Front(FrontOptions options) : LineFront(std::move(options), kWords) {}

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
  void forget() override {
    LineFront::forget();
    user_.clear();
  }
  void command(const std::string& line, FrontStep& step) override {
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
      start_tls(step, kWords);
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
        sasl_result(SaslServer::Progress::malformed, step, kWords);
    } else if (is("AUTH")) {
      authenticate(rest, step);
    } else {
      bad(step, "Not known, or not before login");
    }
  }

 private:
  void bad(FrontStep& step, std::string_view words) {
    bad_line(step, "-ERR " + std::string(words));
  }

  bool is_private(FrontStep& step) {
    if (may_log_in()) return true;
    bad(step, "Use STLS first");
    return false;
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
    sasl_result(sasl_.start(*mechanism, initial), step, kWords);
  }

  std::string user_;
};

}  // namespace

std::unique_ptr<FrontMachine> make_pop3_front(FrontOptions options) {
  return std::make_unique<Pop3Front>(std::move(options));
}

}  // namespace plan::proxy
