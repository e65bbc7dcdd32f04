#include "compiler/syntax/value_type.h"

#include <gtest/gtest.h>

#include "compiler/ir/json.h"
#include "tests/support/repository.h"
#include "tests/support/shared_data.h"

namespace plan::syntax {
namespace {

struct Typed {
  SourceSet sources;
  Sink sink;
  ValueType type;
  std::optional<ir::Value> value;

  explicit Typed(const std::string& scalar) {
    Node node;
    node.kind = NodeKind::scalar;
    node.text = scalar;
    const FileId file = sources.add("plan.yaml", scalar);
    node.span = {file, 0, static_cast<std::uint32_t>(scalar.size())};
    const ir::Value addresses =
        ir::Value::map({{"public", "mail.example.org"}, {"proxy", "203.0.113.10"}});
    Scope values;
    values.set("addresses", addresses);
    values.set("token", ir::SecretRef{"env", "T"});
    values.set("is_on", true);
    values.set("port", 25);
    TypeScope types;
    types.set("addresses", type_of_value(addresses));
    types.set("token", type_of_value(ir::SecretRef{"env", "T"}));
    types.set("is_on", type_of_value(true));
    types.set("port", type_of_value(25));
    types.set("hosts", *parse_type("list(host)"));
    types.set("quota", *parse_type("size?"));
    types.set("wait", *parse_type("duration"));
    const auto text = parse_template(node, sources, sink);
    if (!text) return;
    type = check_type(*text, types, sink);
    Sink unheard;
    value = evaluate(*text, values, unheard);
  }
  [[nodiscard]] std::string text() const {
    const auto all = sink.sorted();
    if (all.empty()) return to_text(type);
    return std::string(info(all[0].kind).name) + " at `" + std::string(sources.text(all[0].span)) +
           "`: " + all[0].message;
  }
};

TEST(ValueType, AnObjectIsAMapOfOneType) {
  const ValueType domain = *parse_type("object(Domain)");
  EXPECT_TRUE(fits(domain, *parse_type("map")));
  EXPECT_TRUE(fits(*parse_type("map"), domain));
  EXPECT_TRUE(fits(domain, domain));
  EXPECT_FALSE(fits(domain, *parse_type("object(Account)")));
  EXPECT_FALSE(fits(domain, *parse_type("text")));
  EXPECT_FALSE(fits(*parse_type("list(text)"), domain));
  EXPECT_EQ(why_not(ir::Value::map({{"name", "a.test"}}), domain), "");
  EXPECT_EQ(why_not("a.test", domain), "this is text, where object(Domain) is needed");
}

TEST(ValueType, AreReadAndWritten) {
  for (const char* text : {"any", "text", "list(host)?", "map(list(integer?))", "secret", "rows",
                           "object(Domain)", "list(object(MtaRoute))?"})
    EXPECT_EQ(to_text(parse_type(text).value()), text);
  for (const char* text :
       {"", "nothing", "list(", "list(text", "list()", "text(text)", "list(text)x", "?", "object",
        "object()", "object(Domain", "object(list(text))", "object?"})
    EXPECT_FALSE(parse_type(text).has_value()) << text;
}

TEST(ValueType, ExpressionsHaveTheTypeOfWhatTheyWillBe) {
  EXPECT_EQ(Typed("${addresses.public}").text(), "text");
  EXPECT_EQ(Typed("${30s}").text(), "duration");
  EXPECT_EQ(Typed("${[1, 2.5]}").text(), "list(number)");
  EXPECT_EQ(Typed("${['a', domain_of('a@b.org')]}").text(), "list(text)");
  EXPECT_EQ(Typed("${first(hosts)}").text(), "host?");
  EXPECT_EQ(Typed("${default(first(hosts), 'x')}").text(), "text");
  EXPECT_EQ(Typed("${concat(hosts, hosts)}").text(), "list(host)");
  EXPECT_EQ(Typed("${choose(is_on, 1, 2)}").text(), "integer");
  EXPECT_EQ(Typed("${default(quota, 1GiB)}").text(), "size");
  EXPECT_EQ(Typed("port ${port} of ${addresses.public}").text(), "text");
  EXPECT_EQ(Typed("${token}").text(), "secret");
  EXPECT_EQ(Typed("${default(addresses.nope, 25)}").text(), "integer");
}

TEST(ValueType, MistakesAreSeenAlsoInTheBranchThatIsNotTaken) {
  EXPECT_EQ(Typed("${is_on || lower(port) == 'x'}").text(),
            "expression-type at `port`: `lower` needs text, this is integer");
  EXPECT_EQ(Typed("${choose(is_on, 1, 'x')}").text(),
            "expression-type at `'x'`: this is text, where integer is needed");
  EXPECT_EQ(Typed("${port == 'x'}").text(),
            "expression-type at `port == 'x'`: integer is never equal to text");
  EXPECT_EQ(Typed("${wait < 1GiB}").text(),
            "expression-type at `wait < 1GiB`: duration and size have different units");
  EXPECT_EQ(Typed("${quota < 1GiB}").text(),
            "expression-type at `quota < 1GiB`: size? and size have no order");
  EXPECT_EQ(Typed("${!port}").text(),
            "expression-type at `port`: this is integer, where true or false is needed");
  EXPECT_EQ(Typed("a ${first(hosts)}").text(),
            "expression-type at `first(hosts)`: host? may be missing: use `default`");
  EXPECT_EQ(Typed("${addresses.pubic}").text(),
            "unknown-name at `pubic`: there is no `pubic` here");
  EXPECT_EQ(Typed("${join(hosts)}").text(),
            "expression-type at `join(hosts)`: `join` takes 2 arguments, here is 1");
  EXPECT_EQ(Typed("${is_in_network(addresses.proxy, network('10.0.0.0/8'))}").text(),
            "expression-type at `addresses.proxy`: `is_in_network` needs ip, this is text");
}

TEST(ValueType, ASecretFlowsOnlyIntoASecret) {
  EXPECT_EQ(Typed("Bearer ${token}").text(),
            "expression-type at `token`: secret cannot be part of a text");
  EXPECT_EQ(Typed("${token == 'x'}").text(),
            "expression-type at `token == 'x'`: a secret cannot be compared");
  for (const FunctionInfo& function : all_functions()) {
    const auto [fewest, most] = arity_of(function);
    for (std::size_t secret = 0; secret < fewest; ++secret) {
      std::string arguments;
      for (std::size_t i = 0; i < fewest; ++i)
        arguments += (i == 0 ? "" : ", ") + std::string(i == secret ? "token" : "null");
      const Typed typed("${" + std::string(function.name) + "(" + arguments + ")}");
      const bool passes_through = function.name == "default" || function.name == "choose";
      if (typed.sink.empty()) {
        EXPECT_TRUE(passes_through) << function.name;
        EXPECT_EQ(to_text(typed.type).substr(0, 6), "secret") << function.name;
      }
      if (typed.value && !typed.value->is_secret()) {
        EXPECT_TRUE(passes_through) << function.name;
      }
    }
  }
  EXPECT_EQ(why_not(ir::SecretRef{"env", "T"}, *parse_type("text")), "a secret cannot become text");
  EXPECT_NE(why_not("in clear", *parse_type("secret")), "");
  EXPECT_EQ(why_not(ir::SecretRef{"env", "T"}, *parse_type("secret")), "");
}

TEST(ValueType, ValuesAreLookedAt) {
  const auto why = [](const ir::Value& value, const char* type) {
    return why_not(value, *parse_type(type));
  };
  EXPECT_EQ(why("a.example.org", "host"), "");
  EXPECT_EQ(why("a example", "host"), "`a example` is no host: ` ` cannot stand in a name");
  EXPECT_EQ(why(ir::List{"a.org", 1}, "list(domain)"), "this is integer, where domain is needed");
  EXPECT_EQ(why(ir::List{"a.org", "b"}, "list(domain)"), "`b` is no domain: it has no dot");
  EXPECT_EQ(why(ir::Value::map({{"a", 1}}), "map(integer)"), "");
  EXPECT_EQ(why(ir::Value::map({{"a", "b"}}), "map(integer)"),
            "this is text, where integer is needed");
  EXPECT_EQ(why(nullptr, "text"), "nothing stands where text is needed");
  EXPECT_EQ(why(nullptr, "text?"), "");
  EXPECT_EQ(why("10.0.0.0/33", "network"),
            "`10.0.0.0/33` is no network: behind the `/` stands no number from 0 to 32");
  EXPECT_EQ(why("alice@example.org", "address"), "");
  EXPECT_EQ(why("http://example.org", "url"),
            "`http://example.org` is no url: it does not begin with `https://`");
}

TEST(ValueType, EveryFunctionsExampleIsTrue) {
  std::string before;
  for (const FunctionInfo& function : all_functions()) {
    EXPECT_LT(before, function.name);
    before = function.name;
    const Typed typed("${" + std::string(function.example) + "}");
    ASSERT_TRUE(typed.value.has_value()) << function.example;
    EXPECT_EQ(ir::canonical_json(*typed.value), function.example_gives) << function.example;
    EXPECT_TRUE(typed.sink.empty()) << function.name << ": " << typed.text();
    EXPECT_EQ(why_not(*typed.value, typed.type), "") << function.name;
  }
}

TEST(ValueType, TheTablesOfTheReferenceAreMadeFromTheirTables) {
  const std::string page = test::read_all(test::repository() / "docs/language.md");
  EXPECT_NE(page.find(function_table_text()), std::string::npos) << "`plan docs language` writes:\n"
                                                                 << function_table_text();
  EXPECT_NE(page.find(type_table_text()), std::string::npos) << type_table_text();
}

}  // namespace
}  // namespace plan::syntax
