// Prevents: a setting of an old Stalwart that two steps write. Without an order between them it is
// chance which value stays; with one, putting back what the first found there takes away what the
// second wrote (reference/stalwart-v015-api.md 9.3). And items that would become an empty text, and
// settings that no step can write: those of the server's own file, which it would write anew,
// secrets, and macros, which it resolves in that file alone (6.1, 6.4).
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "compiler/check/graph_view.h"
#include "compiler/ir/old_setting.h"
#include "compiler/ir/shape_sample.h"
#include "compiler/ir/steps_before.h"
#include "compiler/source/text.h"
#include "compiler/syntax/value_type.h"

namespace plan::check::rules {
namespace {

using ir::StepId;
using ir::StepKind;

constexpr std::size_t kWritersMax = 50;  // of one setting: who writes it oftener is told already

class Rule {
 public:
  Rule(const GraphView& view, Sink& sink) : view_(view), graph_(view.graph()), sink_(sink) {
    ir::ShapeSample sample(graph_);
    for (const StepId step : view.of_kind(StepKind::source_settings)) {
      if (!sample.takes(step)) continue;
      const ir::Value arguments = graph_.arguments(step);
      look_at_keys(step, arguments);
      for (const char* part : {"values", "blocks"}) {
        for (const ir::Value& one : arguments[part].items()) {
          const std::string key(one["key"].string_or(""));
          if (key.empty()) continue;  // reported
          std::vector<StepId>& writers = writers_[key];
          if (writers.size() >= kWritersMax) continue;
          if (writers.empty() || writers.back() != step) writers.push_back(step);
        }
      }
    }
    std::erase_if(writers_, [](const auto& one) { return one.second.size() < 2; });
  }

  void run() {
    if (writers_.empty()) return;
    for (const auto& [key, writers] : writers_) look_at_order(key, writers);
    for (const StepId step : view_.of_kind(StepKind::restore)) {
      if (const auto of = restored_by(step)) restores_.emplace(*of, step);
    }
    for (const auto& [key, writers] : writers_) look_at_restores(key, writers);
  }

 private:
  Sink::Report say(StepId step, std::string_view what, std::string_view why) {
    return report_step(view_, step, Kind::bad_value, fmt::format("cannot write {}: {}", what, why),
                       sink_);
  }

  void look_at_keys(StepId step, const ir::Value& arguments) {
    for (const char* part : {"values", "blocks"}) {
      const ir::Value& items = arguments[part];
      for (std::size_t i = 0; i < items.size(); ++i) {
        if (is_right_item(step, part, i, items.item(i))) look_at_item(step, part, items.item(i));
      }
    }
    const auto is_there = [&](const char* name) {
      const ir::Value& given = arguments[name];
      return given.is_output() || given.size() > 0 || !given.string_or("").empty();
    };
    if (arguments["members"].size() > 0 && !is_there("list")) {
      report_step(view_, step, Kind::bad_value, "has `members` and no `list` that gets them", sink_)
          .label("the step would leave them out")
          .help("name the lookup list: `list = \"plan-held\"`, or take `members` out");
      return;
    }
    if (is_there("values") || is_there("blocks") || is_there("list")) return;
    report_step(view_, step, Kind::bad_value, "writes no setting", sink_)
        .label("the step would stop in the night")
        .help("give it `values`, `blocks` or a `list`, or take the step out");
  }

  /// The driver asks an item for its members by name and takes what is not there, or is no text,
  /// for an empty one.
  bool is_right_item(StepId step, std::string_view part, std::size_t i, const ir::Value& item) {
    if (item.is_output()) return false;
    const bool is_block = part == "blocks";
    const std::string what = fmt::format("item {} of `{}`", i + 1, part);
    const char* const help =
        is_block ? "`{ key = ..., rules = [{ if = ..., then = ... }, { else = ... }] }`"
                 : "`{ key = ..., value = ... }`, both of them texts: `\"26\"`, `\"true\"`";
    if (!item.is_map()) {
      say(step, what, fmt::format("it is {}, and a map is needed", shown(item))).help(help);
      return false;
    }
    const std::vector<std::string_view> known = {"key", is_block ? "rules" : "value"};
    bool is_right = true;
    for (const auto& [name, member] : item.members()) {
      if (std::find(known.begin(), known.end(), name) != known.end()) continue;
      is_right = false;
      auto report = say(step, what, fmt::format("it has no member `{}`", printable(name, 60)));
      if (const auto near = nearest(name, known))
        report.label(fmt::format("did you mean `{}`?", *near));
      report.help(help);
    }
    if (!is_right) return false;
    for (const std::string_view name : known) {
      const ir::Value& member = item[name];
      if (name == "rules" || member.is_string() || member.is_output()) continue;
      is_right = false;
      const std::string why = member.is_null() ? fmt::format("it has no `{}`", name)
                                               : fmt::format("its `{}` is {}, and a text is needed",
                                                             name, shown(member));
      say(step, what, why).help(help);
    }
    return is_right;
  }

  void look_at_item(StepId step, std::string_view part, const ir::Value& item) {
    const std::string_view key = item["key"].string_or("");
    const std::string what = fmt::format("`{}`", printable(key, 120));
    constexpr const char* kRefused = "the step would refuse it in the night";
    const std::string why = item["key"].is_output() ? "" : ir::why_not_old_setting(key);
    if (!why.empty() && !ir::why_not_old_key(key).empty()) {
      say(step, what, why)
          .label(kRefused)
          .help("write the key as the old server shows it, like `session.data.limits.size`");
    } else if (!why.empty()) {
      say(step, what, why)
          .label(kRefused)
          .help(
              "write it into the server's own file by hand before the run and restart the server "
              "there; what decides about mail is below `queue.`, `session.`, `auth.` and "
              "`lookup.`");
    } else if (item["value"].string_or("").find("%{") != std::string_view::npos) {
      say(step, what, "the old server resolves a macro (`%{...}%`) in its own file only")
          .label("it would take the text as it stands")
          .help("write the value itself; a secret stays in that file");
    }
    if (part != "blocks" || item["rules"].is_output()) return;
    if (const std::string wrong = ir::why_not_old_rules(item["rules"]); !wrong.empty())
      say(step, what, wrong)
          .label(kRefused)
          .help("`rules = [{ if = ..., then = ... }, { else = ... }]`");
  }

  [[nodiscard]] static std::string shown(const ir::Value& value) {
    if (value.is_null()) return "nothing";
    return value.is_integer() ? fmt::format("{}", value.integer_or(0))
                              : syntax::to_text(syntax::type_of_value(value));
  }

  [[nodiscard]] static Kind kind_of(const std::string& key) {
    return key.starts_with("queue.") ? Kind::mail_flow : Kind::relaxation_stays;
  }

  [[nodiscard]] std::optional<StepId> restored_by(StepId restore) const {
    const ir::Value of = graph_.argument(restore, "step");
    return graph_.find(of.string_or(""));
  }

  /// Does `earlier` run before `step`, whatever else happens?
  [[nodiscard]] bool is_before(StepId earlier, StepId step) {
    auto known = before_.find(step);
    if (known == before_.end()) known = before_.emplace(step, ir::all_before(graph_, step)).first;
    return known->second[ir::index(earlier)];
  }

  void look_at_order(const std::string& key, const std::vector<StepId>& writers) {
    for (std::size_t i = 1; i < writers.size(); ++i) {
      const StepId first = writers[i - 1];
      const StepId second = writers[i];
      if (is_before(first, second) || is_before(second, first)) continue;
      // Said once for two steps, whatever else both of them write.
      if (!said_.emplace(first, second).second) continue;
      report_step(view_, second, kind_of(key),
                  fmt::format("writes `{}`, and so does `{}`", printable(key, 120),
                              printable(graph_.id(first), 160)),
                  sink_)
          .severity(Severity::error)
          .label("neither waits for the other: it is chance which value stays")
          .note(graph_.origin(first), "the other one")
          .help("let one step write it, or one of them wait for the other (`after`)");
    }
  }

  void look_at_restores(const std::string& key, const std::vector<StepId>& writers) {
    for (const StepId first : writers) {
      const auto restore = restores_.find(first);
      if (restore == restores_.end()) continue;
      for (const StepId second : writers) {
        if (second == first || !is_before(first, second) || is_before(restore->second, second) ||
            is_back_before(second, restore->second))
          continue;
        if (!said_.emplace(restore->second, second).second) continue;
        report_step(view_, restore->second, kind_of(key),
                    fmt::format("puts back `{}` as it was before `{}`, and `{}` has written it "
                                "since",
                                printable(key, 120), printable(graph_.id(first), 160),
                                printable(graph_.id(second), 160)),
                    sink_)
            .severity(Severity::error)
            .label("what the later step wrote would be gone")
            .note(graph_.origin(second), "the later step")
            .help("put back what the later step wrote first, or let one step write it");
      }
    }
  }

  [[nodiscard]] bool is_back_before(StepId writer, StepId step) {
    const auto restore = restores_.find(writer);
    return restore != restores_.end() && is_before(restore->second, step);
  }

  const GraphView& view_;
  const ir::StepGraph& graph_;
  Sink& sink_;
  std::map<std::string, std::vector<StepId>> writers_;  // by setting, those with several
  std::map<StepId, StepId> restores_;                   // step -> the one that puts it back
  std::map<StepId, std::vector<bool>> before_;
  std::set<std::pair<StepId, StepId>> said_;
};

}  // namespace

void settings_twice(const GraphView& view, Sink& sink) { Rule(view, sink).run(); }

}  // namespace plan::check::rules
