#include "compiler/ir/plan_file.h"

#include <gtest/gtest.h>

#include <set>

#include "compiler/ir/errors.h"
#include "compiler/ir/json.h"
#include "tests/support/repository.h"
#include "tests/support/shared_data.h"
#include "tests/support/told_error.h"

namespace plan::ir {
namespace {

SavedPlan small_plan() {
  SavedPlan plan;
  plan.plan_name = "example.org to Stalwart";
  plan.made_at = "2026-08-14T09:12:00Z";
  plan.plan_digest = "aa";
  plan.lock_digest = "bb";
  plan.schema_digest = "cc";
  plan.sources = {{"migration.yaml", "plan: 1\n"}};
  plan.notes = {"one note"};
  plan.made_by = "plan 0.1.0";
  StepShape shape;
  shape.kind = StepKind::admin_account;
  shape.stage = Stage::waves;
  shape.id_pattern = "account/{}/create";
  shape.arguments = Value::map({{"account", OutputRef{"$row", "account"}},
                                {"password", SecretRef{"source", "alice@example.org"}}});
  const RowId row =
      plan.graph.add_row("alice@example.org", Value::map({{"account", "alice@example.org"}}), {});
  (void)plan.graph.add_step(plan.graph.add_shape(std::move(shape)), row, WaveId::none);
  EXPECT_FALSE(plan.graph.freeze());
  Observation seen;
  seen.standing = Standing::differs;
  seen.differences = {{"aliases[0]", Value(), "info@example.org"}};
  seen.fingerprint = Value::map({{"version", "0.16.15"}});
  seen.prior = "the prior state is the journal's, not the plan's";
  seen.bytes = 12;
  plan.observations.put(0, seen);
  return plan;
}

TEST(SavedPlanFile, ReadsWhatItWrites) {
  std::string digest;
  const std::string text = write_saved_plan(small_plan(), &digest);
  EXPECT_TRUE(is_saved_plan(text));
  std::string read_digest;
  const auto plan = read_saved_plan(text, &read_digest);
  ASSERT_TRUE(plan) << plan.error().to_line();
  EXPECT_EQ(read_digest, digest);
  EXPECT_EQ(plan->graph.id(StepId{0}), "account/alice@example.org/create");
  EXPECT_EQ(plan->graph.digest(StepId{0}), small_plan().graph.digest(StepId{0}));
  EXPECT_EQ(plan->graph.arguments(StepId{0})["password"],
            Value(SecretRef{"source", "alice@example.org"}));
  EXPECT_EQ(plan->sources, small_plan().sources);
  EXPECT_EQ(plan->made_by, "plan 0.1.0");
  EXPECT_EQ(plan->observations.find(0)->standing, Standing::differs);
  EXPECT_EQ(plan->observations.find(0)->bytes, 12U);
  EXPECT_FALSE(plan->observations.find(0)->messages) << "not measured stays not measured";
  EXPECT_EQ(fingerprint_of(*plan->observations.find(0)),
            fingerprint_of(*small_plan().observations.find(0)));
}

TEST(SavedPlanFile, IsTheSameForTheSameReview) {
  std::string one;
  std::string two;
  EXPECT_EQ(write_saved_plan(small_plan(), &one), write_saved_plan(small_plan(), &two));
  EXPECT_EQ(one, two);
}

TEST(SavedPlanFile, HoldsNoPriorState) {
  std::string digest;
  EXPECT_EQ(write_saved_plan(small_plan(), &digest).find("the prior state"), std::string::npos);
}

TEST(SavedPlanFile, EveryChangedByteAndEveryTruncationIsRefused) {
  std::string digest;
  const std::string text = write_saved_plan(small_plan(), &digest);
  for (std::size_t at = 0; at < text.size(); ++at) {
    std::string changed = text;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    EXPECT_FALSE(read_saved_plan(changed, &digest)) << at;
    EXPECT_FALSE(read_saved_plan(text.substr(0, at), &digest)) << at;
  }
  EXPECT_FALSE(read_saved_plan(text + " ", &digest));
}

TEST(SavedPlanFile, RefusesOtherFilesAndOtherVersions) {
  std::string digest;
  const auto yaml = read_saved_plan("plan: 1\n", &digest);
  ASSERT_FALSE(yaml);
  EXPECT_TRUE(test::told_as("bad-saved-plan", yaml.error()));
  const auto later = read_saved_plan("plan-saved 2 " + std::string(64, '0') + "\n{}", &digest);
  ASSERT_FALSE(later);
  EXPECT_EQ(later.error().message(),
            "saved by another version of plan: its format is `2`, this one reads `1`");
}

TEST(SavedPlanFile, ADocumentWithTheRightDigestIsStillChecked) {
  const auto read = [](const std::string& body) {
    std::string digest;
    return read_saved_plan("plan-saved 1 " + sha256(body).hex() + "\n" + body, &digest);
  };
  EXPECT_FALSE(read("[]"));
  EXPECT_FALSE(read("{}"));
  EXPECT_FALSE(read(R"({"graph":{"steps":[[9,9,9]]}})"));
  EXPECT_FALSE(read(std::string(100'000, '[')));
  std::string digest;
  const std::string good = write_saved_plan(small_plan(), &digest);
  std::string body = good.substr(good.find('\n') + 1);
  const std::size_t at = body.find("\"observations\":{\"0\"");
  ASSERT_NE(at, std::string::npos);
  body.replace(at, 19, "\"observations\":{\"1\"");
  const auto elsewhere = read(body);
  ASSERT_FALSE(elsewhere);
  EXPECT_EQ(elsewhere.error().message(), "`observations.1` is of a step that is not there");
}

TEST(SavedPlanFile, IsReadInOneSpellingOnly) {
  std::string digest;
  const std::string good = write_saved_plan(small_plan(), &digest);
  const std::string body = good.substr(good.find('\n') + 1);
  const auto message_of = [&](const std::string& other) {
    const auto plan =
        read_saved_plan("plan-saved 1 " + sha256(other).hex() + "\n" + other, &digest);
    return plan ? std::string("read") : plan.error().message();
  };
  const auto with = [&](std::string_view was, std::string_view is) {
    std::string other = body;
    const std::size_t at = other.find(was);
    EXPECT_NE(at, std::string::npos) << was;
    return other.replace(at, was.size(), is);
  };
  ASSERT_EQ(message_of(body), "read");
  const std::string spelled = "plan did not write it: its JSON is spelled in another way, at byte ";
  for (const std::string& other :
       {with(",", ", "), with("\"bytes\":12", "\"bytes\":12.0"), with("Stalwart", "\\u0053talwart"),
        with("one note", "one\\u0020note"),
        with("\"duration_ms\":null,\"fingerprint\":{\"version\":\"0.16.15\"}",
             "\"fingerprint\":{\"version\":\"0.16.15\"},\"duration_ms\":null"),
        with("\"disks\":[],\"findings\":[]", "\"findings\":[],\"disks\":[]"),
        with("\"account\":{\"$output\":{\"field\":\"account\",\"step\":\"$row\"}}",
             "\"account\":{\"$output\":{\"step\":\"$row\",\"field\":\"account\"}}"),
        with("\"provider\":\"source\"", "\"provider\":\"source\",\"value\":\"hunter2\""),
        " " + body, body + "\n"}) {
    EXPECT_EQ(message_of(other).substr(0, spelled.size()), spelled) << other;
  }
  EXPECT_EQ(message_of(with(",", ", ")).substr(spelled.size(), 2), "12") << body;
  EXPECT_EQ(message_of(body.substr(0, body.size() - 1)), "the end of its last line is missing");
  EXPECT_EQ(message_of(with("\"plan\":", "\"oracle\":1,\"plan\":")),
            "it has `oracle`, which this version of plan does not know");
}

TEST(SavedPlanFile, AMemberThatIsMissingIsNamed) {
  std::string digest;
  const std::string good = write_saved_plan(small_plan(), &digest);
  const auto document = read_canonical(good.substr(good.find('\n') + 1), JsonLimits{});
  ASSERT_TRUE(document) << document.error().to_line();
  const auto read_with = [&](std::string_view name, const Value* instead) {
    Map members;
    for (const auto& [member, value] : document->members()) {
      if (member != name) members.set(member, value);
    }
    if (instead != nullptr) members.set(std::string(name), *instead);
    const std::string body = canonical_json(Value(std::move(members))) + "\n";
    return read_saved_plan("plan-saved 1 " + sha256(body).hex() + "\n" + body, &digest);
  };
  ASSERT_TRUE(read_with("plan", &(*document)["plan"])) << "the same members are the same plan";
  for (const std::string name :
       {"plan", "made_at", "graph", "plan_digest", "lock_digest", "schema_digest", "sources",
        "observations", "findings", "disks", "made_from", "schema_parts", "notes"}) {
    const Value number = 3;
    for (const Value* instead : {static_cast<const Value*>(nullptr), &number}) {
      const auto plan = read_with(name, instead);
      ASSERT_FALSE(plan) << name;
      EXPECT_TRUE(plan.error().is(errors::bad_saved_plan)) << name;
      EXPECT_NE(plan.error().message().find("`" + name + "`"), std::string::npos)
          << plan.error().message();
    }
  }
}

/// A plan with two accounts in a wave, whose second step runs behind the first and softly behind
/// the third.
SavedPlan plan_with_wave() {
  SavedPlan plan = small_plan();
  plan.graph = StepGraph();
  StepShape shape;
  shape.kind = StepKind::admin_account;
  shape.stage = Stage::waves;
  shape.id_pattern = "account/{}/create";
  shape.arguments = Value::map();
  const std::uint32_t create = plan.graph.add_shape(shape);
  shape.id_pattern = "account/{}/again";
  const std::uint32_t again = plan.graph.add_shape(shape);
  const WaveId wave = plan.graph.add_wave({.name = "canary",
                                           .parallel = 2,
                                           .stop_after_failed = 3,
                                           .stop_hold_ms = 10'000,
                                           .client_bytes_per_s = 4'096,
                                           .client_within_ms = 60'000});
  const RowId alice = plan.graph.add_row("alice@example.org", Value::map(), {});
  const RowId bob = plan.graph.add_row("bob@example.org", Value::map(), {});
  const StepId first = plan.graph.add_step(create, alice, wave);
  const StepId second = plan.graph.add_step(again, alice, wave);
  const StepId third = plan.graph.add_step(create, bob, wave);
  plan.graph.add_edge(first, second);
  plan.graph.add_soft_edge(third, second);
  EXPECT_FALSE(plan.graph.freeze());
  plan.findings = {{"quota-too-small", "warning", "too small", "migration.yaml:3:1", {}, {}}};
  plan.disks = {{"source", 12U, "statvfs", "2026-08-14T09:12:00Z", {}, {}}};
  return plan;
}

/// What the reader says of the plan with `was` in its text replaced by `is`, under its right
/// digest.
std::string said_with(std::string_view was, std::string_view is) {
  std::string digest;
  const std::string good = write_saved_plan(plan_with_wave(), &digest);
  std::string body = good.substr(good.find('\n') + 1);
  const std::size_t at = body.find(was);
  EXPECT_NE(at, std::string::npos) << was << " in " << body;
  if (at != std::string::npos) body.replace(at, was.size(), is);
  const auto plan = read_saved_plan("plan-saved 1 " + sha256(body).hex() + "\n" + body, &digest);
  if (plan) return "read";
  EXPECT_TRUE(plan.error().is(errors::bad_saved_plan)) << plan.error().to_line();
  return plan.error().message();
}

TEST(SavedPlanFile, WhatPlanDoesNotWriteIsRefusedWithItsPlace) {
  struct Case {
    std::string_view was;
    std::string_view is;
    std::string_view said;
  };
  const Case cases[] = {
      {"one note", "two notes", "read"},
      {R"("parallel":2)", R"("parallel":-1)",
       "`graph.waves[0].parallel` is -1, and has to be a whole number from 1 to 1,000,000"},
      {R"("parallel":2)", R"("parallel":0)",
       "`graph.waves[0].parallel` is 0, and has to be a whole number from 1 to 1,000,000"},
      {R"("parallel":2)", R"("parallel":1000001)",
       "`graph.waves[0].parallel` is 1000001, and has to be a whole number from 1 to 1,000,000"},
      {R"("stop_after_failed":3)", R"("stop_after_failed":"3")",
       "`graph.waves[0].stop_after_failed` is the text \"3\", and has to be a whole number from 0 "
       "to 1,000,000"},
      {R"("stop_failed_permille":0)", R"("stop_failed_permille":1001)",
       "`graph.waves[0].stop_failed_permille` is 1001, and has to be a whole number from 0 to "
       "1,000"},
      {R"("stop_hold_ms":10000)", R"("stop_hold_ms":-1)",
       "`graph.waves[0].stop_hold_ms` is -1, and has to be a whole number from 0"},
      {R"(,"stop_hold_ms":10000)", "", "`graph.waves[0].stop_hold_ms` is missing"},
      {R"("approval":false)", R"("approval":0)",
       "`graph.waves[0].approval` is 0, and has to be true or false"},
      {R"("client_bytes_per_s":4096)", R"("client_bytes_per_s":0)",
       "`graph.waves[0].client_bytes_per_s` is 0, and has to be a whole number from 1"},
      {R"("client_bytes_per_s":4096,)", "",
       "`graph.waves[0].client_within_ms` is there, which plan does not write"},
      {R"("name":"canary","origin":[0,0,0])", R"("name":"canary","origin":[0,0,0,7])",
       "`graph.waves[0].origin` is a list of 4, and has to be a list of 3"},
      {R"(["alice@example.org",{},[0,0,0]])", R"(["alice@example.org",{},[0,0,0],1])",
       "`graph.rows[0]` is a list of 4, and has to be a list of 3"},
      {R"(["alice@example.org",{},[0,0,0]])", R"(["alice@example.org",{},[0,-1,0]])",
       "`graph.rows[0][2][1]` is -1, and has to be a whole number from 0 to 4,294,967,295"},
      {R"("role":0)", R"("role":3)",
       "`graph.shapes[0].role` is 3, and has to be a whole number from 0 to 2"},
      {R"("stage":"waves")", R"("stage":"later")",
       "`graph.shapes[0].stage` is the text \"later\", and has to be a stage"},
      {R"([1,1,1,[0],[2]])", R"([1,1,1,[0,0],[2]])",
       "`graph.steps[1][3][1]` is 0, and has to be larger than the one before it"},
      {R"([1,1,1,[0],[2]])", R"([1,1,1,[0],[0,2]])",
       "`graph.steps[1][4][0]` is 0, and has to be a step that it does not need as well"},
      {R"([1,1,1,[0],[2]])", R"([1,1,1,[0],[]])",
       "`graph.steps[1][4]` is a list of 0, and has to be a list that is not empty"},
      {R"([1,1,1,[0],[2]])", R"([1,1,1,[3],[2]])",
       "`graph.steps[1][3][0]` is 3, and has to be the number of a step that is there"},
      {R"([1,1,1,[0],[2]])", R"([1,1,1,[0],[2],0])",
       "`graph.steps[1]` is a list of 6, and has to be a list of 4 to 5"},
      {R"([1,1,1,[0],[2]])", R"([2,1,1,[0],[2]])",
       "`graph.steps[1][0]` is 2, and has to be the number of a shape"},
      {R"([1,1,1,[0],[2]])", R"([1,3,1,[0],[2]])",
       "`graph.steps[1][1]` is 3, and has to be 0 or the number of a row, from 1"},
      {R"("observations":{"0")", R"("observations":{"00")",
       "`observations.00` is of a step that is not there"},
      {R"("fingerprint":{"version":"0.16.15"},)", "", "`observations.0.fingerprint` is missing"},
      {R"("standing":2)", R"("standing":4)",
       "`observations.0.standing` is 4, and has to be a whole number from 0 to 3"},
      {R"("bytes":12,)", R"("bytes":-1,)",
       "`observations.0.bytes` is -1, and has to be a whole number from 0, or null"},
      {R"("standing":2)", R"("standing":2,"unseen":false)",
       "`observations.0.unseen` is false, and has to be true"},
      {R"("migration.yaml:3:1","",""])", R"("migration.yaml:3:1",""])",
       "`findings[0]` is a list of 5, and has to be a list of 6"},
      {R"("source",12,)", R"("source","12",)",
       "`disks[0][1]` is the text \"12\", and has to be a whole number from 0, or null"},
      {R"(["migration.yaml","plan: 1\n"])", R"(["migration.yaml","plan: 1\n",""])",
       "`sources[0]` is a list of 3, and has to be a list of 2"},
      {R"("notes":["one note"])", R"("notes":[1])", "`notes[0]` is 1, and has to be a text"},
      {R"("made_by":"plan 0.1.0")", R"("made_by":"")",
       "`made_by` is the text \"\", and has to be a text that is not empty"},
      {R"("made_at":"2026-08-14T09:12:00Z")", R"("made_at":"yesterday")",
       "`made_at` is the text \"yesterday\", and has to be a moment like 2026-08-14T09:12:00Z"},
      {R"("made_at":"2026-08-14T09:12:00Z")", R"("made_at":"2026-13-14T09:12:00Z")",
       "`made_at` is the text \"2026-13-14T09:12:00Z\", and has to be a moment like "
       "2026-08-14T09:12:00Z"},
      {R"("schema_parts":null)", R"("schema_parts":7)",
       "it is damaged: `schema_parts` is missing or something else"}};
  for (const Case& one : cases) EXPECT_EQ(said_with(one.was, one.is), one.said) << one.is;
}

/// Names of members of the object `value`, and of those in its lists.
void members_of(const Value& value, std::set<std::string>& names) {
  for (const Value& item : value.items()) members_of(item, names);
  for (const auto& [name, unused] : value.members()) names.insert(name);
}

TEST(SavedPlanFile, EveryMemberIsInThePageOfTheFormat) {
  SavedPlan plan = plan_with_wave();
  Observation& seen = plan.observations[0];
  seen.beside = seen.not_carried = {{"calendars", 2}};
  seen.duration_basis = "measured";
  seen.is_unseen = true;
  std::string digest;
  const std::string text = write_saved_plan(plan, &digest);
  const auto document = read_canonical(text.substr(text.find('\n') + 1));
  ASSERT_TRUE(document) << document.error().to_line();
  std::set<std::string> names;
  const Value& graph = (*document)["graph"];
  for (const Value* part : {&*document, &graph, &graph["shapes"], &graph["rows"], &graph["waves"],
                            &graph["steps"], &(*document)["observations"]["0"]})
    members_of(*part, names);
  EXPECT_GT(names.size(), 40U);
  const std::string page = test::read_all(test::repository() / "docs/formats/saved-plan.md");
  for (const std::string& name : names)
    EXPECT_NE(page.find("`" + name + "`"), std::string::npos) << name;
  EXPECT_NE(page.find("`plan-saved 1 DIGEST`"), std::string::npos);
}

TEST(SavedPlanFile, NotesAreBounded) {
  const std::string most(kNotesBytesMax - 1, 'x');
  EXPECT_EQ(said_with("one note", most), "read");
  const std::string words = "`notes` is a list of 1, and has to be at most 1.0 MiB of text";
  EXPECT_EQ(said_with("one note", most + "x"), words);
  std::string many = "\"\"";
  for (std::size_t i = 0; i < kNotesBytesMax; ++i) many += ",\"\"";
  EXPECT_EQ(said_with("\"one note\"", many),
            "`notes` is a list of 1,048,577, and has to be at most 1.0 MiB of text");
}

}  // namespace
}  // namespace plan::ir
