#include "compiler/flow/states.h"

#include <algorithm>

#include "compiler/ir/row_values.h"
#include "compiler/source/text.h"

namespace plan::flow {

bool is_object(const ir::Value& arguments, std::string_view name) {
  std::string_view object = arguments["object"].string_or("");
  if (object.starts_with("x:")) object.remove_prefix(2);
  return object == name;
}

namespace {

using ir::Stage;
using ir::StepId;
using ir::StepKind;

constexpr std::size_t kRelevantMax = 60;  // steps that decide deliveries, for one account

/// Objects that are used only after ReloadSettings; the others at once, keys after their own
/// reload.
[[nodiscard]] bool waits_for_settings(const ir::Value& arguments) {
  return is_object(arguments, "MtaRoute") || is_object(arguments, "MtaOutboundStrategy") ||
         is_object(arguments, "MtaStageRcpt") || is_object(arguments, "MtaStageAuth");
}

[[nodiscard]] bool is_wave_stage(Stage stage) { return stage == Stage::waves; }

}  // namespace

bool is_account_kind(StepKind kind) {
  switch (kind) {
    case StepKind::admin_account:
    case StepKind::admin_account_open:
    case StepKind::admin_keys:
    case StepKind::archive_copy:
    case StepKind::archive_delta:
    case StepKind::postfix_hold:
    case StepKind::postfix_forward:
    case StepKind::source_hold:
    case StepKind::source_forward:
    case StepKind::proxy_release:
      return true;
    default:
      return false;
  }
}

bool is_hold(StepKind kind) {
  return kind == StepKind::postfix_hold || kind == StepKind::source_hold;
}

bool is_forward(StepKind kind) {
  return kind == StepKind::postfix_forward || kind == StepKind::source_forward;
}

bool goes_by_addresses(StepKind kind) {
  return kind == StepKind::admin_keys || kind == StepKind::source_hold ||
         kind == StepKind::source_forward;
}

bool StepsApart::may_be_apart(StepId step) {
  const ir::StepShape& shape = graph_.shape(step);
  Answer& known = of_shape_[static_cast<std::size_t>(&shape - graph_.shapes().data())];
  if (known != Answer::unasked) return known == Answer::yes;
  const ir::Value& addresses = shape.arguments["addresses"];
  const bool is_own =
      !is_account_kind(shape.kind) || (ir::row_member(shape.arguments["account"]) == "address" &&
                                       (!goes_by_addresses(shape.kind) || addresses.is_null() ||
                                        ir::row_member(addresses) == "addresses"));
  known = is_own ? Answer::no : Answer::yes;
  return !is_own;
}

std::vector<std::string> StepsApart::named_by(StepId step) {
  if (!may_be_apart(step)) return {};
  // One of an account's row that names another account is said by a rule.
  const ir::RowId row = graph_.row(step);
  if (row != ir::RowId::none && !graph_.row_members(row)["addresses"].is_null()) return {};
  std::set<std::string> names;
  const ir::Value account = graph_.argument(step, "account");
  if (account.is_string()) names.insert(lower_ascii(account.as_string()));
  if (goes_by_addresses(graph_.kind(step))) {
    const ir::Value addresses = graph_.argument(step, "addresses");
    for (const ir::Value& name : addresses.items()) {
      if (name.is_string()) names.insert(lower_ascii(name.as_string()));
    }
  }
  return {names.begin(), names.end()};
}

bool is_admin_kind(StepKind kind) {
  switch (kind) {
    case StepKind::admin_upsert:
    case StepKind::admin_update:
    case StepKind::admin_destroy:
    case StepKind::admin_action:
    case StepKind::admin_list:
      return true;
    default:
      return false;
  }
}

std::string list_address(const ir::StepGraph& graph, StepId step) {
  if (graph.kind(step) != StepKind::admin_list) return object_address(graph, graph.arguments(step));
  return lower_ascii(graph.argument(step, "address").string_or(""));
}

std::vector<std::string> source_members(const ir::StepGraph& graph, StepId step) {
  std::vector<std::string> members;
  const bool is_own = ir::row_member(graph.shape(step).arguments["members"]) == "members";
  if (is_own || graph.row(step) == ir::RowId::none) return members;
  for (const ir::Value& member : graph.row_members(graph.row(step))["members"].items())
    members.push_back(lower_ascii(member.string_or("")));
  return members;
}

std::vector<bool> done_behind(const ir::StepGraph& graph, std::vector<StepId> open) {
  std::vector<bool> is_seen(graph.size());
  for (const StepId one : open) is_seen[ir::index(one)] = true;
  while (!open.empty()) {
    const StepId one = open.back();
    open.pop_back();
    for (const StepId earlier : graph.after(one)) {
      if (is_seen[ir::index(earlier)]) continue;
      is_seen[ir::index(earlier)] = true;
      open.push_back(earlier);
    }
  }
  return is_seen;
}

AccountStates::AccountStates(MailSteps& all, Subject subject, MailFacts facts)
    : all_(all),
      graph_(all.graph()),
      subject_(std::move(subject)),
      facts_(std::move(facts)),
      domains_(domains_of(graph_, subject_)) {
  collect();
}

bool AccountStates::is_too_large() const { return steps_.size() >= kRelevantMax; }

void AccountStates::collect() {
  std::vector<StepId> taken;
  for (const MailSteps::About& one : all_.about(subject_, domains_)) {
    if (steps_.size() >= kRelevantMax) break;
    taken.push_back(one.step);
    steps_.push_back({one.step, graph_.kind(one.step), graph_.stage(one.step),
                      all_.arguments(one.step), 0, one.restores});
  }
  const std::vector<Mask> before = all_.done_before(taken, &before_points_);
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    steps_[i].before = before[i];
    if (ir::info(steps_[i].kind).undo == ir::UndoPolicy::irreversible)
      irreversible_ |= Mask{1} << i;
  }
  move_ = steps_of_move();
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    const StepKind kind = steps_[i].kind;
    if (kind == StepKind::archive_copy || kind == StepKind::archive_delta)
      last_copy_ = static_cast<int>(i);
    const bool is_released =
        commit_ >= 0 && steps_[static_cast<std::size_t>(commit_)].kind == StepKind::proxy_release;
    // Of these kinds there is nothing here but what is about the subject.
    if (is_account_kind(kind) && !is_released) commit_ = static_cast<int>(i);
  }
}

bool AccountStates::is_prepared(Mask state) const {
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    if (steps_[i].stage == Stage::prepare && !is_done(state, i)) return false;
  }
  return true;
}

bool AccountStates::is_cut_over(Mask state) const {
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    if (steps_[i].kind == StepKind::address_move && is_done(state, i)) return true;
  }
  return false;
}

bool AccountStates::is_disabled() const {
  return has(StepKind::admin_account) && !has(StepKind::admin_account_open);
}

bool AccountStates::is_committed(Mask state) const {
  return commit_ >= 0 && is_done(state, static_cast<std::size_t>(commit_));
}

bool AccountStates::is_settled(Mask state) const {
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    if (is_account_kind(steps_[i].kind) && !is_done(state, i)) return false;
  }
  return true;
}

std::vector<Resident> AccountStates::residents(Mask state) const {
  const auto is_stage_done = [&](Stage stage) {
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      if (steps_[i].stage == stage && !is_done(state, i)) return false;
    }
    return true;
  };
  std::vector<Resident> there;
  for (const Resident& one : subject_.residents) {
    if (is_stage_done(one.stage)) there.push_back(one);
  }
  return there;
}

bool AccountStates::is_finalize_begun(Mask state) const {
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    if (steps_[i].stage == Stage::finalize && is_done(state, i)) return true;
  }
  return false;
}

std::string AccountStates::wave_name() const {
  for (const Relevant& step : steps_) {
    if (!is_account_kind(step.kind)) continue;
    if (const ir::WaveInfo* info = graph_.wave_info(graph_.wave(step.step))) return info->name;
  }
  return {};
}

std::string AccountStates::phase(Mask state) const {
  std::size_t prepare = 0, prepared = 0, finalize = 0, finalized = 0;
  bool is_created = false, is_held = false, is_changed = false;
  std::string wave;
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    const Relevant& step = steps_[i];
    const bool done = is_done(state, i);
    prepare += step.stage == Stage::prepare ? 1 : 0;
    prepared += step.stage == Stage::prepare && done ? 1 : 0;
    finalize += step.stage == Stage::finalize ? 1 : 0;
    finalized += step.stage == Stage::finalize && done ? 1 : 0;
    if (!is_account_kind(step.kind)) continue;
    if (const ir::WaveInfo* info = graph_.wave_info(graph_.wave(step.step)))
      wave = "wave " + info->name + ": ";
    if (!done) continue;
    is_created = is_created || step.kind == StepKind::admin_account;
    is_held =
        is_held || is_hold(step.kind) || step.kind == StepKind::admin_keys || is_forward(step.kind);
    is_changed = true;
  }
  if (finalized > 0) return finalized == finalize ? "finalized" : "being finalized";
  if (is_committed(state)) return wave + "moved";
  if (is_held) return wave + "moving";
  if (is_created) return wave + "created, not moved";
  if (is_changed) return wave + "copied, not moved";
  if (is_cut_over(state)) return "cut over";
  if (prepared == 0) return "before";
  return prepared == prepare ? "prepared" : "being prepared";
}

AccountStates::Reload AccountStates::reload_of(std::size_t i) const {
  const Relevant& step = steps_[i];
  const Relevant& changed =
      step.restores < 0 ? step : steps_[static_cast<std::size_t>(step.restores)];
  if (is_object(changed.arguments, "MemoryLookupKey")) return Reload::lookups;
  return waits_for_settings(changed.arguments) ? Reload::settings : Reload::none;
}

/// Is what step `i` wrote in use? Settings and keys are after a reload that came after it; a step
/// that writes the account's keys reloads them all.
AccountStates::Loaded AccountStates::loaded(Mask state, std::size_t i) const {
  const Relevant& step = steps_[i];
  const Reload reload = reload_of(i);
  if (reload == Reload::none) return Loaded::yes;
  const bool is_key = reload == Reload::lookups;
  const std::string_view wanted = is_key ? "ReloadLookupStores" : "ReloadSettings";
  Loaded found = Loaded::no;
  for (std::size_t k = 0; k < steps_.size(); ++k) {
    if (!is_done(state, k)) continue;
    const bool is_reload = (is_key && steps_[k].kind == StepKind::admin_keys) ||
                           (steps_[k].kind == StepKind::admin_action &&
                            steps_[k].arguments["action"].string_or("") == wanted);
    if (!is_reload) continue;
    if ((steps_[k].before >> i & 1U) != 0) return Loaded::yes;
    if ((step.before >> k & 1U) == 0) found = Loaded::perhaps;
  }
  return found;
}

void AccountStates::split_effects(Mask state, Mask& sure, Mask& perhaps) const {
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    if (!is_done(state, i)) continue;
    Loaded how = Loaded::yes;
    switch (steps_[i].kind) {
      case StepKind::admin_action:
      case StepKind::archive_copy:
      case StepKind::archive_delta:
      case StepKind::proxy_release:
      case StepKind::address_move:
      case StepKind::address_finalize:
        continue;
      case StepKind::admin_upsert:
      case StepKind::admin_update:
      case StepKind::admin_destroy:
      case StepKind::restore:
        how = loaded(state, i);
        break;
      default:
        break;
    }
    if (how == Loaded::yes) sure |= Mask{1} << i;
    if (how == Loaded::perhaps) perhaps |= Mask{1} << i;
  }
}

Mask AccountStates::effects(Mask state) const {
  Mask sure = 0;
  Mask perhaps = 0;
  split_effects(state, sure, perhaps);
  return sure;
}

Mask AccountStates::perhaps(Mask state) const {
  Mask sure = 0;
  Mask perhaps = 0;
  split_effects(state, sure, perhaps);
  return perhaps;
}

std::vector<bool> AccountStates::done_in(Mask state) const {
  std::vector<StepId> done;
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    if (is_done(state, i)) done.push_back(steps_[i].step);
  }
  return done_behind(graph_, std::move(done));
}

Mask AccountStates::closed_over(const std::function<bool(const Relevant&)>& is_wanted) const {
  Mask state = 0;
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    if (is_wanted(steps_[i])) state |= steps_[i].before | Mask{1} << i;
  }
  return state;
}

bool AccountStates::has(StepKind kind) const {
  return std::any_of(steps_.begin(), steps_.end(),
                     [&](const Relevant& step) { return step.kind == kind; });
}

std::vector<std::string> AccountStates::phase_names() const {
  std::vector<std::string> names = {"before", "prepared"};
  const auto add = [&](StepKind kind, const char* name) {
    if (has(kind)) names.emplace_back(name);
  };
  add(StepKind::address_move, "cutover");
  add(StepKind::admin_account, "created");
  if (is_moved_at_all()) names.emplace_back("copied");
  if (has(StepKind::postfix_hold) || has(StepKind::source_hold)) names.emplace_back("held");
  add(StepKind::admin_keys, "keys");
  if (commit_ >= 0) names.emplace_back("moved");
  if (commit_ >= 0 && move_ != 0) names.emplace_back("rollback");
  if (closed_over([](const Relevant& step) { return step.stage == Stage::finalize; }) != 0)
    names.emplace_back("finalized");
  return names;
}

std::optional<Standing> AccountStates::at_phase(std::string_view phase) const {
  const std::vector<std::string> names = phase_names();
  const auto found = std::find(names.begin(), names.end(), phase);
  if (found == names.end()) return std::nullopt;
  if (phase == "rollback") return given_back();
  const auto rank = [&](std::string_view name) {
    return std::find(names.begin(), names.end(), name) - names.begin();
  };
  const auto wanted = found - names.begin();
  const auto is_reached = [&](std::string_view name) {
    const auto at = rank(name);
    return at < static_cast<std::ptrdiff_t>(names.size()) && at <= wanted;
  };
  const Mask done = closed_over([&](const Relevant& step) {
    if (step.stage == Stage::prepare) return is_reached("prepared");
    if (step.stage == Stage::finalize) return is_reached("finalized");
    // One that stands apart from the move is at no boundary of it.
    if (is_account_kind(step.kind) && graph_.row(step.step) != subject_.row)
      return is_reached("moved");
    switch (step.kind) {
      case StepKind::address_move:
        return is_reached("cutover");
      case StepKind::admin_account:
        return is_reached("created");
      case StepKind::archive_copy:
        return is_reached("copied");
      case StepKind::postfix_hold:
      case StepKind::source_hold:
        return is_reached("held");
      case StepKind::admin_keys:
        return is_reached("keys");
      default:
        return is_wave_stage(step.stage) && is_reached("moved");
    }
  });
  return Standing{done, effects(done)};
}

std::optional<Mask> AccountStates::after_step(std::string_view id) const {
  const auto wanted = graph_.find(id);
  if (!wanted) return std::nullopt;
  // Steps that decide nothing themselves stand for what they wait for.
  const std::vector<bool> is_seen = done_behind(graph_, {*wanted});
  return closed_over([&](const Relevant& step) { return bool{is_seen[ir::index(step.step)]}; });
}

}  // namespace plan::flow
