#include "compiler/syntax/yaml.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "compiler/syntax/sound_part.h"
#include "tests/unit/compiler/syntax/tree_text.h"

namespace plan::syntax {
namespace {

struct Read {
  SourceSet sources;
  Sink sink;
  FileId file = FileId::none;
  std::optional<Node> tree;

  explicit Read(std::string text, const TreeLimits& limits = {}) {
    file = sources.add("plan.yaml", std::move(text));
    tree = read_yaml(sources, file, sink, limits);
  }
  [[nodiscard]] std::string codes() const {
    std::string all;
    for (const Diagnostic& d : sink.sorted()) all += std::string(info(d.kind).name) + " ";
    return all;
  }
  [[nodiscard]] std::string_view text(const Node& node) const { return sources.text(node.span); }
};

constexpr const char* kSample =
    "plain: two words   # a comment\n"
    "quoted: \"a \\\"b\\\"\"\n"
    "single: 'it''s'\n"
    "secret: !secret env:NAME\n"
    "flow: {a: [1, 'x' ], b: {}}\n"
    "block:\n"
    "  - one\n"
    "  - two: é\n"
    "nothing:\n"
    "many: first\n"
    "  second\n"
    "literal: |\n"
    "  some\n"
    "  lines\n";

TEST(Yaml, SpansCoverExactlyWhatStandsThere) {
  const Read read(kSample);
  ASSERT_TRUE(read.tree.has_value()) << read.codes();
  const Node& root = *read.tree;
  EXPECT_EQ(read.text(*root.find("plain")), "two words");
  EXPECT_EQ(read.text(*root.find("quoted")), "\"a \\\"b\\\"\"");
  EXPECT_EQ(root.find("quoted")->text, "a \"b\"");
  EXPECT_EQ(read.text(*root.find("single")), "'it''s'");
  EXPECT_EQ(root.find("single")->text, "it's");
  EXPECT_EQ(read.text(*root.find("secret")), "env:NAME");
  EXPECT_EQ(read.sources.text(root.find("secret")->tag.span()), "!secret");
  EXPECT_EQ(read.text(*root.find("flow")), "{a: [1, 'x' ], b: {}}");
  EXPECT_EQ(read.text(*root.find("flow")->find("a")), "[1, 'x' ]");
  EXPECT_EQ(read.text(*root.find("flow")->find("b")), "{}");
  EXPECT_EQ(read.text(root.find("block")->items[1]), "two: é");
  EXPECT_EQ(read.text(*root.find("many")), "first\n  second");
  EXPECT_TRUE(root.find("nothing")->is_null());
  EXPECT_EQ(read.text(*root.find("nothing")), "nothing")
      << "nothing stands there: its key is pointed at";
  EXPECT_EQ(root.find("literal")->text, "some\nlines\n");
  EXPECT_TRUE(root.find("literal")->is_quoted);
  EXPECT_EQ(read.sources.text(root.find_entry("block")->key_span), "block");
}

TEST(Yaml, SpansStandBehindAByteOrderMarkToo) {
  const Read read("\xEF\xBB\xBFkey: value\n");
  ASSERT_TRUE(read.tree.has_value());
  EXPECT_EQ(read.text(*read.tree->find("key")), "value");
}

TEST(Yaml, EveryTruncationIsReadOrReportedWithAPlaceInsideTheFile) {
  const std::string whole = kSample;
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    const Read read(whole.substr(0, size));
    EXPECT_NE(read.tree.has_value(), read.sink.has_errors()) << size << ": " << read.codes();
    for (const Diagnostic& d : read.sink.sorted()) {
      EXPECT_LE(d.span.begin, size);
      EXPECT_LE(d.span.end, size + 1);
    }
  }
}

TEST(Yaml, EveryDamagedByteIsReadOrReported) {
  const std::string whole = kSample;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    for (const char c : {'\0', '[', '"', '\xFF', '&', '\t'}) {
      std::string damaged = whole;
      damaged[i] = c;
      const Read read(damaged);
      EXPECT_TRUE(read.tree.has_value() || read.sink.has_errors()) << i;
    }
  }
}

TEST(Yaml, LimitsHoldToTheByteTheLevelAndTheValue) {
  const std::string text = "a: [1, 2]\n";
  TreeLimits limits;
  limits.bytes_max = text.size();
  EXPECT_TRUE(Read(text, limits).tree.has_value());
  --limits.bytes_max;
  EXPECT_EQ(Read(text, limits).codes(), "file-too-large ");

  limits = {};
  limits.depth_max = 3;  // the mapping, the list, a value in it
  EXPECT_TRUE(Read("a: [1]\n", limits).tree.has_value());
  EXPECT_EQ(Read("a: [[1]]\n", limits).codes(), "yaml-depth ");

  limits = {};
  limits.nodes_max = 5;  // the mapping, its key, the list and two values
  EXPECT_TRUE(Read(text, limits).tree.has_value());
  limits.nodes_max = 4;
  EXPECT_EQ(Read(text, limits).codes(), "yaml-nodes ");
}

TEST(Yaml, ABillionLaughsAreRefusedAtTheFirstAnchor) {
  const Read read("a: &a [lol]\nb: &b [*a, *a]\nc: [*b, *b]\n");
  EXPECT_FALSE(read.tree.has_value());
  ASSERT_EQ(read.codes(), "yaml-alias ");
  EXPECT_EQ(read.sources.position(read.file, read.sink.sorted()[0].span.begin).line, 1U);
}

TEST(Yaml, AHundredThousandOpenBracketsAreRefusedQuickly) {
  const Read read("a: " + std::string(100'000, '['));
  EXPECT_FALSE(read.tree.has_value());
  EXPECT_TRUE(read.sink.has_errors());
}

TEST(Yaml, DuplicateKeysAreFoundInLargeMappingsToo) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += "k" + std::to_string(i) + ": 1\n";
  EXPECT_EQ(Read(text).codes(), "");
  const Read read(text + "k7: 2\n");
  EXPECT_EQ(read.codes(), "duplicate-key ");
  EXPECT_EQ(read.tree->find("k7")->text, "1") << "the first one counts";
}

TEST(Yaml, QuotedTextIsNeverANumberAndWindowsLinesAreRead) {
  const Read read("a: \"1\"\r\nb: 1\r\n");
  ASSERT_TRUE(read.tree.has_value()) << read.codes();
  EXPECT_TRUE(read.tree->find("a")->is_quoted);
  EXPECT_FALSE(read.tree->find("b")->is_quoted);
  EXPECT_EQ(read.tree->find("b")->text, "1");
}

std::string problems(const Read& read) {
  std::string lines;
  for (const Diagnostic& d : read.sink.sorted())
    lines += std::to_string(read.sources.position(d.span.file, d.span.begin).line) + " " +
             std::string(info(d.kind).name) + "\n";
  return lines;
}

/// Each mistake stands in its own entry or item; what is between them is right.
constexpr const char* kBroken =
    "plan: 1\n"
    "name: a: b\n"  // 2
    "use: std/x\n"
    "addresses:\n"
    "  public: mail: x\n"  // 5
    "  proxy: 1\n"
    "source:\n"
    "  dovecot:\n"
    "    users_file: [a\n"  // 9
    "    other: ok\n"
    "domains:\n"
    "- a.org\n"
    "- b: c: d\n"  // 13
    "- {x: 1\n"    // 14
    "- z.org\n"
    "waves:\n"
    "  - name: first\n"
    "    accounts: [a, b\n"  // 18
    "    parallel: 3\n"
    "  - name: second\n"
    "    parallel: 'x' y\n"  // 21
    "target: \"x\" y\n"      // 22
    "steps:\n"
    "  - id: a/one\n"
    "    kind: x: y\n"  // 25
    "  - id: a/two\n"
    "    args:\n"
    "      point: @x\n"  // 28
    "  - id: a/three\n"
    "    args: {point: 1}\n"
    "last: ok\n";

TEST(Yaml, TenMistakesAreTenDiagnosticsAtTheirPlaces) {
  const Read read(kBroken);
  EXPECT_FALSE(read.tree.has_value());
  std::string expected;
  for (const int line : {2, 5, 9, 13, 14, 18, 21, 22, 25, 28})
    expected += std::to_string(line) + " yaml-syntax\n";
  EXPECT_EQ(problems(read), expected);
}

TEST(Yaml, WhatIsRightBesideMistakesIsRead) {
  SourceSet sources;
  Sink sink;
  const SoundPart part = read_sound_part(sources, sources.add("x.yaml", kBroken), sink);
  ASSERT_TRUE(part.tree.has_value());
  EXPECT_EQ(part.left_out.size(), 10U);
  const Read expected(
      "plan: 1\nname:\nuse: std/x\naddresses: {public: ~, proxy: 1}\n"
      "source: {dovecot: {users_file: ~, other: ok}}\ndomains: [a.org, {b: ~}, ~, z.org]\n"
      "waves: [{name: first, accounts: ~, parallel: 3}, {name: second, parallel: ~}]\ntarget:\n"
      "steps: [~, ~, {id: a/three, args: {point: 1}}]\nlast: ok\n");
  EXPECT_EQ(tree_text(*part.tree), tree_text(*expected.tree));
  EXPECT_TRUE(part.tree->find("addresses")->find("public")->is_left_out);
  EXPECT_TRUE(part.tree->find("domains")->items[2].is_left_out);
}

/// The places of a text with one mistake in each of its lines, in turn.
TEST(Yaml, AMistakeInAnyLineLeavesTheOthersReadable) {
  const std::string whole =
      "a: 1\nb:\n  c: 2\n  d:\n    - e: 3\n      f: 4\n    - g\nh: [i, j]\nk: {l: 5}\n";
  for (std::size_t end = whole.find('\n'); end != std::string::npos;
       end = whole.find('\n', end + 1)) {
    for (const char* damage : {": [", " ]: }", "\n \tx: y: z"}) {
      SourceSet sources;
      Sink sink;
      const std::string text = whole.substr(0, end) + damage + whole.substr(end);
      const SoundPart part = read_sound_part(sources, sources.add("x.yaml", text), sink);
      if (!sink.has_errors()) continue;  // it means something
      ASSERT_TRUE(part.tree.has_value()) << text;
      EXPECT_FALSE(part.left_out.empty()) << text;
      EXPECT_GE(part.tree->entries.size(), 3U) << text;
      for (const Diagnostic& one : sink.sorted()) EXPECT_LE(one.span.begin, text.size());
    }
  }
}

TEST(Yaml, AFileThatIsNoPlanIsNotReportedToItsEnd) {
  std::string text, keys, words;
  for (int i = 0; i < 5'000; ++i) {
    text += "a" + std::to_string(i) + ": b: c\n";
    keys += "a: 1\n";
    words += "[a]: 1\n";
  }
  for (const std::string& one : {text, keys, words}) {
    const Read read(one);
    EXPECT_GE(read.sink.count(Severity::error), 100U);
    EXPECT_LE(read.sink.count(Severity::error), kProblemsMax);
  }
}

}  // namespace
}  // namespace plan::syntax
