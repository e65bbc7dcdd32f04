#include "compiler/ir/digest.h"
#include "runtime/net/errors.h"
#include "runtime/server/probe/errors.h"
#include "runtime/server/probe/probes.h"
#include "runtime/server/source/dovecot_postfix.h"
#include "runtime/step/errors.h"
#include "tests/support/fake_http_server.h"
#include "tests/support/script_peer.h"
#include "tests/support/told_error.h"
#include "tests/unit/runtime/server/stalwart/driver_bench.h"

namespace plan::server::probe {
namespace {

using ir::Value;

/// A target with an account whose own login is answered with `status`, and a source.
class LoginProbe : public stalwart::DriverBench {
 protected:
  LoginProbe() {
    const std::string domain = registry->put("Domain", Value::map({{"name", "example.org"}}));
    registry->put("Account",
                  Value::map({{"@type", "User"}, {"name", "alice"}, {"domainId", domain}}));
    secrets.texts = {{"env:ADMIN", "admin-secret"}, {"env:MASTER", "master-secret"}};
  }

  test::FakeAnswer answer(const test::FakeRequest& request) {
    const auto login = request.headers.find("authorization");
    bool is_valid = false;
    const std::string user = login == request.headers.end()
                                 ? std::string()
                                 : ir::from_base64(login->second.substr(6), &is_valid);
    test::FakeAnswer answer;
    answer.status = user.starts_with("alice@example.org%admin:") ? status : admin_status;
    if (answer.status != 200) return answer;
    const auto replied =
        registry->send({.method = request.method, .target = request.target, .body = request.body});
    answer.headers = {{"Content-Type", "application/json"}};
    if (replied) answer.body = replied->body;
    return answer;
  }

  Result<Value> probe(const std::string& at, std::uint16_t imap_port = 1) {
    Value source = Value::map(
        {{"kind", "dovecot-postfix"},
         {"address", "127.0.0.1"},
         {"imap", Value::map({{"port", std::int64_t{imap_port}}, {"security", "none"}})}});
    if (has_master) {
      source.set("master_user",
                 Value::map({{"name", "master"}, {"password", ir::SecretRef{"env", "MASTER"}}}));
    }
    const Value arguments = Value::map(
        {{"account", "Alice@example.org"},
         {"at", at},
         {"source", source},
         {"target",
          Value::map({{"url", http_.url()},
                      {"login", Value::map({{"user", "admin"},
                                            {"password", ir::SecretRef{"env", "ADMIN"}}})}})}});
    auto sources = std::make_shared<source::LiveSources>();
    sources->add(std::string(source::kDovecotPostfix),
                 [this](const Value& block, secret::SecretSource& from) {
                   return source::make_dovecot_postfix(
                       block, std::make_shared<source::SourcePool>(nullptr, clock), from);
                 });
    auto pool = std::make_shared<stalwart::TargetPool>(
        std::make_shared<net::jmap::ClientPool>(clock), clock);
    step::StepContext context{.id = "probe",
                              .kind = ir::StepKind::probe_login,
                              .arguments = arguments,
                              .secrets = secrets,
                              .clock = clock,
                              .stop = stop};
    return make_login_probe(std::move(sources), std::move(pool))->apply(context);
  }

  int status = 200;
  int admin_status = 200;
  bool has_master = true;

 private:
  test::FakeHttpServer http_{[this](const test::FakeRequest& request) { return answer(request); }};
};

TEST_F(LoginProbe, an_account_that_the_target_does_not_let_in_is_the_finding) {
  status = 403;
  const auto refused = probe("target");
  ASSERT_FALSE(refused);
  EXPECT_TRUE(test::told_as("probe-login-failed", refused.error()));
}

TEST_F(LoginProbe, a_session_without_the_account_of_its_user_is_no_login) {
  const auto refused = probe("target");
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().is(errors::probe_login_failed)) << refused.error().to_line();
  EXPECT_NE(refused.error().message().find("its own account"), std::string::npos);
}

TEST_F(LoginProbe, an_administrator_who_is_refused_says_nothing_about_the_account) {
  admin_status = 401;
  const auto refused = probe("target");
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().is(net::errors::login_refused)) << refused.error().to_line();
}

TEST_F(LoginProbe, an_account_that_the_source_does_not_let_in_is_the_finding_too) {
  test::ScriptPeer imap(
      "S: * OK [CAPABILITY IMAP4rev1] hi\n"
      "C: p1 LOGIN \"alice@example.org*master\" \"master-secret\"\n"
      "S: p1 NO [AUTHENTICATIONFAILED] Authentication failed.\n"
      "C: {any}\n");
  const auto refused = probe("source", imap.port());
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().is(errors::probe_login_failed)) << refused.error().to_line();
  EXPECT_EQ(refused.error().blame(), Blame::source);
  EXPECT_EQ(refused.error().to_line().find("master-secret"), std::string::npos);
}

TEST_F(LoginProbe, without_a_master_user_the_plan_is_to_blame) {
  has_master = false;
  const auto refused = probe("source");
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().is(step::errors::argument_missing)) << refused.error().to_line();
  EXPECT_EQ(refused.error().argument(), "source.master_user");
}

}  // namespace
}  // namespace plan::server::probe
