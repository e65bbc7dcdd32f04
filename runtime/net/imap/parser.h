#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/source/result.h"
#include "runtime/net/imap/limits.h"

namespace plan::net::imap {

/// One value of a response (RFC 3501, section 9; RFC 9051): an atom, a string however it was sent,
/// NIL, or a parenthesised list. `text` of NIL is as it was sent, because a mailbox may have that
/// name.
struct Item {
  enum class Type : std::uint8_t { atom, string, nil, list };
  Type type = Type::atom;
  std::string text = {};
  std::vector<Item> items = {};

  [[nodiscard]] bool is_list() const { return type == Type::list; }
  [[nodiscard]] bool is_nil() const { return type == Type::nil; }
  /// The number that an atom spells, or nothing.
  [[nodiscard]] std::optional<std::uint64_t> number() const;
};

/// One complete answer of a server.
struct Response {
  enum class Kind : std::uint8_t { untagged, tagged, continuation };
  Kind kind = Kind::untagged;
  std::string tag = {};
  std::string name = {};  ///< upper case: OK, NO, BAD, BYE, PREAUTH, FETCH, LIST, ...
  std::optional<std::uint64_t> number = {};  ///< `* 7 FETCH`, `* 3 EXISTS`
  std::string code = {};         ///< upper case, of status responses: UIDVALIDITY, NONEXISTENT
  std::string code_text = {};    ///< what follows the code inside the brackets
  std::string text = {};         ///< words for people; all of an unknown untagged response
  std::vector<Item> items = {};  ///< of data responses

  [[nodiscard]] bool is_status() const {
    return name == "OK" || name == "NO" || name == "BAD" || name == "BYE" || name == "PREAUTH";
  }
};

/// Reads what an IMAP server sends, byte by byte if need be, within limits. Errors (the parser is
/// of no use afterwards): line-too-long, answer-too-large, protocol-violation (NUL outside
/// literals, lists too deep, lengths that are no numbers, text after the end of an item).
class ResponseParser {
 public:
  explicit ResponseParser(const Limits& limits = {}) : limits_(limits) {}

  /// Takes bytes as they came.
  void feed(std::string_view bytes);
  /// The next complete response; nothing when more bytes are needed.
  [[nodiscard]] Result<std::optional<Response>> next();
  /// Bytes that were fed and do not belong to a response that was returned.
  [[nodiscard]] std::size_t buffered() const {
    return input_.size() - begin_ + text_.size() + literal_bytes_;
  }

 private:
  [[nodiscard]] Result<bool> take_line();
  [[nodiscard]] Result<bool> note_literal();
  [[nodiscard]] Result<Response> parse();

  Limits limits_;
  std::string input_ = {};
  std::size_t begin_ = 0;     // of what is not consumed
  std::size_t searched_ = 0;  // bytes after begin_ that hold no line end
  std::string text_ = {};     // of the response in progress, literals left out
  std::vector<std::string> literals_ = {};
  std::vector<std::size_t> literal_places_ = {};  // in text_: where `{n}` stands
  std::size_t literal_bytes_ = 0;
  std::size_t text_at_literal_ = 0;  // length of text_ when the last literal was announced
  std::size_t literal_left_ = 0;
  bool is_in_literal_ = false;
};

/// The items of a text such as `(\Seen Work) "x" NIL` without literals: for response codes.
[[nodiscard]] Result<std::vector<Item>> parse_items(std::string_view text,
                                                    const Limits& limits = {});

/// A set of UIDs as ranges, ascending after `normalize`.
struct UidSet {
  struct Range {
    std::uint32_t first = 0;
    std::uint32_t last = 0;
    friend bool operator==(const Range&, const Range&) = default;
  };
  std::vector<Range> ranges = {};

  void add(std::uint32_t uid);
  void add(std::uint32_t first, std::uint32_t last);
  /// Sorts and joins.
  void normalize();
  [[nodiscard]] bool contains(std::uint32_t uid) const;  ///< of a normalized set
  [[nodiscard]] std::uint64_t count() const;
  [[nodiscard]] bool empty() const { return ranges.empty(); }
  /// `1:4,7`
  [[nodiscard]] std::string to_string() const;
};

/// Reads `1:4,7` (also 7:1); `*` and 0 are refused, as no server may answer with them.
[[nodiscard]] std::optional<UidSet> parse_uid_set(std::string_view text);

}  // namespace plan::net::imap
