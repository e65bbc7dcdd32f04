#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "compiler/ir/digest.h"
#include "compiler/source/result.h"
#include "runtime/dump/frame_reader.h"
#include "runtime/dump/record.h"

namespace plan::dump {

struct WriteOptions {
  /// An LZ4 end mark after the last block. The exporter writes none; the importer takes one, and
  /// only with one a cut can be told from the end.
  bool has_end_mark = false;
  /// The content's XXH32 behind the end mark (which it needs). The importer checks it.
  bool has_checksum = false;
  /// Compresses in a thread of its own, and writes in another.
  bool is_behind = false;
};

/// A dump file that was written: what a manifest says of it.
struct WrittenFile {
  std::string path = {};
  FileHeader header = {};
  std::uint64_t records = 0;
  std::uint64_t key_bytes = 0;
  std::uint64_t value_bytes = 0;
  std::uint64_t file_bytes = 0;
  ir::Sha256 file_digest = {};    ///< of the file as it lies on disk
  ir::Sha256 stream_digest = {};  ///< of the decoded content after the header
};

/// Writes one dump file as Stalwart's exporter does, byte layout and block sizes alike
/// (reference/stalwart-store.md 5), so that its importer takes it. The caller keeps the order of
/// keys. The file is only there for good after finish(): an object that dies before removes it. One
/// thread at a time; memory 4 MiB.
class FrameWriter {
 public:
  /// Creates `path`, readable by its owner only (dumps hold secrets). Errors: dump-exists,
  /// dump-unwritable.
  [[nodiscard]] static Result<std::unique_ptr<FrameWriter>> create(
      const std::string& path, FileHeader header, const WriteOptions& options = {});
  ~FrameWriter();
  FrameWriter(const FrameWriter&) = delete;
  FrameWriter& operator=(const FrameWriter&) = delete;

  [[nodiscard]] Outcome append(const Record& record);
  /// The same in pieces: exactly `value_bytes` have to follow through append_value().
  [[nodiscard]] Outcome begin_record(std::string_view key, std::uint64_t value_bytes);
  [[nodiscard]] Outcome append_value(std::string_view piece);

  /// Writes what is left, and the disk has it then. Error: dump-unwritable.
  [[nodiscard]] Result<WrittenFile> finish();

 private:
  class Output;
  explicit FrameWriter(std::unique_ptr<Output> output);

  std::unique_ptr<Output> output_;
  WrittenFile written_;
  std::uint64_t value_left_ = 0;
};

/// Tells the kernel every few MiB to begin with writing a file that grows, so that the disk works
/// while the rest is made and not only at the end. `pending` is the caller's count of bytes.
void start_writeback(int descriptor, std::uint64_t* pending, std::uint64_t written);

/// LEB128 as the exporter writes lengths; returns how many of the (at most 10) bytes were used.
std::size_t write_length(std::uint64_t length, char* out);

}  // namespace plan::dump
