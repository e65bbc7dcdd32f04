#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/source/result.h"

namespace plan::store {

struct PostgresOptions {
  std::string host = {};  ///< a name, an address, or the folder of a Unix socket
  std::uint16_t port = 5432;
  std::string database = {};
  std::string user = {};
  std::string password = {};
  bool uses_tls = false;      ///< required then, and the certificate is checked
  std::string tls_root = {};  ///< file of trusted certificates; empty: the system's
  unsigned connect_seconds = 15;
};

/// One connection to a PostgreSQL server, for the few statements and the bulk copies that the dump
/// tools need. One thread at a time.
class PostgresConnection {
 public:
  using Row = std::vector<std::optional<std::string>>;

  /// Errors: database-unreachable, database-refused (login, unknown database).
  [[nodiscard]] static Result<PostgresConnection> open(const PostgresOptions& options);
  PostgresConnection(PostgresConnection&&) noexcept;
  PostgresConnection& operator=(PostgresConnection&&) noexcept;
  PostgresConnection(const PostgresConnection&) = delete;
  PostgresConnection& operator=(const PostgresConnection&) = delete;
  ~PostgresConnection();

  /// One or more statements without parameters; answers are dropped.
  [[nodiscard]] Outcome execute(const std::string& sql);
  /// One statement with text parameters; its rows, which must be few. Parameters are never SQL.
  [[nodiscard]] Result<std::vector<Row>> query(const std::string& sql,
                                               const std::vector<std::string>& parameters = {});

  /// `COPY ... TO STDOUT (FORMAT binary)`. Then `next_copied` until it says false.
  [[nodiscard]] Outcome begin_copy_out(const std::string& sql);
  /// The fields of the next row, valid until the next call; null fields are empty. False: the end.
  [[nodiscard]] Result<bool> next_copied(std::vector<std::string_view>& fields);

  /// `COPY ... FROM STDIN (FORMAT binary)`. Then rows, then `end_copy_in`, which says whether the
  /// server took them.
  [[nodiscard]] Outcome begin_copy_in(const std::string& sql);
  [[nodiscard]] Outcome copy_in(std::string_view rows);
  [[nodiscard]] Outcome end_copy_in();

 private:
  struct State;
  explicit PostgresConnection(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// One row of the binary copy format, appended to `rows` (PostgreSQL manual, "COPY", binary
/// format).
void append_copied_row(std::string& rows, std::string_view key,
                       std::optional<std::string_view> value);

}  // namespace plan::store
