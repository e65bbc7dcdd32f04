#include <fmt/format.h>

#include <algorithm>
#include <mutex>

#include "compiler/ir/old_setting.h"
#include "compiler/source/text.h"
#include "runtime/server/stalwart15/drivers.h"
#include "runtime/server/stalwart15/errors.h"
#include "runtime/server/stalwart15/management.h"
#include "runtime/step/errors.h"

namespace plan::server::stalwart15 {
namespace {

using ir::Observation;
using ir::Standing;
using ir::Value;

constexpr std::size_t kDifferencesMax = 20;

/// What one step wants: whole keys, and expressions of several lines, each of which owns everything
/// below its key and the plain key itself.
struct Wanted {
  Settings values = {};                  ///< of whole keys, the lines of blocks among them
  std::vector<std::string> keys = {};    ///< of `values` that belong to no block
  std::vector<std::string> blocks = {};  ///< their keys
  std::string list = {};                 ///< lookup list that has changed; empty: none
};

Error refused(std::string_view key, std::string_view why) {
  return Error(errors::setting_refused, fmt::format("`{}`: {}", printable(key, 120), why))
      .with_blame(Blame::plan);
}

Outcome check_key(std::string_view key) {
  const std::string why = ir::why_not_old_setting(key);
  if (why.empty()) return {};
  return refused(key, why);
}

/// Lines of a block are read in the order of their texts: "10" would come in front of "2".
std::string line_number(std::size_t i, std::size_t count) {
  const std::size_t width = std::to_string(count - 1).size();
  return fmt::format("{:0{}}", i, width);
}

Outcome add_block(const Value& block, Wanted& wanted) {
  const std::string key(block["key"].string_or(""));
  PLAN_TRY_VOID(check_key(key));
  const Value& rules = block["rules"];
  if (const std::string why = ir::why_not_old_rules(rules); !why.empty()) return refused(key, why);
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const Value& rule = rules.item(i);
    const std::string line = fmt::format("{}.{}", key, line_number(i, rules.size()));
    if (i + 1 == rules.size()) {
      wanted.values[line + ".else"] = rule["else"].string_or("");
    } else {
      wanted.values[line + ".if"] = rule["if"].string_or("");
      wanted.values[line + ".then"] = rule["then"].string_or("");
    }
  }
  wanted.blocks.push_back(key);
  return {};
}

Result<Wanted> wanted_by(const Value& arguments) {
  Wanted wanted;
  const auto add = [&](std::string key, std::string_view value) -> Outcome {
    PLAN_TRY_VOID(check_key(key));
    wanted.keys.push_back(key);
    wanted.values[std::move(key)] = value;
    return {};
  };
  for (const Value& one : arguments["values"].items())
    PLAN_TRY_VOID(add(std::string(one["key"].string_or("")), one["value"].string_or("")));
  for (const Value& block : arguments["blocks"].items()) PLAN_TRY_VOID(add_block(block, wanted));
  wanted.list = arguments["list"].string_or("");
  if (!wanted.list.empty()) {
    // A list without a key stays loaded with what it had: this one always has one.
    PLAN_TRY_VOID(add(fmt::format("lookup.{}.-", wanted.list), "1"));
    for (const Value& member : arguments["members"].items())
      PLAN_TRY_VOID(add(fmt::format("lookup.{}.{}", wanted.list, member.string_or("")), "1"));
  }
  if (wanted.values.empty()) {
    return Error(step::errors::argument_missing, "the step writes no setting")
        .with_blame(Blame::plan)
        .with_argument("values");
  }
  return wanted;
}

Value as_value(const Settings& settings) {
  Value map = Value::map();
  for (const auto& [key, value] : settings) map.set(key, value);
  return map;
}

/// Prior state: {settings: what was there of all that the step touches}. Its own keys are those of
/// the arguments.
class SettingsDriver final : public step::StepDriver {
 public:
  Result<Observation> observe(step::StepContext& context) override {
    PLAN_TRY(wanted, wanted_by(context.arguments));
    PLAN_TRY(server, open(context));
    PLAN_TRY(version, server->version());
    PLAN_TRY(now, touched(*server, wanted));
    Observation seen;
    seen.prior = Value::map({{"settings", as_value(now)}});
    seen.fingerprint = Value::map({{"version", version}});
    seen.standing = now == wanted.values ? Standing::satisfied
                    : now.empty()        ? Standing::absent
                                         : Standing::differs;
    for (const auto& [key, value] : wanted.values) {
      const auto found = now.find(key);
      if (found != now.end() && found->second == value) continue;
      if (seen.differences.size() >= kDifferencesMax) break;
      seen.differences.push_back({key, found == now.end() ? Value() : Value(found->second), value});
    }
    for (const auto& [key, value] : now) {
      if (wanted.values.contains(key) || seen.differences.size() >= kDifferencesMax) continue;
      seen.differences.push_back({key, value, Value()});
    }
    return seen;
  }

  Result<Value> apply(step::StepContext& context) override {
    PLAN_TRY(wanted, wanted_by(context.arguments));
    PLAN_TRY(server, open(context));
    // It may be another server by now than the one that was looked at.
    PLAN_TRY_VOID(server->version());
    const std::lock_guard lock(mutex_);
    PLAN_TRY(now, touched(*server, wanted));
    if (now != wanted.values) {
      // What is broken before is not ours, and nothing of ours would be loaded.
      if (context.attempt == 0) PLAN_TRY_VOID(server->reload(Reload::dry_run));
      PLAN_TRY_VOID(server->write(write_of(wanted, wanted.values, now)));
    }
    // From here on it is written, whatever a call says that gets no answer.
    auto written = touched(*server, wanted);
    if (!written) return std::move(written).error().with_effect(Effect::unknown);
    if (auto outcome = must_be(*written, wanted.values); !outcome)
      return give_up(*server, wanted, context, std::move(outcome).error());
    if (auto outcome = server->reload(Reload::dry_run); !outcome) {
      if (!outcome.error().is(errors::settings_broken))
        return std::move(outcome).error().with_effect(Effect::unknown);
      return give_up(*server, wanted, context, std::move(outcome).error());
    }
    if (auto outcome = load(*server, wanted); !outcome)
      return std::move(outcome).error().with_effect(Effect::unknown);
    return Value::map();
  }

  Outcome verify(step::StepContext& context) override {
    PLAN_TRY(wanted, wanted_by(context.arguments));
    PLAN_TRY(server, open(context));
    PLAN_TRY(now, touched(*server, wanted));
    return must_be(now, wanted.values);
  }

  Outcome undo(step::StepContext& context) override {
    PLAN_TRY(wanted, wanted_by(context.arguments));
    PLAN_TRY(server, open(context));
    const std::lock_guard lock(mutex_);
    PLAN_TRY(now, touched(*server, wanted));
    const Settings before = prior_of(context);
    // Killed in the middle of the undo, or of the step: each key is as before, or as we wrote it.
    for (const auto& [key, value] : now) {
      const auto old = before.find(key);
      const auto ours = wanted.values.find(key);
      if ((old != before.end() && old->second == value) ||
          (ours != wanted.values.end() && ours->second == value))
        continue;
      return Error(step::errors::changed_since,
                   fmt::format("`{}` of the old server is `{}`", printable(key, 120),
                               printable(value, 120)))
          .with_blame(Blame::source);
    }
    if (now != before) PLAN_TRY_VOID(server->write(write_of(wanted, before, now)));
    PLAN_TRY(written, touched(*server, wanted));
    PLAN_TRY_VOID(must_be(written, before));
    return load(*server, wanted);
  }

 private:
  static Result<std::unique_ptr<Management>> open(step::StepContext& context) {
    return open_management(context.arguments["url"].string_or(""), context.arguments,
                           context.arguments["certificate_sha256"].string_or(""), context.secrets);
  }

  /// Everything that is there of what the step touches.
  static Result<Settings> touched(Management& server, const Wanted& wanted) {
    std::vector<std::string> keys = wanted.keys;
    keys.insert(keys.end(), wanted.blocks.begin(), wanted.blocks.end());
    PLAN_TRY(found, server.read(keys, wanted.blocks));
    for (const auto& [key, value] : found) PLAN_TRY_VOID(check_key(key));
    return found;
  }

  static Settings prior_of(const step::StepContext& context) {
    Settings before;
    for (const auto& [key, value] : context.prior["settings"].members())
      before[key] = value.string_or("");
    return before;
  }

  /// From what is there to what shall be. A block is cleared first, because the rest of a longer
  /// one would keep the server from loading anything; and so is its plain key, which hides the
  /// block.
  static SettingsWrite write_of(const Wanted& wanted, const Settings& shall, const Settings& now) {
    SettingsWrite write;
    std::vector<std::string> gone;
    const auto is_in_block = [&](std::string_view key) {
      return std::any_of(wanted.blocks.begin(), wanted.blocks.end(), [&](const std::string& block) {
        return key == block ||
               (key.starts_with(block) && key.substr(block.size()).starts_with('.'));
      });
    };
    for (const auto& [key, value] : now) {
      if (!shall.contains(key)) gone.push_back(key);
    }
    write.remove(std::move(gone));
    for (const std::string& block : wanted.blocks) write.clear_below(block);
    for (const auto& [key, value] : shall) {
      const auto found = now.find(key);
      if (is_in_block(key) || found == now.end() || found->second != value)
        write.insert(key, value);
    }
    return write;
  }

  static Outcome must_be(const Settings& now, const Settings& shall) {
    if (now == shall) return {};
    for (const auto& [key, value] : shall) {
      const auto found = now.find(key);
      if (found != now.end() && found->second == value) continue;
      return Error(errors::setting_not_taken,
                   fmt::format(
                       "`{}` is {} at the old server, `{}` was written", printable(key, 120),
                       found == now.end() ? std::string("not there")
                                          : fmt::format("`{}`", printable(found->second, 120)),
                       printable(value, 120)))
          .with_effect(Effect::applied)
          .with_blame(Blame::source);
    }
    const auto extra = std::find_if(now.begin(), now.end(),
                                    [&](const auto& one) { return !shall.contains(one.first); });
    return Error(errors::setting_not_taken,
                 fmt::format("`{}` is still there at the old server", printable(extra->first, 120)))
        .with_effect(Effect::applied)
        .with_blame(Blame::source);
  }

  /// Anybody's reload and every restart would load what is written: it does not stay when it cannot
  /// be loaded, or is hidden. The error is that of the step, whatever becomes of the way back.
  static Error give_up(Management& server, const Wanted& wanted, const step::StepContext& context,
                       Error error) {
    const Settings before = prior_of(context);
    // From what was written, seen or not: where the file hides it, it is in the database all the
    // same.
    const Outcome back = server.write(write_of(wanted, before, wanted.values));
    const auto then = touched(server, wanted);
    const bool is_back = back && then && *then == before;
    return std::move(error).with_effect(is_back ? Effect::none : Effect::unknown);
  }

  /// A full reload does not change a list that is loaded, and the one of the lists loads no setting
  /// (and no list that it does not know yet).
  static Outcome load(Management& server, const Wanted& wanted) {
    PLAN_TRY_VOID(server.reload(Reload::everything));
    return wanted.list.empty() ? Outcome() : server.reload(Reload::lookups);
  }

  /// What another step has written by half would be found broken here.
  std::mutex mutex_;
};

}  // namespace

std::shared_ptr<step::StepDriver> make_settings_driver() {
  return std::make_shared<SettingsDriver>();
}

}  // namespace plan::server::stalwart15
