// Mails that both real servers were given, one after the other, and what waited in the queue
// between them.
#include <functional>
#include <iostream>

#include "tests/unit/compiler/flow/recordings.h"

namespace plan::flow {
namespace {

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

}  // namespace

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

}  // namespace plan::flow
