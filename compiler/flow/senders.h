#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "compiler/flow/mail_steps.h"
#include "compiler/flow/model.h"

namespace plan::flow {

/// A text that a regular expression finds; nothing for what is not a plain one (no look-ahead, no
/// named classes). Whether it does the matcher has to say.
[[nodiscard]] std::optional<std::string> text_for_pattern(std::string_view pattern);

/// A condition that is true for nobody who is tried.
struct NobodyFor {
  std::string condition = {};  ///< as it was written
  Span origin = {};
};

/// Whom a message has to be tried from where route expressions ask who sends.
struct Senders {
  std::vector<std::string> named = {};  ///< beside a stranger, a colleague and nobody; at most 16
                                        ///< of each expression
  std::vector<NobodyFor> without = {};
};

/// The senders that the expressions of a world tell apart: each expression is read once.
class SenderQuestions {
 public:
  explicit SenderQuestions(MailSteps& all) : all_(all) {}

  [[nodiscard]] Senders of(const World& world);

 private:
  struct Asked {
    std::vector<std::string> named = {};
    std::vector<std::string> without = {};  ///< conditions
  };
  [[nodiscard]] const Asked& asked_by(const schema::MtaContainer& container);
  void read_condition(const schema::MtaContainer::Arm& arm, Asked& asked);
  void add_key_of(const schema::MtaExpression& expression, const schema::MtaNode& call,
                  std::vector<std::string>& candidates);

  MailSteps& all_;
  std::unordered_map<const schema::MtaContainer*, Asked> known_;  // they are kept by MailSteps
};

}  // namespace plan::flow
