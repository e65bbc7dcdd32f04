#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/source/result.h"

namespace plan::store {

struct MariaOptions {
  std::string host = {};  ///< a name, an address, or the path of a Unix socket
  std::uint16_t port = 3306;
  std::string database = {};
  std::string user = {};
  std::string password = {};
  bool uses_tls = false;  ///< required then, and the certificate is checked
  unsigned connect_seconds = 15;
};

/// One connection to a MySQL or MariaDB server, for the few statements and the streams that the
/// dump tools need. One thread at a time.
class MariaConnection {
 public:
  using Row = std::vector<std::optional<std::string>>;

  /// Errors: database-unreachable, database-refused.
  [[nodiscard]] static Result<MariaConnection> open(const MariaOptions& options);
  MariaConnection(MariaConnection&&) noexcept;
  MariaConnection& operator=(MariaConnection&&) noexcept;
  MariaConnection(const MariaConnection&) = delete;
  MariaConnection& operator=(const MariaConnection&) = delete;
  ~MariaConnection();

  /// One statement; its answer is dropped. Errors: those of open, packet-too-small, store-failed.
  [[nodiscard]] Outcome execute(std::string_view sql);
  /// One statement; its rows, which must be few.
  [[nodiscard]] Result<std::vector<Row>> query(std::string_view sql);

  /// Begins a statement whose rows come one by one, never all in memory. Until `next_row` says
  /// false nothing else may be asked.
  [[nodiscard]] Outcome begin_rows(std::string_view sql);
  /// The fields of the next row, valid until the next call; null fields are empty. False: the end.
  [[nodiscard]] Result<bool> next_row(std::vector<std::string_view>& fields);

  /// Appends `bytes` to a statement as a binary string literal.
  void append_literal(std::string& sql, std::string_view bytes) const;

 private:
  struct State;
  explicit MariaConnection(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace plan::store
