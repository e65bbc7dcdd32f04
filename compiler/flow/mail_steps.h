#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "compiler/flow/classes.h"
#include "compiler/flow/plan_names.h"
#include "compiler/ir/step_graph.h"
#include "compiler/schema/mta_expression.h"

namespace plan::flow {

class StepsApart;

/// A set of the steps that decide where mail of one account goes, by their number.
using Mask = std::uint64_t;
using Domains = std::set<std::string, std::less<>>;

/// The domains whose steps decide mail of a subject: of all its names, and of its lists.
[[nodiscard]] Domains domains_of(const ir::StepGraph& graph, const Subject& subject);

/// The steps of a graph that decide where mail goes, by whom they are about. A plan of many classes
/// asks for the steps of one account in each of them: the graph is read once, and what one account
/// needs is found by its names. What is asked for is kept: one object for one proof, in one thread.
class MailSteps {
 public:
  /// `subjects`: whose steps will be asked for. Those of others are found too, in the time that the
  /// whole graph takes.
  MailSteps(const ir::StepGraph& graph, const std::vector<Subject>& subjects);

  [[nodiscard]] const ir::StepGraph& graph() const { return graph_; }

  struct About {
    ir::StepId step = {};
    int restores = -1;  ///< number of the step that this one puts back
  };
  /// Those that decide mail of this subject, in the order of the graph.
  [[nodiscard]] std::vector<About> about(const Subject& subject, const Domains& domains);
  /// Those of the kinds of an account's move that name this subject and are of no account's row.
  [[nodiscard]] std::vector<ir::StepId> apart(const Subject& subject) const;
  /// For each of at most 64 steps those of them that are done when it runs. `points` gets the same
  /// for the rollback points of the plan, each set once.
  [[nodiscard]] std::vector<Mask> done_before(const std::vector<ir::StepId>& steps,
                                              std::vector<Mask>* points = nullptr) const;

  /// Arguments with the members of its row: read once.
  [[nodiscard]] const ir::Value& arguments(ir::StepId step);
  /// The expression that a step writes, to be parsed by the first who needs it.
  [[nodiscard]] std::shared_ptr<const schema::MtaContainer>& expression(ir::StepId step) {
    return expressions_[ir::index(step)];
  }
  /// Of the whole plan: read when the first expression asks for somebody else than the recipient.
  /// Does a step write an object of this domain, or a key for all of it?
  [[nodiscard]] bool is_written_domain(const std::string& domain) const {
    return of_domain_.contains(domain);
  }
  /// Keys that steps of no row write, by their lookup set: in lower case, a pattern as `*@domain`;
  /// of each set the first `kKeysApartMax`.
  using KeysApart = std::map<std::string, std::vector<std::string>, std::less<>>;
  static constexpr std::size_t kKeysApartMax = 64;
  [[nodiscard]] const KeysApart& keys_apart() const { return keys_apart_; }
  [[nodiscard]] const PlanNames& names() {
    if (!names_) names_.emplace(graph_);
    return *names_;
  }

 private:
  using Place = std::uint32_t;  ///< in the order of the graph
  using Places = std::vector<Place>;

  /// Whose mail an object of the target, or an action, decides.
  struct Whose {
    enum class Kind : std::uint8_t { nobody, everybody, domain, key, account };
    Kind kind = Kind::nobody;
    std::string name = {};
  };

  void read_step(Place place, StepsApart& steps_apart);
  void read_destroy(Place place);
  [[nodiscard]] Whose whose(ir::StepId step) const;
  [[nodiscard]] static bool is_of(const Whose& whose, const Subject& subject,
                                  const Domains& domains);
  void note(Place place, const Whose& whose);
  void add_key_apart(ir::StepId step, const std::string& key);
  [[nodiscard]] std::set<Place> candidates(const Subject& subject, const Domains& domains);
  [[nodiscard]] Places named_places(const Subject& subject) const;
  void add_destroys(const Subject& subject, const Domains& domains, std::set<Place>& places);
  void keep(const std::vector<Subject>& subjects);
  [[nodiscard]] std::vector<Mask> done_before_in_graph(const std::vector<ir::StepId>& steps,
                                                       std::vector<Mask>* points) const;

  const ir::StepGraph& graph_;
  std::vector<Place> place_of_;  // by step
  Places everybodys_;
  std::unordered_map<std::string, Places> of_domain_;  // Domain objects, keys for all of one
  std::unordered_map<std::string, Places> of_key_;
  KeysApart keys_apart_;
  std::unordered_map<std::string, Places> of_account_;   // Account objects, by address
  std::unordered_map<std::string, Places> named_;        // by who is named: of no account's row
  std::unordered_map<ir::RowId, Places> of_row_;         // of the subjects alone
  std::unordered_map<std::size_t, Places> restores_of_;  // by index of the step
  Places row_destroys_;                                  // of rows that no `*@` names
  std::unordered_map<std::string_view, Places> destroys_of_;  // the same, by name of the row
  std::unordered_map<Place, Whose> whose_destroy_;            // of those that were asked for
  std::unordered_map<std::size_t, ir::Value> arguments_;      // by index of the step
  std::unordered_map<std::size_t, std::shared_ptr<const schema::MtaContainer>> expressions_;
  std::optional<PlanNames> names_;
  std::vector<ir::StepId> points_;  // marks that `plan rollback` can name

  // What is done behind a step, of the kept ones: a step that is not kept has a node with all
  // others that wait for the same. Node 0 waits for nothing.
  using Node = std::uint32_t;
  static constexpr Node kNothing = 0;
  std::vector<Node> node_of_;  // by step
  std::vector<bool> is_kept_;  // by step
  std::set<Node> nodes_of_points_;
  std::vector<std::size_t> node_end_ = {0};  // by node: where its entries in node_after_ end
  std::vector<Node> node_after_;
};

}  // namespace plan::flow
