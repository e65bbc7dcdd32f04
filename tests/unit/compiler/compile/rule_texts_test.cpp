// What a rule of compiler/check/rules can say, it says of some case of tests/golden/diagnostics:
// its messages, labels, notes and remedies are the texts in quotes of its source. Those of a single
// word or two are left out: most are names of settings.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/repository.h"
#include "tests/support/shared_data.h"
#include "tests/unit/compiler/compile/golden_case.h"
#include "tests/unit/compiler/compile/judged_case.h"

namespace plan::test {
namespace {

namespace fs = std::filesystem;

/// The texts in quotes of a C++ source; what the compiler joins is one text.
class QuotedTexts {
 public:
  explicit QuotedTexts(std::string_view source) : source_(source) {
    while (at_ < source_.size()) take();
    end_text();
  }

  [[nodiscard]] const std::vector<std::string>& all() const { return texts_; }

 private:
  void take() {
    const char sign = source_[at_];
    if (starts_with("//") || (sign == '#' && is_at_line_begin())) {
      at_ = std::min(source_.find('\n', at_), source_.size());
    } else if (starts_with("R\"(")) {
      end_text();
      const std::size_t end = source_.find(")\"", at_);
      at_ = end == std::string_view::npos ? source_.size() : end + 2;
    } else if (sign == '"') {
      take_quoted();
    } else if (sign == '\'' && !is_in_number()) {
      end_text();
      take_character();
    } else {
      if (sign != ' ' && sign != '\n') end_text();
      ++at_;
    }
  }

  void take_quoted() {
    is_open_ = true;
    for (++at_; at_ < source_.size() && source_[at_] != '"'; ++at_) {
      if (source_[at_] != '\\') {
        text_ += source_[at_];
      } else if (++at_ < source_.size()) {
        text_ += source_[at_] == 'n' ? '\n' : source_[at_];
      }
    }
    ++at_;
  }

  void take_character() {
    for (++at_; at_ < source_.size() && source_[at_] != '\''; ++at_) {
      if (source_[at_] == '\\') ++at_;
    }
    ++at_;
  }

  void end_text() {
    if (is_open_) texts_.push_back(text_);
    text_.clear();
    is_open_ = false;
  }

  [[nodiscard]] bool starts_with(std::string_view text) const {
    return source_.substr(at_).starts_with(text);
  }
  [[nodiscard]] bool is_at_line_begin() const { return at_ == 0 || source_[at_ - 1] == '\n'; }
  /// `10'000`
  [[nodiscard]] bool is_in_number() const {
    return at_ != 0 && source_[at_ - 1] >= '0' && source_[at_ - 1] <= '9';
  }

  std::string_view source_;
  std::size_t at_ = 0;
  std::string text_ = {};
  bool is_open_ = false;
  std::vector<std::string> texts_ = {};
};

/// What a text always has, in order: without `{}` and `{:...}`, where something is filled in, and
/// without doubled braces.
std::vector<std::string> pieces_of(std::string_view text) {
  std::vector<std::string> pieces(1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::string_view rest = text.substr(i);
    std::size_t filled = 0;
    if (rest.starts_with("{}") || rest.starts_with("{{") || rest.starts_with("}}")) {
      filled = 2;
    } else if (rest.starts_with("{:") && rest.find('}') != std::string_view::npos) {
      filled = rest.find('}') + 1;
    }
    if (filled == 0) {
      pieces.back() += text[i];
    } else {
      if (!pieces.back().empty()) pieces.emplace_back();
      i += filled - 1;
    }
  }
  if (pieces.back().empty()) pieces.pop_back();
  return pieces;
}

bool has_pieces(std::string_view text, const std::vector<std::string>& pieces) {
  std::size_t at = 0;
  for (const std::string& piece : pieces) {
    at = text.find(piece, at);
    if (at == std::string_view::npos) return false;
    at += piece.size();
  }
  return true;
}

/// What each rule says of all cases, by its name.
std::map<std::string_view, std::set<std::string>> said_by_rule() {
  std::map<std::string_view, std::set<std::string>> said;
  for (const fs::path& code : folders_of(test::repository() / "tests/golden/diagnostics")) {
    for (const fs::path& folder : folders_of(code)) {
      const JudgedCase judged(folder);
      for (const Rule& rule : all_rules()) {
        const auto found = judged.said_by(rule);
        if (!found) continue;
        std::set<std::string>& texts = said[rule.name];
        for (const Diagnostic& one : *found) {
          texts.insert(one.message);
          texts.insert(one.label);
          for (const Label& note : one.notes) texts.insert(note.text);
          texts.insert(one.help.begin(), one.help.end());
        }
      }
    }
  }
  return said;
}

TEST(RuleTexts, AreAllShownByACase) {
  // Compared with what a survey wrote.
  const std::set<std::string> not_said = {"cannot be told: "};
  auto said = said_by_rule();
  std::size_t count = 0;
  for (const Rule& rule : all_rules()) {
    const fs::path file =
        test::repository() / "compiler/check/rules" / (std::string(rule.name) + ".cpp");
    ASSERT_TRUE(fs::exists(file)) << file;
    const std::string source = read_all(file);
    const QuotedTexts quoted(source);
    for (const std::string& text : quoted.all()) {
      if (std::count(text.begin(), text.end(), ' ') < 2 || not_said.contains(text)) continue;
      ++count;
      const std::vector<std::string> pieces = pieces_of(text);
      const std::set<std::string>& texts = said[rule.name];
      EXPECT_TRUE(std::any_of(texts.begin(), texts.end(),
                              [&](const std::string& one) { return has_pieces(one, pieces); }))
          << "no case shows of " << rule.name << ": " << text;
    }
  }
  EXPECT_GT(count, 900U);
}

TEST(RuleTexts, AreReadFromTheSource) {
  const QuotedTexts quoted(
      "#include \"a b c\"\n// \"in a comment\"\nsay(\"one \"\n    \"text, \\\"quoted\\\"\", '\"', "
      "10'000, R\"(raw)\", \"\");");
  EXPECT_EQ(quoted.all(), (std::vector<std::string>{"one text, \"quoted\"", ""}));
  EXPECT_EQ(pieces_of("`{}` has {:>3} of {{x}}"),
            (std::vector<std::string>{"`", "` has ", " of ", "x"}));
  EXPECT_TRUE(has_pieces("`a` has 12 of {x}", {"`", "` has ", " of ", "x"}));
  EXPECT_FALSE(has_pieces("`a` had 12 of {x}", {"`", "` has ", " of ", "x"}));
}

}  // namespace
}  // namespace plan::test
