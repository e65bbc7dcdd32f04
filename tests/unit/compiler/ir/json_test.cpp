#include "compiler/ir/json.h"

#include <gtest/gtest.h>

#include "compiler/ir/digest.h"
#include "compiler/ir/errors.h"
#include "tests/support/told_error.h"

namespace plan::ir {
namespace {

TEST(Json, ReadsWhatItWrites) {
  const Value value =
      Value::map({{"b", List{1, -2.5, true, nullptr, "ü\n\"x\""}}, {"a", Value::map()}});
  const auto again = parse_json(write_json(value));
  ASSERT_TRUE(again) << again.error().to_line();
  EXPECT_EQ(*again, value);
  const auto indented = parse_json(write_json(value, 2));
  ASSERT_TRUE(indented);
  EXPECT_EQ(*indented, value);
}

// A file name, a mailbox, a line of an old map: what is kept in the journal must come back out of
// it.
TEST(Json, BytesThatAreNoTextAreWrittenSoThatTheyCanBeReadAgain) {
  const Value value = Value::map({{"caf\xE9", "\xFF one \xC3(\xE2\x82"}, {"good", "\u00fc"}});
  const auto again = read_canonical(canonical_json(value));
  ASSERT_TRUE(again) << again.error().to_line();
  EXPECT_EQ(*again,
            Value::map({{"caf\uFFFD", "\uFFFD one \uFFFD(\uFFFD\uFFFD"}, {"good", "\u00fc"}}));
  EXPECT_EQ(canonical_json(*again), canonical_json(value));
}

TEST(Json, CanonicalFormIsTheSameForAnyOrderOfMembers) {
  const auto one = parse_json(R"({"b":1, "a":[1.0,2]})");
  const auto two = parse_json(R"({"a":[1,2],"b":1})");
  ASSERT_TRUE(one && two);
  EXPECT_EQ(canonical_json(*one), R"({"a":[1,2],"b":1})");
  EXPECT_EQ(canonical_json(*one), canonical_json(*two));
}

TEST(Json, RefusesADuplicateMemberBecauseReadersDisagreeAboutWhichOneCounts) {
  const auto value = parse_json(R"({"a":1,"a":2})");
  ASSERT_FALSE(value);
  EXPECT_TRUE(test::told_as("bad-json", value.error()));
}

TEST(Json, MinusNothingIsWrittenAsTheIntegerThatItIsReadAs) {
  const auto value = parse_json("[-0.0,-1e-400,-0]");
  ASSERT_TRUE(value);
  EXPECT_EQ(canonical_json(*value), "[0,0,0]");
}

TEST(Json, BoundsDepthAndSize) {
  const auto deep = parse_json(std::string(200'000, '['));
  ASSERT_FALSE(deep);
  EXPECT_TRUE(test::told_as("json-too-large", deep.error()));
  const auto large = parse_json("[1,2,3]", JsonLimits{.bytes_max = 6, .depth_max = 8});
  ASSERT_FALSE(large);
  EXPECT_TRUE(large.error().is(errors::json_too_large));
}

TEST(Json, EveryTruncationIsAnErrorAndNotACrash) {
  const std::string text = R"({"a":[1,2,{"b":"\u00e4"}],"c":null,"d":true})";
  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_FALSE(parse_json(text.substr(0, size))) << size;
  }
  EXPECT_TRUE(parse_json(text));
}

TEST(Json, SecretsAndOutputsComeBackOnlyFromOurOwnFiles) {
  const Value value =
      Value::map({{"password", SecretRef{"env", "X"}}, {"id", OutputRef{"domain/a", "id"}}});
  const auto own = read_canonical(canonical_json(value));
  ASSERT_TRUE(own);
  EXPECT_EQ(*own, value);
  const auto foreign = parse_json(canonical_json(value));
  ASSERT_TRUE(foreign);
  EXPECT_TRUE((*foreign)["password"].is_map());
}

TEST(Json, ManyMembersTakeLinearTime) {
  std::string text = "{";
  for (int i = 0; i < 200'000; ++i) text += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":1";
  text += "}";
  const auto value = parse_json(text);
  ASSERT_TRUE(value);
  EXPECT_EQ(value->size(), 200'000U);
  EXPECT_EQ((*value)["199999"].integer_or(0), 1);
}

TEST(Digest, KnownAnswers) {
  EXPECT_EQ(sha256("abc").hex(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hmac_sha256("Jefe", "what do ya want for nothing?").hex(),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST(Digest, Base64BothAlphabetsAndRefusals) {
  EXPECT_EQ(to_base64("\xff\xfe"
                      "a"),
            "//5h");
  EXPECT_EQ(to_base64("ab", true), "YWI");
  bool is_valid = false;
  EXPECT_EQ(from_base64("YWI=", &is_valid), "ab");
  EXPECT_TRUE(is_valid);
  EXPECT_EQ(from_base64("a b", &is_valid), "");
  EXPECT_FALSE(is_valid);
  (void)from_base64("abcde", &is_valid);
  EXPECT_FALSE(is_valid);
}

}  // namespace
}  // namespace plan::ir
