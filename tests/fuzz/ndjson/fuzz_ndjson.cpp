// links: compile rehearsal_schema
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "compiler/admin_plan.h"
#include "compiler/compile.h"
#include "compiler/source/check.h"
#include "tests/fuzz/rehearsal_schema.h"
#include "tests/fuzz/sound_project.h"

/// Any bytes as a plan of stalwart-cli: a module or a problem, and a plan that uses it compiles to
/// steps or to errors, which can be shown.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);  // NOLINT
  plan::SourceSet sources;
  plan::Sink sink;
  const plan::FileId file = sources.add("server.ndjson", std::string(bytes));
  const auto module = plan::read_admin_plan(sources, file, sink);
  PLAN_CHECK(module.has_value() != sink.has_errors(), "a module, or what is wrong with it");
  static_cast<void>(plan::render_terminal(sink.sorted(), sources, {}));

  const plan::CompileResult result =
      plan::compile(plan::fuzz::sound_input_of_lines(bytes, &plan::fuzz::target_schema()));
  PLAN_CHECK(result.graph.has_value() != result.has_errors(), "steps, or why there are none");
  static_cast<void>(plan::render_terminal(result.diagnostics, *result.sources, {}));
  return 0;
}
