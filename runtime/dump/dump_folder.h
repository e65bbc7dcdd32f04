#pragma once
#include <string>
#include <vector>

#include "compiler/source/result.h"

namespace plan::dump {

/// One entry that the importer would take for a file of the dump: every entry directly inside that
/// is no folder, hidden ones too (reference/stalwart-store.md 7). What it is shows when it is
/// opened.
struct DumpEntry {
  std::string name = {};
  std::string path = {};
};

struct DumpFolder {
  bool is_single_file = false;
  std::vector<DumpEntry> entries = {};    ///< by name
  std::vector<std::string> folders = {};  ///< inside, which the importer ignores
};

/// More are refused: a dump has at most one file for each letter.
constexpr std::size_t kEntriesMax = 4096;

/// `path` is a folder, or a single file. Errors: dump-unreadable, dump-foreign (too many entries).
[[nodiscard]] Result<DumpFolder> list_dump(const std::string& path);

}  // namespace plan::dump
