#pragma once
#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "compiler/source/check.h"

namespace plan {

/// Finds numbered entries by a text that is kept elsewhere, or only made when it is asked for: a
/// table of eight bytes an entry, where a map would keep a node and a copy of every text. Two
/// entries are the same when the caller says that their texts are; hashes only decide where to
/// look.
class TextIndex {
 public:
  /// Room for `count` entries without growing.
  void reserve(std::size_t count) {
    std::size_t slots = 16;
    while (is_too_full(slots, count)) slots *= 2;
    if (slots > slots_.size()) grow(slots);
  }

  /// The entry whose text `is_text(entry)` says to be `text`.
  template <class IsText>
  [[nodiscard]] std::optional<std::uint32_t> find(std::string_view text,
                                                  const IsText& is_text) const {
    if (slots_.empty()) return std::nullopt;
    const Slot& slot = slots_[place_of(hash_of(text), is_text)];
    return slot.entry_end == 0 ? std::nullopt : std::optional(slot.entry_end - 1);
  }

  /// Adds `entry` under `text`, unless there is one already: then that one is given back.
  template <class IsText>
  [[nodiscard]] std::optional<std::uint32_t> insert(std::string_view text, std::uint32_t entry,
                                                    const IsText& is_text) {
    return insert_hashed(hash_of(text), entry, is_text);
  }

  /// The same for a text of which only the hash is told.
  template <class IsText>
  [[nodiscard]] std::optional<std::uint32_t> insert_hashed(std::uint32_t hash, std::uint32_t entry,
                                                           const IsText& is_text) {
    PLAN_CHECK(entry < UINT32_MAX, "entries are counted with 32 bits");
    if (is_too_full(slots_.size(), size_ + 1)) grow(std::max<std::size_t>(16, slots_.size() * 2));
    Slot& slot = slots_[place_of(hash, is_text)];
    if (slot.entry_end != 0) return slot.entry_end - 1;
    slot = {hash, entry + 1};
    ++size_;
    return std::nullopt;
  }

 private:
  [[nodiscard]] static std::uint32_t hash_of(std::string_view text) {
    const std::uint64_t hash = std::hash<std::string_view>{}(text);
    return static_cast<std::uint32_t>(hash ^ hash >> 32U);
  }
  /// Three quarters at most: a search ends after few neighbours, and the table of a million entries
  /// is no larger than what the caches and the machine's page tables have to bear.
  [[nodiscard]] static bool is_too_full(std::size_t slots, std::size_t count) {
    return count * 4 > slots * 3;
  }

  struct Slot {
    std::uint32_t hash = 0;
    std::uint32_t entry_end = 0;  // the entry plus one; 0: empty
  };

  template <class IsText>
  [[nodiscard]] std::size_t place_of(std::uint32_t hash, const IsText& is_text) const {
    std::size_t at = hash & (slots_.size() - 1);
    while (slots_[at].entry_end != 0 &&
           !(slots_[at].hash == hash && is_text(slots_[at].entry_end - 1)))
      at = (at + 1) & (slots_.size() - 1);
    return at;
  }
  void grow(std::size_t slots) {
    std::vector<Slot> old(slots);
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.entry_end == 0) continue;
      std::size_t at = slot.hash & (slots - 1);
      while (slots_[at].entry_end != 0) at = (at + 1) & (slots - 1);
      slots_[at] = slot;
    }
  }

  std::vector<Slot> slots_;  // a power of two
  std::size_t size_ = 0;
};

}  // namespace plan
