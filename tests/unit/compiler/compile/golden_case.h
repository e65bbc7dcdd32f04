#pragma once
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "compiler/compile.h"
#include "compiler/schema/schema.h"

namespace plan::test {

/// One folder below tests/golden/{diagnostics,lower}: plan.yaml (or plan.plan), lock.txt,
/// facts.jsonl, accounts.csv, server.ndjson, mine.plan and what it uses, module.yaml, options.txt;
/// all but the plan may be missing. `rule.txt`: rules whose case it is (rule_golden_test.cpp). In a
/// plan, a line
/// `@repeat COUNT TEXT` stands for TEXT that often (files of many megabytes are not kept). In a
/// lock, `auto:NAME` stands for the digest of a plan's name, `digest auto` for the right digest and
/// `auto-members:COUNT` at the end of a line, also of a module, for so many addresses.
struct GoldenCase {
  std::filesystem::path folder = {};
  CompileInput input = {};
  std::string module = {};  ///< owned text of module.yaml; input.stdlib points to `files`
  std::vector<EmbeddedFile> files = {};
};

[[nodiscard]] std::unique_ptr<GoldenCase> read_golden_case(const std::filesystem::path& folder);
/// The folders of `tests/golden/NAME`, deepest first level below it, sorted.
[[nodiscard]] std::vector<std::filesystem::path> folders_of(const std::filesystem::path& folder);
/// The names of those: the cases of a parameterised test.
[[nodiscard]] std::vector<std::string> case_names(const std::filesystem::path& folder);
/// The schema that the repository itself has (facts only).
[[nodiscard]] const schema::Schema& repository_schema();
[[nodiscard]] std::string rendered(const CompileResult& result);
/// Compares with `file`, or rewrites it when PLAN_ACCEPT is set; the text of a difference, else
/// empty.
[[nodiscard]] std::string differs_from_golden(const std::filesystem::path& file,
                                              const std::string& text);

}  // namespace plan::test
