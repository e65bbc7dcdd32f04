// links: compile rehearsal_schema
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "compiler/compile.h"
#include "compiler/source/check.h"
#include "tests/fuzz/rehearsal_schema.h"
#include "tests/fuzz/secret_places_check.h"
#include "tests/fuzz/sound_project.h"

/// Any bytes as a plan beside a sound lock, measurements and a target's schema: steps or errors,
/// and every diagnostic can be shown.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);  // NOLINT
  plan::CompileInput input = plan::fuzz::sound_input_of_plan(bytes, &plan::fuzz::target_schema());
  plan::test::check_secret_places(input.plan_text, false);
  const plan::CompileResult result = plan::compile(std::move(input));
  PLAN_CHECK(result.graph.has_value() != result.has_errors(), "steps, or why there are none");
  static_cast<void>(plan::render_terminal(result.diagnostics, *result.sources, {}));
  return 0;
}
