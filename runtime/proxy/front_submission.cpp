// Submission before login: RFC 5321, 6409, AUTH (RFC 4954), STARTTLS (RFC 3207), enhanced codes
// (RFC 3463).
#include <algorithm>

#include "compiler/source/text.h"
#include "runtime/proxy/front_base.h"

namespace plan::proxy {
namespace {

constexpr std::size_t kHelloNameBytesMax = 255;

bool is_hello_name(std::string_view name) {
  if (name.empty() || name.size() > kHelloNameBytesMax) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte > 0x20 && byte < 0x7f;
  });
}

constexpr FrontWords kWords{
    .challenge_begin = "334 ",
    .unusable = "535 5.7.8 Name or password cannot be used",
    .cancelled = "501 5.0.0 Authentication cancelled",
    .tls_begins = "220 2.0.0 Begin TLS now",
    .tls_not_here = "503 5.5.1 STARTTLS is not possible here",
    .tls_injection = "501 5.5.4 Nothing may follow STARTTLS before TLS is there",
    .line_too_long = "500 5.5.6 Line is too long",
};

class SubmissionFront final : public LineFront {
 public:
  explicit SubmissionFront(FrontOptions options) : LineFront(std::move(options), kWords) {}

  FrontStep start() override {
    return {.output = "220 " + options_.server_name + " ESMTP" + greeting_mark() + "\r\n"};
  }
  FrontStep unavailable() override {
    FrontStep step;
    step.output = "421 4.3.2 " + options_.server_name +
                  " Mailbox is not available at the moment, the password was not judged\r\n";
    step.next = FrontStep::Next::close;
    return step;
  }
  std::string goodbye() const override {
    return "421 4.4.2 " + options_.server_name + " closing connection\r\n";
  }
  std::string keepalive() const override { return ""; }

 protected:
  void forget() override {
    LineFront::forget();
    hello_name_.clear();
  }
  void command(const std::string& line, FrontStep& step) override {
    const std::size_t blank = line.find(' ');
    const std::string_view word = std::string_view(line).substr(0, blank);
    const std::string_view rest = blank == std::string::npos
                                      ? std::string_view()
                                      : trim(std::string_view(line).substr(blank + 1));
    const auto is = [word](std::string_view name) { return equals_ignoring_case(word, name); };
    if (is("EHLO") || is("HELO")) {
      if (!is_hello_name(rest)) return bad_line(step, "501 5.5.4 A name must follow");
      hello_name_ = rest;
      is_esmtp_ = is("EHLO");
      hello(step);
    } else if (is("AUTH")) {
      authenticate(rest, step);
    } else if (is("STARTTLS")) {
      start_tls(step, kWords);
    } else if (is("NOOP") || is("RSET")) {
      step.output += "250 2.0.0 Done\r\n";
    } else if (is("QUIT")) {
      step.output += "221 2.0.0 Bye\r\n";
      step.next = FrontStep::Next::close;
    } else if (is("MAIL") || is("RCPT") || is("DATA") || is("BDAT") || is("VRFY") || is("EXPN") ||
               is("ETRN")) {
      if (may_log_in())
        bad_line(step, "530 5.7.0 Authentication required");
      else
        bad_line(step, "530 5.7.0 Must issue a STARTTLS command first");
    } else {
      bad_line(
          step,
          "500 5.5.1 Not known");  // XCLIENT and XFORWARD too: nobody may name another address here
    }
  }

 private:
  void hello(FrontStep& step) {
    if (!is_esmtp_) {
      step.output += "250 " + options_.server_name + "\r\n";
      return;
    }
    // Only what every backend can do: the client keeps using it after login without asking again.
    step.output +=
        "250-" + options_.server_name + "\r\n250-PIPELINING\r\n250-ENHANCEDSTATUSCODES\r\n";
    if (is_starttls_possible()) step.output += "250-STARTTLS\r\n";
    if (may_log_in()) step.output += "250-AUTH PLAIN LOGIN\r\n";
    step.output += "250 8BITMIME\r\n";
  }

  void authenticate(std::string_view rest, FrontStep& step) {
    if (!may_log_in()) return bad_line(step, "538 5.7.11 Use STARTTLS first");
    const std::size_t blank = rest.find(' ');
    if (rest.empty()) return bad_line(step, "501 5.5.4 AUTH takes a mechanism");
    login_ = LoginRequest();
    login_.hello_name = hello_name_;
    login_.is_esmtp = is_esmtp_ || hello_name_.empty();
    const auto mechanism = SaslServer::mechanism_by_name(rest.substr(0, blank));
    if (!mechanism) return bad_line(step, "504 5.5.4 Mechanism is not supported");
    std::optional<std::string_view> initial;
    if (blank != std::string_view::npos) initial = trim(rest.substr(blank + 1));
    sasl_result(sasl_.start(*mechanism, initial), step, kWords);
  }

  std::string hello_name_;
  bool is_esmtp_ = true;
};

}  // namespace

std::unique_ptr<FrontMachine> make_submission_front(FrontOptions options) {
  return std::make_unique<SubmissionFront>(std::move(options));
}

}  // namespace plan::proxy
