// Prevents: an expression that names a route, schedule or strategy that is not there. The target
// falls back to the public MX without a word, possibly back to itself
// (reference/stalwart-admin.md 5.9).
#include <fmt/format.h>

#include <array>
#include <map>
#include <set>

#include "compiler/check/graph_view.h"
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
  std::map<std::string_view, std::set<std::string_view>> made;
  for (const TargetWrite& write : view.writes()) {
    if (write.is_upsert) made[write.object].insert(write.match["name"].string_or(""));
  }
  // What the target's own expression names is there, as far as anything is.
  for (const std::string_view result :
       results_of(setting(view.migration(), "target.MtaOutboundStrategy.route"))) {
    const std::string_view text = trim(result);
    if (text.size() > 2 && text.front() == '\'' && text.back() == '\'')
      made["MtaRoute"].insert(text.substr(1, text.size() - 2));
  }
  for (const TargetWrite& write : view.writes()) {
    if (write.object != "MtaOutboundStrategy") continue;
    for (const Names& names : kinds) {
      for (const std::string_view result : results_of(write.set[names.member])) {
        const std::string_view text = trim(result);
        if (text.size() < 2 || text.front() != '\'' || text.back() != '\'') continue;
        const std::string_view name = text.substr(1, text.size() - 2);
        if (names.seeded.contains(name) || made[names.object].contains(name)) continue;
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
      }
    }
  }
}

}  // namespace plan::check::rules
