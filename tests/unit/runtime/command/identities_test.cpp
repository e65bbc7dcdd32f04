// Who answers is looked at before anybody is told a secret.
#include "runtime/command/identities.h"

#include <gtest/gtest.h>

#include "runtime/net/errors.h"
#include "tests/support/fake_http_server.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_certificate.h"

namespace plan::command {
namespace {

using ir::Value;

class IdentitiesTest : public testing::Test {
 protected:
  std::unique_ptr<test::FakeHttpServer> serve(const std::string& name, std::int64_t to = 86400) {
    const net::TlsServerOptions tls{folder_.file(name + ".crt"), folder_.file(name + ".key")};
    digests_[name] =
        test::make_certificate(tls.certificate_file, tls.key_file, "localhost", -2 * 86400, to);
    return std::make_unique<test::FakeHttpServer>(
        [](const test::FakeRequest&) { return test::FakeAnswer{.status = 404}; }, tls);
  }

  static Value connections(const std::string& target, std::vector<Value> proxies) {
    Value list = Value::list();
    for (Value& proxy : proxies) list.push_back(std::move(proxy));
    return Value::map(
        {{"source", Value::map({{"address", "127.0.0.1"},
                                {"imap", Value::map({{"port", 1}, {"security", "none"}})}})},
         {"target", Value::map({{"url", target}})},
         {"proxies", std::move(list)}});
  }
  static Value proxy(const std::string& name, const std::string& control) {
    return Value::map({{"name", name}, {"control", control}, {"certificate_sha256", ""}});
  }

  test::TempDir folder_;
  std::map<std::string, std::string> digests_;
};

TEST_F(IdentitiesTest, TheTargetAndEveryHttpsProxyArePinnedWithWhatTheyShow) {
  const auto target = serve("target");
  const auto edge = serve("edge");
  const Value blocks =
      connections(target->url(), {proxy("edge1", edge->url()), proxy("edge2", "unix:proxy.sock")});
  const auto seen = look_at_identities(blocks, {});
  ASSERT_TRUE(seen) << seen.error().to_line();
  EXPECT_EQ(seen->shown.certificates,
            (std::map<std::string, std::string>{{"target.https", digests_["target"]},
                                                {"proxy.edge1", digests_["edge"]}}));
  EXPECT_TRUE(seen->silent.empty());
  for (const auto* server : {target.get(), edge.get()}) {
    for (const test::FakeRequest& request : server->requests())
      EXPECT_FALSE(request.headers.contains("authorization"));
  }
  const Value pinned = with_pins(blocks, seen->shown);
  EXPECT_EQ(pinned["target"]["certificate_sha256"], Value(digests_["target"]));
  EXPECT_EQ(pinned["proxies"].item(0)["certificate_sha256"], Value(digests_["edge"]));
  EXPECT_EQ(pinned["proxies"].item(1)["certificate_sha256"], Value(""));
}

TEST_F(IdentitiesTest, AProxyThatIsSilentKeepsItsPinAndIsNamed) {
  const auto target = serve("target");
  const Value blocks = connections(
      target->url(), {proxy("known", "https://127.0.0.1:1"), proxy("new", "https://127.0.0.1:1")});
  facts::Lock known;
  known.certificates = {{"proxy.known", "00ff"}};
  const auto seen = look_at_identities(blocks, known);
  ASSERT_TRUE(seen) << seen.error().to_line();
  EXPECT_EQ(seen->shown.certificates.at("proxy.known"), "00ff");
  EXPECT_FALSE(seen->shown.certificates.contains("proxy.new"));
  ASSERT_EQ(seen->silent.size(), 2U);
  EXPECT_NE(seen->silent[0].find("its pin stays"), std::string::npos) << seen->silent[0];
  EXPECT_NE(seen->silent[1].find("it is not pinned"), std::string::npos) << seen->silent[1];
}

TEST_F(IdentitiesTest, APinThatTheAuthorWroteIsNotReplaced) {
  const auto target = serve("target");
  Value blocks = connections(target->url(), {});
  Value block = blocks["target"];
  block.set("certificate_sha256", "abcd");
  blocks.set("target", std::move(block));
  const auto seen = look_at_identities(blocks, {});
  ASSERT_TRUE(seen);
  EXPECT_EQ(with_pins(blocks, seen->shown)["target"]["certificate_sha256"], Value("abcd"));
}

TEST_F(IdentitiesTest, AnExpiredCertificateOfTheTargetIsRefused) {
  const auto target = serve("target", -86400);
  const auto seen = look_at_identities(connections(target->url(), {}), {});
  ASSERT_FALSE(seen);
  EXPECT_TRUE(seen.error().is(net::errors::certificate_expired)) << seen.error().to_line();
  EXPECT_NE(seen.error().message().find(target->url()), std::string::npos);
}

}  // namespace
}  // namespace plan::command
