#include "compiler/diff/words.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/ir/json.h"
#include "compiler/source/text.h"

namespace plan::diff {
namespace {

// Reasons that are listed; more are counted.
constexpr std::size_t kReasonsMax = 20;

}  // namespace

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
  if (step.is_unseen) return "?";
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
  if (cost.not_measured > 0 && cost.bytes)
    text += fmt::format(" at least ({} not measured)", count_of(cost.not_measured, "account"));
  if (cost.duration_ms) text += ", about " + show_duration_ms(*cost.duration_ms);
  text += cost.hold_ms ? "; longest hold about " + show_duration_ms(*cost.hold_ms)
                       : std::string("; hold not predicted");
  return text;
}

std::string duration_basis(const WaveChange& wave) {
  if (!wave.cost.duration_ms || wave.accounts.size() < 2) return {};
  return fmt::format("the accounts one behind the other {}, {} at a time; the longest of them {}",
                     show_duration_ms(wave.duration_sum_ms), wave.parallel,
                     show_duration_ms(wave.longest_ms));
}

std::optional<std::uint64_t> download_ms(const WaveChange& wave) {
  const auto bytes = wave.download_bytes();
  if (!bytes || wave.client_bytes_per_s == 0) return std::nullopt;
  // Whole seconds first: the product with 1000 may not fit.
  return *bytes / wave.client_bytes_per_s * 1000 +
         *bytes % wave.client_bytes_per_s * 1000 / wave.client_bytes_per_s;
}

std::string show_download(const WaveChange& wave) {
  const auto bytes = wave.download_bytes();
  if (!bytes) return {};
  std::string text = fmt::format("its clients load {}{} again",
                                 wave.cost.not_measured > 0 ? "at least " : "", show_bytes(*bytes));
  if (const auto ms = download_ms(wave)) {
    text += fmt::format(", about {} at {} a second", show_duration_ms(*ms),
                        show_bytes(wave.client_bytes_per_s));
    if (wave.client_within_ms != 0)
      text += fmt::format("; the plan allows {}", show_duration_ms(wave.client_within_ms));
  }
  return text;
}

const AccountChange* longest_held(const WaveChange& wave) {
  const auto longest = std::max_element(
      wave.accounts.begin(), wave.accounts.end(), [](const auto& left, const auto& right) {
        return left.cost.hold_ms.value_or(0) < right.cost.hold_ms.value_or(0);
      });
  if (longest == wave.accounts.end() || longest->hold.empty()) return nullptr;
  return &*longest;
}

const AccountChange* longest_copied(const WaveChange& wave) {
  const auto longest = std::max_element(
      wave.accounts.begin(), wave.accounts.end(), [](const auto& left, const auto& right) {
        return left.cost.duration_ms.value_or(0) < right.cost.duration_ms.value_or(0);
      });
  if (longest == wave.accounts.end() || longest->cost.duration_ms.value_or(0) == 0) return nullptr;
  return &*longest;
}

std::vector<std::string> note_lines(const ChangeSet& changes) {
  std::vector<std::string> lines;
  const std::vector<UnseenReason> reasons = changes.unseen_reasons();
  for (std::size_t i = 0; i < std::min(reasons.size(), kReasonsMax); ++i) {
    const UnseenReason& one = reasons[i];
    lines.push_back(one.steps == 1 ? fmt::format("{} could not be looked at", one.first)
                                   : fmt::format("{} could not be looked at, the first of them {}",
                                                 count_of(one.steps, "step"), one.first));
    if (!one.reason.empty()) lines.back() += ": " + one.reason;
  }
  if (reasons.size() > kReasonsMax)
    lines.push_back(fmt::format("and {} more reasons why steps could not be looked at",
                                show_count(reasons.size() - kReasonsMax)));
  lines.insert(lines.end(), changes.notes.begin(), changes.notes.end());
  return lines;
}

std::string show_counts(const ChangeSet& changes) {
  const std::size_t count = changes.change_count();
  const std::size_t unseen = changes.unseen_count();
  if (count == 0 && unseen == 0) return "nothing to do";
  std::string text;
  if (count > 0) text = fmt::format("{} would change something", count_of(count, "step"));
  if (unseen > 0)
    text += fmt::format("{}{} could not be looked at", text.empty() ? "" : "; ",
                        count > 0 ? show_count(unseen) : count_of(unseen, "step"));
  return text;
}

std::string needed_of(const DiskChange& disk) {
  if (!disk.needed_bytes) return "not known";
  if (*disk.needed_bytes == 0 && !disk.is_at_least) return "nothing";
  return (disk.is_at_least ? "at least " : "") + show_bytes(*disk.needed_bytes);
}

std::string free_of(const DiskChange& disk) {
  return disk.disk.free_bytes ? show_bytes(*disk.disk.free_bytes) : "not measured";
}

std::string measured_words(const DiskChange& disk) {
  std::string text = printable(disk.disk.how, 200);
  if (disk.disk.free_bytes && !disk.disk.when.empty())
    text += (text.empty() ? "" : ", ") + printable(disk.disk.when, 40);
  return text;
}

std::string show_finding(const ir::ReviewedFinding& finding) {
  std::string text;
  if (!finding.silenced_at.empty())
    text = fmt::format("silenced at {}, because {}: ", finding.silenced_at, finding.reason);
  if (!finding.place.empty()) text += finding.place + ": ";
  return text + fmt::format("{}: {} [{}]", finding.severity, finding.message, finding.code);
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
    // A file of several lines is read more easily with `\n` in it; what ends a value is not in it.
    const std::string text = printable(value.as_string(), bytes_max);
    std::string shown;
    for (std::size_t at = 0; at < text.size(); ++at) {
      if (text.compare(at, 4, "\\x0a") == 0) {
        shown += "\\n";
        at += 3;
      } else {
        if (text[at] == '"') shown += '\\';
        shown += text[at];
      }
    }
    return fmt::format("\"{}\"", shown);
  }
  return printable(ir::write_json(value), bytes_max);
}

}  // namespace plan::diff
