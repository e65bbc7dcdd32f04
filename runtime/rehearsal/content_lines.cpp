#include "runtime/rehearsal/content_lines.h"

#include "compiler/source/text.h"

namespace plan::rehearsal {
namespace {

constexpr std::size_t kLinesMax = 100'000;

std::vector<std::string> unfolded(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty() && out.size() < kLinesMax) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!out.empty() && (line.starts_with(' ') || line.starts_with('\t')))
      out.back() += line.substr(1);
    else
      out.emplace_back(line);
  }
  return out;
}

// The end of a name or an unquoted value of a parameter.
std::size_t end_of_word(std::string_view line, std::size_t at) {
  while (at < line.size() && line[at] != ';' && line[at] != ':' && line[at] != '=' &&
         line[at] != ',')
    ++at;
  return at;
}

std::optional<ContentLine> read_line(std::string_view line) {
  ContentLine out;
  std::size_t at = end_of_word(line, 0);
  out.name = lower_ascii(line.substr(0, at));
  if (const std::size_t dot = out.name.find('.'); dot != std::string::npos)
    out.name.erase(0, dot + 1);
  while (at < line.size() && line[at] == ';') {
    const std::size_t begin = at + 1;
    at = end_of_word(line, begin);
    std::string name = lower_ascii(line.substr(begin, at - begin));
    std::string value;
    if (at < line.size() && line[at] == '=') {
      do {
        ++at;
        if (!value.empty()) value += ',';
        if (at < line.size() && line[at] == '"') {
          const std::size_t close = line.find('"', at + 1);
          if (close == std::string_view::npos) return std::nullopt;
          value += line.substr(at + 1, close - at - 1);
          at = close + 1;
        } else {
          const std::size_t end = end_of_word(line, at);
          value += line.substr(at, end - at);
          at = end;
        }
      } while (at < line.size() && line[at] == ',');
      out.parameters.emplace_back(std::move(name), std::move(value));
    } else {
      // vCard 2.1 writes `TEL;HOME:`.
      out.parameters.emplace_back("type", std::move(name));
    }
  }
  if (at >= line.size() || line[at] != ':' || out.name.empty()) return std::nullopt;
  out.value = line.substr(at + 1);
  return out;
}

}  // namespace

std::string_view ContentLine::parameter(std::string_view wanted) const {
  for (const auto& [known, given] : parameters)
    if (known == wanted) return given;
  return {};
}

bool ContentLine::has(std::string_view wanted, std::string_view word) const {
  for (const auto& [known, given] : parameters)
    if (known == wanted)
      for (const std::string_view each : split(given, ','))
        if (equals_ignoring_case(each, word)) return true;
  return false;
}

std::vector<ContentLine> content_lines(std::string_view text) {
  std::vector<ContentLine> out;
  for (const std::string& line : unfolded(text))
    if (auto read = read_line(line)) out.push_back(std::move(*read));
  return out;
}

std::string unescaped(std::string_view value) {
  std::string out;
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (value[i] != '\\' || i + 1 == value.size()) {
      out += value[i];
      continue;
    }
    ++i;
    out += value[i] == 'n' || value[i] == 'N' ? '\n' : value[i];
  }
  return out;
}

std::vector<std::string> split_value(std::string_view value, char mark) {
  std::vector<std::string> out;
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= value.size(); ++i) {
    if (i < value.size() && value[i] == '\\') {
      ++i;
      continue;
    }
    if (i < value.size() && value[i] != mark) continue;
    out.push_back(unescaped(value.substr(begin, std::min(i, value.size()) - begin)));
    begin = i + 1;
  }
  return out;
}

}  // namespace plan::rehearsal
