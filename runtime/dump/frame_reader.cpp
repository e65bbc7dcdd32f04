#include "runtime/dump/frame_reader.h"

#include <fmt/format.h>

#include <array>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <thread>

#include "compiler/source/check.h"
#include "runtime/dump/errors.h"

namespace plan::dump {
namespace {

constexpr std::uint8_t kMarker = 0x7B;
constexpr std::size_t kHeaderBytes = 6;
constexpr std::string_view kFilePrefix = "subspace_";
constexpr unsigned kLengthBytesMax = 5;

std::uint8_t byte_of(char c) { return static_cast<std::uint8_t>(c); }

}  // namespace

std::string file_name_of(char letter) { return std::string(kFilePrefix) + letter; }

char letter_of_file_name(std::string_view name) {
  return name.size() == kFilePrefix.size() + 1 && name.substr(0, kFilePrefix.size()) == kFilePrefix
             ? name.back()
             : char{0};
}

std::size_t zeros_at_front(std::string_view bytes) {
  static constexpr std::array<char, 4096> kZeros = {};
  std::size_t zeros = 0;
  // By whole pieces first: a byte at a time is slow where a gigabyte of them is meant to be.
  while (bytes.size() - zeros >= kZeros.size() &&
         std::memcmp(bytes.data() + zeros, kZeros.data(), kZeros.size()) == 0)
    zeros += kZeros.size();
  while (zeros < bytes.size() && bytes[zeros] == '\0') ++zeros;
  return zeros;
}

/// The batches of a frame in order; with `is_ahead` a thread fills the next ones meanwhile.
class FrameReader::Batches {
 public:
  Batches(std::unique_ptr<ByteSource> source, const ReadOptions& options)
      : frame_(std::move(source), options.is_file_digested), is_ahead_(options.is_ahead) {}

  ~Batches() { stop(); }
  Batches(const Batches&) = delete;
  Batches& operator=(const Batches&) = delete;

  /// The next batch, good until the next call; null at the end: the frame may be asked then.
  [[nodiscard]] const ContentBatch* next() {
    if (is_over_) return nullptr;
    if (!is_ahead_) return frame_.next(ring_[0]) ? &ring_[0] : nullptr;
    if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
    std::unique_lock lock(mutex_);
    if (is_held_) {
      is_held_ = false;
      ++taken_;
      changed_.notify_all();
    }
    changed_.wait(lock, [&] { return filled_ > taken_ || is_done_; });
    if (filled_ > taken_) {
      is_held_ = true;
      return &ring_[taken_ % ring_.size()];
    }
    is_over_ = true;
    lock.unlock();
    thread_.join();
    return nullptr;
  }

  /// No more batches are wanted: the frame may be asked then.
  void stop() {
    {
      const std::lock_guard lock(mutex_);
      is_abandoned_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
    is_over_ = true;
  }

  [[nodiscard]] Lz4FrameReader& frame() { return frame_; }

 private:
  void run() {
    for (;;) {
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return is_abandoned_ || filled_ - taken_ < ring_.size(); });
        if (is_abandoned_) break;
      }
      // Only this thread changes filled_, and nobody reads the batch it is about to fill.
      const bool is_filled = frame_.next(ring_[filled_ % ring_.size()]);
      const std::lock_guard lock(mutex_);
      if (is_filled)
        ++filled_;
      else
        is_done_ = true;
      changed_.notify_all();
      if (!is_filled) return;
    }
    const std::lock_guard lock(mutex_);
    is_done_ = true;
  }

  Lz4FrameReader frame_;
  std::array<ContentBatch, 3> ring_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::thread thread_;
  std::uint64_t filled_ = 0;
  std::uint64_t taken_ = 0;
  bool is_held_ = false;
  bool is_done_ = false;
  bool is_over_ = false;
  bool is_abandoned_ = false;
  bool is_ahead_ = false;
  friend class FrameReader;
  const ContentBatch* present_ = nullptr;
};

FrameReader::FrameReader(std::unique_ptr<ByteSource> source, const ReadOptions& options)
    : batches_(std::make_unique<Batches>(std::move(source), options)),
      digest_(options.is_stream_digested ? std::make_unique<ir::Sha256Stream>() : nullptr),
      is_file_digested_(options.is_file_digested) {
  read_header();
}
FrameReader::~FrameReader() = default;

Result<std::unique_ptr<FrameReader>> FrameReader::open(const std::string& path,
                                                       const ReadOptions& options) {
  auto reader = std::make_unique<FrameReader>(std::make_unique<FileSource>(path), options);
  if (reader->fault()) return to_error(*reader->fault()).while_doing("reading " + path);
  return reader;
}

std::uint64_t FrameReader::content_position() const {
  const ContentBatch* batch = batches_->present_;
  if (batch == nullptr) return 0;
  return batch->content_byte() + batch->content().size() - view_.size();
}

bool FrameReader::refill() {
  while (view_.empty()) {
    if (is_at_end_) return false;
    const ContentBatch* batch = batches_->next();
    if (batch == nullptr) {
      is_at_end_ = true;
      return false;
    }
    batches_->present_ = batch;
    view_ = batch->content();
    if (digest_) digest_->update(header_ ? view_ : std::string_view{});
  }
  return true;
}

Error FrameReader::fail(FaultKind kind, std::string text) {
  is_in_record_ = false;
  value_left_ = 0;
  key_ = {};
  const bool is_cut = is_at_end_ && view_.empty();
  if (is_cut && batches_->frame().fault()) {
    fault_ = batches_->frame().fault();  // the reason why the content ended
  } else {
    const ContentBatch* batch = batches_->present_;
    fault_ = Fault{.kind = kind, .text = std::move(text), .content_byte = content_position()};
    if (is_cut) {
      fault_->content_byte = frame().content_bytes;
      fault_->file_byte = frame().file_bytes;
    } else if (batch != nullptr) {
      fault_->file_byte = batch->file_byte_of(batch->content().size() - view_.size());
    }
  }
  fault_->record = records_;
  view_ = {};
  if (!is_at_end_) {
    // Digests are of all there is, also of what stands behind a fault.
    if (digest_ || is_file_digested_)
      while (refill()) view_ = {};
    else
      batches_->stop();
    is_at_end_ = true;
  }
  return to_error(*fault_);
}

void FrameReader::read_header() {
  std::string bytes;
  while (bytes.size() < kHeaderBytes && refill()) {
    const std::size_t count = std::min(kHeaderBytes - bytes.size(), view_.size());
    bytes.append(view_.substr(0, count));
    view_.remove_prefix(count);
    if (!bytes.empty() && byte_of(bytes[0]) != kMarker) {
      (void)fail(FaultKind::wrong_marker,
                 fmt::format("it begins with {}", ir::to_hex(bytes.substr(0, 1))));
      return;
    }
  }
  if (bytes.size() < kHeaderBytes) {
    (void)fail(FaultKind::cut_in_header, fmt::format("the content has {} bytes", bytes.size()));
    return;
  }
  FileHeader header{.letter = bytes[1]};
  for (std::size_t i = kHeaderBytes; i-- > 2;)
    header.schema = header.schema << 8U | byte_of(bytes[i]);
  header_ = header;
  if (digest_) digest_->update(view_);
}

bool FrameReader::read_length(std::uint64_t* length, FaultKind when_cut, bool* is_end) {
  std::uint64_t value = 0;
  for (unsigned i = 0;; ++i) {
    if (view_.empty() && !refill()) {
      if (i == 0 && is_end != nullptr && !batches_->frame().fault()) {
        *is_end = true;
        return true;
      }
      (void)fail(when_cut, fmt::format("the content has {} bytes", frame().content_bytes));
      return false;
    }
    const std::uint8_t byte = byte_of(view_.front());
    view_.remove_prefix(1);
    value |= std::uint64_t{byte & 0x7FU} << (7U * i);
    if ((byte & 0x80U) == 0) {
      if (i > 0 && byte == 0 && long_lengths_++ == 0) first_long_length_ = records_;
      break;
    }
    if (i + 1 == kLengthBytesMax) {
      (void)fail(FaultKind::bad_length, fmt::format("its byte {} says that more follow", i + 1));
      return false;
    }
  }
  if (value > UINT32_MAX) {
    (void)fail(FaultKind::bad_length, fmt::format("it means {} bytes", value));
    return false;
  }
  *length = value;
  return true;
}

bool FrameReader::read_key(std::uint64_t bytes) {
  if (bytes > kKeyBytesMax) {
    (void)fail(FaultKind::key_too_long, fmt::format("it announces {} bytes", bytes));
    return false;
  }
  if (view_.size() >= bytes) {
    key_ = view_.substr(0, bytes);
    view_.remove_prefix(bytes);
    return true;
  }
  key_copy_.clear();
  while (key_copy_.size() < bytes) {
    if (!refill()) {
      (void)fail(FaultKind::cut_in_key,
                 fmt::format("{} of its {} bytes are there", key_copy_.size(), bytes));
      return false;
    }
    const std::size_t count = std::min<std::size_t>(bytes - key_copy_.size(), view_.size());
    key_copy_.append(view_.substr(0, count));
    view_.remove_prefix(count);
  }
  key_ = key_copy_;
  return true;
}

Result<bool> FrameReader::next() {
  if (fault_) return to_error(*fault_);
  while (value_left_ > 0) PLAN_TRY_VOID(value_piece());
  if (is_in_record_) {
    is_in_record_ = false;
    ++records_;
    all_key_bytes_ += key_.size();
    all_value_bytes_ += value_bytes_;
  }
  if (view_.empty()) (void)refill();
  record_content_byte_ = content_position();
  if (const ContentBatch* batch = batches_->present_; batch != nullptr)
    record_file_byte_ = batch->file_byte_of(batch->content().size() - view_.size());
  bool is_end = false;
  std::uint64_t key_bytes = 0;
  if (!read_length(&key_bytes, FaultKind::cut_in_key_length, &is_end)) return to_error(*fault_);
  if (is_end) {
    key_ = {};
    return false;
  }
  if (!read_key(key_bytes)) return to_error(*fault_);
  // The length may lie in the next batch, which takes the place of the key's.
  if (view_.size() < kLengthBytesMax && key_.data() != key_copy_.data()) {
    key_copy_ = key_;
    key_ = key_copy_;
  }
  if (!read_length(&value_bytes_, FaultKind::cut_before_value, nullptr)) return to_error(*fault_);
  if (view_.size() < value_bytes_ && key_.data() != key_copy_.data()) {
    key_copy_ = key_;
    key_ = key_copy_;
  }
  value_left_ = value_bytes_;
  is_in_record_ = true;
  return true;
}

Result<std::string_view> FrameReader::value_piece() {
  if (fault_) return to_error(*fault_);
  if (value_left_ == 0) return std::string_view{};
  if (!refill())
    return fail(FaultKind::cut_in_value, fmt::format("it announces {} bytes, {} are there",
                                                     value_bytes_, value_bytes_ - value_left_));
  const std::string_view piece =
      view_.substr(0, std::min<std::uint64_t>(value_left_, view_.size()));
  view_.remove_prefix(piece.size());
  value_left_ -= piece.size();
  return piece;
}

std::uint64_t FrameReader::take_empty_records() {
  constexpr std::size_t kEmptyRecordBytes = 2;
  if (fault_ || !is_in_record_ || !key_.empty() || value_bytes_ != 0) return 0;
  const std::size_t taken = zeros_at_front(view_) / kEmptyRecordBytes;
  view_.remove_prefix(taken * kEmptyRecordBytes);
  records_ += taken;
  return taken;
}

Result<std::string_view> FrameReader::value(std::uint64_t bytes_max) {
  if (fault_) return to_error(*fault_);
  if (value_left_ > bytes_max)
    return Error(errors::value_too_large,
                 fmt::format("the value of key {} has {} bytes; {} are taken",
                             ir::to_hex(key_.substr(0, 64)), value_left_, bytes_max));
  if (value_left_ <= view_.size()) return value_piece();
  value_copy_.clear();  // grows with what is there, not with what is announced
  while (value_left_ > 0) {
    PLAN_TRY(piece, value_piece());
    value_copy_.append(piece);
  }
  return std::string_view(value_copy_);
}

Result<std::optional<Record>> FrameReader::next_record(std::uint64_t bytes_max) {
  PLAN_TRY(is_there, next());
  if (!is_there) return std::optional<Record>{};
  PLAN_TRY(content, value(bytes_max));
  return std::optional<Record>(Record{.key = key_, .value = content});
}

const FrameFacts& FrameReader::frame() const { return batches_->frame().facts(); }

ir::Sha256 FrameReader::file_digest() {
  batches_->stop();
  view_ = {};
  is_at_end_ = true;
  return batches_->frame().file_digest();
}

ir::Sha256 FrameReader::stream_digest() {
  PLAN_CHECK(digest_ != nullptr, "the digest was asked for when the file was opened");
  return digest_->finish();
}

}  // namespace plan::dump
