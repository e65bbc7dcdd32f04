#include <gtest/gtest.h>

#include "compiler/source/text.h"

namespace plan {
namespace {

TEST(Nearest, IsTheWordWithTheFewestEdits) {
  const std::vector<std::string_view> known = {"accounts", "addresses", "name"};
  EXPECT_EQ(nearest("acounts", known), "accounts");
  EXPECT_EQ(nearest("ADRESSES", known), "addresses");
  EXPECT_EQ(nearest("nmae", known), "name");
  EXPECT_EQ(nearest("n", known), std::nullopt) << "three letters are missing";
  EXPECT_EQ(nearest("waves", known), std::nullopt);
  EXPECT_EQ(nearest("", known), std::nullopt);
  EXPECT_EQ(nearest("", {""}), "");
}

TEST(Nearest, OfAWordOfMegabytesNothingIs) {
  const std::string word(std::size_t{64} << 20U, 'a');
  EXPECT_EQ(nearest(word, {"accounts", "addresses", "name"}), std::nullopt);
}

}  // namespace
}  // namespace plan
