#include "compiler/ir/json.h"
#include "runtime/net/jmap/errors.h"
#include "runtime/server/stalwart/errors.h"
#include "tests/support/told_error.h"
#include "tests/unit/runtime/server/stalwart/driver_bench.h"

namespace plan::server::stalwart {
namespace {

using ir::Standing;
using ir::StepKind;
using ir::Value;

class AccountDriver : public DriverBench {
 protected:
  AccountDriver() {
    example_ = registry->put(
        "Domain",
        Value::map({{"name", "example.org"}, {"aliases", Value::map({{"example.com", true}})}}));
    net_ =
        registry->put("Domain", Value::map({{"name", "example.net"}, {"aliases", Value::map()}}));
  }
  static Value arguments() {
    return Value::map(
        {{"account", "alice@example.org"},
         {"domain", "example.org"},
         {"aliases", Value::list({"first@example.org", "Alice@example.net"})},
         {"password", ir::SecretRef{.provider = "source", .name = "alice@example.org"}},
         {"password_scheme", "SHA512-CRYPT"},
         {"name", "Alice A"},
         {"quota_bytes", 1'000'000}});
  }
  static Step create() { return Step{.kind = StepKind::admin_account, .arguments = arguments()}; }
  static Step open() {
    return Step{.kind = StepKind::admin_account_open, .arguments = arguments()};
  }
  static Step refresh() {
    return Step{.kind = StepKind::admin_account_refresh, .arguments = arguments()};
  }
  Value alice() const { return registry->object("Account", "name", "alice"); }
  std::string example_;
  std::string net_;
};

TEST_F(AccountDriver, creates_a_closed_account_with_hash_aliases_and_quota) {
  Step step = create();
  const auto outputs = run(step);
  ASSERT_TRUE(outputs) << outputs.error().to_line();
  const Value made = alice();
  EXPECT_EQ((*outputs)["account_id"], made["id"]);
  EXPECT_EQ(made["domainId"], Value(example_));
  EXPECT_EQ(made["@type"], Value("User"));
  EXPECT_EQ(made["description"], Value("Alice A"));
  EXPECT_EQ(made["quotas"]["maxDiskQuota"], Value(1'000'000));
  EXPECT_EQ(made["permissions"]["disabledPermissions"]["authenticate"], Value(true));
  EXPECT_EQ(made["permissions"]["disabledPermissions"]["calendarAlarmsSend"], Value(true));
  EXPECT_TRUE(made["credentials"]["0"]["secret"].as_string().starts_with("$6$"));
  EXPECT_EQ(made["aliases"].size(), 2U);
  EXPECT_EQ(made["aliases"]["1"]["name"], Value("alice"));
  EXPECT_EQ(made["aliases"]["1"]["domainId"], Value(net_));
}

TEST_F(AccountDriver, before_the_domain_exists_nothing_can_be_known_and_that_is_no_error) {
  Step step = create();
  step.arguments.set("account", "alice@new.test");
  const auto seen = observe(step);
  ASSERT_TRUE(seen) << seen.error().to_line();
  EXPECT_EQ(seen->standing, Standing::unknowable);
  const auto outputs = apply(step);
  ASSERT_FALSE(outputs);
  EXPECT_TRUE(test::told_as("domain-missing", outputs.error()));
}

TEST_F(AccountDriver, an_absent_account_leaves_the_later_steps_unknowable) {
  for (Step step : {open(), refresh()}) {
    const auto seen = observe(step);
    ASSERT_TRUE(seen);
    EXPECT_EQ(seen->standing, Standing::unknowable);
  }
}

TEST_F(AccountDriver, an_alias_in_an_alias_domain_that_is_the_account_itself_is_left_out) {
  Step step = create();
  step.arguments.set("aliases", Value::list({"alice@example.com", "other@example.com"}));
  EXPECT_OK(run(step));
  EXPECT_EQ(alice()["aliases"].size(), 1U);
  EXPECT_EQ(alice()["aliases"]["0"]["domainId"], Value(example_));
}

TEST_F(AccountDriver, an_account_that_somebody_removed_cannot_be_opened_or_refreshed) {
  Step made = create();
  EXPECT_OK(run(made));
  registry->erase("Account", alice()["id"].as_string());
  for (Step step : {open(), refresh()}) {
    const auto outputs = apply(step);
    ASSERT_FALSE(outputs);
    EXPECT_TRUE(test::told_as("account-not-there", outputs.error()));
  }
}

TEST_F(AccountDriver, is_satisfied_afterwards_and_the_order_of_aliases_does_not_matter) {
  Step step = create();
  EXPECT_OK(run(step));
  step.arguments.set("aliases", Value::list({"alice@example.net", "first@example.org"}));
  const auto seen = observe(step);
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->standing, Standing::satisfied);
}

TEST_F(AccountDriver, a_hash_that_the_target_would_take_for_plain_text_is_never_sent) {
  secrets.texts["source:alice@example.org"] = "{SCRAM-SHA-256}4096,abc,def";
  Step step = create();
  const auto outputs = run(step);
  ASSERT_FALSE(outputs);
  EXPECT_TRUE(test::told_as("password-not-portable", outputs.error()));
  EXPECT_EQ(outputs.error().to_line().find("4096"), std::string::npos)
      << "no part of a hash is shown";
  EXPECT_TRUE(alice().is_null());
}

TEST_F(AccountDriver, an_unknown_role_is_found_before_the_call_that_it_would_break) {
  Step step = create();
  step.arguments.set("roles",
                     Value::map({{"@type", "Custom"}, {"roleIds", Value::map({{"zz", true}})}}));
  const auto outputs = run(step);
  ASSERT_FALSE(outputs);
  EXPECT_TRUE(test::told_as("role-missing", outputs.error()));
  EXPECT_EQ(registry->count("x:Account/set"), 0);
}

TEST_F(AccountDriver, a_lost_reply_is_resolved_by_looking) {
  Step step = create();
  registry->lose_reply_of = "Account";
  const auto outputs = run(step);
  ASSERT_FALSE(outputs);
  EXPECT_EQ(outputs.error().effect(), Effect::unknown);
  const auto seen = observe(step);
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->standing, Standing::satisfied);
  EXPECT_OK(apply(step));
  EXPECT_EQ(registry->objects("Account").size(), 1U);
}

TEST_F(AccountDriver, a_call_that_fails_after_the_account_was_made_is_read_back) {
  Step step = create();
  registry->method_error_after = {"Account", "serverUnavailable"};
  const auto outputs = run(step);
  ASSERT_TRUE(outputs) << outputs.error().to_line();
  EXPECT_EQ((*outputs)["account_id"], alice()["id"]);
}

TEST_F(AccountDriver, an_address_that_belongs_to_somebody_else_says_so) {
  registry->put("Account",
                Value::map({{"name", "alice"}, {"domainId", example_}, {"@type", "Group"}}));
  Step step = create();
  const auto outputs = run(step);
  ASSERT_FALSE(outputs);
  EXPECT_TRUE(test::told_as("address-used-at-target", outputs.error()));
}

TEST_F(AccountDriver, an_existing_open_account_is_closed_before_the_move) {
  registry->put(
      "Account",
      Value::map({{"name", "alice"},
                  {"domainId", example_},
                  {"@type", "User"},
                  {"credentials",
                   Value::map({{"0", Value::map({{"@type", "AppPassword"}, {"secret", "x"}})},
                               {"1", Value::map({{"@type", "Password"}, {"secret", "old"}})}})},
                  {"permissions", Value::map({{"@type", "Inherit"}})}}));
  Step step = create();
  const auto seen = observe(step);
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->standing, Standing::differs);
  EXPECT_OK(run(step));
  EXPECT_EQ(alice()["permissions"]["disabledPermissions"]["authenticate"], Value(true));
  EXPECT_TRUE(alice()["credentials"]["1"]["secret"].as_string().starts_with("$6$"));
  EXPECT_EQ(alice()["credentials"]["0"]["secret"], Value("x")) << "app passwords stay";
}

TEST_F(AccountDriver, opens_and_closes_again) {
  Step made = create();
  EXPECT_OK(run(made));
  Step step = open();
  EXPECT_OK(run(step));
  EXPECT_EQ(alice()["permissions"]["@type"], Value("Inherit"));
  EXPECT_EQ(observe(step)->standing, Standing::satisfied);
  EXPECT_OK(undo(step));
  EXPECT_EQ(alice()["permissions"]["disabledPermissions"]["authenticate"], Value(true));
  EXPECT_OK(undo(step));
}

TEST_F(AccountDriver, opening_keeps_other_permissions_that_are_disabled) {
  Step made = create();
  EXPECT_OK(run(made));
  registry->change("Account", alice()["id"].as_string(), "permissions",
                   Value::map({{"@type", "Merge"},
                               {"enabledPermissions", Value::map()},
                               {"disabledPermissions", Value::map({{"authenticate", true},
                                                                   {"calendarAlarmsSend", true},
                                                                   {"emailSend", true}})}}));
  Step step = open();
  EXPECT_OK(run(step));
  EXPECT_EQ(alice()["permissions"]["disabledPermissions"],
            Value(Value::map({{"emailSend", true}})));
}

TEST_F(AccountDriver, refresh_sends_the_hash_of_now) {
  Step made = create();
  EXPECT_OK(run(made));
  secrets.texts["source:alice@example.org"] = "{PLAIN}new password";
  Step step = refresh();
  EXPECT_OK(run(step));
  EXPECT_TRUE(alice()["credentials"]["0"]["secret"].as_string().starts_with("$pbkdf2-sha512$"));
  const std::string first = alice()["credentials"]["0"]["secret"].as_string();
  EXPECT_OK(apply(step));
  EXPECT_EQ(alice()["credentials"]["0"]["secret"].as_string(), first)
      << "the same text gives the same hash";
}

TEST_F(AccountDriver, refresh_refuses_a_changed_set_of_names) {
  Step made = create();
  EXPECT_OK(run(made));
  Step step = refresh();
  step.arguments.set("aliases", Value::list({"first@example.org", "new@example.org"}));
  const auto outputs = apply(step);
  ASSERT_FALSE(outputs);
  EXPECT_TRUE(outputs.error().is(errors::aliases_changed));
}

TEST_F(AccountDriver, names_that_the_source_got_or_lost_since_the_lock_refuse_the_account) {
  std::vector<std::string> names = {"first@example.org", "alice@example.net"};
  add_drivers(drivers, targets,
              [&](const std::string& account) -> Result<std::vector<std::string>> {
                EXPECT_EQ(account, "alice@example.org");
                return names;
              });
  Step made = create();
  EXPECT_OK(run(made));  // in any order, and whatever the letter case in the lock
  names.emplace_back("new@example.org");
  const int writes = registry->writes();
  for (Step step : {create(), refresh()}) {
    const auto outputs = apply(step);
    ASSERT_FALSE(outputs);
    // After the fetch a saved plan is refused: its remedy says another way on.
    EXPECT_TRUE(test::told_as("aliases-changed", outputs.error()));
  }
  names = {"first@example.org"};
  Step lost = refresh();
  const auto outputs = apply(lost);
  ASSERT_FALSE(outputs);
  EXPECT_NE(outputs.error().message().find("alice@example.net"), std::string::npos);
  EXPECT_NE(outputs.error().message().find("not at the source any more"), std::string::npos);
  EXPECT_EQ(registry->writes(), writes);
}

TEST_F(AccountDriver, once_the_account_was_moved_the_target_is_the_authority) {
  Step made = create();
  EXPECT_OK(run(made));
  Step opened = open();
  EXPECT_OK(run(opened));
  ASSERT_TRUE(target->move_generation("alice@example.org", "target"));
  const std::string hash = alice()["credentials"]["0"]["secret"].as_string();
  secrets.texts["source:alice@example.org"] = "{PLAIN}old password of the source";
  for (Step step : {create(), refresh()}) {
    const auto seen = observe(step);
    ASSERT_TRUE(seen);
    EXPECT_EQ(seen->standing, Standing::satisfied);
    EXPECT_OK(apply(step));
  }
  EXPECT_EQ(alice()["credentials"]["0"]["secret"].as_string(), hash);
  EXPECT_EQ(alice()["permissions"]["@type"], Value("Inherit"));
}

TEST_F(AccountDriver, undo_destroys_what_it_made_while_it_is_closed_and_never_when_it_is_open) {
  Step step = create();
  EXPECT_OK(run(step));
  Step opened = open();
  EXPECT_OK(run(opened));
  const Outcome refused = undo(step);
  ASSERT_FALSE(refused);
  EXPECT_TRUE(test::told_as("account-open", refused.error()));
  EXPECT_OK(undo(opened));
  EXPECT_OK(undo(step));
  EXPECT_TRUE(alice().is_null());
  EXPECT_OK(undo(step));
}

TEST_F(AccountDriver, undo_gives_an_account_that_was_there_its_members_back) {
  registry->put("Account", Value::map({{"name", "alice"},
                                       {"domainId", example_},
                                       {"@type", "User"},
                                       {"description", "before"},
                                       {"aliases", Value::map()},
                                       {"permissions", Value::map({{"@type", "Inherit"}})}}));
  Step step = create();
  EXPECT_OK(run(step));
  EXPECT_OK(undo(step));
  EXPECT_EQ(alice()["description"], Value("before"));
  EXPECT_EQ(alice()["aliases"].size(), 0U);
  EXPECT_EQ(alice()["permissions"]["@type"], Value("Inherit"));
}

class ListDriver : public AccountDriver {
 protected:
  static Step list() {
    return Step{
        .kind = StepKind::admin_list,
        .arguments = Value::map(
            {{"address", "Team@example.org"},
             {"members", Value::list({"alice@example.org", "Bob@example.org", "team@example.org"})},
             {"aliases", Value::list({"crew@example.org"})}})};
  }
};

TEST_F(ListDriver, creates_changes_and_removes_a_list) {
  Step step = list();
  EXPECT_OK(run(step));
  const Value made = registry->object("MailingList", "name", "team");
  EXPECT_EQ(made["recipients"],
            Value(Value::map({{"alice@example.org", true}, {"bob@example.org", true}})));
  EXPECT_EQ(made["aliases"]["0"]["name"], Value("crew"));
  EXPECT_EQ(observe(step)->standing, Standing::satisfied);
  Step changed = list();
  changed.arguments.set("members", Value::list({"alice@example.org"}));
  EXPECT_EQ(observe(changed)->standing, Standing::differs);
  EXPECT_OK(run(changed));
  EXPECT_EQ(registry->object("MailingList", "name", "team")["recipients"].size(), 1U);
  EXPECT_OK(undo(changed));
  EXPECT_EQ(registry->object("MailingList", "name", "team")["recipients"].size(), 2U);
  EXPECT_OK(undo(step));
  EXPECT_TRUE(registry->objects("MailingList").empty());
}

TEST_F(ListDriver, a_lost_reply_does_not_make_a_second_list) {
  Step step = list();
  registry->lose_reply_of = "MailingList";
  EXPECT_FALSE(run(step));
  EXPECT_OK(apply(step));
  EXPECT_EQ(registry->objects("MailingList").size(), 1U);
}

}  // namespace
}  // namespace plan::server::stalwart
