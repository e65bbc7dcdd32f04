#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "compiler/ir/digest.h"
#include "compiler/source/result.h"
#include "runtime/dump/frame_writer.h"

namespace plan::dump {

/// What a dump consists of, taken when it was known to be whole: the only proof that a bare dump
/// can have (docs/dump.md). It lies beside the folder, never inside, where the importer would take
/// it for a part of the dump.
struct Manifest {
  struct File {
    std::string name = {};
    FileHeader header = {};
    std::uint64_t records = 0;
    std::uint64_t key_bytes = 0;
    std::uint64_t value_bytes = 0;
    std::uint64_t file_bytes = 0;
    std::string sha256 = {};                ///< of the file, hexadecimal
    std::string record_stream_sha256 = {};  ///< of the content after its header
  };
  std::vector<File> files = {};  ///< by name

  [[nodiscard]] const File* find(std::string_view name) const;
};

/// `DIR.manifest.json` beside a folder; for a file of a folder that of its folder.
[[nodiscard]] std::string manifest_path_of(const std::string& dump_path);

[[nodiscard]] Manifest manifest_of(const std::vector<WrittenFile>& files);

/// Writes JSON with a digest over itself, through a temporary file. Error: dump-unwritable.
[[nodiscard]] Outcome write_manifest(const Manifest& manifest, const std::string& path);
/// Error: manifest-unusable (not there, no manifest, or its own digest is wrong).
[[nodiscard]] Result<Manifest> read_manifest(const std::string& path);

}  // namespace plan::dump
