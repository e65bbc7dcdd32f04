#include "runtime/rehearsal/sieve_tokens.h"

#include <algorithm>

#include "compiler/source/text.h"

namespace plan::rehearsal {
namespace {

bool is_word_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.' || c == '-';
}

}  // namespace

SieveTokens::SieveTokens(std::string_view script) {
  std::size_t at = 0;
  while (at < script.size()) {
    const char c = script[at];
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
      ++at;
    } else if (c == '#') {
      at = std::min(script.find('\n', at), script.size());
    } else if (script.substr(at, 2) == "/*") {
      const std::size_t end = script.find("*/", at + 2);
      if (end == std::string_view::npos) {
        is_broken_ = true;
        return;
      }
      at = end + 2;
    } else if (c == '"') {
      SieveToken token{SieveToken::Kind::text, {}, {}};
      for (++at; at < script.size() && script[at] != '"'; ++at) {
        if (script[at] == '\\' && at + 1 < script.size()) ++at;
        token.text += script[at];
      }
      if (at >= script.size()) {
        is_broken_ = true;
        return;
      }
      ++at;
      tokens_.push_back(std::move(token));
    } else if (lower_ascii(script.substr(at, 5)) == "text:") {
      at = std::min(script.find('\n', at), script.size() - 1) + 1;
      SieveToken token{SieveToken::Kind::text, {}, {}};
      bool is_closed = false;
      while (at < script.size() && !is_closed) {
        const std::size_t end = std::min(script.find('\n', at), script.size());
        std::string_view line = script.substr(at, end - at);
        if (line.ends_with('\r')) line.remove_suffix(1);
        at = std::min(end + 1, script.size());
        if (line == ".")
          is_closed = true;
        else
          token.text += std::string(line.starts_with('.') ? line.substr(1) : line) + "\r\n";
      }
      is_broken_ = is_broken_ || !is_closed;
      tokens_.push_back(std::move(token));
    } else if (c == ':' || is_word_char(c)) {
      const bool is_tag = c == ':';
      std::size_t end = at + (is_tag ? 1 : 0);
      while (end < script.size() && is_word_char(script[end])) ++end;
      SieveToken token{
          is_tag ? SieveToken::Kind::tag
                 : (c >= '0' && c <= '9' ? SieveToken::Kind::number : SieveToken::Kind::word),
          std::string(script.substr(at, end - at)), lower_ascii(script.substr(at, end - at))};
      if (end == at) end = at + 1;
      at = end;
      tokens_.push_back(std::move(token));
    } else {
      tokens_.push_back({SieveToken::Kind::symbol, std::string(1, c), {}});
      ++at;
    }
  }
}

}  // namespace plan::rehearsal
