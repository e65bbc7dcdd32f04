// Every plan that the repository offers compiles: against the facts that are in it, and against the
// schema documents of real servers.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "compiler/graph_rules.h"
#include "compiler/ir/digest.h"
#include "compiler/ir/json.h"
#include "tests/support/repository.h"
#include "tests/support/shared_data.h"
#include "tests/unit/compiler/compile/golden_case.h"
#include "tests/unit/compiler/schema/schema_documents.h"

namespace plan::test {
namespace {

namespace fs = std::filesystem;
using ir::Value;

constexpr const char* kMailLines =
    "account alice@DOMAIN aliases=info@DOMAIN hash=SHA512-CRYPT quota=1073741824\n"
    "account bob@DOMAIN hash=BLF-CRYPT\n"
    "certificate source.imap abababababababababababababababababababababababababababababababab\n"
    "certificate target.https cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd\n"
    "host-key source efefefefefefefefefefefefefefefefefefefefefefefefefefefefefefefef\n"
    "list team@DOMAIN members=alice@DOMAIN,bob@DOMAIN,outside@example.com\n"
    "mailboxes alice@DOMAIN names=INBOX,Sent\n"
    "mailboxes bob@DOMAIN names=INBOX\n"
    "source-domain DOMAIN\n"
    "throttle Sender%20IP%20throttle match={\"else\":\"true\"%2C\"match\":{}}\n"
    "version source.dovecot 2.3.19.1\n"
    "version source.postfix 3.7.11\n"
    "version target.stalwart 0.16.15\n";
/// A Stalwart 0.15 as `plan fetch` reads it.
constexpr const char* kOldStalwartLines =
    "account alice@DOMAIN aliases=info@DOMAIN hash=CRYPT:$6$ quota=1073741824\n"
    "account bob@DOMAIN hash=PLAIN\n"
    "certificate source.https abababababababababababababababababababababababababababababababab\n"
    "certificate source.imap abababababababababababababababababababababababababababababababab\n"
    "certificate target.https cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd\n"
    "list team@DOMAIN members=alice@DOMAIN,bob@DOMAIN,outside@example.com\n"
    "mailboxes alice@DOMAIN names=INBOX,Sent%20Items\n"
    "mailboxes bob@DOMAIN names=INBOX\n"
    "source-domain DOMAIN\n"
    "version source.stalwart 0.15.5\n"
    "version target.stalwart 0.16.15\n";
constexpr const char* kStoreLines =
    "setting target.store.kind \"rocksdb\"\n"
    "setting target.store.schema 6\n"
    "version target.stalwart 0.16.15\n";

/// What `plan fetch` would have found for the plans of the repository; a plan without an entry here
/// fails the test.
const std::map<std::string, std::pair<std::string, std::string>>& worlds() {
  static const std::map<std::string, std::pair<std::string, std::string>> kWorlds = {
      {"plans/docker-mailserver.yaml", {kMailLines, "example.org"}},
      {"plans/dovecot-ldap.yaml", {kMailLines, "example.org"}},
      {"plans/dovecot-postfix.yaml", {kMailLines, "example.org"}},
      {"plans/iredmail-ldap.yaml", {kMailLines, "example.org"}},
      {"plans/iredmail.yaml", {kMailLines, "example.org"}},
      {"plans/ispconfig.yaml", {kMailLines, "example.org"}},
      {"plans/mail-in-a-box.yaml", {kMailLines, "example.org"}},
      {"plans/mailcow.yaml", {kMailLines, "example.org"}},
      {"plans/modoboa.yaml", {kMailLines, "example.org"}},
      {"plans/postfixadmin.yaml", {kMailLines, "example.org"}},
      {"plans/stalwart-15.yaml", {kOldStalwartLines, "example.org"}},
      {"plans/store-move.yaml", {kStoreLines, ""}},
      {"examples/quickstart/migration.yaml", {kMailLines, "legacy.test"}},
  };
  return kWorlds;
}

std::vector<std::string> plans() {
  std::vector<std::string> found;
  for (const char* folder : {"plans", "examples"}) {
    for (const auto& entry : fs::recursive_directory_iterator(test::repository() / folder)) {
      const std::string name = entry.path().extension().string();
      if (!entry.is_regular_file() || (name != ".yaml" && name != ".plan")) continue;
      if (read_all(entry.path()).find("plan: 1") == std::string::npos &&
          read_all(entry.path()).find("plan = 1") == std::string::npos)
        continue;
      found.push_back(fs::relative(entry.path(), test::repository()).string());
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::string lock_of(const std::string& plan, const std::string& plan_text) {
  const auto& [lines, domain] = worlds().at(plan);
  const std::size_t at = plan_text.find("\nname: ") + 7;
  std::string name = plan_text.substr(at, plan_text.find('\n', at) - at);
  if (const std::size_t comment = name.find(" #"); comment != std::string::npos)
    name.resize(comment);
  name.resize(name.find_last_not_of(' ') + 1);
  std::string text = "plan-lock 1 " + ir::sha256(name).hex() +
                     "\n# written by `plan fetch`; goes into git, is not edited by hand\n" + lines;
  for (std::size_t i = text.find("DOMAIN"); i != std::string::npos; i = text.find("DOMAIN", i))
    text.replace(i, 6, domain);
  return text + "digest " + ir::sha256(text).hex() + "\n";
}

CompileResult compile_with(const std::string& plan, std::string text, const schema::Schema& schema,
                           const std::string& module = {}) {
  CompileInput input;
  input.plan_name = plan;
  input.lock_text = lock_of(plan, text);
  input.plan_text = std::move(text);
  input.schema = &schema;
  if (!module.empty())
    input.file_text = [module](const std::string&) -> Result<std::string> { return module; };
  return compile(std::move(input));
}

void compiles(const schema::Schema& schema) {
  const std::vector<std::string> all = plans();
  EXPECT_GE(all.size(), 3U);
  for (const std::string& plan : all) {
    ASSERT_TRUE(worlds().contains(plan)) << plan << " has no world in this test";
    const CompileResult result = compile_with(plan, read_all(test::repository() / plan), schema);
    EXPECT_TRUE(result.graph.has_value()) << plan << "\n" << rendered(result);
    EXPECT_FALSE(result.has_errors()) << plan << "\n" << rendered(result);
  }
}

TEST(Plans, CompileAgainstTheFactsOfTheRepository) { compiles(repository_schema()); }

class RealDocuments : public testing::TestWithParam<const char*> {};

TEST_P(RealDocuments, AreThoseThatEveryPlanCompilesAgainst) {
  PLAN_SHARED(path, std::string("data/schema/stalwart-") + GetParam() + ".schema.json.gz");
  const auto schema = schema::Schema::read(test::unzipped(path));
  ASSERT_TRUE(schema) << schema.error().to_line();
  compiles(*schema);
}

/// The modules that no procedure uses by itself, in a module of the operator's own.
constexpr const char* kServerModule =
    "module mine\n"
    "use std/dkim as org { domain = \"example.org\", selector = \"mail\", private_key = key }\n"
    "use std/dkim as org-ed { domain = \"example.org\", selector = \"ed\", private_key = key, "
    "algorithm = \"Dkim1Ed25519Sha256\" }\n"
    "use std/dovecot-postfix\n"
    "input key : secret\n";

TEST_P(RealDocuments, TakeTheModulesForTheServer) {
  PLAN_SHARED(path, std::string("data/schema/stalwart-") + GetParam() + ".schema.json.gz");
  const auto schema = schema::Schema::read(test::unzipped(path));
  ASSERT_TRUE(schema) << schema.error().to_line();
  const std::string plan = "plans/dovecot-postfix.yaml";
  const std::string own =
      "use: {module: ./mine.plan, with: {key: !secret file:secrets/dkim.pem}}  #";
  std::string text = read_all(test::repository() / plan);
  text.replace(text.find("use: "), 5, own);
  const CompileResult result = compile_with(plan, text, *schema, kServerModule);
  ASSERT_TRUE(result.graph.has_value()) << rendered(result);
  const ir::StepGraph& graph = *result.graph;
  for (const char* id :
       {"org/domain", "org/key", "org/caches", "org-ed/key", "target/domain/example.org"})
    EXPECT_TRUE(graph.find(id).has_value()) << id;
  // The domain is not made before its keys are its administrator's.
  const auto place = [&](const char* id) {
    return std::find(graph.order().begin(), graph.order().end(), *graph.find(id));
  };
  EXPECT_LT(place("org/domain"), place("target/domain/example.org"));
  EXPECT_EQ(graph.arguments(*graph.find("org/key"))["match"]["domainId"].as_output().step,
            "org/domain");
}

constexpr const char* kListenerModule =
    "module mine\n"
    "use std/listener as imap { name = \"imap\", port = 143, protocol = \"imap\" }\n"
    "use std/listener as submission { name = \"submission\", port = 587, protocol = \"smtp\" }\n"
    "use std/listener as behind { name = \"behind\", port = 1993, implicit_tls = true, trusted = "
    "[\"203.0.113.10/32\"] }\n"
    "use std/trusted-networks as trust { networks = [\"203.0.113.10/32\"] }\n"
    "use std/restart { ports = [143, 587], at_end = true }\n"
    "use std/dovecot-postfix\n";

constexpr const char* kOldStalwartModule =
    "module mine\n"
    "input key : secret\n"
    "use std/stalwart-source { url = \"https://old.example.org\", user = \"admin\", password = "
    "key, "
    "target_name = \"new.example.org\", target_ips = [\"203.0.113.30\"] }\n"
    "use std/dovecot-postfix\n"
    "step account/{}/route for account in accounts : source.settings {\n"
    "  stage = waves\n"
    "  role = held\n"
    "  after = [account/{}/grade]\n"
    "  before = [account/{}/release]\n"
    "  url = \"https://old.example.org\"\n"
    "  user = \"admin\"\n"
    "  password = key\n"
    "  list = \"plan-moved\"\n"
    "  members = account.addresses\n"
    "}\n";

TEST_P(RealDocuments, TakeTheModuleForAnOldStalwart) {
  PLAN_SHARED(path, std::string("data/schema/stalwart-") + GetParam() + ".schema.json.gz");
  const auto schema = schema::Schema::read(test::unzipped(path));
  ASSERT_TRUE(schema) << schema.error().to_line();
  const std::string plan = "plans/dovecot-postfix.yaml";
  std::string text = read_all(test::repository() / plan);
  text.replace(text.find("use: "), 5,
               "use: {module: ./mine.plan, with: {key: !secret file:secrets/old}}  #");
  const CompileResult result = compile_with(plan, text, *schema, kOldStalwartModule);
  ASSERT_TRUE(result.graph.has_value()) << rendered(result);
  const ir::StepGraph& graph = *result.graph;
  const auto route = graph.find("source/route");
  ASSERT_TRUE(route.has_value());
  const Value blocks = graph.argument(*route, "blocks");
  const Value& rules = blocks.item(0)["rules"];
  EXPECT_EQ(rules.item(0)["then"], Value("'plan-new'")) << "who is in both lists has moved";
  EXPECT_EQ(rules.item(1)["then"], Value("'plan-new'")) << "a sub-address too";
  EXPECT_EQ(rules.item(2)["then"], Value("'plan-hold'"));
  const auto held = graph.find("source/held");
  ASSERT_TRUE(held.has_value());
  EXPECT_EQ(graph.argument(*held, "list"), Value("plan-held"));
  const auto senders = graph.find("source/senders");
  ASSERT_TRUE(senders.has_value());
  EXPECT_EQ(graph.argument(*senders, "values").item(0)["key"],
            Value("server.allowed-ip.203.0.113.30"));
  const auto moved = graph.find("account/alice@example.org/route");
  ASSERT_TRUE(moved.has_value());
  EXPECT_EQ(graph.argument(*moved, "members"),
            Value::list({"alice@example.org", "info@example.org"}));
}

TEST_P(RealDocuments, TakeListenersAndARestartInFrontOfTheRest) {
  PLAN_SHARED(path, std::string("data/schema/stalwart-") + GetParam() + ".schema.json.gz");
  const auto schema = schema::Schema::read(test::unzipped(path));
  ASSERT_TRUE(schema) << schema.error().to_line();
  const std::string plan = "plans/dovecot-postfix.yaml";
  std::string text = read_all(test::repository() / plan);
  text.replace(text.find("use: std"), 8, "use: ./mine.plan  # std");
  const std::string target = "\ntarget:\n";
  text.insert(text.find(target) + target.size(), "  service: {unit: stalwart.service}\n");
  const CompileResult result = compile_with(plan, text, *schema, kListenerModule);
  ASSERT_TRUE(result.graph.has_value()) << rendered(result);
  const std::string said = rendered(result);
  for (const char* code : {"target-port-closed", "protocol-not-at-target", "reload-missing"})
    EXPECT_EQ(said.find(code), std::string::npos) << said;
  const ir::StepGraph& graph = *result.graph;
  const auto place = [&](const char* id) {
    const auto step = graph.find(id);
    EXPECT_TRUE(step.has_value()) << id;
    return std::find(graph.order().begin(), graph.order().end(),
                     step.value_or(graph.order().front()));
  };
  // Undone from the newest to the oldest: first the restart is passed, then the listeners go, then
  // the restart of the way back.
  for (const char* write :
       {"imap/listener", "submission/listener", "behind/listener", "trust/networks"}) {
    EXPECT_LT(place("target/unbind"), place(write));
    EXPECT_LT(place(write), place("target/restart"));
  }
  for (const char* other : {"target/route", "target/session-limit", "target/reload"})
    EXPECT_LT(place("target/restart"), place(other));
  EXPECT_EQ(graph.argument(*graph.find("behind/away"), "step"), Value("behind/listener"))
      << "a module that is used `as` a word puts back its own step";
  EXPECT_FALSE(graph.find("imap/away").has_value()) << "clients go on using it";
  EXPECT_LT(place("behind/away"), place("finalize/restart"));
  EXPECT_EQ(graph.argument(*graph.find("imap/listener"), "set")["bind"], Value::list({"[::]:143"}));
}

void collect_secrets(const ir::Value& value, std::set<std::string>& names) {
  for (const auto& [name, member] : value.members()) {
    const std::string_view format = member["type"]["format"].string_or("");
    if (format == "secret" || format == "secretText") names.insert(name);
    collect_secrets(member, names);
  }
  for (const ir::Value& item : value.items()) collect_secrets(item, names);
}

TEST_P(RealDocuments, CallTheirSecretsAsTheCheckWithoutASchemaDoes) {
  PLAN_SHARED(path, std::string("data/schema/stalwart-") + GetParam() + ".schema.json.gz");
  const auto document = ir::parse_json(test::unzipped(path));
  ASSERT_TRUE(document) << document.error().to_line();
  std::set<std::string> names;
  collect_secrets((*document)["fields"], names);
  ASSERT_FALSE(names.empty());
  for (const std::string_view known : secret_names()) names.erase(std::string(known));
  EXPECT_TRUE(names.empty()) << *names.begin();
}

TEST_P(RealDocuments, OfALaterServerMayHaveWhatNobodyKnowsYet) {
  PLAN_SHARED(path, std::string("data/schema/stalwart-") + GetParam() + ".schema.json.gz");
  auto document = ir::parse_json(test::unzipped(path));
  ASSERT_TRUE(document) << document.error().to_line();
  ir::Value* domain = document->as_map().find("fields")->as_map().find("x:Domain");
  ASSERT_NE(domain, nullptr);
  domain->as_map()
      .find("properties")
      ->as_map()
      .set("orbit", ir::Value::map({{"description", "where it is"},
                                    {"type", ir::Value::map({{"type", "ellipse"}})},
                                    {"update", "mutable"}}));
  const auto schema = schema::Schema::load(*document);
  ASSERT_TRUE(schema) << schema.error().to_line();
  const std::string plan = "plans/dovecot-postfix.yaml";
  const CompileResult result = compile_with(plan, read_all(test::repository() / plan), *schema);
  EXPECT_TRUE(result.graph.has_value()) << rendered(result);
  EXPECT_NE(rendered(result).find("the target's schema has 1 construct that this version of plan "
                                  "does not know [schema-missing]"),
            std::string::npos)
      << rendered(result);
  EXPECT_NE(rendered(result).find("x:Domain.orbit: unknown type `ellipse`"), std::string::npos)
      << rendered(result);
}

INSTANTIATE_TEST_SUITE_P(AllVersions, RealDocuments,
                         testing::Values("0.16.0", "0.16.15", "0.16.19"));

}  // namespace
}  // namespace plan::test
