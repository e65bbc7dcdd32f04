#include "runtime/dump/repair.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>

#include "compiler/source/text.h"
#include "runtime/dump/errors.h"
#include "runtime/dump/output_folder.h"
#include "runtime/dump/proof.h"
#include "runtime/dump/record_stream.h"
#include "runtime/dump/salvage.h"

namespace plan::dump {
namespace {

/// A file whose keys turn back more often is given up in part: the rest is listed as dropped.
constexpr std::size_t kRunsMax = 16;

/// Records in any order, written as runs of ascending keys that are merged in the end.
class Runs {
 public:
  explicit Runs(std::string folder) : folder_(std::move(folder)) {}
  Runs(const Runs&) = delete;
  Runs& operator=(const Runs&) = delete;
  ~Runs() {
    writer_.reset();
    std::error_code code;
    std::filesystem::remove_all(folder_, code);
  }

  [[nodiscard]] Outcome add(const FileHeader& header, const Record& record) {
    if (writer_ == nullptr || record.key <= last_key_) {
      if (count_ == kRunsMax) {
        ++dropped_;
        return {};
      }
      PLAN_TRY_VOID(begin_run(header));
    }
    last_key_.assign(record.key);
    return writer_->append(record);
  }

  [[nodiscard]] Result<WrittenFile> merge_into(const std::string& path, const FileHeader& header) {
    if (writer_ != nullptr) PLAN_TRY_VOID(writer_->finish());
    writer_.reset();
    const Subspace* subspace = find_subspace(header.letter, header.schema);
    std::vector<std::unique_ptr<RecordStream>> streams;
    for (std::size_t i = 0; i < count_; ++i) {
      PLAN_TRY(stream, whole_stream(run_path(i), *subspace));
      streams.push_back(std::move(stream));
    }
    PLAN_TRY(writer, FrameWriter::create(path, header, {.is_behind = true}));
    PLAN_TRY_VOID(write_merged(std::move(streams), *subspace, *writer, true));
    return writer->finish();
  }
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }
  /// The keys turned back somewhere: no export does that.
  [[nodiscard]] bool has_turned() const { return count_ > 1; }

 private:
  [[nodiscard]] std::string run_path(std::size_t number) const {
    return fmt::format("{}/{}", folder_, number);
  }
  [[nodiscard]] Outcome begin_run(const FileHeader& header) {
    if (writer_ != nullptr) PLAN_TRY_VOID(writer_->finish());
    PLAN_TRY(writer, FrameWriter::create(run_path(count_), header));
    writer_ = std::move(writer);
    ++count_;
    return {};
  }

  std::string folder_;
  std::unique_ptr<FrameWriter> writer_;
  std::string last_key_;
  std::size_t count_ = 0;
  std::uint64_t dropped_ = 0;
};

ir::Value gaps_of(const Salvaged& found) {
  ir::Value list = ir::Value::list();
  for (const Gap& gap : found.gaps)
    list.push_back(ir::Value::map({{"kind", to_string(gap.fault.kind)},
                                   {"text", printable(gap.fault.text, 400)},
                                   {"file_byte", gap.fault.file_byte},
                                   {"bytes_skipped", gap.bytes_skipped}}));
  return list;
}

/// Nothing is wrong with the file itself: what is, is its name, what other files say of it, or that
/// a manifest knows it otherwise.
bool is_sound(const FileReport& file) {
  for (const FaultList::Counted& counted : file.faults.kinds()) {
    if (weight_of(counted.kind) == FaultWeight::doubt) continue;
    switch (counted.kind) {
      case FaultKind::another_letter:
      case FaultKind::missing_schema_row:
      case FaultKind::missing_blob:
      case FaultKind::missing_link:
      case FaultKind::missing_property:
      case FaultKind::missing_account:
      case FaultKind::missing_object:
      case FaultKind::wrong_quota:
      case FaultKind::wrong_counter:
      case FaultKind::wrong_manifest:
        continue;
      default:
        return false;
    }
  }
  return true;
}

/// Nothing is lost where only the frame around the records is damaged.
bool is_loss(const Gap& gap) {
  switch (gap.fault.kind) {
    case FaultKind::wrong_magic:
    case FaultKind::bad_frame_header:
    case FaultKind::second_frame:
    case FaultKind::trailing_bytes:
    case FaultKind::cut_in_checksum:
      return gap.bytes_skipped > 0;
    default:
      return true;
  }
}

/// A repair while it goes on: the new dump, what is told of each file, and what is lost.
class Repair {
 public:
  Repair(const DumpReport& report, const Manifest* manifest, std::string folder)
      : report_(report), manifest_(manifest), folder_(std::move(folder)) {}

  [[nodiscard]] Outcome take_all() {
    // Sound files first: of two with one letter the sound one is taken.
    std::vector<const FileReport*> rest;
    for (const FileReport& file : report_.files)
      if (is_copied(file) && done_.insert(file.header->letter).second) {
        PLAN_TRY_VOID(copy_sound(file));
      } else {
        rest.push_back(&file);
      }
    for (const FileReport* file : rest) PLAN_TRY_VOID(salvage(*file));
    for (const GivenUp& file : given_up_) PLAN_TRY_VOID(write_empty(file));
    for (const FaultList::Counted& counted : report_.faults.kinds())
      if (counted.kind == FaultKind::missing_file)
        for (const Fault& fault : counted.first) lose("a file is missing: " + fault.text);
    return {};
  }

  [[nodiscard]] bool has_taken() const { return taken_ > 0; }
  [[nodiscard]] ir::Value& files() { return files_; }
  [[nodiscard]] ir::Value& lost() { return lost_; }
  void lose(std::string line) { lost_.push_back(std::move(line)); }

 private:
  struct GivenUp {
    const FileReport& file;
    std::string why = {};
  };

  [[nodiscard]] bool is_copied(const FileReport& file) const {
    return is_sound(file) && file.header && file.header->schema == report_.schema &&
           find_subspace(file.header->letter, file.header->schema) != nullptr;
  }
  [[nodiscard]] std::string path_of(char letter) const {
    return folder_ + "/" + file_name_of(letter);
  }
  static ir::Value told_of(const FileReport& file) {
    return ir::Value::map({{"name", printable(file.name, 255)}});
  }

  /// A sound file, whatever its name was, record by record.
  [[nodiscard]] Outcome copy_sound(const FileReport& file) {
    const FileHeader& header = *file.header;
    std::vector<std::unique_ptr<RecordStream>> streams;
    const Subspace& subspace = *find_subspace(header.letter, header.schema);
    PLAN_TRY(stream, whole_stream(file.path, subspace));
    streams.push_back(std::move(stream));
    PLAN_TRY(writer, FrameWriter::create(path_of(header.letter), header, {.is_behind = true}));
    PLAN_TRY_VOID(write_merged(std::move(streams), subspace, *writer));
    PLAN_TRY(written, writer->finish());
    ir::Value told = told_of(file);
    told.set("letter", std::string(1, header.letter));
    told.set("from", "sound");
    told.set("records", written.records);
    const bool is_as_before = compare_with_manifest(file, written, told);
    if (manifest_ != nullptr && !is_as_before)
      lose(fmt::format("{}: nothing is wrong with it, and it is not what the manifest says",
                       printable(file.name, 255)));
    ++taken_;
    files_.push_back(std::move(told));
    return {};
  }

  /// What can be read of a damaged file; an error of the disk is an error, everything else is told.
  [[nodiscard]] Outcome salvage(const FileReport& file) {
    const char named = letter_of_file_name(file.name);
    const bool is_header_good =
        file.header && find_subspace(file.header->letter, file.header->schema) != nullptr;
    if (!file.family.empty()) return give_up(file, "a file of 0.8 to 0.14");
    // The name says what a file was exported as; without one, what is inside.
    const FileHeader assumed{
        .letter = named != 0 ? named : (is_header_good ? file.header->letter : char{0}),
        .schema = is_header_good && file.header->schema == report_.schema ? file.header->schema
                                                                          : report_.schema};
    const std::string runs_folder = folder_ + "/runs";
    Runs runs(runs_folder);
    std::error_code code;
    std::filesystem::create_directory(runs_folder, code);
    if (code) return Error(errors::dump_unwritable, runs_folder + ": " + code.message());
    const auto found = salvage_file(
        file.path, assumed,
        [&](const FileHeader& header, const Record& record) { return runs.add(header, record); });
    if (!found) {
      if (found.error().is(errors::dump_damaged) || found.error().is(errors::dump_foreign))
        return give_up(file, found.error().message());
      return found.error();
    }
    const char letter = found->header.letter;
    if (found->records == 0 && !file.faults.empty() && !file.header)
      return give_up(file, "no record could be read");
    if (!done_.insert(letter).second)
      return give_up(file, fmt::format("another file of letter {} was taken", letter));
    PLAN_TRY(written, runs.merge_into(path_of(letter), found->header));
    ir::Value told = told_of(file);
    told.set("letter", std::string(1, letter));
    told.set("from", "salvaged");
    told.set("records", written.records);
    told.set("records_before_fault", file.records);
    told.set("gaps_count", found->gaps_count);
    told.set("gaps", gaps_of(*found));
    const std::uint64_t dropped_count = found->dropped_count + runs.dropped();
    told.set("dropped_count", dropped_count);
    ir::Value dropped = ir::Value::list();
    for (const std::string& line : found->dropped) dropped.push_back(line);
    told.set("dropped", std::move(dropped));
    const bool is_as_before = compare_with_manifest(file, written, told);
    const bool has_loss = dropped_count > 0 || found->gaps_count > found->gaps.size() ||
                          std::any_of(found->gaps.begin(), found->gaps.end(), is_loss);
    if (has_loss && !is_as_before)
      lose(fmt::format("{}: {} records come back, {} gaps, {} records dropped",
                       printable(file.name, 255), written.records, found->gaps_count,
                       dropped_count));
    else if (runs.has_turned() && !is_as_before)
      lose(
          fmt::format("{}: {} records come back; keys stood out of order and are sorted: one of "
                      "them is not what it was",
                      printable(file.name, 255), written.records));
    else if (manifest_ != nullptr && !is_as_before)
      lose(fmt::format("{}: {} records come back, and they are not those of the manifest",
                       printable(file.name, 255), written.records));
    ++taken_;
    files_.push_back(std::move(told));
    return {};
  }

  [[nodiscard]] Outcome give_up(const FileReport& file, std::string why) {
    given_up_.push_back({file, std::move(why)});
    return {};
  }

  /// An importer that finds no file of a subspace says nothing; an empty one is at least looked at,
  /// and the rest of its family stays a whole one.
  [[nodiscard]] Outcome write_empty(const GivenUp& given_up) {
    const auto& [file, why] = given_up;
    const Subspace* subspace = find_subspace(letter_of_file_name(file.name), report_.schema);
    ir::Value told = told_of(file);
    told.set("why", why);
    if (subspace != nullptr && subspace->is_exported() && done_.insert(subspace->letter).second) {
      PLAN_TRY(writer,
               FrameWriter::create(path_of(subspace->letter),
                                   {.letter = subspace->letter, .schema = subspace->schema}));
      PLAN_TRY_VOID(writer->finish());
      told.set("letter", std::string(1, subspace->letter));
      told.set("from", "emptied");
      told.set("records", std::uint64_t{0});
      lose(fmt::format("{}: all of it ({}); an empty file takes its place",
                       printable(file.name, 255), why));
    } else {
      told.set("from", "given-up");
      lose(fmt::format("{}: left out ({})", printable(file.name, 255), why));
    }
    files_.push_back(std::move(told));
    return {};
  }

  /// What the manifest says of the file; true when it holds the same records again.
  bool compare_with_manifest(const FileReport& file, const WrittenFile& written,
                             ir::Value& told) const {
    const Manifest::File* known =
        manifest_ != nullptr ? manifest_->find(file_name_of(written.header.letter)) : nullptr;
    if (known == nullptr && manifest_ != nullptr) known = manifest_->find(file.name);
    if (known == nullptr) return false;
    const bool is_as_before = known->record_stream_sha256 == written.stream_digest.hex();
    told.set("records_in_manifest", known->records);
    told.set("is_as_in_manifest", is_as_before);
    return is_as_before;
  }

  const DumpReport& report_;
  const Manifest* manifest_;
  std::string folder_;
  std::set<char> done_;
  std::vector<GivenUp> given_up_;
  std::size_t taken_ = 0;
  ir::Value files_ = ir::Value::list();
  ir::Value lost_ = ir::Value::list();
};

/// Files of 0.8 to 0.14, and nothing of later versions.
bool is_old(const DumpReport& report) {
  bool is_any_old = false;
  for (const FileReport& file : report.files) {
    if (file.header || letter_of_file_name(file.name) != 0) return false;
    is_any_old = is_any_old || !file.family.empty();
  }
  return is_any_old;
}

}  // namespace

Result<ir::Value> repair_dump(const std::string& dump, const std::string& output,
                              const OnProgress& on_progress) {
  const std::string manifest_path = manifest_for(dump, {});
  std::optional<Manifest> manifest;
  ir::Value notes = ir::Value::list();
  if (!manifest_path.empty()) {
    auto read = read_manifest(manifest_path);
    if (read)
      manifest = std::move(*read);
    else
      notes.push_back("the manifest beside the dump is not looked at: " + read.error().message());
  }
  PLAN_TRY(report, verify_dump(dump, {.manifest = manifest ? manifest_path : std::string("-"),
                                      .on_progress = on_progress}));
  if (is_old(report))
    return Error(errors::old_dump,
                 fmt::format("{} is of 0.8 to 0.14: in such a file nothing tells where records "
                             "begin again behind damage",
                             dump));
  if (subspaces(report.schema).empty() && report.schema != 0)
    return Error(errors::dump_damaged,
                 fmt::format("most files have schema {}, which no version has", report.schema));
  PLAN_TRY(folder, OutputFolder::begin(output, {dump}));
  Repair repair(report, manifest ? &*manifest : nullptr, folder->work());
  PLAN_TRY_VOID(repair.take_all());
  if (!repair.has_taken())
    return Error(errors::dump_damaged, fmt::format("nothing of {} can be read", dump));
  // One file of a dump has no family to be whole with.
  const std::string looked_at = report.is_single_file
                                    ? fmt::format("{}/subspace_{}", folder->work(),
                                                  repair.files().item(0)["letter"].string_or(""))
                                    : folder->work();
  PLAN_TRY(result, verify_dump(looked_at, {.manifest = "-", .on_progress = on_progress}));
  result.path = output;
  if (result.grade == Grade::damaged)
    repair.lose("the new dump is not at one with itself: see what is left");
  PLAN_TRY_VOID(folder->finish(nullptr));
  ir::Value value = ir::Value::map({{"output", output},
                                    {"was", report.to_value(true)["grade"]},
                                    {"manifest", manifest ? ir::Value(manifest_path) : nullptr},
                                    {"is_whole", repair.lost().size() == 0},
                                    {"lost", std::move(repair.lost())},
                                    {"notes", std::move(notes)},
                                    {"result", result.to_value(true)}});
  value.set("files", std::move(repair.files()));
  return value;
}

}  // namespace plan::dump
