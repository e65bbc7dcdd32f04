#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "compiler/diff/change.h"

namespace plan::diff {

// Words and signs that the renderers share.

/// What a step would do here: its kind's effect, but `update` when what it would create is there
/// and differs.
[[nodiscard]] ir::StepEffect effect_of(const StepChange& step);
/// `=` for a step with nothing to do, `?` for one that could not be looked at, else the sign of its
/// effect.
[[nodiscard]] std::string_view sign_of(const StepChange& step);
[[nodiscard]] std::string_view sign_of_effect(ir::StepEffect effect);
/// What holds in a stage, for the reviewer: "nothing changes for anybody".
[[nodiscard]] std::string_view promise_of(const StageChange& stage);
/// "1 account", "2,000 accounts".
[[nodiscard]] std::string count_of(std::size_t count, std::string_view noun);
/// "2,340 messages, 12.3 MiB, about 40 s; longest hold 2.1 s"; what was not measured says so. A
/// wave whose accounts have all moved costs nothing any more.
[[nodiscard]] std::string show_cost(const WaveChange& wave);
/// "the accounts one behind the other 4 min 0 s, 8 at a time; the longest of them 1 min 0 s"; empty
/// when nothing is known.
[[nodiscard]] std::string duration_basis(const WaveChange& wave);
/// "clients load 15.0 MiB again, in 2 min at 128 KiB a second; the plan allows 8 h"; empty when
/// nothing moves any more.
[[nodiscard]] std::string show_download(const WaveChange& wave);
/// How long that takes at the rate that the plan gives; nothing when it gives none.
[[nodiscard]] std::optional<std::uint64_t> download_ms(const WaveChange& wave);
/// The account of a wave that is held longest, with the steps that its hold is made of; null:
/// nothing is predicted.
[[nodiscard]] const AccountChange* longest_held(const WaveChange& wave);
/// The same of the one whose copy takes longest.
[[nodiscard]] const AccountChange* longest_copied(const WaveChange& wave);
/// Warnings that a folded diff lists; more are counted.
inline constexpr std::size_t kFindingsMax = 20;
/// Lines for the reviewer: first why steps could not be looked at, each reason once ("84 steps
/// could not be looked at, the first of them target/route: REASON"), then the notes.
[[nodiscard]] std::vector<std::string> note_lines(const ChangeSet& changes);
/// "11 steps would change something; 2 could not be looked at", "nothing to do".
[[nodiscard]] std::string show_counts(const ChangeSet& changes);
/// "at least 3.0 GiB", "-".
[[nodiscard]] std::string needed_of(const DiskChange& disk);
/// "12.5 GiB", "not measured".
[[nodiscard]] std::string free_of(const DiskChange& disk);
/// "df of /var, 2026-08-14T09:12:00Z".
[[nodiscard]] std::string measured_words(const DiskChange& disk);
/// One line for a terminal: "silenced at PLACE, because REASON: PLACE: warning: MESSAGE [CODE]".
[[nodiscard]] std::string show_finding(const ir::ReviewedFinding& finding);
/// Messages and bytes that an account's move carries: "-" when it has moved.
[[nodiscard]] std::string messages_of(const AccountChange& account);
[[nodiscard]] std::string bytes_of(const AccountChange& account);
/// "carried besides messages: calendars 3, events 12; not carried: tasks 2"; empty when nothing is
/// counted.
[[nodiscard]] std::string show_beside(const Cost& cost);
[[nodiscard]] std::string_view standing_word(ir::Standing standing);

}  // namespace plan::diff
