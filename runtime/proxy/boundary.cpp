#include "runtime/proxy/boundary.h"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace plan::proxy {
namespace {
/// Longer lines than this are not IMAP any more (a FETCH answer with everything quoted is far
/// below).
constexpr std::uint32_t kLineLengthMax = 8U << 20U;
}  // namespace

void Boundary::feed(std::string_view bytes) {
  while (!bytes.empty() && is_text_) {
    if (literal_left_ > 0) {
      const std::size_t skipped =
          static_cast<std::size_t>(std::min<std::uint64_t>(literal_left_, bytes.size()));
      literal_left_ -= skipped;
      bytes.remove_prefix(skipped);
      if (literal_left_ == 0)
        line_length_ = 1;  // the line goes on behind a literal, even when nothing more came yet
      continue;
    }
    const std::size_t end = bytes.find('\n');
    const std::string_view part = bytes.substr(0, end);
    if (std::memchr(part.data(), '\0', part.size()) != nullptr || line_length_ > kLineLengthMax) {
      is_text_ = false;
      return;
    }
    note_line(part);
    if (end == std::string_view::npos) return;
    bytes.remove_prefix(end + 1);
    literal_left_ = has_literals_ ? literal_size() : 0;
    line_length_ = literal_left_ > 0 ? 1 : 0;
    tail_size_ = 0;
  }
}

void Boundary::note_line(std::string_view part) {
  line_length_ +=
      static_cast<std::uint32_t>(std::min<std::size_t>(part.size(), kLineLengthMax + 1));
  if (!has_literals_) return;
  if (part.size() >= sizeof tail_) {
    std::memcpy(tail_, part.data() + (part.size() - sizeof tail_), sizeof tail_);
    tail_size_ = sizeof tail_;
    return;
  }
  const std::size_t kept = std::min<std::size_t>(tail_size_, sizeof tail_ - part.size());
  std::memmove(tail_, tail_ + (tail_size_ - kept), kept);
  std::memcpy(tail_ + kept, part.data(), part.size());
  tail_size_ = static_cast<std::uint8_t>(kept + part.size());
}

std::uint64_t Boundary::literal_size() const {
  std::string_view tail(tail_, tail_size_);
  if (tail.ends_with('\r')) tail.remove_suffix(1);
  if (!tail.ends_with('}')) return 0;
  const std::size_t open = tail.rfind('{');
  if (open == std::string_view::npos) return 0;
  std::string_view digits = tail.substr(open + 1, tail.size() - open - 2);
  if (digits.ends_with('+')) digits.remove_suffix(1);
  std::uint64_t size = 0;
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), size);
  return failure == std::errc{} && end == digits.data() + digits.size() ? size : 0;
}

}  // namespace plan::proxy
