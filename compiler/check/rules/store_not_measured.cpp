// A check without evidence never passes silently: what the rules about a store needed and nobody
// measured is said once.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/check/rules.h"
#include "compiler/check/store_plan.h"
#include "compiler/check/store_version.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

/// What `plan fetch` was told when it could not open the store; empty when it could, or when the
/// store is one that is left to the server's own program.
std::string_view why_not_opened(const Migration& migration) {
  constexpr std::string_view kBegin = "cannot be told: ";
  if (migration.facts == nullptr || setting(migration, "target.store.kind").is_string()) return {};
  const facts::Measurement* bytes = migration.facts->find("store/from/bytes");
  if (bytes == nullptr || !bytes->value.is_null() || !bytes->how.starts_with(kBegin)) return {};
  return std::string_view(bytes->how).substr(kBegin.size());
}

void report_not_opened(const Migration& migration, Span where, std::string_view why, Sink& sink) {
  const Plan& plan = migration.plan;
  const bool is_library = lower_ascii(why).find("rocksdb") != std::string::npos &&
                          lower_ascii(why).find("librar") != std::string::npos;
  auto report = sink.report(Kind::not_measured, where,
                            fmt::format("plan cannot open the store: {}", printable(why, 400)));
  report.severity(Severity::error).label("the run would stop at the same");
  if (is_library)
    report.help(fmt::format(
        "put a librocksdbjni-linux64.so of 8.11 to 11.1 on that machine (docs/dump.md has the two "
        "commands){}, then run `plan fetch`",
        plan.target["rocksdb_library"].string_or("").empty()
            ? " and name it with `rocksdb_library` in `target`"
            : " in the place of the one that `rocksdb_library` names"));
  else if (plan.store.from_kind.empty() &&
           store_server_version(*migration.lock).starts_with("0.15."))
    report.help(
        "plan does not read the configuration of 0.15: name the store, `store: {from: {rocksdb: "
        "/opt/stalwart/data}}`, then run `plan fetch`");
  else
    report.help("mend that, then run `plan fetch`");
}

}  // namespace

void store_not_measured(const Migration& migration, Sink& sink) {
  const Plan& plan = migration.plan;
  const auto say = [&](Span span, std::string what, const char* unchecked,
                       const char* help =
                           "run `plan fetch` again; if it stays, look at what it says about the "
                           "store") {
    sink.report(Kind::not_measured, span, "not measured: " + std::move(what))
        .label(unchecked)
        .help(help);
  };
  if (store_server_version(*migration.lock).empty())
    say(plan.place("target", "binary"), "the version of the server's program",
        "whether it takes what is written is not checked");
  const Span store =
      plan.store.from_span.is_known() ? plan.store.from_span : plan.place("target", "config");
  const std::string_view why = why_not_opened(migration);
  if (!why.empty()) report_not_opened(migration, store, why, sink);
  if (why.empty() && !migration.lock->settings.contains(std::string(kStoreSchemaSetting)))
    say(plan.place("target", "config"), "the schema version of the store",
        "whether the server's program takes it is not checked");
  const auto is_known = [&](const std::string& what) {
    return migration.facts != nullptr && migration.facts->count(what).has_value();
  };
  if (why.empty() && !is_known("store/from/bytes"))
    say(store, "the size of the store", "whether it fits on the disks is not checked");
  for (const PlanDump& dump : plan.dumps) {
    if (!is_known(fmt::format("dump/{}/free", dump.folder.text)))
      say(dump.folder.span, fmt::format("the free disk for dump `{}`", dump.name),
          "whether it fits is not checked");
  }
  // A new database server's disk is not ours to look at; one that takes a file or a folder is.
  if ((plan.store.to_kind == "sqlite" || plan.store.to_kind == "rocksdb") &&
      !is_known("store/to/free"))
    say(plan.store.to_span, "the free disk for the new store", "whether it fits is not checked");
  const bool has_unknown_blobs = migration.facts != nullptr &&
                                 migration.facts->find("store/from/blobs") != nullptr &&
                                 !is_known("store/from/blobs");
  if (has_unknown_blobs && std::any_of(plan.dumps.begin(), plan.dumps.end(),
                                       [](const PlanDump& dump) { return has_blobs(dump); }))
    say(plan.dumps.front().span, "the size of the blobs, which are in a store of their own",
        "whether a dump with them fits is not checked",
        "compare what that store says of its size with the free disk yourself");
  if (plan.hosts["target"].is_map() && !migration.lock->host_keys.contains("target")) {
    sink.report(Kind::not_measured, plan.place("hosts", "target"),
                "the lock has no host key of the target")
        .severity(Severity::error)
        .help("run `plan fetch`, and compare the key that it shows with the machine's");
  }
}

}  // namespace plan::check::rules
