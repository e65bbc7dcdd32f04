#pragma once
#include <mutex>

#include "runtime/net/host.h"

namespace plan::net {

/// A host on which plan has nothing but commands: its files are read and written by small scripts
/// of GNU coreutils and a POSIX shell, which get everything as arguments and as input.
class CommandHost : public Host {
 public:
  [[nodiscard]] Result<std::string> read_file(const std::string& path, std::size_t bytes_max,
                                              Deadline deadline) override;
  [[nodiscard]] Outcome replace_file(const std::string& path, std::string_view bytes, unsigned mode,
                                     Deadline deadline) override;
  [[nodiscard]] Result<bool> exists(const std::string& path, Deadline deadline) override;

 private:
  [[nodiscard]] Error unreadable(const std::string& path, std::string_view said) const;

  std::mutex replace_mutex_;
};

}  // namespace plan::net
