// Prevents: two dumps in one folder, or a dump inside the store. An importer takes every file of a
// folder for a part of the dump, and goes by the letter inside (reference/stalwart-store.md 7.1, I2
// and I3).
#include <fmt/format.h>

#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

/// `inner` is `outer` or lies below it.
bool lies_in(std::string_view inner, std::string_view outer) {
  return inner == outer || outer == "/" ||
         (inner.starts_with(outer) && inner.substr(outer.size(), 1) == "/");
}

std::string_view path_of(const ir::Value& store) {
  std::string_view address = store["address"].string_or("");
  for (const std::string_view kind : {"sqlite:", "rocksdb:"}) {
    if (address.starts_with(kind)) return address.substr(kind.size());
  }
  return {};
}

}  // namespace

void dump_folder(const Migration& migration, Sink& sink) {
  const Plan& plan = migration.plan;
  for (std::size_t i = 0; i < plan.dumps.size(); ++i) {
    const PlanDump& dump = plan.dumps[i];
    if (dump.folder.text.empty()) continue;
    for (std::size_t j = 0; j < i; ++j) {
      const PlanDump& other = plan.dumps[j];
      if (!lies_in(dump.folder.text, other.folder.text) &&
          !lies_in(other.folder.text, dump.folder.text))
        continue;
      sink.report(
              Kind::dump_folder, dump.folder.span,
              fmt::format("`{}` is {} the folder of another dump", printable(dump.folder.text, 120),
                          dump.folder.text == other.folder.text ? "already" : "in or around"))
          .note(other.folder.span, "that one")
          .help("give each dump a new folder of its own");
    }
    const std::string_view config = plan.target["config"].string_or("");
    if (!config.empty() && lies_in(config, dump.folder.text)) {
      sink.report(Kind::dump_folder, dump.folder.span,
                  fmt::format("`{}` has the server's configuration in it",
                              printable(dump.folder.text, 120)))
          .note(plan.place("target", "config"), "it is here")
          .help("give the dump a new folder of its own, which has nothing else in it");
    }
    for (const ir::Value* store : {&plan.store.from, &plan.store.to}) {
      const std::string_view path = path_of(*store);
      if (path.empty()) continue;
      const bool is_inside = lies_in(dump.folder.text, path);
      if (!is_inside && !lies_in(path, dump.folder.text)) continue;
      sink.report(Kind::dump_folder, dump.folder.span,
                  fmt::format("`{}` {}", printable(dump.folder.text, 120),
                              is_inside ? "lies in the store itself" : "has the store in it"))
          .note(store == &plan.store.from ? plan.store.from_span : plan.store.to_span,
                "this is the store")
          .help("give the dump a folder outside of it, best on another disk");
    }
  }
}

}  // namespace plan::check::rules
