#pragma once
#include <string>
#include <string_view>

#include "runtime/proxy/front_machine.h"
#include "runtime/proxy/input_buffer.h"
#include "runtime/proxy/limits.h"

namespace plan::proxy {

/// How a protocol says what happens in every login; whole lines without CRLF.
struct FrontWords {
  std::string_view challenge_begin = {};  ///< before and behind the base64 of a SASL challenge
  std::string_view challenge_end = {};
  std::string_view unusable = {};   ///< a name or password that nobody can have
  std::string_view cancelled = {};  ///< the client gave the exchange up
  std::string_view tls_begins = {};
  std::string_view tls_not_here = {};
  std::string_view tls_injection = {};  ///< bytes came behind STARTTLS
  std::string_view line_too_long = {};
};

/// What the four machines have in common: the buffer, the counters, the loop over what has come.
class FrontBase : public FrontMachine {
 public:
  explicit FrontBase(FrontOptions options) : options_(std::move(options)) {}

  FrontStep feed(std::string_view bytes) final {
    input_.append(bytes);
    FrontStep step;
    run(step);
    return step;
  }
  LoginRequest& login() final { return login_; }
  std::string take_rest() final { return input_.take_all(); }
  FrontStep refused(std::string_view reply, bool is_temporary) final {
    FrontStep step;
    step.output = reply;
    login_ = next_login();
    if (!is_temporary) count_failure(step);
    run(step);
    return step;
  }
  FrontStep tls_started() final {
    options_.is_tls = true;
    forget();
    FrontStep step;
    step.output = after_tls();
    run(step);
    return step;
  }

 protected:
  /// Uses one unit of input. False: more bytes are needed.
  [[nodiscard]] virtual bool process(FrontStep& step) = 0;
  /// After STARTTLS nothing of before is believed (RFC 3207 4.2, RFC 9051 6.2.1).
  virtual void forget() { login_ = LoginRequest(); }
  [[nodiscard]] virtual std::string after_tls() const { return ""; }
  /// What of the request stays for the next attempt.
  [[nodiscard]] virtual LoginRequest next_login() { return LoginRequest(); }

  void run(FrontStep& step) {
    while (step.next == FrontStep::Next::read && process(step)) {
      if (++commands_ > kFrontCommandsMax && step.next == FrontStep::Next::read) end(step);
    }
  }
  /// A line that counts as a mistake of the client.
  void bad_line(FrontStep& step, std::string_view line) {
    step.output.append(line).append("\r\n");
    count_bad(step);
  }
  void start_tls(FrontStep& step, const FrontWords& words) {
    if (!is_starttls_possible()) return bad_line(step, words.tls_not_here);
    if (is_injection()) {
      bad_line(step, words.tls_injection);
      step.next = FrontStep::Next::close;
      return;
    }
    step.output.append(words.tls_begins).append("\r\n");
    step.next = FrontStep::Next::start_tls;
  }
  /// Sends a challenge or hands the credential over; false when the exchange has failed.
  [[nodiscard]] bool goes_on(SaslServer::Progress progress, FrontStep& step,
                             std::string_view challenge_begin, std::string_view challenge_end) {
    if (progress == SaslServer::Progress::challenge) {
      step.output.append(challenge_begin)
          .append(sasl_.challenge_base64())
          .append(challenge_end)
          .append("\r\n");
      is_sasl_ = true;
      return true;
    }
    if (progress != SaslServer::Progress::ready) return false;
    login_.credential = sasl_.take();
    step.next = FrontStep::Next::login;
    return true;
  }
  void sasl_result(SaslServer::Progress progress, FrontStep& step, const FrontWords& words) {
    if (goes_on(progress, step, words.challenge_begin, words.challenge_end)) return;
    if (progress == SaslServer::Progress::cancelled) return bad_line(step, words.cancelled);
    step.output.append(words.unusable).append("\r\n");
    count_failure(step);
  }
  void end(FrontStep& step) {
    step.output += goodbye();
    step.next = FrontStep::Next::close;
  }
  void count_failure(FrontStep& step) {
    if (++failures_ >= options_.failures_max) end(step);
  }
  void count_bad(FrontStep& step) {
    if (++bad_commands_ >= kFrontBadCommandsMax) end(step);
  }
  [[nodiscard]] bool may_log_in() const {
    return options_.is_tls || options_.is_plain_login_allowed;
  }
  [[nodiscard]] bool is_starttls_possible() const {
    return options_.is_starttls_offered && !options_.is_tls;
  }
  /// Bytes behind STARTTLS in clear text would be believed as if they were protected: refused.
  [[nodiscard]] bool is_injection() const { return !input_.empty(); }
  [[nodiscard]] std::string greeting_mark() const {
    return options_.greeting_token.empty() ? "" : " (" + options_.greeting_token + ")";
  }

  FrontOptions options_;
  InputBuffer input_;
  LoginRequest login_;
  SaslServer sasl_;
  bool is_sasl_ = false;  ///< the next line answers a challenge

 private:
  int failures_ = 0;
  int bad_commands_ = 0;
  int commands_ = 0;
};

/// Protocols whose commands are single lines: POP3 and submission.
class LineFront : public FrontBase {
 public:
  LineFront(FrontOptions options, const FrontWords& words)
      : FrontBase(std::move(options)), words_(words) {}

 protected:
  /// One line outside a SASL exchange.
  virtual void command(const std::string& line, FrontStep& step) = 0;

  bool process(FrontStep& step) final {
    std::string line;
    switch (input_.take_line(kFrontLineBytesMax, line)) {
      case InputBuffer::Got::more:
        return false;
      case InputBuffer::Got::too_long:
        step.output.append(words_.line_too_long).append("\r\n");
        end(step);
        return true;
      case InputBuffer::Got::line:
        break;
    }
    if (is_sasl_) {
      is_sasl_ = false;
      sasl_result(sasl_.answer(line), step, words_);
    } else {
      command(line, step);
    }
    return true;
  }
  void forget() override {
    FrontBase::forget();
    is_sasl_ = false;
  }

  const FrontWords& words_;
};

std::unique_ptr<FrontMachine> make_imap_front(FrontOptions options);
std::unique_ptr<FrontMachine> make_pop3_front(FrontOptions options);
std::unique_ptr<FrontMachine> make_sieve_front(FrontOptions options);
std::unique_ptr<FrontMachine> make_submission_front(FrontOptions options);

}  // namespace plan::proxy
