// links: command yaml-cpp
// Compiles plans of 1,000 to 1,000,000 accounts from a lock and a csv file, the same from a list in
// the YAML itself beside yaml-cpp's bare scan of that file, and a second time with nothing changed;
// each in a process of its own, so that its peak memory is its own. One JSON object a line. With
// `--write FOLDER N` it only writes such a plan with all that lies beside it.
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/parser.h>

#include <charconv>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <sstream>
#include <string>

#include "compiler/compile.h"
#include "compiler/facts/lock.h"
#include "compiler/ir/digest.h"
#include "compiler/schema/schema.h"
#include "runtime/command/project.h"

namespace {

namespace fs = std::filesystem;

constexpr const char* kName = "benchmark";
constexpr const char* kSchemaFile = "runtime/rehearsal/schema/stalwart-0.16.json";
constexpr std::size_t kPlanBytesMax = std::size_t{256} << 20U;
struct Size {
  std::size_t accounts = 0;
  double seconds_goal = 0;
  double mebibytes_goal = 0;
  double again_goal = 0;  ///< seconds, with nothing changed
};
/// 3 s, 1 GiB and 1 s again for 100,000; the smaller ones in proportion (a little more, for what
/// does not grow), the largest by n log n.
constexpr Size kSizes[] = {{1'000, 0.05, 64, 0.05},
                           {10'000, 0.4, 160, 0.15},
                           {100'000, 3, 1024, 1},
                           {1'000'000, 36, 10'240, 12}};

struct Measured {
  double seconds = 0;
  double processor_seconds = 0;
  double mebibytes = 0;
};

std::string plan_text(std::string_view accounts) {
  return fmt::format(R"(plan: 1
name: {}
use: std/dovecot-postfix
addresses: {{public: mail.example.org, proxy: 203.0.113.10, source: 203.0.113.20, target: 203.0.113.30}}
source:
  master_user: {{name: vmadmin, password: !secret env:VMADMIN}}
target:
  url: https://new.example.org
  login: {{user: admin, password: !secret env:ADMIN}}
proxies:
  - {{name: edge1, control: "unix:/run/plan-proxy/control.sock", token: !secret env:EDGE1}}
domains: [example.org]
{}waves:
  - {{name: canary, accounts: [user0@example.org]}}
  - {{name: rest, parallel: 8}}
cutover: {{address: operator}}
rollback_points: [before-cutover, each-account, before-finalize]
)",
                     kName, accounts);
}

std::string csv_plan() { return plan_text("accounts: {from: {csv: accounts.csv}}\n"); }

std::string yaml_plan(std::size_t accounts) {
  std::string list = "accounts:\n  from:\n";
  for (std::size_t i = 0; i < accounts; ++i) list += fmt::format("    - user{}@example.org\n", i);
  return plan_text(list);
}

std::string lock_text(std::size_t accounts, const std::string& schema_digest) {
  plan::facts::Lock lock;
  lock.schema_digest = schema_digest;
  lock.plan_name_digest = plan::ir::sha256(kName).hex();
  for (std::size_t i = 0; i < accounts; ++i) {
    plan::facts::LockAccount account;
    account.address = fmt::format("user{}@example.org", i);
    account.hash_scheme = i % 3 == 0 ? "SHA512-CRYPT" : "CRYPT:$6$";
    if (i % 4 == 0) account.aliases = {fmt::format("alias{}@example.org", i)};
    account.mailboxes = {"Archive", "Drafts", "INBOX", "Junk", "Sent", "Trash"};
    account.has_mailboxes = true;
    lock.accounts.push_back(std::move(account));
  }
  for (std::size_t i = 0; i < accounts / 100; ++i) {
    plan::facts::LockList list;
    list.address = fmt::format("list{}@example.org", i);
    for (std::size_t m = 0; m < 20; ++m)
      list.members.push_back(fmt::format("user{}@example.org", (i * 97 + m * 13) % accounts));
    lock.lists.push_back(std::move(list));
  }
  return plan::facts::write_lock(lock);
}

std::string csv_text(std::size_t accounts) {
  std::string text = "address,department\n";
  for (std::size_t i = 0; i < accounts; ++i)
    text += fmt::format("user{}@example.org,\"Department {}, north\"\n", i, i % 40);
  return text;
}

std::string facts_text(std::size_t accounts) {
  std::string text;
  for (std::size_t i = 0; i < accounts; ++i) {
    text += fmt::format(
        "{{\"what\":\"account/user{}@example.org/bytes\",\"value\":{},\"unit\":\"bytes\"}}\n", i,
        100'000 + i);
    text += fmt::format(
        "{{\"what\":\"account/user{}@example.org/"
        "largest-message\",\"value\":{},\"unit\":\"bytes\"}}\n",
        i, 20'000);
  }
  return text;
}

/// The schema document that the repository has; empty when the program runs elsewhere: it is not
/// part of the figures then.
std::string schema_text() {
  std::ifstream file(kSchemaFile, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_file(const fs::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

void write_project(const fs::path& folder, std::size_t accounts) {
  const std::string schema = schema_text();
  const std::string digest = schema.empty() ? "" : plan::ir::sha256(schema).hex();
  fs::create_directories(folder / ".plan" / "schema");
  write_file(folder / "migration.yaml", csv_plan());
  write_file(folder / "accounts.csv", csv_text(accounts));
  write_file(folder / "migration.lock", lock_text(accounts, digest));
  write_file(folder / ".plan" / "facts.jsonl", facts_text(accounts));
  if (!schema.empty()) write_file(folder / ".plan" / "schema" / (digest + ".json"), schema);
}

struct Peer {
  std::string_view name = {};
  double value = 0;
};

void say(const std::string& figure, double value, const char* unit, double goal, Peer peer = {}) {
  const std::string beside =
      peer.name.empty()
          ? R"("peer":null,"peer_value":null,"ratio":null)"
          : fmt::format(R"("peer":"{}","peer_value":{:.3f},"ratio":{:.2f})", peer.name, peer.value,
                        peer.value > 0 ? value / peer.value : 0);
  fmt::print(R"({{"figure":"{}","value":{:.3f},"unit":"{}","better":"lower",{},"goal":{:.3f}}})"
             "\n",
             figure, value, unit, beside, goal);
  std::fflush(stdout);
}

/// Runs `prepare` and then, with a clock, the work that it gives, in a process of its own.
using Work = std::function<bool()>;
std::optional<Measured> measure(const std::function<Work()>& prepare) {
  int ends[2];
  if (pipe(ends) != 0) return std::nullopt;
  const pid_t child = fork();
  if (child == 0) {
    const Work work = prepare();
    const auto processor = [] {
      rusage usage{};
      getrusage(RUSAGE_SELF, &usage);
      return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
             static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    };
    const double before = processor();
    const auto begin = std::chrono::steady_clock::now();
    if (!work()) _exit(1);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    const Measured measured{took.count(), processor() - before, 0};
    _exit(write(ends[1], &measured, sizeof measured) == static_cast<ssize_t>(sizeof measured) ? 0
                                                                                              : 1);
  }
  close(ends[1]);
  Measured measured;
  const bool has_figures =
      read(ends[0], &measured, sizeof measured) == static_cast<ssize_t>(sizeof measured);
  close(ends[0]);
  int status = 0;
  rusage usage{};
  wait4(child, &status, 0, &usage);
  if (!has_figures || status != 0) return std::nullopt;
  measured.mebibytes = static_cast<double>(usage.ru_maxrss) / 1024;
  return measured;
}

bool is_whole(const plan::CompileResult& result, std::size_t accounts) {
  if (result.graph && result.graph->size() >= accounts * 15) return true;
  fmt::print(stderr, "{}", plan::render_terminal(result.diagnostics, *result.sources, {}));
  return false;
}

Work compilation(std::string plan, std::size_t accounts) {
  auto types = std::make_shared<std::optional<plan::schema::Schema>>();
  if (auto read = plan::schema::Schema::read(schema_text())) *types = std::move(*read);
  auto input = std::make_shared<plan::CompileInput>();
  input->plan_text = std::move(plan);
  input->plan_bytes_max = kPlanBytesMax;
  input->lock_text = lock_text(accounts, "");
  input->facts_text = facts_text(accounts);
  input->schema = *types ? &**types : nullptr;
  input->file_text = [csv = csv_text(accounts)](const std::string&) -> plan::Result<std::string> {
    return csv;
  };
  // The result is not taken apart within the time: the process ends.
  return [types, input, accounts] {
    auto* result = new plan::CompileResult(plan::compile(std::move(*input)));  // NOLINT
    return is_whole(*result, accounts);
  };
}

struct Events final : YAML::EventHandler {
  std::size_t count = 0;
  void OnDocumentStart(const YAML::Mark&) override { ++count; }
  void OnDocumentEnd() override { ++count; }
  void OnNull(const YAML::Mark&, YAML::anchor_t) override { ++count; }
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override { ++count; }
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t,
                const std::string&) override {
    ++count;
  }
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    ++count;
  }
  void OnSequenceEnd() override { ++count; }
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    ++count;
  }
  void OnMapEnd() override { ++count; }
};

Work bare_scan(std::size_t accounts) {
  auto text = std::make_shared<std::istringstream>(yaml_plan(accounts));
  return [text, accounts] {
    YAML::Parser parser(*text);
    Events events;
    while (parser.HandleNextDocument(events)) {
    }
    return events.count > accounts;
  };
}

bool measure_csv(const Size& size) {
  const auto csv = measure([&] { return compilation(csv_plan(), size.accounts); });
  if (!csv) return false;
  const std::string figure = fmt::format("compile-{}-accounts", size.accounts);
  say(figure + "-time", csv->seconds, "s", size.seconds_goal);
  say(figure + "-processor", csv->processor_seconds, "s", size.seconds_goal);
  say(figure + "-memory", csv->mebibytes, "MiB", size.mebibytes_goal);
  return true;
}

bool measure_yaml(const Size& size) {
  const auto scan = measure([&] { return bare_scan(size.accounts); });
  const auto yaml = measure([&] { return compilation(yaml_plan(size.accounts), size.accounts); });
  if (!scan || !yaml) return false;
  const std::string figure = fmt::format("compile-{}-accounts-from-yaml", size.accounts);
  say(figure + "-time", yaml->seconds, "s", scan->seconds + size.seconds_goal,
      {"yaml-cpp events", scan->seconds});
  say(figure + "-processor", yaml->processor_seconds, "s",
      scan->processor_seconds + size.seconds_goal, {"yaml-cpp events", scan->processor_seconds});
  say(figure + "-memory", yaml->mebibytes, "MiB", size.mebibytes_goal);
  return true;
}

/// As the command does it: the files are read, and what is kept in `.plan` may be used.
bool measure_again(const Size& size) {
  std::string pattern = (fs::temp_directory_path() / "plan-bench-XXXXXX").string();
  const char* folder = mkdtemp(pattern.data());
  if (folder == nullptr) return false;
  write_project(folder, size.accounts);
  const std::string file = (fs::path(folder) / "migration.yaml").string();
  const auto load = [&]() -> Work {
    return [&file, accounts = size.accounts] {
      auto project = plan::command::load_project(file);
      if (!project) return false;
      auto* kept = new plan::command::Project(std::move(*project));  // NOLINT
      return is_whole(kept->compiled, accounts);
    };
  };
  const auto first = measure(load);
  const auto second = first ? measure(load) : std::nullopt;
  const bool is_kept = fs::exists(fs::path(folder) / ".plan" / "compiled.cache");
  fs::remove_all(folder);
  if (!second) return false;
  if (!is_kept) fmt::print(stderr, "{} accounts are too few to be kept\n", size.accounts);
  const std::string figure = fmt::format("compile-{}-accounts-again", size.accounts);
  say(figure + "-time", second->seconds, "s", size.again_goal, {"the first", first->seconds});
  say(figure + "-processor", second->processor_seconds, "s", size.again_goal,
      {"the first", first->processor_seconds});
  say(figure + "-memory", second->mebibytes, "MiB", size.mebibytes_goal,
      {"the first", first->mebibytes});
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 4 && std::strcmp(argv[1], "--write") == 0) {
    std::size_t accounts = 0;
    std::from_chars(argv[3], argv[3] + std::strlen(argv[3]), accounts);
    if (accounts == 0) return 1;
    write_project(argv[2], accounts);
    return 0;
  }
  // PLAN_BENCH_ACCOUNTS bounds the sizes, for a look in between.
  const char* bound = std::getenv("PLAN_BENCH_ACCOUNTS");
  for (const Size& size : kSizes) {
    if (bound != nullptr && std::strtoull(bound, nullptr, 10) < size.accounts) continue;
    if (!measure_csv(size) || !measure_yaml(size) || !measure_again(size)) return 1;
  }
  return 0;
}
