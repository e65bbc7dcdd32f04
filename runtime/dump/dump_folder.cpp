#include "runtime/dump/dump_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "runtime/dump/errors.h"

namespace plan::dump {

namespace fs = std::filesystem;

Result<DumpFolder> list_dump(const std::string& path) {
  DumpFolder folder;
  std::error_code code;
  const fs::file_status status = fs::status(path, code);
  if (code || !fs::exists(status))
    return Error(errors::dump_unreadable,
                 fmt::format("{}: {}", path, code ? code.message() : "it does not exist"));
  if (!fs::is_directory(status)) {
    folder.is_single_file = true;
    folder.entries.push_back({.name = fs::path(path).filename(), .path = path});
    return folder;
  }
  for (fs::directory_iterator entry(path, code), end; !code && entry != end;
       entry.increment(code)) {
    if (folder.entries.size() + folder.folders.size() >= kEntriesMax)
      return Error(errors::dump_foreign,
                   fmt::format("{} has more than {} entries", path, kEntriesMax));
    std::error_code ignored;
    const std::string name = entry->path().filename();
    if (entry->symlink_status(ignored).type() == fs::file_type::directory)
      folder.folders.push_back(name);
    else
      folder.entries.push_back({.name = name, .path = entry->path()});
  }
  if (code) return Error(errors::dump_unreadable, fmt::format("{}: {}", path, code.message()));
  std::sort(folder.entries.begin(), folder.entries.end(),
            [](const auto& left, const auto& right) { return left.name < right.name; });
  std::sort(folder.folders.begin(), folder.folders.end());
  return folder;
}

}  // namespace plan::dump
