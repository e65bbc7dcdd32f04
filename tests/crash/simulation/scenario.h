#pragma once
#include <map>
#include <string>
#include <utility>

#include "tests/crash/simulation/drivers.h"

namespace plan::simulation {

/// Who is hit at the border.
enum class Victim : std::uint8_t {
  plan_killed,  ///< kill -9: what was written stays
  power_cut,    ///< plan's machine: what was not synced is lost, sector by sector; another boot
  proxy_killed,
  source_killed,
  target_killed,
  reply_lost,    ///< of the next call, after its effect
  call_doubled,  ///< the next call comes twice
  disk_full,     ///< from here on the journal cannot grow
};
inline constexpr std::size_t kVictims = 8;
[[nodiscard]] std::string_view to_string(Victim victim);

/// What the operator does, one after another, each until it has succeeded: moves everybody, gives
/// one account or all of them back, moves them again, and finalizes.
enum class Stage : std::uint8_t { move, way_back, second_move };
inline constexpr std::size_t kStages = 3;
[[nodiscard]] std::string_view to_string(Stage stage);

/// One run of the simulator; everything else follows from the seed.
struct Wish {
  std::uint64_t seed = 1;
  Stage stage = Stage::move;
  std::string kill_point = {};  ///< empty: nobody is hit there
  int pass = 0;                 ///< 1: the first time the stage comes by
  Victim victim = Victim::plan_killed;
  unsigned faults_permille = 0;  ///< of all calls: lost requests and replies, doubled calls
  Sabotage sabotage = Sabotage::none;
  /// How long a server that is killed stays away; 0: seconds, sometimes minutes.
  std::chrono::milliseconds outage{0};
  /// Mail programs do not read the goodbye of a hold, and write on until they are cut off.
  bool ignores_goodbye = false;
  /// Behind `plan fetch`, and before the first run, the first account gets another name there.
  bool is_first_renamed = false;
  /// It gets another name (or is deleted, which looks the same to plan) at the border instead of
  /// somebody being hit there; after some more runs it has its old name again.
  bool is_renamed_there = false;
  /// The time of day on plan's machine jumps by this much when the victim is hit.
  std::chrono::milliseconds jump{0};
  [[nodiscard]] std::string show() const;
};

struct Verdict {
  std::string wrong = {};   ///< empty: nothing lost, nothing twice, one authority
  bool is_reached = false;  ///< the victim was hit
  std::uint64_t processes = 0;
  std::uint64_t calls = 0;
  std::uint64_t faults = 0;
  std::uint64_t messages = 0;
  /// How often each stage came by each kill point.
  std::map<std::pair<Stage, std::string>, int> passes = {};
};

/// Plays it. Not in two threads at once: kill points are watched by one.
[[nodiscard]] Verdict play(const Wish& wish);

}  // namespace plan::simulation
