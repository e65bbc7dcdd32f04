#include "compiler/syntax/csv.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "compiler/source/text.h"
#include "compiler/syntax/limits.h"

namespace plan::syntax {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

class CsvReader {
 public:
  CsvReader(std::string_view text, std::size_t begin, FileId file, Sink& sink)
      : text_(text), file_(file), at_(begin), sink_(sink) {}

  bool read(const std::function<void(std::span<const CsvField>)>& visit) {
    std::size_t columns = 0;
    while (at_ < text_.size()) {
      if (skip_line_end()) continue;  // an empty line
      const std::size_t begin = at_;
      if (!read_row()) {
        const bool is_header = columns == 0;
        if (is_header || problems_ >= kProblemsMax || !skip_line()) return false;
        continue;
      }
      if (columns == 0) columns = row_.size();
      if (row_.size() != columns) {
        fail(begin, std::max<std::size_t>(begin + 1, row_.back().span.end),
             fmt::format("this line has {} {}, the first line has {}", row_.size(),
                         row_.size() == 1 ? "field" : "fields", columns),
             "put quotes around text that has a comma in it, and write a comma for a field that is "
             "empty");
        if (problems_ >= kProblemsMax) return false;
        continue;
      }
      visit(row_);
    }
    if (problems_ > 0) return false;
    if (columns > 0) return true;
    sink_.report(Kind::file_empty, Span{file_, 0, 0}, "the file has no content")
        .help("its first line names the columns: `address`");
    return false;
  }

 private:
  [[nodiscard]] Span span(std::size_t begin, std::size_t end) const {
    return {file_, static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)};
  }
  bool fail(std::size_t begin, std::size_t end, std::string message, std::string help) {
    ++problems_;
    sink_.report(Kind::csv_syntax, span(begin, end), std::move(message)).help(std::move(help));
    return false;
  }

  /// Behind a field that cannot be read: the next line is one of its own. False at the end, also of
  /// a quote that is never closed.
  bool skip_line() {
    if (is_open_) return false;
    at_ = std::min(text_.find('\n', at_), text_.size());
    return true;
  }

  bool skip_line_end() {
    if (text_.substr(at_).starts_with("\r\n"))
      at_ += 2;
    else if (text_[at_] == '\n')
      ++at_;
    else
      return false;
    return true;
  }

  /// Up to and including the end of the line.
  bool read_row() {
    row_.clear();
    for (;;) {
      if (row_.size() == kCsvColumnsMax) {
        return fail(at_, at_ + 1, fmt::format("more than {} fields in one line", kCsvColumnsMax),
                    "is this a file of comma-separated values?");
      }
      if (at_ < text_.size() && text_[at_] == '"' ? !read_quoted() : !read_bare()) return false;
      if (at_ == text_.size() || skip_line_end()) return true;
      ++at_;  // the comma
    }
  }

  bool read_bare() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && text_[at_] != ',' && text_[at_] != '\n' &&
           !text_.substr(at_).starts_with("\r\n")) {
      if (text_[at_] == '"') {
        return fail(at_, at_ + 1, "a quote stands inside a field that does not begin with one",
                    "put the whole field into quotes and write each quote in it twice");
      }
      ++at_;
    }
    row_.push_back({std::string(text_.substr(begin, at_ - begin)), span(begin, at_)});
    return true;
  }

  bool read_quoted() {
    const std::size_t begin = at_++;
    std::string field;
    for (;; ++at_) {
      if (at_ == text_.size()) {
        is_open_ = true;
        return fail(begin, begin + 1, "this quote is never closed",
                    "write a quote that belongs to the text twice");
      }
      if (text_[at_] != '"') {
        field += text_[at_];
      } else if (text_.substr(at_).starts_with("\"\"")) {
        field += '"';
        ++at_;
      } else {
        break;
      }
    }
    ++at_;
    if (at_ < text_.size() && text_[at_] != ',' && text_[at_] != '\n' &&
        !text_.substr(at_).starts_with("\r\n")) {
      return fail(at_, at_ + 1, "text stands behind the closing quote",
                  "write a quote that belongs to the text twice");
    }
    row_.push_back({std::move(field), span(begin, at_)});
    return true;
  }

  std::string_view text_;
  FileId file_;
  std::size_t at_;
  Sink& sink_;
  std::vector<CsvField> row_;
  std::size_t problems_ = 0;
  bool is_open_ = false;  // a quote is never closed
};

}  // namespace

bool read_csv(const SourceSet& sources, FileId file, Sink& sink,
              const std::function<void(std::span<const CsvField> row)>& visit) {
  const std::string_view text = sources.text(file);
  if (text.size() > kCsvBytesMax) {
    sink.report(Kind::file_too_large, Span{file, 0, 0},
                fmt::format("file has {}, at most {} are read", show_bytes(text.size()),
                            show_bytes(kCsvBytesMax)))
        .help("keep only the columns that plan reads");
    return false;
  }
  if (const auto bad = first_invalid_utf8(text)) {
    const auto begin = static_cast<std::uint32_t>(*bad);
    sink.report(Kind::not_utf8, Span{file, begin, begin + 1},
                fmt::format("byte {} of the file is not UTF-8", *bad))
        .help("save the file as UTF-8");
    return false;
  }
  const std::size_t begin = text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
  return CsvReader(text, begin, file, sink).read(visit);
}

}  // namespace plan::syntax
