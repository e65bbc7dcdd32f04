// The modules of a plan that has mistakes of its own are judged in the same run: all that is wrong
// with them is told, and nothing that only follows from what is wrong with the plan.
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "compiler/source/text.h"
#include "tests/support/repository.h"
#include "tests/support/shared_data.h"
#include "tests/unit/compiler/compile/golden_case.h"

namespace plan::test {
namespace {

namespace fs = std::filesystem;

constexpr const char* kRight = R"(module mine
use std/dovecot-postfix
input addresses : map(host)
input source : map
input domain_names : list(domain)
input domains : rows
input prior : map
input is_careful : boolean
let first_domain = default(first(sort(domain_names)), "none")
let target = addresses.target
let before = "${prior.max_messages}"
step own/{}/check for domain in domains : mark.rollback-point {
  stage = prepare
  when = domain.name != first_domain
  point = "own-${domain.name}-${target}"
}
step own/end : mark.rollback-point {
  stage = finalize
  after = [own/{}/check, finalize/lookups]
  point = "end-${join(domain_names, '+')}-${source.master_user.name}"
}
step own/type : admin.upsert {
  stage = prepare
  object = "AllowedIp"
  match = { address = addresses.source }
  set = { reason = "text" }
}
)";

/// A mistake in the module: what it is made from, and what is told of it.
struct Mistake {
  const char* right = "";
  const char* wrong = "";
  const char* told = "";
};
const std::vector<Mistake>& mistakes() {
  static const std::vector<Mistake> kMistakes = {
      {"finalize/lookups]", "finalize/lookup]", "there is no step `finalize/lookup`"},
      {"[own/{}/check,", "[own/{}/chek,", "there is no step `own/{}/chek`"},
      {"stage = prepare\n  when", "stage = prepared\n  when", "there is no stage `prepared`"},
      {"stage = prepare\n  object", "object", "a step needs a `stage`"},
      {"mark.rollback-point {\n  stage = finalize", "mark.rollbackpoint {\n  stage = finalize",
       "there is no kind of step `mark.rollbackpoint`"},
      {"point = \"own-", "points = \"own-", "takes no argument `points`"},
      {"first(sort(domain_names))", "first(sort(12))", "`sort` needs list(text)"},
      {"sort(domain_names)", "sorted(domain_names)", "there is no function `sorted`"},
      {"let target = addresses.target", "let target = 30s && true", "true or false is needed"},
      {"domain in domains :", "domain in domain :", "there are no rows `domain`"},
      {"input domain_names : list(domain)", "input domain_names : list(domian)",
       "input `domain_names` has no type that is known"},
      {"\"AllowedIp\"", "\"AllowdIp\"", "no object type `AllowdIp`"},
      {"reason = \"text\"", "reson = \"text\"", "`set.reson`"},
  };
  return kMistakes;
}

std::string with(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

/// What is told of the module, and how much of the plan.
struct Told {
  std::set<std::string> of_module = {};
  std::size_t errors_of_plan = 0;
};

Told told(const std::string& plan, const std::string& module, bool has_lock = true) {
  auto golden_case = read_golden_case(test::repository() / "tests/golden/lower/modules");
  CompileInput& input = golden_case->input;
  input.plan_text = plan;
  input.schema = &repository_schema();
  if (!has_lock) input.lock_text.reset();
  input.file_text = [&](const std::string& path) -> Result<std::string> {
    static constexpr ErrorCode kMissing{"file-missing", "a file is not there", "write it"};
    if (path == "mine.plan") return module;
    return Error(kMissing, "there is no such file");
  };
  const CompileResult result = compile(std::move(input));
  Told all;
  for (const Diagnostic& one : result.diagnostics) {
    if (one.severity != Severity::error) continue;
    if (result.sources->name(one.span.file) == "mine.plan")
      all.of_module.insert(one.message);
    else
      ++all.errors_of_plan;
  }
  return all;
}

bool has(const std::set<std::string>& messages, std::string_view words) {
  for (const std::string& message : messages) {
    if (message.find(words) != std::string::npos) return true;
  }
  return false;
}

std::string right_plan() {
  return read_all(test::repository() / "tests/golden/lower/modules/plan.yaml");
}

TEST(ModuleJudgement, TheModuleIsRightWhenNothingIsDamaged) {
  const Told all = told(right_plan(), kRight);
  EXPECT_TRUE(all.of_module.empty()) << *all.of_module.begin();
}

TEST(ModuleJudgement, EveryMistakeOfItIsToldWhateverIsWrongWithThePlan) {
  const std::string plan = right_plan();
  const std::string wrong_value = with(plan, "203.0.113.10", "203.0.113.10.9");
  const std::string broken = with(plan, "proxies:", "proxies: [: ]\nprox:");
  for (const Mistake& mistake : mistakes()) {
    const std::string module = with(kRight, mistake.right, mistake.wrong);
    EXPECT_TRUE(has(told(plan, module).of_module, mistake.told)) << mistake.wrong;
    const Told beside = told(wrong_value, module);
    EXPECT_GT(beside.errors_of_plan, 0U);
    EXPECT_TRUE(has(beside.of_module, mistake.told)) << mistake.wrong;
    const Told behind = told(broken, module);
    EXPECT_GT(behind.errors_of_plan, 0U);
    EXPECT_TRUE(has(behind.of_module, mistake.told)) << mistake.wrong;
    EXPECT_TRUE(has(told(plan, module, false).of_module, mistake.told)) << mistake.wrong;
  }
}

/// Each line of the plan is damaged, in its syntax, in its value and in its key: a module that is
/// right stays right.
TEST(ModuleJudgement, NothingIsToldOfARightModuleThatFollowsFromThePlan) {
  const std::string plan = right_plan();
  const std::vector<std::string_view> lines = split(plan, '\n');
  std::size_t tried = 0;
  for (std::size_t at = 0; at < lines.size(); ++at) {
    if (lines[at].empty() || lines[at].starts_with("use") || lines[at].starts_with("#")) continue;
    for (const char* damage : {"behind", "value", "key", "gone"}) {
      std::string text;
      for (std::size_t i = 0; i < lines.size(); ++i) {
        std::string line(lines[i]);
        if (i == at && damage == std::string_view("behind")) line += ": [";
        if (i == at && damage == std::string_view("key")) line = "x" + line;
        if (i == at && damage == std::string_view("gone")) continue;
        if (i == at && damage == std::string_view("value"))
          line = line.substr(0, line.find(':')) + ": {no: 'such thing'}";
        text += line + "\n";
      }
      ++tried;
      const Told all = told(text, kRight);
      EXPECT_TRUE(all.of_module.empty())
          << damage << " of " << lines[at] << ": " << *all.of_module.begin();
    }
  }
  EXPECT_GT(tried, 40U);
}

/// The same of the module's own statements: the others are judged, and the steps that were lost are
/// known by their ids.
TEST(ModuleJudgement, OfADamagedModuleTheOtherStatementsAreJudged) {
  const std::string broken =
      with(kRight, "point = \"own-${domain.name}-${target}\"", "point = = 1");
  const Told known = told(right_plan(), broken);
  EXPECT_EQ(known.of_module.size(), 1U) << "a step names the one that was lost";
  const Told named = told(right_plan(), with(broken, "finalize/lookups]", "finalize/lookup]"));
  EXPECT_EQ(named.of_module.size(), 2U);
  EXPECT_TRUE(has(named.of_module, "there is no step `finalize/lookup`"));
}

/// That it has no steps follows from what is broken, unless that could not have been one.
TEST(ModuleJudgement, OfAModuleWhoseStepsAreAllBrokenOnlyThatIsTold) {
  for (const char* statement : {"use std/dovecot-postfix as 12\n",
                                "step own/one : : {\n  stage = prepare\n}\n", "stp own/one\n"}) {
    const Told one = told(right_plan(), std::string("module mine\n") + statement);
    EXPECT_EQ(one.of_module.size(), 1U) << statement;
    EXPECT_FALSE(has(one.of_module, "a list `steps`")) << statement;
  }
  const Told two = told(right_plan(), "module mine\nlet x = = 12\n");
  EXPECT_EQ(two.of_module.size(), 2U);
  EXPECT_TRUE(has(two.of_module, "a list `steps`"));
  EXPECT_TRUE(has(told(right_plan(), "module mine\n").of_module, "a list `steps`"));
}

}  // namespace
}  // namespace plan::test
