#include <gtest/gtest.h>

#include "compiler/ir/json.h"
#include "compiler/schema/check_value.h"
#include "compiler/schema/errors.h"
#include "compiler/schema/limits.h"
#include "tests/support/repository.h"
#include "tests/support/told_error.h"
#include "tests/unit/compiler/schema/schema_documents.h"

namespace plan::schema {
namespace {

using test::facts;

class RealDocument : public testing::TestWithParam<const char*> {};

TEST_P(RealDocument, LoadsWithoutOneUnknownConstruct) {
  PLAN_SHARED(path, std::string("data/schema/stalwart-") + GetParam() + ".schema.json.gz");
  const auto schema = Schema::read(test::unzipped(path));
  ASSERT_TRUE(schema) << schema.error().to_line();
  for (const std::string& warning : schema->warnings()) ADD_FAILURE() << warning;
  std::size_t addressable = 0;
  std::size_t views = 0;
  std::size_t variants = 0;
  for (const ObjectType& object : schema->objects()) {
    addressable += object.kind == ObjectKind::collection || object.kind == ObjectKind::singleton;
    views += object.kind == ObjectKind::view;
    if (object.is_multiple) variants += object.variants.size();
  }
  EXPECT_EQ(addressable, 123U);
  EXPECT_EQ(views, 27U);
  if (GetParam() == std::string("0.16.19")) {
    EXPECT_EQ(variants, 443U);
    EXPECT_EQ(schema->enumerations().size(), 153U);
    EXPECT_EQ(schema->structures().size(), 316U);
  }
}

TEST_P(RealDocument, EveryDefaultIsTakenByTheCheckInTheFormOfTheWire) {
  PLAN_SHARED(path, std::string("data/schema/stalwart-") + GetParam() + ".schema.json.gz");
  const auto schema = Schema::read(test::unzipped(path));
  ASSERT_TRUE(schema);
  std::size_t checked = 0;
  for (const ObjectType& object : schema->objects()) {
    if (object.kind != ObjectKind::singleton || object.is_multiple) continue;
    const ir::Value complete = complete_value(*schema, object.name, ir::Value::map());
    ir::Value patch = ir::Value::map();
    for (const Property& property : object.fields()->properties()) {
      if (property.update != Update::can_change || !property.default_value) continue;
      patch.set(property.name, complete[property.name]);
    }
    for (const Problem& problem :
         check_value(*schema, object.name, patch,
                     {.use = Use::update, .path = object.name, .is_plan_value = false})) {
      // An example that names no host of this server (Bootstrap and mail exchangers) lacks what
      // only it knows, and a report's default of 7d is a duration whose zero is none.
      if (problem.code == ProblemCode::empty_text) continue;
      ADD_FAILURE() << problem.path << ": " << problem.message;
    }
    ++checked;
  }
  EXPECT_EQ(checked, 49U);
}

INSTANTIATE_TEST_SUITE_P(AllVersions, RealDocument,
                         testing::Values("0.16.0", "0.16.15", "0.16.19"));

TEST(Facts, AreThoseOfTheRealDocument) {
  PLAN_SHARED(path, "data/schema/stalwart-0.16.15.schema.json.gz");
  const auto real = Schema::read(test::unzipped(path));
  ASSERT_TRUE(real);
  EXPECT_EQ(facts().version(), "0.16.15");
  EXPECT_EQ(facts().facts_digest(), real->facts_digest())
      << "make them again: scripts/schema-facts.py DOCUMENT 0.16.15";
  PLAN_SHARED(other_path, "data/schema/stalwart-0.16.19.schema.json.gz");
  const auto other = Schema::read(test::unzipped(other_path));
  ASSERT_TRUE(other);
  EXPECT_NE(facts().facts_digest(), other->facts_digest()) << "the digest must see a changed bound";
}

TEST(Facts, HoldNoProse) {
  const std::string text =
      test::read_all(test::repository() / "runtime/rehearsal/schema/stalwart-0.16.json");
  for (const char* member :
       {"\"description\":\"T", "\"label\":\"T", "explanation", "placeholder", "subtitle"}) {
    EXPECT_EQ(text.find(member), std::string::npos) << member;
  }
  EXPECT_LT(text.size(), 300'000U);
}

TEST(Schema, FindsATypeWithAndWithoutItsPrefix) {
  const ObjectType* domain = facts().object("Domain");
  ASSERT_NE(domain, nullptr);
  EXPECT_EQ(domain, facts().object("x:Domain"));
  EXPECT_EQ(domain->kind, ObjectKind::collection);
  EXPECT_EQ(domain->permission_prefix, "sysDomain");
  EXPECT_EQ(facts().object("AddressBook")->name, "AddressBook")
      << "the standard type, not x:AddressBook";
  EXPECT_EQ(facts().object("x:AddressBook")->kind, ObjectKind::singleton);
  EXPECT_EQ(facts().object("Domian"), nullptr);
  EXPECT_EQ(facts().nearest_object("Domian"), "Domain");
}

TEST(Schema, ResolvesAViewToWhatItShows) {
  const ObjectType* view = facts().object("x:Account/Group");
  ASSERT_NE(view, nullptr);
  EXPECT_EQ(view->kind, ObjectKind::view);
  EXPECT_EQ(view->view_variant, "Group");
  EXPECT_EQ(facts().resolved("x:Account/Group")->name, "x:Account");
}

TEST(Schema, KnowsVariantsTheFirstOneIsTheDefault) {
  const ObjectType* route = facts().object("MtaRoute");
  ASSERT_NE(route, nullptr);
  ASSERT_TRUE(route->is_multiple);
  EXPECT_EQ(route->variants.front().name, "Mx");
  EXPECT_EQ(route->fields("Relay")->find("port")->type.notation(),
            "number:unsignedInteger[1..65535]");
  EXPECT_EQ(route->fields("Relay")->find("name")->update, Update::immutable);
  EXPECT_EQ(route->fields("Nowhere"), nullptr);
}

TEST(Schema, TranslatesTheDisplayFormOfDefaults) {
  const ir::Value route =
      *facts().object("MtaOutboundStrategy")->fields()->find("route")->default_value;
  EXPECT_EQ(ir::canonical_json(route),
            "{\"else\":\"'mx'\",\"match\":{\"0\":{\"if\":\"is_local_domain(rcpt_domain)\",\"then\":"
            "\"'local'\"}}}");
  const ir::Value connection =
      *facts().object("MtaOutboundStrategy")->fields()->find("connection")->default_value;
  EXPECT_EQ(ir::canonical_json(connection), R"({"else":"'default'","match":{}})");
  const ir::Value rate =
      *facts().object("Http")->fields()->find("rateLimitAuthenticated")->default_value;
  EXPECT_EQ(ir::canonical_json(rate), R"({"count":1000,"period":60000})");
}

TEST(Schema, NamesAnUnknownConstructOfALaterServerAndGoesOn) {
  const auto schema =
      Schema::read(R"({"objects":{"x:A":{"type":"object","permissionPrefix":"sysA","colour":1}},
    "schemas":{"x:A":{"type":"single","schemaName":"x:A"}},
    "fields":{"x:A":{"properties":{"m":{"type":{"type":"matrix"},"update":"mutable"},
                                   "s":{"type":{"type":"string","format":"iban"},"update":"someday"}}}},
    "enums":{}})");
  ASSERT_TRUE(schema) << schema.error().to_line();
  ASSERT_EQ(schema->warnings().size(), 4U);
  EXPECT_EQ(schema->warnings()[0], "x:A.m: unknown type `matrix`; any value is taken for it");
  EXPECT_EQ(schema->warnings()[1], "x:A.s: unknown string format `iban`");
  EXPECT_EQ(schema->warnings()[2], "x:A.s: unknown update kind `someday`");
  EXPECT_EQ(schema->warnings()[3], "x:A: unknown member `colour`");
  EXPECT_TRUE(
      check_value(*schema, "A", ir::Value::map({{"m", ir::List{1, 2}}, {"s", "x"}})).empty());
}

TEST(Schema, RefusesWhatIsNoSchemaDocument) {
  const auto html = Schema::read("<html>login</html>");
  ASSERT_FALSE(html);
  const auto other = Schema::read(R"({"objects":{}})");
  ASSERT_FALSE(other);
  EXPECT_TRUE(test::told_as("bad-schema", other.error()));
  const auto list = Schema::read("[]");
  EXPECT_FALSE(list);
  EXPECT_FALSE(Schema::read(R"({"planSchemaFacts":2})"));
  const std::string open_brackets =
      "{\"planSchemaFacts\":1,\"objects\":{},\"enums\":{},\"structs\":{\"A\":[{\"a\":\"set(set("
      "string:string)\"}]}}";
  EXPECT_FALSE(Schema::read(open_brackets));
}

TEST(Schema, EveryTruncationOfTheFactsIsAnErrorAndNotACrash) {
  const std::string text =
      test::read_all(test::repository() / "runtime/rehearsal/schema/stalwart-0.16.json");
  for (std::size_t size = 0; size + 2 < text.size(); size += 31'013) {
    EXPECT_FALSE(Schema::read(text.substr(0, size))) << size;
  }
}

TEST(Schema, BoundsNamesAndDepth) {
  std::string many = R"({"objects":{},"schemas":{},"fields":{},"enums":{"E":[)";
  for (std::size_t i = 0; i <= kNamesMax; ++i)
    many += (i == 0 ? "" : ",") + std::string("{\"name\":\"") + std::to_string(i) + "\"}";
  const auto too_many = Schema::read(many + "]}}");
  ASSERT_FALSE(too_many);
  EXPECT_TRUE(too_many.error().is(errors::bad_schema));
  const std::string name(kNameBytesMax + 1, 'n');
  EXPECT_FALSE(
      Schema::read(R"({"objects":{},"schemas":{},"fields":{},"enums":{")" + name + R"(":[]}})"));
  std::string deep =
      R"({"objects":{},"schemas":{},"enums":{},"fields":{"A":{"properties":{"a":{"update":"mutable","type":)";
  for (int i = 0; i < 200; ++i) deep += R"({"type":"set","class":)";
  EXPECT_FALSE(Schema::read(deep));
}

TEST(Schema, ATypeThatHoldsItselfTenTimesIsBounded) {
  std::string properties;
  for (int i = 0; i < 10; ++i) {
    properties += (i == 0 ? "" : ",") + std::string("\"p") + std::to_string(i) +
                  R"(":{"update":"mutable","type":{"type":"object","objectName":"x:A"}})";
  }
  const auto schema =
      Schema::read(R"({"objects":{"x:A":{"type":"object","permissionPrefix":"sysA"}},"enums":{},
    "schemas":{"x:A":{"type":"single","schemaName":"x:A"}},"fields":{"x:A":{"properties":{)" +
                   properties + "}}}}");
  ASSERT_TRUE(schema);
  EXPECT_TRUE(check_value(*schema, "A", ir::Value::map()).empty());
  EXPECT_GT(complete_value(*schema, "A", ir::Value::map()).size(), 0U);
}

TEST(Schema, NaturalKeysAreThoseTheServerKeepsUnique) {
  EXPECT_EQ(Schema::natural_key("x:Domain").properties, std::vector<std::string>{"name"});
  EXPECT_TRUE(Schema::natural_key("MemoryLookupKey").is_checked_by_server);
  EXPECT_FALSE(Schema::natural_key("Role").is_checked_by_server);
  EXPECT_TRUE(Schema::natural_key("Certificate").properties.empty());
}

}  // namespace
}  // namespace plan::schema
