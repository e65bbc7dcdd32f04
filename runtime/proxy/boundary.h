#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "runtime/proxy/protocol.h"

namespace plan::proxy {

/// Follows what a server sends after login, just closely enough to know whether a line of ours may
/// stand behind it: at the end of a line and not inside a literal (IMAP, ManageSieve). A stream
/// that is no text any more (COMPRESS, TLS inside) is noticed by its bytes and never called a
/// boundary again.
class Boundary {
 public:
  explicit Boundary(Protocol protocol)
      : has_literals_(protocol == Protocol::imap || protocol == Protocol::sieve) {}

  void feed(std::string_view bytes);
  [[nodiscard]] bool is_between_lines() const {
    return is_text_ && literal_left_ == 0 && line_length_ == 0;
  }

 private:
  /// The last bytes of the line so far: enough for `{18446744073709551615+}`.
  void note_line(std::string_view part);
  [[nodiscard]] std::uint64_t literal_size() const;

  std::uint64_t literal_left_ = 0;
  std::uint32_t line_length_ = 0;
  char tail_[23] = {};
  std::uint8_t tail_size_ = 0;
  bool has_literals_;
  bool is_text_ = true;
};

}  // namespace plan::proxy
