#include "runtime/store/rocks.h"

#include <gtest/gtest.h>

#include <fstream>

#include "runtime/store/errors.h"
#include "tests/support/temp_dir.h"

namespace plan::store {
namespace {

class RocksTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::unique_ptr<RocksStore> open(std::vector<std::string> families = {
                                                     "mail", "index"}) const {
    auto store = RocksStore::open(folder_.file("store"), {.families = std::move(families)});
    EXPECT_TRUE(store) << store.error().to_line();
    return store ? std::move(*store) : nullptr;
  }
  test::TempDir folder_;
};

TEST_F(RocksTest, keeps_what_was_put_after_closing) {
  {
    const auto store = open();
    ASSERT_TRUE(store->put(*store->family("mail"), "k", std::string("v\0w", 3), true));
  }
  const auto store = open({});
  ASSERT_TRUE(store->family("mail")) << "families of the files are opened without being asked for";
  EXPECT_EQ(store->get(*store->family("mail"), "k").value(), std::string("v\0w", 3));
  EXPECT_EQ(store->get(*store->family("index"), "k").value(), std::nullopt);
  EXPECT_EQ(store->get(RocksFamily::standard, "k").value(), std::nullopt);
  EXPECT_FALSE(store->family("none"));
}

TEST_F(RocksTest, a_batch_changes_several_families_at_once) {
  const auto store = open();
  const RocksFamily mail = *store->family("mail");
  const RocksFamily index = *store->family("index");
  for (const char* key : {"a1", "a2", "a3", "b1"}) ASSERT_TRUE(store->put(mail, key, "x"));
  RocksBatch batch;
  batch.put(index, "n", "1");
  batch.remove(mail, "a1");
  batch.remove_range(mail, "a2", "b");
  EXPECT_EQ(batch.size(), 3U);
  ASSERT_TRUE(store->write(batch));
  std::string left;
  ASSERT_TRUE(store->scan(mail, "", [&](std::string_view key, std::string_view) {
    left += key;
    return true;
  }));
  EXPECT_EQ(left, "b1");
  EXPECT_EQ(store->get(index, "n").value(), "1");
}

TEST_F(RocksTest, a_scan_sees_one_prefix_in_order_and_stops_when_told) {
  const auto store = open();
  const RocksFamily mail = *store->family("mail");
  const std::string high("\xFF\xFF", 2);
  for (const std::string& key :
       {std::string("a"), std::string("ab"), std::string("b"), high, high + "x"}) {
    ASSERT_TRUE(store->put(mail, key, key));
  }
  std::vector<std::string> seen;
  const auto collect = [&](std::string_view key, std::string_view value) {
    EXPECT_EQ(key, value);
    seen.emplace_back(key);
    return seen.size() < 10;
  };
  ASSERT_TRUE(store->scan(mail, "a", collect));
  EXPECT_EQ(seen, (std::vector<std::string>{"a", "ab"}));
  seen.clear();
  ASSERT_TRUE(store->scan(mail, high, collect));
  EXPECT_EQ(seen, (std::vector<std::string>{high, high + "x"})) << "a prefix of 0xFF has no end";
  seen.clear();
  ASSERT_TRUE(store->scan_range(mail, "ab", high, true, collect));
  EXPECT_EQ(seen, (std::vector<std::string>{"b", "ab"}));
  seen.clear();
  ASSERT_TRUE(store->scan(mail, "", [&](std::string_view key, std::string_view) {
    seen.emplace_back(key);
    return false;
  }));
  EXPECT_EQ(seen.size(), 1U);
}

TEST_F(RocksTest, a_snapshot_does_not_see_later_writes) {
  const auto store = open();
  const RocksFamily mail = *store->family("mail");
  ASSERT_TRUE(store->put(mail, "k", "old"));
  const RocksSnapshot before = store->snapshot();
  ASSERT_TRUE(store->put(mail, "k", "new"));
  EXPECT_EQ(store->get(mail, "k", &before).value(), "old");
  EXPECT_EQ(store->get(mail, "k").value(), "new");
}

TEST_F(RocksTest, a_second_opening_is_busy_and_a_missing_folder_is_said_so) {
  const auto store = open();
  const auto again = RocksStore::open(folder_.file("store"));
  ASSERT_FALSE(again);
  EXPECT_TRUE(again.error().is(errors::store_busy)) << again.error().to_line();
  const auto missing = RocksStore::open(folder_.file("none"), {.must_exist = true});
  ASSERT_FALSE(missing);
  EXPECT_TRUE(missing.error().is(errors::store_unreadable)) << missing.error().to_line();
}

TEST_F(RocksTest, a_read_only_store_reads_and_does_not_write) {
  {
    const auto store = open();
    ASSERT_TRUE(store->put(*store->family("mail"), "k", "v", true));
  }
  auto store = RocksStore::open(folder_.file("store"), {.is_read_only = true});
  ASSERT_TRUE(store) << store.error().to_line();
  EXPECT_EQ((*store)->get(*(*store)->family("mail"), "k").value(), "v");
  EXPECT_FALSE((*store)->put(*(*store)->family("mail"), "k", "w"));
}

}  // namespace
}  // namespace plan::store
