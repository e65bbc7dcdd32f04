// Prevents: a dump that nothing can import. Dumps of 0.8 to 0.14 lack what a start needs, an
// importer takes only its own schema number, and 0.16.0 to 0.16.4 put rows into the wrong subspace
// (reference/stalwart-store.md 1.1, 3.2, 7.3).
#include <fmt/format.h>

#include <charconv>

#include "compiler/check/rules.h"
#include "compiler/check/store_version.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

constexpr std::string_view kSeries16 = "0.16.";
constexpr unsigned kFirstThatImports = 5;
constexpr unsigned kFirstThatIsMoved = 15;
constexpr std::uint32_t kSchemaOf15 = 5;

/// 0.16.0 to 0.16.4.
bool imports_wrongly(std::string_view version) {
  if (!version.starts_with(kSeries16)) return version == "0.16";
  version.remove_prefix(kSeries16.size());
  unsigned number = 0;
  const auto [end, failure] =
      std::from_chars(version.data(), version.data() + version.size(), number);
  return failure == std::errc() && number < kFirstThatImports;
}

/// Than all that plan moves: 0.14 and before.
bool is_older(std::string_view version) {
  constexpr std::string_view kZero = "0.";
  if (!version.starts_with(kZero)) return false;
  version.remove_prefix(kZero.size());
  unsigned minor = 0;
  const auto [end, failure] =
      std::from_chars(version.data(), version.data() + version.size(), minor);
  return failure == std::errc() && minor < kFirstThatIsMoved;
}

}  // namespace

void dump_version(const Migration& migration, Sink& sink) {
  const Plan& plan = migration.plan;
  const std::string version = store_server_version(*migration.lock);
  if (version.empty()) return;  // store_not_measured says so
  const Span where = plan.place("target", "binary");
  const auto schema = store_schema_of_version(version);
  if (!schema) {
    sink.report(Kind::dump_version, where,
                fmt::format("the server is Stalwart {}, whose store plan does not move",
                            printable(version, 40)))
        .label("plan knows the stores of 0.15 and 0.16")
        .help(is_older(version)
                  ? "dumps of 0.12 to 0.14 lack the schema version, counters and tasks: upgrade "
                    "the server where it is first"
                  : "use a version of plan that knows it; nothing says that what this one writes "
                    "would fit");
    return;
  }
  if (plan.store.is_moved && plan.store.config.empty() && *schema == kSchemaOf15)
    sink.report(Kind::missing_key, plan.store.span, "`config` is missing in `store`")
        .label("plan does not write the configuration of 0.15, which has much else in it")
        .help(
            "write it beside the old one, with the new store in it, and name it: `config: "
            "/opt/stalwart/etc/new.toml`");
  const auto found = migration.lock->settings.find(std::string(kStoreSchemaSetting));
  const bool is_measured = found != migration.lock->settings.end() && found->second.is_integer();
  const std::int64_t stored = is_measured ? found->second.as_integer() : 0;
  if (is_measured && stored == 0) {
    sink.report(Kind::dump_version, where, "the store has no row with its schema version")
        .label("on a copy of it 0.15 erases data at its first start, and 0.16 does not start")
        .help(
            "start the server once on the store that it uses and look whether it serves, or name "
            "the right store (`target.config`, `store.from`); then run `plan fetch`");
    return;
  }
  if (stored != 0 && stored != *schema) {
    sink.report(Kind::dump_version, where,
                fmt::format("Stalwart {} takes schema {}, and the store has schema {}",
                            printable(version, 40), *schema, stored))
        .label("its importer refuses every file, and it does not start on such a store")
        .help("name the program that this store belongs to with `binary`, and run `plan fetch`");
    return;
  }
  if (plan.store.is_moved && plan.store.is_by_server && imports_wrongly(version)) {
    sink.report(Kind::dump_version, where,
                fmt::format("the import of Stalwart {} puts the registry's index into the wrong "
                            "subspace",
                            printable(version, 40)))
        .help("use 0.16.5 or later, or leave out `by: server`: plan's own import does it right");
  }
}

}  // namespace plan::check::rules
