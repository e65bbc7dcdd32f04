#include "compiler/check/rules.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/check/limits.h"
#include "compiler/source/text.h"

namespace plan::check {

namespace {

enum class Plans : std::uint8_t { accounts = 0, store = 1, listeners = 2 };

void run_rules(Plans kind, const Migration& migration, Sink& sink) {
#define PLAN_RULE(function, needs_lock, plans)                              \
  if (kind == Plans::plans && (!(needs_lock) || migration.lock != nullptr)) \
    rules::function(migration, sink);
#include "compiler/check/rules.def"
#undef PLAN_RULE
}

}  // namespace

void check_rules(const Migration& migration, Sink& sink) {
  run_rules(migration.plan.is_of_store ? Plans::store : Plans::accounts, migration, sink);
}

void check_listener_rules(const Migration& migration, Sink& sink) {
  if (!migration.plan.is_of_store) run_rules(Plans::listeners, migration, sink);
}

namespace rules {

void Examples::add(std::string_view name, Span span) {
  if (count++ == 0) first = span;
  if (names.size() < kExamplesMax) names.push_back(name);
}

std::string Examples::text() const {
  std::string words;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i != 0) words += ", ";
    words += fmt::format("`{}`", printable(names[i], 120));
  }
  if (count > names.size()) words += fmt::format(" and {} more", show_count(count - names.size()));
  return words;
}

Apart::Apart(const Plan& plan, std::initializer_list<Kind> kinds) {
  for (const FindingRule& rule : plan.findings) {
    if (std::find(kinds.begin(), kinds.end(), rule.kind) != kinds.end()) places_.insert(rule.at);
  }
}

std::string_view Apart::of(std::string_view place) const {
  return places_.contains(place) ? place : std::string_view();
}

std::pair<std::string, std::string> shown_bytes(std::uint64_t left, std::uint64_t right) {
  std::pair<std::string, std::string> shown{show_bytes(left), show_bytes(right)};
  if (shown.first == shown.second) shown = {show_count(left) + " B", show_count(right) + " B"};
  return shown;
}

const ir::Value& setting(const Migration& migration, const char* name) {
  static const ir::Value kNone;
  if (migration.lock == nullptr) return kNone;
  const auto found = migration.lock->settings.find(name);
  return found == migration.lock->settings.end() ? kNone : found->second;
}

Span accounts_place(const Plan& plan) {
  return plan.accounts_span.is_known() ? plan.accounts_span : plan.span;
}

std::string counted(std::size_t count, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", show_count(count), count == 1 ? one : many);
}

}  // namespace rules
}  // namespace plan::check
