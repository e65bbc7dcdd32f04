// What `plan apply` says of a saved plan when the world is not any more as it was reviewed.
#include "runtime/command/review.h"

#include <gtest/gtest.h>

#include "compiler/ir/digest.h"
#include "compiler/schema_drift.h"
#include "tests/support/repository.h"
#include "tests/support/shared_data.h"

namespace plan::command {
namespace {

using ir::Value;

/// A graph of two steps that write objects of the target.
Review reviewed() {
  Review review;
  review.saved.made_at = "2026-08-14T09:12:00Z";
  const auto add = [&](const char* id, Value arguments) {
    ir::StepShape shape;
    shape.kind = ir::StepKind::admin_upsert;
    shape.id_pattern = id;
    shape.arguments = std::move(arguments);
    (void)review.saved.graph.add_step(review.saved.graph.add_shape(std::move(shape)),
                                      ir::RowId::none, ir::WaveId::none);
  };
  add("target/domain/a.test", Value::map({{"object", "x:Domain"},
                                          {"match", Value::map({{"name", "a.test"}})},
                                          {"set", Value::map({{"allowRelaying", true}})}}));
  add("target/route",
      Value::map(
          {{"object", "x:MtaRoute"},
           {"match", Value::map({{"name", "old"}})},
           {"set", Value::map({{"@type", "Relay"}, {"address", "192.0.2.1"}, {"port", 25}})}}));
  EXPECT_FALSE(review.saved.graph.freeze());
  for (std::uint32_t step = 0; step < 2; ++step) {
    ir::Observation& seen = review.saved.observations[step];
    seen.standing = ir::Standing::differs;
    seen.fingerprint = Value::map({{"exists", true}, {"values", Value::map({{"port", 25}})}});
  }
  return review;
}

Observations seen_again(const Review& review) {
  Observations now;
  now.by_step = review.saved.observations;
  return now;
}

TEST(ReviewDrift, TheSameWorldHasNotDrifted) {
  const Review review = reviewed();
  std::size_t steps = 7;
  EXPECT_TRUE(drift_since(review, seen_again(review), &steps).empty());
  EXPECT_EQ(steps, 0U);
}

TEST(ReviewDrift, NamesTheObjectAndItsMemberAndWhatItWas) {
  const Review review = reviewed();
  Observations now = seen_again(review);
  now.by_step[1].fingerprint =
      Value::map({{"exists", true}, {"values", Value::map({{"port", 26}, {"tls", true}})}});
  std::size_t steps = 0;
  const auto lines = drift_since(review, now, &steps);
  EXPECT_EQ(steps, 1U);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0], "target/route: values.port was 25, is 26");
  EXPECT_EQ(lines[1], "target/route: values.tls was (none), is true");
}

TEST(ReviewDrift, WhatCannotBeSeenAnyMoreMayHaveChanged) {
  const Review review = reviewed();
  Observations now = seen_again(review);
  now.by_step[0] = {};
  now.by_step[0].is_unseen = true;
  now.by_step[0].remark = "connection-refused";
  std::size_t steps = 0;
  const auto lines = drift_since(review, now, &steps);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(steps, 1U);
  EXPECT_EQ(lines[0], "target/domain/a.test: could not be looked at: connection-refused");
}

TEST(ReviewDrift, WhatWasNotSeenAtTheReviewIsNotCompared) {
  Review review = reviewed();
  review.saved.observations[0] = {};
  Observations now = seen_again(reviewed());
  now.by_step[0].fingerprint = "anything";
  std::size_t steps = 0;
  EXPECT_TRUE(drift_since(review, now, &steps).empty());
}

TEST(ReviewDrift, AnotherLockIsSaidLineByLine) {
  Review review = reviewed();
  const std::string was = "plan-lock 1 x\naccount a@x.test\naccount b@x.test\ndigest 1\n";
  review.saved.lock_digest = ir::sha256(was).hex();
  review.saved.sources = {{"migration.yaml", "plan: 1\n"}, {"migration.lock", was}};
  EXPECT_TRUE(lock_drift(review.saved, was).empty());
  ir::SavedPlan without;
  EXPECT_EQ(lock_drift(without, was).size(), 1U) << "reviewed without a lock, and there is one";
  const auto lines =
      lock_drift(review.saved, "plan-lock 1 x\naccount a@x.test\naccount c@x.test\ndigest 2\n");
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[1], "migration.lock had: account b@x.test");
  EXPECT_EQ(lines[2], "migration.lock has: account c@x.test");
  review.saved.sources.clear();
  EXPECT_EQ(lock_drift(review.saved, "other").size(), 1U) << "what it was is not known: still said";
}

/// The schema that the repository has, with another bound of one property.
std::string document(const char* port) {
  std::string text =
      test::read_all(test::repository() / "runtime/rehearsal/schema/stalwart-0.16.json");
  const std::string is = "\"port\":\"number:unsignedInteger[1..65535]\"";
  std::size_t count = 0;
  for (std::size_t at = text.find(is); at != std::string::npos; at = text.find(is, at + 1)) {
    text.replace(at, is.size(), std::string("\"port\":\"") + port + "\"");
    ++count;
  }
  EXPECT_GT(count, 0U);
  return text;
}

TEST(ReviewDrift, TheSchemaOfTodayIsComparedWithThePartsInTheSavedPlan) {
  Review review = reviewed();
  const std::string was = document("number:unsignedInteger[1..65535]");
  const auto schema = schema::Schema::read(was);
  ASSERT_TRUE(schema);
  review.saved.schema_digest = ir::sha256(was).hex();
  EXPECT_EQ(types_written(review.saved.graph), (std::vector<std::string>{"Domain", "MtaRoute"}));
  review.saved.schema_parts = schema->facts_of(types_written(review.saved.graph));
  // What is saved is read again as it was.
  std::string digest;
  const std::string text = ir::write_saved_plan(review.saved, &digest);
  auto read = ir::read_saved_plan(text, &digest);
  ASSERT_TRUE(read) << read.error().to_line();
  EXPECT_LT(text.size(), was.size() / 2) << "only the parts that are needed";

  EXPECT_TRUE(schema_change(*read, was).drift.empty());
  EXPECT_TRUE(schema_change(*read, was).remarks.empty());
  const SchemaChange touched = schema_change(*read, document("number:unsignedInteger[1..60000]"));
  ASSERT_EQ(touched.drift.size(), 2U);
  EXPECT_NE(touched.drift[1].find("MtaRoute (step `target/route`): `port` was"), std::string::npos)
      << touched.drift[1];
  const SchemaChange untouched = schema_change(*read, was + "\n");
  EXPECT_TRUE(untouched.drift.empty()) << untouched.drift.front();
  EXPECT_EQ(untouched.remarks.size(), 1U);
  read->schema_parts = {};
  EXPECT_EQ(schema_change(*read, was + "\n").drift.size(), 1U) << "not known is no pass";
}

}  // namespace
}  // namespace plan::command
