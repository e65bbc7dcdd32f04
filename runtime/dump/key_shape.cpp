#include "runtime/dump/key_shape.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/source/text.h"
#include "runtime/dump/integers.h"

namespace plan::dump {
namespace {

constexpr std::uint8_t kUidField = 0x54;
constexpr std::uint8_t kAccountBytes = 0xFF;  // counter of used bytes in 0.16, and of a tenant's
constexpr std::uint8_t kTenantBytes = 0xFE;
constexpr std::size_t kNameBytesMax = 128;

std::uint8_t byte_at(std::string_view key, std::size_t at) {
  return static_cast<std::uint8_t>(key[at]);
}

std::string wrong_length(std::string_view key, std::string_view wanted) {
  return fmt::format("it has {} bytes, not {}", key.size(), wanted);
}

std::string exactly(std::string_view key, std::size_t size) {
  return key.size() == size ? std::string() : wrong_length(key, std::to_string(size));
}

std::string unknown_collection(std::uint8_t collection) {
  return collection <= kCollectionMax ? std::string()
                                      : fmt::format("collection {} is not known", collection);
}

std::string blob_link(std::string_view key) {
  switch (key.size()) {
    case 32:
    case 40:
    case 44:
      return {};
    case 41:
      return unknown_collection(byte_at(key, 36));
    default:
      return wrong_length(key, "32, 40, 41 or 44");
  }
}

std::string counter(std::string_view key, bool is_16) {
  if (key.size() == 4 || (is_16 && key.size() == 2)) return {};
  if (key.size() == 5) {
    const std::uint8_t collection = byte_at(key, 4);
    if (is_16 && (collection == kAccountBytes || collection == kTenantBytes)) return {};
    return unknown_collection(collection);
  }
  if (key.size() == 10)
    return byte_at(key, 4) == kMailbox && byte_at(key, 5) == kUidField
               ? std::string()
               : "10 bytes, but no UID counter of a mailbox";
  return wrong_length(key, is_16 ? "2, 4, 5 or 10" : "4, 5 or 10");
}

std::string quota(std::string_view key, bool is_16) {
  if (key.empty()) return wrong_length(key, "2 or more");
  const std::uint8_t kind = byte_at(key, 0);
  if (kind <= 1) return key.size() > 1 ? std::string() : wrong_length(key, "2 or more");
  std::string_view rest = key.substr(1);
  if (kind == 4 && !is_16 && take_leb128(rest) && rest.empty()) return {};
  return fmt::format("its first byte is {:02x}", kind);
}

std::string property(std::string_view key) {
  if (key.size() == 1 && key[0] == '\0') return {};
  if (key.size() < 10 || key.size() > 26) return wrong_length(key, "1 or 10 to 26");
  return unknown_collection(byte_at(key, 4));
}

std::string blob(std::string_view key) {
  if (key.size() == kBlobHashBytes) return {};
  const bool is_name =
      !key.empty() && key.size() <= kNameBytesMax &&
      std::all_of(key.begin(), key.end(), [](char c) { return c > ' ' && c < '\x7f'; });
  return is_name ? std::string() : wrong_length(key, "32, and it is no name");
}

std::string directory_15(std::string_view key) {
  if (key.size() < 2) return wrong_length(key, "2 or more");
  const std::uint8_t kind = byte_at(key, 0);
  std::string_view rest = key.substr(1);
  switch (kind) {
    case 0:
    case 1:
      return first_invalid_utf8(rest) ? "a name that is no UTF-8" : std::string();
    case 2:
      return take_leb128(rest) && rest.empty() ? std::string() : "no principal id";
    case 5:
    case 6:
      return exactly(key, 9);
    case 7:
      return key.size() >= 6 ? std::string() : wrong_length(key, "6 or more");
    default:
      return fmt::format("its first byte is {:02x}", kind);
  }
}

std::string report_out_15(std::string_view key) {
  if (key.size() < 25) return wrong_length(key, "25 or more");
  return byte_at(key, 0) <= 2 ? std::string() : fmt::format("its first byte is {:02x}", key[0]);
}

std::string report_in_15(std::string_view key) {
  if (key.size() != 17) return exactly(key, 17);
  return byte_at(key, 0) <= 2 ? std::string() : fmt::format("its first byte is {:02x}", key[0]);
}

std::string registry_index(std::string_view key) {
  if (key.size() < 12) return wrong_length(key, "12 or more");
  return key.substr(0, 2) == "\xff\xff" ? exactly(key, 12) : std::string();
}

std::string task_15(std::string_view key) {
  return key.size() >= 17 && key.size() <= 25 ? std::string() : wrong_length(key, "17 to 25");
}

}  // namespace

std::optional<ObjectKey> object_key(std::string_view key) {
  if (key.size() < 10) return std::nullopt;
  return ObjectKey{.account = big_u32(key),
                   .collection = byte_at(key, 4),
                   .field = byte_at(key, 5),
                   .document = big_u32(key.substr(key.size() - 4))};
}

std::string key_shape_fault(const Subspace& subspace, std::string_view key) {
  const bool is_16 = subspace.schema == kSchema16;
  if (key.empty()) return "it is empty";
  switch (subspace.letter) {
    case 'a':
      return key.size() == 13 ? unknown_collection(byte_at(key, 8)) : exactly(key, 13);
    case 'b':
      return registry_index(key);
    case 'd':
      return is_16 ? exactly(key, 10) : directory_15(key);
    case 'e':
      return exactly(key, 8);
    case 'f':
      return is_16 ? exactly(key, 16) : task_15(key);
    case 'g':
      return key.size() >= 5 ? std::string() : wrong_length(key, "5 or more");
    case 'h':
      return is_16 ? exactly(key, 10) : report_out_15(key);
    case 'i':
      return key.size() >= 10 ? unknown_collection(byte_at(key, 4))
                              : wrong_length(key, "10 or more");
    case 'j':
      return exactly(key, is_16 ? 10 : 45);
    case 'k':
      return blob_link(key);
    case 'l':
      return exactly(key, 13);
    case 'n':
      return counter(key, is_16);
    case 'p':
      return property(key);
    case 'q':
      return exactly(key, 24);
    case 'r':
      return is_16 ? exactly(key, 10) : report_in_15(key);
    case 's':
      if (is_16) return exactly(key, 10);
      return first_invalid_utf8(key) ? "a setting's name that is no UTF-8" : std::string();
    case 't':
      return blob(key);
    case 'u':
      return quota(key, is_16);
    default:
      return {};
  }
}

std::string value_length_fault(const Subspace& subspace, std::string_view key,
                               std::uint64_t value_bytes) {
  const auto wanted = [&](std::uint64_t bytes) {
    return value_bytes == bytes ? std::string()
                                : fmt::format("it has {} bytes, not {}", value_bytes, bytes);
  };
  switch (subspace.value) {
    case ValueKind::none:
      return wanted(0);
    case ValueKind::counter:
      return wanted(8);
    case ValueKind::blob:
      return {};
    case ValueKind::plain:
      break;
  }
  switch (subspace.letter) {
    case 'a':
      return wanted(8);
    case 'p':
      return key.size() == 1 ? wanted(4) : std::string();
    case 'q':
      return wanted(0);
    case 'k':
      return key.size() == 44 ? std::string() : wanted(0);
    default:
      return {};
  }
}

bool is_archive(const Subspace& subspace, std::string_view key) {
  const bool is_15 = subspace.schema == kSchema15;
  switch (subspace.letter) {
    case 'p':
      return key.size() == 10 && (byte_at(key, 5) == kMainField ||
                                  (byte_at(key, 4) == kEmail && byte_at(key, 5) == kMetadataField));
    case 'e':
      return true;
    case 'd':
      return is_15 && byte_at(key, 0) == 2;
    case 'h':
    case 'r':
      return is_15;
    default:
      return false;
  }
}

std::optional<std::uint32_t> account_of(const Subspace& subspace, std::string_view key) {
  switch (subspace.letter) {
    case 'p':
      if (key.size() < 10) return std::nullopt;
      return big_u32(key);
    case 'i':
    case 'l':
      return big_u32(key);
    case 'n':
      if (key.size() < 4 || (key.size() == 5 && byte_at(key, 4) == kTenantBytes))
        return std::nullopt;
      return big_u32(key);
    case 'a':
      return big_u32(key.substr(4));
    case 'k':
      if (key.size() != 41 && key.size() != 44) return std::nullopt;
      return big_u32(key.substr(kBlobHashBytes));
    case 'u': {
      std::string_view rest = key.substr(1);
      if (subspace.schema != kSchema15 || key[0] != '\x04') return std::nullopt;
      const auto id = take_leb128(rest);
      if (!id) return std::nullopt;
      return static_cast<std::uint32_t>(*id);
    }
    case 'j':
      if (subspace.schema != kSchema15 || key.size() != 45) return std::nullopt;
      return key[0] == '\x02' ? big_u32(key.substr(9)) : big_u32(key.substr(1));
    case 'f':
      if (subspace.schema != kSchema15 || key.size() < 17) return std::nullopt;
      return big_u32(key.substr(8));
    default:
      return std::nullopt;
  }
}

}  // namespace plan::dump
