#include "compiler/source/html_text.h"

#include "compiler/source/text.h"

namespace plan {

std::string html_text(std::string_view text, std::size_t bytes_max) {
  const std::string shown = printable(text, bytes_max);
  std::string out;
  out.reserve(shown.size());
  for (const char c : shown) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

}  // namespace plan
