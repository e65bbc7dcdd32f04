#include "compiler/schema_drift.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "compiler/ir/json.h"
#include "tests/support/repository.h"
#include "tests/support/shared_data.h"
#include "tests/unit/compiler/compile/golden_case.h"
#include "tests/unit/compiler/schema/schema_documents.h"

namespace plan::test {
namespace {

ir::StepGraph graph_of_a_plan() {
  auto golden = read_golden_case(test::repository() / "tests/golden/lower/two-waves");
  CompileResult result = compile(std::move(golden->input));
  EXPECT_TRUE(result.graph.has_value()) << rendered(result);
  return std::move(*result.graph);
}

ir::Value document() {
  const auto parsed =
      ir::parse_json(read_all(test::repository() / "runtime/rehearsal/schema/stalwart-0.16.json"));
  EXPECT_TRUE(parsed.has_value());
  return *parsed;
}

schema::Schema schema_of(const ir::Value& document) {
  auto read = schema::Schema::read(ir::write_json(document));
  EXPECT_TRUE(read.has_value()) << (read ? "" : read.error().to_line());
  return *read;
}

TEST(SchemaDrift, NothingIsTouchedByTheSameDocument) {
  const ir::StepGraph graph = graph_of_a_plan();
  const SchemaDrift drift = schema_drift(repository_schema(), repository_schema(), graph);
  EXPECT_EQ(drift.types, (std::vector<std::string>{
                             "Account", "Action", "AllowedIp", "Domain", "MailingList",
                             "MemoryLookupKey", "MemoryLookupKeyValue", "MtaInboundThrottle",
                             "MtaOutboundStrategy", "MtaRoute", "MtaStageData", "SpamPyzor"}));
  EXPECT_TRUE(drift.touched.empty()) << drift.touched.front();
}

/// The facts with one property's notation replaced; null: without it.
std::vector<std::string> touched_by(const std::string& structure, const std::string& property,
                                    const ir::Value& notation) {
  ir::Value changed = document();
  ir::Value structs = changed["structs"];
  ir::Value pair = structs[structure];
  EXPECT_FALSE(pair.item(0)[property].is_null()) << structure << "." << property;
  ir::Value fields = ir::Value::map();
  for (const auto& [name, value] : pair.item(0).members()) {
    if (name != property) fields.set(name, value);
  }
  if (!notation.is_null()) fields.set(property, notation);
  structs.set(structure, ir::List{std::move(fields), pair.item(1)});
  changed.set("structs", std::move(structs));
  return schema_drift(schema_of(document()), schema_of(changed), graph_of_a_plan()).touched;
}

TEST(SchemaDrift, NamesExactlyWhatIsTouched) {
  const std::string all =
      "Domain (steps `target/domain/example.org`, `target/domain/example.net`, "
      "`finalize/domain/example.org` and 1 more): ";
  EXPECT_EQ(touched_by("x:Domain", "allowRelaying", {}),
            (std::vector<std::string>{all + "`allowRelaying` is not there any more"}));
  EXPECT_EQ(touched_by("x:Domain", "allowRelaying", "server-set boolean"),
            (std::vector<std::string>{all + "`allowRelaying` is set by the server now"}));
  EXPECT_EQ(
      touched_by("x:Domain", "allowRelaying", "string:string"),
      (std::vector<std::string>{
          "Domain (steps `target/domain/example.org`, `target/domain/example.net`): "
          "`allowRelaying` was `boolean`, is `string:string`, and refuses what is written: needs a "
          "text, this is true",
          "Domain (steps `finalize/domain/example.org`, `finalize/domain/example.net`): "
          "`allowRelaying` was `boolean`, is `string:string`, and refuses what is written: needs a "
          "text, this is false"}));
  EXPECT_TRUE(touched_by("x:Domain", "logo", {}).empty()) << "the plan does not write it";
}

/// What each step of the plan writes, by struct: what its arguments name, and what the drivers of
/// accounts, lists and lookup keys send.
std::map<std::string, std::set<std::string>> properties_written(const ir::StepGraph& graph) {
  std::map<std::string, std::set<std::string>> written = {
      {"x:UserAccount",
       {"name", "domainId", "aliases", "credentials", "roles", "permissions", "quotas",
        "description"}},
      {"x:MailingList", {"name", "domainId", "recipients", "aliases"}},
      {"x:MemoryLookupKey", {"namespace", "key", "isGlobPattern"}},
      {"x:MemoryLookupKeyValue", {"namespace", "key", "value", "isGlobPattern"}}};
  for (const ir::StepId step : graph.order()) {
    const ir::Value arguments = graph.arguments(step);
    std::string name(arguments["object"].string_or(""));
    if (name.empty()) continue;
    if (!name.starts_with("x:")) name = "x:" + name;
    if (name == "x:MtaRoute") name = "x:MtaRouteRelay";
    for (const char* part : {"match", "set"}) {
      for (const auto& [property, unused] : arguments[part].members())
        if (property != "@type") written[name].insert(property);
    }
  }
  return written;
}

TEST(SchemaDrift, EveryPropertyThatIsWrittenIsMissedAndNoOther) {
  const ir::StepGraph graph = graph_of_a_plan();
  const ir::Value facts = repository_schema().facts_of(types_written(graph));
  const auto before = schema::Schema::load_facts(facts);
  ASSERT_TRUE(before);
  std::size_t missed = 0;
  std::size_t beside = 0;
  for (const auto& [name, names] : properties_written(graph)) {
    const ir::Value pair = facts["structs"][name];
    ASSERT_TRUE(pair.is_list()) << name;
    for (const auto& [property, unused] : pair.item(0).members()) {
      ir::Value fields = ir::Value::map();
      for (const auto& [other, value] : pair.item(0).members()) {
        if (other != property) fields.set(other, value);
      }
      ir::Value structs = facts["structs"];
      structs.set(name, ir::List{std::move(fields), pair.item(1)});
      ir::Value changed = facts;
      changed.set("structs", std::move(structs));
      const auto after = schema::Schema::load_facts(changed);
      ASSERT_TRUE(after);
      const SchemaDrift drift = schema_drift(*before, *after, graph);
      const bool is_written = names.contains(property);
      EXPECT_EQ(drift.touched.size() > 0, is_written) << name << "." << property;
      for (const std::string& line : drift.touched)
        EXPECT_NE(line.find("`" + property + "` is not there any more"), std::string::npos) << line;
      ++(is_written ? missed : beside);
    }
  }
  EXPECT_GT(missed, 30U);
  EXPECT_GT(beside, 30U);
}

ir::Value step_value(const char* object, ir::Value set) {
  return ir::Value::map({{"object", object}, {"set", std::move(set)}});
}

ir::StepGraph graph_of(const std::vector<std::pair<const char*, ir::Value>>& steps,
                       ir::StepKind kind = ir::StepKind::admin_update) {
  ir::StepGraph graph;
  for (const auto& [id, arguments] : steps) {
    ir::StepShape shape;
    shape.kind = kind;
    shape.id_pattern = id;
    shape.arguments = arguments;
    graph.add_step(graph.add_shape(std::move(shape)), ir::RowId::none, ir::WaveId::none);
  }
  EXPECT_FALSE(graph.freeze().has_value());
  return graph;
}

ir::Value parsed(const char* text) {
  auto value = ir::parse_json(text);
  EXPECT_TRUE(value.has_value()) << text;
  return *value;
}

/// Two documents that differ in one of everything.
constexpr const char* kBefore = R"x({"planSchemaFacts":1,"version":"1","objects":{
  "x:A":{"kind":"collection","label":"name","variants":[["One","x:One"],["Two","x:Two"]]},
  "x:S":{"kind":"singleton","struct":"x:S"},
  "x:Inner":{"variants":[["Near","x:Near"],["Far","x:Far"]]}},
 "structs":{
  "x:One":[{"name":"string:string","port":"number:unsignedInteger[1..65535]","old":"boolean"},{}],
  "x:Two":[{"name":"string:string","port":"number:unsignedInteger[1..65535]"},{}],
  "x:S":[{"mode":"enum:Mode","modes":"set(enum:Mode)","inner":"object:x:Inner"},{}],
  "x:Near":[{"at":"string:string?","by":"string:string?"},{}],
  "x:Far":[{"at":"string:string?"},{}]},
 "enums":{"Mode":["a","b","c"]}})x";
constexpr const char* kAfter = R"x({"planSchemaFacts":1,"version":"2","objects":{
  "x:A":{"kind":"collection","label":"name","variants":[["One","x:One"],["Two","x:Two"]]},
  "x:S":{"kind":"singleton","struct":"x:S"},
  "x:Inner":{"variants":[["Near","x:Near"]]}},
 "structs":{
  "x:One":[{"name":"string:string","port":"number:unsignedInteger[1..65535]"},{}],
  "x:Two":[{"name":"string:string","port":"number:unsignedInteger[1..1024]","must":"string:string"},{}],
  "x:S":[{"mode":"enum:Mode","modes":"set(enum:Mode)","inner":"object:x:Inner"},{}],
  "x:Near":[{"at":"string:string?","by":"number:unsignedInteger"},{}]},
 "enums":{"Mode":["a","b"]}})x";

std::vector<std::string> touched_in(const ir::StepGraph& graph) {
  return schema_drift(schema_of(parsed(kBefore)), schema_of(parsed(kAfter)), graph).touched;
}

TEST(SchemaDrift, LooksAtEachStepByItself) {
  const auto one = [](const char* name, int port) {
    return step_value("A", ir::Value::map({{"@type", "One"}, {"name", name}, {"port", port}}));
  };
  const auto two = [](const char* name, int port) {
    return step_value("A", ir::Value::map({{"@type", "Two"}, {"name", name}, {"port", port}}));
  };
  const ir::StepGraph graph = graph_of({{"first", one("x", 9000)},
                                        {"second", two("y", 9000)},
                                        {"third", two("z", 25)},
                                        {"fourth", two("u", 9000)}},
                                       ir::StepKind::admin_upsert);
  EXPECT_EQ(
      touched_in(graph),
      (std::vector<std::string>{
          "A (steps `second`, `fourth`): `port` was `number:unsignedInteger[1..65535]`, is "
          "`number:unsignedInteger[1..1024]`, and refuses what is written: is 9000, at most 1024 "
          "is allowed; "
          "`must` is new and has to be given, which the step does not",
          "A (step `third`): `port` was `number:unsignedInteger[1..65535]`, is "
          "`number:unsignedInteger[1..1024]`; `must` is new and has to be given, which the step "
          "does "
          "not"}));
}

TEST(SchemaDrift, LooksAtTheValuesThatAreWritten) {
  const auto set = [](ir::Value value) { return step_value("S", std::move(value)); };
  EXPECT_TRUE(touched_in(graph_of({{"s", set(ir::Value::map({{"mode", "a"}}))}})).empty());
  EXPECT_EQ(touched_in(graph_of({{"s", set(ir::Value::map({{"mode", "c"}}))}})),
            (std::vector<std::string>{"S (step `s`): `mode` has no value `c` any more"}));
  EXPECT_TRUE(
      touched_in(graph_of({{"s", set(ir::Value::map({{"modes", parsed(R"(["a","b"])")}}))}}))
          .empty());
  EXPECT_EQ(touched_in(graph_of({{"s", set(ir::Value::map({{"modes", parsed(R"(["a","c"])")}}))}})),
            (std::vector<std::string>{"S (step `s`): `modes` has no value `c` any more"}));
  EXPECT_TRUE(
      touched_in(graph_of({{"s", set(ir::Value::map(
                                     {{"inner", parsed(R"({"@type":"Near","at":"x"})")}}))}}))
          .empty());
  EXPECT_EQ(
      touched_in(graph_of({{"s", set(ir::Value::map({{"inner", parsed(R"({"@type":"Far"})")}}))}})),
      (std::vector<std::string>{"S (step `s`): `inner` has no variant `Far` any more"}));
  EXPECT_EQ(touched_in(graph_of(
                {{"s", set(ir::Value::map({{"inner", parsed(R"({"@type":"Near","by":"x"})")}}))}})),
            (std::vector<std::string>{
                "S (step `s`): `inner.by` was `string:string?`, is "
                "`number:unsignedInteger`, and refuses what is written: needs a number, "
                "this is `x`"}));
}

TEST(SchemaDrift, NamesAConstructThatIsNotKnown) {
  const auto document = [](const std::string& type) {
    std::string whole =
        R"x({"objects":{"x:S":{"type":"singleton","permissionPrefix":"sysS"}},
        "schemas":{"x:S":{"type":"single","schemaName":"x:S"}},
        "fields":{"x:S":{"properties":{"free":{"type":TYPE,"update":"mutable"},
                                       "other":{"type":{"type":"boolean"},"update":"mutable"}}}},
        "enums":{}})x";
    whole.replace(whole.find("TYPE"), 4, type);
    return schema_of(parsed(whole.c_str()));
  };
  const schema::Schema before = document(R"({"type":"string","format":"string"})");
  const schema::Schema after = document(R"({"type":"matrix","rows":3})");
  EXPECT_EQ(after.warnings().size(), 1U);
  EXPECT_EQ(schema_drift(before, after,
                         graph_of({{"s", step_value("S", ir::Value::map({{"free", "x"}}))}}))
                .touched,
            (std::vector<std::string>{"S (step `s`): `free` was `string:string`, is `unknown`"}));
  EXPECT_TRUE(schema_drift(before, after,
                           graph_of({{"s", step_value("S", ir::Value::map({{"other", true}}))}}))
                  .touched.empty());
}

// --- between the documents of real servers

schema::Schema real_schema(const std::filesystem::path& path) {
  auto read = schema::Schema::read(unzipped(path));
  EXPECT_TRUE(read.has_value()) << (read ? "" : read.error().to_line());
  return *read;
}

/// A graph that writes what the documents differ in, and things beside it.
ir::StepGraph graph_of_changed_types() {
  ir::StepGraph graph;
  const auto add = [&](const char* id, const char* object, ir::Value set) {
    ir::StepShape shape;
    shape.kind = ir::StepKind::admin_update;
    shape.id_pattern = id;
    shape.arguments = ir::Value::map({{"object", object}, {"set", std::move(set)}});
    graph.add_step(graph.add_shape(std::move(shape)), ir::RowId::none, ir::WaveId::none);
  };
  add("imap", "Imap", ir::Value::map({{"maxMessagesPerCommand", 10}, {"maxRequestSize", 100}}));
  add("jmap", "x:Jmap", ir::Value::map({{"uploadTtl", 5000}}));
  add("jmap-beside", "ReportSettings", ir::Value::map({{"outboundReportSubmitter", "a"}}));
  add("blobs", "BlobStore", ir::Value::map({{"@type", "S3"}, {"accessKey", "k"}}));
  add("data", "DataStore", ir::Value::map({{"@type", "RocksDb"}, {"bufferSize", 1}}));
  add("dns", "DnsServer", ir::Value::map({{"@type", "Sig0"}, {"description", "a"}}));
  EXPECT_FALSE(graph.freeze().has_value());
  return graph;
}

TEST(SchemaDrift, BetweenTheRealDocumentsTheProceduresAreUntouched) {
  PLAN_SHARED(first, "data/schema/stalwart-0.16.0.schema.json.gz");
  PLAN_SHARED(older, "data/schema/stalwart-0.16.15.schema.json.gz");
  PLAN_SHARED(newer, "data/schema/stalwart-0.16.19.schema.json.gz");
  const ir::StepGraph graph = graph_of_a_plan();
  EXPECT_EQ(schema_drift(real_schema(older), real_schema(newer), graph).touched,
            std::vector<std::string>{});
  EXPECT_EQ(schema_drift(real_schema(first), real_schema(older), graph).touched,
            std::vector<std::string>{});
}

TEST(SchemaDrift, BetweenTheRealDocumentsNamesExactlyWhatIsTouched) {
  PLAN_SHARED(first, "data/schema/stalwart-0.16.0.schema.json.gz");
  PLAN_SHARED(older, "data/schema/stalwart-0.16.15.schema.json.gz");
  PLAN_SHARED(newer, "data/schema/stalwart-0.16.19.schema.json.gz");
  const ir::StepGraph graph = graph_of_changed_types();
  EXPECT_EQ(schema_drift(real_schema(older), real_schema(newer), graph).touched,
            (std::vector<std::string>{
                "BlobStore (step `blobs`): `accessKey` was `string:string?`, is "
                "`object:x:PublicStringOptional`, and refuses what is written: needs an object of "
                "type PublicStringOptional, this is `k`",
                "DataStore (step `data`): `bufferSize` was `number:size[8192..1073741824]`, is "
                "`number:size[8388608..4294967296]`, and refuses what is written: is 1, at least "
                "8388608 is needed",
                "Imap (step `imap`): `maxMessagesPerCommand` is new, and refuses what is written: "
                "is 10, at least 1000 is needed",
                "Jmap (step `jmap`): `uploadTtl` was `number:duration`, is "
                "`number:duration[1000..]`"}));
  EXPECT_EQ(
      schema_drift(real_schema(first), real_schema(older), graph).touched,
      (std::vector<std::string>{"DnsServer (step `dns`): there is no variant `Sig0` any more"}));
}

}  // namespace
}  // namespace plan::test
