#include "tests/unit/compiler/compile/golden_case.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "compiler/ir/digest.h"
#include "compiler/source/text.h"
#include "compiler/syntax/scalar.h"
#include "tests/support/repository.h"
#include "tests/support/shared_data.h"

namespace plan::test {
namespace {

namespace fs = std::filesystem;

std::string expand_repeats(const std::string& text) {
  if (text.find("@repeat ") == std::string::npos) return text;
  std::string out;
  for (const std::string_view line : split(text, '\n')) {
    if (!line.starts_with("@repeat ")) {
      out += line;
      out += '\n';
      continue;
    }
    const std::string_view rest = line.substr(8);
    const std::size_t blank = rest.find(' ');
    const std::size_t count = std::stoul(std::string(rest.substr(0, blank)));
    for (std::size_t i = 0; i < count; ++i) {
      out += rest.substr(blank + 1);
      out += '\n';
    }
  }
  out.pop_back();
  return out;
}

std::string fill_members(std::string text) {
  if (const std::size_t at = text.find("auto-members:"); at != std::string::npos) {
    const std::size_t end = text.find('\n', at);
    std::string members;
    const std::size_t count = std::stoul(text.substr(at + 13, end - at - 13));
    for (std::size_t i = 0; i < count; ++i)
      members += fmt::format("{}m{:06}@example.net", i == 0 ? "" : ",", i);
    text.replace(at, end - at, members);
  }
  return text;
}

std::string fill_digests(std::string text) {
  text = fill_members(std::move(text));
  if (const std::size_t at = text.find("auto:"); at != std::string::npos) {
    const std::size_t end = text.find('\n', at);
    text.replace(at, end - at, ir::sha256(text.substr(at + 5, end - at - 5)).hex());
  }
  if (const std::size_t at = text.find("digest auto"); at != std::string::npos) {
    text.replace(at + 7, 4, ir::sha256(text.substr(0, at)).hex());
  }
  return text;
}

}  // namespace

std::unique_ptr<GoldenCase> read_golden_case(const fs::path& folder) {
  auto found = std::make_unique<GoldenCase>();
  found->folder = folder;
  const bool is_language = fs::exists(folder / "plan.plan");
  if (is_language) found->input.plan_name = "migration.plan";
  found->input.plan_text =
      expand_repeats(read_all(folder / (is_language ? "plan.plan" : "plan.yaml")));
  if (fs::exists(folder / "lock.txt"))
    found->input.lock_text = fill_digests(read_all(folder / "lock.txt"));
  if (fs::exists(folder / "accounts.csv") || fs::exists(folder / "mine.plan") ||
      fs::exists(folder / "more.yaml") || fs::exists(folder / "server.ndjson"))
    found->input.file_text = [folder](const std::string& path) -> Result<std::string> {
      static constexpr ErrorCode kMissing{"file-missing", "a file is not there", "write it"};
      if (!fs::exists(folder / path)) return Error(kMissing, "there is no such file");
      return read_all(folder / path);
    };
  if (fs::exists(folder / "facts.jsonl"))
    found->input.facts_text = read_all(folder / "facts.jsonl");
  found->input.schema = &repository_schema();
  if (fs::exists(folder / "module.yaml")) {
    found->module = fill_members(read_all(folder / "module.yaml"));
    found->files.push_back({"dovecot-postfix.yaml", found->module});
    found->input.stdlib = found->files;
  }
  if (fs::exists(folder / "options.txt")) {
    const std::string options = read_all(folder / "options.txt");
    for (const std::string_view line : split(options, '\n')) {
      if (line == "no-schema") found->input.schema = nullptr;
      if (line.starts_with("now=")) found->input.now_ms = syntax::read_time_ms(line.substr(4));
      if (line.starts_with("plan_bytes_max="))
        found->input.plan_bytes_max = std::stoul(std::string(line.substr(15)));
      if (line.starts_with("mail_subjects_max="))
        found->input.mail_subjects_max = std::stoul(std::string(line.substr(18)));
    }
  }
  return found;
}

std::vector<fs::path> folders_of(const fs::path& folder) {
  std::vector<fs::path> folders;
  if (!fs::exists(folder)) return folders;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.is_directory()) folders.push_back(entry.path());
  }
  std::sort(folders.begin(), folders.end());
  return folders;
}

std::vector<std::string> case_names(const fs::path& folder) {
  std::vector<std::string> names;
  for (const fs::path& one : folders_of(folder)) names.push_back(one.filename().string());
  return names;
}

const schema::Schema& repository_schema() {
  static const schema::Schema kSchema = [] {
    auto read = schema::Schema::read(
        read_all(test::repository() / "runtime/rehearsal/schema/stalwart-0.16.json"));
    EXPECT_TRUE(read.has_value()) << (read ? "" : read.error().to_line());
    return *read;
  }();
  return kSchema;
}

std::string rendered(const CompileResult& result) {
  return render_terminal(result.diagnostics, *result.sources, {});
}

std::string differs_from_golden(const fs::path& file, const std::string& text) {
  const std::string expected = fs::exists(file) ? read_all(file) : std::string();
  if (expected == text) return {};
  if (std::getenv("PLAN_ACCEPT") != nullptr) {
    std::ofstream(file, std::ios::binary | std::ios::trunc) << text;
    return {};
  }
  return fmt::format("--- {}\n{}\n--- is\n{}", file.string(), expected, text);
}

}  // namespace plan::test
