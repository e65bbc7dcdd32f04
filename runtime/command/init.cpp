#include <fmt/format.h>
#include <unistd.h>

#include "embedded/plan_templates.h"
#include "runtime/command/commands.h"
#include "runtime/command/console.h"
#include "runtime/command/errors.h"
#include "runtime/command/project_folder.h"

namespace plan::command {
namespace {

std::string_view kind_of(std::string_view file_name) {
  return file_name.substr(0, file_name.rfind('.'));
}

std::string kinds() {
  std::string list;
  for (const EmbeddedFile& file : embedded::plan_templates()) {
    list += fmt::format("{}{}", list.empty() ? "" : ", ", kind_of(file.name));
  }
  return list;
}

}  // namespace

ExitCode run_init(const Invocation& invocation) {
  if (invocation.has("--list")) {
    for (const EmbeddedFile& file : embedded::plan_templates())
      print_result(fmt::format("{}\n", kind_of(file.name)));
    return ExitCode::done;
  }
  const std::string wanted = invocation.value("--from");
  for (const EmbeddedFile& file : embedded::plan_templates()) {
    if (kind_of(file.name) != wanted) continue;
    const std::string output = invocation.value("--output");
    if (output == "-") {
      print_result(file.text);
      return ExitCode::done;
    }
    if (access(output.c_str(), F_OK) == 0) {
      print_words(fmt::format("error: {} is there already; plan init never overwrites\n", output));
      return ExitCode::error;
    }
    if (auto written = write_text_file(output, file.text); !written)
      return print_error(written.error());
    print_words(fmt::format("wrote {}: edit it, then run plan fetch\n", output));
    return ExitCode::done;
  }
  return print_error(Error(errors::nothing_of_that_name,
                           fmt::format("there is no kind `{}`; there are {}", wanted, kinds())));
}

}  // namespace plan::command
