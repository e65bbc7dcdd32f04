#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "compiler/source/result.h"

namespace plan::dump {

/// A serialised object of the server with its trailer (reference/stalwart-store.md 8.1): the last
/// byte has flags, before it stand a change id (versioned) and the low half of XXH3-64 over the
/// body (hashed). The body is the server's own layout (rkyv), copied and never edited.
struct ArchiveValue {
  std::string_view body = {};  ///< as stored: compressed when is_compressed
  bool is_compressed = false;
  bool is_hashed = false;
  bool is_hash_right = false;
  std::optional<std::uint64_t> change_id = {};

  /// Nothing when the last byte has no such flags.
  [[nodiscard]] static std::optional<ArchiveValue> parse(std::string_view value);
  /// The body decompressed. Error: value-too-large over `bytes_max`, dump-damaged.
  [[nodiscard]] Result<std::string> content(std::size_t bytes_max) const;
};

/// What the metadata record of a message (subspace p, collection 0, field 71) says of its bytes. A
/// message that came in over SMTP is the header lines kept here and the rest of a blob that its
/// recipients share (reference/stalwart-store.md 8.3); an imported one is its blob.
struct MessageMetadata {
  std::string blob_hash = {};     ///< 32 bytes, the key in subspace t
  std::uint64_t body_byte = 0;    ///< where the body begins in the blob
  std::string header_lines = {};  ///< the whole header as this recipient has it
  std::uint64_t received_at = 0;  ///< Unix seconds
  bool has_attachment = false;    ///< a part that is no text to be shown

  /// From the decompressed body of the record, whose last 68 bytes are the root object. Nothing
  /// when they do not hold together.
  [[nodiscard]] static std::optional<MessageMetadata> parse(std::string_view content);
};

/// Metadata records are a few KiB per message; their headers are bounded by the server's own
/// limits.
constexpr std::size_t kArchiveContentMax = std::size_t{32} << 20U;

}  // namespace plan::dump
