#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "compiler/flow/model.h"
#include "compiler/schema/mta_expression.h"
#include "compiler/source/span.h"

namespace plan::flow {

/// The same address with capitals in front of the `@`.
[[nodiscard]] std::string upper_local(std::string address);

/// Another way to write a name: servers keep the local part as the sender wrote it.
struct Spelling {
  std::string name = {};
  std::string address = {};
  bool has_tag = false;
};

/// A way to write a name that is told apart and not tried, because there are too many: the first
/// one.
struct Untried {
  std::string address = {};
  std::string condition = {};  ///< that tells it apart, as it was written
  std::string_view why = {};
  Span origin = {};  ///< of the expression
};

/// The ways to write a name that one expression tells apart: those that it names or that its
/// patterns match, and the usual ones of whoever is named or matched by a pattern.
class Spellings {
 public:
  /// `text`: the condition as it was written, or what else it is called.
  void note(const schema::MtaExpression& expression, std::string_view text = {});
  /// Beside the name itself (lower case), at most 16; mostly none. With one of 8 tags, at most.
  /// `untried`, if given, gets what is beyond, if anything.
  [[nodiscard]] std::vector<Spelling> of(const std::string& name,
                                         std::optional<Untried>* untried = nullptr) const;

 private:
  /// A text of a condition, which is told by its number.
  struct Noted {
    std::string text = {};
    std::size_t condition = 0;
  };
  using AllNoted = std::vector<Noted>;
  static void add_once(Noted one, AllNoted& all);
  void note_text(std::string_view text);
  void note_tag(std::string_view tag);

  std::unordered_map<std::string, AllNoted> named_;   // by the name
  std::unordered_map<std::string, AllNoted> locals_;  // by the local part alone
  AllNoted tags_;
  std::optional<Noted> tag_beyond_;              // the first one that there is no room for
  std::optional<std::size_t> looks_into_names_;  // number of the first condition that does
  std::vector<std::string> conditions_;          // that ask for the recipient
};

/// What a world tells apart of the names of one account.
struct ToldSpellings {
  std::vector<Spelling> tried = {};
  std::vector<Untried> untried = {};
};

/// The spellings that the route expressions of a world tell apart: each is read once.
class SpellingQuestions {
 public:
  /// Of these names; not those that are names of somebody.
  [[nodiscard]] ToldSpellings of(const World& world, const std::vector<std::string>& names);

 private:
  [[nodiscard]] const Spellings& asked_by(const schema::MtaContainer& container);

  std::unordered_map<const schema::MtaContainer*, Spellings> known_;  // they are kept by MailSteps
};

}  // namespace plan::flow
