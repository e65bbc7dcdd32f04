#include "runtime/rehearsal/embedded_target.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "compiler/ir/json.h"
#include "runtime/net/http_server.h"
#include "runtime/rehearsal/ids.h"
#include "runtime/rehearsal/imap_text.h"
#include "runtime/rehearsal/message.h"
#include "runtime/rehearsal/password.h"
#include "runtime/rehearsal/sieve_run.h"
#include "runtime/rehearsal/text_rules.h"
#include "tests/support/shared_data.h"
#include "tests/support/temp_dir.h"
#include "tests/support/told_error.h"

namespace plan::rehearsal {
namespace {

TEST(Ids, are_spelled_as_the_real_server_spells_them) {
  EXPECT_EQ(encode_id(0), "a");
  EXPECT_EQ(encode_id(7), "h");
  EXPECT_EQ(encode_id(kAdministratorId), "d333333");
  EXPECT_EQ(encode_id((std::uint64_t{1} << 32U) | 1U), "eaaaaab");
  EXPECT_EQ(parse_id("eaaaaab"), (std::uint64_t{1} << 32U) | 1U);
  EXPECT_EQ(parse_id(""), 0U);
  EXPECT_FALSE(parse_id("4-!"));
  EXPECT_EQ(encode_state(0), "saa");
  EXPECT_EQ(encode_state(1), "sae");
  EXPECT_EQ(parse_state("sba")->change, 8U);
}

TEST(Passwords, are_kept_or_taken_for_plain_text_as_recorded) {
  PLAN_SHARED(file, "data/transcripts/stalwart-0.16-admin/password-hashes.json");
  auto rows = ir::parse_json(test::read_all(file));
  ASSERT_TRUE(rows);
  const ir::Value& list = rows->is_list() ? *rows : (*rows)["rows"];
  ASSERT_GT(list.size(), 90U);
  for (const ir::Value& row : list.items()) {
    if (row["write"].string_or("") != "accepted") continue;
    const std::string secret(row["secret"].string_or(""));
    const bool is_plain = row["loginLiteral"].bool_or(false);
    EXPECT_EQ(classify_secret(secret) == SecretForm::plain, is_plain) << row["key"].string_or("");
    if (is_plain) continue;
    EXPECT_EQ(verify_password(secret, row["password"].string_or("")),
              row["loginPassword"].bool_or(false))
        << row["key"].string_or("");
  }
}

TEST(TextRules, refuse_what_the_real_server_refuses) {
  EXPECT_EQ(normal_domain("D1.Test"), "d1.test");
  EXPECT_EQ(normal_domain("b\xc3\xbc"
                          "cher.test"),
            "xn--bcher-kva.test");
  EXPECT_FALSE(normal_domain("nodot"));
  EXPECT_FALSE(normal_domain("x.example"));
  EXPECT_EQ(normal_local_part("Ali ce"), "alice");
  EXPECT_FALSE(normal_local_part(".lead"));
  EXPECT_FALSE(normal_network("10.0.0.0/7"));
  EXPECT_EQ(normal_network("192.0.2.1/32"), "192.0.2.1");
}

TEST(Messages, base_subject_and_ids_decide_what_is_a_second_copy) {
  const auto identity = [](std::string_view text) { return identity_of(view_message(text)); };
  EXPECT_EQ(identity("Subject: Re: One\r\nMessage-ID: <a@b>\r\n\r\nx"),
            identity("Message-ID: <a@b>\r\nSubject: one\r\n\r\ny"));
  EXPECT_NE(identity("Subject: One\r\nMessage-ID: <a@b>\r\n\r\n"),
            identity("Subject: Two\r\nMessage-ID: <a@b>\r\n\r\n"));
}

TEST(Messages, survive_every_truncation) {
  const std::string text =
      "From: \"A, B\" <a@b.test>\r\nContent-Type: multipart/mixed; "
      "boundary=\"x\"\r\n\r\n--x\r\nContent-Type: text/html\r\n\r\n<p>\r\n--x--\r\n";
  for (std::size_t size = 0; size <= text.size(); ++size) {
    const std::string_view part = std::string_view(text).substr(0, size);
    for (const Part& each : parts_of(part)) EXPECT_LE(decode_content(each).size(), size);
    EXPECT_LE(parse_addresses(part).size(), size + 1);
  }
}

TEST(Sieve, what_is_not_understood_keeps_the_message) {
  const MessageView message = view_message("Subject: spam offer\r\nFrom: a@b.test\r\n\r\nx");
  EXPECT_FALSE(
      run_sieve(
          "require \"fileinto\"; if header :contains \"subject\" \"offer\" { fileinto \"Work\"; }",
          message, 10, {})
          .is_kept);
  EXPECT_TRUE(run_sieve("discard; nonsense :tag;", message, 10, {}).is_kept);
  EXPECT_FALSE(run_sieve("discard;", message, 10, {}).is_kept);
  EXPECT_EQ(run_sieve("redirect :copy \"x@y.test\";", message, 10, {}).redirects.size(), 1U);
}

TEST(ImapText, names_go_through_utf7_and_back) {
  for (const std::string name :
       {"Gel\xc3\xb6scht", "a&b", "\xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x93\xa7", "plain"})
    EXPECT_EQ(from_utf7(to_utf7(name)), name);
  EXPECT_EQ(to_utf7("K\xc3\xbcnst"), "K&APw-nst");
  EXPECT_FALSE(from_utf7("&broken"));
  EXPECT_FALSE(imap_ranges("1:x", 9));
}

TEST(HttpServer, heads_that_two_parties_could_read_differently_are_refused) {
  EXPECT_TRUE(net::parse_request_head("GET / HTTP/1.1\r\nhost: x\r\n\r\n"));
  for (const char* head :
       {"GET / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        "GET / HTTP/1.1\r\n folded: x\r\n\r\n", "GET  HTTP/1.1\r\n\r\n", "GET / HTTP/2\r\n\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n\r\n", "GET / HTTP/1.1\r\nhost: x"})
    EXPECT_FALSE(net::parse_request_head(head)) << head;
}

TEST(EmbeddedTarget, starts_again_with_what_it_had) {
  const auto folder =
      std::filesystem::temp_directory_path() / ("plan-rehearsal-" + std::to_string(::getpid()));
  EmbeddedTargetOptions options;
  options.data_directory = folder.string();
  options.admin_password = "adminpw";
  options.http = ListenAt{};
  for (int run = 0; run < 2; ++run) {
    auto target = EmbeddedTarget::start(options);
    ASSERT_TRUE(target) << target.error().to_line();
    EXPECT_NE((*target)->port(Service::http), 0);
    EXPECT_EQ((*target)->port(Service::imap), 0);
    (*target)->stop();
  }
  std::filesystem::remove_all(folder);
}

TEST(EmbeddedTarget, a_data_directory_that_cannot_be_made_is_named) {
  const test::TempDir folder;
  const std::string file = folder.file("mail");
  std::ofstream(file) << "somebody's work";
  EmbeddedTargetOptions options;
  options.data_directory = file + "/target";
  const auto target = EmbeddedTarget::start(options);
  ASSERT_FALSE(target);
  EXPECT_TRUE(test::told_as("rehearsal-bad-option", target.error()));
  EXPECT_EQ(test::read_all(file), "somebody's work");
}

TEST(EmbeddedTarget, a_type_that_the_schema_does_not_describe_cannot_be_served) {
  const test::TempDir folder;
  EmbeddedTargetOptions options;
  options.data_directory = folder.file("target");
  options.schema_json = R"({"objects":{"x:Domain":{"type":"object","permissionPrefix":"sysDomain"}},
                            "schemas":{},"fields":{},"enums":{}})";
  const auto target = EmbeddedTarget::start(options);
  ASSERT_FALSE(target);
  EXPECT_TRUE(test::told_as("rehearsal-schema-unusable", target.error()));
}

}  // namespace
}  // namespace plan::rehearsal
