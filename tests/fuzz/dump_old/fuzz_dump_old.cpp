// links: dump
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "compiler/source/check.h"
#include "runtime/dump/old_dump.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  plan::dump::OldDumpReader reader(std::make_unique<plan::dump::MemorySource>(bytes), true);
  std::size_t read = 0;
  while (true) {
    const auto is_there = reader.next();
    if (!is_there || !*is_there) break;
    read += reader.record().key.size();
    while (true) {
      const auto piece = reader.value_piece();
      if (!piece || piece->empty()) break;
      read += piece->size();
    }
    PLAN_CHECK(read <= size, "records lie in the file");
  }
  (void)reader.file_digest();
  (void)reader.stream_digest();
  return 0;
}
