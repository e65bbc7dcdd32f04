// Plans of stalwart-cli: ours as its lines, and its lines as a module.
#include "compiler/admin_plan.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "compiler/ir/json.h"
#include "compiler/lower/admin_lines.h"
#include "compiler/source/text.h"
#include "tests/support/repository.h"
#include "tests/unit/compiler/compile/golden_case.h"

namespace plan::test {
namespace {

CompileResult compiled(const std::string& use, const std::string& ndjson) {
  auto golden = read_golden_case(test::repository() / "tests/golden/lower/two-waves");
  std::string& plan = golden->input.plan_text;
  const std::string ours = "use: std/dovecot-postfix";
  plan.replace(plan.find(ours), ours.size(), use);
  golden->input.file_text = [ndjson](const std::string&) -> Result<std::string> { return ndjson; };
  return compile(std::move(golden->input));
}

// An object that is there is only changed. As an upsert it would have to be whole, which is
// checked: the throttles of the server are left to the server.
constexpr std::string_view kOnlyChanged = "MtaInboundThrottle";

std::string without_changes_of_what_is_there(const std::string& lines) {
  std::string text;
  for (const std::string_view line : split(lines, '\n')) {
    if (line.find(kOnlyChanged) == std::string_view::npos) text += std::string(line) + "\n";
  }
  return text;
}

/// What the steps of one stage want of the target's objects, sorted.
std::vector<std::string> wishes(const ir::StepGraph& graph) {
  std::vector<std::string> found;
  for (const ir::StepId step : graph.order()) {
    if (graph.stage(step) != ir::Stage::prepare) continue;
    const ir::Value arguments = graph.arguments(step);
    if (arguments["action"].is_string()) found.push_back(arguments["action"].as_string());
    if (!arguments["object"].is_string() || arguments["object"] == ir::Value(kOnlyChanged))
      continue;
    found.push_back(
        ir::canonical_json(ir::List{arguments["object"], arguments["match"], arguments["set"]}));
  }
  std::sort(found.begin(), found.end());
  return found;
}

TEST(AdminPlan, OurLinesAsAModuleWantTheSame) {
  const CompileResult ours = compiled("use: std/dovecot-postfix", "");
  ASSERT_TRUE(ours.graph.has_value()) << rendered(ours);
  const lower::AdminLines lines = lower::admin_lines(*ours.graph, ir::Stage::prepare);
  ASSERT_EQ(lines.parts.size(), 1U);
  const CompileResult theirs =
      compiled("use: ./server.ndjson", without_changes_of_what_is_there(lines.parts[0]));
  ASSERT_TRUE(theirs.graph.has_value()) << rendered(theirs) << lines.parts[0];
  EXPECT_EQ(wishes(*theirs.graph), wishes(*ours.graph));
  EXPECT_GT(lines.step_count, wishes(*ours.graph).size());
}

TEST(AdminPlan, EveryLineIsAnOperationThatStalwartCliKnows) {
  const CompileResult ours = compiled("use: std/dovecot-postfix", "");
  ASSERT_TRUE(ours.graph.has_value()) << rendered(ours);
  for (const ir::Stage stage : {ir::Stage::prepare, ir::Stage::waves, ir::Stage::finalize}) {
    const lower::AdminLines lines = lower::admin_lines(*ours.graph, stage);
    EXPECT_FALSE(lines.parts.empty());
    for (const std::string& part : lines.parts) {
      bool is_after_others = false;
      std::vector<std::string> defined;
      for (const std::string_view line : split(part, '\n')) {
        if (line.empty()) continue;
        const auto operation = ir::parse_json(line);
        ASSERT_TRUE(operation.has_value()) << line;
        const std::string_view type = (*operation)["@type"].string_or("");
        EXPECT_EQ(line.find("$secret"), std::string_view::npos) << line;
        if (type == "destroy") {
          EXPECT_FALSE(is_after_others) << "stalwart-cli would run it first: " << line;
          EXPECT_GT((*operation)["value"].size(), 0U) << "it would destroy all: " << line;
          continue;
        }
        is_after_others = true;
        for (const auto& [id, body] : (*operation)["value"].members()) {
          if (type != "upsert") continue;
          for (const ir::Value& key : (*operation)["matchOn"].items())
            EXPECT_FALSE(body[key.as_string()].is_null()) << line;
          const std::string domain(body["domainId"].string_or(""));
          if (!domain.empty()) {
            EXPECT_NE(std::find(defined.begin(), defined.end(), domain), defined.end())
                << "an earlier line has to name the domain: " << line;
          }
          defined.push_back("#" + id);
        }
      }
    }
  }
}

TEST(AdminPlan, TheKeysGoAfterWhatAsksForThem) {
  const CompileResult ours = compiled("use: std/dovecot-postfix", "");
  ASSERT_TRUE(ours.graph.has_value()) << rendered(ours);
  const lower::AdminLines lines = lower::admin_lines(*ours.graph, ir::Stage::finalize);
  ASSERT_GE(lines.parts.size(), 2U) << "the expression is put back before a key is destroyed";
  EXPECT_NE(lines.parts[0].find("MtaOutboundStrategy"), std::string::npos);
  EXPECT_EQ(lines.parts[0].find("destroy"), std::string::npos);
}

TEST(AdminPlan, PasswordsAreNamedAndNotWritten) {
  const CompileResult ours = compiled("use: std/dovecot-postfix", "");
  ASSERT_TRUE(ours.graph.has_value()) << rendered(ours);
  const lower::AdminLines lines = lower::admin_lines(*ours.graph, ir::Stage::waves);
  EXPECT_TRUE(std::any_of(lines.left_out.begin(), lines.left_out.end(), [](const auto& line) {
    return line.starts_with("the password of alice@example.org");
  }));
  for (const std::string& part : lines.parts)
    EXPECT_EQ(part.find("credentials"), std::string::npos);
}

TEST(AdminPlan, NothingInTheLinesFlipsMail) {
  const CompileResult ours = compiled("use: std/dovecot-postfix", "");
  ASSERT_TRUE(ours.graph.has_value()) << rendered(ours);
  const lower::AdminLines lines = lower::admin_lines(*ours.graph, ir::Stage::waves);
  for (const std::string& part : lines.parts) {
    EXPECT_EQ(part.find("MemoryLookupKey"), std::string::npos);
    EXPECT_EQ(part.find("MailingList"), std::string::npos);
  }
  EXPECT_TRUE(std::any_of(lines.left_out.begin(), lines.left_out.end(), [](const auto& line) {
    return line.starts_with("account/alice@example.org/keys: it changes where mail goes");
  }));
}

std::string problems(const std::string& ndjson) {
  std::string text;
  for (const Diagnostic& d : compiled("use: ./server.ndjson", ndjson).diagnostics) {
    if (d.severity == Severity::error) text += d.message + "\n";
  }
  return text;
}

TEST(AdminPlan, IsCheckedLikeTheRest) {
  EXPECT_EQ(problems(R"({"@type":"update","object":"x:SpamPyzor","value":{"enable":"no"}})"),
            problems(R"({"@type":"update","object":"SpamPyzor","value":{"enable":"no"}})"));
  EXPECT_NE(problems(R"({"@type":"update","object":"SpamPyzor","value":{"enable":"no"}})")
                .find("SpamPyzor `set.enable`"),
            std::string::npos);
  EXPECT_NE(problems(R"({"@type":"upsert","object":"Domain","value":{"d":{"naem":"a.test"}}})"),
            "");
}

TEST(AdminPlan, ReferencesBecomeOutputsOfEarlierSteps) {
  const CompileResult theirs = compiled(
      "use: ./server.ndjson",
      R"({"@type":"upsert","object":"Domain","matchOn":["name"],"value":{"#d":{"name":"a.test"}}}
{"@type":"upsert","object":"MailingList","matchOn":["name","domainId"],"value":{"l":{"name":"all","domainId":"#d","recipients":{"x@a.test":true}}}}
)");
  ASSERT_TRUE(theirs.graph.has_value()) << rendered(theirs);
  const auto list = theirs.graph->find("server/2/l");
  const auto domain = theirs.graph->find("server/1/d");
  ASSERT_TRUE(list && domain);
  const ir::Value id = theirs.graph->arguments(*list)["match"]["domainId"];
  ASSERT_TRUE(id.is_output());
  EXPECT_EQ(id.as_output().step, "server/1/d");
  ASSERT_EQ(theirs.graph->after(*list).size(), 1U);
  EXPECT_EQ(theirs.graph->after(*list)[0], *domain);
}

TEST(AdminPlan, DestroysRunFirstTheLastOneFirst) {
  const CompileResult theirs =
      compiled("use: ./server.ndjson",
               R"({"@type":"destroy","object":"MtaRoute","value":{"name":"one"}}
{"@type":"update","object":"SpamPyzor","value":{"enable":false}}
{"@type":"destroy","object":"MtaRoute","value":{"name":"two"}}
{"@type":"create","object":"Action","value":{"live":{"@type":"ReloadSettings"}}}
)");
  ASSERT_TRUE(theirs.graph.has_value()) << rendered(theirs);
  std::string order;
  for (const ir::StepId step : theirs.graph->order()) order += theirs.graph->id(step) + " ";
  EXPECT_EQ(order, "server/3/MtaRoute server/1/MtaRoute server/2/SpamPyzor server/4/live ");
}

TEST(AdminPlan, WhatCannotBeRunAgainIsRefusedAtItsLine) {
  const std::vector<std::pair<const char*, const char*>> cases = {
      {R"({"@type":"create","object":"Domain","value":{"d":{"name":"a.test"}}})",
       "`create` cannot be run again"},
      {R"({"@type":"reconcile","object":"Domain","matchOn":["name"],"value":{}})",
       "destroys objects that the plan does not name"},
      {R"({"@type":"destroy","object":"Domain"})", "this destroys every Domain"},
      {R"({"@type":"update","object":"Domain","id":"b","value":{"allowRelaying":true}})",
       "is the id of an object on one server"},
      {R"({"@type":"upsert","object":"Domain","matchOn":["name"],"value":{"d":{}}})",
       "lacks a property that it is found by: name"},
      {R"({"@type":"upsert","object":"Domain","matchOn":"name","value":{"d":{"name":"a.test"}}})",
       "`matchOn` is a list of properties, or `*`"},
      {R"({"@type":"upsert","object":"Domain","matchOn":[],"value":{"d":{"name":"a.test"}}})",
       "`matchOn` is a list of properties, or `*`"},
      {R"({"@type":"upsert","object":"Domain","scope":["x"],"value":{"d":{"name":"a.test"}}})",
       "`scope` is a map of properties"},
      {R"({"@type":"upsert","object":"Domain","scope":{"name":"b.test"},"value":{"d":{"name":"a.test"}}})",
       "`d` has another `name` than `scope`"},
      {R"({"@type":"update","object":"SpamPyzor","id":7,"value":{"enable":false}})",
       "`id` of an `update` is a text"},
      {R"({"@type":"create","object":"Action"})", "`value` of a `create` is a map"},
      {R"({"@type":"create","object":"Action","value":{"live":"ReloadSettings"}})",
       "`live` does not say by `@type` which action it is"},
      {R"({"@type":"update","object":"SpamPyzor","valeu":{}})", "has no key `valeu`"},
      {R"({"@type":"update","object":"SpamPyzor","value":{"a/b":1}})", "is a pointer into"},
      {R"([{"@type":"update"}])", "one JSON object a line"},
      {R"({"@type":"update")", "one JSON object a line"},
      {R"({"@type":"upsret","object":"Domain","value":{}})", "there is no operation `upsret`"},
  };
  for (const auto& [line, message] : cases)
    EXPECT_NE(problems(std::string("\n") + line).find(message), std::string::npos)
        << line << "\n"
        << problems(line);
}

}  // namespace
}  // namespace plan::test
