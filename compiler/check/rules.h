#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/check/plan.h"

namespace plan::check::rules {

#define PLAN_RULE(function, needs_lock, plans) \
  void function(const Migration& migration, Sink& sink);
#include "compiler/check/rules.def"
#undef PLAN_RULE

/// Counts what is the same for many accounts, with a few of them by name.
struct Examples {
  std::size_t count = 0;
  std::vector<std::string_view> names = {};
  Span first = {};

  void add(std::string_view name, Span span);
  /// "`a`, `b` and 12 more"
  [[nodiscard]] std::string text() const;
};

/// "2.1 GiB", "1.9 GiB"; to the byte where both would read the same.
[[nodiscard]] std::pair<std::string, std::string> shown_bytes(std::uint64_t left,
                                                              std::uint64_t right);
/// "1 account", "12 accounts"
[[nodiscard]] std::string counted(std::size_t count, std::string_view one, std::string_view many);

/// A setting of the lock ("source.recipient_delimiter"); null when it was not measured.
[[nodiscard]] const ir::Value& setting(const Migration& migration, const char* name);
/// Where the accounts of the plan are named.
[[nodiscard]] Span accounts_place(const Plan& plan);

}  // namespace plan::check::rules
