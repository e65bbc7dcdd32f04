#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "compiler/source/result.h"
#include "runtime/dump/store/store_address.h"

namespace plan::dump {

/// The content of a blob as a store keeps it (reference/stalwart-store.md 8.2). `room` holds it
/// when it has to be unpacked; the view is good as long as both. Whether it was packed is decided
/// by the key, which is the BLAKE3-256 of the content, because neither the mark at its end nor the
/// setting of a 0.15 store can be relied on. Error: blob-wrong.
[[nodiscard]] Result<std::string_view> decode_blob(std::uint32_t schema, std::string_view key,
                                                   std::string_view stored, std::string& room);

/// How a server of this schema stores the content.
[[nodiscard]] std::string_view encode_blob(std::uint32_t schema, BlobCompression compression,
                                           std::string_view content, std::string& room);

/// Blobs as files, under a name made from their key: `FOLDER/5/a3/name`.
[[nodiscard]] std::string blob_file(const std::string& folder, unsigned depth,
                                    std::string_view key);

}  // namespace plan::dump
