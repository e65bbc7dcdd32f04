#include "compiler/schema/check_value.h"

#include <gtest/gtest.h>

#include "compiler/ir/json.h"
#include "compiler/schema/formats.h"
#include "compiler/schema/limits.h"
#include "compiler/schema/top_level.h"
#include "tests/unit/compiler/schema/schema_documents.h"

namespace plan::schema {
namespace {

using test::facts;

ir::Value json(std::string_view text) {
  auto value = ir::parse_json(text);
  EXPECT_TRUE(value) << text;
  return value ? *value : ir::Value();
}

/// "path: message [code]" of every problem, "ok" when there is none.
std::string problems(std::string_view type, std::string_view text, CheckOptions options = {}) {
  std::string all;
  for (const Problem& problem : check_value(facts(), type, json(text), options)) {
    if (!all.empty()) all += "\n";
    all +=
        problem.path + ": " + problem.message + " [" + std::string(to_string(problem.code)) + "]";
    if (!problem.nearest.empty()) all += " -> " + problem.nearest;
  }
  return all.empty() ? "ok" : all;
}

TEST(CheckCreate, TakesAGoodDomain) {
  EXPECT_EQ(
      problems("Domain",
               R"({"name":"example.org","allowRelaying":true,"aliases":{"example.net":true}})"),
      "ok");
}

TEST(CheckCreate, NamesAnUnknownPropertyAndTheNearestOne) {
  EXPECT_EQ(problems("Domain", R"({"name":"example.org","allowRelayin":true})", {.path = "set"}),
            "set.allowRelayin: Domain has no property `allowRelayin` [unknown-property] -> "
            "allowRelaying");
}

TEST(CheckCreate, NamesWhatIsRequired) {
  EXPECT_EQ(problems("Domain", "{}"), "name: `name` is required [missing-property]");
  EXPECT_EQ(problems("MtaRoute", R"({"@type":"Relay"})"),
            "address: `address` is required [missing-property]\nname: `name` is required "
            "[missing-property]");
}

TEST(CheckCreate, ADefaultBelowItsMinimumMakesTheWholeRateRequired) {
  EXPECT_EQ(problems("MtaInboundThrottle", R"({"description":"x"})"),
            "rate: `rate` is required [missing-property]");
}

TEST(CheckCreate, AUnionNeedsItsTag) {
  EXPECT_EQ(problems("MtaRoute", R"({"name":"old"})"),
            "@type: MtaRoute needs `@type`: Mx, Relay, Local [missing-variant]");
  EXPECT_EQ(problems("MtaRoute", R"({"@type":"Rely","name":"old"})"),
            "@type: MtaRoute has no variant `Rely` [unknown-variant] -> Relay");
}

TEST(CheckCreate, RefusesViewsEmbeddedAndUnknownTypes) {
  EXPECT_EQ(problems("x:Account/User", "{}"),
            ": `x:Account/User` is a view of `Account`, objects are written under that name "
            "[unknown-type] -> Account");
  EXPECT_EQ(problems("Expression", "{}"),
            ": `Expression` exists only inside other objects [unknown-type]");
  EXPECT_EQ(problems("Domains", "{}"),
            ": the server has no object type `Domains` [unknown-type] -> Domain");
}

TEST(CheckCreate, RefusesWhatOnlyTheServerWrites) {
  EXPECT_EQ(problems("Domain", R"({"name":"a.test","createdAt":"2026-01-01T00:00:00Z","id":"b"})"),
            "createdAt: `createdAt` is written by the server only [server-set]\n"
            "id: `id` cannot be written, the server gives it [unknown-property]");
}

TEST(CheckCreate, TellsWrongTypesInWordsOfTheDocument) {
  EXPECT_EQ(problems("Domain", R"({"name":7,"allowRelaying":"yes"})"),
            "name: needs a text, this is 7 [wrong-type]\nallowRelaying: needs true or false, this "
            "is `yes` [wrong-type]");
  EXPECT_EQ(problems("MtaTlsStrategy", R"({"name":"x","tlsTimeout":"30s"})"),
            "tlsTimeout: needs a number of milliseconds, this is `30s` [wrong-type]");
  EXPECT_EQ(problems("MtaTlsStrategy", R"({"name":"x","tlsTimeout":0})"),
            "tlsTimeout: a duration is at least 1 millisecond, this is 0 [wrong-type]");
  EXPECT_EQ(
      problems("MtaRoute", R"({"@type":"Relay","name":"old","address":"h.test","port":25.5})"),
      "port: needs a whole number, this is 25.5 [wrong-type]");
}

TEST(CheckCreate, KnowsBoundsOnBothSides) {
  const auto port = [](int number) {
    return problems("MtaRoute", R"({"@type":"Relay","name":"old","address":"h.test","port":)" +
                                    std::to_string(number) + "}");
  };
  EXPECT_EQ(port(1), "ok");
  EXPECT_EQ(port(65535), "ok");
  EXPECT_EQ(port(0), "port: is 0, at least 1 is needed [below-minimum]");
  EXPECT_EQ(port(65536), "port: is 65536, at most 65535 is allowed [above-maximum]");
  EXPECT_EQ(problems("MtaVirtualQueue", R"({"name":"12345678"})"), "ok");
  EXPECT_EQ(problems("MtaVirtualQueue", R"({"name":"123456789"})"),
            "name: has 9 bytes, at most 8 are allowed [too-many]");
}

TEST(CheckCreate, ListsAndSetsOfAPlanMayBeListsTheWireHasObjects) {
  const char* text = R"({"name":"a.test","aliases":["b.test"]})";
  EXPECT_EQ(problems("Domain", text), "ok");
  EXPECT_EQ(problems("Domain", text, {.is_plan_value = false}),
            R"(aliases: needs a set as an object, {"member": true}, this is a list [wrong-type])");
  EXPECT_EQ(problems("Domain", R"({"name":"a.test","aliases":{"b.test":false}})"),
            "aliases.b.test: a member that is false vanishes without a word [bad-key]");
}

TEST(CheckCreate, ChecksAnAccountWithItsAliasesAndCredentials) {
  EXPECT_EQ(problems("Account", R"({"@type":"User","name":"alice","domainId":"b",
    "aliases":{"0":{"name":"al","domainId":"b"}},"quotas":{"maxDiskQuota":1000},
    "credentials":{"0":{"@type":"Password","secret":"$6$x"}}})"),
            "ok");
  EXPECT_EQ(problems("Account", R"({"@type":"User","name":"al ice@","domainId":"",
    "aliases":{"x":{"name":"al","domainId":"b"}},"quotas":{"maxDiskQuotas":-1}})"),
            "name: `al ice@` has the character `@` [bad-format]\n"
            "domainId: is empty [empty-text]\n"
            "aliases.x: the members of a list have numbers, this is `x` [bad-key]\n"
            "quotas.maxDiskQuotas: StorageQuota has no value `maxDiskQuotas` [unknown-enum-value] "
            "-> maxDiskQuota\n"
            "quotas.maxDiskQuotas: cannot be negative, this is -1 [wrong-type]");
}

TEST(CheckCreate, RefusesTheMaskOfASecret) {
  EXPECT_EQ(
      problems(
          "Account",
          R"({"@type":"User","name":"alice","domainId":"b","credentials":{"0":{"@type":"Password","secret":"****"}}})"),
      "credentials.0.secret: is the mask that the server shows instead of a secret; written back "
      "it becomes the secret [masked-secret]");
}

TEST(CheckCreate, SecretsAndOutputsStandForTextsInAPlanOnly) {
  const ir::Value value = ir::Value::map(
      {{"@type", "User"},
       {"name", "a"},
       {"domainId", ir::OutputRef{"domain/x", "id"}},
       {"credentials",
        ir::Value::map({{"0", ir::Value::map({{"@type", "Password"},
                                              {"secret", ir::SecretRef{"env", "X"}}})}})}});
  EXPECT_TRUE(check_value(facts(), "Account", value).empty());
  EXPECT_EQ(check_value(facts(), "Account", value, {.is_plan_value = false}).size(), 2U);
}

TEST(CheckUpdate, DoesNotAskForWhatIsNotChanged) {
  const CheckOptions update{.use = Use::update};
  EXPECT_EQ(problems("Domain", R"({"allowRelaying":true})", update), "ok");
  EXPECT_EQ(problems("MtaRoute", R"({"port":26})", update), "ok");
  EXPECT_EQ(problems("MtaRoute", R"({"name":"x"})", update),
            "name: `name` cannot be changed after the object was made, not even to the same value "
            "[immutable]");
}

TEST(CheckUpdate, FollowsPointers) {
  const CheckOptions update{.use = Use::update};
  EXPECT_EQ(
      problems(
          "Account",
          R"({"@type":"User","credentials/0/secret":"****","aliases/3":null,"quotas/maxDiskQuota":5,"memberGroupIds/b":true})",
          update),
      "ok");
  EXPECT_EQ(problems("Account", R"({"@type":"User","credentials/x/secret":"y","name/first":"z"})",
                     update),
            "credentials.x: the members of a list have numbers, this is `x` [bad-pointer]\n"
            "name.first: `name/first` leads into a string, which has no members [bad-pointer]");
  EXPECT_EQ(problems("Http", R"({"allowedEndpoints/else":"200"})", update), "ok");
}

TEST(CheckUpdate, ChecksExpressionsOfTheirPlace) {
  const CheckOptions update{.use = Use::update, .path = "set"};
  const std::string wrong =
      "{\"route\":{\"match\":{\"0\":{\"if\":\"is_local_adress(rcpt)\",\"then\":\"local\"}},"
      "\"else\":\"'mx'\"}}";
  EXPECT_EQ(problems("MtaOutboundStrategy", wrong, update),
            "set.route.match.0.if: there is no function `is_local_adress` [bad-expression] -> "
            "is_local_address\n"
            "set.route.match.0.then: there is no variable or constant `local` here (queue, "
            "recipient); a text is "
            "written `'local'` [bad-expression]");
  const std::string right =
      "{\"route\":{\"match\":[{\"if\":\"true\",\"then\":\"'local'\"}],\"else\":\"'mx'\"}}";
  EXPECT_EQ(problems("MtaOutboundStrategy", right, update), "ok");
}

TEST(Check, BoundsDepthAndCountOfProblems) {
  ir::Value many = ir::Value::map({{"name", "a.test"}});
  for (int i = 0; i < 500; ++i) many.set("p" + std::to_string(i), 1);
  EXPECT_EQ(check_value(facts(), "Domain", many).size(), kProblemsMax);
}

TEST(Formats, DomainsFollowTheServersRule) {
  const auto problem = [](std::string_view text) {
    return format_problem(StringFormat::string, Validator::domain, text).value_or("ok");
  };
  for (const char* good : {"example.org", "Example.ORG", "a.test", "-a.test", "_dmarc.d9.test",
                           "jürgen.de", "x.localdomain"}) {
    EXPECT_EQ(problem(good), "ok") << good;
  }
  EXPECT_EQ(problem("localhost"), "needs at least one dot");
  EXPECT_EQ(problem("a..test"), "has an empty label");
  EXPECT_EQ(problem("a.test."), "has an empty label");
  EXPECT_NE(problem("mail.example"), "ok");
  EXPECT_NE(problem("mail.invalid"), "ok");
  EXPECT_EQ(problem(std::string(64, 'a') + ".org"),
            "has a label of 64 bytes, a label has at most 63");
}

TEST(Formats, MembersOfSetsFollowTheRuleOfSingleValues) {
  EXPECT_EQ(problems("Domain", R"({"name":"a.test","aliases":{"b.test":true,"X.TEST":true}})"),
            "ok");
  EXPECT_EQ(problems("Domain", R"({"name":"a.test","aliases":{"nodot":true}})"),
            "aliases.nodot: `nodot` needs at least one dot [bad-format]");
  EXPECT_EQ(problems("MailingList", R"({"name":"l","domainId":"b","recipients":{"nobody":true}})"),
            "recipients.nobody: `nobody` has no `@` [bad-format]");
}

TEST(Formats, NetworksTakeTheServersPrefixes) {
  const auto problem = [](std::string_view text) {
    return format_problem(StringFormat::ip_network, Validator::none, text).value_or("ok");
  };
  EXPECT_EQ(problem("10.0.0.0/8"), "ok");
  EXPECT_EQ(problem("10.0.0.0/7"), "has a prefix of 7 bits, the server takes 8 to 32");
  EXPECT_EQ(problem("10.0.0.0/33"), "has the prefix `33`");
  EXPECT_EQ(problem("0.0.0.0/0"), "has the base 0.0.0.0, which the server refuses");
  EXPECT_EQ(problem("::/0"), "has a prefix of 0 bits, the server takes 8 to 128");
  EXPECT_EQ(problem("2001:db8::/32"), "ok");
  EXPECT_EQ(problem("hello"), "is no address or network");
}

TEST(Formats, KnowLoopbackInEverySpelling) {
  for (const char* loopback : {"127.0.0.1", "127.255.0.9", "::1", "[::1]", "::ffff:127.0.0.1",
                               "::ffff:0.0.0.0", "localhost", "0.0.0.0", "::", "a.localhost"}) {
    EXPECT_TRUE(is_loopback_address(loopback)) << loopback;
  }
  for (const char* other : {"10.9.0.1", "::2", "mail.example.org", "128.0.0.1", ""})
    EXPECT_FALSE(is_loopback_address(other)) << other;
}

TEST(Formats, KnowTheEndsOfDomains) {
  for (const char* domain :
       {"example.org", "a.b.co.uk", "x.museum", "xn--e1afmkfd.xn--p1ai", "x.onion", "a.aaa", "a.zw",
        "office.lan", "a.localdomain", "localhost"})
    EXPECT_EQ(top_level_of(domain), TopLevel::known) << domain;
  for (const char* domain : {"firma.intern", "firma.loc", "x.notatld", "x.or", "x.", "", "x. "})
    EXPECT_EQ(top_level_of(domain), TopLevel::unknown) << domain;
  for (const char* domain : {"x.example", "x.invalid", "x.alt"})
    EXPECT_EQ(top_level_of(domain), TopLevel::refused) << domain;
}

TEST(Formats, KnowAMachineInEverySpelling) {
  for (const auto& [one, other] : std::vector<std::pair<std::string, std::string>>{
           {"203.0.113.30", "::ffff:203.0.113.30"},
           {"203.0.113.30", "::FFFF:cb00:711e"},
           {"203.0.113.30", "[ipv6:::ffff:203.0.113.30]"},
           {"203.0.113.30", "[203.0.113.30]"},
           {"2001:db8::1", "2001:DB8:0:0:0:0:0:1"},
           {"2001:db8::1", "[IPv6:2001:0db8::0001]"},
           {"mx.example.org", "MX.Example.org."}}) {
    EXPECT_TRUE(is_same_host(one, other)) << one << " " << other;
    EXPECT_TRUE(is_same_host(other, one)) << one << " " << other;
    EXPECT_EQ(canonical_host(other), one);
  }
  for (const auto& [one, other] :
       std::vector<std::pair<std::string, std::string>>{{"203.0.113.30", "::203.0.113.30"},
                                                        {"203.0.113.30", "64:ff9b::203.0.113.30"},
                                                        {"2001:db8::1", "2001:db8::1:1"},
                                                        {"mx.example.org", "example.org"},
                                                        {"", ""},
                                                        {"", "[]"},
                                                        {".", ""}})
    EXPECT_FALSE(is_same_host(one, other)) << one << " " << other;
}

TEST(Canonical, IsWhatTheServerStores) {
  const ir::Value value =
      canonical_value(facts(), "Domain", json(R"({"name":" Jürgen.DE ","aliases":["B.test"]})"));
  EXPECT_EQ(ir::canonical_json(value), R"({"aliases":{"B.test":true},"name":"xn--jrgen-kva.de"})")
      << "set members are stored as they are written";
  EXPECT_EQ(canonical_address("Büro@Bücher.Example.ORG"), "büro@xn--bcher-kva.example.org");
  EXPECT_EQ(canonical_domain("МОСКВА.рф"), "xn--80adxhks.xn--p1ai");
  EXPECT_EQ(canonical_domain("例え.jp"), "xn--r8jz45g.jp");
  EXPECT_EQ(canonical_text(StringFormat::ip_network, Validator::none, "192.0.2.1/32"), "192.0.2.1");
  EXPECT_EQ(canonical_text(StringFormat::ip_network, Validator::none, "2001:DB8::/48"),
            "2001:db8::/48");
  EXPECT_EQ(canonical_date("2026-03-01T01:30:00.5+02:00"), "2026-02-28T23:30:00Z");
}

TEST(Canonical, ListsAreRenumbered) {
  const ir::Value value = canonical_value(
      facts(), "Account",
      json(R"({"@type":"User","aliases":{"7":{"name":"B"},"10":{"name":"c"},"2":{"name":"a"}}})"));
  EXPECT_EQ(ir::write_json(value["aliases"]),
            R"({"0":{"name":"a"},"1":{"name":"b"},"2":{"name":"c"}})");
}

TEST(Complete, FillsEveryPropertyFromDefaults) {
  const ir::Value domain = complete_value(facts(), "Domain", json(R"({"name":"a.test"})"));
  EXPECT_EQ(domain["isEnabled"], ir::Value(true));
  EXPECT_EQ(domain["allowRelaying"], ir::Value(false));
  EXPECT_TRUE(domain.members().contains("catchAllAddress"));
  EXPECT_TRUE(domain["catchAllAddress"].is_null());
  EXPECT_EQ(domain["dkimManagement"]["@type"].string_or(""), "Automatic");
  EXPECT_EQ(domain["subAddressing"]["@type"].string_or(""), "Enabled");
  EXPECT_FALSE(domain.members().contains("createdAt"));
  const ir::Value throttle = complete_value(
      facts(), "MtaInboundThrottle",
      json(R"({"description":"x","rate":{"count":5,"period":1000},"match":{"match":{}}})"));
  EXPECT_EQ(throttle["match"]["else"].string_or(""), "true")
      << "a missing else is filled from the default";
}

}  // namespace
}  // namespace plan::schema
