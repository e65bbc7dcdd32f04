// Every rule of compiler/check/rules has a case of tests/golden/diagnostics that it reports, and
// one that it passes: CODE/hit and CODE/near-miss where it has a code of its own, and those whose
// `rule.txt` names it. The rule alone is run over each of them.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/check/account_list.h"
#include "compiler/check/graph_view.h"
#include "compiler/check/listeners.h"
#include "compiler/check/plan.h"
#include "compiler/check/rules.h"
#include "compiler/facts/lock.h"
#include "compiler/facts/measurement.h"
#include "compiler/lowering.h"
#include "compiler/modules.h"
#include "compiler/source/text.h"
#include "compiler/syntax/sound_part.h"
#include "compiler/target_amounts.h"
#include "embedded/stdlib_modules.h"
#include "tests/support/repository.h"
#include "tests/support/shared_data.h"
#include "tests/unit/compiler/compile/golden_case.h"

namespace plan::test {
namespace {

namespace fs = std::filesystem;

fs::path golden() { return test::repository() / "tests/golden/diagnostics"; }

/// What a rule looks at; `steps` are those of graph_rules.def.
enum class Plans : std::uint8_t { accounts, store, listeners, steps };

struct Rule {
  std::string_view name = {};
  bool needs_lock = false;
  Plans plans = Plans::accounts;
  void (*of_plan)(const check::Migration& migration, Sink& sink) = nullptr;
  void (*of_steps)(const check::GraphView& view, Sink& sink) = nullptr;

  /// The code of its own, if it has one.
  [[nodiscard]] std::string code() const {
    std::string code(name);
    std::replace(code.begin(), code.end(), '_', '-');
    return code;
  }
  friend void PrintTo(const Rule& rule, std::ostream* out) { *out << rule.name; }
};

const std::vector<Rule>& all_rules() {
  static const std::vector<Rule> kRules = {
#define PLAN_RULE(function, needs_lock, plans) \
  {#function, needs_lock, Plans::plans, &check::rules::function, nullptr},
#include "compiler/check/rules.def"
#undef PLAN_RULE
#define PLAN_GRAPH_RULE(function) {#function, true, Plans::steps, nullptr, &check::rules::function},
#include "compiler/check/graph_rules.def"
#undef PLAN_GRAPH_RULE
  };
  return kRules;
}

/// What rules are given of a case, made in the order in which compile() makes it. That it is the
/// same is seen of what they say.
class Judged {
 public:
  explicit Judged(const fs::path& folder) : case_(read_golden_case(folder)) {
    const CompileInput& input = case_->input;
    const FileId file = sources_.add(input.plan_name, input.plan_text);
    auto part = syntax::read_sound_part(sources_, file, sink_,
                                        syntax::TreeLimits::with_bytes(input.plan_bytes_max));
    if (!part.tree) return;
    check::Plan plan =
        check::read_plan(std::make_shared<syntax::Node>(std::move(*part.tree)), sources_, sink_);
    read_accounts(plan);
    std::shared_ptr<const facts::Lock> lock;
    std::shared_ptr<const facts::Measurements> facts;
    if (input.lock_text) {
      const FileId of_lock = sources_.add(input.lock_name, *input.lock_text);
      if (auto read = facts::read_lock(sources_, of_lock, sink_))
        lock = std::make_shared<const facts::Lock>(std::move(*read));
    }
    if (input.facts_text) {
      const FileId of_facts = sources_.add(input.facts_name, *input.facts_text);
      facts = std::make_shared<const facts::Measurements>(
          facts::read_measurements(sources_, of_facts, sink_));
    }
    if (!plan.is_sound) {
      lock = nullptr;
      facts = nullptr;
    }
    migration_ = check::resolve(std::move(plan), lock, facts, sink_);
    is_read_ = true;
    check::check_rules(migration_, sink_);
    if (migration_.lock != nullptr && !sink_.has_errors()) expand();
  }

  /// Nothing: the rule does not look at this plan.
  [[nodiscard]] std::optional<std::vector<Diagnostic>> said_by(const Rule& rule) const {
    if (!runs(rule)) return std::nullopt;
    Sink sink;
    if (rule.of_plan != nullptr) {
      rule.of_plan(migration_, sink);
    } else {
      rule.of_steps(check::GraphView(migration_, *graph_, case_->input.schema), sink);
    }
    return sink.sorted();
  }

 private:
  void read_accounts(check::Plan& plan) {
    const CompileInput& input = case_->input;
    if (!plan.account_file_span.is_known() || !input.file_text) return;
    const std::string path(plan.accounts_from["csv"].string_or(""));
    auto text = input.file_text(path);
    ASSERT_TRUE(text.has_value()) << path;
    check::read_account_file(plan, sources_, sources_.add(path, std::move(*text)), sink_);
  }

  void expand() {
    const CompileInput& input = case_->input;
    lower::LowerInput lowering = lowering_of(migration_, sources_, sink_);
    if (input.schema != nullptr) {
      lowering.with_target_amounts = [schema = input.schema](ir::StepKind kind,
                                                             ir::Value arguments) {
        return with_target_amounts(*schema, kind, std::move(arguments));
      };
    }
    if (sink_.has_errors()) return;
    const ModuleSource source{input.stdlib.empty() ? embedded::stdlib_modules() : input.stdlib,
                              input.file_text};
    const auto linked =
        link_modules(migration_.plan, source, lowering.scope, lowering.rows, {}, sources_, sink_);
    if (linked == nullptr || !linked->is_whole) return;
    lowering.modules = std::move(linked->instances);
    lowering.module = lowering.modules.back().tree;
    graph_ = lower::lower(lowering, sink_);
    if (!graph_) return;
    migration_.made_listeners = check::made_listeners(*graph_);
    migration_.spared_networks = check::spared_networks(*graph_);
  }

  [[nodiscard]] bool runs(const Rule& rule) const {
    if (!is_read_ || (rule.needs_lock && migration_.lock == nullptr)) return false;
    const check::Plan& plan = migration_.plan;
    switch (rule.plans) {
      case Plans::accounts:
        return !plan.is_of_store;
      case Plans::store:
        return plan.is_of_store;
      case Plans::listeners:
        return !plan.is_of_store && (graph_.has_value() || !plan.use.text.starts_with("./"));
      case Plans::steps:
        return graph_.has_value();
    }
    return false;
  }

  std::unique_ptr<GoldenCase> case_;
  SourceSet sources_ = {};
  Sink sink_ = {};
  check::Migration migration_ = {};
  std::optional<ir::StepGraph> graph_ = {};
  bool is_read_ = false;
};

bool is_near_miss(const fs::path& folder) {
  return folder.filename().string().starts_with("near-miss");
}

/// The names of the rules that stand in a case's `rule.txt`.
std::vector<std::string> named_in(const fs::path& folder) {
  std::vector<std::string> names;
  const std::string text = read_all(folder / "rule.txt");
  for (const std::string_view line : split(text, '\n')) {
    if (!line.empty()) names.emplace_back(line);
  }
  return names;
}

/// The cases of each rule, by its name.
const std::map<std::string, std::vector<fs::path>, std::less<>>& cases_by_rule() {
  static const auto kCases = [] {
    std::map<std::string, std::vector<fs::path>, std::less<>> cases;
    for (const Rule& rule : all_rules()) {
      for (const char* name : {"hit", "near-miss"}) {
        if (const fs::path one = golden() / rule.code() / name; fs::exists(one))
          cases[std::string(rule.name)].push_back(one);
      }
    }
    for (const fs::path& code : folders_of(golden())) {
      for (const fs::path& one : folders_of(code)) {
        for (const std::string& name : named_in(one)) cases[name].push_back(one);
      }
    }
    return cases;
  }();
  return kCases;
}

bool has(const CompileResult& result, const Diagnostic& wanted) {
  const auto is_it = [&](const Diagnostic& one) {
    return one.kind == wanted.kind && one.message == wanted.message;
  };
  return std::any_of(result.diagnostics.begin(), result.diagnostics.end(), is_it) ||
         std::any_of(result.silenced.begin(), result.silenced.end(),
                     [&](const SilencedFinding& one) { return is_it(one.diagnostic); });
}

class RuleGolden : public testing::TestWithParam<Rule> {};

TEST_P(RuleGolden, ReportsItsOwnCaseAndPassesTheOneBesideIt) {
  const Rule& rule = GetParam();
  const auto known = cases_by_rule().find(rule.name);
  ASSERT_NE(known, cases_by_rule().end()) << "no case is of this rule: neither is there a folder "
                                          << rule.code() << ", nor does any rule.txt name it";
  std::size_t hits = 0;
  std::size_t misses = 0;
  for (const fs::path& folder : known->second) {
    const Judged judged(folder);
    const auto said = judged.said_by(rule);
    ASSERT_TRUE(said.has_value()) << rule.name << " does not look at " << folder;
    const std::string code = folder.parent_path().filename().string();
    const auto found = std::find_if(said->begin(), said->end(), [&](const Diagnostic& one) {
      return info(one.kind).name == code;
    });
    const bool is_said = found != said->end();
    if (is_near_miss(folder)) {
      ++misses;
      EXPECT_FALSE(is_said) << folder << "\n" << found->message;
      continue;
    }
    ++hits;
    EXPECT_TRUE(is_said) << rule.name << " reports no `" << code << "` in " << folder;
    auto golden_case = read_golden_case(folder);
    const CompileResult result = compile(std::move(golden_case->input));
    for (const Diagnostic& one : *said)
      EXPECT_TRUE(has(result, one)) << folder << "\n" << one.message;
  }
  EXPECT_NE(hits, 0U) << "no case shows what " << rule.name << " reports";
  EXPECT_NE(misses, 0U) << "no case shows what just misses " << rule.name;
}

INSTANTIATE_TEST_SUITE_P(EveryRule, RuleGolden, testing::ValuesIn(all_rules()),
                         [](const testing::TestParamInfo<Rule>& parameter) {
                           return std::string(parameter.param.name);
                         });

TEST(Rules, AreAllThatCasesName) {
  for (const auto& [name, cases] : cases_by_rule()) {
    const bool is_rule =
        std::any_of(all_rules().begin(), all_rules().end(),
                    [&wanted = name](const Rule& rule) { return rule.name == wanted; });
    EXPECT_TRUE(is_rule) << name << " is no rule, and " << cases.front() << " names it";
  }
}

}  // namespace
}  // namespace plan::test
