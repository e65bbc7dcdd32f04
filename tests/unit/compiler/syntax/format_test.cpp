#include "compiler/syntax/format.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "compiler/syntax/language.h"
#include "compiler/syntax/writer.h"
#include "tests/support/repository.h"
#include "tests/support/shared_data.h"
#include "tests/unit/compiler/syntax/generated_tree.h"
#include "tests/unit/compiler/syntax/tree_text.h"

namespace plan::syntax {
namespace {

namespace fs = std::filesystem;

std::string formatted(const std::string& text, Language from, Language to) {
  SourceSet sources;
  Sink sink;
  const FileId file = sources.add(from == Language::plan ? "x.plan" : "x.yaml", text);
  const Formatted result = format_source(sources, file, to, sink);
  if (result.text) return *result.text;
  if (result.is_lossy) {
    // What it would have been, for whoever mends it.
    const auto tree = read_source(sources, file, sink);
    Layout layout{text, from, CommentPlaces(text, *tree, from)};
    return "(lossy)\n" + write_text(*tree, layout, to, {});
  }
  return "(" + std::string(sink.sorted().at(0).message) + ")";
}
std::string yaml(const std::string& text) {
  return formatted(text, Language::yaml, Language::yaml);
}
std::string plan(const std::string& text) {
  return formatted(text, Language::plan, Language::plan);
}
std::string to_plan(const std::string& text) {
  return formatted(text, Language::yaml, Language::plan);
}
std::string to_yaml(const std::string& text) {
  return formatted(text, Language::plan, Language::yaml);
}

TEST(Format, YamlIsIndentedInOneWayAndKeepsWhatItsAuthorChose) {
  EXPECT_EQ(yaml(R"(# head
a:    1   # one


# about b
b:
- x
-   {c: "1",d: 'e'}   # flow
- !secret   env:X
-
  f: g
  h: [1,   2]
  # tail of the item
text: |
  two
  lines # no comment
empty:
# end
)"),
            R"(# head
a: 1      # one

# about b
b:
  - x
  - {c: "1", d: e}    # flow
  - !secret env:X
  - f: g
    h: [1, 2]
    # tail of the item
text: |
  two
  lines # no comment
empty: null
# end
)");
}

TEST(Format, ThePlanLanguageIsIndentedInOneWay) {
  EXPECT_EQ(plan(R"(module   m  # name
about="what"
use std/x   use ./y.plan as   y { a=1 }
input a:list( text )="b"

# the step
step  a/{}   for x in rows:kind.of { after=[b,c]  # behind
   stage=waves   k { l=1
 # deep
 m = [ 1,2 ] } }   # end of step
plain "quoted"
)"),
            "(`=` or `{` should stand here)");
  EXPECT_EQ(plan(R"(module   m  # name
about="what"
use std/x   use ./y.plan as   y { a=1 }
input a:list( text )="b"

# the step
step  a/{}   for x in rows:kind.of { after=[b,c]  # behind
   stage=waves   k { l=1
 # deep
 m = [ 1,2 ] } }   # end of step
)"),
            R"(module m    # name
about = "what"
use std/x
use ./y.plan as y { a = 1 }
input a : list(text) = "b"

# the step
step a/{} for x in rows : kind.of {
  after = [b, c]                                  # behind
  stage = waves
  k {
    l = 1
    # deep
    m = [1, 2]
  }
}                  # end of step
)");
}

TEST(Format, QuotesThatChangeNothingAreWrittenInOneWay) {
  const std::string once = yaml(
      "name: example.org\nurl: https://a.example:8443/\nlist: [a b, '1', \"yes\", null, 1]\n"
      "mark: '#x'\nhost: ${addresses.source}\nesc: \"a\\tb\"\n");
  EXPECT_EQ(yaml("name: \"example.org\"\nurl: 'https://a.example:8443/'\n"
                 "list: ['a b', \"1\", yes, null, 1]\nmark: \"#x\"\n"
                 "host: \"${addresses.source}\"\nesc: \"a\\tb\"\n"),
            once);
  EXPECT_EQ(yaml(once), once);
  EXPECT_NE(once.find("list: [a b, \"1\", \"yes\", null, 1]\n"), std::string::npos) << once;
  const std::string module = plan("module a\nlet x = choose(a == 'b', \"c\", 'it\\n')\n");
  EXPECT_EQ(plan("module a\nlet x = choose(a == \"b\", 'c', 'it\\n')\n"), module);
  EXPECT_NE(module.find("'b'"), std::string::npos) << module;
}

TEST(Format, QuotesThatMakeATextOfADurationOrASizeStay) {
  const std::string text = "let: {a: \"30s\", b: 30s, c: \"50MiB\", d: 50MiB, e: 30 s}\n";
  EXPECT_EQ(yaml(text), text);
  EXPECT_EQ(yaml("let: {a: '30s', b: 30s, c: '50MiB', d: 50MiB, e: '30 s'}\n"), text);
  SourceSet sources;
  Sink sink;
  const FileId file = sources.add("a.plan", "module a\nlet b = \"30s\"\nlet c = 30s\n");
  const auto written = syntax::format_source(sources, file, syntax::Language::yaml, sink);
  ASSERT_TRUE(written.text);
  EXPECT_NE(written.text->find("b: \"30s\""), std::string::npos) << *written.text;
  EXPECT_NE(written.text->find("c: 30s"), std::string::npos) << *written.text;
}

TEST(Format, AQuestionMarkInAListOfOneLineIsQuoted) {
  SourceSet sources;
  Sink sink;
  const FileId file =
      sources.add("a.plan", "plan = 1\na = { b = secret \"env:?B\", c = \"x?y\" }\n");
  const auto written = syntax::format_source(sources, file, syntax::Language::yaml, sink);
  ASSERT_TRUE(written.text);
  EXPECT_EQ(*written.text, "plan: 1\na: {b: !secret \"env:?B\", c: \"x?y\"}\n");
}

TEST(Format, ACommentBehindAUseStaysThere) {
  const std::string module = R"(module m
use std/x # why
use ./y.plan as y # and this
use ./z.plan { a = 1 } # and that
)";
  EXPECT_EQ(plan(module), module);
}

TEST(Format, CommentsGoWithTheirStatementsWhereStatementsOfSeveralKindsAlternate) {
  EXPECT_EQ(plan(R"(module mine
# first
use ./more.plan # u
input names : string = a # x
# own of the second
use ./o.plan #t
# of b
let b = 1
input z : string
# end
)"),
            R"(module mine
# first
use ./more.plan # u
# own of the second
use ./o.plan #t
input names : string = a # x
input z : string
# of b
let b = 1
# end
)");
}

TEST(Format, AnExpressionOverSeveralLinesIsWrittenOnOne) {
  const std::string module = R"(module m
let b = length(accounts) > 100 &&
    (a == 'two  blanks'   ||
     !c)
)";
  EXPECT_EQ(plan(module),
            "module m\nlet b = length(accounts) > 100 && (a == 'two  blanks'   || !c)\n");
  EXPECT_EQ(to_yaml(module),
            "module: m\nlet:\n  b: ${length(accounts) > 100 && (a == 'two  blanks'   || !c)}\n");
}

TEST(Format, ATextWithAnOpenQuoteIsNotClosedByGuess) {
  for (const char* text : {"x: \"b\n", "x: 'b\n\n", "a: 1\n\"\nb: 2\n", "x: [a, \"b\n"}) {
    EXPECT_EQ(yaml(text), "(this quote is never closed)") << text;
    EXPECT_EQ(formatted(text, Language::yaml, Language::plan), "(this quote is never closed)")
        << text;
  }
  EXPECT_EQ(yaml("x: ! \"5\"\n"), "x: \"5\"\n");
}

TEST(Format, EmptyLinesStayOneEmptyLine) {
  const std::string module = R"(module m

input a : text
input b : list(text)?

# about c
let c = a

step d : e.f {
}

step g : h.i {
}
)";
  EXPECT_EQ(plan(module), module);
}

TEST(Format, AnEmptyLineBelowWhatOpensAMappingOrAListStays) {
  const std::string as_yaml = R"(a:

  b: 1

  c:

    # about d
    d: 2
  e:

    - f

    - h: 1
  g: # the head

    h: 3
)";
  const std::string as_plan = R"(a {

  b = 1

  c {

    # about d
    d = 2
  }
  e = [

    "f",

    {
      h = 1
    },
  ]
  g {  # the head

    h = 3
  }
}
)";
  EXPECT_EQ(yaml(as_yaml), as_yaml);
  EXPECT_EQ(plan(as_plan), as_plan);
  EXPECT_EQ(to_plan(as_yaml), as_plan);
  EXPECT_EQ(plan("a = [\n\n  secret \"env:X\",\n]\n"), "a = [\n\n  secret \"env:X\",\n]\n");
}

TEST(Format, AnEmptyLineIsThatOfTheOutermostPartBelowIt) {
  const std::string module = R"(module m

input a : text = "x"
input b : text

step c : k.d {

  e = 1
}
)";
  const std::string as_yaml = R"(module: m

inputs:
  a:
    type: text
    default: x
  b: text

steps:
  - id: c
    kind: k.d

    args:
      e: 1
)";
  EXPECT_EQ(plan(module), module);
  EXPECT_EQ(to_yaml(module), as_yaml);
  EXPECT_EQ(yaml(as_yaml), as_yaml);
  EXPECT_EQ(to_plan(as_yaml), module);
  const std::string items = "a:\n  - b: 1\n\n  - c: 1\n    d: 2\n";
  EXPECT_EQ(yaml(items), items);
  EXPECT_EQ(to_yaml(to_plan(items)), items);
}

TEST(Format, WhatOnlyOneLanguageCanSayIsRefusedByTheOther) {
  for (const char* text : {"a: !<x> b\n", "a: !x%20y b\n", "a: \"\\x01\"\n"}) {
    EXPECT_EQ(yaml(text), text);
    EXPECT_TRUE(to_plan(text).starts_with("(lossy)")) << text;
  }
  EXPECT_TRUE(to_yaml("a = tagged \"!x!y!z\" 1\n").starts_with("(lossy)"));
  EXPECT_EQ(to_yaml("a = tagged \"!a-b.c/d@e:f\" \"g\"\n"), "a: !a-b.c/d@e:f g\n");
}

TEST(Format, BothLanguagesSayTheSame) {
  const std::string as_yaml = R"(# A plan.
plan: 1
name: example.org to Stalwart  # the name

addresses:
  public: mail.example.org
  target: 203.0.113.30  # the new one
target:
  url: https://${addresses.target}
  port: ${default(source.port, 25)}
  login: {user: admin, password: !secret file:secrets/admin}
waves:
  # carefully
  - {name: canary, hold: approval}
  - name: rest
    accounts:
      - a@example.org
)";
  const std::string as_plan = R"(# A plan.
plan = 1
name = "example.org to Stalwart"  # the name

addresses {
  public = "mail.example.org"
  target = "203.0.113.30"  # the new one
}
target {
  url = "https://${addresses.target}"
  port = default(source.port, 25)
  login = { user = "admin", password = secret "file:secrets/admin" }
}
waves = [
  # carefully
  { name = "canary", hold = "approval" },
  {
    name = "rest"
    accounts = [
      "a@example.org",
    ]
  },
]
)";
  EXPECT_EQ(to_plan(as_yaml), as_plan);
  EXPECT_EQ(to_yaml(as_plan), as_yaml);
}

TEST(Format, WhatWouldBeReadOtherwiseIsQuoted) {
  for (const char* text :
       {"12",     "true", "null", "~",   "1.5",   "",     " x",        "x ",     "a: b",
        "a #b",   "- a",  "[",    "{x}", "!t",    "*a",   "&a",        "\"",     "'",
        "\\",     "x\ny", "x\ty", "${",  "$${a}", "${a}", "${12}",     "${'a'}", "${\"a\" == b}",
        "${[1]}", "${a",  "a}",   "20s", "@x",    "%x",   "x:",        "-",      "?",
        "|",      ">",    "#",    "0x1", "007",   "1e3",  "${a} ${b}", "${(1)}", "a, b",
        "=x",     "<<"}) {
    Node tree;
    tree.kind = NodeKind::mapping;
    Node value;
    value.kind = NodeKind::scalar;
    value.is_quoted = true;
    value.text = text;
    Node list;
    list.kind = NodeKind::sequence;
    list.items.push_back(value);
    tree.entries.push_back(Entry{"k", {}, value});
    tree.entries.push_back(Entry{std::string("of ") + text, {}, std::move(list)});
    for (const Language language : {Language::yaml, Language::plan}) {
      const std::string written = write_tree(tree, language);
      SourceSet sources;
      Sink sink;
      const auto again = read_source(
          sources, sources.add(language == Language::plan ? "x.plan" : "x.yaml", written), sink);
      ASSERT_TRUE(again && !sink.has_errors()) << text << "\n" << written;
      EXPECT_TRUE(mean_the_same(tree, *again)) << text << "\n" << written;
    }
  }
}

// --- every plan of the repository, every tree
// ------------------------------------------------------

std::vector<fs::path> plans_of_the_repository() {
  std::vector<fs::path> files;
  for (const char* folder : {"plans", "stdlib", "examples", "tests/golden"}) {
    for (const auto& entry : fs::recursive_directory_iterator(test::repository() / folder)) {
      const std::string name = entry.path().filename().string();
      if (name.ends_with(".yaml") || (name.ends_with(".plan") && !fs::is_directory(entry)))
        files.push_back(entry.path());
    }
  }
  return files;
}

TEST(Format, EveryPlanOfTheRepositoryGoesBothWaysWithNothingLost) {
  std::size_t count = 0;
  for (const fs::path& path : plans_of_the_repository()) {
    const std::string text = test::read_all(path);
    const Language from = is_language_file(path.string()) ? Language::plan : Language::yaml;
    SourceSet sources;
    Sink sink;
    const FileId file = sources.add(path.string(), text);
    const auto tree = read_source(sources, file, sink);
    if (!tree || sink.has_errors()) continue;  // a golden case of what cannot be read
    ++count;
    for (const Language to : {Language::yaml, Language::plan}) {
      const std::string once = formatted(text, from, to);
      ASSERT_FALSE(once.starts_with("(lossy)")) << path << once;
      EXPECT_EQ(formatted(once, to, to), once) << path;
      const std::string back = formatted(once, to, from);
      SourceSet sources_back;
      Sink unheard;
      const auto tree_back = read_source(
          sources_back, sources_back.add(from == Language::plan ? "x.plan" : "x.yaml", back),
          unheard);
      ASSERT_TRUE(tree_back.has_value()) << path << "\n" << back;
      EXPECT_TRUE(mean_the_same(*tree, *tree_back)) << path;
    }
  }
  EXPECT_GT(count, 50U);
}

TEST(Format, WhatAnOperatorBeginsWithIsFormatted) {
  std::size_t count = 0;
  for (const fs::path& path : plans_of_the_repository()) {
    const std::string name = fs::relative(path, test::repository()).generic_string();
    if (!name.starts_with("plans/") && !name.starts_with("examples/")) continue;
    SourceSet sources;
    Sink sink;
    const std::string text = test::read_all(path);
    if (!read_source(sources, sources.add(name, text), sink)) continue;  // for another program
    ++count;
    const Language language = is_language_file(name) ? Language::plan : Language::yaml;
    EXPECT_EQ(formatted(text, language, language), text) << name;
  }
  EXPECT_GE(count, 13U);
}

TEST(Format, EveryTreeGoesBothWaysWithNothingLostAndTwiceIsOnce) {
  for (unsigned seed = 0; seed < 800; ++seed) {
    const Node tree = Trees(seed).root();
    for (const Language language : {Language::yaml, Language::plan}) {
      const std::string written = write_tree(tree, language);
      SourceSet sources;
      Sink sink;
      const auto again = read_source(
          sources, sources.add(language == Language::plan ? "x.plan" : "x.yaml", written), sink);
      ASSERT_TRUE(again && !sink.has_errors())
          << "seed " << seed << ": " << (sink.empty() ? "" : sink.sorted().at(0).message) << "\n"
          << written;
      ASSERT_TRUE(mean_the_same(tree, *again)) << "seed " << seed << "\n"
                                               << written << "\n"
                                               << tree_text(tree) << "\n"
                                               << tree_text(*again);
      const Language other = language == Language::yaml ? Language::plan : Language::yaml;
      ASSERT_EQ(formatted(written, language, language), written) << "seed " << seed;
      const std::string converted = formatted(written, language, other);
      ASSERT_EQ(formatted(converted, other, other), converted) << "seed " << seed;
    }
  }
}

MovedAccounts moved(const std::string& text, Language language = Language::yaml) {
  SourceSet sources;
  Sink sink;
  const FileId file = sources.add(language == Language::plan ? "x.plan" : "x.yaml", text);
  MovedAccounts result = move_accounts(sources, file, language, "accounts.csv", sink);
  if (!sink.empty()) result.csv = sink.sorted().at(0).message;
  return result;
}

TEST(Format, ALongListOfAccountsBecomesAFile) {
  std::string items, lines = "address\n", bare;
  for (int i = 0; i < 5'000; ++i) {
    items += fmt::format("    - user{}@example.org\n", i);
    bare += fmt::format("\"user{}@example.org\", ", i);
    lines += fmt::format("user{}@example.org\n", i);
  }
  const std::string head = "plan: 1\naccounts: # who moves\n";
  const std::string tail = "  except: [postmaster@example.org] # stays\n# behind\nwaves: []\n";
  const MovedAccounts yaml = moved(head + "  from:\n" + items + tail);
  EXPECT_EQ(yaml.plan.text.value_or(""), head + "  from:\n    csv: accounts.csv\n" + tail);
  EXPECT_EQ(yaml.csv, lines);
  EXPECT_EQ(yaml.count, 5'000U);
  const MovedAccounts plan =
      moved("plan = 1\naccounts {\n  from = [" + bare + "]  # all\n}\n", Language::plan);
  EXPECT_EQ(plan.csv, lines);
  EXPECT_EQ(plan.plan.text.value_or(""),
            "plan = 1\naccounts {\n  from = { csv = \"accounts.csv\" }  # all\n}\n");
}

TEST(Format, AListOfAccountsBecomesAFileHoweverItStandsThere) {
  const std::string csv = "address\n\"a,b@x.org\"\nc#d@x.org\n";
  for (const char* text : {"# all\naccounts: {from: [\"a,b@x.org\", \"c#d@x.org\"]}\n",
                           "# all\naccounts: {from: {list: [\"a,b@x.org\", \"c#d@x.org\"]}}\n"}) {
    const MovedAccounts one = moved(text);
    EXPECT_EQ(one.plan.text.value_or(""), "# all\naccounts: {from: {csv: accounts.csv}}\n") << text;
    EXPECT_EQ(one.csv, csv) << text;
  }
}

TEST(Format, CommentsInAListOfAccountsGoWithIt) {
  const std::string csv =
      "address,comment\na@x.org,\"first, of all\"\nb@x.org,\nc@x.org,a group last\n";
  const MovedAccounts yaml = moved(
      "accounts:\n  from: # who moves\n    - a@x.org  # first, of all\n    - b@x.org\n    # a "
      "group\n"
      "    - c@x.org ## last\n  except: [b@x.org] # stays\n");
  EXPECT_EQ(yaml.csv, csv);
  EXPECT_EQ(yaml.plan.text.value_or(""),
            "accounts:\n  from: # who moves\n    csv: accounts.csv\n  except: [b@x.org] # stays\n");
  const MovedAccounts plan = moved(
      "accounts {\n  from = [ # who moves\n    \"a@x.org\", # first, of all\n    \"b@x.org\",\n"
      "    # a group\n    \"c@x.org\", # last\n  ]\n}\n",
      Language::plan);
  EXPECT_EQ(plan.csv, csv);
  EXPECT_NE(plan.plan.text.value_or("").find("# who moves"), std::string::npos);
  EXPECT_NE(plan.plan.text.value_or("").find("csv = \"accounts.csv\""), std::string::npos);
  EXPECT_EQ(plan.plan.text.value_or("").find("first"), std::string::npos);
}

TEST(Format, AListOfAccountsThatSaysMoreStaysWhereItIs) {
  EXPECT_TRUE(moved("accounts: {from: [\"a@${addresses.public}\"]}\n").plan.is_lossy);
  for (const char* text : {"plan: 1\n", "accounts: {from: {csv: a.csv}}\n", "accounts: 1\n"}) {
    const MovedAccounts none = moved(text);
    EXPECT_FALSE(none.plan.text || none.plan.is_lossy) << text;
    EXPECT_EQ(none.csv, "this plan has no list of accounts") << text;
  }
}

}  // namespace
}  // namespace plan::syntax
