#include "runtime/net/socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "runtime/net/connect_once.h"
#include "runtime/net/errors.h"

namespace plan::net {
namespace {

struct Address {
  sockaddr_storage bytes = {};
  socklen_t size = 0;
  int family = AF_UNSPEC;
};

struct Lookup {
  std::mutex mutex = {};
  std::condition_variable is_ready = {};
  bool is_done = false;
  int code = 0;
  std::vector<Address> addresses = {};
};

int resolve(const std::string& host, std::uint16_t port, int flags, std::vector<Address>& found) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  const int code = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
  if (code != 0) return code;
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    if (entry->ai_addrlen > sizeof(sockaddr_storage)) continue;
    Address address;
    std::memcpy(&address.bytes, entry->ai_addr, entry->ai_addrlen);
    address.size = entry->ai_addrlen;
    address.family = entry->ai_family;
    found.push_back(address);
  }
  freeaddrinfo(list);
  return found.empty() ? EAI_NONAME : 0;
}

/// The resolver knows no deadline, so a name is looked up by a thread of its own that may outlive
/// the call.
Result<std::vector<Address>> addresses_of(const std::string& host, std::uint16_t port,
                                          Deadline deadline) {
  const auto no_name = [&](int code) {
    return Error(errors::name_not_found,
                 fmt::format("`{}` has no address: {}", host, gai_strerror(code)))
        .with_retry(Retry::safe)
        .with_blame(Blame::network);
  };
  std::vector<Address> found;
  if (host.empty() || host.find('\0') != std::string::npos) return no_name(EAI_NONAME);
  if (resolve(host, port, AI_NUMERICHOST, found) == 0) return found;
  auto lookup = std::make_shared<Lookup>();
  std::thread([lookup, host, port] {
    std::vector<Address> addresses;
    const int code = resolve(host, port, AI_ADDRCONFIG, addresses);
    const std::lock_guard lock(lookup->mutex);
    lookup->code = code;
    lookup->addresses = std::move(addresses);
    lookup->is_done = true;
    lookup->is_ready.notify_all();
  }).detach();
  std::unique_lock lock(lookup->mutex);
  while (!lookup->is_done) {
    if (deadline.is_over()) {
      return Error(errors::timed_out, fmt::format("no answer about the name `{}`", host))
          .with_retry(Retry::safe)
          .with_blame(Blame::network);
    }
    const int left = deadline.left_ms();
    lookup->is_ready.wait_for(lock, std::chrono::milliseconds(left < 0 ? 60'000 : left + 1));
  }
  if (lookup->code != 0) return no_name(lookup->code);
  return std::move(lookup->addresses);
}

Result<OwnedDescriptor> connect_one(const Address& address, const std::string& shown,
                                    Deadline deadline, const std::string& bind_address) {
  const auto refused = [&](int number) {
    const bool is_late = number == ETIMEDOUT;
    return Error(is_late ? errors::timed_out : errors::connection_refused,
                 fmt::format("cannot connect to {}: {}", shown, errno_text(number)))
        .with_retry(Retry::safe)
        .with_blame(Blame::network);
  };
  OwnedDescriptor socket(::socket(address.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.is_open()) return refused(errno);
  const int on = 1;
  if (address.family != AF_UNIX) setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (!bind_address.empty()) {
    std::vector<Address> local;
    if (resolve(bind_address, 0, AI_NUMERICHOST, local) != 0) return refused(EADDRNOTAVAIL);
    if (bind(socket.get(), reinterpret_cast<const sockaddr*>(&local.front().bytes),
             local.front().size) != 0) {
      return refused(errno);
    }
  }
  if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&address.bytes), address.size) == 0)
    return socket;
  if (errno != EINPROGRESS && errno != EINTR) return refused(errno);
  if (!wait_ready(socket.get(), POLLOUT, deadline)) return refused(ETIMEDOUT);
  int number = 0;
  socklen_t size = sizeof number;
  if (getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &number, &size) != 0) number = errno;
  if (number != 0) return refused(number);
  return socket;
}

Result<OwnedDescriptor> connect_any(const std::string& host, std::uint16_t port,
                                    const std::string& shown, Deadline deadline,
                                    const std::string& bind_address) {
  PLAN_TRY(addresses, addresses_of(host, port, deadline));
  for (std::size_t index = 0; index + 1 < addresses.size(); ++index) {
    // An address that does not answer must not use up the time of the others.
    const int left = deadline.left_ms();
    const auto share = std::chrono::milliseconds(
        left < 0 ? 10'000
                 : left / static_cast<int>(std::min<std::size_t>(addresses.size() - index, 16)));
    auto socket =
        connect_one(addresses[index], shown, deadline.sooner(Deadline::after(share)), bind_address);
    if (socket) return socket;
  }
  return connect_one(addresses.back(), shown, deadline, bind_address);
}

}  // namespace

OwnedDescriptor& OwnedDescriptor::operator=(OwnedDescriptor&& other) noexcept {
  if (this != &other) {
    close();
    descriptor_ = std::exchange(other.descriptor_, -1);
  }
  return *this;
}

OwnedDescriptor::~OwnedDescriptor() { close(); }

void OwnedDescriptor::close() {
  if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
}

std::string errno_text(int number) {
  char buffer[128] = {};
  return strerror_r(number, buffer, sizeof buffer);
}

bool wait_ready(int descriptor, short events, Deadline deadline) {
  pollfd entry{descriptor, events, 0};
  while (true) {
    const int ready = poll(&entry, 1, deadline.left_ms());
    if (ready > 0) return true;  // errors and hang-ups too: the call that follows says which
    if (ready < 0 && errno != EINTR) return true;
    if (deadline.is_over()) return false;
  }
}

Result<OwnedDescriptor> connect_socket(const std::string& host, std::uint16_t port,
                                       Deadline deadline, const std::string& bind_address) {
  const std::string shown = host.find(':') == std::string::npos
                                ? fmt::format("{}:{}", host, port)
                                : fmt::format("[{}]:{}", host, port);
  ConnectTurn turn(fmt::format("tcp {} {}", shown, bind_address));
  if (turn.refusal()) return Error(*turn.refusal());
  auto socket = connect_any(host, port, shown, deadline, bind_address);
  if (socket)
    turn.answered();
  else
    turn.not_connected(socket.error());
  return socket;
}

}  // namespace plan::net
