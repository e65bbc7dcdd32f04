// What was tried of moves on both real servers (move-steps.jsonl): holds, runs under load, the
// drain, and what else sends mail while an account moves.
#include <iostream>

#include "tests/unit/compiler/flow/recordings.h"

namespace plan::flow {
namespace {

/// Where a message that was sent in one state ends when the move is over.
std::string finally(const World& then, const World& at_the_end, const Letter& letter) {
  const auto deliveries = deliver(then, letter);
  EXPECT_EQ(deliveries.size(), 1U);
  if (deliveries.empty()) return "";
  const Delivery& first = deliveries.front();
  if (first.fate == Fate::deferred) return "refused 450";
  if (first.fate != Fate::source_queue && first.fate != Fate::target_queue)
    return ended(then, letter).substr(0, 1);
  const Entry queue = first.fate == Fate::source_queue ? Entry::source_queue : Entry::target_queue;
  return ended(at_the_end, {queue, first.mailbox}).substr(0, 1);
}

/// "out@ext2.test" of "RCPT TO:<out@ext2.test>".
std::string address_in(std::string_view command) {
  const std::size_t begin = command.find('<') + 1;
  return std::string(command.substr(begin, command.find('>') - begin));
}

}  // namespace

void Recordings::compare_hold_variants() {
  for (const Value* one : named("source hold by ")) {
    const std::string name = (*one)["case"].as_string();
    World world = recorded_pair();
    const bool is_retry = name.find("by retry") != std::string::npos;
    world.source.transport["user09@legacy.test"] =
        is_retry ? Transport::hold_retry : Transport::hold;
    if (name.find("self-alias") != std::string::npos)
      world.source.aliases["user09@legacy.test"] = {"user09@legacy.test"};
    for (const auto& [entry, member] :
         {std::pair(Entry::source_25, "smtp"), std::pair(Entry::source_submission, "submission")}) {
      const bool is_accepted = (*one)[member].item(1).item(0).integer_or(0) == 250;
      EXPECT_EQ(ended(world, {entry, "user09@legacy.test"}),
                is_accepted ? "Qs user09" : "deferred at RCPT")
          << name << ", " << member;
      EXPECT_EQ((*one)["where"].size() > 0, is_accepted) << name;
    }
    note_compared(*one);
  }
}

TEST_F(Recordings, HoldVariants) { compare_hold_variants(); }

void Recordings::compare_runs_under_load() {
  const std::string user = "user01@legacy.test";
  const auto world_of = [&](std::string_view phase, Transport hold) {
    World world = recorded_pair();
    if (phase.find("no key") == std::string_view::npos) world.target.keys["migrated"] = {user};
    if (phase.ends_with("hold")) world.source.transport[user] = hold;
    if (phase.ends_with(", fwd")) world.source.transport[user] = Transport::forward;
    return world;
  };
  const std::map<std::string, Entry, std::less<>> entries = {
      {"t25", Entry::target_25}, {"s25", Entry::source_25}, {"sub", Entry::source_submission}};
  std::size_t compared = 0;
  for (const std::string_view way : {"move ", "rollback "}) {
    for (const Value* run : named(way)) {
      const std::string name = (*run)["case"].as_string();
      const Transport hold =
          name.find("retry:") != std::string::npos ? Transport::hold_retry : Transport::hold;
      const World last = world_of(way == "move " ? "key, fwd" : "no key, no fwd", hold);
      for (const Value& count : (*run)["counts"].items()) {
        const std::string phase(count["phase"].string_or(""));
        if (phase == "?") continue;  // sent before the first mark
        Letter letter{entries.at(std::string(count["sender"].string_or(""))), user};
        letter.is_open_session = name.find(" A:") != std::string::npos;
        const std::string said = finally(world_of(phase, hold), last, letter);
        // Of the edges a few follow the next state (split-delivery.md 9.2): the most counts.
        std::string most;
        std::int64_t highest = 0;
        for (const auto& [end, number] : count.members()) {
          if (end == "phase" || end == "sender" || number.integer_or(0) <= highest) continue;
          most = end;
          highest = number.integer_or(0);
        }
        EXPECT_EQ(said, most) << name << ", " << phase << ", " << count["sender"].string_or("");
        ++compared;
      }
      EXPECT_EQ((*run)["not_exactly_once"].integer_or(-1), 0);
      note_compared(*run);
    }
  }
  EXPECT_EQ(compared, 72U);
}

TEST_F(Recordings, RunsUnderLoadBothWays) { compare_runs_under_load(); }

/// What was in delivery when the transport entry changed ends where it was going, once; what comes
/// after it is held.
void Recordings::compare_the_drain() {
  const std::string user = "user04@legacy.test";
  const World before = recorded_pair();
  World held = before;
  held.source.transport[user] = Transport::hold;
  const Value& drain = *named("drain with a slow old mailbox").front();
  const Value& steps = drain["steps"];
  const auto still_going = [](const Value& queue) {
    return std::count_if(queue.items().begin(), queue.items().end(),
                         [](const Value& entry) { return entry.item(1).size() > 0; });
  };
  ASSERT_GE(steps.size(), 3U);
  const std::int64_t sent = still_going(steps.item(0).item(1)["queue"]);
  EXPECT_EQ(sent, 3);
  EXPECT_EQ(ended(before, {Entry::source_25, user}), "S user04");
  for (std::size_t i = 0; i + 1 < steps.size(); ++i) {
    const Value& seen = steps.item(i).item(1);
    EXPECT_EQ(still_going(seen["queue"]) + seen["old mailbox"].integer_or(-1), sent)
        << steps.item(i).item(0).string_or("");
  }
  EXPECT_EQ(drain["twice"].integer_or(-1), 0);
  const Value& probed = steps.item(steps.size() - 1).item(1);
  EXPECT_EQ(probed["old mailbox"].integer_or(-1), sent) << "nothing more comes there";
  ASSERT_EQ(probed["queue"].size(), 1U);
  EXPECT_EQ(probed["queue"].item(0).item(0).string_or(""), "deferred");
  EXPECT_EQ(probed["queue"].item(0).item(1).item(0).item(0).string_or(""), user);
  EXPECT_EQ(ended(held, {Entry::source_25, user}), "Qs user04");
  note_compared(drain);
}

TEST_F(Recordings, TheDrain) { compare_the_drain(); }

void Recordings::compare_a_full_source_and_throttles() {
  const Value& full = *named("the source has no queue space").front();
  World world = recorded_pair();
  world.source.is_down = true;
  EXPECT_EQ(full["smtp source:25"].item(0).item(0).integer_or(0), 452);
  EXPECT_EQ(ended(world, {Entry::source_25, "user09@legacy.test"}), "deferred at RCPT");
  EXPECT_EQ(full["target queue"].size(), 1U);
  EXPECT_EQ(ended(world, {Entry::target_25, "user09@legacy.test"}), "Qt user09");
  note_compared(full);
  for (const Value* one : named("30 messages from a client")) {
    World throttled = recorded_pair();
    throttled.target.keys["migrated"] = {"user01@legacy.test"};
    throttled.target.throttles = {5, 25, 10};
    std::int64_t accepted = 0;
    for (std::uint32_t nth = 1; nth <= 30; ++nth) {
      Letter letter{Entry::target_25, "user01@legacy.test",
                    (*one)["case"].as_string().ends_with("null sender")};
      letter.nth_in_hour = nth;
      accepted += ended(throttled, letter) == "T user01" ? 1 : 0;
      throttled.target.unthrottled = {std::string(kSource)};
      letter.client = kSource;
      EXPECT_EQ(ended(throttled, letter), "T user01") << "the source is not counted";
    }
    for (const auto& [answer, count] : (*one)["answers"].members()) {
      if (!answer.starts_with("250")) continue;
      EXPECT_EQ(accepted, count.integer_or(0));
      note_compared(*one);
    }
  }
}

TEST_F(Recordings, AFullSourceAndThrottles) { compare_a_full_source_and_throttles(); }

void Recordings::compare_doors_of_the_users() {
  std::size_t compared = 0;
  for (const Value* one : named("source door: ")) {
    const std::string answer((*one)["answers"]["submission"].string_or(""));
    if (answer.empty()) continue;
    const bool is_closed = (*one)["case"].as_string().find("user in the") != std::string::npos ||
                           (*one)["case"].as_string().find("same a second") != std::string::npos ||
                           (*one)["case"].as_string().find("flush USER") != std::string::npos;
    World world = recorded_pair();
    if (is_closed) world.source.not_logging_in = {"user05@legacy.test"};
    Letter letter{Entry::source_submission, "user03@legacy.test"};
    letter.login = "user05@legacy.test";
    EXPECT_EQ(ended(world, letter) == "S user03", answer.starts_with("(235"))
        << (*one)["case"].as_string();
    letter.login = "user06@legacy.test";
    EXPECT_EQ(ended(world, letter), "S user03") << "other users get in";
    EXPECT_EQ(ended(world, {Entry::source_25, "user05@legacy.test"}), "S user05");
    EXPECT_EQ((*one)["answers"]["mail to source:25"].integer_or(0), 250);
    note_compared(*one);
    ++compared;
  }
  for (const Value* one : named("authenticate ")) {
    const std::string answer((*one)["answers"]["submission"].string_or(""));
    if (answer.empty()) continue;
    World world = recorded_pair();
    world.target.accounts.insert("user07@legacy.test");
    if ((*one)["case"].as_string().starts_with("authenticate disabled"))
      world.target.not_logging_in = {"user07@legacy.test"};
    Letter letter{Entry::target_submission, "user03@legacy.test"};
    letter.login = "user07@legacy.test";
    EXPECT_EQ(ended(world, letter) == "S user03", answer.starts_with("(235"))
        << (*one)["case"].as_string();
    note_compared(*one);
    ++compared;
  }
  EXPECT_GE(compared, 15U);
}

TEST_F(Recordings, DoorsOfTheUsers) { compare_doors_of_the_users(); }

void Recordings::compare_lists_alarms_and_probes() {
  World world = recorded_pair();
  const auto same = [&](std::string_view name, const Letter& letter) {
    const Value& one = *named(name).front();
    std::vector<std::string> real;
    for (const Value& entry : one["where"].items()) {
      const std::string text(entry.string_or(""));
      if (text.starts_with("SRC:")) real.push_back("S " + text.substr(4, text.find(' ') - 4));
    }
    EXPECT_EQ(ended(world, letter), joined(real)) << name;
    note_compared(one);
  };
  const Letter team{Entry::target_25, "team@legacy.test"};
  same("team@ lives at the source", team);
  world.target.lists["team@legacy.test"] = {"user05@legacy.test"};
  same("list created, at once", team);
  world.target.lists.erase("team@legacy.test");
  same("list destroyed again", team);
  // What the target makes itself: an alarm, an invitation.
  world.target.accounts.insert("user07@legacy.test");
  const Letter alarm{Entry::target_local, "user07@legacy.test"};
  same("12 s later: alarm mail", alarm);
  same("alarms off, 15 s later", alarm);
  same("alarms off and restart", alarm);
  world.target.keys["migrated"] = {"user06@legacy.test"};
  world.target.accounts.insert("user06@legacy.test");
  for (const Value* one : named("probe: ")) {
    const bool is_null = (*one)["case"].as_string().find("null sender") != std::string::npos;
    EXPECT_GT((*one)["found_after_s"].number_or(0), 0);
    EXPECT_EQ(ended(world, {Entry::target_25, "user06@legacy.test", is_null}), "T user06");
    note_compared(*one);
  }
}

TEST_F(Recordings, ListsAlarmsProbes) { compare_lists_alarms_and_probes(); }

/// What the target makes itself when an event is written: an invitation to each attendee.
void Recordings::compare_invitations() {
  std::size_t at_source = 0;
  std::size_t at_target = 0;
  for (const Value& one : rows_.at("move-steps.jsonl")) {
    const Value& outside = one["where"]["outside"];
    if (outside.size() == 0) continue;
    for (const Value& message : outside.items()) {
      for (const Value& recipient : message.item(1).items())
        EXPECT_EQ(
            ended(recorded_pair(), {Entry::target_local, address_in(recipient.string_or(""))}),
            "out");
    }
    // The other attendee; from the probes on he has a key, and nothing of his comes to the source.
    World world = recorded_pair();
    const bool has_key = one["where"]["user06 at the source"].size() == 0;
    if (has_key) {
      world.target.accounts.insert("user06@legacy.test");
      world.target.keys["migrated"] = {"user06@legacy.test"};
    }
    ++(has_key ? at_target : at_source);
    EXPECT_EQ(ended(world, {Entry::target_local, "user06@legacy.test"}),
              has_key ? "T user06" : "S user06");
    EXPECT_EQ(one["where"]["target queue"].size(), 0U);
    note_compared(one);
  }
  EXPECT_EQ(at_source, 4U);
  EXPECT_EQ(at_target, 3U);
}

TEST_F(Recordings, Invitations) { compare_invitations(); }

void Recordings::compare_proxies_in_front_of_the_source() {
  World world = recorded_pair();
  world.source.own_networks = {"10.9.0.2"};  // its own address, which is the proxy's too
  std::size_t compared = 0;
  for (const Value* one : named("PROXY: through ")) {
    const bool has_header = (*one)["case"].as_string().find("with header") != std::string::npos;
    Letter letter{Entry::source_25, std::string((*one)["args"]["to"].string_or(""))};
    // Without a header the source sees the proxy.
    letter.client = has_header ? std::string((*one)["args"]["src"].string_or("")) : "10.9.0.2";
    const bool is_accepted = (*one)["smtp"].item(1).item(0).integer_or(0) == 250;
    EXPECT_EQ(ended(world, letter) != "refused at RCPT", is_accepted) << (*one)["case"].as_string();
    note_compared(*one);
    ++compared;
  }
  EXPECT_EQ(compared, 5U);
  // The port of the proxies is no server for whoever sends no header: he is told to come again.
  World closed = recorded_pair();
  closed.source.is_down = true;
  for (const Value* one : named("PROXY: client without a header")) {
    const std::string_view answer = (*one)["answers"].string_or("");
    EXPECT_TRUE(answer.starts_with("421 ")) << answer;
    EXPECT_EQ(ended(closed, {Entry::source_25, "user09@legacy.test"}), "deferred at RCPT");
    note_compared(*one);
  }
}

TEST_F(Recordings, ProxiesInFrontOfTheSource) { compare_proxies_in_front_of_the_source(); }

}  // namespace plan::flow
