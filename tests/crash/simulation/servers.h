#pragma once
// The servers of the simulator, each with books of its own, as reference/split-delivery.md says the
// real ones behave (the sections are named where a rule comes from), and the people who use them.
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/crash/simulation/virtual_time.h"

namespace plan::simulation {

inline constexpr std::size_t kAccounts = 3;
inline constexpr std::size_t kAddresses = 2;  ///< of an account: its own and an alias
inline constexpr std::size_t kProxies = 2;

enum class Side : std::uint8_t { source, target };
enum class Box : std::uint8_t { inbox, archive, sent };

/// A message as its reader sees it. `digest` stands for its content.
struct Message {
  std::uint32_t digest = 0;
  Box box = Box::inbox;
  std::uint8_t flags = 0;
  friend auto operator<=>(const Message&, const Message&) = default;
};
using Mail = std::map<std::uint32_t, Message>;  ///< by UID at the source, by id at the target

/// An event as its owner sees it; `version` stands for its content.
struct Event {
  std::uint32_t uid = 0;
  std::uint8_t calendar = 0;
  std::uint32_t version = 0;
  friend auto operator<=>(const Event&, const Event&) = default;
};
/// Where a CalDAV server has an event: its calendar and its name there.
using EventName = std::pair<std::uint8_t, std::uint32_t>;
inline constexpr std::uint8_t kCalendars = 3;  ///< at most; a new account has the first

/// What senders and clients were promised: an accepted message, a change that was answered.
class Books {
 public:
  /// A new message for the account; returns its digest.
  std::uint32_t promise(std::size_t account, Box box, std::uint8_t flags);
  void change(const Message& message);
  void forget(std::uint32_t digest) { promised_.erase(digest); }
  /// A new event of the account.
  Event promise_event(std::size_t account, std::uint8_t calendar);
  /// Its owner changes it, or moves it; returns it as it is then.
  Event change_event(const Event& event, std::uint8_t calendar);
  void forget_event(std::uint32_t uid);
  [[nodiscard]] std::vector<Event> events_of(std::size_t account) const;
  /// What must never be the case was. The first one is kept.
  void violate(std::string what);
  [[nodiscard]] const std::string& violation() const { return violation_; }
  [[nodiscard]] std::vector<Message> of(std::size_t account) const;
  [[nodiscard]] std::uint32_t made() const { return next_ - 1; }

 private:
  struct Promise {
    std::size_t account = 0;
    Message message = {};
  };
  std::map<std::uint32_t, Promise> promised_;
  std::map<std::uint32_t, std::pair<std::size_t, Event>> events_;  ///< by UID
  std::uint32_t next_event_ = 1;
  std::uint32_t next_ = 1;
  std::string violation_;
};

struct Envelope {
  std::uint32_t digest = 0;
  std::size_t account = 0;
  std::size_t address = 0;
  unsigned hops = 0;
};

struct World;

/// A process that can be killed and comes back. What it said to be durable is there then.
class Server {
 public:
  Server(World& world, std::string name) : world_(world), name_(std::move(name)) {}
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  virtual ~Server() = default;

  void kill(milliseconds down);
  [[nodiscard]] bool is_up() const { return is_up_; }
  /// Another one after each kill: what was in the air then never arrives.
  [[nodiscard]] std::uint32_t incarnation() const { return incarnation_; }
  [[nodiscard]] const std::string& name() const { return name_; }

 protected:
  virtual void on_killed() = 0;
  virtual void on_restarted() = 0;
  World& world_;

 private:
  std::string name_;
  bool is_up_ = true;
  std::uint32_t incarnation_ = 1;
};

/// Postfix and Dovecot, and a CalDAV server beside them that has no switch for one account.
class Source final : public Server {
 public:
  enum class Route : std::uint8_t { local, closed, target };
  struct Account {
    Mail mail = {};
    std::uint32_t next_uid = 1;
    Route entry = Route::local;   ///< in the file
    Route loaded = Route::local;  ///< since the last reload (3: a changed map is not used before)
    bool is_denied = false;
    milliseconds denied_at{0};
    std::set<std::size_t> sessions = {};
    bool is_renamed = false;  ///< plan's master user is refused under the name that it knows
    std::map<EventName, Event> events = {};
    std::set<std::uint8_t> calendars = {0, 1};
  };

  explicit Source(World& world) : Server(world, "source") {}
  Account& account(std::size_t i) { return accounts_[i]; }

  // Postfix
  void accept(const Envelope& envelope);
  void reload();
  /// Tries what waits for the account now.
  void flush(std::size_t account);
  [[nodiscard]] bool is_queued(std::size_t account) const;
  /// An entry that came before `until` may still reach the mailbox (9.3: active or incoming).
  [[nodiscard]] bool is_in_delivery(std::size_t account, milliseconds until) const;

  // Dovecot
  std::uint32_t append(std::size_t account, const Message& message);
  /// A move gives another UID.
  std::uint32_t move(std::size_t account, std::uint32_t uid, Box box);
  [[nodiscard]] bool admits(std::size_t account) const;
  void deny(std::size_t account, bool is_denied);

 protected:
  void on_killed() override;
  void on_restarted() override;

 private:
  enum class State : std::uint8_t { incoming, active, deferred };
  struct Entry {
    Envelope envelope = {};
    State state = State::incoming;
    milliseconds arrived{0};
    std::uint64_t attempt = 0;
  };
  void attempt(std::uint64_t id);
  void defer(std::uint64_t id);
  std::array<Account, kAccounts> accounts_;
  std::map<std::uint64_t, Entry> queue_;
  std::uint64_t next_entry_ = 1;
};

/// Stalwart.
class Target final : public Server {
 public:
  struct Account {
    bool exists = false;
    bool can_login = false;
    Mail mail = {};
    std::uint32_t next_id = 1;
    std::uint32_t state = 1;  ///< JMAP's, for ifInState
    std::set<std::size_t> sessions = {};
    std::map<std::uint32_t, std::uint8_t> folders = {{1, 0}};  ///< calendars by id
    std::map<std::uint32_t, Event> events = {};          ///< by id; `calendar` is the folder's
    std::map<std::uint32_t, std::uint32_t> places = {};  ///< of events: their folder
    std::uint32_t next_folder = 2;
    std::uint32_t next_event = 1;

    /// One event for each UID of an account (reference/stalwart-admin.md 8.4): 0, it is refused.
    std::uint32_t put_event(std::uint32_t id, std::uint32_t folder, Event event);
    void remove_event(std::uint32_t id);
  };

  explicit Target(World& world) : Server(world, "target") {}
  Account& account(std::size_t i) { return accounts_[i]; }

  void accept(const Envelope& envelope);
  /// Keys count from the reload of the lookup stores on, and after a restart (2, 7).
  void put_keys(std::size_t account, bool is_there);
  [[nodiscard]] bool has_keys(std::size_t account) const;
  [[nodiscard]] bool has_loaded_keys(std::size_t account) const;
  void reload_lookups() { loaded_ = stored_; }
  void flush(std::size_t account);
  [[nodiscard]] bool is_queued(std::size_t account) const;
  [[nodiscard]] bool is_in_delivery(std::size_t account) const;
  std::uint32_t import(std::size_t account, const Message& message);
  /// Counts a change of the account that its clients would be told of.
  void touch(std::size_t account) { ++accounts_[account].state; }

 protected:
  void on_killed() override;
  void on_restarted() override;

 private:
  struct Entry {
    Envelope envelope = {};
    bool is_in_delivery = false;
    std::uint64_t attempt = 0;
  };
  void attempt(std::uint64_t id);
  void store(const Envelope& envelope);
  std::array<Account, kAccounts> accounts_;
  std::set<std::pair<std::size_t, std::size_t>> stored_, loaded_;
  std::map<std::uint64_t, Entry> queue_;
  std::uint64_t next_entry_ = 1;
};

/// One migration proxy; states and commands as in docs/formats/proxy.md.
class Proxy final : public Server {
 public:
  enum class State : std::uint8_t { settled, held, returned, prepared };
  struct Standing {
    State state = State::settled;
    Side at = Side::source;
    Side next = Side::source;
    std::uint64_t generation = 0;
    bool is_firm = false;
    milliseconds until{0};
  };

  Proxy(World& world, std::size_t number)
      : Server(world, "proxy" + std::to_string(number)), number_(number) {}
  [[nodiscard]] const Standing& standing(std::size_t account) const { return accounts_[account]; }
  // Each: false when the command does not fit the state.
  bool hold(std::size_t account, std::uint64_t generation, milliseconds bound);
  bool prepare(std::size_t account, std::uint64_t generation, Side next);
  bool unprepare(std::size_t account, std::uint64_t generation);
  bool commit(std::size_t account, std::uint64_t generation);
  bool abort(std::size_t account, std::uint64_t generation);
  /// A hold is answered when those of the account have ended (proxy.md).
  [[nodiscard]] bool has_sessions(std::size_t account) const;
  /// Where a login of the account goes now; nowhere: it waits.
  [[nodiscard]] std::optional<Side> leads_to(std::size_t account) const;

 protected:
  void on_killed() override;
  void on_restarted() override;

 private:
  void say_goodbye(std::size_t account);
  void close_sessions(std::size_t account);
  void return_if_over(std::size_t account);
  std::size_t number_;
  std::array<Standing, kAccounts> accounts_;
};

/// A mail program of one account: through a proxy, or straight to the source as before the move.
struct Program {
  std::size_t account = 0;
  std::optional<std::size_t> proxy = {};
};

struct World {
  explicit World(VirtualTime& virtual_time);

  VirtualTime& time;
  Books books;
  Source source{*this};
  Target target{*this};
  std::array<std::unique_ptr<Proxy>, kProxies> proxies;
  std::vector<Program> programs;
  /// The last delta of a held account is done and not taken back: nothing may reach the old
  /// mailbox.
  std::array<bool, kAccounts> is_proved = {};
  /// Mail programs do not read what they are told and write on until their connection is cut.
  bool ignores_goodbye = false;
  bool is_domain_there = false;
  std::uint32_t finalized = 0;

  /// Lets so many messages come to each account from now on, and its users do about as much.
  void begin_traffic(unsigned messages);
  /// Server of a side that admits the account's user now.
  [[nodiscard]] bool admits(Side side, std::size_t account);
  /// What is wrong; empty: each promised message exactly once, as promised, where its reader looks.
  /// Nothing may be under way any more.
  [[nodiscard]] std::string judge(const std::array<Side, kAccounts>& expected);

 private:
  [[nodiscard]] std::string judge_events(std::size_t account, Side side);
  void use_calendars(std::size_t account, unsigned left);
  void act_at_source(std::size_t account, bool is_late);
  void act_at_target(std::size_t account);
  /// Changed at the source while their account was held: not deleted at the target afterwards,
  /// which would be a conflict that no rule can decide for every user.
  std::set<std::uint32_t> changed_late_;
  void send(std::size_t account, unsigned left);
  void use(std::size_t program, unsigned left);
  void act(std::size_t account, Side side);
};

}  // namespace plan::simulation
