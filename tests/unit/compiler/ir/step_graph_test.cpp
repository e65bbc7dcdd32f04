#include "compiler/ir/step_graph.h"

#include <gtest/gtest.h>

#include "compiler/ir/graph_text.h"
#include "compiler/ir/json.h"

namespace plan::ir {
namespace {

StepGraph two_accounts() {
  StepGraph graph;
  const auto create = graph.add_shape({StepKind::admin_account,
                                       Stage::waves,
                                       TransactionRole::none,
                                       "account/{}/create",
                                       Value::map({{"account", OutputRef{"$row", "account"}},
                                                   {"quota_bytes", OutputRef{"$row", "quota"}}}),
                                       {}});
  const auto open =
      graph.add_shape({StepKind::admin_account_open,
                       Stage::waves,
                       TransactionRole::held,
                       "account/{}/open",
                       Value::map({{"account", OutputRef{"account/{}/create", "account_id"}}}),
                       {}});
  const WaveId wave = graph.add_wave({"canary", 2, true, 1, {}});
  for (const char* name : {"a/b@x.test", "c@x.test"}) {
    const RowId row = graph.add_row(name, Value::map({{"account", name}}), {});
    const StepId first = graph.add_step(create, row, wave);
    graph.add_edge(first, graph.add_step(open, row, wave));
  }
  return graph;
}

TEST(StepGraph, IdsAreReadableAndEscapeWhatLocalPartsMayHold) {
  StepGraph graph = two_accounts();
  ASSERT_FALSE(graph.freeze());
  EXPECT_EQ(graph.id(StepId{0}), "account/a%2Fb@x.test/create");
  EXPECT_EQ(graph.find("account/c@x.test/open"), StepId{3});
  EXPECT_FALSE(graph.find("account/c@x.test/none"));
}

TEST(StepGraph, ArgumentsComeFromTheRowAndNameTheRowsOwnSteps) {
  StepGraph graph = two_accounts();
  ASSERT_FALSE(graph.freeze());
  EXPECT_EQ(graph.arguments(StepId{2}), Value::map({{"account", "c@x.test"}}));
  EXPECT_EQ(graph.arguments(StepId{1})["account"],
            Value(OutputRef{"account/a%2Fb@x.test/create", "account_id"}));
  EXPECT_NE(graph.digest(StepId{0}), graph.digest(StepId{2}));
}

TEST(StepGraph, NothingOfAPlanIsRawInItsText) {
  StepGraph graph;
  const WaveId wave = graph.add_wave({"can\u202eary\x1b[31m", 2, true, 1, {}});
  const auto shape = graph.add_shape({StepKind::address_move,
                                      Stage::waves,
                                      TransactionRole::none,
                                      "wave/can\u202eary\x1b[31m/begin",
                                      Value::map({{"public", "mail\u200b.x.test"}}),
                                      {}});
  (void)graph.add_step(shape, RowId::none, wave);
  ASSERT_FALSE(graph.freeze());
  for (const std::string& text :
       {graph_lines(graph, true), graph_dot(graph, {}), graph_mermaid(graph, {})}) {
    for (const char* raw : {"\x1b", "\u202e", "\u200b"})
      EXPECT_EQ(text.find(raw), std::string::npos) << text;
    EXPECT_NE(text.find("xe2"), std::string::npos) << "it is shown as what it is: " << text;
  }
}

TEST(StepGraph, ACycleIsNamed) {
  StepGraph graph = two_accounts();
  graph.add_edge(StepId{1}, StepId{0});
  const auto problem = graph.freeze();
  ASSERT_TRUE(problem);
  EXPECT_NE(problem->find("account/a%2Fb@x.test/create after account/a%2Fb@x.test/open"),
            std::string::npos)
      << *problem;
}

TEST(StepGraph, TheSameStepTwiceIsNamed) {
  StepGraph graph = two_accounts();
  graph.add_step(0, RowId{1}, WaveId::none);
  EXPECT_EQ(graph.freeze(), "step `account/a%2Fb@x.test/create` is there twice");
}

/// Steps of the kind and stage that say nothing: only their ids count.
StepId add(StepGraph& graph, std::string pattern, RowId row) {
  StepShape shape;
  shape.kind = StepKind::mark_rollback_point;
  shape.id_pattern = std::move(pattern);
  return graph.add_step(graph.add_shape(std::move(shape)), row, WaveId::none);
}

TEST(StepGraph, RowsOfOneNameHaveStepsOfTheirOwn) {
  StepGraph graph;
  const RowId account = graph.add_row("a@x.test", {}, {});
  const RowId other = graph.add_row("b@x.test", {}, {});
  const RowId key = graph.add_row("a@x.test", {}, {});
  const StepId create = add(graph, "account/{}/create", account);
  const StepId destroy = add(graph, "finalize/key/{}", key);
  const StepId copy = add(graph, "account/{}/copy", other);
  const StepId single = add(graph, "target/route", RowId::none);
  ASSERT_FALSE(graph.freeze());
  EXPECT_EQ(graph.find("account/a@x.test/create"), create);
  EXPECT_EQ(graph.find("finalize/key/a@x.test"), destroy);
  EXPECT_EQ(graph.find("account/b@x.test/copy"), copy);
  EXPECT_EQ(graph.find("target/route"), single);
  for (const char* id : {"account/b@x.test/create", "finalize/key/b@x.test", "finalize/key/",
                         "account/{}/create", "account/a@x.test/create/", "route", ""})
    EXPECT_FALSE(graph.find(id)) << id;
}

TEST(StepGraph, PatternsThatCanMakeOneIdAreToldApart) {
  const auto graph_with = [](std::string_view second_name) {
    StepGraph graph;
    add(graph, "x-{}", graph.add_row("y", {}, {}));
    add(graph, "{}-y", graph.add_row(std::string(second_name), {}, {}));
    add(graph, "domain/{}", graph.add_row("one", {}, {}));
    return graph;
  };
  StepGraph apart = graph_with("z");
  add(apart, "domain/two", RowId::none);
  ASSERT_FALSE(apart.freeze());
  EXPECT_EQ(apart.find("x-y"), StepId{0});
  EXPECT_EQ(apart.find("z-y"), StepId{1});
  EXPECT_EQ(apart.find("domain/one"), StepId{2});
  EXPECT_EQ(apart.find("domain/two"), StepId{3});
  EXPECT_FALSE(apart.find("x-z"));
  EXPECT_EQ(graph_with("x").freeze(), "step `x-y` is there twice");
  StepGraph literal = graph_with("z");
  add(literal, "domain/one", RowId::none);
  EXPECT_EQ(literal.freeze(), "step `domain/one` is there twice");
}

TEST(StepGraph, TwoShapesOfOnePatternAndTwoRowsOfOneNameMakeOneId) {
  StepGraph shapes;
  const RowId row = shapes.add_row("a", {}, {});
  add(shapes, "account/{}", row);
  add(shapes, "account/{}", row);
  EXPECT_EQ(shapes.freeze(), "step `account/a` is there twice");
  StepGraph rows;
  const StepId first = add(rows, "account/{}", rows.add_row("a", {}, {}));
  (void)rows.add_step(0, rows.add_row("a", {}, {}), WaveId::none);
  EXPECT_EQ(rows.freeze(), "step `account/a` is there twice");
  EXPECT_EQ(first, StepId{0});
}

TEST(StepGraph, FindsEachStepOfThousandsOfPatterns) {
  StepGraph graph;
  const RowId row = graph.add_row("a", {}, {});
  for (int i = 0; i < 2'000; ++i) add(graph, "p" + std::to_string(i) + "/{}", row);
  ASSERT_FALSE(graph.freeze());
  for (std::size_t i = 0; i < graph.size(); ++i)
    ASSERT_EQ(graph.find("p" + std::to_string(i) + "/a"), static_cast<StepId>(i));
}

TEST(StepGraph, EdgesAreSortedAndSaidOnce) {
  StepGraph graph;
  for (int i = 0; i < 4; ++i) add(graph, "s" + std::to_string(i), RowId::none);
  for (const auto& [before, step] : std::vector<std::pair<std::uint32_t, std::uint32_t>>{
           {2, 3}, {0, 3}, {2, 3}, {0, 1}, {1, 3}, {0, 1}})
    graph.add_edge(StepId{before}, StepId{step});
  ASSERT_FALSE(graph.freeze());
  const auto list = [](std::span<const StepId> steps) {
    return std::vector<StepId>(steps.begin(), steps.end());
  };
  EXPECT_EQ(list(graph.after(StepId{3})), (std::vector{StepId{0}, StepId{1}, StepId{2}}));
  EXPECT_EQ(list(graph.before(StepId{0})), (std::vector{StepId{1}, StepId{3}}));
  EXPECT_EQ(list(graph.after(StepId{1})), std::vector{StepId{0}});
  EXPECT_TRUE(graph.after(StepId{2}).empty());
  EXPECT_TRUE(graph.before(StepId{3}).empty());
}

TEST(StepGraph, ComesBackFromItsDocument) {
  StepGraph graph = two_accounts();
  ASSERT_FALSE(graph.freeze());
  const auto text = canonical_json(graph.to_document());
  const auto document = read_canonical(text);
  ASSERT_TRUE(document);
  const auto again = StepGraph::from_document(*document);
  ASSERT_TRUE(again) << again.error().to_line();
  EXPECT_EQ(canonical_json(again->to_document()), text);
  EXPECT_EQ(again->digest(StepId{1}), graph.digest(StepId{1}));
  EXPECT_TRUE(again->wave_info(WaveId{1})->is_held_for_approval);
}

TEST(StepGraph, ADocumentThatRefersToWhatIsNotThereIsRefused) {
  const auto document =
      parse_json(R"({"format":1,"shapes":[],"rows":[],"waves":[],"steps":[[0,0,0,[]]]})");
  ASSERT_TRUE(document);
  EXPECT_FALSE(StepGraph::from_document(*document));
}

}  // namespace
}  // namespace plan::ir
