#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "compiler/flow/model.h"
#include "compiler/schema/mta_expression.h"

namespace plan::flow {

/// The same address with capitals in front of the `@`.
[[nodiscard]] std::string upper_local(std::string address);

/// Another way to write a name: servers keep the local part as the sender wrote it.
struct Spelling {
  std::string name = {};
  std::string address = {};
  bool has_tag = false;
};

/// The ways to write a name that expressions tell apart: those that they name or that their
/// patterns match, and the usual ones of whoever is named or matched by a pattern.
class Spellings {
 public:
  void note(const schema::MtaExpression& expression);
  /// Beside the name itself (lower case), at most 16; mostly none.
  [[nodiscard]] std::vector<Spelling> of(const std::string& name) const;

 private:
  void note_text(std::string_view text);
  void note_tag(std::string_view tag);

  std::unordered_map<std::string, std::vector<std::string>> named_;   // by the name
  std::unordered_map<std::string, std::vector<std::string>> locals_;  // by the local part alone
  std::vector<std::string> tags_;
  bool looks_into_names_ = false;
};

/// The spellings that the route expressions of a world tell apart: each is read once.
class SpellingQuestions {
 public:
  /// Of these names; not those that are names of somebody.
  [[nodiscard]] std::vector<Spelling> of(const World& world, const std::vector<std::string>& names);

 private:
  [[nodiscard]] const Spellings& asked_by(const schema::MtaContainer& container);

  std::unordered_map<const schema::MtaContainer*, Spellings> known_;  // they are kept by MailSteps
};

}  // namespace plan::flow
