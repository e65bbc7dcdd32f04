#include "runtime/dump/store/store_writer.h"

#include <fmt/format.h>

#include "compiler/ir/digest.h"
#include "runtime/dump/errors.h"
#include "runtime/dump/store/errors.h"

namespace plan::dump {

Result<std::unique_ptr<StoreWriter>> open_store_writer(const StoreAddress& address) {
  switch (address.kind) {
    case StoreKind::sqlite:
      return open_sqlite_writer(address);
    case StoreKind::rocksdb:
      return open_rocksdb_writer(address);
    case StoreKind::postgresql:
      return open_postgresql_writer(address);
    case StoreKind::mysql:
      return open_mysql_writer(address);
  }
  return Error(errors::store_not_supported, address.name());
}

Error counter_wrong(char letter, const Record& record) {
  return Error(errors::dump_damaged,
               fmt::format("subspace {}: the counter of key {} has {} bytes, not 8", letter,
                           ir::to_hex(record.key.substr(0, 64)), record.value.size()));
}

}  // namespace plan::dump
