#include "runtime/dump/references.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <iterator>
#include <limits>

#include "runtime/dump/archive_value.h"
#include "runtime/dump/integers.h"

namespace plan::dump {
namespace {

constexpr std::uint32_t kNobody = 0xFFFFFFFFU;
constexpr std::uint8_t kAccountBytes = 0xFF;
constexpr std::string_view kRegistryObjects = "dshr";  // read before all that refers to them
constexpr std::uint8_t kShareChanges = 9;              // in l: ids of another kind
/// The last member of a message's main record is its size.
constexpr std::size_t kMessageSizeBytes = 4;
constexpr std::uint8_t kEvent = 9;
constexpr std::uint8_t kCard = 11;
constexpr std::uint8_t kFile = 12;
/// Where the main records of events and cards have the sizes of their texts, from the end.
constexpr std::size_t kEventSizePlace = 28;
constexpr std::size_t kCardSizePlace = 8;
constexpr std::uint16_t kAccountType = 0;
constexpr std::uint16_t kSpamSampleType = 0x66;  // its objects are in w, which is never exported

template <class T>
std::optional<std::size_t> position_in(const std::deque<T>& sorted, const T& item) {
  const auto found = std::lower_bound(sorted.begin(), sorted.end(), item);
  if (found == sorted.end() || *found != item) return std::nullopt;
  return static_cast<std::size_t>(found - sorted.begin());
}

}  // namespace

std::string_view reference_order() { return "dshrpleaknuqitfbgojx"; }

void SetPrint::add(std::string_view member) {
  const XXH128_hash_t hash = XXH3_128bits(member.data(), member.size());
  low += hash.low64;
  high += hash.high64;
  ++count;
}

ReferenceBook::ReferenceBook(std::uint32_t schema) : schema_(schema) {}

FaultList* ReferenceBook::faults_of(char letter) const {
  return files_[static_cast<std::size_t>(letter - 'a')];
}

void ReferenceBook::fault(char letter, FaultKind kind, std::string text) {
  FaultList* faults = faults_of(letter);
  if (faults == nullptr && subspace_ != nullptr) faults = faults_of(subspace_->letter);
  if (faults != nullptr) faults->add({.kind = kind, .text = std::move(text)});
}

void ReferenceBook::begin(const Subspace& subspace, FaultList& faults) {
  subspace_ = &subspace;
  files_[static_cast<std::size_t>(subspace.letter - 'a')] = &faults;
  has_last_account_ = false;
  if (!is_directory_sorted_ && subspace.letter != 'd') {
    // In 0.15 their keys are LEB128, which does not sort as the numbers do.
    std::sort(accounts_.items.begin(), accounts_.items.end());
    is_directory_sorted_ = true;
  }
  if (!is_registry_sorted_ && kRegistryObjects.find(subspace.letter) == std::string_view::npos) {
    std::sort(registry_.items.begin(), registry_.items.end());
    is_registry_sorted_ = true;
  }
}

void ReferenceBook::add(const CheckedRecord& record) {
  if (record.key.empty()) return;  // of a shape that says nothing
  const std::string_view key = record.key;
  const bool is_16 = schema_ == kSchema16;
  if (is_16 && key.size() == 10 &&
      kRegistryObjects.find(subspace_->letter) != std::string_view::npos)
    (void)keep(registry_, {.type = big_u16(key), .id = big_u64(key.substr(2))});
  switch (subspace_->letter) {
    case 'd':
      return add_directory(key);
    case 'p':
      return add_property(record);
    case 'l':
      return add_change(key);
    case 'e':
      (void)keep(queue_, big_u64(key));
      return;
    case 'k':
      return add_link(key);
    case 'n':
      return add_counter(record);
    case 'u':
      return add_quota(record);
    case 'q':
      return add_queue_event(key);
    case 'i':
      return add_index(key);
    case 't':
      return add_blob(record);
    case 'f':
      return add_task(key);
    case 'b':
      return add_registry_index(key);
    case 'g':
      return add_registry_key(record);
    default:
      return;
  }
}

void ReferenceBook::add_directory(std::string_view key) {
  std::optional<std::uint64_t> id;
  if (schema_ == kSchema16) {
    if (big_u16(key) == kAccountType) id = big_u64(key.substr(2));
  } else if (key[0] == '\x02') {
    std::string_view rest = key.substr(1);
    id = take_leb128(rest);
  }
  if (id && *id < kNobody) (void)keep(accounts_, static_cast<std::uint32_t>(*id));
}

void ReferenceBook::check_account(std::uint32_t account) {
  if (has_last_account_ && account == last_account_) return;
  has_last_account_ = true;
  last_account_ = account;
  if (!has('d') || account == kNobody || accounts_.is_cut) return;
  if (!position_in(accounts_.items, account))
    fault('d', FaultKind::missing_account,
          fmt::format("account {} has records in {}", account, subspace_->letter));
}

void ReferenceBook::add_property(const CheckedRecord& record) {
  const auto object = object_key(record.key);
  if (!object) return;
  check_account(object->account);
  const auto is_last_collection = [&] {
    return !documents_.items.empty() && documents_.items.back().account == object->account &&
           documents_.items.back().collection == object->collection;
  };
  if (!is_last_collection())
    (void)keep(documents_, {.account = object->account, .collection = object->collection});
  if (is_last_collection())
    documents_.items.back().number = std::max(documents_.items.back().number, object->document);
  if (record.key.size() != 10) return;
  if (object->field == kMainField && object->collection != kEmail)
    (void)keep(objects_, {.account = object->account,
                          .document = object->document,
                          .collection = object->collection});
  if (object->collection != kEmail) return add_object_bytes(*object, record);
  if (object->field != kMainField && object->field != kMetadataField) return;
  const auto archive = ArchiveValue::parse(record.value);
  std::string unpacked;
  std::string_view content;
  if (archive && archive->is_compressed) {
    if (auto decoded = archive->content(kArchiveContentMax)) unpacked = std::move(*decoded);
    content = unpacked;
  } else if (archive) {
    content = archive->body;
  }
  if (object->field == kMainField)
    add_message_bytes(object->account, content);
  else
    add_message(*object, content);
}

ReferenceBook::AccountBytes* ReferenceBook::used_by(std::uint32_t account) {
  // Keys of p come by account.
  const bool is_last = !used_.items.empty() && used_.items.back().account == account;
  if (!is_last && !keep(used_, {.account = account})) return nullptr;
  return &used_.items.back();
}

std::uint64_t ReferenceBook::said_size(std::uint8_t collection, const ArchiveValue& archive) {
  if (collection != kEvent && collection != kCard) return 0;
  std::string unpacked;
  std::string_view content = archive.body;
  if (archive.is_compressed) {
    auto decoded = archive.content(kArchiveContentMax);
    if (!decoded) return 0;
    unpacked = std::move(*decoded);
    content = unpacked;
  }
  const std::size_t place = collection == kEvent ? kEventSizePlace : kCardSizePlace;
  return content.size() < place ? 0 : little_u32(content.substr(content.size() - place));
}

void ReferenceBook::add_object_bytes(const ObjectKey& object, const CheckedRecord& record) {
  AccountBytes* used = used_by(object.account);
  if (used == nullptr) return;
  std::uint64_t bytes = record.value_bytes;
  if (is_archive(*subspace_, record.key)) {
    const auto archive = ArchiveValue::parse(record.value);
    if (!archive || (archive->is_compressed && archive->body.size() < 4))
      used->is_bounded = false;
    else if (archive->is_compressed)
      bytes = std::max<std::uint64_t>(bytes, little_u32(archive->body));
    if (archive && object.field == kMainField)
      used->sized += said_size(object.collection, *archive);
  }
  used->others += bytes;
}

void ReferenceBook::add_message_bytes(std::uint32_t account, std::string_view content) {
  AccountBytes* used = used_by(account);
  if (used == nullptr) return;
  if (content.size() < kMessageSizeBytes)
    used->is_bounded = false;
  else
    used->messages += little_u32(content.substr(content.size() - kMessageSizeBytes));
}

void ReferenceBook::add_message(const ObjectKey& object, std::string_view content) {
  const auto metadata = MessageMetadata::parse(content);
  if (!metadata) {
    ++unknown_metadata_;
    return;
  }
  std::string link = metadata->blob_hash;
  append_big(link, object.account, 4);
  append_big(link, object.document, 4);
  messages_.add(link);
}

void ReferenceBook::add_change(std::string_view key) {
  const std::uint32_t account = big_u32(key);
  check_account(account);
  if (static_cast<std::uint8_t>(key[4]) == kShareChanges) return;
  const bool is_last = !changes_.items.empty() && changes_.items.back().account == account;
  if (!is_last && !keep(changes_, {.account = account})) return;
  changes_.items.back().number = std::max(changes_.items.back().number, big_u64(key.substr(5)));
}

const ReferenceBook::Object* ReferenceBook::find_object(const Object& object) const {
  // Keys of p sort by account, collection, document; so does this list.
  const auto is_before = [](const Object& left, const Object& right) {
    return std::tie(left.account, left.collection, left.document) <
           std::tie(right.account, right.collection, right.document);
  };
  const auto& all = objects_.items;
  const auto found = std::lower_bound(all.begin(), all.end(), object, is_before);
  return found != all.end() && *found == object ? &*found : nullptr;
}

void ReferenceBook::add_index(std::string_view key) {
  ++index_rows_;
  const auto object = object_key(key);
  check_account(object->account);
  if (!has('p') || object->collection == kEmail || objects_.is_cut) return;
  if (find_object({object->account, object->document, object->collection}) == nullptr)
    fault('p', FaultKind::missing_property,
          fmt::format("account {}, collection {}, document {}: i has a row of field {}",
                      object->account, object->collection, object->document, object->field));
}

void ReferenceBook::add_link(std::string_view key) {
  ++links_;
  const std::string_view hash = key.substr(0, kBlobHashBytes);
  if (hash != last_hash_) {
    last_hash_ = hash;
    linked_blobs_.add(hash);
  }
  if (key.size() == 40) {
    if (const auto at = position_in(queue_.items, big_u64(key.substr(kBlobHashBytes))))
      queue_has_link_.resize(queue_.items.size()), queue_has_link_[*at] = true;
    return;
  }
  if (key.size() != 41) return;
  const std::string_view rest = key.substr(kBlobHashBytes);
  const Object object{big_u32(rest), big_u32(rest.substr(5)), static_cast<std::uint8_t>(rest[4])};
  if (object.account == kNobody) return;
  if (object.collection == kEmail) {
    std::string link(hash);
    link += rest.substr(0, 4);
    link += rest.substr(5);
    linked_messages_.add(link);
    return;
  }
  (void)keep(
      linked_bytes_,
      {.hash = big_u64(hash), .account = object.account, .is_file = object.collection == kFile});
  if (has('p') && !objects_.is_cut && find_object(object) == nullptr)
    fault('p', FaultKind::missing_property,
          fmt::format("account {}, collection {}, document {}: k links a blob to it",
                      object.account, object.collection, object.document));
}

void ReferenceBook::add_blob(const CheckedRecord& record) {
  if (record.key.size() != kBlobHashBytes) return;
  blobs_.add(record.key);
  // Both lists come in the order of the hashes.
  const std::uint64_t hash = big_u64(record.key);
  const auto& links = linked_bytes_.items;
  while (next_linked_bytes_ < links.size() && links[next_linked_bytes_].hash < hash)
    ++next_linked_bytes_;
  for (std::size_t i = next_linked_bytes_; i < links.size() && links[i].hash == hash; ++i)
    if (AccountBytes* used = find_used(links[i].account))
      (links[i].is_file ? used->sized : used->others) += record.value_bytes;
}

ReferenceBook::AccountBytes* ReferenceBook::find_used(std::uint32_t account) {
  const auto found = std::lower_bound(
      used_.items.begin(), used_.items.end(), account,
      [](const AccountBytes& left, std::uint32_t id) { return left.account < id; });
  return found != used_.items.end() && found->account == account ? &*found : nullptr;
}

void ReferenceBook::check_used_bytes(std::uint32_t account, std::string_view value) {
  if (value.size() != 8 || !has('p')) return;
  const auto counted = static_cast<std::int64_t>(little_u64(value));
  AccountBytes* found = find_used(account);
  if (found == nullptr) return;
  found->is_counted = true;
  found->counted = counted;
  ++compared_used_;
  if (counted < 0 || static_cast<std::uint64_t>(counted) < found->messages)
    fault(subspace_->letter, FaultKind::wrong_quota,
          fmt::format("account {}: {} bytes are counted, its messages alone have {}", account,
                      counted, found->messages));
}

void ReferenceBook::add_id_counter(std::uint16_t type, std::uint64_t value) {
  if (type == kAccountType) has_account_counter_ = true;
  if (!has('d') || registry_.is_cut) return;
  const auto behind = std::upper_bound(
      registry_.items.begin(), registry_.items.end(),
      RegistryObject{.type = type, .id = std::numeric_limits<std::uint64_t>::max()});
  if (behind == registry_.items.begin() || std::prev(behind)->type != type) return;
  const std::uint64_t highest = std::prev(behind)->id;
  if (value < highest)
    fault('n', FaultKind::odd_count,
          fmt::format("the counter of ids of objects of type {:04x} is at {}, and {} is in use",
                      type, value, highest));
}

void ReferenceBook::check_principals(std::uint64_t value) {
  if (!has('d') || accounts_.items.empty() || accounts_.is_cut) return;
  if (value < accounts_.items.back())
    fault('n', FaultKind::wrong_counter,
          fmt::format("the counter of principals is at {}, and {} is in use", value,
                      accounts_.items.back()));
}

ReferenceBook::HighestDocument* ReferenceBook::find_highest(std::uint32_t account,
                                                            std::uint8_t collection) {
  const auto found = std::lower_bound(documents_.items.begin(), documents_.items.end(),
                                      std::tie(account, collection),
                                      [](const HighestDocument& left, const auto& wanted) {
                                        return std::tie(left.account, left.collection) < wanted;
                                      });
  const bool is_there = found != documents_.items.end() && found->account == account &&
                        found->collection == collection;
  return is_there ? &*found : nullptr;
}

void ReferenceBook::add_counter(const CheckedRecord& record) {
  ++counters_;
  const std::string_view key = record.key;
  if (key.size() < 2 || record.value.size() != 8) return;
  const std::uint64_t value = little_u64(record.value);
  if (key.size() == 2 && schema_ == kSchema16) return add_id_counter(big_u16(key), value);
  if (key.size() < 4) return;
  const std::uint32_t account = big_u32(key);
  const auto compare = [&](auto& highest, std::string_view what) {
    highest.is_counted = true;
    if (static_cast<std::int64_t>(value) < 0 || value < highest.number)
      fault('n', FaultKind::wrong_counter,
            fmt::format("account {}: the counter of {} is at {}, and {} is in use", account, what,
                        static_cast<std::int64_t>(value), highest.number));
  };
  if (key.size() == 4) {
    const auto found = std::lower_bound(
        changes_.items.begin(), changes_.items.end(), account,
        [](const HighestChange& left, std::uint32_t id) { return left.account < id; });
    if (found != changes_.items.end() && found->account == account) compare(*found, "changes");
  } else if (key.size() == 5) {
    const auto collection = static_cast<std::uint8_t>(key[4]);
    if (collection == kAccountBytes)
      check_used_bytes(account, record.value);
    else if (schema_ == kSchema15 && account == kNobody && collection == kPrincipal)
      check_principals(value);
    else if (HighestDocument* found = find_highest(account, collection))
      compare(*found, fmt::format("documents of collection {}", collection));
  }
}

void ReferenceBook::add_quota(const CheckedRecord& record) {
  if (const auto account = account_of(*subspace_, record.key))
    return check_used_bytes(*account, record.value);
  // 00 and a key: how many queued messages count against one quota of the queue.
  if (record.key[0] != '\0' || record.value.size() != 8) return;
  if (!has('e') || queue_.is_cut) return;
  const auto counted = static_cast<std::int64_t>(little_u64(record.value));
  if (counted > 0 && static_cast<std::uint64_t>(counted) > queue_.items.size())
    fault('u', FaultKind::odd_count,
          fmt::format("{} messages are counted against one quota of the queue, which has {}",
                      counted, queue_.items.size()));
}

void ReferenceBook::add_queue_event(std::string_view key) {
  const std::uint64_t id = big_u64(key.substr(8));
  if (!has('e') || queue_.is_cut) return;
  const auto at = position_in(queue_.items, id);
  if (!at) {
    fault('e', FaultKind::missing_object,
          fmt::format("queued message {:016x} has a time of delivery in q", id));
    return;
  }
  queue_has_event_.resize(queue_.items.size());
  queue_has_event_[*at] = true;
}

void ReferenceBook::add_task(std::string_view key) {
  if (schema_ != kSchema16) {
    if (const auto account = account_of(*subspace_, key)) check_account(*account);
    return;
  }
  const std::uint64_t due = big_u64(key);
  const std::uint64_t id = big_u64(key.substr(8));
  if (due == 0) {
    (void)keep(tasks_, id);
    return;
  }
  task_is_due_.resize(tasks_.items.size());
  if (const auto at = position_in(tasks_.items, id))
    task_is_due_[*at] = true;
  else if (!tasks_.is_cut)
    fault('f', FaultKind::missing_object, fmt::format("task {:016x} is due and has no body", id));
}

void ReferenceBook::check_object(std::uint16_t type, std::uint64_t id, char letter) {
  if (!has('d') || !has('s') || type == kSpamSampleType || registry_.is_cut) return;
  if (type == 0xFFFF) return;
  const bool is_known_type =
      std::any_of(subspaces(schema_).begin(), subspaces(schema_).end(),
                  [&](const Subspace& item) { return item.letter == letter; });
  if (!is_known_type || position_in(registry_.items, RegistryObject{.type = type, .id = id}))
    return;
  // Reports are in a family of their own.
  const bool is_report = !has('h') || !has('r');
  if (is_report) return;
  fault('s', FaultKind::missing_object,
        fmt::format("object {} of type {:04x} has a row in {}", id, type, letter));
}

void ReferenceBook::add_registry_index(std::string_view key) {
  const bool is_list = big_u16(key) == 0xFFFF;
  check_object(is_list ? big_u16(key.substr(2)) : big_u16(key), big_u64(key.substr(key.size() - 8)),
               'b');
}

void ReferenceBook::add_registry_key(const CheckedRecord& record) {
  if (record.value.size() == 10)
    check_object(big_u16(record.value), big_u64(record.value.substr(2)), 'g');
  if (record.value.empty() && record.key.size() == 20) {
    check_object(big_u16(record.key), big_u64(record.key.substr(2)), 'g');
    check_object(big_u16(record.key.substr(10)), big_u64(record.key.substr(12)), 'g');
  }
}

bool ReferenceBook::has_blob_difference() const {
  return has('k') && has('t') && blobs_ != linked_blobs_;
}

void ReferenceBook::finish_messages(std::vector<std::string>& not_checked) {
  if (unknown_metadata_ > 0) {
    not_checked.push_back(
        fmt::format("blobs of messages: the metadata of {} messages has a layout that is not known",
                    unknown_metadata_));
  } else if (!has('p') || !has('k')) {
    not_checked.emplace_back("messages against blob links: p or k is not in this dump");
  } else if (messages_ != linked_messages_) {
    const bool is_link_lost = messages_.count >= linked_messages_.count;
    fault(is_link_lost ? 'k' : 'p',
          is_link_lost ? FaultKind::missing_object : FaultKind::missing_property,
          fmt::format("p has {} messages, k links {} blobs to messages, and they are not the same",
                      messages_.count, linked_messages_.count));
  }
}

void ReferenceBook::finish_counters() {
  if (!has('n')) return;
  if (has('p'))
    for (const HighestDocument& highest : documents_.items)
      if (!highest.is_counted && highest.collection != kPrincipal && highest.account != kNobody)
        fault('n', FaultKind::wrong_counter,
              fmt::format("account {} has documents of collection {} and no counter of them",
                          highest.account, highest.collection));
  if (has('l'))
    for (const HighestChange& highest : changes_.items)
      if (!highest.is_counted && highest.account != kNobody)
        fault('n', FaultKind::wrong_counter,
              fmt::format("account {} has changes and no counter of them", highest.account));
  const bool has_accounts = !accounts_.items.empty() && !accounts_.is_cut;
  if (schema_ == kSchema16 && has('d') && has_accounts && !has_account_counter_)
    fault('n', FaultKind::odd_count, "there are accounts and no counter of their ids");
  const char quota_letter = schema_ == kSchema16 ? 'n' : 'u';
  if (has(quota_letter))
    for (const AccountBytes& used : used_.items)
      if (!used.is_counted && used.messages > 0)
        fault(quota_letter, FaultKind::wrong_quota,
              fmt::format("account {} has messages and no count of used bytes", used.account));
}

void ReferenceBook::finish_used_bytes(std::vector<std::string>& not_checked) {
  const char letter = schema_ == kSchema16 ? 'n' : 'u';
  if (!has(letter) || !has('p')) return;
  if (!has('k') || !has('t') || linked_bytes_.is_cut) {
    not_checked.emplace_back(
        "used bytes against an upper bound: the blobs of files and scripts are not all known");
    return;
  }
  for (const AccountBytes& used : used_.items) {
    if (!used.is_counted || used.counted < 0) continue;
    const auto counted = static_cast<std::uint64_t>(used.counted);
    const std::uint64_t least = used.messages + used.sized;
    const std::uint64_t most = least + used.others;
    if (used.is_bounded && counted > most)
      fault(letter, FaultKind::odd_count,
            fmt::format("account {}: {} bytes are counted, and all that it has takes {} at most",
                        used.account, counted, most));
    else if (counted >= used.messages && counted < least)
      fault(letter, FaultKind::odd_count,
            fmt::format("account {}: {} bytes are counted, and its messages, files, events and "
                        "cards have {}",
                        used.account, counted, least));
  }
}

void ReferenceBook::finish(std::vector<std::string>& not_checked) {
  subspace_ = nullptr;
  const auto absent = [&](std::string_view what, std::string_view letters) {
    std::string missing;
    for (const char letter : letters)
      if (!has(letter)) missing += fmt::format("{}{}", missing.empty() ? "" : ", ", letter);
    if (!missing.empty())
      not_checked.push_back(fmt::format("{}: {} not in this dump", what,
                                        missing.size() > 1 ? missing + " are" : missing + " is"));
  };
  absent("blob links against blobs", "kt");
  absent("index rows against objects", "ip");
  absent("account ids against the directory", "d");
  absent("counters against records", "np");
  absent("queue events against queued messages", "eq");
  const auto cut = [&](const auto& list, std::string_view what) {
    if (list.is_cut)
      not_checked.push_back(
          fmt::format("{}: there is room for {} entries, and more came", what, list.items.size()));
  };
  cut(accounts_, "account ids against the directory");
  cut(objects_, "index rows and links against objects");
  cut(documents_, "counters of documents of the later accounts");
  cut(changes_, "counters of changes of the later accounts");
  cut(used_, "used bytes of the later accounts");
  cut(queue_, "queue events and blobs against queued messages");
  cut(tasks_, "tasks against their times");
  cut(registry_, "the registry's index and keys against its objects");
  finish_messages(not_checked);
  finish_counters();
  finish_used_bytes(not_checked);
  if (has('e') && has('q') && !queue_.is_cut) {
    queue_has_event_.resize(queue_.items.size());
    for (std::size_t i = 0; i < queue_.items.size(); ++i)
      if (!queue_has_event_[i])
        fault('q', FaultKind::missing_object,
              fmt::format("queued message {:016x} has no time of delivery", queue_.items[i]));
  }
  if (has('e') && has('k') && !queue_.is_cut) {
    queue_has_link_.resize(queue_.items.size());
    for (std::size_t i = 0; i < queue_.items.size(); ++i)
      if (!queue_has_link_[i])
        fault('k', FaultKind::missing_object,
              fmt::format("queued message {:016x} has no blob", queue_.items[i]));
  }
  task_is_due_.resize(tasks_.items.size());
  for (std::size_t i = 0; i < tasks_.items.size() && !tasks_.is_cut; ++i)
    if (!task_is_due_[i])
      fault('f', FaultKind::missing_object,
            fmt::format("task {:016x} has a body and no time", tasks_.items[i]));
}

ir::Value ReferenceBook::to_value() const {
  return ir::Value::map({{"accounts", std::uint64_t{accounts_.items.size()}},
                         {"messages", messages_.count},
                         {"blobs", blobs_.count},
                         {"linked_blobs", linked_blobs_.count},
                         {"blob_links", links_},
                         {"index_rows", index_rows_},
                         {"counters", counters_},
                         {"used_bytes_compared", compared_used_},
                         {"queued_messages", std::uint64_t{queue_.items.size()}},
                         {"registry_objects", std::uint64_t{registry_.items.size()}}});
}

Outcome find_lost_blobs(const std::string& links_path, FaultList& links,
                        const std::string& blobs_path, FaultList& blobs) {
  PLAN_TRY(link, FrameReader::open(links_path));
  PLAN_TRY(blob, FrameReader::open(blobs_path));
  PLAN_TRY(has_link, link->next());
  PLAN_TRY(has_blob, blob->next());
  while (has_link || has_blob) {
    const std::string_view linked = has_link ? link->key().substr(0, kBlobHashBytes) : "";
    const std::string_view held = has_blob ? blob->key() : "";
    if (has_blob && held.size() != kBlobHashBytes) {
      PLAN_TRY(more, blob->next());
      has_blob = more;
      continue;
    }
    if (has_link && (!has_blob || linked < held)) {
      const std::string lost(linked);
      blobs.add({.kind = FaultKind::missing_blob, .text = "blob " + ir::to_hex(lost)});
      while (has_link && link->key().substr(0, kBlobHashBytes) == lost) {
        PLAN_TRY(more, link->next());
        has_link = more;
      }
    } else if (has_blob && (!has_link || held < linked)) {
      links.add({.kind = FaultKind::missing_link, .text = "blob " + ir::to_hex(held)});
      PLAN_TRY(more, blob->next());
      has_blob = more;
    } else {
      const std::string both(linked);
      while (has_link && link->key().substr(0, kBlobHashBytes) == both) {
        PLAN_TRY(more, link->next());
        has_link = more;
      }
      PLAN_TRY(more, blob->next());
      has_blob = more;
    }
  }
  return {};
}

}  // namespace plan::dump
