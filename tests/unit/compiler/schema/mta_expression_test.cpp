#include "compiler/schema/mta_expression.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "compiler/schema/errors.h"
#include "compiler/schema/limits.h"
#include "compiler/schema/mta_container.h"
#include "tests/support/told_error.h"
#include "tests/unit/compiler/schema/schema_documents.h"

namespace plan::schema {
namespace {

using test::facts;

const MtaContext& route() { return context_of("x:MtaOutboundStrategy", "route"); }

/// "ok", or "offset: message", with "*" before it when the server would take the text.
std::string parsed(std::string_view text, const MtaContext& context = route()) {
  MtaError error;
  if (parse_mta_expression(text, context, &error)) return "ok";
  return (error.is_refused_by_server ? "" : "*") + std::to_string(error.offset) + ": " +
         error.message;
}

MtaEnvironment world() {
  MtaEnvironment environment;
  environment.variable = [](std::string_view name) -> ir::Value {
    if (name == "rcpt") return "User01@Example.org";
    if (name == "rcpt_domain") return "example.org";
    if (name == "retry_num") return 2;
    if (name == "source") return "dsn";
    if (name == "recipients") return ir::List{"a@x.test", "b@x.test"};
    return {};
  };
  environment.call = [](std::string_view name,
                        const std::vector<ir::Value>& arguments) -> std::optional<ir::Value> {
    if (name == "is_local_domain") return ir::Value(text_of(arguments[0]) == "example.org");
    if (name == "is_local_address") return ir::Value(text_of(arguments[0]) == "user01@example.org");
    if (name == "key_exists")
      return ir::Value(text_of(arguments[0]) == "moved" &&
                       text_of(arguments[1]) == "user01@example.org");
    if (name == "system") return ir::Value("example.org");
    return std::nullopt;
  };
  return environment;
}

Result<ir::Value> evaluated(std::string_view text) {
  const auto expression = parse_mta_expression(text, route(), nullptr);
  return expression ? evaluate(*expression, world()) : ir::Value("no expression");
}

std::string value(std::string_view text) {
  const auto result = evaluated(text);
  return result ? text_of(*result) : result.error().to_line();
}

TEST(MtaParse, TakesEveryDefaultOfTheSchemaInItsPlace) {
  std::size_t checked = 0;
  for (const Struct& structure : facts().structures()) {
    for (const Property& property : structure.properties()) {
      if (property.type.reference != "x:Expression" || !property.default_value) continue;
      for (const ExpressionProblem& problem :
           check_container(*property.default_value, context_of(structure.name, property.name),
                           result_of(structure.name, property.name))) {
        ADD_FAILURE() << structure.name << "." << property.name << " " << problem.part << ": "
                      << problem.message;
      }
      ++checked;
    }
  }
  EXPECT_EQ(checked, 98U);
}

/// "ok", or the place and the message of the first result that is of another type.
std::string result(std::string_view structure, std::string_view property, std::string_view text) {
  const MtaContext& context = context_of(structure, property);
  const auto expression = parse_mta_expression(text, context, nullptr);
  if (!expression) return "no expression";
  const auto wrong = wrong_result(*expression, text, result_of(structure, property), context);
  if (!wrong) return "ok";
  EXPECT_FALSE(wrong->is_refused_by_server) << text;
  return std::to_string(wrong->offset) + ": " + wrong->message +
         (wrong->nearest.empty() ? "" : " (" + wrong->nearest + ")");
}

/// How many expressions the schema has; each needs a row, and a default of its type.
std::size_t expressions_with_rows(const Schema& schema) {
  std::size_t found = 0;
  for (const Struct& structure : schema.structures()) {
    for (const Property& property : structure.properties()) {
      if (property.type.reference != "x:Expression") continue;
      ++found;
      EXPECT_TRUE(has_result(structure.name, property.name))
          << structure.name << "." << property.name;
      if (!property.default_value) continue;
      for (const ExpressionProblem& problem :
           check_container(*property.default_value, context_of(structure.name, property.name),
                           result_of(structure.name, property.name)))
        ADD_FAILURE() << structure.name << "." << property.name << " " << problem.part << ": "
                      << problem.message;
    }
  }
  return found;
}

TEST(MtaResult, HasARowForEveryExpressionOfTheSchema) {
  EXPECT_GT(expressions_with_rows(facts()), 100U);
}

class RealExpressions : public testing::TestWithParam<const char*> {};

TEST_P(RealExpressions, HaveARowEach) {
  PLAN_SHARED(path, std::string("data/schema/stalwart-") + GetParam() + ".schema.json.gz");
  const auto schema = Schema::read(test::unzipped(path));
  ASSERT_TRUE(schema);
  EXPECT_EQ(expressions_with_rows(*schema), 123U);
}
INSTANTIATE_TEST_SUITE_P(Versions, RealExpressions,
                         testing::Values("0.16.0", "0.16.15", "0.16.19"));

TEST(MtaResult, OfAFunctionIsOfAFunctionThatThereIs) {
  std::size_t known = 0;
  for (const MtaFunction& function : mta_functions())
    known += type_given_by(function.name) == MtaType::unknown ? 0U : 1U;
  EXPECT_EQ(known, 44U);
}

TEST(MtaResult, IsTheOneOfItsProperty) {
  EXPECT_EQ(result("MtaStageData", "maxMessages", "'abc'"),
            "0: needs a whole number, and `'abc'` is a text");
  EXPECT_EQ(result("MtaStageData", "maxMessages", "rcpt"),
            "0: needs a whole number, and `rcpt` is a text");
  EXPECT_EQ(result("MtaStageData", "maxMessages", "'10'"),
            "0: needs a whole number, and `'10'` is a text (10)");
  EXPECT_EQ(result("MtaStageData", "maxMessages", "true"),
            "0: needs a whole number, and `true` is true or false");
  EXPECT_EQ(result("MtaStageData", "maxMessages", "1.5"),
            "0: needs a whole number, and `1.5` is no whole one");
  EXPECT_EQ(result("MtaStageData", "maxMessageSize", "50m"),
            "0: needs a number of bytes, and `50m` is a duration");
  EXPECT_EQ(result("MtaStageRcpt", "maxRecipients", "-5"),
            "0: needs a whole number, and `-5` is negative");
  EXPECT_EQ(result("MtaStageRcpt", "waitOnFail", "'5s'"),
            "0: needs a duration such as `5s`, and `'5s'` is a text");
  EXPECT_EQ(result("MtaStageRcpt", "waitOnFail", "false"),
            "0: needs a duration such as `5s`, and `false` is true or false");
  EXPECT_EQ(result("MtaStageAuth", "require", "'abc'"),
            "0: needs true or false, and `'abc'` is a text");
  EXPECT_EQ(result("MtaStageAuth", "require", "'true'"),
            "0: needs true or false, and `'true'` is a text (true)");
  EXPECT_EQ(result("MtaStageAuth", "require", "5"), "0: needs true or false, and `5` is a number");
  EXPECT_EQ(
      result("MtaStageAuth", "saslMechanisms", "5"),
      "0: needs a list of mechanisms such as `[plain, login]`, or false, and `5` is a number");
  EXPECT_EQ(result("MtaStageAuth", "saslMechanisms", "[plain, 'login']"),
            "8: needs a list of mechanisms such as `[plain, login]`, or false, and `'login'` is a "
            "text (login)");
  EXPECT_EQ(result("MtaOutboundStrategy", "schedule", "5"),
            "0: needs a name in quotes, and `5` is a number");
  EXPECT_EQ(result("MtaOutboundStrategy", "tls", "true"),
            "0: needs a name in quotes, and `true` is true or false");
  EXPECT_EQ(result("MtaOutboundStrategy", "route", "''"),
            "0: needs a name in quotes, this one is empty");
  EXPECT_EQ(result("MtaOutboundStrategy", "route", "if_then(retry_num > 0, 'mx', 5)"),
            "29: needs a name in quotes, and `5` is a number");
  EXPECT_EQ(result("SenderAuth", "arcVerify", "'strict'"),
            "0: needs one of relaxed, strict, disable, and `'strict'` is a text (strict)");
  EXPECT_EQ(result("MtaExtensions", "mtPriority", "5"),
            "0: needs one of mixer, stanag4406, nsep, or false, and `5` is a number");
  EXPECT_EQ(result("DkimReportSettings", "sendFrequency", "[1]"),
            "0: needs a rate such as `[1, 1d]`, or false, and `[1]` is a list");
  EXPECT_EQ(result("Http", "allowedEndpoints", "5"),
            "0: needs a status of HTTP such as `200`, and `5` is none");
  EXPECT_EQ(result("MtaStageConnect", "script", "true"),
            "0: needs a text in quotes, or false, and `true` is true or false");
}

TEST(MtaResult, TakesWhatThePropertyTakesAndWhatNobodyCanTell) {
  const auto takes = [](std::string_view structure, std::string_view property,
                        std::initializer_list<std::string_view> texts) {
    for (const std::string_view text : texts)
      EXPECT_EQ(result(structure, property, text), "ok") << property << " " << text;
  };
  takes("MtaStageData", "maxMessages",
        {"10", "0", "10 * 2", "key_get('limits', rcpt)", "if_then(is_tls, 10, 100)",
         "count(recipients) + 10"});
  takes("MtaStageData", "maxMessageSize", {"104857600", "100 * 1024 * 1024"});
  takes("MtaStageRcpt", "waitOnFail", {"5s", "500", "1m + 30s", "if_then(is_tls, 5s, 1m)"});
  takes("MtaExtensions", "deliverBy", {"false", "15d"});
  takes("MtaStageAuth", "require",
        {"true", "false", "1", "0", "local_port != 25", "!is_tls", "is_tls",
         "key_exists('trusted', remote_ip)", "is_tls && local_port == 465"});
  takes("MtaStageAuth", "saslMechanisms", {"false", "[]", "plain", "[plain, login]"});
  takes("MtaOutboundStrategy", "route",
        {"'mx'", "key_get('routes', rcpt_domain)", "rcpt_domain", "'r-' + rcpt_domain", "$1",
         "split(rcpt, '@')[1]"});
  takes("MtaStageRcpt", "rewrite", {"false", "$1 + '@example.org'", "rcpt"});
  takes("SenderAuth", "dkimSignDomain", {"false", "sender_domain", "'example.org'"});
  takes("SenderAuth", "arcVerify", {"disable"});
  takes("MtaExtensions", "mtPriority", {"false", "mixer"});
  takes("DmarcReportSettings", "aggregateSendFrequency", {"daily", "disable"});
  takes("DmarcReportSettings", "failureSendFrequency", {"[1, 1d]", "false"});
  takes("Http", "allowedEndpoints", {"200", "404"});
  takes("SpamDnsblServerIp", "zone", {"ip_reverse + '.zen.test'", "false"});
  takes("LaterServer", "anything", {"5", "'abc'"});
}

TEST(MtaParse, TakesTheExpressionsOfSplitDelivery) {
  for (const char* text :
       {"key_exists('moved', to_lowercase(rcpt))", "key_exists('moving', to_lowercase(rcpt))",
        "is_local_domain(rcpt_domain)", "is_local_address(to_lowercase(rcpt))", "'local'", "'old'",
        "'mx'", "is_local_address(rcpt)",
        "key_exists('moved', to_lowercase(rcpt)) && is_local_address(to_lowercase(rcpt))",
        "contains(['a@x.test', 'b@x.test'], to_lowercase(rcpt))",
        "received_from_ip == '192.0.2.1' && is_local_domain(rcpt_domain)"}) {
    EXPECT_EQ(parsed(text), "ok") << text;
  }
  EXPECT_EQ(parsed("!is_empty(authenticated_as) || remote_ip == '192.0.2.1'",
                   context_of("x:MtaStageRcpt", "allowRelaying")),
            "ok");
}

TEST(MtaParse, IsStricterThanTheServerAndSaysSo) {
  EXPECT_EQ(parsed("retry_num >"), "*10: `>` has no right side");
  EXPECT_EQ(parsed("&& true"), "*0: `&&` where a value belongs");
  EXPECT_EQ(parsed("true &&"), "*5: `&&` has no right side");
  EXPECT_EQ(parsed("true && && true"), "*8: `&&` where a value belongs");
  EXPECT_EQ(parsed("!"), "*0: `!` has nothing after it");
  EXPECT_EQ(parsed("-"), "*0: `-` has nothing after it");
  EXPECT_EQ(parsed("()"), "*0: `()` holds nothing");
  EXPECT_EQ(parsed("'mx' 'old'"), "*5: `'` where an operator belongs");
  EXPECT_EQ(parsed("rcpt rcpt_domain"), "*5: `rcpt_domain` where an operator belongs");
  EXPECT_EQ(parsed("rcpt,"), "*4: `,` outside a function or list");
  EXPECT_EQ(
      parsed("'it''s'"),
      "*4: two texts side by side: a quote inside a text is written with the other kind of quotes");
  EXPECT_EQ(parsed("   "), "*0: expression is empty");
  EXPECT_EQ(parsed("$99"), "*0: `$99` is no capture group");
  EXPECT_EQ(parsed("retry_num =5"),
            "*10: a single `=` swallows the character after it on the server: write `==`");
  EXPECT_EQ(parsed("true } nonsense here"),
            "*5: the server ends the expression at `}` without a word");
}

TEST(MtaParse, SaysWhatToWriteInsteadOfWhatOtherLanguagesHave) {
  const auto instead = [](std::string_view text) {
    MtaError error;
    return parse_mta_expression(text, route(), &error) ? "nothing" : error.nearest;
  };
  EXPECT_EQ(instead("retry_num = 5"), "==");
  EXPECT_EQ(instead("true and false"), "&&");
  EXPECT_EQ(instead("true or false"), "||");
  EXPECT_EQ(instead("not true"), "!");
  EXPECT_EQ(instead("not(true)"), "!");
  EXPECT_EQ(instead("rcpt_domain in ['a.test']"), "contains([…], …)");
  EXPECT_EQ(instead("true ? 'mx' : 'old'"), "if_then(…, …, …)");
  EXPECT_EQ(instead("to_lowercas(rcpt)"), "to_lowercase");
  EXPECT_EQ(instead("rcpt_domian == 'a'"), "rcpt_domain");
  EXPECT_EQ(instead("dns_query(rcpt_domain, 'mxx')"), "mx");
}

TEST(MtaParse, WhatOnlyMisbehavesWhenMailArrivesIsAnErrorToo) {
  EXPECT_EQ(parsed("'a\\b'"),
            "*0: a backslash stays in the text; only the pattern of `matches` may have one");
  EXPECT_EQ(parsed("'a\\n' == rcpt"),
            "*0: a backslash stays in the text; only the pattern of `matches` may have one");
  EXPECT_EQ(parsed("matches('^a\\.b$', rcpt)"), "ok");
  EXPECT_EQ(parsed("matches('^a$', 'a\\.b')"),
            "*15: a backslash stays in the text; only the pattern of `matches` may have one");
  EXPECT_EQ(parsed("dns_query(rcpt_domain, 'a')"),
            "*23: `dns_query` knows ip, mx, txt, ptr, ipv4, ipv6, not `a`");
  EXPECT_EQ(parsed("email_part(rcpt, 'name')"),
            "*17: `email_part` knows local, domain, not `name`");
  EXPECT_EQ(parsed("if_then(source == 'dsn', 'mx')"),
            "0: `if_then` takes 3 arguments, 2 are given");
  EXPECT_EQ(parsed("true\xc2\xa0&& true"), "4: unexpected character `\xc2\xa0`");
  EXPECT_EQ(parsed("true\n&& true"), "ok");
  EXPECT_EQ(parsed("true # why"), "5: unexpected character `#`");
  EXPECT_EQ(parsed("{true}"), "0: unexpected character `{`");
  EXPECT_EQ(parsed("true; false"), "4: unexpected character `;`");
}

TEST(MtaParse, AConstantBelongsToItsProperty) {
  struct Place {
    const char* structure;
    const char* property;
    const char* text;
    bool is_good;
  };
  for (const Place& place : std::initializer_list<Place>{
           {"x:SenderAuth", "spfFromVerify", "relaxed", true},
           {"x:SenderAuth", "dmarcVerify", "strict", true},
           {"x:SenderAuth", "dkimSignDomain", "relaxed", false},
           {"x:MtaStageConnect", "script", "relaxed", false},
           {"x:MtaStageAuth", "saslMechanisms", "[plain, login]", true},
           {"x:MtaStageAuth", "require", "plain", false},
           {"x:MtaExtensions", "mtPriority", "mixer", true},
           {"x:MtaExtensions", "dsn", "mixer", false},
           {"x:DmarcReportSettings", "aggregateSendFrequency", "daily", true},
           {"x:DmarcReportSettings", "aggregateSubject", "daily", false},
           {"x:TlsReportSettings", "sendFrequency", "weekly", true},
           {"x:MtaOutboundStrategy", "tls", "require", false},
           {"x:MtaStageRcpt", "allowRelaying", "rcpt_domain", true},
           {"x:MtaStageRcpt", "maxRecipients", "rcpt_domain", false},
           {"x:MtaOutboundStrategy", "route", "mx", false},
           {"x:MtaOutboundStrategy", "connection", "mx", true},
           {"x:DsnReportSettings", "fromName", "rcpt", false},
           {"x:SubAddressingCustom", "customRule", "rcpt", true},
           {"x:SubAddressingCustom", "customRule", "sender", false},
           {"x:Http", "allowedEndpoints", "path", true},
           {"x:Http", "allowedEndpoints", "rcpt", false}}) {
    EXPECT_EQ(parsed(place.text, context_of(place.structure, place.property)) == "ok",
              place.is_good)
        << place.structure << "." << place.property << ": " << place.text;
  }
}

TEST(MtaParse, RefusesWhatTheServerRefuses) {
  EXPECT_EQ(parsed(""), "0: expression is empty");
  EXPECT_EQ(parsed("(true"), "0: `(` is not closed");
  EXPECT_EQ(parsed("true)"), "4: `)` without its opening bracket");
  EXPECT_EQ(parsed("'mx"), "0: text has no closing quote");
  EXPECT_EQ(parsed("'a\\\\'"), "0: text has no closing quote")
      << "a text cannot end in a backslash";
  EXPECT_EQ(parsed("true\t"), "4: a tab is no white space in an expression");
  EXPECT_EQ(parsed("local"),
            "0: there is no variable or constant `local` here (queue, recipient); a text is "
            "written `'local'`");
  EXPECT_EQ(parsed("is_local_domain('*', rcpt_domain)"),
            "0: `is_local_domain` takes 1 argument, 2 are given");
  EXPECT_EQ(parsed("remote_ip == '1'"),
            "0: there is no variable or constant `remote_ip` here (queue, recipient); a text is "
            "written `'remote_ip'`");
  EXPECT_EQ(parsed("matches(rcpt, 'x')"), "8: the first argument of `matches` is a text in quotes");
  EXPECT_EQ(parsed("true and false"), "5: there is no operator `and`");
  EXPECT_EQ(parsed("5 % 2"), "2: unexpected character `%`");
  EXPECT_EQ(parsed("5x"), "1: `x` is no unit: ms, s, m, h or d");
  EXPECT_EQ(
      parsed("system('nonsense')"),
      "7: `system` knows domain, hostname, node_id, node_hostname, node_role, not `nonsense`");
}

TEST(MtaParse, IsBounded) {
  EXPECT_EQ(
      parsed(std::string(kExpressionDepthMax, '(') + "1" + std::string(kExpressionDepthMax, ')')),
      "ok");
  EXPECT_NE(parsed(std::string(kExpressionDepthMax + 1, '(') + "1" +
                   std::string(kExpressionDepthMax + 1, ')')),
            "ok");
  EXPECT_NE(parsed(std::string(60'000, '(')), "ok");
  EXPECT_NE(parsed("'" + std::string(kExpressionBytesMax, 'x') + "'"), "ok");
  std::string sum = "1";
  for (int i = 0; i < 6000; ++i) sum += "+1";
  EXPECT_NE(parsed(sum), "ok");
}

TEST(MtaParse, EveryTruncationIsAnAnswer) {
  const std::string text =
      "key_exists('moved', to_lowercase(rcpt)) && !(retry_num >= 5m) || matches(\"^(a|b)\\\\.x$\", "
      "$0[1]) == [1, 'x', -2.5s]";
  for (std::size_t size = 0; size < text.size(); ++size) (void)parsed(text.substr(0, size));
  EXPECT_EQ(parsed("(" + text + ")"), "ok");
}

TEST(MtaEvaluate, KnowsPrecedence) {
  EXPECT_EQ(value("1 + 2 * 3"), "7");
  EXPECT_EQ(value("(1 + 2) * 3"), "9");
  EXPECT_EQ(value("10 - 2 - 3"), "5");
  EXPECT_EQ(value("1 || 0 && 0"), "1");
  EXPECT_EQ(value("1 ^ 1 || 0"), "0");
  EXPECT_EQ(value("2 > 1 == true"), "1");
  EXPECT_EQ(value("-2 + 5"), "3");
  EXPECT_EQ(value("5 / 0"), "0");
  EXPECT_EQ(value("90s"), "90000");
  EXPECT_EQ(value("1.5h"), "5400000");
}

TEST(MtaEvaluate, RoutesByTheSetWhateverTheLetterCase) {
  EXPECT_EQ(value("is_local_address(rcpt)"), "0") << "rcpt keeps the case of the local part";
  EXPECT_EQ(value("is_local_address(to_lowercase(rcpt))"), "1");
  EXPECT_EQ(value("key_exists('moved', to_lowercase(rcpt))"), "1");
  EXPECT_EQ(value("key_exists('moving', to_lowercase(rcpt))"), "0");
}

TEST(MtaEvaluate, ShortCircuitsBeforeACallbackThatCannotAnswer) {
  EXPECT_EQ(value("false && dns_query('x', 'mx')"), "0");
  EXPECT_EQ(value("true || dns_query('x', 'mx')"), "1");
  EXPECT_EQ(value("if_then(true, 'a', dns_query('x', 'mx'))"), "a");
  const auto asked = evaluated("dns_query('x', 'mx')");
  ASSERT_FALSE(asked);
  EXPECT_TRUE(test::told_as("expression-undecided", asked.error()));
}

TEST(MtaEvaluate, WhatOneSideDecidesHangsOnNoOther) {
  const std::string unknown = "dns_query('x', 'mx')";
  EXPECT_EQ(value(unknown + " && false"), "0");
  EXPECT_EQ(value(unknown + " || true"), "1");
  EXPECT_EQ(value("!(" + unknown + " && is_empty(rcpt))"), "1");
  EXPECT_EQ(value(unknown + " == 'x' && rcpt_domain == 'other.test' && " + unknown), "0");
  EXPECT_EQ(value("(" + unknown + " || true) && (" + unknown + " && false) || 5"), "1");
  EXPECT_EQ(value(unknown + " && matches('^nobody@', rcpt)"), "0");
  const auto is_undecided = [](const std::string& text) {
    const auto answer = evaluated(text);
    return !answer && answer.error().message().find("`dns_query('x', 'mx')`") != std::string::npos;
  };
  for (const char* const rest :
       {" && true", " || false", " ^ true", " == 1 && true", " && dns_query('y', 'mx')",
        " || dns_query('y', 'mx')", " && matches('.', rcpt)"})
    EXPECT_TRUE(is_undecided(unknown + rest)) << rest;
  EXPECT_TRUE(is_undecided("true && " + unknown));
  EXPECT_TRUE(is_undecided("false || " + unknown));
}

// What a pattern has found that the server may or may not have asked is not known either.
TEST(MtaEvaluate, CapturesOfWhatCannotBeToldAreNotTold) {
  for (const char* const text :
       {"(matches('^([a-z]+)$', dns_query('x', 'mx')) && $1 == 'a') || false",
        "matches('^([a-z]+)$', dns_query('x', 'mx')) && $1 == 'a'",
        "((dns_query('x', 'mx') && !matches('^(.)', rcpt)) || true) && $1 == 'U'",
        "((dns_query('x', 'mx') || matches('^(.)', rcpt)) && true) && $1 == 'z'"}) {
    const auto answer = evaluated(text);
    ASSERT_FALSE(answer) << text;
    EXPECT_TRUE(answer.error().is(errors::expression_undecided)) << text;
  }
  EXPECT_EQ(value("(dns_query('x', 'mx') && matches('^z', rcpt)) || matches('^(.)', rcpt) && $1 == "
                  "'U'"),
            "1");
}

TEST(MtaEvaluate, TextFunctions) {
  EXPECT_EQ(value("email_part(rcpt, 'local') + '@' + email_part(rcpt, 'domain')"),
            "User01@Example.org");
  EXPECT_EQ(value("contains(recipients, 'a@x.test')"), "1");
  EXPECT_EQ(value("contains('abc', 'bc') + contains_ignore_case('ABC', 'bc')"), "2");
  EXPECT_EQ(value("split('a,b,c', ',')[1]"), "b");
  EXPECT_EQ(value("rsplit_once('a.b.c', '.')[0]"), "a.b");
  EXPECT_EQ(value("count(split_words('one two, three'))"), "3");
  EXPECT_EQ(value("strip_prefix('abc', 'a') + strip_suffix('abc', 'c')"), "bcab");
  EXPECT_EQ(value("substring('abcdef', 2, 3)"), "cde");
  EXPECT_EQ(value("is_ip_in_cidr('10.1.2.3', '10.0.0.0/8')"), "1");
  EXPECT_EQ(value("is_ip_in_cidr('11.1.2.3', '10.0.0.0/8')"), "0");
  EXPECT_EQ(value("len('')"), "0");
  EXPECT_EQ(value("trim('  a ') + '|'"), "a|");
}

TEST(MtaEvaluate, CapturesOfMatches) {
  EXPECT_EQ(value("if_then(matches('^([a-z]+)\\+(.*)@', 'bob+tag@x'), $1 + '/' + $2, 'none')"),
            "bob/tag");
  EXPECT_EQ(value("matches('(?i)^USER', 'user01')"), "1");
  EXPECT_NE(value("matches('[z-a]', 'x')").find("expression-undecided"), std::string::npos);
}

TEST(MtaEvaluate, ABackReferenceAndAHugeCountAreNotTried) {
  for (const char* pattern : {"(a)\\1", "\\55556039700333333333", "a{99999999999999999999}",
                              "a{1,99999999999999999999}", "[\\9]"})
    EXPECT_NE(value(fmt::format("matches('{}', 'a')", pattern)).find("expression-undecided"),
              std::string::npos)
        << pattern;
  EXPECT_EQ(value("matches('^a{2,3},12345678901234567890$', 'aaa,12345678901234567890')"), "1");
  EXPECT_EQ(value("matches('^\\d+\\.1{1}$', '12.1')"), "1");
}

TEST(MtaEvaluate, AHostilePatternTakesLinearTime) {
  EXPECT_EQ(value("matches('^(a+)+$', '" + std::string(2000, 'a') + "b')"), "0");
}

TEST(MtaEvaluate, ATextThatDoublesIsBounded) {
  std::string text = "'" + std::string(60'000, 'x') + "'";
  std::string sum = text;
  EXPECT_EQ(value(text), std::string(60'000, 'x'));
  MtaContext context = route();
  const auto expression = parse_mta_expression("recipients + recipients", context, nullptr);
  ASSERT_TRUE(expression);
  MtaEnvironment environment = world();
  environment.variable = [](std::string_view) -> ir::Value {
    return std::string(kEvaluatedBytesMax, 'x');
  };
  const auto result = evaluate(*expression, environment);
  ASSERT_FALSE(result);
  EXPECT_TRUE(test::told_as("expression-too-large", result.error()));
}

TEST(MtaContainerTest, TakesTheFirstTrueArmInNumericOrder) {
  ir::Value match = ir::Value::map();
  match.set("10", ir::Value::map({{"if", "true"}, {"then", "'late'"}}));
  match.set("2", ir::Value::map(
                     {{"if", "key_exists('moved', to_lowercase(rcpt))"}, {"then", "'early'"}}));
  const auto container =
      MtaContainer::parse(ir::Value::map({{"match", match}, {"else", "'mx'"}}), route());
  ASSERT_TRUE(container) << container.error().to_line();
  const auto chosen = container->choose(world());
  ASSERT_TRUE(chosen);
  EXPECT_EQ(chosen->arm, 0U);
  EXPECT_EQ(text_of(chosen->value), "early");
}

TEST(MtaContainerTest, SaysWhichPartIsWrong) {
  const auto container =
      MtaContainer::parse(ir::Value::map({{"match", ir::Value::map()}, {"else", "mx"}}), route());
  ASSERT_FALSE(container);
  EXPECT_TRUE(test::told_as("bad-expression", container.error()));
}

}  // namespace
}  // namespace plan::schema
