// links: ir
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "compiler/ir/digest.h"
#include "compiler/ir/plan_file.h"
#include "compiler/source/check.h"

/// A saved plan from anywhere. Its digest keeps a fuzzer out, so the body is tried under its right
/// digest too; what is read must be written and read again as the same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);  // NOLINT
  std::string digest;
  (void)plan::ir::read_saved_plan(text, &digest);
  const std::string with_digest =
      "plan-saved 1 " + plan::ir::sha256(text).hex() + "\n" + std::string(text);
  const auto plan = plan::ir::read_saved_plan(with_digest, &digest);
  if (!plan) return 0;
  std::string first;
  const std::string written = plan::ir::write_saved_plan(*plan, &first);
  std::string second;
  const auto again = plan::ir::read_saved_plan(written, &second);
  PLAN_CHECK(again && first == second, "what was written can be read");
  return 0;
}
