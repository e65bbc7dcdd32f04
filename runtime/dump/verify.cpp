#include "runtime/dump/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <set>

#include "compiler/source/text.h"
#include "runtime/dump/dump_folder.h"
#include "runtime/dump/errors.h"
#include "runtime/dump/old_dump.h"
#include "runtime/dump/output_folder.h"
#include "runtime/dump/proof.h"
#include "runtime/dump/record_check.h"
#include "runtime/dump/references.h"

namespace plan::dump {
namespace {

constexpr std::uint64_t kRecordsPerProgress = 1 << 14;

constexpr std::string_view kNoEndMark =
    "the frame has no end mark: a cut between two records at the end of a block leaves no trace";
constexpr std::string_view kNoChecksum =
    "the frame has no checksum: a changed byte that still decodes to records leaves no trace";

/// Letter and schema of a file without reading it further.
std::optional<FileHeader> header_of(const std::string& path) {
  const FrameReader reader(std::make_unique<FileSource>(path), {});
  return reader.header();
}

void check_header(FileReport& report, const FileHeader& header) {
  if (version_of_schema(header.schema) == "unknown") {
    const bool is_turned = __builtin_bswap32(header.schema) <= kSchema16;
    report.faults.add(
        {.kind = FaultKind::unknown_schema,
         .text = fmt::format("{}{}", header.schema,
                             is_turned ? ", which is a known one written big-endian" : "")});
  } else {
    const Subspace* subspace = find_subspace(header.letter, header.schema);
    if (subspace == nullptr)
      report.faults.add(
          {.kind = FaultKind::unknown_letter,
           .text = fmt::format("`{}`", printable(std::string_view(&header.letter, 1)))});
    else if (!subspace->is_exported())
      report.faults.add({.kind = FaultKind::not_exported,
                         .text = fmt::format("{} ({})", header.letter, subspace->name)});
  }
  const char named = letter_of_file_name(report.name);
  if (named != 0 && named != header.letter)
    report.faults.add(
        {.kind = FaultKind::another_letter,
         .text = fmt::format("`{}`", printable(std::string_view(&header.letter, 1)))});
}

void grade_file(FileReport& report) {
  if (report.faults.is_damaged()) {
    report.grade = Grade::damaged;
    return;
  }
  if (!report.family.empty()) {  // its reader has said what is not provable
    report.grade = Grade::unprovable;
    return;
  }
  const FrameHeader& frame = report.frame.header;
  if (report.frame.end != FrameEnd::marked) report.unprovable.emplace_back(kNoEndMark);
  if (!frame.has_content_checksum && !frame.has_block_checksum)
    report.unprovable.emplace_back(kNoChecksum);
  report.grade = report.unprovable.empty() ? Grade::intact : Grade::unprovable;
}

void read_file(FileReport& report, std::unique_ptr<ByteSource> source, bool is_ahead,
               const VerifyOptions& options, ReferenceBook* book) {
  FrameReader reader(std::move(source), {.is_file_digested = options.is_digested,
                                         .is_stream_digested = options.is_digested,
                                         .is_ahead = is_ahead});
  report.header = reader.header();
  const Subspace* subspace = nullptr;
  if (report.header) {
    subspace = find_subspace(report.header->letter, report.header->schema);
    check_header(report, *report.header);
  }
  std::optional<RecordCheck> check;
  if (subspace != nullptr && options.is_checked) {
    check.emplace(*subspace, report.faults);
    if (book != nullptr) book->begin(*subspace, report.faults);
  }
  while (!reader.fault()) {
    const auto is_there = reader.next();
    if (!is_there || !*is_there) break;
    if (check) {
      const auto record = check->check(reader);
      if (!record) break;
      if (book != nullptr) book->add(*record);
    }
    if (const std::uint64_t empty = reader.take_empty_records(); check) check->count_empty(empty);
    if (options.on_progress && reader.records() % kRecordsPerProgress == 0)
      options.on_progress(
          {.file = report.name, .file_bytes = reader.file_byte(), .records = reader.records()});
  }
  report.records = reader.records();
  report.key_bytes = reader.key_bytes();
  report.value_bytes = reader.value_bytes_total();
  if (reader.fault())
    report.faults.add(*reader.fault());
  else if (check)
    check->finish();
  if (check) report.hashed = check->hashed();
  if (reader.long_lengths() > 0) {
    report.faults.add({.kind = FaultKind::long_length,
                       .text = "the first one",
                       .record = reader.first_long_length()});
    report.faults.count_more(FaultKind::long_length, reader.long_lengths() - 1);
  }
  report.frame = reader.frame();
  if (options.is_digested) {
    const bool is_readable =
        !report.faults.has(FaultKind::not_a_file) && !report.faults.has(FaultKind::unreadable);
    if (is_readable) report.sha256 = reader.file_digest().hex();
    if (report.header) report.record_stream_sha256 = reader.stream_digest().hex();
  }
}

/// The schema that most files have; the smaller one of two as frequent.
std::uint32_t schema_of(const std::vector<FileReport>& files) {
  std::map<std::uint32_t, std::size_t> counts;
  for (const FileReport& file : files)
    if (file.header) ++counts[file.header->schema];
  std::uint32_t schema = 0;
  std::size_t most = 0;
  for (const auto& [candidate, count] : counts)
    if (count > most) schema = candidate, most = count;
  return schema;
}

/// What the files are to one another, from their headers. A file that the manifest does not know
/// either was left out when the dump was made.
void check_set(DumpReport& report, bool is_checked, const Manifest* manifest) {
  report.schema = schema_of(report.files);
  std::map<char, std::string> letters;
  for (FileReport& file : report.files) {
    if (!file.header) continue;
    if (file.header->schema != report.schema && is_checked)
      file.faults.add(
          {.kind = FaultKind::another_schema,
           .text = fmt::format("{}, the others have {}", file.header->schema, report.schema)});
    const auto [other, is_new] = letters.emplace(file.header->letter, file.name);
    if (!is_new && is_checked)
      report.faults.add({.kind = FaultKind::letter_twice,
                         .text = fmt::format("`{}` in {} and {}", file.header->letter,
                                             other->second, file.name)});
  }
  if (!is_checked || report.is_single_file) return;
  for (const std::string_view family : families(report.schema)) {
    std::string there, missing;
    for (const Subspace& subspace : subspaces(report.schema)) {
      if (subspace.family != family) continue;
      (letters.count(subspace.letter) != 0 ? there : missing) += subspace.letter;
    }
    if (there.empty()) {
      report.notes.push_back(fmt::format("family {} is not in this dump", family));
      if (family == "data" && !letters.empty())
        report.faults.add({.kind = FaultKind::missing_family_data, .text = "subspaces a i u n p"});
    }
    if (there.empty()) continue;
    for (const char letter : missing) {
      const std::string name = file_name_of(letter);
      if (manifest != nullptr && manifest->find(name) == nullptr) {
        report.notes.push_back(fmt::format("{} is in neither this dump nor its manifest", name));
        continue;
      }
      report.faults.add(
          {.kind = FaultKind::missing_file,
           .text = fmt::format("{}; an export of family {} writes it also when it is empty", name,
                               family)});
    }
  }
}

std::string text_of(const std::optional<FileHeader>& header) {
  return header ? std::string(1, header->letter) : std::string();
}

}  // namespace

const FileReport* DumpReport::find(char letter) const {
  for (const FileReport& file : files)
    if (file.header && file.header->letter == letter) return &file;
  return nullptr;
}

ir::Value FileReport::to_value(bool is_graded) const {
  const auto or_null = [](const std::string& text) {
    return text.empty() ? ir::Value(nullptr) : ir::Value(text);
  };
  ir::Value value = ir::Value::map(
      {{"name", printable(name, 255)},
       {"letter", or_null(printable(text_of(header)))},
       {"schema", header ? ir::Value(std::int64_t{header->schema}) : ir::Value(nullptr)},
       {"records", records},
       {"key_bytes", key_bytes},
       {"value_bytes", value_bytes},
       {"sha256", or_null(sha256)},
       {"record_stream_sha256", or_null(record_stream_sha256)}});
  const Subspace* subspace = header ? find_subspace(header->letter, header->schema) : nullptr;
  value.set("subspace", subspace != nullptr ? ir::Value(subspace->name) : ir::Value(nullptr));
  value.set("family", subspace != nullptr ? ir::Value(subspace->family) : or_null(family));
  value.set("file_bytes", frame.file_bytes);
  value.set("content_bytes", frame.content_bytes);
  if (family.empty()) {
    value.set("blocks", frame.blocks);
    value.set("has_end_mark", frame.end == FrameEnd::marked);
    value.set("has_checksum", frame.header.has_content_checksum || frame.header.has_block_checksum);
  }
  if (is_graded) {
    value.set("grade", dump::to_string(grade));
    ir::Value reasons = ir::Value::list();
    for (const std::string& reason : unprovable) reasons.push_back(reason);
    value.set("unprovable", std::move(reasons));
    value.set("values_hashed", hashed);
  }
  value.set("faults", faults.to_value());
  return value;
}

ir::Value DumpReport::to_value(bool is_graded) const {
  ir::Value list = ir::Value::list();
  std::uint64_t records = 0, key_bytes = 0, value_bytes = 0, file_bytes = 0;
  for (const FileReport& file : files) {
    list.push_back(file.to_value(is_graded));
    records += file.records;
    key_bytes += file.key_bytes;
    value_bytes += file.value_bytes;
    file_bytes += file.frame.file_bytes;
  }
  const auto texts = [](const std::vector<std::string>& lines) {
    ir::Value value = ir::Value::list();
    for (const std::string& line : lines) value.push_back(line);
    return value;
  };
  ir::Value value = ir::Value::map({{"path", path}});
  if (is_graded) value.set("grade", dump::to_string(grade));
  value.set("schema", schema != 0 ? ir::Value(std::int64_t{schema}) : ir::Value(nullptr));
  value.set("version", schema != 0 ? ir::Value(version_of_schema(schema)) : ir::Value(nullptr));
  value.set("files", std::move(list));
  value.set("totals", ir::Value::map({{"files", std::uint64_t{files.size()}},
                                      {"records", records},
                                      {"key_bytes", key_bytes},
                                      {"value_bytes", value_bytes},
                                      {"file_bytes", file_bytes}}));
  value.set("faults", faults.to_value());
  value.set("notes", texts(notes));
  if (is_graded) {
    value.set("manifest", manifest.empty() ? ir::Value(nullptr) : ir::Value(manifest));
    value.set("not_checked", texts(not_checked));
    value.set("references", references);
  }
  return value;
}

Result<DumpReport> verify_dump(const std::string& path, const VerifyOptions& options) {
  PLAN_TRY(folder, list_dump(path));
  if (folder.entries.empty()) {
    PLAN_TRY_VOID(must_be_finished(path));
    return Error(errors::dump_foreign, fmt::format("{} has no file in it", path));
  }
  DumpReport report{.path = path, .is_single_file = folder.is_single_file};
  for (const DumpEntry& entry : folder.entries) {
    report.files.push_back({.name = entry.name, .path = entry.path});
    report.files.back().header = header_of(entry.path);
  }
  if (!folder.folders.empty())
    report.notes.push_back(fmt::format(
        "the importer ignores folders inside: {}{}", printable(folder.folders.front(), 100),
        folder.folders.size() == 1 ? "" : fmt::format(" and {} more", folder.folders.size() - 1)));
  if (std::find(folder.folders.begin(), folder.folders.end(), kUnfinishedFolder) !=
      folder.folders.end())
    report.faults.add({.kind = FaultKind::unfinished,
                       .text = fmt::format("it left the folder {}; remove it, and write the dump "
                                           "anew",
                                           kUnfinishedFolder)});
  const std::string proved_by = options.is_digested ? manifest_for(path, options.manifest) : "";
  std::optional<Manifest> manifest;
  if (!proved_by.empty()) {
    PLAN_TRY(read, read_manifest(proved_by));
    manifest = std::move(read);
    report.manifest = proved_by;
  }
  check_set(report, options.is_checked, manifest ? &*manifest : nullptr);
  const bool is_whole = options.is_checked && !report.is_single_file &&
                        !report.faults.has(FaultKind::letter_twice) &&
                        subspaces(report.schema).size() > 0;
  std::optional<ReferenceBook> book;
  if (is_whole) book.emplace(report.schema);
  std::vector<FileReport*> order;
  for (FileReport& file : report.files) order.push_back(&file);
  std::stable_sort(order.begin(), order.end(), [](const FileReport* left, const FileReport* right) {
    const auto rank = [](const FileReport* file) {
      return file->header ? reference_order().find(file->header->letter) : std::string_view::npos;
    };
    return rank(left) < rank(right);
  });
  for (FileReport* file : order) {
    const bool is_related = file->header && file->header->schema == report.schema;
    if (!file->header && is_old_dump(file->path))
      read_old_file(*file, options);
    else
      read_file(*file, std::make_unique<FileSource>(file->path), true, options,
                book && is_related ? &*book : nullptr);
    if (options.on_progress)
      options.on_progress(
          {.file = file->name, .file_bytes = file->frame.file_bytes, .records = file->records});
  }
  if (book) {
    book->finish(report.not_checked);
    report.references = book->to_value();
    FileReport* links = nullptr;
    FileReport* blobs = nullptr;
    for (FileReport& file : report.files) {
      if (!file.header) continue;
      if (file.header->letter == 'k') links = &file;
      if (file.header->letter == 't') blobs = &file;
    }
    if (book->has_blob_difference() && links != nullptr && blobs != nullptr) {
      // A file that ends in a fault has said so already; what it still has is compared.
      (void)find_lost_blobs(links->path, links->faults, blobs->path, blobs->faults);
      if (!links->faults.is_damaged() && !blobs->faults.is_damaged())
        blobs->faults.add({.kind = FaultKind::missing_blob, .text = "k and t do not match"});
    }
  } else if (options.is_checked) {
    report.not_checked.emplace_back(report.is_single_file
                                        ? "references to other files: this is one file"
                                        : "references across files: the set of files is at fault");
  }
  for (FileReport& file : report.files) grade_file(file);
  if (manifest) hold_against(report, *manifest);
  report.grade = Grade::proved;
  for (const FileReport& file : report.files) report.grade = worse(report.grade, file.grade);
  if (report.faults.is_damaged()) report.grade = Grade::damaged;
  return report;
}

FileReport verify_bytes(const std::string& name, std::string_view bytes, const Manifest* manifest) {
  FileReport report{.name = name};
  read_file(report, std::make_unique<MemorySource>(bytes), false,
            {.is_digested = manifest != nullptr}, nullptr);
  grade_file(report);
  const Manifest::File* known = manifest != nullptr ? manifest->find(name) : nullptr;
  if (known != nullptr) hold_against(report, *known);
  return report;
}

}  // namespace plan::dump
