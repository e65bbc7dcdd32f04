// Every kind of construct of the real documents, replaced by one that nobody knows: what a later
// server may bring is a warning that names it, and never an error or a crash.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "compiler/ir/json.h"
#include "compiler/schema/check_value.h"
#include "compiler/schema/limits.h"
#include "tests/unit/compiler/schema/schema_documents.h"

namespace plan::schema {
namespace {

constexpr const char* kNew = "galaxy";
constexpr std::size_t kDocuments = 8;

/// What a reader of types looks at: no pictures, and no defaults, whose members are the server's
/// own values.
std::string types_of(const std::string& text) {
  const auto document =
      ir::parse_json(text, {.bytes_max = kDocumentBytesMax, .depth_max = kDocumentDepthMax});
  if (!document) return {};
  ir::Value types = ir::Value::map();
  for (const char* part : {"objects", "schemas", "enums"}) types.set(part, (*document)[part]);
  ir::Value fields = ir::Value::map();
  for (const auto& [name, body] : (*document)["fields"].members())
    fields.set(name, ir::Value::map({{"properties", body["properties"]}}));
  types.set("fields", std::move(fields));
  return ir::write_json(types);
}

struct Place {
  std::string what = {};
  std::size_t begin = 0;  ///< of the text that is replaced
  std::size_t size = 0;
  std::string by = {};
};

/// The first of each kind: a word behind `type`, `format` or `update`, and a beginning of an object
/// that may get a further member.
std::vector<Place> places_in(const std::string& text) {
  std::vector<Place> places;
  std::set<std::string> known;
  for (const std::string key : {"type", "format", "update"}) {
    const std::string before = "\"" + key + "\":\"";
    for (std::size_t at = text.find(before); at != std::string::npos;
         at = text.find(before, at + 1)) {
      const std::size_t begin = at + before.size();
      const std::size_t size = text.find('"', begin) - begin;
      const std::string what = key + " " + text.substr(begin, size);
      if (!known.insert(what).second) continue;
      places.push_back({what, begin, size, kNew});
      places.push_back({what + " as a number", begin - 1, size + 2, "7"});
      if (key == "type") places.push_back({"member beside " + what, at, 0, "\"galaxy\":true,"});
    }
  }
  for (const std::string before : {"{\"description\":", "{\"properties\":", "{\"name\":"}) {
    const std::size_t at = text.find(before);
    if (at != std::string::npos)
      places.push_back({"member beside " + before, at + 1, 0, "\"galaxy\":true,"});
  }
  std::sort(places.begin(), places.end(), [](const Place& left, const Place& right) {
    return std::pair(left.begin, left.size) < std::pair(right.begin, right.size);
  });
  return places;
}

class LaterDocument : public testing::TestWithParam<const char*> {};

TEST_P(LaterDocument, IsReadWithAWarningThatNamesWhatIsNew) {
  PLAN_SHARED(path, std::string("data/schema/stalwart-") + GetParam() + ".schema.json.gz");
  const std::string text = types_of(test::unzipped(path));
  ASSERT_FALSE(text.empty());
  const std::vector<Place> places = places_in(text);
  EXPECT_GT(places.size(), 60U);
  // Several in one document, far from each other: one inside another would hide it.
  for (std::size_t turn = 0; turn < kDocuments; ++turn) {
    std::string later = text;
    std::vector<std::pair<std::string, std::string>> names;  // of what is new, and for what
    for (std::size_t i = places.size(); i-- > 0;) {          // from the end on: the places stay
      const Place& place = places[i];
      if (i % kDocuments != turn) continue;
      std::string by = place.by;
      if (const std::size_t at = by.find(kNew); at != std::string::npos) {
        const std::string name = std::string(kNew) + std::to_string(i) + "x";
        by.replace(at, std::string_view(kNew).size(), name);
        names.emplace_back(name, place.what);
      }
      later.replace(place.begin, place.size, by);
    }
    const auto schema = Schema::read(later);
    ASSERT_TRUE(schema) << schema.error().to_line();
    EXPECT_FALSE(schema->warnings().empty());
    for (const auto& [name, what] : names) {
      EXPECT_TRUE(std::any_of(schema->warnings().begin(), schema->warnings().end(),
                              [&name = name](const std::string& warning) {
                                return warning.find(name) != std::string::npos;
                              }))
          << what;
    }
    // What is known of the other types is still checked.
    EXPECT_FALSE(check_value(*schema, "MailingList", ir::Value::map({{"nmae", "a"}}), {}).empty());
    (void)complete_value(*schema, "Domain", ir::Value::map({{"name", "a.test"}}));
  }
}

INSTANTIATE_TEST_SUITE_P(AllVersions, LaterDocument,
                         testing::Values("0.16.0", "0.16.15", "0.16.19"));

TEST(FactsOfTypes, AllOfThemAreTheSchemaAgain) {
  const Schema& schema = test::facts();
  std::vector<std::string> names;
  for (const ObjectType& type : schema.objects()) names.push_back(type.name);
  const auto again = Schema::load_facts(schema.facts_of(names));
  ASSERT_TRUE(again) << again.error().to_line();
  EXPECT_TRUE(again->warnings().empty());
  for (const ObjectType& type : schema.objects()) {
    const ObjectType* other = again->object(type.name);
    if (type.kind == ObjectKind::view && other == nullptr) continue;  // nothing refers to it
    ASSERT_NE(other, nullptr) << type.name;
    ASSERT_EQ(other->variants.size(), type.variants.size()) << type.name;
    for (std::size_t i = 0; i < type.variants.size(); ++i) {
      EXPECT_EQ(other->variants[i].name, type.variants[i].name);
      if (type.variants[i].fields == nullptr) continue;
      ASSERT_NE(other->variants[i].fields, nullptr) << type.name;
      EXPECT_EQ(other->variants[i].fields->properties(), type.variants[i].fields->properties())
          << type.name;
    }
  }
}

TEST(FactsOfTypes, HaveWhatATypeIsMadeOfAndNoMore) {
  const ir::Value parts = test::facts().facts_of({"MailingList", "NoSuchType"});
  const auto schema = Schema::load_facts(parts);
  ASSERT_TRUE(schema) << schema.error().to_line();
  ASSERT_NE(schema->object("MailingList"), nullptr);
  EXPECT_NE(schema->object("EmailAlias"), nullptr) << "it is made of these";
  ASSERT_NE(schema->object("Domain"), nullptr) << "it refers to these";
  EXPECT_TRUE(schema->object("Domain")->variants.empty());
  EXPECT_EQ(schema->object("Account"), nullptr);
}

}  // namespace
}  // namespace plan::schema
