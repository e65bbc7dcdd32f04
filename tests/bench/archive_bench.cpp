// links: archive rehearsal test_support
// A mailbox of a real Dovecot into an archive, beside mbsync (Debian's isync) into a Maildir:
// messages a second, everything new, then nothing new. Then the archive into an account of the
// embedded target by JMAP, beside mbsync from its Maildir into another account of it by IMAP.
// PLAN_BENCH_MESSAGES sets how many (default 5000 of 4 kB).
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "runtime/archive/import_imap.h"
#include "runtime/archive/push_jmap.h"
#include "runtime/rehearsal/embedded_target.h"
#include "tests/support/dovecot.h"
#include "tests/support/test_certificate.h"

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begun) {
  return std::chrono::duration<double>(Clock::now() - begun).count();
}

void print(const char* figure, double value, double peer) {
  std::printf(
      R"({"figure":"%s","value":%.1f,"unit":"messages/s","better":"higher","peer":"mbsync","peer_value":%.1f,"ratio":%.2f,"goal":1.0})"
      "\n",
      figure, value, peer, peer > 0 ? value / peer : 0.0);
}

plan::Outcome fill(plan::test::Dovecot& dovecot, std::size_t count) {
  PLAN_TRY(client, dovecot.login("alice@example.org"));
  std::vector<std::string> bodies;
  for (std::size_t index = 0; index < count; ++index) {
    std::string body = fmt::format(
        "From: sender{0}@example.org\r\nTo: alice@example.org\r\nSubject: message "
        "{0}\r\nMessage-ID: <{0}@example.org>\r\n\r\n",
        index);
    while (body.size() < 4000) body += fmt::format("line {} of message {}\r\n", body.size(), index);
    bodies.push_back(std::move(body));
  }
  std::vector<plan::net::imap::AppendMessage> messages;
  for (const std::string& body : bodies) messages.push_back({.body = body});
  PLAN_TRY(answers, client->append_all("INBOX", messages));
  (void)answers;
  return {};
}

/// Seconds of one run of mbsync with that configuration; 0 when it failed.
double run_mbsync(const std::string& folder, const std::string& configuration) {
  std::ofstream(folder + "/mbsyncrc") << configuration;
  const auto begun = Clock::now();
  const std::string command =
      "mbsync -q -c " + folder + "/mbsyncrc c >" + folder + "/mbsync.log 2>&1";
  if (std::system(command.c_str()) != 0) {
    std::fprintf(stderr, "archive_bench: mbsync failed; see %s/mbsync.log\n", folder.c_str());
    return 0;
  }
  return seconds_since(begun);
}

/// From Dovecot into a Maildir.
double pull_with_mbsync(const plan::test::Dovecot& dovecot) {
  const std::string folder = dovecot.folder();
  std::filesystem::create_directories(folder + "/copy");
  return run_mbsync(
      folder,
      fmt::format(
          "IMAPAccount a\nHost 127.0.0.1\nPort {}\nUser alice@example.org\nPass secret\nSSLType "
          "None\nAuthMechs LOGIN\n\n"
          "IMAPStore far\nAccount a\n\nMaildirStore near\nSubFolders Verbatim\nPath "
          "{}/copy/\nInbox "
          "{}/copy/INBOX\n\n"
          "Channel c\nFar :far:\nNear :near:\nPatterns *\nCreate Near\nSync Pull\nSyncState *\n",
          dovecot.imap_port(), folder, folder));
}

constexpr const char* kPassword = "Correct-Horse-Battery-9";

/// An embedded target with the accounts `ours` and `peer`, and the administrator's client.
struct Target {
  std::unique_ptr<plan::rehearsal::EmbeddedTarget> server = {};
  std::shared_ptr<plan::net::jmap::Client> client = {};
  std::string account_id = {};
};

plan::Result<Target> start_target(const std::string& folder) {
  Target target;
  plan::test::make_certificate(folder + "/target.pem", folder + "/target.key", "localhost");
  plan::rehearsal::EmbeddedTargetOptions options;
  options.data_directory = folder + "/target";
  options.admin_password = "adminpw";
  options.http = plan::rehearsal::ListenAt{};
  options.imaps = plan::rehearsal::ListenAt{};
  options.tls = plan::net::TlsServerOptions{folder + "/target.pem", folder + "/target.key"};
  PLAN_TRY(server, plan::rehearsal::EmbeddedTarget::start(std::move(options)));
  target.server = std::move(server);
  plan::net::HttpOptions http;
  http.url = target.server->url();
  http.user = "admin";
  http.password = plan::secret::Secret("adminpw");
  PLAN_TRY(connected, plan::net::make_http_client(std::move(http)));
  target.client = std::make_shared<plan::net::jmap::Client>(
      std::shared_ptr<plan::net::HttpClient>(std::move(connected)));
  using plan::ir::Value;
  PLAN_TRY(domain, target.client->set(
                       {.type = "x:Domain",
                        .create = Value::map({{"d", Value::map({{"name", "example.org"}})}})}));
  for (const char* name : {"peer", "ours"}) {
    const Value credentials =
        Value::map({{"0", Value::map({{"@type", "Password"}, {"secret", kPassword}})}});
    PLAN_TRY(account,
             target.client->set(
                 {.type = "x:Account",
                  .create = Value::map({{"a", Value::map({{"@type", "User"},
                                                          {"name", name},
                                                          {"domainId", domain.created_id("d")},
                                                          {"credentials", credentials}})}})}));
    target.account_id = account.created_id("a");
  }
  return target;
}

/// From the Maildir into the account `peer` of the target, as a user would with the same tool.
double push_with_mbsync(const plan::test::Dovecot& dovecot, const Target& target) {
  const std::string folder = dovecot.folder();
  return run_mbsync(
      folder,
      fmt::format(
          "IMAPAccount t\nHost 127.0.0.1\nPort {}\nUser peer@example.org\nPass {}\nSSLType "
          "IMAPS\nCertificateFile {}/target.pem\nAuthMechs LOGIN\n\n"
          "IMAPStore far\nAccount t\n\nMaildirStore near\nSubFolders Verbatim\nPath "
          "{}/copy/\nInbox "
          "{}/copy/INBOX\n\n"
          "Channel c\nFar :far:\nNear :near:\nPatterns INBOX\nSync Push\nSyncState {}/state/\n",
          target.server->port(plan::rehearsal::Service::imaps), kPassword, folder, folder, folder,
          folder));
}

int measure_push(plan::test::Dovecot& dovecot, plan::archive::ArchiveFile& archive,
                 std::size_t count) {
  std::filesystem::create_directories(dovecot.folder() + "/state");
  auto target = start_target(dovecot.folder());
  if (!target) {
    std::fprintf(stderr, "archive_bench: %s\n", target.error().to_line().c_str());
    return 1;
  }
  const plan::archive::TargetAccount account(target->client, target->account_id);
  for (const char* figure : {"archive_to_target_first", "archive_to_target_again"}) {
    const auto begun = Clock::now();
    const auto report = plan::archive::push_jmap(archive, account);
    const double ours = seconds_since(begun);
    if (!report || !report->problems.empty()) {
      std::fprintf(
          stderr, "archive_bench: %s\n",
          report ? report->problems.front().text.c_str() : report.error().to_line().c_str());
      return 1;
    }
    const double peer = push_with_mbsync(dovecot, *target);
    print(figure, static_cast<double>(count) / ours,
          peer > 0 ? static_cast<double>(count) / peer : 0);
  }
  return 0;
}

}  // namespace

int main() {
  const char* wanted = std::getenv("PLAN_BENCH_MESSAGES");
  const std::size_t count = wanted == nullptr ? 5000 : std::strtoul(wanted, nullptr, 10);
  std::string why;
  const auto dovecot = plan::test::Dovecot::start({"alice@example.org"}, why);
  if (dovecot == nullptr) {
    std::fprintf(stderr, "archive_bench: %s\n", why.c_str());
    return 1;
  }
  if (const auto filled = fill(*dovecot, count); !filled) {
    std::fprintf(stderr, "archive_bench: %s\n", filled.error().to_line().c_str());
    return 1;
  }
  auto archive = plan::archive::ArchiveFile::open(dovecot->folder() + "/a.sqlite");
  if (!archive) return 1;
  const plan::archive::ImapSource source{
      .connect = [&] { return dovecot->login_as_master("alice@example.org"); },
      .identity = {.kind = "imap",
                   .session_url = "imap://127.0.0.1:143",
                   .account_id = "alice@example.org"}};
  for (const char* figure : {"imap_to_archive_first", "imap_to_archive_again"}) {
    const auto begun = Clock::now();
    const auto report = plan::archive::import_imap(*archive, source);
    const double ours = seconds_since(begun);
    if (!report) {
      std::fprintf(stderr, "archive_bench: %s\n", report.error().to_line().c_str());
      return 1;
    }
    const double peer = pull_with_mbsync(*dovecot);
    print(figure, static_cast<double>(count) / ours,
          peer > 0 ? static_cast<double>(count) / peer : 0);
  }
  return measure_push(*dovecot, *archive, count);
}
