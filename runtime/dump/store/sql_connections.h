#pragma once
#include <map>

#include "runtime/dump/store/store_address.h"
#include "runtime/dump/store/store_reader.h"
#include "runtime/store/mariadb.h"
#include "runtime/store/postgresql.h"

namespace plan::dump {

[[nodiscard]] Result<store::PostgresConnection> open_postgresql(const StoreAddress& address);
[[nodiscard]] Result<store::MariaConnection> open_mysql(const StoreAddress& address);

/// The one-letter tables of the connection's default schema and what their columns are.
[[nodiscard]] Result<std::map<char, TableShape>> postgresql_tables(
    store::PostgresConnection& connection);
[[nodiscard]] Result<std::map<char, TableShape>> mysql_tables(store::MariaConnection& connection);

/// What else is in that schema: add_foreign of all its tables and views.
[[nodiscard]] Result<std::vector<std::string>> postgresql_foreign(
    store::PostgresConnection& connection);
[[nodiscard]] Result<std::vector<std::string>> mysql_foreign(store::MariaConnection& connection);

/// A second connection needs the address again, and a secret is not copied by accident.
[[nodiscard]] StoreAddress copy_address(const StoreAddress& address);

}  // namespace plan::dump
