#include "runtime/dump/rewrite.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <set>

#include "runtime/dump/directory.h"
#include "runtime/dump/errors.h"
#include "runtime/dump/input_dump.h"
#include "runtime/dump/mail_stream.h"
#include "runtime/dump/manifest.h"
#include "runtime/dump/output_folder.h"
#include "runtime/dump/record_stream.h"

namespace plan::dump {
namespace {

constexpr std::uint64_t kRecordsPerProgress = 1 << 14;

/// A file that is written again as it is read, so that its bytes pass by once.
class CopyingSource final : public ByteSource {
 public:
  CopyingSource(const std::string& from, int target) : file_(from), target_(target) {}
  [[nodiscard]] std::size_t read(char* buffer, std::size_t size) override {
    const std::size_t count = file_.read(buffer, size);
    std::string_view rest(buffer, count);
    while (!rest.empty() && error_ == 0) {
      const ssize_t written = ::write(target_, rest.data(), rest.size());
      if (written < 0 && errno != EINTR) error_ = errno;
      if (written > 0) rest.remove_prefix(static_cast<std::size_t>(written));
    }
    start_writeback(target_, &started_, count);
    return count;
  }
  [[nodiscard]] const std::optional<Fault>& fault() const override { return file_.fault(); }
  [[nodiscard]] int error() const { return error_; }

 private:
  FileSource file_;
  int target_;
  std::uint64_t started_ = 0;
  int error_ = 0;
};

/// Copies a file and reads it to its end on the way: what it holds, or what is wrong with it.
Result<WrittenFile> copy_file(const std::string& from, const std::string& to,
                              const OnProgress& on_progress) {
  const int target = ::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  const auto unwritable = [&](int error) {
    return Error(error == EEXIST ? errors::dump_exists : errors::dump_unwritable,
                 fmt::format("{}: {}", to, std::strerror(error)));
  };
  if (target < 0) return unwritable(errno);
  auto owned = std::make_unique<CopyingSource>(from, target);
  const CopyingSource& source = *owned;
  FrameReader reader(std::move(owned),
                     {.is_file_digested = true, .is_stream_digested = true, .is_ahead = true});
  const std::string name = std::filesystem::path(to).filename();
  while (!reader.fault()) {
    const auto is_there = reader.next();
    if (!is_there || !*is_there) break;
    if (on_progress && reader.records() % kRecordsPerProgress == 0)
      on_progress({.file = name, .file_bytes = reader.file_byte(), .records = reader.records()});
  }
  // Reads what is left, too.
  const ir::Sha256 digest = reader.file_digest();
  int error = source.error();
  if (error == 0 && ::fsync(target) != 0) error = errno;
  if (::close(target) != 0 && error == 0) error = errno;
  if (error != 0 || reader.fault()) {
    ::unlink(to.c_str());
    if (error != 0) return unwritable(error);
    return to_error(*reader.fault()).while_doing("reading " + from);
  }
  return WrittenFile{.path = to,
                     .header = *reader.header(),
                     .records = reader.records(),
                     .key_bytes = reader.key_bytes(),
                     .value_bytes = reader.value_bytes_total(),
                     .file_bytes = reader.frame().file_bytes,
                     .file_digest = digest,
                     .stream_digest = reader.stream_digest()};
}

ir::Value lines_of(const std::vector<std::string>& lines) {
  ir::Value list = ir::Value::list();
  for (const std::string& line : lines) list.push_back(line);
  return list;
}

/// The dumps that are read, and what is taken of all of them.
struct Inputs {
  std::vector<InputDump> dumps = {};
  RecordFilter filter = {};
  std::uint32_t schema = 0;

  [[nodiscard]] bool has(char letter) const {
    return std::any_of(dumps.begin(), dumps.end(),
                       [&](const InputDump& dump) { return dump.has(letter); });
  }
};

Result<Inputs> open_inputs(const std::vector<std::string>& folders, const Wanted& wanted,
                           bool is_made_16) {
  Inputs inputs;
  for (const std::string& folder : folders) {
    PLAN_TRY(dump, InputDump::open(folder));
    if (inputs.schema != 0 && dump.schema() != inputs.schema)
      return Error(errors::no_conversion,
                   fmt::format("{} is of {}, the first dump of {}", folder,
                               version_of_schema(dump.schema()), version_of_schema(inputs.schema)));
    inputs.schema = dump.schema();
    inputs.dumps.push_back(std::move(dump));
  }
  // One for all: whose records they are may be told by another dump than the one that has them.
  PLAN_TRY(filter, RecordFilter::make(wanted, folders, inputs.schema));
  inputs.filter = std::move(filter);
  std::set<char> letters;
  for (const Subspace& subspace : subspaces(inputs.schema))
    if (inputs.filter.has(subspace.letter)) letters.insert(subspace.letter);
  for (const InputDump& dump : inputs.dumps) {
    PLAN_TRY_VOID(dump.check_letters(letters));
    // What decides which records are taken, and is not itself read to its end.
    for (const char letter : {'d', 'g', 'k'})
      if ((inputs.filter.is_by_account() || is_made_16) && !inputs.filter.has(letter))
        PLAN_TRY_VOID(dump.check_file(letter));
  }
  if (is_made_16) return inputs;
  for (const std::string& named : wanted.subspaces) {
    PLAN_TRY(selection, select_subspaces(named, inputs.schema));
    // What no export writes is told by a note.
    if (std::none_of(selection.subspaces.begin(), selection.subspaces.end(),
                     [&](const Subspace* subspace) {
                       return inputs.has(subspace->letter) || !subspace->is_exported();
                     }))
      return Error(errors::not_in_dump, fmt::format("`{}` is in no dump that is read", named));
  }
  return inputs;
}

/// What should have been written and is in no dump that was read: of a family of which another file
/// is there, and of what is to be mail of 0.16.
std::vector<std::string> missing_of(const Inputs& inputs, const std::set<char>& written,
                                    bool is_made_16) {
  std::vector<std::string> lines;
  for (const Subspace& subspace : subspaces(inputs.schema)) {
    if (!inputs.filter.has(subspace.letter) || written.count(subspace.letter) != 0) continue;
    const bool has_sibling = std::any_of(written.begin(), written.end(), [&](char letter) {
      return find_subspace(letter, inputs.schema)->family == subspace.family;
    });
    if (is_made_16)
      lines.push_back(fmt::format("{} is in no dump that was read", subspace.letter));
    else if (has_sibling)
      lines.push_back(
          fmt::format("{} is in no dump that was read; an export of family {} writes it also when "
                      "it is empty",
                      subspace.letter, subspace.family));
  }
  return lines;
}

/// What was left out, and whether what was taken is proved.
std::vector<std::string> notes_of(const Inputs& inputs, const std::set<char>& written,
                                  bool is_made_16) {
  // What letters mean needs no word to somebody who named none.
  std::vector<std::string> notes = is_made_16 ? std::vector<std::string>() : inputs.filter.notes();
  for (const Subspace& subspace : subspaces(inputs.schema))
    if (inputs.filter.has(subspace.letter) && written.count(subspace.letter) == 0)
      notes.push_back(fmt::format("{} is in no dump that was read", subspace.letter));
  for (const InputDump& dump : inputs.dumps) {
    for (const std::string& name : dump.strangers())
      if (written.count(letter_of_file_name(name)) == 0)
        notes.push_back(
            fmt::format("{}/{} is no file of such a dump and is left out", dump.folder(), name));
    if (dump.has_manifest())
      notes.push_back(fmt::format("what was taken of {} is what its manifest says", dump.folder()));
  }
  return notes;
}

/// References of mail alone that are meant to lead out of it.
std::string letters_without_mail(std::uint32_t schema) {
  std::string letters;
  for (const Subspace& subspace : subspaces(schema))
    if (mail_letters().find(subspace.letter) == std::string_view::npos) letters += subspace.letter;
  return letters;
}

/// `owners` is of a dump of 0.15 that becomes one of 0.16; null for all others.
Result<ir::Value> rewrite(const std::vector<std::string>& dumps, const std::string& output,
                          const RewriteOptions& options, const Directory* owners) {
  const bool is_made_16 = owners != nullptr;
  PLAN_TRY(inputs, open_inputs(dumps, options.wanted, is_made_16));
  const RecordFilter& wanted = inputs.filter;
  const std::uint32_t written_schema = is_made_16 ? kSchema16 : inputs.schema;
  PLAN_TRY(folder, OutputFolder::begin(output, dumps));
  std::vector<WrittenFile> written;
  std::set<char> letters;
  ir::Value files = ir::Value::list();
  for (const Subspace& subspace : subspaces(inputs.schema)) {
    if (!wanted.has(subspace.letter)) continue;
    const std::string target = folder->work() + "/" + file_name_of(subspace.letter);
    std::vector<std::unique_ptr<RecordStream>> streams;
    const InputDump* only_source = nullptr;
    for (std::size_t i = 0; i < dumps.size(); ++i) {
      PLAN_TRY(stream, filtered_stream(inputs.dumps[i], subspace, inputs.filter));
      if (stream == nullptr) continue;
      if (is_made_16) stream = as_mail_of_16(std::move(stream), subspace.letter);
      streams.push_back(std::move(stream));
      only_source = &inputs.dumps[i];
    }
    if (is_made_16 && subspace.letter == 'n') {
      PLAN_TRY(used, used_bytes_as_of_16(dumps[0], *owners));
      if (used != nullptr) streams.push_back(std::move(used));
    }
    if (streams.empty()) continue;
    letters.insert(subspace.letter);
    const bool is_copied = streams.size() == 1 && wanted.takes_all_of(subspace.letter) &&
                           !options.has_end_mark && !options.has_checksum && !is_made_16;
    if (is_copied) {
      streams.clear();
      PLAN_TRY(file, copy_file(only_source->file_of(subspace.letter), target, options.on_progress));
      // A copy has the bytes of what was read.
      PLAN_TRY_VOID(only_source->check_digest(subspace.letter, file.file_digest));
      written.push_back(std::move(file));
    } else {
      PLAN_TRY(writer,
               FrameWriter::create(target, {.letter = subspace.letter, .schema = written_schema},
                                   {.has_end_mark = options.has_end_mark,
                                    .has_checksum = options.has_checksum,
                                    .is_behind = true}));
      PLAN_TRY_VOID(write_merged(std::move(streams), subspace, *writer));
      PLAN_TRY(file, writer->finish());
      written.push_back(std::move(file));
      if (options.on_progress)
        options.on_progress({.file = file_name_of(subspace.letter),
                             .file_bytes = written.back().file_bytes,
                             .records = written.back().records});
    }
    const WrittenFile& file = written.back();
    files.push_back(ir::Value::map({{"name", file_name_of(subspace.letter)},
                                    {"letter", std::string(1, subspace.letter)},
                                    {"schema", std::int64_t{written_schema}},
                                    {"records", file.records},
                                    {"key_bytes", file.key_bytes},
                                    {"value_bytes", file.value_bytes},
                                    {"file_bytes", file.file_bytes},
                                    {"sha256", file.file_digest.hex()},
                                    {"record_stream_sha256", file.stream_digest.hex()},
                                    {"from", is_copied ? "copied" : "written"}}));
  }
  const std::vector<std::string> notes = notes_of(inputs, letters, is_made_16);
  if (written.empty())
    return Error(errors::not_in_dump, fmt::format("nothing of what was asked for is there: {}",
                                                  notes.empty() ? "no subspace" : notes.front()));
  const Manifest manifest = manifest_of(written);
  PLAN_TRY_VOID(folder->finish(&manifest));
  const std::vector<std::string> missing = missing_of(inputs, letters, is_made_16);
  const std::vector<std::string> dangling =
      wanted.dangling(letters, is_made_16 ? letters_without_mail(inputs.schema) : std::string());
  return ir::Value::map({{"output", output},
                         {"manifest", folder->manifest_path()},
                         {"files", std::move(files)},
                         {"is_complete", missing.empty() && dangling.empty()},
                         {"missing", lines_of(missing)},
                         {"dangling", lines_of(dangling)},
                         {"notes", lines_of(notes)}});
}

/// Whose mail it is that is written without its accounts.
ir::Value owners_of(const Directory& directory) {
  ir::Value owners = ir::Value::list();
  for (const auto& [id, account] : directory.accounts()) {
    if (account.type != "individual" && account.type != "group") continue;
    ir::Value addresses = ir::Value::list();
    for (const std::string& address : account.addresses) addresses.push_back(address);
    owners.push_back(ir::Value::map({{"id", std::int64_t{id}},
                                     {"name", account.name},
                                     {"type", account.type},
                                     {"addresses", std::move(addresses)}}));
  }
  return owners;
}

}  // namespace

Result<ir::Value> rewrite_dumps(const std::vector<std::string>& dumps, const std::string& output,
                                const RewriteOptions& options) {
  return rewrite(dumps, output, options, nullptr);
}

Result<ir::Value> convert_dump(const std::string& dump, const std::string& output,
                               const Conversion& conversion, const RewriteOptions& options) {
  PLAN_TRY(schema, schema_of_dump(dump));
  const auto refused = [&](std::string_view why) {
    return Error(errors::no_conversion, fmt::format("{} (asked for {}, the dump is of {})", why,
                                                    conversion.to, version_of_schema(schema)));
  };
  const auto wanted =
      conversion.to.empty() ? std::optional(schema) : schema_of_version(conversion.to);
  if (!wanted)
    return Error(errors::no_conversion,
                 fmt::format("{} has no dumps of one file for each subspace", conversion.to));
  if (*wanted == schema) {
    if (!conversion.is_mail_only) return rewrite_dumps({dump}, output, options);
    return refused("only the step from 0.15 to 0.16 leaves everything but the mail behind");
  }
  if (*wanted == kSchema15)
    return refused(
        "0.15 keeps accounts, domains and settings as directory and text, 0.16 as registry "
        "objects, and nothing goes back from these; 0.15 also gives a new account an id of its own "
        "choice, so that mail without its accounts would have no owner");
  if (!conversion.is_mail_only)
    return refused(
        "0.15 keeps accounts, domains and settings as directory and text, 0.16 as registry "
        "objects, and no version converts one into the other outside a running server; "
        "--mail-only writes what both lay out alike");
  RewriteOptions mail = options;
  for (const char letter : mail_letters()) mail.wanted.subspaces.emplace_back(1, letter);
  PLAN_TRY(directory, Directory::read(dump));
  PLAN_TRY(written, rewrite({dump}, output, mail, &directory));
  written.set("accounts", owners_of(directory));
  ir::Value notes = lines_of(
      {"d f h j o r s x stay behind: 0.16 has no place for them in this form",
       "make each account under its old id (client id restore-ID), or its mail has no owner"});
  for (const ir::Value& note : written["notes"].items()) notes.push_back(note);
  written.set("notes", std::move(notes));
  return written;
}

}  // namespace plan::dump
