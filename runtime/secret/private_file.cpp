#include "runtime/secret/private_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "runtime/secret/errors.h"
#include "runtime/secret/limits.h"

namespace plan::secret {

Result<Secret> read_private_file(const std::string& path) {
  // Without O_NONBLOCK a named pipe in the place of the file would block for ever.
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) {
    const int reason = errno;
    return Error(reason == ENOENT ? errors::secret_missing : errors::secret_unreadable,
                 fmt::format("{}: {}", path, std::strerror(reason)))
        .with_blame(Blame::plan);
  }
  struct stat status = {};
  std::string text;
  bool is_read = ::fstat(file, &status) == 0;
  const bool is_exposed = (status.st_mode & 077U) != 0;
  const bool is_regular = S_ISREG(status.st_mode);
  if (is_read && is_regular && !is_exposed) {
    text.resize(kSecretBytesMax + 1);
    std::size_t length = 0;
    while (length < text.size()) {
      const ssize_t got = ::read(file, text.data() + length, text.size() - length);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) {
        is_read = got == 0;
        break;
      }
      length += static_cast<std::size_t>(got);
    }
    text.resize(length);
  }
  ::close(file);
  if (!is_regular || !is_read) {
    return Error(errors::secret_unreadable, fmt::format("{}: not a readable file", path))
        .with_blame(Blame::plan);
  }
  if (is_exposed) {
    return Error(errors::secret_exposed,
                 fmt::format("{}: mode is {:04o}, group or others can read it", path,
                             status.st_mode & 07777U))
        .with_blame(Blame::plan);
  }
  if (text.size() > kSecretBytesMax) {
    OPENSSL_cleanse(text.data(), text.size());
    return Error(errors::secret_too_large,
                 fmt::format("{}: more than {} bytes", path, kSecretBytesMax));
  }
  if (!text.empty() && text.back() == '\n') text.pop_back();
  if (!text.empty() && text.back() == '\r') text.pop_back();
  return Secret(std::move(text));
}

}  // namespace plan::secret
