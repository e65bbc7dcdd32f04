// links: archive test_support
// A mailbox of a real Dovecot into an archive, beside mbsync (Debian's isync) into a Maildir:
// messages a second, everything new, then nothing new. PLAN_BENCH_MESSAGES sets how many (default
// 5000 of 4 kB).
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "runtime/archive/import_imap.h"
#include "tests/support/dovecot.h"

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

double run_mbsync(const plan::test::Dovecot& dovecot) {
  const std::string folder = dovecot.folder();
  std::filesystem::create_directories(folder + "/copy");
  std::ofstream(folder + "/mbsyncrc") << fmt::format(
      "IMAPAccount a\nHost 127.0.0.1\nPort {}\nUser alice@example.org\nPass secret\nSSLType "
      "None\nAuthMechs LOGIN\n\n"
      "IMAPStore far\nAccount a\n\nMaildirStore near\nSubFolders Verbatim\nPath {}/copy/\nInbox "
      "{}/copy/INBOX\n\n"
      "Channel c\nFar :far:\nNear :near:\nPatterns *\nCreate Near\nSync Pull\nSyncState *\n",
      dovecot.imap_port(), folder, folder);
  const auto begun = Clock::now();
  const std::string command = "mbsync -q -c " + folder + "/mbsyncrc c >/dev/null 2>&1";
  if (std::system(command.c_str()) != 0) return 0;
  return seconds_since(begun);
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
    const double peer = run_mbsync(*dovecot);
    print(figure, static_cast<double>(count) / ours,
          peer > 0 ? static_cast<double>(count) / peer : 0);
  }
  return 0;
}
