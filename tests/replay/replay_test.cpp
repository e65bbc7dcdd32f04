// The recordings of the real server, played against the embedded target. Prints by topic how many
// of how many agree; what does not agree is listed with `REPLAY_VERBOSE=1`, and why it does not in
// tests/replay/disagreements.md.
#include <unistd.h>

#include <cstdlib>
#include <iomanip>
#include <iostream>
#include <set>

#include "compiler/ir/json.h"
#include "player.h"
#include "tests/support/shared_data.h"

namespace plan::replay {
namespace {

std::filesystem::path scratch(const std::string& name) {
  return std::filesystem::temp_directory_path() / ("plan-replay-" + std::to_string(::getpid())) /
         name;
}

struct Scratch {
  explicit Scratch(const std::string& name) : path(scratch(name)) {
    std::filesystem::remove_all(path);
  }
  ~Scratch() { std::filesystem::remove_all(path); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  std::filesystem::path path;
};

void show(const std::string& folder, const Score& score) {
  std::cout << "  " << std::left << std::setw(40) << folder + "/" + score.topic << std::right
            << std::setw(5) << score.agreed << " of " << std::setw(5) << score.total << "  "
            << (score.total == 0 ? 100 : score.agreed * 100 / score.total) << " %\n";
  if (std::getenv("REPLAY_VERBOSE") != nullptr)
    for (const std::string& each : score.disagreements) std::cout << "      - " << each << "\n";
}

// Topics below this share fail the test; 0 for those the target does not serve, which
// disagreements.md names.
void expect(const Score& score, std::size_t percent) {
  EXPECT_GE(score.agreed * 100, score.total * percent)
      << score.topic << " agrees in " << score.agreed << " of " << score.total;
}

struct Topic {
  const char* file;
  bool is_recovery;
  std::size_t percent;
};

TEST(Replay, administration_answers_as_recorded) {
  PLAN_SHARED(folder, "data/transcripts/stalwart-0.16-admin");
  const Topic topics[] = {{"seed-normal", false, 75},
                          {"seed-recovery-first", true, 75},
                          {"discovery", true, 75},
                          {"request-errors", true, 75},
                          {"listeners", true, 75},
                          {"domains", true, 75},
                          {"accounts", true, 75},
                          {"lists-roles-tenants", true, 75},
                          {"mta", true, 75},
                          {"settings", true, 75},
                          {"references-limits", true, 60},
                          {"get-query", true, 75},
                          {"dkim-certificates", true, 75},
                          {"password-hashes", true, 75},
                          {"queue", false, 40},
                          {"normal-mode", false, 65},
                          {"more", false, 55},
                          {"oauth-and-directory", false, 55},
                          {"seed-suppression", true, 65}};
  for (const Topic& topic : topics) {
    if (const char* only = std::getenv("REPLAY_ONLY");
        only != nullptr && std::string(only) != topic.file)
      continue;
    Scratch place(topic.file);
    Stage stage(place.path);
    const bool is_seeded = std::string(topic.file) != "seed-recovery-first" &&
                           std::string(topic.file) != "request-errors" &&
                           std::string(topic.file) != "discovery" &&
                           std::string(topic.file) != "seed-suppression";
    stage.start(true, topic.is_recovery && !is_seeded);
    if (is_seeded && topic.is_recovery) stage.start(false, true);
    Captures captures;
    NameMap names;
    const Score score =
        play_file(stage, folder / (std::string(topic.file) + ".jsonl"), captures, names);
    show("admin", score);
    expect(score, topic.percent);
  }
}

// The accounts of the recordings of mail, with the same ids.
Captures make_people(Stage& stage) {
  administer(stage, R"([["x:SpamPyzor/set",{"update":{"singleton":{"enable":false}}},"0"],
    ["x:Domain/set",{"create":{"new":{"name":"new.test","dkimManagement":{"@type":"Manual"}}}},"1"],
    ["x:Domain/set",{"create":{"legacy":{"name":"legacy.test","allowRelaying":true,"dkimManagement":{"@type":"Manual"}}}},"1"],
    ["x:SystemSettings/set",{"update":{"singleton":{"defaultHostname":"mail.new.test","defaultDomainId":"b"}}},"2"],
    ["x:MtaInboundThrottle/query",{},"q"],
    ["x:MtaRoute/set",{"create":{"s":{"@type":"Relay","name":"source","address":"192.0.2.1"}}},"3"],
    ["x:Action/set",{"create":{"a":{"@type":"ReloadSettings"}}},"4"]])");
  const auto throttles =
      administer(stage, R"([["x:MtaInboundThrottle/query",{},"q"]])").item(0).item(1)["ids"];
  for (const ir::Value& id : throttles.items())
    administer(
        stage,
        R"([["x:MtaInboundThrottle/set",{"update":{")" + std::string(id.string_or("")) +
            R"(":{"enable":false}}},"0"],["x:Action/set",{"create":{"a":{"@type":"ReloadSettings"}}},"4"]])");
  for (int i = 0; i < 8; ++i)
    administer(stage, R"([["x:Account/set",{"create":{"u":{"@type":"User","name":"filler)" +
                          std::to_string(i) + R"(","domainId":"b"}}},"0"]])");
  Captures captures;
  for (const char* name : {"anna", "berta", "carl", "dora", "tiny", "boss", "emil"}) {
    const std::string text(name);
    const std::string extra = text == "tiny"
                                  ? R"(,"quotas":{"maxDiskQuota":20000,"maxEmails":3})"
                                  : (text == "boss" ? R"(,"roles":{"@type":"Admin"})" : "");
    const auto made = administer(
        stage,
        R"([["x:Account/set",{"create":{"u":{"@type":"User","name":")" + text +
            R"(","domainId":"b","credentials":{"0":{"@type":"Password","secret":"Corr3ct-horse-)" +
            text + "\"}}" + extra + R"(}}},"0"]])");
    captures[text] = std::string(made.item(0).item(1)["created"]["u"]["id"].string_or(""));
  }
  return captures;
}

TEST(Replay, mail_over_jmap_answers_as_recorded) {
  PLAN_SHARED(folder, "data/transcripts/stalwart-0.16-jmap");
  Scratch place("jmap");
  Stage stage(place.path);
  stage.start(true, false);
  Captures captures = make_people(stage);
  NameMap names;
  const Topic topics[] = {{"acting", false, 75},
                          {"mailbox", false, 75},
                          {"mailbox-2", false, 75},
                          {"per-login-properties", false, 75},
                          {"blob", false, 75},
                          {"blob-upload-and-import", false, 30},
                          {"email-import", false, 75},
                          {"email-query-set", false, 75},
                          {"identity-vacation-sieve", false, 75},
                          {"contacts", false, 75},
                          {"calendars", false, 75},
                          {"files-quota-submission", false, 75},
                          {"header-search", false, 40},
                          {"reindex", false, 0},
                          {"requests-and-limits", false, 50}};
  for (const Topic& topic : topics) {
    const Score score =
        play_file(stage, folder / (std::string(topic.file) + ".jsonl"), captures, names);
    if (const char* only = std::getenv("REPLAY_ONLY");
        only != nullptr && std::string(only) != topic.file)
      continue;
    show("jmap", score);
    expect(score, topic.percent);
  }
  PLAN_SHARED(wire, "data/transcripts/stalwart-0.16-wire");
  for (const Topic& topic :
       {Topic{"smtp", false, 75}, Topic{"managesieve", false, 30}, Topic{"imap", false, 40},
        Topic{"imap-2", false, 0}, Topic{"imap-3", false, 0}}) {
    const Score score = play_wire(stage, wire / (std::string(topic.file) + ".jsonl"));
    show("wire", score);
    expect(score, topic.percent);
  }
}

TEST(Replay, split_delivery_is_configured_as_recorded) {
  PLAN_SHARED(folder, "data/transcripts/split-delivery");
  Scratch place("split");
  Stage stage(place.path);
  stage.start(true, true);
  stage.start(false, false);
  Captures captures;
  NameMap names;
  const auto throttles = administer(
      stage,
      R"([["x:MtaInboundThrottle/query",{"sort":[{"property":"id","isAscending":true}]},"q"],["x:MtaInboundThrottle/get",{"ids":null},"g"]])");
  for (const ir::Value& each : throttles.item(1).item(1)["list"].items())
    captures[each["key"].members().contains("rcpt") ? "thr_pair" : "thr_ip"] =
        std::string(each["id"].string_or(""));
  for (const Topic& topic :
       {Topic{"configuration", false, 75}, Topic{"cases", false, 75}, Topic{"queue", false, 0},
        Topic{"source-hold", false, 75}, Topic{"sieve", false, 30}}) {
    const Score score =
        play_file(stage, folder / (std::string(topic.file) + ".jsonl"), captures, names);
    show("split-delivery", score);
    expect(score, topic.percent);
  }
}

// Alters one member of each recorded answer that agreed: the comparison must object to every one.

ir::Value altered(const ir::Value& value) {
  if (value.is_bool()) return !value.bool_or(false);
  if (value.is_integer()) return value.integer_or(0) + 7;
  if (value.is_string()) return std::string(value.string_or("")) + "!";
  if (value.is_null()) return "something";
  return ir::Value(12345);
}

bool replace_one(ir::Value& value, std::size_t& countdown, const std::string& member) {
  static const std::set<std::string, std::less<>> kNotCompared = {
      "sessionState", "implementation", "description", "detail",
      "value",        "dnsZoneFile",    "issuer",      "failureReason",
      "errorMessage", "publicKey",      "title",       "applicationServerKey"};
  if (kNotCompared.contains(member)) return false;
  if (value.is_map()) {
    for (auto& [name, each] : value.as_map())
      if (replace_one(each, countdown, name)) return true;
    return false;
  }
  if (value.is_list()) {
    for (ir::Value& each : value.as_list())
      if (replace_one(each, countdown, member)) return true;
    return false;
  }
  if (countdown-- > 0) return false;
  value = altered(value);
  return true;
}

TEST(Replay, comparison_objects_to_every_altered_answer) {
  PLAN_SHARED(folder, "data/transcripts/stalwart-0.16-admin");
  Scratch place("altered");
  Stage stage(place.path);
  stage.start(true, false);
  stage.start(false, true);
  Captures captures;
  NameMap names;
  std::vector<Played> played;
  const Score score = play_file(stage, folder / "domains.jsonl", captures, names, &played);
  ASSERT_GT(played.size(), 40U) << score.agreed;
  std::size_t checked = 0;
  for (std::size_t i = 0; i < played.size(); ++i) {
    ir::Value recorded = played[i].recorded;
    std::size_t countdown = i % 5;
    if (!replace_one(recorded, countdown, "")) continue;
    NameMap copy = names;
    EXPECT_TRUE(difference(recorded, played[i].ours, copy).has_value())
        << ir::write_json(recorded).substr(0, 400);
    ++checked;
  }
  EXPECT_GT(checked, 40U);
}

}  // namespace
}  // namespace plan::replay
