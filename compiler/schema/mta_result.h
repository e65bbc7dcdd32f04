#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "compiler/schema/mta_expression.h"

namespace plan::schema {

/// What the results of an expression must be: what its `then` and `else` come to.
enum class MtaResult : std::uint8_t {
  anything,
  truth,
  count,   ///< a whole number, not negative
  bytes,   ///< the same, of bytes
  status,  ///< of HTTP
  duration,
  duration_or_false,
  text,
  text_or_false,  ///< false: none
  name,           ///< of an object of the server
  rate,           ///< `[1, 1d]`; false: none
  words,          ///< one of the constants of the place
  words_or_false,
  mechanisms,  ///< constants of the place, in a list; false: none
};

/// In property `property` of struct `structure` ("x:MtaStageData", "MtaStageData").
[[nodiscard]] MtaResult result_of(std::string_view structure, std::string_view property);
/// Is there a row for it?
[[nodiscard]] bool has_result(std::string_view structure, std::string_view property);

/// What a part of an expression is, as far as can be told without asking the server.
enum class MtaType : std::uint8_t { unknown, truth, number, duration, text, list, constant };

/// The type of a function's answer; unknown: it may be of any.
[[nodiscard]] MtaType type_given_by(std::string_view function);

/// What is wrong with the results of an expression that was parsed from `text`: the first of them
/// whose type is another one. The server takes it when it is written, and falls back to something
/// of its own when mail arrives. What cannot be told is not judged.
[[nodiscard]] std::optional<MtaError> wrong_result(const MtaExpression& expression,
                                                   std::string_view text, MtaResult wanted,
                                                   const MtaContext& context);

}  // namespace plan::schema
