#pragma once
#include <chrono>
#include <cstdint>
#include <new>
#include <string>
#include <string_view>
#include <vector>

namespace plan {

/// A stable name for one way in which the world can fail. Each module declares its codes once, in
/// its errors.def (see compiler/source/error_table.h); `plan explain NAME` and docs/diagnostics.md
/// are made from those tables.
struct ErrorCode {
  std::string_view name = {};     ///< kebab-case, for ever
  std::string_view summary = {};  ///< one line: what is the case
  std::string_view remedy = {};   ///< one line: what the operator does about it
};

/// What is known about the effect of the call that failed. `unknown` (a lost reply) is never
/// retried: the engine observes first.
enum class Effect : std::uint8_t { none = 0, applied = 1, unknown = 2 };

/// May the same call be made again? `after` waits `Error::retry_after` first.
enum class Retry : std::uint8_t { never = 0, safe = 1, after = 2 };

/// Who has to act.
enum class Blame : std::uint8_t {
  plan = 0,
  source = 1,
  target = 2,
  proxy = 3,
  network = 4,
  local = 5
};

[[nodiscard]] std::string_view to_string(Effect effect);
[[nodiscard]] std::string_view to_string(Retry retry);
[[nodiscard]] std::string_view to_string(Blame blame);

/// An error of the world: the network, a disk, the answer of a server. Carries what the next
/// decision needs. What the author of a plan got wrong is a Diagnostic instead (diagnostic.h); what
/// we got wrong is PLAN_CHECK.
class Error {
 public:
  Error(const ErrorCode& code, std::string message) : code_(&code), message_(std::move(message)) {}
  Error(const Error&) = default;
  Error(Error&&) noexcept = default;
  Error& operator=(const Error&) = default;
  /// `error = std::move(error).with_effect(…)` assigns an error to itself: it stays what it is.
  Error& operator=(Error&& other) noexcept {
    if (this != &other) {
      this->~Error();
      new (this) Error(std::move(other));
    }
    return *this;
  }
  ~Error() = default;

  [[nodiscard]] const ErrorCode& code() const { return *code_; }
  [[nodiscard]] bool is(const ErrorCode& code) const { return code_->name == code.name; }
  /// One line, lower case, no full stop: what was seen, with numbers and units. Never a secret.
  [[nodiscard]] const std::string& message() const { return message_; }
  [[nodiscard]] Effect effect() const { return effect_; }
  [[nodiscard]] Retry retry() const { return retry_; }
  [[nodiscard]] std::chrono::milliseconds retry_after() const { return retry_after_; }
  [[nodiscard]] Blame blame() const { return blame_; }
  /// Short frames, innermost first: "selecting INBOX of alice@example.org".
  [[nodiscard]] const std::vector<std::string>& context() const { return context_; }
  /// What the other side said: control characters replaced, cut to 500 bytes.
  [[nodiscard]] const std::string& detail() const { return detail_; }
  /// Path of the argument that is to blame ("set.aliases[2]"), so that the engine can point into
  /// the plan.
  [[nodiscard]] const std::string& argument() const { return argument_; }

  Error&& with_effect(Effect effect) && {
    effect_ = effect;
    return std::move(*this);
  }
  Error&& with_retry(Retry retry) && {
    retry_ = retry;
    return std::move(*this);
  }
  Error&& with_retry_after(std::chrono::milliseconds delay) && {
    retry_ = Retry::after;
    retry_after_ = delay;
    return std::move(*this);
  }
  Error&& with_blame(Blame blame) && {
    blame_ = blame;
    return std::move(*this);
  }
  Error&& with_detail(std::string_view said) &&;
  Error&& with_argument(std::string path) && {
    argument_ = std::move(path);
    return std::move(*this);
  }
  Error&& while_doing(std::string frame) && {
    context_.push_back(std::move(frame));
    return std::move(*this);
  }

  /// `message (while selecting INBOX, while copying alice@example.org): detail [code]`
  [[nodiscard]] std::string to_line() const;

 private:
  const ErrorCode* code_;
  std::string message_;
  std::string detail_;
  std::string argument_;
  std::vector<std::string> context_;
  std::chrono::milliseconds retry_after_{0};
  Effect effect_ = Effect::none;
  Retry retry_ = Retry::never;
  Blame blame_ = Blame::local;
};

}  // namespace plan
