// The model against what both real servers did: every line of
// ../shared/data/transcripts/split-delivery that says where mail went, and of every other one why
// it says nothing of that.
#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <iostream>
#include <map>
#include <set>

#include "compiler/flow/model.h"
#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "tests/support/shared_data.h"
#include "tests/unit/compiler/flow/pair.h"

namespace plan::flow {
namespace {

using ir::Value;
using test::ended;
using test::recorded_pair;

constexpr std::string_view kSource = "10.9.0.2";

std::vector<Value> lines_of(const std::filesystem::path& path) {
  std::vector<Value> lines;
  const std::string text = test::read_all(path);
  for (const std::string_view line : split(text, '\n')) {
    if (line.empty()) continue;
    auto parsed = ir::parse_json(line);
    EXPECT_TRUE(parsed.has_value()) << line;
    if (parsed) lines.push_back(std::move(*parsed));
  }
  return lines;
}

/// "['a@x', 'b@x']" or "a@x": the recipients as the recording has them.
std::vector<std::string> recipients_of(const Value& arguments) {
  const std::string text(arguments["to"].string_or(""));
  if (!text.starts_with('[')) return {text};
  std::vector<std::string> found;
  for (std::size_t at = text.find('\''); at != std::string::npos; at = text.find('\'', at)) {
    const std::size_t end = text.find('\'', at + 1);
    found.push_back(text.substr(at + 1, end - at - 1));
    at = end + 1;
  }
  return found;
}

std::string joined(std::vector<std::string> ends) {
  std::sort(ends.begin(), ends.end());
  std::string text;
  for (const std::string& end : ends) text += (text.empty() ? "" : ", ") + end;
  return text;
}

std::string user_of(const std::string& address) {
  return lower_ascii(address.substr(0, address.find_first_of("+@")));
}

/// What was seen, in the words of `ended`. Queues show everything that waits there: only what
/// waits for this recipient counts.
std::vector<std::string> seen(const Value& observation, const std::string& recipient) {
  std::vector<std::string> ends;
  for (const Value& entry : observation["where"].items()) {
    const std::string text(entry.string_or(""));
    const std::string user = text.substr(
        4, text.find('(') == std::string::npos ? std::string::npos : text.find('(') - 4);
    if (text.starts_with("SRC:")) ends.push_back("S " + user);
    if (text.starts_with("TGT:")) ends.push_back("T " + user);
    if (text.starts_with("OUT@"))
      ends.emplace_back(text.find(":<>") != std::string::npos ? "bounced" : "out");
    const bool is_its_own = text.find("'" + recipient + "'") != std::string::npos;
    if (text.starts_with("TQ:") && is_its_own) ends.push_back("Qt " + user_of(recipient));
    if (text.starts_with("SQ:") && is_its_own) ends.push_back("Qs " + user_of(recipient));
  }
  const Value& answers = observation["smtp"];
  const std::int64_t code = answers.item(1).item(0).integer_or(0);
  if (code >= 500 || answers.item(0).string_or("").find("AuthenticationError") != std::string::npos)
    ends.emplace_back("refused at RCPT");
  if (code >= 400 && code < 500) ends.emplace_back("deferred at RCPT");
  return ends;
}

void arms(World& world, const test::Arms& arms) { world.target.route = test::route(arms); }

/// The configuration changes between the mails, by the case before which it does
/// (configuration.jsonl, queue.jsonl, cases.jsonl, sieve.jsonl).
std::map<std::string, std::function<void(World&)>> changes() {
  const auto key = [](const char* user) { return std::string(user) + "@legacy.test"; };
  return {
      {"after reload: target:25 to user03",
       [](World& w) { w.target.routes["source"].address = kSource; }},
      {"source:25 <- internet, to user01@legacy.test",
       [=](World& w) {
         w.source.transport[key("user01")] = Transport::forward;
         w.source.transport[key("user02")] = Transport::forward;
       }},
      // The sixth connection of the source within a second: the throttle that was seeded.
      {"source:25 <- internet, to USER01@legacy.test",
       [](World& w) { w.target.throttles.a_second = 5; }},
      {"source:25 <- internet, to team@legacy.test", [](World& w) { w.target.throttles = {}; }},
      {"target:25 to USER01 (lower-cased rule)", [](World& w) { arms(w, test::kGuideLower); }},
      {"V1 target:25 user01 (in set)",
       [=](World& w) {
         arms(w, test::kSet);
         w.target.keys["migrated"] = {key("user01"), key("first")};
         w.source.transport.erase(key("user02"));
       }},
      {"V1 flip user02: after ReloadLookupStores",
       [=](World& w) { w.target.keys["migrated"].insert(key("user02")); }},
      {"V1 flipped back user02", [=](World& w) { w.target.keys["migrated"].erase(key("user02")); }},
      {"V4 user01 (value local)",
       [=](World& w) {
         w.target.key_values["routes"] = {{key("user01"), "local"}, {key("user02"), "source"}};
         arms(w, {{"key_exists('routes', to_lowercase(rcpt))",
                   "key_get('routes', to_lowercase(rcpt))"},
                  {"is_local_address(to_lowercase(rcpt))", "'local'"},
                  {"is_local_domain(rcpt_domain)", "'source'"}});
       }},
      {"V3 user01 in the list",
       [](World& w) {
         arms(w, {{"is_local_address(to_lowercase(rcpt)) && contains(['user01@legacy.test', "
                   "'first@legacy.test'], to_lowercase(rcpt))",
                   "'local'"},
                  {"is_local_domain(rcpt_domain)", "'source'"}});
       }},
      {"unknown store: user01",
       [](World& w) {
         arms(w, {{"is_local_address(to_lowercase(rcpt)) && key_exists('nostore', "
                   "to_lowercase(rcpt))",
                   "'local'"},
                  {"is_local_domain(rcpt_domain)", "'source'"}});
       }},
      {"unknown store negated: user02",
       [](World& w) {
         arms(w, {{"is_local_address(to_lowercase(rcpt)) && !key_exists('nostore', "
                   "to_lowercase(rcpt))",
                   "'local'"},
                  {"is_local_domain(rcpt_domain)", "'source'"}});
       }},
      {"misspelt route: user02",
       [](World& w) {
         arms(w, {{"is_local_domain(rcpt_domain)", "'sorce'"}});
       }},
      {"V6 parked: target:25 user05", [](World& w) { arms(w, test::kGuideLower); }},
      {"V6 flipped (no reload): target:25 user05",
       [=](World& w) {
         w.target.accounts.insert(key("user05"));
         w.target.aliases[key("fifth")] = key("user05");
       }},
      {"V6 flipped back: target:25 user05",
       [=](World& w) {
         w.target.accounts.erase(key("user05"));
         w.target.aliases.erase(key("fifth"));
       }},
      {"V5 emailReceive disabled: user06",
       [=](World& w) {
         for (const char* user : {"user06", "user07", "user08"})
           w.target.accounts.insert(key(user));
         w.target.not_receiving = {key("user06"), key("user07")};
         w.target.not_logging_in = {key("user08")};
       }},
      {"late: user09 right after creation",
       [=](World& w) { w.target.accounts.insert(key("user09")); }},
      {"late: user09 after destroy", [=](World& w) { w.target.accounts.erase(key("user09")); }},
      {"source down: target:25 to user02@legacy.test",
       [](World& w) {
         arms(w, test::kSet);
         w.source.is_down = true;
       }},
      {"paused: target:25 to user01 (local)",
       [](World& w) {
         w.source.is_down = false;
         w.target.is_paused = true;
       }},
      {"catch-all on: target:25 user03 (not migrated, source has it)",
       [=](World& w) {
         w.target.is_paused = false;
         w.target.domains["legacy.test"].catch_all = key("user01");
       }},
      {"catch-all off again: target:25 user03",
       [](World& w) { w.target.domains["legacy.test"].catch_all.clear(); }},
      {"allowRelaying false: target:25 user03",
       [](World& w) { w.target.domains["legacy.test"].allows_relaying = false; }},
      {"domain isEnabled false: target:25 user01",
       [](World& w) { w.target.domains["legacy.test"].allows_relaying = true; }},
      {"list in list: outer (crew is a list; key set has no lists)",
       [=](World& w) {
         w.target.lists[key("outer")] = {key("crew"), key("user01")};
       }},
      {"list with itself: selfish",
       [=](World& w) {
         w.target.lists[key("selfish")] = {key("selfish"), key("user01")};
       }},
      {"greylist: target:25 user01 first", [](World& w) { w.target.is_greylisting = true; }},
      {"DMARC p=reject sender from its own address -> target:25 user01",
       [](World& w) { w.target.is_greylisting = false; }},
      {"final route: target:25 to user01@legacy.test", [](World& w) { arms(w, test::kExact); }},
      {"sieve on target user01: redirect :copy to user03 (not migrated)",
       [=](World& w) {
         w.target.redirects[key("user01")] = {{key("user03"), true}};
       }},
      {"target user01 redirects outside",
       [=](World& w) {
         w.target.redirects[key("user01")] = {{"bob@ext.test", false}};
       }},
      {"vacation at target, mail arrives through the source (auto reply goes where?)",
       [=](World& w) {
         w.target.redirects.clear();
         w.target.answering.insert(key("user01"));
       }},
      {"group staff with key: target:25",
       [=](World& w) {
         w.target.answering.clear();
         w.target.keys["migrated"].insert(key("staff"));
       }},
      {"glob *@legacy.test: user02 (account exists)",
       [](World& w) { w.target.keys["migrated"].insert("*@legacy.test"); }},
      {"after removing the glob: user02",
       [](World& w) { w.target.keys["migrated"].erase("*@legacy.test"); }},
      // The map as loaded: what was written before a reload is no change here.
      {"held by retry: transport",
       [=](World& w) { w.source.transport[key("user04")] = Transport::hold_retry; }},
      {"entry removed + reload: user04",
       [=](World& w) { w.source.transport.erase(key("user04")); }},
  };
}

Letter letter_of(const std::string& name, const Value& arguments, const std::string& recipient) {
  const std::string port(arguments["port"].string_or("25"));
  Letter letter;
  letter.recipient = recipient;
  letter.has_null_sender = arguments["frm"].is_string() && arguments["frm"].as_string().empty();
  letter.entry = port == "26007"   ? Entry::source_25
                 : port == "26008" ? Entry::source_submission
                 : port == "587"   ? Entry::target_submission
                                   : Entry::target_25;
  // "('user01@legacy.test', 'password')"
  const std::string login(arguments["auth"].string_or(""));
  if (const std::size_t end = login.find('\'', 2); login.starts_with("('"))
    letter.login = login.substr(2, end - 2);
  if (!letter.login.empty()) letter.sender = arguments["frm"].string_or("");
  letter.is_tried_again = name.ends_with("second");
  letter.is_open_session = name == "held by retry: transport";
  if (name == "source:25 <- internet, to USER01@legacy.test") letter.nth_in_second = 6;
  return letter;
}

/// The model's ends, as the recording could see them.
std::string visible(std::vector<std::string> ends, const Letter& letter, std::size_t index) {
  std::vector<std::string> shown;
  for (std::string& end : ends) {
    // While relay and MX addresses were loopback ones nothing went out, not even a bounce; and a
    // DSN to somebody inside has another Message-ID.
    if (end == "bounced" && (index <= 14 || !letter.login.empty())) continue;
    if (end == "out" && index <= 14) continue;
    if (end == "loop") continue;  // it was not over when it was looked for
    if (end == "public MX") end = "Qt " + user_of(letter.recipient);
    shown.push_back(std::move(end));
  }
  return joined(std::move(shown));
}

/// The folder, and which of its rows were compared with the model.
class Recordings : public testing::Test {
 protected:
  void SetUp() override {
    PLAN_SHARED(folder, "data/transcripts/split-delivery");
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      const std::string name = entry.path().filename().string();
      if (entry.path().extension() == ".jsonl") {
        rows_[name] = lines_of(entry.path());
      } else {
        others_.push_back(name);
      }
    }
  }
  /// Of move-steps.jsonl: the observations whose names begin so.
  [[nodiscard]] std::vector<const Value*> named(std::string_view begin) const {
    std::vector<const Value*> found;
    for (const Value& one : rows_.at("move-steps.jsonl")) {
      if (one["case"].string_or("").starts_with(begin)) found.push_back(&one);
    }
    EXPECT_FALSE(found.empty()) << begin;
    return found;
  }
  void note_compared(const Value& row) { compared_.insert(&row); }

  void compare_observations();
  void compare_queues();
  void compare_hold_variants();
  void compare_runs_under_load();
  void compare_the_drain();
  void compare_a_full_source_and_throttles();
  void compare_doors_of_the_users();
  void compare_lists_alarms_and_probes();
  void compare_invitations();
  void compare_proxies_in_front_of_the_source();

  std::map<std::string, std::vector<Value>> rows_;  // by file
  std::vector<std::string> others_;                 // files without rows
  std::set<const Value*> compared_;
};

void Recordings::compare_observations() {
  World world = recorded_pair();
  arms(world, test::kGuide);
  world.target.routes["source"].address = "127.0.0.1";
  auto change = changes();
  std::size_t compared = 0;
  std::size_t index = 0;
  std::map<std::string, std::vector<std::string>> earlier;  // by Message-ID
  for (const Value& observation : rows_.at("observations.jsonl")) {
    const std::string name(observation["case"].string_or(""));
    if (const auto found = change.find(name); found != change.end()) {
      found->second(world);
      change.erase(found);
    }
    ++index;
    const Value& arguments = observation["args"];
    // A message of the first mail was still on its way when it was looked for.
    if (name == "hash map: source:25 user01" && observation["where"].size() == 0) continue;
    const std::vector<std::string> recipients = recipients_of(arguments);
    std::vector<std::string> model;
    for (const std::string& recipient : recipients) {
      const Letter letter = letter_of(name, arguments, recipient);
      const std::string ends = visible(test::ends_of(world, letter), letter, index);
      for (const std::string_view end : split(ends, ',')) {
        if (!trim(end).empty()) model.emplace_back(trim(end));
      }
    }
    std::vector<std::string> real = seen(observation, recipients.front());
    // The same signed message was sent before: what it left is not of this mail.
    const std::string id(arguments["mid"].string_or(""));
    if (!id.empty()) {
      const std::vector<std::string> all = real;
      for (const std::string& end : earlier[id]) {
        if (const auto at = std::find(real.begin(), real.end(), end); at != real.end())
          real.erase(at);
      }
      earlier[id] = all;
    }
    ++compared;
    note_compared(observation);
    EXPECT_EQ(joined(model), joined(real)) << name;
  }
  EXPECT_TRUE(change.empty()) << change.size() << " changes were never made, the first before `"
                              << change.begin()->first << "`";
  EXPECT_GE(compared, 130U);
  std::cout << compared << " observations compared\n";
}

TEST_F(Recordings, EveryObservationIsWhatTheModelSays) { compare_observations(); }

/// Who waits in the target's queue, as its list says.
std::vector<std::string> waiting(const Value& row) {
  std::vector<std::string> recipients;
  const Value& answer = row["response"]["body"]["methodResponses"].item(0).item(1);
  for (const Value& message : answer["list"].items()) {
    for (const auto& [recipient, unused] : message["recipients"].members())
      recipients.push_back(recipient);
  }
  return recipients;
}

/// The rows of queue.jsonl that list what waits, between the mails of observations.jsonl.
void Recordings::compare_queues() {
  World world = recorded_pair();
  std::size_t compared = 0;
  for (const Value& row : rows_.at("queue.jsonl")) {
    const std::string_view scenario = row["scenario"].string_or("");
    const std::string_view method =
        row["request"]["body"]["methodCalls"].item(0).item(0).string_or("");
    if (method != "x:QueuedMessage/get") continue;
    const std::vector<std::string> recipients = waiting(row);
    if (scenario == "misrouted-message-in-queue") {
      arms(world, {{"is_local_domain(rcpt_domain)", "'sorce'"}});
      ASSERT_EQ(recipients, std::vector<std::string>{"user02@legacy.test"});
      EXPECT_EQ(ended(world, {Entry::target_queue, recipients.front()}), "public MX");
    } else if (scenario == "source-down" || !recipients.empty()) {
      // It is not tried again by itself when the source is back: what waits has found it down.
      arms(world, test::kSet);
      world.target.keys["migrated"] = {"user01@legacy.test", "first@legacy.test"};
      world.source.is_down = true;
      EXPECT_FALSE(recipients.empty());
      for (const std::string& recipient : recipients)
        EXPECT_EQ(ended(world, {Entry::target_queue, recipient}), "Qt " + user_of(recipient));
    } else if (scenario == "flip-while-queued") {
      // The source is still down; the message is local by now.
      world.target.keys["migrated"] = {"user02@legacy.test"};
      EXPECT_EQ(ended(world, {Entry::target_queue, "user02@legacy.test"}), "T user02");
    } else {
      ASSERT_EQ(scenario, "source-up-again-flush");
      world.source.is_down = false;
      EXPECT_EQ(ended(world, {Entry::target_queue, "user03@legacy.test"}), "S user03");
      EXPECT_EQ(ended(world, {Entry::target_queue, "user03+t@legacy.test"}), "S user03");
    }
    note_compared(row);
    ++compared;
  }
  EXPECT_EQ(compared, 6U);
}

TEST_F(Recordings, WhatWaitsInTheQueueWaitsInTheModel) { compare_queues(); }

// --- move-steps.jsonl

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

/// "out@ext2.test" of "RCPT TO:<out@ext2.test>".
std::string address_in(std::string_view command) {
  const std::size_t begin = command.find('<') + 1;
  return std::string(command.substr(begin, command.find('>') - begin));
}

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

// --- all of them

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

}  // namespace
}  // namespace plan::flow
