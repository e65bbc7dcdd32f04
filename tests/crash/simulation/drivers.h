#pragma once
// The drivers of the account's move over the simulated servers: each call takes time, may be lost,
// doubled or refused, and finds a server that may be gone. They keep the contract of StepDriver as
// the real ones do: effects converge, appends are noted before and after.
#include <functional>
#include <map>
#include <set>

#include "runtime/step/step_driver.h"
#include "tests/crash/simulation/servers.h"

namespace plan::simulation {

/// What is broken on purpose, for the tests that prove that the books notice.
enum class Sabotage : std::uint8_t {
  none,
  syncs_left_out,          ///< the disk below the journal says that it synced and did not
  retries_blindly,         ///< after a lost reply the call is made again without looking
  imports_blindly,         ///< what an interrupted import may have done is not looked up
  flips_before_drain,      ///< the hold does not wait for deliveries that have begun
  flips_source_first,      ///< the source forwards before the target has the keys
  leaves_sessions_open,    ///< the source's door is closed, and nobody is sent away
  leaves_source_as_it_is,  ///< a way back that carries nothing
  keeps_old_mark,          ///< an earlier move's word that the delta is complete counts for ever
  names_events_anew,       ///< each try to write an event back gives it another name
};

enum class Fault : std::uint8_t {
  none,
  lost_request,  ///< no effect, and plan cannot know
  lost_reply,    ///< the effect is made, and plan cannot know
  doubled_call,
  killed_before,  ///< the server, when the call comes
  killed_after,   ///< the server, when the effect is made
};

/// What plan knows of an event of the source and of what stands for it at the target.
struct EventRow {
  Event seen = {};
  bool is_gone = false;
  std::uint32_t target_id = 0;  ///< 0: not there
  std::uint32_t pushed = 0;     ///< version of the source's that is there
  std::uint32_t left = 0;       ///< version that plan left there
};
struct CalendarRow {
  bool is_gone = false;
  bool is_wanted = false;
  bool is_ours = false;
  std::uint32_t target_id = 0;
};

/// plan's archive of one account: which UID at the source is which id at the target. As durable as
/// the journal; written before and after every effect that cannot be repeated.
struct Archive {
  /// The last delta of this hold is at the target: from then on something may come there.
  bool is_complete = false;
  std::map<std::uint32_t, std::uint32_t> linked;     ///< UID -> id
  std::map<std::uint32_t, std::uint32_t> importing;  ///< UIDs on their way to the target, contents
  std::set<std::uint32_t> appending;                 ///< ids on their way back to the source
  std::map<std::uint32_t, std::uint32_t> contents;   ///< of ids that were ever seen there
  std::map<EventName, EventRow> events;
  std::map<std::uint8_t, CalendarRow> calendars;
};

/// One process of plan on its machine, and the wires from there.
struct Machine {
  explicit Machine(World& servers) : world(servers) {}

  World& world;
  Sabotage sabotage = Sabotage::none;
  bool is_dead = false;  ///< the process: whatever its code still does has no effect
  Fault next_fault = Fault::none;
  unsigned faults_permille = 0;  ///< of every call, by chance
  std::array<Archive, kAccounts> archives;
  std::uint32_t names_given = 0;  ///< of names_events_anew
  /// Per step: its reply was lost, so it must be looked at before it is done again.
  std::set<std::string, std::less<>> must_look;
  std::uint64_t calls = 0;
  std::uint64_t faults = 0;

  /// `effect` says whether the server did it.
  Outcome call(Server& server, const std::function<bool()>& effect, bool may_double = true);
  /// A question: without effect, whatever becomes of it.
  Outcome look(Server& server, const std::function<void()>& answer);
  [[nodiscard]] Error gone() const;
};

/// Drivers for all kinds; the machine outlives them.
[[nodiscard]] step::DriverTable simulated_drivers(Machine& machine);

}  // namespace plan::simulation
