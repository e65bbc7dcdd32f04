#include "runtime/server/postfix/transport_map.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "compiler/ir/digest.h"
#include "runtime/server/postfix/drivers.h"
#include "runtime/server/source/errors.h"
#include "runtime/server/source/source.h"
#include "runtime/step/errors.h"
#include "tests/support/told_error.h"
#include "tests/unit/runtime/server/postfix/fake_postfix.h"

namespace plan::server::postfix {
namespace {

constexpr const char* kPath = FakePostfix::kMapPath;

TEST(MapText, ReadsCommentsContinuationsAndCase) {
  const MapEntries entries = parse_map(
      "# comment\n\nUser01@Legacy.test\tsmtp:[10.9.0.1]:25\r\n"
      "b@x.test   retry:4.3.0\n# between\n   being moved\nalone\n c\n@d.test error:no");
  EXPECT_EQ(entries.at("user01@legacy.test"), "smtp:[10.9.0.1]:25");
  EXPECT_EQ(entries.at("b@x.test"), "retry:4.3.0 being moved");
  EXPECT_EQ(entries.at("alone"), "c");
  EXPECT_EQ(entries.at("@d.test"), "error:no");
  EXPECT_EQ(entries.size(), 4U);
}

TEST(MapText, WhatIsWrittenReadsBack) {
  const MapEntries entries = {{"a@x.test", "smtp:[10.9.0.1]:25"},
                              {"b@x.test", std::string(kHoldTransport)}};
  EXPECT_EQ(parse_map(map_text(entries)), entries);
  EXPECT_TRUE(parse_map(map_text({})).empty());
}

TEST(MapText, KeysThatWouldBeReadOtherwiseAreNoKeys) {
  EXPECT_TRUE(is_map_key("o'brien/x@legacy.test"));
  for (const std::string key : {"", "a b@x", "#a@x", "a@x\nb@x", "a\t@x", "\"q\"@x"})
    EXPECT_FALSE(is_map_key(key)) << key;
}

TEST(TransportMaps, PlansMapStandsInFrontOnce) {
  EXPECT_EQ(with_map_in_front("", "hash:/p"), "hash:/p");
  EXPECT_EQ(with_map_in_front(" hash:/etc/a ", "hash:/p"), "hash:/p, hash:/etc/a");
  EXPECT_TRUE(is_map_in_front("hash:/p", "hash:/p"));
  EXPECT_TRUE(is_map_in_front("hash:/p, hash:/etc/a", "hash:/p"));
  EXPECT_FALSE(is_map_in_front("hash:/plan2", "hash:/p"));
  EXPECT_FALSE(is_map_in_front("hash:/etc/a, hash:/p", "hash:/p"))
      << "another map would decide first";
}

TEST(Listener, TakesOverThePublicServicesOptionsAndTrustsNobody) {
  const std::string line = listener_line(
      "smtp       inet  n       -       y       -       -       smtpd -o content_filter=x -o "
      "mynetworks=10.0.0.0/8",
      "10.9.0.2:10025");
  EXPECT_TRUE(
      line.starts_with("10.9.0.2:10025 inet n - y - - smtpd -o content_filter=x -o "
                       "mynetworks=10.0.0.0/8 -o smtpd_upstream_proxy_protocol=haproxy"));
  EXPECT_GT(line.rfind("-o mynetworks= "), line.find("10.0.0.0/8")) << "the later option wins";
  EXPECT_TRUE(listener_line("smtpd pass - - n - - smtpd -o smtpd_sasl_auth_enable=no", "10026")
                  .starts_with("10026 inet n - n - - smtpd -o smtpd_sasl_auth_enable=no -o smtpd_"))
      << "the smtpd behind postscreen may be private, one with an address may not";
  EXPECT_TRUE(listener_line("smtp inet n - y - 1 postscreen", "10.9.0.2:10025")
                  .starts_with("10.9.0.2:10025 inet n - - - - smtpd -o "));
  EXPECT_TRUE(
      listener_line("", "10.9.0.2:10025").starts_with("10.9.0.2:10025 inet n - - - - smtpd -o "));
}

TEST(TransportMap, AChangeIsWrittenReloadedAndSeenAsLive) {
  FakePostfix postfix;
  auto source = postfix.source();
  TransportMap& map = source->transport_map(kPath);
  EXPECT_FALSE(map.look()->exists);
  ASSERT_TRUE(map.create());
  EXPECT_EQ(postfix.reloads, 0);
  const auto changed = map.change({"a@x.test", std::string(kHoldTransport)});
  ASSERT_TRUE(changed);
  EXPECT_EQ(*changed, 1000);
  EXPECT_EQ(parse_map(postfix.running).at("a@x.test"), kHoldTransport);
  EXPECT_TRUE(map.look()->is_live);
  const int writes = postfix.host.writes;
  ASSERT_TRUE(map.change({"a@x.test", std::string(kHoldTransport)}));
  EXPECT_EQ(postfix.host.writes, writes) << "what is so already is not written again";
  EXPECT_EQ(postfix.reloads, 1);
}

TEST(TransportMap, ACrashAnywhereIsMendedByRepeating) {
  for (int calls = 1; calls < 12; ++calls) {
    FakePostfix postfix;
    {
      auto source = postfix.source();
      ASSERT_TRUE(source->transport_map(kPath).create());
      postfix.host.calls_until_cut = calls;
      [[maybe_unused]] const bool is_done =
          source->transport_map(kPath).change({"a@x.test", "smtp:[10.9.0.1]:25"}).has_value();
    }
    postfix.host.calls_until_cut = -1;
    auto source = postfix.source();  // plan starts again and remembers nothing
    TransportMap& map = source->transport_map(kPath);
    const auto state = map.look();
    if (state->is_live && !state->entries.empty()) {
      EXPECT_EQ(parse_map(postfix.running).at("a@x.test"), "smtp:[10.9.0.1]:25")
          << "live means live, cut after " << calls;
    }
    ASSERT_TRUE(map.change({"a@x.test", "smtp:[10.9.0.1]:25"})) << calls;
    EXPECT_EQ(parse_map(postfix.running).at("a@x.test"), "smtp:[10.9.0.1]:25") << calls;
    EXPECT_TRUE(map.look()->is_live);
  }
}

TEST(TransportMap, AFailedReloadLeavesTheMapNotLiveAndTheNextChangeMendsIt) {
  FakePostfix postfix;
  auto source = postfix.source();
  TransportMap& map = source->transport_map(kPath);
  ASSERT_TRUE(map.create());
  postfix.fail_next = 1;
  const auto failed = map.change({"a@x.test", "smtp:[10.9.0.1]:25"});
  ASSERT_FALSE(failed);
  EXPECT_TRUE(test::told_as("source-command-failed", failed.error()));
  EXPECT_FALSE(map.look()->is_live);
  ASSERT_TRUE(map.change({"a@x.test", "smtp:[10.9.0.1]:25"}));
  EXPECT_EQ(postfix.reloads, 1);
  EXPECT_TRUE(map.look()->is_live);
}

TEST(TransportMap, ALookInTheMiddleOfAnotherAccountsChangeWaitsForItsReload) {
  FakePostfix postfix;
  auto source = postfix.source();
  TransportMap& map = source->transport_map(kPath);
  ASSERT_TRUE(map.create());
  ASSERT_TRUE(map.change({"a@x.test", "smtp:[10.9.0.1]:25"}));
  const std::string text =
      map_text({{"a@x.test", "smtp:[10.9.0.1]:25"}, {"b@x.test", std::string(kHoldTransport)}});
  const auto written = postfix.host.replace_file(kPath, text, 0644, net::Deadline::never());
  ASSERT_TRUE(written);
  EXPECT_FALSE(map.look()->is_live) << "the file is newer than the reload";
  std::thread reload([&] {
    EXPECT_TRUE(postfix.host.replace_file(std::string(kPath) + ".live", ir::sha256(text).hex(),
                                          0644, net::Deadline::never()));
  });
  const auto settled = map.look_settled(net::Deadline::never());
  reload.join();
  ASSERT_TRUE(settled);
  EXPECT_TRUE(settled->is_live);
  EXPECT_EQ(settled->entries.size(), 2U);

  ASSERT_TRUE(postfix.host.replace_file(kPath, map_text({}), 0644, net::Deadline::never()));
  const auto never = map.look_settled(net::Deadline::after(std::chrono::milliseconds(1)));
  ASSERT_TRUE(never);
  EXPECT_FALSE(never->is_live) << "no reload came";
}

TEST(TransportMap, ChangesThatComeTogetherShareOneReload) {
  FakePostfix postfix;
  auto source = postfix.source();
  TransportMap& map = source->transport_map(kPath);
  std::vector<std::thread> threads;
  for (int number = 0; number < 20; ++number) {
    threads.emplace_back([&, number] {
      EXPECT_TRUE(map.change({"u" + std::to_string(number) + "@x.test", "smtp:[10.9.0.1]:25"}));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(parse_map(postfix.running).size(), 20U);
  EXPECT_LE(postfix.reloads, 3);
}

TEST(TransportMap, HoldsOfMailGoOneByOneWithTheReloadThatClientsWaitFor) {
  FakePostfix postfix;
  auto source = postfix.source();
  TransportMap& map = source->transport_map(kPath);
  const auto hold = [&](const std::string& key) {
    return map.change({.key = key, .value = std::string(kHoldTransport), .is_patient = true});
  };
  ASSERT_TRUE(hold("a@x.test")) << "nobody is expected: at once";
  EXPECT_EQ(postfix.reloads, 1);
  std::thread b([&] { EXPECT_TRUE(hold("b@x.test")); });
  std::thread c([&] { EXPECT_TRUE(hold("c@x.test")); });
  std::this_thread::sleep_for(std::chrono::milliseconds(1'300));
  EXPECT_EQ(postfix.reloads, 1) << "they leave the reload to the account that is held";
  ASSERT_TRUE(map.change({.key = "a@x.test", .value = "smtp:[10.9.0.1]:25"}));
  EXPECT_EQ(postfix.reloads, 2);
  EXPECT_EQ(parse_map(postfix.running).size(), 2U) << "one of them came along, the other waits";
  b.join();
  c.join();
  EXPECT_EQ(parse_map(postfix.running).size(), 3U) << "nobody waits for ever";
}

TEST(TransportMap, AnEntryThatSomebodyChangedIsNotTakenAwayAndOthersOfTheBatchAre) {
  FakePostfix postfix;
  auto source = postfix.source();
  TransportMap& map = source->transport_map(kPath);
  ASSERT_TRUE(map.change({"a@x.test", "smtp:[10.9.0.77]:25"}));
  const auto refused = map.change(
      {.key = "a@x.test",
       .value = std::nullopt,
       .only_over = std::vector<std::optional<std::string>>{std::string(kHoldTransport)}});
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().is(step::errors::changed_since));
  EXPECT_EQ(map.look()->entries.at("a@x.test"), "smtp:[10.9.0.77]:25");
  EXPECT_TRUE(test::told_as("not-a-map-key", map.change({"\"b c\"@x.test", "x"}).error()));
  EXPECT_TRUE(map.change({"b\n@x.test", "x"}).error().is(source::errors::not_a_map_key));
  EXPECT_TRUE(map.change({"b@x.test", "x\ny z"}).error().is(source::errors::not_a_map_key));
}

}  // namespace
}  // namespace plan::server::postfix
