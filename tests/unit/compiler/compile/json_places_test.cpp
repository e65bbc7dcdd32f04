#include "compiler/json_places.h"

#include <gtest/gtest.h>

#include <string>

#include "compiler/ir/json.h"

namespace plan {
namespace {

/// Every name and value of the text as it stands there, in order; scalars and collections.
void show(std::string_view text, const JsonPlaces& places, std::string& into) {
  if (places.key_end > places.key_begin)
    into += std::string(text.substr(places.key_begin, places.key_end - places.key_begin)) + "=";
  into += std::string(text.substr(places.begin, places.end - places.begin)) + ";";
  for (const JsonPlaces& part : places.inner) show(text, part, into);
}

std::string shown(std::string_view text) {
  std::string into;
  show(text, places_in_json(text), into);
  return into;
}

TEST(JsonPlaces, AreThoseOfNamesAndValues) {
  EXPECT_EQ(shown(R"( 5 )"), "5;");
  EXPECT_EQ(shown(R"({"a" : 1, "b":[true, null ]})"),
            R"({"a" : 1, "b":[true, null ]};"a"=1;"b"=[true, null ];true;null;)");
  EXPECT_EQ(shown(R"({"a\"}":"x\\","{":{"c":-1.5e3}})"),
            R"({"a\"}":"x\\","{":{"c":-1.5e3}};"a\"}"="x\\";"{"={"c":-1.5e3};"c"=-1.5e3;)");
  EXPECT_EQ(shown(R"([[],{},""])"), R"([[],{},""];[];{};"";)");
}

TEST(JsonPlaces, AreAsManyAndInTheOrderOfWhatIsRead) {
  const std::string text = R"({"z":{"b":1,"a":[{"x":1},2]},"y":"{\"z\":[1,2]}","":3})";
  const auto value = ir::parse_json(text);
  ASSERT_TRUE(value);
  const JsonPlaces places = places_in_json(text);
  ASSERT_EQ(places.inner.size(), value->size());
  std::size_t number = 0;
  for (const auto& [name, member] : value->members()) {
    const JsonPlaces& part = places.inner[number++];
    EXPECT_EQ(text.substr(part.key_begin, part.key_end - part.key_begin),
              ir::write_json(ir::Value(name)));
    EXPECT_EQ(part.inner.size(), member.size());
  }
}

TEST(JsonPlaces, OfWhatIsNoJsonComeToAnEnd) {
  for (const char* text : {"", "{", "[", "{]", "[}", "{\"a\"", "{\"a\":", "\"\\", "{:}", "{,,}",
                           "[\"a\" \"b\"", "{a:b}", "}", "[:]"})
    EXPECT_LE(places_in_json(text).end, std::string_view(text).size()) << text;
}

}  // namespace
}  // namespace plan
