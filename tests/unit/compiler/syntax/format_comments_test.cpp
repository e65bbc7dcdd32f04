#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <optional>
#include <random>
#include <string>

#include "compiler/syntax/format.h"
#include "compiler/syntax/language.h"
#include "tests/unit/compiler/syntax/generated_tree.h"

namespace plan::syntax {
namespace {

constexpr std::array<Language, 2> kLanguages = {Language::yaml, Language::plan};

std::string file_name(Language language) {
  return language == Language::plan ? "x.plan" : "x.yaml";
}

std::optional<Node> read(const std::string& text, Language language) {
  SourceSet sources;
  Sink sink;
  auto tree = read_source(sources, sources.add(file_name(language), text), sink);
  if (sink.has_errors()) return std::nullopt;
  return tree;
}

std::string written(const std::string& text, Language from, Language to) {
  SourceSet sources;
  Sink sink;
  const Formatted result = format_source(sources, sources.add(file_name(from), text), to, sink);
  return result.text.value_or(result.is_lossy ? "(lossy)" : "(unreadable)");
}
std::string yaml(const std::string& text) { return written(text, Language::yaml, Language::yaml); }
std::string plan(const std::string& text) { return written(text, Language::plan, Language::plan); }
std::string to_plan(const std::string& text) {
  return written(text, Language::yaml, Language::plan);
}
std::string to_yaml(const std::string& text) {
  return written(text, Language::plan, Language::yaml);
}

// --- comments that can be told apart, wherever they stand
// --------------------------------------------------

std::string comment_of(std::size_t number) { return fmt::format("# c{};", number); }

/// The comments of the first so many that are not in `text` once. A file that has one in a value
/// means something else.
std::string lost_in(const std::string& text, std::size_t count) {
  std::string lost;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string comment = comment_of(i);
    const std::size_t at = text.find(comment);
    if (at == std::string::npos || text.find(comment, at + 1) != std::string::npos)
      lost += comment + " ";
  }
  return lost;
}

/// What goes wrong with a file that has so many comments; empty: nothing.
std::string problem_of(const std::string& text, Language from, std::size_t comments) {
  const auto tree = read(text, from);
  if (!tree) return "cannot be read";
  for (const Language to : kLanguages) {
    const std::string name = file_name(to);
    const std::string once = written(text, from, to);
    if (const std::string lost = lost_in(once, comments); !lost.empty())
      return fmt::format("{} is without {}\n{}", name, lost, once);
    const std::string twice = written(once, to, to);
    if (twice != once) return fmt::format("{} changes again\n{}\n{}", name, once, twice);
    const auto again = read(once, to);
    if (!again || !mean_the_same(*tree, *again))
      return fmt::format("{} means something else\n{}", name, once);
    const std::string back = written(once, to, from);
    if (const std::string lost = lost_in(back, comments); !lost.empty())
      return fmt::format("back from {} without {}\n{}", name, lost, back);
    const auto tree_back = read(back, from);
    if (!tree_back || !mean_the_same(*tree, *tree_back))
      return fmt::format("back from {} it means something else\n{}", name, back);
  }
  return {};
}

/// How a comment may stand in a text: `@` is the comment.
constexpr std::array<std::string_view, 7> kForms = {
    " @\n", " @\n    ", "\n@\n", "\n      @\n  ", "  @\n\n", "\n\n@\n\n", "@\n  "};

/// `text` with comment `number` at `at`; nothing where it would be no comment, but a part of a
/// value or in the way: the reader decides, who skips comments and knows nothing of their places.
std::optional<std::string> with_comment(const std::string& text, const Node& tree,
                                        Language language, std::size_t at, std::string_view form,
                                        std::size_t number) {
  std::string with(form);
  with.replace(with.find('@'), 1, comment_of(number));
  with = text.substr(0, at) + with + text.substr(at);
  const auto again = read(with, language);
  if (!again || !mean_the_same(tree, *again)) return std::nullopt;
  return with;
}

// Every kind of value, layout and statement, as people write them.
constexpr std::array kYaml = {
    R"text(plan: 1
use: {module: std/x, as: y, digest: "sha256:a", with: {a: 1, b: [c, d]}}
inputs:
  a: text
  b: {type: "list(text)", default: [x, y]}
  c:
    type: integer
    default: 5
let:
  k: v
  m: {n: o, p: [q, r]}
steps:
  - id: a/{}
    for: x in rows
    kind: k.d
    after: [b, c]
    stage: waves
    args:
      a: 1
      b: {c: d}
      e:
        - f
  - kind: z
    id: b
    when: ${a}
    before:
      - c
    args: {a: {b: 1}, c: d}
  - {id: c, kind: d}
)text",
    R"text(t: |
  two
  lines
u: >-
  folded text
  here
v: "a\nb\n"
w: !secret env:X
x:
  - !for {each: d, in: "${domains}", give: [{a: "${d}"}, b]}
  - !for
    each: d
    in:
      - e
      - f
    give:
      - g
  - !numbered [a, b]
  - - - deep
    - deeper
  - a: 1
    b:
      c: 2
  -
  - null
  - {}
y: []
z:
  !other
  a: b
q: plain over
  two lines
"r s": !other {a: [b, {c: d}], e: f}
)text",
    R"text(use:
  - std/x
  - module: ./y.plan
    with:
      a: 1
  - {module: ./z, as: w}
n:
l:
  -
    a: 1
  -
    - b
  - |
    text

    more
  - |2
      ind
  - x
k: 'it''s'
m: {a: , b: {}, c: [[], [1]]}
? o
: p: ${ q }
)text"};
constexpr std::array kPlan = {
    R"text(module m
use std/x
use ./y.plan as y digest "sha256:a" { a = 1, b = [c, "d"] }
input a : text
input b : list(text)? = ["x", y]
input c:map(integer) = { a = 1 }
let k = "v"
let f = a == b && c
step a/{} for x in rows : k.d {
  a = 1
  after = [b, "c d"]
  stage = waves
  b { c = "d" }
  when = a > 1
  role = x
}
step "b c" : z { args = { after = 1, a { b = 2 } } }
step c : d { }
let z = null
input q : text
)text",
    R"text(plan = 1
use std/x { a = { b = { c = 1 } } }
a {
  b { c { d = 1 } }
  e = []
  f {}
  g = "long\ntext\n"
}
inputs { a = { type = "text", default = 1 } }
steps = [ { id = "a", kind = "b", args = { c = 1 } } ]
other { a = tagged "!t" { b = 1 }, c = secret "env:X" d = numbered [1, 2] }
list = [ for d in domains [ { a = d }, for e in [1, 2] [ e ] ], [ [ ], { } ], "x\ny\n", 30s ]
"quoted key" = lock "c"
)text"};

template <class Texts>
std::size_t check_every_place(const Texts& texts, Language language) {
  std::size_t count = 0;
  for (const char* raw : texts) {
    const std::string text = raw;
    const auto tree = read(text, language);
    EXPECT_TRUE(tree.has_value()) << text;
    if (!tree) continue;
    for (std::size_t at = 0; at <= text.size(); ++at) {
      // Every form at the end of a line, one of them within.
      const bool is_line_end = at == text.size() || text[at] == '\n';
      for (std::size_t i = 0; i < (is_line_end ? kForms.size() : 1); ++i) {
        const std::string_view form = kForms[(at + i) % kForms.size()];
        const auto with = with_comment(text, *tree, language, at, form, 0);
        if (!with) continue;
        ++count;
        const std::string problem = problem_of(*with, language, 1);
        EXPECT_EQ(problem, "") << *with;
        if (!problem.empty()) return count;
      }
    }
  }
  return count;
}

TEST(FormatComments, ACommentAtEveryPlaceOfAFileIsKept) {
  EXPECT_GT(check_every_place(kYaml, Language::yaml), 300U);
  EXPECT_GT(check_every_place(kPlan, Language::plan), 300U);
}

TEST(FormatComments, CommentsAnywhereInAnyTreeAreKept) {
  std::size_t count = 0;
  for (unsigned seed = 0; seed < 150; ++seed) {
    const Node generated = Trees(seed).file();
    std::mt19937 random(seed);
    for (const Language language : kLanguages) {
      std::string text = write_tree(generated, language);
      const auto tree = read(text, language);
      ASSERT_TRUE(tree) << "seed " << seed << "\n" << text;
      std::size_t comments = 0;
      for (std::size_t i = 0; i < 16; ++i) {
        std::size_t at = random() % (text.size() + 1);
        // The ends of lines are where most of them stand.
        if (random() % 2 == 0) at = std::min(text.find('\n', at), text.size());
        const std::string_view form = kForms[random() % kForms.size()];
        if (auto with = with_comment(text, *tree, language, at, form, comments)) {
          text = std::move(*with);
          ++comments;
        }
      }
      count += comments;
      ASSERT_EQ(problem_of(text, language, comments), "") << "seed " << seed << "\n" << text;
    }
  }
  EXPECT_GT(count, 1'000U);
}

// --- where they go
// -----------------------------------------------------------------------------------------

TEST(FormatComments, WhatTheHeadOfAStatementCannotHoldStandsInFrontOfIt) {
  EXPECT_EQ(to_plan(R"(steps:
  - id: a # one
    # two
    kind: k.d # three
    # four
    for: x in rows # five
    args: {b: 1} # six
)"),
            R"(# two
# three
# four
# five
step a for x in rows : k.d {  # one
  b = 1
  # six
}
)");
  EXPECT_EQ(to_plan(R"(use:
  module: std/x # one
  # two
  as: y # three
inputs:
  a:
    type: text # four
    # five
    default: # six
      - b
)"),
            R"(# two
# three
use std/x as y  # one
# five
input a : text = [  # six
  "b",
]  # four
)");
  EXPECT_EQ(plan("a = [\n  for x # one\n    in y # two\n    [\n      z, # three\n    ],\n]\n"),
            "a = [\n  # one\n  # two\n  for x in y [\n    z,   # three\n  ],\n]\n");
}

TEST(FormatComments, ACommentBehindABraceOrAnInputStaysWithItByWayOfYaml) {
  const std::string inputs = R"(module m
input a : text = "x"  # of a
input b : list(text) = [
  "long",
]  # of b
use ./z.plan as z { c = 1 }  # of z
use ./e.plan as e { c = 1 }  # of e
let d = 1
)";
  EXPECT_EQ(to_yaml(inputs), R"(module: m
inputs:
  a:
    type: text
    default: x
    # of a
  b:
    type: list(text)
    default:
      - long
    # of b
use:
  - module: ./z.plan
    as: z
    with: {c: 1}
    # of z
  - module: ./e.plan
    as: e
    with: {c: 1}
    # of e
let:
  d: 1
)");
  EXPECT_EQ(to_plan(to_yaml(inputs)), inputs);
  const std::string steps = R"(module m
step a : k.d {
  b = 1
}  # of a
step c : k.d {
  d {
    e = 1
  }  # of d
}
)";
  const std::string as_yaml = R"(module: m
steps:
  - id: a
    kind: k.d
    args:
      b: 1
    # of a
  - id: c
    kind: k.d
    args:
      d:
        e: 1
        # of d
)";
  EXPECT_EQ(to_yaml(steps), as_yaml);
  EXPECT_EQ(to_plan(as_yaml), R"(module m
step a : k.d {
  b = 1
  # of a
}
step c : k.d {
  d {
    e = 1
    # of d
  }
}
)");
}

TEST(FormatComments, ACommentBehindADashStaysWithItsItem) {
  EXPECT_EQ(yaml("a:\n  - b: 1\n  - # of c\n    c: 1\n  -\n    # of d\n    - d\n"),
            "a:\n  - b: 1\n  # of c\n  - c: 1\n  # of d\n  - - d\n");
  EXPECT_EQ(yaml("a:\n  -\n  # of the next\n  - b\n"), "a:\n  - null\n  # of the next\n  - b\n");
}

TEST(FormatComments, ACommentBesideATextOfSeveralLinesIsNoneOfIt) {
  const std::string text = "a: |  # one\n  b # no comment\n# two\nc: |-\n  d\n\n  e\n# three\n";
  EXPECT_EQ(yaml(text), text);
  EXPECT_EQ(to_plan(text), "a = \"b # no comment\\n\"  # one\n# two\nc = \"d\\n\\ne\"\n# three\n");
  EXPECT_EQ(yaml("a: |\n     b\n   # less deep\nc: 1\n"), "a: |\n  b\n# less deep\nc: 1\n");
  EXPECT_EQ(yaml("a:\n  - |2\n      b\n  # c\n"), "a:\n  - \"  b\\n\"\n  # c\n");
  EXPECT_EQ(to_yaml("a = \"b\\nc\\n\" # one\n"), "a: |  # one\n  b\n  c\n");
}

TEST(FormatComments, TheFirstLineMayBeginWithAByteOrderMark) {
  EXPECT_EQ(yaml("\xEF\xBB\xBF# one\na: 1\n"), "# one\na: 1\n");
  EXPECT_EQ(plan("\xEF\xBB\xBF# one\na = 1\n"), "# one\na = 1\n");
  EXPECT_EQ(yaml("--- # one\na: 1\n"), "# one\na: 1\n");
}

TEST(FormatComments, LinesOfOneCommentStayTogetherAsTheyStand) {
  const std::string text = R"(a:
  b: 1
# waves:
#   - c
    # deeper
    #   and more
d:
  e: f   # of f,
         # on two lines
         #   and more
  # the end of d
# the end
)";
  EXPECT_EQ(yaml(text), text);
  EXPECT_EQ(to_plan(text), R"(a {
  b = 1
}
# waves:
#   - c
    # deeper
    #   and more
d {
  e = "f"  # of f,
           # on two lines
           #   and more
  # the end of d
}
# the end
)");
}

TEST(FormatComments, AnEmptyLineBehindThemStays) {
  const std::string text = "a = [\n  { # one\n    # two\n\n    b = 1\n  },\n]\n";
  EXPECT_EQ(plan(text), text);
}

TEST(FormatComments, ACommentNeedsNoBlankInFrontOfIt) {
  EXPECT_EQ(yaml("a: [b,#one\n  \"c#d\"]#two\ne: \"f\"#three\n"),
            "a:\n  - b #one\n  - c#d\n  #two\ne: f  #three\n");
  EXPECT_EQ(yaml("a: !t#u b#c\n"), "a: !t#u b#c\n");
}

TEST(FormatComments, ALoneCarriageReturnEndsNoComment) {
  EXPECT_EQ(to_yaml("a = 1 # b\rc = 2\nd = 1\r\n"), "a: 1  # b c = 2\nd: 1\n");
}

TEST(FormatComments, WhatIsRareIsWrittenToo) {
  EXPECT_EQ(to_plan("a: ${ b }\n"), "a = b\n");
  EXPECT_EQ(to_plan("module: \"{}\"\nuse: \"{}/x\"\nsteps:\n  - id: \"{}\"\n    kind: k\n"),
            "module = \"{}\"\nuse = \"{}/x\"\nstep \"{}\" : k {\n}\n");
  EXPECT_EQ(plan("a = \"x\" == b\n"), "a = 'x' == b\n");
  EXPECT_EQ(to_yaml("a = tagged \"!t\" null\n"), "a: !t null\n");
  EXPECT_EQ(to_plan("a: !t null\n"), "a = tagged \"!t\" \"null\"\n");
  EXPECT_EQ(yaml("\"a\\x01\": {\"b\\e\": 1}\n"), "\"a\\x01\": {\"b\\x1B\": 1}\n");
  const std::string unseen = "a: \"\\u202e\"\nb: [\"\\x85\"]\n";
  EXPECT_EQ(yaml(unseen), unseen);
  const std::string key(1500, 'k');
  const std::string text = "? " + key + "\n: 1\na:\n  - ? " + key + "\n    : b\n";
  EXPECT_EQ(to_yaml("\n" + key + " = 1\na = [{ " + key + " = \"b\" }]\n"), text);
  EXPECT_EQ(yaml(text), text);
}

}  // namespace
}  // namespace plan::syntax
