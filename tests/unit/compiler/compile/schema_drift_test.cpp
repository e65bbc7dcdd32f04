#include "compiler/schema_drift.h"

#include <gtest/gtest.h>

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
  EXPECT_EQ(drift.types, (std::vector<std::string>{"Account", "Action", "AllowedIp", "Domain",
                                                   "MailingList", "MemoryLookupKey",
                                                   "MtaInboundThrottle", "MtaOutboundStrategy",
                                                   "MtaRoute", "MtaStageData", "SpamPyzor"}));
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
  EXPECT_EQ(touched_by("x:Domain", "allowRelaying", {}),
            (std::vector<std::string>{"Domain (step `target/domain/example.org`): `allowRelaying` "
                                      "is not there any more"}));
  EXPECT_EQ(touched_by("x:Domain", "allowRelaying", "string:string"),
            (std::vector<std::string>{"Domain (step `target/domain/example.org`): `allowRelaying` "
                                      "was `boolean`, is `string:string`"}));
  EXPECT_EQ(touched_by("x:Domain", "allowRelaying", "server-set boolean"),
            (std::vector<std::string>{"Domain (step `target/domain/example.org`): `allowRelaying` "
                                      "is set by the server now"}));
  EXPECT_TRUE(touched_by("x:Domain", "logo", {}).empty()) << "the plan does not write it";
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
                "`object:x:PublicStringOptional`",
                "DataStore (step `data`): `bufferSize` was `number:size[8192..1073741824]`, is "
                "`number:size[8388608..4294967296]`",
                "Imap (step `imap`): `maxMessagesPerCommand` is new",
                "Jmap (step `jmap`): `uploadTtl` was `number:duration`, is "
                "`number:duration[1000..]`"}));
  EXPECT_EQ(
      schema_drift(real_schema(first), real_schema(older), graph).touched,
      (std::vector<std::string>{"DnsServer (step `dns`): there is no variant `Sig0` any more"}));
}

}  // namespace
}  // namespace plan::test
