#include "compiler/ir/undo_by_hand.h"

#include <gtest/gtest.h>

#include "compiler/ir/graph_text.h"

namespace plan::ir {
namespace {

/// A graph of the step that moves the public name.
StepGraph moved_by(Value run, Value undo, StepKind kind = StepKind::address_move) {
  StepGraph graph;
  StepShape shape;
  shape.kind = kind;
  shape.stage = Stage::cutover;
  shape.id_pattern = "cutover/address";
  shape.arguments = Value::map(
      {{"public", "mail.example.org"}, {"run", std::move(run)}, {"undo", std::move(undo)}});
  (void)graph.add_step(graph.add_shape(std::move(shape)), RowId::none, WaveId::none);
  EXPECT_FALSE(graph.freeze());
  return graph;
}

std::string words(const StepGraph& graph) { return undo_by_hand(graph, StepId{0}); }

TEST(UndoByHand, ACommandWithoutOneThatTakesItBackWaitsForSomebody) {
  const Value command = List{"./point-name", "203.0.113.10"};
  const std::string told =
      "plan rollback waits until somebody has pointed mail.example.org back: `run` has no `undo`";
  for (const Value& none : {Value(), Value(List{})}) {
    EXPECT_EQ(words(moved_by(command, none)), told);
    EXPECT_NE(graph_lines(moved_by(command, none)).find("undo=reversible (" + told + ")"),
              std::string::npos);
  }
  EXPECT_EQ(words(moved_by(command, command)), "");
  EXPECT_EQ(words(moved_by(Value(), Value())), "") << "by the operator, both ways";
  EXPECT_EQ(words(moved_by(command, Value(), StepKind::address_finalize)), "") << "irreversible";
}

}  // namespace
}  // namespace plan::ir
