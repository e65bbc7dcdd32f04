// Settings of an old Stalwart as a step: written, read back, loaded, and put back. The server is a
// double that the recordings with a real 0.15.5 hold to the truth.
#include "runtime/server/stalwart15/drivers.h"

#include <gtest/gtest.h>

#include "runtime/secret/secret_store.h"
#include "runtime/server/stalwart15/errors.h"
#include "runtime/step/errors.h"
#include "tests/support/recordings.h"
#include "tests/support/shared_data.h"
#include "tests/support/told_error.h"
#include "tests/unit/runtime/server/stalwart15/old_server.h"

namespace plan::server::stalwart15 {
namespace {

using ir::Standing;
using ir::Value;
using test::OldServer;

// --- the double ----------------------------------------------------------------------------------

/// What the double has no opinion about: what an expression says, and where the file is.
bool is_beyond_the_double(const test::Recorded& one) {
  for (const char* words :
       {"unknown variable", "string without quotes", "folder gone", "syntax error"})
    if (one.note.find(words) != std::string::npos) return true;
  // Long values are cut in the recordings.
  return ir::write_json(one.request).find("$cut") != std::string::npos ||
         ir::write_json(one.response).find("$cut") != std::string::npos;
}

TEST(OldServerDouble, AnswersAsTheRealServerDid) {
  PLAN_SHARED(folder, "data/transcripts/stalwart-0.15-api");
  OldServer server;
  std::size_t compared = 0;
  std::size_t broken = 0;
  for (const test::Recorded& one : test::read_recordings(folder)) {
    if (one.file != "settings-reload.jsonl" || one.scenario == "reload") continue;
    if (one.scenario == "read" && one.note == "everything") {
      for (const auto& [key, value] : one.response["body"]["data"]["items"].members()) {
        const bool is_of_file = !key.starts_with("spam-filter.") && !key.starts_with("queue.") &&
                                !key.starts_with("lookup.") && !key.starts_with("signature.");
        (is_of_file ? server.file : server.database)[key] = value.string_or("");
      }
      ASSERT_FALSE(server.file.empty());
      continue;
    }
    const std::string path(one.request["path"].string_or(""));
    if (!path.starts_with("/api/settings/list") && !path.starts_with("/api/settings/keys") &&
        path != "/api/settings" && !path.starts_with("/api/reload") &&
        !path.starts_with("/api/settings/lookup"))
      continue;
    if (path.find("page=") != std::string::npos || path.find("limit=") != std::string::npos)
      continue;
    test::FakeRequest request;
    request.method = one.request["method"].string_or("");
    request.target = path;
    if (!one.request["body"].is_null()) request.body = ir::write_json(one.request["body"]);
    if (is_beyond_the_double(one)) {
      if (request.method == "POST") static_cast<void>(server.answer(request));
      continue;
    }
    int status = 0;
    const Value is = server.reply(request, status);
    ++compared;
    EXPECT_EQ(status, one.response["status"].integer_or(0)) << one.place();
    const Value& was = one.response["body"];
    if (path.starts_with("/api/reload")) {
      if (!was["data"]["errors"].members().empty()) ++broken;
      EXPECT_EQ(is["data"]["errors"].members().empty(), was["data"]["errors"].members().empty())
          << one.place() << "\n"
          << ir::write_json(is);
    } else if (status == 200 && path != "/api/settings/list") {
      EXPECT_EQ(ir::canonical_json(is["data"]), ir::canonical_json(was["data"])) << one.place();
      EXPECT_EQ(is["error"], was["error"]) << one.place();
    }
  }
  EXPECT_GE(compared, 60U);
  EXPECT_GE(broken, 4U);
}

// --- the driver ----------------------------------------------------------------------------------

class SettingsDriver : public ::testing::Test {
 protected:
  SettingsDriver() : http_([this](const test::FakeRequest& r) { return server.answer(r); }) {
    server.database = {{"queue.strategy.route.0.if", "is_local_domain('*', rcpt_domain)"},
                       {"queue.strategy.route.0.then", "'local'"},
                       {"queue.strategy.route.1.else", "'mx'"},
                       {"queue.limiter.inbound.ip.enable", "true"}};
    server.file = {{"server.hostname", "old.test"}};
    setenv("PLAN_TEST_OLD_PASSWORD", "planted-and-never-seen", 1);
    arguments = Value::map({{"url", http_.url()},
                            {"user", "plan"},
                            {"password", ir::SecretRef{"env", "PLAN_TEST_OLD_PASSWORD"}},
                            {"values", Value::list({setting("queue.route.plan-new.type", "relay"),
                                                    setting("server.allowed-ip.192.0.2.7", "")})},
                            {"blocks", Value::list({route("'plan-new'")})},
                            {"list", "plan-moved"},
                            {"members", Value::list({Value("alice+x@old.test")})}});
    driver = make_settings_driver();
  }

  static Value setting(const char* key, const char* value) {
    return Value::map({{"key", key}, {"value", value}});
  }
  static Value rule(const char* condition, const char* result) {
    return Value::map({{"if", condition}, {"then", result}});
  }
  static Value route(const char* to) {
    return Value::map({{"key", "queue.strategy.route"},
                       {"rules", Value::list({rule("key_exists('plan-moved', rcpt)", to),
                                              rule("is_local_domain('*', rcpt_domain)", "'local'"),
                                              Value::map({{"else", "'mx'"}})})}});
  }

  step::StepContext context() {
    return {.id = "source/route",
            .kind = ir::StepKind::source_settings,
            .arguments = arguments,
            .secrets = secrets_,
            .clock = net::system_clock(),
            .stop = stop_,
            .attempt = attempt,
            .prior = prior};
  }
  /// As the engine does it: the prior state is that of the first look.
  Outcome run() {
    auto looking = context();
    PLAN_TRY(seen, driver->observe(looking));
    if (!is_begun) prior = seen.prior;
    is_begun = true;
    auto doing = context();
    ++attempt;
    PLAN_TRY(outputs, driver->apply(doing));
    static_cast<void>(outputs);
    return driver->verify(doing);
  }
  Outcome back() {
    auto undoing = context();
    return driver->undo(undoing);
  }
  Standing standing() {
    auto looking = context();
    const auto seen = driver->observe(looking);
    EXPECT_TRUE(seen) << seen.error().to_line();
    return seen ? seen->standing : Standing::unknowable;
  }

  OldServer server;
  Value arguments = Value::map();
  std::shared_ptr<step::StepDriver> driver;
  Value prior;
  bool is_begun = false;
  std::uint32_t attempt = 0;

 private:
  test::FakeHttpServer http_;
  secret::SecretStore secrets_{secret::SecretStoreOptions{.plan_directory = "."}};
  step::StopSignal stop_;
};

TEST_F(SettingsDriver, WritesReadsBackAndLoads) {
  const OldServer::Settings before = server.all();
  EXPECT_EQ(standing(), Standing::differs);
  EXPECT_EQ(server.all(), before) << "a look changes nothing";
  const Outcome done = run();
  ASSERT_TRUE(done) << done.error().to_line();
  const OldServer::Settings wanted = {
      {"lookup.plan-moved.-", "1"},
      {"lookup.plan-moved.alice+x@old.test", "1"},
      {"queue.limiter.inbound.ip.enable", "true"},
      {"queue.route.plan-new.type", "relay"},
      {"queue.strategy.route.0.if", "key_exists('plan-moved', rcpt)"},
      {"queue.strategy.route.0.then", "'plan-new'"},
      {"queue.strategy.route.1.if", "is_local_domain('*', rcpt_domain)"},
      {"queue.strategy.route.1.then", "'local'"},
      {"queue.strategy.route.2.else", "'mx'"},
      {"server.allowed-ip.192.0.2.7", ""},
      {"server.hostname", "old.test"}};
  EXPECT_EQ(server.all(), wanted);
  EXPECT_EQ(server.loaded, wanted);
  EXPECT_EQ(std::count(server.calls.begin(), server.calls.end(), "GET /api/reload/lookup"), 1);
  EXPECT_EQ(standing(), Standing::satisfied);
  const Outcome undone = back();
  ASSERT_TRUE(undone) << undone.error().to_line();
  EXPECT_EQ(server.all(), before);
  EXPECT_EQ(server.loaded, before);
}

TEST_F(SettingsDriver, IsCutOffAtEveryCallAndEndsTheSame) {
  const OldServer::Settings before = server.all();
  ASSERT_TRUE(run());
  const OldServer::Settings wanted = server.all();
  ASSERT_TRUE(back());
  std::size_t cuts = 0;
  for (int cut = 1;; ++cut) {
    server.database = before;
    server.file = {{"server.hostname", "old.test"}};
    std::erase_if(server.database,
                  [&](const auto& one) { return server.file.contains(one.first); });
    is_begun = false;
    attempt = 0;
    server.calls_until_cut = cut;
    const bool was_whole = static_cast<bool>(run());
    const bool was_cut = server.calls_until_cut == 0;
    server.calls_until_cut = -1;
    if (!was_whole) {
      ++cuts;
      const Outcome again = run();
      ASSERT_TRUE(again) << "cut at " << cut << ": " << again.error().to_line();
    }
    EXPECT_EQ(server.all(), wanted) << "cut at " << cut;
    EXPECT_EQ(server.loaded, wanted) << "cut at " << cut;
    const Outcome undone = back();
    ASSERT_TRUE(undone) << "cut at " << cut << ": " << undone.error().to_line();
    EXPECT_EQ(server.all(), before) << "cut at " << cut;
    if (!was_cut) break;
  }
  EXPECT_GE(cuts, 1U) << "a write is not repeated behind the engine's back";
}

TEST_F(SettingsDriver, AnUndoThatIsCutOffIsDoneAgain) {
  const OldServer::Settings before = server.all();
  for (int cut = 1;; ++cut) {
    is_begun = false;
    attempt = 0;
    ASSERT_TRUE(run());
    server.calls_until_cut = cut;
    const Outcome first = back();
    const bool was_cut = server.calls_until_cut == 0;
    server.calls_until_cut = -1;
    if (!first) {
      const Outcome again = back();
      ASSERT_TRUE(again) << "cut at " << cut << ": " << again.error().to_line();
    }
    EXPECT_EQ(server.all(), before) << "cut at " << cut;
    EXPECT_EQ(server.loaded, before) << "cut at " << cut;
    if (!was_cut) break;
  }
}

TEST_F(SettingsDriver, ALongerBlockAndAPlainKeyLeaveNothingBehind) {
  server.database["queue.strategy.route"] = "'mx'";
  server.database["queue.strategy.route.2.if"] = "rcpt == 'x@old.test'";
  server.database["queue.strategy.route.2.then"] = "'local'";
  const OldServer::Settings before = server.all();
  const Outcome done = run();
  ASSERT_TRUE(done) << done.error().to_line();
  EXPECT_FALSE(server.all().contains("queue.strategy.route")) << "it would hide the block";
  EXPECT_EQ(standing(), Standing::satisfied);
  // What was broken before, hidden by its plain key, comes back as it was.
  const Outcome undone = back();
  ASSERT_TRUE(undone) << undone.error().to_line();
  EXPECT_EQ(server.all(), before);
}

TEST_F(SettingsDriver, LinesOfABlockSortAsTheyAreMeant) {
  Value rules = Value::list();
  for (int i = 0; i < 11; ++i) rules.push_back(rule("remote_ip == '192.0.2.1'", "'local'"));
  rules.push_back(Value::map({{"else", "'mx'"}}));
  arguments.set("blocks",
                Value::list({Value::map({{"key", "queue.strategy.route"}, {"rules", rules}})}));
  const Outcome done = run();
  ASSERT_TRUE(done) << done.error().to_line();
  EXPECT_TRUE(server.all().contains("queue.strategy.route.02.if"));
  EXPECT_TRUE(server.all().contains("queue.strategy.route.11.else"));
}

TEST_F(SettingsDriver, TheServersFileWinsAndThatIsSeen) {
  server.file["queue.strategy.route.0.then"] = "'elsewhere'";
  server.file["queue.limiter.inbound.ip.enable"] = "true";
  arguments.set("blocks", Value::list());
  arguments.set("values", Value::list({setting("queue.limiter.inbound.ip.enable", "false")}));
  const OldServer::Settings before = server.all();
  const Outcome done = run();
  ASSERT_FALSE(done);
  EXPECT_TRUE(test::told_as("setting-not-taken", done.error()));
  EXPECT_EQ(server.all(), before);
  EXPECT_EQ(server.database["queue.limiter.inbound.ip.enable"], "true")
      << "what the file hides would come up when it goes";
}

TEST_F(SettingsDriver, ABrokenServerIsLeftAlone) {
  server.database["session.ehlo.reject-non-fqdn.0.if"] = "true";
  const OldServer::Settings before = server.all();
  const Outcome done = run();
  ASSERT_FALSE(done);
  EXPECT_TRUE(test::told_as("settings-broken", done.error()));
  EXPECT_EQ(server.all(), before);
}

TEST_F(SettingsDriver, WhatCannotBeLoadedDoesNotStay) {
  server.refused = {"nosuch"};
  arguments.set("blocks", Value::list({route("nosuch")}));
  const OldServer::Settings before = server.all();
  const Outcome done = run();
  ASSERT_FALSE(done);
  EXPECT_TRUE(done.error().is(errors::settings_broken)) << done.error().to_line();
  EXPECT_EQ(done.error().effect(), Effect::none);
  EXPECT_EQ(server.all(), before);
  EXPECT_EQ(std::count(server.calls.begin(), server.calls.end(), "GET /api/reload"), 0);
}

TEST_F(SettingsDriver, WhatSomebodyElseChangedIsNotUndone) {
  ASSERT_TRUE(run());
  server.database["queue.strategy.route.0.then"] = "'theirs'";
  const OldServer::Settings theirs = server.all();
  const Outcome undone = back();
  ASSERT_FALSE(undone);
  EXPECT_TRUE(undone.error().is(step::errors::changed_since)) << undone.error().to_line();
  EXPECT_EQ(server.all(), theirs);
}

TEST_F(SettingsDriver, RefusesKeysThatItMustNotWrite) {
  for (const char* key : {"server.hostname", "store.rocksdb.path",
                          "queue.route.plan-new.auth.secret", "signature.rsa.private-key", "plain",
                          "a..b", "a.", "queue.with,comma", "queue.with blank"}) {
    arguments.set("values", Value::list({setting(key, "x")}));
    const std::size_t calls = server.calls.size();
    const Outcome done = run();
    ASSERT_FALSE(done) << key;
    EXPECT_TRUE(done.error().is(errors::setting_refused)) << done.error().to_line();
    EXPECT_EQ(server.calls.size(), calls) << key;
  }
  arguments.set("values", Value::list({setting("queue.route.plan-new.auth.secret", "x")}));
  const Outcome done = run();
  ASSERT_FALSE(done);
  EXPECT_TRUE(test::told_as("setting-refused", done.error()));
  arguments.set("values", Value::list());
  arguments.set("blocks",
                Value::list({Value::map({{"key", "queue.strategy.route"},
                                         {"rules", Value::list({rule("true", "'mx'")})}})}));
  EXPECT_FALSE(run()) << "a block without an `else` keeps everything from being loaded";
}

TEST_F(SettingsDriver, TakesEveryVersionThatHasTheseSettings) {
  for (const char* version : {"0.13.0", "0.14.1", "0.15.0", "0.15.5"}) {
    server.version = version;
    is_begun = false;
    attempt = 0;
    const Outcome done = run();
    EXPECT_TRUE(done) << version << ": " << done.error().to_line();
    EXPECT_TRUE(back()) << version;
  }
}

TEST_F(SettingsDriver, LooksAtTheVersionAgainBeforeItWrites) {
  EXPECT_EQ(standing(), Standing::differs);
  const OldServer::Settings before = server.all();
  server.version = "0.16.0";  // it was upgraded behind the look
  auto doing = context();
  const auto done = driver->apply(doing);
  ASSERT_FALSE(done);
  EXPECT_TRUE(done.error().is(errors::old_version)) << done.error().to_line();
  EXPECT_EQ(server.all(), before);
}

TEST_F(SettingsDriver, RefusesOtherVersions) {
  for (const char* version : {"0.12.5", "0.16.0", "1.0.0", ""}) {
    server.version = version;
    const Outcome done = run();
    ASSERT_FALSE(done) << version;
    EXPECT_TRUE(done.error().is(errors::old_version)) << done.error().to_line();
  }
}

}  // namespace
}  // namespace plan::server::stalwart15
