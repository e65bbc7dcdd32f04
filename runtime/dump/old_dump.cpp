#include "runtime/dump/old_dump.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "compiler/source/check.h"
#include "runtime/dump/blake3.h"
#include "runtime/dump/integers.h"
#include "runtime/dump/key_shape.h"

namespace plan::dump {
namespace {

constexpr std::uint8_t kMarker = 0x7B;
constexpr std::size_t kHeaderBytes = 2;
constexpr std::size_t kBufferBytes = std::size_t{256} << 10U;
constexpr std::string_view kFamilies[] = {"property", "fts_index", "acl",    "blob",
                                          "config",   "lookup",    "lookup", "directory",
                                          "queue",    "index",     "bitmap", "log"};
enum Op : std::uint8_t { kFamily, kKeyValue, kKeyOnly, kAccount, kCollection, kDocument };

constexpr std::string_view kOldReason =
    "files of 0.8 to 0.14 have no end mark and no checksum: a cut between two operations leaves no "
    "trace";

/// Keys of these families have one length in every version.
std::size_t key_bytes_of(std::uint8_t family) {
  constexpr std::uint8_t kAcl = 2, kBlob = 3, kLog = 11;
  if (family == kAcl) return 4;
  if (family == kBlob) return kBlobHashBytes;
  return family == kLog ? 8 : 0;
}

/// What is wrong with a record that its own bytes show; reads its value.
Outcome check_old_record(OldDumpReader& reader, FileReport& report) {
  const OldRecord& record = reader.record();
  const auto fault = [&](FaultKind kind, std::string text) {
    report.faults.add({.kind = kind,
                       .text = std::move(text),
                       .file_byte = reader.bytes(),
                       .content_byte = reader.bytes(),
                       .record = reader.records()});
  };
  const std::size_t wanted = key_bytes_of(record.family);
  if (wanted != 0 && record.key.size() != wanted)
    fault(FaultKind::key_shape,
          fmt::format("a key of family {} has {} bytes, not {}", old_family_name(record.family),
                      record.key.size(), wanted));
  if (wanted != kBlobHashBytes || record.value_bytes == 0) return {};
  Blake3 hash;
  while (true) {
    PLAN_TRY(piece, reader.value_piece());
    if (piece.empty()) break;
    hash.update(piece);
  }
  ++report.hashed;
  if (record.key.size() == wanted && hash.finish() != record.key)
    fault(FaultKind::wrong_hash, "blob " + ir::to_hex(record.key));
  return {};
}

}  // namespace

struct OldDumpReader::Digests {
  ir::Sha256Stream file;
  ir::Sha256Stream stream;
};

std::string_view old_family_name(std::uint8_t family) {
  return family < std::size(kFamilies) ? kFamilies[family] : "unknown";
}

OldDumpReader::OldDumpReader(std::unique_ptr<ByteSource> source, bool is_digested)
    : source_(std::move(source)), digests_(is_digested ? std::make_unique<Digests>() : nullptr) {
  buffer_.resize(kBufferBytes);
}
OldDumpReader::~OldDumpReader() = default;

std::string_view OldDumpReader::take(std::uint64_t size) {
  if (view_.empty()) {
    const std::size_t count = source_->read(buffer_.data(), buffer_.size());
    view_ = {buffer_.data(), count};
    if (digests_) {
      digests_->file.update(view_);
      const std::size_t header = position_ == 0 ? std::min(kHeaderBytes, count) : 0;
      digests_->stream.update(view_.substr(header));
    }
  }
  const std::string_view taken = view_.substr(0, std::min<std::uint64_t>(size, view_.size()));
  view_.remove_prefix(taken.size());
  position_ += taken.size();
  return taken;
}

Error OldDumpReader::fail(FaultKind kind, std::string text) {
  if (source_->fault())
    fault_ = source_->fault();
  else
    fault_ = Fault{.kind = kind, .text = std::move(text), .file_byte = position_};
  fault_->record = records_;
  is_in_record_ = false;
  value_left_ = 0;
  return to_error(*fault_);
}

bool OldDumpReader::take_number(unsigned bytes, std::uint64_t* number, std::string_view what) {
  std::string read;
  while (read.size() < bytes) {
    const std::string_view piece = take(bytes - read.size());
    if (piece.empty()) {
      (void)fail(FaultKind::cut_in_key, fmt::format("inside {}", what));
      return false;
    }
    read += piece;
  }
  *number = big_integer(read);
  return true;
}

Result<std::string_view> OldDumpReader::value_piece() {
  if (fault_) return to_error(*fault_);
  if (value_left_ == 0) return std::string_view{};
  const std::string_view piece = take(value_left_);
  if (piece.empty())
    return fail(FaultKind::cut_in_value,
                fmt::format("it announces {} bytes, {} are there", record_.value_bytes,
                            record_.value_bytes - value_left_));
  value_left_ -= piece.size();
  return piece;
}

Result<bool> OldDumpReader::next() {
  if (fault_) return to_error(*fault_);
  std::uint64_t number = 0;
  if (!is_begun_) {
    is_begun_ = true;
    if (!take_number(1, &number, "the marker")) return to_error(*fault_);
    if (number != kMarker) return fail(FaultKind::wrong_marker, fmt::format("{:02x}", number));
    if (!take_number(1, &number, "the version")) return to_error(*fault_);
    version_ = static_cast<std::uint8_t>(number);
    if (version_ != 1 && version_ != 2)
      return fail(FaultKind::unknown_schema, fmt::format("version {} of the file", version_));
  }
  while (value_left_ > 0) PLAN_TRY_VOID(value_piece());
  if (is_in_record_) {
    ++records_;
    key_bytes_ += record_.key.size();
    value_bytes_ += record_.value_bytes;
  }
  is_in_record_ = false;
  for (;;) {
    const std::string_view op = take(1);
    if (op.empty()) {
      if (source_->fault()) return fail(FaultKind::unreadable, {});
      return false;
    }
    switch (static_cast<std::uint8_t>(op[0])) {
      case kFamily:
        if (!take_number(1, &number, "a family")) return to_error(*fault_);
        record_.family = static_cast<std::uint8_t>(number);
        if (record_.family >= std::size(kFamilies))
          return fail(FaultKind::unknown_letter, fmt::format("family {}", number));
        break;
      case kAccount:
        if (!take_number(4, &number, "an account")) return to_error(*fault_);
        record_.account = static_cast<std::uint32_t>(number);
        break;
      case kCollection:
        if (!take_number(1, &number, "a collection")) return to_error(*fault_);
        record_.collection = static_cast<std::uint8_t>(number);
        break;
      case kDocument:
        if (!take_number(4, &number, "a document")) return to_error(*fault_);
        record_.document = static_cast<std::uint32_t>(number);
        break;
      case kKeyValue:
      case kKeyOnly: {
        const bool has_value = op[0] == char{kKeyValue};
        if (!take_number(4, &number, "a key's length")) return to_error(*fault_);
        if (number > kKeyBytesMax)
          return fail(FaultKind::key_too_long, fmt::format("it announces {} bytes", number));
        record_.key.clear();
        while (record_.key.size() < number) {
          const std::string_view piece = take(number - record_.key.size());
          if (piece.empty())
            return fail(FaultKind::cut_in_key,
                        fmt::format("{} of its {} bytes are there", record_.key.size(), number));
          record_.key += piece;
        }
        record_.value_bytes = 0;
        if (has_value && !take_number(4, &record_.value_bytes, "a value's length"))
          return to_error(*fault_);
        value_left_ = record_.value_bytes;
        is_in_record_ = true;
        return true;
      }
      default:
        return fail(FaultKind::bad_length,
                    fmt::format("{:02x} is no operation", static_cast<std::uint8_t>(op[0])));
    }
  }
}

void OldDumpReader::drain() {
  do {
    view_ = {};
  } while (!take(kBufferBytes).empty());
}

ir::Sha256 OldDumpReader::file_digest() {
  PLAN_CHECK(digests_ != nullptr, "the digest was asked for when the file was opened");
  drain();
  return digests_->file.finish();
}

ir::Sha256 OldDumpReader::stream_digest() {
  PLAN_CHECK(digests_ != nullptr, "the digest was asked for when the file was opened");
  return digests_->stream.finish();
}

bool is_old_dump(const std::string& path) {
  FileSource source(path);
  std::array<char, kHeaderBytes> bytes = {};
  return source.read(bytes.data(), bytes.size()) == bytes.size() &&
         static_cast<std::uint8_t>(bytes[0]) == kMarker && (bytes[1] == 1 || bytes[1] == 2);
}

void read_old_file(FileReport& report, const VerifyOptions& options) {
  OldDumpReader reader(std::make_unique<FileSource>(report.path), options.is_digested);
  while (true) {
    const auto is_there = reader.next();
    if (!is_there || !*is_there) break;
    if (report.family.empty()) report.family = old_family_name(reader.record().family);
    if (options.is_checked && !check_old_record(reader, report)) break;
  }
  if (report.family.empty()) report.family = "unknown";
  const bool is_family_name =
      std::find(std::begin(kFamilies), std::end(kFamilies), report.name) != std::end(kFamilies);
  if (is_family_name && reader.records() > 0 && report.name != report.family)
    report.faults.add({.kind = FaultKind::another_letter,
                       .text = fmt::format("family {} inside", report.family)});
  report.records = reader.records();
  report.key_bytes = reader.key_bytes();
  report.value_bytes = reader.value_bytes();
  report.frame.file_bytes = reader.bytes();
  report.frame.content_bytes = reader.bytes();
  if (reader.fault()) report.faults.add(*reader.fault());
  if (options.is_digested) {
    report.sha256 = reader.file_digest().hex();
    report.record_stream_sha256 = reader.stream_digest().hex();
  }
  report.unprovable.emplace_back(kOldReason);
}

}  // namespace plan::dump
