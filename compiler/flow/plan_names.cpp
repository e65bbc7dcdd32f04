#include "compiler/flow/plan_names.h"

#include <array>

#include "compiler/flow/mail_address.h"
#include "compiler/flow/states.h"
#include "compiler/ir/row_values.h"
#include "compiler/source/text.h"

namespace plan::flow {
namespace {

using ir::RowId;
using ir::StepId;
using ir::StepKind;

constexpr std::string_view kGlob = "*@";
/// Arguments of the steps of one account that say names; most are members of its row.
constexpr std::array<std::string_view, 4> kNaming = {"account", "aliases", "addresses", "members"};

[[nodiscard]] bool is_of_row_alone(const ir::Value& written) {
  const std::string_view member = ir::row_member(written);
  return member == "address" || member == "aliases" || member == "addresses";
}

}  // namespace

PlanNames::PlanNames(const ir::StepGraph& graph) : graph_(graph) {
  read_rows();
  for (const StepId step : graph_.order()) {
    const StepKind kind = graph_.kind(step);
    if (is_account_kind(kind) || kind == StepKind::source_settings) {
      read_account_step(step);
    } else if (is_admin_kind(kind)) {
      read_object(step);
    }
  }
}

void PlanNames::add(std::string_view name, RowId row) {
  if (name.empty()) return;
  std::string lower = lower_ascii(name);
  if (lower.starts_with(kGlob)) {
    globs_.insert(lower.substr(kGlob.size()));
    return;
  }
  if (lower.find('@') != std::string::npos) domains_.insert(domain_of(lower));
  const auto [known, is_new] = rows_of_.emplace(std::move(lower), row);
  if (!is_new && known->second != row) known->second = RowId::none;
}

void PlanNames::add_all(const ir::Value& names, RowId row) {
  if (names.is_string()) add(names.as_string(), row);
  for (const ir::Value& name : names.items()) add(name.string_or(""), row);
}

void PlanNames::add_set(const ir::Value& written) {
  if (written.is_string()) {
    sets_.insert(written.as_string());
  } else if (!written.is_null()) {
    is_any_set_ = true;
  }
}

void PlanNames::read_rows() {
  for (std::size_t i = 1; i <= graph_.row_count(); ++i) {
    const auto row = static_cast<RowId>(i);
    const std::string_view name = graph_.row_name(row);
    if (name.find('@') == std::string_view::npos) continue;
    add(name, row);
    const ir::Value& members = graph_.row_members(row);
    add_all(members["aliases"], row);
    add_all(members["addresses"], row);
  }
}

void PlanNames::read_account_step(StepId step) {
  const ir::Value& shape = graph_.shape(step).arguments;
  const RowId row = graph_.row(step);
  // What a step of no row says of an old server every world has.
  if (row == RowId::none && graph_.kind(step) == StepKind::source_settings) return;
  for (const std::string_view name : kNaming) {
    const ir::Value& written = shape[name];
    if (!written.is_null() && !is_of_row_alone(written)) add_all(graph_.argument(step, name), row);
  }
  add_set(shape["namespace"]);
  add_set(shape["list"]);
  if (graph_.kind(step) != StepKind::source_settings) return;
  const ir::Value values = graph_.argument(step, "values");
  for (const ir::Value& one : values.items()) {
    const auto written = list_key_of(one["key"].string_or(""));
    if (!written) continue;
    sets_.emplace(written->list);
    add(written->key, row);
  }
}

void PlanNames::read_object(StepId step) {
  const StepKind kind = graph_.kind(step);
  const RowId row = graph_.row(step);
  // Of a hundred thousand alike steps (keys at the end) the rows say whose they are.
  if (kind == StepKind::admin_action || (kind == StepKind::admin_destroy && row != RowId::none))
    return;
  const ir::Value& shape = graph_.shape(step).arguments;
  if (kind == StepKind::admin_list || is_object(shape, "MailingList")) {
    add(list_address(graph_, step), RowId::none);
  } else if (is_object(shape, "MemoryLookupKey")) {
    const ir::Value match = graph_.argument(step, "match");
    add_set(match["namespace"]);
    const std::string_view key = match["key"].string_or("");
    add(key, row);
    key_in_.emplace(match["namespace"].string_or(""),
                    lower_ascii(key.starts_with(kGlob) ? key.substr(1) : key));
  } else if (is_object(shape, "Account")) {
    const ir::Value arguments = graph_.arguments(step);
    add(object_address(graph_, arguments), row);
    for (const std::string& alias : alias_addresses(graph_, arguments)) add(alias, row);
  } else if (is_object(shape, "Domain")) {
    domains_.insert(lower_ascii(property(graph_.arguments(step), "name").string_or("")));
  }
}

bool PlanNames::has_beside(std::string_view name, RowId row) const {
  if (name.starts_with(kGlob)) return globs_.contains(std::string(name.substr(kGlob.size())));
  const auto known = rows_of_.find(std::string(name));
  if (known != rows_of_.end() && (known->second != row || row == RowId::none)) return true;
  return globs_.contains(domain_of(name));
}

bool PlanNames::has_domain(std::string_view name) const {
  return domains_.contains(std::string(name));
}

std::string PlanNames::key_in(std::string_view set) const {
  const auto known = key_in_.find(std::string(set));
  if (known == key_in_.end()) return {};
  return known->second.starts_with('@') ? "somebody" + known->second : known->second;
}

bool PlanNames::is_filled(std::string_view set) const {
  return is_any_set_ || sets_.contains(std::string(set));
}

}  // namespace plan::flow
