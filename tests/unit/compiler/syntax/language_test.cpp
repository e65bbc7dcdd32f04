#include "compiler/syntax/language.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "compiler/syntax/expression.h"
#include "compiler/syntax/yaml.h"
#include "tests/support/processor_time.h"
#include "tests/support/repository.h"
#include "tests/support/shared_data.h"
#include "tests/unit/compiler/syntax/tree_text.h"

namespace plan::syntax {
namespace {

struct Read {
  SourceSet sources;
  Sink sink;
  std::optional<Node> tree;

  explicit Read(std::string text, const TreeLimits& limits = {}, const char* name = "x.plan") {
    tree = read_source(sources, sources.add(name, std::move(text)), sink, limits);
  }
  [[nodiscard]] std::string text() const {
    return tree ? tree_text(*tree) : "(" + problems() + ")";
  }
  /// `line:column "token" message`, one line each.
  [[nodiscard]] std::string problems() const {
    std::string lines;
    for (const Diagnostic& d : sink.sorted()) {
      const Position place = sources.position(d.span.file, d.span.begin);
      lines +=
          fmt::format("{}:{} `{}` {}\n", place.line, place.column, sources.text(d.span), d.message);
    }
    return lines;
  }
};

TEST(Language, AndYamlGiveTheSameTree) {
  const Read yaml(R"(plan: 1
name: example.org to Stalwart
use: std/dovecot-postfix
addresses: {public: mail.example.org, target: 203.0.113.30}
source:
  master_user: {name: vmadmin, separator: "*", password: !secret env:VMADMIN_PASSWORD}
  certificate: !lock certificate
target:
  url: https://${addresses.target}
  port: "${default(source.port, 25)}"
  nothing: null
domains: [example.org, "12"]
move: {hold_bound: 20s, copy_passes: 5, is_on: true, share: 1.5}
)",
                  {}, "x.yaml");
  const Read language(R"(# A comment goes wherever a blank goes.
plan = 1
name = "example.org to Stalwart"
use std/dovecot-postfix
addresses { public = "mail.example.org" target = "203.0.113.30" }
source {
  master_user = { name = "vmadmin", separator = "*", password = secret "env:VMADMIN_PASSWORD" }
  certificate = lock "certificate"
}
target {
  url = "https://${addresses.target}"  # and behind values
  port = default(source.port, 25)
  nothing = null
}
domains = ["example.org", "12"]
move { hold_bound = 20s  copy_passes = 5  is_on = true  share = 1.5 }
)");
  EXPECT_EQ(language.text(), yaml.text());
}

TEST(Language, ModulesHaveStatements) {
  const Read yaml(R"yaml(module: mine
about: what it does
use:
  - std/dovecot-postfix
  - {module: ./more.plan, as: more, digest: "sha256:00", with: {port: 25}}
inputs:
  port: integer
  names: {type: "list(host)?", default: [a.org]}
let: {is_large: "${length(accounts) > 100}"}
steps:
  - id: account/{}/hold
    kind: proxy.hold
    for: account in accounts
    stage: waves
    role: held
    after: ["account/{}/copy", source/door]
    when: ${account.enabled && !is_large}
    args:
      account: ${account.address}
      set: !numbered
        - !for
          each: domain
          in: ${domain_names}
          give:
            - {if: "rcpt_domain == '${domain}'"}
        - last
)yaml",
                  {}, "x.yaml");
  const Read language(R"(module mine
about = "what it does"
use std/dovecot-postfix
use ./more.plan as more digest "sha256:00" { port = 25 }
input port : integer
input names : list(host)? = ["a.org"]
let is_large = length(accounts) > 100
step account/{}/hold for account in accounts : proxy.hold {
  stage = waves
  role = held
  after = [account/{}/copy, source/door]
  when = account.enabled && !is_large
  account = account.address
  set = numbered [
    for domain in domain_names [{ if = "rcpt_domain == '${domain}'" }],
    "last",
  ]
}
)");
  EXPECT_EQ(language.text(), yaml.text());
}

TEST(Language, TextsHaveEscapesAndSingleQuotesMeanWhatStandsThere) {
  EXPECT_EQ(
      Read(R"(a = "x\"y\\z\n\t" b = 'no ${expression}' "a key" = "$${x}")").text(),
      Read(R"({a: "x\"y\\z\n\t", b: "no $${expression}", a key: "$${x}"})", {}, "x.yaml").text());
}

TEST(Language, TenMistakesAreTenDiagnosticsAtTheirPlaces) {
  const Read read(R"(module mine
input port integer
let x =
use std/dovecot-postfix as 12
addresses {
  public "mail.example.org"
  proxy = "203.0.113.10
  source = [1, 2 3]
  target = lower(name,, 1)
}
step one : mark.rollback-point {
  after [a]
  when = a && )
  stage = 12
  point = { x = 1
}
step two mark.rollback-point {
}
last = 30x
)");
  EXPECT_EQ(read.problems(), R"(2:12 `integer` `:` should stand here
3:8 `
` something on this line should stand here
4:28 `12` a word should stand here
6:10 `"mail.example.org"` `=` or `{` should stand here
7:11 `"203.0.113.10` the text is not closed
8:18 `3` `,` or `]` should stand here
9:23 `,` an expression should stand here
12:9 `[` `=` or `{` should stand here
13:15 `)` an expression should stand here
14:11 `12` a word should stand here
16:2 `
` an entry or `}` should stand here
17:10 `mark` `:` should stand here
19:8 `30x` `30x` is no number with a unit that is known
)");
}

TEST(Language, ALoopWithoutItsListSaysWhichBracketIsMissing) {
  const Read read("all = [for one in [1, 2] { one }]\n");
  const auto all = read.sink.sorted();
  ASSERT_FALSE(all.empty());
  EXPECT_EQ(all[0].message, "`[` should stand here");
}

TEST(Language, WhatIsIndentedBelowABrokenStatementIsNotReadByItself) {
  for (const std::string head : {"step one : approval", "steps one : approval {"}) {
    const Read read("module mine\n" + head +
                    "\n  after = [a/{}]\n\n  args = { stage = \"x\" }\n}\nlast = 30x\n");
    const auto all = read.sink.sorted();
    ASSERT_EQ(all.size(), 2U) << read.problems();
    EXPECT_EQ(all[1].message, "`30x` is no number with a unit that is known");
  }
}

TEST(Language, ABracketThatIsNotClosedIsShown) {
  const Read read("a { b = [1, 2\n  c = 3\n}\nd = { e = 4\n");
  const auto all = read.sink.sorted();
  ASSERT_EQ(all.size(), 2U) << read.problems();
  ASSERT_EQ(all[0].notes.size(), 1U);
  EXPECT_EQ(read.sources.text(all[0].notes[0].span), "[");
  EXPECT_EQ(all[0].message, "`,` or `]` should stand here");
  ASSERT_EQ(all[1].notes.size(), 1U);
  EXPECT_EQ(read.sources.text(all[1].notes[0].span), "{");
}

TEST(Language, AKeyOrANameThatStandsTwiceIsShown) {
  EXPECT_EQ(Read("a = 1\nb { c = 1 c = 2 }\na = 2\n").problems(),
            "2:11 `c` key `c` stands here twice\n3:1 `a` key `a` stands here twice\n");
  EXPECT_EQ(Read("input a : text\ninput a : text\nlet b = 1\nlet b = 2\n").problems(),
            "2:7 `a` key `a` stands here twice\n4:5 `b` key `b` stands here twice\n");
}

TEST(Language, EveryTruncationEndsInATreeOrAProblem) {
  const std::string whole =
      "module m\nuse ./x.plan as y { a = 1 }\ninput a : list(text)? = [\"b\"]\nlet c = a == b && "
      "!d\n"
      "step e/{} for f in g : h.i { after = [j] k = numbered [for l in m [1], secret \"env:n\"] }\n"
      "o { \"p\" = 'q' r = [s.t[0], u(1, 2)] }\n";
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    const Read read(whole.substr(0, size));
    EXPECT_NE(read.tree.has_value(), read.sink.has_errors()) << whole.substr(0, size);
  }
}

TEST(Language, DepthAndCountAreBounded) {
  const auto lists = [](std::size_t depth) {
    return "a = " + std::string(depth, '[') + std::string(depth, ']');
  };
  TreeLimits limits;
  limits.depth_max = 10;
  EXPECT_FALSE(Read(lists(9), limits).sink.has_errors());
  EXPECT_EQ(Read(lists(10), limits).problems(), "1:14 `[` nested deeper than 10 levels\n");
  EXPECT_EQ(Read("a = " + std::string(100'000, '[')).sink.count(Severity::error), 1U);
  EXPECT_EQ(Read("a = " + std::string(100'000, '(')).sink.count(Severity::error), 1U);
  EXPECT_EQ(Read("a = " + std::string(100'000, '!')).sink.count(Severity::error), 1U);
  limits.nodes_max = 3;
  EXPECT_FALSE(Read("a = [1, 2]", limits).sink.has_errors());
  EXPECT_TRUE(Read("a = [1, 2, 3]", limits).sink.has_errors());
}

double seconds_to_read(const std::string& text) {
  return test::processor_seconds([&] { const Read read(text); });
}

TEST(Language, HostileTextCostsLinearTime) {
  constexpr std::size_t kSmall = 25'000;
  constexpr std::size_t kTimes = 16;
  constexpr double kLeast = 0.002;
  for (const char* part : {"]", "a = ", "a = [", "a = {\n", "\"", "a == b\n", "# \n", "a = (1,\n",
                           "step a : b {\n", "'\n", "${", "a = [1 2\n", "x = \"a\" == \"b\"\n"}) {
    std::string small;
    while (small.size() < kSmall) small += part;
    std::string large;
    while (large.size() < kSmall * kTimes) large += part;
    // Costs that grow with the square would be 256 times as much.
    double times = 0;
    for (int attempt = 0; attempt < 5; ++attempt) {
      times = seconds_to_read(large) / std::max(seconds_to_read(small), kLeast);
      if (times < kTimes * 5) break;
    }
    EXPECT_LT(times, kTimes * 5) << part;
  }
}

TEST(Language, AnExpressionIsReadWhereItStands) {
  Read read("a = lower(nobody)\n");
  const Node* node = read.tree->find("a");
  ASSERT_NE(node, nullptr);
  EXPECT_TRUE(node->is_expression);
  const auto text = parse_template(*node, read.sources, read.sink);
  ASSERT_TRUE(text.has_value());
  EXPECT_FALSE(evaluate(*text, Scope(), read.sink).has_value());
  EXPECT_EQ(read.problems(), "1:11 `nobody` there is no `nobody`\n");
}

TEST(Language, ItsGrammarIsTheOneInTheReference) {
  const std::string page = test::read_all(test::repository() / "docs/language.md");
  EXPECT_NE(page.find("```\n" + grammar_text() + "```\n"), std::string::npos)
      << "write it again with `plan docs language`:\n"
      << grammar_text();
}

}  // namespace
}  // namespace plan::syntax
