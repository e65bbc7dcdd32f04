#include "compiler/syntax/expression.h"

#include <gtest/gtest.h>

#include "compiler/ir/json.h"
#include "compiler/syntax/scalar.h"

namespace plan::syntax {
namespace {

struct Evaluated {
  SourceSet sources;
  Sink sink;
  std::optional<Template> text;
  std::optional<ir::Value> value;

  explicit Evaluated(const std::string& scalar) {
    Node node;
    node.kind = NodeKind::scalar;
    node.text = scalar;
    const FileId file = sources.add("plan.yaml", "x: " + scalar);
    node.span = {file, 3, static_cast<std::uint32_t>(3 + scalar.size())};
    Scope scope;
    scope.set("addresses", ir::Value::map({{"target", "New.Example.org"}, {"port", 25}}));
    scope.set("domains", ir::List{"a.org", "b.org"});
    scope.set("token", ir::SecretRef{"env", "T"});
    scope.set("is_on", true);
    text = parse_template(node, sources, sink);
    if (text) value = evaluate(*text, scope, sink);
  }
  [[nodiscard]] std::string json() const {
    return value ? ir::write_json(*value) : "(" + problem() + ")";
  }
  [[nodiscard]] std::string problem() const {
    const auto all = sink.sorted();
    return all.empty() ? ""
                       : std::string(info(all[0].kind).name) + " at `" +
                             std::string(sources.text(all[0].span)) + "`";
  }
};

TEST(Expression, AWholeScalarKeepsItsTypeAndAPartBecomesText) {
  EXPECT_EQ(Evaluated("${addresses.port}").json(), "25");
  EXPECT_EQ(Evaluated("port ${addresses.port}").json(), "\"port 25\"");
  EXPECT_EQ(Evaluated("${domains}").json(), R"(["a.org","b.org"])");
  EXPECT_EQ(Evaluated("no expression").json(), "\"no expression\"");
  EXPECT_EQ(Evaluated("$${addresses}").json(), "\"${addresses}\"");
  EXPECT_EQ(Evaluated("costs $5").json(), "\"costs $5\"");
}

TEST(Expression, LiteralsCarryTheirUnit) {
  EXPECT_EQ(Evaluated("${30s}").json(), "30000");
  EXPECT_EQ(Evaluated("${50MiB}").json(), "52428800");
  EXPECT_EQ(Evaluated("${[1, 'a', \"b\", true, null]}").json(), R"([1,"a","b",true,null])");
  EXPECT_EQ(Evaluated("${30x}").json(), "(expression-syntax at `30x`)");
}

TEST(Expression, FunctionsAndComparisonsWork) {
  EXPECT_EQ(Evaluated("${lower(addresses.target)}").json(), "\"new.example.org\"");
  EXPECT_EQ(Evaluated("${domain_of('a@b.org')}").json(), "\"b.org\"");
  EXPECT_EQ(Evaluated("${local_part_of('a@b.org')}").json(), "\"a\"");
  EXPECT_EQ(Evaluated("${join(domains, ', ')}").json(), "\"a.org, b.org\"");
  EXPECT_EQ(Evaluated("${concat(domains, ['c'])}").json(), R"(["a.org","b.org","c"])");
  EXPECT_EQ(Evaluated("${contains(domains, 'a.org') && !contains(domains, 'x')}").json(), "true");
  EXPECT_EQ(Evaluated("${default(addresses.nope.deeper, 'x')}").json(), "\"x\"");
  EXPECT_EQ(Evaluated("${domains[1]}").json(), "\"b.org\"");
  EXPECT_EQ(Evaluated("${addresses['port'] == 25 || is_on}").json(), "true");
  EXPECT_EQ(Evaluated("${length(domains)}${text(7)}").json(), "\"27\"");
}

TEST(Expression, WhatItMakesOfLargeValuesIsBounded) {
  EXPECT_EQ(Evaluated("${length(split('" + std::string(50'000, ',') + "', ','))}").json(), "50001");
  EXPECT_NE(Evaluated("${join(['a', 'b', 'c'], replace('" + std::string(60'000, 'a') + "', 'a', '" +
                      std::string(16, 'b') + "'))}")
                .json()
                .find("expression-type at"),
            std::string::npos);
  EXPECT_EQ(Evaluated("${unique([1, 'a', 1, ['a'], 'a', ['a']])}").json(), R"([1,"a",["a"]])");
}

TEST(Expression, ProblemsStandAtTheirExactPlace) {
  EXPECT_EQ(Evaluated("ab ${addresses.taget} c").json(), "(unknown-name at `taget`)");
  EXPECT_EQ(Evaluated("${nobody}").json(), "(unknown-name at `nobody`)");
  EXPECT_EQ(Evaluated("${lowr('a')}").json(), "(unknown-function at `lowr`)");
  EXPECT_EQ(Evaluated("${lower(1)}").json(), "(expression-type at `1`)");
  EXPECT_EQ(Evaluated("x ${domains}").json(), "(expression-type at `domains`)");
  EXPECT_EQ(Evaluated("${addresses.port.x}").json(), "(expression-type at `addresses.port.x`)");
  EXPECT_EQ(Evaluated("${domains[2]}").json(), "(expression-type at `domains[2]`)");
  EXPECT_EQ(Evaluated("${!addresses.port}").json(), "(expression-type at `addresses.port`)");
}

TEST(Expression, ASecretNeverBecomesTextAndIsNeverCompared) {
  EXPECT_TRUE(Evaluated("${token}").value->is_secret());
  EXPECT_EQ(Evaluated("Bearer ${token}").json(), "(expression-type at `token`)");
  EXPECT_EQ(Evaluated("${token == 'x'}").json(), "(expression-type at `token == 'x'`)");
}

TEST(Expression, EveryTruncationEndsInAValueOrAProblem) {
  const std::string whole =
      "a ${join(concat(domains, ['x', \"y\"]), ', ') == 'z' || !is_on && domains[0] != null} b";
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    const Evaluated e(whole.substr(0, size));
    EXPECT_NE(e.value.has_value(), e.sink.has_errors()) << size;
  }
}

TEST(Expression, DepthAndChainsAreBounded) {
  const auto nested = [](std::size_t depth) {
    return "${" + std::string(depth, '(') + "1" + std::string(depth, ')') + "}";
  };
  EXPECT_EQ(Evaluated(nested(32)).json(), "1");
  EXPECT_TRUE(Evaluated(nested(33)).sink.has_errors());
  EXPECT_TRUE(Evaluated("${" + std::string(50'000, '!') + "is_on}").sink.has_errors());
  std::string chain = "${is_on";
  for (int i = 0; i < 10'000; ++i) chain += " || is_on";
  EXPECT_TRUE(Evaluated(chain + "}").sink.has_errors());
}

TEST(Scalar, QuantitiesNeedTheirUnitAndFitInto63Bits) {
  EXPECT_EQ(read_permille("5%"), 50U);
  EXPECT_EQ(read_permille("0.5%"), 5U);
  EXPECT_EQ(read_permille("100%"), 1000U);
  for (const char* text : {"5", "%", "101%", "100.1%", "-1%", "1.25%", "1,5%"})
    EXPECT_EQ(read_permille(text), std::nullopt) << text;
  EXPECT_EQ(read_time_ms("1970-01-01T00:00:01Z"), 1000);
  EXPECT_EQ(read_time_ms("2026-12-01T02:00+01:00"), read_time_ms("2026-12-01T01:00:00Z"));
  EXPECT_EQ(read_time_ms("2026-12-01T02:00:00Z"), 1'796'090'400'000);
  for (const char* text :
       {"2026-12-01", "2026-12-01T02:00", "2026-13-01T02:00Z", "2026-02-30T02:00Z",
        "2026-12-01T24:00Z", "2026-12-01 02:00Z", "2026-12-01T02:00+1:00", "2026-12-01T02:00Zx"})
    EXPECT_EQ(read_time_ms(text), std::nullopt) << text;
  EXPECT_EQ(read_duration_ms("500ms"), 500U);
  EXPECT_EQ(read_duration_ms("2h"), 7'200'000U);
  EXPECT_EQ(read_duration_ms("30"), std::nullopt);
  EXPECT_EQ(read_duration_ms("30 s"), std::nullopt);
  EXPECT_EQ(read_duration_ms("-1s"), std::nullopt);
  EXPECT_EQ(read_duration_ms("9223372036854775807ms"), 9223372036854775807U);
  EXPECT_EQ(read_duration_ms("9223372036854775808ms"), std::nullopt);
  EXPECT_EQ(read_bytes("1KiB"), 1024U);
  EXPECT_EQ(read_bytes("1kB"), 1000U);
  EXPECT_EQ(read_bytes("1K"), std::nullopt);
  EXPECT_EQ(read_integer("007"), std::nullopt);
  EXPECT_EQ(read_integer("-7"), -7);
}

}  // namespace
}  // namespace plan::syntax
