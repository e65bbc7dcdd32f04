#pragma once
#include <string>
#include <tl/expected.hpp>
#include <utility>

#include "compiler/source/error.h"

namespace plan {

/// A value, or the Error that kept us from having it. Dropping one does not compile.
template <class T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
 public:
  using tl::expected<T, Error>::expected;
  Result(tl::expected<T, Error>
             other)  // NOLINT(google-explicit-constructor): the same thing by another name
      : tl::expected<T, Error>(std::move(other)) {}
  Result(Error error)  // NOLINT(google-explicit-constructor): `return Error(...)` reads best
      : tl::expected<T, Error>(tl::unexpect, std::move(error)) {}

  /// Adds one frame of context when this holds an error.
  Result while_doing(std::string frame) && {
    if (!this->has_value()) return Result(std::move(this->error()).while_doing(std::move(frame)));
    return std::move(*this);
  }
};

using Outcome = Result<void>;

}  // namespace plan

#define PLAN_CONCAT_2(a, b) a##b
#define PLAN_CONCAT(a, b) PLAN_CONCAT_2(a, b)

/// `PLAN_TRY(uid, append(box, message).while_doing("appending"));` declares `uid`, or returns the
/// error.
#define PLAN_TRY(name, expression)                                                       \
  auto PLAN_CONCAT(name, _result) = (expression);                                        \
  if (!PLAN_CONCAT(name, _result)) return std::move(PLAN_CONCAT(name, _result)).error(); \
  auto& name = *PLAN_CONCAT(name, _result)

/// The same for calls that return no value.
#define PLAN_TRY_VOID(expression)                              \
  do {                                                         \
    if (auto plan_try_result = (expression); !plan_try_result) \
      return std::move(plan_try_result).error();               \
  } while (false)
