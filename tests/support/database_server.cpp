#include "tests/support/database_server.h"
#include "tests/support/repository.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <thread>
#include <vector>

#include "runtime/net/stream.h"
#include "runtime/store/mariadb.h"
#include "runtime/store/postgresql.h"

namespace plan::test {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

constexpr const char* kPostgres = "/usr/lib/postgresql/15/bin/postgres";
constexpr const char* kInitdb = "/usr/lib/postgresql/15/bin/initdb";
constexpr const char* kMariadb = "/usr/sbin/mariadbd";
constexpr const char* kInstall = "/usr/bin/mariadb-install-db";

std::uint16_t free_port() {
  auto listener = net::listen_tcp("127.0.0.1", 0);
  return listener ? (*listener)->port() : std::uint16_t{0};
}

// Runs as `user` when this is root: neither server wants to be it.
pid_t begin(const std::vector<std::string>& arguments, const char* user, const std::string& log) {
  const passwd* account = getuid() == 0 ? getpwnam(user) : nullptr;
  const uid_t uid = account == nullptr ? 0 : account->pw_uid;
  const gid_t gid = account == nullptr ? 0 : account->pw_gid;
  const pid_t child = fork();
  if (child != 0) return child;
  const int output = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0666);
  dup2(output, 1);
  dup2(output, 2);
  if (uid != 0 && (setgid(gid) != 0 || setuid(uid) != 0)) _exit(126);
  std::vector<char*> pointers;
  for (const std::string& argument : arguments)
    pointers.push_back(const_cast<char*>(argument.data()));
  pointers.push_back(nullptr);
  execv(pointers[0], pointers.data());
  _exit(127);
}

bool run(const std::vector<std::string>& arguments, const char* user, const std::string& log) {
  int status = 1;
  waitpid(begin(arguments, user, log), &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void give_to(const fs::path& folder, const char* user) {
  const passwd* account = getuid() == 0 ? getpwnam(user) : nullptr;
  if (account != nullptr && chown(folder.c_str(), account->pw_uid, account->pw_gid) != 0) {
    return;  // the server will say so
  }
}

void stop(pid_t process, int signal) {
  if (process <= 0) return;
  kill(process, signal);
  for (int i = 0; i < 200; ++i) {
    if (waitpid(process, nullptr, WNOHANG) == process) return;
    std::this_thread::sleep_for(25ms);
  }
  kill(process, SIGKILL);
  waitpid(process, nullptr, 0);
}

template <class Try>
bool becomes_ready(pid_t process, const Try& is_ready) {
  for (int i = 0; i < 400; ++i) {
    if (is_ready()) return true;
    if (waitpid(process, nullptr, WNOHANG) == process) return false;
    std::this_thread::sleep_for(25ms);
  }
  return false;
}

store::PostgresOptions postgres_options(std::uint16_t port, const std::string& database) {
  return {.host = "127.0.0.1", .port = port, .database = database, .user = "postgres"};
}

store::MariaOptions maria_options(std::uint16_t port, const std::string& database) {
  return {.host = "127.0.0.1", .port = port, .database = database, .user = "root"};
}

}  // namespace

std::unique_ptr<PostgresServer> PostgresServer::start(std::string& why) {
  if (access(kPostgres, X_OK) != 0) {
    why = "postgresql-15 is not installed";
    return nullptr;
  }
  std::unique_ptr<PostgresServer> server(new PostgresServer());
  const std::string data = server->folder_.file("data");
  const std::string log = server->folder_.file("log");
  give_to(server->folder_.path(), "postgres");
  server->port_ = free_port();
  if (!run({kInitdb, "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"},
           "postgres", log)) {
    why = "initdb failed";
    return nullptr;
  }
  server->process_ = begin({kPostgres, "-D", data, "-p", std::to_string(server->port_), "-k",
                            server->folder_.path().string(), "-h", "127.0.0.1", "-F"},
                           "postgres", log);
  if (!becomes_ready(server->process_, [&] {
        return store::PostgresConnection::open(postgres_options(server->port_, "postgres"))
            .has_value();
      })) {
    why = "PostgreSQL does not start";
    return nullptr;
  }
  return server;
}

PostgresServer::~PostgresServer() { stop(process_, SIGINT); }

std::string PostgresServer::new_database(const std::string& name) const {
  auto connection = store::PostgresConnection::open(postgres_options(port_, "postgres"));
  if (connection && connection->execute("CREATE DATABASE " + name)) {
    return fmt::format("postgresql://postgres@127.0.0.1:{}/{}", port_, name);
  }
  return "";
}

std::unique_ptr<MariaServer> MariaServer::start(std::string& why) {
  if (access(kMariadb, X_OK) != 0) {
    why = "mariadb-server is not installed";
    return nullptr;
  }
  std::unique_ptr<MariaServer> server(new MariaServer());
  const std::string data = server->folder_.file("data");
  const std::string log = server->folder_.file("log");
  give_to(server->folder_.path(), "mysql");
  server->port_ = free_port();
  if (!run({kInstall, "--no-defaults", "--user=mysql", "--datadir=" + data,
            "--auth-root-authentication-method=normal", "--skip-test-db"},
           "mysql", log)) {
    why = "mariadb-install-db failed";
    return nullptr;
  }
  server->process_ = begin(
      {kMariadb, "--no-defaults", "--user=mysql", "--datadir=" + data,
       fmt::format("--port={}", server->port_), "--bind-address=127.0.0.1",
       "--socket=" + server->folder_.file("m.sock"), "--pid-file=" + server->folder_.file("m.pid"),
       "--skip-name-resolve", "--innodb-flush-log-at-trx-commit=0"},
      "mysql", log);
  if (!becomes_ready(server->process_, [&] {
        return store::MariaConnection::open(maria_options(server->port_, "mysql")).has_value();
      })) {
    why = "MariaDB does not start";
    return nullptr;
  }
  return server;
}

MariaServer::~MariaServer() { stop(process_, SIGTERM); }

std::string MariaServer::new_database(const std::string& name) const {
  auto connection = store::MariaConnection::open(maria_options(port_, "mysql"));
  if (connection && connection->execute("CREATE DATABASE " + name)) {
    return fmt::format("mysql://root@127.0.0.1:{}/{}", port_, name);
  }
  return "";
}

std::string rocksdb_library(std::string& why) {
  if (const char* named = std::getenv("PLAN_ROCKSDB_LIBRARY"); named != nullptr && *named != '\0') {
    return named;
  }
  // What was fetched stays in the build folder, where the test program is.
  std::error_code code;
  const fs::path folder =
      fs::read_symlink("/proc/self/exe", code).parent_path() / "rocksdb-library";
  const fs::path library = folder / "librocksdbjni-linux64.so";
  if (fs::exists(library, code)) return library.string();
  if (fs::exists(folder / "not-to-be-had", code)) {
    why = "org.rocksdb:rocksdbjni could not be fetched";
    return "";
  }
  fs::create_directories(folder, code);
  if (run({(repository() / "scripts/fetch-rocksdb-library").string(), folder.string()}, "root",
          (folder / "log").string()) &&
      fs::exists(library, code)) {
    return library.string();
  }
  close(open((folder / "not-to-be-had").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  why = "org.rocksdb:rocksdbjni cannot be fetched: see " + (folder / "log").string();
  return "";
}

}  // namespace plan::test
