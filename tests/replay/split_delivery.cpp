#include "split_delivery.h"

#include <chrono>
#include <fstream>

#include <gtest/gtest.h>

#include "compiler/ir/json.h"
#include "observer.h"

namespace plan::replay {
namespace {

using ir::Value;

// Which observations (counted from 1) were made before an exchange of the calls, under the
// configuration that had been reached then.
struct Moment {
  const char* before;
  int first;
  int last;
};
constexpr Moment kMoments[] = {
    {"relay-address/1", 1, 14},  // the relay's address is still one of loopback
    {"relay-address/2", 15, 15},
    {"safe-route/1", 16, 34},
    {"precise-route-lookup-key/1", 35, 54},
    {"flip-one-account/1", 55, 64},
    {"flip-one-account/2", 65, 65},
    {"flip-one-account/3", 66, 66},
    {"flip-one-account/5", 67, 67},
    {"variant-list-in-expression/1", 68, 69},
    {"variant-unknown-store/1", 70, 71},
    {"variant-unknown-store/3", 72, 72},
    {"variant-unknown-route-name/1", 73, 73},
    {"variant-parking-domain/1", 74, 74},
    {"variant-parking-domain/5", 75, 75},
    {"variant-parking-domain/6", 76, 77},
    {"variant-account-without-permissions/1", 78, 78},
    {"late-account-creation/1", 79, 82},
    {"late-account-creation/2", 83, 83},
    {"late-account-creation/3", 84, 84},
    {"source-down/1", 85, 87},
    {"pause-and-resume/2", 88, 89},
    {"catch-all/2", 90, 91},
    {"relaying-off/1", 92, 92},
    {"relaying-off/2", 93, 95},
    {"domain-disabled/2", 96, 96},
    {"lists/2", 97, 98},
    {"lists/4", 99, 99},
    {"greylisting/1", 100, 100},
    {"greylisting/3", 101, 103},
    {"redirect/1", 104, 116},
    {"redirect/3", 117, 119},
    {"redirect/5", 120, 120},
    {"vacation/2", 121, 121},
    {"group-in-set/3", 122, 122},
    {"group-in-set/5", 123, 124},
    {"hold-at-source/1", 125, 125}};

// Plays observations.jsonl piece by piece.
class Observations {
 public:
  Observations(const std::filesystem::path& file, Observer& observer, const Listed& listed)
      : observer_(observer), listed_(listed), score_(score_of(file)) {
    std::ifstream lines(file);
    std::string text;
    while (std::getline(lines, text)) {
      auto record = ir::parse_json(text);
      EXPECT_TRUE(record) << file;
      if (record) records_.push_back(std::move(*record));
    }
  }

  void play_to(std::size_t last) {
    const auto begin = std::chrono::steady_clock::now();
    for (; next_ < std::min(last, records_.size()); ++next_) play(records_[next_]);
    score_.seconds +=
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }

  Score finish() {
    play_to(records_.size());
    return std::move(score_);
  }

 private:
  void play(const Value& record) {
    const std::string where = "case " + std::to_string(next_ + 1);
    if (listed_.is_left_out(score_.name(), where)) {
      score_.left_out.push_back(where);
      return;
    }
    const std::string note(record["case"].string_or(""));
    observer_.patience =
        listed_.is_disagreement(score_.name(), where) ? Observer::kShort : Observer::kLong;
    const Observed observed = observer_.play(record);
    if (const auto found = difference(observed))
      score_.disagree(where, note, *found, false);
    else
      score_.agree(where, false);
    alter_observed(observed, where, score_);
  }

  Observer& observer_;
  const Listed& listed_;
  Score score_;
  std::vector<Value> records_;
  std::size_t next_ = 0;
};

PlayOptions options_for(const Observer& observer, const Listed& listed) {
  PlayOptions options;
  options.listed = &listed;
  // The source is here, at an address that is none of loopback.
  options.texts = {{"\"10.9.0.2\"", "\"0.0.0.0\""},
                   {"\"mail.legacy.test\"", "\"127.0.0.1\""},  // the public MX
                   {"\"port\": 26007", "\"port\": " + std::to_string(observer.source.port())}};
  return options;
}

void learn_throttles(Stage& stage, Captures& captures) {
  const auto throttles = administer(stage, R"([["x:MtaInboundThrottle/get",{"ids":null},"g"]])");
  for (const Value& each : throttles.item(0).item(1)["list"].items())
    captures[each["key"].members().contains("rcpt") ? "thr_pair" : "thr_ip"] =
        std::string(each["id"].string_or(""));
}

// What the world around was like at an exchange.
void before_exchange(const std::string& where, Stage& stage, Observer& observer,
                     Captures& captures) {
  if (where == "variant-unknown-route-name/2")
    observer.outside.offer_tls(certificate(stage.directory()));
  if (where == "variant-parking-domain/2") observer.outside.offer_no_tls();
  if (where == "source-up-again-flush/2") observer.source.come_up();
  if (where == "source-up-again-flush/3" || where == "pause-and-resume/3")
    observer.wait_for_empty_queue();
  // Made by hand before the final route was tried.
  if (where == "redirect/1")
    administer(stage,
               R"([["x:Account/set",{"create":{"u":{"@type":"User","name":"berta","domainId":")" +
                   captures["dom2"] + R"("}}},"0"]])");
}

void before_observation(int number, Observer& observer) {
  // Whose mail the source hands on.
  if (number == 26) observer.forwarded = {"user01", "user02"};
  if (number == 55) observer.forwarded = {"user01"};
  if (number == 85) observer.source.go_down();
}

void play_configuration(const std::filesystem::path& folder, const std::filesystem::path& scratch,
                        const Listed& listed, std::vector<Score>& scores) {
  Stage stage(scratch / "configuration");
  // A second attempt must not come before the recorder looked.
  stage.schedule_speed = 5;
  Observer observer(stage);
  stage.outside_mx = "127.0.0.1:" + std::to_string(observer.outside.port());
  Observations observations(folder / "observations.jsonl", observer, listed);
  Captures captures;
  NameMap names;
  PlayOptions options = options_for(observer, listed);
  options.before_scenario = [&](const std::string& scenario) {
    if (scenario == "bring-up") stage.start(true, true);
    if (scenario != "guide-route") return;
    stage.start(false, false);
    learn_throttles(stage, captures);
  };
  options.before_exchange = [&](const std::string& where) {
    before_exchange(where, stage, observer, captures);
    for (const Moment& moment : kMoments)
      if (where == moment.before)
        for (int i = moment.first; i <= moment.last; ++i) {
          before_observation(i, observer);
          observations.play_to(static_cast<std::size_t>(i));
        }
  };
  for (const char* topic : {"configuration", "queue", "cases", "sieve", "source-hold"}) {
    captures["acc"] = captures["u1"];
    scores.push_back(
        play_file(stage, folder / (std::string(topic) + ".jsonl"), captures, names, options));
  }
  stage.start(false, false);  // the last two are of a restarted server
  scores.push_back(observations.finish());
}

// The throttle of pairs counts one client only, as the recorder had it; that of connections is off:
// it would see how fast we are.
void count_one_client(Stage& stage) {
  Captures throttles;
  learn_throttles(stage, throttles);
  administer(stage, R"([["x:MtaInboundThrottle/set",{"update":{")" + throttles["thr_ip"] +
                        R"(":{"enable":false},")" + throttles["thr_pair"] +
                        R"(":{"match":{"match":{},"else":"remote_ip == '127.0.0.99'"}}}},"0"],
      ["x:Action/set",{"create":{"a":{"@type":"ReloadSettings"}}},"1"]])");
}

// The accounts of move-steps.jsonl, with the ids that it names.
void make_accounts(Stage& stage, std::uint16_t source_port) {
  administer(stage,
             R"json([["x:SpamPyzor/set",{"update":{"singleton":{"enable":false}}},"0"],
    ["x:Domain/set",{"create":{"d":{"name":"legacy.test","allowRelaying":true,"dkimManagement":{"@type":"Manual"}}}},"1"],
    ["x:Domain/set",{"create":{"d":{"name":"new.test","dkimManagement":{"@type":"Manual"}}}},"2"],
    ["x:SystemSettings/set",{"update":{"singleton":{"defaultHostname":"mail.new.test","defaultDomainId":"c"}}},"3"],
    ["x:MtaRoute/set",{"create":{"s":{"@type":"Relay","name":"source","address":"0.0.0.0","port":)json" +
                 std::to_string(source_port) + R"json(,"allowInvalidCerts":true}}},"4"],
    ["x:MtaOutboundStrategy/set",{"update":{"singleton":{"route":{"match":{
      "0":{"if":"rcpt_domain == 'legacy.test' && is_local_address(to_lowercase(rcpt)) && key_exists('migrated', to_lowercase(rcpt))","then":"'local'"},
      "1":{"if":"rcpt_domain == 'legacy.test'","then":"'source'"},
      "2":{"if":"is_local_domain(rcpt_domain)","then":"'local'"}},"else":"'mx'"}}}},"5"],
    ["x:Action/set",{"create":{"a":{"@type":"ReloadSettings"}}},"6"]])json");
  for (int i = 1; i <= 9; ++i) {
    const std::string name = "user0" + std::to_string(i);
    administer(
        stage,
        R"json([["x:Account/set",{"create":{"u":{"@type":"User","name":")json" + name +
            R"json(","domainId":"b","credentials":{"0":{"@type":"Password","secret":"Corr3ct-horse-)json" +
            name + R"json("}}}}},"0"]])json");
  }
  administer(stage,
             R"json([["x:Account/set",{"create":{"u":{"@type":"User","name":"boss","domainId":"c",
    "roles":{"@type":"Admin"},
    "credentials":{"0":{"@type":"Password","secret":"Corr3ct-horse-boss"}}}}},"0"]])json");
}

Score play_move_steps(const std::filesystem::path& folder, const std::filesystem::path& scratch,
                      const Listed& listed) {
  Stage stage(scratch / "move-steps");
  stage.schedule_speed = 5;
  Observer observer(stage);
  stage.outside_mx = "127.0.0.1:" + std::to_string(observer.outside.port());
  stage.start(true, true);
  stage.start(false, false);
  make_accounts(stage, observer.source.port());
  count_one_client(stage);
  Captures captures;
  NameMap names;
  std::map<std::string, std::string> ids;
  PlayOptions options = options_for(observer, listed);
  options.ids = &ids;
  options.observe = [&observer](const Value& record) { return observer.play(record); };
  options.before_exchange = [&](const std::string& where) {
    observer.patience = listed.is_disagreement("split-delivery/move-steps", where)
                            ? Observer::kShort
                            : Observer::kLong;
    if (where == "calendar alarms after a restart/1") stage.start(false, false);
    // From the probes on user06 is in the set.
    if (where == "probe/1")
      administer(stage, R"([["x:MemoryLookupKey/set",{"create":{"k":{"namespace":"migrated",
        "key":"user06@legacy.test","isGlobPattern":false}}},"0"],
        ["x:Action/set",{"create":{"a":{"@type":"ReloadLookupStores"}}},"1"]])");
    static const std::map<std::string, std::string> kProbed = {{"probe/2", "eaaaaab"},
                                                               {"probe/3", "maaaaad"},
                                                               {"probe/4", "qaaaaae"},
                                                               {"probe/5", "uaaaaaf"}};
    if (const auto probed = kProbed.find(where); probed != kProbed.end()) {
      const std::string id = observer.send_probe(where, "g");
      ids[probed->second] = id;
      names.capture(probed->second, id);
    }
  };
  return play_file(stage, folder / "move-steps.jsonl", captures, names, options);
}

}  // namespace

std::vector<Score> play_split_delivery(const std::filesystem::path& folder,
                                       const std::filesystem::path& scratch, const Listed& listed) {
  std::vector<Score> scores;
  play_configuration(folder, scratch, listed, scores);
  scores.push_back(play_move_steps(folder, scratch, listed));
  return scores;
}

}  // namespace plan::replay
