#include "runtime/step/durable_write.h"

#include <fcntl.h>
#include <unistd.h>

#include <chrono>

namespace plan::step {
namespace {

constexpr int kSyncsMeasured = 5;

}  // namespace

double durable_write_ms(const std::string& folder, net::Clock& clock) {
  const std::string path = folder + "/.sync-measure";
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return 0;
  const auto begun = clock.now();
  bool is_written = true;
  for (int i = 0; i < kSyncsMeasured; ++i)
    is_written = is_written && ::write(file, "x", 1) == 1 && ::fdatasync(file) == 0;
  const std::chrono::duration<double, std::milli> took = clock.now() - begun;
  ::close(file);
  ::unlink(path.c_str());
  return is_written ? took.count() / kSyncsMeasured : 0;
}

}  // namespace plan::step
