// links: ir
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "compiler/ir/json.h"
#include "compiler/source/check.h"

/// JSON of a server or of a file: what is read has one canonical spelling, which reads back as the
/// same value.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const bool is_ours : {false, true}) {
    const auto value = is_ours ? plan::ir::read_canonical(text) : plan::ir::parse_json(text);
    if (!value) {
      PLAN_CHECK(!value.error().to_line().empty(), "a refusal has words");
      continue;
    }
    const std::string canonical = plan::ir::canonical_json(*value);
    const auto again =
        is_ours ? plan::ir::read_canonical(canonical) : plan::ir::parse_json(canonical);
    PLAN_CHECK(again.has_value(), "the canonical spelling is JSON");
    PLAN_CHECK(plan::ir::canonical_json(*again) == canonical, "there is one canonical spelling");
    PLAN_CHECK(plan::ir::parse_json(plan::ir::write_json(*value, 2)).has_value(),
               "the indented spelling is JSON");
  }
  return 0;
}
