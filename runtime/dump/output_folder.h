#pragma once
#include <memory>
#include <string>
#include <vector>

#include "compiler/source/result.h"
#include "runtime/dump/manifest.h"

namespace plan::dump {

/// The folder inside a dump that is being written, in which its files lie until all of them are
/// whole. The server's importer ignores folders, so a run that was killed leaves nothing that could
/// be taken for a dump, and everybody sees what it was.
constexpr std::string_view kUnfinishedFolder = "plan-unfinished";

/// Error dump-unfinished when the folder `path` was left by a run that did not end, or is written
/// at this moment.
[[nodiscard]] Outcome must_be_finished(const std::string& path);

/// Error output-in-dump when `path` lies inside one of `dumps` (folders, or files of them), or
/// directly in any folder that holds files of a dump: the importer takes every file there for data.
[[nodiscard]] Outcome must_be_outside(const std::string& path,
                                      const std::vector<std::string>& dumps);

/// A new dump while it is written. Everything that was begun is gone when this object dies before
/// finish() succeeded; a folder that was there before stays, empty as it was.
class OutputFolder {
 public:
  /// `inputs` are the dumps that it is made of. Errors: dump-exists (the folder is not empty, or a
  /// manifest lies where that of the result would), dump-unfinished, output-in-dump,
  /// dump-unwritable.
  [[nodiscard]] static Result<std::unique_ptr<OutputFolder>> begin(
      const std::string& path, const std::vector<std::string>& inputs);
  ~OutputFolder();
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;

  /// Where files are written.
  [[nodiscard]] const std::string& work() const { return work_; }
  /// Where the manifest of the result is, or would be.
  [[nodiscard]] const std::string& manifest_path() const { return manifest_path_; }
  /// Moves the files to their place, and puts the manifest beside them if there is one.
  /// Error: dump-unwritable.
  [[nodiscard]] Outcome finish(const Manifest* manifest);

 private:
  OutputFolder() = default;
  [[nodiscard]] Outcome make_folders();

  std::string folder_;
  std::string work_;
  std::string manifest_path_;
  std::vector<std::string> made_;   // folders that were not there, the outermost first
  std::vector<std::string> moved_;  // files at their place
  int lock_ = -1;
  bool has_work_ = false;
  bool has_manifest_ = false;
  bool is_finished_ = false;
};

}  // namespace plan::dump
