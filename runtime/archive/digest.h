#pragma once
#include <string>
#include <string_view>

namespace plan::archive {

/// BLAKE3-256 of `bytes`, 32 raw bytes: the identity of blobs in an archive
/// (reference/account-archive.md 2.7).
[[nodiscard]] std::string blake3(std::string_view bytes);
/// SHA-256, 32 raw bytes: what targets tell of a blob without sending it (RFC 9404).
[[nodiscard]] std::string sha256_raw(std::string_view bytes);

}  // namespace plan::archive
