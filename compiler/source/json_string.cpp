#include "compiler/source/json_string.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>

#include "compiler/source/text.h"

namespace plan {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  // What is not UTF-8 would make a document that nobody can read again, the journal's own included.
  const bool is_ascii = std::all_of(text.begin(), text.end(),
                                    [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  if (const auto bad = is_ascii ? std::nullopt : first_invalid_utf8(text)) {
    std::string whole;
    for (auto at = bad; at; at = first_invalid_utf8(text)) {
      whole += text.substr(0, *at);
      whole += kReplacement;
      text.remove_prefix(*at + 1);
    }
    whole += text;
    return append_json_string(out, whole);
  }
  out += '"';
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

}  // namespace plan
