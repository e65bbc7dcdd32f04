#include "runtime/store/postgresql.h"

#include <fmt/format.h>
#include <libpq-fe.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "runtime/store/errors.h"

namespace plan::store {
namespace {

using namespace std::string_view_literals;

// 11 bytes of signature, flags, length of the header's extension.
constexpr std::string_view kCopyHeader = "PGCOPY\n\xFF\r\n\0\0\0\0\0\0\0\0\0"sv;
constexpr std::string_view kCopyTrailer = "\xFF\xFF"sv;

struct FreeResult {
  void operator()(PGresult* result) const { PQclear(result); }
};
using ResultPointer = std::unique_ptr<PGresult, FreeResult>;

std::uint32_t read_u32(const char* bytes) {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8U | static_cast<unsigned char>(bytes[i]);
  return value;
}

void append_u32(std::string& text, std::uint32_t value) {
  for (unsigned shift = 32; shift > 0; shift -= 8) {
    text += static_cast<char>(static_cast<unsigned char>(value >> (shift - 8)));
  }
}

// libpq says more than one line, each with an end, and tabs and spaces at its front.
std::string one_line(std::string_view words) {
  std::string line;
  while (!words.empty()) {
    const std::size_t end = std::min(words.find('\n'), words.size());
    std::string_view part = words.substr(0, end);
    words.remove_prefix(std::min(end + 1, words.size()));
    part.remove_prefix(std::min(part.find_first_not_of(" \t"), part.size()));
    if (!part.empty()) line += fmt::format("{}{}", line.empty() ? "" : "; ", part);
  }
  return line;
}

// The server tells what kind of failure it was by a code of five characters (SQLSTATE).
Error error_for(PGconn* connection, const PGresult* result) {
  const char* state = result == nullptr ? nullptr : PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const std::string_view code = state == nullptr ? ""sv : state;
  const ErrorCode* kind = &errors::store_failed;
  if (PQstatus(connection) != CONNECTION_OK) {
    kind = &errors::database_unreachable;
  } else if (code.starts_with("28") || code == "42501" || code == "3D000") {
    kind = &errors::database_refused;
  } else if (code == "53100") {
    kind = &errors::store_full;
  } else if (code.starts_with("55") || code == "40P01" || code == "40001") {
    kind = &errors::store_busy;
  } else if (code.starts_with("23")) {
    kind = &errors::store_constraint;
  }
  const char* words = result == nullptr ? PQerrorMessage(connection) : PQresultErrorMessage(result);
  Error error(*kind,
              fmt::format("PostgreSQL refused{}{}", code.empty() ? "" : ", SQLSTATE ", code));
  if (kind == &errors::database_unreachable) error = std::move(error).with_effect(Effect::unknown);
  return std::move(error).with_detail(one_line(words == nullptr ? "" : words));
}

}  // namespace

struct PostgresConnection::State {
  PGconn* connection = nullptr;
  char* copied = nullptr;  // the message that the last fields point into
  std::size_t copied_rest = 0;
  const char* copied_next = nullptr;
  bool is_header_read = false;

  ~State() {
    if (copied != nullptr) PQfreemem(copied);
    PQfinish(connection);
  }
};

PostgresConnection::PostgresConnection(std::unique_ptr<State> state) : state_(std::move(state)) {}
PostgresConnection::PostgresConnection(PostgresConnection&&) noexcept = default;
PostgresConnection& PostgresConnection::operator=(PostgresConnection&&) noexcept = default;
PostgresConnection::~PostgresConnection() = default;

Result<PostgresConnection> PostgresConnection::open(const PostgresOptions& options) {
  const std::string port = std::to_string(options.port);
  const std::string seconds = std::to_string(options.connect_seconds);
  const char* mode = options.uses_tls ? "verify-full" : "prefer";
  std::vector<const char*> names = {"host",     "port",    "dbname",          "user",
                                    "password", "sslmode", "connect_timeout", "application_name"};
  std::vector<const char*> values = {
      options.host.c_str(),     port.c_str(), options.database.c_str(), options.user.c_str(),
      options.password.c_str(), mode,         seconds.c_str(),          "plan dump"};
  if (options.uses_tls) {
    names.push_back("sslrootcert");
    values.push_back(options.tls_root.empty() ? "/etc/ssl/certs/ca-certificates.crt"
                                              : options.tls_root.c_str());
  }
  names.push_back(nullptr);
  values.push_back(nullptr);
  auto state = std::make_unique<State>();
  state->connection = PQconnectdbParams(names.data(), values.data(), 0);
  if (PQstatus(state->connection) != CONNECTION_OK) {
    const std::string words = one_line(PQerrorMessage(state->connection));
    const bool was_answered = words.find("FATAL:") != std::string::npos;
    return Error(was_answered ? errors::database_refused : errors::database_unreachable,
                 fmt::format("PostgreSQL at {} port {} {}", options.host, options.port,
                             was_answered ? "refuses the login" : "does not answer"))
        .with_detail(words);
  }
  // Notices ("table exists already") are not for the operator.
  PQsetNoticeProcessor(
      state->connection, [](void*, const char*) {}, nullptr);
  return PostgresConnection(std::move(state));
}

Outcome PostgresConnection::execute(const std::string& sql) {
  const ResultPointer result(PQexec(state_->connection, sql.c_str()));
  const ExecStatusType status = PQresultStatus(result.get());
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
    return error_for(state_->connection, result.get());
  }
  return {};
}

Result<std::vector<PostgresConnection::Row>> PostgresConnection::query(
    const std::string& sql, const std::vector<std::string>& parameters) {
  std::vector<const char*> values;
  values.reserve(parameters.size());
  for (const std::string& parameter : parameters) values.push_back(parameter.c_str());
  const ResultPointer result(PQexecParams(state_->connection, sql.c_str(),
                                          static_cast<int>(values.size()), nullptr, values.data(),
                                          nullptr, nullptr, 0));
  if (PQresultStatus(result.get()) != PGRES_TUPLES_OK &&
      PQresultStatus(result.get()) != PGRES_COMMAND_OK) {
    return error_for(state_->connection, result.get());
  }
  std::vector<Row> rows;
  for (int row = 0; row < PQntuples(result.get()); ++row) {
    Row fields;
    for (int column = 0; column < PQnfields(result.get()); ++column) {
      if (PQgetisnull(result.get(), row, column) != 0) {
        fields.emplace_back();
      } else {
        fields.emplace_back(std::in_place, PQgetvalue(result.get(), row, column),
                            static_cast<std::size_t>(PQgetlength(result.get(), row, column)));
      }
    }
    rows.push_back(std::move(fields));
  }
  return rows;
}

Outcome PostgresConnection::begin_copy_out(const std::string& sql) {
  const ResultPointer result(PQexec(state_->connection, sql.c_str()));
  if (PQresultStatus(result.get()) != PGRES_COPY_OUT) {
    return error_for(state_->connection, result.get());
  }
  state_->is_header_read = false;
  state_->copied_rest = 0;
  return {};
}

Result<bool> PostgresConnection::next_copied(std::vector<std::string_view>& fields) {
  fields.clear();
  const Error broken(errors::store_failed, "PostgreSQL sent a copy that is not in its own format");
  while (true) {
    if (state_->copied_rest == 0) {
      if (state_->copied != nullptr) PQfreemem(std::exchange(state_->copied, nullptr));
      const int bytes = PQgetCopyData(state_->connection, &state_->copied, 0);
      if (bytes < 0) {
        // -1: the copy is over, and its outcome follows; -2: the connection is.
        if (bytes == -2) return error_for(state_->connection, nullptr);
        const ResultPointer result(PQgetResult(state_->connection));
        const bool is_good = PQresultStatus(result.get()) == PGRES_COMMAND_OK;
        if (!is_good) return error_for(state_->connection, result.get());
        while (const ResultPointer rest{PQgetResult(state_->connection)}) continue;
        return broken;  // the trailer comes before, so nobody asks again
      }
      state_->copied_next = state_->copied;
      state_->copied_rest = static_cast<std::size_t>(bytes);
    }
    const char*& next = state_->copied_next;
    std::size_t& rest = state_->copied_rest;
    if (!state_->is_header_read) {
      if (rest < kCopyHeader.size() || std::memcmp(next, kCopyHeader.data(), 11) != 0)
        return broken;
      const std::size_t header = kCopyHeader.size() + read_u32(next + 15);
      if (rest < header) return broken;
      next += header;
      rest -= header;
      state_->is_header_read = true;
      continue;
    }
    if (rest < 2) return broken;
    if (next[0] == '\xFF' && next[1] == '\xFF') {
      rest = 0;
      while (true) {
        char* more = nullptr;
        const int bytes = PQgetCopyData(state_->connection, &more, 0);
        if (more != nullptr) PQfreemem(more);
        if (bytes > 0) continue;
        if (bytes == -2) return error_for(state_->connection, nullptr);
        break;
      }
      const ResultPointer result(PQgetResult(state_->connection));
      if (PQresultStatus(result.get()) != PGRES_COMMAND_OK) {
        return error_for(state_->connection, result.get());
      }
      while (const ResultPointer after{PQgetResult(state_->connection)}) continue;
      return false;
    }
    const auto count = static_cast<std::size_t>(static_cast<unsigned char>(next[0]) << 8U |
                                                static_cast<unsigned char>(next[1]));
    next += 2;
    rest -= 2;
    for (std::size_t i = 0; i < count; ++i) {
      if (rest < 4) return broken;
      const std::uint32_t length = read_u32(next);
      next += 4;
      rest -= 4;
      const std::size_t bytes = length == 0xFFFFFFFFU ? 0 : length;
      if (rest < bytes) return broken;
      fields.emplace_back(next, bytes);
      next += bytes;
      rest -= bytes;
    }
    return true;
  }
}

Outcome PostgresConnection::begin_copy_in(const std::string& sql) {
  const ResultPointer result(PQexec(state_->connection, sql.c_str()));
  if (PQresultStatus(result.get()) != PGRES_COPY_IN) {
    return error_for(state_->connection, result.get());
  }
  return copy_in(kCopyHeader);
}

Outcome PostgresConnection::copy_in(std::string_view rows) {
  constexpr std::size_t kMessage = std::size_t{1} << 20U;
  while (!rows.empty()) {
    const std::string_view part = rows.substr(0, kMessage);
    if (PQputCopyData(state_->connection, part.data(), static_cast<int>(part.size())) != 1) {
      return error_for(state_->connection, nullptr);
    }
    rows.remove_prefix(part.size());
  }
  return {};
}

Outcome PostgresConnection::end_copy_in() {
  PLAN_TRY_VOID(copy_in(kCopyTrailer));
  if (PQputCopyEnd(state_->connection, nullptr) != 1) {
    return error_for(state_->connection, nullptr);
  }
  const ResultPointer result(PQgetResult(state_->connection));
  Outcome outcome;
  if (PQresultStatus(result.get()) != PGRES_COMMAND_OK) {
    outcome = error_for(state_->connection, result.get());
  }
  while (const ResultPointer rest{PQgetResult(state_->connection)}) continue;
  return outcome;
}

void append_copied_row(std::string& rows, std::string_view key,
                       std::optional<std::string_view> value) {
  rows.append(value ? "\0\2"sv : "\0\1"sv);
  append_u32(rows, static_cast<std::uint32_t>(key.size()));
  rows.append(key);
  if (!value) return;
  append_u32(rows, static_cast<std::uint32_t>(value->size()));
  rows.append(*value);
}

}  // namespace plan::store
