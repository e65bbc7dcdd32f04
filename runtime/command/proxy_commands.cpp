#include <fmt/format.h>

#include <csignal>
#include <thread>

#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/command/commands.h"
#include "runtime/command/console.h"
#include "runtime/command/project_folder.h"
#include "runtime/command/stop_on_signal.h"
#include "runtime/proxy/config.h"
#include "runtime/proxy/control_client.h"
#include "runtime/proxy/proxy.h"

namespace plan::command {
namespace {
constexpr std::size_t kTokenBytesMax = 4096;
constexpr std::chrono::seconds kAnswerWait{10};
}  // namespace

ExitCode run_proxy_run(const Invocation& invocation) {
  auto config = proxy::load_config(invocation.value("--config"));
  if (!config) return print_error(config.error());
  step::StopSignal stop;
  const StopOnSignal signals(stop);
  proxy::ProxyHooks hooks;
  hooks.on_ready = [](const std::vector<proxy::BoundListener>& listeners) {
    for (const proxy::BoundListener& listener : listeners) {
      print_words(
          fmt::format("listens: {} on {}:{}\n", listener.name, listener.address, listener.port));
    }
  };
  if (auto ended = proxy::run_proxy(*config, stop, hooks); !ended)
    return print_error(ended.error());
  return ExitCode::done;
}

ExitCode run_proxy_check(const Invocation& invocation) {
  const std::string file = invocation.value("--config");
  const std::string format = invocation.value("--format");
  auto text = read_text_file(file, std::size_t{1} << 20U);
  if (!text) return print_error(text.error(), format);
  std::vector<proxy::ConfigProblem> problems;
  const auto config = proxy::read_config(*text, problems);
  if (config) {
    std::vector<proxy::ConfigProblem> more = proxy::check_files(*config);
    problems.insert(problems.end(), more.begin(), more.end());
  }
  if (format == "json") {
    ir::List list;
    for (const proxy::ConfigProblem& problem : problems) {
      list.push_back(ir::Value::map({{"file", file},
                                     {"line", static_cast<std::int64_t>(problem.line)},
                                     {"message", problem.message}}));
    }
    print_result(ir::write_json(ir::Value::map({{"format", 1}, {"problems", std::move(list)}}), 2) +
                 "\n");
    return problems.empty() ? ExitCode::done : ExitCode::error;
  }
  for (const proxy::ConfigProblem& problem : problems) {
    print_result(problem.line == 0
                     ? fmt::format("{}: error: {}\n", file, problem.message)
                     : fmt::format("{}:{}: error: {}\n", file, problem.line, problem.message));
  }
  if (problems.empty()) print_words(fmt::format("{} is right\n", file));
  return problems.empty() ? ExitCode::done : ExitCode::error;
}

ExitCode run_proxy_control(const Invocation& invocation) {
  const std::string format = invocation.value("--format");
  auto config = proxy::load_config(invocation.value("--config"));
  if (!config) return print_error(config.error(), format);
  auto token_text = read_text_file(config->control.token_file, kTokenBytesMax);
  if (!token_text) return print_error(token_text.error(), format);
  const secret::Secret token{std::string(trim(*token_text))};
  const net::Deadline deadline = net::Deadline::after(kAnswerWait);
  auto control =
      proxy::ProxyControl::open({"unix:" + config->control.unix_path, {}}, token, deadline);
  if (!control) return print_error(control.error(), format);
  const std::string request = invocation.value("request");
  auto answer = (*control)->request(ir::Value::map({{"op", request}}), deadline);
  if (!answer) return print_error(answer.error(), format);
  print_document(*answer, format);
  return ExitCode::done;
}

}  // namespace plan::command
