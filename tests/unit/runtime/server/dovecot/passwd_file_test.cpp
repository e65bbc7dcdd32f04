#include "runtime/server/dovecot/passwd_file.h"

#include <gtest/gtest.h>

#include "runtime/server/source/limits.h"

namespace plan::server::dovecot {
namespace {

TEST(PasswdFile, ReadsEveryField) {
  const PasswdFile file = parse_passwd_file(
      "# comment\n\n"
      "alice@legacy.test:{SHA512-CRYPT}$6$salt$hash:5000:5001:Alice "
      "A:/home/alice:/bin/false:userdb_mail=maildir:~/Maildir nologin "
      "userdb_quota_rule=*:storage=1G\r\n"
      "bob@legacy.test:plain\n"
      "carol:\n");
  ASSERT_EQ(file.entries.size(), 3U);
  const PasswdEntry& alice = file.entries[0];
  EXPECT_EQ(alice.user, "alice@legacy.test");
  EXPECT_EQ(alice.password.scheme, "SHA512-CRYPT");
  EXPECT_EQ(alice.password.text, "$6$salt$hash");
  EXPECT_EQ(alice.uid, "5000");
  EXPECT_EQ(alice.gid, "5001");
  EXPECT_EQ(alice.home, "/home/alice");
  EXPECT_EQ(alice.field("userdb_mail"), "maildir:~/Maildir") << "extra fields may hold colons";
  EXPECT_EQ(alice.line, 3U);
  EXPECT_FALSE(alice.is_enabled());
  EXPECT_EQ(quota_of(alice), std::uint64_t{1} << 30U);
  EXPECT_EQ(file.entries[1].password.scheme, "CRYPT");
  EXPECT_TRUE(file.entries[1].is_enabled());
  EXPECT_EQ(file.entries[2].password.scheme, "NONE");
  EXPECT_TRUE(file.problems.empty());
}

TEST(PasswdFile, TheSecondLineForAUserIsIgnoredAsDovecotDoes) {
  const PasswdFile file = parse_passwd_file("a@x:one\nA@X:two\n:nobody\n");
  ASSERT_EQ(file.entries.size(), 1U);
  EXPECT_EQ(file.entries[0].password.text, "one");
  ASSERT_EQ(file.problems.size(), 2U);
  EXPECT_EQ(file.problems[0].line, 2U);
  EXPECT_EQ(file.problems[1].line, 3U);
}

TEST(PasswdFile, LinesOverTheBoundAndForeignBytesAreLeftOutAndSaid) {
  std::string text = "a@x:" + std::string(source::kAccountFileLineBytesMax - 4, 'h') + "\n";
  EXPECT_EQ(parse_passwd_file(text).entries.size(), 1U);
  text.insert(4, "h");
  EXPECT_EQ(parse_passwd_file(text).problems.size(), 1U);
  EXPECT_EQ(parse_passwd_file("\xff\xfe@x:pw\n").problems.size(), 1U);
  EXPECT_TRUE(parse_passwd_file(std::string("\0\0\n", 3)).problems.size() <= 1U);
  std::string many;
  for (int line = 0; line < 1000; ++line) many += ":x\n";
  EXPECT_EQ(parse_passwd_file(many).problems.size(), 100U);
}

TEST(PasswdFile, EveryTruncationIsReadWithoutHarm) {
  const std::string text =
      "alice@x:{SSHA}abc=:1:2:g:/h:/s:a=b c userdb_quota_rule=*:bytes=5\nbob@x:$6$s$h[13]\n";
  for (std::size_t size = 0; size <= text.size(); ++size) {
    EXPECT_LE(parse_passwd_file(text.substr(0, size)).entries.size(), 2U);
  }
}

TEST(StoredPassword, SchemesComeFromPrefixSuffixOrDefault) {
  const auto scheme = [](const std::string& field, const std::string& fallback = "SSHA") {
    return parse_password(field, fallback).scheme;
  };
  EXPECT_EQ(scheme("{ssha512.b64}x"), "SSHA512.B64");
  EXPECT_EQ(scheme("abcdefghijklm[13]"), "CRYPT");
  EXPECT_EQ(scheme("00[34]"), "PLAIN-MD5");
  EXPECT_EQ(scheme("00[56]"), "DIGEST-MD5");
  EXPECT_EQ(scheme("text"), "SSHA");
  EXPECT_EQ(scheme("text", ""), "CRYPT");
  EXPECT_EQ(scheme("{}text"), "SSHA");
  EXPECT_EQ(scheme("{unclosed"), "SSHA");
  EXPECT_EQ(scheme(""), "NONE");
  EXPECT_EQ(parse_password("{PLAIN}{x}", "").with_scheme(), "{PLAIN}{x}");
  EXPECT_EQ(parse_password("", "").with_scheme(), "");
}

TEST(StoredPassword, FormsTellFamiliesApart) {
  const auto form = [](const std::string& field, const std::string& fallback = "CRYPT") {
    return parse_password(field, fallback).form();
  };
  EXPECT_EQ(form("$6$salt$hash"), "CRYPT:$6$");
  EXPECT_EQ(form("$2y$05$abc"), "CRYPT:$2y$");
  EXPECT_EQ(form("$argon2id$v=19$m=1$x"), "CRYPT:$argon2id$");
  EXPECT_EQ(form("{CRYPT}abcdefghijklm"), "CRYPT:des");
  EXPECT_EQ(form("_12345678"), "CRYPT:bsdi");
  EXPECT_EQ(form("!$6$salt$hash"), "CRYPT:locked");
  EXPECT_EQ(form("*"), "CRYPT:locked");
  EXPECT_EQ(form("what"), "CRYPT");
  EXPECT_EQ(form("$6$salt$hash", "SHA512-CRYPT"), "SHA512-CRYPT");
  EXPECT_EQ(form("{MD5}$1$x$y"), "MD5:$1$");
  EXPECT_EQ(form("{PBKDF2}$1$salt$100$hex"), "PBKDF2:$1$");
  EXPECT_EQ(form("{SHA}" + std::string(40, 'a')), "SHA:hex");
  EXPECT_EQ(form("{SHA256}" + std::string(64, 'F')), "SHA256:hex");
  EXPECT_EQ(form("{SHA256}" + std::string(43, 'a') + "="), "SHA256");
  EXPECT_EQ(form("{SSHA.HEX}00"), "SSHA.HEX");
  EXPECT_EQ(form(""), "NONE");
}

TEST(Quota, RulesAreReadInDovecotsUnits) {
  EXPECT_EQ(quota_of_rule("*:storage=500M"), std::uint64_t{500} << 20U);
  EXPECT_EQ(quota_of_rule("*:storage=1024"), std::uint64_t{1} << 20U)
      << "plain storage numbers are KiB";
  EXPECT_EQ(quota_of_rule("*:bytes=1000"), 1000U);
  EXPECT_EQ(quota_of_rule("*:storage=1GB:messages=5"), std::uint64_t{1} << 30U);
  EXPECT_EQ(quota_of_rule("*:messages=5"), std::nullopt);
  EXPECT_EQ(quota_of_rule("Trash:storage=+100M"), std::nullopt) << "a rule for one mailbox";
  EXPECT_EQ(quota_of_rule("*:storage=99999999999999999999"), std::nullopt);
  EXPECT_EQ(quota_of_rule("*:storage=9999999999999T"), std::nullopt);
  EXPECT_EQ(quota_of_rule(""), std::nullopt);
  PasswdEntry entry;
  EXPECT_EQ(quota_of(entry), std::nullopt);
  entry.extra = {{"userdb_quota_storage_size", "2G"}};
  EXPECT_EQ(quota_of(entry), std::uint64_t{2} << 30U);
  entry.extra = {{"userdb_quota_storage_size", "unlimited"}};
  EXPECT_EQ(quota_of(entry), 0U);
}

}  // namespace
}  // namespace plan::server::dovecot
