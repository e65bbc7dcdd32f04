#pragma once
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "compiler/flow/resident.h"
#include "compiler/ir/step_graph.h"
#include "compiler/schema/mta_expression.h"

namespace plan::flow {

/// One account whose mail is followed; it stands for all of its class.
struct Subject {
  ir::RowId row = ir::RowId::none;
  std::string account = {};
  std::vector<std::string> aliases = {};  ///< those that are looked at
  std::set<std::string> dropped = {};     ///< of these: left out by the step that makes the account
  std::vector<std::string> names = {};    ///< account and aliases
  std::vector<ir::StepId> lists = {};     ///< steps that make the lists that are looked at
  std::vector<Resident> residents = {};   ///< beside it, in its domain
  std::vector<std::string> domains = {};  ///< of others that its mail meets; looked at besides
  std::size_t stands_for = 1;             ///< accounts of its class
  std::unordered_set<std::string> in_domains = {};  ///< that these are in
};

/// Accounts that no subject stands for.
struct LeftOut {
  std::size_t accounts = 0;
  std::size_t domains = 0;
  std::vector<std::string> examples = {};  ///< the first few
};

struct Classes {
  std::vector<Subject> subjects = {};
  LeftOut left_out = {};
  std::unordered_set<std::string> domains_left_out = {};  ///< that these accounts are in
};

/// Names that the servers have beside those of the plan, and how the target routed their mail.
struct MeasuredNames {
  std::set<std::string> target_domains = {};       ///< with their other names; lower case
  std::vector<std::string> target_addresses = {};  ///< sorted, lower case
  std::set<std::string> source_domains = {};
  /// The target's own route expression, without what a run of the plan has put in front.
  std::shared_ptr<const schema::MtaContainer> route_before = {};
};

/// What was measured of the servers and no step says.
struct MailFacts {
  std::string tag_delimiters = "+";  ///< each begins the tag of an address at the source
  /// Who gets what comes for addresses that nobody has at the source, by domain. The proof supposes
  /// one in every domain.
  std::map<std::string, std::vector<std::string>> catch_alls = {};
  std::vector<std::string> target_sets = {};  ///< lookup sets that the target's own route asks for
  /// Names and addresses of the plan's own machines: mail that is handed to any other one is not
  /// followed. Empty: all are taken for the two servers.
  std::vector<std::string> hosts = {};
  /// Expressions of the target were compared with its schema: one that cannot be read is told.
  bool is_schema_known = false;
  std::shared_ptr<const MeasuredNames> measured = {};  ///< null: nothing was
};

/// How much is looked at.
struct ProofLimits {
  /// Subjects at most. A graph of more than 300,000 steps has fewer, never less than 64, because
  /// each of them looks over all edges.
  std::size_t subjects_max = 1'024;
  /// All subjects together: a state costs 1; one whose mail is followed costs 100 more, and as many
  /// as the route expressions have conditions for its domain, and what their patterns cost, and
  /// conditions that join sender and recipient. About two seconds.
  std::size_t work_max = 400'000;
  /// What comparing all addresses with patterns may cost (`schema::pattern_work`): about two
  /// seconds.
  std::size_t pattern_work_max = 100'000'000;
};

/// One account of each class. Alike are those whose steps have the same shapes, with the same
/// arguments where these differ from row to row (a list that is computed), whose domains have
/// the same facts (`DomainFacts`), with aliases of the same kinds, on lists of the same kinds, and
/// named by no step and no expression of their own. What one account has too much of to be looked
/// at together (three kinds of aliases, four of lists, four of residents) is looked at in turn: one
/// class can have several subjects. Accounts that come when patterns have cost too much are left
/// out.
[[nodiscard]] Classes account_classes(const ir::StepGraph& graph, const ProofLimits& limits = {});

/// The account with this address or alias, as it is or without a tag, with all its aliases and at
/// most four of its lists; nothing when the graph has no steps for it.
[[nodiscard]] std::optional<Subject> subject_with(const ir::StepGraph& graph,
                                                  std::string_view address,
                                                  std::string_view tag_delimiters = "+");

/// The accounts with these addresses or aliases, as they are or without a tag, each once, in the
/// order of the plan; without lists and residents. Whoever the plan does not move is left out.
[[nodiscard]] std::vector<Subject> subjects_with(const ir::StepGraph& graph,
                                                 const std::vector<std::string>& addresses,
                                                 std::string_view tag_delimiters = "+");

/// Who is on a list that a step makes, in lower case, on the target or at the source.
[[nodiscard]] std::vector<std::string> members_of(const ir::StepGraph& graph, ir::StepId step);

}  // namespace plan::flow
