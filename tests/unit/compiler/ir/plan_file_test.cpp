#include "compiler/ir/plan_file.h"

#include <gtest/gtest.h>

#include "compiler/ir/errors.h"
#include "compiler/ir/json.h"

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
  plan.observations.emplace(0U, seen);
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
  EXPECT_EQ(plan->observations.at(0).standing, Standing::differs);
  EXPECT_EQ(plan->observations.at(0).bytes, 12U);
  EXPECT_FALSE(plan->observations.at(0).messages) << "not measured stays not measured";
  EXPECT_EQ(fingerprint_of(plan->observations.at(0)),
            fingerprint_of(small_plan().observations.at(0)));
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
  EXPECT_TRUE(yaml.error().is(errors::bad_saved_plan));
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
  EXPECT_EQ(elsewhere.error().message(), "an observation of a step that is not there");
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
        "observations", "findings", "disks", "made_from", "notes"}) {
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

}  // namespace
}  // namespace plan::ir
