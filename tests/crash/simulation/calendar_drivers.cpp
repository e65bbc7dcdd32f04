// Events between the two simulated servers, after the rules of push_dav and carry_dav: an event is
// known by its UID, which the target keeps unique, and on the way back by a name made of it.
#include "tests/crash/simulation/calendar_drivers.h"

#include <algorithm>

#include "runtime/engine/kill_point.h"

namespace plan::simulation {
namespace {

constexpr int kRoundsMax = 6;
constexpr std::uint32_t kNamesOfPlan = 1'000'000;
constexpr ErrorCode kUnsettled{"simulated-unsettled", "the source's calendars keep changing",
                               "see"};

struct Shelf {
  std::map<std::uint32_t, std::uint8_t> folders;
  std::map<std::uint32_t, Event> events;
  std::map<std::uint32_t, std::uint32_t> places;
};

enum class Written : std::uint8_t { done, changed_meanwhile };

class Calendars {
 public:
  Calendars(Machine& machine, std::size_t account)
      : machine_(machine),
        world_(machine.world),
        account_(account),
        archive_(machine.archives[account]) {}

  Result<std::uint64_t> over(bool is_source_authority) {
    is_source_authority_ = is_source_authority;
    PLAN_TRY_VOID(read_source());
    PLAN_KILL_POINT("push.dav-read");
    PLAN_TRY_VOID(read_target());
    PLAN_TRY_VOID(place_folders());
    std::map<std::uint32_t, EventName> claims;
    for (const auto& [name, row] : archive_.events)
      if (!row.is_gone && shelf_.events.contains(row.target_id)) claims[row.target_id] = name;
    for (auto& [name, row] : archive_.events) {
      if (row.is_gone) continue;
      const std::uint32_t there = entry_for(row);
      if (there != 0 && claims.emplace(there, name).first->second != name) continue;
      PLAN_TRY_VOID(settle_over(row, there));
    }
    if (!is_source_authority) return changes_;
    for (auto& [name, row] : archive_.events) {
      if (!row.is_gone) continue;
      if (row.target_id == 0) row.target_id = written_unnoted(row, claims);
      if (row.target_id == 0) continue;
      const auto claim = claims.find(row.target_id);
      const bool is_claimed = claim != claims.end() && claim->second != name;
      if (shelf_.events.contains(row.target_id) && !is_claimed) {
        PLAN_TRY_VOID(machine_.call(world_.target, [&, id = row.target_id] {
          at_target().remove_event(id);
          return true;
        }));
        PLAN_KILL_POINT("push.dav-destroyed");
        if (machine_.is_dead) return machine_.gone();
      }
      row.target_id = 0;
    }
    PLAN_TRY_VOID(remove_folders());
    return changes_;
  }

  Outcome back() {
    for (int round = 0; round < kRoundsMax; ++round) {
      is_changed_meanwhile_ = false;
      PLAN_TRY_VOID(read_source());
      PLAN_KILL_POINT("carry.dav-read");
      if (machine_.is_dead) return machine_.gone();
      PLAN_TRY_VOID(read_target());
      for (const auto& [id, event] : shelf_.events) PLAN_TRY_VOID(settle_back(id, event));
      std::vector<EventName> names;
      for (const auto& [name, row] : archive_.events)
        if (row.target_id != 0 && !shelf_.events.contains(row.target_id)) names.push_back(name);
      for (const EventName& name : names) PLAN_TRY_VOID(delete_at_source(name));
      if (!is_changed_meanwhile_) return {};
    }
    return Error(kUnsettled, "the calendars").with_retry(Retry::safe);
  }

 private:
  Source::Account& at_source() { return world_.source.account(account_); }
  Target::Account& at_target() { return world_.target.account(account_); }

  Outcome read_source() {
    std::map<EventName, Event> events;
    std::set<std::uint8_t> calendars;
    PLAN_TRY_VOID(machine_.look(world_.source, [&] {
      events = at_source().events;
      calendars = at_source().calendars;
    }));
    if (machine_.is_dead) return machine_.gone();
    for (auto& [name, row] : archive_.events) row.is_gone = !events.contains(name);
    for (const auto& [name, event] : events) archive_.events[name].seen = event;
    for (auto& [calendar, row] : archive_.calendars) row.is_gone = !calendars.contains(calendar);
    for (const std::uint8_t calendar : calendars) archive_.calendars[calendar].is_gone = false;
    return {};
  }

  Outcome read_target() {
    PLAN_TRY_VOID(machine_.look(world_.target, [&] {
      shelf_ = {at_target().folders, at_target().events, at_target().places};
    }));
    return machine_.is_dead ? Outcome(machine_.gone()) : Outcome();
  }

  [[nodiscard]] bool is_taken(std::uint32_t folder) const {
    return std::any_of(archive_.calendars.begin(), archive_.calendars.end(),
                       [&](const auto& one) { return one.second.target_id == folder; });
  }

  Outcome place_folders() {
    for (auto& [calendar, row] : archive_.calendars) {
      if (!shelf_.folders.contains(row.target_id)) row.target_id = 0;
      if (row.is_gone || row.target_id != 0) continue;
      for (const auto& [id, of] : shelf_.folders) {
        if (of != calendar || is_taken(id) || (calendar != 0 && !row.is_wanted)) continue;
        row.target_id = id;
        row.is_ours = calendar != 0;
        break;
      }
      if (row.target_id != 0) continue;
      row.is_wanted = true;
      PLAN_KILL_POINT("push.dav-folder-begun");
      std::uint32_t id = 0;
      PLAN_TRY_VOID(machine_.call(
          world_.target,
          [&, of = calendar] {
            id = at_target().next_folder++;
            at_target().folders[id] = of;
            return true;
          },
          false));
      PLAN_KILL_POINT("push.dav-folder-answered");
      if (machine_.is_dead) return machine_.gone();
      shelf_.folders[id] = calendar;
      row.target_id = id;
      row.is_ours = true;
      ++changes_;
    }
    return {};
  }

  /// The entry that stands for an event: the one that was made for it, else the one with its UID.
  [[nodiscard]] std::uint32_t entry_for(const EventRow& row) const {
    const auto known = shelf_.events.find(row.target_id);
    if (known != shelf_.events.end() && known->second.uid == row.seen.uid) return known->first;
    for (const auto& [id, event] : shelf_.events)
      if (event.uid == row.seen.uid) return id;
    return 0;
  }

  /// What was made of an event that is gone now, where plan ended before it noted that.
  [[nodiscard]] std::uint32_t written_unnoted(
      const EventRow& row, const std::map<std::uint32_t, EventName>& claims) const {
    for (const auto& [id, event] : shelf_.events)
      if (event.uid == row.seen.uid && event.version == row.seen.version && !claims.contains(id))
        return id;
    return 0;
  }

  Outcome settle_over(EventRow& row, std::uint32_t there) {
    const std::uint32_t folder = archive_.calendars[row.seen.calendar].target_id;
    if (folder == 0) return {};
    const bool was_pushed = row.target_id != 0 && row.pushed == row.seen.version;
    const bool is_alike = there != 0 && shelf_.events.at(there).version == row.seen.version &&
                          shelf_.places.at(there) == folder;
    const bool is_as_left = there != 0 && shelf_.events.at(there).version == row.left;
    if (!is_source_authority_) {
      if (was_pushed) return {};
      if (is_alike) return note(row, there);
      const bool is_new = row.target_id == 0;
      if (is_new ? there != 0 : !is_as_left) return {};  // the target's stays
    } else {
      const bool is_other = there == 0 || !was_pushed || there != row.target_id;
      if (is_other && is_alike) return note(row, there);
      if (!is_other && is_as_left && shelf_.places.at(there) == folder) return {};
    }
    std::uint32_t id = 0;
    PLAN_TRY_VOID(machine_.call(world_.target, [&, wanted = row.seen] {
      if (there != 0 && !at_target().events.contains(there)) return false;
      id = at_target().put_event(there, folder, wanted);
      return id != 0;
    }));
    PLAN_KILL_POINT("push.dav-written");
    if (machine_.is_dead) return machine_.gone();
    ++changes_;
    shelf_.events[id] = row.seen;
    shelf_.places[id] = folder;
    return note(row, id);
  }

  Outcome note(EventRow& row, std::uint32_t id) {
    row.target_id = id;
    row.pushed = row.seen.version;
    row.left = row.seen.version;
    return {};
  }

  Outcome remove_folders() {
    for (auto& [calendar, row] : archive_.calendars) {
      if (!row.is_gone || row.target_id == 0) continue;
      if (row.is_ours) {
        bool is_kept = false;
        PLAN_TRY_VOID(machine_.call(world_.target, [&, id = row.target_id] {
          for (const auto& [event, place] : at_target().places) is_kept = is_kept || place == id;
          if (!is_kept) at_target().folders.erase(id);
          return true;
        }));
        PLAN_KILL_POINT("push.dav-folder-destroyed");
        if (machine_.is_dead) return machine_.gone();
        if (is_kept) continue;
      }
      row.target_id = 0;
      row.is_wanted = false;
      row.is_ours = false;
    }
    return {};
  }

  Outcome settle_back(std::uint32_t id, const Event& event) {
    const std::uint32_t folder = shelf_.places.at(id);
    auto known = std::find_if(archive_.events.begin(), archive_.events.end(),
                              [&](const auto& one) { return one.second.target_id == id; });
    EventRow* row = known == archive_.events.end() ? nullptr : &known->second;
    EventName name = row == nullptr ? EventName() : known->first;
    const auto is_in_place = [&] {
      return row != nullptr && archive_.calendars[name.first].target_id == folder;
    };
    const EventName ours = name_for(event);
    const bool has_calendar = archive_.calendars.contains(event.calendar) &&
                              !archive_.calendars[event.calendar].is_gone &&
                              archive_.calendars[event.calendar].target_id == folder;
    const auto written = archive_.events.find(ours);
    const bool is_written_before = has_calendar && written != archive_.events.end() &&
                                   !written->second.is_gone && written->second.target_id == 0 &&
                                   (row == nullptr || row->is_gone || !is_in_place());
    if (is_written_before) {
      if (row != nullptr && !row->is_gone) PLAN_TRY_VOID(leave(name));
      row = &written->second;
      name = ours;
    }
    const bool is_known = row != nullptr && row->target_id != 0;
    const bool is_untouched = is_known && is_in_place() && event.version == row->left;
    if (is_untouched && !row->is_gone) return {};  // the source's own change stays
    if (is_in_place() && !row->is_gone && row->seen.version == event.version)
      return note_back(name, id, event);
    if (!has_calendar) {
      PLAN_TRY_VOID(machine_.call(world_.source, [&, calendar = event.calendar] {
        at_source().calendars.insert(calendar);
        return true;
      }));
      PLAN_KILL_POINT("carry.dav-folder-made");
      if (machine_.is_dead) return machine_.gone();
      CalendarRow& calendar = archive_.calendars[event.calendar];
      calendar.is_gone = false;
      calendar.target_id = folder;
    }
    return write(row, name, id, event);
  }

  EventName name_for(const Event& event) {
    if (machine_.sabotage == Sabotage::names_events_anew)
      return {event.calendar, 2 * kNamesOfPlan + ++machine_.names_given};
    return {event.calendar, kNamesOfPlan + event.uid};
  }

  Outcome write(const EventRow* row, const EventName& old, std::uint32_t id, const Event& event) {
    const bool is_moved = row != nullptr && old.first != event.calendar;
    const bool is_new = row == nullptr || row->is_gone || is_moved;
    const EventName name = is_new ? name_for(event) : old;
    const std::uint32_t version = is_new ? 0 : row->seen.version;
    Written answer = Written::done;
    PLAN_TRY_VOID(machine_.call(world_.source, [&] {
      const auto there = at_source().events.find(name);
      const std::uint32_t seen = there == at_source().events.end() ? 0 : there->second.version;
      answer = seen == version ? Written::done : Written::changed_meanwhile;
      if (seen == version) at_source().events[name] = event;
      return true;
    }));
    PLAN_KILL_POINT("carry.dav-written");
    if (machine_.is_dead) return machine_.gone();
    if (answer == Written::changed_meanwhile) {
      is_changed_meanwhile_ = true;
      return {};
    }
    if (is_moved && !row->is_gone) PLAN_TRY_VOID(leave(old));
    return note_back(name, id, event);
  }

  /// The place from which an event was moved at the target.
  Outcome leave(const EventName& name) {
    PLAN_TRY(answer, erase(name));
    PLAN_KILL_POINT("carry.dav-place-left");
    if (machine_.is_dead) return machine_.gone();
    if (answer == Written::done) archive_.events[name].is_gone = true;
    return {};
  }

  Result<Written> erase(const EventName& name) {
    Written answer = Written::done;
    PLAN_TRY_VOID(machine_.call(world_.source, [&, version = archive_.events[name].seen.version] {
      const auto there = at_source().events.find(name);
      if (there == at_source().events.end()) return true;
      answer = there->second.version == version ? Written::done : Written::changed_meanwhile;
      if (answer == Written::done) at_source().events.erase(there);
      return true;
    }));
    is_changed_meanwhile_ = is_changed_meanwhile_ || answer == Written::changed_meanwhile;
    return answer;
  }

  Outcome note_back(const EventName& name, std::uint32_t id, const Event& event) {
    for (auto& [other, row] : archive_.events)
      if (row.target_id == id && other != name) row.target_id = 0;
    EventRow& row = archive_.events[name];
    row.is_gone = false;
    row.seen = event;
    PLAN_TRY_VOID(note(row, id));
    PLAN_KILL_POINT("carry.dav-noted");
    return machine_.is_dead ? Outcome(machine_.gone()) : Outcome();
  }

  Outcome delete_at_source(const EventName& name) {
    EventRow& row = archive_.events[name];
    if (!row.is_gone && row.seen.version == row.pushed) {
      PLAN_TRY(answer, erase(name));
      PLAN_KILL_POINT("carry.dav-deleted");
      if (machine_.is_dead) return machine_.gone();
      if (answer == Written::changed_meanwhile) return {};
      row.is_gone = true;
    }
    row.target_id = 0;
    return {};
  }

  Machine& machine_;
  World& world_;
  const std::size_t account_;
  Archive& archive_;
  Shelf shelf_ = {};
  bool is_source_authority_ = true;
  bool is_changed_meanwhile_ = false;
  std::uint64_t changes_ = 0;
};

}  // namespace

Result<std::uint64_t> carry_events_over(Machine& machine, std::size_t account,
                                        bool is_source_authority) {
  return Calendars(machine, account).over(is_source_authority);
}

Outcome carry_events_back(Machine& machine, std::size_t account) {
  return Calendars(machine, account).back();
}

}  // namespace plan::simulation
