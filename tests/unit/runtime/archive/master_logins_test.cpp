#include "runtime/archive/master_logins.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "runtime/net/errors.h"

namespace plan::archive {
namespace {

Outcome refused() { return Error(net::errors::login_refused, "no"); }
Outcome lost() { return Error(net::errors::connection_lost, "gone"); }
Outcome taken() { return {}; }

/// How many of `count` attempts were tried at the source.
int tried(MasterLogins& logins, int count, Outcome (*answer)()) {
  int number = 0;
  for (int i = 0; i < count; ++i) {
    const Outcome outcome = logins.attempt([&] {
      ++number;
      return answer();
    });
    EXPECT_EQ(outcome.has_value(), answer == taken);
    if (!outcome && answer == refused) {
      EXPECT_TRUE(outcome.error().is(net::errors::login_refused));
      EXPECT_EQ(outcome.error().retry(), Retry::never);
    }
  }
  return number;
}

TEST(MasterLogins, AWrongPasswordIsNotTriedForEveryAccount) {
  MasterLogins logins;
  EXPECT_EQ(tried(logins, 1000, refused), 3);
}

TEST(MasterLogins, ALoginThatIsTakenForgetsWhatWasRefused) {
  MasterLogins logins;
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(tried(logins, 1, taken), 1);
    EXPECT_EQ(tried(logins, 2, refused), 2) << "accounts that are gone";
  }
  // The password was changed meanwhile.
  EXPECT_EQ(tried(logins, 1000, refused), 2);
}

TEST(MasterLogins, AConnectionThatBreaksIsNoRefusal) {
  MasterLogins logins;
  EXPECT_EQ(tried(logins, 50, lost), 50);
  EXPECT_EQ(tried(logins, 1, taken), 1);
}

TEST(MasterLogins, ManyAccountsAtOnceAreNoMoreThanOne) {
  MasterLogins logins;
  std::atomic<int> number{0};
  std::vector<std::thread> accounts;
  for (int i = 0; i < 32; ++i) {
    accounts.emplace_back([&] {
      EXPECT_FALSE(logins.attempt([&] {
        ++number;
        return refused();
      }));
    });
  }
  for (std::thread& account : accounts) account.join();
  EXPECT_EQ(number, 3);
}

}  // namespace
}  // namespace plan::archive
