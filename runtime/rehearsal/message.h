#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/ir/value.h"

namespace plan::rehearsal {

/// One header field: name as written, value as in the message without the name (leading blank and
/// folding kept).
struct HeaderField {
  std::string_view name = {};
  std::string_view value = {};
};

/// A look at a message that borrows its bytes. Line ends may be CRLF or LF.
struct MessageView {
  std::vector<HeaderField> fields = {};
  std::string_view header = {};  ///< up to and including the empty line
  std::string_view body = {};
  [[nodiscard]] std::optional<std::string_view> field(std::string_view name) const;
};
[[nodiscard]] MessageView view_message(std::string_view bytes);

/// Has it one header field that mail knows? What has none is refused as no message (reference 8.3).
[[nodiscard]] bool is_message(const MessageView& view);

/// A value without folding, trimmed, with encoded words (RFC 2047, UTF-8, ASCII and Latin-1)
/// decoded.
[[nodiscard]] std::string decode_text(std::string_view value);

struct Address {
  std::string name = {};
  std::string email = {};
};
[[nodiscard]] std::vector<Address> parse_addresses(std::string_view value);
/// `<a@b> <c@d>` to a@b, c@d.
[[nodiscard]] std::vector<std::string> parse_message_ids(std::string_view value);
/// RFC 5322 date to seconds since 1970 (UTC).
[[nodiscard]] std::optional<std::int64_t> parse_mail_date(std::string_view value);

/// RFC 3339 with offset, fraction or without zone (then UTC) to seconds since 1970.
[[nodiscard]] std::optional<std::int64_t> parse_rfc3339(std::string_view text);
[[nodiscard]] std::string show_rfc3339(std::int64_t seconds);
/// ` 1-Feb-2019 10:11:12 +0200` (RFC 9051 date-time) to seconds and back, in UTC.
[[nodiscard]] std::optional<std::int64_t> parse_imap_date(std::string_view text);
[[nodiscard]] std::string show_imap_date(std::int64_t seconds);
[[nodiscard]] std::string show_mail_date(std::int64_t seconds);

/// Subject without Re:, Fwd: and list tags in lower case (RFC 5256, 2.1, roughly).
[[nodiscard]] std::string base_subject(std::string_view subject);

/// What decides whether a message is "the same" as another: base subject and the set of its
/// Message-ID, References and In-Reply-To values (split-delivery.md 6).
struct MessageIdentity {
  std::string subject = {};
  std::vector<std::string> ids = {};  ///< sorted, unique
  friend bool operator==(const MessageIdentity&, const MessageIdentity&) = default;
};
[[nodiscard]] MessageIdentity identity_of(const MessageView& view);

/// One MIME part, flat list in document order; part 0 is the message itself.
struct Part {
  std::string id = {};    ///< "0", "1", ... as partId, empty for multiparts
  std::string type = {};  ///< lower case, "text/plain"
  std::string charset = {};
  std::string disposition = {};
  std::string name = {};
  std::string cid = {};
  std::string encoding = {};  ///< lower case
  std::string_view header = {};
  std::string_view content = {};  ///< still encoded
  std::size_t depth = 0;
};
/// At most 1000 parts and 20 levels; what is deeper is one opaque part.
[[nodiscard]] std::vector<Part> parts_of(std::string_view bytes);
[[nodiscard]] std::string decode_content(const Part& part);

}  // namespace plan::rehearsal
