// What is made of the answers of database servers at the login: peers that speak just so much of
// the protocols of PostgreSQL and MySQL.
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "runtime/net/stream.h"
#include "runtime/store/errors.h"
#include "runtime/store/mariadb.h"
#include "runtime/store/postgresql.h"
#include "tests/support/told_error.h"

namespace plan::store {
namespace {

using namespace std::chrono_literals;
using namespace std::string_view_literals;

/// A server that refuses each client with `answer`: at once, as MySQL does, or after its login.
class RefusingServer {
 public:
  RefusingServer(bool speaks_first, std::string answer)
      : listener_(std::move(*net::listen_tcp("127.0.0.1", 0))),
        thread_([this, speaks_first, answer = std::move(answer)] {
          while (const auto client = listener_->accept()) refuse(**client, speaks_first, answer);
        }) {}
  ~RefusingServer() {
    listener_->close();
    thread_.join();
  }
  RefusingServer(const RefusingServer&) = delete;
  RefusingServer& operator=(const RefusingServer&) = delete;
  [[nodiscard]] std::uint16_t port() const { return listener_->port(); }

 private:
  static void refuse(net::SocketStream& client, bool speaks_first, const std::string& answer) {
    const auto deadline = net::Deadline::after(10s);
    char bytes[1024];
    if (!speaks_first) {
      // Wishes for encryption (8 bytes) are declined; what comes next is the login.
      auto asked = client.read_some(bytes, sizeof bytes, deadline);
      while (asked && *asked == 8) {
        if (!client.write_all("N", deadline)) return;
        asked = client.read_some(bytes, sizeof bytes, deadline);
      }
    }
    if (!client.write_all(answer, deadline)) return;
    // Until the client leaves: a connection that is reset would take the answer with it.
    for (auto more = client.read_some(bytes, sizeof bytes, deadline); more && *more > 0;)
      more = client.read_some(bytes, sizeof bytes, deadline);
  }

  std::unique_ptr<net::Listener> listener_;
  std::thread thread_;
};

/// An ErrorResponse of PostgreSQL: fields of a letter and a text.
std::string postgresql_error(std::string_view code, std::string_view words) {
  std::string fields;
  for (const auto& [letter, text] :
       {std::pair{'S', "FATAL"sv}, {'V', "FATAL"sv}, {'C', code}, {'M', words}}) {
    fields += letter;
    fields += text;
    fields += '\0';
  }
  fields += '\0';
  const std::size_t length = fields.size() + 4;
  return std::string("E\0\0", 3) + static_cast<char>(length >> 8U) +
         static_cast<char>(length & 0xFFU) + fields;
}

/// What MySQL sends in the place of its greeting.
std::string mysql_error(unsigned number, std::string_view words) {
  const std::size_t length = 3 + words.size();
  std::string packet{static_cast<char>(length & 0xFFU), static_cast<char>(length >> 8U), '\0',
                     '\0'};
  packet += '\xFF';
  packet += static_cast<char>(number & 0xFFU);
  packet += static_cast<char>(number >> 8U);
  packet += words;
  return packet;
}

PostgresOptions postgresql_at(std::uint16_t port) {
  return {.host = "127.0.0.1",
          .port = port,
          .database = "stalwart",
          .user = "mail",
          .password = "not-to-be-told"};
}

MariaOptions mysql_at(std::uint16_t port) {
  return {.host = "127.0.0.1",
          .port = port,
          .database = "stalwart",
          .user = "mail",
          .password = "not-to-be-told"};
}

/// A port where nothing listens any more.
std::uint16_t closed_port() {
  auto listener = net::listen_tcp("127.0.0.1", 0);
  const std::uint16_t port = (*listener)->port();
  (*listener)->close();
  return port;
}

TEST(SqlServers, a_login_that_is_refused_is_told_in_the_words_of_the_server) {
  const RefusingServer server(
      false, postgresql_error("28P01", "password authentication failed for user \"mail\""));
  const auto refused = PostgresConnection::open(postgresql_at(server.port()));
  ASSERT_FALSE(refused);
  EXPECT_TRUE(test::told_as("database-refused", refused.error(),
                            {{"port " + std::to_string(server.port()), "port <port>"}}));
}

TEST(SqlServers, a_host_that_mysql_does_not_let_in_is_refused_too) {
  const RefusingServer server(
      true, mysql_error(1130, "Host '192.0.2.1' is not allowed to connect to this MariaDB server"));
  const auto refused = MariaConnection::open(mysql_at(server.port()));
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().is(errors::database_refused)) << refused.error().to_line();
  EXPECT_NE(refused.error().to_line().find("refuses the login: Host '192.0.2.1'"),
            std::string::npos)
      << refused.error().to_line();
}

TEST(SqlServers, a_server_with_too_many_clients_is_not_said_to_be_silent) {
  const RefusingServer server(true, mysql_error(1040, "Too many connections"));
  const auto refused = MariaConnection::open(mysql_at(server.port()));
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().to_line().find("refuses the connection: Too many connections"),
            std::string::npos)
      << refused.error().to_line();
}

TEST(SqlServers, a_server_that_is_not_there_is_unreachable) {
  const std::uint16_t port = closed_port();
  const auto mysql = MariaConnection::open(mysql_at(port));
  ASSERT_FALSE(mysql);
  EXPECT_TRUE(mysql.error().is(errors::database_unreachable)) << mysql.error().to_line();
  const auto postgresql = PostgresConnection::open(postgresql_at(port));
  ASSERT_FALSE(postgresql);
  EXPECT_TRUE(test::told_as("database-unreachable", postgresql.error(),
                            {{"port " + std::to_string(port), "port <port>"}}));
}

}  // namespace
}  // namespace plan::store
