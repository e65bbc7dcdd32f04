#include "runtime/dump/archive_value.h"

#include <fmt/format.h>
#include <lz4.h>
#include <xxhash.h>

#include "runtime/dump/errors.h"
#include "runtime/dump/integers.h"

namespace plan::dump {
namespace {

constexpr std::uint8_t kIsArchive = 0x80;
constexpr std::uint8_t kIsVersioned = 0x40;
constexpr std::uint8_t kIsHashed = 0x20;
constexpr std::uint8_t kIsLz4 = 0x10;
constexpr std::uint8_t kUnused = 0x0F;

// The root object, counted from the end of the content.
constexpr std::size_t kRootBytes = 68;
constexpr std::size_t kReceivedAt = 64;
constexpr std::size_t kBlobHash = 56;
constexpr std::size_t kBodyByte = 24;
constexpr std::size_t kHeaderPlace = 12;  // relative to itself
constexpr std::size_t kHeaderBytes = 8;
constexpr std::size_t kHashBytes = 32;
/// The highest bit of the time it was received is set where the message has an attachment.
constexpr std::uint64_t kHasAttachment = std::uint64_t{1} << 63U;

}  // namespace

std::optional<ArchiveValue> ArchiveValue::parse(std::string_view value) {
  if (value.empty()) return std::nullopt;
  const auto flags = static_cast<std::uint8_t>(value.back());
  if ((flags & kIsArchive) == 0 || (flags & kUnused) != 0) return std::nullopt;
  value.remove_suffix(1);
  ArchiveValue archive{.is_compressed = (flags & kIsLz4) != 0,
                       .is_hashed = (flags & kIsHashed) != 0};
  if ((flags & kIsVersioned) != 0) {
    if (value.size() < 8) return std::nullopt;
    archive.change_id = big_u64(value.substr(value.size() - 8));
    value.remove_suffix(8);
  }
  if (archive.is_hashed) {
    if (value.size() < 4) return std::nullopt;
    const std::uint32_t found = big_u32(value.substr(value.size() - 4));
    value.remove_suffix(4);
    archive.is_hash_right =
        static_cast<std::uint32_t>(XXH3_64bits(value.data(), value.size())) == found;
  }
  archive.body = value;
  return archive;
}

Result<std::string> ArchiveValue::content(std::size_t bytes_max) const {
  if (!is_compressed) {
    if (body.size() > bytes_max)
      return Error(errors::value_too_large, fmt::format("an object of {} bytes", body.size()));
    return std::string(body);
  }
  if (body.size() < 4 || body.size() > bytes_max)
    return Error(errors::dump_damaged, "a compressed object has no length");
  const std::uint32_t size = little_u32(body);
  if (size > bytes_max)
    return Error(errors::value_too_large, fmt::format("an object of {} bytes", size));
  // At most 255 bytes come out of each: more is announced than is there.
  if (size / 255 > body.size()) return Error(errors::dump_damaged, "an object is cut");
  std::string content(size, '\0');
  const int made = LZ4_decompress_safe(body.data() + 4, content.data(),
                                       static_cast<int>(body.size() - 4), static_cast<int>(size));
  if (made != static_cast<int>(size))
    return Error(errors::dump_damaged, "a compressed object does not decode");
  return content;
}

std::optional<MessageMetadata> MessageMetadata::parse(std::string_view content) {
  if (content.size() < kRootBytes) return std::nullopt;
  const auto tail = [&](std::size_t from_end) { return content.substr(content.size() - from_end); };
  MessageMetadata metadata;
  const std::uint64_t received = little_u64(tail(kReceivedAt));
  metadata.received_at = received & ~kHasAttachment;
  metadata.has_attachment = (received & kHasAttachment) != 0;
  metadata.blob_hash = tail(kBlobHash).substr(0, kHashBytes);
  metadata.body_byte = little_u32(tail(kBodyByte));
  const std::size_t place = content.size() - kHeaderPlace;
  const auto distance = static_cast<std::int32_t>(little_u32(tail(kHeaderPlace)));
  const std::uint64_t size = little_u32(tail(kHeaderBytes));
  const std::int64_t begin = static_cast<std::int64_t>(place) + distance;
  if (begin < 0 || static_cast<std::uint64_t>(begin) > content.size() ||
      size > content.size() - static_cast<std::uint64_t>(begin))
    return std::nullopt;
  metadata.header_lines = content.substr(static_cast<std::size_t>(begin), size);
  return metadata;
}

}  // namespace plan::dump
