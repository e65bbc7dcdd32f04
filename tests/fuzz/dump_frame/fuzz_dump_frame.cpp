// links: dump
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "compiler/source/check.h"
#include "runtime/dump/byte_source.h"
#include "runtime/dump/lz4_frame.h"
#include "runtime/dump/verify.h"

/// Frame, content and records of a file in memory: as given, and as the one block of a frame, so
/// that records are reached without guessing a frame.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using plan::dump::Grade;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto report = plan::dump::verify_bytes("subspace_l", bytes, nullptr);
  PLAN_CHECK(report.frame.file_bytes <= size, "no more is read than there is");
  PLAN_CHECK(report.grade != Grade::proved, "nothing is proved without a manifest");
  if (report.grade == Grade::intact)
    PLAN_CHECK(report.frame.end == plan::dump::FrameEnd::marked,
               "only an end mark makes it intact");
  plan::dump::Lz4FrameReader frame(std::make_unique<plan::dump::MemorySource>(bytes), false);
  plan::dump::ContentBatch batch;
  while (frame.next(batch)) {
  }
  if (frame.next_before_cut(batch))
    PLAN_CHECK(
        !batch.content().empty() && batch.content().size() <= frame.facts().header.block_bytes_max,
        "a cut block is no longer than a whole one");
  if (size > 0xFFFF) return 0;
  std::string framed("\x04\x22\x4D\x18\x60\x40\x82", 7);
  framed += static_cast<char>(size & 0xFFU);
  framed += static_cast<char>(size >> 8U);
  framed += std::string("\x00\x80", 2);
  framed += bytes;
  const auto records = plan::dump::verify_bytes("x", framed, nullptr);
  PLAN_CHECK(records.key_bytes + records.value_bytes <= size, "records lie in the content");
  return 0;
}
