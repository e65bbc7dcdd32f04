#include "compiler/check/plan_waves.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/check/account_list.h"
#include "compiler/check/blocks.h"
#include "compiler/check/names.h"
#include "compiler/source/text.h"

namespace plan::check {
namespace {

using ir::Value;
using syntax::Entry;
using syntax::Node;

const std::vector<std::string_view> kWaveKeys = {"name",      "accounts",    "parallel",
                                                 "hold",      "start_after", "complete_after",
                                                 "stop_when", "clients"};
constexpr std::int64_t kParallelMax = 1000;
constexpr std::size_t kWavesMax = 10'000;

class WavesReader {
 public:
  WavesReader(Plan& plan, FieldReader& reader, Sink& sink)
      : plan_(plan), tree_(*plan.tree), reader_(reader), sink_(sink) {}

  void read() {
    read_list();
    const Node* node = tree_.find("waves");
    const bool is_left_out = node == nullptr ? plan_.has_nameless_gap : node->is_left_out;
    if (is_left_out) plan_.are_waves_partial = true;
    if (plan_.waves.empty()) {
      plan_.are_waves_partial = true;
      add_wave_of_all();
    }
  }

 private:
  /// Of the waves so far, the one that starts last.
  struct LatestStart {
    std::int64_t moment_ms = 0;
    std::string wave = {};
    Span span = {};
  };

  void read_list() {
    const Node* node = tree_.find("waves");
    if (node == nullptr || node->is_left_out) return add_wave_of_all();
    if (!node->is_sequence() && !node->is_null())
      return reader_.wrong_type(*node, "a list", "`waves`");
    if (node->items.size() > kWavesMax) {
      sink_.report(Kind::bad_value, node->span,
                   fmt::format("{} waves, at most {} are possible", node->items.size(), kWavesMax));
      return;
    }
    std::vector<Named> names;
    const PlanWave* rest = nullptr;
    LatestStart latest;
    plan_.waves.reserve(node->items.size());
    for (const Node& item : node->items) {
      if (!item.is_mapping()) {
        reader_.wrong_type(item, "a mapping", "this wave");
        plan_.are_waves_partial = true;
        continue;
      }
      PlanWave wave = read_wave(item);
      judge_start(item, wave, latest);
      names.push_back({wave.name, wave.span});
      if (wave.is_rest && rest != nullptr) {
        sink_
            .report(Kind::bad_value, wave.span,
                    fmt::format("wave `{}` names no accounts, and neither does `{}`",
                                printable(wave.name, 60), printable(rest->name, 60)))
            .note(rest->span, "this one takes all that is left")
            .help("only one wave may leave out `accounts`");
      }
      plan_.waves.push_back(std::move(wave));
      if (plan_.waves.back().is_rest && rest == nullptr) rest = &plan_.waves.back();
    }
    report_duplicates(names, "wave", sink_);
    // A key without a value is no missing key: its waves may be gone by mistake.
    const Span where = node->is_null() ? tree_.find_entry("waves")->key_span : node->span;
    if (node->items.empty())
      sink_.report(Kind::bad_value, where, "there is no wave")
          .help("leave `waves` out to move everybody in one");
  }

  void add_wave_of_all() {
    PlanWave all;
    all.name = "all";
    all.span = plan_.accounts_span.is_known() ? plan_.accounts_span : plan_.span;
    all.is_rest = true;
    plan_.waves.push_back(std::move(all));
  }

  PlanWave read_wave(const Node& item) {
    PlanWave wave;
    wave.span = {item.span.file, item.span.begin, item.span.begin + 1};
    const Node* name = item.find("name");
    std::string what = "this wave";
    if (name == nullptr) {
      if (!FieldReader::is_misspelt(item, "name", kWaveKeys))
        sink_.report(Kind::missing_key, wave.span, "`name` is missing in this wave");
    } else {
      wave.span = name->span;
      auto text = reader_.text(*name, "`name` of a wave");
      if (text) wave.name = std::move(*text);
      if (text) what = fmt::format("wave `{}`", printable(wave.name, 60));
      if (!text) {
        // What is wrong with it was reported.
      } else if (wave.name.empty() || wave.name.size() > 100) {
        sink_.report(Kind::bad_value, name->span, "the name of a wave has 1 to 100 bytes");
      } else if (const std::string why = why_not_wave(wave.name); !why.empty()) {
        sink_.report(Kind::bad_value, name->span,
                     fmt::format("`{}` is no name of a wave: {}", printable(wave.name, 60), why));
      }
    }
    for (const Entry& entry : item.entries) {
      if (std::find(kWaveKeys.begin(), kWaveKeys.end(), std::string_view(entry.key)) ==
          kWaveKeys.end()) {
        reader_.unknown_key(entry, what, kWaveKeys);
        plan_.are_waves_partial = true;  // it may have been meant for `accounts`
      }
    }
    const Node* accounts = item.find("accounts");
    // Accounts whose syntax is broken are some, and nobody knows which.
    const bool is_lost = accounts != nullptr && accounts->is_left_out;
    wave.is_rest = accounts == nullptr || (accounts->is_null() && !is_lost);
    if (!wave.is_rest && !is_lost)
      wave.accounts = addresses_in(reader_.names(*accounts, "`accounts` of " + what), false, sink_);
    wave.is_broken = is_lost || (!wave.is_rest && (!accounts->is_sequence() ||
                                                   wave.accounts.size() != accounts->items.size()));
    plan_.are_waves_partial = plan_.are_waves_partial || wave.is_broken;
    if (const Node* parallel = item.find("parallel")) {
      const Field field{"parallel", FieldType::count, false, 1, {}, {}, 1, kParallelMax};
      wave.parallel = static_cast<std::uint32_t>(
          reader_.field(*parallel, field, "`parallel` of " + what).integer_or(1));
    }
    if (const Node* hold = item.find("hold")) {
      const Field field{"hold", FieldType::word, false, {}, {}, {"approval"}};
      wave.is_held_for_approval = reader_.field(*hold, field, "`hold` of " + what).is_string();
    }
    if (const Node* stop = item.find("stop_when")) {
      read_stop_rules(*stop, "`stop_when` of " + what, wave);
    }
    read_window(item, what, wave);
    if (const Node* clients = item.find("clients")) {
      const Value block =
          reader_.block(clients, clients_fields(), "`clients` of " + what, clients->span);
      wave.client_bytes_per_s = static_cast<std::uint64_t>(block["bandwidth"].integer_or(0));
      wave.client_within_ms = static_cast<std::uint64_t>(block["within"].integer_or(0));
      wave.clients_span = clients->span;
    }
    return wave;
  }

  void read_stop_rules(const Node& node, const std::string& what, PlanWave& wave) {
    const Value block = reader_.block(&node, stop_fields(), what, node.span);
    wave.stop_after_failed = static_cast<std::uint32_t>(block["failed"].integer_or(0));
    wave.stop_failed_permille = static_cast<std::uint32_t>(block["error_rate"].integer_or(0));
    wave.stop_hold_ms = static_cast<std::uint64_t>(block["hold_longer_than"].integer_or(0));
    if (node.is_mapping() && node.entries.empty()) {
      sink_.report(Kind::bad_value, node.span, fmt::format("{} has no rule", what))
          .help("`{failed: 3}`, `{error_rate: 5%}`, `{hold_longer_than: 10s}`, or several of them");
    }
  }

  void read_window(const Node& item, const std::string& what, PlanWave& wave) {
    const auto moment = [&](const char* key) -> std::int64_t {
      const Node* node = item.find(key);
      if (node == nullptr || node->is_null()) return 0;
      wave.window_span = node->span;
      const Field field{key, FieldType::time_ms};
      return reader_.field(*node, field, fmt::format("`{}` of {}", key, what)).integer_or(0);
    };
    wave.start_after_ms = moment("start_after");
    wave.complete_after_ms = moment("complete_after");
    if (wave.start_after_ms != 0 && wave.complete_after_ms != 0 &&
        wave.complete_after_ms < wave.start_after_ms) {
      sink_
          .report(Kind::bad_value, wave.window_span,
                  fmt::format("{} completes before it starts", what))
          .help("`start_after` is when copying begins, `complete_after` when accounts may be held");
    }
  }

  /// A wave begins when the one in front of it is over: a start before that one's says nothing.
  void judge_start(const Node& item, const PlanWave& wave, LatestStart& latest) {
    if (wave.start_after_ms == 0) return;
    const Span span = item.find("start_after")->span;
    if (wave.start_after_ms < latest.moment_ms) {
      sink_
          .report(
              Kind::bad_value, span,
              fmt::format("wave `{}` cannot begin then: wave `{}`, which comes before it, starts "
                          "later",
                          printable(wave.name, 60), printable(latest.wave, 60)))
          .severity(Severity::warning)
          .note(latest.span, "here")
          .help("waves move one behind the other, in the order of the plan");
    }
    if (wave.start_after_ms > latest.moment_ms) latest = {wave.start_after_ms, wave.name, span};
  }

  Plan& plan_;
  const Node& tree_;
  FieldReader& reader_;
  Sink& sink_;
};

}  // namespace

void read_waves(Plan& plan, FieldReader& reader, Sink& sink) {
  WavesReader(plan, reader, sink).read();
}

}  // namespace plan::check
