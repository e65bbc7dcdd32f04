// Prevents: a role that contains itself, directly or through others. The target takes it without a
// word (reference/stalwart-admin.md 5.5); what one of the roles disables is then gone from all.
#include <fmt/format.h>

#include <map>
#include <string>
#include <vector>

#include "compiler/check/graph_view.h"
#include "compiler/ir/json.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

struct Role {
  std::string name = {};
  std::vector<std::size_t> inner = {};            ///< indices of the roles in it
  std::vector<const TargetWrite*> inner_by = {};  ///< the step that says so, for each
  std::size_t next = 0;
  bool is_open = false;
  bool is_done = false;
};

/// The roles of the plan's steps, those in them as far as steps make them.
std::vector<Role> roles_of(const GraphView& view) {
  std::vector<Role> roles;
  std::map<std::string, std::size_t> by_match;
  std::map<std::string, std::size_t> by_step;
  std::vector<std::pair<const TargetWrite*, std::size_t>> writes;
  for (const TargetWrite& write : view.writes()) {
    if (write.object != "Role" || !write.match.is_map()) continue;
    const auto [entry, is_new] = by_match.emplace(ir::canonical_json(write.match), roles.size());
    if (is_new) {
      const std::string_view description = write.match["description"].string_or("");
      roles.push_back(
          {.name = description.empty() ? view.graph().id(write.step) : std::string(description)});
    }
    by_step.emplace(view.graph().id(write.step), entry->second);
    writes.emplace_back(&write, entry->second);
  }
  for (const auto& [write, role] : writes) {
    for (const ir::Value& id : write->set["roleIds"].items()) {
      if (!id.is_output()) continue;
      const auto inner = by_step.find(id.as_output().step);
      if (inner == by_step.end()) continue;
      roles[role].inner.push_back(inner->second);
      roles[role].inner_by.push_back(write);
    }
  }
  return roles;
}

}  // namespace

void role_cycle(const GraphView& view, Sink& sink) {
  std::vector<Role> roles = roles_of(view);
  std::vector<std::size_t> way;
  const auto enter = [&](std::size_t role) {
    roles[role].is_open = true;
    way.push_back(role);
  };
  for (std::size_t root = 0; root < roles.size(); ++root) {
    if (!roles[root].is_done && !roles[root].is_open) enter(root);
    while (!way.empty()) {
      Role& here = roles[way.back()];
      if (here.next == here.inner.size()) {
        here.is_open = false;
        here.is_done = true;
        way.pop_back();
        continue;
      }
      const std::size_t at = here.next++;
      const std::size_t inner = here.inner[at];
      if (roles[inner].is_open) {
        report_write(view, *here.inner_by[at], Kind::role_cycle,
                     here.inner[at] == way.back()
                         ? fmt::format("puts role `{}` into itself", printable(here.name, 80))
                         : fmt::format("puts role `{}` into role `{}`, which is inside it",
                                       printable(roles[inner].name, 80), printable(here.name, 80)),
                     sink)
            .label("the target takes it without a word")
            .help("take the one role out of the other; what both need goes into a third");
      } else if (!roles[inner].is_done) {
        enter(inner);
      }
    }
  }
}

}  // namespace plan::check::rules
