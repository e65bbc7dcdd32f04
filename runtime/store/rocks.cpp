#include "runtime/store/rocks.h"

#include <fmt/format.h>
#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <algorithm>

#include "compiler/source/check.h"
#include "runtime/store/errors.h"

namespace plan::store {
namespace {

rocksdb::Slice slice(std::string_view text) { return {text.data(), text.size()}; }
std::string_view view(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

Error error_for(const rocksdb::Status& status, const std::string& folder) {
  const std::string words = status.ToString();
  const ErrorCode* code = &errors::store_failed;
  if (status.IsCorruption()) {
    code = &errors::store_damaged;
  } else if (status.IsNoSpace()) {
    code = &errors::store_full;
  } else if (status.IsBusy() || status.IsTryAgain() ||
             words.find("While lock file") != std::string::npos ||
             words.find("lock hold by current process") != std::string::npos) {
    code = &errors::store_busy;
  } else if (status.IsIOError() || status.IsNotFound() || status.IsPathNotFound() ||
             (status.IsInvalidArgument() && words.find("does not exist") != std::string::npos)) {
    code = &errors::store_unreadable;
  }
  return Error(*code, fmt::format("{}: the embedded store refused", folder)).with_detail(words);
}

/// The first key after all keys that begin with `prefix`; empty when there is none.
std::string end_of_prefix(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && static_cast<unsigned char>(end.back()) == 0xFF) end.pop_back();
  if (!end.empty()) end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
  return end;
}

}  // namespace

struct RocksStore::State {
  std::string folder;
  std::unique_ptr<rocksdb::DB> database;
  std::vector<std::string> names;
  std::vector<rocksdb::ColumnFamilyHandle*> handles;

  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    for (rocksdb::ColumnFamilyHandle* handle : handles) {
      if (handle != nullptr) database->DestroyColumnFamilyHandle(handle);
    }
  }
  [[nodiscard]] rocksdb::ColumnFamilyHandle* handle(RocksFamily family) const {
    const auto at = static_cast<std::size_t>(family);
    PLAN_CHECK(at < handles.size(), "a family comes from RocksStore::family of the same store");
    return handles[at];
  }
};

struct RocksSnapshot::State {
  rocksdb::DB* database = nullptr;
  const rocksdb::Snapshot* snapshot = nullptr;

  State(rocksdb::DB* db, const rocksdb::Snapshot* of) : database(db), snapshot(of) {}
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { database->ReleaseSnapshot(snapshot); }
};

RocksSnapshot::RocksSnapshot(std::unique_ptr<State> state) : state_(std::move(state)) {}
RocksSnapshot::RocksSnapshot(RocksSnapshot&& other) noexcept = default;
RocksSnapshot& RocksSnapshot::operator=(RocksSnapshot&& other) noexcept = default;
RocksSnapshot::~RocksSnapshot() = default;

void RocksBatch::put(RocksFamily family, std::string_view key, std::string_view value) {
  changes_.push_back({Action::put, family, std::string(key), std::string(value)});
}
void RocksBatch::remove(RocksFamily family, std::string_view key) {
  changes_.push_back({Action::remove, family, std::string(key), {}});
}
void RocksBatch::remove_range(RocksFamily family, std::string_view begin, std::string_view end) {
  changes_.push_back({Action::remove_range, family, std::string(begin), std::string(end)});
}

RocksStore::RocksStore(std::unique_ptr<State> state) : state_(std::move(state)) {}
RocksStore::~RocksStore() = default;

Result<std::unique_ptr<RocksStore>> RocksStore::open(const std::string& folder,
                                                     const RocksOptions& options) {
  rocksdb::Options settings;
  settings.create_if_missing = !options.must_exist && !options.is_read_only;
  settings.create_missing_column_families = !options.is_read_only;
  settings.paranoid_checks = true;
  settings.keep_log_file_num = 2;
  settings.max_open_files = 256;

  std::vector<std::string> names;
  // Fails when the folder is new: then there is only what the caller asks for.
  const rocksdb::Status listed = rocksdb::DB::ListColumnFamilies(settings, folder, &names);
  if (!listed.ok()) {
    if (!settings.create_if_missing)
      return error_for(listed, folder).while_doing("opening " + folder);
    names = {rocksdb::kDefaultColumnFamilyName};
  }
  const auto add = [&](const std::string& name) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  };
  // `default` first, so that RocksFamily::standard is 0.
  std::stable_partition(names.begin(), names.end(), [](const std::string& name) {
    return name == rocksdb::kDefaultColumnFamilyName;
  });
  if (!options.is_read_only) {
    for (const std::string& name : options.families) add(name);
  }
  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  descriptors.reserve(names.size());
  for (const std::string& name : names) {
    descriptors.emplace_back(name, rocksdb::ColumnFamilyOptions(settings));
  }

  auto state = std::make_unique<State>();
  state->folder = folder;
  state->names = names;
  rocksdb::DB* database = nullptr;
  const rocksdb::Status opened =
      options.is_read_only
          ? rocksdb::DB::OpenForReadOnly(settings, folder, descriptors, &state->handles, &database)
          : rocksdb::DB::Open(settings, folder, descriptors, &state->handles, &database);
  if (!opened.ok()) {
    state->handles.clear();
    return error_for(opened, folder).while_doing("opening " + folder);
  }
  state->database.reset(database);
  return std::unique_ptr<RocksStore>(new RocksStore(std::move(state)));
}

std::optional<RocksFamily> RocksStore::family(std::string_view name) const {
  const auto found = std::find(state_->names.begin(), state_->names.end(), name);
  if (found == state_->names.end()) return std::nullopt;
  return static_cast<RocksFamily>(found - state_->names.begin());
}

std::vector<std::string> RocksStore::family_names() const { return state_->names; }

Result<std::optional<std::string>> RocksStore::get(RocksFamily family, std::string_view key,
                                                   const RocksSnapshot* at) const {
  rocksdb::ReadOptions read;
  if (at != nullptr) read.snapshot = at->state_->snapshot;
  std::string value;
  const rocksdb::Status status =
      state_->database->Get(read, state_->handle(family), slice(key), &value);
  if (status.IsNotFound()) return std::optional<std::string>();
  if (!status.ok()) return error_for(status, state_->folder);
  return std::optional<std::string>(std::move(value));
}

Outcome RocksStore::put(RocksFamily family, std::string_view key, std::string_view value,
                        bool is_synced) {
  RocksBatch batch;
  batch.put(family, key, value);
  return write(batch, is_synced);
}

Outcome RocksStore::remove(RocksFamily family, std::string_view key, bool is_synced) {
  RocksBatch batch;
  batch.remove(family, key);
  return write(batch, is_synced);
}

Outcome RocksStore::write(const RocksBatch& batch, bool is_synced) {
  rocksdb::WriteBatch changes;
  for (const RocksBatch::Change& change : batch.changes_) {
    rocksdb::ColumnFamilyHandle* handle = state_->handle(change.family);
    rocksdb::Status status;
    switch (change.action) {
      case RocksBatch::Action::put:
        status = changes.Put(handle, slice(change.key), slice(change.value));
        break;
      case RocksBatch::Action::remove:
        status = changes.Delete(handle, slice(change.key));
        break;
      case RocksBatch::Action::remove_range:
        status = changes.DeleteRange(handle, slice(change.key), slice(change.value));
        break;
    }
    if (!status.ok()) return error_for(status, state_->folder);
  }
  rocksdb::WriteOptions write;
  write.sync = is_synced;
  const rocksdb::Status status = state_->database->Write(write, &changes);
  // The log may or may not hold the batch when its write failed: only reopening tells.
  if (!status.ok()) return error_for(status, state_->folder).with_effect(Effect::unknown);
  return {};
}

Outcome RocksStore::scan(
    RocksFamily family, std::string_view prefix,
    const std::function<bool(std::string_view key, std::string_view value)>& visit,
    const RocksSnapshot* at) const {
  return scan_range(family, prefix, end_of_prefix(prefix), false, visit, at);
}

Outcome RocksStore::scan_range(
    RocksFamily family, std::string_view first, std::string_view end, bool is_reverse,
    const std::function<bool(std::string_view key, std::string_view value)>& visit,
    const RocksSnapshot* at) const {
  rocksdb::ReadOptions read;
  const rocksdb::Slice upper = slice(end);
  const rocksdb::Slice lower = slice(first);
  if (!end.empty()) read.iterate_upper_bound = &upper;
  if (!first.empty()) read.iterate_lower_bound = &lower;
  if (at != nullptr) read.snapshot = at->state_->snapshot;
  const std::unique_ptr<rocksdb::Iterator> rows(
      state_->database->NewIterator(read, state_->handle(family)));
  if (is_reverse) {
    rows->SeekToLast();
  } else {
    rows->SeekToFirst();
  }
  for (; rows->Valid(); is_reverse ? rows->Prev() : rows->Next()) {
    if (!visit(view(rows->key()), view(rows->value()))) return {};
  }
  if (!rows->status().ok()) return error_for(rows->status(), state_->folder);
  return {};
}

RocksSnapshot RocksStore::snapshot() const {
  return RocksSnapshot(std::make_unique<RocksSnapshot::State>(state_->database.get(),
                                                              state_->database->GetSnapshot()));
}

Outcome RocksStore::flush() {
  const rocksdb::Status status = state_->database->Flush(rocksdb::FlushOptions(), state_->handles);
  if (!status.ok()) return error_for(status, state_->folder);
  return {};
}

}  // namespace plan::store
