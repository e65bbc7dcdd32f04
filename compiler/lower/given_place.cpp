#include "compiler/lower/given_place.h"

#include <algorithm>

#include "compiler/syntax/expression.h"

namespace plan::lower {
namespace {

using syntax::Node;

void collect(const Node& value, const ModuleInstance& module, const SourceSet& sources,
             std::vector<Span>& places) {
  for (const Node& item : value.items) collect(item, module, sources, places);
  for (const syntax::Entry& entry : value.entries) collect(entry.value, module, sources, places);
  if (!value.is_scalar()) return;
  Sink unheard;
  const auto text = syntax::parse_template(value, sources, unheard);
  if (!text) return;
  for (const auto& [name, place] : module.given) {
    if (mentions(*text, name) && std::find(places.begin(), places.end(), place) == places.end())
      places.push_back(place);
  }
}

}  // namespace

const Node* step_at(const ModuleInstance& module, Span id) {
  const Node* steps = module.tree->find("steps");
  if (steps == nullptr) return nullptr;
  for (const Node& step : steps->items) {
    const Node* written = step.find("id");
    if (written != nullptr && written->span == id) return &step;
  }
  return nullptr;
}

Span given_place_in(const Node& value, const ModuleInstance& module, const SourceSet& sources) {
  if (module.given.empty()) return {};
  std::vector<Span> places;
  collect(value, module, sources, places);
  return places.size() == 1 ? places.front() : Span{};
}

const ModuleInstance* module_at(const std::vector<ModuleInstance>& modules, Span place) {
  const auto found = std::find_if(modules.begin(), modules.end(), [&](const ModuleInstance& one) {
    return place.is_known() && one.tree->span.file == place.file;
  });
  return found == modules.end() ? nullptr : &*found;
}

}  // namespace plan::lower
