#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace plan::ir {

/// SHA-256 (FIPS 180-4).
struct Sha256 {
  std::array<std::uint8_t, 32> bytes = {};
  [[nodiscard]] std::string hex() const;
  friend auto operator<=>(const Sha256&, const Sha256&) = default;
};

[[nodiscard]] Sha256 sha256(std::string_view data);
/// HMAC-SHA-256 (RFC 2104): the keyed digest under which password hashes are remembered.
[[nodiscard]] Sha256 hmac_sha256(std::string_view key, std::string_view data);

/// The same in pieces, for files.
class Sha256Stream {
 public:
  Sha256Stream();
  ~Sha256Stream();
  Sha256Stream(const Sha256Stream&) = delete;
  Sha256Stream& operator=(const Sha256Stream&) = delete;
  void update(std::string_view data);
  [[nodiscard]] Sha256 finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

[[nodiscard]] std::string to_hex(std::string_view bytes);
/// RFC 4648: standard alphabet with padding, or URL-safe without.
[[nodiscard]] std::string to_base64(std::string_view bytes, bool is_url_safe = false);
/// Empty string and `*is_valid` false when the text is not base64 of either alphabet; white space
/// is refused.
[[nodiscard]] std::string from_base64(std::string_view text, bool* is_valid);

}  // namespace plan::ir
