#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace plan::rehearsal {

struct SieveToken {
  enum class Kind : std::uint8_t { word, tag, number, text, symbol };
  Kind kind = Kind::word;
  std::string text = {};
  std::string lower = {};  ///< of words and tags
};

/// A Sieve script in tokens (RFC 5228, 8.1). Comments are dropped.
class SieveTokens {
 public:
  explicit SieveTokens(std::string_view script);
  [[nodiscard]] const std::vector<SieveToken>& all() const { return tokens_; }
  [[nodiscard]] bool is_broken() const { return is_broken_; }

 private:
  std::vector<SieveToken> tokens_;
  bool is_broken_ = false;
};

}  // namespace plan::rehearsal
