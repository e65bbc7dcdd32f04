#pragma once
#include <memory>
#include <string>

#include <sys/types.h>

#include "tests/support/temp_dir.h"

namespace plan::test {

/// A real PostgreSQL 15 on loopback below a folder of its own, with an empty database `mail` of the
/// user `postgres`, who needs no password. Stopped by its process id.
class PostgresServer {
 public:
  /// Nothing, with the reason in `why`, where it is not installed or does not start.
  [[nodiscard]] static std::unique_ptr<PostgresServer> start(std::string& why);
  ~PostgresServer();
  PostgresServer(const PostgresServer&) = delete;
  PostgresServer& operator=(const PostgresServer&) = delete;
  [[nodiscard]] std::uint16_t port() const { return port_; }
  /// `postgresql://postgres@127.0.0.1:PORT/NAME`; the database is made, empty.
  [[nodiscard]] std::string new_database(const std::string& name) const;

 private:
  PostgresServer() = default;
  TempDir folder_;
  std::uint16_t port_ = 0;
  pid_t process_ = -1;
};

/// The same with MariaDB 10.11 and the user `root`.
class MariaServer {
 public:
  [[nodiscard]] static std::unique_ptr<MariaServer> start(std::string& why);
  ~MariaServer();
  MariaServer(const MariaServer&) = delete;
  MariaServer& operator=(const MariaServer&) = delete;
  [[nodiscard]] std::uint16_t port() const { return port_; }
  /// `mysql://root@127.0.0.1:PORT/NAME`; the database is made, empty.
  [[nodiscard]] std::string new_database(const std::string& name) const;

 private:
  MariaServer() = default;
  TempDir folder_;
  std::uint16_t port_ = 0;
  pid_t process_ = -1;
};

/// Path of librocksdbjni-linux64.so of RocksDB 10.4, from PLAN_ROCKSDB_LIBRARY or made once per
/// build folder by scripts/fetch-rocksdb-library; empty, with the reason in `why`, when it cannot
/// be had.
[[nodiscard]] std::string rocksdb_library(std::string& why);

}  // namespace plan::test
