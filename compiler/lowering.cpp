#include "compiler/lowering.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "compiler/check/names.h"
#include "compiler/check/store_plan.h"
#include "compiler/facts/password_form.h"
#include "compiler/ir/json.h"
#include "compiler/schema/formats.h"
#include "compiler/source/text.h"

namespace plan {
namespace {

using ir::Value;
using lower::Row;
using lower::RowSet;

Value texts(const std::vector<std::string>& words) {
  ir::List list;
  list.reserve(words.size());
  for (const std::string& word : words) list.emplace_back(word);
  return list;
}

Value setting(const facts::Lock& lock, const char* name) {
  const auto found = lock.settings.find(name);
  return found == lock.settings.end() ? Value() : found->second;
}

/// Addresses that the target sees the source's mail come from: its expressions compare `remote_ip`.
Value source_ips(const check::Migration& migration, Sink& sink) {
  const check::Named& address = migration.plan.source_address;
  Value ips = Value::list();
  if (check::is_ip_address(address.text)) {
    ips.push_back(schema::canonical_host(address.text));
    return ips;
  }
  const Value measured = setting(*migration.lock, "source.ip_addresses");
  for (const Value& ip : measured.items()) {
    if (check::is_ip_address(ip.string_or("")))
      ips.push_back(schema::canonical_host(ip.string_or("")));
  }
  if (ips.size() == 0) {
    sink.report(
            Kind::not_measured, address.span,
            fmt::format("the IP address of `{}` was not measured", printable(address.text, 120)))
        .severity(Severity::error)
        .label("the target has to tell the source's mail from everybody else's")
        .help("write the IP address, or run `plan fetch` again");
  }
  return ips;
}

/// With both its parts: the target keeps the branches of before where only `else` is written.
Value whole(Value expression) {
  if (!expression["match"].is_map() && !expression["match"].is_list())
    expression.set("match", Value::map());
  return expression;
}

/// The branches of an expression in their order: it is a map by number on the wire.
ir::List arms_of(const Value& expression) {
  if (expression["match"].is_list()) return expression["match"].items();
  std::vector<std::pair<std::uint64_t, Value>> numbered;
  for (const auto& [number, arm] : expression["match"].members()) {
    std::uint64_t at = UINT64_MAX;  // stays for a number that is none
    std::from_chars(number.data(), number.data() + number.size(), at);
    numbered.emplace_back(at, arm);
  }
  std::stable_sort(numbered.begin(), numbered.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  ir::List arms;
  for (auto& [number, arm] : numbered) arms.push_back(std::move(arm));
  return arms;
}

Value with_numbers(const Value& arms) {
  Value match = Value::map();
  for (std::size_t i = 0; i < arms.size(); ++i) match.set(std::to_string(i), arms.item(i));
  return match;
}

constexpr std::string_view kOr = " || ";
constexpr std::string_view kAnd = " && ";

/// A comparison of the client's address.
std::string condition_of(std::string_view comparison, const Value& ip) {
  return fmt::format("remote_ip {} '{}'", comparison, ip.string_or(""));
}

/// Does the condition compare the client with addresses of the source and with nothing else?
bool is_of_source_alone(std::string_view condition, std::string_view comparison,
                        std::string_view joint, const Value& ips) {
  while (true) {
    const std::size_t end = condition.find(joint);
    const std::string_view part = condition.substr(0, end);
    if (std::none_of(ips.items().begin(), ips.items().end(),
                     [&](const Value& ip) { return part == condition_of(comparison, ip); }))
      return false;
    if (end == std::string_view::npos) return true;
    condition.remove_prefix(end + joint.size());
  }
}

/// Is it true of nobody but the source? That is what this procedure puts in front of an expression
/// of the target.
bool is_for_source(std::string_view condition, const Value& ips) {
  return is_of_source_alone(condition, "==", kOr, ips);
}

/// Is it true of everybody but the source? A migration that was begun before this procedure kept
/// conditions wrote that in place of a throttle's own.
bool is_for_all_but_source(std::string_view condition, const Value& ips) {
  return is_of_source_alone(condition, "!=", kAnd, ips);
}

/// An expression of the target as it was before this procedure. A lock that was fetched in the
/// middle of a migration must not make finalize "put back" what finalize is there to undo: what a
/// run has put in front is left out again.
struct Before {
  Value arms = Value::list();
  Value otherwise = {};
  Value expression = {};  ///< of both, as the target has it
};

Before before_of(const Value& measured, const Value& ips, const char* seeded) {
  Before before;
  if (!measured["else"].is_string()) {
    before.otherwise = Value(seeded);
    before.expression = Value::map({{"match", Value::map()}, {"else", before.otherwise}});
    return before;
  }
  // What stood there is lost: what a fresh server has is the best that there is to put back.
  bool is_whole = !is_for_all_but_source(measured["else"].string_or(""), ips);
  before.otherwise = is_whole ? measured["else"] : Value(seeded);
  for (const Value& arm : arms_of(measured)) {
    if (is_for_source(arm["if"].string_or(""), ips)) {
      is_whole = false;
    } else {
      before.arms.push_back(arm);
    }
  }
  before.expression =
      is_whole ? whole(measured)
               : Value::map({{"match", with_numbers(before.arms)}, {"else", before.otherwise}});
  return before;
}

/// The same for everybody else, and false for the source.
Value except_source(const Before& before, const Value& ips) {
  std::string condition;
  for (const Value& ip : ips.items())
    condition +=
        fmt::format("{}{}", condition.empty() ? std::string_view() : kOr, condition_of("==", ip));
  Value arms = Value::list();
  if (!condition.empty())
    arms.push_back(Value::map({{"if", std::move(condition)}, {"then", "false"}}));
  for (const Value& arm : before.arms.items()) arms.push_back(arm);
  return Value::map({{"match", with_numbers(arms)}, {"else", before.otherwise}});
}

/// How the target routed before this procedure: what a run of it has put in front is left out
/// again. A target that was not asked is taken for a fresh one.
Value route_of_before(const facts::Lock& lock) {
  const Value measured = setting(lock, "target.MtaOutboundStrategy.route");
  Value arms = Value::list();
  if (!measured["else"].is_string()) {
    arms.push_back(Value::map({{"if", "is_local_domain(rcpt_domain)"}, {"then", "'local'"}}));
    return Value::map({{"arms", std::move(arms)}, {"else", "'mx'"}});
  }
  for (const Value& arm : arms_of(measured)) {
    if (!arm["if"].is_string() || !arm["then"].is_string()) continue;
    const bool is_of_this_procedure =
        arm["then"].string_or("") == "'source'" ||
        arm["if"].string_or("").find("key_exists('migrated'") != std::string_view::npos;
    if (!is_of_this_procedure) arms.push_back(arm);
  }
  return Value::map({{"arms", std::move(arms)}, {"else", measured["else"]}});
}

/// What the procedure keeps and finalize puts back: as measured, else as on a fresh server.
Value prior_of(const facts::Lock& lock, const Value& ips) {
  const Value route = route_of_before(lock);
  Before messages = before_of(setting(lock, "target.MtaStageData.maxMessages"), ips, "10");
  return Value::map(
      {{"route", Value::map({{"match", with_numbers(route["arms"])}, {"else", route["else"]}})},
       {"route_arms", route["arms"]},
       {"route_else", route["else"]},
       {"max_messages", std::move(messages.otherwise)},
       {"max_messages_arms", std::move(messages.arms)},
       {"max_messages_expression", std::move(messages.expression)}});
}

// Up to so many domains each has a condition of its own, which is what a person reads best.
constexpr std::size_t kConditionsMax = 256;
// Both far below what the reader of an expression takes (schema/limits.h).
constexpr std::size_t kNamesInCondition = 500;
constexpr std::size_t kBytesOfCondition = 16'384;

/// Conditions of an expression of the target which together are true for the plan's domains, for
/// each of them in one.
Value domain_conditions(const std::vector<check::Named>& domains) {
  Value conditions = Value::list();
  if (domains.size() <= kConditionsMax) {
    for (const check::Named& domain : domains)
      conditions.push_back(fmt::format("rcpt_domain == '{}'", domain.text));
    return conditions;
  }
  std::string names;
  std::size_t count = 0;
  const auto finish = [&] {
    if (count != 0) conditions.push_back(fmt::format("contains([{}], rcpt_domain)", names));
    names.clear();
    count = 0;
  };
  for (const check::Named& domain : domains) {
    if (count == kNamesInCondition || names.size() + domain.text.size() > kBytesOfCondition)
      finish();
    names += fmt::format("{}'{}'", count++ == 0 ? "" : ", ", domain.text);
  }
  finish();
  return conditions;
}

RowSet domain_rows(const check::Migration& migration) {
  const auto* domains = &migration.plan.domains;
  return {"domains",
          domains->size(),
          [domains](std::size_t i) {
            const check::Named& domain = (*domains)[i];
            return Row{domain.text, Value::map({{"name", domain.text}}), domain.span, 0, {}};
          },
          {}};
}

/// Duplicate descriptions are possible on the target and cannot be told apart by it: one row each.
RowSet throttle_rows(const check::Migration& migration, const Value& ips) {
  std::vector<const facts::LockThrottle*> throttles;
  for (const facts::LockThrottle& throttle : migration.lock->throttles) {
    if (throttles.empty() || throttles.back()->description != throttle.description)
      throttles.push_back(&throttle);
  }
  const std::size_t size = throttles.size();
  return {"throttles",
          size,
          [throttles = std::move(throttles), ips](std::size_t i) {
            const facts::LockThrottle& throttle = *throttles[i];
            Before before = before_of(throttle.match, ips, "true");
            return Row{throttle.description,
                       Value::map({{"description", throttle.description},
                                   {"match_except_source", except_source(before, ips)},
                                   {"match", std::move(before.expression)}}),
                       throttle.span,
                       0,
                       {}};
          },
          {}};
}

RowSet ip_rows(const check::Migration& migration, const Value& ips) {
  return {"source_ip_rows",
          ips.size(),
          [ips, span = migration.plan.source_address.span](std::size_t i) {
            return Row{std::string(ips.item(i).string_or("")),
                       Value::map({{"address", ips.item(i)}}),
                       span,
                       0,
                       {}};
          },
          {}};
}

RowSet wave_rows(const check::Migration& migration) {
  const auto* waves = &migration.plan.waves;
  return {"waves",
          waves->size(),
          [waves](std::size_t i) {
            const check::PlanWave& wave = (*waves)[i];
            return Row{wave.name,
                       Value::map({{"name", wave.name},
                                   {"is_held", wave.is_held_for_approval},
                                   {"start_after_ms", wave.start_after_ms},
                                   {"is_windowed", wave.start_after_ms != 0}}),
                       wave.span,
                       static_cast<std::uint32_t>(i + 1),
                       {}};
          },
          {}};
}

Row account_row(const check::Account& account, const check::PlanWave& wave) {
  const facts::LockAccount& lock = *account.lock;
  Value addresses = Value::list();
  addresses.push_back(lock.address);
  for (const std::string& alias : lock.aliases) addresses.push_back(alias);
  const bool has_password = account.has_password && facts::scheme_name(lock.hash_scheme) != "NONE";
  // Written member by member: this is made for every account, and a braced list would be copied.
  ir::Map members;
  members.reserve(12);
  members.set("address", lock.address);
  members.set("aliases", texts(lock.aliases));
  Value logins = addresses;
  if (!lock.login.empty()) logins.push_back(lock.login);
  members.set("addresses", std::move(addresses));
  members.set("logins", std::move(logins));
  members.set("domain", check::domain_of(lock.address));
  members.set("password", has_password ? Value(ir::SecretRef{"source", lock.address}) : Value());
  members.set("password_scheme", has_password && !lock.hash_scheme.empty()
                                     ? Value(facts::scheme_name(lock.hash_scheme))
                                     : Value());
  members.set("quota_bytes", lock.quota_bytes == 0 ? Value() : Value(lock.quota_bytes));
  members.set("enabled", lock.is_enabled);
  members.set("file", fmt::format("archives/{}.sqlite", ir::escape_segment(lock.address)));
  members.set("keep_until_ms",
              wave.complete_after_ms == 0 ? Value() : Value(wave.complete_after_ms));
  return {lock.address,
          Value(std::move(members)),
          account.origin.is_known() ? account.origin : lock.span,
          account.wave + 1,
          {}};
}

RowSet account_rows(const check::Migration& migration) {
  const auto* accounts = &migration.accounts;
  const auto* waves = &migration.plan.waves;
  return {"accounts",
          accounts->size(),
          [accounts, waves](std::size_t i) {
            return account_row((*accounts)[i], (*waves)[(*accounts)[i].wave]);
          },
          {},
          // The proof asks for what the source has, whatever steps make of it.
          {"aliases", "addresses"}};
}

RowSet list_rows(const check::Migration& migration) {
  const auto* lists = &migration.lists;
  return {"lists",
          lists->size(),
          [lists](std::size_t i) {
            const check::MailList& list = (*lists)[i];
            return Row{
                list.lock->address,
                Value::map({{"address", list.lock->address}, {"members", texts(list.members)}}),
                list.lock->span, list.wave + 1, list.accounts};
          },
          "accounts",
          {"members"}};
}

RowSet key_rows(const check::Migration& migration) {
  const auto* accounts = &migration.accounts;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> keys;
  for (std::uint32_t a = 0; a < accounts->size(); ++a) {
    for (std::uint32_t i = 0; i <= (*accounts)[a].lock->aliases.size(); ++i)
      keys.emplace_back(a, i);
  }
  const std::size_t size = keys.size();
  return {"keys",
          size,
          [accounts, keys = std::move(keys)](std::size_t i) {
            const check::Account& account = (*accounts)[keys[i].first];
            const std::string& address = keys[i].second == 0
                                             ? account.lock->address
                                             : account.lock->aliases[keys[i].second - 1];
            ir::Map members;
            members.set("address", address);
            return Row{address, Value(std::move(members)), account.origin, 0, {}};
          },
          {}};
}

RowSet dump_rows(const check::Migration& migration) {
  const auto* dumps = &migration.plan.dumps;
  return {"dumps",
          dumps->size(),
          [dumps](std::size_t i) {
            const check::PlanDump& dump = (*dumps)[i];
            Value named = Value::list();
            for (const check::Named& name : dump.named) named.push_back(name.text);
            return Row{dump.name,
                       Value::map({{"folder", dump.folder.text},
                                   {"subspaces", std::move(named)},
                                   {"by", dump.is_by_server ? "server" : "plan"}}),
                       dump.folder.span,
                       0,
                       {}};
          },
          {}};
}

lower::LowerInput lowering_of_store(const check::Migration& migration, const SourceSet& sources) {
  const check::Plan& plan = migration.plan;
  lower::LowerInput input;
  input.sources = &sources;
  input.connections["target"] = plan.target;
  Value points = Value::list();
  for (const check::Named& point : plan.rollback_points) points.push_back(point.text);
  Value folders = Value::list();
  std::string whole;
  bool reads_blobs = false;
  for (const check::PlanDump& dump : plan.dumps) {
    folders.push_back(dump.folder.text);
    reads_blobs = reads_blobs || (check::has_blobs(dump) && !dump.is_by_server);
    if (dump.named.empty() && whole.empty()) whole = dump.folder.text;
  }
  input.scope.set("rollback_points", std::move(points));
  input.scope.set("store", Value::map({{"is_moved", plan.store.is_moved},
                                       {"folder", whole},
                                       {"folders", std::move(folders)},
                                       {"reads_blobs", reads_blobs},
                                       {"by", plan.store.is_by_server ? "server" : "plan"}}));
  input.rows = {dump_rows(migration)};
  return input;
}

}  // namespace

Value connections_of(const check::Plan& plan) {
  Value proxies = Value::list();
  for (const Value& given : plan.proxies.items()) {
    Value proxy = given;
    if (proxy.is_map()) proxy.as_map().erase("is_pinned");
    proxies.push_back(std::move(proxy));
  }
  return Value::map({{"source", plan.source},
                     {"target", plan.target},
                     {"proxies", std::move(proxies)},
                     {"hosts", plan.hosts},
                     {"addresses", plan.addresses},
                     {"accounts_from", plan.accounts_from}});
}

lower::LowerInput lowering_of(const check::Migration& migration, const SourceSet& sources,
                              Sink& sink) {
  const check::Plan& plan = migration.plan;
  if (plan.is_of_store) return lowering_of_store(migration, sources);
  lower::LowerInput input;
  input.sources = &sources;
  const Value connections = connections_of(plan);
  for (const char* name : {"source", "target", "proxies", "addresses"})
    input.connections[name] = connections[name];

  const Value ips = source_ips(migration, sink);
  Value domain_names = Value::list();
  for (const check::Named& domain : plan.domains) domain_names.push_back(domain.text);
  input.scope.set("domain_conditions", domain_conditions(plan.domains));
  Value points = Value::list();
  for (const check::Named& point : plan.rollback_points) points.push_back(point.text);
  input.scope.set("addresses", plan.addresses);
  input.scope.set("source", plan.source);
  input.scope.set("target", plan.target);
  input.scope.set("move", plan.move);
  input.scope.set("cutover", plan.cutover);
  input.scope.set("finalize", plan.finalize);
  input.scope.set("domain_names", std::move(domain_names));
  input.scope.set("rollback_points", std::move(points));
  input.scope.set("source_ips", ips);
  input.scope.set("resolves_names",
                  setting(*migration.lock, "target.resolves_names").bool_or(false));
  input.scope.set("prior", prior_of(*migration.lock, ips));

  for (const check::PlanWave& wave : plan.waves) {
    input.waves.push_back({.name = wave.name,
                           .parallel = wave.parallel,
                           .is_held_for_approval = wave.is_held_for_approval,
                           .stop_after_failed = wave.stop_after_failed,
                           .stop_failed_permille = wave.stop_failed_permille,
                           .stop_hold_ms = wave.stop_hold_ms,
                           .client_bytes_per_s = wave.client_bytes_per_s,
                           .client_within_ms = wave.client_within_ms,
                           .origin = wave.span});
  }
  input.rows = {domain_rows(migration), throttle_rows(migration, ips), ip_rows(migration, ips),
                wave_rows(migration),   account_rows(migration),       list_rows(migration),
                key_rows(migration)};
  return input;
}

}  // namespace plan
