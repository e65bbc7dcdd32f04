#include "runtime/proxy/account_map.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "runtime/proxy/errors.h"
#include "tests/support/shared_data.h"
#include "tests/support/temp_dir.h"
#include "tests/support/told_error.h"
#include "tests/unit/runtime/proxy/manual_clock.h"

namespace plan::proxy {
namespace {

using std::chrono::milliseconds;
const std::vector<std::string> kNames = {"alice@example.org", "a.smith@example.org"};
constexpr milliseconds kBound{20'000};

class AccountMapTest : public ::testing::Test {
 protected:
  AccountMapTest() { reopen(); }
  void reopen(const std::string& boot = "boot-1") {
    map_.reset();
    AccountMap::Options options;
    options.path = folder_.file("accounts.map");
    options.boot_id = boot;
    auto opened = AccountMap::open(options, clock_);
    ASSERT_TRUE(opened) << opened.error().to_line();
    map_ = std::move(*opened);
  }
  Route::Kind kind(const std::string& name = kNames[0]) { return map_->route(name).kind; }
  std::string at(const std::string& name = kNames[0]) { return map_->route(name).destination; }
  void move_to_target(std::uint64_t generation) {
    ASSERT_TRUE(map_->hold(kNames, generation, kBound, "L"));
    ASSERT_TRUE(map_->prepare(kNames, generation, "target", "L"));
    ASSERT_TRUE(map_->commit(kNames, generation, "L"));
  }

  test::TempDir folder_;
  ManualClock clock_;
  std::unique_ptr<AccountMap> map_;
};

#define EXPECT_REFUSED(call, code)                                                              \
  do {                                                                                          \
    const auto refused_outcome = (call);                                                        \
    ASSERT_FALSE(refused_outcome);                                                              \
    EXPECT_TRUE(refused_outcome.error().is(errors::code)) << refused_outcome.error().to_line(); \
  } while (false)

TEST_F(AccountMapTest, SendsUnknownNamesToTheDefault) {
  EXPECT_EQ(kind("nobody@example.org"), Route::Kind::go);
  EXPECT_EQ(at("nobody@example.org"), "source");
  EXPECT_FALSE(map_->knows("nobody@example.org"));
}

TEST_F(AccountMapTest, MovesAllNamesOfAnAccountTogether) {
  ASSERT_TRUE(map_->hold(kNames, 1, kBound, "L"));
  for (const std::string& name : kNames) EXPECT_EQ(kind(name), Route::Kind::park);
  ASSERT_TRUE(map_->prepare(kNames, 1, "target", "L"));
  for (const std::string& name : kNames)
    EXPECT_EQ(kind(name), Route::Kind::park) << "prepared is not used";
  ASSERT_TRUE(map_->commit(kNames, 1, "L"));
  for (const std::string& name : kNames) {
    EXPECT_EQ(kind(name), Route::Kind::go);
    EXPECT_EQ(at(name), "target");
  }
}

TEST_F(AccountMapTest, GivesAHoldBackByItselfBeforePrepare) {
  ASSERT_TRUE(map_->hold(kNames, 1, kBound, "L"));
  clock_.advance(kBound - milliseconds(1));
  EXPECT_EQ(kind(), Route::Kind::park);
  clock_.advance(milliseconds(1));
  EXPECT_EQ(kind(), Route::Kind::go);
  EXPECT_EQ(at(), "source");
  EXPECT_TRUE(map_->route(kNames[1]).is_refusal_masked)
      << "the source's own deny entry may still be there";
  EXPECT_REFUSED(map_->prepare(kNames, 1, "target", "L"), hold_expired);
  EXPECT_REFUSED(map_->commit(kNames, 1, "L"), not_prepared);
  EXPECT_REFUSED(map_->hold(kNames, 1, kBound, "L"), hold_expired);
  ASSERT_TRUE(map_->abort(kNames, 1, "L"));
  EXPECT_FALSE(map_->route(kNames[0]).is_refusal_masked);
  ASSERT_TRUE(map_->hold(kNames, 2, kBound, "L"));
}

TEST_F(AccountMapTest, NeverChangesAuthorityByItselfAfterPrepare) {
  ASSERT_TRUE(map_->hold(kNames, 1, kBound, "L"));
  ASSERT_TRUE(map_->prepare(kNames, 1, "target", "L"));
  clock_.advance(std::chrono::hours(1000));
  EXPECT_TRUE(map_->expire_due().empty());
  EXPECT_EQ(kind(), Route::Kind::unavailable);
  reopen("boot-2");
  EXPECT_EQ(kind(), Route::Kind::unavailable);
  ASSERT_TRUE(map_->commit(kNames, 1, "L"));
  EXPECT_EQ(at(), "target");
}

TEST_F(AccountMapTest, AbortsFromEveryStateBeforeCommit) {
  ASSERT_TRUE(map_->hold(kNames, 1, kBound, "L"));
  ASSERT_TRUE(map_->abort(kNames, 1, "L"));
  EXPECT_EQ(kind(), Route::Kind::go);
  ASSERT_TRUE(map_->hold(kNames, 2, kBound, "L"));
  ASSERT_TRUE(map_->prepare(kNames, 2, "target", "L"));
  ASSERT_TRUE(map_->abort(kNames, 2, "L"));
  EXPECT_EQ(at(), "source");
  move_to_target(3);
  EXPECT_TRUE(test::told_as("already-committed", map_->abort(kNames, 3, "L").error()));
  EXPECT_EQ(at(), "target");
}

TEST_F(AccountMapTest, AnAbortFencesAHoldThatComesLater) {
  ASSERT_TRUE(map_->abort(kNames, 5, "L"));
  EXPECT_REFUSED(map_->hold(kNames, 5, kBound, "L"), generation_stale);
  EXPECT_TRUE(map_->hold(kNames, 6, kBound, "L"));
}

TEST_F(AccountMapTest, UnprepareMakesAHoldThatOnlyPlanEnds) {
  ASSERT_TRUE(map_->hold(kNames, 1, kBound, "L"));
  ASSERT_TRUE(map_->prepare(kNames, 1, "target", "L"));
  ASSERT_TRUE(map_->unprepare(kNames, 1, "L"));
  EXPECT_EQ(kind(), Route::Kind::park);
  clock_.advance(kBound);
  EXPECT_EQ(kind(), Route::Kind::unavailable);
  reopen();
  EXPECT_EQ(kind(), Route::Kind::unavailable);
  ASSERT_TRUE(map_->abort(kNames, 1, "L"));
  EXPECT_EQ(kind(), Route::Kind::go);
}

TEST_F(AccountMapTest, RepeatsOfACommandChangeNothing) {
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(map_->hold(kNames, 1, kBound, "L"));
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(map_->prepare(kNames, 1, "target", "L"));
  ASSERT_TRUE(map_->hold(kNames, 1, kBound, "L")) << "a hold that arrives twice, late";
  EXPECT_EQ(map_->view(kNames[0]).state, NameState::prepared);
  const std::size_t bytes = map_->file_bytes();
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(map_->commit(kNames, 1, "L"));
  const std::size_t after = map_->file_bytes();
  ASSERT_TRUE(map_->commit(kNames, 1, "L"));
  EXPECT_GT(after, bytes);
  EXPECT_EQ(map_->file_bytes(), after);
}

TEST_F(AccountMapTest, RefusesStaleGenerationsAlsoAfterARestart) {
  move_to_target(7);
  for (int round = 0; round < 2; ++round) {
    EXPECT_REFUSED(map_->hold(kNames, 7, kBound, "L"), generation_stale);
    EXPECT_TRUE(test::told_as("generation-stale", map_->hold(kNames, 3, kBound, "L").error()));
    EXPECT_REFUSED(map_->prepare(kNames, 3, "source", "L"), generation_stale);
    EXPECT_REFUSED(map_->commit(kNames, 3, "L"), generation_stale);
    EXPECT_REFUSED(map_->abort(kNames, 3, "L"), generation_stale);
    EXPECT_EQ(at(), "target");
    reopen("boot-2");
  }
}

TEST_F(AccountMapTest, RefusesAllWhenOneNameDoesNotFit) {
  ASSERT_TRUE(map_->hold({kNames[0]}, 9, kBound, "L"));
  ASSERT_TRUE(map_->abort({kNames[0]}, 9, "L"));
  EXPECT_REFUSED(map_->hold({kNames[1], kNames[0]}, 5, kBound, "L"), generation_stale);
  EXPECT_EQ(kind(kNames[1]), Route::Kind::go);
}

TEST_F(AccountMapTest, PrepareNeedsAHoldOfTheSameGeneration) {
  EXPECT_TRUE(test::told_as("not-held", map_->prepare(kNames, 1, "target", "L").error()));
  ASSERT_TRUE(map_->hold(kNames, 2, kBound, "L"));
  EXPECT_REFUSED(map_->prepare(kNames, 1, "target", "L"), generation_stale);
  EXPECT_REFUSED(map_->prepare(kNames, 3, "target", "L"), not_held);
  EXPECT_REFUSED(map_->commit(kNames, 2, "L"), not_prepared);
}

TEST_F(AccountMapTest, AHoldOnTopOfAPreparedOneNeverReturnsByTime) {
  ASSERT_TRUE(map_->hold(kNames, 1, kBound, "L"));
  ASSERT_TRUE(map_->prepare(kNames, 1, "target", "L"));
  ASSERT_TRUE(map_->hold(kNames, 2, kBound, "L"));
  clock_.advance(kBound);
  EXPECT_EQ(kind(), Route::Kind::unavailable)
      << "another proxy may have committed generation 1 already";
}

TEST_F(AccountMapTest, OnlyOneRunHoldsAccounts) {
  ASSERT_TRUE(map_->hold(kNames, 1, kBound, "run-a"));
  EXPECT_REFUSED(map_->hold({"bob@example.org"}, 1, kBound, "run-b"), lease_held);
  EXPECT_REFUSED(map_->abort(kNames, 1, "run-b"), lease_held);
  EXPECT_REFUSED(map_->acquire("run-b"), lease_held);
  reopen();
  EXPECT_REFUSED(map_->abort(kNames, 1, "run-b"), lease_held);
  ASSERT_TRUE(map_->take_over("run-b"));
  EXPECT_REFUSED(map_->commit(kNames, 1, "run-a"), lease_held);
  ASSERT_TRUE(map_->abort(kNames, 1, "run-b"));
  ASSERT_TRUE(map_->hold(kNames, 2, kBound, "run-c")) << "nothing is held any more";
}

TEST_F(AccountMapTest, NumberedLeasesAreOrdered) {
  EXPECT_EQ(compare_leases("12-a", "9-b"), 1);
  EXPECT_EQ(compare_leases("9-b", "12-a"), -1);
  EXPECT_EQ(compare_leases("x", "x"), 0);
  EXPECT_EQ(compare_leases("x", "y"), std::nullopt);
  EXPECT_EQ(compare_leases("12", "13"), std::nullopt) << "a number alone is a name";
  ASSERT_TRUE(map_->hold(kNames, 1, kBound, "9-b"));
  ASSERT_TRUE(map_->abort(kNames, 1, "12-a"));
  EXPECT_REFUSED(map_->hold(kNames, 2, kBound, "9-b"), lease_held);
  EXPECT_REFUSED(map_->take_over("9-b"), lease_held);
}

TEST_F(AccountMapTest, KeepsTheRestOfABoundInTheSameBootAndNothingOfItInAnother) {
  ASSERT_TRUE(map_->hold(kNames, 1, kBound, "L"));
  clock_.advance(milliseconds(5'000));
  reopen();
  EXPECT_EQ(map_->route(kNames[0]).left, milliseconds(15'000));
  reopen("boot-2");
  EXPECT_EQ(kind(), Route::Kind::go) << "another boot: the bound is over";
  EXPECT_REFUSED(map_->prepare(kNames, 1, "target", "L"), hold_expired);
}

TEST_F(AccountMapTest, RemembersAReturnEvenWhenTheClockIsTurnedBack) {
  ASSERT_TRUE(map_->hold(kNames, 1, kBound, "L"));
  clock_.advance(kBound);
  EXPECT_EQ(map_->expire_due().size(), 2U);
  clock_.advance(-kBound);
  reopen();
  EXPECT_EQ(map_->view(kNames[0]).state, NameState::returned);
}

TEST_F(AccountMapTest, CompactsWithoutLosingAnything) {
  move_to_target(1);
  const std::vector<std::string> other = {"held@example.org"};
  ASSERT_TRUE(map_->hold(other, 4, kBound, "L"));
  ASSERT_TRUE(map_->prepare(other, 4, "target", "L"));
  std::vector<std::string> many;
  for (int i = 0; i < 3000; ++i)
    many.push_back("account-" + std::to_string(i) + "@some-quite-long-domain.example.org");
  std::size_t largest = 0;
  for (std::uint64_t generation = 1; generation < 34; ++generation) {
    ASSERT_TRUE(map_->abort(many, generation, "L"));
    largest = std::max(largest, map_->file_bytes());
  }
  EXPECT_LT(map_->file_bytes(), largest) << "it was compacted on the way";
  reopen();
  EXPECT_EQ(at(), "target");
  EXPECT_EQ(map_->view(kNames[0]).generation, 1U);
  EXPECT_EQ(map_->view(other[0]).state, NameState::prepared);
  EXPECT_EQ(map_->view(many[17]).generation, 33U);
  EXPECT_REFUSED(map_->abort(kNames, 1, "L"), already_committed);
}

/// The file after each acknowledged command is cut at every byte: what opens must be what some
/// earlier moment was.
TEST_F(AccountMapTest, SurvivesACutAtEveryByte) {
  ASSERT_TRUE(map_->hold(kNames, 1, kBound, "L"));
  const std::size_t held = map_->file_bytes();
  ASSERT_TRUE(map_->prepare(kNames, 1, "target", "L"));
  const std::size_t prepared = map_->file_bytes();
  ASSERT_TRUE(map_->commit(kNames, 1, "L"));
  const std::string whole = test::read_all(folder_.file("accounts.map"));
  ASSERT_EQ(whole.size(), map_->file_bytes());
  map_.reset();
  const std::size_t header = whole.find('\n') + 1;
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    test::TempDir folder;
    AccountMap::Options options;
    options.path = folder.file("accounts.map");
    options.boot_id = "boot-1";
    std::ofstream(options.path, std::ios::binary) << whole.substr(0, size);
    auto opened = AccountMap::open(options, clock_);
    if (size < header) {
      ASSERT_FALSE(opened) << "a map is created whole, so half a first line is damage";
      EXPECT_TRUE(opened.error().is(errors::map_corrupt));
      continue;
    }
    ASSERT_TRUE(opened) << size << ": " << opened.error().to_line();
    const NameView view = (*opened)->view(kNames[0]);
    EXPECT_EQ(view.destination, size == whole.size() ? "target" : "source") << size;
    NameState expected = NameState::settled;
    if (size >= held) expected = NameState::held;
    if (size >= prepared) expected = NameState::prepared;
    if (size == whole.size()) expected = NameState::settled;
    EXPECT_EQ(view.state, expected) << size;
    if (size % 9 != 0 && size != whole.size()) continue;  // each costs two syncs
    // And it goes on from there.
    ASSERT_TRUE((*opened)->hold({"bob@example.org"}, 1, kBound, "L")) << size;
  }
}

TEST_F(AccountMapTest, RefusesDamageInTheMiddleAtEveryByte) {
  ASSERT_TRUE(map_->hold(kNames, 1, kBound, "L"));
  const std::size_t first = map_->file_bytes();
  ASSERT_TRUE(map_->abort(kNames, 1, "L"));
  const std::string whole = test::read_all(folder_.file("accounts.map"));
  map_.reset();
  for (std::size_t at = 0; at < first; ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    const auto image = read_map_image(damaged);
    EXPECT_FALSE(image) << "byte " << at;
  }
  for (std::size_t at = first; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    const auto image = read_map_image(damaged);
    if (!image) continue;
    EXPECT_EQ(image->records.size(), 1U)
        << "the last record may be torn, but is never half believed";
  }
}

TEST_F(AccountMapTest, TakesABlockOfZerosAtTheEndForATornWrite) {
  ASSERT_TRUE(map_->hold(kNames, 1, kBound, "L"));
  const std::size_t first = map_->file_bytes();
  ASSERT_TRUE(map_->abort(kNames, 1, "L"));
  std::string torn = test::read_all(folder_.file("accounts.map"));
  for (std::size_t at = first + 20; at < first + 60; ++at) torn[at] = '\0';
  const auto image = read_map_image(torn);
  ASSERT_TRUE(image);
  EXPECT_EQ(image->valid_bytes, first);
}

TEST_F(AccountMapTest, RefusesALineThatWasMovedOrLost) {
  for (std::uint64_t generation = 1; generation <= 3; ++generation)
    ASSERT_TRUE(map_->abort(kNames, generation, "L"));
  const std::string whole = test::read_all(folder_.file("accounts.map"));
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < whole.size();) {
    const std::size_t end = whole.find('\n', begin) + 1;
    lines.push_back(whole.substr(begin, end - begin));
    begin = end;
  }
  ASSERT_EQ(lines.size(), 4U);
  EXPECT_FALSE(read_map_image(lines[0] + lines[2] + lines[3]));
  EXPECT_FALSE(read_map_image(lines[0] + lines[2] + lines[1] + lines[3]));
  EXPECT_TRUE(read_map_image(lines[0] + lines[1] + lines[2]));
}

TEST_F(AccountMapTest, RefusesASecondProcess) {
  AccountMap::Options options;
  options.path = folder_.file("accounts.map");
  const auto second = AccountMap::open(options, clock_);
  ASSERT_FALSE(second);
  EXPECT_TRUE(test::told_as("map-locked", second.error()));
}

TEST_F(AccountMapTest, RefusesAMissingMapWhenToldTo) {
  AccountMap::Options options;
  options.path = folder_.file("other.map");
  options.is_created = false;
  const auto opened = AccountMap::open(options, clock_);
  ASSERT_FALSE(opened);
  EXPECT_TRUE(test::told_as("map-missing", opened.error()));
}

TEST_F(AccountMapTest, SaysWhichMapIsDamagedAndWhere) {
  ASSERT_TRUE(map_->hold(kNames, 1, kBound, "L"));
  ASSERT_TRUE(map_->abort(kNames, 1, "L"));
  map_.reset();
  AccountMap::Options options;
  options.path = folder_.file("accounts.map");
  std::string damaged = test::read_all(options.path);
  damaged[damaged.find("alice")] = 'A';
  std::ofstream(options.path, std::ios::binary) << damaged;
  const auto opened = AccountMap::open(options, clock_);
  ASSERT_FALSE(opened);
  EXPECT_TRUE(test::told_as("map-corrupt", opened.error()));
  EXPECT_EQ(test::read_all(options.path), damaged) << "it stays for who looks at it";
}

TEST_F(AccountMapTest, RefusesAMapInAFolderThatIsNotThere) {
  AccountMap::Options options;
  options.path = folder_.file("nowhere/accounts.map");
  const auto opened = AccountMap::open(options, clock_);
  ASSERT_FALSE(opened);
  EXPECT_TRUE(test::told_as("map-unreadable", opened.error()));
}

TEST_F(AccountMapTest, ListsItsNamesInPages) {
  ASSERT_TRUE(map_->abort({"c@x", "a@x", "b@x"}, 1, "L"));
  EXPECT_EQ(map_->names_after("", 2), (std::vector<std::string>{"a@x", "b@x"}));
  EXPECT_EQ(map_->names_after("b@x", 2), (std::vector<std::string>{"c@x"}));
}

}  // namespace
}  // namespace plan::proxy
