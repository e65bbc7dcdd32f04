// links: command yaml-cpp
// Compiles plans of 1,000 to 1,000,000 accounts from a lock and a csv file, with the diff of a
// world in which every step is done, and how that grows; the same from a list in the YAML itself
// beside yaml-cpp's bare scan of that file, and a second time with nothing changed; the proof of
// the mail flow alone, also of plans with many domains, waves, lists and lists in lists, and
// reading the saved plan, up to 100,000; `terraform plan` or `tofu plan` of 1,000, where there is
// one. Each is in a process of its own, so that its peak memory is its own. One JSON object a line.
// With
// `--write FOLDER N` it only writes such a plan with all that lies beside it, with `--once N` it
// only compiles one from csv, and with `--proof SHAPE` it only proves one, in this process, for a
// profiler.
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/parser.h>

#include <charconv>
#include <chrono>
#include <cmath>
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
#include "compiler/flow/proof.h"
#include "compiler/ir/digest.h"
#include "compiler/ir/plan_file.h"
#include "compiler/schema/schema.h"
#include "runtime/command/project.h"
#include "runtime/command/review.h"
#include "tests/support/plan_text.h"

namespace {

namespace fs = std::filesystem;

constexpr const char* kName = "benchmark";
constexpr const char* kSchemaFile = "runtime/rehearsal/schema/stalwart-0.16.json";
constexpr std::size_t kPlanBytesMax = std::size_t{256} << 20U;
// The document of a saved plan of a million accounts would be larger than what is read of one.
constexpr std::size_t kSavedAccountsMax = 100'000;
constexpr std::size_t kTerraformAccounts = 1'000;
struct Size {
  std::size_t accounts = 0;
  double seconds_goal = 0;
  double mebibytes_goal = 0;
  double again_goal = 0;  ///< seconds, with nothing changed
  double proof_goal = 0;  ///< seconds
  double saved_goal = 0;  ///< seconds, to read it
};
/// 3 s, 1 GiB and 1 s again for 100,000; the smaller ones in proportion (a little more, for what
/// does not grow), the largest by n log n. A proof on each save: within the second that a second
/// compilation has; a saved plan in a time that is linear in its size.
constexpr Size kSizes[] = {{1'000, 0.05, 64, 0.05, 0.05, 0.05},
                           {10'000, 0.4, 160, 0.15, 0.1, 0.4},
                           {100'000, 3, 1024, 1, 1, 4},
                           {1'000'000, 36, 10'240, 12, 0, 0}};

/// A plan whose proof is looked at: what a class is made of is many, one after the other.
struct MailShape {
  std::string_view name = {};
  std::size_t accounts = 0;
  std::size_t domains = 1;
  std::size_t waves = 2;
  std::size_t lists = 0;
  std::size_t depth = 0;               ///< lists that are each a member of the one before
  bool has_aliases_elsewhere = false;  ///< in the next domain
  /// A condition of the target's own route, by domain, or one with `{}` for each of the first ones.
  std::string_view asked = {};
  double goal = 0;  ///< seconds
  std::size_t asked_of = 1;
};
/// It picks none of the domains.
constexpr std::string_view kPattern = "matches('^old[.]', rcpt_domain)";
/// It has another answer for each of the domains, and is true for none.
constexpr std::string_view kOfEach = "strip_prefix(rcpt_domain, 'd') == sender_domain";
/// Each for addresses of one domain, and of any.
constexpr std::string_view kOfAddresses = "matches('^(sales|info)@d{}[.]test$', rcpt)";
constexpr std::string_view kOfAll = "matches('(sales|info)[^{}]*@d', rcpt)";
/// On each save: half a second, whatever there is much of, and a second where each of many domains
/// is a class of its own. Where every address is compared with a hundred patterns, what the proof
/// has as its bound.
constexpr MailShape kMailShapes[] = {
    {"doors", 100, 1, 2, 0, 0, false, {}, 0.1},
    {"5000-domains", 10'000, 5'000, 2, 0, 0, false, {}, 0.5},
    {"5000-domains-with-aliases", 10'000, 5'000, 2, 0, 0, true, {}, 0.5},
    {"5000-domains-with-a-pattern", 10'000, 5'000, 2, 0, 0, false, kPattern, 0.5},
    {"200-waves", 10'000, 10, 200, 0, 0, false, {}, 0.5},
    {"10000-lists", 10'000, 10, 2, 10'000, 0, false, {}, 0.5},
    {"lists-100-deep", 10'000, 1, 2, 0, 100, false, {}, 0.5},
    {"100-classes", 10'000, 100, 2, 0, 0, false, kOfEach, 1},
    {"100-classes-of-100000", 100'000, 100, 2, 0, 0, false, kOfEach, 1},
    {"1000-classes", 10'000, 1'000, 2, 0, 0, false, kOfEach, 1},
    {"100-patterns-of-1000-domains", 10'000, 1'000, 2, 0, 0, false, kOfAddresses, 2, 100},
    {"100-patterns-for-all", 10'000, 1'000, 2, 0, 0, false, kOfAll, 5, 100},
};

struct Measured {
  double seconds = 0;
  double processor_seconds = 0;
  double mebibytes = 0;
};

std::string plan_text(std::string_view accounts) {
  return plan::test::plan_text({.name = kName,
                                .accounts = accounts,
                                .waves = "  - {name: canary, accounts: [user0@example.org]}\n"});
}

std::string csv_plan() { return plan_text(plan::test::PlanText().accounts); }

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

std::string address_in(const MailShape& shape, std::size_t i) {
  return fmt::format("user{}@d{}.test", i, i % shape.domains);
}

std::string plan_text(const MailShape& shape) {
  std::string domains;
  for (std::size_t i = 0; i < shape.domains; ++i)
    domains += fmt::format("{}d{}.test", i == 0 ? "" : ", ", i);
  std::string waves;
  for (std::size_t i = 0; i + 1 < shape.waves; ++i)
    waves += fmt::format("  - {{name: w{}, accounts: [{}]}}\n", i, address_in(shape, i));
  return plan::test::plan_text({.name = kName, .domains = domains, .waves = waves});
}

std::string csv_text(const MailShape& shape) {
  std::string text = "address\n";
  for (std::size_t i = 0; i < shape.accounts; ++i) text += address_in(shape, i) + "\n";
  return text;
}

std::string lock_text(const MailShape& shape) {
  plan::facts::Lock lock;
  lock.plan_name_digest = plan::ir::sha256(kName).hex();
  if (!shape.asked.empty()) {
    using plan::ir::Value;
    Value match = Value::map();
    for (std::size_t i = 0; i < shape.asked_of; ++i) {
      const std::string condition = fmt::format(fmt::runtime(shape.asked), i);
      match.set(std::to_string(i), Value::map({{"if", condition}, {"then", "'mx'"}}));
    }
    match.set(std::to_string(shape.asked_of),
              Value::map({{"if", "is_local_domain(rcpt_domain)"}, {"then", "'local'"}}));
    lock.settings["target.MtaOutboundStrategy.route"] =
        Value::map({{"match", std::move(match)}, {"else", "'mx'"}});
  }
  for (std::size_t i = 0; i < shape.domains; ++i)
    lock.source_domains.push_back(fmt::format("d{}.test", i));
  for (std::size_t i = 0; i < shape.accounts; ++i) {
    plan::facts::LockAccount account;
    account.address = address_in(shape, i);
    account.hash_scheme = "SHA512-CRYPT";
    if (shape.has_aliases_elsewhere)
      account.aliases = {fmt::format("alias{}@d{}.test", i, (i + 1) % shape.domains)};
    account.mailboxes = {"INBOX"};
    account.has_mailboxes = true;
    lock.accounts.push_back(std::move(account));
  }
  for (std::size_t i = 0; i < shape.lists; ++i) {
    plan::facts::LockList list;
    list.address = fmt::format("list{}@d{}.test", i, i % shape.domains);
    for (std::size_t m = 0; m < 3; ++m)
      list.members.push_back(address_in(shape, (i * 7 + m * 13) % shape.accounts));
    lock.lists.push_back(std::move(list));
  }
  for (std::size_t i = 0; i < shape.depth; ++i) {
    plan::facts::LockList list;
    list.address = fmt::format("deep{}@d0.test", i);
    list.members = {
        i + 1 < shape.depth ? fmt::format("deep{}@d0.test", i + 1) : address_in(shape, 0),
        address_in(shape, i + 1)};
    lock.lists.push_back(std::move(list));
  }
  return plan::facts::write_lock(lock);
}

struct Peer {
  std::string name = {};
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
      double seconds = 0;
      for (const auto who : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
        rusage usage{};
        getrusage(who, &usage);
        seconds += static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                   static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
      }
      return seconds;
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

/// The diff of a world in which every step is done: what the command does between looking at the
/// servers and printing.
bool diff_without_changes(plan::CompileResult& compiled) {
  plan::command::Review review;
  review.saved.plan_name = kName;
  review.saved.graph = std::move(*compiled.graph);
  const plan::SourceSet& sources = *compiled.sources;
  for (std::size_t i = 1; i <= sources.size(); ++i) {
    const auto file = static_cast<plan::FileId>(i);
    review.saved.sources.emplace_back(std::string(sources.name(file)),
                                      std::string(sources.text(file)));
  }
  for (const plan::ir::StepId step : review.saved.graph.order()) {
    review.saved.observations.put(static_cast<std::uint32_t>(step),
                                  {.standing = plan::ir::Standing::satisfied});
  }
  const plan::diff::ChangeSet changes =
      plan::command::changes_of(review, plan::diff::Detail::changes);
  return changes.change_count() == 0 && !plan::diff::render_text(changes, {}).empty();
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
    return is_whole(*result, accounts) && diff_without_changes(*result);
  };
}

/// The graph of a plan, which is not part of what is measured behind it.
std::shared_ptr<plan::ir::StepGraph> graph_of(std::size_t accounts) {
  plan::CompileInput input;
  input.plan_text = csv_plan();
  input.lock_text = lock_text(accounts, "");
  input.facts_text = facts_text(accounts);
  input.file_text = [accounts](const std::string&) -> plan::Result<std::string> {
    return csv_text(accounts);
  };
  plan::CompileResult result = plan::compile(std::move(input));
  return is_whole(result, accounts)
             ? std::make_shared<plan::ir::StepGraph>(std::move(*result.graph))
             : nullptr;
}

std::shared_ptr<plan::ir::StepGraph> graph_of(const MailShape& shape) {
  plan::CompileInput input;
  input.plan_text = plan_text(shape);
  input.plan_bytes_max = kPlanBytesMax;
  input.lock_text = lock_text(shape);
  input.file_text = [&shape](const std::string&) -> plan::Result<std::string> {
    return csv_text(shape);
  };
  plan::CompileResult result = plan::compile(std::move(input));
  return is_whole(result, shape.accounts)
             ? std::make_shared<plan::ir::StepGraph>(std::move(*result.graph))
             : nullptr;
}

template <typename Shape>
Work mail_flow_proof(const Shape& shape) {
  return [graph = graph_of(shape)] {
    plan::Sink sink;
    if (graph != nullptr) plan::flow::report_mail_flow(*graph, {}, sink, {});
    return graph != nullptr && !sink.has_errors();
  };
}

Work saved_plan_reading(std::size_t accounts) {
  auto text = std::make_shared<std::string>();
  if (const auto graph = graph_of(accounts)) {
    plan::ir::SavedPlan saved;
    saved.plan_name = kName;
    saved.made_at = "2026-08-14T09:12:00Z";
    saved.graph = std::move(*graph);
    std::string digest;
    *text = plan::ir::write_saved_plan(saved, &digest);
  }
  return [text, accounts] {
    std::string digest;
    const auto* read = new auto(plan::ir::read_saved_plan(*text, &digest));  // NOLINT
    return read->has_value() && (*read)->graph.size() >= accounts * 15;
  };
}

/// Two cross-referenced nodes an account, as Terraform and OpenTofu take them.
std::string terraform_text(std::size_t accounts) {
  std::string text;
  for (std::size_t i = 0; i < accounts; ++i)
    text += fmt::format(
        "resource \"terraform_data\" \"account{0}\" {{\n  input = \"user{0}@example.org\"\n}}\n"
        "resource \"terraform_data\" \"move{0}\" {{\n"
        "  input = terraform_data.account{0}.output\n}}\n",
        i);
  return text;
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

/// The processor's time by n log n from one size to another.
double by_growth(double seconds, std::size_t from, std::size_t to) {
  const auto cost = [](std::size_t n) {
    return static_cast<double>(n) * std::log(static_cast<double>(n));
  };
  return seconds * cost(to) / cost(from);
}

bool measure_csv(const Size& size, std::optional<std::pair<std::size_t, double>>& smaller) {
  const auto csv = measure([&] { return compilation(csv_plan(), size.accounts); });
  if (!csv) return false;
  const std::string figure = fmt::format("compile-{}-accounts", size.accounts);
  say(figure + "-time", csv->seconds, "s", size.seconds_goal);
  say(figure + "-processor", csv->processor_seconds, "s", size.seconds_goal);
  say(figure + "-memory", csv->mebibytes, "MiB", size.mebibytes_goal);
  if (smaller) {
    const double expected = by_growth(smaller->second, smaller->first, size.accounts);
    say(figure + "-growth-processor", csv->processor_seconds, "s", expected,
        {fmt::format("n log n from {}", smaller->first), expected});
  }
  smaller = {size.accounts, csv->processor_seconds};
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

bool measure_proof(const Size& size) {
  const auto proof = measure([&] { return mail_flow_proof(size.accounts); });
  if (!proof) return false;
  say(fmt::format("mail-flow-proof-{}-accounts-processor", size.accounts), proof->processor_seconds,
      "s", size.proof_goal);
  return true;
}

/// Beside the time that the whole plan takes to compile.
bool measure_mail_shape(const MailShape& shape) {
  const auto compiled =
      measure([&]() -> Work { return [&] { return graph_of(shape) != nullptr; }; });
  const auto proof = measure([&] { return mail_flow_proof(shape); });
  if (!compiled || !proof) return false;
  say(fmt::format("mail-flow-proof-{}-processor", shape.name), proof->processor_seconds, "s",
      shape.goal, {"the whole compilation", compiled->processor_seconds});
  return true;
}

bool measure_saved_plan(const Size& size) {
  const auto read = measure([&] { return saved_plan_reading(size.accounts); });
  if (!read) return false;
  say(fmt::format("saved-plan-{}-accounts-read-processor", size.accounts), read->processor_seconds,
      "s", size.saved_goal);
  return true;
}

/// Nothing is measured where there is no such program: it is no package of this project.
bool measure_beside_terraform() {
  const auto is_there = [](const std::string& program) {
    return std::system(("command -v " + program + " >/dev/null 2>&1").c_str()) == 0;
  };
  const std::string program = is_there("tofu") ? "tofu" : "terraform";
  if (!is_there(program)) {
    fmt::print(stderr, "neither tofu nor terraform is in PATH: not measured beside it\n");
    return true;
  }
  std::string pattern = (fs::temp_directory_path() / "plan-bench-XXXXXX").string();
  const char* folder = mkdtemp(pattern.data());
  if (folder == nullptr) return false;
  write_file(fs::path(folder) / "main.tf", terraform_text(kTerraformAccounts));
  const std::string command = fmt::format(
      "cd '{}' && unset TF_CLI_CONFIG_FILE && CHECKPOINT_DISABLE=1 {} plan -input=false "
      "-lock=false >/dev/null",
      folder, program);
  const auto ours = measure([] { return compilation(csv_plan(), kTerraformAccounts); });
  const auto theirs =
      measure([&]() -> Work { return [&command] { return std::system(command.c_str()) == 0; }; });
  fs::remove_all(folder);
  if (!ours || !theirs) return false;
  const std::string figure =
      fmt::format("compile-{}-accounts-beside-terraform", kTerraformAccounts);
  const std::string peer = program + " plan";
  say(figure + "-time", ours->seconds, "s", theirs->seconds, {peer, theirs->seconds});
  say(figure + "-processor", ours->processor_seconds, "s", theirs->processor_seconds,
      {peer, theirs->processor_seconds});
  say(figure + "-memory", ours->mebibytes, "MiB", theirs->mebibytes, {peer, theirs->mebibytes});
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
  if (argc == 3 && std::strcmp(argv[1], "--once") == 0) {
    const std::size_t accounts = std::strtoull(argv[2], nullptr, 10);
    return accounts > 0 && compilation(csv_plan(), accounts)() ? 0 : 1;
  }
  if (argc == 3 && std::strcmp(argv[1], "--proof") == 0) {
    for (const MailShape& shape : kMailShapes) {
      if (shape.name == argv[2]) return mail_flow_proof(shape)() ? 0 : 1;
    }
    return 1;
  }
  // PLAN_BENCH_ACCOUNTS bounds the sizes, for a look in between.
  const char* bound = std::getenv("PLAN_BENCH_ACCOUNTS");
  std::optional<std::pair<std::size_t, double>> smaller;
  for (const Size& size : kSizes) {
    if (bound != nullptr && std::strtoull(bound, nullptr, 10) < size.accounts) continue;
    if (!measure_csv(size, smaller) || !measure_yaml(size) || !measure_again(size)) return 1;
    if (size.accounts > kSavedAccountsMax) continue;
    if (!measure_proof(size) || !measure_saved_plan(size)) return 1;
  }
  for (const MailShape& shape : kMailShapes) {
    if (bound != nullptr && std::strtoull(bound, nullptr, 10) < shape.accounts) continue;
    if (!measure_mail_shape(shape)) return 1;
  }
  if (!measure_beside_terraform()) return 1;
  return 0;
}
