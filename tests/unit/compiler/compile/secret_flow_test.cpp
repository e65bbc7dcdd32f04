// A secret flows only into a secret: every way that a module could try to get at one is an error at
// its place, and none of them gives a graph.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/support/repository.h"
#include "tests/unit/compiler/compile/golden_case.h"

namespace plan::test {
namespace {

constexpr const char* kHead = R"(module mine
use std/dovecot-postfix
input source : map
input target : map
input accounts : rows
let token = source.master_user.password
let inside = { of = [token] }
)";

std::string step(const std::string& inner) {
  return "step own/end : mark.rollback-point {\n  stage = finalize\n  after = "
         "[finalize/lookups]\n" +
         inner + "\n}\n";
}
std::string step_of_rows(const std::string& inner) {
  return "step own/{}/end for account in accounts : mark.rollback-point {\n  stage = finalize\n"
         "  after = [finalize/lookups]\n" +
         inner + "\n}\n";
}
std::string write(const std::string& match, const std::string& set) {
  return "step own/write : admin.upsert {\n  stage = prepare\n  object = \"AllowedIp\"\n"
         "  match = { address = " +
         match + " }\n  set = { " + set + " }\n}\n";
}

CompileResult compiled(const std::string& module) {
  auto golden_case = read_golden_case(test::repository() /
                                      "tests/golden/diagnostics/expression-type/near-miss-secrets");
  golden_case->input.file_text = [&](const std::string& path) -> Result<std::string> {
    static constexpr ErrorCode kMissing{"file-missing", "a file is not there", "write it"};
    if (path == "mine.plan") return module;
    if (path == "other.plan")
      return std::string("module other\ninput x : any\nlet y = \"a ${x}\"\n") + step("point = y");
    if (path == "text.plan") return "module other\ninput x : text\n" + step("point = x");
    if (path == "list.plan") return "module other\ninput x : list(text)\n" + step("point = x[0]");
    return Error(kMissing, "there is no such file");
  };
  golden_case->input.schema = &repository_schema();
  return compile(std::move(golden_case->input));
}

TEST(SecretFlow, ASecretThatStandsInAStepIsAnsweredInTheModulesLanguage) {
  const CompileResult result =
      compiled(kHead + write("\"203.0.113.9\"", "reason = secret \"file:secrets/own\""));
  const auto said =
      std::find_if(result.diagnostics.begin(), result.diagnostics.end(), [](const Diagnostic& one) {
        return one.message == "a secret stands in a step by its name only";
      });
  ASSERT_NE(said, result.diagnostics.end()) << rendered(result);
  EXPECT_EQ(said->kind, Kind::procedure_broken);
  EXPECT_EQ(result.sources->text(said->span), "secret");
  EXPECT_NE(rendered(result).find("`let NAME = secret \"file:secrets/NAME\"`"), std::string::npos)
      << rendered(result);
}

TEST(SecretFlow, IntoASecretItGoes) {
  const CompileResult result =
      compiled(kHead + step("point = \"x\"") +
               "let either = default(token, token)\nlet one = choose(true, token, token)\n"
               "let all = [token, source.master_user.password]\nlet count = length(all)\n");
  EXPECT_FALSE(result.has_errors());
  EXPECT_TRUE(result.graph.has_value());
}

/// What a module tries, and what it is told: that it is a secret, unless nothing at all may stand
/// where it would.
struct Attempt {
  std::string module = {};
  Kind kind = Kind::expression_type;
  std::string says = "secret";
};

TEST(SecretFlow, EveryOtherWayIsAnErrorInTheModule) {
  const std::vector<Attempt> attempts = {
      {"let a = \"x ${token}\"\n"},
      {"let a = \"x ${inside.of[0]}\"\n"},
      {"let a = \"x ${source}\"\n", Kind::expression_type, "map cannot be part of a text"},
      {"let a = \"x ${[token]}\"\n"},
      {"let a = text(token)\n"},
      {"let a = lower(token)\n"},
      {"let a = length(token)\n"},
      {"let a = token == \"x\"\n"},
      {"let a = token != token\n"},
      {"let a = ([token]) == [\"x\"]\n"},
      {"let a = inside == inside\n"},
      {"let a = contains([token], \"x\")\n"},
      {"let a = contains(token, \"x\")\n"},
      {"let a = starts_with(token, \"x\")\n"},
      {"let a = split(token, \",\")\n"},
      {"let a = join([token], \",\")\n"},
      {"let a = sort([token])\n"},
      {"let a = unique([token])\n"},
      {"let a = replace(\"abc\", \"b\", token)\n"},
      {"let a = \"x ${first([token])}\"\n"},
      {"let a = \"x ${default(token, token)}\"\n"},
      {"let a = choose(token == \"x\", 1, 2)\n"},
      {"let a = url(token)\n"},
      {"let a = max(token, 1)\n"},
      {"let a = ([\"x\"])[token]\n", Kind::expression_type, "can be looked into"},
      {"let a = keys(token)\n"},
      {step("point = token")},
      {step("point = \"x-${token}\"")},
      {step("point = [token]")},
      {step("point = inside")},
      {step("when = token == \"x\"\n  point = \"x\"")},
      {step_of_rows("point = account.password")},
      {step_of_rows("point = \"x-${account.password}\"")},
      {step_of_rows("when = account.password == \"x\"\n  point = \"x\"")},
      {"step own/${token} : mark.rollback-point {\n  stage = finalize\n  point = \"x\"\n}\n",
       Kind::language_syntax, "`:` should stand here"},
      {"step \"own/${token}\" : mark.rollback-point {\n  stage = finalize\n  point = \"x\"\n}\n",
       Kind::procedure_broken, "an `id` has no expressions"},
      {write("token", "reason = \"x\"")},
      {write("\"203.0.113.9\"", "reason = token"), Kind::schema_value},
      {write("\"203.0.113.9\"", "reason = \"x ${token}\"")},
      {write("\"203.0.113.9\"", "\"${token}\" = \"x\""), Kind::schema_value,
       "has no property `${token}`"},
      {write("\"203.0.113.9\"", "reason = [for s in [token] [\"x ${s}\"]]")},
      {"use ./other.plan as other { x = token }\n"},
      {"use ./other.plan as other { x = inside }\n", Kind::expression_type,
       "map cannot be part of a text"},
      {"use ./text.plan as other { x = token }\n", Kind::input_type},
      {"use ./list.plan as other { x = [token] }\n", Kind::input_type},
      {"input password : text = token\n", Kind::unknown_name, "there is no `token`"},
      {"let own = secret \"env:A\"\nlet a = own == \"x\"\n"},
  };
  for (const Attempt& attempt : attempts) {
    const CompileResult result = compiled(kHead + attempt.module);
    const bool is_told = std::any_of(
        result.diagnostics.begin(), result.diagnostics.end(), [&](const Diagnostic& one) {
          const std::string_view name = result.sources->name(one.span.file);
          return one.severity == Severity::error && name.ends_with(".plan") &&
                 !name.starts_with("std/") && one.kind == attempt.kind &&
                 one.message.find(attempt.says) != std::string::npos;
        });
    EXPECT_TRUE(is_told) << attempt.module << rendered(result);
    EXPECT_FALSE(result.graph.has_value()) << attempt.module;
  }
}

}  // namespace
}  // namespace plan::test
