// links: compile
#include <cstddef>
#include <cstdint>
#include <string>

#include "compiler/compile.h"
#include "tests/fuzz/secret_places_check.h"

/// Any bytes as a plan: no crash, and every diagnostic can be shown.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  plan::CompileInput input;
  input.plan_text.assign(reinterpret_cast<const char*>(data), size);
  input.lock_text = "plan-lock 1 x\n";
  plan::test::check_secret_places(input.plan_text, false);
  const plan::CompileResult result = plan::compile(std::move(input));
  static_cast<void>(plan::render_terminal(result.diagnostics, *result.sources, {}));
  return 0;
}
