#include "runtime/dump/frame_writer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <lz4.h>
#include <unistd.h>
#include <xxhash.h>

#include <array>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <optional>
#include <thread>

#include "compiler/source/check.h"
#include "runtime/dump/errors.h"

namespace plan::dump {
namespace {

constexpr std::size_t kBlockBytes = std::size_t{64} << 10U;
constexpr std::size_t kBlocksPerChunk = 16;
constexpr std::size_t kChunkBytes = kBlockBytes * kBlocksPerChunk;
constexpr std::size_t kContentHeaderBytes = 6;
/// Of liblz4: some percent larger than its default, and half as fast again; with the default
/// writing would be what a merge waits for.
constexpr int kAcceleration = 6;
constexpr std::size_t kFlags = 4;
constexpr std::uint8_t kHasContentChecksum = 0x04;
constexpr std::uint32_t kStored = 0x80000000U;

void write_u32(std::uint32_t value, char* out) {
  for (unsigned i = 0; i < 4; ++i) out[i] = static_cast<char>(value >> (8U * i) & 0xFFU);
}

}  // namespace

std::size_t write_length(std::uint64_t length, char* out) {
  std::size_t count = 0;
  for (; length >= 0x80; length >>= 7U) out[count++] = static_cast<char>((length & 0x7FU) | 0x80U);
  out[count++] = static_cast<char>(length);
  return count;
}

void start_writeback(int descriptor, std::uint64_t* pending, std::uint64_t written) {
  constexpr std::uint64_t kEvery = std::uint64_t{8} << 20U;
  *pending += written;
  if (*pending < kEvery) return;
  *pending = 0;
  // A hint: what it cannot do fsync does.
  (void)::sync_file_range(descriptor, 0, 0, SYNC_FILE_RANGE_WRITE);
}

/// The file: takes content, cuts it into blocks, compresses and writes them.
class FrameWriter::Output {
 public:
  Output(std::string path, int descriptor, const WriteOptions& options)
      : path_(std::move(path)), descriptor_(descriptor), options_(options) {
    for (Chunk& chunk : chunks_) chunk.bytes.reset(new char[kChunkBytes]);
    for (Chunk& blocks : blocks_) blocks.bytes.reset(new char[kBlocksPerChunk * (kBlockBytes + 4)]);
    if (options_.has_checksum) XXH32_reset(checksum_, 0);
    std::array<char, kExporterHeader.size()> header = {};
    std::memcpy(header.data(), kExporterHeader.data(), header.size());
    if (options_.has_checksum) {
      header[kFlags] = static_cast<char>(kExporterHeader[kFlags] | kHasContentChecksum);
      header.back() = static_cast<char>(XXH32(header.data() + kFlags, 2, 0) >> 8U & 0xFFU);
    }
    write({header.data(), header.size()});
  }
  ~Output() {
    stop_threads();
    XXH32_freeState(checksum_);
    if (descriptor_ >= 0) {
      ::close(descriptor_);
      ::unlink(path_.c_str());
    }
  }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  /// Where content goes; full chunks are handed on.
  [[nodiscard]] Outcome put(std::string_view bytes) {
    while (!bytes.empty()) {
      Chunk& chunk = chunks_[turn_];
      const std::size_t count = std::min(bytes.size(), kChunkBytes - chunk.size);
      std::memcpy(chunk.bytes.get() + chunk.size, bytes.data(), count);
      chunk.size += count;
      bytes.remove_prefix(count);
      if (chunk.size == kChunkBytes) PLAN_TRY_VOID(hand_on());
    }
    return {};
  }

  [[nodiscard]] Outcome finish(WrittenFile* written) {
    PLAN_TRY_VOID(hand_on());
    stop_threads();
    if (options_.has_end_mark || options_.has_checksum) {
      std::array<char, 8> tail = {};
      if (options_.has_checksum) write_u32(XXH32_digest(checksum_), tail.data() + 4);
      write({tail.data(), options_.has_checksum ? tail.size() : tail.size() / 2});
    }
    if (error_ == 0 && ::fsync(descriptor_) != 0) error_ = errno;
    if (::close(descriptor_) != 0 && error_ == 0) error_ = errno;
    descriptor_ = -1;
    if (error_ != 0) {
      ::unlink(path_.c_str());
      return unwritable();
    }
    written->file_digest = digest_.finish();
    written->stream_digest = stream_digest_.finish();
    written->file_bytes = bytes_;
    return {};
  }

 private:
  struct Chunk {
    std::unique_ptr<char[]> bytes;
    std::size_t size = 0;
  };

  [[nodiscard]] Error unwritable() const {
    return Error(errors::dump_unwritable, fmt::format("{}: {}", path_, std::strerror(error_)));
  }

  [[nodiscard]] Outcome hand_on() {
    // Here and not behind: the thread has enough to do with compressing.
    std::string_view content(chunks_[turn_].bytes.get(), chunks_[turn_].size);
    if (!is_header_past_) content.remove_prefix(kContentHeaderBytes);
    is_header_past_ = true;
    stream_digest_.update(content);
    if (!options_.is_behind) {
      pack(chunks_[turn_], blocks_[0]);
      write_blocks(blocks_[0]);
    } else {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return waiting_ == nullptr; });
      waiting_ = &chunks_[turn_];
      turn_ = 1 - turn_;
      if (!packer_.joinable()) {
        packer_ = std::thread([this] { run_packer(); });
        writer_ = std::thread([this] { run_writer(); });
      }
      changed_.notify_all();
      // The other chunk is free once it is no longer the one being written, which it is not: the
      // thread takes one at a time and gave that one back above.
    }
    const std::lock_guard lock(mutex_);
    if (error_ != 0) return unwritable();
    return {};
  }

  // Compressing costs about as much as hashing and handing to the kernel: each has a thread.
  void run_packer() {
    std::size_t turn = 0;
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [&] { return waiting_ != nullptr || is_over_; });
      if (waiting_ == nullptr) break;
      Chunk& chunk = *waiting_;
      lock.unlock();
      pack(chunk, blocks_[turn]);
      lock.lock();
      waiting_ = nullptr;
      changed_.notify_all();
      changed_.wait(lock, [&] { return packed_ == nullptr; });
      packed_ = &blocks_[turn];
      turn = 1 - turn;
      changed_.notify_all();
    }
    is_packed_ = true;
    changed_.notify_all();
  }

  void run_writer() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [&] { return packed_ != nullptr || is_packed_; });
      if (packed_ == nullptr) return;
      Chunk& blocks = *packed_;
      lock.unlock();
      write_blocks(blocks);
      lock.lock();
      packed_ = nullptr;
      changed_.notify_all();
    }
  }

  void stop_threads() {
    {
      const std::lock_guard lock(mutex_);
      is_over_ = true;
    }
    changed_.notify_all();
    if (packer_.joinable()) packer_.join();
    if (writer_.joinable()) writer_.join();
  }

  /// The content of `chunk` as blocks; the chunk is empty afterwards.
  void pack(Chunk& chunk, Chunk& blocks) {
    if (options_.has_checksum) XXH32_update(checksum_, chunk.bytes.get(), chunk.size);
    for (std::size_t at = 0; at < chunk.size; at += kBlockBytes) {
      const std::size_t size = std::min(kBlockBytes, chunk.size - at);
      const char* data = chunk.bytes.get() + at;
      char* out = blocks.bytes.get() + blocks.size;
      // Room for one byte less than the content: what does not shrink is stored.
      const int packed = size < 2 ? 0
                                  : LZ4_compress_fast(data, out + 4, static_cast<int>(size),
                                                      static_cast<int>(size) - 1, kAcceleration);
      if (packed > 0) {
        write_u32(static_cast<std::uint32_t>(packed), out);
        blocks.size += 4 + static_cast<std::size_t>(packed);
      } else {
        write_u32(static_cast<std::uint32_t>(size) | kStored, out);
        std::memcpy(out + 4, data, size);
        blocks.size += 4 + size;
      }
    }
    chunk.size = 0;
  }

  void write_blocks(Chunk& blocks) {
    write(std::string_view(blocks.bytes.get(), blocks.size));
    blocks.size = 0;
  }

  void write(std::string_view bytes) {
    digest_.update(bytes);
    bytes_ += bytes.size();
    const std::size_t size = bytes.size();
    int error = 0;
    while (!bytes.empty()) {
      const ssize_t count = ::write(descriptor_, bytes.data(), bytes.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) {
        error = errno;
        break;
      }
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    start_writeback(descriptor_, &pending_, size);
    const std::lock_guard lock(mutex_);
    if (error_ == 0) error_ = error;
  }

  std::string path_;
  int descriptor_ = -1;
  WriteOptions options_;
  std::array<Chunk, 2> chunks_;
  std::size_t turn_ = 0;
  std::array<Chunk, 2> blocks_;  // compressed, as they go into the file
  XXH32_state_t* checksum_ = XXH32_createState();
  ir::Sha256Stream digest_;
  ir::Sha256Stream stream_digest_;
  bool is_header_past_ = false;
  std::uint64_t bytes_ = 0;
  std::uint64_t pending_ = 0;
  std::mutex mutex_;  // of what follows
  std::condition_variable changed_;
  Chunk* waiting_ = nullptr;  // to be packed
  Chunk* packed_ = nullptr;   // to be written
  bool is_over_ = false;
  bool is_packed_ = false;  // nothing more will be
  int error_ = 0;
  std::thread packer_;
  std::thread writer_;
};

FrameWriter::FrameWriter(std::unique_ptr<Output> output) : output_(std::move(output)) {}
FrameWriter::~FrameWriter() = default;

Result<std::unique_ptr<FrameWriter>> FrameWriter::create(const std::string& path, FileHeader header,
                                                         const WriteOptions& options) {
  const int descriptor =
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (descriptor < 0)
    return Error(errno == EEXIST ? errors::dump_exists : errors::dump_unwritable,
                 fmt::format("{}: {}", path, std::strerror(errno)));
  std::unique_ptr<FrameWriter> writer(
      new FrameWriter(std::make_unique<Output>(path, descriptor, options)));
  writer->written_.path = path;
  writer->written_.header = header;
  std::array<char, 6> bytes = {'\x7B', header.letter};
  write_u32(header.schema, bytes.data() + 2);
  PLAN_TRY_VOID(writer->output_->put({bytes.data(), bytes.size()}));
  return writer;
}

Outcome FrameWriter::begin_record(std::string_view key, std::uint64_t value_bytes) {
  PLAN_CHECK(value_left_ == 0, "the value before is whole");
  PLAN_CHECK(value_bytes <= UINT32_MAX && key.size() <= kKeyBytesMax, "callers bound records");
  std::array<char, 10> length = {};
  PLAN_TRY_VOID(output_->put({length.data(), write_length(key.size(), length.data())}));
  PLAN_TRY_VOID(output_->put(key));
  PLAN_TRY_VOID(output_->put({length.data(), write_length(value_bytes, length.data())}));
  ++written_.records;
  written_.key_bytes += key.size();
  written_.value_bytes += value_bytes;
  value_left_ = value_bytes;
  return {};
}

Outcome FrameWriter::append_value(std::string_view piece) {
  PLAN_CHECK(piece.size() <= value_left_, "the value is as long as was announced");
  value_left_ -= piece.size();
  return output_->put(piece);
}

Outcome FrameWriter::append(const Record& record) {
  PLAN_TRY_VOID(begin_record(record.key, record.value.size()));
  return append_value(record.value);
}

Result<WrittenFile> FrameWriter::finish() {
  PLAN_CHECK(value_left_ == 0, "the last value is whole");
  PLAN_TRY_VOID(output_->finish(&written_));
  return written_;
}

}  // namespace plan::dump
