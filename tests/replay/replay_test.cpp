// The recordings of the real server, played against the embedded target. Prints by topic how many
// of how many agree; what does not agree is listed with `REPLAY_VERBOSE=1`, and why it does not in
// tests/replay/disagreements.md.
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iomanip>
#include <iostream>
#include <set>
#include <thread>

#include "compiler/ir/json.h"
#include "player.h"
#include "smtp_lines.h"
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

// All exchanges of the kinds that plan sends have to agree, and this share of every topic.
constexpr std::size_t kPercent = 75;

std::size_t percent(std::size_t part, std::size_t whole) {
  return whole == 0 ? 100 : part * 100 / whole;
}

void show(const std::string& folder, const Score& score) {
  std::cout << "  " << std::left << std::setw(40) << folder + "/" + score.topic << std::right
            << std::setw(5) << score.agreed << " of " << std::setw(5) << score.total << std::setw(5)
            << percent(score.agreed, score.total) << " %";
  if (score.sent_total > 0)
    std::cout << "   sent by plan: " << score.sent_agreed << " of " << score.sent_total;
  std::cout << "\n";
  if (std::getenv("REPLAY_VERBOSE") != nullptr)
    for (const std::string& each : score.disagreements) std::cout << "      - " << each << "\n";
}

// What cannot agree although plan sends it, by the beginning of the line, and why.
struct Exception {
  const char* exchange;
  const char* why;
};
constexpr Exception kExceptions[] = {
    {"misrouted-message-in-queue/2 ", "the error is that of a public MX with a false certificate"},
};

bool is_exception(const std::string& disagreement) {
  return std::any_of(std::begin(kExceptions), std::end(kExceptions), [&](const Exception& each) {
    return disagreement.starts_with("[sent] " + std::string(each.exchange));
  });
}

void expect(const Score& score) {
  EXPECT_GE(score.agreed * 100, score.total * kPercent)
      << score.topic << " agrees in " << score.agreed << " of " << score.total;
  for (const std::string& each : score.disagreements)
    EXPECT_TRUE(!each.starts_with("[sent] ") || is_exception(each)) << each;
}

bool is_wanted(const std::string& topic) {
  const char* only = std::getenv("REPLAY_ONLY");
  return only == nullptr || topic == only;
}

// The states of the administration recordings' README.
enum class From : std::uint8_t { fresh_recovery, fresh_normal, seeded_recovery, seeded_normal };

TEST(Replay, administration_answers_as_recorded) {
  PLAN_SHARED(folder, "data/transcripts/stalwart-0.16-admin");
  const std::pair<const char*, From> topics[] = {{"seed-normal", From::fresh_normal},
                                                 {"seed-recovery-first", From::fresh_recovery},
                                                 {"discovery", From::fresh_recovery},
                                                 {"request-errors", From::fresh_recovery},
                                                 {"listeners", From::seeded_recovery},
                                                 {"domains", From::seeded_recovery},
                                                 {"accounts", From::seeded_recovery},
                                                 {"lists-roles-tenants", From::seeded_recovery},
                                                 {"mta", From::seeded_recovery},
                                                 {"settings", From::seeded_recovery},
                                                 {"references-limits", From::seeded_recovery},
                                                 {"get-query", From::seeded_recovery},
                                                 {"dkim-certificates", From::seeded_recovery},
                                                 {"password-hashes", From::seeded_recovery},
                                                 {"queue", From::seeded_normal},
                                                 {"normal-mode", From::seeded_normal},
                                                 {"more", From::seeded_normal},
                                                 {"oauth-and-directory", From::seeded_normal},
                                                 {"seed-suppression", From::fresh_recovery}};
  for (const auto& [topic, from] : topics) {
    if (!is_wanted(topic)) continue;
    Scratch place(topic);
    Stage stage(place.path);
    // A second attempt must not come before the recorder looked.
    if (std::string(topic) == "queue") stage.schedule_speed = 5;
    stage.start(true, from == From::fresh_recovery);
    if (from == From::seeded_recovery || from == From::seeded_normal)
      administer(stage,
                 R"([["x:Imap/set",{"update":{"singleton":{"allowPlainTextAuth":true}}},"0"]])");
    if (from == From::seeded_recovery) stage.start(false, true);
    PlayOptions options;
    options.before_scenario = [&stage](const std::string& scenario) {
      if (scenario == "public-url") stage.public_url = "https://mail.pub.test:8443/prefix/";
      if (scenario == "seed-suppression-after" || scenario == "public-url")
        stage.start(false, false);
    };
    Captures captures;
    NameMap names;
    const Score score =
        play_file(stage, folder / (std::string(topic) + ".jsonl"), captures, names, options);
    show("admin", score);
    expect(score);
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
  // Messages that were there before the recording began. From then on the recorded server handed
  // all mail to the source, which does not answer here.
  SmtpSide side;
  for (const char* subject : {"first", "second"}) {
    side.subject = subject;
    submit(stage, side, "berta@new.test");
  }
  std::this_thread::sleep_for(std::chrono::seconds(1));
  administer(
      stage,
      R"([["x:MtaOutboundStrategy/set",{"update":{"singleton":{"route":{"match":{},"else":"'source'"}}}},"1"],
          ["x:Action/set",{"create":{"a":{"@type":"ReloadSettings"}}},"2"]])");
  return captures;
}

TEST(Replay, mail_over_jmap_answers_as_recorded) {
  PLAN_SHARED(folder, "data/transcripts/stalwart-0.16-jmap");
  Scratch place("jmap");
  Stage stage(place.path);
  stage.start(true, false);
  Captures captures = make_people(stage);
  NameMap names;
  for (const char* topic :
       {"acting", "mailbox", "mailbox-2", "per-login-properties", "blob", "blob-upload-and-import",
        "email-import", "email-query-set", "identity-vacation-sieve", "contacts", "calendars",
        "files-quota-submission", "header-search", "reindex", "requests-and-limits"}) {
    const Score score = play_file(stage, folder / (std::string(topic) + ".jsonl"), captures, names);
    if (!is_wanted(topic)) continue;
    show("jmap", score);
    expect(score);
  }
  PLAN_SHARED(wire, "data/transcripts/stalwart-0.16-wire");
  for (const char* topic :
       {"imap", "pop3", "imap-2", "imap-3", "managesieve", "proxy-protocol", "smtp"}) {
    if (!is_wanted(topic)) continue;
    const Score score = play_wire(stage, wire / (std::string(topic) + ".jsonl"));
    show("wire", score);
    expect(score);
  }
}

TEST(Replay, split_delivery_is_configured_as_recorded) {
  PLAN_SHARED(folder, "data/transcripts/split-delivery");
  Scratch place("split");
  Stage stage(place.path);
  stage.schedule_speed = 5;
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
  // The mails that wait in the queue when the recorder looks at it (their relay does not answer).
  const auto send = [&stage](const std::vector<std::string>& recipients) {
    int number = 0;
    for (const std::string& recipient : recipients) {
      SmtpSide side;
      side.sender = "alice@ext.test";
      side.subject = "queued" + std::to_string(number++) + recipient;
      submit(stage, side, recipient);
    }
    std::this_thread::sleep_for(std::chrono::seconds(2));
  };
  PlayOptions options;
  options.addresses = {{"10.9.0.2", "192.0.2.1"}};  // nobody listens at either
  options.before_scenario = [&](const std::string& scenario) {
    if (scenario == "misrouted-message-in-queue") send({"user02@legacy.test"});
    if (scenario == "source-down")
      send({"user02@legacy.test", "user03@legacy.test", "user03+t@legacy.test"});
  };
  for (const char* topic : {"configuration", "cases", "queue", "source-hold", "sieve"}) {
    captures["acc"] = captures["u1"];
    const Score score =
        play_file(stage, folder / (std::string(topic) + ".jsonl"), captures, names, options);
    if (!is_wanted(topic)) continue;
    show("split-delivery", score);
    expect(score);
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
  if (is_ignored_member(member)) return false;
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

// How many members of a recorded answer are compared at all.
std::size_t leaves_of(const ir::Value& value, const std::string& member) {
  if (is_ignored_member(member)) return 0;
  std::size_t out = 0;
  for (const auto& [name, each] : value.members()) out += leaves_of(each, name);
  for (const ir::Value& each : value.items()) out += leaves_of(each, member);
  return value.is_map() || value.is_list() ? out : 1;
}

// Each recorded answer that agreed, with one member altered, against the answer it agreed with.
void expect_objections(const std::vector<Played>& played, std::size_t at_least) {
  std::size_t checked = 0;
  for (std::size_t i = 0; i < played.size(); ++i) {
    const std::size_t leaves = leaves_of(played[i].recorded, "");
    if (leaves == 0) continue;
    ir::Value recorded = played[i].recorded;
    std::size_t countdown = i % leaves;
    ASSERT_TRUE(replace_one(recorded, countdown, ""));
    NameMap names = played[i].names;
    EXPECT_TRUE(difference(recorded, played[i].ours, names).has_value())
        << ir::write_json(recorded).substr(0, 400);
    ++checked;
  }
  EXPECT_GT(checked, at_least);
}

TEST(Replay, comparison_objects_to_every_altered_answer) {
  PLAN_SHARED(folder, "data/transcripts/stalwart-0.16-admin");
  for (const auto& [topic, at_least] :
       {std::pair("domains", 40U), std::pair("accounts", 60U), std::pair("settings", 90U)}) {
    Scratch place("altered");
    Stage stage(place.path);
    stage.start(true, false);
    stage.start(false, true);
    Captures captures;
    NameMap names;
    std::vector<Played> played;
    PlayOptions options;
    options.played = &played;
    static_cast<void>(
        play_file(stage, folder / (std::string(topic) + ".jsonl"), captures, names, options));
    expect_objections(played, at_least);
  }
  Scratch place("altered-mail");
  Stage stage(place.path);
  stage.start(true, false);
  Captures captures = make_people(stage);
  NameMap names;
  for (const char* topic : {"mailbox", "email-query-set", "contacts", "calendars"}) {
    std::vector<Played> played;
    PlayOptions options;
    options.played = &played;
    static_cast<void>(play_file(
        stage, folder.parent_path() / "stalwart-0.16-jmap" / (std::string(topic) + ".jsonl"),
        captures, names, options));
    expect_objections(played, 15);
  }
}

}  // namespace
}  // namespace plan::replay
