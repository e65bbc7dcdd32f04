// Every row that was recorded is compared with the model, or holds no delivery.
#include <array>
#include <iostream>

#include "tests/unit/compiler/flow/recordings.h"

namespace plan::flow {
namespace {

/// Rows that hold no delivery: observations by their name, calls by their scenario.
struct NoDelivery {
  std::string_view file = {};
  std::string_view name = {};
  std::size_t rows = 0;
  std::string_view why = {};
};

constexpr std::string_view kSetUp = "sets up; where mails go then, observations.jsonl says";
constexpr std::string_view kChange =
    "is one of the changes between the mails of observations.jsonl";
constexpr std::string_view kOfRun = "is the key that a run under load marks as a phase";
constexpr std::string_view kNoMail = "no mail was made";
constexpr std::string_view kNotMail = "is about content or a session, and sends nothing";

constexpr std::array kNoDeliveries = {
    NoDelivery{"observations.jsonl", "hash map: source:25 user01", 1,
               "was looked for while the mail was on its way"},
    NoDelivery{"configuration.jsonl", "bring-up", 4, kSetUp},
    NoDelivery{"configuration.jsonl", "guide-route", 7, kSetUp},
    NoDelivery{"configuration.jsonl", "reload-on-an-offline-machine", 3, kSetUp},
    NoDelivery{"configuration.jsonl", "relay-address", 2, kChange},
    NoDelivery{"configuration.jsonl", "safe-route", 3, kChange},
    NoDelivery{"configuration.jsonl", "precise-route-lookup-key", 4, kChange},
    NoDelivery{"configuration.jsonl", "flip-one-account", 8, kChange},
    NoDelivery{"configuration.jsonl", "variant-route-name-as-value", 4, kChange},
    NoDelivery{"configuration.jsonl", "variant-list-in-expression", 2, kChange},
    NoDelivery{"configuration.jsonl", "variant-unknown-store", 4, kChange},
    NoDelivery{"configuration.jsonl", "variant-unknown-route-name", 2, kChange},
    NoDelivery{"configuration.jsonl", "variant-parking-domain", 6, kChange},
    NoDelivery{"configuration.jsonl", "variant-account-without-permissions", 1, kChange},
    NoDelivery{"configuration.jsonl", "late-account-creation", 4, kChange},
    NoDelivery{"configuration.jsonl", "precise-route-final", 2, kChange},
    NoDelivery{"queue.jsonl", "misrouted-message-in-queue", 2, "asks for a number, and destroys"},
    NoDelivery{"queue.jsonl", "source-down", 2, "asks for numbers of messages"},
    NoDelivery{"queue.jsonl", "flip-while-queued", 4, "sets the key, and hastens the next try"},
    NoDelivery{"queue.jsonl", "source-up-again-flush", 1, "hastens the next try"},
    NoDelivery{"queue.jsonl", "pause-and-resume", 4, kChange},
    NoDelivery{"cases.jsonl", "catch-all", 2, kChange},
    NoDelivery{"cases.jsonl", "relaying-off", 2, kChange},
    NoDelivery{"cases.jsonl", "domain-disabled", 2,
               "is ignored by the server: mail goes as before"},
    NoDelivery{"cases.jsonl", "lists", 5, kChange},
    NoDelivery{"cases.jsonl", "greylisting", 4, kChange},
    NoDelivery{"sieve.jsonl", "redirect", 5, kChange},
    NoDelivery{"sieve.jsonl", "vacation", 2, kChange},
    NoDelivery{"sieve.jsonl", "group-in-set", 6, kChange},
    NoDelivery{"source-hold.jsonl", "hold-at-source", 3, kChange},
    NoDelivery{"move-steps.jsonl", "move A", 2, kOfRun},
    NoDelivery{"move-steps.jsonl", "rollback A", 2, kOfRun},
    NoDelivery{"move-steps.jsonl", "move B", 2, kOfRun},
    NoDelivery{"move-steps.jsonl", "rollback B", 2, kOfRun},
    NoDelivery{"move-steps.jsonl", "move C", 2, kOfRun},
    NoDelivery{"move-steps.jsonl", "rollback C", 2, kOfRun},
    NoDelivery{"move-steps.jsonl", "mailing list before its key", 2,
               "makes and destroys the list of the cases beside it"},
    NoDelivery{"move-steps.jsonl", "authenticate permission", 10, kNotMail},
    NoDelivery{"move-steps.jsonl", "calendar import and mail", 8,
               "writes the events of the cases beside it"},
    NoDelivery{"move-steps.jsonl", "calendar settings", 8,
               "writes the settings and events of the cases beside it"},
    NoDelivery{"move-steps.jsonl", "calendar alarms after a restart", 2,
               "writes the alarm of the case beside it"},
    NoDelivery{"move-steps.jsonl", "calendar alarms without the permission", 2,
               "writes the alarm of the case beside it"},
    NoDelivery{"move-steps.jsonl", "probe", 5, "turns the reply on, and destroys the probes"},
    NoDelivery{"move-steps.jsonl", "an IMAP session that was open before", 1, kNotMail},
    NoDelivery{"move-steps.jsonl", "doveadm kick of the user with an open session", 1, kNotMail},
    NoDelivery{"move-steps.jsonl",
               "authenticate disabled: content by recovery admin by target%admin", 1, kNotMail},
    NoDelivery{"move-steps.jsonl", "authenticate disabled: content by recovery admin by accountId",
               1, kNotMail},
    NoDelivery{"move-steps.jsonl", "authenticate disabled: content by admin by target%admin", 1,
               kNotMail},
    NoDelivery{"move-steps.jsonl", "authenticate disabled: content by admin by accountId", 1,
               kNotMail},
    NoDelivery{"move-steps.jsonl", "authenticate disabled: other doors", 1, kNotMail},
    NoDelivery{"move-steps.jsonl", "authenticate disabled: an IMAP session that was open before", 1,
               kNotMail},
    NoDelivery{"move-steps.jsonl", "authenticate disabled: IMAP LOGIN, raw answer", 1, kNotMail},
    NoDelivery{"move-steps.jsonl", "authenticate enabled: IMAP LOGIN, raw answer", 1, kNotMail},
    NoDelivery{"move-steps.jsonl",
               "event with attendees, by admin with accountId, no sendSchedulingMessages", 1,
               kNoMail},
    NoDelivery{"move-steps.jsonl", "the same, by the user", 1, kNoMail},
    NoDelivery{"move-steps.jsonl", "CalDAV PUT by the user, SCHEDULE-AGENT=CLIENT", 1, kNoMail},
    NoDelivery{"move-steps.jsonl", "CalDAV PUT by the user, event in the past", 1, kNoMail},
    NoDelivery{"move-steps.jsonl", "alarm by e-mail due in 15 s, created by admin", 1, kNoMail},
    NoDelivery{"move-steps.jsonl", "alarm by e-mail in the past (event over), created by admin", 1,
               kNoMail},
    NoDelivery{"move-steps.jsonl", "after the alarms were due", 1, kNoMail},
    NoDelivery{"move-steps.jsonl", "scheduling off and ReloadSettings: CalDAV PUT by the user", 1,
               kNoMail},
    NoDelivery{"move-steps.jsonl",
               "scheduling off: CalendarEvent/set by admin, sendSchedulingMessages true", 1,
               kNoMail},
    NoDelivery{"move-steps.jsonl", "alarm by e-mail due in 12 s, created by admin", 1, kNoMail},
    NoDelivery{"move-steps.jsonl", "alarms off: alarm by e-mail due in 10 s", 1, kNoMail},
    NoDelivery{"move-steps.jsonl", "alarms off, server restarted: alarm by e-mail due in 10 s", 1,
               kNoMail},
    NoDelivery{"move-steps.jsonl", "account without calendarAlarmsSend: alarm by e-mail due in 9 s",
               1, kNoMail},
    NoDelivery{"move-steps.jsonl", "account without calendarAlarmsSend, 14 s later", 1, kNoMail},
};

}  // namespace

TEST_F(Recordings, EveryRowIsComparedOrHoldsNoDelivery) {
  compare_observations();
  compare_queues();
  compare_hold_variants();
  compare_runs_under_load();
  compare_the_drain();
  compare_a_full_source_and_throttles();
  compare_doors_of_the_users();
  compare_lists_alarms_and_probes();
  compare_invitations();
  compare_proxies_in_front_of_the_source();
  EXPECT_EQ(others_, std::vector<std::string>{"README.md"});
  std::map<std::pair<std::string, std::string>, std::size_t> left;  // by file and name
  std::size_t rows = 0;
  for (const auto& [file, all] : rows_) {
    for (const Value& row : all) {
      ++rows;
      const Value& name = row["case"].is_string() ? row["case"] : row["scenario"];
      EXPECT_TRUE(name.is_string()) << file << ": a row of no known kind";
      if (!compared_.contains(&row)) ++left[{file, std::string(name.string_or(""))}];
    }
  }
  std::cout << rows << " rows, " << compared_.size() << " of them compared\n";
  for (const NoDelivery& one : kNoDeliveries) {
    const auto found = left.find({std::string(one.file), std::string(one.name)});
    EXPECT_FALSE(one.why.empty());
    EXPECT_EQ(found == left.end() ? 0 : found->second, one.rows)
        << one.file << ", " << one.name << ": rows that no comparison names";
    if (found != left.end()) left.erase(found);
  }
  for (const auto& [where, count] : left) {
    ADD_FAILURE() << where.first << ", " << where.second << ": " << count
                  << " rows are neither compared nor said to hold no delivery";
  }
}

}  // namespace plan::flow
