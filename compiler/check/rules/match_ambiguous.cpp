// Says that a step finds its object by something that others may have too. The target keeps few
// keys unique (reference/stalwart-admin.md 5.1); where there are two, the step stops in the middle
// of the migration.
#include <fmt/format.h>

#include <set>
#include <string>
#include <vector>

#include "compiler/check/graph_view.h"
#include "compiler/check/misspelt_match.h"
#include "compiler/schema/schema.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

/// What would have to be in `match` too; empty when it is enough, or when nothing of the type is
/// unique.
std::vector<std::string> lacking(std::string_view object, const ir::Value& match) {
  const schema::Schema::NaturalKey key =
      schema::Schema::natural_key(object.substr(0, object.find('/')));
  std::vector<std::string> names;
  // An address is name and domain in one, and an id is of one object.
  if (!match["emailAddress"].is_null() || !match["id"].is_null()) return names;
  for (const std::string& member : key.properties) {
    // No tenant is a tenant, and a variant only narrows what is found.
    if (member == "memberTenantId" || member == "@type") continue;
    if (match[member].is_null()) names.push_back(member);
  }
  return names;
}

}  // namespace

void match_ambiguous(const GraphView& view, Sink& sink) {
  const ir::StepGraph& graph = view.graph();
  std::set<const ir::StepShape*> said;
  for (const ir::StepKind kind :
       {ir::StepKind::admin_upsert, ir::StepKind::admin_update, ir::StepKind::admin_destroy}) {
    for (const ir::StepId step : view.of_kind(kind)) {
      if (!said.insert(&graph.shape(step)).second) continue;
      const ir::Value match = graph.argument(step, "match");
      if (!match.is_map() || match.size() == 0) continue;
      const std::string object(object_type(graph.argument(step, "object").string_or("")));
      const std::vector<std::string> names = lacking(object, match);
      if (names.empty() || is_misspelt_match(view.schema(), object, match)) continue;
      std::string words;
      for (const std::string& name : names) words += (words.empty() ? "`" : ", `") + name + "`";
      sink.report(Kind::match_ambiguous, graph.origin(step),
                  fmt::format("`{}` finds its {} without {}", printable(graph.id(step), 160),
                              printable(object, 60), words))
          .label("the target may have several, and the step then stops")
          .help(fmt::format("add {} to `match`: together they are what tells objects of this type "
                            "apart",
                            words));
    }
  }
}

}  // namespace plan::check::rules
