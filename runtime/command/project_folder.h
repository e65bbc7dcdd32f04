#pragma once
#include <string>
#include <string_view>

#include "compiler/source/result.h"

namespace plan::command {

/// The files of one migration: the plan, and beside it the lock (for git) and `.plan` (not for
/// git).
struct ProjectFolder {
  std::string plan_file = {};  ///< "migration.yaml"
  std::string directory = {};  ///< where it lies; `file:` secrets start here
  std::string lock_file = {};
  std::string state_directory = {};  ///< `.plan`
  std::string facts_file = {};
  std::string schema_directory = {};  ///< documents by digest
  std::string journal_file = {};
  std::string compiled_file = {};  ///< the last compilation (compile_cache.h)
};

/// Names only; nothing is created. An empty `plan_file` is migration.yaml of the current directory,
/// or migration.plan where only that is there.
[[nodiscard]] ProjectFolder project_folder(const std::string& plan_file);

/// Makes `.plan` (mode 0700) with a .gitignore. Errors: file-unwritable.
[[nodiscard]] Outcome create_state_directory(const ProjectFolder& folder);

/// Whole file, bounded, or what comes out of a pipe. One that does not begin with `must_begin` is
/// read no further than to its first piece. Errors: file-missing, local-file-too-large,
/// local-file-unreadable.
[[nodiscard]] Result<std::string> read_text_file(const std::string& path, std::size_t bytes_max,
                                                 std::string_view must_begin = {});
/// A file that the plan names by a path in its folder. A link may lead to another place in it, but
/// not out of it. Errors: those of read_text_file; local-file-unreadable.
[[nodiscard]] Result<std::string> read_file_in(const ProjectFolder& folder, const std::string& path,
                                               std::size_t bytes_max);
/// Written beside, synced and renamed; keeps a symbolic link and the mode of what was there, and
/// writes into what is a pipe or a device.
/// Errors: file-unwritable.
[[nodiscard]] Outcome write_text_file(const std::string& path, std::string_view text,
                                      unsigned mode = 0644);

}  // namespace plan::command
