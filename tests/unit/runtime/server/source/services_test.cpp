// What the survey looks at as the master user: the login, a mailbox, and mail that can be read.
#include "runtime/server/source/services.h"

#include <gtest/gtest.h>

#include "compiler/ir/value.h"
#include "runtime/server/source/errors.h"
#include "tests/support/dovecot.h"
#include "tests/support/told_error.h"

namespace plan::server::source {
namespace {

const std::string kAlice = "alice@legacy.test";

class MasterSecret final : public secret::SecretSource {
 public:
  Result<secret::Secret> read(const ir::SecretRef&) override {
    return secret::Secret("master-secret");
  }
  Result<ir::SecretRef> seal(const secret::Secret&) override {
    return ir::SecretRef{"sealed", "x"};
  }
};

Block block_of(const test::Dovecot& dovecot) {
  Block block;
  block.address = "127.0.0.1";
  block.imap = {.port = dovecot.imap_port(), .security = net::imap::Security::none};
  block.sieve = {.port = dovecot.sieve_port(), .security = net::imap::Security::none};
  block.smtp.port = 1;  // nobody is there, which is no error
  block.submission.port = 1;
  block.master_name = "master";
  block.master_separator = "%";
  block.master_password = ir::SecretRef{"env", "MASTER"};
  return block;
}

Outcome survey_of(const test::Dovecot& dovecot) {
  MasterSecret secrets;
  ir::Value document = ir::Value::map();
  return survey_services(block_of(dovecot), kAlice, secrets, document);
}

void append(test::Dovecot& dovecot, std::string_view body) {
  auto client = dovecot.login(kAlice);
  ASSERT_TRUE(client) << client.error().to_line();
  const auto appended = (*client)->append("INBOX", {.body = body});
  ASSERT_TRUE(appended) << appended.error().to_line();
}

constexpr std::string_view kMessage = "From: a@partner.test\r\nSubject: one\r\n\r\nHello\r\n";

TEST(MasterSurvey, IsContentWithAnEmptyInboxAndWithMailThatIsMail) {
  std::string why;
  const auto dovecot = test::Dovecot::start({kAlice}, why);
  if (dovecot == nullptr) GTEST_SKIP() << why;
  const Outcome empty = survey_of(*dovecot);
  EXPECT_TRUE(empty) << empty.error().to_line();
  append(*dovecot, kMessage);
  const Outcome read = survey_of(*dovecot);
  EXPECT_TRUE(read) << read.error().to_line();
}

TEST(MasterSurvey, StopsAtMailThatOnlyThePasswordOfItsUserOpens) {
  std::string why;
  const auto dovecot = test::Dovecot::start({kAlice}, why, "/", {}, R"(
mail_plugins = mail_crypt
mail_attribute_dict = file:%h/attributes
plugin {
  mail_crypt_curve = prime256v1
  mail_crypt_save_version = 2
  mail_crypt_require_encrypted_user_key = yes
}
)");
  if (dovecot == nullptr) GTEST_SKIP() << why;
  const std::string made =
      dovecot->doveadm({"-o", "plugin/mail_crypt_private_password=her-own", "mailbox", "cryptokey",
                        "generate", "-u", kAlice, "-U"});
  ASSERT_NE(made.find("userkey"), std::string::npos) << made;
  append(*dovecot, kMessage);
  const Outcome read = survey_of(*dovecot);
  ASSERT_FALSE(read);
  EXPECT_TRUE(test::told_as("mail-unreadable", read.error()));
}

TEST(MasterSurvey, StopsAtFilesThatAPluginWouldHaveToOpen) {
  std::string why;
  const auto dovecot = test::Dovecot::start({kAlice}, why);
  if (dovecot == nullptr) GTEST_SKIP() << why;
  for (const std::string_view frame : {"CRYPTED\x03\x07\x02", "Dovecot-LZ4\r\x2a\x9b\xc5"}) {
    append(*dovecot, std::string(frame) + "and what no mail program can read\r\n");
    const Outcome read = survey_of(*dovecot);
    ASSERT_FALSE(read) << frame;
    EXPECT_TRUE(read.error().is(errors::mail_unreadable)) << read.error().to_line();
  }
}

}  // namespace
}  // namespace plan::server::source
