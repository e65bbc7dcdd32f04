#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "compiler/flow/classes.h"
#include "compiler/flow/model.h"
#include "compiler/ir/step_graph.h"
#include "compiler/source/source_set.h"

namespace plan::flow {

/// Where does this message go in that state of the migration?
struct RouteQuestion {
  Letter letter = {};
  std::string account = {};  ///< whose move it is; empty: the account of the recipient, or, where
                             ///< nobody has begun to move or everybody has moved, anybody
  std::string when = {};     ///< a phase ("prepared", "moved"), or the id of a step that is done;
                             ///< nothing is done but what has to be by then
};

struct RouteAnswer {
  std::string problem = {};  ///< why there is no answer; empty: there is one
  std::vector<Delivery> deliveries = {};
  std::string note = {};  ///< what else was perhaps meant
};
[[nodiscard]] RouteAnswer route_of(const ir::StepGraph& graph, const RouteQuestion& question,
                                   const MailFacts& facts = {});

/// "target", "source", "source queue", "outside", "refused", ...: one word for an end.
[[nodiscard]] std::string_view end_word(Fate fate);
[[nodiscard]] const std::vector<std::string_view>& all_end_words();

/// One message of the picture of the mail flow.
struct DrawnRoute {
  std::string phase = {};
  std::string wave = {};       ///< in which the account moves, at the boundaries of its move
  std::string account = {};    ///< whose move it is
  std::size_t stands_for = 1;  ///< accounts that are alike, this one among them
  /// During its move: members of its lists, and of its domains' catch-alls at the source, whose own
  /// move is not over.
  std::vector<std::string> not_moved = {};
  Letter letter = {};
  Delivery delivery = {};
};
/// The messages that show the model: at each phase boundary, for one account (of each class,
/// at most 64: `is_every_class`), its address, an alias and an address that nobody has, at each
/// port 25 and each submission. Members of its lists are where the steps that have to be done by
/// then have put them.
[[nodiscard]] std::vector<DrawnRoute> drawn_routes(const ir::StepGraph& graph, bool is_every_class,
                                                   const MailFacts& facts = {});

/// The picture for Graphviz and for Mermaid: one frame for each phase and class, in it one box for
/// each decision, with its rule; and one line a message, with the places in the plan.
[[nodiscard]] std::string routes_dot(const std::vector<DrawnRoute>& routes);
[[nodiscard]] std::string routes_mermaid(const std::vector<DrawnRoute>& routes);
[[nodiscard]] std::string routes_text(const std::vector<DrawnRoute>& routes,
                                      const SourceSet& sources);
/// `{"format":1,"routes":[...]}`.
[[nodiscard]] ir::Value routes_document(const std::vector<DrawnRoute>& routes,
                                        const SourceSet& sources);

}  // namespace plan::flow
