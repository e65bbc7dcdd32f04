#include "runtime/proxy/account_map.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "compiler/source/text.h"
#include "runtime/proxy/errors.h"
#include "runtime/proxy/limits.h"

namespace plan::proxy {
namespace {

ir::Value names_value(const std::vector<std::string>& names) {
  ir::List list;
  for (const std::string& name : names) list.emplace_back(name);
  return ir::Value(std::move(list));
}

Error refuse(const ErrorCode& code, const std::string& name, const std::string& why) {
  return Error(code, fmt::format("{}: {}", name, why)).with_blame(Blame::proxy);
}

std::optional<std::uint64_t> leading_number(std::string_view token) {
  std::uint64_t number = 0;
  const auto [end, failure] = std::from_chars(token.data(), token.data() + token.size(), number);
  if (failure != std::errc{} || end == token.data() + token.size()) return std::nullopt;
  if (*end != '-' && *end != '.') return std::nullopt;
  return number;
}

constexpr std::string_view kStateNames[] = {"settled", "held", "returned", "prepared"};

}  // namespace

std::string_view to_string(NameState state) { return kStateNames[static_cast<std::size_t>(state)]; }

std::optional<int> compare_leases(std::string_view left, std::string_view right) {
  if (left == right) return 0;
  const auto left_number = leading_number(left);
  const auto right_number = leading_number(right);
  if (!left_number || !right_number || *left_number == *right_number) return std::nullopt;
  return *left_number < *right_number ? -1 : 1;
}

Result<std::unique_ptr<AccountMap>> AccountMap::open(Options options, net::Clock& clock) {
  std::unique_ptr<AccountMap> map(new AccountMap(std::move(options), clock));
  MapImage image;
  PLAN_TRY(log, MapLog::open(map->options_.path, map->options_.is_created, image));
  map->log_ = std::move(log);
  for (const ir::Value& record : image.records) {
    if (!map->apply(record)) {
      return Error(errors::map_corrupt,
                   fmt::format("{} has a record of a kind that this version does not know",
                               map->options_.path));
    }
  }
  // What the bound of a hold is worth after a restart: the rest of it in the same boot, nothing in
  // another one.
  const std::int64_t wall = clock.wall_ms();
  const auto now = clock.now();
  for (auto& [name, transaction] : map->transactions_) {
    std::int64_t left = 0;
    if (transaction.boot_id == map->options_.boot_id && !transaction.boot_id.empty()) {
      left = std::clamp<std::int64_t>(transaction.until_wall_ms - wall, 0, kHoldBoundMsMax);
    }
    transaction.until = now + std::chrono::milliseconds(left);
  }
  map->compacted_bytes_ = map->log_->bytes();
  return map;
}

AccountMap::Entry& AccountMap::entry_of(const std::string& name) {
  const auto [found, is_new] = entries_.try_emplace(name);
  if (is_new) found->second.destination = options_.default_destination;
  return found->second;
}

std::uint64_t AccountMap::generation_of(const std::string& name) const {
  if (const auto found = transactions_.find(name); found != transactions_.end())
    return found->second.generation;
  if (const auto found = entries_.find(name); found != entries_.end())
    return found->second.generation;
  return 0;
}

std::chrono::milliseconds AccountMap::left_of(const Transaction& transaction) const {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(transaction.until - clock_->now());
  return std::max(left, std::chrono::milliseconds(0));
}

Route AccountMap::route(const std::string& name) {
  expire_if_due(name);
  Route route;
  const auto entry = entries_.find(name);
  route.destination =
      entry == entries_.end() ? options_.default_destination : entry->second.destination;
  const auto found = transactions_.find(name);
  if (found == transactions_.end()) return route;
  const Transaction& transaction = found->second;
  if (transaction.state == NameState::returned) {
    route.is_refusal_masked = true;
    return route;
  }
  route.left = left_of(transaction);
  route.kind = route.left.count() > 0 ? Route::Kind::park : Route::Kind::unavailable;
  return route;
}

NameView AccountMap::view(const std::string& name) const {
  NameView view;
  const auto entry = entries_.find(name);
  view.destination =
      entry == entries_.end() ? options_.default_destination : entry->second.destination;
  view.generation = generation_of(name);
  view.is_known = knows(name);
  if (const auto found = transactions_.find(name); found != transactions_.end()) {
    view.state = found->second.state;
    view.next_destination = found->second.next_destination;
    view.lease = found->second.lease;
    view.is_firm = found->second.is_firm;
    view.left_ms = view.state == NameState::returned ? 0 : left_of(found->second).count();
  }
  return view;
}

std::vector<std::string> AccountMap::names_after(const std::string& after,
                                                 std::size_t count) const {
  std::vector<std::string> names;
  for (const auto& [name, entry] : entries_) {
    if (name > after) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  if (names.size() > count) names.resize(count);
  return names;
}

Outcome AccountMap::check_lease(const std::string& lease) const {
  if (lease_.empty() || lease == lease_) return {};
  if (const auto order = compare_leases(lease, lease_)) {
    if (*order > 0) return {};
    return Error(errors::lease_held, fmt::format("run {}, a later one, drives this proxy", lease_))
        .with_blame(Blame::proxy);
  }
  const auto busy = std::count_if(transactions_.begin(), transactions_.end(), [](const auto& item) {
    return item.second.state != NameState::returned;
  });
  if (busy == 0) return {};
  return Error(errors::lease_held, fmt::format("run {} holds {} login name{} on this proxy", lease_,
                                               busy, busy == 1 ? "" : "s"))
      .with_blame(Blame::proxy);
}

Outcome AccountMap::write(ir::Value record) {
  PLAN_TRY_VOID(log_->append(record));
  PLAN_CHECK(apply(record), "the proxy applies every record that it writes");
  if (log_->bytes() > kMapCompactBytes && log_->bytes() > compacted_bytes_ * 4) {
    // A failed compaction leaves the old file, which is complete; the next append tries it again.
    if (log_->rewrite(snapshot())) compacted_bytes_ = std::max(log_->bytes(), kMapCompactBytes / 4);
  }
  return {};
}

Outcome AccountMap::command(ir::Value record, const std::vector<std::string>& names,
                            std::uint64_t generation, const std::string& lease,
                            const Judge& judge) {
  PLAN_TRY_VOID(check_lease(lease));
  std::vector<std::string> changed;
  for (const std::string& name : names) {
    const std::uint64_t known = generation_of(name);
    if (known > generation)
      return refuse(
          errors::generation_stale, name,
          fmt::format("the proxy is at generation {}, the command is of {}", known, generation));
    const auto found = transactions_.find(name);
    const bool is_ours = found != transactions_.end() && known == generation;
    PLAN_TRY(changes, judge(name, is_ours ? &found->second : nullptr));
    if (changes) changed.push_back(name);
  }
  if (changed.empty()) return {};
  record.set("names", names_value(changed));
  record.set("generation", static_cast<std::int64_t>(generation));
  record.set("lease", lease);
  return write(std::move(record));
}

Outcome AccountMap::hold(const std::vector<std::string>& names, std::uint64_t generation,
                         std::chrono::milliseconds bound, const std::string& lease) {
  PLAN_TRY_VOID(check_lease(lease));
  for (const std::string& name : names) expire_if_due(name);
  return command(ir::Value::map({{"op", "hold"},
                                 {"until_ms", clock_->wall_ms() + bound.count()},
                                 {"bound_ms", static_cast<std::int64_t>(bound.count())},
                                 {"boot", options_.boot_id}}),
                 names, generation, lease,
                 [&](const std::string& name, const Transaction* transaction) -> Result<bool> {
                   if (transaction != nullptr) {
                     if (transaction->state == NameState::returned)
                       return refuse(errors::hold_expired, name,
                                     fmt::format("the hold of generation {} is over", generation));
                     return false;  // said twice
                   }
                   if (generation_of(name) == generation)
                     return refuse(errors::generation_stale, name,
                                   fmt::format("generation {} was used before", generation));
                   return true;
                 });
}

Outcome AccountMap::prepare(const std::vector<std::string>& names, std::uint64_t generation,
                            const std::string& destination, const std::string& lease) {
  PLAN_TRY_VOID(check_lease(lease));
  for (const std::string& name : names) expire_if_due(name);
  return command(ir::Value::map({{"op", "prepare"}, {"to", destination}}), names, generation, lease,
                 [&](const std::string& name, const Transaction* transaction) -> Result<bool> {
                   if (transaction == nullptr)
                     return refuse(errors::not_held, name,
                                   fmt::format("no hold of generation {}", generation));
                   if (transaction->state == NameState::returned)
                     return refuse(errors::hold_expired, name,
                                   fmt::format("the hold of generation {} is over", generation));
                   if (transaction->state != NameState::prepared) return true;
                   if (transaction->next_destination == destination) return false;
                   return refuse(errors::not_held, name,
                                 "it is prepared for " + transaction->next_destination);
                 });
}

Outcome AccountMap::unprepare(const std::vector<std::string>& names, std::uint64_t generation,
                              const std::string& lease) {
  return command(
      ir::Value::map({{"op", "unprepare"}}), names, generation, lease,
      [generation](const std::string& name, const Transaction* transaction) -> Result<bool> {
        if (transaction == nullptr)
          return refuse(errors::not_prepared, name,
                        fmt::format("nothing of generation {}", generation));
        if (transaction->state == NameState::returned)
          return refuse(errors::hold_expired, name,
                        fmt::format("the hold of generation {} is over", generation));
        return transaction->state != NameState::held || !transaction->is_firm;
      });
}

Outcome AccountMap::commit(const std::vector<std::string>& names, std::uint64_t generation,
                           const std::string& lease) {
  return command(ir::Value::map({{"op", "commit"}}), names, generation, lease,
                 [&](const std::string& name, const Transaction* transaction) -> Result<bool> {
                   if (transaction == nullptr) {
                     const auto entry = entries_.find(name);
                     if (!transactions_.contains(name) && entry != entries_.end() &&
                         entry->second.generation == generation && entry->second.was_committed)
                       return false;
                     return refuse(errors::not_prepared, name,
                                   fmt::format("nothing of generation {}", generation));
                   }
                   if (transaction->state != NameState::prepared)
                     return refuse(errors::not_prepared, name,
                                   fmt::format("it is {}", to_string(transaction->state)));
                   return true;
                 });
}

Outcome AccountMap::abort(const std::vector<std::string>& names, std::uint64_t generation,
                          const std::string& lease) {
  return command(ir::Value::map({{"op", "abort"}}), names, generation, lease,
                 [&](const std::string& name, const Transaction* transaction) -> Result<bool> {
                   if (transaction != nullptr || generation_of(name) != generation) return true;
                   if (entries_.at(name).was_committed)
                     return refuse(errors::already_committed, name,
                                   "it was released to " + entries_.at(name).destination);
                   return false;
                 });
}

Outcome AccountMap::acquire(const std::string& lease) {
  PLAN_TRY_VOID(check_lease(lease));
  if (lease == lease_) return {};
  return write(ir::Value::map({{"op", "lease"}, {"lease", lease}}));
}

Outcome AccountMap::take_over(const std::string& lease) {
  if (const auto order = compare_leases(lease, lease_); order && *order < 0) {
    return Error(errors::lease_held, fmt::format("run {}, a later one, drives this proxy", lease_))
        .with_blame(Blame::proxy);
  }
  if (lease == lease_) return {};
  return write(ir::Value::map({{"op", "lease"}, {"lease", lease}}));
}

bool AccountMap::is_due(const Transaction& transaction) const {
  return transaction.state == NameState::held && !transaction.is_firm &&
         left_of(transaction).count() == 0;
}

void AccountMap::expire_if_due(const std::string& name) {
  const auto found = transactions_.find(name);
  if (found != transactions_.end() && is_due(found->second)) static_cast<void>(expire_due());
}

std::vector<std::string> AccountMap::expire_due() {
  // The names of one account share generation and bound: one record for them, so that they come
  // back together.
  std::map<std::uint64_t, std::vector<std::string>> due;
  for (const auto& [name, transaction] : transactions_) {
    if (is_due(transaction)) due[transaction.generation].push_back(name);
  }
  std::vector<std::string> returned;
  for (const auto& [generation, names] : due) {
    if (write(ir::Value::map({{"op", "return"},
                              {"names", names_value(names)},
                              {"generation", static_cast<std::int64_t>(generation)}}))) {
      returned.insert(returned.end(), names.begin(), names.end());
    }
  }
  return returned;
}

bool AccountMap::apply(const ir::Value& record) {
  const std::string_view op = record["op"].string_or("");
  const std::string lease(record["lease"].string_or(""));
  if (op == "lease") {
    lease_ = lease;
    return true;
  }
  const auto generation =
      static_cast<std::uint64_t>(std::max<std::int64_t>(0, record["generation"].integer_or(0)));
  if (op == "entry") {
    Entry& entry = entry_of(std::string(record["name"].string_or("")));
    entry.destination = std::string(record["destination"].string_or(options_.default_destination));
    entry.generation = generation;
    entry.was_committed = record["committed"].bool_or(false);
    return true;
  }
  if (op == "transaction") {
    Transaction transaction;
    const std::string_view state = record["state"].string_or("");
    if (state == "returned")
      transaction.state = NameState::returned;
    else if (state == "prepared")
      transaction.state = NameState::prepared;
    else if (state != "held")
      return false;
    transaction.is_firm = record["firm"].bool_or(false);
    transaction.generation = generation;
    transaction.next_destination = std::string(record["to"].string_or(""));
    transaction.lease = lease;
    transaction.until_wall_ms = record["until_ms"].integer_or(0);
    transaction.boot_id = std::string(record["boot"].string_or(""));
    transactions_[std::string(record["name"].string_or(""))] = std::move(transaction);
    return true;
  }
  const bool is_known_op = op == "hold" || op == "prepare" || op == "unprepare" || op == "commit" ||
                           op == "abort" || op == "return";
  if (!is_known_op) return false;
  if (op != "return") lease_ = lease;
  for (const ir::Value& item : record["names"].items()) {
    const std::string name(item.string_or(""));
    if (op == "hold") {
      const auto before = transactions_.find(name);
      // A hold on top of a prepared one: another proxy may already have committed, so no time may
      // give it back.
      const bool is_firm = before != transactions_.end() &&
                           (before->second.is_firm || before->second.state == NameState::prepared);
      Transaction transaction;
      transaction.generation = generation;
      transaction.is_firm = is_firm;
      transaction.lease = lease;
      transaction.until_wall_ms = record["until_ms"].integer_or(0);
      transaction.boot_id = std::string(record["boot"].string_or(""));
      transaction.until =
          clock_->now() + std::chrono::milliseconds(std::clamp<std::int64_t>(
                              record["bound_ms"].integer_or(0), 0, kHoldBoundMsMax));
      static_cast<void>(entry_of(name));  // the name is known from now on
      transactions_[name] = std::move(transaction);
      continue;
    }
    const auto found = transactions_.find(name);
    if (op == "abort") {
      Entry& entry = entry_of(name);
      entry.generation = generation;
      entry.was_committed = false;
      transactions_.erase(name);
      continue;
    }
    if (found == transactions_.end()) return false;
    if (op == "prepare") {
      found->second.state = NameState::prepared;
      found->second.next_destination = std::string(record["to"].string_or(""));
    } else if (op == "unprepare") {
      found->second.state = NameState::held;
      found->second.is_firm = true;
      found->second.next_destination.clear();
    } else if (op == "return") {
      found->second.state = NameState::returned;
    } else {  // commit
      Entry& entry = entry_of(name);
      entry.destination = found->second.next_destination;
      entry.generation = generation;
      entry.was_committed = true;
      transactions_.erase(found);
    }
  }
  return true;
}

std::vector<ir::Value> AccountMap::snapshot() const {
  std::vector<ir::Value> records;
  records.reserve(entries_.size() + transactions_.size() + 1);
  records.push_back(ir::Value::map({{"op", "lease"}, {"lease", lease_}}));
  for (const auto& [name, entry] : entries_) {
    records.push_back(ir::Value::map({{"op", "entry"},
                                      {"name", name},
                                      {"destination", entry.destination},
                                      {"generation", static_cast<std::int64_t>(entry.generation)},
                                      {"committed", entry.was_committed}}));
  }
  for (const auto& [name, transaction] : transactions_) {
    records.push_back(
        ir::Value::map({{"op", "transaction"},
                        {"name", name},
                        {"state", to_string(transaction.state)},
                        {"firm", transaction.is_firm},
                        {"generation", static_cast<std::int64_t>(transaction.generation)},
                        {"to", transaction.next_destination},
                        {"until_ms", transaction.until_wall_ms},
                        {"boot", transaction.boot_id},
                        {"lease", transaction.lease}}));
  }
  return records;
}

}  // namespace plan::proxy
