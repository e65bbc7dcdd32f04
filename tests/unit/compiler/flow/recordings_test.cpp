// The model against what both real servers did: every line of
// ../shared/data/transcripts/split-delivery that says where mail went.
#include <gtest/gtest.h>

#include <functional>
#include <iostream>
#include <map>

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

TEST(Recordings, EveryObservationIsWhatTheModelSays) {
  PLAN_SHARED(path, "data/transcripts/split-delivery/observations.jsonl");
  World world = recorded_pair();
  arms(world, test::kGuide);
  world.target.routes["source"].address = "127.0.0.1";
  auto change = changes();
  std::size_t compared = 0;
  std::size_t index = 0;
  std::map<std::string, std::vector<std::string>> earlier;  // by Message-ID
  for (const Value& observation : lines_of(path)) {
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
    EXPECT_EQ(joined(model), joined(real)) << name;
  }
  EXPECT_TRUE(change.empty()) << change.size() << " changes were never made, the first before `"
                              << change.begin()->first << "`";
  EXPECT_GE(compared, 130U);
  std::cout << compared << " observations compared\n";
}

// --- move-steps.jsonl

class MoveSteps : public testing::Test {
 protected:
  void read(const std::filesystem::path& path) {
    for (const Value& line : lines_of(path)) {
      if (line["case"].is_string()) cases_.push_back(line);
    }
  }
  [[nodiscard]] std::vector<const Value*> named(std::string_view begin) const {
    std::vector<const Value*> found;
    for (const Value& one : cases_) {
      if (one["case"].as_string().starts_with(begin)) found.push_back(&one);
    }
    EXPECT_FALSE(found.empty()) << begin;
    return found;
  }
  std::vector<Value> cases_;
};

TEST_F(MoveSteps, HoldVariants) {
  PLAN_SHARED(path, "data/transcripts/split-delivery/move-steps.jsonl");
  read(path);
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
  }
}

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

TEST_F(MoveSteps, RunsUnderLoadBothWays) {
  PLAN_SHARED(path, "data/transcripts/split-delivery/move-steps.jsonl");
  read(path);
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
    }
  }
  EXPECT_EQ(compared, 72U);
}

TEST_F(MoveSteps, AFullSourceAndThrottles) {
  PLAN_SHARED(path, "data/transcripts/split-delivery/move-steps.jsonl");
  read(path);
  const Value& full = *named("the source has no queue space").front();
  World world = recorded_pair();
  world.source.is_down = true;
  EXPECT_EQ(full["smtp source:25"].item(0).item(0).integer_or(0), 452);
  EXPECT_EQ(ended(world, {Entry::source_25, "user09@legacy.test"}), "deferred at RCPT");
  EXPECT_EQ(full["target queue"].size(), 1U);
  EXPECT_EQ(ended(world, {Entry::target_25, "user09@legacy.test"}), "Qt user09");
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
    }
  }
}

TEST_F(MoveSteps, DoorsOfTheUsers) {
  PLAN_SHARED(path, "data/transcripts/split-delivery/move-steps.jsonl");
  read(path);
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
    ++compared;
  }
  EXPECT_GE(compared, 15U);
}

TEST_F(MoveSteps, ListsAlarmsProbes) {
  PLAN_SHARED(path, "data/transcripts/split-delivery/move-steps.jsonl");
  read(path);
  World world = recorded_pair();
  const auto same = [&](std::string_view name, const Letter& letter) {
    const Value& one = *named(name).front();
    std::vector<std::string> real;
    for (const Value& entry : one["where"].items()) {
      const std::string text(entry.string_or(""));
      if (text.starts_with("SRC:")) real.push_back("S " + text.substr(4, text.find(' ') - 4));
    }
    EXPECT_EQ(ended(world, letter), joined(real)) << name;
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
  std::size_t invitations = 0;
  for (const Value& one : cases_) {
    if (one["where"]["user06 at the source"].size() == 0) continue;
    EXPECT_EQ(ended(world, {Entry::target_local, "user06@legacy.test"}), "S user06");
    EXPECT_GE(one["where"]["outside"].size(), 1U);
    EXPECT_EQ(ended(world, {Entry::target_local, "out@ext2.test"}), "out");
    ++invitations;
  }
  EXPECT_GE(invitations, 4U);
  world.target.keys["migrated"] = {"user06@legacy.test"};
  world.target.accounts.insert("user06@legacy.test");
  for (const Value* one : named("probe: ")) {
    const bool is_null = (*one)["case"].as_string().find("null sender") != std::string::npos;
    EXPECT_GT((*one)["found_after_s"].number_or(0), 0);
    EXPECT_EQ(ended(world, {Entry::target_25, "user06@legacy.test", is_null}), "T user06");
  }
}

TEST_F(MoveSteps, ProxiesInFrontOfTheSource) {
  PLAN_SHARED(path, "data/transcripts/split-delivery/move-steps.jsonl");
  read(path);
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
    ++compared;
  }
  EXPECT_EQ(compared, 5U);
}

}  // namespace
}  // namespace plan::flow
