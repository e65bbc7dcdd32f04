// Which mail the proof looks at: every kind of recipient, at every entry, in every phase.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "compiler/flow/classes.h"
#include "tests/unit/compiler/flow/small_migration.h"

namespace plan::flow {
namespace {

/// Our own move for alice, who logs in, and for bob, who is locked out at the source; with a list,
/// a group, a cutover and an end, and all the way back.
Migration whole_migration() {
  Migration migration;
  migration.is_transaction = true;
  migration.point("start", {});
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
  migration.finalize({"list"});
  return migration;
}

/// How a message comes in: an entry, and what sends it on behind it.
struct Door {
  Entry entry = {};
  std::string_view by = {};
};

std::vector<Door> all_doors() {
  std::vector<Door> doors;
  for (const Entry entry : kEntries) doors.push_back({entry, ""});
  for (const Entry entry :
       {Entry::target_25, Entry::target_submission, Entry::source_25, Entry::source_submission}) {
    for (const std::string_view by : {"forward", "list", "redirect"}) doors.push_back({entry, by});
  }
  return doors;
}

constexpr std::array<std::string_view, 16> kClasses = {"account",
                                                       "disabled account",
                                                       "colleague, not moved",
                                                       "colleague, created and not moved",
                                                       "colleague, moved",
                                                       "alias",
                                                       "capitals",
                                                       "sub-address",
                                                       "group",
                                                       "list",
                                                       "catch-all",
                                                       "unknown",
                                                       "foreign domain",
                                                       "subdomain",
                                                       "domain of the target",
                                                       "null sender"};

const std::vector<std::string>& all_phases() {
  static const std::vector<std::string> kPhases = {"before",
                                                   "being prepared",
                                                   "prepared",
                                                   "cut over",
                                                   "wave canary: created, not moved",
                                                   "wave canary: moving",
                                                   "wave canary: moved",
                                                   "wave rest: created, not moved",
                                                   "wave rest: moving",
                                                   "wave rest: moved",
                                                   "wave canary: rollback",
                                                   "wave rest: rollback",
                                                   "rollback",
                                                   "being finalized",
                                                   "finalized"};
  return kPhases;
}

/// The phases of the way there that a way back leads to again: an account is given back to where
/// its move began, the migration to its beginning.
std::vector<std::string> phases_gone_back_to(const std::string& phase) {
  if (phase == "rollback") {
    std::vector<std::string> all = all_phases();
    std::erase_if(all, [](const std::string& one) {
      return one == "finalized" || one.ends_with("rollback") || one.ends_with("moving");
    });
    return all;
  }
  if (!phase.ends_with(": rollback")) return {};
  const std::string wave = phase.substr(0, phase.find(": "));
  return {wave + ": created, not moved", wave + ": moving"};
}

/// Why a cell of the matrix is left out; empty: it is not.
std::string_view reason_there(const std::string& phase, const Door& door, std::string_view whose) {
  const bool is_target_open = phase != "before" && phase != "being prepared";
  const bool is_end = phase == "being finalized" || phase == "finalized";
  const bool is_wave = phase.starts_with("wave ");
  const bool is_queue = door.entry == Entry::source_queue || door.entry == Entry::target_queue;
  const bool is_submission =
      door.entry == Entry::target_submission || door.entry == Entry::source_submission;
  const bool is_colleague = whose.starts_with("colleague");
  if (!is_target_open && is_at_target(door.entry))
    return "nobody but the target's own users sends there yet";
  if (whose == "account" && phase.starts_with("wave rest")) return "this wave's is locked out";
  if (whose == "disabled account" && phase.starts_with("wave canary")) return "this wave's logs in";
  if (whose == "alias" && phase.starts_with("wave rest")) return "this wave's has none";
  if (is_colleague || whose == "catch-all" || !door.by.empty()) {
    if (!is_target_open) return "everybody is where he was";
    if (is_end) return "everybody has moved: there are no others any more";
  }
  if (whose == "colleague, created and not moved" && !is_wave) return "nobody is created yet";
  if (!door.by.empty()) {
    const bool is_name = whose == "alias" || whose == "capitals" || whose == "sub-address";
    if (whose == "group")
      return door.by == "list" && is_at_target(door.entry)
                 ? ""
                 : "the source does not know what only the target has";
    if (whose == "list") return "a list in a list bounces: rule nested-list";
    if (whose == "null sender")
      return is_submission           ? "who submits has a sender"
             : door.by == "redirect" ? "a script sends in its account's name"
                                     : "";
    if (whose == "unknown" || whose == "catch-all" || whose == "subdomain" ||
        whose == "domain of the target")
      return "whoever is sent on to is somebody of this domain, or outside";
    return is_name || is_colleague || whose == "account" || whose == "disabled account" ||
                   whose == "foreign domain"
               ? ""
               : "?";
  }
  if (whose == "null sender" && is_submission) return "who submits has a sender";
  if (whose == "alias" && door.entry == Entry::source_queue)
    return "aliases are expanded before anything waits there";
  if (whose == "catch-all" && door.entry == Entry::source_queue)
    return "the catch-all is looked up before anything waits there";
  if (whose == "list" && (is_queue || door.entry == Entry::target_local))
    return "lists are expanded when they are accepted";
  if (whose == "sub-address" && door.entry == Entry::target_local)
    return "a tag is taken off at RCPT, which the target does not ask itself";
  if (whose == "sub-address" && door.entry == Entry::target_queue && is_end)
    return "it would have waited since before the account was created";
  if (whose == "group") {
    if (!is_target_open) return "it is not made yet";
    if (door.entry == Entry::source_local || door.entry == Entry::source_queue)
      return "the source does not know what only the target has";
  }
  if (whose == "domain of the target" && !is_at_target(door.entry))
    return "the source does not know what only the target has";
  return "";
}

std::string_view reason(const std::string& phase, const Door& door, std::string_view whose) {
  std::string_view why;
  for (const std::string& there : phases_gone_back_to(phase)) {
    why = reason_there(there, door, whose);
    if (why.empty()) return why;
  }
  return why.empty() ? reason_there(phase, door, whose) : why;
}

TEST(Matrix, EveryCellIsProvedOrLeftOutForAReason) {
  Migration migration = whole_migration();
  std::set<LookedAt> looked_at;
  EXPECT_EQ(migration.proof(&looked_at), "proved");
  std::string missing;
  std::string stale;
  std::size_t proved = 0;
  std::map<std::string_view, std::size_t> left_out;  // by reason
  std::set<LookedAt> cells;
  for (const std::string& phase : all_phases()) {
    for (const Door& door : all_doors()) {
      for (const std::string_view whose : kClasses) {
        const LookedAt cell{phase, door.entry, whose, door.by};
        cells.insert(cell);
        const bool is_there = looked_at.contains(cell);
        const std::string_view why = reason(phase, door, whose);
        const std::string shown = fmt::format("{}, {}{}{}, {}\n", phase, to_string(door.entry),
                                              door.by.empty() ? "" : ", ", door.by, whose);
        proved += is_there ? 1 : 0;
        if (why.empty() && !is_there) missing += shown;
        if (!why.empty() && !is_there) ++left_out[why];
        if (!why.empty() && is_there) stale += fmt::format("{}: {}", why, shown);
      }
    }
  }
  EXPECT_EQ(missing, "") << "neither proved nor left out for a reason";
  EXPECT_EQ(stale, "") << "proved, although a reason says why not";
  EXPECT_GT(proved, 1'000U);
  fmt::print("{} cells of phase, door and class: {} proved\n", cells.size(), proved);
  for (const auto& [why, count] : left_out) fmt::print("{} left out: {}\n", count, why);
  for (const LookedAt& one : looked_at) {
    EXPECT_TRUE(cells.contains(one) || one.whose == "login" || one.whose == "new alias")
        << "not in the matrix: " << one.phase << ", " << to_string(one.entry) << ", " << one.whose
        << ", " << one.by;
  }
}

TEST(Classes, OfManyAliasesThatAreLeftOutOneIsLookedAt) {
  Migration migration;
  std::vector<std::string> at_source = {"al@legacy.test"};
  for (int i = 0; i < 20'000; ++i) at_source.push_back(fmt::format("a{}@legacy.test", i));
  migration.row = migration.graph.add_row("alice@legacy.test",
                                          Value::map({{"aliases", addresses(at_source)}}), {});
  migration.exact();
  ASSERT_FALSE(migration.graph.freeze());
  const Classes classes = account_classes(migration.graph);
  ASSERT_EQ(classes.subjects.size(), 1U);
  const Subject& subject = classes.subjects.front();
  EXPECT_EQ(subject.aliases.size(), 2U) << "one that the target gets, one that it does not get";
  EXPECT_EQ(subject.dropped, std::set<std::string>{"a0@legacy.test"});
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
      migration.reload_lookups("lookups", Stage::waves, {"restore"});
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

TEST(Classes, AnAccountIsFoundByItsAddress) {
  const Value closed = Value::map(
      {{"permissions", Value::map({{"@type", "Merge"},
                                   {"disabledPermissions", ir::List{Value("emailReceive")}}})}});
  for (const char* const address : {"Alice@legacy.test", "zoe@legacy.test"}) {
    Migration migration;
    migration.exact();
    migration.step("permissions", StepKind::admin_update, Stage::waves, {"forward"},
                   Migration::object("Account", {{"emailAddress", address}}, closed));
    const bool is_hers = address[0] == 'A';
    EXPECT_EQ(migration.proof().find("mail for alice@legacy.test is bounced") != std::string::npos,
              is_hers)
        << address;
  }
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
