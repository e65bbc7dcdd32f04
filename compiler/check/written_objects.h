#pragma once
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/check/graph_view.h"

namespace plan::check {

/// An object of the target that steps write, with all that they write of it.
struct WrittenObject {
  std::string type = {};  ///< "Role", without a variant
  ir::Value match = {};
  /// In the order in which the steps run.
  std::vector<const TargetWrite*> writes = {};
  bool is_made = false;  ///< a step upserts it: it need not be there before

  /// What the last step that says something about `member` says; null when none does.
  [[nodiscard]] const ir::Value& member(std::string_view member) const;
  /// What a person calls it: a text of its match, else its type.
  [[nodiscard]] std::string name() const;
};

/// A property that holds the id of another object, or several.
struct Reference {
  std::string_view member = {};  ///< "domainId"
  std::string_view type = {};    ///< "Domain"
  std::string step = {};         ///< whose output `id` it is; empty: an id that is written out
  std::string id = {};
};

/// The objects that the steps of a graph write, each once. Lives no longer than its view.
class WrittenObjects {
 public:
  explicit WrittenObjects(const GraphView& view);

  [[nodiscard]] std::span<const WrittenObject> all() const { return objects_; }
  /// By the step that writes it; null when it writes none.
  [[nodiscard]] const WrittenObject* by_step(std::string_view step) const;
  /// By what it is found by; null when no step writes it.
  [[nodiscard]] const WrittenObject* find(std::string_view type, const ir::Value& match) const;

 private:
  std::vector<WrittenObject> objects_ = {};
  std::map<std::string, std::size_t, std::less<>> by_step_ = {};
  std::map<std::string, std::size_t, std::less<>> by_match_ = {};
};

/// The references in a value that is written, at any depth (reference/stalwart-admin.md 5.1).
[[nodiscard]] std::vector<Reference> references_in(const ir::Value& value);
[[nodiscard]] std::vector<Reference> references_of(const TargetWrite& write);

/// The place of each step in the order in which they run.
[[nodiscard]] std::vector<std::size_t> places_in_order(const ir::StepGraph& graph);

}  // namespace plan::check
