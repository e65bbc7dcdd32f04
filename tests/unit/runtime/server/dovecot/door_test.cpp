#include <gtest/gtest.h>

#include <map>
#include <thread>

#include "runtime/server/dovecot/deny_file.h"
#include "runtime/server/dovecot/drivers.h"
#include "runtime/server/dovecot/stray_sessions.h"
#include "runtime/server/source/errors.h"
#include "tests/support/fake_host.h"
#include "tests/support/script_peer.h"
#include "tests/support/told_error.h"
#include "tests/unit/runtime/server/stalwart/driver_bench.h"

namespace plan::server::dovecot {
namespace {

constexpr const char* kMaster =
    "passdb {\n  args = /etc/dovecot/master\n  driver = passwd-file\n  master = yes\n}\n";
constexpr const char* kDeny =
    "passdb {\n  args = username_format=%Lu /etc/dovecot/plan-deny\n  deny = yes\n  driver = "
    "passwd-file\n  skip = authenticated\n}\n";
constexpr const char* kUsers =
    "passdb {\n  args = scheme=CRYPT /etc/dovecot/users\n  driver = passwd-file\n}\n";

std::string fault(const std::string& text) {
  return door_fault(parse_passdbs(text), "/etc/dovecot/plan-deny");
}

TEST(Door, ItsPlaceIsBehindTheMasterAndBeforeTheUsers) {
  const std::string master = kMaster;
  const std::string deny = kDeny;
  const std::string users = kUsers;
  EXPECT_EQ(fault(master + deny + users), "");
  EXPECT_EQ(fault(deny + users), "") << "without a master passdb";
  EXPECT_EQ(fault(master + master + deny + users + users), "");
  EXPECT_NE(fault(deny + master + users), "") << "the master user would be refused";
  EXPECT_NE(fault(master + users + deny), "") << "the users' passdb would let them in";
  EXPECT_NE(fault(master + users), "") << "the file is not read";
  std::string always = deny;
  always.replace(always.find("authenticated"), 13, "never");
  EXPECT_NE(fault(master + always + users), "");
  EXPECT_NE(fault(""), "");
}

TEST(Door, TheSnippetIsReadAsWhatItMeans) {
  const auto passdbs = parse_passdbs(door_snippet("/etc/dovecot/plan-deny"));
  ASSERT_EQ(passdbs.size(), 1U);
  EXPECT_TRUE(passdbs[0].is_deny);
  EXPECT_EQ(passdbs[0].skip, "authenticated");
  EXPECT_EQ(passdbs[0].args, "username_format=%Lu /etc/dovecot/plan-deny");
}

TEST(DenyFileText, NamesAreKeptSortedAndReadBack) {
  const std::set<std::string> names = {"b@x.test", "a@x.test"};
  EXPECT_EQ(parse_deny_file(deny_file_text(names)), names);
  EXPECT_EQ(parse_deny_file("# c\n\nA@X.test:\nb@x.test:{PLAIN}x:1\nnocolon\n"),
            (std::set<std::string>{"a@x.test", "b@x.test", "nocolon"}));
  for (const std::string name : {"", "a:b", "a\nb", "#a", " a", "a "})
    EXPECT_FALSE(is_passwd_file_name(name)) << name;
}

/// A clock that only notes how long it was asked to sleep.
class FastClock final : public net::Clock {
 public:
  Monotonic now() override {
    const std::lock_guard lock(mutex_);
    return now_;
  }
  std::int64_t wall_ms() override { return 0; }
  void sleep_for(std::chrono::milliseconds duration) override {
    const std::lock_guard lock(mutex_);
    now_ += duration;
  }

 private:
  std::mutex mutex_;
  Monotonic now_{std::chrono::hours(1)};
};

TEST(DenyFile, VersionsWithinASecondDifferInSizeSoThatDovecotTellsThemApart) {
  test::FakeHost host;
  FastClock clock;
  source::Source source({.address = "10.9.0.2"}, host, clock);
  DenyFile& file = source.deny_file("/deny");
  const auto began = clock.now();
  ASSERT_TRUE(file.change({"a@x.test"}, {}));
  ASSERT_TRUE(file.change({"b@x.test"}, {}));
  std::set<std::size_t> sizes{host.files.at("/deny").size()};
  for (const char* name : {"a", "b", "c", "d", "e"}) {
    // One name for another of the same length, again and again: the text alone has one size.
    const std::string next = std::string(1, static_cast<char>(name[0] + 1)) + "@y.test";
    ASSERT_TRUE(file.change({next}, {std::string(name) + "@y.test"}));
    EXPECT_TRUE(sizes.insert(host.files.at("/deny").size()).second) << next;
  }
  ASSERT_TRUE(file.change({}, {"f@y.test"}));
  EXPECT_EQ(clock.now(), began) << "nobody waits for it";
  EXPECT_EQ(*file.read(), (std::set<std::string>{"a@x.test", "b@x.test"}));
  const int writes = host.writes;
  ASSERT_TRUE(file.change({"a@x.test"}, {"c@x.test"}));
  EXPECT_EQ(host.writes, writes) << "nothing to change, nothing written";
  ASSERT_TRUE(file.change({}, {"a@x.test"}));
  EXPECT_EQ(*file.read(), (std::set<std::string>{"b@x.test"}));
  EXPECT_TRUE(file.change({"a:b"}, {}).error().is(source::errors::not_a_map_key));
}

TEST(DenyFile, ManyAccountsShareAWrite) {
  test::FakeHost host;
  FastClock clock;
  source::Source source({.address = "10.9.0.2"}, host, clock);
  DenyFile& file = source.deny_file("/deny");
  std::vector<std::thread> threads;
  for (int number = 0; number < 30; ++number) {
    threads.emplace_back(
        [&, number] { EXPECT_TRUE(file.change({"u" + std::to_string(number) + "@x.test"}, {})); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(file.read()->size(), 30U);
}

/// A doveadm that knows options, as getopt does, and sessions by user.
class DoveadmCalls : public ::testing::Test {
 protected:
  void SetUp() override {
    host_.program = [this](const std::vector<std::string>& words, const std::string&) {
      net::CommandResult result;
      if (words[0] == "sh") {
        for (int i = 0; i < strays_; ++i) result.output += "4711\n";
        if (words.back() == "end" && !is_stubborn_) strays_ -= std::min(strays_, 1);
        return Result<net::CommandResult>(std::move(result));
      }
      std::size_t at = 1;
      while (at < words.size() && words[at] != "--") ++at;
      if (at + 1 >= words.size()) {  // no end of the options: a name could be one
        result.exit_code = 64;
        return Result<net::CommandResult>(std::move(result));
      }
      const std::string& user = words[at + 1];
      if (words[1] == "kick") {
        kicked_.push_back(user);
        sessions_.erase(user);
      } else if (words[1] == "auth") {
        result.exit_code = words[2] == "lookup" ? 0 : 77;
        result.output = "code=user_disabled";
      } else {
        result.output = "username\tproto\tpid\tip\n";
        for (const auto& [name, count] : sessions_) {
          for (int i = 0; i < count; ++i) result.output += name + "\timap\t1\t10.0.0.1\n";
        }
      }
      return Result<net::CommandResult>(std::move(result));
    };
  }

  test::FakeHost host_;
  FastClock clock_;
  source::Source source_{{.address = "10.9.0.2"}, host_, clock_};
  std::map<std::string, int> sessions_ = {};
  std::vector<std::string> kicked_ = {};
  int strays_ = 0;  ///< one goes whenever they are asked to end
  bool is_stubborn_ = false;
};

TEST_F(DoveadmCalls, ANameThatBeginsLikeAnOptionIsAName) {
  const std::string user = "-rf@example.org";
  sessions_ = {{user, 2}, {"bob@example.org", 1}};
  EXPECT_FALSE(is_denied(source_, user).value());
  EXPECT_TRUE(is_login_denied(source_, user).value());
  EXPECT_EQ(session_count(source_, user).value(), 2U);
  const auto ended = end_sessions(source_, {user});
  EXPECT_TRUE(ended) << ended.error().to_line();
  EXPECT_EQ(kicked_, std::vector<std::string>{user});
}

TEST_F(DoveadmCalls, SessionsOfADovecotThatDiedAreEndedToo) {
  strays_ = 3;
  EXPECT_EQ(stray_sessions(source_).value(), 3U) << "looking ends none";
  EXPECT_EQ(end_sessions(source_, {"bob@example.org"}).value(), 3U);
  EXPECT_EQ(strays_, 0);
  EXPECT_EQ(end_sessions(source_, {"bob@example.org"}).value(), 0U);
}

TEST_F(DoveadmCalls, AStrayThatDoesNotEndKeepsTheAccountFromBeingHeld) {
  strays_ = 1;
  is_stubborn_ = true;
  const auto ended = end_sessions(source_, {"bob@example.org"});
  ASSERT_FALSE(ended);
  EXPECT_TRUE(test::told_as("sessions-stay", ended.error()));
}

TEST_F(DoveadmCalls, ANameThatIsAMaskNeverEndsTheSessionsOfOthers) {
  sessions_ = {{"b*@example.org", 1}, {"bob@example.org", 1}};
  const auto ended = end_sessions(source_, {"b*@example.org"});
  ASSERT_FALSE(ended);
  EXPECT_TRUE(ended.error().is(source::errors::sessions_stay)) << ended.error().to_line();
  EXPECT_NE(ended.error().message().find("mask"), std::string::npos);
  EXPECT_EQ(kicked_, std::vector<std::string>());
  sessions_ = {{"bob@example.org", 1}};
  EXPECT_TRUE(end_sessions(source_, {"b?b@example.org"})) << "it has no session, others have";
  EXPECT_EQ(kicked_, std::vector<std::string>());
}

/// The steps of the door at a Dovecot whose configuration and words a test says.
class DoorDrivers : public DoveadmCalls {
 protected:
  template <class Call>
  auto with(step::StepDriver& driver, const ir::Value& more, Call call) {
    ir::Value arguments = more;
    arguments.set("source", block_value_);
    arguments.set("deny_file", "/etc/dovecot/plan-deny");
    step::StepContext context{
        .arguments = arguments, .secrets = secrets_, .clock = clock_, .stop = stop_};
    return call(driver, context);
  }
  Result<ir::Value> hang_door() {
    return with(*make_door_driver(pool()),
                ir::Value::map({{"configuration", "/etc/dovecot/conf.d/90-plan.conf"}}),
                [](auto& driver, auto& context) { return driver.apply(context); });
  }
  Result<ir::Value> shut() {
    return with(*make_deny_driver(pool()), ir::Value::map({{"account", "bob@example.org"}}),
                [](auto& driver, auto& context) { return driver.apply(context); });
  }
  Outcome look_at_shut() {
    return with(*make_deny_driver(pool()), ir::Value::map({{"account", "bob@example.org"}}),
                [](auto& driver, auto& context) { return driver.verify(context); });
  }
  /// What Dovecot says when it is asked for its version and its passdbs; the rest as before.
  void answer(const std::string& version, const std::string& passdbs) {
    host_.program = [=, this](const std::vector<std::string>& words, const std::string&) {
      net::CommandResult result;
      if (words[0] == "dovecot") result.output = version;
      if (words[0] == "doveconf") result.output = passdbs;
      if (words[0] == "rm") host_.files.erase(words.back());
      return Result<net::CommandResult>(std::move(result));
    };
  }

  std::uint16_t imap_port_ = 1;

 private:
  std::shared_ptr<source::SourcePool> pool() {
    source::Block block;
    block.address = "127.0.0.1";
    block.imap = {.port = imap_port_, .security = net::imap::Security::none};
    block.master_name = "vmadmin";
    block.master_password = ir::SecretRef{"env", "MASTER"};
    secrets_.texts = {{"env:MASTER", "master-secret"}};
    auto pool = std::make_shared<source::SourcePool>(nullptr, clock_);
    pool->put(block_value_, std::make_shared<source::Source>(std::move(block), host_, clock_));
    return pool;
  }

  const ir::Value block_value_ = ir::Value::map({{"address", "127.0.0.1"}});
  stalwart::TestSecrets secrets_;
  step::StopSignal stop_;
};

TEST_F(DoorDrivers, ADoorBehindTheUsersIsTakenAwayAgain) {
  answer("2.3.21 (47349e2482)\n", std::string(kMaster) + kUsers + kDeny);
  const auto hung = hang_door();
  ASSERT_FALSE(hung);
  EXPECT_TRUE(test::told_as("door-not-possible", hung.error()));
  EXPECT_FALSE(host_.files.contains("/etc/dovecot/conf.d/90-plan.conf"));
}

TEST_F(DoorDrivers, AnotherDovecotIsNotConfigured) {
  answer("2.4.1-4 (7d8c0e5759)\n", std::string(kMaster) + kUsers);
  const auto hung = hang_door();
  ASSERT_FALSE(hung);
  EXPECT_TRUE(test::told_as("source-version-unknown", hung.error()));
  EXPECT_EQ(host_.writes, 0);
}

TEST_F(DoorDrivers, ADovecotThatDoesNotFollowTheDenyFileIsNoShutDoor) {
  const auto shut_one = shut();
  ASSERT_FALSE(shut_one);
  EXPECT_TRUE(test::told_as("door-open", shut_one.error()));
}

TEST_F(DoorDrivers, AMasterUserWhoIsShutOutTooIsSeen) {
  test::ScriptPeer imap(
      "S: * OK [CAPABILITY IMAP4rev1] hi\n"
      "C: p1 LOGIN \"bob@example.org*vmadmin\" \"master-secret\"\n"
      "S: p1 NO [AUTHENTICATIONFAILED] Account is temporarily disabled.\n");
  imap_port_ = imap.port();
  const Outcome seen = look_at_shut();
  ASSERT_FALSE(seen);
  EXPECT_TRUE(test::told_as("master-refused", seen.error()));
  EXPECT_EQ(imap.complaints(), "");
}

}  // namespace
}  // namespace plan::server::dovecot
