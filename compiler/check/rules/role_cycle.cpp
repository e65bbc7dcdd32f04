// Prevents: a role that contains itself, directly or through others. The target takes it without a
// word (reference/stalwart-admin.md 5.5); what one of the roles disables is then gone from all.
#include <fmt/format.h>

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "compiler/check/graph_view.h"
#include "compiler/check/rules.h"
#include "compiler/ir/json.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

struct Role {
  std::string name = {};
  std::vector<std::size_t> inner = {};  ///< indices of the roles in it
  /// The step that says so, for each; null: the target has it so.
  std::vector<const TargetWrite*> inner_by = {};
  std::size_t next = 0;
  bool is_open = false;
  bool is_done = false;
};

class Roles {
 public:
  explicit Roles(const GraphView& view) : view_(view) {
    const ir::Value& known = setting(view.migration(), "target.Role.roleIds");
    for (const ir::Value& role : known.items()) {
      const std::string id(role["id"].string_or(""));
      if (!by_id_.emplace(id, roles_.size()).second) continue;
      const std::string description(role["description"].string_or(""));
      by_description_.emplace(description, roles_.size());
      roles_.push_back({.name = description.empty() ? id : description});
    }
    take_steps();
    for (const ir::Value& role : known.items()) {
      const std::size_t at = by_id_.at(std::string(role["id"].string_or("")));
      if (is_written_[at]) continue;  // a step replaces the whole set
      for (const ir::Value& inner : role["roles"].items()) put(at, nullptr, inner);
    }
  }

  [[nodiscard]] std::vector<Role> take() { return std::move(roles_); }

 private:
  void take_steps() {
    std::vector<std::pair<const TargetWrite*, std::size_t>> writes;
    for (const TargetWrite& write : view_.writes()) {
      if (write.object != "Role" || !write.match.is_map()) continue;
      const std::size_t role = role_of(write);
      by_step_.emplace(view_.graph().id(write.step), role);
      writes.emplace_back(&write, role);
    }
    is_written_.resize(roles_.size());
    for (const auto& [write, role] : writes) {
      const ir::Value& inner = write->set["roleIds"];
      if (inner.is_null()) continue;
      is_written_[role] = true;
      for (const ir::Value& id : inner.items()) put(role, write, id);
      for (const auto& [id, is_member] : inner.members()) put(role, write, ir::Value(id));
    }
  }

  /// A step that says nothing but the description means the role that the target has of it.
  std::size_t role_of(const TargetWrite& write) {
    const std::string description(write.match["description"].string_or(""));
    if (write.match.size() == 1 && !description.empty()) {
      const auto known = by_description_.find(description);
      if (known != by_description_.end()) return known->second;
    }
    const auto [entry, is_new] = by_match_.emplace(ir::canonical_json(write.match), roles_.size());
    if (is_new)
      roles_.push_back({.name = description.empty() ? view_.graph().id(write.step) : description});
    return entry->second;
  }

  void put(std::size_t role, const TargetWrite* write, const ir::Value& id) {
    std::size_t inner = 0;
    if (id.is_output()) {
      const auto found = by_step_.find(id.as_output().step);
      if (found == by_step_.end()) return;
      inner = found->second;
    } else {
      const auto found = by_id_.find(std::string(id.string_or("")));
      if (found == by_id_.end()) return;
      inner = found->second;
    }
    roles_[role].inner.push_back(inner);
    roles_[role].inner_by.push_back(write);
  }

  const GraphView& view_;
  std::vector<Role> roles_ = {};
  std::vector<bool> is_written_ = {};
  std::map<std::string, std::size_t> by_id_ = {};
  std::map<std::string, std::size_t> by_description_ = {};  ///< of those on the target
  std::map<std::string, std::size_t> by_match_ = {};
  std::map<std::string, std::size_t> by_step_ = {};
};

/// The last role on the circle from `inner` to the end of `way` of which a step of the plan says
/// what is in it. -1: the target has the whole circle already, and no step is about it.
std::ptrdiff_t written_on_circle(const std::vector<Role>& roles,
                                 const std::vector<std::size_t>& way, std::size_t inner) {
  for (auto role = way.rbegin(); role != way.rend(); ++role) {
    // `next` is one behind the edge that the way goes on by.
    if (roles[*role].inner_by[roles[*role].next - 1] != nullptr)
      return static_cast<std::ptrdiff_t>(*role);
    if (*role == inner) break;
  }
  return -1;
}

}  // namespace

void role_cycle(const GraphView& view, Sink& sink) {
  std::vector<Role> roles = Roles(view).take();
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
      const std::size_t inner = here.inner[here.next++];
      if (!roles[inner].is_open) {
        if (!roles[inner].is_done) enter(inner);
        continue;
      }
      const std::ptrdiff_t written = written_on_circle(roles, way, inner);
      if (written < 0) continue;
      const Role& outer = roles[static_cast<std::size_t>(written)];
      const Role& put = roles[outer.inner[outer.next - 1]];
      report_write(view, *outer.inner_by[outer.next - 1], Kind::role_cycle,
                   &put == &outer
                       ? fmt::format("puts role `{}` into itself", printable(outer.name, 80))
                       : fmt::format("puts role `{}` into role `{}`, which is inside it",
                                     printable(put.name, 80), printable(outer.name, 80)),
                   sink)
          .label("the target takes it without a word")
          .help("take the one role out of the other; what both need goes into a third");
    }
  }
}

}  // namespace plan::check::rules
