// The table of the target's properties is held to the documents of real servers.
#include "compiler/check/target_property.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <utility>

#include "tests/support/shared_data.h"
#include "tests/unit/compiler/schema/schema_documents.h"

namespace plan::check {
namespace {

std::string_view type_of(const schema::ObjectType& object) {
  std::string_view name = object.name;
  if (name.starts_with("x:")) name.remove_prefix(2);
  return name;
}

bool is_addressable(const schema::ObjectType& object) {
  return object.kind == schema::ObjectKind::collection ||
         object.kind == schema::ObjectKind::singleton;
}

/// How many properties of the types that decide about mail have a row; the others fail.
std::size_t look_at(const schema::Schema& schema) {
  std::size_t count = 0;
  for (const schema::ObjectType& object : schema.objects()) {
    if (!is_addressable(object) || !decides_about_mail(type_of(object))) continue;
    for (const schema::Variant& variant : object.variants) {
      if (variant.fields == nullptr) continue;
      for (const schema::Property& property : variant.fields->properties()) {
        if (property.update == schema::Update::server_set) continue;
        EXPECT_NE(target_property(type_of(object), property.name), nullptr)
            << object.name << "." << property.name
            << " is in no row of compiler/check/target_property.cpp: does the proof follow it, is "
               "it said, or can it not change where mail ends?";
        ++count;
      }
    }
  }
  return count;
}

TEST(TargetProperties, EveryOneOfTheFactsInTheRepositoryHasARow) {
  EXPECT_GE(look_at(test::facts()), 120U);
}

class RealDocument : public testing::TestWithParam<const char*> {};

TEST_P(RealDocument, HasNoPropertyWithoutARow) {
  PLAN_SHARED(path, std::string("data/schema/stalwart-") + GetParam() + ".schema.json.gz");
  const auto schema = schema::Schema::read(test::unzipped(path));
  ASSERT_TRUE(schema) << schema.error().to_line();
  EXPECT_GE(look_at(*schema), 120U);
}

INSTANTIATE_TEST_SUITE_P(AllVersions, RealDocument,
                         testing::Values("0.16.0", "0.16.15", "0.16.19"));

TEST(TargetProperties, EachRowIsOfAPropertyThatThereIsAndSaysWhy) {
  std::set<std::pair<std::string_view, std::string_view>> known;
  for (const TargetProperty& row : target_properties()) {
    SCOPED_TRACE(std::string(row.object) + "." + std::string(row.name));
    EXPECT_TRUE(known.emplace(row.object, row.name).second) << "twice";
    EXPECT_EQ(row.why.empty(), row.bearing != Bearing::none);
    EXPECT_TRUE(row.bearing == Bearing::said || (row.without[0].empty() && row.enough == 0));
    const schema::ObjectType* const object = test::facts().resolved("x:" + std::string(row.object));
    ASSERT_NE(object, nullptr);
    bool is_there = row.name == "*" || (row.name == "@type" && object->is_multiple);
    for (const schema::Variant& variant : object->variants)
      is_there =
          is_there || (variant.fields != nullptr && variant.fields->find(row.name) != nullptr);
    EXPECT_TRUE(is_there);
  }
}

TEST(TargetProperties, OneThatHasNoRowOfItsOwnHasThatOfItsWholeObject) {
  ASSERT_NE(target_property("MtaHook", "url"), nullptr);
  EXPECT_EQ(target_property("MtaHook", "url")->name, "*");
  EXPECT_EQ(target_property("MtaStageData", "ofALaterServer"), nullptr);
  EXPECT_EQ(target_property("Imap", "maxRequestSize"), nullptr);
  EXPECT_TRUE(decides_about_mail("MtaStageData"));
  EXPECT_FALSE(decides_about_mail("Imap"));
}

}  // namespace
}  // namespace plan::check
