#include "runtime/dump/store/store_look.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>

#include "compiler/source/text.h"
#include "runtime/dump/store/dump_source.h"
#include "runtime/dump/store/errors.h"
#include "runtime/dump/store/import_store.h"
#include "runtime/dump/store/sql_connections.h"
#include "runtime/dump/store/stopped.h"
#include "runtime/dump/store/store_reader.h"
#include "runtime/dump/store/store_writer.h"
#include "runtime/dump/subspace.h"
#include "runtime/store/errors.h"

namespace plan::dump {
namespace {

namespace fs = std::filesystem;

constexpr unsigned kParallel = 2;

bool is_of_files(const StoreAddress& address) {
  return address.kind == StoreKind::sqlite || address.kind == StoreKind::rocksdb;
}

std::uint64_t bytes_below(const std::string& folder) {
  std::uint64_t bytes = 0;
  std::error_code code;
  for (fs::recursive_directory_iterator file(folder, code), end; !code && file != end;
       file.increment(code)) {
    std::error_code gone;
    const auto size = file->file_size(gone);
    if (!gone) bytes += size;
  }
  return bytes;
}

std::uint64_t bytes_of_files(const StoreAddress& address) {
  if (address.kind == StoreKind::rocksdb) return bytes_below(address.path);
  std::uint64_t bytes = 0;
  std::error_code code;
  for (const char* suffix : {"", "-wal"}) {
    const auto size = fs::file_size(address.path + suffix, code);
    if (!code) bytes += size;
  }
  return bytes;
}

Result<std::uint64_t> bytes_of_database(const StoreAddress& address) {
  std::string text;
  if (address.kind == StoreKind::postgresql) {
    PLAN_TRY(connection, open_postgresql(address));
    PLAN_TRY(rows, connection.query("SELECT pg_database_size(current_database())"));
    if (!rows.empty()) text = rows[0].at(0).value_or("0");
  } else {
    PLAN_TRY(connection, open_mysql(address));
    PLAN_TRY(rows, connection.query("SELECT coalesce(sum(data_length + index_length), 0) FROM "
                                    "information_schema.tables WHERE table_schema = database()"));
    if (!rows.empty()) text = rows[0].at(0).value_or("0");
  }
  return std::strtoull(text.c_str(), nullptr, 10);
}

/// Files that RocksDB makes in a new folder before there is any data.
bool is_of_begun_rocksdb(std::string_view name) {
  if (name == "IDENTITY" || name == "LOCK") return true;
  for (const std::string_view prefix : {"LOG", "MANIFEST-", "OPTIONS-"})
    if (name.starts_with(prefix)) return true;
  return name.ends_with(".log") || name.ends_with(".dbtmp");
}

bool is_of_rocksdb(std::string_view name) {
  return is_of_begun_rocksdb(name) || name == "CURRENT" || name.ends_with(".sst") ||
         name.ends_with(".blob");
}

/// What an open that was killed while it made the store leaves: files that hold no data yet.
bool is_begun_store(const fs::path& folder) {
  std::error_code code;
  for (const auto& entry : fs::directory_iterator(folder, code))
    if (!is_of_begun_rocksdb(entry.path().filename().string())) return false;
  return true;
}

Outcome remove_files(const StoreAddress& address) {
  std::error_code code;
  if (address.kind == StoreKind::rocksdb) {
    fs::remove_all(address.path, code);
  } else {
    // The log first: a database without its log is an older one, a log without its database
    // nothing.
    for (const char* suffix : {"-wal", "-shm", ""}) {
      if (!code) fs::remove(address.path + suffix, code);
    }
  }
  if (!code) return {};
  return Error(store::errors::store_unreadable,
               fmt::format("{} cannot be removed: {}", address.name(), code.message()));
}

Error not_ours(const StoreAddress& address, std::string_view what) {
  return Error(store::errors::store_foreign, fmt::format("{}: {}", address.name(), what));
}

Outcome check_rocksdb_is_ours(const StoreAddress& address) {
  std::error_code code;
  for (fs::directory_iterator file(address.path, code), end; !code && file != end;
       file.increment(code)) {
    const std::string name = file->path().filename().string();
    if (!is_of_rocksdb(name) || file->is_symlink(code) || !file->is_regular_file(code))
      return not_ours(address,
                      fmt::format("`{}` in it is no file of a RocksDB store", printable(name, 60)));
  }
  return {};
}

/// What is removed as a store is one, and not what a link points to.
Outcome check_files_are_ours(const StoreAddress& address) {
  std::error_code code;
  if (!fs::exists(fs::symlink_status(address.path, code))) return {};
  if (fs::is_symlink(fs::symlink_status(address.path, code)))
    return not_ours(address, "it is a link: name the store itself");
  return address.kind == StoreKind::sqlite ? check_nothing_foreign(address)
                                           : check_rocksdb_is_ours(address);
}

/// A key of g with the lease of a node; its value is a time (u64) and the name of the host.
bool is_node_lease(std::string_view key) {
  return key.size() == 6 && key.starts_with("\xFF\xFF\xFF\xFF");
}

Result<std::vector<std::string>> nodes_of_store(StoreReader& reader) {
  constexpr std::size_t kTimeBytes = 8;
  constexpr std::size_t kNodesMax = 64;
  std::set<std::string> nodes;
  PLAN_TRY(cursor, reader.open('g'));
  Record record;
  while (cursor != nullptr) {
    PLAN_TRY(has_row, cursor->next(record));
    if (!has_row || nodes.size() >= kNodesMax) break;
    if (is_node_lease(record.key) && record.value.size() > kTimeBytes)
      nodes.insert(printable(record.value.substr(kTimeBytes), 255));
  }
  return std::vector<std::string>(nodes.begin(), nodes.end());
}

}  // namespace

Result<bool> is_store_there(const StoreAddress& address) {
  if (!is_of_files(address)) return true;
  std::error_code code;
  const fs::file_status status = fs::status(address.path, code);
  if (status.type() == fs::file_type::not_found) return false;
  if (!fs::status_known(status))
    return Error(store::errors::store_unreadable,
                 fmt::format("{}: {}", address.path, code.message()));
  if (address.kind == StoreKind::sqlite) {
    if (status.type() != fs::file_type::regular)
      return Error(store::errors::store_unreadable, address.path + " is no regular file");
    // A file of no bytes is what an open that came to nothing leaves.
    const auto bytes = fs::file_size(address.path, code);
    if (!code) return bytes > 0;
  } else {
    if (status.type() != fs::file_type::directory)
      return Error(store::errors::store_unreadable, address.path + " is no folder");
    const bool is_whole = fs::exists(fs::path(address.path) / "CURRENT", code);
    if (!code && (is_whole || is_begun_store(address.path))) return is_whole;
    if (!code) return not_ours(address, "it is a folder of something else");
  }
  return Error(store::errors::store_unreadable,
               fmt::format("{}: {}", address.path, code.message()));
}

Outcome check_nothing_foreign(const StoreAddress& address) {
  PLAN_TRY(is_there, is_store_there(address));
  if (!is_there) return {};
  PLAN_TRY(reader, open_store_reader(address));
  PLAN_TRY(foreign, reader->foreign());
  if (foreign.empty()) return {};
  return foreign_in(address.name(), foreign);
}

Error foreign_in(std::string_view store, const std::vector<std::string>& foreign) {
  constexpr std::size_t kNamed = 3;
  std::string names;
  for (std::size_t i = 0; i < foreign.size() && i < kNamed; ++i)
    names += fmt::format("{}`{}`", i == 0 ? "" : ", ", printable(foreign[i], 60));
  if (foreign.size() > kNamed) names += fmt::format(" and {} more", foreign.size() - kNamed);
  return Error(errors::target_not_ours,
               fmt::format("{} has what no mail server makes: {}", store, names));
}

Result<StoreLook> look_at_store(const StoreAddress& address) {
  StoreLook look;
  look.name = address.name();
  look.kind = address.kind;
  PLAN_TRY(is_there, is_store_there(address));
  look.is_there = is_there;
  if (!look.is_there) return look;
  if (is_of_files(address)) {
    look.bytes = bytes_of_files(address);
  } else {
    PLAN_TRY(bytes, bytes_of_database(address));
    look.bytes = bytes;
  }
  if (!address.blob_folder.empty()) look.blob_bytes = bytes_below(address.blob_folder);
  PLAN_TRY(reader, open_store_reader(address));
  PLAN_TRY(foreign, reader->foreign());
  for (const std::string& name : foreign) look.foreign.push_back(printable(name, 60));
  for (const char letter : reader->letters()) {
    PLAN_TRY(cursor, reader->open(letter));
    if (cursor == nullptr) continue;
    Record record;
    PLAN_TRY(has_row, cursor->next(record));
    if (has_row) look.filled.push_back(letter);
  }
  auto schema = schema_of_store(*reader);
  if (schema) {
    look.schema = *schema;
  } else if (!schema.error().is(errors::store_has_no_schema)) {
    return std::move(schema).error();
  }
  if (look.schema == kSchema16) {
    PLAN_TRY(nodes, nodes_of_store(*reader));
    look.nodes = std::move(nodes);
  }
  return look;
}

Outcome empty_store(const StoreAddress& address) {
  PLAN_TRY_VOID(check_stopped(address));
  if (is_of_files(address)) {
    PLAN_TRY_VOID(check_files_are_ours(address));
    return remove_files(address);
  }
  std::string names(kImportTable);
  if (address.kind == StoreKind::postgresql) {
    PLAN_TRY(connection, open_postgresql(address));
    PLAN_TRY(tables, postgresql_tables(connection));
    for (const auto& [letter, shape] : tables.subspaces) names += fmt::format(", {}", letter);
    return connection.execute(fmt::format("DROP TABLE IF EXISTS {}", names));
  }
  PLAN_TRY(connection, open_mysql(address));
  PLAN_TRY(tables, mysql_tables(connection));
  for (const auto& [letter, shape] : tables.subspaces) names += fmt::format(", {}", letter);
  return connection.execute(fmt::format("DROP TABLE IF EXISTS {}", names));
}

Result<TakenBack> take_back_import(const StoreAddress& address, const std::string& folder,
                                   const std::vector<std::string>& subspaces) {
  PLAN_TRY(look, look_at_store(address));
  if (!look.is_there) return TakenBack::emptied;
  if (!look.is_empty()) {
    PLAN_TRY_VOID(check_stopped(address));
    if (look.schema == 0) {
      // Complete stores have the schema row, so this is the beginning of somebody's import.
      PLAN_TRY(source, read_dump_source(folder, subspaces, kParallel));
      PLAN_TRY(writer, open_store_writer(address));
      PLAN_TRY(begun, writer->begun_import());
      if (begun != source.identity()) return TakenBack::kept;
    } else {
      PLAN_TRY(source, read_dump_source(folder, subspaces, kParallel));
      for (const char letter : look.filled) {
        if (!source.files.contains(letter)) return TakenBack::kept;
      }
      const Outcome same = compare_with_store(address, folder, subspaces, kParallel);
      if (!same && same.error().is(errors::import_differs)) return TakenBack::kept;
      if (!same) return same.error();
    }
  }
  PLAN_TRY_VOID(empty_store(address));
  return TakenBack::emptied;
}

bool StoreLook::has_blobs_elsewhere() const {
  const auto has = [this](char letter) {
    return std::find(filled.begin(), filled.end(), letter) != filled.end();
  };
  return has('k') && !has('t');
}

ir::Value to_value(const StoreLook& look) {
  ir::Value nodes = ir::Value::list();
  for (const std::string& node : look.nodes) nodes.push_back(node);
  ir::Value foreign = ir::Value::list();
  for (const std::string& name : look.foreign) foreign.push_back(name);
  return ir::Value::map({{"store", look.name},
                         {"kind", to_string(look.kind)},
                         {"is_there", look.is_there},
                         {"schema", look.schema},
                         {"filled", std::string(look.filled.begin(), look.filled.end())},
                         {"bytes", look.bytes},
                         {"blob_bytes", look.blob_bytes},
                         {"foreign", std::move(foreign)},
                         {"nodes", std::move(nodes)}});
}

StoreLook store_look_from(const ir::Value& value) {
  StoreLook look;
  look.name = value["store"].string_or("");
  for (const StoreKind kind :
       {StoreKind::sqlite, StoreKind::rocksdb, StoreKind::postgresql, StoreKind::mysql}) {
    if (to_string(kind) == value["kind"].string_or("")) look.kind = kind;
  }
  look.is_there = value["is_there"].bool_or(false);
  look.schema = static_cast<std::uint32_t>(value["schema"].integer_or(0));
  const std::string_view filled = value["filled"].string_or("");
  look.filled.assign(filled.begin(), filled.end());
  look.bytes = static_cast<std::uint64_t>(value["bytes"].integer_or(0));
  look.blob_bytes = static_cast<std::uint64_t>(value["blob_bytes"].integer_or(0));
  for (const ir::Value& name : value["foreign"].items())
    look.foreign.emplace_back(name.string_or(""));
  for (const ir::Value& node : value["nodes"].items()) look.nodes.emplace_back(node.string_or(""));
  return look;
}

}  // namespace plan::dump
