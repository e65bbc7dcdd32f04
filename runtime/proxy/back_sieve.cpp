// The proxy as ManageSieve client (RFC 5804): capabilities, STARTTLS, XCLIENT (Dovecot),
// AUTHENTICATE.
#include <charconv>
#include <optional>

#include "compiler/source/text.h"
#include "runtime/proxy/back_base.h"

namespace plan::proxy {
namespace {

bool is_word(std::string_view text, std::string_view word) {
  return text.size() >= word.size() && equals_ignoring_case(text.substr(0, word.size()), word) &&
         (text.size() == word.size() || text[word.size()] == ' ');
}

/// `"SASL" "PLAIN LOGIN"` -> {SASL, PLAIN LOGIN}; the quotes of Dovecot's names are optional here.
std::pair<std::string, std::string> capability_of(std::string_view text) {
  std::vector<CommandToken> tokens;
  if (!split_command({{.text = std::string(text), .is_literal = false}}, tokens) || tokens.empty())
    return {};
  return {tokens[0].text, tokens.size() > 1 ? tokens[1].text : ""};
}

/// The size of a literal that the line ends with.
std::optional<std::size_t> literal_size(std::string_view text) {
  if (!text.ends_with('}')) return std::nullopt;
  const std::size_t open = text.rfind('{');
  if (open == std::string_view::npos) return std::nullopt;
  std::string_view digits = text.substr(open + 1, text.size() - open - 2);
  if (digits.ends_with('+')) digits.remove_suffix(1);
  std::size_t size = 0;
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), size);
  if (digits.empty() || end != digits.data() + digits.size()) return std::nullopt;
  return failure == std::errc{} ? size : SIZE_MAX;
}

class SieveBack final : public BackBase {
 public:
  using BackBase::BackBase;

 protected:
  void after_tls(BackStep& step) override {
    if (options_.tls != TlsMode::starttls) return;
    static_cast<void>(step);  // the backend sends its capabilities again by itself
    clear();
    state_ = State::capabilities;
  }

  void line(const std::string& text, BackStep& step) override {
    switch (state_) {
      case State::capabilities:
        return capabilities_line(text, step);
      case State::starttls:
        if (!is_word(text, "OK"))
          return fail(step, "STARTTLS was refused: " + printable(text, 200));
        return ask_for_tls(step);
      case State::xclient:
        if (text.starts_with('"')) return;  // Dovecot repeats its capabilities
        if (!is_word(text, "OK")) return fail(step, "XCLIENT was refused: " + printable(text, 200));
        return log_in(step);
      case State::verdict:
        return verdict_line(text, step);
      case State::verdict_literal:
        // What follows the literal of a verdict on its last line.
        if (keep(text, step)) finish(step);
        return;
    }
  }

 private:
  enum class State : std::uint8_t { capabilities, starttls, xclient, verdict, verdict_literal };

  void clear() { is_plain_offered_ = is_starttls_offered_ = is_xclient_offered_ = false; }

  void capabilities_line(const std::string& text, BackStep& step) {
    if (is_word(text, "NO") || is_word(text, "BYE"))
      return fail(step, "the greeting is not OK: " + printable(text, 200));
    if (!is_word(text, "OK")) {
      const auto [name, value] = capability_of(text);
      if (equals_ignoring_case(name, "SASL"))
        is_plain_offered_ = has_word(upper_words(value), "PLAIN");
      if (equals_ignoring_case(name, "STARTTLS")) is_starttls_offered_ = true;
      if (equals_ignoring_case(name, "XCLIENT")) is_xclient_offered_ = true;
      return;
    }
    if (needs_tls()) {
      if (!is_starttls_offered_) return fail(step, "STARTTLS is not offered");
      step.output += "STARTTLS\r\n";
      state_ = State::starttls;
    } else if (options_.is_announced && is_xclient_offered_) {
      step.output += "XCLIENT " + xclient_attributes() + "\r\n";
      state_ = State::xclient;
    } else {
      log_in(step);
    }
  }

  void log_in(BackStep& step) {
    if (!is_plain_offered_) return fail(step, "the backend does not offer SASL PLAIN");
    step.output += "AUTHENTICATE \"PLAIN\" \"" + credential().plain_base64() + "\"\r\n";
    state_ = State::verdict;
  }

  void verdict_line(const std::string& text, BackStep& step) {
    if (text.starts_with('{') || text.starts_with("\"\"")) {  // a challenge where none is due
      step.output += "\"*\"\r\n";
      if (const auto size = literal_size(text); size && *size > 0)
        fail(step, "a challenge where none is due");
      return;
    }
    if (is_word(text, "BYE")) return fail(step, "the backend said BYE: " + printable(text, 200));
    is_accepted_ = is_word(text, "OK");
    if (!is_accepted_ && !is_word(text, "NO")) {
      if (text.starts_with('"'))
        static_cast<void>(keep(text, step));
      else
        fail(step, "neither OK nor NO: " + printable(text, 200));
      return;
    }
    is_try_later_ = lower_ascii(text).starts_with("no (trylater");
    if (!keep(text, step)) return;
    if (const auto size = literal_size(text)) {
      if (!expect_literal(*size, step)) return;
      state_ = State::verdict_literal;
      return;
    }
    finish(step);
  }

  void finish(BackStep& step) {
    if (is_accepted_)
      accept(step);
    else
      refuse(step, is_try_later_);
  }

  State state_ = State::capabilities;
  bool is_plain_offered_ = false;
  bool is_starttls_offered_ = false;
  bool is_xclient_offered_ = false;
  bool is_accepted_ = false;
  bool is_try_later_ = false;
};

}  // namespace

std::unique_ptr<BackMachine> make_sieve_back(BackOptions options, const LoginRequest& request) {
  return std::make_unique<SieveBack>(std::move(options), request);
}

}  // namespace plan::proxy
