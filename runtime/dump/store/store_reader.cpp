#include "runtime/dump/store/store_reader.h"

#include <fmt/format.h>

#include "runtime/dump/store/errors.h"

namespace plan::dump {

Outcome StoreReader::check_count(char /*letter*/, std::uint64_t /*records*/) { return {}; }

Result<std::unique_ptr<StoreReader>> open_store_reader(const StoreAddress& address) {
  switch (address.kind) {
    case StoreKind::sqlite:
      return open_sqlite_reader(address);
    case StoreKind::rocksdb:
      return open_rocksdb_reader(address);
    case StoreKind::postgresql:
      return open_postgresql_reader(address);
    case StoreKind::mysql:
      return open_mysql_reader(address);
  }
  return Error(errors::store_not_supported, address.name());
}

Result<std::uint32_t> schema_of_store(StoreReader& reader) {
  const Error missing(errors::store_has_no_schema, "row 00 of subspace p is not there");
  PLAN_TRY(cursor, reader.open('p'));
  if (cursor == nullptr) return missing;
  Record record;
  PLAN_TRY(has_row, cursor->next(record));
  if (!has_row || record.key != std::string_view("\0", 1)) return missing;
  if (record.value.size() != 4) {
    return Error(errors::store_has_no_schema,
                 fmt::format("row 00 of subspace p has {} bytes, not 4", record.value.size()));
  }
  std::uint32_t schema = 0;
  for (const char byte : record.value) schema = schema << 8U | static_cast<unsigned char>(byte);
  return schema;
}

std::string counter_bytes(std::int64_t value) {
  std::string bytes;
  auto rest = static_cast<std::uint64_t>(value);
  for (int i = 0; i < 8; ++i, rest >>= 8U) bytes += static_cast<char>(rest & 0xFFU);
  return bytes;
}

std::optional<std::int64_t> counter_value(std::string_view bytes) {
  if (bytes.size() != 8) return std::nullopt;
  std::uint64_t value = 0;
  for (std::size_t i = 8; i > 0; --i) {
    value = value << 8U | static_cast<unsigned char>(bytes[i - 1]);
  }
  return static_cast<std::int64_t>(value);
}

}  // namespace plan::dump
