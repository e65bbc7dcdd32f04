#include "runtime/command/console.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>

#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/command/errors.h"
#include "runtime/command/metrics_server.h"
#include "runtime/report/sinks.h"
#include "runtime/step/step_driver.h"

namespace plan::command {

namespace {

constexpr int kLookForStopMs = 100;
// What the renderings of texts can be laid out in.
constexpr std::size_t kTextColumnsMin = 40;

// The first failure of a write to stdout; 0 while there is none. Results come from several threads.
std::atomic<int> result_errno{0};

}  // namespace

void print_result(std::string_view text) {
  if (text.empty()) return;
  errno = 0;
  const bool is_written =
      std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
  int none = 0;
  if (!is_written) result_errno.compare_exchange_strong(none, errno == 0 ? EIO : errno);
}

ExitCode after_results(ExitCode exit_code) {
  const int number = result_errno.load();
  // Who reads through `head` has what he wants.
  if (number == 0 || number == EPIPE) return exit_code;
  print_words(fmt::format("error: stdout cannot be written: {} [{}]\n", std::strerror(number),
                          errors::file_unwritable.name));
  const bool has_another_meaning =
      exit_code == ExitCode::error || exit_code == ExitCode::stopped || exit_code == ExitCode::bug;
  return has_another_meaning ? exit_code : ExitCode::error;
}

void print_words(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

ExitCode print_error(const Error& error, std::string_view format, std::string_view remedy) {
  if (remedy.empty()) remedy = error.code().remedy;
  if (format == "json" || format == "ndjson") {
    ir::List context;
    for (const std::string& frame : error.context()) context.emplace_back(frame);
    const ir::Value document =
        ir::Value::map({{"format", 1},
                        {"error", ir::Value::map({{"code", error.code().name},
                                                  {"message", error.message()},
                                                  {"detail", error.detail()},
                                                  {"argument", error.argument()},
                                                  {"context", std::move(context)},
                                                  {"effect", to_string(error.effect())},
                                                  {"blame", to_string(error.blame())},
                                                  {"remedy", remedy}})}});
    print_result(ir::write_json(document, format == "json" ? 2 : 0) + "\n");
    return ExitCode::error;
  }
  print_words(fmt::format("error: {}\n", error.to_line()));
  if (!remedy.empty()) print_words(fmt::format("  help: {}\n", remedy));
  return ExitCode::error;
}

namespace {

void add_lines(std::string& text, const ir::Value& value, std::size_t depth);

void add_member(std::string& text, std::string_view name, const ir::Value& value,
                std::size_t depth) {
  const bool is_whole = (value.is_map() || value.is_list()) && value.size() != 0;
  text += std::string(depth * 2, ' ');
  text += name;
  if (is_whole) {
    text += '\n';
    add_lines(text, value, depth + 1);
  } else {
    text += fmt::format(" {}\n",
                        value.is_string() ? printable(value.as_string()) : ir::write_json(value));
  }
}

void add_lines(std::string& text, const ir::Value& value, std::size_t depth) {
  if (value.is_map()) {
    for (const auto& [name, member] : value.members())
      add_member(text, printable(name, 200) + ":", member, depth);
  } else if (value.is_list()) {
    for (const ir::Value& item : value.items()) add_member(text, "-", item, depth);
  } else {
    add_member(text, "", value, depth);
  }
}

}  // namespace

void print_document(const ir::Value& document, std::string_view format) {
  if (format == "json") return print_result(ir::write_json(document, 2) + "\n");
  std::string text;
  add_lines(text, document, 0);
  print_result(text);
}

bool is_terminal(int descriptor) { return isatty(descriptor) == 1; }

bool takes_colour(int descriptor) {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string_view(value == nullptr ? "" : value);
  };
  return is_terminal(descriptor) && variable("NO_COLOR").empty() && variable("TERM") != "dumb";
}

std::size_t terminal_columns() {
  winsize size{};
  for (const int descriptor : {STDERR_FILENO, STDOUT_FILENO}) {
    if (ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  }
  return 120;
}

std::size_t terminal_width_columns() { return std::max(terminal_columns(), kTextColumnsMin); }

bool ask_yes(std::string_view question, const step::StopSignal& stop) {
  if (!is_terminal(STDIN_FILENO)) {
    print_words(
        fmt::format("{}\nno terminal to ask on: give --yes to go on without asking\n", question));
    return false;
  }
  print_words(fmt::format("{} Only `yes` goes on: ", question));
  // Ctrl-C only asks to stop, and a read that waits would not see that.
  pollfd entry{STDIN_FILENO, POLLIN, 0};
  while (poll(&entry, 1, kLookForStopMs) <= 0) {
    if (stop.is_requested()) return false;
  }
  std::string answer;
  if (!std::getline(std::cin, answer)) return false;
  return trim(answer) == "yes";
}

std::string run_format(const Invocation& invocation) {
  const std::string format = invocation.value("--format");
  return format == "json" ? "ndjson" : format;
}

void print_not_begun(std::string_view format, std::string_view reason) {
  print_words(reason == kNobodySaidYes ? "nothing was done\n"
                                       : fmt::format("{}: nothing was done\n", reason));
  if (format == "ndjson")
    print_result(ir::write_json(ir::Value::map({{"event", "run-not-begun"}, {"reason", reason}})) +
                 "\n");
}

struct RunDisplay::State {
  struct File {
    std::FILE* file = nullptr;
    std::unique_ptr<report::EventSink> sink;
  };
  std::vector<File> files;
  std::unique_ptr<report::EventSink> shown;
  std::unique_ptr<report::EventSink> piped;
  std::unique_ptr<MetricsServer> metrics;
  std::unique_ptr<report::FanOut> all;

  bool append_to(const std::string& path) {
    std::FILE* file = std::fopen(path.c_str(), "ae");
    if (file == nullptr) return false;
    files.push_back({file, std::make_unique<report::NdjsonLog>([file](std::string_view text) {
                       std::fwrite(text.data(), 1, text.size(), file);
                       std::fflush(file);
                     })});
    return true;
  }

  void connect() {
    std::vector<report::EventSink*> sinks{shown.get()};
    for (const File& file : files) sinks.push_back(file.sink.get());
    if (piped) sinks.push_back(piped.get());
    if (metrics) sinks.push_back(&metrics->sink());
    all = std::make_unique<report::FanOut>(std::move(sinks));
  }
};

RunDisplay::RunDisplay(std::string_view format, const std::string& event_file)
    : state_(std::make_unique<State>()) {
  if (format == "ndjson") {
    state_->shown = std::make_unique<report::NdjsonLog>(print_result);
  } else if (is_terminal(STDERR_FILENO)) {
    report::TerminalOptions options;
    options.width_now = terminal_columns;
    options.has_colour = takes_colour(STDERR_FILENO);
    state_->shown = std::make_unique<report::TerminalProgress>(print_words, options);
  } else {
    state_->shown = std::make_unique<report::LineLog>(print_words);
  }
  if (!event_file.empty()) static_cast<void>(state_->append_to(event_file));
  state_->connect();
}

Result<std::unique_ptr<RunDisplay>> RunDisplay::open(const Invocation& invocation,
                                                     const std::string& event_file) {
  const std::string format = run_format(invocation);
  auto display = std::make_unique<RunDisplay>(format, event_file);
  const std::string events = invocation.value("--events");
  if (events == "-") {
    if (format == "ndjson")
      return Error(errors::bad_option, "--format json writes the events to stdout already");
    if (!invocation.has("--yes"))
      return Error(errors::bad_option, "--events - needs --yes: stdout has no place to ask from");
    display->state_->piped = std::make_unique<report::NdjsonLog>(print_result);
  } else if (!events.empty() && !display->state_->append_to(events)) {
    return Error(errors::file_unwritable,
                 fmt::format("{}: the events cannot be written", printable(events, 300)));
  }
  if (const std::string address = invocation.value("--metrics"); !address.empty()) {
    PLAN_TRY(server, MetricsServer::start(address));
    display->state_->metrics = std::move(server);
    print_words(fmt::format("metrics at {}\n", display->state_->metrics->url()));
  }
  display->state_->connect();
  return display;
}

RunDisplay::~RunDisplay() {
  for (State::File& file : state_->files) {
    file.sink.reset();
    std::fclose(file.file);
  }
}

report::EventSink& RunDisplay::sink() { return *state_->all; }

}  // namespace plan::command
