#pragma once
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/ir/value.h"
#include "compiler/source/result.h"
#include "runtime/net/jmap/pool.h"
#include "runtime/server/stalwart/registry.h"
#include "runtime/server/stalwart/reload_gate.h"
#include "runtime/step/step_driver.h"

namespace plan::server::stalwart {

/// The lookup keys of one namespace as they are on the target (reference/split-delivery.md section
/// 2). Keeps what it read for kIndexAge; what it writes itself it knows. Thread-safe.
class KeySet {
 public:
  KeySet(Registry& registry, std::string type, std::string name, net::Clock& clock)
      : registry_(registry), type_(std::move(type)), namespace_(std::move(name)), clock_(clock) {}

  struct Key {
    std::string id = {};
    std::string value = {};  ///< of MemoryLookupKeyValue
    bool is_glob = false;
  };

  /// Those of `keys` that exist. Reads the namespace when what is known is too old.
  [[nodiscard]] Result<std::map<std::string, Key>> find(const std::vector<std::string>& keys);
  /// Makes those that are missing, as plain keys (isGlobPattern false). One that is there already
  /// is fine; one that is there as a pattern becomes plain. Not live before ReloadLookupStores.
  [[nodiscard]] Outcome add(const std::vector<std::string>& keys);
  [[nodiscard]] Outcome remove(const std::vector<std::string>& keys);
  /// Of MemoryLookupKeyValue: `next` gets the value as it is on the target now ("" when there is
  /// none) and says what it shall be; nothing: leave it. Returns what holds afterwards.
  [[nodiscard]] Result<std::string> change(
      const std::string& key,
      const std::function<std::optional<std::string>(std::string_view now)>& next);
  void forget();

 private:
  [[nodiscard]] Outcome read_when_old();

  Registry& registry_;
  const std::string type_;
  const std::string namespace_;
  net::Clock& clock_;
  std::mutex mutex_;
  std::map<std::string, Key> keys_;
  std::optional<net::Clock::Monotonic> read_at_;
};

/// Where an account is according to the target itself, so that a lost journal cannot rewind it
/// (design.md section 8).
struct Generation {
  std::int64_t number = 0;    ///< 0: never moved
  std::string at = "source";  ///< "source" or "target"
  [[nodiscard]] bool is_at_target() const { return at == "target"; }
};

/// What the drivers share about one target and login. Thread-safe.
class Target {
 public:
  Target(std::shared_ptr<net::jmap::Client> client, net::Clock& clock);

  [[nodiscard]] Registry& registry() { return registry_; }
  [[nodiscard]] net::jmap::Client& client() { return registry_.client(); }
  /// Keys without value ("MemoryLookupKey").
  [[nodiscard]] KeySet& keys(const std::string& name);
  /// ReloadLookupStores, shared.
  [[nodiscard]] Outcome reload_lookups() { return lookups_.pass(); }

  [[nodiscard]] Result<Generation> generation(std::string_view account);
  /// Writes generation number + 1 with the new place; nothing when it is there already. Returns
  /// what holds now.
  [[nodiscard]] Result<Generation> move_generation(std::string_view account, std::string_view at);

  /// Id of the Domain whose name or alias this is; empty when there is none.
  [[nodiscard]] Result<std::string> domain_id(std::string_view name);
  /// Name of a Domain by id; empty when there is none. Known names are kept.
  [[nodiscard]] Result<std::string> domain_name(const std::string& id);
  /// The user account with this address, whole; null when there is none.
  [[nodiscard]] Result<ir::Value> account(std::string_view address);
  /// The mailing list with this address, whole; null when there is none.
  [[nodiscard]] Result<ir::Value> list(std::string_view address);
  void forget_lists();
  void forget_domains();

 private:
  [[nodiscard]] Outcome read_domains();

  Registry registry_;
  net::Clock& clock_;
  ReloadGate lookups_;
  KeySet generations_;
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<KeySet>> key_sets_;
  std::map<std::string, std::string> domains_;       // name or alias -> id
  std::map<std::string, std::string> domain_names_;  // id -> name
  std::map<std::string, std::string> lists_;         // "name@domain id" -> id
  std::optional<net::Clock::Monotonic> lists_read_at_;
};

/// Targets by client, shared by all drivers.
class TargetPool {
 public:
  TargetPool(std::shared_ptr<net::jmap::ClientPool> clients, net::Clock& clock);
  /// Always this one, whatever the step says: for tests, and for a world with one target.
  TargetPool(std::shared_ptr<net::jmap::Client> client, std::shared_ptr<Target> target);
  /// Of the step's argument `target`.
  [[nodiscard]] Result<std::shared_ptr<Target>> open(step::StepContext& context);
  [[nodiscard]] Result<std::shared_ptr<Target>> open(const ir::Value& target_block,
                                                     secret::SecretSource& secrets);
  /// A client that acts as the user (possible only while the user may log in).
  [[nodiscard]] Result<std::shared_ptr<net::jmap::Client>> open_as(const ir::Value& target_block,
                                                                   secret::SecretSource& secrets,
                                                                   std::string_view account);

 private:
  std::shared_ptr<net::jmap::ClientPool> clients_;
  std::shared_ptr<net::jmap::Client> only_client_;
  std::shared_ptr<Target> only_target_;
  net::Clock* clock_ = nullptr;
  std::mutex mutex_;
  std::map<net::jmap::Client*, std::shared_ptr<Target>> targets_;
};

/// "user@example.org" -> {"user", "example.org"}; the last `@` counts.
struct AddressParts {
  std::string local = {};
  std::string domain = {};
};
[[nodiscard]] AddressParts split_address(std::string_view address);

}  // namespace plan::server::stalwart
