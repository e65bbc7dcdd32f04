#include "runtime/dump/move/server_program.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "compiler/ir/digest.h"
#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/dump/frame_reader.h"
#include "runtime/dump/move/errors.h"
#include "runtime/dump/move/service.h"
#include "runtime/dump/subspace.h"

namespace plan::dump {
namespace {

constexpr std::chrono::hours kTransferTime{72};
constexpr std::size_t kConfigBytesMax = std::size_t{1} << 20U;
// Names and references: some hundred bytes for each account.
constexpr std::size_t kRegistryKeysBytesMax = std::size_t{1} << 30U;
constexpr std::string_view kNodeLease = "\xff\xff\xff\xff";
constexpr std::string_view kPut = "Putting key: ";

net::Deadline soon() { return net::Deadline::after(std::chrono::seconds(60)); }

Error failed(std::string what, const net::CommandResult& result) {
  return Error(errors::server_program_failed, std::move(what))
      .with_blame(Blame::target)
      .with_effect(Effect::unknown)
      .with_detail(trim(result.errors.empty() ? result.output : result.errors));
}

std::size_t count_of(std::string_view text, std::string_view word) {
  std::size_t count = 0;
  for (std::size_t at = text.find(word); at != std::string_view::npos;
       at = text.find(word, at + word.size()))
    ++count;
  return count;
}

// Hard links: the importer takes regular files only, and takes every one of the folder.
constexpr const char* kStageScript = R"sh(set -e
from=$1 to=$2 user=$3; shift 3
rm -rf -- "$to"
mkdir -- "$to"
for file in "$from"/subspace_?; do
  name=${file##*/}
  for left in "$@"; do [ "$name" = "$left" ] && continue 2; done
  ln -- "$file" "$to/$name" 2>/dev/null || cp -- "$file" "$to/$name"
done
[ -z "$user" ] || chown -R -- "$user:" "$to"
)sh";

/// A file of the other machine, here for as long as it is read.
class FetchedFile {
 public:
  explicit FetchedFile(std::string_view bytes) {
    std::string pattern = (std::filesystem::temp_directory_path() / "plan-keys-XXXXXX").string();
    const int file = mkstemp(pattern.data());
    if (file < 0) return;
    close(file);
    path_ = pattern;
    std::ofstream(path_, std::ios::binary) << bytes;
  }
  ~FetchedFile() {
    std::error_code code;
    if (!path_.empty()) std::filesystem::remove(path_, code);
  }
  FetchedFile(const FetchedFile&) = delete;
  FetchedFile& operator=(const FetchedFile&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace

Result<net::CommandResult> ServerProgram::run(const std::vector<std::string>& variables,
                                              const std::vector<std::string>& arguments,
                                              const std::string& shared_folder,
                                              const std::string& input) {
  std::vector<std::string> command;
  if (!block_.container.empty()) {
    PLAN_TRY(image, run_there(host_, {"docker", "inspect", "--format", "{{.Config.Image}}",
                                      block_.container}));
    command = {"docker",         "run",          "--rm", "-i", "--volumes-from",
               block_.container, "--entrypoint", "env"};
    if (!shared_folder.empty()) {
      const std::string outer = shared_folder.substr(0, shared_folder.rfind('/'));
      command.insert(command.end(), {"-v", fmt::format("{0}:{0}", outer)});
    }
    command.emplace_back(trim(image));
  } else {
    if (!block_.user.empty()) command = {"runuser", "-u", block_.user, "--"};
    command.emplace_back("env");
  }
  command.insert(command.end(), {"-u", "CONFIG_PATH", "-u", "EXPORT_TYPES"});
  command.insert(command.end(), variables.begin(), variables.end());
  command.push_back(block_.binary);
  command.insert(command.end(), arguments.begin(), arguments.end());
  net::CommandOptions options;
  options.input = input;
  return host_.run(command, net::Deadline::after(kTransferTime), options);
}

Result<std::string> ServerProgram::version() {
  PLAN_TRY(result, run({}, {"--version"}, {}, {}));
  std::string text(trim(result.output));
  // Some builds say their name in front.
  if (const std::size_t space = text.rfind(' '); space != std::string::npos)
    text = text.substr(space + 1);
  if (text.starts_with("v")) text.erase(0, 1);
  if (result.exit_code != 0 || text.empty())
    return failed(fmt::format("{} does not say its version", block_.binary), result);
  return printable(text, 40);
}

Outcome ServerProgram::check_config(const std::string& config) {
  const auto wrong = [&](std::string_view why) -> Outcome {
    return Error(errors::server_config_wrong,
                 fmt::format("{} on {}: {}", config, host_.name(), why))
        .with_blame(Blame::target);
  };
  PLAN_TRY(is_there, host_.exists(config, soon()));
  if (!is_there) return wrong("there is no such file");
  PLAN_TRY(text, host_.read_file(config, kConfigBytesMax, soon()));
  if (config.ends_with(".toml")) return text.empty() ? wrong("it is empty") : Outcome();
  const auto value = ir::parse_json(text);
  if (!value || !(*value)["@type"].is_string())
    return wrong("it is no JSON that names the type of a store");
  return {};
}

Outcome ServerProgram::export_store(const std::string& folder,
                                    const std::vector<std::string>& families) {
  PLAN_TRY_VOID(check_config(block_.config));
  PLAN_TRY_VOID(run_there(host_, {"sh", "-c",
                                  "set -e; rm -rf -- \"$1\"; mkdir -p -- \"$1\"; [ -z \"$2\" ] || "
                                  "chown -- \"$2:\" \"$1\"",
                                  "sh", folder, block_.user}));
  std::vector<std::string> variables;
  if (!families.empty()) {
    std::string list;
    for (const std::string& family : families) list += (list.empty() ? "" : ",") + family;
    variables.push_back("EXPORT_TYPES=" + list);
  }
  PLAN_TRY(result, run(variables, {"--config", block_.config, "--export", folder}, folder, {}));
  if (result.exit_code != 0)
    return failed(fmt::format("the server's export ended with {}", result.exit_code), result);
  return {};
}

Outcome ServerProgram::import_store(const std::string& config, const std::string& folder,
                                    bool leaves_blobs) {
  PLAN_TRY_VOID(check_config(config));
  const std::string stage = folder + ".import";
  std::vector<std::string> staging = {"sh", "-c", kStageScript, "sh", folder, stage, block_.user};
  staging.push_back(file_name_of('g'));
  if (leaves_blobs) staging.push_back(file_name_of('t'));
  PLAN_TRY_VOID(run_there(host_, staging));
  PLAN_TRY(result, run({}, {"--config", config, "--import", stage}, stage, {}));
  PLAN_TRY_VOID(run_there(host_, {"rm", "-rf", "--", stage}));
  if (result.exit_code != 0)
    return failed(fmt::format("the server's import ended with {}", result.exit_code), result);
  if (result.errors.find("bootstrap mode") != std::string::npos ||
      result.output.find("bootstrap mode") != std::string::npos) {
    return failed(
        "the server imported into memory and threw it away: it did not find its "
        "configuration",
        result);
  }
  return {};
}

Result<std::uint64_t> ServerProgram::put_registry_keys(const std::string& config,
                                                       const std::string& folder) {
  const std::string path = fmt::format("{}/{}", folder, file_name_of('g'));
  PLAN_TRY(is_there, host_.exists(path, soon()));
  if (!is_there) return std::uint64_t{0};
  PLAN_TRY(bytes, host_.read_file(path, kRegistryKeysBytesMax,
                                  net::Deadline::after(std::chrono::minutes(30))));
  const FetchedFile file(bytes);
  PLAN_TRY(reader, FrameReader::open(file.path()));
  // Up to 0.15 the letter was another thing; the console is for the registry of 0.16.
  if (!reader->header() || reader->header()->schema != kSchema16) return std::uint64_t{0};
  std::string lines;
  std::uint64_t count = 0;
  while (true) {
    PLAN_TRY(record, reader->next_record());
    if (!record) break;
    // A node writes its own lease anew; that of the old host must not come along.
    if (record->key.starts_with(kNodeLease)) continue;
    lines += "put base64:" + ir::to_base64("g" + std::string(record->key));
    if (!record->value.empty()) lines += " base64:" + ir::to_base64(record->value);
    lines += '\n';
    ++count;
  }
  if (count == 0) return count;
  lines += "exit\n";  // at the end of its input the console would go round for ever
  PLAN_TRY(result, run({}, {"--config", config, "--console"}, folder, lines));
  const std::size_t put = count_of(result.output, kPut) + count_of(result.errors, kPut);
  const bool has_failed = result.output.find("Failed to insert key") != std::string::npos ||
                          result.errors.find("Failed to insert key") != std::string::npos;
  if (result.exit_code != 0 || put != count || has_failed) {
    return failed(fmt::format("the console took {} of {} rows of the registry's keys", put, count),
                  result);
  }
  return count;
}

}  // namespace plan::dump
