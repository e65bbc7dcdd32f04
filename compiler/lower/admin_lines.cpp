#include "compiler/lower/admin_lines.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "compiler/ir/json.h"
#include "compiler/source/text.h"

namespace plan::lower {
namespace {

using ir::StepId;
using ir::StepKind;
using ir::Value;

[[nodiscard]] std::string domain_of(std::string_view address) {
  const std::size_t at = address.rfind('@');
  return at == std::string_view::npos ? std::string() : std::string(address.substr(at + 1));
}

[[nodiscard]] std::string local_of(std::string_view address) {
  return std::string(address.substr(0, address.rfind('@')));
}

/// Without the prefix: "Domain".
[[nodiscard]] std::string object_of(const Value& arguments) {
  std::string_view object = arguments["object"].string_or("");
  if (object.starts_with("x:")) object.remove_prefix(2);
  return std::string(object);
}

/// A client id that stalwart-cli takes: letters, digits, `-` and `_`.
[[nodiscard]] std::string client_id(std::string_view text) {
  std::string id;
  for (const char c : text) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c >= '0' && c <= '9') || c == '-' || c == '_';
    if (is_plain) {
      id += c;
    } else if (c == '/') {
      id += "__";
    } else {
      id += fmt::format("-{:02x}-", static_cast<unsigned>(static_cast<unsigned char>(c)));
    }
  }
  return id;
}

/// Something that only a run knows, or nobody but the target may see.
[[nodiscard]] bool is_open(const Value& value) {
  if (value.is_secret() || value.is_output()) return true;
  if (value.is_list()) return std::any_of(value.items().begin(), value.items().end(), is_open);
  if (!value.is_map()) return false;
  return std::any_of(value.members().begin(), value.members().end(),
                     [](const auto& member) { return is_open(member.second); });
}

class Writer {
 public:
  Writer(const ir::StepGraph& graph, ir::Stage stage) : graph_(graph), stage_(stage) {
    lines_.parts.emplace_back();
  }

  AdminLines run() {
    for (const StepId step : graph_.order()) {
      if (graph_.stage(step) == stage_) add(step);
    }
    if (lines_.parts.back().empty()) lines_.parts.pop_back();
    for (const auto& [kind, count] : elsewhere_) {
      lines_.left_out.push_back(fmt::format("{} {} `{}`: not an object of the target", count,
                                            count == 1 ? "step" : "steps", kind));
    }
    return std::move(lines_);
  }

 private:
  void add(StepId step) {
    const Value arguments = graph_.arguments(step);
    switch (graph_.kind(step)) {
      case StepKind::admin_upsert:
      case StepKind::admin_update:
        return object(step, arguments);
      case StepKind::admin_destroy:
        return destroy(step, arguments);
      case StepKind::admin_action:
        return action(step, arguments);
      case StepKind::admin_account:
        return account(step, arguments);
      // A key and a list change where mail goes at once: a file of lines has no copy before and no
      // forward behind them.
      case StepKind::admin_list:
      case StepKind::admin_keys:
        lines_.left_out.push_back(
            fmt::format("{}: it changes where mail goes, which belongs to a run", graph_.id(step)));
        return;
      default:
        ++elsewhere_[std::string(ir::info(graph_.kind(step)).name)];
    }
  }

  void write(const Value& line) {
    lines_.parts.back() += ir::write_json(line) + "\n";
    has_other_ = true;
    ++lines_.step_count;
  }

  /// What can be written of the wish; the rest is named.
  Value written(StepId step, const Value& wish) {
    Value body = Value::map();
    for (const auto& [name, value] : wish.members()) {
      if (is_open(value)) {
        lines_.left_out.push_back(
            fmt::format("`{}` of {}: a secret, or known only in a run", name, graph_.id(step)));
      } else {
        body.set(name, value);
      }
    }
    return body;
  }

  void object(StepId step, const Value& arguments) {
    const Value& match = arguments["match"];
    const Value set = written(step, arguments["set"]);
    if (match.size() == 0) {
      return write(Value::map({{"@type", "update"},
                               {"object", object_of(arguments)},
                               {"id", "singleton"},
                               {"value", set}}));
    }
    upsert(graph_.id(step), object_of(arguments), match, set);
  }

  void upsert(const std::string& id, const std::string& object, const Value& match,
              const Value& set) {
    Value body = match;
    Value properties = Value::list();
    for (const auto& [name, unused] : match.members()) properties.push_back(name);
    for (const auto& [name, value] : set.members()) body.set(name, value);
    if (object == "Domain")
      domains_.insert_or_assign(std::string(match["name"].string_or("")), client_id(id));
    write(Value::map({{"@type", "upsert"},
                      {"object", object},
                      {"matchOn", std::move(properties)},
                      {"value", Value::map({{client_id(id), std::move(body)}})}}));
  }

  void destroy(StepId step, const Value& arguments) {
    // All destroys of a file run before its other lines, the last one first.
    if (has_other_) {
      lines_.parts.emplace_back();
      has_other_ = false;
    }
    const Value match = written(step, arguments["match"]);
    if (match.size() == 0) {
      lines_.left_out.push_back(fmt::format(
          "{}: without a filter stalwart-cli would destroy every object", graph_.id(step)));
      return;
    }
    lines_.parts.back() +=
        ir::write_json(Value::map(
            {{"@type", "destroy"}, {"object", object_of(arguments)}, {"value", match}})) +
        "\n";
    ++lines_.step_count;
  }

  void action(StepId step, const Value& arguments) {
    const Value body = Value::map({{"@type", arguments["action"]}});
    write(Value::map({{"@type", "create"},
                      {"object", "Action"},
                      {"value", Value::map({{client_id(graph_.id(step)), body}})}}));
  }

  /// `#id` of a line that names the domain; the lines of a later stage name it once more.
  std::string domain_reference(const std::string& domain) {
    if (!domains_.contains(domain)) {
      const std::size_t count = lines_.step_count;
      upsert("domain/" + domain, "Domain", Value::map({{"name", domain}}), Value::map());
      lines_.step_count = count;
    }
    return "#" + domains_.at(domain);
  }

  void account(StepId step, const Value& arguments) {
    const std::string address(arguments["account"].string_or(""));
    const std::string domain = domain_reference(domain_of(address));
    Value aliases = Value::map();
    std::size_t count = 0;
    for (const Value& alias : arguments["aliases"].items()) {
      const std::string text(alias.string_or(""));
      aliases.set(
          std::to_string(count++),
          Value::map({{"name", local_of(text)}, {"domainId", domain_reference(domain_of(text))}}));
    }
    Value set = Value::map({{"@type", "User"}, {"aliases", std::move(aliases)}});
    if (arguments["name"].is_string()) set.set("description", arguments["name"]);
    if (arguments["quota_bytes"].integer_or(0) > 0)
      set.set("quotas", Value::map({{"maxDiskQuota", arguments["quota_bytes"]}}));
    // Closed until it has moved, as the step has it.
    set.set("permissions",
            Value::map({{"@type", "Merge"},
                        {"enabledPermissions", Value::map()},
                        {"disabledPermissions",
                         Value::map({{"authenticate", true}, {"calendarAlarmsSend", true}})}}));
    if (arguments["password"].is_secret())
      lines_.left_out.push_back(fmt::format("the password of {}: a secret", address));
    upsert(graph_.id(step), "Account",
           Value::map({{"name", local_of(address)}, {"domainId", domain}}), set);
  }

  const ir::StepGraph& graph_;
  ir::Stage stage_;
  AdminLines lines_;
  bool has_other_ = false;
  std::map<std::string, std::string> domains_;  // name -> client id
  std::map<std::string, std::size_t> elsewhere_;
};

}  // namespace

AdminLines admin_lines(const ir::StepGraph& graph, ir::Stage stage) {
  return Writer(graph, stage).run();
}

}  // namespace plan::lower
