#include "runtime/dump/input_dump.h"

#include <fmt/format.h>

#include <filesystem>

#include "compiler/source/text.h"
#include "runtime/dump/byte_source.h"
#include "runtime/dump/dump_folder.h"
#include "runtime/dump/errors.h"
#include "runtime/dump/frame_reader.h"
#include "runtime/dump/old_dump.h"
#include "runtime/dump/output_folder.h"
#include "runtime/dump/proof.h"

namespace plan::dump {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{1} << 18U;

}  // namespace

Result<std::uint32_t> schema_of_dump(const std::string& dump) {
  PLAN_TRY(folder, list_dump(dump));
  if (folder.is_single_file)
    return Error(errors::dump_foreign, dump + " is one file; a folder of them is needed");
  std::uint32_t schema = 0;
  for (const DumpEntry& entry : folder.entries) {
    if (letter_of_file_name(entry.name) == 0) {
      if (is_old_dump(entry.path))
        return Error(errors::no_conversion,
                     dump + " is of 0.8 to 0.14; no later version takes what it holds");
      continue;
    }
    PLAN_TRY(reader, FrameReader::open(entry.path));
    const std::uint32_t found = reader->header()->schema;
    if (schema != 0 && found != schema)
      return Error(errors::dump_damaged,
                   fmt::format("{} has files of schema {} and of {}", dump, schema, found));
    schema = found;
  }
  if (subspaces(schema).empty())
    return Error(errors::dump_foreign, fmt::format("{} holds no dump of 0.15 or 0.16", dump));
  return schema;
}

Result<InputDump> InputDump::open(const std::string& folder) {
  PLAN_TRY_VOID(must_be_finished(folder));
  PLAN_TRY(schema, schema_of_dump(folder));
  InputDump dump;
  dump.folder_ = folder;
  dump.schema_ = schema;
  PLAN_TRY(listed, list_dump(folder));
  for (const DumpEntry& entry : listed.entries) {
    const char letter = letter_of_file_name(entry.name);
    const Subspace* subspace = find_subspace(letter, schema);
    if (letter == 0) {
      // The importer goes by what is inside.
      const FrameReader reader(std::make_unique<FileSource>(entry.path), {});
      if (reader.header() &&
          find_subspace(reader.header()->letter, reader.header()->schema) != nullptr)
        return Error(errors::dump_damaged,
                     fmt::format("{} holds subspace {} under another name; call it {}, or take it "
                                 "out of the folder",
                                 entry.path, reader.header()->letter,
                                 file_name_of(reader.header()->letter)));
    }
    if (subspace != nullptr) dump.letters_.insert(letter);
    if (subspace == nullptr || !subspace->is_exported())
      dump.strangers_.push_back(printable(entry.name, 255));
  }
  dump.manifest_path_ = manifest_for(folder, {});
  if (!dump.manifest_path_.empty()) {
    PLAN_TRY(manifest, read_manifest(dump.manifest_path_));
    dump.manifest_ = std::move(manifest);
  }
  return dump;
}

std::string InputDump::file_of(char letter) const { return folder_ + "/" + file_name_of(letter); }

Error InputDump::differs(char letter, std::string_view how) const {
  return Error(errors::manifest_differs,
               fmt::format("{} is not what {} says: {}", file_of(letter), manifest_path_, how));
}

Outcome InputDump::check_letters(const std::set<char>& letters) const {
  if (!manifest_) return {};
  for (const char letter : letters) {
    const bool is_known = manifest_->find(file_name_of(letter)) != nullptr;
    if (is_known && !has(letter)) return differs(letter, "the file is missing");
    if (!is_known && has(letter)) return differs(letter, "it is not in the manifest");
  }
  return {};
}

Outcome InputDump::check_digest(char letter, const ir::Sha256& digest) const {
  if (!manifest_) return {};
  const Manifest::File* known = manifest_->find(file_name_of(letter));
  if (known == nullptr) return differs(letter, "it is not in the manifest");
  if (known->sha256 == digest.hex()) return {};
  return differs(letter, fmt::format("the digest of the file is {}, it was {}", digest.hex(),
                                     printable(known->sha256, 64)));
}

Outcome InputDump::check_file(char letter) const {
  if (!manifest_ || !has(letter)) return {};
  FileSource source(file_of(letter));
  ir::Sha256Stream digest;
  std::string piece(kPieceBytes, '\0');
  while (const std::size_t count = source.read(piece.data(), piece.size()))
    digest.update(std::string_view(piece).substr(0, count));
  if (source.fault()) return to_error(*source.fault()).while_doing("reading " + file_of(letter));
  return check_digest(letter, digest.finish());
}

}  // namespace plan::dump
