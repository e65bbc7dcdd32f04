#include "compiler/ir/step_graph.h"

#include <gtest/gtest.h>

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
