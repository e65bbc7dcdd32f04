// Prevents: a procedure of the author's own whose domains have no rule for the tags of the source
// (recipient_delimiter), or one that takes a part of somebody's name for a tag. The target asks it
// for every address that it does not have, so until that one's account is created his mail would go
// to whoever is called like the rest.
#include <fmt/format.h>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/check/graph_view.h"
#include "compiler/check/other_delimiter.h"
#include "compiler/check/rules.h"
#include "compiler/ir/row_values.h"
#include "compiler/schema/mta_container.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

using ir::StepId;

/// What is left of a local part by a rule of the target; nothing: only it can tell.
std::optional<std::string> without_tag(const schema::MtaContainer& rule, const std::string& local) {
  schema::MtaEnvironment environment;
  environment.variable = [&](std::string_view name) -> std::optional<ir::Value> {
    if (name == "rcpt") return ir::Value(local);
    return std::nullopt;
  };
  const auto answer = rule.evaluate(environment);
  if (!answer) return std::nullopt;
  return schema::text_of(*answer);
}

class Rule {
 public:
  Rule(const GraphView& view, std::string_view delimiters, Sink& sink)
      : view_(view), delimiters_(delimiters), sink_(sink) {
    for (const TargetWrite& write : view.writes()) {
      if (write.object == "Domain") take(write);
    }
  }

  void run() {
    for (const Named& domain : view_.plan().domains) {
      const auto rule = rules_.find(lower_ascii(domain.text));
      if (rule == rules_.end() || !takes_all(rule->second.container))
        return report_other_delimiters(view_.migration(), delimiters_, sink_);
    }
    look_at_names();
  }

 private:
  struct Written {
    StepId step = {};
    schema::MtaContainer container = {};
  };

  void take(const TargetWrite& write) {
    const ir::Value& written = write.set["subAddressing"];
    if (written["@type"].string_or("") != "Custom") return;
    auto container = schema::MtaContainer::parse(
        written["customRule"], schema::context_of("SubAddressingCustom", "customRule"));
    if (!container) return;  // said by the proof, and by the schema
    const ir::StepGraph& graph = view_.graph();
    const ir::StepShape& shape = graph.shape(write.step);
    const auto add = [&](const ir::Value& name) {
      rules_.insert_or_assign(lower_ascii(name.string_or("")), Written{write.step, *container});
    };
    add(write.match["name"].is_null() ? write.set["name"] : write.match["name"]);
    if (ir::is_of_row(shape.arguments["set"]) || !seen_.insert(&shape).second) return;
    // One rule for all of a shape, of which only some are among the writes.
    for (const StepId step : view_.of_kind(shape.kind)) {
      if (&graph.shape(step) == &shape) add(graph.argument(step, "match")["name"]);
    }
  }

  [[nodiscard]] bool takes_all(const schema::MtaContainer& rule) const {
    for (const char delimiter : delimiters_) {
      if (without_tag(rule, fmt::format("somebody{}tag", delimiter)) != "somebody") return false;
    }
    return true;
  }

  void look_at_names() {
    const Migration& migration = view_.migration();
    std::set<std::string, std::less<>> lists;
    for (const MailList& list : migration.lists) lists.insert(lower_ascii(list.lock->address));
    std::set<std::string> taken;
    const Written* first = nullptr;
    const auto look = [&](std::string_view address) {
      const std::string name = lower_ascii(address);
      const std::size_t at = name.rfind('@');
      if (at == std::string::npos) return;
      const std::string local = name.substr(0, at);
      if (local.find_first_of(delimiters_) == std::string::npos) return;
      const auto rule = rules_.find(name.substr(at + 1));
      if (rule == rules_.end()) return;
      const auto rest = without_tag(rule->second.container, local);
      if (!rest || rest->empty() || *rest == local) return;
      const std::string other = lower_ascii(*rest) + name.substr(at);
      if (migration.account_with(other) < 0 && !lists.contains(other)) return;
      if (first == nullptr) first = &rule->second;
      taken.insert(name);
    };
    for (const Account& account : migration.accounts) {
      look(account.lock->address);
      for (const std::string& alias : account.lock->aliases) look(alias);
    }
    for (const std::string& list : lists) look(list);
    if (taken.empty()) return;
    Examples examples;
    for (const std::string& name : taken) examples.add(name, {});
    report_step(view_, first->step, Kind::recipient_delimiter,
                fmt::format("takes a part of the name for a tag in {}: {}",
                            counted(examples.count, "address", "addresses"), examples.text()),
                sink_)
        .severity(Severity::error)
        .label(
            "until the target has it, its mail goes to the address that is left without this part")
        .help(
            "let the rule leave these names out, by a condition in front of the others that gives "
            "`rcpt`");
  }

  const GraphView& view_;
  std::string delimiters_;
  Sink& sink_;
  std::map<std::string, Written, std::less<>> rules_;  // by domain
  std::set<const ir::StepShape*> seen_;
};

}  // namespace

void tag_rule_of_domain(const GraphView& view, Sink& sink) {
  const std::string_view delimiters = other_delimiters(view.migration());
  // Of a procedure of std it was said without the steps.
  if (delimiters.empty() || view.plan().use.text.starts_with("std/")) return;
  Rule(view, delimiters, sink).run();
}

}  // namespace plan::check::rules
