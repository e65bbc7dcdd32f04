#pragma once
#include "runtime/dump/store/store_address.h"
#include "runtime/dump/store/store_reader.h"
#include "runtime/store/mariadb.h"
#include "runtime/store/postgresql.h"

namespace plan::dump {

[[nodiscard]] Result<store::PostgresConnection> open_postgresql(const StoreAddress& address);
[[nodiscard]] Result<store::MariaConnection> open_mysql(const StoreAddress& address);

/// All tables and views of the connection's default schema.
[[nodiscard]] Result<StoreTables> postgresql_tables(store::PostgresConnection& connection);
[[nodiscard]] Result<StoreTables> mysql_tables(store::MariaConnection& connection);

/// A second connection needs the address again, and a secret is not copied by accident.
[[nodiscard]] StoreAddress copy_address(const StoreAddress& address);

}  // namespace plan::dump
