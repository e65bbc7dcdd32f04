#include "compiler/lower/lower.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "compiler/ir/json.h"
#include "compiler/syntax/yaml.h"

namespace plan::lower {
namespace {

struct Lowered {
  SourceSet sources;
  Sink sink;
  std::optional<syntax::Node> module;
  std::optional<ir::StepGraph> graph;

  Lowered(const std::string& steps, std::size_t accounts, std::size_t waves = 2) {
    module = syntax::read_yaml(sources, sources.add("module.yaml", "steps:\n" + steps), sink);
    EXPECT_TRUE(module.has_value());
    LowerInput input;
    input.module = &*module;
    input.sources = &sources;
    input.scope.set("is_wanted", false);
    input.scope.set("names", ir::List{"a", "b"});
    for (std::size_t w = 0; w < waves; ++w)
      input.waves.push_back({fmt::format("w{}", w), 1, false, 0, {}});
    input.rows.push_back({"waves",
                          waves,
                          [](std::size_t i) {
                            const auto wave = static_cast<std::uint32_t>(i + 1);
                            return Row{fmt::format("w{}", i),
                                       ir::Value::map({{"name", fmt::format("w{}", i)}}),
                                       {},
                                       wave,
                                       {}};
                          },
                          {}});
    input.rows.push_back(
        {"accounts",
         accounts,
         [waves](std::size_t i) {
           const auto wave = static_cast<std::uint32_t>(i % waves + 1);
           const std::string name = fmt::format("u{}@x.org", i);
           return Row{
               name,
               ir::Value::map({{"address", name}, {"is_odd", i % 2 == 1}, {"absent", nullptr}}),
               {},
               wave,
               {}};
         },
         {},
         {"is_odd", "absent", "no-such-member"}});
    graph = lower(input, sink);
  }
  [[nodiscard]] std::string problem() const {
    const auto all = sink.sorted();
    return all.empty() ? "" : all[0].message;
  }
  [[nodiscard]] std::size_t edges() const {
    std::size_t count = 0;
    for (std::size_t i = 0; i < graph->size(); ++i)
      count += graph->after(static_cast<ir::StepId>(i)).size();
    return count;
  }
};

const std::string kWaves = R"(
  - {id: "wave/{}", kind: mark.rollback-point, for: wave in waves, stage: waves, after_previous_wave: ["account/{}/b"], args: {point: "${wave.name}"}}
  - {id: "account/{}/a", kind: admin.account-open, for: account in accounts, stage: waves, after: ["wave/{}"], args: {account: "${account.address}"}}
  - {id: "account/{}/m", kind: admin.account-open, for: account in accounts, stage: waves, when: "${account.is_odd}", after: ["account/{}/a"], args: {account: "${account.address}"}}
  - {id: "account/{}/b", kind: archive.copy, for: account in accounts, stage: waves, after: ["account/{}/m"], args: {account: "${account.address}", file: "x/${account.address}.sqlite", passes_max: "${account.absent}"}}
  - {id: done, kind: mark.rollback-point, stage: finalize, after: ["account/{}/b"], args: {point: done}}
)";

TEST(Lower, WavesFollowEachOtherAndAStepThatIsOffPassesItsEdgesOn) {
  const Lowered lowered(kWaves, 4);
  ASSERT_TRUE(lowered.graph.has_value()) << lowered.problem();
  const ir::StepGraph& graph = *lowered.graph;
  const auto step = [&](const char* id) {
    return graph.find(id).value_or(static_cast<ir::StepId>(0));
  };
  EXPECT_FALSE(graph.find("account/u0@x.org/m").has_value());
  ASSERT_EQ(graph.after(step("account/u0@x.org/b")).size(), 1U);
  EXPECT_EQ(graph.id(graph.after(step("account/u0@x.org/b"))[0]), "account/u0@x.org/a");
  EXPECT_EQ(graph.id(graph.after(step("account/u1@x.org/b"))[0]), "account/u1@x.org/m");
  EXPECT_EQ(graph.after(step("wave/w1")).size(), 3U) << "the wave before and its two accounts";
  EXPECT_EQ(graph.wave_info(graph.wave(step("account/u1@x.org/a")))->name, "w1");
  EXPECT_EQ(ir::canonical_json(graph.arguments(step("account/u1@x.org/b"))),
            R"({"account":"u1@x.org","file":"x/u1@x.org.sqlite"})")
      << "computed for the row; what the row does not have was not given";
}

TEST(Lower, ARowHasWhatArgumentsNameAndWhatIsKeptOfEveryRow) {
  const Lowered lowered(
      R"(
  - {id: "account/{}/a", kind: admin.account-open, for: account in accounts, stage: waves, args: {account: "${account.address}"}}
)",
      2);
  ASSERT_TRUE(lowered.graph.has_value()) << lowered.problem();
  const auto step = lowered.graph->find("account/u1@x.org/a");
  ASSERT_TRUE(step.has_value());
  EXPECT_EQ(ir::canonical_json(lowered.graph->row_members(lowered.graph->row(*step))),
            R"({"address":"u1@x.org","is_odd":true})");
}

TEST(Lower, EdgesGrowWithTheAccountsAndNotWithTheirSquare) {
  const Lowered small(kWaves, 1'000);
  const Lowered large(kWaves, 2'000);
  ASSERT_TRUE(small.graph && large.graph);
  EXPECT_LT(large.edges(), 2 * small.edges() + 10);
  EXPECT_LT(large.edges(), 6U * 2'000);
}

TEST(Lower, NumberedListsAndForExpand) {
  const Lowered lowered(R"(
  - id: s
    kind: admin.update
    stage: prepare
    args:
      object: X
      set:
        match: !numbered
          - !for {each: n, in: "${names}", give: [{if: "x == '${n}'"}, {if: "y"}]}
          - {if: z}
)",
                        0);
  ASSERT_TRUE(lowered.graph.has_value()) << lowered.problem();
  EXPECT_EQ(
      ir::canonical_json(lowered.graph->arguments(*lowered.graph->find("s"))["set"]["match"]),
      R"({"0":{"if":"x == 'a'"},"1":{"if":"y"},"2":{"if":"x == 'b'"},"3":{"if":"y"},"4":{"if":"z"}})");
}

TEST(Lower, AnItemOfALoopMayBeOfTheRow) {
  const Lowered lowered(R"(
  - {id: "account/{}/a", kind: admin.account-open, for: account in accounts, stage: waves, args: {account: "${account.address}", addresses: [!for {each: n, in: "${names}", give: ["${n}-${account.address}"]}]}}
)",
                        2);
  ASSERT_TRUE(lowered.graph.has_value()) << lowered.problem();
  EXPECT_EQ(ir::canonical_json(
                lowered.graph->arguments(*lowered.graph->find("account/u1@x.org/a"))["addresses"]),
            R"(["a-u1@x.org","b-u1@x.org"])");
}

TEST(Lower, ALoopGoesOverAListThatIsTheSameInEveryRow) {
  const Lowered lowered(R"(
  - {id: "account/{}/a", kind: admin.account-open, for: account in accounts, stage: waves, args: {account: "${account.address}", addresses: [!for {each: n, in: "${account.address}", give: ["${n}"]}]}}
)",
                        1);
  EXPECT_NE(lowered.problem().find("differs from row to row"), std::string::npos)
      << lowered.problem();
}

TEST(Lower, WhatIsWrongInEachRoundOfALoopIsToldOnce) {
  const Lowered lowered(R"(
  - {id: s, kind: admin.update, stage: prepare, args: {object: X, set: {all: [!for {each: n, in: "${names}", give: ["${nope}"]}]}}}
)",
                        0);
  EXPECT_EQ(lowered.sink.sorted().size(), 1U);
  EXPECT_EQ(lowered.problem(), "there is no `nope`");
}

TEST(Lower, LoopsInsideOneAnotherAreBounded) {
  std::string inner(100'000, 'x');
  for (int i = 0; i < 12; ++i)
    inner = fmt::format("!for {{each: n{}, in: \"${{names}}\", give: [{}]}}", i, inner);
  const Lowered lowered(
      fmt::format(
          "\n  - {{id: s, kind: admin.update, stage: prepare, args: {{object: X, set: {{match: "
          "[{}]}}}}}}\n",
          inner),
      0);
  EXPECT_NE(lowered.problem().find("come to more than"), std::string::npos) << lowered.problem();
}

const std::string kCopies = R"(
  - {id: "account/{}/c", kind: archive.copy, for: account in accounts, stage: waves, args: {account: "${account.address}", file: "x/${account.address}.sqlite"}}
)";

TEST(Lower, AStepWaitsForTheOneWhoseOutputItTakes) {
  const Lowered lowered(kCopies + R"(
  - {id: d, kind: admin.upsert, stage: prepare, args: {object: Domain, match: {name: x.org}, set: {a: b}}}
  - {id: a, kind: admin.upsert, stage: prepare, args: {object: Account, match: {name: a, domainId: !output "d id"}, set: {a: b}}}
  - {id: "account/{}/p", kind: mark.rollback-point, for: account in accounts, stage: waves, args: {point: !output "account/{}/c messages"}}
)",
                        2);
  ASSERT_TRUE(lowered.graph.has_value()) << lowered.problem();
  const ir::StepGraph& graph = *lowered.graph;
  const auto waits_for = [&](const char* id) {
    std::string text;
    for (const ir::StepId step : graph.after(*graph.find(id))) text += graph.id(step) + " ";
    return text;
  };
  EXPECT_EQ(waits_for("a"), "d ");
  EXPECT_EQ(waits_for("account/u1@x.org/p"), "account/u1@x.org/c ");
}

TEST(Lower, AnOutputThatNobodyGivesIsRefused) {
  const auto problem = [](const std::string& steps) {
    return Lowered(kCopies + steps, 2).problem();
  };
  EXPECT_EQ(
      problem("  - {id: d, kind: admin.upsert, stage: prepare, args: {object: X, match: {name: x}, "
              "set: {a: !output \"d id\"}}}\n"),
      "there is no earlier step `d`");
  const std::string made =
      "  - {id: d, kind: admin.upsert, stage: prepare, when: \"${is_wanted}\", args: {object: X, "
      "match: {name: x}, set: {a: b}}}\n";
  const auto taking = [&](const std::string& output) {
    return problem(made +
                   "  - {id: p, kind: mark.rollback-point, stage: finalize, args: {point: "
                   "!output \"" +
                   output + "\"}}\n");
  };
  EXPECT_EQ(taking("d name"), "`d` of kind `admin.upsert` gives no `name`");
  EXPECT_EQ(taking("d id"), "`p` takes what `d` gives, and that one is switched off");
  EXPECT_EQ(taking("account/{}/c messages"),
            "`account/{}/c` is there for each of `accounts`, and this step is not");
}

TEST(Lower, BeforeIsAfterSaidFromTheOtherSide) {
  const std::string steps = R"(
  - {id: mine, kind: mark.rollback-point, stage: waves, before: ["account/{}/a", end], args: {point: mine}}
  - {id: off, kind: mark.rollback-point, stage: waves, when: "${is_wanted}", before: [end], after: [mine], args: {point: off}}
  - {id: "account/{}/a", kind: admin.account-open, for: account in accounts, stage: waves, args: {account: "${account.address}"}}
  - {id: every, kind: mark.rollback-point, stage: waves, after: ["account/{}/a"], before: [last], args: {point: every}}
  - {id: last, kind: mark.rollback-point, stage: waves, args: {point: last}}
  - {id: end, kind: mark.rollback-point, stage: finalize, args: {point: end}}
)";
  const Lowered lowered(steps, 2);
  ASSERT_TRUE(lowered.graph.has_value()) << lowered.problem();
  const ir::StepGraph& graph = *lowered.graph;
  const auto waits = [&](const char* id) {
    std::vector<std::string> names;
    for (const ir::StepId earlier : graph.after(*graph.find(id)))
      names.push_back(graph.id(earlier));
    std::sort(names.begin(), names.end());
    return names;
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(waits("account/u0@x.org/a"), Names{"mine"});
  EXPECT_EQ(waits("account/u1@x.org/a"), Names{"mine"});
  EXPECT_EQ(waits("every"), (Names{"account/u0@x.org/a", "account/u1@x.org/a"}));
  EXPECT_EQ(waits("last"), Names{"every"});
  EXPECT_EQ(waits("end"), Names{"mine"}) << "what is off hands on what it would have waited for";
}

TEST(Lower, ACycleIsShownAtEachWaitOfIt) {
  Lowered lowered(
      "  - {id: a, kind: approval, stage: waves, before: [c], args: {wave: x}}\n"
      "  - {id: b, kind: approval, stage: waves, before: [a], args: {wave: x}}\n"
      "  - {id: c, kind: approval, stage: waves, before: [b], args: {wave: x}}\n"
      "  - {id: d, kind: approval, stage: waves, after: [a], args: {wave: x}}\n",
      2);
  ASSERT_FALSE(lowered.graph.has_value());
  const std::vector<Diagnostic> all = lowered.sink.sorted();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].message, "cycle: a after b after c after a");
  EXPECT_EQ(lowered.sources.text(all[0].span), "a") << "of `before: [a]`";
  ASSERT_EQ(all[0].notes.size(), 2U);
  EXPECT_EQ(lowered.sources.text(all[0].notes[0].span), "b");
  EXPECT_EQ(lowered.sources.text(all[0].notes[1].span), "c");
  EXPECT_EQ(Lowered("  - {id: a, kind: approval, stage: waves, after: [a], args: {wave: x}}\n", 2)
                .problem(),
            "cycle: a after a");
}

/// Steps that are off may be on very many ways between two others.
TEST(Lower, StepsThatAreOffArePassedOnce) {
  std::string steps = "  - {id: first, kind: approval, stage: waves, args: {wave: x}}\n";
  std::string earlier = "first";
  for (int i = 0; i < 60; ++i) {
    steps += fmt::format(
        "  - {{id: l{0}, kind: approval, stage: waves, when: \"${{is_wanted}}\", after: [{1}], "
        "args: {{wave: x}}}}\n"
        "  - {{id: r{0}, kind: approval, stage: waves, when: \"${{is_wanted}}\", after: [{1}], "
        "args: {{wave: x}}}}\n",
        i, earlier);
    earlier = fmt::format("l{0}, r{0}", i);
  }
  steps += fmt::format(
      "  - {{id: last, kind: approval, stage: waves, after: [{}], args: {{wave: x}}}}\n", earlier);
  const Lowered lowered(steps, 2);
  ASSERT_TRUE(lowered.graph.has_value()) << lowered.problem();
  ASSERT_EQ(lowered.graph->size(), 2U);
  EXPECT_EQ(lowered.edges(), 1U);
}

TEST(Lower, BrokenProceduresAreNamedAtTheirPlace) {
  const auto problem = [](const std::string& steps) { return Lowered(steps, 2).problem(); };
  EXPECT_EQ(problem("  - {id: a, kind: no.such, stage: prepare}\n"),
            "there is no kind of step `no.such`");
  EXPECT_EQ(problem("  - {id: a, kind: approval, stage: never}\n"), "there is no stage `never`");
  EXPECT_EQ(problem("  - {id: a, kind: approval}\n"), "a step needs a `stage`");
  EXPECT_EQ(problem("  - {id: a, kind: window, stage: waves}\n"),
            "`window` needs argument `not_before_ms`: the moment, in milliseconds since 1970");
  EXPECT_EQ(problem("  - {id: a, kind: approval, stage: waves, args: {wave: x, other: y}}\n"),
            "`approval` takes no argument `other`");
  EXPECT_EQ(problem("  - {id: a, kind: approval, stage: waves, after: [b], args: {wave: x}}\n"),
            "there is no step `b`");
  EXPECT_EQ(problem("  - {id: \"a{}\", kind: approval, stage: waves, args: {wave: x}}\n"),
            "an `id` with `{}` needs a `for`");
  EXPECT_EQ(
      problem("  - {id: a, kind: approval, stage: waves, for: x in nothing, args: {wave: x}}\n"),
      "there are no rows `nothing`");
  EXPECT_EQ(problem("  - {id: a, kind: approval, stage: waves, after: [b], args: {wave: x}}\n"
                    "  - {id: b, kind: approval, stage: waves, after: [a], args: {wave: x}}\n")
                .substr(0, 6),
            "cycle:");
  EXPECT_EQ(problem("  - {id: \"w{}\", kind: approval, for: wave in waves, stage: waves, after: "
                    "[\"a{}\"], args: {wave: x}}\n"
                    "  - {id: \"a{}\", kind: approval, for: account in accounts, stage: waves, "
                    "args: {wave: x}}\n"),
            "`w{}` cannot wait for every `a{}`");
  EXPECT_EQ(problem("  - {id: \"a{}\", kind: approval, for: account in accounts, stage: waves, "
                    "args: {wave: \"${account.nope}\"}}\n"),
            "rows `accounts` have no member `nope`");
  EXPECT_EQ(problem("  - {id: a, kind: approval, stage: prepare, role: held, args: {wave: x}}\n"),
            "`a` of stage prepare is no part of an account's move");
  EXPECT_EQ(problem("  - {id: a, kind: approval, stage: waves, role: kept, args: {wave: x}}\n"),
            "there is no role `kept`");
}

std::string sweep(const std::string& arguments) {
  return "  - {id: \"a/{}\", kind: archive.sweep, for: account in accounts, stage: waves, args: "
         "{account: \"${account.address}\", file: x, " +
         arguments + "}}\n";
}

TEST(Lower, AnAmountThatIsComputedForARowIsReadAsOneThatIsWritten) {
  const Lowered lowered(sweep("addresses: [], apart_ms: \"${length(account.address)}m\""), 2);
  ASSERT_TRUE(lowered.graph.has_value()) << lowered.problem();
  const ir::Value arguments = lowered.graph->arguments(*lowered.graph->find("a/u1@x.org"));
  EXPECT_EQ(arguments["apart_ms"].integer_or(0), 8 * 60'000);
  // The same text is a text where one is wanted.
  const Lowered named(
      "  - {id: \"p/{}\", kind: mark.rollback-point, for: account in accounts, stage: waves, args: "
      "{point: \"${length(account.address)}m\"}}\n",
      2);
  ASSERT_TRUE(named.graph.has_value()) << named.problem();
  EXPECT_EQ(named.graph->arguments(*named.graph->find("p/u1@x.org"))["point"].string_or(""), "8m");
}

TEST(Lower, AWrongArgumentOfARowIsShownWhereItStands) {
  const auto shown = [](const std::string& arguments) {
    Lowered lowered(sweep(arguments), 2);
    const std::vector<Diagnostic> all = lowered.sink.sorted();
    return all.size() == 1
               ? all[0].message + " at " + std::string(lowered.sources.text(all[0].span))
               : fmt::format("{} diagnostics", all.size());
  };
  EXPECT_EQ(shown("addresses: [], apart_ms: \"${account.address}\""),
            "`apart_ms` of `archive.sweep` takes a duration, and this is text for `u0@x.org` at "
            "\"${account.address}\"");
  EXPECT_EQ(shown("addresses: [], apart_ms: \"${length(account.address)}MiB\""),
            "`apart_ms` of `archive.sweep` takes a duration, and this is size for `u0@x.org` at "
            "\"${length(account.address)}MiB\"");
  EXPECT_EQ(shown("addresses: [], apart_ms: \"${length(account.address)}d\""),
            "`apart_ms` of `archive.sweep` takes a duration of at most 24 h 0 min, and this is 8 "
            "days for `u0@x.org` at \"${length(account.address)}d\"");
  EXPECT_EQ(shown("apart_ms: 1m, addresses: [x, \"${account.is_odd}\"]"),
            "`addresses` of `archive.sweep` takes a list of texts, and boolean is none for "
            "`u0@x.org` at [x, \"${account.is_odd}\"]");
}

TEST(Lower, AnExpressionOfAnotherUnitIsRefused) {
  const auto problem = [](const std::string& kind, const std::string& arguments) {
    return Lowered("  - {id: a, kind: " + kind + ", stage: waves, args: {" + arguments + "}}\n", 2)
        .problem();
  };
  const std::string names = "account: a@x.org, addresses: [], ";
  EXPECT_EQ(problem("proxy.hold", names + "bound_ms: \"${max(1MiB, 2MiB)}\""),
            "`bound_ms` of `proxy.hold` takes a duration, and this is size");
  EXPECT_EQ(problem("proxy.hold", names + "bound_ms: \"${max(10s, 20s)}\""), "");
  EXPECT_EQ(problem("proxy.hold", names + "bound_ms: \"${max(10000, 20000)}\""), "");
  EXPECT_EQ(problem("window", "not_before_ms: \"${max(5m, 6m)}\""),
            "`not_before_ms` of `window` takes a moment in milliseconds since 1970, and this is "
            "duration");
  EXPECT_EQ(problem("window", "not_before_ms: \"${max(1798761600000, 5)}\""), "");
}

/// Each mistake of a procedure says what to do about it, at the place that can be mended.
TEST(Lower, AnIdThatOnlyRowsMakeIsShownAtBothItsSteps) {
  Lowered lowered(
      "  - {id: \"a/{}\", kind: admin.account-open, for: account in accounts, stage: waves, args: "
      "{account: \"${account.address}\"}}\n"
      "  - {id: a/u1@x.org, kind: approval, stage: waves, args: {wave: x}}\n",
      2);
  ASSERT_FALSE(lowered.graph.has_value());
  const std::vector<Diagnostic> all = lowered.sink.sorted();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].message, "step `a/u1@x.org` is there twice");
  ASSERT_EQ(all[0].notes.size(), 1U);
  const std::string here(lowered.sources.text(all[0].span));
  const std::string there(lowered.sources.text(all[0].notes[0].span));
  EXPECT_EQ((std::set<std::string>{here, there}),
            (std::set<std::string>{"\"a/{}\"", "a/u1@x.org"}));
  ASSERT_EQ(all[0].help.size(), 1U);
}

}  // namespace
}  // namespace plan::lower
