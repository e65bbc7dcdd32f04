#include "runtime/server/source/source.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/server/dovecot/deny_file.h"
#include "runtime/server/postfix/postfix_queue.h"
#include "runtime/server/postfix/transport_map.h"
#include "runtime/server/source/errors.h"
#include "runtime/server/source/limits.h"
#include "runtime/step/errors.h"

namespace plan::server::source {
namespace {

void take_text(const ir::Value& value, std::string& text) {
  if (value.is_string() && !value.as_string().empty()) text = value.as_string();
}

/// Null without a name.
std::unique_ptr<net::Host> container_of(net::Host& machine, const std::string& name) {
  return name.empty() ? nullptr : net::container_host(machine, name);
}

void take_service(const ir::Value& value, Service& service) {
  const std::int64_t port = value["port"].integer_or(service.port);
  if (port > 0 && port <= 65535) service.port = static_cast<std::uint16_t>(port);
  if (const auto security = net::imap::security_by_name(value["security"].string_or({})))
    service.security = *security;
}

}  // namespace

std::string_view kind_of(const ir::Value& source_block) {
  return source_block["kind"].string_or(kDovecotPostfix);
}

std::string Block::master_login(std::string_view account) const {
  return fmt::format("{}{}{}", account, master_separator, master_name);
}

net::imap::Endpoint Block::endpoint(const Service& service) const {
  net::imap::Endpoint endpoint;
  endpoint.host = address;
  endpoint.port = service.port;
  endpoint.security = service.security;
  endpoint.tls.server_name = address;
  endpoint.tls.pinned_sha256_hex = certificate_sha256;
  return endpoint;
}

Result<Block> read_block(const ir::Value& value) {
  Block block;
  PLAN_TRY(address, text_argument(value, "address"));
  block.address = std::move(address);
  block.host = value["host"];
  take_service(value["imap"], block.imap);
  take_service(value["sieve"], block.sieve);
  take_service(value["smtp"], block.smtp);
  take_service(value["submission"], block.submission);
  take_text(value["certificate_sha256"], block.certificate_sha256);
  take_text(value["master_user"]["name"], block.master_name);
  take_text(value["master_user"]["separator"], block.master_separator);
  if (kind_of(value) == kOldStalwart) {
    block.master_separator = "%";  // the one that it knows
    block.shared_prefix = kSharedFolders;
  }
  block.master_password = value["master_user"]["password"];
  const ir::Value& dovecot = value["dovecot"];
  take_text(dovecot["container"], block.dovecot_container);
  take_text(dovecot["config"], block.dovecot_config);
  take_text(dovecot["users_file"], block.users_file);
  take_text(dovecot["deny_file"], block.deny_file);
  if (dovecot["doveadm"].size() > 0) {
    block.doveadm.clear();
    for (const ir::Value& word : dovecot["doveadm"].items())
      block.doveadm.emplace_back(word.string_or({}));
  }
  const ir::Value& postfix = value["postfix"];
  take_text(postfix["container"], block.postfix_container);
  take_text(postfix["config_directory"], block.postfix_directory);
  take_text(postfix["transport_map"], block.transport_map);
  take_text(postfix["command_directory"], block.postfix_commands);
  take_text(value["lease_file"], block.lease_file);
  for (const ir::Value& word : value["export"]["command"].items())
    block.export_command.emplace_back(word.string_or({}));
  take_text(value["export"]["aliases"], block.alias_export);
  return block;
}

// Only what decides about logins reads the configuration again. `doveadm reload` would end every
// process of Dovecot, with `shutdown_clients` (its default) also an lmtp process in the middle of a
// delivery: that one says `421 Shutting down` after it has kept the message, and Postfix delivers
// the message a second time. First the config process, so that the new auth process reads the new
// file. An lmtp process that waits for work (SIGINT ends no other) holds a connection to the old
// auth process, which would cost its next message a temporary refusal.
constexpr const char* kRenewAuthScript = R"sh(set -e
tab=$(printf '\t')
find_processes() {
  service=$1; shift
  turns=0
  while :; do
    found= starting=
    rows=$("$@" -f tab process status "$service")
    while IFS=$tab read -r name pid available clients idle updated rest; do
      if [ "$name" != "$service" ]; then continue; fi
      found="$found $pid"
      if [ "$updated" = 0 ]; then starting=$pid; fi
    done <<END
$rows
END
    if [ -z "$starting" ]; then return 0; fi
    turns=$((turns + 1))
    if [ "$turns" -gt 100 ]; then echo "process $starting of Dovecot's $service does not come up" >&2; exit 1; fi
    sleep 0.1
  done
}
tell() {
  signal=$1 program=$2
  for pid in $found; do
    is=$(cat "/proc/$pid/comm" 2>/dev/null) || continue
    if [ "$is" != "$program" ]; then
      echo "process $pid is $is here, for doveadm it is Dovecot's $program: does Dovecot run in a container (source.dovecot.container)?" >&2
      exit 1
    fi
    kill -s "$signal" "$pid" 2>/dev/null || :
  done
}
wait_until_gone() {
  turns=0
  for pid in $found; do
    while [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$1" ]; do
      turns=$((turns + 1))
      if [ "$turns" -gt 200 ]; then echo "process $pid of Dovecot's $1 does not end" >&2; exit 1; fi
      sleep 0.05
    done
  done
}
find_processes config "$@"; tell TERM config; wait_until_gone config
find_processes lmtp "$@"; deliver=$found; tell INT lmtp
find_processes auth "$@"; auth=$found; find_processes auth-worker "$@"; found="$auth $found"
tell TERM auth; wait_until_gone auth
found=$deliver; tell INT lmtp)sh";

Source::Source(Block block, net::Host& machine, net::Clock& clock)
    : block_(std::move(block)),
      machine_(machine),
      dovecot_(container_of(machine, block_.dovecot_container)),
      postfix_(container_of(machine, block_.postfix_container)),
      clock_(clock),
      exports_(
          [this](std::vector<ExportRequest*>&) -> Outcome {
            PLAN_TRY_VOID(run(Place::machine, block_.export_command)
                              .while_doing("exporting the source's accounts"));
            return {};
          },
          std::chrono::milliseconds(0), clock),
      queue_(std::make_unique<postfix::Queue>(*this)) {}

Source::~Source() = default;

net::Host& Source::host(Place place) {
  if (place == Place::dovecot && dovecot_ != nullptr) return *dovecot_;
  if (place == Place::postfix && postfix_ != nullptr) return *postfix_;
  return machine_;
}

Result<std::string> Source::run(Place place, const std::vector<std::string>& arguments,
                                const net::CommandOptions& options) {
  net::Host& where = host(place);
  PLAN_TRY(result, where.run(arguments, net::Deadline::after(kCommandTime), options));
  if (result.exit_code == 0) return std::move(result.output);
  // In a script of ours the shell is not what failed.
  const bool is_script = arguments.size() > 1 && arguments[0] == "sh" && arguments[1] == "-c";
  return Error(errors::source_command_failed,
               fmt::format("{} on {} ended with exit code {}",
                           is_script ? "a shell script" : fmt::format("`{}`", arguments.front()),
                           where.name(), result.exit_code))
      .with_blame(Blame::source)
      .with_retry_after(std::chrono::seconds(2))
      .with_detail(trim(result.errors.empty() ? result.output : result.errors));
}

std::vector<std::string> Source::postfix(std::string_view program,
                                         std::vector<std::string> arguments) const {
  const std::string& folder = block_.postfix_commands;
  std::vector<std::string> all = {
      folder.empty() ? std::string(program) : fmt::format("{}/{}", folder, program), "-c",
      block_.postfix_directory};
  all.insert(all.end(), std::make_move_iterator(arguments.begin()),
             std::make_move_iterator(arguments.end()));
  return all;
}

std::vector<std::string> Source::doveadm(std::vector<std::string> arguments) const {
  std::vector<std::string> all = block_.doveadm;
  all.insert(all.end(), std::make_move_iterator(arguments.begin()),
             std::make_move_iterator(arguments.end()));
  return all;
}

Result<std::string> Source::postconf(std::string_view name) {
  PLAN_TRY(text, run(Place::postfix, postfix("postconf", {"-h", std::string(name)})));
  return std::string(trim(text));
}

Result<std::string> Source::postconf_expanded(std::string_view name) {
  PLAN_TRY(text, run(Place::postfix, postfix("postconf", {"-x", "-h", std::string(name)})));
  return std::string(trim(text));
}

Result<std::string> Source::doveconf(std::string_view name) {
  PLAN_TRY(text,
           run(Place::dovecot, {"doveconf", "-c", block_.dovecot_config, "-h", std::string(name)}));
  return std::string(trim(text));
}

Outcome Source::refresh_export() {
  if (block_.export_command.empty()) return {};
  ExportRequest request;
  return exports_.submit(request);
}

Result<std::int64_t> Source::seconds() {
  PLAN_TRY(text, run(Place::machine, {"date", "+%s"}));
  return read_seconds(text);
}

Outcome Source::renew_logins() {
  std::vector<std::string> script = {"sh", "-c", kRenewAuthScript, "sh"};
  for (std::string& word : doveadm({})) script.push_back(std::move(word));
  PLAN_TRY_VOID(run(Place::dovecot, script).while_doing("starting Dovecot's auth process anew"));
  PLAN_TRY_VOID(run(Place::postfix, postfix("postfix", {"reload"})));
  return {};
}

postfix::TransportMap& Source::transport_map(const std::string& path) {
  const std::lock_guard lock(mutex_);
  std::unique_ptr<postfix::TransportMap>& map = maps_[path];
  if (map == nullptr) map = std::make_unique<postfix::TransportMap>(*this, path);
  return *map;
}

dovecot::DenyFile& Source::deny_file(const std::string& path) {
  const std::lock_guard lock(mutex_);
  std::unique_ptr<dovecot::DenyFile>& file = deny_files_[path];
  if (file == nullptr) file = std::make_unique<dovecot::DenyFile>(*this, path);
  return *file;
}

void SourcePool::put(const ir::Value& source_block, std::shared_ptr<Source> source) {
  const std::lock_guard lock(mutex_);
  sources_[ir::canonical_json(source_block)] = std::move(source);
}

Result<std::shared_ptr<Source>> SourcePool::open(const ir::Value& source_block) {
  const std::string key = ir::canonical_json(source_block);
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = sources_.find(key); found != sources_.end()) return found->second;
  }
  PLAN_TRY(block, read_block(source_block));
  PLAN_TRY(host, hosts_->open(source_block["host"], net::Deadline::after(kCommandTime)));
  const std::lock_guard lock(mutex_);
  std::shared_ptr<Source>& source = sources_[key];
  if (source == nullptr) source = std::make_shared<Source>(std::move(block), *host, clock_);
  return source;
}

Result<std::int64_t> read_seconds(std::string_view text) {
  const std::string_view digits = trim(text);
  std::int64_t seconds = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), seconds);
  if (read.ec != std::errc() || read.ptr != digits.data() + digits.size() || seconds <= 0) {
    return Error(errors::source_command_failed, "`date +%s` on the source printed no seconds")
        .with_blame(Blame::source)
        .with_detail(text);
  }
  return seconds;
}

Result<std::string> text_argument(const ir::Value& arguments, std::string_view name) {
  const ir::Value& value = arguments[name];
  if (value.is_string() && !value.as_string().empty()) return value.as_string();
  return Error(step::errors::argument_missing, fmt::format("argument `{}` is missing", name))
      .with_blame(Blame::plan)
      .with_argument(std::string(name));
}

std::vector<std::string> names_of_account(const ir::Value& arguments) {
  std::vector<std::string> names;
  const auto add = [&](const ir::Value& value) {
    std::string name = lower_ascii(value.string_or({}));
    if (!name.empty() && std::find(names.begin(), names.end(), name) == names.end())
      names.push_back(std::move(name));
  };
  add(arguments["account"]);
  for (const ir::Value& name : arguments["addresses"].items()) add(name);
  for (const ir::Value& name : arguments["aliases"].items()) add(name);
  return names;
}

}  // namespace plan::server::source
