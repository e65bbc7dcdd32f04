// Against a real Dovecot: skipped by name where there is none.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>

#include "compiler/ir/digest.h"
#include "runtime/archive/import_imap.h"
#include "runtime/archive/import_sieve.h"
#include "runtime/net/imap/mailbox_name.h"
#include "tests/support/dovecot.h"

using namespace plan;
using namespace plan::archive;

namespace {

class DovecotImport : public testing::Test {
 protected:
  void SetUp() override {
    std::string why;
    dovecot_ = test::Dovecot::start({"alice@example.org"}, why);
    if (!dovecot_) GTEST_SKIP() << why;
    auto archive = ArchiveFile::open(directory_.file("a.sqlite"));
    ASSERT_TRUE(archive) << archive.error().to_line();
    archive_ = std::make_unique<ArchiveFile>(std::move(*archive));
    auto client = dovecot_->login("alice@example.org");
    ASSERT_TRUE(client) << client.error().to_line();
    user_ = std::move(*client);
    source_ = {.connect = [this] { return dovecot_->login_as_master("alice@example.org"); },
               .identity = {.kind = "imap",
                            .session_url = "imap://127.0.0.1:143",
                            .account_id = "alice@example.org"}};
  }

  void append(const std::string& mailbox, const std::string& body,
              std::vector<std::string> flags = {}) {
    const auto done =
        user_->append(*net::imap::encode_mailbox_name(mailbox),
                      {.body = body,
                       .flags = std::move(flags),
                       .date = net::imap::parse_rfc3339("2025-05-12T12:00:00+02:00")});
    ASSERT_TRUE(done) << done.error().to_line();
  }

  ImportReport import(ImportOptions options = {}) {
    auto report = import_imap(*archive_, source_, options);
    EXPECT_TRUE(report) << report.error().to_line();
    return report ? *report : ImportReport();
  }

  /// "mailbox path: digest keywords received", sorted, from the archive.
  std::multiset<std::string> rows() {
    std::multiset<std::string> found;
    auto statement = archive_->database().prepare(
        "SELECT j.value, p.sha256, e.keywords, e.received_at FROM emails e, "
        "json_each(e.mailbox_ids) j JOIN plan_item p "
        "ON p.email_id = e.id");
    EXPECT_TRUE(statement);
    while (*statement->step()) {
      std::string path;
      const auto names = mailbox_path(archive_->database(), statement->integer(0));
      for (const std::string& name : *names) path += "/" + name;
      found.insert(path + " " + ir::to_hex(statement->blob(1)).substr(0, 8) + " " +
                   std::string(statement->text(2)) + " " + std::string(statement->text(3)));
    }
    return found;
  }
  static std::string row(const std::string& path, const std::string& body,
                         const std::string& keywords = "[]") {
    return path + " " + ir::sha256(body).hex().substr(0, 8) + " " + keywords +
           " 2025-05-12T10:00:00Z";
  }

  std::unique_ptr<test::Dovecot> dovecot_;
  test::TempDir directory_;
  std::unique_ptr<ArchiveFile> archive_;
  std::unique_ptr<net::imap::Client> user_;
  ImapSource source_;
};

const std::string kOne =
    "From: a@example.org\r\nSubject: one\r\nMessage-ID: <1@example.org>\r\n\r\none\r\n";
const std::string kTwo = "From: a@example.org\r\nSubject: two\r\n\r\ntwo\r\n";

}  // namespace

TEST_F(DovecotImport, BringsEveryMessageWithFlagsDateAndPlaceAndThenOnlyWhatChanged) {
  ASSERT_TRUE(user_->create(*net::imap::encode_mailbox_name("Projekte/Größe, 2024: \"x\"")));
  append("INBOX", kOne, {"\\Seen", "Work"});
  append("INBOX", kTwo);
  append("Projekte/Größe, 2024: \"x\"", kOne, {"\\Flagged", "\\Deleted"});
  ImportReport first = import();
  EXPECT_EQ(first.created, 3U);
  EXPECT_TRUE(first.problems.empty());
  EXPECT_EQ(rows(), (std::multiset<std::string>{
                        row("/INBOX", kOne, "[\"$seen\",\"Work\"]"), row("/INBOX", kTwo),
                        row("/Projekte/Größe, 2024: \"x\"", kOne, "[\"$flagged\",\"$deleted\"]")}));

  ImportReport second = import();
  EXPECT_EQ(second.changes(), 0U);
  EXPECT_EQ(second.scanned, 0U) << "QRESYNC tells that nothing changed";

  ASSERT_TRUE(user_->select("INBOX", {.is_read_only = false}));
  ASSERT_TRUE(user_->store("1", "-FLAGS.SILENT", {"\\Seen"}));
  ASSERT_TRUE(user_->copy("2", "Sent"));
  ASSERT_TRUE(user_->store("2", "+FLAGS.SILENT", {"\\Deleted"}));
  ASSERT_TRUE(user_->expunge("2"));
  append("INBOX", kTwo + "three");
  ImportReport dry = import({.is_dry = true});
  EXPECT_EQ(dry.changes(), 4U);
  ImportReport third = import();
  EXPECT_EQ(third.created, 2U);
  EXPECT_EQ(third.updated, 1U);
  EXPECT_EQ(third.removed, 1U);
  EXPECT_EQ(rows(), (std::multiset<std::string>{
                        row("/INBOX", kOne, "[\"Work\"]"), row("/INBOX", kTwo + "three"),
                        row("/Sent", kTwo),
                        row("/Projekte/Größe, 2024: \"x\"", kOne, "[\"$flagged\",\"$deleted\"]")}));
  EXPECT_EQ(import({.is_full_scan = true}).changes(), 0U);
  EXPECT_TRUE(archive_->verify()->empty());
}

TEST_F(DovecotImport, FollowsMailboxesThatAreRenamedOrGoneAndANewUidValidity) {
  ASSERT_TRUE(user_->create("A/B"));
  append("A/B", kOne);
  append("A/B", kTwo);
  EXPECT_EQ(import().created, 2U);
  ASSERT_TRUE(user_->rename("A", "Z"));
  ImportReport renamed = import();
  EXPECT_TRUE(renamed.problems.empty());
  EXPECT_EQ(rows(), (std::multiset<std::string>{row("/Z/B", kOne), row("/Z/B", kTwo)}));
  ASSERT_TRUE(user_->remove("Z/B"));
  ASSERT_TRUE(user_->create("Z/B"));
  append("Z/B", kTwo);
  import();
  EXPECT_EQ(rows(), (std::multiset<std::string>{row("/Z/B", kTwo)}));
  ASSERT_TRUE(user_->remove("Z/B"));
  EXPECT_EQ(import().removed, 1U);
  EXPECT_TRUE(rows().empty());
  EXPECT_TRUE(archive_->verify()->empty());
}

TEST_F(DovecotImport, CopiesAndKeepsWhatNobodyIsSubscribedTo) {
  // A peer that is told to take the subscribed folders only takes all others for deleted, INBOX
  // too.
  ASSERT_TRUE(user_->create("Quiet"));
  ASSERT_TRUE(user_->subscribe("Sent", false));
  ASSERT_TRUE(user_->subscribe("INBOX", false));
  append("INBOX", kOne);
  append("Sent", kTwo);
  append("Quiet", kOne);
  EXPECT_EQ(import().created, 3U);
  ASSERT_TRUE(user_->subscribe("Quiet", true));
  ASSERT_TRUE(user_->subscribe("Quiet", false));
  EXPECT_EQ(import().changes(), 0U);
  EXPECT_EQ(rows(), (std::multiset<std::string>{row("/INBOX", kOne), row("/Sent", kTwo),
                                                row("/Quiet", kOne)}));
}

TEST_F(DovecotImport, AReaderOfTheArchiveKeepsNoWriterOut) {
  // A peer holds the file for itself: any reader with an open snapshot makes its import fail.
  append("INBOX", kOne);
  import();
  auto reader = ArchiveFile::open(directory_.file("a.sqlite"));
  ASSERT_TRUE(reader) << reader.error().to_line();
  auto snapshot = reader->database().prepare("SELECT id FROM emails");
  ASSERT_TRUE(snapshot);
  ASSERT_TRUE(*snapshot->step()) << "the statement stays open, and with it its snapshot";
  append("INBOX", kTwo);
  EXPECT_EQ(import().created, 1U);
  EXPECT_EQ(rows().size(), 2U);
  ASSERT_FALSE(*snapshot->step()) << "the reader sees the archive of its beginning";
}

TEST_F(DovecotImport, GoesOnAfterAStopInTheMiddle) {
  for (int index = 0; index < 20; ++index) append("INBOX", kOne + std::to_string(index));
  int asked = 0;
  auto stopped = import_imap(*archive_, source_,
                             {.fetch_batch = 4, .is_stop_requested = [&] { return ++asked > 4; }});
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code().name, "stopped");
  const std::size_t kept = rows().size();
  EXPECT_GT(kept, 0U);
  EXPECT_LT(kept, 20U);
  EXPECT_EQ(import().created, 20U - kept);
  EXPECT_EQ(rows().size(), 20U);
}

TEST_F(DovecotImport, AMailboxThatGoesDuringTheCopyIsReportedAndCostsTheOthersNothing) {
  append("INBOX", kOne);
  ASSERT_TRUE(user_->create("Leaving"));
  for (int index = 0; index < 20; ++index) append("Leaving", kOne + std::to_string(index));
  ASSERT_TRUE(user_->create("Staying"));
  append("Staying", kTwo);
  bool is_gone = false;
  ImportOptions options{.fetch_batch = 4};
  options.progress = [&](std::uint64_t messages, std::uint64_t) {
    if (is_gone || messages < 5) return;
    is_gone = true;
    ASSERT_TRUE(user_->remove("Leaving"));
  };
  const auto pass = import_imap(*archive_, source_, options);
  ASSERT_TRUE(is_gone);
  ASSERT_TRUE(pass) << pass.error().to_line();
  const auto has = [this](const std::string& path, const std::string& body) {
    return rows().contains(row(path, body));
  };
  EXPECT_TRUE(has("/INBOX", kOne));
  EXPECT_TRUE(has("/Staying", kTwo)) << "the mailboxes behind it are copied all the same";
  EXPECT_TRUE(pass->problems.empty() || pass->problems[0].mailbox == "Leaving");
  import();
  EXPECT_EQ(rows(), (std::multiset<std::string>{row("/INBOX", kOne), row("/Staying", kTwo)}));
  EXPECT_TRUE(archive_->verify()->empty());
}

TEST_F(DovecotImport, BrokenMessagesAreCopiedByteForByteAsTheSourceShowsThem) {
  const std::string broken =
      "Content-Type: multipart/mixed; boundary=\"never closed\r\nno colon here\r\nSubject: "
      "=?utf-8?B?%%%?=\r\nContent-Transfer-Encoding: base64\r\n\r\n--never closed\r\n\xff\xfe=\r\n";
  append("INBOX", broken);
  append("INBOX", "no header and no end of line");
  // NUL cannot be appended; it gets into a Maildir by delivery programs that do not look.
  const std::string inbox = dovecot_->folder() + "/home/alice@example.org/Maildir/cur/";
  std::ofstream(inbox + "1747044000.M1P1.nul:2,", std::ios::binary)
      << "From: a@example.org\nSubject: nul\n\nbefore" << '\0' << "behind\n";
  ASSERT_EQ(dovecot_->doveadm({"force-resync", "-u", "alice@example.org", "INBOX"}), "");
  const ImportReport report = import();
  EXPECT_TRUE(report.problems.empty());
  EXPECT_EQ(report.created, 3U);
  EXPECT_TRUE(rows().contains(row("/INBOX", broken)));
  EXPECT_TRUE(rows().contains(row("/INBOX", "no header and no end of line")));
  EXPECT_EQ(import().changes(), 0U);
  EXPECT_TRUE(archive_->verify()->empty());
}

TEST_F(DovecotImport, RefusesTheArchiveOfAnotherAccount) {
  import();
  source_.identity.account_id = "bob@example.org";
  auto other = import_imap(*archive_, source_);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code().name, "source-conflict");
}

TEST_F(DovecotImport, ReadsScriptsByManageSieve) {
  const auto connect = [this](bool is_master) -> Result<std::unique_ptr<net::sieve::Client>> {
    PLAN_TRY(client, net::sieve::Client::connect({.host = "127.0.0.1",
                                                  .port = dovecot_->sieve_port(),
                                                  .security = net::sieve::Security::none}));
    if (is_master)
      PLAN_TRY_VOID(client->authenticate_plain("alice@example.org", "master",
                                               secret::Secret("master-secret")));
    else
      PLAN_TRY_VOID(client->authenticate_plain("", "alice@example.org", secret::Secret("secret")));
    return std::move(client);
  };
  auto user = connect(false);
  ASSERT_TRUE(user) << user.error().to_line();
  ASSERT_TRUE((*user)->put("keep \"it\"", "keep;\r\n"));
  ASSERT_TRUE((*user)->put("drop", "discard;"));
  ASSERT_TRUE((*user)->set_active("drop"));
  EXPECT_FALSE((*user)->put("bad", "if if if"));
  const SieveSource source{.connect = [&] { return connect(true); },
                           .identity = {.kind = "managesieve",
                                        .session_url = "sieve://127.0.0.1:4190",
                                        .account_id = "alice@example.org"}};
  auto report = import_sieve(*archive_, source);
  ASSERT_TRUE(report) << report.error().to_line();
  EXPECT_EQ(report->created, 2U);
  ASSERT_TRUE((*user)->set_active("keep \"it\""));
  ASSERT_TRUE((*user)->remove("drop"));
  report = import_sieve(*archive_, source);
  ASSERT_TRUE(report) << report.error().to_line();
  EXPECT_EQ(report->updated, 1U);
  EXPECT_EQ(report->removed, 1U);
  EXPECT_EQ(import_sieve(*archive_, source)->changes(), 0U);
}
