#pragma once
#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "compiler/ir/value.h"
#include "runtime/net/clock.h"
#include "runtime/rehearsal/embedded_target.h"
#include "runtime/rehearsal/mail_store.h"
#include "runtime/rehearsal/oauth.h"
#include "runtime/rehearsal/registry_store.h"
#include "runtime/rehearsal/storage.h"

namespace plan::rehearsal {

class SchemaFacts;
class QueueStore;

/// The settings that take effect only with ReloadSettings: a copy of the objects as they were then
/// (split-delivery.md 2).
struct LiveSettings {
  std::map<std::string, Objects, std::less<>> types = {};
  [[nodiscard]] const Objects& all(std::string_view type) const;
  [[nodiscard]] const ir::Value& singleton(std::string_view type) const;
};

/// What lookups see since the last ReloadLookupStores.
struct LiveLookups {
  std::unordered_map<std::string, std::unordered_map<std::string, std::string>> exact =
      {};  ///< namespace, key, value
  std::map<std::string, std::vector<std::pair<std::string, std::string>>> patterns =
      {};  ///< namespace, glob, value
  [[nodiscard]] const std::string* find(std::string_view space, std::string_view key) const;
};

/// Counts against one limit in a sliding window.
class RateWindow {
 public:
  /// True: one more is allowed, and counted.
  bool take(const std::string& key, std::int64_t now_ms, std::int64_t count,
            std::int64_t period_ms);
  void forget_old(std::int64_t now_ms);

 private:
  struct Slot {
    std::vector<std::int64_t> times = {};
    std::int64_t period_ms = 0;
  };
  std::unordered_map<std::string, Slot> slots_;
};

/// Everything the target knows. `mutex` guards all members but `options` and `clock`; helpers that
/// expect it held say so by taking the World.
struct World {
  World(EmbeddedTargetOptions target_options, std::unique_ptr<Storage> opened,
        std::unique_ptr<SchemaFacts> facts);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  const EmbeddedTargetOptions options;
  net::Clock& clock;
  std::mutex mutex;
  std::condition_variable changed;  ///< after each commit that changed mail or the queue
  std::unique_ptr<Storage> storage;
  std::unique_ptr<SchemaFacts> schema;
  RegistryStore registry;
  MailStore mail;
  std::unique_ptr<QueueStore> queue;
  std::shared_ptr<const LiveSettings> live;
  std::shared_ptr<const LiveLookups> lookups;
  std::unordered_set<std::string>
      blocked;  ///< addresses that are banned, since ReloadBlockedIps or a ban
  RateWindow throttles;
  RateWindow failures;
  std::string session_state;
  OAuthGrants oauth;
  std::unordered_map<std::string, int> requests;  ///< JMAP requests under way, by login
  bool is_queue_paused = false;
  std::unordered_map<std::string, std::string>
      verified;  ///< digest of (stored, password): spares hashing again

  [[nodiscard]] std::int64_t now_seconds() const { return clock.wall_ms() / 1000; }
  /// SystemSettings.defaultHostname or what the process was started with.
  [[nodiscard]] std::string hostname() const;
  [[nodiscard]] std::string default_domain() const;
  [[nodiscard]] MailAccount& account(std::uint64_t id);
  void commit();  ///< writes and wakes who waits
};

/// A singleton as written, or with all its defaults.
[[nodiscard]] ir::Value singleton_of(const World& world, std::string_view type);

}  // namespace plan::rehearsal
