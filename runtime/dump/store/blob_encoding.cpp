#include "runtime/dump/store/blob_encoding.h"

#include <fmt/format.h>
#include <lz4.h>

#include <algorithm>

#include "compiler/ir/digest.h"
#include "runtime/dump/blake3.h"
#include "runtime/dump/key_shape.h"
#include "runtime/dump/store/errors.h"
#include "runtime/dump/subspace.h"

namespace plan::dump {
namespace {

constexpr char kPackedMark = '\xA1';
constexpr char kPlainMark = '\0';
// No LZ4 block grows by more than this when it is unpacked.
constexpr std::uint64_t kGrowthMax = 255;
constexpr std::string_view kBase32 = "abcdefghijklmnopqrstuvwxyz792013";
constexpr unsigned kDepthMax = 5;

bool is_content_of(std::string_view key, std::string_view content) {
  if (key.size() != kBlobHashBytes) return true;  // a name: nothing to compare with
  return blake3(content) == key;
}

bool unpack(std::string_view stored, std::string& room) {
  if (stored.size() < 5 || stored.back() != kPackedMark) return false;
  std::uint64_t size = 0;
  for (std::size_t i = 4; i > 0; --i) {
    size = size << 8U | static_cast<unsigned char>(stored[i - 1]);
  }
  const std::string_view block = stored.substr(4, stored.size() - 5);
  if (size > block.size() * kGrowthMax || size > LZ4_MAX_INPUT_SIZE) return false;
  room.resize(size);
  return LZ4_decompress_safe(block.data(), room.data(), static_cast<int>(block.size()),
                             static_cast<int>(size)) == static_cast<int>(size);
}

}  // namespace

Result<std::string_view> decode_blob(std::uint32_t schema, std::string_view key,
                                     std::string_view stored, std::string& room) {
  if (schema <= kSchema15) {
    // A store without compression is the default, and then any last byte is content.
    if (is_content_of(key, stored)) return stored;
    if (unpack(stored, room) && is_content_of(key, room)) return std::string_view(room);
  } else {
    if (unpack(stored, room) && is_content_of(key, room)) return std::string_view(room);
    if (!stored.empty() && stored.back() == kPlainMark) {
      const std::string_view content = stored.substr(0, stored.size() - 1);
      if (is_content_of(key, content)) return content;
    }
    // Written by 0.15 and taken over in place, without a mark.
    if (key.size() == kBlobHashBytes && is_content_of(key, stored)) return stored;
  }
  return Error(errors::blob_wrong, fmt::format("blob {}: {} stored bytes are not its content",
                                               ir::to_hex(key.substr(0, 32)), stored.size()));
}

std::string_view encode_blob(std::uint32_t schema, BlobCompression compression,
                             std::string_view content, std::string& room) {
  const bool is_packed = schema >= kSchema16 || compression == BlobCompression::lz4;
  if (content.size() > LZ4_MAX_INPUT_SIZE || !is_packed) {
    if (schema <= kSchema15) return content;
    room.assign(content);
    room += kPlainMark;
    return room;
  }
  const int size = static_cast<int>(content.size());
  room.resize(4 + static_cast<std::size_t>(LZ4_compressBound(size)) + 1);
  for (unsigned i = 0; i < 4; ++i) {
    room[i] = static_cast<char>(static_cast<unsigned>(size) >> (8U * i) & 0xFFU);
  }
  const int packed =
      LZ4_compress_default(content.data(), room.data() + 4, size, LZ4_compressBound(size));
  room.resize(4 + static_cast<std::size_t>(packed));
  room += kPackedMark;
  return room;
}

std::string blob_file(const std::string& folder, unsigned depth, std::string_view key) {
  std::string path = folder;
  for (unsigned i = 0; i < std::min(depth, kDepthMax) && i < key.size(); ++i) {
    path += fmt::format("/{:x}", static_cast<unsigned char>(key[i]));
  }
  path += '/';
  unsigned bits = 0;
  unsigned held = 0;
  for (const char byte : key) {
    bits = bits << 8U | static_cast<unsigned char>(byte);
    held += 8;
    while (held >= 5) {
      held -= 5;
      path += kBase32[bits >> held & 31U];
    }
    bits &= (1U << held) - 1;
  }
  if (held > 0) path += kBase32[bits << (5 - held) & 31U];
  return path;
}

}  // namespace plan::dump
