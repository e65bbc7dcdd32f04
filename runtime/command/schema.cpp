#include "compiler/check/plan_keys.h"
#include "compiler/ir/json.h"
#include "runtime/command/commands.h"
#include "runtime/command/console.h"
#include "runtime/command/project_folder.h"

namespace plan::command {

ExitCode run_schema(const Invocation& invocation) {
  const std::string text = ir::write_json(check::plan_json_schema(), 2) + "\n";
  const std::string output = invocation.value("--output");
  if (output == "-") {
    print_result(text);
    return ExitCode::done;
  }
  if (auto written = write_text_file(output, text); !written)
    return print_error(written.error(), invocation.value("--format"));
  if (invocation.value("--format") == "json")
    print_document(ir::Value::map({{"format", 1}, {"schema", output}}), "json");
  return ExitCode::done;
}

}  // namespace plan::command
