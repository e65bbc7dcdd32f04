// The recordings of the real server, played against the embedded target. Prints by topic how many
// of how many agree; what does not agree is listed with `REPLAY_VERBOSE=1`, and why it does not in
// tests/replay/disagreements.md.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <future>
#include <iomanip>
#include <iostream>
#include <set>
#include <thread>

#include "compiler/ir/digest.h"
#include "compiler/ir/json.h"
#include "player.h"
#include "smtp_lines.h"
#include "split_delivery.h"
#include "tests/support/repository.h"
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

const Listed& listed() {
  static const Listed kListed = Listed::read(test::repository() / "tests/replay/disagreements.md");
  return kListed;
}

void show(const Score& score) {
  std::cout << "  " << std::left << std::setw(40) << score.name() << std::right << std::setw(5)
            << score.agreed << " of " << std::setw(5) << score.total << std::setw(5)
            << percent(score.agreed, score.total) << " %  " << std::fixed << std::setprecision(1)
            << std::setw(5) << score.seconds << " s";
  if (score.sent_total > 0)
    std::cout << "   sent by plan: " << score.sent_agreed << " of " << score.sent_total;
  if (!score.left_out.empty()) std::cout << "   not played: " << score.left_out.size();
  std::cout << "\n";
  if (std::getenv("REPLAY_VERBOSE") == nullptr) return;
  for (const Disagreement& each : score.disagreements)
    std::cout << "      - " << score.name() << ": " << each.where << " "
              << (each.is_sent ? "[sent] " : "") << each.note << ": " << each.difference << "\n";
}

void expect(const Score& score) {
  EXPECT_GE(score.agreed * 100, score.total * kPercent)
      << score.name() << " agrees in " << score.agreed << " of " << score.total;
  for (const Disagreement& each : score.disagreements)
    EXPECT_TRUE(!each.is_sent || listed().is_either_way(score.name(), each.where))
        << score.name() << ": " << each.where << " " << each.difference;
  for (const std::string& each : listed().misfits(score)) ADD_FAILURE() << each;
}

bool is_wanted(const std::string& topic) {
  const char* only = std::getenv("REPLAY_ONLY");
  return only == nullptr || topic == only;
}

using Scores = std::vector<Score>;

void show_and_expect(const Scores& scores) {
  for (const Score& score : scores) show(score);
  for (const Score& score : scores) expect(score);
}

// The states of the administration recordings' README.
enum class From : std::uint8_t {
  bootstrap,
  fresh_recovery,
  fresh_normal,
  seeded_recovery,
  seeded_normal
};

Scores play_administration(const std::filesystem::path& folder) {
  Scores scores;
  const std::pair<const char*, From> topics[] = {{"bootstrap", From::bootstrap},
                                                 {"seed-normal", From::fresh_normal},
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
    stage.is_bootstrap = from == From::bootstrap;
    stage.start(true, from == From::fresh_recovery);
    stage.is_bootstrap = false;
    if (from == From::seeded_recovery || from == From::seeded_normal)
      administer(stage,
                 R"([["x:Imap/set",{"update":{"singleton":{"allowPlainTextAuth":true}}},"0"]])");
    if (from == From::seeded_recovery) stage.start(false, true);
    PlayOptions options;
    options.listed = &listed();
    options.before_scenario = [&stage](const std::string& scenario) {
      if (scenario == "bootstrap-after") stage.start(false, true);
      if (scenario == "public-url") stage.public_url = "https://mail.pub.test:8443/prefix/";
      if (scenario == "seed-suppression-after" || scenario == "public-url")
        stage.start(false, false);
    };
    Captures captures;
    NameMap names;
    scores.push_back(
        play_file(stage, folder / (std::string(topic) + ".jsonl"), captures, names, options));
  }
  return scores;
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

// The recorder had addresses of its own; here the client says which it is.
void believe_forwarded_addresses(Stage& stage) {
  administer(stage, R"([["x:Http/set",{"update":{"singleton":{"useXForwarded":true}}},"0"],
                        ["x:Action/set",{"create":{"a":{"@type":"ReloadSettings"}}},"1"]])");
}

// The wrong logins that went before an exchange of auto-ban.jsonl.
void fail_logins(Stage& stage, const std::string& where) {
  const auto fail = [&stage](const std::string& address, const std::string& user, int times) {
    for (int i = 0; i < times; ++i)
      static_cast<void>(send_http(stage.target().port(rehearsal::Service::http), "GET",
                                  "/jmap/session",
                                  {{"authorization", "Basic " + ir::to_base64(user + ":wrong")},
                                   {"x-forwarded-for", address}},
                                  ""));
  };
  constexpr int kOverTheLimit = 101;
  const std::string later = "after-100-failures-for-one-login-name/";
  if (where == "auto-ban/1") fail("10.9.0.64", "somebody@new.test", kOverTheLimit);
  if (where == later + "1") fail("10.9.0.70", "somebody@new.test", 1);
  if (where == later + "6") {
    fail("10.9.0.65", "exempt@new.test", kOverTheLimit);
    fail("10.9.0.66", "another@new.test", kOverTheLimit);
  }
}

Scores play_mail(const std::filesystem::path& folder, const std::filesystem::path& wire) {
  Scores scores;
  Scratch place("jmap");
  Stage stage(place.path);
  stage.start(true, false);
  Captures captures = make_people(stage);
  NameMap names;
  PlayOptions options;
  options.listed = &listed();
  options.before_scenario = [&stage](const std::string& scenario) {
    if (scenario.starts_with("rate-")) stage.clock.skip(std::chrono::minutes(2));
    if (scenario == "rate-authenticated" || scenario == "auto-ban")
      believe_forwarded_addresses(stage);
  };
  options.before_exchange = [&stage, &options](const std::string& where) {
    // Clients of loopback are exempt from the limit; the recorder's second one had another address.
    const bool is_limited = where.starts_with("rate-");
    options.client_address = !is_limited ? "" : where.ends_with("/1") ? "10.9.0.61" : "10.9.0.62";
    fail_logins(stage, where);
  };
  for (const char* topic :
       {"acting", "mailbox", "mailbox-2", "per-login-properties", "blob", "blob-upload-and-import",
        "email-import", "email-query-set", "identity-vacation-sieve", "contacts", "calendars",
        "files-quota-submission", "push", "header-search", "reindex", "requests-and-limits",
        "rate-limits", "auto-ban"}) {
    Score score =
        play_file(stage, folder / (std::string(topic) + ".jsonl"), captures, names, options);
    if (is_wanted(topic)) scores.push_back(std::move(score));
  }
  for (const char* topic :
       {"imap", "pop3", "imap-2", "imap-3", "managesieve", "proxy-protocol", "smtp"})
    if (is_wanted(topic))
      scores.push_back(play_wire(stage, wire / (std::string(topic) + ".jsonl")));
  return scores;
}

struct Parts {
  Scores administration = {};
  Scores mail = {};
  Scores split_delivery = {};
  [[nodiscard]] std::array<const Scores*, 3> all() const {
    return {&administration, &mail, &split_delivery};
  }
};

// Played once, for all tests. A player mostly waits: beside each other the parts take as long as
// the longest of them.
const Parts& parts() {
  static const Parts kParts = [] {
    const std::filesystem::path folder = *test::shared_data("data/transcripts");
    auto administration =
        std::async(std::launch::async, play_administration, folder / "stalwart-0.16-admin");
    auto mail = std::async(std::launch::async, play_mail, folder / "stalwart-0.16-jmap",
                           folder / "stalwart-0.16-wire");
    auto split_delivery = std::async(std::launch::async, [&folder] {
      Scratch place("split");
      Scores scores;
      for (Score& score : play_split_delivery(folder / "split-delivery", place.path, listed()))
        if (is_wanted(score.topic)) scores.push_back(std::move(score));
      return scores;
    });
    return Parts{administration.get(), mail.get(), split_delivery.get()};
  }();
  return kParts;
}

TEST(Replay, administration_answers_as_recorded) {
  PLAN_SHARED(folder, "data/transcripts");
  show_and_expect(parts().administration);
}

TEST(Replay, mail_answers_as_recorded) {
  PLAN_SHARED(folder, "data/transcripts");
  show_and_expect(parts().mail);
}

TEST(Replay, split_delivery_goes_as_recorded) {
  PLAN_SHARED(folder, "data/transcripts");
  show_and_expect(parts().split_delivery);
}

// No recording is forgotten, and none is listed that does not exist.
TEST(Replay, every_recorded_file_is_played) {
  PLAN_SHARED(folder, "data/transcripts");
  if (std::getenv("REPLAY_ONLY") != nullptr) GTEST_SKIP() << "REPLAY_ONLY leaves files out";
  std::set<std::string> played;
  for (const Scores* scores : parts().all())
    for (const Score& score : *scores) played.insert(score.name());
  std::set<std::string> recorded;
  for (const auto& each : std::filesystem::recursive_directory_iterator(folder)) {
    const std::string parent = each.path().parent_path().filename().string();
    if (each.path().extension() == ".jsonl" &&
        (parent.starts_with("stalwart-0.16-") || parent == "split-delivery"))
      recorded.insert(score_of(each.path()).name());
  }
  EXPECT_EQ(played, recorded);
  EXPECT_EQ(listed().unknown_files(played), std::vector<std::string>());
}

// One member of each recorded answer was altered: the comparison objected to every one. What it
// lets through by its rules is counted by name.
TEST(Replay, comparison_objects_to_every_altered_answer) {
  PLAN_SHARED(folder, "data/transcripts");
  std::map<std::pair<std::string, std::string>, std::size_t> passed_over;
  std::size_t altered = 0;
  for (const Scores* scores : parts().all())
    for (const Score& score : *scores) {
      EXPECT_EQ(score.altered, score.total) << score.name();
      for (const std::string& each : score.deaf) ADD_FAILURE() << score.name() << ": " << each;
      for (const auto& [what, count] : score.passed_over) passed_over[what] += count;
      altered += score.altered;
    }
  EXPECT_GT(altered, 0U);
  std::cout << "  " << altered << " recorded answers altered; let through by a rule:\n";
  for (const auto& [what, count] : passed_over)
    std::cout << std::setw(8) << count << "  " << what.first << ": " << what.second << "\n";
}

}  // namespace
}  // namespace plan::replay
