#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "compiler/source/result.h"
#include "runtime/secret/secret.h"

namespace plan::dump {

enum class StoreKind : std::uint8_t { sqlite = 0, rocksdb = 1, postgresql = 2, mysql = 3 };
[[nodiscard]] std::string_view to_string(StoreKind kind);

/// How 0.15 keeps blobs is a setting of its store that the store itself does not tell; 0.16 always
/// compresses (reference/stalwart-store.md 8.2). Reading needs no such word: the key of a blob is
/// the digest of its content.
enum class BlobCompression : std::uint8_t { none = 0, lz4 = 1 };

/// Where a store is, and how to open it.
struct StoreAddress {
  StoreKind kind = StoreKind::sqlite;
  std::string path = {};  ///< SQLite: the file; RocksDB: the folder
  std::string host = {};  ///< a name, an address, or a Unix socket (PostgreSQL: its folder)
  std::uint16_t port = 0;
  std::string database = {};
  std::string user = {};
  secret::Secret password = {};
  bool uses_tls = false;
  /// Blobs lie in this folder instead of the store, as files (reference/stalwart-store.md 8.2).
  std::string blob_folder = {};
  unsigned blob_depth = 2;
  BlobCompression blob_compression = BlobCompression::none;  ///< writing for 0.15 only
  std::string rocksdb_library = {};  ///< empty: see store::RocksLibrary::find

  /// "sqlite:/srv/mail/store.sqlite3", without any secret: for messages and state files.
  [[nodiscard]] std::string name() const;
};

/// `sqlite:FILE`, `rocksdb:FOLDER`, `postgresql://USER@HOST:PORT/DATABASE`, `mysql://...` (socket:
/// `?socket=PATH`), or `config:FILE` for the JSON file of a 0.16 server, whose secret may be a
/// value, a variable or a file. A password in a URL is refused: it would stand in the process list.
/// Errors: store-address-wrong, store-not-supported (FoundationDB and others, with the way round).
[[nodiscard]] Result<StoreAddress> parse_store_address(std::string_view text);

}  // namespace plan::dump
