#include "compiler/source/source_set.h"

#include <algorithm>

#include "compiler/source/check.h"
#include "compiler/source/text.h"

namespace plan {
namespace {
constexpr std::size_t kMarkBytes = 4096;
}

FileId SourceSet::add(std::string name, std::string text) {
  PLAN_CHECK(text.size() < UINT32_MAX, "spans hold 32-bit offsets, callers bound their files");
  files_.push_back(File{std::move(name), std::move(text), {}, {}});
  return static_cast<FileId>(files_.size());
}

const SourceSet::File& SourceSet::file(FileId id) const {
  const auto index = static_cast<std::size_t>(id);
  PLAN_CHECK(index >= 1 && index <= files_.size(), "a file id comes from this set");
  return files_[index - 1];
}

std::string_view SourceSet::name(FileId id) const { return file(id).name; }
std::string_view SourceSet::text(FileId id) const { return file(id).text; }

std::string_view SourceSet::text(Span span) const {
  const std::string_view whole = file(span.file).text;
  const std::size_t begin = std::min<std::size_t>(span.begin, whole.size());
  return whole.substr(begin, std::max(span.end, span.begin) - span.begin);
}

const std::vector<std::uint32_t>& SourceSet::lines(const File& file) {
  if (file.line_begins.empty()) {
    file.line_begins.push_back(0);
    for (std::size_t i = 0; i < file.text.size(); ++i) {
      if (file.text[i] == '\n') file.line_begins.push_back(static_cast<std::uint32_t>(i + 1));
    }
  }
  return file.line_begins;
}

/// A line may be as long as a file, and have a diagnostic every few bytes.
std::size_t SourceSet::characters_before(const File& file, std::size_t offset) {
  const std::string_view text = file.text;
  if (file.marks.empty()) {
    file.marks.push_back(0);
    for (std::size_t at = kMarkBytes; at <= text.size(); at += kMarkBytes)
      file.marks.push_back(file.marks.back() + static_cast<std::uint32_t>(character_count(
                                                   text.substr(at - kMarkBytes, kMarkBytes))));
  }
  const std::size_t mark = offset / kMarkBytes;
  return file.marks[mark] +
         character_count(text.substr(mark * kMarkBytes, offset - mark * kMarkBytes));
}

Position SourceSet::position(FileId id, std::uint32_t offset) const {
  const File& f = file(id);
  const auto& begins = lines(f);
  const auto next = std::upper_bound(begins.begin(), begins.end(), offset);
  const auto line = static_cast<std::uint32_t>(next - begins.begin());
  const std::uint32_t begin = *(next - 1);
  const std::size_t end = std::min<std::size_t>(offset, f.text.size());
  const std::size_t before =
      end - begin <= kMarkBytes
          ? character_count(std::string_view(f.text).substr(begin, end - begin))
          : characters_before(f, end) - characters_before(f, begin);
  return {line, static_cast<std::uint32_t>(before) + 1};
}

std::string_view SourceSet::line_at(FileId id, std::uint32_t offset, std::uint32_t* begin) const {
  const File& f = file(id);
  const auto& begins = lines(f);
  const auto next = std::upper_bound(begins.begin(), begins.end(), offset);
  *begin = *(next - 1);
  const std::size_t end = next == begins.end() ? f.text.size() : *next;
  std::string_view line = std::string_view(f.text).substr(*begin, end - *begin);
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
  return line;
}

}  // namespace plan
