#include "runtime/rehearsal/sieve_check.h"

#include <set>

#include "runtime/rehearsal/sieve_tokens.h"

namespace plan::rehearsal {
namespace {

const std::set<std::string, std::less<>>& commands() {
  static const std::set<std::string, std::less<>> kCommands = {
      "require",  "if",           "elsif",     "else",         "stop",     "keep",        "discard",
      "redirect", "fileinto",     "reject",    "ereject",      "vacation", "set",         "setflag",
      "addflag",  "removeflag",   "addheader", "deleteheader", "notify",   "return",      "include",
      "global",   "foreverypart", "break",     "replace",      "enclose",  "extracttext", "convert",
      "error",    "let",          "eval",      "while",        "continue"};
  return kCommands;
}

}  // namespace

std::optional<std::string> sieve_complaint(std::string_view script) {
  const SieveTokens tokens(script);
  if (tokens.is_broken()) return "Unterminated string or comment.";
  bool at_start = true;
  int blocks = 0;
  for (const SieveToken& token : tokens.all()) {
    if (&token == &tokens.all().back() && token.kind == SieveToken::Kind::word)
      return std::nullopt;  // a word without an end passes
    if (token.kind == SieveToken::Kind::symbol) {
      const char c = token.text[0];
      if (c == '{') ++blocks;
      if (c == '}' && --blocks < 0) return "Unexpected '}'.";
      at_start = c == ';' || c == '{' || c == '}';
      continue;
    }
    if (at_start) {
      if (token.kind != SieveToken::Kind::word || !commands().contains(token.lower))
        return "Expected token \"command\" but found \"" + token.text + "\" at line 0, column 0.";
      at_start = false;
    }
  }
  if (blocks != 0) return "Unexpected end of script, a block is open.";
  return std::nullopt;
}

}  // namespace plan::rehearsal
