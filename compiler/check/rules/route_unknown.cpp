// Prevents: an expression that names a route, schedule or strategy that is not there. The target
// falls back to the public MX without a word, possibly back to itself
// (reference/stalwart-admin.md 5.9).
#include <fmt/format.h>

#include <array>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "compiler/check/graph_view.h"
#include "compiler/check/named_results.h"
#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

struct Names {
  std::string_view member = {};  ///< of MtaOutboundStrategy
  std::string_view object = {};  ///< whose `name` it gives
  std::set<std::string_view> seeded = {};
};

}  // namespace

void route_unknown(const GraphView& view, Sink& sink) {
  const std::array<Names, 4> kinds = {{
      {"route", "MtaRoute", {"local", "mx"}},
      {"schedule", "MtaDeliverySchedule", {"local", "remote", "dsn", "report"}},
      {"tls", "MtaTlsStrategy", {"default", "invalid-tls"}},
      {"connection", "MtaConnectionStrategy", {"default"}},
  }};
  std::map<std::string_view, std::set<std::string, std::less<>>> made;
  std::map<std::string_view, std::vector<const TargetWrite*>> values;  // by namespace
  for (const TargetWrite& write : view.writes()) {
    if (write.is_upsert) made[write.object].emplace(write.match["name"].string_or(""));
    if (write.object == "MemoryLookupKeyValue")
      values[write.match["namespace"].string_or("")].push_back(&write);
  }
  for (const Names& names : kinds) {
    const TargetNames known =
        target_names(view.migration(), fmt::format("target.{}.name", names.object).c_str());
    made[names.object].insert(known.names.begin(), known.names.end());
  }
  // What the target's own expression names is there, as far as anything is.
  for (const std::string& name :
       named_results(setting(view.migration(), "target.MtaOutboundStrategy.route")).texts)
    made["MtaRoute"].insert(name);
  const auto look = [&](const TargetWrite& write, const Names& names, const std::string& name) {
    if (names.seeded.contains(name) || made[names.object].contains(name)) return;
    std::vector<std::string_view> known(names.seeded.begin(), names.seeded.end());
    known.insert(known.end(), made[names.object].begin(), made[names.object].end());
    auto report = report_write(
        view, write, Kind::route_unknown,
        fmt::format("names `{}`, and no {} has that name", printable(name, 60), names.object),
        sink);
    if (const auto near = nearest(name, known))
      report.label(fmt::format("did you mean `{}`?", *near));
    else
      report.label("the target would fall back to its own choice without a word");
    report.help(
        fmt::format("make it in the procedure, with a step that upserts the {}", names.object));
  };
  for (const TargetWrite& write : view.writes()) {
    if (write.object != "MtaOutboundStrategy") continue;
    for (const Names& names : kinds) {
      const NamedResults results = named_results(write.set[names.member]);
      for (const std::string& name : results.texts) look(write, names, name);
      // `key_get('routes', rcpt)`: the name is the value of a key.
      for (const std::string& space : results.namespaces) {
        const auto keys = values.find(space);
        if (keys == values.end()) continue;
        for (const TargetWrite* key : keys->second) {
          const ir::Value& value = key->set["value"];
          if (value.is_string()) look(*key, names, value.as_string());
        }
      }
    }
  }
}

}  // namespace plan::check::rules
