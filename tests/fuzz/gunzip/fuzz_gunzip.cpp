// links: net
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "compiler/source/check.h"
#include "runtime/net/gunzip.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kBytesMax = 100'000;
  const auto unpacked = plan::net::gunzip({reinterpret_cast<const char*>(data), size}, kBytesMax);
  if (unpacked) PLAN_CHECK(unpacked->size() <= kBytesMax, "the bound holds");
  return 0;
}
