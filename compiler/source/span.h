#pragma once
#include <cstdint>

namespace plan {

/// A file of a SourceSet. 0 is "no file": a default Span points nowhere.
enum class FileId : std::uint32_t { none = 0 };

/// A range of bytes in a source file, begin inclusive, end exclusive. Lines and columns are
/// computed on demand by SourceSet::position.
struct Span {
  FileId file = FileId::none;
  std::uint32_t begin = 0;
  std::uint32_t end = 0;

  [[nodiscard]] bool is_known() const { return file != FileId::none; }
  friend bool operator==(const Span&, const Span&) = default;
};

/// A place for a person: from 1, columns in characters.
struct Position {
  std::uint32_t line = 1;
  std::uint32_t column = 1;
};

}  // namespace plan
