#include "runtime/dump/salvage.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "runtime/dump/archive_value.h"
#include "runtime/dump/blake3.h"
#include "runtime/dump/errors.h"
#include "runtime/dump/integers.h"
#include "runtime/dump/key_shape.h"

namespace plan::dump {
namespace {

constexpr char kMarker = '\x7B';
constexpr std::size_t kContentHeaderBytes = 6;
/// So many records in a row with right shapes and ascending keys are no accident.
constexpr int kProvingRecords = 3;
/// A file made so that every byte looks like the beginning of a long value costs no more than this;
/// shapes alone decide then.
constexpr std::uint64_t kHashedInSearchMax = std::uint64_t{1} << 30U;
constexpr std::size_t kDroppedListed = 100;
constexpr std::size_t kKeyShown = 48;

/// A file from some byte on, its first bytes replaced by a frame header when that is damaged.
class PatchedSource final : public ByteSource {
 public:
  PatchedSource(const std::string& path, std::uint64_t begin, bool has_new_header)
      : file_(path), has_new_header_(has_new_header) {
    std::string skipped(std::size_t{1} << 16U, '\0');
    while (begin > 0) {
      const std::size_t count =
          file_.read(skipped.data(), std::min<std::uint64_t>(begin, skipped.size()));
      if (count == 0) break;
      begin -= count;
    }
  }
  [[nodiscard]] std::size_t read(char* buffer, std::size_t size) override {
    const std::size_t count = file_.read(buffer, size);
    if (has_new_header_ && count >= kExporterHeader.size())
      std::memcpy(buffer, kExporterHeader.data(), kExporterHeader.size());
    has_new_header_ = false;
    return count;
  }
  [[nodiscard]] const std::optional<Fault>& fault() const override { return file_.fault(); }

 private:
  FileSource file_;
  bool has_new_header_ = false;
};

/// A record at the front of some bytes.
struct Parsed {
  Record record = {};
  std::size_t bytes = 0;
  enum class Kind : std::uint8_t { whole, cut, none } kind = Kind::none;
};

Parsed parse_record(const Subspace& subspace, std::string_view bytes) {
  Parsed parsed;
  std::string_view rest = bytes;
  const auto key_bytes = take_leb128(rest);
  if (!key_bytes) {
    parsed.kind = rest.size() < 10 ? Parsed::Kind::cut : Parsed::Kind::none;
    return parsed;
  }
  if (*key_bytes == 0 || *key_bytes > kKeyBytesMax) return parsed;
  if (rest.size() < *key_bytes) {
    parsed.kind = Parsed::Kind::cut;
    return parsed;
  }
  parsed.record.key = rest.substr(0, *key_bytes);
  if (!key_shape_fault(subspace, parsed.record.key).empty()) return parsed;
  // Blobs under names are never exported: among damage one is an accident.
  if (subspace.value == ValueKind::blob && parsed.record.key.size() != kBlobHashBytes)
    return parsed;
  rest.remove_prefix(*key_bytes);
  const auto value_bytes = take_leb128(rest);
  if (!value_bytes) {
    parsed.kind = rest.size() < 10 ? Parsed::Kind::cut : Parsed::Kind::none;
    return parsed;
  }
  if (*value_bytes > kSalvagedRecordMax ||
      !value_length_fault(subspace, parsed.record.key, *value_bytes).empty())
    return parsed;
  if (rest.size() < *value_bytes) {
    parsed.kind = Parsed::Kind::cut;
    return parsed;
  }
  parsed.record.value = rest.substr(0, *value_bytes);
  parsed.bytes = static_cast<std::size_t>(parsed.record.value.data() - bytes.data()) +
                 parsed.record.value.size();
  parsed.kind = Parsed::Kind::whole;
  return parsed;
}

bool is_blob_of_its_key(const Record& record) { return blake3(record.value) == record.key; }

/// Why a record must not be taken although it can be read; empty when it may.
std::string hash_fault(const Subspace& subspace, const Record& record) {
  if (subspace.value == ValueKind::blob)
    return record.key.size() != kBlobHashBytes || is_blob_of_its_key(record)
               ? ""
               : "its bytes are not what its hash says";
  if (!is_archive(subspace, record.key)) return "";
  const auto archive = ArchiveValue::parse(record.value);
  if (!archive) return "its value has no trailer";
  return archive->is_hashed && !archive->is_hash_right ? "its value is not what its hash says" : "";
}

/// Takes content as it comes and finds the records in it.
class Finder {
 public:
  Finder(const Subspace& subspace, const FileHeader& header, Salvaged& found,
         const std::function<Outcome(const FileHeader&, const Record&)>& take)
      : subspace_(subspace), header_(header), found_(found), take_(take) {}

  [[nodiscard]] Outcome add(std::string_view content) {
    if (at_ > 0) pending_.erase(0, at_);
    at_ = 0;
    pending_.append(content);
    return find(End::none);
  }

  /// Nothing of what comes belongs to what was before.
  [[nodiscard]] Outcome break_off(const Fault& fault) {
    const bool is_frame_whole =
        fault.kind == FaultKind::second_frame || fault.kind == FaultKind::trailing_bytes;
    PLAN_TRY_VOID(find(is_frame_whole ? End::of_records : End::of_content));
    const std::uint64_t lost = skipped_ + (pending_.size() - at_);
    note_gap(fault, lost);
    skipped_ = 0;
    pending_.clear();
    at_ = 0;
    is_in_step_ = false;
    return {};
  }

  [[nodiscard]] Outcome finish() {
    PLAN_TRY_VOID(find(End::of_records));
    const std::uint64_t lost = skipped_ + (pending_.size() - at_);
    if (lost > 0) note_gap({.kind = FaultKind::cut_in_value, .text = "no record ends there"}, lost);
    skipped_ = 0;
    return {};
  }

  void note_gap(const Fault& fault, std::uint64_t lost) {
    ++found_.gaps_count;
    if (found_.gaps.size() < kGapsListed)
      found_.gaps.push_back({.fault = fault, .bytes_skipped = lost});
  }

 private:
  /// What comes behind the bytes that are there: more; nothing, and a record ends with them;
  /// nothing that belongs to them, wherever they end.
  enum class End : std::uint8_t { none = 0, of_records = 1, of_content = 2 };

  /// False when the record is not what its hash says: its length may be wrong too.
  [[nodiscard]] Result<bool> take(const Record& record) {
    const std::string fault = hash_fault(subspace_, record);
    if (fault.empty()) {
      ++found_.records;
      PLAN_TRY_VOID(take_(header_, record));
      return true;
    }
    ++found_.dropped_count;
    if (found_.dropped.size() < kDroppedListed)
      found_.dropped.push_back(
          fmt::format("{}: {}", ir::to_hex(record.key.substr(0, kKeyShown)), fault));
    return false;
  }

  /// Records from `bytes` on that prove one another.
  [[nodiscard]] Parsed::Kind is_beginning(std::string_view bytes, End end) {
    std::string_view previous;
    for (int i = 0; i < kProvingRecords; ++i) {
      if (bytes.empty() && i > 0 && end == End::of_records) return Parsed::Kind::whole;
      const Parsed parsed = parse_record(subspace_, bytes);
      if (parsed.kind != Parsed::Kind::whole)
        return parsed.kind == Parsed::Kind::cut && end != End::none ? Parsed::Kind::none
                                                                    : parsed.kind;
      if (i > 0 && parsed.record.key <= previous) return Parsed::Kind::none;
      previous = parsed.record.key;
      const bool has_hash = subspace_.value == ValueKind::blob ||
                            (is_archive(subspace_, previous) && parsed.record.value.size() > 8);
      const bool proves_itself = has_hash && hashed_in_search_ < kHashedInSearchMax;
      if (proves_itself) hashed_in_search_ += parsed.record.value.size();
      if (proves_itself && hash_fault(subspace_, parsed.record).empty()) return Parsed::Kind::whole;
      if (proves_itself && i == 0) return Parsed::Kind::none;
      bytes.remove_prefix(parsed.bytes);
    }
    return Parsed::Kind::whole;
  }

  [[nodiscard]] Outcome find(End end) {
    const bool is_last = end != End::none;
    while (at_ < pending_.size()) {
      const std::string_view bytes = std::string_view(pending_).substr(at_);
      if (is_in_step_) {
        const Parsed parsed = parse_record(subspace_, bytes);
        if (parsed.kind == Parsed::Kind::whole) {
          PLAN_TRY(is_right, take(parsed.record));
          at_ += is_right ? parsed.bytes : 1;
          skipped_ += is_right ? 0 : 1;
          is_in_step_ = is_right;
          continue;
        }
        if (parsed.kind == Parsed::Kind::cut && bytes.size() < kSalvagedRecordMax && !is_last)
          return {};
        is_in_step_ = false;
        if (parsed.kind == Parsed::Kind::cut && end == End::of_content) {
          // All of it is that record's, whose end is gone: what looks like others in there is none.
          skipped_ += bytes.size();
          at_ = pending_.size();
        }
        continue;
      }
      // No key is empty: a stretch of zeros holds no beginning, however long it is.
      if (const std::size_t zeros = zeros_at_front(bytes); zeros > 0) {
        at_ += zeros;
        skipped_ += zeros;
        continue;
      }
      const Parsed::Kind kind = is_beginning(bytes, end);
      if (kind == Parsed::Kind::whole) {
        is_in_step_ = true;
        if (skipped_ > 0)
          note_gap({.kind = FaultKind::key_shape,
                    .text = "no record begins there",
                    .record = found_.records},
                   skipped_);
        skipped_ = 0;
        continue;
      }
      if (kind == Parsed::Kind::cut && bytes.size() < kSalvagedRecordMax && !is_last) return {};
      ++at_;
      ++skipped_;
    }
    return {};
  }

  const Subspace& subspace_;
  FileHeader header_;
  Salvaged& found_;
  const std::function<Outcome(const FileHeader&, const Record&)>& take_;
  std::string pending_;
  std::size_t at_ = 0;
  std::uint64_t skipped_ = 0;
  std::uint64_t hashed_in_search_ = 0;
  bool is_in_step_ = true;
};

/// One frame of a file, its content given to the finder. Returns the fault it ended with.
class FrameWalk {
 public:
  FrameWalk(const std::string& path, std::uint64_t begin, bool has_new_header)
      : frame_(std::make_unique<PatchedSource>(path, begin, has_new_header), false) {}

  /// The header of the content, if there is one.
  [[nodiscard]] std::optional<FileHeader> read_header() {
    while (first_.size() < kContentHeaderBytes && take_next()) first_.append(batch_.content());
    if (first_.size() < kContentHeaderBytes || first_[0] != kMarker) return std::nullopt;
    FileHeader header{.letter = first_[1],
                      .schema = little_u32(std::string_view(first_).substr(2))};
    return header;
  }
  void skip_header() { first_.erase(0, kContentHeaderBytes); }

  [[nodiscard]] Outcome walk(Finder& finder, std::uint64_t begin) {
    PLAN_TRY_VOID(finder.add(first_));
    while (true) {
      while (take_next()) PLAN_TRY_VOID(finder.add(batch_.content()));
      if (!frame_.fault()) return {};
      Fault fault = *frame_.fault();
      fault.file_byte += begin;
      if (!frame_.skip_block()) {
        end_ = fault;
        return {};
      }
      PLAN_TRY_VOID(finder.break_off(fault));
    }
  }
  [[nodiscard]] const std::optional<Fault>& end() const { return end_; }
  [[nodiscard]] const std::optional<Fault>& frame_fault() const { return frame_.fault(); }

 private:
  /// The next content, in the end that of a block which the end of the file cuts.
  [[nodiscard]] bool take_next() { return frame_.next(batch_) || frame_.next_before_cut(batch_); }

  Lz4FrameReader frame_;
  ContentBatch batch_;
  std::string first_;
  std::optional<Fault> end_;
};

}  // namespace

Result<Salvaged> salvage_file(
    const std::string& path, const FileHeader& assumed,
    const std::function<Outcome(const FileHeader& header, const Record& record)>& take) {
  Salvaged found;
  auto frame = std::make_unique<FrameWalk>(path, 0, false);
  auto header = frame->read_header();
  if (!header && frame->frame_fault() &&
      (frame->frame_fault()->kind == FaultKind::wrong_magic ||
       frame->frame_fault()->kind == FaultKind::bad_frame_header)) {
    found.gaps.push_back({.fault = *frame->frame_fault()});
    ++found.gaps_count;
    frame = std::make_unique<FrameWalk>(path, 0, true);
    header = frame->read_header();
  }
  const Subspace* subspace = header ? find_subspace(header->letter, header->schema) : nullptr;
  found.header = subspace != nullptr ? *header : assumed;
  if (subspace == nullptr) subspace = find_subspace(assumed.letter, assumed.schema);
  if (subspace == nullptr)
    return Error(errors::dump_damaged, path + ": nothing says which subspace it holds");
  Finder finder(*subspace, found.header, found, take);
  frame->skip_header();
  std::uint64_t begin = 0;
  while (true) {
    PLAN_TRY_VOID(frame->walk(finder, begin));
    if (!frame->end()) break;
    PLAN_TRY_VOID(finder.break_off(*frame->end()));
    if (frame->end()->kind != FaultKind::second_frame) break;
    begin = frame->end()->file_byte;
    frame = std::make_unique<FrameWalk>(path, begin, false);
    if (const auto again = frame->read_header()) {
      if (again->letter != found.header.letter || again->schema != found.header.schema) break;
      frame->skip_header();
    }
  }
  PLAN_TRY_VOID(finder.finish());
  return found;
}

}  // namespace plan::dump
