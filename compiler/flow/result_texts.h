#pragma once
#include <cstdint>
#include <utility>
#include <vector>

#include "compiler/schema/mta_expression.h"

namespace plan::flow {

// A result of a route expression (`then`, `else`), taken apart into the texts that it gives.

/// How a result comes to one of its texts: questions and their answers, from the outside in, and
/// the choices that they decide.
struct WayToText {
  std::vector<std::pair<std::uint32_t, bool>> answers = {};
  std::vector<std::uint32_t> choices = {};
};

/// How a result (`then`, `else`) comes to each text that it gives, where it asks who sends.
struct ResultTexts {
  std::vector<WayToText> ways = {};
  bool is_beyond = false;  ///< a text is made of the sender, or there are too many
};
[[nodiscard]] ResultTexts result_texts(const schema::MtaExpression& result);

/// True where the condition is and the result comes that way; a condition without nodes always is.
[[nodiscard]] schema::MtaExpression condition_of_way(const schema::MtaExpression& condition,
                                                     const schema::MtaExpression& result,
                                                     const WayToText& way);

}  // namespace plan::flow
