#include "compiler/diff/words.h"

#include <fmt/format.h>

#include "compiler/ir/json.h"
#include "compiler/source/text.h"

namespace plan::diff {

std::string_view sign_of_effect(ir::StepEffect effect) {
  switch (effect) {
    case ir::StepEffect::read:
      return ".";
    case ir::StepEffect::create:
      return "+";
    case ir::StepEffect::update:
      return "~";
    case ir::StepEffect::destroy:
      return "-";
    case ir::StepEffect::move_mail:
      return ">";
    case ir::StepEffect::move_traffic:
      return "»";
    case ir::StepEffect::stop_service:
      return "!";
  }
  return "?";
}

ir::StepEffect effect_of(const StepChange& step) {
  const ir::StepEffect effect = ir::info(step.kind).effect;
  return effect == ir::StepEffect::create && step.standing == ir::Standing::differs
             ? ir::StepEffect::update
             : effect;
}

std::string_view sign_of(const StepChange& step) {
  return step.standing == ir::Standing::satisfied ? "=" : sign_of_effect(effect_of(step));
}

std::string_view promise_of(const StageChange& stage) {
  for (const StepChange& step : stage.steps) {
    if (step.kind == ir::StepKind::service_stop)
      return "the server is stopped, its store is only read";
    if (step.kind == ir::StepKind::service_start)
      return "the server starts again; what it takes in then is in the store that it starts on";
  }
  switch (stage.stage) {
    case ir::Stage::prepare:
      return "nothing changes for anybody";
    case ir::Stage::cutover:
      return "clients come through the proxies, every account is still on the source";
    case ir::Stage::waves:
      return "accounts move, each held for seconds";
    case ir::Stage::finalize:
      return "what was relaxed for the move is put back";
  }
  return "";
}

std::string count_of(std::size_t count, std::string_view noun) {
  return fmt::format("{} {}{}", show_count(count), noun, count == 1 ? "" : "s");
}

std::string show_cost(const WaveChange& wave) {
  const bool is_over =
      !wave.accounts.empty() &&
      std::all_of(wave.accounts.begin(), wave.accounts.end(),
                  [](const AccountChange& account) { return account.is_satisfied(); });
  if (is_over) return "its accounts have nothing to do";
  const Cost& cost = wave.cost;
  std::string text =
      cost.messages ? count_of(*cost.messages, "message") : std::string("messages not measured");
  text += cost.bytes ? ", " + show_bytes(*cost.bytes) : std::string(", bytes not measured");
  if (cost.duration_ms) text += ", about " + show_duration_ms(*cost.duration_ms);
  text += cost.hold_ms ? "; longest hold about " + show_duration_ms(*cost.hold_ms)
                       : std::string("; hold not predicted");
  return text;
}

std::string messages_of(const AccountChange& account) {
  if (account.is_satisfied()) return "-";
  return account.cost.messages ? show_count(*account.cost.messages) : "not measured";
}

std::string bytes_of(const AccountChange& account) {
  if (account.is_satisfied()) return "-";
  return account.cost.bytes ? show_bytes(*account.cost.bytes) : "not measured";
}

std::string show_beside(const Cost& cost) {
  const auto list = [](const std::vector<ir::Counted>& all) {
    std::string text;
    for (const ir::Counted& one : all)
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ", printable(one.name, 100),
                          show_count(one.count));
    return text;
  };
  std::string text;
  if (!cost.beside.empty()) text = "carried besides messages: " + list(cost.beside);
  if (!cost.not_carried.empty())
    text += (text.empty() ? "not carried: " : "; not carried: ") + list(cost.not_carried);
  return text;
}

std::string_view standing_word(ir::Standing standing) {
  switch (standing) {
    case ir::Standing::satisfied:
      return "satisfied";
    case ir::Standing::absent:
      return "absent";
    case ir::Standing::differs:
      return "differs";
    case ir::Standing::unknowable:
      return "known only after earlier steps";
  }
  return "";
}

std::string show_value(const ir::Value& value, std::size_t bytes_max) {
  if (value.is_secret()) return "(secret)";
  if (value.is_output()) return fmt::format("(known after {})", printable(value.as_output().step));
  if (value.is_null()) return "(none)";
  if (value.is_string()) {
    // A file of several lines is read more easily with `\n` in it.
    std::string text = printable(value.as_string(), bytes_max);
    for (std::size_t at = 0; (at = text.find("\\x0a", at)) != std::string::npos; at += 2)
      text.replace(at, 4, "\\n");
    return fmt::format("\"{}\"", text);
  }
  return printable(ir::write_json(value), bytes_max);
}

}  // namespace plan::diff
