#include "runtime/dump/repair.h"

#include <fmt/format.h>

#include <filesystem>
#include <set>

#include "compiler/source/text.h"
#include "runtime/dump/dump_folder.h"
#include "runtime/dump/errors.h"
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

/// Nothing is wrong with the file itself: what is, is its name or what other files say of it.
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
        continue;
      default:
        return false;
    }
  }
  return true;
}

/// A sound file, whatever its name was, record by record.
Result<ir::Value> copy_sound(const FileReport& file, const std::string& output) {
  const Subspace* subspace = find_subspace(file.header->letter, file.header->schema);
  std::vector<std::unique_ptr<RecordStream>> streams;
  PLAN_TRY(stream, whole_stream(file.path, *subspace));
  streams.push_back(std::move(stream));
  PLAN_TRY(writer, FrameWriter::create(output + "/" + file_name_of(file.header->letter),
                                       *file.header, {.is_behind = true}));
  PLAN_TRY_VOID(write_merged(std::move(streams), *subspace, *writer));
  PLAN_TRY(written, writer->finish());
  return ir::Value::map({{"name", printable(file.name, 255)},
                         {"letter", std::string(1, file.header->letter)},
                         {"from", "sound"},
                         {"records", written.records}});
}

/// One file of the new dump; an error of the disk is an error, everything else is told.
Result<ir::Value> repair_file(const FileReport& file, std::uint32_t schema,
                              const std::string& output, std::set<char>& done) {
  ir::Value told = ir::Value::map({{"name", printable(file.name, 255)}});
  const auto give_up = [&](std::string why) {
    told.set("from", "given-up");
    told.set("why", std::move(why));
    return told;
  };
  const char named = letter_of_file_name(file.name);
  const bool is_header_good =
      file.header && find_subspace(file.header->letter, file.header->schema) != nullptr;
  // The name says what a file was exported as; without one, what is inside.
  const FileHeader assumed{
      .letter = named != 0 ? named : (is_header_good ? file.header->letter : char{0}),
      .schema = is_header_good && file.header->schema == schema ? file.header->schema : schema};
  Runs runs(output + "/.runs");
  std::error_code code;
  std::filesystem::create_directory(output + "/.runs", code);
  if (code) return Error(errors::dump_unwritable, output + ": " + code.message());
  const auto found = salvage_file(
      file.path, assumed,
      [&](const FileHeader& header, const Record& record) { return runs.add(header, record); });
  if (!found) {
    if (found.error().is(errors::dump_damaged) || found.error().is(errors::dump_foreign))
      return give_up(found.error().message());
    return found.error();
  }
  const char letter = found->header.letter;
  if (found->records == 0 && !file.faults.empty() && !file.header)
    return give_up("no record could be read");
  if (!done.insert(letter).second)
    return give_up(fmt::format("another file of letter {} was taken", letter));
  PLAN_TRY(written, runs.merge_into(output + "/" + file_name_of(letter), found->header));
  told.set("letter", std::string(1, letter));
  told.set("from", "salvaged");
  told.set("records", written.records);
  told.set("records_before_fault", file.records);
  told.set("gaps_count", found->gaps_count);
  told.set("gaps", gaps_of(*found));
  told.set("dropped_count", found->dropped_count + runs.dropped());
  ir::Value dropped = ir::Value::list();
  for (const std::string& line : found->dropped) dropped.push_back(line);
  told.set("dropped", std::move(dropped));
  return told;
}

}  // namespace

Result<ir::Value> repair_dump(const std::string& dump, const std::string& output,
                              const OnProgress& on_progress) {
  PLAN_TRY(report, verify_dump(dump, {.manifest = "-", .on_progress = on_progress}));
  PLAN_TRY_VOID(make_empty_folder(output));
  if (subspaces(report.schema).empty() && report.schema != 0)
    return Error(errors::dump_damaged,
                 fmt::format("most files have schema {}, which no version has", report.schema));
  ir::Value files = ir::Value::list();
  std::set<char> done;
  // Sound files first: of two with one letter the sound one is taken.
  for (const FileReport& file : report.files) {
    if (!is_sound(file) || !file.header || file.header->schema != report.schema ||
        !done.insert(file.header->letter).second)
      continue;
    PLAN_TRY(told, copy_sound(file, output));
    files.push_back(std::move(told));
  }
  for (const FileReport& file : report.files) {
    const bool is_taken = is_sound(file) && file.header && file.header->schema == report.schema;
    if (is_taken) continue;
    PLAN_TRY(told, repair_file(file, report.schema, output, done));
    files.push_back(std::move(told));
  }
  PLAN_TRY(result, verify_dump(output, {.manifest = "-", .on_progress = on_progress}));
  return ir::Value::map({{"output", output},
                         {"was", report.to_value(true)["grade"]},
                         {"files", std::move(files)},
                         {"result", result.to_value(true)}});
}

}  // namespace plan::dump
