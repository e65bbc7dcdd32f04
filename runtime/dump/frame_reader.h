#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "compiler/ir/digest.h"
#include "compiler/source/result.h"
#include "runtime/dump/lz4_frame.h"
#include "runtime/dump/record.h"

namespace plan::dump {

/// What stands before the records of a dump file. The letter inside decides, whatever the file's
/// name is.
struct FileHeader {
  char letter = 0;
  std::uint32_t schema = 0;
};

/// `subspace_t`: the name that an export gives a file.
[[nodiscard]] std::string file_name_of(char letter);
/// The letter of such a name; 0 for every other name.
[[nodiscard]] char letter_of_file_name(std::string_view name);

/// How many zero bytes stand at the front.
[[nodiscard]] std::size_t zeros_at_front(std::string_view bytes);

/// The importer reads lengths of at most 5 LEB128 bytes into 32 bits; no store takes a key as long
/// as this bound.
constexpr std::uint64_t kKeyBytesMax = std::uint64_t{1} << 20U;
/// Values are at most 4 GiB: see value_piece() for the large ones.
constexpr std::uint64_t kWholeValueBytes = std::uint64_t{16} << 20U;

struct ReadOptions {
  bool is_file_digested = false;    ///< file_digest() is wanted
  bool is_stream_digested = false;  ///< stream_digest() is wanted
  bool is_ahead = false;            ///< a thread of its own reads and decodes ahead
};

/// Reads one dump file of 0.15 or 0.16 record by record (reference/stalwart-store.md 5): LZ4 frame,
/// marker, letter, schema, then LEB128 lengths, keys and values. Memory is bounded by some MiB
/// whatever the file holds. What it checks is the form only; order and shape of keys are
/// record_check.h's. One thread at a time.
class FrameReader {
 public:
  /// Opens and reads up to the header. The error is that of header_fault().
  [[nodiscard]] static Result<std::unique_ptr<FrameReader>> open(const std::string& path,
                                                                 const ReadOptions& options = {});
  /// The same without an error for a bad header: ask fault().
  FrameReader(std::unique_ptr<ByteSource> source, const ReadOptions& options);
  ~FrameReader();
  FrameReader(const FrameReader&) = delete;
  FrameReader& operator=(const FrameReader&) = delete;

  /// Nothing when the file ends or is at fault before it.
  [[nodiscard]] const std::optional<FileHeader>& header() const { return header_; }

  /// Goes to the next record, past what was not read of the value before. False at the end; the
  /// error is to_error(*fault()). Everything before a fault was handed out.
  [[nodiscard]] Result<bool> next();

  /// Of the present record; good until next().
  [[nodiscard]] std::string_view key() const { return key_; }
  [[nodiscard]] std::uint64_t value_bytes() const { return value_bytes_; }
  /// The value in pieces, in order: good until the next call; empty when all of it was read. An
  /// error when the file ends inside.
  [[nodiscard]] Result<std::string_view> value_piece();
  /// The whole value, or what is left of it; good until next(). Error: value-too-large over
  /// `bytes_max`.
  [[nodiscard]] Result<std::string_view> value(std::uint64_t bytes_max = kWholeValueBytes);
  /// next() and value() in one: nothing at the end.
  [[nodiscard]] Result<std::optional<Record>> next_record(
      std::uint64_t bytes_max = kWholeValueBytes);

  /// Behind an empty record (00 00 in the content): the empty ones that follow it as far as the
  /// content is in memory, counted at once and read. No exporter writes one, but a small file can
  /// hold billions.
  [[nodiscard]] std::uint64_t take_empty_records();

  // What was seen so far. Records are counted when they were read whole.
  [[nodiscard]] std::uint64_t records() const { return records_; }
  [[nodiscard]] std::uint64_t key_bytes() const { return all_key_bytes_; }
  [[nodiscard]] std::uint64_t value_bytes_total() const { return all_value_bytes_; }
  /// Lengths written longer than needed, and where the first one is.
  [[nodiscard]] std::uint64_t long_lengths() const { return long_lengths_; }
  [[nodiscard]] std::uint64_t first_long_length() const { return first_long_length_; }
  /// Where the present record begins, in the decoded content and in the file (its block).
  [[nodiscard]] std::uint64_t content_byte() const { return record_content_byte_; }
  [[nodiscard]] std::uint64_t file_byte() const { return record_file_byte_; }

  // Good after next() was false or an error.
  [[nodiscard]] const std::optional<Fault>& fault() const { return fault_; }
  [[nodiscard]] const FrameFacts& frame() const;
  /// SHA-256 of the file as it lies on disk. At any time: what is left of it is read for this, and
  /// no more records come.
  [[nodiscard]] ir::Sha256 file_digest();
  /// SHA-256 over the decoded content after the header.
  [[nodiscard]] ir::Sha256 stream_digest();

 private:
  class Batches;

  void read_header();
  [[nodiscard]] bool refill();
  /// Reads a length; 0 bytes read and the content at its end is `*is_end`.
  [[nodiscard]] bool read_length(std::uint64_t* length, FaultKind when_cut, bool* is_end);
  [[nodiscard]] bool read_key(std::uint64_t bytes);
  [[nodiscard]] Error fail(FaultKind kind, std::string text);
  [[nodiscard]] std::uint64_t content_position() const;

  std::unique_ptr<Batches> batches_;
  std::unique_ptr<ir::Sha256Stream> digest_;
  std::string_view view_;  // unread content of the present batch
  std::optional<FileHeader> header_;
  std::string_view key_;
  std::string key_copy_;  // when the batch of the key is gone before the record is
  std::string value_copy_;
  std::uint64_t value_bytes_ = 0;
  std::uint64_t value_left_ = 0;
  std::uint64_t records_ = 0;
  std::uint64_t all_key_bytes_ = 0;
  std::uint64_t all_value_bytes_ = 0;
  std::uint64_t long_lengths_ = 0;
  std::uint64_t first_long_length_ = 0;
  std::uint64_t record_content_byte_ = 0;
  std::uint64_t record_file_byte_ = 0;
  bool is_in_record_ = false;
  bool is_at_end_ = false;
  bool is_file_digested_ = false;
  std::optional<Fault> fault_;
};

}  // namespace plan::dump
