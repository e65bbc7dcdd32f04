#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "compiler/source/result.h"
#include "runtime/dump/byte_source.h"
#include "runtime/dump/verify.h"

namespace plan::dump {

/// A record of a file of 0.8 to 0.14 (reference/stalwart-store.md 6): one file for each family, not
/// compressed, big-endian, with operations that set what the next records belong to.
struct OldRecord {
  std::uint8_t family = 0xFF;
  std::uint32_t account = 0xFFFFFFFFU;
  std::uint8_t collection = 0xFF;
  std::uint32_t document = 0xFFFFFFFFU;
  std::string key = {};
  std::uint64_t value_bytes = 0;
};

/// `property`, `blob`, ...; `unknown` for numbers that no version has.
[[nodiscard]] std::string_view old_family_name(std::uint8_t family);

/// Reads such a file record by record with a bound on memory. One thread at a time.
class OldDumpReader {
 public:
  OldDumpReader(std::unique_ptr<ByteSource> source, bool is_digested);
  ~OldDumpReader();

  /// Goes to the next record, past what was not read of the value before. False at the end; the
  /// error is to_error(*fault()).
  [[nodiscard]] Result<bool> next();
  [[nodiscard]] const OldRecord& record() const { return record_; }
  /// As FrameReader::value_piece().
  [[nodiscard]] Result<std::string_view> value_piece();

  [[nodiscard]] std::uint8_t version() const { return version_; }
  // Of the records that were read whole: what is announced and not there counts for nothing.
  [[nodiscard]] std::uint64_t records() const { return records_; }
  [[nodiscard]] std::uint64_t key_bytes() const { return key_bytes_; }
  [[nodiscard]] std::uint64_t value_bytes() const { return value_bytes_; }
  [[nodiscard]] std::uint64_t bytes() const { return position_; }
  [[nodiscard]] const std::optional<Fault>& fault() const { return fault_; }
  /// Of the file, and of what stands behind its two first bytes. After next() returned false.
  [[nodiscard]] ir::Sha256 file_digest();
  [[nodiscard]] ir::Sha256 stream_digest();

 private:
  /// Up to `size` bytes; empty at the end.
  [[nodiscard]] std::string_view take(std::uint64_t size);
  [[nodiscard]] bool take_number(unsigned bytes, std::uint64_t* number, std::string_view what);
  [[nodiscard]] Error fail(FaultKind kind, std::string text);
  void drain();

  struct Digests;
  std::unique_ptr<ByteSource> source_;
  std::unique_ptr<Digests> digests_;
  std::string buffer_;
  std::string_view view_;
  std::uint64_t position_ = 0;
  OldRecord record_;
  std::uint64_t value_left_ = 0;
  std::uint8_t version_ = 0;
  bool is_begun_ = false;
  bool is_in_record_ = false;
  std::uint64_t records_ = 0;
  std::uint64_t key_bytes_ = 0;
  std::uint64_t value_bytes_ = 0;
  std::optional<Fault> fault_;
};

/// The first bytes are those of such a file.
[[nodiscard]] bool is_old_dump(const std::string& path);
/// Fills a report as verify_dump does for files of its own.
void read_old_file(FileReport& report, const VerifyOptions& options);

}  // namespace plan::dump
