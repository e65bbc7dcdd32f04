#include "runtime/dump/record_check.h"

#include <fmt/format.h>

#include "runtime/dump/archive_value.h"
#include "runtime/dump/blake3.h"
#include "runtime/dump/integers.h"
#include "runtime/dump/key_shape.h"

namespace plan::dump {
namespace {

constexpr std::size_t kKeyShown = 48;

std::string shown(std::string_view key) {
  return ir::to_hex(key.substr(0, kKeyShown)) + (key.size() > kKeyShown ? "..." : "");
}

}  // namespace

RecordCheck::RecordCheck(const Subspace& subspace, FaultList& faults)
    : subspace_(subspace), faults_(faults) {}
RecordCheck::~RecordCheck() = default;

void RecordCheck::fault(FaultKind kind, const FrameReader& reader, std::string text) {
  faults_.add({.kind = kind,
               .text = std::move(text),
               .file_byte = reader.file_byte(),
               .content_byte = reader.content_byte(),
               .record = reader.records()});
}

Outcome RecordCheck::check_blob(FrameReader& reader) {
  Blake3 hash;
  while (true) {
    PLAN_TRY(piece, reader.value_piece());
    if (piece.empty()) break;
    hash.update(piece);
  }
  const std::string digest = hash.finish();
  ++hashed_;
  if (digest != reader.key())
    fault(FaultKind::wrong_hash, reader,
          fmt::format("blob {}: its {} bytes have the BLAKE3 {}", shown(reader.key()),
                      reader.value_bytes(), ir::to_hex(digest)));
  return {};
}

Result<std::string_view> RecordCheck::check_value(FrameReader& reader) {
  const std::string_view key = reader.key();
  if (subspace_.value == ValueKind::blob) {
    if (key.size() == kBlobHashBytes) PLAN_TRY_VOID(check_blob(reader));
    return std::string_view{};
  }
  const bool is_hashed = !key.empty() && is_archive(subspace_, key);
  if (is_hashed && reader.value_bytes() > kWholeValueBytes) {
    ++unhashed_;
    return std::string_view{};
  }
  constexpr std::uint64_t kSmallBytes = 64;
  if (!is_hashed && reader.value_bytes() > kSmallBytes) return std::string_view{};
  PLAN_TRY(value, reader.value());
  if (is_hashed) {
    const auto archive = ArchiveValue::parse(value);
    if (!archive)
      fault(FaultKind::value_shape, reader,
            fmt::format("key {}: its {} bytes end without an object's trailer", shown(reader.key()),
                        value.size()));
    else if (!archive->is_hashed)
      ++unhashed_;
    else if (!archive->is_hash_right)
      fault(FaultKind::wrong_hash, reader, fmt::format("key {}", shown(reader.key())));
    if (archive && archive->is_hashed) ++hashed_;
  } else if (subspace_.value == ValueKind::counter && value.size() == 8) {
    const auto number = static_cast<std::int64_t>(little_u64(value));
    if (number < 0)
      fault(FaultKind::negative_counter, reader,
            fmt::format("key {} is {}", shown(reader.key()), number));
  } else if (subspace_.letter == 'p' && reader.key() == std::string_view("\0", 1)) {
    has_schema_row_ = true;
    if (value.size() == 4 && big_u32(value) != subspace_.schema)
      fault(FaultKind::another_schema, reader,
            fmt::format("its schema row says {}, its header {}", big_u32(value), subspace_.schema));
  }
  return value;
}

Result<CheckedRecord> RecordCheck::check(FrameReader& reader) {
  const std::string_view key = reader.key();
  if (has_previous_ && key <= previous_) {
    if (faults_.is_listed(FaultKind::key_order))
      fault(FaultKind::key_order, reader,
            key == previous_ ? fmt::format("key {} is there twice", shown(key))
                             : fmt::format("key {} comes after {}", shown(key), shown(previous_)));
    else
      faults_.count_more(FaultKind::key_order, 1);
  }
  previous_.assign(key);
  has_previous_ = true;
  const std::string shape = key_shape_fault(subspace_, key);
  if (!shape.empty()) {
    if (faults_.is_listed(FaultKind::key_shape))
      fault(FaultKind::key_shape, reader, fmt::format("key {}: {}", shown(key), shape));
    else
      faults_.count_more(FaultKind::key_shape, 1);
    return CheckedRecord{.key = {}, .value = {}, .value_bytes = 0};
  }
  const std::string length = value_length_fault(subspace_, key, reader.value_bytes());
  if (!length.empty()) {
    if (faults_.is_listed(FaultKind::value_shape))
      fault(FaultKind::value_shape, reader, fmt::format("value of {}: {}", shown(key), length));
    else
      faults_.count_more(FaultKind::value_shape, 1);
  }
  PLAN_TRY(value, check_value(reader));
  return CheckedRecord{.key = reader.key(), .value = value, .value_bytes = reader.value_bytes()};
}

void RecordCheck::count_empty(std::uint64_t records) {
  faults_.count_more(FaultKind::key_order, records);
  faults_.count_more(FaultKind::key_shape, records);
}

void RecordCheck::finish() {
  if (subspace_.letter == 'p' && !has_schema_row_)
    faults_.add(
        {.kind = FaultKind::missing_schema_row,
         .text = "no key 00; a server started on it takes the store for another version's"});
}

}  // namespace plan::dump
