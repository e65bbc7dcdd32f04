#include "runtime/server/stalwart/password.h"

#include <gtest/gtest.h>

#include <map>

#include "compiler/ir/json.h"
#include "runtime/server/stalwart/errors.h"
#include "tests/support/shared_data.h"

namespace plan::server::stalwart {
namespace {

std::string rewritten(const std::string& stored, std::string_view scheme = {}) {
  const auto result = secret_for_target(secret::Secret(stored), scheme, "alice@example.org");
  if (!result) {
    EXPECT_TRUE(result.error().is(errors::password_not_portable));
    if (stored.size() > 40) {
      EXPECT_EQ(result.error().to_line().find(stored.substr(20, 15)), std::string::npos)
          << "no part of a hash is shown";
    }
    return "refused";
  }
  return result->reveal_for("test");
}

const std::string kCrypt6 = "$6$abcdefghABCDEFGH$" + std::string(86, 'x');

TEST(SecretForm, agrees_with_every_form_that_the_real_server_was_given) {
  PLAN_SHARED(path, "data/transcripts/stalwart-0.16-admin/password-hashes.json");
  const auto rows = ir::parse_json(test::read_all(path));
  ASSERT_TRUE(rows);
  const std::map<std::string, SecretForm> kVerdicts = {
      {"usable", SecretForm::usable},
      {"accepted, nobody can log in", SecretForm::never_verifies},
      {"LOCKED OUT, hash text is the password", SecretForm::plain_text},
      {"plain text", SecretForm::plain_text},
      {"refused", SecretForm::plain_text},  // as plain text it was too long or too weak
  };
  const auto& list = rows->is_list() ? rows->items() : (*rows)["rows"].items();
  ASSERT_GE(list.size(), 100U);
  for (const ir::Value& row : list) {
    const std::string verdict(row["verdict"].string_or({}));
    ASSERT_TRUE(kVerdicts.contains(verdict)) << verdict;
    EXPECT_EQ(static_cast<int>(secret_form(row["secret"].string_or({}))),
              static_cast<int>(kVerdicts.at(verdict)))
        << row["key"].string_or({}) << ": " << row["form"].string_or({});
  }
}

TEST(SecretForTarget, never_gives_a_form_that_the_real_server_would_not_verify) {
  PLAN_SHARED(path, "data/transcripts/stalwart-0.16-admin/password-hashes.json");
  const auto rows = ir::parse_json(test::read_all(path));
  ASSERT_TRUE(rows);
  const auto& list = rows->is_list() ? rows->items() : (*rows)["rows"].items();
  for (const ir::Value& row : list) {
    const std::string stored(row["secret"].string_or({}));
    for (const char* scheme : {"", "CRYPT", "SHA512-CRYPT", "SSHA", "MD5", "BLF-CRYPT"}) {
      const std::string sent = rewritten(stored, scheme);
      if (sent != "refused") {
        EXPECT_EQ(static_cast<int>(secret_form(sent)), static_cast<int>(SecretForm::usable))
            << row["key"].string_or({}) << " as " << scheme;
      }
    }
    // What works as it is stays as it is, whatever stands in front of it.
    if (row["verdict"].string_or({}) == "usable" && stored.starts_with('$')) {
      EXPECT_EQ(rewritten(stored), stored) << stored;
    }
  }
}

TEST(SecretForTarget, rewrites_dovecot_schemes) {
  EXPECT_EQ(rewritten("{SHA512-CRYPT}" + kCrypt6), kCrypt6);
  EXPECT_EQ(rewritten("{sha512-crypt}" + kCrypt6), kCrypt6);
  EXPECT_EQ(rewritten(kCrypt6, "SHA512-CRYPT"), kCrypt6);
  EXPECT_EQ(rewritten("{CRYPT}" + kCrypt6), kCrypt6);
  EXPECT_EQ(rewritten("{MD5-CRYPT}$1$abcdefgh$ICYMEIfrETt5gIvEdDPI4."),
            "$1$abcdefgh$ICYMEIfrETt5gIvEdDPI4.");
  EXPECT_EQ(rewritten("{MD5}$1$abcdefgh$ICYMEIfrETt5gIvEdDPI4."),
            "$1$abcdefgh$ICYMEIfrETt5gIvEdDPI4.");
  EXPECT_EQ(rewritten("{DES-CRYPT}ab1vVTWSFxpNk"), "{CRYPT}ab1vVTWSFxpNk");
  EXPECT_EQ(rewritten("{PLAIN-MD5}f5287865000bb3c18c7b67531603def3"),
            "{MD5}9Sh4ZQALs8GMe2dTFgPe8w==");
  EXPECT_EQ(rewritten("{LDAP-MD5}9Sh4ZQALs8GMe2dTFgPe8w=="), "{MD5}9Sh4ZQALs8GMe2dTFgPe8w==");
  EXPECT_EQ(rewritten("{SHA}79bd1ef1aa317d502f2755e303b091a8026e4d0c"),
            "{SHA}eb0e8aoxfVAvJ1XjA7CRqAJuTQw=");
  EXPECT_EQ(rewritten("{SHA1}eb0e8aoxfVAvJ1XjA7CRqAJuTQw="), "{SHA}eb0e8aoxfVAvJ1XjA7CRqAJuTQw=");
  EXPECT_EQ(rewritten("{SHA}eb0e8aoxfVAvJ1XjA7CRqAJuTQw"), "{SHA}eb0e8aoxfVAvJ1XjA7CRqAJuTQw=")
      << "unpadded would never verify";
  EXPECT_EQ(rewritten("{SSHA}YUSGEE5l8nrL4WB1Uwwcj3Qyol5hYmNkMTIzNA=="),
            "{SSHA}YUSGEE5l8nrL4WB1Uwwcj3Qyol5hYmNkMTIzNA==");
}

TEST(SecretForTarget, hashes_a_clear_text_itself_and_always_the_same) {
  const std::string first = rewritten("{PLAIN}Zebra-Lamp");
  EXPECT_TRUE(first.starts_with("$pbkdf2-sha512$i=")) << first;
  EXPECT_EQ(rewritten("Zebra-Lamp", "PLAIN"), first);
  EXPECT_EQ(rewritten("{CLEARTEXT}Zebra-Lamp"), first);
  EXPECT_NE(rewritten("{PLAIN}Zebra-Lamq"), first);
  const auto other = secret_for_target(secret::Secret("{PLAIN}Zebra-Lamp"), {}, "bob@example.org");
  ASSERT_TRUE(other);
  EXPECT_NE(other->reveal_for("test"), first) << "two accounts with one password do not show it";
  EXPECT_EQ(rewritten("{PLAIN}" + kCrypt6).substr(0, 15), "$pbkdf2-sha512$")
      << "a clear text that looks like a hash is a clear text";
}

TEST(SecretForTarget, refuses_what_cannot_be_carried_over) {
  for (const char* stored :
       {"{SCRAM-SHA-256}4096,abc,def", "{CRAM-MD5}25a1f9aaf7f610f5",
        "{CRYPT}$y$j9T$F5Jx5fExrKuPp53xLKQ..1$VAQY6BHTV2s6bKB5PCDaEDMvGUsndE",
        "{PBKDF2}$1$PBOEx9KjOcRkldIN$5000$ac4c6d60a287a6fcd25d4b1d404",
        "{NTLM}a56277edc83a06ff93b3734c345523ef", "*", "x", "", "{PLAIN}", "{CRYPT}!$6$abcdefgh$x",
        "{CRYPT}_dD..abcd4WrdeLRKKvI", "{UNHEARD-OF}abc", "{SHA.HEX}zz", "{CRYPT}$2x$05$x"}) {
    EXPECT_EQ(rewritten(stored), "refused") << stored;
  }
}

}  // namespace
}  // namespace plan::server::stalwart
