// The real proxy as a witness: what its clients sent is fed to our machines, and the credential
// that it replayed to the backend must be the one that ours would. Where we differ on purpose, the
// scenario stands in a list with the reason.
#include <gtest/gtest.h>

#include <map>
#include <sstream>

#include "compiler/ir/digest.h"
#include "compiler/ir/json.h"
#include "runtime/proxy/front_machine.h"
#include "tests/support/shared_data.h"

namespace plan::proxy {
namespace {

/// Scenario -> why ours does something else.
const std::map<std::string, std::string> kDifferences = {
    {"imap/authenticate-plain-missing-padding-truncates",
     "base64 without its padding is refused, not cut short"},
    {"imap/login-sync-literal-without-waiting-loses-bytes",
     "bytes behind an announced literal are kept"},
    {"imap/oauthbearer-ir", "no bearer mechanism yet"},
    {"imap/oauthbearer-jwt-email", "no bearer mechanism yet"},
    {"imap/oauthbearer-sw1", "no bearer mechanism yet"},
    {"imap/oauthbearer-error-challenge-swallowed", "no bearer mechanism yet"},
    {"imap/xoauth2-jwt", "no bearer mechanism yet"},
    {"imap/xoauth2-user-ignored-opaque-token-goes-to-default", "no bearer mechanism yet"},
    {"pop3/auth-oauthbearer", "no bearer mechanism yet"},
    {"pop3/auth-oauthbearer-error", "no bearer mechanism yet"},
    {"sieve/auth-oauthbearer", "no bearer mechanism yet"},
    {"sieve/auth-oauthbearer-error", "no bearer mechanism yet"},
    {"submission/auth-oauthbearer", "no bearer mechanism yet"},
    {"submission/auth-oauthbearer-error", "no bearer mechanism yet"},
    {"submission/auth-xoauth2-opaque-default", "no bearer mechanism yet"},
    {"pop3/user-pass-leading-and-trailing-blanks", "blanks are part of a password"},
    {"pop3/pass-empty", "an empty password is refused before any backend is asked"},
};

std::string text_of(const ir::Value& event) {
  if (event["text"].is_string()) return event["text"].as_string();
  if (!event["base64"].is_string()) return "";
  bool is_valid = false;
  return ir::from_base64(event["base64"].as_string(), &is_valid);
}

/// The base64 message of the first login that the real proxy sent to a backend.
std::string replayed_credential(const ir::Value& scenario) {
  for (const ir::Value& event : scenario["events"].items()) {
    if (event["leg"].string_or("") != "back" || event["from"].string_or("") != "proxy") continue;
    std::istringstream lines(text_of(event));
    for (std::string line; std::getline(lines, line);) {
      if (line.find("AUTH") == std::string::npos || line.find("PLAIN") == std::string::npos)
        continue;
      std::string word = line.substr(line.rfind(' ') + 1);
      std::erase(word, '"');
      std::erase(word, '\r');
      return word;
    }
  }
  return "";
}

/// Our machine with everything that the client sent.
std::string our_credential(Protocol protocol, const ir::Value& scenario) {
  FrontOptions options;
  options.server_name = "mx.proxy.test";
  options.is_starttls_offered = true;
  options.failures_max = 100;
  bool is_tls = false;
  for (const ir::Value& event : scenario["events"].items())
    is_tls =
        is_tls || (event["leg"].string_or("") == "front" && event["event"].string_or("") == "tls");
  options.is_tls = is_tls;
  const auto machine = make_front_machine(protocol, options);
  FrontStep step = machine->start();
  for (const ir::Value& event : scenario["events"].items()) {
    if (event["leg"].string_or("") != "front" || event["from"].string_or("") != "client") continue;
    const std::string bytes = text_of(event);
    if (bytes.empty()) continue;
    step = machine->feed(bytes);
    if (step.next == FrontStep::Next::start_tls) step = machine->tls_started();
    if (step.next == FrontStep::Next::login) return machine->login().credential.plain_base64();
    if (step.next == FrontStep::Next::close) return "";
  }
  return "";
}

void compare(const std::string& name, Protocol protocol, const std::filesystem::path& file,
             int compared_min) {
  std::istringstream records(test::read_all(file));
  int compared = 0;
  for (std::string line; std::getline(records, line);) {
    const auto record = ir::parse_json(line);
    ASSERT_TRUE(record) << line.substr(0, 200);
    const ir::Value& scenario = *record;
    if (scenario["record"].string_or("") != "scenario") continue;
    const std::string id = name + "/" + std::string(scenario["scenario"].string_or(""));
    const std::string theirs = replayed_credential(scenario);
    if (theirs.empty() || kDifferences.contains(id)) continue;
    ++compared;
    EXPECT_EQ(our_credential(protocol, scenario), theirs) << id;
  }
  EXPECT_GE(compared, compared_min) << "the recordings lost their content";
}

TEST(Recordings, ImapClientsAreUnderstoodAsTheRealProxyDoes) {
  PLAN_SHARED(file, "data/transcripts/proxy/imap.jsonl");
  compare("imap", Protocol::imap, file, 40);
}

TEST(Recordings, Pop3ClientsAreUnderstoodAsTheRealProxyDoes) {
  PLAN_SHARED(file, "data/transcripts/proxy/pop3.jsonl");
  compare("pop3", Protocol::pop3, file, 20);
}

TEST(Recordings, SieveClientsAreUnderstoodAsTheRealProxyDoes) {
  PLAN_SHARED(file, "data/transcripts/proxy/sieve.jsonl");
  compare("sieve", Protocol::sieve, file, 15);
}

TEST(Recordings, SubmissionClientsAreUnderstoodAsTheRealProxyDoes) {
  PLAN_SHARED(file, "data/transcripts/proxy/submission.jsonl");
  compare("submission", Protocol::submission, file, 20);
}

/// Everything that clients sent in all recordings, in any order of protocols: nothing breaks,
/// nothing is logged in without TLS.
TEST(Recordings, NoInputOfAnyClientBreaksAnyMachine) {
  for (const std::string name : {"imap", "pop3", "sieve", "submission", "http"}) {
    PLAN_SHARED(file, "data/transcripts/proxy/" + name + ".jsonl");
    std::istringstream records(test::read_all(file));
    for (std::string line; std::getline(records, line);) {
      const auto record = ir::parse_json(line);
      ASSERT_TRUE(record);
      for (const Protocol protocol :
           {Protocol::imap, Protocol::pop3, Protocol::sieve, Protocol::submission}) {
        FrontOptions options;
        options.is_starttls_offered = true;
        const auto machine = make_front_machine(protocol, options);
        FrontStep step = machine->start();
        for (const ir::Value& event : (*record)["events"].items()) {
          if (event["leg"].string_or("") != "front" || event["from"].string_or("") != "client")
            continue;
          if (step.next != FrontStep::Next::read) break;
          step = machine->feed(text_of(event));
        }
        EXPECT_NE(step.next, FrontStep::Next::login) << (*record)["scenario"].string_or("");
      }
    }
  }
}

}  // namespace
}  // namespace plan::proxy
