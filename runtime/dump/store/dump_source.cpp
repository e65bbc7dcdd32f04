#include "runtime/dump/store/dump_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <mutex>

#include "compiler/ir/digest.h"
#include "runtime/dump/errors.h"
#include "runtime/dump/frame_reader.h"
#include "runtime/dump/manifest.h"
#include "runtime/dump/output_folder.h"
#include "runtime/dump/store/letter_queue.h"
#include "runtime/dump/store/selection.h"
#include "runtime/dump/subspace.h"

namespace plan::dump {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSchemaKey{"\0", 1};

Error damaged(const std::string& path, std::string what) {
  return Error(errors::dump_damaged, fmt::format("{}: {}", path, what));
}

struct Walked {
  SourceFile file = {};
  FileHeader header = {};
  std::string schema_row = {};
};

Result<Walked> walk(const std::string& path, char letter) {
  PLAN_TRY(reader, FrameReader::open(path, {.is_stream_digested = true, .is_ahead = true}));
  Walked walked;
  walked.header = *reader->header();
  if (walked.header.letter != letter) {
    return damaged(
        path, fmt::format("holds subspace {}, which its name does not say", walked.header.letter));
  }
  std::string last;
  bool is_first = true;
  while (true) {
    PLAN_TRY(has_record, reader->next());
    if (!has_record) break;
    if (!is_first && reader->key() <= last) {
      return damaged(path, fmt::format("the key of record {} is not above the one before",
                                       reader->records() + 1));
    }
    last = reader->key();
    if (is_first && letter == 'p' && last == kSchemaKey) {
      PLAN_TRY(value, reader->value(64));
      walked.schema_row = value;
    }
    is_first = false;
  }
  walked.file = {path, reader->records(), reader->key_bytes() + reader->value_bytes_total(),
                 reader->stream_digest().hex()};
  return walked;
}

}  // namespace

std::string DumpSource::identity() const {
  std::string text = fmt::format("schema {}\n", schema);
  for (const auto& [letter, file] : files) {
    text += fmt::format("{} {} {}\n", letter, file.records, file.record_stream_sha256);
  }
  return ir::sha256(text).hex();
}

Result<DumpSource> read_dump_source(const std::string& folder,
                                    const std::vector<std::string>& subspaces, unsigned parallel) {
  PLAN_TRY_VOID(must_be_finished(folder));
  std::error_code code;
  std::map<char, std::string> paths;
  for (const auto& entry : fs::directory_iterator(folder, code)) {
    const std::string name = entry.path().filename().string();
    if (entry.is_directory(code)) continue;
    const char letter = letter_of_file_name(name);
    if (letter == 0) {
      return Error(errors::dump_foreign,
                   fmt::format("{} is no part of a dump; the server's importer would take it for "
                               "one",
                               entry.path().string()));
    }
    paths[letter] = entry.path().string();
  }
  if (code) return Error(errors::dump_unreadable, fmt::format("{}: {}", folder, code.message()));
  if (paths.empty()) return Error(errors::dump_foreign, fmt::format("{} holds no dump", folder));

  DumpSource source;
  {
    PLAN_TRY(first, FrameReader::open(paths.begin()->second));
    source.schema = first->header()->schema;
  }
  std::vector<char> letters;
  if (subspaces.empty()) {
    for (const auto& [letter, path] : paths) letters.push_back(letter);
  } else {
    PLAN_TRY(selected, select_letters(subspaces, source.schema));
    source.notes = selected.notes;
    for (const char letter : selected.letters) {
      if (paths.contains(letter)) {
        letters.push_back(letter);
      } else {
        return Error(errors::dump_foreign,
                     fmt::format("{} has no file of subspace {}", folder, letter));
      }
    }
  }
  for (const char letter : letters) {
    const Subspace* subspace = find_subspace(letter, source.schema);
    if (subspace == nullptr || !subspace->is_exported()) {
      return damaged(paths[letter], "no export of this version writes this subspace");
    }
  }
  std::mutex mutex;
  PLAN_TRY_VOID(for_each_letter(letters, parallel, [&](char letter) -> Outcome {
    PLAN_TRY(walked, walk(paths[letter], letter));
    const std::scoped_lock lock(mutex);
    if (walked.header.schema != source.schema) {
      return damaged(paths[letter], fmt::format("has schema {}, another file has {}",
                                                walked.header.schema, source.schema));
    }
    if (letter == 'p') source.schema_row = walked.schema_row;
    source.files[letter] = walked.file;
    return {};
  }));

  const std::string manifest_path = manifest_path_of(folder);
  if (!fs::exists(manifest_path, code)) {
    source.notes.emplace_back(
        "no manifest lies beside the dump: a file cut between two records could not be told from "
        "a whole one");
    return source;
  }
  PLAN_TRY(manifest, read_manifest(manifest_path));
  for (const auto& [letter, file] : source.files) {
    const Manifest::File* known = manifest.find(file_name_of(letter));
    if (known == nullptr || known->record_stream_sha256 != file.record_stream_sha256) {
      return damaged(file.path, fmt::format("is not the file that {} lists", manifest_path));
    }
  }
  source.is_proved = true;
  return source;
}

}  // namespace plan::dump
