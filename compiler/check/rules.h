#pragma once
#include <initializer_list>
#include <string>
#include <string_view>
#include <unordered_set>
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

/// The places at which the plan's `findings` want another severity for a code. What is the same for
/// many accounts is said of each of these for itself, and of all others together: a finding changes
/// what is said of its own place alone.
class Apart {
 public:
  Apart(const Plan& plan, std::initializer_list<Kind> kinds);
  /// `place` where the plan has a finding for it, else nothing: accounts for which this is the same
  /// are reported together.
  [[nodiscard]] std::string_view of(std::string_view place) const;

 private:
  std::unordered_set<std::string_view> places_ = {};
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
