#include "runtime/store/rocks_loaded.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <rocksdb/c.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "runtime/store/errors.h"

namespace plan::store {

// The declarations are Debian's (7.8); these functions are the same in 8.11 to 11.1.
#define PLAN_ROCKSDB_FUNCTIONS(X)               \
  X(free)                                       \
  X(options_create)                             \
  X(options_destroy)                            \
  X(options_set_create_if_missing)              \
  X(options_set_create_missing_column_families) \
  X(options_set_uint64add_merge_operator)       \
  X(options_set_compression)                    \
  X(options_set_write_buffer_size)              \
  X(options_set_db_write_buffer_size)           \
  X(options_set_max_write_buffer_number)        \
  X(options_set_max_open_files)                 \
  X(options_set_enable_blob_files)              \
  X(options_set_min_blob_size)                  \
  X(options_set_block_based_table_factory)      \
  X(block_based_options_create)                 \
  X(block_based_options_destroy)                \
  X(block_based_options_set_block_cache)        \
  X(cache_create_lru)                           \
  X(cache_destroy)                              \
  X(list_column_families)                       \
  X(list_column_families_destroy)               \
  X(open_column_families)                       \
  X(open_for_read_only_column_families)         \
  X(column_family_handle_destroy)               \
  X(close)                                      \
  X(readoptions_create)                         \
  X(readoptions_destroy)                        \
  X(readoptions_set_fill_cache)                 \
  X(readoptions_set_verify_checksums)           \
  X(readoptions_set_readahead_size)             \
  X(writeoptions_create)                        \
  X(writeoptions_destroy)                       \
  X(writeoptions_set_sync)                      \
  X(create_iterator_cf)                         \
  X(iter_destroy)                               \
  X(iter_seek_to_first)                         \
  X(iter_valid)                                 \
  X(iter_next)                                  \
  X(iter_key)                                   \
  X(iter_value)                                 \
  X(iter_get_error)                             \
  X(get_cf)                                     \
  X(property_value_cf)                          \
  X(get_latest_sequence_number)                 \
  X(writebatch_create)                          \
  X(writebatch_destroy)                         \
  X(writebatch_clear)                           \
  X(writebatch_put_cf)                          \
  X(writebatch_delete_cf)                       \
  X(write)

struct RocksLibrary::Functions {
#define PLAN_ROCKSDB_POINTER(name) decltype(&rocksdb_##name) name = nullptr;
  PLAN_ROCKSDB_FUNCTIONS(PLAN_ROCKSDB_POINTER)
#undef PLAN_ROCKSDB_POINTER
};

namespace {

constexpr std::string_view kFileName = "librocksdbjni-linux64.so";
constexpr unsigned kLevels = 7;
constexpr std::size_t kCacheBytes = std::size_t{4} << 20U;
constexpr std::size_t kReadAheadBytes = std::size_t{1} << 20U;
// Each of the 27 families keeps a piece of its buffer's size ready.
constexpr std::size_t kWriteBufferBytes = std::size_t{2} << 20U;
constexpr std::size_t kAllWriteBuffersBytes = std::size_t{8} << 20U;

using Functions = RocksLibrary::Functions;

Error error_for(std::string words, const std::string& folder) {
  const ErrorCode* code = &errors::store_failed;
  const auto says = [&words](std::string_view text) {
    return words.find(text) != std::string::npos;
  };
  if (says("unsupported format_version") || says("newer version of RocksDB")) {
    // It says Corruption too, of a store that is whole.
    return Error(errors::rocksdb_library_missing,
                 fmt::format("{}: the RocksDB library that was loaded is older than this store",
                             folder))
        .with_detail(words);
  }
  if (says("Corruption")) {
    code = &errors::store_damaged;
  } else if (says("While lock file") || says("lock hold by current process")) {
    code = &errors::store_busy;
  } else if (says("No space left")) {
    code = &errors::store_full;
  } else if (says("IO error") || says("does not exist")) {
    code = &errors::store_unreadable;
  }
  return Error(*code, fmt::format("{}: the RocksDB store refused", folder)).with_detail(words);
}

// The library hands out its message in memory of its own.
Outcome outcome_of(const Functions& functions, char* message, const std::string& folder) {
  if (message == nullptr) return {};
  std::string words = message;
  functions.free(message);
  return error_for(std::move(words), folder);
}

std::uint64_t number_after(std::string_view text, std::string_view label) {
  const std::size_t at = text.find(label);
  if (at == std::string_view::npos) return 0;
  std::uint64_t value = 0;
  const char* begin = text.data() + at + label.size();
  std::from_chars(begin, text.data() + text.size(), value);
  return value;
}

}  // namespace

RocksLibrary::RocksLibrary(std::string path)
    : path_(std::move(path)), functions_(std::make_unique<Functions>()) {}

// The library stays loaded: it has threads and objects of its own that outlive every store.
RocksLibrary::~RocksLibrary() = default;

Result<std::shared_ptr<const RocksLibrary>> RocksLibrary::load(const std::string& path) {
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* words = dlerror();
    return Error(errors::rocksdb_library_missing, fmt::format("{} cannot be loaded", path))
        .with_detail(words == nullptr ? "" : words);
  }
  std::shared_ptr<RocksLibrary> library(new RocksLibrary(path));
  std::string missing;
#define PLAN_ROCKSDB_FIND(name)                                                     \
  library->functions_->name =                                                       \
      reinterpret_cast<decltype(&rocksdb_##name)>(dlsym(handle, "rocksdb_" #name)); \
  if (library->functions_->name == nullptr && missing.empty()) missing = "rocksdb_" #name;
  PLAN_ROCKSDB_FUNCTIONS(PLAN_ROCKSDB_FIND)
#undef PLAN_ROCKSDB_FIND
  if (!missing.empty()) {
    return Error(errors::rocksdb_library_missing,
                 fmt::format("{} has no function {}", path, missing));
  }
  return std::shared_ptr<const RocksLibrary>(std::move(library));
}

Result<std::shared_ptr<const RocksLibrary>> RocksLibrary::find(const std::string& named) {
  if (!named.empty()) return load(named);
  if (const char* variable = std::getenv("PLAN_ROCKSDB_LIBRARY");
      variable != nullptr && *variable != '\0') {
    return load(variable);
  }
  std::error_code code;
  std::vector<std::filesystem::path> folders;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", code);
  if (!code) {
    folders.push_back(program.parent_path());
    folders.push_back(program.parent_path().parent_path() / "lib");
  }
  folders.emplace_back("/usr/local/lib");
  folders.emplace_back("/usr/lib/x86_64-linux-gnu");
  for (const auto& folder : folders) {
    const auto file = folder / kFileName;
    if (std::filesystem::exists(file, code)) return load(file.string());
  }
  return Error(errors::rocksdb_library_missing,
               fmt::format("{} is not there, and this program's own RocksDB is too old for the "
                           "stores of current servers",
                           kFileName));
}

// --- cursor ---

LoadedRocksCursor::LoadedRocksCursor(LoadedRocksCursor&& other) noexcept
    : functions_(other.functions_),
      iterator_(std::exchange(other.iterator_, nullptr)),
      folder_(other.folder_),
      is_begun_(other.is_begun_) {}

LoadedRocksCursor::~LoadedRocksCursor() {
  if (iterator_ != nullptr) functions_->iter_destroy(static_cast<rocksdb_iterator_t*>(iterator_));
}

Result<bool> LoadedRocksCursor::next() {
  auto* iterator = static_cast<rocksdb_iterator_t*>(iterator_);
  if (is_begun_) {
    functions_->iter_next(iterator);
  } else {
    functions_->iter_seek_to_first(iterator);
    is_begun_ = true;
  }
  if (functions_->iter_valid(iterator) != 0) return true;
  char* message = nullptr;
  functions_->iter_get_error(iterator, &message);
  PLAN_TRY_VOID(outcome_of(*functions_, message, *folder_));
  return false;
}

std::string_view LoadedRocksCursor::key() const {
  std::size_t size = 0;
  const char* bytes = functions_->iter_key(static_cast<rocksdb_iterator_t*>(iterator_), &size);
  return {bytes, size};
}

std::string_view LoadedRocksCursor::value() const {
  std::size_t size = 0;
  const char* bytes = functions_->iter_value(static_cast<rocksdb_iterator_t*>(iterator_), &size);
  return {bytes, size};
}

// --- batch ---

LoadedRocksBatch::LoadedRocksBatch(LoadedRocksBatch&& other) noexcept
    : functions_(other.functions_),
      batch_(std::exchange(other.batch_, nullptr)),
      families_(other.families_) {}

LoadedRocksBatch::~LoadedRocksBatch() {
  if (batch_ != nullptr) functions_->writebatch_destroy(static_cast<rocksdb_writebatch_t*>(batch_));
}

void LoadedRocksBatch::put(std::size_t family, std::string_view key, std::string_view value) {
  functions_->writebatch_put_cf(static_cast<rocksdb_writebatch_t*>(batch_),
                                static_cast<rocksdb_column_family_handle_t*>(families_[family]),
                                key.data(), key.size(), value.data(), value.size());
}

void LoadedRocksBatch::remove(std::size_t family, std::string_view key) {
  functions_->writebatch_delete_cf(static_cast<rocksdb_writebatch_t*>(batch_),
                                   static_cast<rocksdb_column_family_handle_t*>(families_[family]),
                                   key.data(), key.size());
}

void LoadedRocksBatch::clear() {
  functions_->writebatch_clear(static_cast<rocksdb_writebatch_t*>(batch_));
}

// --- store ---

struct LoadedRocks::State {
  explicit State(const Functions& table) : functions(table) {
    plain = functions.options_create();
    sums = functions.options_create();
    blobs = functions.options_create();
    read = functions.readoptions_create();
    write = functions.writeoptions_create();
    cache = functions.cache_create_lru(kCacheBytes);
    for (rocksdb_options_t* options : {plain, sums, blobs}) {
      auto* table_options = functions.block_based_options_create();
      functions.block_based_options_set_block_cache(table_options, cache);
      functions.options_set_block_based_table_factory(options, table_options);
      functions.block_based_options_destroy(table_options);
      functions.options_set_compression(options, rocksdb_snappy_compression);
      functions.options_set_write_buffer_size(options, kWriteBufferBytes);
      functions.options_set_max_write_buffer_number(options, 2);
    }
    functions.options_set_db_write_buffer_size(plain, kAllWriteBuffersBytes);
    functions.options_set_max_open_files(plain, 256);
    functions.options_set_uint64add_merge_operator(sums);
    functions.readoptions_set_fill_cache(read, 0);
    functions.readoptions_set_verify_checksums(read, 1);
    functions.readoptions_set_readahead_size(read, kReadAheadBytes);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    for (void* handle : handles) {
      functions.column_family_handle_destroy(static_cast<rocksdb_column_family_handle_t*>(handle));
    }
    if (database != nullptr) functions.close(database);
    functions.writeoptions_destroy(write);
    functions.readoptions_destroy(read);
    for (rocksdb_options_t* options : {plain, sums, blobs}) functions.options_destroy(options);
    functions.cache_destroy(cache);
  }

  const Functions& functions;
  rocksdb_options_t* plain = nullptr;
  rocksdb_options_t* sums = nullptr;
  rocksdb_options_t* blobs = nullptr;
  rocksdb_readoptions_t* read = nullptr;
  rocksdb_writeoptions_t* write = nullptr;
  rocksdb_cache_t* cache = nullptr;
  rocksdb_t* database = nullptr;
  std::vector<void*> handles = {};
};

LoadedRocks::LoadedRocks(std::shared_ptr<const RocksLibrary> library, std::string folder)
    : library_(std::move(library)),
      folder_(std::move(folder)),
      state_(std::make_unique<State>(library_->functions())) {}

LoadedRocks::~LoadedRocks() = default;

Result<std::unique_ptr<LoadedRocks>> LoadedRocks::open(std::shared_ptr<const RocksLibrary> library,
                                                       const std::string& folder,
                                                       const LoadedRocksOptions& options) {
  const Functions& functions = library->functions();
  std::unique_ptr<LoadedRocks> store(new LoadedRocks(std::move(library), folder));
  State& state = *store->state_;
  std::error_code code;
  const bool is_there = std::filesystem::exists(std::filesystem::path(folder) / "CURRENT", code);
  if (options.is_read_only && !is_there) {
    return Error(errors::store_unreadable, fmt::format("{} is no RocksDB store", folder));
  }
  if (is_there) {
    char* message = nullptr;
    std::size_t count = 0;
    char** names = functions.list_column_families(state.plain, folder.c_str(), &count, &message);
    PLAN_TRY_VOID(outcome_of(functions, message, folder));
    for (std::size_t i = 0; i < count; ++i) store->names_.emplace_back(names[i]);
    functions.list_column_families_destroy(names, count);
  } else {
    store->names_.emplace_back("default");
  }
  for (const std::string& name : options.families) {
    if (!options.is_read_only && !store->family(name)) store->names_.push_back(name);
  }
  if (!options.blob_family.empty()) {
    functions.options_set_enable_blob_files(state.blobs, 1);
    functions.options_set_min_blob_size(state.blobs, options.blob_bytes_min);
  }
  std::vector<const char*> names;
  std::vector<const rocksdb_options_t*> family_options;
  for (const std::string& name : store->names_) {
    names.push_back(name.c_str());
    const bool is_sum = std::find(options.sum_families.begin(), options.sum_families.end(), name) !=
                        options.sum_families.end();
    family_options.push_back(is_sum                        ? state.sums
                             : name == options.blob_family ? state.blobs
                                                           : state.plain);
  }
  std::vector<rocksdb_column_family_handle_t*> handles(names.size(), nullptr);
  char* message = nullptr;
  const int count = static_cast<int>(names.size());
  if (options.is_read_only) {
    state.database = functions.open_for_read_only_column_families(
        state.plain, folder.c_str(), count, names.data(), family_options.data(), handles.data(), 0,
        &message);
  } else {
    functions.options_set_create_if_missing(state.plain, 1);
    functions.options_set_create_missing_column_families(state.plain, 1);
    state.database =
        functions.open_column_families(state.plain, folder.c_str(), count, names.data(),
                                       family_options.data(), handles.data(), &message);
  }
  PLAN_TRY_VOID(outcome_of(functions, message, folder));
  state.handles.assign(handles.begin(), handles.end());
  if (options.is_read_only) {
    PLAN_TRY(logged, last_logged_change(folder));
    const std::uint64_t replayed = functions.get_latest_sequence_number(state.database);
    if (replayed < logged) {
      return Error(errors::store_read_short,
                   fmt::format("{}: the log goes on to change {}, the library stopped at change {}",
                               folder, logged, replayed));
    }
  }
  return store;
}

std::optional<std::size_t> LoadedRocks::family(std::string_view name) const {
  const auto found = std::find(names_.begin(), names_.end(), name);
  if (found == names_.end()) return std::nullopt;
  return static_cast<std::size_t>(found - names_.begin());
}

Result<LoadedRocksCursor> LoadedRocks::scan(std::size_t family) const {
  return LoadedRocksCursor(
      library_->functions(),
      library_->functions().create_iterator_cf(
          state_->database, state_->read,
          static_cast<rocksdb_column_family_handle_t*>(state_->handles[family])),
      folder_);
}

Result<std::optional<std::string>> LoadedRocks::get(std::size_t family,
                                                    std::string_view key) const {
  const Functions& functions = library_->functions();
  char* message = nullptr;
  std::size_t size = 0;
  char* bytes =
      functions.get_cf(state_->database, state_->read,
                       static_cast<rocksdb_column_family_handle_t*>(state_->handles[family]),
                       key.data(), key.size(), &size, &message);
  PLAN_TRY_VOID(outcome_of(functions, message, folder_));
  if (bytes == nullptr) return std::optional<std::string>();
  std::optional<std::string> value(std::in_place, bytes, size);
  functions.free(bytes);
  return value;
}

Result<RocksFigures> LoadedRocks::figures(std::size_t family) const {
  const Functions& functions = library_->functions();
  const auto property = [&](const std::string& name) {
    char* bytes = functions.property_value_cf(
        state_->database, static_cast<rocksdb_column_family_handle_t*>(state_->handles[family]),
        name.c_str());
    std::string text = bytes == nullptr ? "" : bytes;
    if (bytes != nullptr) functions.free(bytes);
    return text;
  };
  RocksFigures figures;
  figures.entries = number_after(property("rocksdb.num-entries-active-mem-table"), "");
  std::uint64_t deletions = number_after(property("rocksdb.num-deletes-active-mem-table"), "");
  std::uint64_t most = 0;
  for (unsigned level = 0; level < kLevels; ++level) {
    const std::string text =
        property(fmt::format("rocksdb.aggregated-table-properties-at-level{}", level));
    const std::uint64_t entries = number_after(text, "# entries=");
    const std::uint64_t merges = number_after(text, "# merge operands=");
    figures.entries += entries;
    deletions += number_after(text, "# deletions=");
    // Within one table file a key stands once (but for operands that wait to be added up), and so
    // it does on a level but the first, whose files overlap.
    std::uint64_t files = 1;
    if (level == 0) {
      files = std::max<std::uint64_t>(1, number_after(property("rocksdb.num-files-at-level0"), ""));
    }
    if (entries > merges) most = std::max(most, (entries - merges + files - 1) / files);
  }
  figures.records_least = most > deletions ? most - deletions : 0;
  return figures;
}

LoadedRocksBatch LoadedRocks::batch() const {
  return {library_->functions(), library_->functions().writebatch_create(), state_->handles.data()};
}

Outcome LoadedRocks::write(LoadedRocksBatch& batch, bool is_synced) {
  const Functions& functions = library_->functions();
  char* message = nullptr;
  auto* options = functions.writeoptions_create();
  functions.writeoptions_set_sync(options, is_synced ? 1 : 0);
  functions.write(state_->database, options, static_cast<rocksdb_writebatch_t*>(batch.batch_),
                  &message);
  functions.writeoptions_destroy(options);
  return outcome_of(functions, message, folder_);
}

}  // namespace plan::store
