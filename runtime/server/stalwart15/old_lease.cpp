#include "runtime/server/stalwart15/old_lease.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/source/text.h"
#include "runtime/server/source/errors.h"

namespace plan::server::stalwart15 {
namespace {

constexpr std::string_view kPrefix = "plan.lease";

std::string key_of(std::string_view token) { return fmt::format("{}.{}", kPrefix, token); }

}  // namespace

std::string OldLease::words() const {
  return fmt::format("{}, since {}", printable(holder_, 200), net::show_utc(clock_.wall_ms()));
}

Result<std::vector<source::Lease::Holder>> OldLease::all() {
  PLAN_TRY(found, server_.read({}, {std::string(kPrefix)}));
  std::vector<Holder> holders;
  for (const auto& [key, value] : found) {
    holders.push_back({.token = key.substr(kPrefix.size() + 1), .words = printable(value, 300)});
  }
  return holders;
}

Result<source::Lease::Holder> OldLease::look() {
  PLAN_TRY(holders, all());
  return holders.empty() ? Holder() : holders.front();
}

Outcome OldLease::acquire(std::string_view token) {
  PLAN_TRY(is_in, server_.insert_into_empty(kPrefix, token, words()));
  static_cast<void>(is_in);  // refused, it may be ours already: the look tells
  PLAN_TRY(holders, all());
  const auto other = std::find_if(holders.begin(), holders.end(),
                                  [&](const Holder& one) { return one.token != token; });
  const bool is_ours = std::any_of(holders.begin(), holders.end(),
                                   [&](const Holder& one) { return one.token == token; });
  if (is_ours && other == holders.end()) return {};
  if (is_ours) PLAN_TRY_VOID(release(token));
  return Error(source::errors::source_lease_taken,
               fmt::format(
                   "the setting {} of the old server is held by {}", kPrefix,
                   other == holders.end() || other->words.empty() ? "somebody" : other->words))
      .with_blame(Blame::local);
}

Outcome OldLease::renew(std::string_view token) {
  PLAN_TRY(holders, all());
  // Another one beside it has just come, sees this one, and goes.
  if (std::any_of(holders.begin(), holders.end(),
                  [&](const Holder& one) { return one.token == token; }))
    return {};
  return Error(source::errors::source_lease_lost,
               fmt::format("the setting {} of the old server is held by {}", kPrefix,
                           holders.empty() ? "nobody" : holders.front().words))
      .with_blame(Blame::local);
}

Outcome OldLease::release(std::string_view token) {
  SettingsWrite write;
  write.remove({key_of(token)});
  return server_.write(write);
}

Outcome OldLease::take_over(std::string_view token) {
  SettingsWrite write;
  write.clear_below(kPrefix);
  write.insert(key_of(token), words());
  return server_.write(write);
}

}  // namespace plan::server::stalwart15
