#include "runtime/net/gunzip.h"

#include <gtest/gtest.h>

#include "runtime/net/errors.h"

namespace plan::net {
namespace {

/// "hello hello hello" by gzip -n.
const std::string kPacked(
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcb\x48\xcd\xc9\xc9\x57\xc8\x40\x90\x00\x80\x88\xf9"
    "\xe5\x11\x00\x00\x00",
    28);

TEST(Gunzip, unpacks_one_member_and_several) {
  const auto one = gunzip(kPacked, 100);
  ASSERT_TRUE(one) << one.error().to_line();
  EXPECT_EQ(*one, "hello hello hello");
  const auto two = gunzip(kPacked + kPacked, 100);
  ASSERT_TRUE(two);
  EXPECT_EQ(two->size(), 34U);
}

TEST(Gunzip, stops_at_the_bound) {
  EXPECT_TRUE(gunzip(kPacked, 17));
  const auto large = gunzip(kPacked, 16);
  ASSERT_FALSE(large);
  EXPECT_TRUE(large.error().is(errors::answer_too_large));
}

TEST(Gunzip, refuses_every_truncation_and_every_changed_byte_of_the_data) {
  for (std::size_t size = 0; size < kPacked.size(); ++size)
    EXPECT_FALSE(gunzip(kPacked.substr(0, size), 100)) << size;
  for (std::size_t at = 10; at < kPacked.size(); ++at) {
    std::string damaged = kPacked;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x55);
    EXPECT_FALSE(gunzip(damaged, 100)) << at;
  }
}

TEST(Gunzip, knows_its_magic) {
  EXPECT_TRUE(is_gzip(kPacked));
  EXPECT_FALSE(is_gzip("{}"));
  EXPECT_FALSE(is_gzip(""));
}

}  // namespace
}  // namespace plan::net
