// Which mail the proof looks at: every kind of recipient, at every entry, in every phase.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "tests/unit/compiler/flow/small_migration.h"

namespace plan::flow {
namespace {

using test::expression;

/// Our own move for alice, who logs in, and for bob, who is locked out at the source; with a list,
/// a group, a cutover and an end.
Migration whole_migration() {
  Migration migration;
  migration.group("group", "staff", {"reload"});
  migration.key("group-key", "staff@legacy.test", {"group"});
  migration.step("cutover", StepKind::address_move, Stage::cutover,
                 {"group-key-lookups", "reload", "domain"}, Value::map());
  std::vector<std::string> released;
  for (const bool is_disabled : {false, true}) {
    const std::string p = is_disabled ? "b-" : "a-";
    if (is_disabled) migration.next_account("bob@legacy.test");
    ir::WaveInfo wave;
    wave.name = is_disabled ? "rest" : "canary";
    migration.wave = migration.graph.add_wave(wave);
    migration.account(p + "create", StepKind::admin_account, {"cutover"});
    migration.account(p + "copy", StepKind::archive_copy, {p + "create"});
    migration.account(p + "hold", StepKind::postfix_hold, {p + "copy"});
    migration.account(p + "delta", StepKind::archive_delta, {p + "hold"});
    if (!is_disabled) migration.account(p + "open", StepKind::admin_account_open, {p + "delta"});
    migration.account(p + "keys", StepKind::admin_keys, {p + "delta"});
    migration.account(p + "forward", StepKind::postfix_forward, {p + "keys"});
    migration.account(p + "release", StepKind::proxy_release,
                      is_disabled ? std::vector<std::string>{p + "forward"}
                                  : std::vector<std::string>{p + "forward", p + "open"});
    released.push_back(p + "release");
  }
  migration.wave = ir::WaveId::none;
  migration.step("list", StepKind::admin_list, Stage::waves, released,
                 Value::map({{"address", "all@legacy.test"},
                             {"members", addresses({"alice@legacy.test", "bob@legacy.test"})}}));
  migration.step("restore", StepKind::admin_update, Stage::finalize, {"list"},
                 Migration::object(
                     "MtaOutboundStrategy", {},
                     Value::map({{"route", expression({{"is_local_domain(rcpt_domain)", "'local'"}},
                                                      "'mx'")}})));
  migration.step("finalize-reload", StepKind::admin_action, Stage::finalize, {"restore"},
                 Value::map({{"action", "ReloadSettings"}}));
  migration.step("closed", StepKind::admin_update, Stage::finalize, {"finalize-reload"},
                 Migration::object("Domain", {{"name", "legacy.test"}},
                                   Value::map({{"allowRelaying", false}})));
  return migration;
}

constexpr std::array kClients = {Entry::target_25, Entry::target_submission, Entry::source_25,
                                 Entry::source_submission};

TEST(Classes, EachIsLookedAtFromEveryEntryInEveryPhase) {
  Migration migration = whole_migration();
  std::set<LookedAt> looked_at;
  EXPECT_EQ(migration.proof(&looked_at), "proved");
  std::string missing;
  const auto want = [&](const std::string& phase, Entry entry, std::string_view whose) {
    if (!looked_at.contains({phase, entry, whose}))
      missing += fmt::format("{}, {}, {}\n", phase, to_string(entry), whose);
  };
  const std::vector<std::string> in_waves = {
      "wave canary: created, not moved", "wave canary: moving", "wave canary: moved",
      "wave rest: created, not moved",   "wave rest: moving",   "wave rest: moved"};
  std::vector<std::string> phases = {"before",   "being prepared",  "prepared",
                                     "cut over", "being finalized", "finalized"};
  phases.insert(phases.end(), in_waves.begin(), in_waves.end());
  for (const std::string& phase : phases) {
    const bool is_target_open = phase != "before" && phase != "being prepared";
    const bool is_end = phase == "being finalized" || phase == "finalized";
    const bool is_rest = phase.find("rest") != std::string::npos;
    const bool is_canary = phase.find("canary") != std::string::npos;
    for (const Entry entry : kEntries) {
      if (!is_target_open && is_at_target(entry)) continue;
      const bool is_queue = entry == Entry::source_queue || entry == Entry::target_queue;
      if (!is_rest) want(phase, entry, "account");
      if (!is_canary) want(phase, entry, "disabled account");
      if (!is_rest && entry != Entry::source_queue) want(phase, entry, "alias");
      want(phase, entry, "capitals");
      want(phase, entry, "unknown");
      if (entry != Entry::target_local && !(entry == Entry::target_queue && is_end))
        want(phase, entry, "sub-address");
      if (entry != Entry::target_submission && entry != Entry::source_submission)
        want(phase, entry, "null sender");
      if (!is_queue) {
        want(phase, entry, "foreign domain");
        want(phase, entry, "subdomain");
        if (entry != Entry::target_local) want(phase, entry, "list");
      }
      if (is_target_open && entry != Entry::source_local && entry != Entry::source_queue)
        want(phase, entry, "group");
    }
    if (!is_target_open || is_end) continue;
    want(phase, Entry::target_submission, "login");
    for (const Entry entry : kClients) {
      for (const std::string_view whose :
           {"colleague, not moved", "colleague, moved", "list to everybody", "forward to everybody",
            "redirect to everybody", "catch-all"})
        want(phase, entry, whose);
      if (is_rest || is_canary) want(phase, entry, "colleague, created and not moved");
    }
  }
  EXPECT_EQ(missing, "");
}

TEST(Classes, AGroupWithoutItsKeyBouncesAtTheSource) {
  Migration migration;
  migration.group("group", "staff", {"reload"});
  migration.exact();
  const std::string proof = migration.proof();
  EXPECT_NE(proof.find("mail for staff@legacy.test is bounced"), std::string::npos) << proof;
  EXPECT_NE(proof.find("  -> target routes staff@legacy.test by `source` (`if` 1 of "
                       "MtaOutboundStrategy.route: rcpt_domain == 'legacy.test')\n"
                       "  -> source: 550 5.1.1 no mailbox staff@legacy.test"),
            std::string::npos)
      << proof;
}

TEST(Classes, AnAliasOfAGroupNeedsAKeyToo) {
  const Value alias = Value::map({{"name", "crew"}, {"domainId", ir::OutputRef{"domain", "id"}}});
  Migration with_both;
  with_both.group("group", "staff", {"reload"}, {{"aliases", ir::List{alias}}});
  with_both.key("key", "staff@legacy.test", {"group"});
  with_both.key("key-2", "crew@legacy.test", {"group"});
  with_both.exact();
  EXPECT_EQ(with_both.proof(), "proved");
  Migration with_one;
  with_one.group("group", "staff", {"reload"}, {{"aliases", Value::map({{"0", alias}})}});
  with_one.key("key", "staff@legacy.test", {"group"});
  with_one.exact();
  const std::string proof = with_one.proof();
  EXPECT_NE(proof.find("mail for crew@legacy.test is bounced"), std::string::npos) << proof;
}

TEST(Classes, AKeyThatIsPutBackTooEarlyBouncesTheGroup) {
  for (const bool is_too_early : {false, true}) {
    Migration migration;
    migration.group("group", "staff", {"reload"});
    migration.key("key", "staff@legacy.test", {"group"});
    migration.exact();
    migration.step("restore", StepKind::restore, is_too_early ? Stage::waves : Stage::finalize,
                   {"forward", "key-lookups"}, Value::map({{"step", "key"}}));
    // What is put back is used after a reload, as what was written.
    if (is_too_early) {
      migration.step("lookups", StepKind::admin_action, Stage::waves, {"restore"},
                     Value::map({{"action", "ReloadLookupStores"}}));
    }
    const std::string proof = migration.proof();
    if (is_too_early) {
      EXPECT_NE(proof.find("mail for staff@legacy.test is bounced"), std::string::npos) << proof;
    } else {
      EXPECT_EQ(proof, "proved");
    }
  }
}

TEST(Classes, ADisabledAliasOfAGroupIsNobodys) {
  Migration migration;
  const Value alias = Value::map(
      {{"name", "crew"}, {"domainId", ir::OutputRef{"domain", "id"}}, {"enabled", false}});
  migration.group("group", "staff", {"reload"}, {{"aliases", ir::List{alias}}});
  migration.key("key", "staff@legacy.test", {"group"});
  migration.exact();
  EXPECT_EQ(migration.proof(), "proved");
}

TEST(Classes, AnAccountWithoutEmailReceiveBouncesItsMail) {
  for (const Value& set :
       {Value::map({{"permissions",
                     Value::map({{"@type", "Merge"},
                                 {"disabledPermissions", ir::List{Value("emailReceive")}}})}}),
        Value::map({{"permissions",
                     Value::map({{"@type", "Replace"},
                                 {"enabledPermissions", Value::map({{"authenticate", true}})}})}}),
        Value::map({{"roles", Value::map({{"@type", "Custom"}, {"roleIds", Value::map()}})}})}) {
    Migration migration;
    migration.exact();
    migration.step(
        "permissions", StepKind::admin_update, Stage::waves, {"forward"},
        Migration::object("Account",
                          {{"name", "alice"}, {"domainId", ir::OutputRef{"domain", "id"}}}, set));
    const std::string proof = migration.proof();
    EXPECT_NE(proof.find("mail for alice@legacy.test is bounced"), std::string::npos) << proof;
    EXPECT_NE(proof.find("is not authorized to receive email"), std::string::npos) << proof;
  }
}

TEST(Classes, WhoWasLockedOutStaysLockedOut) {
  Migration migration;
  migration.exact();
  migration.step(
      "permissions", StepKind::admin_update, Stage::waves, {"forward"},
      Migration::object("Account", {{"name", "alice"}, {"domainId", ir::OutputRef{"domain", "id"}}},
                        Value::map({{"permissions", Value::map({{"@type", "Inherit"}})}})));
  const std::string proof = migration.proof();
  EXPECT_NE(proof.find("alice@legacy.test was locked out at the source and sends from the target"),
            std::string::npos)
      << proof;
}

TEST(Classes, NobodySendsFromTheTargetBeforeTheMove) {
  Migration migration;
  migration.exact();
  migration.account("open", StepKind::admin_account_open, {"create"});
  const std::string proof = migration.proof();
  EXPECT_NE(proof.find("alice@legacy.test sends from the target before the mailbox is copied"),
            std::string::npos)
      << proof;
}

TEST(Classes, WhoHasMovedSendsFromTheTarget) {
  Migration migration;
  migration.exact();
  migration.account("open", StepKind::admin_account_open, {"forward"});
  migration.account("release", StepKind::proxy_release, {"open"});
  EXPECT_EQ(migration.proof(), "proved");
  Migration late;
  late.exact();
  late.account("release", StepKind::proxy_release, {"forward"});
  // Beside the release, and neither waits for the other.
  late.account("open", StepKind::admin_account_open, {"delta"});
  const std::string proof = late.proof();
  EXPECT_NE(proof.find("alice@legacy.test has moved and cannot send from the target"),
            std::string::npos)
      << proof;
}

TEST(Classes, AListThatAnObjectMakesDeliversAtOnce) {
  Migration migration;
  migration.step("list", StepKind::admin_upsert, Stage::prepare, {"domain"},
                 Migration::object(
                     "MailingList", {{"name", "all"}, {"domainId", ir::OutputRef{"domain", "id"}}},
                     Value::map({{"recipients", ir::List{Value("Alice@legacy.test")}}})));
  migration.exact();
  std::set<LookedAt> looked_at;
  EXPECT_EQ(migration.proof(&looked_at), "proved");
  EXPECT_TRUE(looked_at.contains({"moved", Entry::target_25, "list"}));
  EXPECT_FALSE(looked_at.contains({"moved", Entry::source_25, "list"}))
      << "the source does not know it";
}

TEST(Classes, AnAccountOfTheTargetAloneNeedsAKey) {
  Migration migration;
  migration.step(
      "user", StepKind::admin_upsert, Stage::prepare, {"reload", "domain"},
      Migration::object("Account", {{"name", "new"}, {"domainId", ir::OutputRef{"domain", "id"}}},
                        Value::map({{"@type", "User"}})));
  migration.exact();
  const std::string proof = migration.proof();
  EXPECT_NE(proof.find("mail for new@legacy.test is bounced"), std::string::npos) << proof;
}

}  // namespace
}  // namespace plan::flow
