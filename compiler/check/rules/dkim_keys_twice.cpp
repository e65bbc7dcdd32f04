// Says that a domain gets keys of the target's own beside the one that a module brings: a domain is
// made with `dkimManagement` Automatic, and all active keys sign (reference/stalwart-admin.md 5.2,
// 5.6).
#include <fmt/format.h>

#include <set>
#include <string>

#include "compiler/check/graph_view.h"
#include "compiler/check/written_objects.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

void dkim_keys_twice(const GraphView& view, Sink& sink) {
  const Migration& migration = view.migration();
  if (migration.lock == nullptr) return;
  const WrittenObjects objects(view);
  std::set<const WrittenObject*> said;
  for (const WrittenObject& key : objects.all()) {
    if (key.type != "DkimSignature" || !key.is_made) continue;
    const ir::Value& id = key.member("domainId");
    if (!id.is_output()) continue;
    const WrittenObject* domain = objects.by_step(id.as_output().step);
    if (domain == nullptr || domain->type != "Domain" || !domain->is_made) continue;
    // Who else writes the domain, by its name, may say it.
    const std::string name = lower_ascii(domain->match["name"].string_or(""));
    bool is_there = false;
    for (const facts::LockDomain& known : migration.lock->target_domains)
      is_there = is_there || known.name == name;
    if (is_there || domain->member("dkimManagement")["@type"].string_or("") == "Manual" ||
        !said.insert(domain).second)
      continue;
    report_write(view, *domain->writes.front(), Kind::dkim_keys_twice,
                 fmt::format("makes `{}`, for which the target makes keys of its own beside that "
                             "of `{}`",
                             printable(name, 120),
                             printable(view.graph().id(key.writes.front()->step), 120)),
                 sink)
        .label("mail would carry signatures of keys that DNS does not name")
        .help("make the domain with `dkimManagement: {\"@type\": Manual}`, as std/dkim does");
  }
}

}  // namespace plan::check::rules
