#pragma once
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "compiler/ir/digest.h"
#include "compiler/source/result.h"
#include "runtime/dump/manifest.h"
#include "runtime/dump/subspace.h"

namespace plan::dump {

/// A dump that another one is made of: its folder, and the manifest beside it, against which every
/// file is held that is read. What does not fit is refused: the result gets a manifest of its own,
/// by which damage would pass for proved.
class InputDump {
 public:
  /// Errors: those of schema_of_dump; dump-unfinished; dump-damaged (a file of a subspace that has
  /// another name, which the importer would take); those of read_manifest.
  [[nodiscard]] static Result<InputDump> open(const std::string& folder);

  [[nodiscard]] const std::string& folder() const { return folder_; }
  [[nodiscard]] std::uint32_t schema() const { return schema_; }
  [[nodiscard]] std::string file_of(char letter) const;
  [[nodiscard]] bool has(char letter) const { return letters_.count(letter) != 0; }
  /// Files that are no part of a dump, and those of subspaces that no export has. Names only.
  [[nodiscard]] const std::vector<std::string>& strangers() const { return strangers_; }
  [[nodiscard]] bool has_manifest() const { return manifest_.has_value(); }

  /// Those of `letters` that the manifest has are here, and no others.
  /// Error: manifest-differs.
  [[nodiscard]] Outcome check_letters(const std::set<char>& letters) const;
  /// `digest` is that of the file on the disk. Error: manifest-differs.
  [[nodiscard]] Outcome check_digest(char letter, const ir::Sha256& digest) const;
  /// Reads a file only for this: one that decides what is taken of others. Nothing without a
  /// manifest or without the file.
  [[nodiscard]] Outcome check_file(char letter) const;

 private:
  [[nodiscard]] Error differs(char letter, std::string_view how) const;

  std::string folder_;
  std::string manifest_path_;
  std::uint32_t schema_ = 0;
  std::set<char> letters_;
  std::vector<std::string> strangers_;
  std::optional<Manifest> manifest_;
};

/// The schema that all files of a dump folder have. Errors: dump-foreign, dump-damaged (files of
/// two), no-conversion for files of 0.8 to 0.14.
[[nodiscard]] Result<std::uint32_t> schema_of_dump(const std::string& dump);

}  // namespace plan::dump
