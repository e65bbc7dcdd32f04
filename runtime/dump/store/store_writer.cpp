#include "runtime/dump/store/store_writer.h"

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

}  // namespace plan::dump
