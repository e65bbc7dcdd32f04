#include "runtime/rehearsal/imap_text.h"

#include <algorithm>
#include <charconv>

#include "compiler/ir/digest.h"
#include "compiler/source/text.h"
#include "compiler/source/utf8.h"

namespace plan::rehearsal {

std::optional<LiteralMark> literal_mark(std::string_view line) {
  if (!line.ends_with('}')) return std::nullopt;
  const std::size_t begin = line.rfind('{');
  if (begin == std::string_view::npos) return std::nullopt;
  std::string_view digits = line.substr(begin + 1, line.size() - begin - 2);
  LiteralMark mark;
  mark.begin = begin;
  if (digits.ends_with('+') || digits.ends_with('-')) {
    mark.is_synchronising = false;
    digits.remove_suffix(1);
  }
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), mark.size);
  if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size())
    return std::nullopt;
  if (mark.begin > 0 && line[mark.begin - 1] == '~') --mark.begin;
  return mark;
}

std::optional<std::vector<ImapToken>> imap_tokens(const ImapCommandText& command) {
  std::vector<ImapToken> out;
  for (std::size_t piece = 0; piece < command.lines.size(); ++piece) {
    const std::string_view line = command.lines[piece];
    std::size_t at = 0;
    while (at < line.size()) {
      const char c = line[at];
      if (c == ' ') {
        ++at;
      } else if (c == '(' || c == ')') {
        out.push_back(
            {c == '(' ? ImapToken::Kind::open : ImapToken::Kind::close, std::string(1, c)});
        ++at;
      } else if (c == '"') {
        ImapToken token{ImapToken::Kind::text, {}};
        for (++at; at < line.size() && line[at] != '"'; ++at) {
          if (line[at] == '\\' && at + 1 < line.size()) ++at;
          token.text += line[at];
        }
        if (at >= line.size()) return std::nullopt;
        ++at;
        out.push_back(std::move(token));
      } else {
        std::size_t end = at;
        int depth = 0;
        while (end < line.size() &&
               (depth > 0 || (line[end] != ' ' && line[end] != '(' && line[end] != ')'))) {
          if (line[end] == '[') ++depth;
          if (line[end] == ']') --depth;
          ++end;
        }
        out.push_back({ImapToken::Kind::atom, std::string(line.substr(at, end - at))});
        at = end;
      }
    }
    if (piece < command.literals.size())
      out.push_back({ImapToken::Kind::text, command.literals[piece]});
  }
  return out;
}

std::string to_utf7(std::string_view utf8) {
  std::string out;
  std::string pending;  // UTF-16BE
  const auto flush = [&] {
    if (pending.empty()) return;
    std::string coded = ir::to_base64(pending);
    while (coded.ends_with('=')) coded.pop_back();
    std::replace(coded.begin(), coded.end(), '/', ',');
    out += "&" + coded + "-";
    pending.clear();
  };
  for (std::size_t i = 0; i < utf8.size();) {
    const auto first = static_cast<unsigned char>(utf8[i]);
    if (first >= 0x20 && first < 0x7f) {
      flush();
      out += utf8[i];
      if (first == '&') out += '-';
      ++i;
      continue;
    }
    std::size_t size = first >= 0xf0 ? 4 : (first >= 0xe0 ? 3 : (first >= 0xc0 ? 2 : 1));
    size = std::min(size, utf8.size() - i);
    std::uint32_t point = size == 1 ? first : first & (0xffU >> (size + 1));
    for (std::size_t k = 1; k < size; ++k)
      point = (point << 6U) | (static_cast<unsigned char>(utf8[i + k]) & 0x3fU);
    const auto unit = [&pending](std::uint32_t value) {
      pending += static_cast<char>(value >> 8U);
      pending += static_cast<char>(value & 0xffU);
    };
    if (point >= 0x10000) {
      unit(0xd800U + ((point - 0x10000U) >> 10U));
      unit(0xdc00U + ((point - 0x10000U) & 0x3ffU));
    } else {
      unit(point);
    }
    i += size;
  }
  flush();
  return out;
}

std::optional<std::string> from_utf7(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '&') {
      out += text[i];
      continue;
    }
    const std::size_t end = text.find('-', i);
    if (end == std::string_view::npos) return std::nullopt;
    std::string coded(text.substr(i + 1, end - i - 1));
    i = end;
    if (coded.empty()) {
      out += '&';
      continue;
    }
    std::replace(coded.begin(), coded.end(), ',', '/');
    while (coded.size() % 4 != 0) coded += '=';
    bool is_valid = false;
    const std::string bytes = ir::from_base64(coded, &is_valid);
    if (!is_valid || bytes.size() % 2 != 0) return std::nullopt;
    for (std::size_t k = 0; k + 1 < bytes.size(); k += 2) {
      const auto unit_at = [&bytes](std::size_t at) {
        return (static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[at])) << 8U) |
               static_cast<unsigned char>(bytes[at + 1]);
      };
      std::uint32_t point = unit_at(k);
      if (point >= 0xd800 && point < 0xdc00) {
        if (k + 3 >= bytes.size()) return std::nullopt;
        point = 0x10000U + ((point - 0xd800U) << 10U) + (unit_at(k + 2) - 0xdc00U);
        k += 2;
      }
      append_utf8(out, point);
    }
  }
  if (first_invalid_utf8(out)) return std::nullopt;
  return out;
}

std::string imap_quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

std::optional<std::vector<ImapRange>> imap_ranges(std::string_view text, std::uint32_t last) {
  std::vector<ImapRange> out;
  for (const std::string_view item : split(text, ',')) {
    const auto number = [last](std::string_view digits) -> std::optional<std::uint32_t> {
      if (digits == "*") return last;
      std::uint32_t value = 0;
      const auto [end, error] =
          std::from_chars(digits.data(), digits.data() + digits.size(), value);
      if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size())
        return std::nullopt;
      return value;
    };
    const std::size_t colon = item.find(':');
    const auto first = number(item.substr(0, colon));
    const auto second = colon == std::string_view::npos ? first : number(item.substr(colon + 1));
    if (!first || !second) return std::nullopt;
    out.push_back({std::min(*first, *second), std::max(*first, *second)});
    if (out.size() > 100'000) return std::nullopt;
  }
  return out;
}

bool in_ranges(const std::vector<ImapRange>& ranges, std::uint32_t number) {
  return std::any_of(ranges.begin(), ranges.end(), [number](const ImapRange& range) {
    return number >= range.first && number <= range.last;
  });
}

bool list_matches(std::string_view pattern, std::string_view name) {
  std::size_t p = 0;
  std::size_t n = 0;
  std::size_t star = std::string_view::npos;
  std::size_t mark = 0;
  while (n < name.size()) {
    if (p < pattern.size() && (pattern[p] == '*' || pattern[p] == '%')) {
      star = p++;
      mark = n;
    } else if (p < pattern.size() && pattern[p] == name[n]) {
      ++p;
      ++n;
    } else if (star != std::string_view::npos && (pattern[star] == '*' || name[mark] != '/')) {
      p = star + 1;
      n = ++mark;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && (pattern[p] == '*' || pattern[p] == '%')) ++p;
  return p == pattern.size();
}

}  // namespace plan::rehearsal
