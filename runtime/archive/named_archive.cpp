#include "runtime/archive/named_archive.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>

#include "runtime/archive/errors.h"

namespace plan::archive {
namespace {

Outcome check_beginning(const std::string& path) {
  constexpr std::string_view kBeginning("SQLite format 3\0", 16);
  std::error_code code;
  if (!std::filesystem::is_regular_file(path, code)) return {};  // to open it says what is wrong
  std::ifstream file(path, std::ios::binary);
  if (!file.is_open()) return {};
  std::string found(kBeginning.size(), '\0');
  file.read(found.data(), static_cast<std::streamsize>(found.size()));
  found.resize(static_cast<std::size_t>(file.gcount()));
  if (found == kBeginning) return {};
  return Error(errors::archive_foreign,
               fmt::format("{} is no archive: it {}", path,
                           found.empty() ? "is empty" : "does not begin as one does"))
      .with_blame(Blame::plan);
}

}  // namespace

Result<ArchiveFile> open_named(const std::string& path, bool has_provenance) {
  PLAN_TRY_VOID(check_beginning(path));
  return ArchiveFile::open(path, {.must_exist = true, .has_provenance = has_provenance});
}

std::string joined_path(const std::vector<std::string>& path) {
  std::string text;
  for (const std::string& name : path) text += (text.empty() ? "" : "/") + name;
  return text;
}

}  // namespace plan::archive
