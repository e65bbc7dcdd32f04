#include <fmt/format.h>

#include "compiler/source/text.h"
#include "runtime/command/commands.h"
#include "runtime/command/console.h"
#include "runtime/command/project_folder.h"
#include "runtime/command/stop_on_signal.h"
#include "runtime/net/clock.h"
#include "runtime/rehearsal/embedded_target.h"

namespace plan::command {
namespace {
constexpr std::size_t kPasswordBytesMax = 4096;
constexpr std::chrono::milliseconds kStopPoll{100};
}  // namespace

ExitCode run_target_run(const Invocation& invocation) {
  auto password = read_text_file(invocation.value("--admin-password-file"), kPasswordBytesMax);
  if (!password) return print_error(password.error());
  const std::string address = invocation.value("--address");
  rehearsal::EmbeddedTargetOptions options;
  options.data_directory = invocation.value("--folder");
  options.https = rehearsal::ListenAt{address, 443};
  options.smtp = rehearsal::ListenAt{address, 25};
  options.submission = rehearsal::ListenAt{address, 587};
  options.imap = rehearsal::ListenAt{address, 143};
  options.imaps = rehearsal::ListenAt{address, 993};
  options.pop3 = rehearsal::ListenAt{address, 110};
  options.pop3s = rehearsal::ListenAt{address, 995};
  options.sieve = rehearsal::ListenAt{address, 4190};
  options.tls = net::TlsServerOptions{invocation.value("--certificate"), invocation.value("--key")};
  options.hostname = invocation.value("--hostname");
  options.admin_user = invocation.value("--admin");
  options.admin_password = std::string(trim(*password));
  auto target = rehearsal::EmbeddedTarget::start(std::move(options));
  if (!target) return print_error(target.error());
  print_words(fmt::format(
      "the embedded target listens on {}: a stand-in for rehearsals, not a mail server\n",
      address));
  step::StopSignal stop;
  const StopOnSignal signals(stop);
  while (!stop.is_requested()) net::system_clock().sleep_for(kStopPoll);
  (*target)->stop();
  return ExitCode::done;
}

}  // namespace plan::command
