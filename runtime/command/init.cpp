#include <fmt/format.h>
#include <unistd.h>

#include "compiler/ir/json.h"
#include "compiler/source/text.h"
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
  const std::string format = invocation.value("--format");
  if (invocation.has("--list")) {
    ir::List list;
    for (const EmbeddedFile& file : embedded::plan_templates()) {
      list.emplace_back(kind_of(file.name));
      if (format != "json") print_result(fmt::format("{}\n", kind_of(file.name)));
    }
    if (format == "json") {
      print_result(ir::write_json(ir::Value::map({{"format", 1}, {"kinds", std::move(list)}}), 2) +
                   "\n");
    }
    return ExitCode::done;
  }
  const std::string wanted = invocation.value("--from");
  for (const EmbeddedFile& file : embedded::plan_templates()) {
    if (kind_of(file.name) != wanted) continue;
    const std::string output = invocation.value("--output");
    if (output == "-") {
      if (format == "json") {
        print_document(ir::Value::map({{"format", 1}, {"plan", output}, {"text", file.text}}),
                       format);
      } else {
        print_result(file.text);
      }
      return ExitCode::done;
    }
    if (access(output.c_str(), F_OK) == 0) {
      return print_error(
          Error(errors::file_there,
                fmt::format("{} is there, and plan init overwrites nothing", output)),
          format);
    }
    if (auto written = write_text_file(output, file.text); !written)
      return print_error(written.error(), format);
    if (format == "json") {
      print_result(ir::write_json(ir::Value::map({{"format", 1}, {"plan", output}}), 2) + "\n");
    } else {
      print_words(
          fmt::format("wrote {}: edit what is marked CHANGE, then run plan fetch\n", output));
    }
    return ExitCode::done;
  }
  return print_error(
      Error(errors::bad_option, fmt::format("--from: there is no kind `{}`; there are {}",
                                            printable(wanted, 100), kinds())),
      format);
}

}  // namespace plan::command
