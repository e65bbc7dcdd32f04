#include "compiler/check/plan_keys.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <regex>
#include <set>

#include "compiler/check/plan.h"
#include "compiler/syntax/language.h"
#include "compiler/syntax/scalar.h"
#include "tests/support/repository.h"
#include "tests/support/shared_data.h"

namespace plan::check {
namespace {

namespace fs = std::filesystem;
using ir::Value;

struct Read {
  SourceSet sources;
  Sink sink;
  std::shared_ptr<const syntax::Node> tree;

  explicit Read(const std::string& text, const char* name = "migration.yaml") {
    auto read = syntax::read_source(sources, sources.add(name, text), sink);
    if (read) tree = std::make_shared<const syntax::Node>(std::move(*read));
    if (tree != nullptr) static_cast<void>(read_plan(tree, sources, sink));
  }
  [[nodiscard]] std::set<std::string> unknown_keys() const {
    std::set<std::string> keys;
    for (const Diagnostic& d : sink.sorted()) {
      if (d.kind == Kind::unknown_key) keys.emplace(sources.text(d.span));
    }
    return keys;
  }
};

/// A plan with every key of the table in it, empty.
std::string plan_with(const std::vector<PlanKey>& keys, const std::string& indent) {
  std::string text;
  for (const PlanKey& key : keys) {
    if (key.name == "use" || key.name == "plan" || key.name == "name") continue;
    text += indent + key.name + ":";
    if (key.keys.empty()) {
      text += " null\n";
    } else if (key.is_list) {
      text += "\n" + indent + "  - nothing: null\n" + plan_with(key.keys, indent + "    ");
    } else {
      text += "\n" + plan_with(key.keys, indent + "  ");
    }
  }
  return text;
}

TEST(PlanKeys, AreThoseThatAPlanMayHave) {
  const Read read("plan: 1\nname: x\nuse: std/dovecot-postfix\n" + plan_with(plan_keys().keys, ""));
  ASSERT_NE(read.tree, nullptr);
  EXPECT_EQ(read.unknown_keys(), (std::set<std::string>{"nothing"}));
}

TEST(PlanKeys, AreAllThatAPlanMayHave) {
  const Read read("plan: 1\nname: x\nuse: std/dovecot-postfix\nqqqqqqqqqqqqqq: 1\n");
  std::set<std::string> known;
  for (const Diagnostic& d : read.sink.sorted()) {
    if (d.kind != Kind::unknown_key) continue;
    const std::regex word("`([^`]+)`");
    for (auto at = std::sregex_iterator(d.help.at(0).begin(), d.help.at(0).end(), word);
         at != std::sregex_iterator(); ++at)
      known.insert((*at)[1]);
  }
  std::set<std::string> ours;
  for (const PlanKey& key : plan_keys().keys) ours.insert(key.name);
  EXPECT_EQ(ours, known);
}

TEST(PlanKeys, OfAStoreAreThoseThatSuchAPlanMayHave) {
  const Read read("plan: 1\nname: x\nuse: std/store-move\n" +
                  plan_with(plan_keys_of_store().keys, ""));
  ASSERT_NE(read.tree, nullptr);
  // One item of `dump`, and nothing else.
  EXPECT_EQ(read.unknown_keys(), (std::set<std::string>{"nothing"}));
}

TEST(PlanKeys, OfAStoreAreFoundBelowTheirBlocks) {
  const PlanKey* host = find_plan_key({"store", "to", "postgresql", "host"});
  ASSERT_NE(host, nullptr);
  EXPECT_TRUE(host->is_required);
  ASSERT_NE(find_plan_key({"dump", "when"}), nullptr);
  EXPECT_EQ(find_plan_key({"dump", "whenever"}), nullptr);
  ASSERT_NE(find_plan_key({"target", "service", "unit"}), nullptr);
}

// --- the JSON Schema, with as much of its language as it uses ----------------------------------

std::string problem(const Value& schema, const syntax::Node& node, const std::string& where);

/// What stands in an `if`: every keyword of it is asked.
bool holds(const Value& condition, const syntax::Node& node) {
  if (condition["anyOf"].is_list() &&
      std::none_of(condition["anyOf"].items().begin(), condition["anyOf"].items().end(),
                   [&](const Value& one) { return holds(one, node); }))
    return false;
  if (condition["not"].is_map() && holds(condition["not"], node)) return false;
  if (condition["type"].is_string() && condition["type"] != Value(node.is_mapping()    ? "object"
                                                                  : node.is_sequence() ? "array"
                                                                                       : "string"))
    return false;
  for (const Value& name : condition["required"].items()) {
    if (node.find(name.as_string()) == nullptr) return false;
  }
  for (const auto& [name, inner] : condition["properties"].members()) {
    const syntax::Node* value = node.find(name);
    if (value != nullptr && !problem(inner, *value, "").empty()) return false;
  }
  return true;
}

std::string problem(const Value& schema, const syntax::Node& node, const std::string& where) {
  if (schema.is_null()) return {};  // nothing is said about it
  if (schema["if"].is_map())
    return problem(schema[holds(schema["if"], node) ? "then" : "else"], node, where);
  const auto allows = [&](const char* type) {
    if (schema["type"] == Value(type)) return true;
    const ir::List& types = schema["type"].items();
    return std::find(types.begin(), types.end(), Value(type)) != types.end();
  };
  if (node.is_null()) return {};
  if (node.is_mapping()) {
    if (!allows("object")) return where + " is a mapping";
    for (const syntax::Entry& entry : node.entries) {
      const Value& inner = schema["properties"][entry.key];
      if (inner.is_null() && schema["additionalProperties"] == Value(false))
        return where + " has no " + entry.key;
      if (std::string why = problem(inner, entry.value, where + "." + entry.key); !why.empty())
        return why;
    }
    for (const Value& name : schema["required"].items()) {
      if (node.find(name.as_string()) == nullptr) return where + " lacks " + name.as_string();
    }
    return {};
  }
  if (node.is_sequence()) {
    if (!allows("array")) return where + " is a list";
    for (const syntax::Node& item : node.items) {
      if (std::string why = problem(schema["items"], item, where + "[]"); !why.empty()) return why;
    }
    return {};
  }
  const Value value = node.tag.empty() ? syntax::scalar_value(node) : Value(node.text);
  if (!schema["const"].is_null())
    return value == schema["const"] ? "" : where + " is another constant";
  if (schema["enum"].is_list()) {
    const ir::List& words = schema["enum"].items();
    return std::find(words.begin(), words.end(), value) != words.end()
               ? ""
               : where + " is no word of it";
  }
  if (value.is_integer() && allows("integer")) {
    const bool is_in = value.as_integer() >= schema["minimum"].integer_or(INT64_MIN) &&
                       value.as_integer() <= schema["maximum"].integer_or(INT64_MAX);
    return is_in ? "" : where + " is out of bounds";
  }
  if (value.is_bool() && allows("boolean")) return {};
  if (!value.is_string() || !allows("string")) return where + " has another type";
  const std::string_view pattern = schema["pattern"].string_or("");
  if (!pattern.empty() && !std::regex_search(value.as_string(), std::regex(std::string(pattern))))
    return where + " does not match " + std::string(pattern);
  return {};
}

TEST(PlanKeys, TheJsonSchemaTakesEveryPlanThatCompiles) {
  const Value schema = plan_json_schema();
  std::size_t count = 0;
  for (const char* folder : {"plans", "examples", "tests/golden"}) {
    for (const auto& entry : fs::recursive_directory_iterator(test::repository() / folder)) {
      const std::string name = entry.path().filename().string();
      if (name != "plan.yaml" && name != "plan.plan" && name != "migration.yaml" &&
          entry.path().parent_path().filename() != "plans")
        continue;
      const Read read(test::read_all(entry.path()), name.ends_with(".plan") ? "x.plan" : "x.yaml");
      if (read.tree == nullptr || read.sink.has_errors()) continue;
      ++count;
      EXPECT_EQ(problem(schema, *read.tree, "plan"), "") << entry.path();
    }
  }
  EXPECT_GT(count, 20U);
}

TEST(PlanKeys, TheJsonSchemaRefusesWhatIsNoPlan) {
  const Value schema = plan_json_schema();
  const auto why = [&](const std::string& text) {
    const Read read(text);
    return problem(schema, *read.tree, "plan");
  };
  // One mistake is said once, at its own place, and of the kind of plan that it is.
  EXPECT_EQ(why("plan: 1\nuse: std/store-move\nmove: {}\n"), "plan has no move");
  EXPECT_EQ(why("plan: 1\nuse: {module: std/store-move}\nmove: {}\n"), "plan has no move");
  EXPECT_EQ(why("plan: 1\nuse: ./mine.plan\ndump: [{when: later}]\n"),
            "plan.dump[].when is no word of it");
  EXPECT_EQ(why("plan: 1\nuse: std/dovecot-postfix\nstore: {}\n"), "plan has no store");
  EXPECT_EQ(why("plan: 1\nwaves: [{name: a, parallel: 0}]\n"),
            "plan.waves[].parallel is out of bounds");
  EXPECT_EQ(why("plan: 1\ncutover: {address: {rnu: [a]}}\n"), "plan.cutover.address has no rnu");
  EXPECT_EQ(why("plan: 1\ncutover: {address: nobody}\n"), "plan.cutover.address is no word of it");
  EXPECT_EQ(why("plan: 1\naccounts: {from: {cvs: x}}\n"), "plan.accounts.from has no cvs");
  EXPECT_EQ(why("plan: 1\nmvoe: {}\n"), "plan has no mvoe");
  EXPECT_EQ(why("plan: 2\n"), "plan.plan is another constant");
  EXPECT_EQ(why("plan: 1\nmove: {hold_bound: 20}\n"), "plan.move.hold_bound has another type");
  EXPECT_EQ(why("plan: 1\n"), "plan lacks name");
}

}  // namespace
}  // namespace plan::check
