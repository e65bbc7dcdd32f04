#include "runtime/store/mariadb.h"

#include <fmt/format.h>
#include <mysql.h>

#include <mutex>

#include "runtime/store/errors.h"

namespace plan::store {
namespace {

// Error numbers of server and client (errmsg.h, mysqld_error.h) that mean something to us.
const ErrorCode& code_for(unsigned number) {
  switch (number) {
    case 2002:  // cannot connect through a socket, or to the host
    case 2003:
    case 2005:  // unknown host
    case 2006:  // server has gone away
    case 2013:  // connection lost during a query
    case 2026:  // TLS
    case 1053:  // the server is shutting down
      return errors::database_unreachable;
    case 1044:  // access to the database, login, unknown database, host, access to a table
    case 1045:
    case 1049:
    case 1130:
    case 1142:
    case 1698:
      return errors::database_refused;
    case 1153:  // packet too large, as the server and as the client says it
    case 2020:
    case 1301:
      return errors::packet_too_small;
    case 1021:  // disk full, table full
    case 1114:
      return errors::store_full;
    case 1205:  // lock wait timeout, deadlock
    case 1213:
      return errors::store_busy;
    case 1062:  // duplicate key
      return errors::store_constraint;
    default:
      return errors::store_failed;
  }
}

Error error_for(MYSQL* connection) {
  const unsigned number = mysql_errno(connection);
  const ErrorCode& code = code_for(number);
  Error error(code, fmt::format("the MySQL server refused, error {}", number));
  if (code.name == errors::database_unreachable.name) {
    error = std::move(error).with_effect(Effect::unknown);
  }
  return std::move(error).with_detail(mysql_error(connection));
}

}  // namespace

struct MariaConnection::State {
  MYSQL* connection = nullptr;
  MYSQL_RES* rows = nullptr;

  ~State() {
    if (rows != nullptr) mysql_free_result(rows);
    mysql_close(connection);
  }
};

MariaConnection::MariaConnection(std::unique_ptr<State> state) : state_(std::move(state)) {}
MariaConnection::MariaConnection(MariaConnection&&) noexcept = default;
MariaConnection& MariaConnection::operator=(MariaConnection&&) noexcept = default;
MariaConnection::~MariaConnection() = default;

Result<MariaConnection> MariaConnection::open(const MariaOptions& options) {
  // The library's own set-up is not safe from several threads at once.
  static std::once_flag is_ready;
  std::call_once(is_ready, [] { mysql_server_init(0, nullptr, nullptr); });
  auto state = std::make_unique<State>();
  state->connection = mysql_init(nullptr);
  if (state->connection == nullptr) return Error(errors::store_failed, "out of memory");
  mysql_optionsv(state->connection, MYSQL_OPT_CONNECT_TIMEOUT, &options.connect_seconds);
  mysql_optionsv(state->connection, MYSQL_SET_CHARSET_NAME, "binary");
  const unsigned is_on = 1;
  if (options.uses_tls) {
    mysql_optionsv(state->connection, MYSQL_OPT_SSL_ENFORCE, &is_on);
    mysql_optionsv(state->connection, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &is_on);
  }
  const bool is_socket = options.host.starts_with('/');
  if (mysql_real_connect(state->connection, is_socket ? nullptr : options.host.c_str(),
                         options.user.c_str(), options.password.c_str(), options.database.c_str(),
                         options.port, is_socket ? options.host.c_str() : nullptr, 0) == nullptr) {
    Error error = error_for(state->connection);
    return Error(error.code(),
                 fmt::format("the MySQL server at {} port {} {}", options.host, options.port,
                             error.is(errors::database_refused)       ? "refuses the login"
                             : error.is(errors::database_unreachable) ? "does not answer"
                                                                      : "refuses the connection"))
        .with_detail(error.detail());
  }
  return MariaConnection(std::move(state));
}

Outcome MariaConnection::execute(std::string_view sql) {
  if (mysql_real_query(state_->connection, sql.data(), sql.size()) != 0) {
    return error_for(state_->connection);
  }
  MYSQL_RES* rows = mysql_store_result(state_->connection);
  if (rows != nullptr) mysql_free_result(rows);
  return {};
}

Outcome MariaConnection::begin_rows(std::string_view sql) {
  if (mysql_real_query(state_->connection, sql.data(), sql.size()) != 0) {
    return error_for(state_->connection);
  }
  state_->rows = mysql_use_result(state_->connection);
  if (state_->rows == nullptr) return error_for(state_->connection);
  return {};
}

Result<bool> MariaConnection::next_row(std::vector<std::string_view>& fields) {
  fields.clear();
  const MYSQL_ROW row = mysql_fetch_row(state_->rows);
  if (row == nullptr) {
    const bool is_broken = mysql_errno(state_->connection) != 0;
    Error error = error_for(state_->connection);
    mysql_free_result(state_->rows);
    state_->rows = nullptr;
    if (is_broken) return error;
    return false;
  }
  const unsigned long* lengths = mysql_fetch_lengths(state_->rows);
  const unsigned count = mysql_num_fields(state_->rows);
  for (unsigned i = 0; i < count; ++i) {
    fields.push_back(row[i] == nullptr ? std::string_view() : std::string_view(row[i], lengths[i]));
  }
  return true;
}

Result<std::vector<MariaConnection::Row>> MariaConnection::query(std::string_view sql) {
  PLAN_TRY_VOID(begin_rows(sql));
  std::vector<Row> rows;
  while (true) {
    const MYSQL_ROW row = mysql_fetch_row(state_->rows);
    if (row == nullptr) break;
    const unsigned long* lengths = mysql_fetch_lengths(state_->rows);
    Row fields;
    for (unsigned i = 0; i < mysql_num_fields(state_->rows); ++i) {
      if (row[i] == nullptr) {
        fields.emplace_back();
      } else {
        fields.emplace_back(std::in_place, row[i], lengths[i]);
      }
    }
    rows.push_back(std::move(fields));
  }
  const bool is_broken = mysql_errno(state_->connection) != 0;
  Error error = error_for(state_->connection);
  mysql_free_result(state_->rows);
  state_->rows = nullptr;
  if (is_broken) return error;
  return rows;
}

void MariaConnection::append_literal(std::string& sql, std::string_view bytes) const {
  sql += "_binary'";
  const std::size_t before = sql.size();
  sql.resize(before + 2 * bytes.size() + 1);
  const unsigned long written =
      mysql_real_escape_string(state_->connection, sql.data() + before, bytes.data(), bytes.size());
  sql.resize(before + written);
  sql += '\'';
}

}  // namespace plan::store
