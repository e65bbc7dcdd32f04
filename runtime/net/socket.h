#pragma once
#include <string>
#include <utility>

#include "compiler/source/error.h"
#include "compiler/source/result.h"
#include "runtime/net/clock.h"

namespace plan::net {

/// A file descriptor that closes itself. For the .cpp files of this folder.
class OwnedDescriptor {
 public:
  OwnedDescriptor() = default;
  explicit OwnedDescriptor(int descriptor) : descriptor_(descriptor) {}
  OwnedDescriptor(const OwnedDescriptor&) = delete;
  OwnedDescriptor& operator=(const OwnedDescriptor&) = delete;
  OwnedDescriptor(OwnedDescriptor&& other) noexcept
      : descriptor_(std::exchange(other.descriptor_, -1)) {}
  OwnedDescriptor& operator=(OwnedDescriptor&& other) noexcept;
  ~OwnedDescriptor();

  [[nodiscard]] int get() const { return descriptor_; }
  [[nodiscard]] bool is_open() const { return descriptor_ >= 0; }
  [[nodiscard]] int release() { return std::exchange(descriptor_, -1); }
  void close();

 private:
  int descriptor_ = -1;
};

/// Words for an errno value, without the thread traps of strerror.
[[nodiscard]] std::string errno_text(int number);

/// Waits until `descriptor` is readable (POLLIN) or writable (POLLOUT). False when the deadline is
/// over first.
[[nodiscard]] bool wait_ready(int descriptor, short events, Deadline deadline);

/// A connected TCP socket to `host`: non-blocking, close-on-exec, TCP_NODELAY. Errors as
/// connect_tcp.
[[nodiscard]] Result<OwnedDescriptor> connect_socket(const std::string& host, std::uint16_t port,
                                                     Deadline deadline,
                                                     const std::string& bind_address = {});

}  // namespace plan::net
