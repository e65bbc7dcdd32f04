#pragma once
#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/dump/archive_value.h"
#include "runtime/dump/fault_list.h"
#include "runtime/dump/key_shape.h"
#include "runtime/dump/record_check.h"
#include "runtime/dump/subspace.h"

namespace plan::dump {

/// The order in which the files of a dump are read so that a reference is met after what it refers
/// to: directory, objects, then what counts and links them.
[[nodiscard]] std::string_view reference_order();

/// A set compared without being kept: equal sums of 128-bit hashes and equal counts mean equal sets
/// (but for one chance in 2^128 of two sets of an honest dump).
struct SetPrint {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  std::uint64_t count = 0;
  void add(std::string_view member);
  friend bool operator==(const SetPrint&, const SetPrint&) = default;
};

/// What subspaces say of one another: blob links against blobs, index against properties, account
/// ids against directory, counters and used bytes against records, queue against messages. Fed
/// record by record in reference_order(); memory is bounded (kBookBytesMax), and what a bound kept
/// from being checked is said.
constexpr std::size_t kBookBytesMax = std::size_t{36} << 20U;

class ReferenceBook {
 public:
  explicit ReferenceBook(std::uint32_t schema);

  /// Before the records of a subspace. `faults` are those of its file and outlive the book.
  void begin(const Subspace& subspace, FaultList& faults);
  void add(const CheckedRecord& record);
  /// After the last file. `not_checked` gets a line for each relation that could not be looked at.
  void finish(std::vector<std::string>& not_checked);

  /// The blobs and their links do not match: find_lost_blobs() tells which.
  [[nodiscard]] bool has_blob_difference() const;
  /// How many references were compared, by relation, for the report.
  [[nodiscard]] ir::Value to_value() const;

 private:
  struct Object {
    std::uint32_t account = 0;
    std::uint32_t document = 0;
    std::uint8_t collection = 0;
    friend auto operator<=>(const Object& left, const Object& right) = default;
  };
  /// What the server may count as used: messages by their sizes; files, events and cards by at
  /// least the sizes that they say; everything else by no more than the bytes of its records and
  /// blobs.
  struct AccountBytes {
    std::uint32_t account = 0;
    bool is_counted = false;
    bool is_bounded = true;  ///< `others` is all there is
    std::uint64_t messages = 0;
    std::uint64_t sized = 0;  ///< blobs of files, and what events and cards say
    std::uint64_t others = 0;
    std::int64_t counted = 0;
  };
  /// A link from an object that is no message, in the order of the blobs.
  struct LinkedBytes {
    std::uint64_t hash = 0;  ///< its first 8 bytes
    std::uint32_t account = 0;
    bool is_file = false;
  };
  /// The highest document of a collection.
  struct HighestDocument {
    std::uint32_t account = 0;
    std::uint32_t number = 0;
    std::uint8_t collection = 0;
    bool is_counted = false;
  };
  /// The highest change of an account.
  struct HighestChange {
    std::uint64_t number = 0;
    std::uint32_t account = 0;
    bool is_counted = false;
  };
  struct RegistryObject {
    std::uint16_t type = 0;
    std::uint64_t id = 0;
    friend auto operator<=>(const RegistryObject& left, const RegistryObject& right) = default;
  };

  /// Entries of one kind, in blocks so that growing copies nothing. One that found no room any more
  /// is cut: what only the whole list can tell is not judged then.
  template <class T>
  struct Kept {
    std::deque<T> items = {};
    bool is_cut = false;
  };
  /// False when the list has its share of the book, or the book is full.
  template <class T>
  [[nodiscard]] bool keep(Kept<T>& list, const T& item) {
    if (list.items.size() >= kListBytesMax / sizeof(T) || room_ < sizeof(T)) list.is_cut = true;
    if (list.is_cut) return false;
    room_ -= sizeof(T);
    list.items.push_back(item);
    return true;
  }

  [[nodiscard]] bool has(char letter) const { return faults_of(letter) != nullptr; }
  [[nodiscard]] FaultList* faults_of(char letter) const;
  void fault(char letter, FaultKind kind, std::string text);
  void check_account(std::uint32_t account);
  [[nodiscard]] const Object* find_object(const Object& object) const;

  void add_directory(std::string_view key);
  void add_property(const CheckedRecord& record);
  void add_object_bytes(const ObjectKey& object, const CheckedRecord& record);
  /// Of an event or card, as its record says it; 0 for everything else.
  [[nodiscard]] static std::uint64_t said_size(std::uint8_t collection,
                                               const ArchiveValue& archive);
  void add_message_bytes(std::uint32_t account, std::string_view content);
  void add_message(const ObjectKey& object, std::string_view content);
  void add_change(std::string_view key);
  void add_index(std::string_view key);
  void add_link(std::string_view key);
  void add_counter(const CheckedRecord& record);
  void add_quota(const CheckedRecord& record);
  void add_queue_event(std::string_view key);
  void add_task(std::string_view key);
  void add_registry_index(std::string_view key);
  void add_registry_key(const CheckedRecord& record);
  void check_object(std::uint16_t type, std::uint64_t id, char letter);
  void add_blob(const CheckedRecord& record);
  void add_id_counter(std::uint16_t type, std::uint64_t value);
  void check_principals(std::uint64_t value);
  void check_used_bytes(std::uint32_t account, std::string_view value);
  /// The entry that the records of an account in p add to; null when there is no room for it.
  [[nodiscard]] AccountBytes* used_by(std::uint32_t account);
  [[nodiscard]] AccountBytes* find_used(std::uint32_t account);
  [[nodiscard]] HighestDocument* find_highest(std::uint32_t account, std::uint8_t collection);
  void finish_messages(std::vector<std::string>& not_checked);
  void finish_counters();
  void finish_used_bytes(std::vector<std::string>& not_checked);

  std::uint32_t schema_ = 0;
  const Subspace* subspace_ = nullptr;
  std::array<FaultList*, 26> files_ = {};

  static constexpr std::size_t kListBytesMax = std::size_t{12} << 20U;
  std::size_t room_ = kBookBytesMax;
  Kept<std::uint32_t> accounts_;
  bool is_directory_sorted_ = false;
  std::uint32_t last_account_ = 0;
  bool has_last_account_ = false;
  Kept<Object> objects_;  // main records that are no messages, in order
  Kept<AccountBytes> used_;
  Kept<LinkedBytes> linked_bytes_;
  std::size_t next_linked_bytes_ = 0;
  std::uint64_t compared_used_ = 0;
  Kept<HighestDocument> documents_;
  Kept<HighestChange> changes_;
  Kept<std::uint64_t> queue_;
  std::vector<bool> queue_has_event_;
  std::vector<bool> queue_has_link_;
  Kept<std::uint64_t> tasks_;
  std::vector<bool> task_is_due_;
  Kept<RegistryObject> registry_;
  bool is_registry_sorted_ = false;
  bool has_account_counter_ = false;

  SetPrint blobs_;
  SetPrint linked_blobs_;
  std::string last_hash_;
  SetPrint messages_;
  SetPrint linked_messages_;
  std::uint64_t unknown_metadata_ = 0;
  std::uint64_t links_ = 0;
  std::uint64_t index_rows_ = 0;
  std::uint64_t counters_ = 0;
};

/// Reads the keys of subspaces k and t side by side and adds the blobs that only one of them has to
/// the faults of the other's file.
[[nodiscard]] Outcome find_lost_blobs(const std::string& links_path, FaultList& links,
                                      const std::string& blobs_path, FaultList& blobs);

}  // namespace plan::dump
