#include <gtest/gtest.h>

#include "compiler/source/diagnostic.h"
#include "compiler/source/report_again.h"

namespace plan {
namespace {

constexpr std::string_view kPlan = "plan: 1\nwaves:\n  - {name: rest, parralel: 8}\n\tünï: ok\n";

struct Case {
  SourceSet sources;
  Sink sink;
  FileId file = sources.add("migration.yaml", std::string(kPlan));
  Span span(std::string_view text) {
    const auto begin = static_cast<std::uint32_t>(kPlan.find(text));
    return {file, begin, begin + static_cast<std::uint32_t>(text.size())};
  }
};

TEST(RenderTerminal, PutsTheCaretUnderTheToken) {
  Case c;
  c.sink.report(Kind::unknown_key, c.span("parralel"), "unknown key `parralel` in wave `rest`")
      .label("did you mean `parallel`?")
      .note(c.span("waves"), "waves begin here")
      .help("write `parallel`");
  EXPECT_EQ(render_terminal(c.sink.sorted(), c.sources, {}),
            "migration.yaml:3:18: error: unknown key `parralel` in wave `rest` [unknown-key]\n"
            "    3 |   - {name: rest, parralel: 8}\n"
            "      |                  ^^^^^^^^ did you mean `parallel`?\n"
            "migration.yaml:2:1: note: waves begin here\n"
            "    2 | waves:\n"
            "      | ^^^^^\n"
            "  help: write `parallel`\n");
}

TEST(RenderTerminal, CountsCharactersAndDrawsTabsAsSpaces) {
  Case c;
  c.sink.report(Kind::lock_syntax, c.span("ok"), "x");
  EXPECT_EQ(render_terminal(c.sink.sorted(), c.sources, {}),
            "migration.yaml:4:7: error: x [lock-syntax]\n"
            "    4 |     ünï: ok\n"
            "      |          ^^\n");
}

TEST(Sink, AddsTheRemedyOfTheKindWhereNobodySaidWhatToDo) {
  Case c;
  c.sink.report(Kind::duplicate_key, c.span("ok"), "x");
  c.sink.report(Kind::duplicate_key, c.span("parralel"), "y").help("this one knows better");
  const auto sorted = c.sink.sorted();
  ASSERT_EQ(sorted.size(), 2U);
  EXPECT_EQ(sorted[0].help, std::vector<std::string>{"this one knows better"});
  EXPECT_EQ(sorted[1].help, std::vector<std::string>{"remove one of the two"});
}

TEST(Sink, KeepsSoManyOfOneCodeAndSaysHowManyItLeftOut) {
  SourceSet sources;
  const FileId file = sources.add("p", "abcdefghij");
  Sink sink(3);
  const auto report = [&](Kind kind, std::uint32_t at) {
    return sink.report(kind, {file, at, at + 1}, "x");
  };
  for (std::uint32_t i = 0; i < 8; ++i) report(Kind::bad_address, i).help("h").note({}, "n");
  for (std::uint32_t i = 0; i < 2; ++i) report(Kind::bad_address, i).severity(Severity::note);
  report(Kind::unknown_key, 9);
  EXPECT_EQ(sink.count(Severity::error), 9U);
  EXPECT_EQ(sink.count(Severity::note), 2U);
  const auto sorted = sink.sorted();
  ASSERT_EQ(sorted.size(), 6U);
  EXPECT_EQ(sorted[3].kind, Kind::unknown_key);
  EXPECT_EQ(left_out_by(sorted[3]), 0U);
  EXPECT_EQ(sorted[4].kind, Kind::bad_address);
  EXPECT_EQ(sorted[4].message, "5 more of this code are not kept");
  EXPECT_EQ(left_out_by(sorted[4]), 5U);
  EXPECT_EQ(left_out_by(sorted[5]), 2U);
  EXPECT_EQ(sorted[5].severity, Severity::note);
  // Whoever reads them from another sink counts them too.
  Sink other(3);
  for (const Diagnostic& one : sorted) report_again(one, other);
  EXPECT_EQ(other.count(Severity::error), 9U);
  EXPECT_EQ(other.count(Severity::note), 2U);
  EXPECT_NE(render_terminal(sorted, sources, {}).find("\nand 7 more [bad-address]\n"),
            std::string::npos);
}

TEST(SourceSet, CountsCharactersInALongLineAsInAShortOne) {
  SourceSet sources;
  std::string text = "first\n";
  for (int i = 0; i < 9'000; ++i) text += i % 3 == 0 ? "ü" : i % 3 == 1 ? "€" : "x";
  text += "\nlast";
  const FileId file = sources.add("p", text);
  std::uint32_t column = 0;
  std::uint32_t line = 1;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const bool is_begin = (static_cast<unsigned char>(text[at]) & 0xC0U) != 0x80U;
    column += is_begin ? 1 : 0;
    if (!is_begin) continue;
    const Position position = sources.position(file, static_cast<std::uint32_t>(at));
    ASSERT_EQ(position.line, line) << at;
    ASSERT_EQ(position.column, column) << at;
    if (text[at] == '\n') {
      ++line;
      column = 0;
    }
  }
}

TEST(RenderTerminal, CutsALongLineAroundTheToken) {
  SourceSet sources;
  Sink sink;
  const FileId file = sources.add("p", std::string(500, 'a') + "TOKEN" + std::string(500, 'b'));
  sink.report(Kind::unknown_key, {file, 500, 505}, "x");
  const std::string shown = render_terminal(sink.sorted(), sources, {.width_columns = 60});
  EXPECT_NE(shown.find("…aaaa"), std::string::npos) << shown;
  EXPECT_NE(shown.find("bbb…\n"), std::string::npos) << shown;
  const std::size_t token = shown.find("TOKEN");
  const std::size_t line_begin = shown.rfind('\n', token) + 1;
  const std::size_t caret = shown.find("^^^^^");
  const std::size_t caret_line = shown.rfind('\n', caret) + 1;
  EXPECT_EQ(token - line_begin - 2, caret - caret_line)
      << shown;  // the ellipsis has three bytes and one column
}

TEST(RenderTerminal, ShowsTwentyOfACodeAndCountsTheRest) {
  Case c;
  const auto shown = [&] { return render_terminal(c.sink.sorted(), c.sources, {}); };
  for (int i = 0; i < 20; ++i) c.sink.report(Kind::unknown_key, c.span("parralel"), "x");
  EXPECT_EQ(shown().find("plan check"), std::string::npos) << "all are there";
  for (int i = 0; i < 5; ++i) c.sink.report(Kind::unknown_key, c.span("parralel"), "x");
  EXPECT_TRUE(
      shown().ends_with("\nand 5 more [unknown-key]\n\n`plan check --format json` does not "
                        "cut the list\n"))
      << shown();
}

TEST(RenderTerminal, NeverSendsControlCharactersToTheTerminal) {
  SourceSet sources;
  Sink sink;
  const FileId file = sources.add("p\x1b[2J", "a\x1b]0;x\x07");
  sink.report(Kind::unknown_key, {file, 1, 2}, "seen \x1b");
  EXPECT_EQ(render_terminal(sink.sorted(), sources, {}).find('\x1b'), std::string::npos);
}

TEST(RenderJson, HasEveryMemberAlways) {
  Case c;
  c.sink.report(Kind::lock_syntax, c.span("parralel"), "unknown \"key\"")
      .argument("key", "parralel");
  EXPECT_EQ(
      render_json(c.sink.sorted(), c.sources),
      "{\"format\":1,\"diagnostics\":[\n"
      R"({"code":"lock-syntax","severity":"error","place":{"file":"migration.yaml","line":3,"column":18,)"
      R"("end_line":3,"end_column":26},"message":"unknown \"key\"","label":null,"arguments":{"key":"parralel"},)"
      R"("notes":[],"help":[]})"
      "\n]}\n");
}

TEST(RenderSarif, NamesRuleAndRegion) {
  Case c;
  c.sink.report(Kind::unknown_key, c.span("parralel"), "x").help("y");
  const std::string shown = render_sarif(c.sink.sorted(), c.sources);
  EXPECT_NE(shown.find(R"("ruleId":"unknown-key","level":"error","message":{"text":"x\nhelp: y"})"),
            std::string::npos);
  EXPECT_NE(shown.find(R"("region":{"startLine":3,"startColumn":18,"endLine":3,"endColumn":26})"),
            std::string::npos);
}

}  // namespace
}  // namespace plan
