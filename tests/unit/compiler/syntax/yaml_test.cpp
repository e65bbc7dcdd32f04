#include "compiler/syntax/yaml.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

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

/// Where each mistake stands, and what is said of it.
std::string said(const Read& read) {
  std::string lines;
  for (const Diagnostic& d : read.sink.sorted()) {
    const Position position = read.sources.position(d.span.file, d.span.begin);
    lines += std::to_string(position.line) + ":" + std::to_string(position.column) + " " +
             d.message + "\n";
  }
  return lines;
}

TEST(Yaml, AQuoteThatIsNeverClosedIsToldWhereItOpens) {
  struct Case {
    const char* text;
    const char* place;
  };
  for (const Case& one : std::initializer_list<Case>{{"x: \"b", "1:4"},
                                                     {"x: 'b", "1:4"},
                                                     {"x: 'it''s", "1:4"},
                                                     {"x: \"b\\\"", "1:4"},
                                                     {"x: \"b\\\\\\", "1:4"},
                                                     {"x: [a, \"b", "1:8"},
                                                     {"x: {a: 'b", "1:8"},
                                                     {"{\"a", "1:2"},
                                                     {"[{'", "1:3"},
                                                     {"x: !secret \"env:A", "1:12"},
                                                     {"x: ! \"5", "1:6"},
                                                     {"\"a: b", "1:1"},
                                                     {"? \"a", "1:3"},
                                                     {"- a\n- \"b\n- c", "2:3"},
                                                     {"x: \"a\n\n\n  b: 1", "1:4"},
                                                     {"x: \"a\n---\nb: 1", "1:4"},
                                                     {"a: 1\n\"\nb: 2", "2:1"},
                                                     {"a:\n  b: 'c\nd: 1", "2:6"},
                                                     {"a: \"b\"\nc: \"d", "2:4"}}) {
    for (const char* end : {"", "\n", "\r\n", "\n\n", "\n   ", "  \n\t\n"}) {
      const Read read(std::string(one.text) + end);
      EXPECT_FALSE(read.tree.has_value()) << one.text;
      EXPECT_EQ(said(read), std::string(one.place) + " this quote is never closed\n")
          << one.text << end;
      EXPECT_EQ(read.codes(), "yaml-syntax ");
    }
  }
}

TEST(Yaml, AQuoteThatIsClosedOrPartOfAWordIsNoMistake) {
  for (const char* text :
       {"x: \"b\\\\\"\n", "x: 'it''s'''\n", "x: \"a\n\n  b\"\n", "x: a\"b\n", "x: it's\n",
        "x: 1 # \"\n", "x: |\n  \"b\n", "x: \"'\"\n", "x: '\"'\n", "x: ! \"5\"\n", "x: ''\n",
        "x: \"\"", "\"x\": !a\n\"y\": 1\n", "x: \"a\\\n  b\"\n"}) {
    EXPECT_EQ(said(Read(text)), "") << text;
  }
  const Read forced("x: ! \"5\"\ny: ! '\"'\n");
  ASSERT_TRUE(forced.tree.has_value());
  EXPECT_TRUE(forced.tree->find("x")->is_quoted);
  EXPECT_TRUE(forced.tree->find("x")->tag.empty());
  EXPECT_EQ(forced.tree->find("y")->text, "\"");
}

/// A line that has nothing but a quote, anywhere in a text with quotes before and behind it.
TEST(Yaml, ALoneQuoteIsAllThatIsToldAndNothingIsMissingWithoutIt) {
  const std::string whole =
      "a: \"b\"\nc:\n  d: 'e'\n  f:\n    - \"g\"\n    - {h: \"i\"}\nj: [\"k\", l]\nm: 'n'\n";
  std::size_t told = 0;
  const std::size_t second = whole.find('\n') + 1;
  for (std::size_t line = second; line < whole.size(); line = whole.find('\n', line) + 1) {
    for (const char* lone : {"\"\n", "'\n", "  \"\n", "      ' \r\n"}) {
      SourceSet sources;
      Sink sink;
      const std::string text = whole.substr(0, line) + lone + whole.substr(line);
      const FileId file = sources.add("x.yaml", text);
      const SoundPart part = read_sound_part(sources, file, sink);
      const std::vector<Diagnostic> all = sink.sorted();
      if (all.empty()) continue;  // it ends a text without quotes
      ++told;
      ASSERT_EQ(all.size(), 1U) << text;
      EXPECT_EQ(all[0].message, "this quote is never closed") << text;
      EXPECT_EQ(all[0].span.begin, text.find_first_of("\"'", line)) << text;
      ASSERT_TRUE(part.tree.has_value()) << text;
      EXPECT_EQ(tree_text(*part.tree), tree_text(*Read(whole).tree)) << text;
    }
  }
  EXPECT_GE(told, 20U);
}

TEST(Yaml, WhatItsLibrarySaysIsToldInOurWords) {
  struct Case {
    const char* text;
    const char* said;
  };
  for (const Case& one : std::initializer_list<Case>{
           {"x: @b\n", "1:4 no text without quotes begins with this character\n"},
           {"x: \"\\q\"\n", "1:5 a `\\` stands in front of a character that needs none\n"},
           {"x: \"\\xzz\"\n", "1:5 digits of a character's number are missing behind this `\\`\n"},
           {"x: \"\\ud800\"\n", "1:5 no character has the number that is written here\n"},
           {"x: *b\n", "1:4 an alias (`*name`) stands here\n"},
           {"x: *\n", "1:4 an alias (`*`) without a name stands here\n"},
           {"x: & \n", "1:4 an anchor (`&`) without a name stands here\n"},
           {"x: &a[\n", "1:4 an anchor (`&name`) has a character that no name has\n"},
           {"x: &a &b c\n", "1:7 two anchors (`&name`) stand at one value\n"},
           {"x: !a !b c\n", "1:7 two tags (`!name`) stand at one value\n"},
           {"x: !<abc\n", "1:4 a tag (`!<`) is never closed\n"},
           {"x: !a!\n", "1:6 a tag (`!name!`) ends without its second word\n"},
           {"x: |0\n  a\n", "1:6 a `0` stands behind `|` or `>`\n"},
           {"x: | b\n  a\n", "1:6 text stands in the line of `|` or `>`\n"},
           {"%YAML 1 2\n---\nx: 1\n", "1:1 a `%YAML` line has more than a version, or none\n"},
           {"%YAML x\n---\nx: 1\n", "1:1 a `%YAML` line has a version that is none\n"},
           {"%YAML 2.0\n---\nx: 1\n", "1:1 a `%YAML` line is of a later YAML than is read\n"},
           {"%YAML 1.2\n%YAML 1.2\n---\nx: 1\n", "2:1 a second `%YAML` line stands here\n"},
           {"%TAG a\n---\nx: 1\n", "1:1 a `%TAG` line has not two words\n"},
           {"x: [a\n", "1:6 a `[` is not closed\n"},
           {"x: {a: 1\n", "1:9 a `{` is not closed\n"},
           {"x: {a: \"b\" c}\n", "1:12 a comma or a `}` is missing here\n"},
           {"x: [a}\n", "1:6 a bracket closes that was not opened, or not by this one\n"},
           {"x: - a\n", "1:4 a `- ` stands where no item of a list can begin\n"},
           {"x: ? a\n", "1:4 a `? ` stands where no key can begin\n"},
           {"a: 1\n- b\n", "2:1 this line does not fit the mapping that it stands in\n"}}) {
    const Read read(one.text);
    EXPECT_EQ(said(read), one.said) << one.text;
    for (const Diagnostic& d : read.sink.sorted()) EXPECT_FALSE(d.help.empty()) << one.text;
  }
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

/// What reading costs this thread's processor: other load on the machine does not count.
double processor_seconds(const std::string& text) {
  const auto now = [] {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
  };
  const double begin = now();
  const Read read(text);
  return now() - begin;
}

TEST(Yaml, OpenQuotesCostLinearTime) {
  constexpr std::size_t kSmall = 25'000;
  constexpr std::size_t kTimes = 16;
  constexpr double kLeast = 0.002;
  for (const auto& [head, part] :
       std::initializer_list<std::pair<const char*, const char*>>{{"", "- \"a\n"},
                                                                  {"", "a: \"\n"},
                                                                  {"", "\"a\": \"b\n"},
                                                                  {"", "{\"a"},
                                                                  {"", "'"},
                                                                  {"", "\"\n"},
                                                                  {"a: \"", "b\n"},
                                                                  {"a: [\"", "b, "},
                                                                  {"a: 1\n\"\n", "b: \"1\"\n"},
                                                                  {"", "- ! \"\n"},
                                                                  {"a: '", "''"},
                                                                  {"", "a:\n  - b: \"\n"}}) {
    std::string small = head, large = head;
    while (small.size() < kSmall) small += part;
    while (large.size() < kSmall * kTimes) large += part;
    // Costs that grow with the square would be 256 times as much. Every second text ends with an
    // open quote: the larger one is tried both ways.
    double times = 0;
    for (int attempt = 0; attempt < 5; ++attempt) {
      const double of_large = std::max(processor_seconds(large), processor_seconds(large + part));
      times =
          of_large / std::max({processor_seconds(small), processor_seconds(small + part), kLeast});
      if (times < kTimes * 5) break;
    }
    EXPECT_LT(times, kTimes * 5) << head << part;
  }
}

}  // namespace
}  // namespace plan::syntax
