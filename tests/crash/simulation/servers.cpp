#include "tests/crash/simulation/servers.h"

#include <algorithm>

namespace plan::simulation {
namespace {

constexpr unsigned kHopsMax = 26;  // 4: a loop ends in a bounce
constexpr milliseconds kSourceRetry = std::chrono::minutes(5);
constexpr milliseconds kTargetRetry = std::chrono::minutes(2);  // 7
constexpr milliseconds kDenyDelay{1000};                        // 9.4
constexpr milliseconds kGoodbyeTime{2000};  // of a proxy, for a client that was told to go

std::string name_of(std::size_t account) { return "a" + std::to_string(account) + "@x"; }

}  // namespace

// --- books ---

std::uint32_t Books::promise(std::size_t account, Box box, std::uint8_t flags) {
  const std::uint32_t digest = next_++;
  promised_[digest] = {account, {digest, box, flags}};
  return digest;
}

void Books::change(const Message& message) {
  const auto promise = promised_.find(message.digest);
  if (promise == promised_.end()) {
    violate("message " + std::to_string(message.digest) + " was deleted and is there again");
    return;
  }
  promise->second.message = message;
}

void Books::violate(std::string what) {
  if (violation_.empty()) violation_ = std::move(what);
}

std::vector<Message> Books::of(std::size_t account) const {
  std::vector<Message> all;
  for (const auto& [digest, promise] : promised_) {
    if (promise.account == account) all.push_back(promise.message);
  }
  return all;
}

// --- servers ---

void Server::kill(milliseconds down) {
  if (!is_up_) return;
  is_up_ = false;
  ++incarnation_;
  on_killed();
  world_.time.after(down, [this] {
    is_up_ = true;
    on_restarted();
  });
}

// --- the source ---

void Source::accept(const Envelope& envelope) {
  const std::uint64_t id = next_entry_++;
  queue_[id] = {envelope, State::incoming, world_.time.now(), 0};
  world_.time.after(world_.time.between(milliseconds(1), milliseconds(15)), [this, id] {
    const auto entry = queue_.find(id);
    if (is_up() && entry != queue_.end() && entry->second.state == State::incoming) attempt(id);
  });
}

void Source::reload() {
  for (Account& account : accounts_) account.loaded = account.entry;
}

void Source::attempt(std::uint64_t id) {
  Entry& entry = queue_.at(id);
  entry.state = State::active;
  const std::uint64_t mine = ++entry.attempt;
  // A delivery that has begun keeps its way: a reload is no barrier (9.3).
  const Route route = accounts_[entry.envelope.account].loaded;
  const auto end = [this, id, mine, life = incarnation()](auto action) {
    return [this, id, mine, life, action] {
      const auto found = queue_.find(id);
      if (life != incarnation() || found == queue_.end() || found->second.attempt != mine) return;
      action(found->second.envelope);
    };
  };
  VirtualTime& time = world_.time;
  switch (route) {
    case Route::local: {
      const bool is_slow = time.is_chance(30);
      const auto takes = is_slow ? time.between(milliseconds(500), milliseconds(8000))
                                 : time.between(milliseconds(4), milliseconds(60));
      time.after(takes, end([this, id](const Envelope& envelope) {
                   const std::size_t account = envelope.account;
                   append(account, {envelope.digest, Box::inbox, 0});
                   queue_.erase(id);
                   if (world_.is_proved[account])
                     world_.books.violate("mail reached the old mailbox of " + name_of(account) +
                                          " after the last delta");
                 }));
      return;
    }
    case Route::closed:
      time.after(milliseconds(2), end([this, id](const Envelope&) { defer(id); }));
      return;
    case Route::target:
      time.after(time.between(milliseconds(8), milliseconds(40)),
                 end([this, id](Envelope envelope) {
                   if (!world_.target.is_up()) {
                     defer(id);
                     return;
                   }
                   queue_.erase(id);
                   ++envelope.hops;
                   world_.target.accept(envelope);
                 }));
      return;
  }
}

void Source::defer(std::uint64_t id) {
  Entry& entry = queue_.at(id);
  entry.state = State::deferred;
  world_.time.after(kSourceRetry, [this, id, mine = entry.attempt] {
    const auto found = queue_.find(id);
    if (is_up() && found != queue_.end() && found->second.attempt == mine) attempt(id);
  });
}

void Source::flush(std::size_t account) {
  std::vector<std::uint64_t> ids;
  for (const auto& [id, entry] : queue_) {
    if (entry.envelope.account == account && entry.state == State::deferred) ids.push_back(id);
  }
  for (const std::uint64_t id : ids) attempt(id);
}

bool Source::is_queued(std::size_t account) const {
  return std::any_of(queue_.begin(), queue_.end(),
                     [&](const auto& item) { return item.second.envelope.account == account; });
}

bool Source::is_in_delivery(std::size_t account, milliseconds until) const {
  return std::any_of(queue_.begin(), queue_.end(), [&](const auto& item) {
    const Entry& entry = item.second;
    return entry.envelope.account == account && entry.state != State::deferred &&
           entry.arrived <= until;
  });
}

std::uint32_t Source::append(std::size_t account, const Message& message) {
  Account& a = accounts_[account];
  a.mail[a.next_uid] = message;
  return a.next_uid++;
}

std::uint32_t Source::move(std::size_t account, std::uint32_t uid, Box box) {
  Message message = accounts_[account].mail.at(uid);
  accounts_[account].mail.erase(uid);
  message.box = box;
  return append(account, message);
}

bool Source::admits(std::size_t account) const {
  const Account& a = accounts_[account];
  return is_up() && !(a.is_denied && world_.time.now() >= a.denied_at);
}

void Source::deny(std::size_t account, bool is_denied) {
  Account& a = accounts_[account];
  if (is_denied && !a.is_denied) a.denied_at = world_.time.now() + kDenyDelay;
  a.is_denied = is_denied;
}

void Source::on_killed() {
  for (Account& account : accounts_) account.sessions.clear();
}

void Source::on_restarted() {
  reload();
  std::vector<std::uint64_t> ids;
  for (const auto& [id, entry] : queue_) ids.push_back(id);
  for (const std::uint64_t id : ids) attempt(id);
}

// --- the target ---

void Target::accept(const Envelope& envelope) {
  if (envelope.hops > kHopsMax) {
    world_.books.violate("a message to " + name_of(envelope.account) +
                         " went round until it was bounced");
    return;
  }
  const std::uint64_t id = next_entry_++;
  queue_[id] = {envelope, false, 0};
  attempt(id);
}

void Target::attempt(std::uint64_t id) {
  Entry& entry = queue_.at(id);
  const std::uint64_t mine = ++entry.attempt;
  const Envelope envelope = entry.envelope;
  // The route is decided at each attempt (7).
  const bool is_local =
      accounts_[envelope.account].exists && loaded_.contains({envelope.account, envelope.address});
  entry.is_in_delivery = true;
  VirtualTime& time = world_.time;
  const auto takes = is_local ? time.between(milliseconds(1), milliseconds(12))
                              : time.between(milliseconds(5), milliseconds(30));
  time.after(takes, [this, id, mine, is_local, life = incarnation()] {
    const auto found = queue_.find(id);
    if (life != incarnation() || found == queue_.end() || found->second.attempt != mine) return;
    Envelope going = found->second.envelope;
    if (is_local) {
      queue_.erase(found);
      store(going);
      return;
    }
    if (world_.source.is_up()) {
      queue_.erase(found);
      ++going.hops;
      world_.source.accept(going);
      return;
    }
    found->second.is_in_delivery = false;
    world_.time.after(kTargetRetry, [this, id, mine] {
      const auto later = queue_.find(id);
      if (is_up() && later != queue_.end() && later->second.attempt == mine) attempt(id);
    });
  });
}

void Target::store(const Envelope& envelope) {
  Account& account = accounts_[envelope.account];
  // 6: what is in the Inbox already is answered with 250 and dropped.
  const bool is_there =
      std::any_of(account.mail.begin(), account.mail.end(), [&](const auto& item) {
        return item.second.digest == envelope.digest && item.second.box == Box::inbox;
      });
  if (!is_there) import(envelope.account, {envelope.digest, Box::inbox, 0});
}

std::uint32_t Target::import(std::size_t account, const Message& message) {
  Account& a = accounts_[account];
  a.mail[a.next_id] = message;
  ++a.state;
  return a.next_id++;
}

void Target::put_keys(std::size_t account, bool is_there) {
  for (std::size_t address = 0; address < kAddresses; ++address) {
    if (is_there) {
      stored_.insert({account, address});
    } else {
      stored_.erase({account, address});
    }
  }
}

bool Target::has_keys(std::size_t account) const { return stored_.contains({account, 0}); }
bool Target::has_loaded_keys(std::size_t account) const {
  return loaded_.contains({account, 0}) && loaded_.contains({account, kAddresses - 1});
}

void Target::flush(std::size_t account) {
  std::vector<std::uint64_t> ids;
  for (const auto& [id, entry] : queue_) {
    if (entry.envelope.account == account && !entry.is_in_delivery) ids.push_back(id);
  }
  for (const std::uint64_t id : ids) attempt(id);
}

bool Target::is_queued(std::size_t account) const {
  return std::any_of(queue_.begin(), queue_.end(),
                     [&](const auto& item) { return item.second.envelope.account == account; });
}

bool Target::is_in_delivery(std::size_t account) const {
  return std::any_of(queue_.begin(), queue_.end(), [&](const auto& item) {
    return item.second.envelope.account == account && item.second.is_in_delivery;
  });
}

void Target::on_killed() {
  for (Account& account : accounts_) account.sessions.clear();
}

void Target::on_restarted() {
  reload_lookups();
  std::vector<std::uint64_t> ids;
  for (const auto& [id, entry] : queue_) ids.push_back(id);
  for (const std::uint64_t id : ids) attempt(id);
}

// --- the proxies ---

bool Proxy::hold(std::size_t account, std::uint64_t generation, milliseconds bound) {
  Standing& s = accounts_[account];
  const bool is_again = s.state == State::held && s.generation == generation;
  if (!is_again && generation <= s.generation) return false;
  s.state = State::held;
  s.generation = generation;
  s.is_firm = false;
  s.until = world_.time.now() + bound;
  say_goodbye(account);
  world_.time.after(bound, [this, account] {
    if (is_up()) return_if_over(account);
  });
  return true;
}

bool Proxy::prepare(std::size_t account, std::uint64_t generation, Side next) {
  Standing& s = accounts_[account];
  if (s.generation != generation) return false;
  if (s.state == State::prepared) return s.next == next;
  if (s.state != State::held) return false;
  s.state = State::prepared;
  s.next = next;
  return true;
}

bool Proxy::unprepare(std::size_t account, std::uint64_t generation) {
  Standing& s = accounts_[account];
  if (s.generation != generation || (s.state != State::prepared && s.state != State::held))
    return false;
  s.state = State::held;
  s.is_firm = true;
  return true;
}

bool Proxy::commit(std::size_t account, std::uint64_t generation) {
  Standing& s = accounts_[account];
  if (s.generation != generation) return false;
  if (s.state == State::settled) return s.at == s.next;
  if (s.state != State::prepared) return false;
  s.state = State::settled;
  s.at = s.next;
  s.is_firm = false;
  return true;
}

bool Proxy::abort(std::size_t account, std::uint64_t generation) {
  Standing& s = accounts_[account];
  if (s.generation > generation) return false;
  s.generation = generation;
  s.state = State::settled;
  s.next = s.at;
  s.is_firm = false;
  return true;
}

std::optional<Side> Proxy::leads_to(std::size_t account) const {
  const Standing& s = accounts_[account];
  if (!is_up() || s.state == State::held || s.state == State::prepared) return std::nullopt;
  return s.at;
}

void Proxy::say_goodbye(std::size_t account) {
  if (!world_.ignores_goodbye) return close_sessions(account);
  world_.time.after(kGoodbyeTime, [this, account, life = incarnation()] {
    if (life == incarnation() && !leads_to(account)) close_sessions(account);
  });
}

bool Proxy::has_sessions(std::size_t account) const {
  for (std::size_t p = 0; p < world_.programs.size(); ++p) {
    const Program& program = world_.programs[p];
    if (program.account == account && program.proxy == number_ &&
        (world_.source.account(account).sessions.contains(p) ||
         world_.target.account(account).sessions.contains(p)))
      return true;
  }
  return false;
}

void Proxy::close_sessions(std::size_t account) {
  for (std::size_t p = 0; p < world_.programs.size(); ++p) {
    const Program& program = world_.programs[p];
    if (program.account != account || program.proxy != number_) continue;
    world_.source.account(account).sessions.erase(p);
    world_.target.account(account).sessions.erase(p);
  }
}

void Proxy::return_if_over(std::size_t account) {
  Standing& s = accounts_[account];
  if (s.state == State::held && !s.is_firm && world_.time.now() >= s.until)
    s.state = State::returned;
}

void Proxy::on_killed() {
  for (std::size_t account = 0; account < kAccounts; ++account) close_sessions(account);
}

void Proxy::on_restarted() {
  for (std::size_t account = 0; account < kAccounts; ++account) return_if_over(account);
}

// --- people ---

World::World(VirtualTime& virtual_time) : time(virtual_time) {
  for (std::size_t i = 0; i < kProxies; ++i) proxies[i] = std::make_unique<Proxy>(*this, i);
  for (std::size_t account = 0; account < kAccounts; ++account) {
    for (std::size_t proxy = 0; proxy < kProxies; ++proxy) programs.push_back({account, proxy});
    programs.push_back({account, std::nullopt});
    Source::Account& old = source.account(account);
    if (account != 1) old.calendars.insert(kCalendars - 1);
    for (std::uint8_t calendar = 0; calendar < 2; ++calendar) {
      const Event event = books.promise_event(account, calendar);
      old.events[{calendar, event.uid}] = event;
    }
    for (int i = 0; i < 5; ++i) {
      const auto box = static_cast<Box>(i % 3);
      const auto flags = static_cast<std::uint8_t>(time.random(8));
      source.append(account, {books.promise(account, box, flags), box, flags});
    }
  }
}

void World::begin_traffic(unsigned messages) {
  for (std::size_t account = 0; account < kAccounts; ++account) {
    send(account, messages);
    use_calendars(account, messages / 2);
  }
  for (std::size_t program = 0; program < programs.size(); ++program) use(program, messages);
}

void World::send(std::size_t account, unsigned left) {
  if (left == 0) return;
  time.after(time.between(milliseconds(20), milliseconds(600)), [this, account, left] {
    // To the source or to the target, which both answer for the domain; to a server that is down
    // the sender comes again.
    const bool is_to_source = time.is_chance(600);
    const bool is_up = is_to_source ? source.is_up() : target.is_up();
    if (is_up) {
      const Envelope envelope{books.promise(account, Box::inbox, 0), account,
                              time.random(kAddresses), 0};
      is_to_source ? source.accept(envelope) : target.accept(envelope);
    }
    send(account, is_up ? left - 1 : left);
  });
}

bool World::admits(Side side, std::size_t account) {
  if (side == Side::source) return source.admits(account);
  return target.is_up() && target.account(account).exists && target.account(account).can_login;
}

void World::use(std::size_t number, unsigned left) {
  if (left == 0) return;
  time.after(time.between(milliseconds(30), milliseconds(700)), [this, number, left] {
    const Program& program = programs[number];
    const std::size_t account = program.account;
    auto& at_source = source.account(account).sessions;
    auto& at_target = target.account(account).sessions;
    if (at_source.contains(number)) {
      act(account, Side::source);
    } else if (at_target.contains(number)) {
      act(account, Side::target);
    } else {
      const auto side = program.proxy ? proxies[*program.proxy]->leads_to(account)
                                      : std::optional<Side>(Side::source);
      if (side && admits(*side, account))
        (*side == Side::source ? at_source : at_target).insert(number);
    }
    use(number, left - 1);
  });
}

/// One command of a mail program, answered: from now on it is promised.
void World::act(std::size_t account, Side side) {
  Mail& mail = side == Side::source ? source.account(account).mail : target.account(account).mail;
  const auto box = static_cast<Box>(time.random(3));
  if (mail.empty() || time.is_chance(250)) {
    const Message message{books.promise(account, box, 1), box, 1};
    side == Side::source ? source.append(account, message) : target.import(account, message);
    return;
  }
  auto chosen = mail.begin();
  std::advance(chosen, static_cast<std::ptrdiff_t>(time.random(mail.size())));
  if (time.is_chance(150)) {
    books.forget(chosen->second.digest);
    mail.erase(chosen);
    if (side == Side::target) target.touch(account);
    return;
  }
  Message message = chosen->second;
  if (time.is_chance(500)) {
    message.flags = static_cast<std::uint8_t>(time.random(8));
    chosen->second = message;
  } else {
    message.box = box;
    if (side == Side::source) {
      source.move(account, chosen->first, box);
    } else {
      chosen->second = message;
    }
  }
  if (side == Side::target) target.touch(account);
  books.change(message);
}

std::string World::judge(const std::array<Side, kAccounts>& expected) {
  if (!books.violation().empty()) return books.violation();
  for (std::size_t i = 0; i < kAccounts; ++i) {
    const std::string name = name_of(i) + ": ";
    const bool is_at_target = expected[i] == Side::target;
    for (const auto& proxy : proxies) {
      if (proxy->leads_to(i) != expected[i] || proxy->standing(i).state != Proxy::State::settled)
        return name + proxy->name() + " does not lead to the " +
               (is_at_target ? "target" : "source");
    }
    const Source::Account& old = source.account(i);
    const auto route = is_at_target ? Source::Route::target : Source::Route::local;
    if (old.entry != route || old.loaded != route)
      return name + "the source routes its mail elsewhere";
    if (target.has_keys(i) != is_at_target || target.has_loaded_keys(i) != is_at_target)
      return name + "the target's set of addresses says otherwise";
    if (admits(Side::source, i) == is_at_target)
      return name + "the source's door is not as it must be";
    if (admits(Side::target, i) != is_at_target)
      return name + "the target's door is not as it must be";
    if (source.is_queued(i) || target.is_queued(i)) return name + "mail waits in a queue";
    std::vector<Message> there;
    for (const auto& [id, message] : is_at_target ? target.account(i).mail : old.mail)
      there.push_back(message);
    std::sort(there.begin(), there.end());
    std::vector<Message> promised = books.of(i);
    std::sort(promised.begin(), promised.end());
    if (there == promised) continue;
    const auto show = [](const Message& m) {
      return "message " + std::to_string(m.digest) + " in mailbox " +
             std::to_string(static_cast<int>(m.box)) + " with flags " + std::to_string(m.flags);
    };
    std::vector<Message> differing;
    std::set_difference(promised.begin(), promised.end(), there.begin(), there.end(),
                        std::back_inserter(differing));
    if (!differing.empty())
      return name + show(differing.front()) + " was promised and is not there";
    std::set_difference(there.begin(), there.end(), promised.begin(), promised.end(),
                        std::back_inserter(differing));
    return name + show(differing.front()) + " is there once too often";
  }
  for (std::size_t i = 0; i < kAccounts; ++i) {
    if (const std::string wrong = judge_events(i, expected[i]); !wrong.empty())
      return name_of(i) + ": " + wrong;
  }
  return {};
}

}  // namespace plan::simulation
