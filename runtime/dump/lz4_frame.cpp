#include "runtime/dump/lz4_frame.h"

#include <fmt/format.h>
#include <lz4.h>
#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "compiler/source/check.h"

namespace plan::dump {
namespace {

constexpr std::size_t kBatchBytes = std::size_t{1} << 20U;
constexpr std::size_t kInputBytes = std::size_t{1} << 20U;
constexpr std::size_t kHistoryBytes = std::size_t{64} << 10U;
constexpr std::size_t kBlocksPerBatchMax = 4096;
constexpr std::uint32_t kMagic = 0x184D2204U;
constexpr std::uint32_t kStored = 0x80000000U;
/// 7 of the frame, 4 of a block's length, 6 of the content's header.
constexpr std::size_t kFileBytesMin = 17;

std::uint32_t little_u32(const char* bytes) {
  std::uint32_t value = 0;
  for (int i = 3; i >= 0; --i) value = value << 8U | static_cast<std::uint8_t>(bytes[i]);
  return value;
}

std::uint64_t little_u64(const char* bytes) {
  return std::uint64_t{little_u32(bytes + 4)} << 32U | little_u32(bytes);
}

/// A length of an LZ4 sequence: 15 is followed by bytes that are added, up to one that is not 255.
/// False when the block ends inside; the length is then at least so much.
bool read_sequence_length(std::string_view block, std::size_t* at, std::size_t* length) {
  if (*length != 15) return true;
  while (*at < block.size()) {
    const auto more = static_cast<std::uint8_t>(block[(*at)++]);
    *length += more;
    if (more != 255) return true;
  }
  return false;
}

/// Decodes a block that was cut off, as far as it goes, into at most `capacity` bytes at `out`,
/// before which `known` others stand that it may refer to. liblz4 decodes whole blocks, or a part
/// whose length is known.
std::size_t decode_front(std::string_view block, char* out, std::size_t capacity,
                         std::size_t known) {
  constexpr std::size_t kMatchBytesMin = 4;
  std::size_t made = 0;
  for (std::size_t at = 0; at < block.size();) {
    const auto token = static_cast<std::uint8_t>(block[at++]);
    std::size_t literals = token >> 4U;
    if (!read_sequence_length(block, &at, &literals)) return made;
    const std::size_t copied = std::min({literals, block.size() - at, capacity - made});
    if (copied > 0) std::memcpy(out + made, block.data() + at, copied);
    made += copied;
    at += copied;
    if (copied < literals || block.size() - at < 2) return made;
    const std::size_t distance = std::size_t{static_cast<std::uint8_t>(block[at])} |
                                 std::size_t{static_cast<std::uint8_t>(block[at + 1])} << 8U;
    at += 2;
    if (distance == 0 || distance > made + known) return made;
    std::size_t match = token & 0x0FU;
    const bool is_whole = read_sequence_length(block, &at, &match);
    match += kMatchBytesMin;
    // Byte by byte: a match may reach into what it makes.
    for (std::size_t i = 0; i < match && made < capacity; ++i, ++made)
      out[made] = *(out + made - distance);
    if (!is_whole || made == capacity) return made;
  }
  return made;
}

}  // namespace

struct Lz4FrameReader::Checksum {
  XXH32_state_t* state = XXH32_createState();
  Checksum() { XXH32_reset(state, 0); }
  Checksum(const Checksum&) = delete;
  Checksum& operator=(const Checksum&) = delete;
  ~Checksum() { XXH32_freeState(state); }
};

std::uint64_t ContentBatch::file_byte_of(std::size_t at) const {
  const auto next =
      std::upper_bound(marks_.begin(), marks_.end(), at,
                       [](std::size_t place, const BlockMark& mark) { return place < mark.begin; });
  return next == marks_.begin() ? 0 : std::prev(next)->file_byte;
}

Lz4FrameReader::Lz4FrameReader(std::unique_ptr<ByteSource> source, bool is_digested)
    : source_(std::move(source)),
      digest_(is_digested ? std::make_unique<ir::Sha256Stream>() : nullptr) {}
Lz4FrameReader::~Lz4FrameReader() = default;

void Lz4FrameReader::end_with(FaultKind kind, std::string text, std::uint64_t file_byte) {
  is_over_ = true;
  facts_.end = FrameEnd::faulty;
  // What the disk or the file's owner did explains everything that comes of it.
  if (source_->fault()) {
    fault_ = source_->fault();
    return;
  }
  fault_ = Fault{.kind = kind,
                 .text = std::move(text),
                 .file_byte = file_byte,
                 .content_byte = facts_.content_bytes};
}

bool Lz4FrameReader::need(std::size_t size) {
  if (available() >= size) return true;
  if (capacity_ < size || buffer_ == nullptr) {
    const std::size_t capacity = std::max(size, kInputBytes);
    // Uninitialised on purpose: it is filled before it is read.
    std::unique_ptr<char[]> larger(new char[capacity]);
    if (available() > 0) std::memcpy(larger.get(), input(), available());
    buffer_ = std::move(larger);
    capacity_ = capacity;
  } else if (available() > 0) {
    std::memmove(buffer_.get(), input(), available());
  }
  end_ = available();
  begin_ = 0;
  const std::size_t count = source_->read(buffer_.get() + end_, capacity_ - end_);
  if (digest_) digest_->update({buffer_.get() + end_, count});
  end_ += count;
  facts_.file_bytes += count;
  return available() >= size;
}

void Lz4FrameReader::take(std::size_t size) {
  begin_ += size;
  position_ += size;
}

bool Lz4FrameReader::read_header() {
  has_header_ = true;
  if (!need(4)) {
    end_with(FaultKind::too_short,
             fmt::format("{} bytes; even an empty subspace has {}", available(), kFileBytesMin), 0);
    return false;
  }
  if (little_u32(input()) != kMagic) {
    end_with(FaultKind::wrong_magic,
             fmt::format("it begins with {} instead of 04224d18",
                         ir::to_hex({input(), std::min<std::size_t>(4, available())})),
             0);
    return false;
  }
  if (!need(kExporterHeader.size())) {
    end_with(FaultKind::too_short, fmt::format("{} bytes", available()), available());
    return false;
  }
  const auto flags = static_cast<std::uint8_t>(input()[4]);
  const auto sizes = static_cast<std::uint8_t>(input()[5]);
  FrameHeader& header = facts_.header;
  if (flags >> 6U != 1) {
    end_with(FaultKind::bad_frame_header, fmt::format("frame version {}", flags >> 6U), 4);
    return false;
  }
  const bool has_content_bytes = (flags & 0x08U) != 0;
  const unsigned size_code = sizes >> 4U & 7U;
  if ((flags & 0x03U) != 0 || (sizes & 0x8FU) != 0 || size_code < 4) {
    end_with(FaultKind::bad_frame_header,
             fmt::format("flags {:02x} {:02x} that no dump has", flags, sizes), 4);
    return false;
  }
  header.is_block_independent = (flags & 0x20U) != 0;
  header.has_block_checksum = (flags & 0x10U) != 0;
  header.has_content_checksum = (flags & 0x04U) != 0;
  header.block_bytes_max = std::size_t{1} << (8U + 2U * size_code);
  header.header_bytes = has_content_bytes ? 15 : 7;
  if (!need(header.header_bytes)) {
    end_with(FaultKind::too_short, fmt::format("{} bytes", available()), available());
    return false;
  }
  if (has_content_bytes) header.content_bytes = little_u64(input() + 6);
  const std::uint8_t wanted =
      static_cast<std::uint8_t>(XXH32(input() + 4, header.header_bytes - 5, 0) >> 8U);
  const auto found = static_cast<std::uint8_t>(input()[header.header_bytes - 1]);
  if (wanted != found) {
    end_with(FaultKind::bad_frame_header,
             fmt::format("its checksum is {:02x}, the bytes give {:02x}", found, wanted),
             header.header_bytes - 1);
    return false;
  }
  if (header.has_content_checksum) checksum_ = std::make_unique<Checksum>();
  take(header.header_bytes);
  return true;
}

void Lz4FrameReader::finish_marked() {
  const std::uint64_t at = position_;
  if (facts_.header.has_content_checksum) {
    if (!need(4)) {
      end_with(FaultKind::cut_in_checksum, fmt::format("{} of 4 bytes are there", available()), at);
      return;
    }
    const std::uint32_t found = little_u32(input());
    const std::uint32_t wanted = XXH32_digest(checksum_->state);
    take(4);
    if (is_whole_ && found != wanted) {
      end_with(FaultKind::wrong_content_checksum,
               fmt::format("{:08x} is written, the content gives {:08x}", found, wanted), at);
      return;
    }
  }
  if (is_whole_ && facts_.header.content_bytes &&
      *facts_.header.content_bytes != facts_.content_bytes) {
    end_with(FaultKind::wrong_content_size,
             fmt::format("{} bytes are announced, {} are there", *facts_.header.content_bytes,
                         facts_.content_bytes),
             6);
    return;
  }
  if (need(1)) {
    const bool is_frame = need(4) && little_u32(input()) == kMagic;
    end_with(is_frame ? FaultKind::second_frame : FaultKind::trailing_bytes,
             "the frame ends at byte " + std::to_string(position_), position_);
    return;
  }
  if (source_->fault()) {
    end_with(FaultKind::unreadable, {}, position_);
    return;
  }
  is_over_ = true;
  facts_.end = FrameEnd::marked;
}

Lz4FrameReader::Step Lz4FrameReader::read_block(ContentBatch& batch) {
  const FrameHeader& header = facts_.header;
  const std::uint64_t at = position_;
  if (!need(4)) {
    if (available() > 0) {
      end_with(FaultKind::cut_in_block_length, fmt::format("{} of 4 bytes are there", available()),
               at);
      return Step::fault;
    }
    if (source_->fault()) {
      end_with(FaultKind::unreadable, {}, at);
      return Step::fault;
    }
    is_over_ = true;
    facts_.end = FrameEnd::open;
    return Step::end;
  }
  const std::uint32_t word = little_u32(input());
  if (word == 0) {
    take(4);
    finish_marked();
    return fault_ ? Step::fault : Step::end;
  }
  const bool is_stored = (word & kStored) != 0;
  const std::size_t size = word & ~kStored;
  if (size > header.block_bytes_max) {
    end_with(FaultKind::block_too_long,
             fmt::format("block {} announces {} bytes, a block has at most {}", facts_.blocks, size,
                         header.block_bytes_max),
             at);
    return Step::fault;
  }
  const std::size_t whole = 4 + size + (header.has_block_checksum ? 4 : 0);
  if (!need(whole)) {
    end_with(FaultKind::cut_in_block,
             fmt::format("{} of the {} bytes of block {} are there", available() - 4, whole - 4,
                         facts_.blocks),
             at);
    has_cut_block_ = true;
    return Step::fault;
  }
  const char* data = input() + 4;
  if (header.has_block_checksum && little_u32(data + size) != XXH32(data, size, 0)) {
    end_with(FaultKind::wrong_block_checksum,
             fmt::format("block {} of {} bytes", facts_.blocks, size), at);
    skippable_ = whole;
    return Step::fault;
  }
  char* out = batch.bytes_.get() + batch.history_ + batch.size_;
  std::size_t decoded = size;
  if (is_stored) {
    std::memcpy(out, data, size);
  } else {
    const std::size_t known = batch.history_ + batch.size_;
    const int made =
        header.is_block_independent
            ? LZ4_decompress_safe(data, out, static_cast<int>(size),
                                  static_cast<int>(header.block_bytes_max))
            : LZ4_decompress_safe_usingDict(data, out, static_cast<int>(size),
                                            static_cast<int>(header.block_bytes_max),
                                            out - std::min(known, kHistoryBytes),
                                            static_cast<int>(std::min(known, kHistoryBytes)));
    if (made < 0) {
      end_with(FaultKind::undecodable_block,
               fmt::format("block {} of {} bytes", facts_.blocks, size), at);
      skippable_ = whole;
      return Step::fault;
    }
    decoded = static_cast<std::size_t>(made);
  }
  if (checksum_) XXH32_update(checksum_->state, out, decoded);
  batch.marks_.push_back({.begin = batch.size_, .file_byte = at});
  batch.size_ += decoded;
  facts_.content_bytes += decoded;
  ++facts_.blocks;
  if (is_stored) ++facts_.stored_blocks;
  take(whole);
  return Step::block;
}

void Lz4FrameReader::begin_batch(ContentBatch& batch) const {
  const std::size_t capacity = kHistoryBytes + std::max(kBatchBytes, facts_.header.block_bytes_max);
  if (batch.capacity_ < capacity) {
    batch.bytes_.reset(new char[capacity]);
    batch.capacity_ = capacity;
  }
  batch.marks_.clear();
  batch.size_ = 0;
  batch.content_byte_ = facts_.content_bytes;
  batch.history_ = history_.size();
  if (!history_.empty()) std::memcpy(batch.bytes_.get(), history_.data(), history_.size());
}

bool Lz4FrameReader::next(ContentBatch& batch) {
  if (is_over_) return false;
  if (!has_header_ && !read_header()) return false;
  begin_batch(batch);
  const std::size_t batch_bytes = std::max(kBatchBytes, facts_.header.block_bytes_max);
  while (batch.size_ + facts_.header.block_bytes_max <= batch_bytes &&
         batch.marks_.size() < kBlocksPerBatchMax) {
    if (read_block(batch) != Step::block) break;
  }
  if (!facts_.header.is_block_independent) {
    const std::string_view known(batch.bytes_.get(), batch.history_ + batch.size_);
    history_ = known.substr(known.size() - std::min(known.size(), kHistoryBytes));
  }
  return !batch.marks_.empty();
}

bool Lz4FrameReader::next_before_cut(ContentBatch& batch) {
  if (!std::exchange(has_cut_block_, false)) return false;
  begin_batch(batch);
  const std::uint32_t word = little_u32(input());
  const std::string_view block(input() + 4,
                               std::min<std::size_t>(word & ~kStored, available() - 4));
  char* out = batch.bytes_.get() + batch.history_;
  if ((word & kStored) != 0) {
    std::memcpy(out, block.data(), block.size());
    batch.size_ = block.size();
  } else {
    batch.size_ = decode_front(block, out, facts_.header.block_bytes_max, batch.history_);
  }
  batch.marks_.push_back({.begin = 0, .file_byte = position_});
  return batch.size_ > 0;
}

bool Lz4FrameReader::skip_block() {
  if (skippable_ == 0 || !facts_.header.is_block_independent) return false;
  take(skippable_);
  skippable_ = 0;
  fault_.reset();
  is_over_ = false;
  is_whole_ = false;  // checksum and size of the content cannot be right any more
  return true;
}

ir::Sha256 Lz4FrameReader::file_digest() {
  PLAN_CHECK(digest_ != nullptr, "the digest was asked for when the file was opened");
  do {
    begin_ = end_;
  } while (need(1));
  return digest_->finish();
}

}  // namespace plan::dump
