// Calendars of the simulated servers and the people who use them.
#include <algorithm>

#include "tests/crash/simulation/servers.h"

namespace plan::simulation {

Event Books::promise_event(std::size_t account, std::uint8_t calendar) {
  const Event event{next_event_, calendar, next_event_};
  ++next_event_;
  events_[event.uid] = {account, event};
  return event;
}

Event Books::change_event(const Event& event, std::uint8_t calendar) {
  const auto promise = events_.find(event.uid);
  if (promise == events_.end()) {
    violate("event " + std::to_string(event.uid) + " was deleted and is there again");
    return event;
  }
  promise->second.second = {event.uid, calendar, next_event_++};
  return promise->second.second;
}

void Books::forget_event(std::uint32_t uid) { events_.erase(uid); }

std::vector<Event> Books::events_of(std::size_t account) const {
  std::vector<Event> all;
  for (const auto& [uid, promise] : events_) {
    if (promise.first == account) all.push_back(promise.second);
  }
  return all;
}

std::uint32_t Target::Account::put_event(std::uint32_t id, std::uint32_t folder, Event event) {
  const auto calendar = folders.find(folder);
  if (calendar == folders.end()) return 0;
  const bool is_taken = std::any_of(events.begin(), events.end(), [&](const auto& one) {
    return one.first != id && one.second.uid == event.uid;
  });
  if (is_taken) return 0;
  if (id == 0) id = next_event++;
  event.calendar = calendar->second;
  events[id] = event;
  places[id] = folder;
  return id;
}

void Target::Account::remove_event(std::uint32_t id) {
  events.erase(id);
  places.erase(id);
}

void World::use_calendars(std::size_t account, unsigned left) {
  if (left == 0) return;
  time.after(time.between(milliseconds(60), milliseconds(1400)), [this, account, left] {
    bool is_old = true, is_new = true, is_settled = true;
    for (const auto& proxy : proxies) {
      const Proxy::Standing& standing = proxy->standing(account);
      is_old = is_old && standing.at == Side::source;
      is_new = is_new && standing.at == Side::target;
      is_settled = is_settled && standing.state == Proxy::State::settled;
    }
    // No proxy stands before CalDAV: the old server takes what is written to it in the hold.
    if (is_old && source.is_up()) act_at_source(account, !is_settled);
    if (is_new && is_settled && admits(Side::target, account)) act_at_target(account);
    use_calendars(account, left - 1);
  });
}

void World::act_at_source(std::size_t account, bool is_late) {
  Source::Account& old = source.account(account);
  const auto at_random = [this](auto& all) {
    auto chosen = all.begin();
    std::advance(chosen, static_cast<std::ptrdiff_t>(time.random(all.size())));
    return chosen;
  };
  const std::uint8_t last = kCalendars - 1;
  if (!is_late && time.is_chance(120)) {
    if (old.calendars.insert(last).second) return;
    old.calendars.erase(last);
    for (auto event = old.events.begin(); event != old.events.end();) {
      if (event->first.first != last) {
        ++event;
        continue;
      }
      books.forget_event(event->second.uid);
      event = old.events.erase(event);
    }
    return;
  }
  const std::uint8_t calendar = *at_random(old.calendars);
  if (old.events.empty() || time.is_chance(300)) {
    const Event event = books.promise_event(account, calendar);
    old.events[{calendar, event.uid}] = event;
    return;
  }
  const auto chosen = at_random(old.events);
  const Event event = chosen->second;
  if (is_late) {
    changed_late_.insert(event.uid);
    chosen->second = books.change_event(event, event.calendar);
  } else if (time.is_chance(250)) {
    books.forget_event(event.uid);
    old.events.erase(chosen);
  } else if (calendar != event.calendar) {
    old.events.erase(chosen);
    old.events[{calendar, event.uid}] = books.change_event(event, calendar);
  } else {
    chosen->second = books.change_event(event, calendar);
  }
}

void World::act_at_target(std::size_t account) {
  Target::Account& now = target.account(account);
  const std::uint8_t last = kCalendars - 1;
  const bool has_last = std::any_of(now.folders.begin(), now.folders.end(),
                                    [&](const auto& folder) { return folder.second == last; });
  if (!has_last && time.is_chance(500)) {
    now.folders[now.next_folder++] = last;
    return;
  }
  auto folder = now.folders.begin();
  std::advance(folder, static_cast<std::ptrdiff_t>(time.random(now.folders.size())));
  if (now.events.empty() || time.is_chance(300)) {
    now.put_event(0, folder->first, books.promise_event(account, folder->second));
    return;
  }
  auto chosen = now.events.begin();
  std::advance(chosen, static_cast<std::ptrdiff_t>(time.random(now.events.size())));
  const std::uint32_t id = chosen->first;
  const Event event = chosen->second;
  if (!changed_late_.contains(event.uid) && time.is_chance(200)) {
    books.forget_event(event.uid);
    now.remove_event(id);
  } else if (time.is_chance(400)) {
    now.put_event(id, folder->first, books.change_event(event, folder->second));
  } else {
    now.put_event(id, now.places.at(id), books.change_event(event, event.calendar));
  }
}

std::string World::judge_events(std::size_t account, Side side) {
  std::vector<Event> there;
  for (const auto& [name, event] : source.account(account).events)
    if (side == Side::source) there.push_back(event);
  for (const auto& [id, event] : target.account(account).events)
    if (side == Side::target) there.push_back(event);
  std::sort(there.begin(), there.end());
  std::vector<Event> promised = books.events_of(account);
  std::sort(promised.begin(), promised.end());
  const auto first_of = [](const std::vector<Event>& left, const std::vector<Event>& right) {
    std::vector<Event> only;
    std::set_difference(left.begin(), left.end(), right.begin(), right.end(),
                        std::back_inserter(only));
    return only.empty() ? std::string()
                        : "event " + std::to_string(only.front().uid) + " in calendar " +
                              std::to_string(only.front().calendar) + " as change " +
                              std::to_string(only.front().version);
  };
  if (const std::string lost = first_of(promised, there); !lost.empty())
    return lost + " was promised and is not there";
  const std::string extra = first_of(there, promised);
  return extra.empty() ? extra : extra + " is there once too often";
}

}  // namespace plan::simulation
