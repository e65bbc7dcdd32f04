#include "runtime/dump/store/store_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

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

bool is_letter(std::string_view name) {
  return name.size() == 1 && name[0] >= 'a' && name[0] <= 'z';
}

void StoreTables::add(std::string_view table, std::string_view column, bool is_counter) {
  // What a server makes beside its letters where the database is its search index too
  // (reference/stalwart-store.md 9.3).
  constexpr std::string_view kSearch[] = {"s_email", "s_cal", "s_card", "s_trace"};
  if (table == kImportTable ||
      std::find(std::begin(kSearch), std::end(kSearch), table) != std::end(kSearch))
    return;
  if (!is_letter(table)) {
    foreign.emplace_back(table);
    return;
  }
  if (std::find(foreign.begin(), foreign.end(), table) != foreign.end()) return;
  if (column != "k" && column != "v") {
    foreign.emplace_back(table);
    subspaces.erase(table[0]);
    return;
  }
  TableShape& shape = subspaces.try_emplace(table[0], TableShape::key_only).first->second;
  if (column == "v") shape = is_counter ? TableShape::counter : TableShape::value;
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
