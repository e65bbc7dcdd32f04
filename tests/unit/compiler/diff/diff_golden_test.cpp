// Each folder of tests/golden/diff shows one thing: the change set of a small graph in all four
// renderings. PLAN_ACCEPT=1 rewrites them.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <set>

#include "compiler/diff/change.h"
#include "compiler/diff/wrap.h"
#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "tests/support/repository.h"
#include "tests/support/shared_data.h"

namespace plan::diff {
namespace {

namespace fs = std::filesystem;
using ir::Observation;
using ir::Stage;
using ir::Standing;
using ir::StepKind;
using ir::TransactionRole;
using ir::Value;

/// A graph of a domain, a cutover and a wave with `accounts` accounts.
struct World {
  explicit World(int accounts, ir::WaveInfo info = {}) {
    const auto one = [&](const char* id, StepKind kind, Stage stage, Value arguments) {
      ir::StepShape shape;
      shape.kind = kind;
      shape.stage = stage;
      shape.id_pattern = id;
      shape.arguments = std::move(arguments);
      return graph.add_step(graph.add_shape(std::move(shape)), ir::RowId::none, ir::WaveId::none);
    };
    (void)one("target/domain/example.org", StepKind::admin_upsert, Stage::prepare,
              Value::map({{"object", "Domain"},
                          {"match", Value::map({{"name", "example.org"}})},
                          {"set", Value::map({{"allowRelaying", true}})}}));
    (void)one("target/reload", StepKind::admin_action, Stage::prepare,
              Value::map({{"action", "ReloadSettings"}}));
    (void)one("cutover/address", StepKind::address_move, Stage::cutover,
              Value::map({{"public", "mail.example.org"}, {"to", "203.0.113.10"}}));
    if (info.name.empty()) info.name = "rest";
    info.parallel = 8;
    info.is_held_for_approval = true;
    const ir::WaveId wave = graph.add_wave(info);
    std::vector<std::uint32_t> shapes;
    const auto shape_of = [&](const char* id, StepKind kind, TransactionRole role) {
      ir::StepShape shape;
      shape.kind = kind;
      shape.stage = Stage::waves;
      shape.role = role;
      shape.id_pattern = id;
      shape.arguments = Value::map({{"account", ir::OutputRef{"$row", "account"}},
                                    {"password", ir::SecretRef{"source", "x"}}});
      shapes.push_back(graph.add_shape(std::move(shape)));
    };
    shape_of("account/{}/create", StepKind::admin_account, TransactionRole::none);
    shape_of("account/{}/copy", StepKind::archive_copy, TransactionRole::none);
    shape_of("account/{}/hold", StepKind::proxy_hold, TransactionRole::held);
    shape_of("account/{}/release", StepKind::proxy_release, TransactionRole::commit);
    for (int i = 0; i < accounts; ++i) {
      const std::string name = "user" + std::to_string(i) + "@example.org";
      const ir::RowId row = graph.add_row(name, Value::map({{"account", name}}), {});
      for (const std::uint32_t shape : shapes) (void)graph.add_step(shape, row, wave);
    }
    EXPECT_FALSE(graph.freeze());
  }

  Observation& see(const std::string& id) {
    return seen[static_cast<std::uint32_t>(ir::index(*graph.find(id)))];
  }

  ir::StepGraph graph;
  ir::ObservationTable seen;
};

void expect_golden(const std::string& name, ChangeSet changes, RenderOptions options = {}) {
  changes.digest = std::string(64, 'd');
  changes.made_from = std::string(64, 'f');
  changes.notes = {"target is 0.16.14, a version that was not tried"};
  const fs::path folder = test::repository() / "tests/golden/diff" / name;
  const std::vector<std::pair<std::string, std::string>> renderings = {
      {"expect.txt", render_text(changes, options)},
      {"expect.md", render_markdown(changes, options)},
      {"expect.json", ir::write_json(to_document(changes), 2) + "\n"},
      {"expect.html", render_html(changes, options)},
  };
  for (const auto& [file, text] : renderings) {
    for (const char* secret : {"hunter2", "$6$"})
      EXPECT_EQ(text.find(secret), std::string::npos) << file;
    if (std::getenv("PLAN_ACCEPT") != nullptr) {
      fs::create_directories(folder);
      std::ofstream(folder / file, std::ios::binary | std::ios::trunc) << text;
      continue;
    }
    EXPECT_EQ(test::read_all(folder / file), text) << name << "/" << file;
  }
  if (std::getenv("PLAN_ACCEPT") != nullptr) GTEST_SKIP() << "accepted";
}

void expect_golden(const std::string& name, const World& world, RenderOptions options = {}) {
  expect_golden(name, compare(world.graph, world.seen, {}, "example.org to Stalwart"),
                std::move(options));
}

/// One of everything that a diff can say, with texts from servers that try to get out of theirs.
ChangeSet of_every_kind() {
  World world(3, {.client_bytes_per_s = 128U << 10U, .client_within_ms = 3'600'000});
  Observation& domain = world.see("target/domain/example.org");
  domain.standing = Standing::differs;
  domain.differences = {
      {"description", "</td><script>alert(1)</script>", "| a `b` [c](d) *e* & 'f'"}};
  world.see("target/reload").standing = Standing::satisfied;
  Observation& address = world.see("cutover/address");
  address.is_unseen = true;
  address.remark = "connection-refused: <b>203.0.113.10</b> does not answer";
  for (int i = 0; i < 2; ++i) {
    const std::string account = "account/user" + std::to_string(i) + "@example.org/";
    Observation& copy = world.see(account + "copy");
    copy.standing = Standing::absent;
    copy.messages = 1'200U;
    copy.bytes = std::uint64_t{300} << 20U;
    copy.duration_ms = 37'000;
    copy.duration_basis = "1,200 messages at 200 a second, 300.0 MiB at 9.5 MiB a second";
    copy.beside = {{"calendars", 2}};
    copy.not_carried = {{"tasks", 1}};
    Observation& hold = world.see(account + "hold");
    hold.standing = Standing::differs;
    hold.hold_ms = 900U + static_cast<unsigned>(i);
    hold.hold_basis = "3 looks at the servers of 100 ms";
  }
  // Its size was not told.
  world.see("account/user2@example.org/copy").standing = Standing::absent;
  ChangeSet changes = compare(world.graph, world.seen, {}, "example.org <to> Stalwart");
  changes.findings = {{.code = "trash-expires",
                       .severity = "warning",
                       .message = "messages in `Trash` go after 30 days",
                       .place = "migration.yaml:12:3"},
                      {.code = "quota-too-small",
                       .severity = "warning",
                       .message = "quota of <user1> is smaller than its mail",
                       .place = "migration.yaml:14:5",
                       .silenced_at = "migration.yaml:40:5",
                       .reason = "it is raised & told"}};
  std::vector<DiskChange> disks(3);
  disks[0].disk = {.machine = "operator", .free_bytes = 100U << 20U, .how = "statvfs of .plan"};
  disks[1].disk = {.machine = "source",
                   .free_bytes = std::uint64_t{9} << 30U,
                   .how = "df of /var",
                   .when = "2026-08-14T09:12:00Z"};
  disks[2].disk = {.machine = "target", .how = "the plan does not say how it is reached"};
  add_disks(changes, std::move(disks));
  return changes;
}

TEST(DiffGolden, EveryKindOfThing) { expect_golden("every-kind", of_every_kind()); }

TEST(DiffGolden, OnlyWhatLiesBelowAPath) {
  const auto part = below(of_every_kind(), "account/user1@example.org");
  ASSERT_TRUE(part);
  RenderOptions options;
  options.is_folded = false;
  expect_golden("below-an-account", *part, options);
}

TEST(DiffGolden, NothingSeenYet) { expect_golden("nothing-seen-yet", World(2)); }

TEST(DiffGolden, EverythingStandsAlready) {
  World world(1);
  for (std::uint32_t i = 0; i < world.graph.size(); ++i)
    world.seen[i].standing = Standing::satisfied;
  expect_golden("everything-stands-already", world);
}

TEST(DiffGolden, DifferencesWithSecretsAndOutputs) {
  World world(1);
  Observation& domain = world.see("target/domain/example.org");
  domain.standing = Standing::differs;
  domain.differences = {{"allowRelaying", false, true},
                        {"directoryId", nullptr, ir::OutputRef{"target/directory", "id"}},
                        {"description", "a | b <script>", std::string(300, 'x')}};
  domain.remark = "the domain has 3 accounts already";
  Observation& account = world.see("account/user0@example.org/create");
  account.standing = Standing::absent;
  account.differences = {{"credentials[0].secret", ir::SecretRef{"env", "OLD"},
                          ir::SecretRef{"source", "user0@example.org"}}};
  expect_golden("differences", world);
}

TEST(DiffGolden, FiguresAndTheirSums) {
  World world(2);
  for (int i = 0; i < 2; ++i) {
    const std::string account = "account/user" + std::to_string(i) + "@example.org/";
    Observation& copy = world.see(account + "copy");
    copy.standing = Standing::absent;
    copy.messages = 1'000U * static_cast<unsigned>(i + 1);
    copy.bytes = (std::uint64_t{5} << 20U) * static_cast<unsigned>(i + 1);
    copy.duration_ms = 60'000;
    Observation& hold = world.see(account + "hold");
    hold.standing = Standing::differs;
    hold.hold_ms = 2'500U + static_cast<unsigned>(i);
  }
  expect_golden("figures", world);
}

TEST(DiffGolden, ManyAccountsAreCounted) {
  RenderOptions options;
  options.accounts_max = 3;
  expect_golden("many-accounts", World(9), options);
}

/// Twelve keys side by side, and accounts of two kinds: one of them has something to lose.
World alike() {
  World world(6);
  for (int i = 0; i < 6; ++i) {
    const std::string account = "user" + std::to_string(i) + "@example.org";
    Observation& create = world.see("account/" + account + "/create");
    create.standing = Standing::absent;
    create.differences = {{"name", nullptr, account}};
    for (int alias = 0; alias < i % 3; ++alias)
      create.differences.push_back({"aliases[" + std::to_string(alias) + "]", nullptr, "a@x"});
    Observation& hold = world.see("account/" + account + "/hold");
    hold.standing = Standing::differs;
    hold.remark = i == 1 ? "1 login name" : std::to_string(i + 2) + " login names";
  }
  Observation& other = world.see("account/user3@example.org/release");
  other.standing = Standing::differs;
  other.differences = {{"destination", "elsewhere", "target"}};
  return world;
}

TEST(DiffGolden, WhatIsAlikeIsShownOnce) { expect_golden("alike", alike()); }

TEST(DiffGolden, AnAccountThatIsAskedForIsShownWhole) {
  RenderOptions options;
  options.accounts = {"user4@example.org"};
  expect_golden("one-account", alike(), options);
}

TEST(DiffGolden, UnfoldedEverythingIsThere) {
  RenderOptions options;
  options.is_folded = false;
  expect_golden("unfolded", alike(), options);
}

TEST(Diff, ALaterWaveRefersToTheStepsOfAnEarlierOneAndLongListsAreOneLine) {
  ir::StepGraph graph;
  ir::ObservationTable seen;
  ir::StepShape key;
  key.kind = StepKind::admin_upsert;
  key.stage = Stage::finalize;
  key.id_pattern = "finalize/key/{}";
  const std::uint32_t keys = graph.add_shape(key);
  ir::StepShape move;
  move.kind = StepKind::admin_account;
  move.stage = Stage::waves;
  move.id_pattern = "account/{}/create";
  move.arguments = Value::map({{"account", ir::OutputRef{"$row", "account"}}});
  const std::uint32_t moves = graph.add_shape(move);
  for (const char* wave_name : {"first", "second"}) {
    const ir::WaveId wave = graph.add_wave({.name = wave_name, .parallel = 1});
    for (int i = 0; i < 2; ++i) {
      const std::string name = wave_name + std::to_string(i) + "@x";
      const ir::RowId row = graph.add_row(name, Value::map({{"account", name}}), {});
      (void)graph.add_step(moves, row, wave);
      (void)graph.add_step(keys, row, ir::WaveId::none);
    }
  }
  ASSERT_FALSE(graph.freeze());
  for (const ir::StepId step : graph.order()) {
    const std::string name(graph.row_name(graph.row(step)));
    seen[static_cast<std::uint32_t>(step)].differences = {{"key", nullptr, name}};
  }
  const ChangeSet changes = compare(graph, seen, {}, "x");
  const std::string text = render_text(changes, {});
  EXPECT_NE(text.find("2 accounts: the 1 step of first0@x in wave first"), std::string::npos)
      << text;
  EXPECT_NE(text.find("finalize/key/first0@x and 3 more up to second1@x"), std::string::npos)
      << text;
  EXPECT_EQ(text.find("account/second0@x/create"), std::string::npos);
  RenderOptions all;
  all.is_folded = false;
  EXPECT_NE(render_text(changes, all).find("account/second0@x/create"), std::string::npos);
  EXPECT_NE(render_text(changes, all).find("finalize/key/second0@x"), std::string::npos);
  // A wave whose accounts would overwrite something is no repetition of the first.
  for (const ir::StepId step : graph.order()) {
    if (graph.id(step) != "account/second1@x/create") continue;
    seen[static_cast<std::uint32_t>(step)].differences = {{"key", "another's", "second1@x"}};
  }
  EXPECT_NE(render_text(compare(graph, seen, {}, "x"), {}).find("\"another's\""),
            std::string::npos);
}

TEST(Diff, ACommandThatNothingTakesBackIsSaidBesideItsStep) {
  ir::StepGraph graph;
  ir::StepShape shape;
  shape.kind = StepKind::address_move;
  shape.stage = Stage::cutover;
  shape.id_pattern = "cutover/address";
  shape.arguments =
      Value::map({{"public", "mail.example.org"}, {"run", Value(ir::List{"./point-name"})}});
  (void)graph.add_step(graph.add_shape(std::move(shape)), ir::RowId::none, ir::WaveId::none);
  ASSERT_FALSE(graph.freeze());
  const ChangeSet changes = compare(graph, {}, {}, "one step");
  for (const std::string& text :
       {render_text(changes, {}), render_markdown(changes, {}), render_html(changes, {})})
    EXPECT_NE(text.find("somebody has pointed mail.example.org back"), std::string::npos) << text;
}

TEST(Diff, AMemberThatIsEmptyAndIsToBeIsNoDifference) {
  World world(1);
  Observation& domain = world.see("target/domain/example.org");
  domain.standing = Standing::absent;
  domain.differences = {{"catchAllAddress", nullptr, nullptr}, {"allowRelaying", nullptr, true}};
  EXPECT_EQ(compare(world.graph, world.seen, {}, "x").stages[0].steps[0].differences.size(), 1U);
}

TEST(Diff, WhatFinalizeTakesAwayAgainIsNoNothingToDo) {
  ir::StepGraph graph;
  const auto add = [&](const char* id, StepKind kind, Stage stage, Value arguments) {
    ir::StepShape shape;
    shape.kind = kind;
    shape.stage = stage;
    shape.id_pattern = id;
    shape.arguments = std::move(arguments);
    return graph.add_step(graph.add_shape(std::move(shape)), ir::RowId::none, ir::WaveId::none);
  };
  const Value match = Value::map({{"name", "source"}});
  const auto route = add("target/route", StepKind::admin_upsert, Stage::prepare,
                         Value::map({{"object", "MtaRoute"}, {"match", match}}));
  const auto strategy = add("target/strategy", StepKind::admin_update, Stage::prepare,
                            Value::map({{"object", "MtaOutboundStrategy"}}));
  const auto again = add("finalize/strategy", StepKind::admin_update, Stage::finalize,
                         Value::map({{"object", "MtaOutboundStrategy"}}));
  const auto gone = add("finalize/route", StepKind::admin_destroy, Stage::finalize,
                        Value::map({{"object", "MtaRoute"}, {"match", match}}));
  const auto other =
      add("finalize/other", StepKind::admin_destroy, Stage::finalize,
          Value::map({{"object", "MtaRoute"}, {"match", Value::map({{"name", "other"}})}}));
  graph.add_edge(route, strategy);
  graph.add_edge(strategy, again);
  graph.add_edge(again, gone);
  graph.add_edge(gone, other);
  ASSERT_FALSE(graph.freeze());
  ir::ObservationTable seen;
  seen[static_cast<std::uint32_t>(route)].standing = Standing::absent;
  seen[static_cast<std::uint32_t>(strategy)].standing = Standing::differs;
  for (const ir::StepId step : {again, gone, other})
    seen[static_cast<std::uint32_t>(step)].standing = Standing::satisfied;
  const ChangeSet before = compare(graph, seen, {}, "x");
  EXPECT_EQ(before.change_count(), 4U) << "the route that nobody makes is no change";
  const std::vector<StepChange>& steps = before.stages[3].steps;
  EXPECT_EQ(steps[0].remark, "puts back what `target/strategy` changes");
  EXPECT_EQ(steps[1].remark, "takes away what `target/route` creates");
  EXPECT_EQ(steps[2].standing, Standing::satisfied);
  // Everything was done, and stands as done: nothing is left.
  for (const ir::StepId step : {route, strategy})
    seen[static_cast<std::uint32_t>(step)].standing = Standing::satisfied;
  EXPECT_EQ(compare(graph, seen, {}, "x").change_count(), 0U);
}

TEST(DiffGolden, AServerThatDoesNotAnswer) {
  World world(12);
  for (const ir::StepId step : world.graph.order()) {
    const auto key = static_cast<std::uint32_t>(step);
    if (world.graph.id(step) == "target/reload") continue;
    const bool is_of_proxy = world.graph.kind(step) == StepKind::proxy_hold ||
                             world.graph.kind(step) == StepKind::proxy_release;
    world.seen.put(key, {.remark = is_of_proxy ? "the proxy did not answer [proxy-unreachable]"
                                               : "https://203.0.113.30 accepts no connections: "
                                                 "Couldn't connect [connection-refused]",
                         .is_unseen = true});
  }
  world.see("cutover/address").remark = "`ip` ended with exit code 1 [command-failed]";
  expect_golden("no-answer", world);
}

TEST(Diff, WhatIsLeftOutOfAccountsThatAreDoneIsNotShownFolded) {
  World world(30);
  for (const ir::StepId step : world.graph.order())
    world.seen.put(static_cast<std::uint32_t>(step), {.standing = Standing::satisfied});
  // One has a copy to do between steps that are done, one could not be looked at, at its end.
  Observation& copy = world.see("account/user7@example.org/copy");
  copy.standing = Standing::absent;
  copy.bytes = 4096;
  world.see("account/user9@example.org/release") = {.remark = "no answer", .is_unseen = true};
  const ChangeSet all = compare(world.graph, world.seen, {}, "x");
  const ChangeSet changes = compare(world.graph, world.seen, {}, "x", Detail::changes);
  EXPECT_EQ(render_text(changes, {}), render_text(all, {}));
  EXPECT_EQ(render_markdown(changes, {}), render_markdown(all, {}));
  EXPECT_EQ(changes.change_count(), 1U);
  EXPECT_EQ(changes.unseen_count(), 1U);
  const std::vector<AccountChange>& accounts = changes.stages[2].waves.at(0).accounts;
  ASSERT_EQ(accounts.size(), 30U);
  EXPECT_TRUE(accounts[0].steps.empty());
  EXPECT_EQ(accounts[7].steps.size(), 4U) << "in the order of the graph";
  EXPECT_EQ(accounts[7].steps[0].id, "account/user7@example.org/create");
  EXPECT_EQ(accounts[9].steps.size(), 4U);
}

TEST(Diff, ColourAddsNothingButColour) {
  const World world(2);
  const ChangeSet changes = compare(world.graph, world.seen, {}, "x");
  RenderOptions colour;
  colour.has_colour = true;
  std::string plain;
  const std::string coloured = render_text(changes, colour);
  for (std::size_t i = 0; i < coloured.size(); ++i) {
    if (coloured[i] == '\x1b') {
      i = coloured.find('m', i);
      continue;
    }
    plain += coloured[i];
  }
  EXPECT_EQ(plain, render_text(changes, {}));
}

TEST(Diff, ValuesAreShownOnOneLine) {
  EXPECT_EQ(show_value(ir::SecretRef{"env", "X"}), "(secret)");
  EXPECT_EQ(show_value(ir::OutputRef{"domain/a", "id"}), "(known after domain/a)");
  EXPECT_EQ(show_value(Value("two\nlines")).find('\n'), std::string::npos);
  EXPECT_LE(show_value(std::string(10'000, 'x')).size(), 100U);
}

TEST(Diff, AHoldIsTheLongestChainOfWhatClientsWaitForWithItsFigures) {
  ir::StepGraph graph;
  const ir::WaveId wave = graph.add_wave({.name = "all", .parallel = 4});
  const ir::RowId row = graph.add_row("a@x", Value::map({{"account", "a@x"}}), {});
  std::map<std::string, ir::StepId> steps;
  ir::ObservationTable seen;
  const auto add = [&](const char* name, StepKind kind, std::vector<const char*> after,
                       std::uint64_t ms) {
    ir::StepShape shape;
    shape.kind = kind;
    shape.stage = Stage::waves;
    shape.role = kind == StepKind::proxy_release ? TransactionRole::commit : TransactionRole::held;
    shape.id_pattern = std::string("account/{}/") + name;
    shape.arguments = Value::map({{"account", ir::OutputRef{"$row", "account"}}});
    const ir::StepId step = graph.add_step(graph.add_shape(std::move(shape)), row, wave);
    for (const char* earlier : after) graph.add_edge(steps.at(earlier), step);
    steps[name] = step;
    Observation& observation = seen[static_cast<std::uint32_t>(step)];
    observation.hold_ms = ms;
    observation.hold_basis = std::string("as ") + name;
  };
  add("hold-mail", StepKind::postfix_hold, {}, 5'000);  // before the clients' hold
  add("hold", StepKind::proxy_hold, {"hold-mail"}, 20);
  add("deny", StepKind::dovecot_deny, {"hold"}, 600);
  add("refresh", StepKind::admin_account_refresh, {"hold"}, 100);  // beside deny
  add("keys", StepKind::admin_keys, {"deny", "refresh"}, 30);
  add("release", StepKind::proxy_release, {"keys"}, 10);
  ASSERT_FALSE(graph.freeze());
  ChangeSet changes = compare(graph, seen, {}, "x");
  const AccountChange& account = changes.stages[2].waves.at(0).accounts.at(0);
  ASSERT_EQ(account.hold.size(), 5U);
  EXPECT_EQ(account.hold[1].basis, "as deny");
  EXPECT_EQ(account.hold[4].step, "reloads") << "others move at the same time";
  EXPECT_EQ(account.cost.hold_ms, 20U + 600U + 30U + 10U + 375U);
  EXPECT_NE(render_text(changes, {}).find("as deny"), std::string::npos);
  seen[static_cast<std::uint32_t>(steps["deny"])].standing = Standing::satisfied;
  changes = compare(graph, seen, {}, "x");
  EXPECT_EQ(changes.stages[2].waves.at(0).accounts.at(0).cost.hold_ms,
            20U + 100U + 30U + 10U + 375U);
}

TEST(Diff, CountsWhatWouldChange) {
  World world(1);
  EXPECT_EQ(compare(world.graph, world.seen, {}, "x").change_count(), 7U);
  world.see("target/reload").standing = Standing::satisfied;
  EXPECT_EQ(compare(world.graph, world.seen, {}, "x").change_count(), 6U);
}

TEST(Diff, AStepThatCouldNotBeLookedAtIsNoChangeAndNotNothing) {
  World world(1);
  for (std::uint32_t i = 0; i < world.graph.size(); ++i)
    world.seen[i].standing = Standing::satisfied;
  Observation& hold = world.see("account/user0@example.org/hold");
  hold.standing = Standing::unknowable;
  hold.is_unseen = true;
  hold.remark = "the proxy does not answer";
  const ChangeSet changes = compare(world.graph, world.seen, {}, "x");
  EXPECT_EQ(changes.change_count(), 0U);
  EXPECT_EQ(changes.unseen_count(), 1U);
  EXPECT_FALSE(changes.stages[2].waves.at(0).accounts.at(0).is_satisfied());
  const std::string text = render_text(changes, {});
  EXPECT_NE(text.find("\n1 step could not be looked at\n"), std::string::npos) << text;
  EXPECT_NE(text.find("? hold"), std::string::npos) << text;
  EXPECT_NE(text.find("the proxy does not answer"), std::string::npos);
  const ir::Value document = to_document(changes);
  EXPECT_EQ(document["changes"], Value(0));
  EXPECT_EQ(document["unseen"], Value(1));
  const Value& step =
      document["stages"].item(2)["waves"].item(0)["accounts"].item(0)["steps"].item(2);
  EXPECT_EQ(step["seen"], Value(false));
  EXPECT_EQ(step["standing"], Value("could not be looked at"));
  // An account that could be looked at is not the same as one that could not.
  hold.is_unseen = false;
  EXPECT_EQ(compare(world.graph, world.seen, {}, "x").change_count(), 1U);
}

TEST(Diff, AWaveIsNoFasterThanItsLongestAccount) {
  World world(3);
  const auto copy = [&](int i) -> Observation& {
    return world.see("account/user" + std::to_string(i) + "@example.org/copy");
  };
  for (int i = 0; i < 3; ++i) {
    copy(i).standing = Standing::absent;
    copy(i).bytes = 1'000U;
    copy(i).duration_ms = i == 0 ? 90'000 : 10'000;
  }
  const ChangeSet changes = compare(world.graph, world.seen, {}, "x");
  const WaveChange& wave = changes.stages[2].waves.at(0);
  EXPECT_EQ(wave.cost.duration_ms, 90'000U) << "8 at a time";
  EXPECT_EQ(wave.duration_sum_ms, 110'000U);
  EXPECT_EQ(wave.download_bytes(), 3'000U);
  // What is copied is not copied again, but loaded by the clients: until it has moved.
  copy(0).standing = Standing::satisfied;
  copy(0).duration_ms = std::nullopt;
  const WaveChange copied = compare(world.graph, world.seen, {}, "x").stages[2].waves.at(0);
  EXPECT_EQ(copied.cost.bytes, 2'000U);
  EXPECT_EQ(copied.cost.duration_ms, 10'000U);
  EXPECT_EQ(copied.download_bytes(), 3'000U);
  world.see("account/user0@example.org/release").standing = Standing::satisfied;
  const ChangeSet later = compare(world.graph, world.seen, {}, "x");
  EXPECT_EQ(later.stages[2].waves.at(0).download_bytes(), 2'000U);
  EXPECT_EQ(later.stages[2].waves.at(0).cost.not_measured, 0U);
}

TEST(Diff, WhatIsNotMeasuredIsCountedAndNeverNothing) {
  const ChangeSet changes = of_every_kind();
  const WaveChange& wave = changes.stages[2].waves.at(0);
  EXPECT_EQ(wave.cost.not_measured, 1U);
  EXPECT_EQ(wave.cost.bytes, std::uint64_t{600} << 20U);
  ASSERT_EQ(changes.disks.size(), 3U);
  EXPECT_FALSE(changes.disks[0].fits());
  EXPECT_TRUE(changes.disks[0].is_at_least);
  EXPECT_EQ(changes.disks[1].needed_bytes, 0U);
  EXPECT_TRUE(changes.disks[2].fits()) << "not known is not too small";
  const std::string text = render_text(changes, {});
  EXPECT_NE(text.find("at least (1 account not measured)"), std::string::npos) << text;
  EXPECT_NE(text.find("its clients load at least 600.0 MiB again, about 1 h 20 min at 128.0 KiB a "
                      "second; the plan allows 1 h 0 min"),
            std::string::npos)
      << text;
}

TEST(Diff, APathLeadsToAStageAWaveAnAccountAStepAndAProperty) {
  World world(3);
  Observation& domain = world.see("target/domain/example.org");
  domain.standing = Standing::differs;
  domain.differences = {{"a.b", 1, 2}, {"a[0]", 1, 2}, {"ab", 1, 2}};
  const ChangeSet changes = compare(world.graph, world.seen, {}, "x");
  const auto count = [&](std::string_view path) {
    const auto part = below(changes, path);
    return part ? part->change_count() : 0U;
  };
  EXPECT_EQ(count("prepare"), 2U);
  EXPECT_EQ(count("target"), 2U);
  EXPECT_EQ(count("target/"), 2U);
  EXPECT_EQ(count("target/domain"), 1U);
  EXPECT_EQ(count("targ"), 0U) << "a path ends where a name ends";
  EXPECT_EQ(count("waves"), 12U);
  EXPECT_EQ(count("waves/rest"), 12U);
  EXPECT_EQ(count("waves/first"), 0U);
  EXPECT_EQ(count("account/user1@example.org"), 4U);
  EXPECT_EQ(count("account/user1@example.org/copy"), 1U);
  EXPECT_EQ(count(""), 0U);
  const auto property = below(changes, "target/domain/example.org/a");
  ASSERT_TRUE(property);
  EXPECT_EQ(property->stages[0].steps.at(0).differences.size(), 2U);
  EXPECT_FALSE(below(changes, "target/domain/example.org/c"));
  EXPECT_EQ(nearest_path(changes, "target/domian"), "target/domain");
  EXPECT_EQ(nearest_path(changes, "acount/user1@example.org"), "account/user1@example.org");
}

/// What a terminal shows fits at every width, and nothing of it is lost.
TEST(Diff, FitsTerminalsOfEveryWidth) {
  ChangeSet changes = of_every_kind();
  WaveChange& wave = changes.stages[2].waves.at(0);
  wave.accounts[1].account = "\xe5\xae\x9b\xe5\x85\x88\xe5\xae\x9b\xe5\x85\x88@example.org";
  for (const std::size_t width : {40U, 80U, 200U}) {
    RenderOptions options;
    options.width_columns = width;
    const std::string text = wrapped(render_text(changes, options), width);
    std::size_t hits = 0;
    for (const std::string_view line : split(text, '\n')) {
      const bool is_one_word = trim(line).find(' ') == std::string_view::npos;
      EXPECT_TRUE(is_one_word || display_width(line) <= width) << width << ": " << line;
      if (line.find("300.0 MiB") != std::string_view::npos &&
          line.find("37.0 s") != std::string_view::npos)
        ++hits;
    }
    EXPECT_GE(hits, width >= 80 ? 2U : 0U) << "an account is one line of a table\n" << text;
    std::string words;  // a line may have been broken at any blank
    for (const std::string_view line : split(text, '\n')) words += std::string(trim(line)) + " ";
    for (const char* kept :
         {"user0@example.org", "1,200", "could not be looked at", "[trash-expires]"})
      EXPECT_NE(words.find(kept), std::string::npos) << width << ": " << kept;
  }
}

/// A browser must find nothing of what servers say outside of texts.
TEST(Diff, NothingOfAPlanOrAServerIsRawInAReview) {
  const std::string raw = "a\u202eb\x1b[31mc\u200bd\u2028e\u2066f";
  World world(2, {.name = raw});
  for (const char* id : {"cutover/address", "account/user0@example.org/copy"}) {
    Observation& seen = world.see(id);
    seen.standing = Standing::differs;
    seen.differences = {{raw, raw, Value::map({{raw, raw}})}};
    seen.remark = seen.duration_basis = seen.hold_basis = raw;
    seen.duration_ms = seen.hold_ms = 7;
    seen.beside = seen.not_carried = {{raw, 1}};
  }
  ChangeSet changes = compare(world.graph, world.seen, {}, raw);
  changes.made_from = raw;
  changes.notes = {raw};
  changes.findings = {{.code = raw, .severity = raw, .message = raw, .place = raw},
                      {.code = raw,
                       .severity = raw,
                       .message = raw,
                       .place = raw,
                       .silenced_at = raw,
                       .reason = raw}};
  std::vector<DiskChange> disks(1);
  disks[0].disk = {.machine = raw, .free_bytes = 1U, .how = raw, .when = raw, .needed_for = raw};
  disks[0].basis = raw;
  add_disks(changes, std::move(disks));
  for (const bool is_folded : {true, false}) {
    RenderOptions options;
    options.is_folded = is_folded;
    for (const std::string& text :
         {render_text(changes, options), render_markdown(changes, options),
          render_html(changes, options)}) {
      for (const char* one : {"\x1b", "\u202e", "\u200b", "\u2028", "\u2066"})
        EXPECT_EQ(text.find(one), std::string::npos) << text.substr(text.find(one), 200);
      EXPECT_NE(text.find("xe2"), std::string::npos);
    }
  }
}

TEST(Diff, APageIsOneDocumentOfItsOwn) {
  const std::string page = render_html(of_every_kind(), {});
  EXPECT_EQ(page.find("<script"), std::string::npos);
  EXPECT_EQ(page.find("http:"), std::string::npos);
  EXPECT_EQ(page.find("https:"), std::string::npos);
  EXPECT_NE(page.find("&lt;/td&gt;&lt;script&gt;"), std::string::npos);
  // Every element that is opened is closed again, in order; every anchor is there once.
  std::vector<std::string> open;
  std::set<std::string> anchors;
  for (std::size_t at = page.find('<'); at != std::string::npos; at = page.find('<', at + 1)) {
    const std::size_t end = page.find('>', at);
    ASSERT_NE(end, std::string::npos);
    const std::string tag = page.substr(at + 1, end - at - 1);
    const std::string name = tag.substr(0, tag.find_first_of(" /", 1));
    if (const std::size_t id = tag.find(" id=\""); id != std::string::npos) {
      const std::string value = tag.substr(id + 5, tag.find('"', id + 5) - id - 5);
      EXPECT_TRUE(anchors.insert(value).second) << value;
    }
    if (name == "meta" || name.starts_with('!')) continue;
    if (!tag.starts_with('/')) {
      open.push_back(name);
    } else {
      ASSERT_FALSE(open.empty()) << tag;
      EXPECT_EQ(open.back(), tag.substr(1));
      open.pop_back();
    }
  }
  EXPECT_TRUE(open.empty());
  for (std::size_t at = page.find("href=\"#"); at != std::string::npos;
       at = page.find("href=\"#", at + 1)) {
    const std::string wanted = page.substr(at + 7, page.find('"', at + 7) - at - 7);
    EXPECT_TRUE(anchors.contains(wanted)) << wanted;
  }
  for (const char* anchor : {"finding-1", "silenced-1", "cost", "disk", "way-back"})
    EXPECT_TRUE(anchors.contains(anchor)) << anchor;
}

}  // namespace
}  // namespace plan::diff
