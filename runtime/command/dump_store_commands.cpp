#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <optional>

#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/command/commands.h"
#include "runtime/command/console.h"
#include "runtime/command/dump_commands.h"
#include "runtime/command/errors.h"
#include "runtime/command/stop_on_signal.h"
#include "runtime/dump/store/export_store.h"
#include "runtime/dump/store/import_store.h"
#include "runtime/dump/store/store_look.h"
#include "runtime/secret/secret_store.h"
#include "runtime/step/errors.h"

namespace plan::command {
namespace {

using ir::Value;

constexpr int kStderr = 2;

std::uint64_t number_of(const Value& value) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, value.integer_or(0)));
}

Result<std::vector<std::uint16_t>> ports_of(const Invocation& invocation) {
  std::vector<std::uint16_t> ports;
  for (const std::string& text : listed(invocation.all("--port"))) {
    std::uint16_t port = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (code != std::errc() || end != text.data() + text.size() || port == 0) {
      return Error(errors::bad_option,
                   fmt::format("--port is a number of 1 to 65535, not `{}`", printable(text, 60)))
          .with_argument("--port");
    }
    ports.push_back(port);
  }
  return ports;
}

/// The first line of standard input: how another `plan` hands a password over SSH.
Result<secret::Secret> password_of_input() {
  std::string line;
  std::array<char, 4096> room{};
  if (std::fgets(room.data(), static_cast<int>(room.size()), stdin) != nullptr) line = room.data();
  std::fill(room.begin(), room.end(), '\0');
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.pop_back();
  if (line.empty())
    return Error(errors::bad_option, "--password-file - wants the password as standard input");
  return secret::Secret(std::move(line));
}

Result<dump::StoreAddress> address_of(const Invocation& invocation, std::string_view name) {
  PLAN_TRY(address, dump::parse_store_address(invocation.value(name)));
  if (const std::string file = invocation.value("--password-file"); file == "-") {
    PLAN_TRY(password, password_of_input());
    address.password = std::move(password);
  } else if (!file.empty()) {
    secret::SecretStore secrets(secret::SecretStoreOptions{.plan_directory = "."});
    PLAN_TRY(password, secrets.read({.provider = "file", .name = file}));
    address.password = std::move(password);
  } else if (const char* variable = std::getenv("PLAN_STORE_PASSWORD"); variable != nullptr) {
    address.password = secret::Secret(variable);
  }
  address.rocksdb_library = invocation.value("--rocksdb-library");
  address.blob_folder = invocation.value("--blobs");
  address.blob_depth = static_cast<unsigned>(invocation.number("--blob-depth"));
  return std::move(address);
}

/// The line that is written over on a terminal; the transfer calls it from several threads, under
/// its own lock.
std::function<void(const dump::TransferProgress&)> shown_progress() {
  static constexpr std::chrono::milliseconds kBetween{200};
  if (!is_terminal(kStderr)) return {};
  return
      [last = std::chrono::steady_clock::time_point{}](const dump::TransferProgress& now) mutable {
        const auto time = std::chrono::steady_clock::now();
        if (time - last < kBetween) return;
        last = time;
        print_words(fmt::format("\r\x1b[K{}: {}, {} records", now.letter, show_bytes(now.bytes),
                                show_count(now.records)));
      };
}

std::string transfer_text(const Value& report) {
  std::string text;
  for (const Value& file : report["files"].items()) {
    text += fmt::format("{:<3} {:>12} records", file["letter"].string_or(""),
                        show_count(number_of(file["records"])));
    if (number_of(file["resumed_at"]) > 0) {
      text +=
          fmt::format("  ({} were there from before)", show_count(number_of(file["resumed_at"])));
    }
    text += '\n';
  }
  text += fmt::format("{} records, {} in {}\n", show_count(number_of(report["records"])),
                      show_bytes(number_of(report["bytes"])),
                      show_duration_ms(number_of(report["milliseconds"])));
  for (const Value& fault : report["blob_faults"].items()) {
    text += fmt::format("blob {}\n", shown(fault));
  }
  if (number_of(report["blobs_missing"]) > 0) {
    text += fmt::format(
        "{} blobs are linked but not in the store; the server's own export leaves "
        "them out too\n",
        show_count(number_of(report["blobs_missing"])));
  }
  for (const Value& note : report["notes"].items()) {
    text += fmt::format("note: {}\n", shown(note));
  }
  if (report["manifest"].is_string()) {
    text += fmt::format("manifest: {}\n", shown(report["manifest"]));
  }
  return text;
}

template <class Report>
ExitCode show_transfer(const Result<Report>& report, std::string_view format,
                       std::chrono::steady_clock::time_point begun) {
  end_dump_progress();
  if (!report) {
    const ExitCode code = print_error(report.error(), format);
    return report.error().is(step::errors::stopped) ? ExitCode::stopped : code;
  }
  Value value = dump::to_value(*report);
  value.set("milliseconds", std::int64_t{std::chrono::duration_cast<std::chrono::milliseconds>(
                                             std::chrono::steady_clock::now() - begun)
                                             .count()});
  return show_dump(Result<Value>(std::move(value)), format, transfer_text);
}

}  // namespace

ExitCode run_dump_export(const Invocation& invocation) {
  const std::string format = invocation.value("--format");
  const auto address = address_of(invocation, "store");
  if (!address) return print_error(address.error(), format);
  const auto ports = ports_of(invocation);
  if (!ports) return print_error(ports.error(), format);
  step::StopSignal stop;
  const StopOnSignal on_signal(stop);
  const auto begun = std::chrono::steady_clock::now();
  dump::ExportOptions options;
  options.folder = invocation.value("folder");
  options.subspaces = listed(invocation.all("--subspaces"));
  options.parallel = static_cast<unsigned>(invocation.number("--parallel"));
  options.skips_damaged_blobs = invocation.has("--skip-damaged-blobs");
  options.is_end_marked = invocation.has("--end-marks");
  options.is_checksummed = invocation.has("--checksums");
  options.ports = *ports;
  options.progress = shown_progress();
  options.is_stopped = [&stop] { return stop.is_requested(); };
  return show_transfer(dump::export_store(*address, options), format, begun);
}

std::vector<std::string> listed(const std::vector<std::string>& values) {
  std::vector<std::string> names;
  for (std::string_view text : values) {
    while (true) {
      const std::size_t comma = text.find(',');
      names.emplace_back(text.substr(0, comma));
      if (comma == std::string_view::npos) break;
      text.remove_prefix(comma + 1);
    }
  }
  return names;
}

bool names_store(std::string_view text) {
  for (const std::string_view form :
       {"sqlite:", "rocksdb:", "postgresql://", "mysql://", "config:"}) {
    if (text.starts_with(form)) return true;
  }
  return false;
}

ExitCode inspect_store(const Invocation& invocation) {
  const std::string format = invocation.value("--format");
  const auto address = address_of(invocation, "path");
  if (!address) return print_error(address.error(), format);
  const auto look = dump::look_at_store(*address);
  if (!look) return print_error(look.error(), format);
  return show_dump(Result<Value>(dump::to_value(*look)), format, [](const Value& value) {
    if (!value["is_there"].bool_or(false))
      return fmt::format("{}: there is nothing yet\n", shown(value["store"]));
    const std::string_view filled = value["filled"].string_or("");
    std::string foreign;
    for (const Value& name : value["foreign"].items())
      foreign +=
          fmt::format("no mail server makes `{}`: nothing is imported beside it\n", shown(name));
    return fmt::format("{}: {}, {}, {}\n{}", shown(value["store"]),
                       value["schema"].integer_or(0) == 0
                           ? "no schema version"
                           : fmt::format("schema {}", value["schema"].integer_or(0)),
                       show_bytes(number_of(value["bytes"])),
                       filled.empty() ? "empty" : fmt::format("rows in {}", filled), foreign);
  });
}

namespace {

/// `--compare`, `--take-back` and `--empty` of import: what a plan needs around it.
std::optional<Result<Value>> beside_import(const Invocation& invocation,
                                           const dump::StoreAddress& address) {
  const std::string folder = invocation.value("folder");
  const std::vector<std::string> subspaces = listed(invocation.all("--subspaces"));
  if (invocation.has("--compare")) {
    const Outcome same = dump::compare_with_store(
        address, folder, subspaces, static_cast<unsigned>(invocation.number("--parallel")),
        dump::NodeLeases::ignored);
    if (!same) return Result<Value>(same.error());
    return Result<Value>(Value::map({{"store", address.name()}, {"is_equal", true}}));
  }
  if (invocation.has("--take-back")) {
    const auto back = dump::take_back_import(address, folder, subspaces);
    if (!back) return Result<Value>(back.error());
    return Result<Value>(
        Value::map({{"store", address.name()}, {"is_emptied", *back == dump::TakenBack::emptied}}));
  }
  if (invocation.has("--empty")) {
    if (!invocation.has("--yes")) {
      return Result<Value>(
          Error(errors::bad_option, "--empty takes away whatever the store holds: say --yes too")
              .with_argument("--yes"));
    }
    const Outcome emptied = dump::empty_store(address);
    if (!emptied) return Result<Value>(emptied.error());
    return Result<Value>(Value::map({{"store", address.name()}, {"is_emptied", true}}));
  }
  return std::nullopt;
}

/// What is asked for besides an import excludes the import, the others, and what is for it alone.
Outcome check_use_of_import(const Invocation& invocation) {
  std::string_view beside;
  for (const std::string_view option : {"--compare", "--take-back", "--empty"}) {
    if (!invocation.has(option)) continue;
    if (!beside.empty())
      return Error(errors::bad_option,
                   fmt::format("{} and {} are two things to do: give one of --compare, --take-back "
                               "and --empty",
                               beside, option))
          .with_argument(std::string(option));
    beside = option;
  }
  const auto excluded = [&](std::string_view option) {
    return Error(errors::bad_option, fmt::format("{} says nothing to {}", option, beside))
        .with_argument(std::string(option));
  };
  if (!beside.empty()) {
    for (const std::string_view option :
         {"--compress-blobs", "--without-data", "--second-part", "--port"})
      if (invocation.has(option)) return excluded(option);
  }
  if (beside == "--empty" && invocation.has("--subspaces")) return excluded("--subspaces");
  if (invocation.has("--yes") && beside != "--empty")
    return Error(errors::bad_option, "--yes is for --empty: an import asks nothing")
        .with_argument("--yes");
  return {};
}

std::string beside_text(const Value& value) {
  const std::string store = shown(value["store"]);
  if (value["is_equal"].bool_or(false)) return fmt::format("{} holds what the dump holds\n", store);
  return value["is_emptied"].bool_or(false)
             ? fmt::format("{} is empty\n", store)
             : fmt::format("{} holds something else too and stays as it is\n", store);
}

}  // namespace

ExitCode run_dump_import(const Invocation& invocation) {
  const std::string format = invocation.value("--format");
  if (const Outcome use = check_use_of_import(invocation); !use)
    return print_error(use.error(), format,
                       "`plan dump import --help` has every option and an example");
  auto address = address_of(invocation, "store");
  if (!address) return print_error(address.error(), format);
  const auto ports = ports_of(invocation);
  if (!ports) return print_error(ports.error(), format);
  if (const auto beside = beside_import(invocation, *address)) {
    const bool is_kept = *beside && (**beside)["is_emptied"] == Value(false);
    return show_dump(*beside, format, beside_text,
                     is_kept && format != "json" ? ExitCode::differences : ExitCode::done);
  }
  if (invocation.has("--compress-blobs")) address->blob_compression = dump::BlobCompression::lz4;
  step::StopSignal stop;
  const StopOnSignal on_signal(stop);
  const auto begun = std::chrono::steady_clock::now();
  dump::ImportOptions options;
  options.folder = invocation.value("folder");
  options.subspaces = listed(invocation.all("--subspaces"));
  options.parallel = static_cast<unsigned>(invocation.number("--parallel"));
  options.may_lack_properties = invocation.has("--without-data");
  options.may_add = invocation.has("--second-part");
  options.ports = *ports;
  options.progress = shown_progress();
  options.is_stopped = [&stop] { return stop.is_requested(); };
  return show_transfer(dump::import_store(*address, options), format, begun);
}

}  // namespace plan::command
