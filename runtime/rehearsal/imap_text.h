#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace plan::rehearsal {

struct ImapToken {
  enum class Kind : std::uint8_t { atom, text, open, close };
  Kind kind = Kind::atom;
  std::string text = {};
};

/// A command in pieces: text, literal, text, literal, ...; each literal stands behind the piece
/// that announced it.
struct ImapCommandText {
  std::vector<std::string> lines = {};
  std::vector<std::string> literals = {};
};
/// Nothing when quotes are open. An atom takes everything inside [] with it (BODY[HEADER.FIELDS (A
/// B)]).
[[nodiscard]] std::optional<std::vector<ImapToken>> imap_tokens(const ImapCommandText& command);

struct LiteralMark {
  std::size_t size = 0;
  bool is_synchronising = true;
  std::size_t begin = 0;  ///< where the mark starts in the line
};
/// `{123}` or `{123+}` at the end of a line.
[[nodiscard]] std::optional<LiteralMark> literal_mark(std::string_view line);

/// Mailbox names on the wire (RFC 3501, 5.1.3).
[[nodiscard]] std::string to_utf7(std::string_view utf8);
[[nodiscard]] std::optional<std::string> from_utf7(std::string_view text);
[[nodiscard]] std::string imap_quoted(std::string_view text);

/// `1:3,5,*` as ranges; `*` is `last`.
struct ImapRange {
  std::uint32_t first = 0;
  std::uint32_t last = 0;
};
[[nodiscard]] std::optional<std::vector<ImapRange>> imap_ranges(std::string_view text,
                                                                std::uint32_t last);
[[nodiscard]] bool in_ranges(const std::vector<ImapRange>& ranges, std::uint32_t number);

/// LIST patterns: `*` and `%` (not over '/').
[[nodiscard]] bool list_matches(std::string_view pattern, std::string_view name);

}  // namespace plan::rehearsal
