#pragma once
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/source/span.h"

namespace plan {

/// All source texts of one compilation: plan, modules, lock, facts. Owns them; views stay valid for
/// its lifetime. Files are at most 4 GiB (a Span holds 32-bit offsets); callers bound them far
/// below.
class SourceSet {
 public:
  FileId add(std::string name, std::string text);

  [[nodiscard]] std::string_view name(FileId file) const;
  [[nodiscard]] std::string_view text(FileId file) const;
  [[nodiscard]] std::string_view text(Span span) const;
  [[nodiscard]] Position position(FileId file, std::uint32_t offset) const;
  /// The line (without its end) that holds `offset`, and where it begins.
  [[nodiscard]] std::string_view line_at(FileId file, std::uint32_t offset,
                                         std::uint32_t* begin) const;
  [[nodiscard]] std::size_t size() const { return files_.size(); }

 private:
  struct File {
    std::string name;
    std::string text;
    mutable std::vector<std::uint32_t> line_begins;  // filled by the first position()
    // Characters before every kMarkBytes-th byte; filled by the first position() in a long line.
    mutable std::vector<std::uint32_t> marks;
  };
  [[nodiscard]] const File& file(FileId id) const;
  static const std::vector<std::uint32_t>& lines(const File& file);
  static std::size_t characters_before(const File& file, std::size_t offset);

  std::deque<File> files_;
};

}  // namespace plan
