// Says that a step writes what the target's schema marks as part of the enterprise edition. Without
// a licence the target takes most of it and some of it has no effect: an external directory of one
// domain, quotas of a tenant (reference/stalwart-admin.md 1.3, 5.2, 5.5).
#include <fmt/format.h>

#include <set>
#include <string>

#include "compiler/check/graph_view.h"
#include "compiler/schema/schema.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

/// The members of a write that are marked; "" for the object itself. A member that is taken away is
/// none.
std::set<std::string> marked(const schema::Schema& schema, const TargetWrite& write) {
  std::set<std::string> names;
  const std::size_t slash = write.object.find('/');
  const schema::ObjectType* type = schema.resolved(std::string_view(write.object).substr(0, slash));
  if (type == nullptr) return names;
  if (type->is_enterprise) names.emplace();
  const std::string variant(
      slash != std::string::npos
          ? std::string_view(write.object).substr(slash + 1)
          : write.set["@type"].string_or(write.match.is_map() ? write.match["@type"].string_or("")
                                                              : ""));
  const schema::Struct* fields =
      type->fields(variant.empty() && type->is_multiple && !type->variants.empty()
                       ? std::string_view(type->variants.front().name)
                       : std::string_view(variant));
  if (fields == nullptr) return names;
  for (const ir::Value* part : {&write.set, &write.match}) {
    for (const auto& [member, value] : part->members()) {
      const schema::Property* property = fields->find(member);
      if (property != nullptr && property->is_enterprise && !value.is_null()) names.insert(member);
    }
  }
  return names;
}

}  // namespace

void enterprise_object(const GraphView& view, Sink& sink) {
  if (view.schema() == nullptr) return;
  std::set<std::string> said;
  for (const TargetWrite& write : view.writes()) {
    for (const std::string& member : marked(*view.schema(), write)) {
      if (!said.insert(write.object + "." + member).second) continue;
      report_write(view, write, Kind::enterprise_object,
                   member.empty()
                       ? fmt::format("writes an object of type {}, which is of the enterprise "
                                     "edition",
                                     write.object)
                       : fmt::format("writes {}.{}, which is of the enterprise edition",
                                     write.object, printable(member, 60)),
                   sink)
          .label("without a licence the target takes it and it may have no effect")
          .help("leave it out, or make sure that the target has a licence");
    }
  }
}

}  // namespace plan::check::rules
