#include "runtime/dump/store/import_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>

#include "compiler/ir/digest.h"
#include "runtime/dump/errors.h"
#include "runtime/dump/frame_reader.h"
#include "runtime/dump/store/blob_encoding.h"
#include "runtime/dump/store/blob_folder.h"
#include "runtime/dump/store/dump_source.h"
#include "runtime/dump/store/errors.h"
#include "runtime/dump/store/letter_queue.h"
#include "runtime/dump/store/stopped.h"
#include "runtime/dump/store/store_look.h"
#include "runtime/dump/store/store_reader.h"
#include "runtime/dump/store/store_writer.h"
#include "runtime/dump/subspace.h"

namespace plan::dump {
namespace {

constexpr std::string_view kSchemaKey{"\0", 1};

bool is_schema_row(char letter, std::string_view key) { return letter == 'p' && key == kSchemaKey; }

Error not_in_store(char letter, std::uint64_t number, std::string_view key) {
  return Error(errors::import_differs,
               fmt::format("subspace {}: record {} of the dump, key {}, is not in the store",
                           letter, number, ir::to_hex(key.substr(0, 64))));
}

Error not_in_dump(char letter, std::string_view key) {
  return Error(errors::import_differs,
               fmt::format("subspace {}: the store has a key that the dump has not: {}", letter,
                           ir::to_hex(key.substr(0, 64))));
}

Error another_value(char letter, std::string_view key) {
  return Error(errors::import_differs,
               fmt::format("subspace {}: the value of key {} is another one", letter,
                           ir::to_hex(key.substr(0, 64))));
}

/// Every blob of the dump, linked or not, and none that only the store links.
Outcome compare_blobs(StoreReader& reader, const StoreAddress& address, char letter,
                      const std::string& path, std::uint32_t schema) {
  BlobFaults faults;
  PLAN_TRY(rows, open_blob_rows(reader, address, {schema, false}, faults));
  PLAN_TRY(file, FrameReader::open(path, {.is_ahead = true}));
  Record stored;
  while (true) {
    PLAN_TRY(wanted, file->next_record(kStoreValueMax));
    if (!wanted) break;
    bool has_stored = false;
    if (rows != nullptr) {
      rows->look_for(wanted->key);
      PLAN_TRY(has_row, rows->next(stored));
      has_stored = has_row;
    }
    if (!has_stored || stored.key > wanted->key)
      return not_in_store(letter, file->records(), wanted->key);
    if (stored.key < wanted->key) return not_in_dump(letter, stored.key);
    if (stored.value != wanted->value) return another_value(letter, wanted->key);
  }
  if (rows == nullptr) return {};
  PLAN_TRY(has_more, rows->next(stored));
  if (has_more) return not_in_dump(letter, stored.key);
  return {};
}

/// Both sides of one subspace at once. The row with the schema version is compared only when both
/// have it: an import puts it last.
Outcome compare_letter(StoreReader& reader, const StoreAddress& address, char letter,
                       const std::string& path, std::uint32_t schema, NodeLeases leases) {
  const Subspace* subspace = find_subspace(letter, schema);
  if (subspace != nullptr && subspace->value == ValueKind::blob)
    return compare_blobs(reader, address, letter, path, schema);
  BlobFaults faults;
  PLAN_TRY(rows, open_dump_rows(reader, address, letter, {schema, false}, faults));
  PLAN_TRY(file, FrameReader::open(path, {.is_ahead = true}));
  Record stored;
  bool has_stored = rows != nullptr;
  const auto is_passed_over = [&](std::string_view key) {
    return leases == NodeLeases::ignored && letter == 'g' && key.starts_with("\xff\xff\xff\xff");
  };
  const auto step = [&]() -> Outcome {
    do {
      if (!has_stored) return {};
      PLAN_TRY(has_row, rows->next(stored));
      has_stored = has_row;
    } while (has_stored && is_passed_over(stored.key));
    return {};
  };
  PLAN_TRY_VOID(step());
  while (true) {
    PLAN_TRY(wanted, file->next_record(kStoreValueMax));
    if (!wanted) break;
    if (is_schema_row(letter, wanted->key) && (!has_stored || stored.key != kSchemaKey)) continue;
    if (is_passed_over(wanted->key)) continue;
    if (!has_stored || stored.key > wanted->key)
      return not_in_store(letter, file->records(), wanted->key);
    if (stored.key < wanted->key) return not_in_dump(letter, stored.key);
    if (stored.value != wanted->value) return another_value(letter, wanted->key);
    PLAN_TRY_VOID(step());
  }
  if (has_stored) return not_in_dump(letter, stored.key);
  return {};
}

Outcome compare_all(const StoreAddress& address, const DumpSource& source, unsigned parallel,
                    NodeLeases leases) {
  PLAN_TRY(reader, open_store_reader(address));
  std::vector<char> letters;
  letters.reserve(source.files.size());
  for (const auto& [letter, file] : source.files) letters.push_back(letter);
  return for_each_letter(
      letters, std::min(parallel, reader->cursors_max()), [&](char letter) -> Outcome {
        return compare_letter(*reader, address, letter, source.files.at(letter).path, source.schema,
                              leases);
      });
}

class ImportRun {
 public:
  ImportRun(StoreWriter& writer, const StoreAddress& address, const ImportOptions& options,
            const DumpSource& source)
      : writer_(writer),
        address_(address),
        options_(options),
        source_(source),
        count_(options.progress, options.is_stopped) {}

  Outcome write_letter(char letter) {
    const SourceFile& file = source_.files.at(letter);
    ImportProgress progress;
    {
      // One connection serves all questions about progress.
      const std::scoped_lock lock(mutex_);
      PLAN_TRY(known, writer_.progress(letter));
      progress = known;
      ImportReport::File& shown = report_[letter];
      shown = {letter, file.records, file.bytes, progress.records, file.record_stream_sha256};
    }
    if (progress.is_done) return {};
    PLAN_TRY(subspace_writer, writer_.open(letter));
    const Subspace* subspace = find_subspace(letter, source_.schema);
    const bool is_blob = subspace != nullptr && subspace->value == ValueKind::blob;
    std::unique_ptr<BlobFolder> blobs;
    if (is_blob && !address_.blob_folder.empty()) {
      blobs = std::make_unique<BlobFolder>(address_.blob_folder, address_.blob_depth);
    }
    PLAN_TRY(reader, FrameReader::open(file.path, {.is_ahead = true}));
    std::string room;
    std::size_t pending_bytes = 0;
    std::uint64_t pending_records = 0;
    const auto commit = [&]() -> Outcome {
      // Files first: a note must never be ahead of what it tells of.
      if (blobs) PLAN_TRY_VOID(blobs->sync());
      PLAN_TRY_VOID(subspace_writer->commit(progress));
      if (options_.after_durable) options_.after_durable();
      PLAN_TRY_VOID(count_.add(letter, pending_records, pending_bytes, "transactions"));
      pending_bytes = 0;
      pending_records = 0;
      return {};
    };
    while (true) {
      PLAN_TRY(has_record, reader->next());
      if (!has_record) break;
      if (progress.records > 0 && reader->key() <= progress.last_key) continue;
      const std::string key(reader->key());
      PLAN_TRY(value, reader->value(kStoreValueMax));
      if (!is_schema_row(letter, key)) {
        Record record{key, value};
        if (is_blob) {
          record.value = encode_blob(source_.schema, address_.blob_compression, value, room);
        }
        if (blobs) {
          PLAN_TRY_VOID(blobs->put(record));
        } else {
          PLAN_TRY_VOID(subspace_writer->put(record));
        }
      }
      progress.last_key = key;
      ++progress.records;
      ++pending_records;
      pending_bytes += key.size() + value.size();
      if (pending_bytes >= options_.commit_bytes || pending_records >= options_.commit_records) {
        PLAN_TRY_VOID(commit());
      }
    }
    if (progress.records != file.records) {
      return Error(errors::dump_changed,
                   fmt::format("{} has {} record{} now, and had {} when it was checked", file.path,
                               progress.records, progress.records == 1 ? "" : "s", file.records));
    }
    progress.is_done = true;
    return commit();
  }

  [[nodiscard]] const std::map<char, ImportReport::File>& report() const { return report_; }

 private:
  StoreWriter& writer_;
  const StoreAddress& address_;
  const ImportOptions& options_;
  const DumpSource& source_;
  std::mutex mutex_;
  std::map<char, ImportReport::File> report_;
  TransferCount count_;
};

/// The target is empty, or holds the beginning of this very import.
Outcome check_target(StoreWriter& writer, const StoreAddress& address, const DumpSource& source,
                     const ImportOptions& options) {
  PLAN_TRY(begun, writer.begun_import());
  if (begun == source.identity()) return {};
  if (!begun.empty()) {
    return Error(
        errors::target_not_ours,
        fmt::format("{} holds the beginning of the import of another dump", address.name()));
  }
  PLAN_TRY(filled, writer.filled_subspaces());
  std::string in_the_way;
  for (const char letter : filled) {
    if (!options.may_add || source.files.contains(letter)) in_the_way += letter;
  }
  if (!in_the_way.empty()) {
    return Error(errors::target_not_empty,
                 fmt::format("{} has rows of the subspaces {}", address.name(), in_the_way));
  }
  if (source.files.contains('t') && !address.blob_folder.empty()) {
    return check_blob_folder_empty(address.blob_folder);
  }
  return {};
}

}  // namespace

Result<ImportReport> import_store(const StoreAddress& address, const ImportOptions& options) {
  PLAN_TRY(source, read_dump_source(options.folder, options.subspaces, options.parallel));
  if (!source.files.contains('p') && !options.may_lack_properties) {
    return Error(errors::dump_foreign,
                 "the properties (subspace p, family data) with the schema version are not among "
                 "the files: 0.15 erases what a store without them holds, 0.16 does not start on "
                 "it")
        .with_blame(Blame::plan);
  }
  if (source.files.contains('p') && source.schema_row.empty()) {
    return Error(errors::dump_damaged, "subspace p has no row with the schema version");
  }
  PLAN_TRY_VOID(check_stopped(address, {options.ports}));
  PLAN_TRY_VOID(check_nothing_foreign(address));
  ImportReport report;
  report.schema = source.schema;
  report.is_proved = source.is_proved;
  report.notes = source.notes;
  {
    PLAN_TRY(writer, open_store_writer(address));
    PLAN_TRY_VOID(check_target(*writer, address, source, options));
    PLAN_TRY_VOID(writer->prepare(source.schema, source.identity()));
    if (options.after_durable) options.after_durable();
    std::vector<char> letters;
    letters.reserve(source.files.size());
    for (const auto& [letter, file] : source.files) letters.push_back(letter);
    std::stable_sort(letters.begin(), letters.end(), [&source](char a, char b) {
      return source.files.at(a).bytes > source.files.at(b).bytes;
    });
    ImportRun run(*writer, address, options, source);
    PLAN_TRY_VOID(for_each_letter(letters, std::min(options.parallel, writer->writers_max()),
                                  [&run](char letter) { return run.write_letter(letter); }));
    for (const auto& [letter, file] : run.report()) report.files.push_back(file);
  }
  // Closed and opened again: what is compared is what a server would find.
  PLAN_TRY_VOID(compare_all(address, source, options.parallel, NodeLeases::compared)
                    .while_doing("reading back what was put into " + address.name()));
  PLAN_TRY(writer, open_store_writer(address));
  std::vector<std::pair<std::string, std::string>> last;
  if (!source.schema_row.empty()) last.emplace_back(std::string(kSchemaKey), source.schema_row);
  PLAN_TRY_VOID(writer->finish(last));
  if (options.after_durable) options.after_durable();
  return report;
}

Outcome compare_with_store(const StoreAddress& address, const std::string& folder,
                           const std::vector<std::string>& subspaces, unsigned parallel,
                           NodeLeases leases) {
  PLAN_TRY(source, read_dump_source(folder, subspaces, parallel));
  return compare_all(address, source, parallel, leases)
      .while_doing(fmt::format("comparing {} with {}", address.name(), folder));
}

ir::Value to_value(const ImportReport& report) {
  ir::Value files = ir::Value::list();
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
  for (const ImportReport::File& file : report.files) {
    files.push_back(ir::Value::map({{"letter", std::string(1, file.letter)},
                                    {"records", file.records},
                                    {"bytes", file.bytes},
                                    {"resumed_at", file.resumed_at},
                                    {"record_stream_sha256", file.record_stream_sha256}}));
    records += file.records;
    bytes += file.bytes;
  }
  ir::Value notes = ir::Value::list();
  for (const std::string& note : report.notes) notes.push_back(note);
  return ir::Value::map({{"schema", report.schema},
                         {"is_proved", report.is_proved},
                         {"files", std::move(files)},
                         {"records", records},
                         {"bytes", bytes},
                         {"notes", std::move(notes)}});
}

}  // namespace plan::dump
