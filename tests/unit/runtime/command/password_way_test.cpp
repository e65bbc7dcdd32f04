#include "runtime/server/source/password_form.h"

#include <gtest/gtest.h>

#include <map>

#include "compiler/facts/password_form.h"
#include "compiler/ir/json.h"
#include "runtime/server/stalwart/password.h"
#include "tests/support/shared_data.h"

namespace plan::server::source {
namespace {

using facts::PasswordVerdict;

/// What the way from a users file to the target does with one stored password.
struct Way {
  std::string form = {};
  PasswordVerdict verdict = {};
  std::string sent = {};  ///< empty: nothing is sent
};

Way way_of(const std::string& stored, const char* default_scheme) {
  const dovecot::StoredPassword password = dovecot::parse_password(stored, default_scheme);
  Way way;
  way.form = lock_form(password);
  way.verdict = facts::password_form(way.form).verdict;
  if (way.verdict == PasswordVerdict::refuse || way.verdict == PasswordVerdict::unknown) return way;
  const auto sent =
      stalwart::secret_for_target(secret::Secret(password.with_scheme()), {}, "alice@example.org");
  if (sent) way.sent = sent->reveal_for("test");
  return way;
}

TEST(LockForm, leads_each_of_the_105_recorded_forms_to_a_working_password_or_a_refusal) {
  PLAN_SHARED(path, "data/transcripts/stalwart-0.16-admin/password-hashes.json");
  const auto document = ir::parse_json(test::read_all(path));
  ASSERT_TRUE(document.has_value());
  const auto& rows = (*document)["rows"].items();
  ASSERT_EQ(rows.size(), 105U);
  std::map<std::string, std::string> recorded;
  for (const ir::Value& row : rows)
    recorded[std::string(row["secret"].string_or(""))] = row["verdict"].string_or("");
  std::size_t locked_out = 0;
  std::size_t rewritten = 0;
  for (const ir::Value& row : rows) {
    const std::string key(row["key"].string_or(""));
    const std::string stored(row["secret"].string_or(""));
    const std::string_view verdict = row["verdict"].string_or("");
    const Way way = way_of(stored, "CRYPT");
    const bool is_refused =
        way.verdict == PasswordVerdict::refuse || way.verdict == PasswordVerdict::unknown;
    EXPECT_EQ(is_refused, way.sent.empty())
        << key << ": " << way.form << " is judged one way by the "
        << "compiler and another by the driver";
    if (verdict == "usable") {
      EXPECT_FALSE(is_refused) << key << ": " << way.form;
    } else if (verdict == "LOCKED OUT, hash text is the password") {
      ++locked_out;
      EXPECT_NE(way.sent, stored) << key << " would become the password";
      rewritten += is_refused ? 0U : 1U;
    } else {
      EXPECT_NE(way.sent, stored) << key << ": " << verdict;
    }
    if (way.sent.empty()) continue;
    EXPECT_EQ(static_cast<int>(stalwart::secret_form(way.sent)),
              static_cast<int>(stalwart::SecretForm::usable))
        << key;
    // What the real server was given in these very bytes, it verified.
    if (const auto found = recorded.find(way.sent); found != recorded.end()) {
      EXPECT_EQ(found->second, "usable") << key;
    }
  }
  EXPECT_EQ(locked_out, 46U);
  EXPECT_GE(rewritten, 15U) << "a form that could be carried over is refused";
}

TEST(LockForm, says_that_a_hash_is_damaged_and_the_compiler_refuses_it) {
  const std::string whole = "$6$abcdefghABCDEFGH$" + std::string(86, 'x');
  EXPECT_EQ(way_of(whole, "CRYPT").form, "CRYPT:$6$");
  for (const std::string& broken : {whole.substr(0, whole.size() - 1), whole + " ", " " + whole,
                                    "$6$abcdefghABCDEFGHI$" + std::string(86, 'x')}) {
    const Way way = way_of(broken, "SHA512-CRYPT");
    EXPECT_TRUE(way.form.ends_with(":damaged")) << broken << " " << way.form;
    EXPECT_EQ(way.verdict, PasswordVerdict::refuse) << broken;
    EXPECT_TRUE(way.sent.empty()) << broken;
  }
}

TEST(LockForm, has_a_row_in_the_compilers_table_for_every_form_that_can_be_written) {
  for (const char* stored :
       {"{SHA512-CRYPT}$6$abcdefgh$x", "{PLAIN}secret", "{SSHA}AAAA", "ab1vVTWSFxpNk"}) {
    EXPECT_NE(way_of(stored, "CRYPT").verdict, PasswordVerdict::unknown) << stored;
  }
  EXPECT_EQ(way_of("", "CRYPT").form, "NONE");
}

}  // namespace
}  // namespace plan::server::source
