#include "runtime/dump/store/export_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>

#include "compiler/ir/json.h"
#include "runtime/dump/errors.h"
#include "runtime/dump/manifest.h"
#include "runtime/dump/store/errors.h"
#include "runtime/dump/store/letter_queue.h"
#include "runtime/dump/store/selection.h"
#include "runtime/dump/store/stopped.h"
#include "runtime/dump/store/store_reader.h"
#include "runtime/dump/subspace.h"

namespace plan::dump {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kReportEvery = 4096;
constexpr std::string_view kStateName = ".state.json";

ir::Value value_of(const WrittenFile& file) {
  return ir::Value::map({{"letter", std::string(1, file.header.letter)},
                         {"schema", file.header.schema},
                         {"records", file.records},
                         {"key_bytes", file.key_bytes},
                         {"value_bytes", file.value_bytes},
                         {"file_bytes", file.file_bytes},
                         {"sha256", file.file_digest.hex()},
                         {"record_stream_sha256", file.stream_digest.hex()}});
}

ir::Sha256 digest_of(std::string_view hex) {
  ir::Sha256 digest;
  const auto digit = [](char c) {
    return static_cast<unsigned>(c >= 'a' ? c - 'a' + 10 : c - '0') & 15U;
  };
  for (std::size_t i = 0; i < digest.bytes.size() && 2 * i + 1 < hex.size(); ++i) {
    digest.bytes[i] = static_cast<std::uint8_t>(digit(hex[2 * i]) << 4U | digit(hex[2 * i + 1]));
  }
  return digest;
}

WrittenFile file_of(const ir::Value& value, const std::string& folder) {
  WrittenFile file;
  const std::string_view letter = value["letter"].string_or("");
  if (letter.empty()) return file;
  file.header.letter = letter[0];
  file.header.schema = static_cast<std::uint32_t>(value["schema"].integer_or(0));
  file.path = (fs::path(folder) / file_name_of(file.header.letter)).string();
  file.records = static_cast<std::uint64_t>(value["records"].integer_or(0));
  file.key_bytes = static_cast<std::uint64_t>(value["key_bytes"].integer_or(0));
  file.value_bytes = static_cast<std::uint64_t>(value["value_bytes"].integer_or(0));
  file.file_bytes = static_cast<std::uint64_t>(value["file_bytes"].integer_or(0));
  file.file_digest = digest_of(value["sha256"].string_or(""));
  file.stream_digest = digest_of(value["record_stream_sha256"].string_or(""));
  return file;
}

/// What the partial folder says about itself: which store it is of, and which files are whole. Lies
/// beside the folder, so that no importer takes it for a part of the dump.
class ExportState {
 public:
  ExportState(std::string folder, ir::Value source)
      : folder_(std::move(folder)), source_(std::move(source)) {}

  /// Files of an earlier run of the same export that are whole; everything else in the folder goes.
  Outcome begin() {
    std::error_code code;
    const bool has_state = fs::exists(path(), code);
    if (fs::exists(folder_, code) && !fs::is_empty(folder_, code) && !has_state) {
      return Error(errors::export_folder_in_use,
                   fmt::format("{} has files in it that no export of plan began", folder_));
    }
    if (has_state) read();
    fs::create_directories(folder_, code);
    if (code) {
      return Error(errors::dump_unwritable, fmt::format("{}: {}", folder_, code.message()));
    }
    for (const auto& entry : fs::directory_iterator(folder_, code)) {
      const char letter = letter_of_file_name(entry.path().filename().string());
      const auto done = done_.find(letter);
      if (done != done_.end() && entry.file_size(code) == done->second.file_bytes) continue;
      if (letter == 0) {
        return Error(errors::export_folder_in_use,
                     fmt::format("{} is no part of a dump", entry.path().string()));
      }
      fs::remove(entry.path(), code);
      done_.erase(letter);
    }
    return write();
  }

  Outcome add(const WrittenFile& file) {
    const std::scoped_lock lock(mutex_);
    done_[file.header.letter] = file;
    return write();
  }

  [[nodiscard]] const std::map<char, WrittenFile>& done() const { return done_; }
  [[nodiscard]] std::string path() const { return folder_ + std::string(kStateName); }

 private:
  void read() {
    std::ifstream file(path(), std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(file)), {});
    const auto state = ir::parse_json(text);
    if (!state || !((*state)["source"] == source_)) return;
    for (const ir::Value& item : (*state)["files"].items()) {
      const WrittenFile done = file_of(item, folder_);
      if (done.header.letter != 0) done_[done.header.letter] = done;
    }
  }

  Outcome write() {
    ir::Value files = ir::Value::list();
    for (const auto& [letter, file] : done_) files.push_back(value_of(file));
    const ir::Value state = ir::Value::map({{"source", source_}, {"files", std::move(files)}});
    const std::string next = path() + ".next";
    {
      std::ofstream file(next, std::ios::binary | std::ios::trunc);
      file << ir::canonical_json(state) << '\n';
      if (!file.flush()) {
        return Error(errors::dump_unwritable, fmt::format("{} cannot be written", next));
      }
    }
    std::error_code code;
    fs::rename(next, path(), code);
    if (code) return Error(errors::dump_unwritable, fmt::format("{}: {}", path(), code.message()));
    return {};
  }

  std::string folder_;
  ir::Value source_;
  std::map<char, WrittenFile> done_;
  std::mutex mutex_;
};

/// One run: what its threads share.
class ExportRun {
 public:
  ExportRun(StoreReader& reader, const StoreAddress& address, const ExportOptions& options,
            ExportState& state, std::string folder, std::uint32_t schema)
      : reader_(reader),
        address_(address),
        options_(options),
        state_(state),
        folder_(std::move(folder)),
        schema_(schema),
        count_(options.progress, options.is_stopped) {}

  Outcome write_letter(char letter) {
    BlobFaults faults;
    PLAN_TRY(rows, open_dump_rows(reader_, address_, letter,
                                  {schema_, options_.skips_damaged_blobs}, faults));
    PLAN_TRY(writer, FrameWriter::create(
                         (fs::path(folder_) / file_name_of(letter)).string(), {letter, schema_},
                         {.has_end_mark = options_.is_end_marked || options_.is_checksummed,
                          .has_checksum = options_.is_checksummed,
                          .is_behind = true}));
    std::uint64_t records = 0;
    std::uint64_t bytes = 0;
    std::string last;
    Record record;
    while (rows != nullptr) {
      auto has_row = rows->next(record);
      if (!has_row)
        return std::move(has_row).error().while_doing(
            fmt::format("reading subspace {} of {}", letter, address_.name()));
      if (!*has_row) break;
      if (records > 0 && record.key <= last) {
        return Error(
            errors::store_row_wrong,
            fmt::format("{}: row {} of subspace {} does not follow the key before it: key {}",
                        address_.name(), records + 1, letter,
                        ir::to_hex(record.key.substr(0, 64))));
      }
      last = record.key;
      ++records;
      bytes += record.key.size() + record.value.size();
      PLAN_TRY_VOID(writer->append(record));
      if (records % kReportEvery == 0) {
        PLAN_TRY_VOID(count_.add(letter, kReportEvery, std::exchange(bytes, 0), "records"));
      }
    }
    PLAN_TRY_VOID(count_.add(letter, records % kReportEvery, bytes, "records"));
    const Subspace* subspace = find_subspace(letter, schema_);
    if (subspace == nullptr || subspace->value != ValueKind::blob) {
      PLAN_TRY_VOID(reader_.check_count(letter, records));
    } else if (records == 0 && faults.missing > 0) {
      return Error(
          errors::blobs_elsewhere,
          fmt::format("{} links {} blob{}, and {} has none of them", address_.name(),
                      faults.missing, faults.missing == 1 ? "" : "s",
                      address_.blob_folder.empty() ? "its subspace t" : address_.blob_folder));
    }
    PLAN_TRY(file, writer->finish());
    PLAN_TRY_VOID(state_.add(file));
    if (options_.after_durable) options_.after_durable();
    const std::scoped_lock lock(mutex_);
    faults_.missing += faults.missing;
    faults_.damaged += faults.damaged;
    faults_.first.insert(faults_.first.end(), faults.first.begin(), faults.first.end());
    return {};
  }

  [[nodiscard]] const BlobFaults& faults() const { return faults_; }

 private:
  StoreReader& reader_;
  const StoreAddress& address_;
  const ExportOptions& options_;
  ExportState& state_;
  std::string folder_;
  std::uint32_t schema_;
  std::mutex mutex_;
  BlobFaults faults_;
  TransferCount count_;
};

std::string joined(const std::vector<char>& letters) { return {letters.begin(), letters.end()}; }

}  // namespace

Result<ExportReport> export_store(const StoreAddress& address, const ExportOptions& options) {
  std::error_code code;
  if (fs::exists(options.folder, code) && !fs::is_empty(options.folder, code)) {
    return Error(errors::export_folder_in_use, fmt::format("{} is not empty", options.folder));
  }
  PLAN_TRY_VOID(check_stopped(address, {options.ports}));
  PLAN_TRY(reader, open_store_reader(address));
  ExportReport report;
  PLAN_TRY(schema, schema_of_store(*reader).while_doing("reading " + address.name()));
  report.schema = schema;
  PLAN_TRY(selected, select_letters(options.subspaces, schema));
  report.notes = selected.notes;
  PLAN_TRY(before, reader->fingerprint());

  const std::string folder = options.folder + ".partial";
  ExportState state(folder, ir::Value::map({{"store", address.name()},
                                            {"fingerprint", before},
                                            {"schema", schema},
                                            {"letters", joined(selected.letters)},
                                            {"has_end_mark", options.is_end_marked},
                                            {"has_checksum", options.is_checksummed}}));
  PLAN_TRY_VOID(state.begin());
  std::vector<char> open;
  for (const char letter : selected.letters) {
    // A store that cannot tell whether it changed is read again from its beginning.
    const bool is_kept = state.done().contains(letter) && !before.empty();
    if (is_kept) {
      report.kept.push_back(letter);
    } else {
      fs::remove(fs::path(folder) / file_name_of(letter), code);
      open.push_back(letter);
    }
  }
  // The largest subspaces first: the last thread to end decides how long it takes.
  std::stable_partition(open.begin(), open.end(), [](char letter) { return letter == 't'; });
  ExportRun run(*reader, address, options, state, folder, schema);
  PLAN_TRY_VOID(for_each_letter(open, std::min(options.parallel, reader->cursors_max()),
                                [&run](char letter) { return run.write_letter(letter); }));
  report.blobs = run.faults();
  PLAN_TRY(after, reader->fingerprint());
  if (after != before) {
    return Error(errors::store_changed,
                 fmt::format("{} was written to in the meantime", address.name()));
  }
  for (const auto& [letter, file] : state.done()) {
    WrittenFile moved = file;
    moved.path = (fs::path(options.folder) / file_name_of(letter)).string();
    report.files.push_back(std::move(moved));
  }
  // Empty until the files take its place: the manifest's path is that of a folder which is there.
  fs::create_directories(options.folder, code);
  report.manifest = manifest_path_of(options.folder);
  PLAN_TRY_VOID(write_manifest(manifest_of(report.files), report.manifest));
  if (options.after_durable) options.after_durable();
  fs::rename(folder, options.folder, code);
  if (code) {
    return Error(errors::dump_unwritable, fmt::format("{}: {}", options.folder, code.message()));
  }
  fs::remove(state.path(), code);
  return report;
}

ir::Value to_value(const ExportReport& report) {
  ir::Value files = ir::Value::list();
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
  for (const WrittenFile& file : report.files) {
    ir::Value item = value_of(file);
    item.set("name", file_name_of(file.header.letter));
    files.push_back(std::move(item));
    records += file.records;
    bytes += file.key_bytes + file.value_bytes;
  }
  const auto texts = [](const auto& items) {
    ir::Value list = ir::Value::list();
    for (const auto& item : items) list.push_back(std::string(item));
    return list;
  };
  ir::Value kept = ir::Value::list();
  for (const char letter : report.kept) kept.push_back(std::string(1, letter));
  return ir::Value::map({{"schema", report.schema},
                         {"files", std::move(files)},
                         {"records", records},
                         {"bytes", bytes},
                         {"kept", std::move(kept)},
                         {"blobs_missing", report.blobs.missing},
                         {"blobs_damaged", report.blobs.damaged},
                         {"blob_faults", texts(report.blobs.first)},
                         {"notes", texts(report.notes)},
                         {"manifest", report.manifest}});
}

}  // namespace plan::dump
