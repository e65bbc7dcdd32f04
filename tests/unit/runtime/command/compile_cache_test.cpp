#include "runtime/command/compile_cache.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>

#include "compiler/ir/json.h"
#include "runtime/command/compiled_form.h"
#include "runtime/command/program_digest.h"
#include "runtime/command/project.h"
#include "tests/unit/runtime/command/small_project.h"

namespace plan::command {
namespace {

namespace fs = std::filesystem;

/// What lies in a plan's folder, and a compilation of it through the cache.
struct Folder : SmallProject {
  fs::path path = {};
  std::string schema_digest = {};
  std::size_t plan_bytes_max = std::size_t{16} << 20U;
  CacheBounds bounds = {.bytes_from = 0};
  std::optional<std::int64_t> now_ms = {};

  Folder() : SmallProject({"alice", "bob", "carol"}, "own.plan") {
    std::string pattern = (fs::temp_directory_path() / "plan-cache-XXXXXX").string();
    path = mkdtemp(pattern.data());
    plan +=
        "findings:\n"
        "  - {code: account-disabled, at: bob@example.org, severity: silent, "
        "reason: \"on leave until May\"}\n";
    lock.accounts[0].aliases = {"post@example.org"};
    lock.accounts[1].is_enabled = false;
    lock.settings["source.catch_alls"] =
        ir::Value::map({{"@example.org", ir::Value::list({"Bob@example.org"})}});
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { fs::remove_all(path); }

  [[nodiscard]] std::string cache() const { return (path / "compiled.cache").string(); }
  [[nodiscard]] CompileInput input() const {
    CompileInput given = SmallProject::input();
    given.plan_bytes_max = plan_bytes_max;
    given.now_ms = now_ms;
    return given;
  }
  /// What the cache has for this folder as it is.
  [[nodiscard]] std::optional<CompileResult> find() const {
    CompileInput given = input();
    return CompileCache(cache(), given, schema_digest, bounds).find();
  }
  /// Compiles and keeps it; whether it was kept.
  bool keep(CompileResult* result = nullptr) const {
    CompileInput given = input();
    CompileCache kept(cache(), given, schema_digest, bounds);
    CompileResult compiled = compile(std::move(given));
    if (!compiled.graph)
      ADD_FAILURE() << render_terminal(compiled.diagnostics, *compiled.sources, {});
    const bool is_kept = kept.keep(compiled);
    if (result != nullptr) *result = std::move(compiled);
    return is_kept;
  }
  [[nodiscard]] std::string bytes() const {
    std::ifstream file(cache(), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void write(const std::string& bytes) const {
    std::ofstream(cache(), std::ios::binary | std::ios::trunc) << bytes;
  }
};

std::string shown(const CompileResult& compiled) {
  std::string text = render_json(compiled.diagnostics, *compiled.sources) +
                     render_terminal(compiled.diagnostics, *compiled.sources, {});
  for (const SilencedFinding& one : compiled.silenced) {
    const Position place = compiled.sources->position(one.span.file, one.span.begin);
    text += fmt::format("{}:{}:{} {}\n", compiled.sources->name(one.span.file), place.line,
                        place.column, one.reason) +
            render_json({one.diagnostic}, *compiled.sources);
  }
  text += ir::write_json(compiled.graph->to_document()) + "\n";
  for (const ir::StepId step : compiled.graph->order())
    text += compiled.graph->id(step) + " " + compiled.graph->digest(step).hex() + "\n";
  const PlanSummary& plan = *compiled.plan;
  for (const PlanSummary::Wave& wave : plan.waves)
    text += fmt::format("{} {} {} {}\n", wave.name, wave.account_count, wave.parallel,
                        wave.is_held_for_approval);
  text += fmt::format("{} {} {} {} {} {} {} {} {} {}\n", plan.name, plan.procedure,
                      plan.public_name, plan.proxy_address, plan.source_address,
                      plan.target_address, plan.account_count, plan.list_count,
                      fmt::join(plan.domains, ","), fmt::join(plan.rollback_points, ","));
  text += fmt::format("{} {} {} {}\n", plan.mail.tag_delimiters, plan.mail.is_schema_known,
                      fmt::join(plan.mail.target_sets, ","), fmt::join(plan.mail.hosts, ","));
  for (const auto& [domain, members] : plan.mail.catch_alls)
    text += fmt::format("{} {}\n", domain, fmt::join(members, ","));
  for (std::size_t i = 1; i <= compiled.sources->size(); ++i) {
    const auto file = static_cast<FileId>(i);
    text += fmt::format("{}\n{}\n", compiled.sources->name(file), compiled.sources->text(file));
  }
  return text + ir::canonical_json(plan.connections);
}

TEST(CompileCache, GivesWhatWasCompiledToTheLastPlace) {
  const Folder folder;
  EXPECT_FALSE(folder.find());
  CompileResult compiled;
  ASSERT_TRUE(folder.keep(&compiled));
  ASSERT_EQ(compiled.silenced.size(), 1u);
  ASSERT_FALSE(compiled.diagnostics.empty());
  EXPECT_EQ(compiled.plan->mail.catch_alls.at("example.org"),
            std::vector<std::string>{"bob@example.org"});
  const auto kept = folder.find();
  ASSERT_TRUE(kept);
  EXPECT_EQ(shown(*kept), shown(compiled));
  EXPECT_FALSE(fs::exists(folder.cache() + ".new"));
}

TEST(CompileCache, EveryInputIsInTheKey) {
  const std::map<std::string, std::function<void(Folder&)>> changes = {
      {"a comment of the plan", [](Folder& f) { f.plan += "# a word\n"; }},
      {"the plan's file name", [](Folder& f) { f.plan_name = "other.yaml"; }},
      {"the lock", [](Folder& f) { f.lock.accounts[1].quota_bytes = 1 << 30U; }},
      {"the measurements", [](Folder& f) { f.facts += "\n"; }},
      {"the list of accounts",
       [](Folder& f) {
         f.files["accounts.csv"] = "address\nalice@example.org\nbob@example.org\n";
       }},
      {"no list of accounts", [](Folder& f) { f.files.erase("accounts.csv"); }},
      {"a module", [](Folder& f) { f.files["own.plan"] += "# a word\n"; }},
      {"no module", [](Folder& f) { f.files.erase("own.plan"); }},
      {"the schema", [](Folder& f) { f.schema_digest = ir::sha256("other").hex(); }},
      {"a limit", [](Folder& f) { f.plan_bytes_max *= 2; }},
  };
  for (const auto& [what, change] : changes) {
    Folder folder;
    ASSERT_TRUE(folder.keep());
    ASSERT_TRUE(folder.find());
    change(folder);
    EXPECT_FALSE(folder.find()) << what;
  }
}

TEST(CompileCache, IsOfTheTimeBetweenTwoMoments) {
  constexpr std::int64_t kMomentMs = 1'785'546'000'000;  // 2026-08-01T01:00:00Z
  Folder folder;
  const std::string wave = "accounts: [alice@example.org]";
  folder.plan.replace(folder.plan.find(wave), wave.size(),
                      wave + ", start_after: \"2026-08-01T01:00:00Z\"");
  folder.now_ms = kMomentMs - 1000;
  CompileResult compiled;
  ASSERT_TRUE(folder.keep(&compiled));
  EXPECT_EQ(compiled.next_moment_ms, kMomentMs);
  folder.now_ms = kMomentMs - 1;
  const auto again = folder.find();
  ASSERT_TRUE(again);
  EXPECT_EQ(again->next_moment_ms, kMomentMs);
  for (const std::int64_t now_ms : {kMomentMs - 1001, kMomentMs}) {
    folder.now_ms = now_ms;
    EXPECT_FALSE(folder.find()) << now_ms;
  }
  folder.now_ms.reset();
  EXPECT_FALSE(folder.find()) << "without a clock nothing of it is told";
  folder.now_ms = kMomentMs;
  ASSERT_TRUE(folder.keep());
  folder.now_ms = kMomentMs + 86'400'000;
  EXPECT_TRUE(folder.find()) << "nothing more passes";
}

TEST(CompileCache, ReadsWhyAFileCouldNotBeRead) {
  // A file that is missing is an input as much as one that is there.
  Folder folder;
  ASSERT_TRUE(folder.keep());
  CompileInput given = folder.input();
  given.file_text = [](const std::string&) -> Result<std::string> { return std::string(); };
  EXPECT_FALSE(CompileCache(folder.cache(), given, "", folder.bounds).find());
  given = folder.input();
  given.file_text = {};
  EXPECT_FALSE(CompileCache(folder.cache(), given, "", folder.bounds).find());
  given = folder.input();
  given.lock_text.reset();
  EXPECT_FALSE(CompileCache(folder.cache(), given, "", folder.bounds).find());
}

TEST(CompileCache, ProceduresFromElsewhereAreNotKept) {
  const Folder folder;
  CompileInput given = folder.input();
  const EmbeddedFile own{"dovecot-postfix.plan", "module std/dovecot-postfix\n"};
  given.stdlib = {&own, 1};
  CompileCache cache(folder.cache(), given, "", folder.bounds);
  EXPECT_FALSE(cache.find());
  given.stdlib = {};
  EXPECT_FALSE(cache.keep(compile(std::move(given))));
  EXPECT_FALSE(fs::exists(folder.cache()));
}

TEST(CompileCache, ADamagedFileIsIgnoredAndWrittenAgain) {
  const Folder folder;
  ASSERT_TRUE(folder.keep());
  const std::string whole = folder.bytes();
  const auto is_refused = [&](const std::string& bytes) {
    folder.write(bytes);
    return !folder.find().has_value();
  };
  for (std::size_t at = 0; at < whole.size(); at += 1 + whole.size() / 97) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    EXPECT_TRUE(is_refused(damaged)) << "byte " << at;
    EXPECT_TRUE(is_refused(whole.substr(0, at))) << "cut at " << at;
  }
  EXPECT_TRUE(is_refused(whole + "\n"));
  EXPECT_TRUE(is_refused("plan-compiled 2" + whole.substr(15)));
  ASSERT_TRUE(folder.keep());
  EXPECT_TRUE(folder.find());
  EXPECT_EQ(folder.bytes(), whole);
}

TEST(CompileCache, WhatAnotherCouldHaveWrittenIsIgnored) {
  const Folder folder;
  ASSERT_TRUE(folder.keep());
  ASSERT_EQ(chmod(folder.cache().c_str(), 0620), 0);
  EXPECT_FALSE(folder.find());
  ASSERT_TRUE(folder.keep());
  EXPECT_TRUE(folder.find());

  const std::string elsewhere = folder.cache() + ".elsewhere";
  fs::rename(folder.cache(), elsewhere);
  fs::create_symlink(elsewhere, folder.cache());
  EXPECT_FALSE(folder.find());
  ASSERT_TRUE(folder.keep());
  EXPECT_TRUE(folder.find());
  EXPECT_FALSE(fs::is_symlink(folder.cache()));

  if (geteuid() == 0) {
    ASSERT_EQ(chown(folder.cache().c_str(), 65534, 65534), 0);
    EXPECT_FALSE(folder.find());
  }
  fs::remove(folder.cache());
  ASSERT_EQ(mkfifo(folder.cache().c_str(), 0600), 0);
  EXPECT_FALSE(folder.find());
  fs::remove(folder.cache());
  fs::create_directory(folder.cache());
  EXPECT_FALSE(folder.find());
  EXPECT_FALSE(folder.keep());
}

TEST(CompileCache, AFileOfAnotherFolderIsIgnored) {
  const Folder first;
  Folder second;
  second.plan += "# another plan\n";
  ASSERT_TRUE(first.keep());
  fs::copy_file(first.cache(), second.cache());
  EXPECT_FALSE(second.find());
  ASSERT_TRUE(second.keep());
  EXPECT_TRUE(second.find());
}

TEST(CompileCache, IsBounded) {
  Folder folder;
  folder.bounds.bytes_max = 1000;
  EXPECT_FALSE(folder.keep());
  EXPECT_FALSE(fs::exists(folder.cache()));
  folder.bounds = {};
  // Small plans are compiled as fast.
  EXPECT_FALSE(folder.keep());
  EXPECT_FALSE(fs::exists(folder.cache()));
  folder.bounds.bytes_from = 0;
  ASSERT_TRUE(folder.keep());
  folder.bounds.bytes_max = folder.bytes().size() - 1;
  EXPECT_FALSE(folder.find());
}

TEST(CompileCache, WhatDoesNotCompileIsNotKept) {
  Folder folder;
  folder.lock.accounts[1].hash_scheme = "NOBODY-KNOWS-IT";
  CompileInput given = folder.input();
  CompileCache cache(folder.cache(), given, "", folder.bounds);
  const CompileResult compiled = compile(std::move(given));
  ASSERT_TRUE(compiled.has_errors());
  EXPECT_FALSE(cache.keep(compiled));
  EXPECT_FALSE(fs::exists(folder.cache()));
}

TEST(CompiledForm, BytesThatNobodyWroteGiveNothingOrAWholeGraph) {
  const Folder folder;
  CompileResult compiled;
  ASSERT_TRUE(folder.keep(&compiled));
  const std::string whole = write_compiled(compiled);
  const std::size_t sources = compiled.sources->size();
  ASSERT_TRUE(read_compiled(whole, sources));
  EXPECT_FALSE(read_compiled(whole, 0));
  EXPECT_FALSE(read_compiled("", sources));
  EXPECT_FALSE(read_compiled(whole + "x", sources));
  std::size_t refused = 0;
  const std::size_t stride = 1 + whole.size() / 400;
  for (std::size_t at = 0; at < whole.size(); at += stride) {
    EXPECT_FALSE(read_compiled(std::string_view(whole).substr(0, at), sources)) << at;
    for (const int bit : {0x01, 0x80}) {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ bit);
      const auto read = read_compiled(damaged, sources);
      if (!read) {
        ++refused;
        continue;
      }
      ASSERT_TRUE(read->graph);
      EXPECT_EQ(read->graph->order().size(), read->graph->size());
    }
  }
  EXPECT_GT(refused, 0u);
}

TEST(ProgramDigest, IsKnownAndStays) {
  const auto digest = program_digest();
  ASSERT_TRUE(digest);
  EXPECT_EQ(digest->size(), 64u);
  EXPECT_EQ(program_digest(), digest);
}

TEST(LoadProject, KeepsALargeCompilationAndUsesItOnlyWhenAsked) {
  const Folder folder;
  const auto write = [&](const char* name, const std::string& text) {
    std::ofstream(folder.path / name, std::ios::binary) << text;
  };
  fs::create_directory(folder.path / ".plan");
  write("migration.yaml", folder.plan);
  write("migration.lock", facts::write_lock(folder.lock));
  for (const auto& [name, text] : folder.files) write(name.c_str(), text);
  // Enough to be worth a file, and quick to compile.
  std::string facts = folder.facts;
  while (facts.size() < CacheBounds().bytes_from)
    facts +=
        facts::write_measurement({fmt::format("of-nobody/{}", facts.size()), 1, {}, {}, {}, {}});
  write(".plan/facts.jsonl", facts);
  const std::string plan = (folder.path / "migration.yaml").string();
  const fs::path kept = folder.path / ".plan" / "compiled.cache";

  const auto without = load_project(plan, {}, {.uses_cache = false});
  ASSERT_TRUE(without);
  ASSERT_TRUE(without->compiled.graph);
  EXPECT_FALSE(fs::exists(kept));
  const auto unsaved = load_project(plan, {.plan_text = folder.plan});
  ASSERT_TRUE(unsaved);
  EXPECT_FALSE(fs::exists(kept));
  const auto first = load_project(plan);
  ASSERT_TRUE(first);
  ASSERT_TRUE(fs::exists(kept));
  EXPECT_EQ(fs::status(kept).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  // The file is used, not only written: its time stays.
  const auto written = fs::last_write_time(kept) - std::chrono::hours(1);
  fs::last_write_time(kept, written);
  const auto second = load_project(plan);
  ASSERT_TRUE(second);
  EXPECT_EQ(fs::last_write_time(kept), written);
  EXPECT_EQ(shown(second->compiled), shown(without->compiled));
  EXPECT_EQ(shown(first->compiled), shown(without->compiled));

  write("accounts.csv", "address\nalice@example.org\nbob@example.org\n");
  const auto third = load_project(plan);
  ASSERT_TRUE(third);
  EXPECT_EQ(third->compiled.plan->account_count, 2u);
  EXPECT_NE(fs::last_write_time(kept), written);
}

}  // namespace
}  // namespace plan::command
