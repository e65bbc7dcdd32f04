#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "runtime/dump/subspace.h"

namespace plan::dump {

/// The highest collection number that a version of 0.15 or 0.16 knows (reference/stalwart-store.md
/// 8): the importer turns higher ones into another.
constexpr std::uint8_t kCollectionMax = 13;
constexpr std::uint8_t kEmail = 0;
constexpr std::uint8_t kMailbox = 1;
constexpr std::uint8_t kSieve = 5;
constexpr std::uint8_t kPrincipal = 7;
constexpr std::uint8_t kFileNode = 12;
/// Main record of an object, and a message's metadata.
constexpr std::uint8_t kMainField = 50;
constexpr std::uint8_t kMetadataField = 71;
constexpr std::size_t kBlobHashBytes = 32;

/// Whose object a key of p, i or k is about.
struct ObjectKey {
  std::uint32_t account = 0;
  std::uint8_t collection = 0;
  std::uint8_t field = 0;
  std::uint32_t document = 0;
};
/// From a key of p of 10 bytes or more, or of i.
[[nodiscard]] std::optional<ObjectKey> object_key(std::string_view key);

/// What is wrong with the shape of a key, or of the length of its value, in this subspace; empty
/// when nothing is. Only shapes that the reference gives or that were seen are known; where it says
/// nothing, everything is let through.
[[nodiscard]] std::string key_shape_fault(const Subspace& subspace, std::string_view key);
[[nodiscard]] std::string value_length_fault(const Subspace& subspace, std::string_view key,
                                             std::uint64_t value_bytes);

/// Values of this key carry a trailer with a hash (archive_value.h).
[[nodiscard]] bool is_archive(const Subspace& subspace, std::string_view key);

/// The account whose record this is; nothing for what belongs to no account.
[[nodiscard]] std::optional<std::uint32_t> account_of(const Subspace& subspace,
                                                      std::string_view key);

}  // namespace plan::dump
