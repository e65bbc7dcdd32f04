#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <initializer_list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/flow/proof.h"
#include "tests/unit/compiler/flow/pair.h"

namespace plan::flow {

using ir::Stage;
using ir::StepKind;
using ir::Value;

inline Value addresses(const std::vector<std::string>& texts) {
  ir::List items;
  for (const std::string& text : texts) items.emplace_back(text);
  return items;
}

/// Conditions of the target's own in front of those of the plan.
inline test::Arms in_front(test::Arms arms) {
  arms.insert(arms.end(), test::kExact.begin(), test::kExact.end());
  return arms;
}

/// A small migration, step by step; a test leaves out, adds or turns round.
class Migration {
 public:
  /// `is_domain_last`: behind the reload, as a target with users of its own needs it.
  explicit Migration(const test::Arms& arms = test::kExact, bool is_domain_last = false) {
    const auto make_domain = [&](const std::vector<std::string>& after) {
      step("domain", StepKind::admin_upsert, Stage::prepare, after,
           object("Domain", {{"name", "legacy.test"}}, domain_set));
    };
    if (!is_domain_last) make_domain({});
    step("route", StepKind::admin_upsert, Stage::prepare, {},
         object("MtaRoute", {{"name", "source"}},
                Value::map({{"@type", "Relay"}, {"address", "10.9.0.2"}})));
    step(
        "strategy", StepKind::admin_update, Stage::prepare,
        is_domain_last ? std::vector<std::string>{"route"}
                       : std::vector<std::string>{"domain", "route"},
        object("MtaOutboundStrategy", {}, Value::map({{"route", test::expression(arms, "'mx'")}})));
    reload("reload", Stage::prepare, {"strategy"});
    if (is_domain_last) {
      make_domain({"reload"});
      steps["reload"] = steps.at("domain");  // what waits for it waits for the domain
    }
    row = graph.add_row("alice@legacy.test", Value::map(), {});
  }

  static Value object(const char* type, std::vector<std::pair<std::string, Value>> match,
                      Value set) {
    return Value::map(
        {{"object", type}, {"match", Value::map(std::move(match))}, {"set", std::move(set)}});
  }

  /// A key of a set, or with a `*` a pattern of keys.
  static Value lookup_key(const char* set, const std::string& key,
                          Value properties = Value::map()) {
    return object("MemoryLookupKey", {{"namespace", set}, {"key", key}}, std::move(properties));
  }

  void step(const std::string& id, StepKind kind, Stage stage,
            const std::vector<std::string>& after, Value arguments, bool is_of_account = false) {
    ir::StepShape shape;
    shape.kind = kind;
    shape.stage = stage;
    shape.id_pattern = is_of_account ? "account/{}/" + id : id;
    if (is_of_account && is_transaction) shape.role = role_in_move(kind);
    shape.arguments = std::move(arguments);
    const ir::StepId step = graph.add_step(graph.add_shape(std::move(shape)),
                                           is_of_account ? row : ir::RowId::none, wave);
    steps[id] = step;
    for (const std::string& before : after) graph.add_edge(steps.at(before), step);
  }

  /// As std/account-move has it.
  static ir::TransactionRole role_in_move(StepKind kind) {
    switch (kind) {
      case StepKind::postfix_hold:
      case StepKind::archive_delta:
      case StepKind::admin_account_open:
      case StepKind::admin_keys:
      case StepKind::postfix_forward:
        return ir::TransactionRole::held;
      case StepKind::proxy_release:
        return ir::TransactionRole::commit;
      default:
        return ir::TransactionRole::none;
    }
  }

  /// A place that `plan rollback --to` can name.
  void point(const std::string& id, const std::vector<std::string>& after) {
    step(id, StepKind::mark_rollback_point, Stage::prepare, after, Value::map({{"point", id}}));
  }

  /// Settings that were written are used behind it.
  void reload(const std::string& id, Stage stage, const std::vector<std::string>& after) {
    step(id, StepKind::admin_action, stage, after, Value::map({{"action", "ReloadSettings"}}));
  }

  /// Likewise keys.
  void reload_lookups(const std::string& id, Stage stage, const std::vector<std::string>& after) {
    step(id, StepKind::admin_action, stage, after, Value::map({{"action", "ReloadLookupStores"}}));
  }

  /// What it sets takes the place of what the step `domain` wrote.
  void update_domain(const std::string& id, Stage stage, const std::vector<std::string>& after,
                     Value set) {
    step(id, StepKind::admin_update, stage, after,
         object("Domain", {{"name", "legacy.test"}}, std::move(set)));
  }

  void account(const std::string& id, StepKind kind, const std::vector<std::string>& after) {
    step(id, kind, Stage::waves, after,
         Value::map({{"account", name},
                     {"aliases", addresses(aliases)},
                     {"addresses", addresses(names())},
                     {"namespace", "migrated"}}),
         true);
  }

  /// The first steps of every move: what comes behind them makes the order.
  void until_delta() {
    account("create", StepKind::admin_account, {"reload"});
    account("copy", StepKind::archive_copy, {"create"});
    account("hold", StepKind::postfix_hold, {"copy"});
    account("delta", StepKind::archive_delta, {"hold"});
  }

  /// The order of design.md section 6.
  void exact() {
    until_delta();
    account("keys", StepKind::admin_keys, {"delta"});
    account("forward", StepKind::postfix_forward, {"keys"});
  }

  /// Likewise, but the mail is not held during the delta.
  void exact_without_hold() {
    account("create", StepKind::admin_account, {"reload"});
    account("copy", StepKind::archive_copy, {"create"});
    account("delta", StepKind::archive_delta, {"copy"});
    account("keys", StepKind::admin_keys, {"delta"});
    account("forward", StepKind::postfix_forward, {"keys"});
  }

  /// The plain route again, and no mail of the domain is sent on any more.
  void finalize(const std::vector<std::string>& after) {
    step(
        "strategy-back", StepKind::admin_update, Stage::finalize, after,
        object("MtaOutboundStrategy", {},
               Value::map({{"route", test::expression({{"is_local_domain(rcpt_domain)", "'local'"}},
                                                      "'mx'")}})));
    reload("reload-back", Stage::finalize, {"strategy-back"});
    update_domain("closed", Stage::finalize, {"reload-back"},
                  Value::map({{"allowRelaying", false}}));
  }

  /// Steps of the account come from here on for somebody else; their ids begin anew.
  void next_account(const std::string& address) {
    name = address;
    aliases.clear();
    row = graph.add_row(address, Value::map(), {});
  }

  /// The right order for each of them; nobody waits for another one.
  void exact_for(std::initializer_list<const char*> everybody) {
    for (const char* const address : everybody) {
      next_account(address);
      exact();
    }
  }

  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> all = {name};
    all.insert(all.end(), aliases.begin(), aliases.end());
    return all;
  }

  /// A group of the domain whose object the step `domain` makes.
  void group(const std::string& id, const std::string& local, std::vector<std::string> after,
             std::vector<std::pair<std::string, Value>> set = {}) {
    set.emplace_back("@type", "Group");
    after.emplace_back("domain");
    step(id, StepKind::admin_upsert, Stage::prepare, after,
         object("Account", {{"name", local}, {"domainId", ir::OutputRef{"domain", "id"}}},
                Value::map(std::move(set))));
  }

  void key(const std::string& id, const std::string& address,
           const std::vector<std::string>& after) {
    step(id, StepKind::admin_upsert, Stage::prepare, after, lookup_key("migrated", address));
    reload_lookups(id + "-lookups", Stage::prepare, {id});
  }

  std::string proof(std::set<LookedAt>* looked_at = nullptr) {
    const auto cycle = graph.freeze();
    if (cycle) return "cycle: " + *cycle;
    std::string text;
    for (const Counterexample& example : prove(graph, looked_at).found)
      text += (text.empty() ? "" : "\n") + to_text(example);
    return text.empty() ? "proved" : text;
  }

  Value domain_set = Value::map({{"allowRelaying", true}, {"catchAllAddress", nullptr}});
  std::string name = "alice@legacy.test";
  std::vector<std::string> aliases = {"al@legacy.test"};
  ir::WaveId wave = ir::WaveId::none;
  bool is_transaction = false;  ///< accounts' steps from here on have the roles of their move
  ir::StepGraph graph;
  ir::RowId row = ir::RowId::none;
  std::map<std::string, ir::StepId> steps;
};

/// Is there a counterexample with this in its text, supposed or proved?
inline bool has(const Proof& proof, std::string_view text, bool is_supposed = false) {
  return std::any_of(proof.found.begin(), proof.found.end(), [&](const Counterexample& one) {
    return one.is_supposed == is_supposed && to_text(one).find(text) != std::string::npos;
  });
}

inline Proof proof_of(Migration& migration, const MailFacts& facts = {}) {
  EXPECT_EQ(migration.graph.freeze(), std::nullopt);
  return prove(migration.graph, nullptr, {}, facts);
}

inline bool finds(Migration& migration, std::string_view text, bool is_supposed = false,
                  const MailFacts& facts = {}) {
  return has(proof_of(migration, facts), text, is_supposed);
}

/// With a second domain, in which somebody else moves.
inline test::Arms of_two_domains(const std::string& condition) {
  const std::string keyed =
      " && is_local_address(to_lowercase(rcpt)) && key_exists('migrated', to_lowercase(rcpt))";
  return {{condition, "'mx'"},
          test::kExact[0],
          test::kExact[1],
          {"rcpt_domain == 'other.test'" + keyed, "'local'"},
          {"rcpt_domain == 'other.test'", "'source'"},
          test::kExact[2]};
}

inline void add_second_domain(Migration& migration) {
  migration.step("domain-2", StepKind::admin_upsert, Stage::prepare, {"reload"},
                 Migration::object("Domain", {{"name", "other.test"}}, migration.domain_set));
  migration.steps["reload"] = migration.steps.at("domain-2");
}

/// A step of no row that names these addresses, the first of which is the account's.
inline void add_apart(Migration& migration, const std::string& id, StepKind kind, Stage stage,
                      const std::vector<std::string>& after, const std::vector<std::string>& names,
                      const char* list = "plan-held") {
  migration.step(id, kind, stage, after,
                 Value::map({{"account", names.front()},
                             {"addresses", addresses(names)},
                             {"namespace", "migrated"},
                             {"list", list}}));
}

}  // namespace plan::flow
