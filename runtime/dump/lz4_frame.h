#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/ir/digest.h"
#include "runtime/dump/byte_source.h"
#include "runtime/dump/fault.h"

namespace plan::dump {

/// The header that Stalwart's exporter writes before every dump: independent blocks of at most
/// 64 KiB, no checksum, no size (reference/stalwart-store.md 5.1).
constexpr std::array<std::uint8_t, 7> kExporterHeader = {0x04, 0x22, 0x4D, 0x18, 0x60, 0x40, 0x82};

/// What an LZ4 frame header says (LZ4 frame format 1.6).
struct FrameHeader {
  bool is_block_independent = true;
  bool has_block_checksum = false;
  bool has_content_checksum = false;
  std::optional<std::uint64_t> content_bytes = {};
  std::size_t block_bytes_max = std::size_t{64} << 10U;
  std::size_t header_bytes = kExporterHeader.size();
};

/// How a frame ended. `open`: at a block boundary without an end mark, which is what the exporter
/// writes and what a cut at such a boundary looks like too.
enum class FrameEnd : std::uint8_t { faulty = 0, open = 1, marked = 2 };

/// What a walk over a frame has seen so far.
struct FrameFacts {
  FrameHeader header = {};
  std::uint64_t blocks = 0;
  std::uint64_t stored_blocks = 0;  ///< those that are not compressed
  std::uint64_t file_bytes = 0;     ///< read so far
  std::uint64_t content_bytes = 0;  ///< decoded so far
  FrameEnd end = FrameEnd::faulty;
};

/// Decoded content: some blocks in a row, and where each stands in the file.
class ContentBatch {
 public:
  struct BlockMark {
    std::size_t begin = 0;        ///< in `content`
    std::uint64_t file_byte = 0;  ///< of the block's length
  };
  [[nodiscard]] std::string_view content() const { return {bytes_.get() + history_, size_}; }
  [[nodiscard]] std::uint64_t content_byte() const { return content_byte_; }
  /// The block of the file that holds byte `at` of the content.
  [[nodiscard]] std::uint64_t file_byte_of(std::size_t at) const;

 private:
  friend class Lz4FrameReader;
  std::unique_ptr<char[]> bytes_;
  std::size_t capacity_ = 0;
  std::size_t history_ = 0;  ///< bytes of earlier blocks that linked ones refer to
  std::size_t size_ = 0;
  std::uint64_t content_byte_ = 0;
  std::vector<BlockMark> marks_;
};

/// Walks one LZ4 frame block by block, with a bound on memory (2 blocks and 1 MiB), and tells
/// exactly how it ends: liblz4's frame API cannot say where. Not for several threads at a time.
class Lz4FrameReader {
 public:
  /// `is_digested`: the SHA-256 of the file is taken along; all bytes are read then, also those
  /// behind a fault.
  Lz4FrameReader(std::unique_ptr<ByteSource> source, bool is_digested);
  ~Lz4FrameReader();
  Lz4FrameReader(const Lz4FrameReader&) = delete;
  Lz4FrameReader& operator=(const Lz4FrameReader&) = delete;

  /// The next blocks, at most 1 MiB or one block; false at the end or at a fault, after everything
  /// before it was handed out. The buffer may be reused.
  [[nodiscard]] bool next(ContentBatch& batch);
  /// Goes on behind a block that did not decode or whose checksum was wrong. False for faults that
  /// leave no way to find the next block, and for linked blocks.
  [[nodiscard]] bool skip_block();

  /// After the fault cut-in-block, once: what the bytes before the cut decode to. A block is
  /// decoded from its front, so that all of it was there. False when there is nothing.
  [[nodiscard]] bool next_before_cut(ContentBatch& batch);

  /// Good after next() returned false.
  [[nodiscard]] const std::optional<Fault>& fault() const { return fault_; }
  [[nodiscard]] const FrameFacts& facts() const { return facts_; }
  /// Of the whole file; only with `is_digested`, after next() returned false.
  [[nodiscard]] ir::Sha256 file_digest();

 private:
  struct Checksum;
  enum class Step : std::uint8_t { block, end, fault };

  [[nodiscard]] bool read_header();
  [[nodiscard]] Step read_block(ContentBatch& batch);
  void begin_batch(ContentBatch& batch) const;
  void finish_marked();
  void end_with(FaultKind kind, std::string text, std::uint64_t file_byte);
  /// Makes `size` bytes available at `input()`; false when the file has fewer left.
  [[nodiscard]] bool need(std::size_t size);
  [[nodiscard]] const char* input() const { return buffer_.get() + begin_; }
  [[nodiscard]] std::size_t available() const { return end_ - begin_; }
  void take(std::size_t size);

  std::unique_ptr<ByteSource> source_;
  std::unique_ptr<ir::Sha256Stream> digest_;
  std::unique_ptr<Checksum> checksum_;  // only when the frame has one
  std::unique_ptr<char[]> buffer_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::uint64_t position_ = 0;  // of input() in the file
  std::string history_;         // the last 64 KiB, for linked blocks
  std::size_t skippable_ = 0;   // bytes of the block at fault
  bool has_header_ = false;
  bool has_cut_block_ = false;  // at input(), from its length on
  bool is_over_ = false;
  bool is_whole_ = true;
  std::optional<Fault> fault_;
  FrameFacts facts_;
};

}  // namespace plan::dump
