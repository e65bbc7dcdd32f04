#include "compiler/diff/wrap.h"

#include <algorithm>

#include "compiler/source/text.h"

namespace plan::diff {
namespace {

constexpr std::size_t kDeeper = 6;

/// Columns of a word that may have codes of colour in it.
std::size_t columns_of(std::string_view word) {
  std::string plain;
  for (std::size_t i = 0; i < word.size(); ++i) {
    if (word.substr(i, 2) != "\x1b[") {
      plain += word[i];
      continue;
    }
    while (i < word.size() && word[i] != 'm') ++i;
  }
  return display_width(plain);
}

void wrap_line(std::string& out, std::string_view line, std::size_t width) {
  if (columns_of(line) <= width) {
    out += line;
    return;
  }
  const std::size_t indent = std::min(line.find_first_not_of(' '), line.size());
  const std::string deeper(std::min(indent + kDeeper, width / 2), ' ');
  out.append(indent, ' ');
  std::size_t column = indent;
  std::size_t blanks = 0;
  bool is_first = true;  // of its line: a word that does not fit would not fit on the next one
  for (const std::string_view word : split(line.substr(indent), ' ')) {
    const std::size_t columns = columns_of(word);
    if (!is_first && columns > 0 && column + blanks + columns > width) {
      out += '\n';
      out += deeper;
      column = deeper.size();
      blanks = 0;
    }
    if (columns > 0) {
      out.append(blanks, ' ');
      column += blanks + columns;
      blanks = 0;
      is_first = false;
    }
    out += word;
    ++blanks;
  }
}

}  // namespace

std::string wrapped(std::string_view text, std::size_t width_columns) {
  std::string out;
  out.reserve(text.size() + text.size() / 8);
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    wrap_line(out, text.substr(0, end), width_columns);
    if (end < text.size()) out += '\n';
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

}  // namespace plan::diff
