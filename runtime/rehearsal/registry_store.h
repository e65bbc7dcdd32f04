#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "compiler/ir/value.h"
#include "runtime/net/clock.h"
#include "runtime/rehearsal/storage.h"

namespace plan::rehearsal {

using Objects = std::map<std::uint64_t, ir::Value>;

/// Where a natural key is taken.
struct KeyOwner {
  std::string type = {};
  std::uint64_t id = 0;
};

/// The administered objects (`x:` types) as they are stored: complete, every property present,
/// secrets in the clear, without `id`. Knows which natural keys are taken, nothing of schemas. The
/// World's lock is held for every call.
class RegistryStore {
 public:
  RegistryStore(Storage& storage, net::Clock& clock) : storage_(&storage), clock_(&clock) {}

  void load();
  [[nodiscard]] const Objects& all(std::string_view type) const;
  [[nodiscard]] const ir::Value* find(std::string_view type, std::uint64_t id) const;
  /// Stores or replaces, with its natural keys.
  void put(const std::string& type, std::uint64_t id, ir::Value object);
  void remove(const std::string& type, std::uint64_t id);

  /// Next id of a type: counted for the types whose ids are, by time for the others
  /// (reference 1.9).
  [[nodiscard]] std::uint64_t next_id(const std::string& type);

  /// The natural keys of an object, each with the property that a violation names.
  struct Key {
    std::string property = {};
    std::string text = {};
  };
  [[nodiscard]] static std::vector<Key> keys_of(std::string_view type, const ir::Value& object);
  [[nodiscard]] const KeyOwner* owner_of(const std::string& key) const;
  [[nodiscard]] static std::string address_key(std::string_view local_part, std::uint64_t domain);
  /// Domain by name or alias.
  [[nodiscard]] std::optional<std::uint64_t> domain_by_name(std::string_view name) const;

  /// Grows with every write: what was computed from objects is stale when it differs.
  [[nodiscard]] std::uint64_t generation() const { return generation_; }

 private:
  void index(std::string_view type, std::uint64_t id, const ir::Value& object, bool is_added);

  Storage* storage_;
  net::Clock* clock_;
  std::map<std::string, Objects, std::less<>> types_;
  std::map<std::string, std::uint64_t, std::less<>> counters_;
  std::unordered_map<std::string, KeyOwner> keys_;
  std::unordered_multimap<std::string, std::uint64_t> domains_;
  std::uint64_t last_time_id_ = 0;
  std::uint64_t generation_ = 1;
};

}  // namespace plan::rehearsal
