#pragma once
#include <functional>
#include <span>
#include <string>

#include "compiler/source/diagnostic.h"

namespace plan::syntax {

/// One field of a row, without its quotes, and where it stands.
struct CsvField {
  std::string text = {};
  Span span = {};
};

/// Reads comma-separated values (RFC 4180; a line may end with LF alone, a byte-order mark and
/// empty lines are skipped) and gives every row to `visit`, the first line too. Every row has as
/// many fields as the first. Bounded by kCsvBytesMax and kCsvColumnsMax.
///
/// Reports file-too-large, file-empty, not-utf8 and csv-syntax; false after one of them: rows were
/// left out. Of lines that are broken kProblemsMax are reported, each by itself.
[[nodiscard]] bool read_csv(const SourceSet& sources, FileId file, Sink& sink,
                            const std::function<void(std::span<const CsvField> row)>& visit);

}  // namespace plan::syntax
