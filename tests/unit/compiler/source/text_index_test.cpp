#include "compiler/source/text_index.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <unordered_map>
#include <vector>

namespace plan {
namespace {

TEST(TextIndex, FindsWhatWasInsertedAndNothingElse) {
  std::mt19937 random(1);
  std::vector<std::string> texts;
  std::unordered_map<std::string, std::uint32_t> expected;
  TextIndex index;
  for (int i = 0; i < 20'000; ++i) {
    const std::string text = "account/" + std::to_string(random() % 9'000);
    const auto is_text = [&](std::uint32_t entry) { return texts[entry] == text; };
    const auto entry = static_cast<std::uint32_t>(texts.size());
    const auto known = index.insert(text, entry, is_text);
    const auto [place, is_new] = expected.emplace(text, entry);
    ASSERT_EQ(known.has_value(), !is_new) << text;
    if (known) {
      ASSERT_EQ(*known, place->second);
    }
    if (is_new) texts.push_back(text);
  }
  for (int i = 0; i < 10'000; ++i) {
    const std::string text = "account/" + std::to_string(i);
    const auto found = index.find(text, [&](std::uint32_t entry) { return texts[entry] == text; });
    const auto place = expected.find(text);
    ASSERT_EQ(found.has_value(), place != expected.end()) << text;
    if (found) {
      ASSERT_EQ(*found, place->second);
    }
  }
}

TEST(TextIndex, TextsOfOneHashStayApart) {
  const std::vector<std::string> texts = {"one", "two", "three"};
  TextIndex index;
  for (std::uint32_t i = 0; i < texts.size(); ++i) {
    EXPECT_FALSE(
        index.insert_hashed(7, i, [&](std::uint32_t entry) { return texts[entry] == texts[i]; }));
  }
  EXPECT_EQ(index.insert_hashed(7, 3, [&](std::uint32_t entry) { return texts[entry] == "two"; }),
            1u);
}

TEST(TextIndex, AnEmptyOneHasNothing) {
  const TextIndex index;
  EXPECT_FALSE(index.find("one", [](std::uint32_t) { return true; }));
}

}  // namespace
}  // namespace plan
