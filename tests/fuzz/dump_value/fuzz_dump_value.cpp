// links: dump
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "compiler/source/check.h"
#include "runtime/dump/archive_value.h"
#include "runtime/dump/directory.h"

/// The values that are looked into: an object's trailer and compression, a message's metadata, the
/// names of the directory in 0.15 and of accounts in 0.16.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kBytesMax = 1 << 20;
  const std::string_view value(reinterpret_cast<const char*>(data), size);
  if (const auto archive = plan::dump::ArchiveValue::parse(value)) {
    PLAN_CHECK(archive->body.size() < size, "the trailer is no part of the body");
    if (const auto content = archive->content(kBytesMax)) {
      PLAN_CHECK(content->size() <= kBytesMax, "the bound holds");
      (void)plan::dump::MessageMetadata::parse(*content);
    }
  }
  if (const auto metadata = plan::dump::MessageMetadata::parse(value))
    PLAN_CHECK(metadata->header_lines.size() <= size, "header lines lie in the record");
  PLAN_CHECK(!plan::dump::directory_name(value) || size >= 2, "a name has an id and a type");
  PLAN_CHECK(plan::dump::account_name(value).size() + 3 <= size || size < 3,
             "an account's name lies in its value");
  return 0;
}
