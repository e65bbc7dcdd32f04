#include "runtime/dump/store/sql_connections.h"

namespace plan::dump {
namespace {

// Rows of (table, column; empty for what is no letter's table, type).
template <class Rows>
StoreTables tables_of(const Rows& rows) {
  StoreTables tables;
  for (const auto& row : rows)
    tables.add(row.at(0).value_or(""), row.at(1).value_or(""), row.at(2).value_or("") == "bigint");
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

Result<StoreTables> postgresql_tables(store::PostgresConnection& connection) {
  // What an extension has made there is part of the database, not of another program.
  PLAN_TRY(rows, connection.query(
                     "SELECT c.relname, coalesce(a.attname, ''), format_type(a.atttypid, NULL) "
                     "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname "
                     "= current_schema() LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND "
                     "a.attnum > 0 AND NOT a.attisdropped AND length(c.relname) = 1 AND c.relkind "
                     "IN ('r', 'p') WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT EXISTS "
                     "(SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND "
                     "d.objid = c.oid AND d.deptype = 'e') ORDER BY c.relname, a.attnum"));
  return tables_of(rows);
}

Result<StoreTables> mysql_tables(store::MariaConnection& connection) {
  PLAN_TRY(rows, connection.query(
                     "SELECT t.table_name, coalesce(c.column_name, ''), c.data_type FROM "
                     "information_schema.tables t LEFT JOIN information_schema.columns c ON "
                     "c.table_schema = t.table_schema AND c.table_name = t.table_name AND "
                     "length(t.table_name) = 1 AND t.table_type = 'BASE TABLE' WHERE "
                     "t.table_schema = database() ORDER BY t.table_name, c.ordinal_position"));
  return tables_of(rows);
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
