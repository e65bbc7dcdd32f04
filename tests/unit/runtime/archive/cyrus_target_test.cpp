// A second real JMAP server as target: Cyrus. It keeps our JMAP honest where the embedded target
// and the recordings know one server only. Skipped by name where Cyrus or Dovecot is missing.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "compiler/ir/digest.h"
#include "runtime/archive/carry_back.h"
#include "runtime/archive/grade.h"
#include "runtime/archive/import_imap.h"
#include "runtime/archive/push_jmap.h"
#include "runtime/net/imap/mailbox_name.h"
#include "tests/support/cyrus.h"
#include "tests/support/dovecot.h"
#include "tests/support/shared_data.h"
#include "tests/unit/runtime/archive/dovecot_source.h"

using namespace plan;
using namespace plan::archive;
using ir::Value;

namespace {

constexpr const char* kAccount = "alice@example.org";

std::string mail(const std::string& subject) {
  return fmt::format(
      "From: a@example.org\r\nTo: alice@example.org\r\nSubject: {0}\r\nMessage-ID: "
      "<{0}@example.org>\r\n\r\nbody of {0}\r\n",
      subject);
}

std::string with_line_ends_mended(const std::string& body) {
  std::string text;
  for (std::size_t at = 0; at < body.size(); ++at) {
    if (body[at] == '\r' && at + 1 < body.size() && body[at + 1] == '\n') continue;
    if (body[at] == '\n' || body[at] == '\r') {
      text += "\r\n";
    } else {
      text += body[at];
    }
  }
  return text;
}

class CyrusTarget : public testing::Test {
 protected:
  void SetUp() override {
    if (!test::Cyrus::can_be_started())
      GTEST_SKIP() << "Cyrus is not installed, or this is not root";
    std::string why;
    cyrus_ = test::Cyrus::start({kAccount}, why);
    ASSERT_TRUE(cyrus_) << why;
    dovecot_ = test::Dovecot::start({kAccount}, why);
    ASSERT_TRUE(dovecot_) << why;
    user_ = std::move(*dovecot_->login(kAccount));
    auto archive = ArchiveFile::open(directory_.file("a.sqlite"));
    ASSERT_TRUE(archive) << archive.error().to_line();
    archive_ = std::make_unique<ArchiveFile>(std::move(*archive));
    client_ = cyrus_->client(kAccount);
    auto session = client_->session();
    ASSERT_TRUE(session) << session.error().to_line();
    target_ =
        std::make_unique<TargetAccount>(client_, (*session)->primary_account(net::jmap::kMail));
    source_ = dovecot_source(*dovecot_, kAccount, secrets_);
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
  void create(const std::string& mailbox) {
    const auto done = user_->create(*net::imap::encode_mailbox_name(mailbox));
    ASSERT_TRUE(done) << done.error().to_line();
  }
  void import() {
    auto report = import_imap(*archive_, source_.imap);
    ASSERT_TRUE(report) << report.error().to_line();
  }
  PushReport push() {
    // Cyrus 3.6 has no ifInState in Email/import, and answers `alreadyExists` for the same bytes.
    auto report = push_jmap(*archive_, *target_, {.is_state_expected = false});
    EXPECT_TRUE(report) << report.error().to_line();
    return report ? *report : PushReport();
  }
  GradeReport grade() {
    auto report = grade_target(*archive_, *target_);
    EXPECT_TRUE(report) << report.error().to_line();
    return report ? *report : GradeReport();
  }

  /// "mailbox keywords digest", of every message as Cyrus itself tells it.
  std::multiset<std::string> at_cyrus() {
    std::multiset<std::string> found;
    auto mailboxes = target_->mailboxes();
    auto ids = target_->email_ids();
    if (!mailboxes || !ids) return {"the target does not answer"};
    auto emails = target_->emails(*ids);
    if (!emails) return {"the target does not answer"};
    for (const auto& [id, email] : *emails) {
      auto body = client_->download(target_->account_id(), email.blob_id, 64U << 20U);
      if (!body) return {body.error().to_line()};
      std::string line;
      for (const TargetMailbox& mailbox : *mailboxes)
        if (mailbox.id == email.mailbox_ids.at(0)) line = mailbox.name;
      for (const std::string& keyword : email.keywords) line += " " + keyword;
      found.insert(line + " " + ir::sha256(*body).hex().substr(0, 8));
    }
    return found;
  }
  void expunge(const std::string& uid) {
    ASSERT_TRUE(user_->store(uid, "+FLAGS", {"\\Deleted"}));
    ASSERT_TRUE(user_->expunge(uid));
  }

  Value at_target(const std::string& method, Value arguments) {
    arguments.set("accountId", target_->account_id());
    auto answer = client_->call_one(method, std::move(arguments),
                                    {.capabilities = {std::string(net::jmap::kMail)}});
    EXPECT_TRUE(answer) << answer.error().to_line();
    return answer ? *answer : Value();
  }
  /// By its bytes: Cyrus searches only what an indexer has seen.
  std::string id_at_cyrus(const std::string& subject) {
    auto ids = target_->email_ids();
    if (!ids) return "";
    auto emails = target_->emails(*ids);
    if (!emails) return "";
    for (const auto& [id, email] : *emails) {
      auto body = client_->download(target_->account_id(), email.blob_id, 64U << 20U);
      if (body && *body == mail(subject)) return id;
    }
    return "";
  }
  void flag_at_cyrus(const std::string& subject, const std::string& keyword) {
    at_target(
        "Email/set",
        Value::map({{"update", Value::map({{id_at_cyrus(subject),
                                            Value::map({{"keywords/" + keyword, true}})}})}}));
  }
  void destroy_at_cyrus(const std::string& subject) {
    at_target("Email/set", Value::map({{"destroy", Value::list({Value(id_at_cyrus(subject))})}}));
  }
  void deliver_at_cyrus(const std::string& subject) {
    auto blob = client_->upload(target_->account_id(), mail(subject));
    ASSERT_TRUE(blob) << blob.error().to_line();
    auto mailboxes = target_->mailboxes();
    ASSERT_TRUE(mailboxes);
    for (const TargetMailbox& mailbox : *mailboxes) {
      if (mailbox.role != "inbox") continue;
      const Value email = Value::map({{"blobId", *blob},
                                      {"mailboxIds", Value::map({{mailbox.id, true}})},
                                      {"receivedAt", "2025-06-01T08:00:00Z"}});
      at_target("Email/import", Value::map({{"emails", Value::map({{"new", email}})}}));
    }
  }

  /// "mailbox subject flags", of every message at the source.
  std::multiset<std::string> at_dovecot() {
    std::multiset<std::string> found;
    auto reader = dovecot_->login(kAccount);
    EXPECT_TRUE(reader);
    auto listed = (*reader)->list();
    EXPECT_TRUE(listed);
    for (const net::imap::MailboxInfo& mailbox : *listed) {
      if (!mailbox.is_selectable()) continue;
      auto selected = (*reader)->select(mailbox.wire_name);
      EXPECT_TRUE(selected);
      if (!selected || selected->exists == 0) continue;
      const auto sink = [&](net::imap::FetchedMessage&& message) -> Outcome {
        const std::size_t at = message.body->find("Subject: ") + 9;
        std::string row =
            mailbox.wire_name + " " + message.body->substr(at, message.body->find("\r\n", at) - at);
        std::vector<std::string> flags = *message.flags;
        std::erase(flags, "\\Recent");
        for (const std::string& flag : flags) row += " " + flag;
        found.insert(std::move(row));
        return {};
      };
      EXPECT_TRUE((*reader)->fetch("1:*", "(UID FLAGS BODY.PEEK[])", sink));
    }
    return found;
  }
  static std::string line(const std::string& place, const std::string& subject) {
    return place + " " + ir::sha256(mail(subject)).hex().substr(0, 8);
  }

  std::unique_ptr<test::Cyrus> cyrus_;
  std::unique_ptr<test::Dovecot> dovecot_;
  test::TempDir directory_;
  MasterPassword secrets_;
  std::unique_ptr<ArchiveFile> archive_;
  std::unique_ptr<net::imap::Client> user_;
  std::shared_ptr<net::jmap::Client> client_;
  std::unique_ptr<TargetAccount> target_;
  AccountSource source_;
};

}  // namespace

TEST_F(CyrusTarget, TakesMailAndWhatChangedAndGivesBackWhatCame) {
  create("Work");
  append("INBOX", mail("one"), {"\\Seen"});
  append("INBOX", mail("two"));
  append("INBOX", mail("three"));
  append("Work", mail("four"), {"\\Flagged"});
  append("Sent", mail("five"), {"\\Seen"});
  import();
  EXPECT_EQ(push().created, 5U);
  EXPECT_EQ(at_cyrus(),
            (std::multiset<std::string>{line("Inbox $seen", "one"), line("Inbox", "two"),
                                        line("Inbox", "three"), line("Work $flagged", "four"),
                                        line("Sent $seen", "five")}));
  EXPECT_LE(grade().grade, Grade::good) << grade().reason();

  // At the source: a flag, a message moved, one gone, one new.
  ASSERT_TRUE(user_->select("INBOX", {.is_read_only = false}));
  ASSERT_TRUE(user_->store("2", "+FLAGS", {"\\Answered"}));
  ASSERT_TRUE(user_->copy("3", "Work"));
  expunge("3");
  ASSERT_TRUE(user_->select("Sent", {.is_read_only = false}));
  expunge("1");
  append("INBOX", mail("six"));
  import();
  push();
  EXPECT_EQ(push().changes(), 0U);
  EXPECT_EQ(at_cyrus(),
            (std::multiset<std::string>{line("Inbox $seen", "one"), line("Inbox $answered", "two"),
                                        line("Work", "three"), line("Work $flagged", "four"),
                                        line("Inbox", "six")}));
  EXPECT_LE(grade().grade, Grade::good) << grade().reason();
  const auto proved = grade();
  EXPECT_EQ(proved.proved, 5U) << "every byte was proved at Cyrus";

  // After the flip, at Cyrus: a flag, a message gone, one that came.
  flag_at_cyrus("three", "$flagged");
  destroy_at_cyrus("two");
  deliver_at_cyrus("seven");
  auto carried = carry_back(*archive_, source_, *target_);
  ASSERT_TRUE(carried) << carried.error().to_line();
  EXPECT_EQ(carried->arrived, 1U);
  EXPECT_EQ(carried->deleted, 1U);
  EXPECT_EQ(carried->flags, 1U);
  EXPECT_EQ(at_dovecot(),
            (std::multiset<std::string>{"INBOX one \\Seen", "INBOX six", "INBOX seven",
                                        "Work three \\Flagged", "Work four \\Flagged"}));
  import();
  EXPECT_EQ(push().changes(), 0U) << "moving it again brings nothing twice";
  EXPECT_EQ(at_cyrus().size(), 5U);
}

TEST_F(CyrusTarget, NamesWhatCyrusRefuses) {
  append("INBOX", mail("twin"));
  append("INBOX", mail("twin"));
  append("INBOX", mail("single"));
  import();
  const PushReport report = push();
  EXPECT_EQ(report.created, 2U);
  ASSERT_EQ(report.problems.size(), 1U);
  EXPECT_EQ(report.problems[0].what, "INBOX uid 2");
  EXPECT_NE(report.problems[0].text.find("alreadyExists"), std::string::npos)
      << report.problems[0].text;
  EXPECT_EQ(grade().grade, Grade::investigate) << "a refused message is never a pass";
}

TEST_F(CyrusTarget, TakesTheRealMail) {
  PLAN_SHARED(folder, "data/mail/eml");
  std::set<std::filesystem::path> files;
  for (const auto& file : std::filesystem::directory_iterator(folder)) files.insert(file.path());
  // Each message costs Cyrus two syncs of the disk: all of them in tests/long, a part here.
  const std::size_t each = std::getenv("PLAN_LONG") != nullptr ? 1 : 60;
  std::set<std::string> bodies;
  std::size_t number = 0;
  for (const std::filesystem::path& file : files)
    if (number++ % each == 0) bodies.insert(test::read_all(file));
  ASSERT_GT(bodies.size(), 50U);
  for (const std::string& body : bodies) append("INBOX", body);
  import();
  // What Cyrus does to mail, by name; everything else is a defect of ours.
  const PushReport report = push();
  std::size_t broken_headers = 0;
  std::size_t twins = 0;
  for (const PushProblem& problem : report.problems) {
    if (problem.text == "invalidEmail: Message contains invalid header") {
      ++broken_headers;
    } else if (problem.text == "alreadyExists: ") {
      ++twins;
    } else {
      ADD_FAILURE() << problem.what << ": " << problem.text;
    }
  }
  EXPECT_EQ(at_cyrus().size() + broken_headers + twins, bodies.size());
  std::set<std::string> mended;
  std::size_t with_bare_line_ends = 0;
  for (const std::string& body : bodies) {
    const std::string text = with_line_ends_mended(body);
    with_bare_line_ends += text == body ? 0U : 1U;
    mended.insert(text);
  }
  EXPECT_LE(twins, bodies.size() - mended.size()) << "the same mail but for its line ends";
  std::size_t rewritten = 0;
  const GradeReport graded = grade();
  for (const GradeDifference& difference : graded.differences) {
    if (difference.text == "has other bytes at the target") {
      ++rewritten;
    } else {
      EXPECT_TRUE(difference.text.find("$hasattachment") != std::string::npos ||
                  difference.text.find("invalidEmail") != std::string::npos ||
                  difference.text.find("alreadyExists") != std::string::npos)
          << difference.where << ": " << difference.text;
    }
  }
  EXPECT_EQ(graded.grade, rewritten > 0 ? Grade::poor : Grade::investigate);
  EXPECT_LE(rewritten, with_bare_line_ends) << "Cyrus mends line ends, nothing else";
}
