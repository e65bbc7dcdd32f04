#include "runtime/dump/store/blob_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "runtime/dump/store/blob_encoding.h"
#include "runtime/dump/store/errors.h"
#include "runtime/store/errors.h"

namespace plan::dump {
namespace {

namespace fs = std::filesystem;

Error failed(const std::string& path) {
  const int number = errno;
  return Error(number == ENOSPC ? store::errors::store_full : store::errors::store_unreadable,
               fmt::format("{} cannot be written: {}", path, std::strerror(number)));
}

}  // namespace

Outcome BlobFolder::put(const Record& record) {
  const std::string path = blob_file(folder_, depth_, record.key);
  std::error_code code;
  if (fs::file_size(path, code) == record.value.size() && !code) return {};
  fs::create_directories(fs::path(path).parent_path(), code);
  const std::string next = path + ".next";
  const int file = open(next.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return failed(next);
  std::string_view rest = record.value;
  while (!rest.empty()) {
    const ssize_t written = write(file, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      Error error = failed(next);
      close(file);
      return error;
    }
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  if (close(file) != 0 || rename(next.c_str(), path.c_str()) != 0) return failed(path);
  unsynced_.push_back(path);
  return {};
}

Outcome BlobFolder::sync() {
  for (const std::string& path : unsynced_) {
    const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    const bool is_synced = file >= 0 && fsync(file) == 0;
    Error error = failed(path);
    if (file >= 0) close(file);
    if (!is_synced) return error;
    const int folder =
        open(fs::path(path).parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder >= 0) {
      fsync(folder);
      close(folder);
    }
  }
  unsynced_.clear();
  return {};
}

Outcome check_blob_folder_empty(const std::string& folder) {
  std::error_code code;
  for (const auto& entry : fs::recursive_directory_iterator(folder, code)) {
    if (entry.is_directory(code)) continue;
    return Error(errors::target_not_empty,
                 fmt::format("{} holds {}", folder, entry.path().string()));
  }
  return {};
}

}  // namespace plan::dump
