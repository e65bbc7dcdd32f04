// links: net
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "compiler/source/check.h"
#include "runtime/net/sieve/client.h"
#include "tests/fuzz/canned_stream.h"

/// A ManageSieve server that says anything; the first byte says how it is cut.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace plan;
  using namespace plan::net;
  if (size < 1) return 0;
  const std::string_view said(reinterpret_cast<const char*>(data) + 1, size - 1);
  sieve::ClientOptions options;
  options.limits = {.line_bytes_max = 4096, .literal_bytes_max = 65'536, .lines_max = 100};
  auto opened = sieve::Client::over(
      std::make_unique<fuzz::CannedStream>(said, std::size_t{1} + data[0]), options);
  if (!opened) return 0;
  sieve::Client& client = **opened;
  PLAN_CHECK(client.capabilities().size() <= options.limits.lines_max, "capabilities are bounded");
  if (!client.authenticate_plain("a@example.org", "master", secret::Secret("x"))) return 0;
  const auto scripts = client.list();
  if (scripts) PLAN_CHECK(scripts->size() <= options.limits.lines_max, "the list is bounded");
  if (const auto script = client.get("main"))
    PLAN_CHECK(script->size() <= options.limits.literal_bytes_max, "a script is bounded");
  static_cast<void>(client.put("main \"x\"", "keep;\r\n"));
  static_cast<void>(client.set_active("main"));
  static_cast<void>(client.remove("main"));
  client.logout();
  return 0;
}
