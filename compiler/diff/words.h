#pragma once
#include <string>
#include <string_view>

#include "compiler/diff/change.h"

namespace plan::diff {

// Words and signs that the renderers share.

/// What a step would do here: its kind's effect, but `update` when what it would create is there
/// and differs.
[[nodiscard]] ir::StepEffect effect_of(const StepChange& step);
/// `=` for a step with nothing to do, else the sign of its effect.
[[nodiscard]] std::string_view sign_of(const StepChange& step);
[[nodiscard]] std::string_view sign_of_effect(ir::StepEffect effect);
/// What holds in a stage, for the reviewer: "nothing changes for anybody".
[[nodiscard]] std::string_view promise_of(const StageChange& stage);
/// "1 account", "2,000 accounts".
[[nodiscard]] std::string count_of(std::size_t count, std::string_view noun);
/// "2,340 messages, 12.3 MiB, about 40 s; longest hold 2.1 s"; what was not measured says so. A
/// wave whose accounts have all moved costs nothing any more.
[[nodiscard]] std::string show_cost(const WaveChange& wave);
/// Messages and bytes that an account's move carries: "-" when it has moved.
[[nodiscard]] std::string messages_of(const AccountChange& account);
[[nodiscard]] std::string bytes_of(const AccountChange& account);
/// "carried besides messages: calendars 3, events 12; not carried: tasks 2"; empty when nothing is
/// counted.
[[nodiscard]] std::string show_beside(const Cost& cost);
[[nodiscard]] std::string_view standing_word(ir::Standing standing);

}  // namespace plan::diff
