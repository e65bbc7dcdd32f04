// A container as a Host: `docker exec` on the machine that has it, without a shell in between.
#include <fmt/format.h>

#include "compiler/source/text.h"
#include "runtime/net/command_host.h"
#include "runtime/net/errors.h"

namespace plan::net {
namespace {

/// docker's own words where it could not even begin: it ends with 1 then, as many a program does.
constexpr std::string_view kDaemonWords = "Error response from daemon";
constexpr int kNotExecutable = 126;
constexpr int kNotFound = 127;

class ContainerHost final : public CommandHost {
 public:
  ContainerHost(Host& machine, std::string container)
      : machine_(machine), container_(std::move(container)) {}

  Result<CommandResult> run(const std::vector<std::string>& arguments, Deadline deadline,
                            const CommandOptions& options) override {
    if (arguments.empty()) return Error(errors::command_failed, "no program was named");
    std::vector<std::string> command = {"docker", "exec", "--env", "LC_ALL=C"};
    if (!options.input.empty()) command.emplace_back("--interactive");
    if (!options.directory.empty()) {
      command.emplace_back("--workdir");
      command.push_back(options.directory);
    }
    command.push_back(container_);
    command.insert(command.end(), arguments.begin(), arguments.end());
    CommandOptions outer = options;
    outer.directory.clear();
    auto result = machine_.run(command, deadline, outer);
    if (!result) {
      return std::move(result)
          .while_doing(fmt::format("running `{}` in {}", arguments.front(), name()))
          .error();
    }
    if (result->exit_code == 0) return result;
    if (result->exit_code == kNotExecutable || result->exit_code == kNotFound) {
      return Error(errors::command_failed,
                   fmt::format("cannot start `{}` in {}", arguments.front(), name()))
          .with_detail(trim(result->errors.empty() ? result->output : result->errors));
    }
    if (trim(result->errors).starts_with(kDaemonWords)) {
      return Error(errors::command_failed,
                   fmt::format("docker could not start `{}` in {}", arguments.front(), name()))
          .with_retry(Retry::safe)
          .with_detail(trim(result->errors));
    }
    PLAN_TRY_VOID(check_running(arguments.front(), deadline));
    return result;
  }

  std::string name() const override {
    return fmt::format("the container {} of {}", container_, machine_.name());
  }

 private:
  /// An exit code of a container that has ended may be docker's: taken for the program's, it would
  /// say that a file is not there.
  Outcome check_running(const std::string& program, Deadline deadline) {
    PLAN_TRY(looked, machine_.run({"docker", "inspect", "--type", "container", "--format",
                                   "{{.State.Running}}", container_},
                                  deadline));
    if (looked.exit_code == 0 && trim(looked.output) == "true") return {};
    return Error(errors::command_failed,
                 fmt::format("`{}` did not succeed, and {} does not run", program, name()))
        .with_effect(Effect::unknown)
        .with_detail(trim(looked.errors.empty() ? looked.output : looked.errors));
  }

  Host& machine_;
  const std::string container_;
};

}  // namespace

std::unique_ptr<Host> container_host(Host& machine, std::string container) {
  return std::make_unique<ContainerHost>(machine, std::move(container));
}

}  // namespace plan::net
