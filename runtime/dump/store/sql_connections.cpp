#include "runtime/dump/store/sql_connections.h"

namespace plan::dump {
namespace {

// Rows of (table, column, is it an integer).
template <class Rows>
std::map<char, TableShape> shapes_of(const Rows& rows) {
  std::map<char, TableShape> tables;
  for (const auto& row : rows) {
    const std::string name = row.at(0).value_or("");
    if (name.size() != 1 || name[0] < 'a' || name[0] > 'z') continue;
    TableShape& shape = tables.try_emplace(name[0], TableShape::key_only).first->second;
    if (row.at(1).value_or("") == "v") {
      shape = row.at(2).value_or("") == "bigint" ? TableShape::counter : TableShape::value;
    }
  }
  return tables;
}

}  // namespace

Result<store::PostgresConnection> open_postgresql(const StoreAddress& address) {
  return store::PostgresConnection::open(
      {.host = address.host,
       .port = address.port,
       .database = address.database,
       .user = address.user,
       .password = address.password.reveal_for("PostgreSQL login"),
       .uses_tls = address.uses_tls});
}

Result<store::MariaConnection> open_mysql(const StoreAddress& address) {
  return store::MariaConnection::open({.host = address.host,
                                       .port = address.port,
                                       .database = address.database,
                                       .user = address.user,
                                       .password = address.password.reveal_for("MySQL login"),
                                       .uses_tls = address.uses_tls});
}

Result<std::map<char, TableShape>> postgresql_tables(store::PostgresConnection& connection) {
  PLAN_TRY(rows, connection.query("SELECT table_name, column_name, data_type FROM "
                                  "information_schema.columns WHERE table_schema = "
                                  "current_schema() AND length(table_name) = 1"));
  return shapes_of(rows);
}

Result<std::map<char, TableShape>> mysql_tables(store::MariaConnection& connection) {
  PLAN_TRY(rows, connection.query("SELECT table_name, column_name, data_type FROM "
                                  "information_schema.columns WHERE table_schema = database() AND "
                                  "length(table_name) = 1"));
  return shapes_of(rows);
}

StoreAddress copy_address(const StoreAddress& address) {
  StoreAddress copy;
  copy.kind = address.kind;
  copy.path = address.path;
  copy.host = address.host;
  copy.port = address.port;
  copy.database = address.database;
  copy.user = address.user;
  copy.password = address.password.clone();
  copy.uses_tls = address.uses_tls;
  copy.blob_folder = address.blob_folder;
  copy.blob_depth = address.blob_depth;
  copy.blob_compression = address.blob_compression;
  copy.rocksdb_library = address.rocksdb_library;
  return copy;
}

}  // namespace plan::dump
