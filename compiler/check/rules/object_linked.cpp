// Prevents: destroying what something else still needs. By id the target refuses it
// (`objectIsLinked`) in the middle of the end; by name it does not look, and mail falls back to the
// public MX or a script to nothing (reference/stalwart-admin.md 3.7, 5.1, 5.9).
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "compiler/check/graph_view.h"
#include "compiler/check/named_results.h"
#include "compiler/check/rules.h"
#include "compiler/check/written_objects.h"
#include "compiler/ir/json.h"
#include "compiler/ir/shape_sample.h"
#include "compiler/ir/steps_before.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

using ir::StepId;
using ir::StepKind;

/// A step after which an object is no more: `admin.destroy`, or the `restore` of the step that made
/// it.
struct Removal {
  StepId step = {};
  std::string type = {};
  ir::Value match = {};
};

/// A member that names an object of `type` in its results.
struct Naming {
  std::string_view type = {};
  std::string_view object = {};  ///< "MtaStage" stands for all of them
  std::string_view member = {};
};
constexpr std::array<Naming, 5> kNamings = {
    {{"MtaRoute", "MtaOutboundStrategy", "route"},
     {"MtaDeliverySchedule", "MtaOutboundStrategy", "schedule"},
     {"MtaTlsStrategy", "MtaOutboundStrategy", "tls"},
     {"MtaConnectionStrategy", "MtaOutboundStrategy", "connection"},
     {"SieveSystemScript", "MtaStage", "script"}}};

class Links {
 public:
  Links(const GraphView& view, Sink& sink)
      : view_(view), sink_(sink), objects_(view), places_(places_in_order(view.graph())) {
    find_removals();
  }

  void look() {
    for (const Removal& removal : removals_) {
      const std::vector<bool> before = ir::all_before(view_.graph(), removal.step);
      if (look_at_names(removal, before) || look_at_ids(removal, before)) continue;
      look_at_lock(removal, before);
    }
  }

 private:
  void find_removals() {
    const ir::StepGraph& graph = view_.graph();
    ir::ShapeSample sample(graph);
    for (const StepKind kind : {StepKind::admin_destroy, StepKind::restore}) {
      for (const StepId step : view_.of_kind(kind)) {
        if (!sample.takes(step)) continue;
        if (kind == StepKind::restore) {
          take_restore(step);
          continue;
        }
        const ir::Value arguments = graph.arguments(step);
        const std::string_view type = object_type(arguments["object"].string_or(""));
        if (can_be_linked(type))
          removals_.push_back(
              {step, std::string(type.substr(0, type.find('/'))), arguments["match"]});
      }
    }
  }

  /// What was there before the step that is restored stays, so only what is named is removed: the
  /// target is told nothing else of its prior state here.
  void take_restore(StepId step) {
    const std::string of(view_.graph().argument(step, "step").string_or(""));
    restored_.emplace_back(step, of);
    const WrittenObject* object = objects_.by_step(of);
    if (object == nullptr || !can_be_linked(object->type) || !object->is_made ||
        view_.graph().id(object->writes.front()->step) != of || is_in_lock(*object))
      return;
    removals_.push_back({step, object->type, object->match});
  }

  [[nodiscard]] bool is_in_lock(const WrittenObject& object) const {
    const TargetNames names =
        target_names(view_.migration(), fmt::format("target.{}.name", object.type).c_str());
    return names.names.contains(object.name());
  }

  /// What can stand in another object, and does not hold mail (`data-destroyed` is about that).
  static bool can_be_linked(std::string_view object) {
    constexpr std::array<std::string_view, 11> kTypes = {
        "AcmeProvider",        "Certificate",
        "Directory",           "DnsServer",
        "MtaVirtualQueue",     "MtaConnectionStrategy",
        "MtaDeliverySchedule", "MtaRoute",
        "MtaTlsStrategy",      "Role",
        "SieveSystemScript"};
    return std::find(kTypes.begin(), kTypes.end(), object.substr(0, object.find('/'))) !=
           kTypes.end();
  }

  [[nodiscard]] std::string name_of(const Removal& removal) const {
    for (const char* member : {"name", "description"}) {
      if (removal.match[member].is_string()) return removal.match[member].as_string();
    }
    return {};
  }

  void report(const Removal& removal, const std::string& who, Span place, bool is_by_name) {
    auto said = sink_.report(Kind::object_linked, view_.graph().origin(removal.step),
                             fmt::format("`{}` takes away {} `{}`, which {} still names",
                                         printable(view_.graph().id(removal.step), 160),
                                         removal.type, printable(name_of(removal), 80), who));
    said.label(is_by_name ? "the target would fall back to its own choice without a word"
                          : "the target refuses it, and the procedure stops there");
    if (place.is_known()) said.note(place, "this names it");
    said.help("change or take away what names it first, and let this step wait for that (`after`)");
  }

  /// The step before `removal` that speaks last about a member, or nothing.
  [[nodiscard]] const TargetWrite* last_write(const Naming& naming, std::string_view object,
                                              const std::vector<bool>& before) const {
    const TargetWrite* last = nullptr;
    for (const TargetWrite& write : view_.writes()) {
      if (write.object != object || write.set[naming.member].is_null() ||
          !before[ir::index(write.step)])
        continue;
      if (last == nullptr || places_[ir::index(write.step)] > places_[ir::index(last->step)])
        last = &write;
    }
    return last;
  }

  /// A step before `removal` puts back what was there before `write`.
  [[nodiscard]] bool is_put_back(const TargetWrite& write, const std::vector<bool>& before) const {
    const std::string id = view_.graph().id(write.step);
    return std::any_of(restored_.begin(), restored_.end(), [&](const auto& restored) {
      return restored.second == id && before[ir::index(restored.first)];
    });
  }

  bool look_at_names(const Removal& removal, const std::vector<bool>& before) {
    const std::string name = name_of(removal);
    if (name.empty()) return false;
    for (const Naming& naming : kNamings) {
      if (naming.type != removal.type) continue;
      std::set<std::string> objects;
      for (const TargetWrite& write : view_.writes()) {
        if (write.object == naming.object ||
            (naming.object == "MtaStage" && write.object.starts_with("MtaStage")))
          objects.insert(write.object);
      }
      if (naming.object != "MtaStage") objects.emplace(naming.object);
      for (const std::string& object : objects) {
        const TargetWrite* last = last_write(naming, object, before);
        const bool is_of_lock = last == nullptr || is_put_back(*last, before);
        const ir::Value& value =
            is_of_lock ? setting(view_.migration(),
                                 fmt::format("target.{}.{}", object, naming.member).c_str())
                       : last->set[naming.member];
        const std::vector<std::string> results = named_results(value).texts;
        if (std::find(results.begin(), results.end(), name) == results.end()) continue;
        report(removal, fmt::format("{}.{}", object, naming.member),
               is_of_lock ? Span{} : view_.graph().origin(last->step), true);
        return true;
      }
    }
    return false;
  }

  [[nodiscard]] bool is_gone(const WrittenObject& object, const std::vector<bool>& before) const {
    return std::any_of(removed_.begin(), removed_.end(), [&](const Removal& removal) {
      return before[ir::index(removal.step)] && removal.type == object.type &&
             removal.match == object.match;
    });
  }

  bool look_at_ids(const Removal& removal, const std::vector<bool>& before) {
    const WrittenObject* removed = objects_.find(removal.type, removal.match);
    if (removed == nullptr) return false;
    if (removed_.empty()) take_all_removed();
    for (const WrittenObject& other : objects_.all()) {
      if (&other == removed || is_gone(other, before)) continue;
      // The last word about each member counts.
      std::set<std::string> spoken;
      for (auto write = other.writes.rbegin(); write != other.writes.rend(); ++write) {
        if (is_put_back(**write, before)) continue;
        for (const auto& [member, value] : (*write)->set.members()) {
          if (!spoken.insert(member).second) continue;
          ir::Value one = ir::Value::map();
          one.set(member, value);
          for (const Reference& reference : references_in(one)) {
            if (reference.step.empty() || objects_.by_step(reference.step) != removed) continue;
            report(removal, fmt::format("{} `{}`", other.type, printable(other.name(), 80)),
                   view_.graph().origin((*write)->step), false);
            return true;
          }
        }
      }
    }
    return false;
  }

  void take_all_removed() {
    const ir::StepGraph& graph = view_.graph();
    for (const StepId step : view_.of_kind(StepKind::admin_destroy)) {
      if (removed_.size() >= 10 * ir::ShapeSample::kStepsOfShapeMax) break;
      const ir::Value arguments = graph.arguments(step);
      const std::string_view type = object_type(arguments["object"].string_or(""));
      removed_.push_back({step, std::string(type.substr(0, type.find('/'))), arguments["match"]});
    }
    for (const auto& [step, of] : restored_) {
      const WrittenObject* object = objects_.by_step(of);
      if (object != nullptr && object->is_made)
        removed_.push_back({step, object->type, object->match});
    }
  }

  /// What the target had when it was asked. A step that writes or takes away an object of the type
  /// that refers may have been about that: nothing is said then.
  void look_at_lock(const Removal& removal, const std::vector<bool>& before) {
    const std::string name = name_of(removal);
    for (const ir::Value& link : setting(view_.migration(), "target.links").items()) {
      if (link["object"].string_or("") != removal.type || link["name"].string_or("") != name ||
          name.empty())
        continue;
      std::string who;
      bool is_about = false;
      for (const ir::Value& by : link["by"].items()) {
        who += fmt::format("{}{} `{}`", who.empty() ? "" : ", ", by["object"].string_or(""),
                           printable(by["name"].string_or(""), 80));
        is_about = is_about || is_changed_before(by["object"].string_or(""), before);
      }
      if (is_about || who.empty()) continue;
      const std::int64_t more =
          link["count"].integer_or(0) - static_cast<std::int64_t>(link["by"].size());
      if (more > 0) who += fmt::format(" and {} more", more);
      report(removal, who, {}, false);
      return;
    }
  }

  [[nodiscard]] bool is_changed_before(std::string_view type,
                                       const std::vector<bool>& before) const {
    const auto is_of = [&](std::string_view object) {
      object = object_type(object);
      return object.substr(0, object.find('/')) == type;
    };
    for (const TargetWrite& write : view_.writes()) {
      if (before[ir::index(write.step)] && is_of(write.object)) return true;
    }
    for (const StepId step : view_.of_kind(StepKind::admin_destroy)) {
      if (before[ir::index(step)] && is_of(view_.graph().argument(step, "object").string_or("")))
        return true;
    }
    return false;
  }

  const GraphView& view_;
  Sink& sink_;
  WrittenObjects objects_;
  std::vector<std::size_t> places_;
  std::vector<Removal> removals_ = {};
  std::vector<Removal> removed_ = {};  ///< of every type, for who is gone already
  std::vector<std::pair<StepId, std::string>> restored_ = {};
};

}  // namespace

void object_linked(const GraphView& view, Sink& sink) {
  Links links(view, sink);
  links.look();
}

}  // namespace plan::check::rules
