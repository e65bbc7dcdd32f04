#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "compiler/flow/mail_address.h"
#include "compiler/flow/model.h"
#include "compiler/ir/value.h"
#include "compiler/schema/mta_expression.h"

namespace plan::flow {

/// The message that a server asks its route expression for.
struct Asking {
  const World& world;
  const Address& recipient;
  const std::string& sender;
  /// Gets the name of somebody else for whom the expression asks: there is no answer then.
  std::string* others = nullptr;
  bool* asks_sender = nullptr;  ///< set when it asks who sends

  /// What either server tells its expression by itself: `rcpt`, `rcpt_domain`, `sender` and
  /// `sender_domain`; nothing for another name.
  [[nodiscard]] std::optional<ir::Value> told(std::string_view name) const;

 private:
  [[nodiscard]] const std::string& read_sender() const {
    if (asks_sender != nullptr) *asks_sender = true;
    return sender;
  }
};

/// Does the expression ask about somebody else than the recipient, in a way that hangs on steps
/// that this world does not have?
[[nodiscard]] bool asks_for_others(const Asking& asking, Question::Kind kind, std::string_view set,
                                   std::string_view name);

/// Leaves in `asking.others` whom this condition asks for: those that were decided may have asked
/// for somebody too.
void ask_others_again(const Asking& asking, const schema::MtaExpression& condition,
                      const schema::MtaEnvironment& environment);

}  // namespace plan::flow
