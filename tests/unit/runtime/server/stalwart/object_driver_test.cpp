#include "runtime/net/errors.h"
#include "runtime/net/jmap/errors.h"
#include "runtime/server/stalwart/errors.h"
#include "runtime/step/errors.h"
#include "tests/support/told_error.h"
#include "tests/unit/runtime/server/stalwart/driver_bench.h"

namespace plan::server::stalwart {
namespace {

using ir::Standing;
using ir::StepKind;
using ir::Value;

class ObjectDriver : public DriverBench {
 protected:
  static Step upsert_domain() {
    return Step{.kind = StepKind::admin_upsert,
                .arguments = Value::map({{"object", "Domain"},
                                         {"match", Value::map({{"name", "example.org"}})},
                                         {"set", Value::map({{"allowRelaying", true}})}})};
  }
};

TEST_F(ObjectDriver, creates_what_is_absent_and_is_satisfied_afterwards) {
  Step step = upsert_domain();
  const auto before = observe(step);
  ASSERT_TRUE(before);
  EXPECT_EQ(before->standing, Standing::absent);
  const auto outputs = run(step);
  ASSERT_TRUE(outputs) << outputs.error().to_line();
  const Value made = registry->object("Domain", "name", "example.org");
  EXPECT_EQ((*outputs)["id"], made["id"]);
  EXPECT_EQ(made["allowRelaying"], Value(true));
  const auto after = observe(step);
  ASSERT_TRUE(after);
  EXPECT_EQ(after->standing, Standing::satisfied);
}

TEST_F(ObjectDriver, changes_only_what_differs_and_says_so_in_the_diff) {
  registry->put(
      "Domain",
      Value::map({{"name", "example.org"}, {"allowRelaying", false}, {"description", "ours"}}));
  Step step = upsert_domain();
  const auto seen = observe(step);
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->standing, Standing::differs);
  ASSERT_EQ(seen->differences.size(), 1U);
  EXPECT_EQ(seen->differences[0].path, "allowRelaying");
  EXPECT_EQ(seen->differences[0].is, Value(false));
  EXPECT_OK(run(step));
  EXPECT_EQ(registry->object("Domain", "name", "example.org")["description"], Value("ours"));
  EXPECT_EQ(registry->count("x:Domain/set"), 1);
}

TEST_F(ObjectDriver, a_satisfied_step_sends_nothing_when_it_is_applied_again) {
  Step step = upsert_domain();
  EXPECT_OK(run(step));
  const int before = registry->writes();
  EXPECT_OK(apply(step));
  EXPECT_EQ(registry->writes(), before);
}

TEST_F(ObjectDriver, a_lost_reply_is_unknown_and_looking_again_resolves_it) {
  Step step = upsert_domain();
  registry->lose_reply_of = "Domain";
  const auto outputs = run(step);
  ASSERT_FALSE(outputs);
  EXPECT_EQ(outputs.error().effect(), Effect::unknown);
  const auto seen = observe(step);
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->standing, Standing::satisfied);
  EXPECT_OK(apply(step));
  EXPECT_EQ(registry->objects("Domain").size(), 1U);
}

TEST_F(ObjectDriver, a_method_error_after_the_effect_is_followed_by_reading_back) {
  Step step = upsert_domain();
  registry->method_error_after = {"Domain", "serverUnavailable"};
  const auto outputs = run(step);
  ASSERT_TRUE(outputs) << outputs.error().to_line();
  EXPECT_EQ(registry->objects("Domain").size(), 1U);
}

TEST_F(ObjectDriver, undo_of_a_create_destroys_it_and_may_be_repeated) {
  Step step = upsert_domain();
  EXPECT_OK(run(step));
  EXPECT_OK(undo(step));
  EXPECT_TRUE(registry->objects("Domain").empty());
  EXPECT_OK(undo(step));
}

TEST_F(ObjectDriver, undo_restores_the_values_from_before) {
  registry->put(
      "Domain",
      Value::map({{"name", "example.org"}, {"allowRelaying", false}, {"description", "ours"}}));
  Step step = upsert_domain();
  EXPECT_OK(run(step));
  EXPECT_OK(undo(step));
  EXPECT_EQ(registry->object("Domain", "name", "example.org")["allowRelaying"], Value(false));
}

TEST_F(ObjectDriver, undo_refuses_when_somebody_else_changed_it) {
  const std::string id =
      registry->put("MtaRoute", Value::map({{"name", "source"}, {"@type", "Relay"}, {"port", 24}}));
  Step step{.kind = StepKind::admin_upsert,
            .arguments = Value::map({{"object", "MtaRoute"},
                                     {"match", Value::map({{"name", "source"}})},
                                     {"set", Value::map({{"@type", "Relay"}, {"port", 25}})}})};
  EXPECT_OK(run(step));
  registry->change("MtaRoute", id, "port", 2525);
  const Outcome undone = undo(step);
  ASSERT_FALSE(undone);
  EXPECT_TRUE(test::told_as("changed-since", undone.error()));
  EXPECT_EQ(registry->object("MtaRoute", "name", "source")["port"], Value(2525));
}

TEST_F(ObjectDriver, a_look_afterwards_says_what_is_not_as_wanted) {
  Step step = upsert_domain();
  EXPECT_OK(run(step));
  const Value made = registry->object("Domain", "name", "example.org");
  registry->change("Domain", made["id"].as_string(), "allowRelaying", false);
  const Outcome verified = verify(step);
  ASSERT_FALSE(verified);
  EXPECT_TRUE(test::told_as("not-as-wanted", verified.error()));
}

TEST_F(ObjectDriver, undo_makes_live_what_it_restored) {
  registry->put_singleton(
      "MtaStageData",
      Value::map({{"maxMessages", Value::map({{"match", Value::map()}, {"else", "10"}})}}));
  Step step{.kind = StepKind::admin_update,
            .arguments = Value::map(
                {{"object", "MtaStageData"},
                 {"set", Value::map({{"maxMessages", Value::map({{"else", "1000"}})}})}})};
  EXPECT_OK(run(step));
  EXPECT_EQ(registry->object("MtaStageData", "id", "singleton")["maxMessages"]["else"],
            Value("1000"));
  EXPECT_OK(undo(step));
  EXPECT_EQ(registry->object("MtaStageData", "id", "singleton")["maxMessages"]["else"],
            Value("10"));
  EXPECT_EQ(registry->count("ReloadSettings"), 1);
}

TEST_F(ObjectDriver, undo_gets_past_an_object_that_stops_every_reload) {
  registry->put_singleton("SpamPyzor", Value::map({{"enable", true}}));
  registry->put_singleton(
      "MtaStageData",
      Value::map({{"maxMessages", Value::map({{"match", Value::map()}, {"else", "10"}})}}));
  registry->pyzor_stops_reloads = true;
  Step step{.kind = StepKind::admin_update,
            .arguments = Value::map(
                {{"object", "MtaStageData"},
                 {"set", Value::map({{"maxMessages", Value::map({{"else", "1000"}})}})}})};
  EXPECT_OK(run(step));
  EXPECT_OK(undo(step));
  EXPECT_EQ(registry->object("MtaStageData", "id", "singleton")["maxMessages"]["else"],
            Value("10"));
  EXPECT_EQ(registry->object("SpamPyzor", "id", "singleton")["enable"], Value(true)) << "as it was";
  EXPECT_EQ(registry->count("ReloadSettings"), 2);
  EXPECT_OK(undo(step));
}

TEST_F(ObjectDriver, an_expression_without_match_clears_the_old_match) {
  registry->put_singleton(
      "MtaOutboundStrategy",
      Value::map(
          {{"route",
            Value::map({{"match", Value::map({{"0", Value::map({{"if", "a"}, {"then", "b"}})}})},
                        {"else", "'mx'"}})}}));
  Step step{
      .kind = StepKind::admin_update,
      .arguments = Value::map({{"object", "MtaOutboundStrategy"},
                               {"set", Value::map({{"route", Value::map({{"else", "'mx'"}})}})}})};
  const auto seen = observe(step);
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->standing, Standing::differs) << "the real server would keep the old match";
  EXPECT_OK(run(step));
  EXPECT_EQ(registry->object("MtaOutboundStrategy", "id", "singleton")["route"]["match"].size(),
            0U);
}

TEST_F(ObjectDriver, two_objects_that_fit_are_ambiguous) {
  registry->put("Role", Value::map({{"description", "desk"}}));
  registry->put("Role", Value::map({{"description", "desk"}}));
  Step step{.kind = StepKind::admin_upsert,
            .arguments = Value::map({{"object", "Role"},
                                     {"match", Value::map({{"description", "desk"}})},
                                     {"set", Value::map()}})};
  const auto seen = observe(step);
  ASSERT_FALSE(seen);
  EXPECT_TRUE(test::told_as("several-matches", seen.error()));
}

TEST_F(ObjectDriver, a_match_beyond_the_first_page_is_found) {
  registry->objects_in_get = 7;
  for (int i = 0; i < 40; ++i)
    registry->put("AllowedIp", Value::map({{"address", fmt::format("192.0.2.{}", i)}}));
  Step step{.kind = StepKind::admin_upsert,
            .arguments = Value::map({{"object", "AllowedIp"},
                                     {"match", Value::map({{"address", "192.0.2.39/32"}})},
                                     {"set", Value::map()}})};
  const auto seen = observe(step);
  ASSERT_TRUE(seen) << seen.error().to_line();
  EXPECT_EQ(seen->standing, Standing::satisfied);
}

TEST_F(ObjectDriver, a_refused_member_points_at_its_argument) {
  Step step{.kind = StepKind::admin_update,
            .arguments = Value::map({{"object", "Domain"},
                                     {"match", Value::map({{"name", "example.org"}})},
                                     {"set", Value::map({{"id", "x"}})}})};
  registry->put("Domain", Value::map({{"name", "example.org"}}));
  const auto outputs = apply(step);
  ASSERT_FALSE(outputs);
  EXPECT_TRUE(outputs.error().is(net::jmap::errors::object_refused)) << outputs.error().to_line();
  EXPECT_EQ(outputs.error().argument(), "set.id");
}

TEST_F(ObjectDriver, an_output_of_a_step_that_has_not_run_cannot_be_compared) {
  Step step = upsert_domain();
  step.arguments.set("set",
                     Value::map({{"directoryId", ir::OutputRef{.step = "dir", .field = "id"}}}));
  const auto seen = observe(step);
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->standing, Standing::unknowable);
}

TEST_F(ObjectDriver, destroy_keeps_what_it_destroys_and_undo_brings_it_back) {
  registry->put("MtaInboundThrottle", Value::map({{"description", "Sender IP"},
                                                  {"enable", true},
                                                  {"createdAt", "2026-01-01T00:00:00Z"}}));
  Step step{.kind = StepKind::admin_destroy,
            .arguments = Value::map({{"object", "MtaInboundThrottle"},
                                     {"match", Value::map({{"description", "Sender IP"}})}})};
  EXPECT_OK(run(step));
  EXPECT_TRUE(registry->objects("MtaInboundThrottle").empty());
  EXPECT_OK(apply(step));
  EXPECT_OK(undo(step));
  const Value back = registry->object("MtaInboundThrottle", "description", "Sender IP");
  EXPECT_EQ(back["enable"], Value(true));
  EXPECT_TRUE(back["createdAt"].is_null()) << "what only the server sets is not sent";
  EXPECT_EQ(registry->count("ReloadSettings"), 1) << "no later step of a rollback makes it live";
}

TEST_F(ObjectDriver, what_was_put_back_is_made_live_when_that_is_undone) {
  // The undo of a step `restore` applies the earlier step again.
  Step step{.kind = StepKind::admin_upsert,
            .arguments = Value::map({{"object", "MtaRoute"},
                                     {"match", Value::map({{"name", "source"}})},
                                     {"set", Value::map({{"@type", "Relay"}, {"port", 25}})}})};
  EXPECT_OK(run(step));
  EXPECT_EQ(registry->count("ReloadSettings"), 0) << "a step of its own does that";
  EXPECT_OK(undo(step));
  EXPECT_EQ(registry->count("ReloadSettings"), 1);
  step.is_rollback = true;
  EXPECT_OK(apply(step));
  EXPECT_EQ(registry->objects("MtaRoute").size(), 1U);
  EXPECT_EQ(registry->count("ReloadSettings"), 2);
}

TEST_F(ObjectDriver, accounts_are_not_destroyed) {
  registry->put("Account", Value::map({{"name", "alice"}}));
  Step step{
      .kind = StepKind::admin_destroy,
      .arguments = Value::map({{"object", "Account"}, {"match", Value::map({{"name", "alice"}})}})};
  const auto outputs = apply(step);
  ASSERT_FALSE(outputs);
  EXPECT_TRUE(test::told_as("destroys-data", outputs.error()));
  EXPECT_EQ(registry->objects("Account").size(), 1U);
}

TEST_F(ObjectDriver, secrets_are_sent_and_never_compared_or_shown) {
  secrets.texts["env:RELAY"] = "geheim";
  Step step{
      .kind = StepKind::admin_upsert,
      .arguments = Value::map(
          {{"object", "MtaRoute"},
           {"match", Value::map({{"name", "relay"}})},
           {"set", Value::map({{"authSecret",
                                Value::map({{"@type", "Value"},
                                            {"secret", ir::SecretRef{.provider = "env",
                                                                     .name = "RELAY"}}})}})}})};
  const auto before = observe(step);
  ASSERT_TRUE(before);
  EXPECT_OK(run(step));
  EXPECT_EQ(registry->object("MtaRoute", "name", "relay")["authSecret"]["secret"], Value("geheim"));
  const auto after = observe(step);
  ASSERT_TRUE(after);
  EXPECT_EQ(after->standing, Standing::satisfied);
}

TEST_F(ObjectDriver, a_refused_reload_says_that_nothing_is_live_and_who_is_to_blame) {
  registry->refused_actions["ReloadSettings"] = "SpamPyzor";
  Step step{.kind = StepKind::admin_action,
            .arguments = Value::map({{"action", "ReloadSettings"}})};
  const auto outputs = apply(step);
  ASSERT_FALSE(outputs);
  EXPECT_TRUE(test::told_as("reload-refused", outputs.error()));
}

TEST_F(ObjectDriver, a_wrong_password_is_tried_once) {
  registry->status = 401;
  Step step = upsert_domain();
  const auto first = observe(step);
  ASSERT_FALSE(first);
  EXPECT_TRUE(first.error().is(net::errors::login_refused));
  registry->status = 200;
  const auto second = observe(step);
  ASSERT_FALSE(second) << "a tool that retries a wrong password bans itself";
  EXPECT_TRUE(second.error().is(net::errors::login_refused));
}

}  // namespace
}  // namespace plan::server::stalwart
