#include "runtime/dump/store/stopped.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "runtime/dump/store/errors.h"
#include "runtime/dump/store/export_store.h"
#include "runtime/dump/store/import_store.h"
#include "runtime/dump/store/sql_connections.h"
#include "tests/support/database_server.h"
#include "tests/support/temp_dir.h"

namespace plan::dump {
namespace {

/// Why the store is not taken for stopped; empty when it is.
std::string why_not_stopped(const StoreAddress& address, std::vector<std::uint16_t> ports = {}) {
  const Outcome stopped = check_stopped(address, {.ports = std::move(ports)});
  if (stopped) return {};
  EXPECT_TRUE(stopped.error().is(errors::store_in_use)) << stopped.error().to_line();
  return stopped.error().message();
}

StoreAddress store_at(StoreKind kind, const std::string& path) {
  StoreAddress address;
  address.kind = kind;
  address.path = path;
  return address;
}

/// A socket that listens on one address; -1 where this machine has no such address.
int listening(int family, const std::string& address, std::uint16_t& port) {
  sockaddr_storage place{};
  socklen_t bytes = 0;
  if (family == AF_INET) {
    sockaddr_in four{};
    four.sin_family = AF_INET;
    if (inet_pton(AF_INET, address.c_str(), &four.sin_addr) != 1) return -1;
    std::memcpy(&place, &four, sizeof four);
    bytes = sizeof four;
  } else {
    sockaddr_in6 six{};
    six.sin6_family = AF_INET6;
    if (inet_pton(AF_INET6, address.c_str(), &six.sin6_addr) != 1) return -1;
    std::memcpy(&place, &six, sizeof six);
    bytes = sizeof six;
  }
  const int descriptor = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return -1;
  if (bind(descriptor, reinterpret_cast<const sockaddr*>(&place), bytes) != 0 ||
      listen(descriptor, 1) != 0 ||
      getsockname(descriptor, reinterpret_cast<sockaddr*>(&place), &bytes) != 0) {
    close(descriptor);
    return -1;
  }
  // The port is at the same place in both.
  port = ntohs(reinterpret_cast<const sockaddr_in*>(&place)->sin_port);
  return descriptor;
}

TEST(StoreStopped, a_port_on_which_the_server_listens_is_in_use_whatever_its_address) {
  const test::TempDir folder;
  const StoreAddress store = store_at(StoreKind::sqlite, folder.file("store.sqlite"));
  std::size_t seen = 0;
  for (const auto& [family, address] : {std::pair<int, std::string>{AF_INET, "127.0.0.1"},
                                        {AF_INET, "127.0.0.3"},
                                        {AF_INET, "0.0.0.0"},
                                        {AF_INET6, "::1"},
                                        {AF_INET6, "::"}}) {
    std::uint16_t port = 0;
    const int descriptor = listening(family, address, port);
    if (descriptor < 0) continue;
    EXPECT_NE(why_not_stopped(store, {port}).find(std::to_string(port)), std::string::npos)
        << address;
    EXPECT_EQ(why_not_stopped(store), "") << "no port was asked for";
    // Nobody writes where the server answers either.
    const auto refused = export_store(store, {.folder = folder.file("dump"), .ports = {port}});
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(errors::store_in_use)) << refused.error().to_line();
    close(descriptor);
    ++seen;
  }
  EXPECT_GE(seen, 3U);
}

/// A process whose files cannot be seen, as another user's: it has the store under another name.
class UnseenHolder {
 public:
  UnseenHolder(const std::string& path, off_t begin, off_t length) {
    int ready[2];
    if (pipe(ready) != 0) return;
    child_ = fork();
    if (child_ == 0) {
      const int file = open(path.c_str(), O_RDWR);
      struct flock lock = {};
      lock.l_type = F_WRLCK;
      lock.l_whence = SEEK_SET;
      lock.l_start = begin;
      lock.l_len = length;
      const bool is_held = file >= 0 && fcntl(file, F_SETLK, &lock) == 0;
      if (write(ready[1], is_held ? "y" : "n", 1) != 1) _exit(1);
      pause();
      _exit(0);
    }
    char byte = 0;
    is_held_ = read(ready[0], &byte, 1) == 1 && byte == 'y';
    close(ready[0]);
    close(ready[1]);
  }
  ~UnseenHolder() {
    if (child_ <= 0) return;
    kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
  }
  UnseenHolder(const UnseenHolder&) = delete;
  UnseenHolder& operator=(const UnseenHolder&) = delete;
  [[nodiscard]] bool is_held() const { return is_held_; }

 private:
  pid_t child_ = -1;
  bool is_held_ = false;
};

TEST(StoreStopped, a_lock_on_the_store_is_seen_where_its_process_shows_no_files) {
  const test::TempDir folder;
  std::filesystem::create_directory(folder.path() / "rocks");
  struct Lock {
    StoreKind kind;
    std::string store, file;
    off_t begin, length;
  };
  constexpr off_t kShared = 0x40000002;  // SQLite's bytes for readers
  constexpr off_t kIndex = 123;          // its first byte for readers beside the log
  for (const Lock& lock : {Lock{StoreKind::sqlite, "a.sqlite", "a.sqlite", kShared, 510},
                           Lock{StoreKind::sqlite, "b.sqlite", "b.sqlite-shm", kIndex, 1},
                           Lock{StoreKind::rocksdb, "rocks", "rocks/LOCK", 0, 0}}) {
    SCOPED_TRACE(lock.file);
    const StoreAddress store = store_at(lock.kind, folder.file(lock.store));
    std::ofstream(folder.file(lock.file)) << std::string(256, 'x');
    const std::string unseen = folder.file("another-name");
    std::filesystem::remove(unseen);
    std::filesystem::create_hard_link(folder.file(lock.file), unseen);
    EXPECT_EQ(why_not_stopped(store), "");
    {
      const UnseenHolder holder(unseen, lock.begin, lock.length);
      ASSERT_TRUE(holder.is_held());
      EXPECT_NE(why_not_stopped(store).find("holds the lock"), std::string::npos);
    }
    EXPECT_EQ(why_not_stopped(store), "");
  }
}

/// Any node of a cluster has a session in the database that they share.
TEST(StoreStopped, a_session_of_another_node_is_in_use) {
  std::string why;
  const auto postgres = test::PostgresServer::start(why);
  if (!postgres) GTEST_SKIP() << why;
  const auto maria = test::MariaServer::start(why);
  if (!maria) GTEST_SKIP() << why;
  const auto postgresql = parse_store_address(postgres->new_database("shared"));
  const auto mysql = parse_store_address(maria->new_database("shared"));
  ASSERT_TRUE(postgresql && mysql);
  {
    auto node = open_postgresql(*postgresql);
    ASSERT_TRUE(node);
    EXPECT_NE(why_not_stopped(*postgresql).find("1 other session"), std::string::npos);
  }
  EXPECT_EQ(why_not_stopped(*postgresql), "");
  {
    auto node = open_mysql(*mysql);
    ASSERT_TRUE(node);
    EXPECT_NE(why_not_stopped(*mysql).find("1 other session"), std::string::npos);
  }
  EXPECT_EQ(why_not_stopped(*mysql), "");
}

}  // namespace
}  // namespace plan::dump
