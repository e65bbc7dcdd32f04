#pragma once
#include <string>
#include <string_view>

#include "runtime/proxy/front_machine.h"
#include "runtime/proxy/input_buffer.h"
#include "runtime/proxy/limits.h"

namespace plan::proxy {

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

std::unique_ptr<FrontMachine> make_imap_front(FrontOptions options);
std::unique_ptr<FrontMachine> make_pop3_front(FrontOptions options);
std::unique_ptr<FrontMachine> make_sieve_front(FrontOptions options);
std::unique_ptr<FrontMachine> make_submission_front(FrontOptions options);

}  // namespace plan::proxy
