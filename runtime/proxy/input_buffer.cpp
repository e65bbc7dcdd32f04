#include "runtime/proxy/input_buffer.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "runtime/proxy/limits.h"

namespace plan::proxy {
namespace {

struct LiteralMark {
  std::size_t size = 0;
  std::size_t mark_begin = 0;  ///< where `{` (or `~{`) stands
  bool is_sync = true;
};

/// The announcement at the end of a line, if there is one. A number that does not fit reads as the
/// largest one.
std::optional<LiteralMark> literal_at_end(std::string_view line) {
  if (line.empty() || line.back() != '}') return std::nullopt;
  const std::size_t open = line.rfind('{');
  if (open == std::string_view::npos) return std::nullopt;
  std::string_view digits = line.substr(open + 1, line.size() - open - 2);
  LiteralMark mark;
  if (!digits.empty() && digits.back() == '+') {
    mark.is_sync = false;
    digits.remove_suffix(1);
  }
  if (digits.empty()) return std::nullopt;
  const auto [end, failure] =
      std::from_chars(digits.data(), digits.data() + digits.size(), mark.size);
  if (end != digits.data() + digits.size()) return std::nullopt;
  if (failure == std::errc::result_out_of_range)
    mark.size = SIZE_MAX;
  else if (failure != std::errc{})
    return std::nullopt;
  mark.mark_begin = open > 0 && line[open - 1] == '~' ? open - 1 : open;
  // Part of a word (`foo{3}`) is no announcement.
  if (mark.mark_begin > 0 && line[mark.mark_begin - 1] != ' ' && line[mark.mark_begin - 1] != '(')
    return std::nullopt;
  return mark;
}

}  // namespace

InputBuffer::Got InputBuffer::take_line(std::size_t bytes_max, std::string& line) {
  const std::size_t end = data_.find('\n', std::max(begin_, searched_));
  if (end == std::string::npos) {
    searched_ = data_.size();
    return size() > bytes_max ? Got::too_long : Got::more;
  }
  std::size_t length = end - begin_;
  if (length > bytes_max + 1) return Got::too_long;
  if (length > 0 && data_[end - 1] == '\r') --length;
  if (length > bytes_max) return Got::too_long;
  line.assign(data_, begin_, length);
  drop(end + 1 - begin_);
  return Got::line;
}

bool InputBuffer::take_bytes(std::size_t wanted, std::string& bytes) {
  if (size() < wanted) return false;
  bytes.assign(data_, begin_, wanted);
  drop(wanted);
  return true;
}

std::string InputBuffer::take_all() {
  std::string rest = data_.substr(begin_);
  data_.clear();
  begin_ = 0;
  searched_ = 0;
  return rest;
}

void InputBuffer::drop(std::size_t count) {
  begin_ += count;
  if (begin_ == data_.size()) {
    data_.clear();
    begin_ = 0;
  } else if (begin_ > 4096 && begin_ * 2 > data_.size()) {
    data_.erase(0, begin_);
    begin_ = 0;
  }
  searched_ = 0;
}

CommandCollector::Got CommandCollector::collect(InputBuffer& input) {
  for (;;) {
    if (is_in_literal_) {
      std::string bytes;
      if (!input.take_bytes(literal_left_, bytes)) return Got::more;
      parts_.push_back({.text = std::move(bytes), .is_literal = true});
      is_in_literal_ = false;
      continue;
    }
    std::string line;
    switch (input.take_line(kFrontLineBytesMax, line)) {
      case InputBuffer::Got::more:
        return Got::more;
      case InputBuffer::Got::too_long:
        return Got::fatal;
      case InputBuffer::Got::line:
        break;
    }
    bytes_ += line.size();
    if (bytes_ > kFrontCommandBytesMax) return Got::fatal;
    const auto mark = literal_at_end(line);
    if (!mark) {
      parts_.push_back({.text = std::move(line), .is_literal = false});
      return Got::command;
    }
    const bool is_sync = is_sync_known_ && mark->is_sync;
    if (mark->size > kFrontLiteralBytesMax || bytes_ + mark->size > kFrontCommandBytesMax) {
      if (!is_sync) return Got::fatal;
      line.resize(mark->mark_begin);
      parts_.push_back({.text = std::move(line), .is_literal = false});
      return Got::literal_too_large;
    }
    bytes_ += mark->size;
    line.resize(mark->mark_begin);
    parts_.push_back({.text = std::move(line), .is_literal = false});
    literal_left_ = mark->size;
    is_in_literal_ = true;
    if (is_sync) return Got::continuation;
  }
}

std::vector<CommandPart> CommandCollector::take() {
  std::vector<CommandPart> parts = std::move(parts_);
  parts_.clear();
  bytes_ = 0;
  is_in_literal_ = false;
  return parts;
}

bool split_command(const std::vector<CommandPart>& parts, std::vector<CommandToken>& tokens) {
  tokens.clear();
  bool is_blank_needed =
      false;  // after a string nothing but a blank, a parenthesis or the end may follow
  for (const CommandPart& part : parts) {
    if (part.is_literal) {
      if (is_blank_needed) return false;
      tokens.push_back({.kind = CommandToken::Kind::string, .text = part.text});
      is_blank_needed = true;
      continue;
    }
    const std::string& text = part.text;
    std::size_t at = 0;
    while (at < text.size()) {
      const char c = text[at];
      if (c == ' ' || c == '\t' || c == '(' || c == ')') {
        is_blank_needed = false;
        ++at;
        continue;
      }
      if (is_blank_needed) return false;
      CommandToken token;
      if (c == '"') {
        token.kind = CommandToken::Kind::string;
        ++at;
        bool is_closed = false;
        while (at < text.size() && !is_closed) {
          if (text[at] == '"') {
            is_closed = true;
          } else if (text[at] == '\\' && at + 1 < text.size() &&
                     (text[at + 1] == '"' || text[at + 1] == '\\')) {
            token.text += text[++at];
          } else {
            token.text +=
                text[at];  // a stray backslash stands for itself: old clients send passwords so
          }
          ++at;
        }
        if (!is_closed) return false;
        is_blank_needed = true;
      } else {
        while (at < text.size() && text[at] != ' ' && text[at] != '\t' && text[at] != '(' &&
               text[at] != ')')
          token.text += text[at++];
      }
      tokens.push_back(std::move(token));
    }
  }
  return true;
}

}  // namespace plan::proxy
