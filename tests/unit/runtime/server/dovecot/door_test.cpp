#include <gtest/gtest.h>

#include <thread>

#include "runtime/server/dovecot/deny_file.h"
#include "runtime/server/dovecot/drivers.h"
#include "runtime/server/source/errors.h"
#include "tests/support/fake_host.h"

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

}  // namespace
}  // namespace plan::server::dovecot
