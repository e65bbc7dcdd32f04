#include "compiler/source/program_options.h"

#include <algorithm>
#include <array>

namespace plan {
namespace {

using enum SecretPart;
using enum ValuePlace;

constexpr auto kOptions = std::to_array<ProgramOption>({
    {"mysql*", "", "-p", all, same_word},
    {"mariadb*", "", "-p", all, same_word},
    {"ldap*", "", "-w", all, either},
    {"ldappasswd", "", "-a", all, either},
    {"ldappasswd", "", "-s", all, either},
    {"sshpass", "", "-p", all, either},
    {"smb*", "", "-U", behind_percent, either},
    {"smb*", "", "--user", behind_percent, either},
    {"samba-tool", "", "-U", behind_percent, either},
    {"samba-tool", "", "--user", behind_percent, either},
    {"samba-tool", "", "--username", behind_percent, either},
    {"rpcclient", "", "-U", behind_percent, either},
    {"rpcclient", "", "--user", behind_percent, either},
    {"net", "", "-U", behind_percent, either},
    {"net", "", "--user", behind_percent, either},
    {"wbinfo", "", "-a", behind_percent, either},
    {"wbinfo", "", "--authenticate", behind_percent, either},
    {"nsupdate", "", "-y", behind_last_colon, either},
    {"dig", "", "-y", behind_last_colon, either},
    {"redis-cli", "", "-a", all, next_word},
    {"valkey-cli", "", "-a", all, next_word},
    {"mongo*", "", "-p", all, either},
    {"mosquitto_*", "", "-P", all, either},
    {"ipmitool", "", "-P", all, either},
    {"sqlcmd", "", "-P", all, either},
    {"snmp*", "", "-A", all, either},
    {"snmp*", "", "-X", all, either},
    {"lftp", "", "-u", behind_comma, either},
    {"curl", "", "-U", behind_colon, either},
    {"curl", "", "-E", behind_file, either},
    {"curl", "", "--cert", behind_file, either},
    {"curl", "", "--proxy-header", behind_header, either},
    {"http", "", "-a", login_or_token, either},
    {"http", "", "--auth", login_or_token, either},
    {"https", "", "-a", login_or_token, either},
    {"https", "", "--auth", login_or_token, either},
    {"xh", "", "-a", login_or_token, either},
    {"xh", "", "--auth", login_or_token, either},
    {"xhs", "", "-a", login_or_token, either},
    {"xhs", "", "--auth", login_or_token, either},
    {"stalwart-cli", "", "-c", login_or_token, either},
    {"stalwart-cli", "", "--credentials", login_or_token, either},
    {"swaks", "", "-ap", all, next_word},
    {"doveadm", "pw", "-p", all, either},
    {"docker", "login", "-p", all, either},
    {"podman", "login", "-p", all, either},
    {"useradd", "", "-p", all, next_word},
    {"usermod", "", "-p", all, next_word},
    {"openssl", "", "-passin", behind_pass, next_word},
    {"openssl", "", "-passout", behind_pass, next_word},
    {"openssl", "", "-pass", behind_pass, next_word},
    {"openssl", "enc", "-k", all, next_word},
    {"openssl", "enc", "-K", all, next_word},
    {"7z*", "", "-p", all, same_word},
    {"zip", "", "-P", all, either},
    {"unzip", "", "-P", all, either},
});

constexpr auto kWords = std::to_array<ProgramWord>({
    {"doveadm", "auth test", 1},
    {"doveadm", "auth login", 1},
    {"samba-tool", "user create", 1},
    {"samba-tool", "user add", 1},
});

constexpr auto kWebClients =
    std::to_array<std::string_view>({"curl", "wget", "http", "https", "xh", "xhs"});
constexpr auto kHeaderWords = std::to_array<std::string_view>({"http", "https", "xh", "xhs"});
constexpr auto kWithGroups =
    std::to_array<std::string_view>({"docker", "docker-compose", "podman", "nerdctl", "sudo",
                                     "doas", "su", "chpst", "systemd-run", "runuser"});
constexpr auto kSql =
    std::to_array<std::string_view>({"mysql", "mariadb", "psql", "sqlcmd", "sqlite3"});
// With a `--password` that asks for it, or with options of these letters that are no secrets.
constexpr auto kOthers = std::to_array<std::string_view>(
    {"psql", "pg_*", "createdb", "ssh", "scp", "sftp", "rsync", "aws"});

constexpr auto kAlsoWords = std::to_array<std::string_view>({"http", "https", "net"});
constexpr auto kRunners = std::to_array<ProgramRunner>({
    {"sudo", "ughpCrtTUDR"},
    {"doas", "uC"},
    {"runuser", "ugG"},
    {"chpst", "uUebmdopfcrtn"},
    {"env", "uCS"},
    {"nice", "n"},
    {"ionice", "cn"},
    {"chrt", "TPD"},
    {"timeout", "sk"},
    {"xargs", "nPILdEas"},
    {"stdbuf", "ioe"},
    {"flock", "wE"},
    {"time", "fo"},
    {"exec", "a"},
    {"nohup", ""},
    {"setsid", ""},
    {"command", ""},
    {"systemd-run", "pEuMGH"},
});

template <class List>
bool has(const List& list, std::string_view name) {
  return std::any_of(list.begin(), list.end(),
                     [&](std::string_view entry) { return is_program(name, entry); });
}

template <class List>
bool is_in_table(const List& table, std::string_view name) {
  return std::any_of(table.begin(), table.end(),
                     [&](const auto& entry) { return is_program(name, entry.program); });
}

}  // namespace

std::span<const ProgramOption> program_options() { return kOptions; }
std::span<const ProgramWord> program_words() { return kWords; }

bool is_program(std::string_view name, std::string_view entry) {
  if (!entry.ends_with('*')) return name == entry;
  entry.remove_suffix(1);
  return name.starts_with(entry);
}

bool is_known_program(std::string_view name) {
  return is_in_table(kOptions, name) || is_in_table(kWords, name) || has(kWebClients, name) ||
         has(kWithGroups, name) || has(kSql, name) || has(kOthers, name);
}

bool is_also_a_word(std::string_view name) { return has(kAlsoWords, name); }

const ProgramRunner* program_runner(std::string_view name) {
  const auto* found = std::find_if(kRunners.begin(), kRunners.end(),
                                   [&](const ProgramRunner& one) { return one.program == name; });
  return found == kRunners.end() ? nullptr : found;
}

bool is_web_client(std::string_view program) { return has(kWebClients, program); }
bool takes_header_words(std::string_view program) { return has(kHeaderWords, program); }
bool takes_group(std::string_view program) { return has(kWithGroups, program); }
bool takes_sql(std::string_view program) { return has(kSql, program); }

}  // namespace plan
