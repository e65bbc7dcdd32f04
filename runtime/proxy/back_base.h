#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "runtime/proxy/back_machine.h"
#include "runtime/proxy/input_buffer.h"
#include "runtime/proxy/limits.h"

namespace plan::proxy {

/// Lines, bounds and endings, common to the four machines.
class BackBase : public BackMachine {
 public:
  BackBase(BackOptions options, const LoginRequest& request)
      : options_(std::move(options)), request_(&request) {}

  BackStep feed(std::string_view bytes) final {
    input_.append(bytes);
    BackStep step;
    run(step);
    return step;
  }
  BackStep tls_started() final {
    is_tls_ = true;
    BackStep step;
    after_tls(step);
    run(step);
    return step;
  }
  const std::string& reply() const final { return reply_; }
  bool is_temporary() const final { return is_temporary_; }
  const std::string& why() const final { return why_; }
  const std::string& greeting() const final { return greeting_; }
  std::string take_rest() final { return input_.take_all(); }

 protected:
  /// One line without its end.
  virtual void line(const std::string& text, BackStep& step) = 0;
  virtual void after_tls(BackStep& step) = 0;

  void run(BackStep& step) {
    while (step.next == BackStep::Next::read) {
      std::string text;
      if (literal_left_ > 0) {
        if (!input_.take_bytes(literal_left_, text)) return;
        literal_left_ = 0;
        reply_ += text;
        continue;
      }
      switch (input_.take_line(kBackLineBytesMax, text)) {
        case InputBuffer::Got::more:
          return;
        case InputBuffer::Got::too_long:
          return fail(step, "a line is longer than its bound");
        case InputBuffer::Got::line:
          break;
      }
      if (++lines_ > kBackLinesMax) return fail(step, "too many lines before the verdict");
      if (greeting_.empty()) greeting_ = text;
      line(text, step);
    }
  }
  void fail(BackStep& step, std::string why) {
    step.next = BackStep::Next::unavailable;
    why_ = std::move(why);
  }
  void ask_for_tls(BackStep& step) {
    if (!input_.empty()) return fail(step, "clear text behind the STARTTLS answer (injection)");
    step.next = BackStep::Next::start_tls;
  }
  /// Adds a line to what the client will see; false when that grows past its bound.
  [[nodiscard]] bool keep(const std::string& text, BackStep& step) {
    if (reply_.size() + text.size() > kBackReplyBytesMax) {
      fail(step, "the answer is larger than its bound");
      return false;
    }
    reply_ += text;
    reply_ += "\r\n";
    return true;
  }
  void accept(BackStep& step) { step.next = BackStep::Next::accepted; }
  void refuse(BackStep& step, bool is_temporary) {
    is_temporary_ = is_temporary;
    step.next = BackStep::Next::refused;
  }
  [[nodiscard]] bool needs_tls() const { return options_.tls == TlsMode::starttls && !is_tls_; }
  [[nodiscard]] const Credential& credential() const { return request_->credential; }
  /// `ADDR=.. PORT=..` of POP3 and ManageSieve (Dovecot's XCLIENT).
  [[nodiscard]] std::string xclient_attributes() const;
  /// `s` at the end: a literal of that size follows (ManageSieve). Bounded.
  [[nodiscard]] bool expect_literal(std::size_t size, BackStep& step) {
    if (size > kBackLineBytesMax) {
      fail(step, "a literal is larger than its bound");
      return false;
    }
    literal_left_ = size;
    return true;
  }

  BackOptions options_;
  const LoginRequest* request_;
  std::string reply_;
  bool is_announcement_done_ = false;

 private:
  InputBuffer input_;
  std::string why_;
  std::string greeting_;
  std::size_t literal_left_ = 0;
  int lines_ = 0;
  bool is_tls_ = false;
  bool is_temporary_ = false;
};

/// Words of a capability line, upper case, split at blanks.
[[nodiscard]] std::vector<std::string> upper_words(std::string_view text);
[[nodiscard]] bool has_word(const std::vector<std::string>& words, std::string_view word);
/// In base64, for the steps of SASL LOGIN.
[[nodiscard]] std::string password_base64(const Credential& credential);

std::unique_ptr<BackMachine> make_imap_back(BackOptions options, const LoginRequest& request);
std::unique_ptr<BackMachine> make_pop3_back(BackOptions options, const LoginRequest& request);
std::unique_ptr<BackMachine> make_sieve_back(BackOptions options, const LoginRequest& request);
std::unique_ptr<BackMachine> make_submission_back(BackOptions options, const LoginRequest& request);

}  // namespace plan::proxy
