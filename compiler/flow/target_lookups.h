#pragma once
#include <string>
#include <string_view>

#include "compiler/flow/mail_address.h"
#include "compiler/flow/model.h"
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

  [[nodiscard]] const std::string& read_sender() const {
    if (asks_sender != nullptr) *asks_sender = true;
    return sender;
  }
};

/// Does the expression ask about somebody else than the recipient, in a way that hangs on steps
/// that this world does not have?
[[nodiscard]] bool asks_for_others(const Asking& asking, Question::Kind kind, std::string_view set,
                                   std::string_view name);

/// What the target answers when its route expression asks it (`is_local_address`, `key_exists`,
/// ...). `asking` must outlive the result.
[[nodiscard]] decltype(schema::MtaEnvironment::call) lookups_of(const Asking& asking);

}  // namespace plan::flow
