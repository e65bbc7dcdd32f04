// links: compile
// Compiles plans of 1,000, 10,000 and 100,000 accounts from a csv file and a lock; each in a
// process of its own, so that its peak memory is its own. One JSON object a line.
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "compiler/compile.h"
#include "compiler/facts/lock.h"
#include "compiler/ir/digest.h"
#include "compiler/schema/schema.h"

namespace {

constexpr const char* kName = "benchmark";
struct Size {
  std::size_t accounts = 0;
  double seconds_goal = 0;
  double mebibytes_goal = 0;
};
/// 3 s and 1 GiB for the largest; the smaller ones in proportion (a little more, for what does not
/// grow).
constexpr Size kSizes[] = {{1'000, 0.05, 64}, {10'000, 0.4, 160}, {100'000, 3, 1024}};

std::string plan_text() {
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
accounts: {{from: {{csv: accounts.csv}}}}
waves:
  - {{name: canary, accounts: [user0@example.org]}}
  - {{name: rest, parallel: 8}}
cutover: {{address: operator}}
rollback_points: [before-cutover, each-account, before-finalize]
)",
                     kName);
}

std::string lock_text(std::size_t accounts) {
  plan::facts::Lock lock;
  lock.plan_name_digest = plan::ir::sha256(kName).hex();
  for (std::size_t i = 0; i < accounts; ++i) {
    plan::facts::LockAccount account;
    account.address = fmt::format("user{}@example.org", i);
    account.hash_scheme = i % 3 == 0 ? "SHA512-CRYPT" : "CRYPT:$6$";
    account.hash_digest = plan::ir::sha256(account.address).hex();
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

/// The schema that the repository has; none when the program runs elsewhere, which is then not part
/// of the figure.
std::optional<plan::schema::Schema> schema() {
  std::ifstream file("runtime/rehearsal/schema/stalwart-0.16.json", std::ios::binary);
  if (!file) return std::nullopt;
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  auto read = plan::schema::Schema::read(text);
  return read ? std::optional(std::move(*read)) : std::nullopt;
}

void say(const std::string& figure, double value, const char* unit, double goal) {
  fmt::print(
      "{{\"figure\":\"{}\",\"value\":{:.3f},\"unit\":\"{}\",\"better\":\"lower\",\"peer\":null,"
      "\"peer_value\":null,\"ratio\":null,\"goal\":{}}}\n",
      figure, value, unit, goal);
  std::fflush(stdout);
}

int measure(std::size_t accounts, int out) {
  const auto types = schema();
  plan::CompileInput input;
  input.plan_text = plan_text();
  input.lock_text = lock_text(accounts);
  input.facts_text = facts_text(accounts);
  input.schema = types ? &*types : nullptr;
  input.file_text = [csv = csv_text(accounts)](const std::string&) -> plan::Result<std::string> {
    return csv;
  };
  const auto begin = std::chrono::steady_clock::now();
  const plan::CompileResult result = plan::compile(std::move(input));
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  if (!result.graph || result.graph->size() < accounts * 15) {
    fmt::print(stderr, "{}", plan::render_terminal(result.diagnostics, *result.sources, {}));
    return 1;
  }
  const double seconds = took.count();
  return write(out, &seconds, sizeof seconds) == static_cast<ssize_t>(sizeof seconds) ? 0 : 1;
}

}  // namespace

int main() {
  for (const auto& [accounts, seconds_goal, mebibytes_goal] : kSizes) {
    int ends[2];
    if (pipe(ends) != 0) return 1;
    const pid_t child = fork();
    if (child == 0) _exit(measure(accounts, ends[1]));
    double seconds = 0;
    close(ends[1]);
    const bool has_figure =
        read(ends[0], &seconds, sizeof seconds) == static_cast<ssize_t>(sizeof seconds);
    close(ends[0]);
    int status = 0;
    rusage usage{};
    wait4(child, &status, 0, &usage);
    if (!has_figure || status != 0) return 1;
    say(fmt::format("compile-{}-accounts-time", accounts), seconds, "s", seconds_goal);
    say(fmt::format("compile-{}-accounts-memory", accounts),
        static_cast<double>(usage.ru_maxrss) / 1024, "MiB", mebibytes_goal);
  }
  return 0;
}
