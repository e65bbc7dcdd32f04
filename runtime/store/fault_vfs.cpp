// The layer keeps, per file, what was written since its last sync: where, what stood there, what
// came, and the size before. Taking those back newest first gives the file as the last sync left
// it; putting a subset in again gives what a disk with reordered writes may hold. The write-ahead
// index (-shm) is memory, not disk: SQLite builds it again when nobody has the database open, so it
// passes through.
#include "runtime/store/fault_vfs.h"

#include <sqlite3.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <random>
#include <vector>

namespace plan::store {
namespace {

constexpr std::size_t kSectorBytes = 512;

struct UnsyncedWrite {
  std::int64_t offset = 0;
  std::int64_t size_before = 0;
  std::string before;  ///< what the write replaced; shorter than `after` at the end of the file
  std::string after;
  bool is_truncation = false;  ///< then `offset` is the new size and `before` what was cut off
};

struct FileLog {
  std::vector<UnsyncedWrite> writes;
};

}  // namespace

struct FaultVfs::State {
  std::string name;
  sqlite3_vfs vfs{};
  sqlite3_vfs* real = nullptr;
  std::mutex mutex;
  std::map<std::string, FileLog> files;
  std::map<std::string, std::uint64_t> sizes;
  std::uint64_t operations = 0;
  std::uint64_t syncs = 0;
  std::uint64_t crash_at = 0;
  std::uint64_t space_bytes = UINT64_MAX;
  bool is_crashed = false;
  bool is_ignoring_syncs = false;

  /// Counts one operation; true when the world has ended.
  bool is_over_after_counting() {
    if (is_crashed) return true;
    ++operations;
    if (crash_at != 0 && operations >= crash_at) is_crashed = true;
    return is_crashed;
  }
  [[nodiscard]] std::uint64_t used_bytes() const {
    std::uint64_t sum = 0;
    for (const auto& [path, size] : sizes) sum += size;
    return sum;
  }
};

namespace {

/// What SQLite allocates for an open file: ours, followed by the default layer's.
struct FaultFile {
  sqlite3_file base;
  FaultVfs::State* state;
  const char* path;  ///< lives as long as the file is open (xOpen's contract); null: a temporary
  sqlite3_file* real;
};

FaultFile* ours(sqlite3_file* file) { return reinterpret_cast<FaultFile*>(file); }
FaultVfs::State* state_of(sqlite3_vfs* vfs) { return static_cast<FaultVfs::State*>(vfs->pAppData); }

std::string read_real(sqlite3_file* real, std::int64_t offset, std::int64_t length) {
  std::string bytes(static_cast<std::size_t>(std::max<std::int64_t>(length, 0)), '\0');
  if (!bytes.empty()) {
    real->pMethods->xRead(real, bytes.data(), static_cast<int>(bytes.size()), offset);
  }
  return bytes;
}

int fault_close(sqlite3_file* file) {
  FaultFile* f = ours(file);
  return f->real->pMethods != nullptr ? f->real->pMethods->xClose(f->real) : SQLITE_OK;
}

int fault_read(sqlite3_file* file, void* to, int count, sqlite3_int64 offset) {
  FaultFile* f = ours(file);
  {
    const std::lock_guard lock(f->state->mutex);
    if (f->state->is_crashed) return SQLITE_IOERR_READ;
  }
  return f->real->pMethods->xRead(f->real, to, count, offset);
}

int fault_write(sqlite3_file* file, const void* from, int count, sqlite3_int64 offset) {
  FaultFile* f = ours(file);
  const std::lock_guard lock(f->state->mutex);
  if (f->state->is_over_after_counting()) return SQLITE_IOERR_WRITE;
  sqlite3_int64 size = 0;
  f->real->pMethods->xFileSize(f->real, &size);
  const sqlite3_int64 end = std::max<sqlite3_int64>(size, offset + count);
  const std::string path = f->path == nullptr ? "" : f->path;
  const std::uint64_t growth = static_cast<std::uint64_t>(end - size);
  if (growth > 0 && f->state->used_bytes() + growth > f->state->space_bytes) return SQLITE_FULL;
  UnsyncedWrite write;
  write.offset = offset;
  write.size_before = size;
  write.before = read_real(f->real, offset, std::min<sqlite3_int64>(size - offset, count));
  write.after.assign(static_cast<const char*>(from), static_cast<std::size_t>(count));
  const int code = f->real->pMethods->xWrite(f->real, from, count, offset);
  if (code == SQLITE_OK) {
    f->state->sizes[path] = static_cast<std::uint64_t>(end);
    if (f->path != nullptr) f->state->files[path].writes.push_back(std::move(write));
  }
  return code;
}

int fault_truncate(sqlite3_file* file, sqlite3_int64 size) {
  FaultFile* f = ours(file);
  const std::lock_guard lock(f->state->mutex);
  if (f->state->is_over_after_counting()) return SQLITE_IOERR_TRUNCATE;
  sqlite3_int64 before = 0;
  f->real->pMethods->xFileSize(f->real, &before);
  UnsyncedWrite write;
  write.is_truncation = true;
  write.offset = size;
  write.size_before = before;
  write.before = read_real(f->real, size, before - size);
  const int code = f->real->pMethods->xTruncate(f->real, size);
  if (code == SQLITE_OK && f->path != nullptr) {
    f->state->sizes[f->path] = static_cast<std::uint64_t>(size);
    f->state->files[f->path].writes.push_back(std::move(write));
  }
  return code;
}

int fault_sync(sqlite3_file* file, int flags) {
  FaultFile* f = ours(file);
  const std::lock_guard lock(f->state->mutex);
  if (f->state->is_over_after_counting()) return SQLITE_IOERR_FSYNC;
  ++f->state->syncs;
  // The machine does not lose power in a test: passing the sync on would only cost time.
  static_cast<void>(flags);
  if (!f->state->is_ignoring_syncs && f->path != nullptr) f->state->files.erase(f->path);
  return SQLITE_OK;
}

int fault_size(sqlite3_file* file, sqlite3_int64* size) {
  FaultFile* f = ours(file);
  const std::lock_guard lock(f->state->mutex);
  if (f->state->is_crashed) return SQLITE_IOERR_FSTAT;
  return f->real->pMethods->xFileSize(f->real, size);
}

int fault_lock(sqlite3_file* file, int level) {
  return ours(file)->real->pMethods->xLock(ours(file)->real, level);
}
int fault_unlock(sqlite3_file* file, int level) {
  return ours(file)->real->pMethods->xUnlock(ours(file)->real, level);
}
int fault_check_lock(sqlite3_file* file, int* is_locked) {
  return ours(file)->real->pMethods->xCheckReservedLock(ours(file)->real, is_locked);
}
int fault_control(sqlite3_file* file, int operation, void* argument) {
  return ours(file)->real->pMethods->xFileControl(ours(file)->real, operation, argument);
}
int fault_sector(sqlite3_file*) { return static_cast<int>(kSectorBytes); }
// No promises: SQLite must assume that writes are torn and reordered.
int fault_characteristics(sqlite3_file*) { return 0; }
int fault_shm_map(sqlite3_file* file, int page, int size, int extend, void volatile** to) {
  return ours(file)->real->pMethods->xShmMap(ours(file)->real, page, size, extend, to);
}
int fault_shm_lock(sqlite3_file* file, int offset, int count, int flags) {
  return ours(file)->real->pMethods->xShmLock(ours(file)->real, offset, count, flags);
}
void fault_shm_barrier(sqlite3_file* file) {
  ours(file)->real->pMethods->xShmBarrier(ours(file)->real);
}
int fault_shm_unmap(sqlite3_file* file, int is_deleted) {
  return ours(file)->real->pMethods->xShmUnmap(ours(file)->real, is_deleted);
}

const sqlite3_io_methods kMethods = {2,
                                     fault_close,
                                     fault_read,
                                     fault_write,
                                     fault_truncate,
                                     fault_sync,
                                     fault_size,
                                     fault_lock,
                                     fault_unlock,
                                     fault_check_lock,
                                     fault_control,
                                     fault_sector,
                                     fault_characteristics,
                                     fault_shm_map,
                                     fault_shm_lock,
                                     fault_shm_barrier,
                                     fault_shm_unmap,
                                     nullptr,
                                     nullptr};

int fault_open(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags, int* out) {
  FaultVfs::State* state = state_of(vfs);
  FaultFile* f = ours(file);
  std::memset(f, 0, sizeof(FaultFile));
  f->state = state;
  f->path = path;
  f->real = reinterpret_cast<sqlite3_file*>(f + 1);
  {
    const std::lock_guard lock(state->mutex);
    if (state->is_crashed) return SQLITE_CANTOPEN;
  }
  const int code = state->real->xOpen(state->real, path, f->real, flags, out);
  if (code != SQLITE_OK) return code;
  f->base.pMethods = &kMethods;
  if (path != nullptr) {
    sqlite3_int64 size = 0;
    f->real->pMethods->xFileSize(f->real, &size);
    const std::lock_guard lock(state->mutex);
    state->sizes[path] = static_cast<std::uint64_t>(size);
  }
  return SQLITE_OK;
}

int fault_delete(sqlite3_vfs* vfs, const char* path, int syncs_directory) {
  FaultVfs::State* state = state_of(vfs);
  const std::lock_guard lock(state->mutex);
  if (state->is_over_after_counting()) return SQLITE_IOERR_DELETE;
  state->files.erase(path);
  state->sizes.erase(path);
  return state->real->xDelete(state->real, path, syncs_directory);
}

int fault_access(sqlite3_vfs* vfs, const char* path, int flags, int* out) {
  FaultVfs::State* state = state_of(vfs);
  {
    const std::lock_guard lock(state->mutex);
    if (state->is_crashed) return SQLITE_IOERR_ACCESS;
  }
  return state->real->xAccess(state->real, path, flags, out);
}

int fault_full_path(sqlite3_vfs* vfs, const char* path, int bytes, char* out) {
  return state_of(vfs)->real->xFullPathname(state_of(vfs)->real, path, bytes, out);
}
int fault_randomness(sqlite3_vfs* vfs, int bytes, char* out) {
  return state_of(vfs)->real->xRandomness(state_of(vfs)->real, bytes, out);
}
int fault_sleep(sqlite3_vfs* vfs, int microseconds) {
  return state_of(vfs)->real->xSleep(state_of(vfs)->real, microseconds);
}
int fault_time(sqlite3_vfs* vfs, double* now) {
  return state_of(vfs)->real->xCurrentTime(state_of(vfs)->real, now);
}
int fault_last_error(sqlite3_vfs* vfs, int bytes, char* out) {
  return state_of(vfs)->real->xGetLastError(state_of(vfs)->real, bytes, out);
}

void put(std::string& content, std::size_t offset, std::string_view bytes) {
  if (content.size() < offset + bytes.size()) content.resize(offset + bytes.size(), '\0');
  std::copy(bytes.begin(), bytes.end(),
            content.begin() + static_cast<std::string::difference_type>(offset));
}

}  // namespace

FaultVfs::FaultVfs(std::string name) : state_(std::make_unique<State>()) {
  state_->name = std::move(name);
  state_->real = sqlite3_vfs_find(nullptr);
  sqlite3_vfs& vfs = state_->vfs;
  vfs.iVersion = 1;
  vfs.szOsFile = static_cast<int>(sizeof(FaultFile)) + state_->real->szOsFile;
  vfs.mxPathname = state_->real->mxPathname;
  vfs.zName = state_->name.c_str();
  vfs.pAppData = state_.get();
  vfs.xOpen = fault_open;
  vfs.xDelete = fault_delete;
  vfs.xAccess = fault_access;
  vfs.xFullPathname = fault_full_path;
  vfs.xRandomness = fault_randomness;
  vfs.xSleep = fault_sleep;
  vfs.xCurrentTime = fault_time;
  vfs.xGetLastError = fault_last_error;
  sqlite3_vfs_register(&vfs, 0);
}

FaultVfs::~FaultVfs() { sqlite3_vfs_unregister(&state_->vfs); }

const std::string& FaultVfs::name() const { return state_->name; }

void FaultVfs::crash() {
  const std::lock_guard lock(state_->mutex);
  state_->is_crashed = true;
}

void FaultVfs::crash_after(std::uint64_t operations) {
  const std::lock_guard lock(state_->mutex);
  state_->crash_at = operations == 0 ? 0 : state_->operations + operations;
}

bool FaultVfs::is_crashed() const {
  const std::lock_guard lock(state_->mutex);
  return state_->is_crashed;
}

void FaultVfs::lose_unsynced(std::uint64_t seed, unsigned survivors_percent) {
  const std::lock_guard lock(state_->mutex);
  std::mt19937_64 random(seed);
  for (auto& [path, log] : state_->files) {
    std::error_code ignored;
    if (!std::filesystem::exists(path, ignored)) continue;
    std::string content;
    {
      std::ifstream file(path, std::ios::binary);
      content.assign(std::istreambuf_iterator<char>(file), {});
    }
    for (auto write = log.writes.rbegin(); write != log.writes.rend(); ++write) {
      put(content, static_cast<std::size_t>(write->offset), write->before);
      content.resize(static_cast<std::size_t>(write->size_before), '\0');
    }
    for (const UnsyncedWrite& write : log.writes) {
      if (write.is_truncation) {
        if (random() % 100 < survivors_percent &&
            content.size() > static_cast<std::size_t>(write.offset)) {
          content.resize(static_cast<std::size_t>(write.offset));
        }
        continue;
      }
      for (std::size_t at = 0; at < write.after.size(); at += kSectorBytes) {
        if (random() % 100 >= survivors_percent) continue;
        put(content, static_cast<std::size_t>(write.offset) + at,
            std::string_view(write.after).substr(at, kSectorBytes));
      }
    }
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file.write(content.data(), static_cast<std::streamsize>(content.size()));
  }
  state_->files.clear();
  state_->is_crashed = false;
  state_->crash_at = 0;
}

void FaultVfs::ignore_syncs(bool is_ignoring) {
  const std::lock_guard lock(state_->mutex);
  state_->is_ignoring_syncs = is_ignoring;
}

void FaultVfs::limit_space(std::uint64_t bytes) {
  const std::lock_guard lock(state_->mutex);
  state_->space_bytes = bytes;
}

std::uint64_t FaultVfs::operations() const {
  const std::lock_guard lock(state_->mutex);
  return state_->operations;
}

std::uint64_t FaultVfs::syncs() const {
  const std::lock_guard lock(state_->mutex);
  return state_->syncs;
}

}  // namespace plan::store
