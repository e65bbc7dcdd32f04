#include "compiler/check/sieve_extensions.h"

#include <algorithm>
#include <array>

#include "compiler/source/text.h"

namespace plan::check {
namespace {

/// `require` takes a text or a list of texts, and ends with `;`.
class RequireReader {
 public:
  explicit RequireReader(std::string_view script) : script_(script) {}

  std::vector<std::string> names() {
    std::vector<std::string> found;
    bool is_in_require = false;
    while (at_ < script_.size()) {
      const char c = script_[at_];
      if (c == '#') {
        skip_to("\n");
      } else if (script_.substr(at_, 2) == "/*") {
        skip_to("*/");
      } else if (c == '"') {
        std::string text = quoted();
        if (is_in_require) found.push_back(std::move(text));
      } else if (is_letter(c)) {
        is_in_require = equals_ignoring_case(word(), "require");
      } else {
        if (c == ';') is_in_require = false;
        ++at_;
      }
    }
    return found;
  }

 private:
  static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  }

  void skip_to(std::string_view end) {
    const std::size_t found = script_.find(end, at_);
    at_ = found == std::string_view::npos ? script_.size() : found + end.size();
  }

  std::string_view word() {
    const std::size_t begin = at_;
    while (at_ < script_.size() && is_letter(script_[at_])) ++at_;
    return script_.substr(begin, at_ - begin);
  }

  std::string quoted() {
    std::string text;
    for (++at_; at_ < script_.size() && script_[at_] != '"'; ++at_) {
      if (script_[at_] == '\\' && at_ + 1 < script_.size()) ++at_;
      text += script_[at_];
    }
    at_ = std::min(at_ + 1, script_.size());
    return text;
  }

  std::string_view script_;
  std::size_t at_ = 0;
};

}  // namespace

bool is_extension_of_target(std::string_view name) {
  constexpr std::array<std::string_view, 3> kDeprecated = {"imapflags", "notify", "metadata"};
  return !name.starts_with("vnd.dovecot.") &&
         std::find(kDeprecated.begin(), kDeprecated.end(), name) == kDeprecated.end();
}

std::vector<std::string> extensions_required(std::string_view script) {
  return RequireReader(script).names();
}

}  // namespace plan::check
