// What lies beside the plan that a fuzzer thinks of: a lock and measurements of a small source, so
// that a sound plan of the right name is expanded, and its steps are judged.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "compiler/compile.h"
#include "compiler/facts/lock.h"
#include "compiler/facts/measurement.h"
#include "compiler/ir/digest.h"
#include "compiler/source/embedded_file.h"

namespace plan::fuzz {

/// The plan that the lock is of.
constexpr std::string_view kPlanName = "example.org to Stalwart";

/// The one procedure that there is: a whole one has some sixty steps, and the proof of where mail
/// goes in each of their orders takes most of a second with the sanitizers on.
constexpr std::string_view kProcedure = R"(
module dovecot-postfix
about = "what is enough for each rule of the graph and for the proof"

input domains : rows
input accounts : rows
input addresses : map(host)
input domain_conditions : list(text)

step target/domain/{} for domain in domains : admin.upsert {
  stage = prepare
  after = [target/reload]
  object = "Domain"
  match = { name = domain.name }
  set = { allowRelaying = true, catchAllAddress = null }
}

step target/route : admin.upsert {
  stage = prepare
  object = "MtaRoute"
  match = { name = "source" }
  set { "@type" = "Relay" address = addresses.source port = 25 }
}

step target/strategy : admin.update {
  stage = prepare
  after = [target/route]
  object = "MtaOutboundStrategy"
  set {
    route {
      match = numbered [
        for is_of_domain in domain_conditions [ { if = is_of_domain, then = "'source'" } ],
      ]
      else = "'mx'"
    }
  }
}

step target/reload : admin.action {
  stage = prepare
  after = [target/strategy]
  action = "ReloadSettings"
}

step account/{}/create for account in accounts : admin.account {
  stage = waves
  after = [target/reload]
  account = account.address
  aliases = account.aliases
  addresses = account.addresses
  domain = account.domain
  password = account.password
  password_scheme = account.password_scheme
  quota_bytes = account.quota_bytes
}

step point/before-cutover : mark.rollback-point {
  stage = cutover
  after = [target/domain/{}]
  point = "before-cutover"
}

step point/before-finalize : mark.rollback-point {
  stage = finalize
  after = [account/{}/create]
  point = "before-finalize"
}

step finalize/strategy : restore {
  stage = finalize
  after = [point/before-finalize]
  step = "target/strategy"
}

step finalize/reload : admin.action {
  stage = finalize
  after = [finalize/strategy]
  action = "ReloadSettings"
}

step finalize/domain/{} for domain in domains : admin.update {
  stage = finalize
  after = [finalize/reload]
  object = "Domain"
  match = { name = domain.name }
  set = { allowRelaying = false }
}

step finalize/route : admin.destroy {
  stage = finalize
  after = [finalize/domain/{}]
  object = "MtaRoute"
  match = { name = "source" }
}
)";

inline facts::LockAccount lock_account(std::string_view address) {
  facts::LockAccount account;
  account.address = address;
  account.hash_scheme = "SHA512-CRYPT";
  account.mailboxes = {"INBOX", "Sent"};
  account.has_mailboxes = true;
  return account;
}

/// Two domains, an account with aliases, one that is disabled, a list, and a target that has
/// something of its own.
inline std::string sound_lock() {
  facts::Lock lock;
  lock.plan_name_digest = ir::sha256(kPlanName).hex();
  lock.versions = {
      {"source.dovecot", "2.3.19.1"}, {"source.postfix", "3.7.11"}, {"target.stalwart", "0.16.15"}};
  lock.limits = {{"target.max_message_bytes", 75'000'000}, {"target.max_size_upload", 50'000'000}};
  lock.source_domains = {"example.net", "example.org"};
  lock.accounts = {lock_account("alice@example.org"), lock_account("bob@example.org"),
                   lock_account("carol@example.net")};
  lock.accounts[0].aliases = {"info@example.org"};
  lock.accounts[0].quota_bytes = std::uint64_t{1} << 30U;
  lock.accounts[1].is_enabled = false;
  lock.lists = {{.address = "team@example.org", .members = {"alice@example.org", "x@example.com"}}};
  lock.target_domains = {{.name = "example.com"}};
  lock.target_addresses = {"old@example.com"};
  return facts::write_lock(lock);
}

inline std::string sound_facts() {
  std::string text;
  for (const char* account : {"alice@example.org", "bob@example.org", "carol@example.net"}) {
    for (const char* what : {"bytes", "largest-message"}) {
      facts::Measurement measurement;
      measurement.what = std::string("account/") + account + "/" + what;
      measurement.value = 1'000;
      measurement.unit = "bytes";
      text += facts::write_measurement(measurement);
    }
  }
  return text;
}

/// A compilation of this text beside that, with `file` as the text of every file that it names.
inline CompileInput sound_input(std::string plan_text, std::string file,
                                const schema::Schema* schema) {
  static const std::string kLock = sound_lock();
  static const std::string kFacts = sound_facts();
  static constexpr EmbeddedFile kProcedures[] = {{"dovecot-postfix.plan", kProcedure}};
  CompileInput input;
  input.plan_text = std::move(plan_text);
  input.lock_text = kLock;
  input.facts_text = kFacts;
  input.file_text = [text = std::move(file)](const std::string&) -> Result<std::string> {
    return text;
  };
  input.schema = schema;
  input.stdlib = kProcedures;
  return input;
}

/// Of bytes: a plan, and behind this line the file that it names. For YAML the line is a comment.
inline CompileInput sound_input_of_plan(std::string_view bytes, const schema::Schema* schema) {
  constexpr std::string_view kLine = "\n#file\n";
  const std::size_t end = bytes.find(kLine);
  const std::string_view file =
      end == std::string_view::npos ? std::string_view() : bytes.substr(end + kLine.size());
  return sound_input(std::string(bytes.substr(0, end)), std::string(file), schema);
}

/// Of bytes: a plan of stalwart-cli, used by a module beside the steps of a whole migration.
inline CompileInput sound_input_of_lines(std::string_view bytes, const schema::Schema* schema) {
  CompileInput input = sound_input(
      "plan: 1\nname: " + std::string(kPlanName) +
          "\nuse: ./mine.plan\n"
          "addresses: {public: mail.example.org, proxy: 203.0.113.10, source: 203.0.113.20, "
          "target: 203.0.113.30}\n"
          "source: {master_user: {name: m, password: !secret env:M}}\n"
          "target: {url: 'https://new.example.org', login: {user: a, password: !secret env:A}}\n"
          "proxies: [{name: edge1, control: 'unix:/run/control.sock', token: !secret env:E}]\n"
          "domains: [example.org, example.net]\n"
          "accounts: {from: {passwd_file: /etc/dovecot/users}}\n"
          "waves: [{name: all}]\ncutover: {address: operator}\n"
          "rollback_points: [before-cutover, each-account, before-finalize]\n",
      {}, schema);
  input.file_text = [text = std::string(bytes)](const std::string& path) -> Result<std::string> {
    if (path.ends_with(".ndjson")) return text;
    return std::string("module mine\nuse std/dovecot-postfix\nuse ./server.ndjson\n");
  };
  return input;
}

}  // namespace plan::fuzz
