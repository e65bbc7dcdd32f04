#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace plan::archive {

/// What an archive stores to recognise a message by its content
/// (reference/account-archive.md, section 3). Never used by plan to suppress anything.
struct MessageMatch {
  std::vector<std::string> ids = {};  ///< Message-IDs, normalised, sorted
  std::string fingerprint = {};       ///< BLAKE3 of From, Subject, Date, To; lower-case hex
  [[nodiscard]] std::string to_json() const;
};

[[nodiscard]] MessageMatch match_of(std::string_view message);
/// The Date header as RFC 3339 with its own offset; empty when there is none that can be read.
[[nodiscard]] std::string date_header_of(std::string_view message);

}  // namespace plan::archive
