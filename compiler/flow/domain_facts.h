#pragma once
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "compiler/flow/name_questions.h"
#include "compiler/flow/resident.h"
#include "compiler/ir/step_graph.h"
#include "compiler/schema/mta_expression.h"
#include "compiler/source/text_index.h"

namespace plan::flow {

/// What a graph says about single domains and single addresses, read once. Domains with the same
/// facts treat mail alike: their names differ and nothing else does.
///
/// The facts of a domain are the steps about it (Domain objects, a key for all of it, accounts and
/// groups that an object makes in it) with its name left out, and what is left of each route
/// expression when comparisons with other domains of the plan are false. An expression that asks
/// more of a name than whether it is equal (a pattern, a part of it) makes each domain its own, and
/// is asked for every address.
class DomainFacts {
 public:
  /// `domains`: those that the accounts of the graph and their aliases are in, lower case.
  DomainFacts(const ir::StepGraph& graph, std::vector<std::string> domains);

  /// Equal for domains that treat mail alike.
  [[nodiscard]] std::size_t of(const std::string& domain);
  /// Groups, and accounts that no row moves: at most one of each kind.
  [[nodiscard]] const std::vector<Resident>& residents(const std::string& domain) const;
  /// What single steps do with this address alone (its key), and what expressions find in it, as a
  /// number that is equal for addresses that are treated alike; a step that stands alone, or an
  /// expression that names the address, makes it unlike every other.
  [[nodiscard]] std::size_t of_address(const std::string& address) const;

 private:
  struct Route {
    schema::MtaContainer container = {};
    std::vector<std::size_t> general = {};  ///< arms that no single domain has to itself
    std::unordered_map<std::string, std::vector<std::size_t>> of_domain = {};
  };

  void read_steps();
  void read_object(ir::StepId step, ir::StepKind kind);
  void read_route(ir::StepId step, std::string_view object, std::string_view property);
  void add_to(const std::string& domain, ir::StepId step, std::string_view text);
  void read_key(ir::StepId step, ir::StepKind kind);
  /// The facts of an address (lower case); 0 as long as none are known.
  std::size_t& facts_of(std::string_view address) { return facts_of(address, false); }
  std::size_t& facts_of_row(ir::RowId row) { return facts_of(graph_.row_name(row), true); }
  std::size_t& facts_of(std::string_view address, bool is_text_of_graph);
  void choose_residents();
  [[nodiscard]] std::string routes_for(const std::string& domain) const;
  /// The expression for one domain: "" when it is false for all its mail.
  [[nodiscard]] std::string residual(const schema::MtaExpression& expression, std::size_t node,
                                     const std::string& domain) const;
  [[nodiscard]] std::string rendered(const schema::MtaExpression& expression, std::size_t node,
                                     const std::string& domain) const;
  /// The domains of the plan of which this condition wants the recipient to be in one; none: it
  /// says something else.
  [[nodiscard]] std::vector<std::string> wanted_domains(const schema::MtaExpression& expression,
                                                        std::size_t node) const;
  void note_names_of_old_route(ir::StepId step);
  void note_named(std::string_view text);
  void note_texts(const schema::MtaExpression& expression);

  const ir::StepGraph& graph_;
  std::unordered_set<std::string> domains_;
  std::map<std::string, std::string, std::less<>> steps_of_;      // facts from steps, by domain
  std::unordered_map<std::size_t, std::string> domain_of_step_;   // by index of the step
  std::unordered_map<std::size_t, std::string> address_of_step_;  // likewise
  std::vector<Route> routes_;
  NameQuestions questions_;
  bool is_from_old_stalwart_ = false;
  std::map<std::string, std::vector<Resident>, std::less<>> residents_;
  std::unordered_set<std::string> keys_;
  // Every account may have a key, and so an entry here.
  std::vector<std::pair<std::string_view, std::size_t>> addresses_;
  TextIndex by_address_;
  std::deque<std::string> texts_;  // of addresses that are no texts of the graph
  std::size_t named_ = 0;          // addresses that expressions name
  std::unordered_map<std::string, std::size_t> numbers_;  // by facts
  std::unordered_map<std::string, std::size_t> known_;    // by domain
};

}  // namespace plan::flow
