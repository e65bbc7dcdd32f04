#include "runtime/dump/rewrite.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "runtime/dump/directory.h"
#include "runtime/dump/dump_folder.h"
#include "runtime/dump/errors.h"
#include "runtime/dump/mail_stream.h"
#include "runtime/dump/manifest.h"
#include "runtime/dump/old_dump.h"
#include "runtime/dump/record_stream.h"

namespace plan::dump {
namespace {

constexpr std::uint64_t kRecordsPerProgress = 1 << 14;

/// Removes what was written unless it was wanted in the end.
class Leftovers {
 public:
  void add(const std::string& path) { paths_.push_back(path); }
  void keep() { paths_.clear(); }
  Leftovers() = default;
  Leftovers(const Leftovers&) = delete;
  Leftovers& operator=(const Leftovers&) = delete;
  ~Leftovers() {
    for (const std::string& path : paths_) ::unlink(path.c_str());
  }

 private:
  std::vector<std::string> paths_;
};

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

/// `owners` is of a dump of 0.15 that becomes one of 0.16; null for all others.
Result<ir::Value> rewrite(const std::vector<std::string>& dumps, const std::string& output,
                          const RewriteOptions& options, const Directory* owners) {
  std::uint32_t schema = 0;
  std::vector<RecordFilter> filters;
  for (const std::string& dump : dumps) {
    PLAN_TRY(found, schema_of_dump(dump));
    if (schema != 0 && found != schema)
      return Error(errors::no_conversion,
                   fmt::format("{} is of {}, the first dump of {}", dump, version_of_schema(found),
                               version_of_schema(schema)));
    schema = found;
    PLAN_TRY(filter, RecordFilter::make(options.wanted, dump, schema));
    filters.push_back(std::move(filter));
  }
  const bool is_made_16 = owners != nullptr;
  const std::uint32_t written_schema = is_made_16 ? kSchema16 : schema;
  PLAN_TRY_VOID(make_empty_folder(output));
  Leftovers leftovers;
  std::vector<WrittenFile> written;
  ir::Value files = ir::Value::list();
  std::vector<std::string> absent;
  for (const Subspace& subspace : subspaces(schema)) {
    if (!filters[0].has(subspace.letter)) continue;
    const std::string target = output + "/" + file_name_of(subspace.letter);
    std::vector<std::unique_ptr<RecordStream>> streams;
    std::string only_source;
    for (std::size_t i = 0; i < dumps.size(); ++i) {
      PLAN_TRY(stream, filtered_stream(dumps[i], subspace, filters[i]));
      if (stream == nullptr) continue;
      if (is_made_16) stream = as_mail_of_16(std::move(stream), subspace.letter);
      streams.push_back(std::move(stream));
      only_source = dumps[i] + "/" + file_name_of(subspace.letter);
    }
    if (is_made_16 && subspace.letter == 'n') {
      PLAN_TRY(used, used_bytes_as_of_16(dumps[0], *owners));
      if (used != nullptr) streams.push_back(std::move(used));
    }
    if (streams.empty()) {
      absent.emplace_back(1, subspace.letter);
      continue;
    }
    const bool is_copied = streams.size() == 1 && filters[0].takes_all_of(subspace.letter) &&
                           !options.has_end_mark && !options.has_checksum && !is_made_16;
    if (is_copied) {
      streams.clear();
      PLAN_TRY(file, copy_file(only_source, target, options.on_progress));
      leftovers.add(target);
      written.push_back(std::move(file));
    } else {
      PLAN_TRY(writer,
               FrameWriter::create(target, {.letter = subspace.letter, .schema = written_schema},
                                   {.has_end_mark = options.has_end_mark,
                                    .has_checksum = options.has_checksum,
                                    .is_behind = true}));
      PLAN_TRY_VOID(write_merged(std::move(streams), subspace, *writer));
      PLAN_TRY(file, writer->finish());
      leftovers.add(target);
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
  const std::string manifest = manifest_path_of(output);
  PLAN_TRY_VOID(write_manifest(manifest_of(written), manifest));
  leftovers.keep();
  std::vector<std::string> notes = filters[0].notes();
  for (const std::string& letter : absent)
    notes.push_back(fmt::format("{} is in no dump that was read", letter));
  return ir::Value::map({{"output", output},
                         {"manifest", manifest},
                         {"files", std::move(files)},
                         {"dangling", lines_of(filters[0].dangling())},
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
  for (const ir::Value& note : written["notes"].items())
    if (note.string_or("").find(" is in no dump") != std::string_view::npos) notes.push_back(note);
  written.set("notes", std::move(notes));
  return written;
}

}  // namespace plan::dump
