#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "runtime/net/errors.h"
#include "runtime/net/stream.h"

namespace plan::net {
namespace {

constexpr std::size_t kReadBytes = 16384;
constexpr std::size_t kFirstReserveBytes = std::size_t{1} << 20U;

Error ended(std::string_view where) {
  return Error(errors::connection_lost,
               fmt::format("the other side closed the connection {}", where))
      .with_effect(Effect::unknown)
      .with_retry(Retry::safe)
      .with_blame(Blame::network);
}

}  // namespace

Result<bool> LineReader::fill(Deadline deadline) {
  if (begin_ == buffer_.size()) {
    buffer_.clear();
    begin_ = 0;
  } else if (begin_ >= kReadBytes) {
    buffer_.erase(0, begin_);
    begin_ = 0;
  }
  std::array<char, kReadBytes> chunk;
  PLAN_TRY(count, stream_->read_some(chunk.data(), chunk.size(), deadline));
  buffer_.append(chunk.data(), count);
  return count > 0;
}

Result<std::string> LineReader::line(Deadline deadline) {
  std::size_t searched = 0;  // bytes from begin_ on that hold no line end
  while (true) {
    const std::size_t end = buffer_.find('\n', begin_ + searched);
    const std::size_t length = (end == std::string::npos ? buffer_.size() : end) - begin_;
    const bool has_cr = length > 0 && buffer_[begin_ + length - 1] == '\r';
    const std::size_t text_length = has_cr ? length - 1 : length;
    if (text_length > line_bytes_max_) {
      return Error(errors::line_too_long,
                   fmt::format("a line is longer than {} bytes", line_bytes_max_))
          .with_effect(Effect::unknown)
          .with_blame(Blame::network);
    }
    if (end != std::string::npos) {
      std::string text = buffer_.substr(begin_, text_length);
      begin_ = end + 1;
      return text;
    }
    searched = length;
    PLAN_TRY(is_more, fill(deadline));
    if (!is_more) return ended(length == 0 ? "where a line was due" : "in the middle of a line");
  }
}

Result<std::string> LineReader::bytes(std::size_t size, Deadline deadline) {
  std::string text;
  text.reserve(std::min(size, kFirstReserveBytes));  // a length is only a promise
  while (true) {
    const std::size_t count = std::min(size - text.size(), buffered());
    text.append(buffer_, begin_, count);
    begin_ += count;
    if (text.size() == size) return text;
    PLAN_TRY(is_more, fill(deadline));
    if (!is_more) {
      return std::move(ended("in the middle of counted bytes"))
          .with_detail(fmt::format("{} of {} bytes came", text.size(), size));
    }
  }
}

Outcome LineReader::check_nothing_ahead() const {
  if (buffered() == 0) return {};
  return Error(errors::protocol_violation,
               fmt::format("{} bytes came in clear text ahead of the TLS handshake", buffered()))
      .with_blame(Blame::network);
}

}  // namespace plan::net
