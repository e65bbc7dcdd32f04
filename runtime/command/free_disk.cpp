#include "runtime/command/free_disk.h"

#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <charconv>
#include <chrono>

#include "compiler/source/text.h"
#include "runtime/net/host.h"

namespace plan::command {
namespace {

constexpr std::chrono::seconds kLookTime{20};

// The first of the usual folders that is there, else the root: bytes that are free. At the source
// the mail waits in the queue while an account is held: that of Postfix, or in an old Stalwart's
// store.
constexpr const char* kStalwartScript =
    "for d in /var/lib/stalwart /opt/stalwart /var/lib /; do "
    "[ -d \"$d\" ] && exec df -P -B1 -- \"$d\"; done";
constexpr const char* kPostfixScript =
    "for d in /var/spool/postfix /var/spool /var /; do "
    "[ -d \"$d\" ] && exec df -P -B1 -- \"$d\"; done";

/// Whether this machine could answer at the address.
bool is_own_address(const std::string& address) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  if (address.empty() || getaddrinfo(address.c_str(), "0", &hints, &found) != 0) return false;
  bool is_own = false;
  for (const addrinfo* one = found; one != nullptr && !is_own; one = one->ai_next) {
    const int probe = socket(one->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (probe < 0) continue;
    is_own = bind(probe, one->ai_addr, one->ai_addrlen) == 0;
    ::close(probe);
  }
  freeaddrinfo(found);
  return is_own;
}

/// The fourth column of the second line of `df -P -B1`, and the last: where it is mounted.
struct Free {
  std::int64_t bytes = -1;
  std::string mounted;
};
Free read_df(std::string_view output) {
  Free space;
  const std::vector<std::string_view> lines = split(output, '\n');
  if (lines.size() < 2) return space;
  std::vector<std::string_view> words;
  for (const std::string_view word : split(lines[1], ' ')) {
    if (!word.empty()) words.push_back(word);
  }
  if (words.size() < 6) return space;
  std::int64_t bytes = -1;
  const auto [end, failure] =
      std::from_chars(words[3].data(), words[3].data() + words[3].size(), bytes);
  if (failure == std::errc() && end == words[3].data() + words[3].size()) space.bytes = bytes;
  space.mounted = std::string(words[5]);
  return space;
}

/// Of a machine that is reached as `host` says (a map without `ssh` and null: this one).
facts::Measurement of_machine(const std::string& what, const std::string& plan_directory,
                              const ir::Value& host, const char* script) {
  facts::Measurement space{.what = what, .unit = "bytes"};
  const net::Deadline deadline = net::Deadline::after(kLookTime);
  net::HostPool pool(plan_directory);
  auto machine = pool.open(host, deadline);
  if (!machine) {
    space.how = machine.error().to_line();
    return space;
  }
  const auto ran = (*machine)->run({"sh", "-c", script}, deadline, {});
  const Free seen = ran ? read_df(ran->output) : Free();
  if (seen.bytes < 0) {
    space.how = ran ? "df said nothing that can be read: " + printable(trim(ran->errors), 200)
                    : ran.error().to_line();
    return space;
  }
  space.value = seen.bytes;
  space.how = "df of " + printable(seen.mounted, 200);
  return space;
}

/// Of a Stalwart, old or new: plan speaks to it over the network, and its machine is another one
/// unless the plan or its address says something else.
facts::Measurement of_stalwart(const std::string& what, std::string_view which,
                               const std::string& plan_directory, const ir::Value& block) {
  const ir::Value& host = block["host"];
  const bool has_machine = host.is_map() && !host["ssh"].is_null();
  if (!has_machine && !is_own_address(std::string(block["address"].string_or("")))) {
    return {.what = what,
            .unit = "bytes",
            .how = fmt::format(
                "the plan does not say how the {0}'s machine is reached (`hosts: {0}`)", which)};
  }
  return of_machine(what, plan_directory, has_machine ? host : ir::Value(), kStalwartScript);
}

facts::Measurement of_source(const std::string& plan_directory, const ir::Value& source) {
  const std::string what = "disk/source/free";
  // The files of a Dovecot are edited there: without a way to another machine it is this one.
  return source["stalwart"].is_map()
             ? of_stalwart(what, "source", plan_directory, source)
             : of_machine(what, plan_directory, source["host"], kPostfixScript);
}

}  // namespace

std::vector<facts::Measurement> measure_free_disks(const std::string& state_directory,
                                                   const std::string& plan_directory,
                                                   const ir::Value& connections,
                                                   const std::string& when) {
  std::vector<facts::Measurement> measured;
  facts::Measurement local{.what = "disk/local/free", .unit = "bytes", .how = "statvfs of .plan"};
  struct statvfs disk {};
  if (statvfs(state_directory.c_str(), &disk) == 0)
    local.value =
        static_cast<std::int64_t>(disk.f_bavail) * static_cast<std::int64_t>(disk.f_frsize);
  measured.push_back(std::move(local));
  measured.push_back(
      of_stalwart("disk/target/free", "target", plan_directory, connections["target"]));
  measured.push_back(of_source(plan_directory, connections["source"]));
  for (facts::Measurement& one : measured) one.when = when;
  return measured;
}

}  // namespace plan::command
