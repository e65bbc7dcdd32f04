#include "runtime/dump/store/stopped.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cctype>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "runtime/dump/store/errors.h"
#include "runtime/dump/store/sql_connections.h"

namespace plan::dump {
namespace {

namespace fs = std::filesystem;

Error in_use(const StoreAddress& address, std::string who) {
  return Error(errors::store_in_use, fmt::format("{}: {}", address.name(), who));
}

std::string program_of(const fs::path& process) {
  std::error_code code;
  const fs::path program = fs::read_symlink(process / "exe", code);
  return code ? "a program" : program.filename().string();
}

// Processes of other users show their files to root only; the locks are looked at besides.
Outcome check_open_files(const StoreAddress& address) {
  std::error_code code;
  const std::string store = fs::weakly_canonical(address.path, code).string();
  if (code || store.empty()) return {};
  for (fs::directory_iterator process("/proc", code), end; !code && process != end;
       process.increment(code)) {
    const std::string number = process->path().filename().string();
    if (number.empty() || std::isdigit(static_cast<unsigned char>(number[0])) == 0) continue;
    if (number == std::to_string(getpid())) continue;
    std::error_code unseen;
    for (fs::directory_iterator file(process->path() / "fd", unseen), none; !unseen && file != none;
         file.increment(unseen)) {
      std::error_code gone;
      const std::string open = fs::read_symlink(file->path(), gone).string();
      if (gone || !open.starts_with(store)) continue;
      const std::string_view rest = std::string_view(open).substr(store.size());
      if (rest.empty() || rest[0] == '/' || rest == "-wal" || rest == "-shm") {
        return in_use(address, fmt::format("process {} ({}) has {} open", number,
                                           program_of(process->path()), open));
      }
    }
  }
  return {};
}

// Asks for a lock without taking it.
Outcome check_lock(const StoreAddress& address, const std::string& file, off_t begin,
                   off_t length) {
  const int descriptor = open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return {};
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = begin;
  lock.l_len = length;
  const bool is_asked = fcntl(descriptor, F_GETLK, &lock) == 0;
  close(descriptor);
  if (is_asked && lock.l_type != F_UNLCK) {
    return in_use(address, fmt::format("process {} holds the lock in {}", lock.l_pid, file));
  }
  return {};
}

/// Who else is in the database, in words; empty when nobody is.
Result<std::string> other_session(const StoreAddress& address) {
  std::string place;
  std::size_t count = 0;
  if (address.kind == StoreKind::postgresql) {
    PLAN_TRY(connection, open_postgresql(address));
    PLAN_TRY(rows, connection.query(
                       "SELECT coalesce(host(client_addr), 'this machine'), "
                       "coalesce(application_name, '') FROM pg_stat_activity WHERE datname = "
                       "current_database() AND pid <> pg_backend_pid() AND backend_type = 'client "
                       "backend'"));
    count = rows.size();
    if (count > 0) {
      place = fmt::format("{} ({})", rows[0].at(0).value_or(""), rows[0].at(1).value_or(""));
    }
  } else {
    PLAN_TRY(connection, open_mysql(address));
    PLAN_TRY(rows, connection.query("SELECT host, user FROM information_schema.processlist WHERE "
                                    "db = database() AND id <> connection_id()"));
    count = rows.size();
    if (count > 0) {
      place = fmt::format("{} ({})", rows[0].at(0).value_or(""), rows[0].at(1).value_or(""));
    }
  }
  if (count == 0) return std::string();
  return fmt::format("{} other session{} in the database, one from {}", count,
                     count == 1 ? "" : "s", place);
}

// A server takes a moment to see that a client has gone.
Outcome check_sessions(const StoreAddress& address) {
  constexpr int kTries = 20;
  constexpr std::chrono::milliseconds kBetween{250};
  for (int left = kTries; true; --left) {
    PLAN_TRY(who, other_session(address));
    if (who.empty()) return {};
    if (left == 0) return in_use(address, who);
    std::this_thread::sleep_for(kBetween);
  }
}

// The kernel's list of sockets, which also has servers that listen on one address only: a line is
// `0: ADDRESS:PORT PEER:PORT STATE ...` in hexadecimal.
bool is_listed(const char* list, std::uint16_t port) {
  constexpr std::string_view kListens = "0A";
  std::ifstream lines(list);
  std::string line;
  std::getline(lines, line);  // what the columns are called
  while (std::getline(lines, line)) {
    std::istringstream columns(line);
    std::string number;
    std::string local;
    std::string peer;
    std::string state;
    columns >> number >> local >> peer >> state;
    const std::size_t colon = local.rfind(':');
    if (state == kListens && colon != std::string::npos &&
        local.substr(colon + 1) == fmt::format("{:04X}", port))
      return true;
  }
  return false;
}

bool answers(std::uint16_t port) {
  const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return false;
  sockaddr_in place{};
  place.sin_family = AF_INET;
  place.sin_port = htons(port);
  place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool is_answered =
      connect(descriptor, reinterpret_cast<const sockaddr*>(&place), sizeof place) == 0;
  close(descriptor);
  return is_answered;
}

// Asked as well: where a container shows no list, or ports are passed on to one.
bool listens(std::uint16_t port) {
  return is_listed("/proc/net/tcp", port) || is_listed("/proc/net/tcp6", port) || answers(port);
}

}  // namespace

Outcome check_stopped(const StoreAddress& address, const StoppedOptions& options) {
  for (const std::uint16_t port : options.ports) {
    if (listens(port)) return in_use(address, fmt::format("something answers on port {}", port));
  }
  switch (address.kind) {
    case StoreKind::sqlite: {
      PLAN_TRY_VOID(check_open_files(address));
      // SQLite's lock bytes: pending, reserved and shared in the file, eight in the shared index.
      constexpr off_t kPending = 0x40000000;
      PLAN_TRY_VOID(check_lock(address, address.path, kPending, 512));
      return check_lock(address, address.path + "-shm", 120, 9);
    }
    case StoreKind::rocksdb:
      PLAN_TRY_VOID(check_open_files(address));
      return check_lock(address, (fs::path(address.path) / "LOCK").string(), 0, 0);
    case StoreKind::postgresql:
    case StoreKind::mysql:
      return check_sessions(address);
  }
  return {};
}

}  // namespace plan::dump
