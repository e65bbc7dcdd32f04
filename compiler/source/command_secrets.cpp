#include "compiler/source/command_secrets.h"

#include <algorithm>
#include <array>
#include <utility>

#include "compiler/source/secret_places.h"
#include "compiler/source/text.h"

namespace plan {
namespace {

constexpr std::size_t kNone = std::string_view::npos;
// Longer names are of no option, variable or header.
constexpr std::size_t kNameMax = 40;
constexpr std::size_t kShortestKey = 8;
constexpr std::size_t kShortestRandom = 16;
constexpr std::size_t kShortestRandomPart = 10;
constexpr std::size_t kShortestBase64 = 32;
constexpr int kDepthMax = 3;

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
bool is_quote(char c) { return c == '"' || c == '\''; }

bool is_of_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

/// `auth-key`, `DNS_KEY`: a key of something. `key` alone is too often a name in a table.
bool is_name_of_key(std::string_view name) {
  const std::size_t cut = name.find_last_of("_-");
  if (cut == kNone || cut == 0 || lower_ascii(name.substr(cut + 1)) != "key") return false;
  const std::string front = lower_ascii(name.substr(0, cut));
  constexpr std::array<std::string_view, 8> kOpen = {"public",  "primary",   "sort",  "host",
                                                     "foreign", "partition", "group", "index"};
  return std::none_of(kOpen.begin(), kOpen.end(),
                      [&](std::string_view open) { return front.ends_with(open); });
}

std::string_view without_dashes(std::string_view name) {
  return name.substr(std::min(name.find_first_not_of('-'), name.size()));
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }

/// Is `value` generated, and no name of words? `example-org-key-2026` has no part that is.
bool looks_random(std::string_view value) {
  if (value.size() < kShortestRandom) return false;
  std::size_t begin = 0;
  while (begin < value.size()) {
    const std::size_t end = std::min(value.find_first_of("-_.:", begin), value.size());
    const std::string_view part = value.substr(begin, end - begin);
    if (part.size() >= kShortestRandomPart && std::any_of(part.begin(), part.end(), is_digit) &&
        std::any_of(part.begin(), part.end(), [](char c) { return is_lower(c) || is_upper(c); }))
      return true;
    begin = end + 1;
  }
  return false;
}

/// `--tsig-key`, `--private-key`, `--secret`: as often the name or the file of one.
bool is_option_of_name(std::string_view option) {
  if (!option.starts_with('-')) return false;
  std::string name = lower_ascii(without_dashes(option));
  std::replace(name.begin(), name.end(), '_', '-');
  if (name == "secret") return true;
  return name.ends_with("-key") && !name.ends_with("api-key") && !name.ends_with("access-key") &&
         !name.ends_with("secret-key");
}

/// `--no-password`, `--ask-become-pass`: no value follows.
bool is_option_of_none(std::string_view option) {
  if (!option.starts_with('-')) return false;
  const std::string name = lower_ascii(without_dashes(option));
  constexpr std::array<std::string_view, 5> kBegins = {"no-", "skip-", "without-", "ask-",
                                                       "prompt-"};
  return std::any_of(kBegins.begin(), kBegins.end(),
                     [&](std::string_view begin) { return name.starts_with(begin); });
}

/// May a secret stand behind `name`, of an option, a variable, a parameter or a header?
bool is_name_of_secret(std::string_view name) {
  if (is_option_of_none(name)) return false;
  name = without_dashes(name);
  if (name.empty() || name.size() > kNameMax) return false;
  const std::string plain = lower_ascii(name);
  return is_secret_name(name) || plain.ends_with("_pass") || plain.ends_with("-pass") ||
         plain.ends_with("authorization") || is_name_of_key(name);
}

/// Does `name`, of an option, a variable, a parameter or a header, say that `value` is a secret?
bool says_secret(std::string_view name, std::string_view value) {
  if (!is_name_of_secret(name)) return false;
  if (is_option_of_name(name)) return looks_random(value);
  const std::string_view bare = without_dashes(name);
  return !is_name_of_key(bare) || is_secret_name(bare) || value.size() >= kShortestKey;
}

/// Where a secret is read, or nothing: no secret in clear.
bool is_elsewhere(std::string_view value) {
  if (!value.empty() && is_quote(value.front())) value.remove_prefix(1);
  if (!value.empty() && is_quote(value.back())) value.remove_suffix(1);
  if (value.empty() || value == "-" || value == "true" || value == "false" ||
      value.starts_with('$') || value.starts_with('`') || value.starts_with("<("))
    return true;
  constexpr std::array<std::string_view, 18> kBegins = {
      "env:",  "file:",  "command:", "fd:",    "./",    "../",   "~/",    "@/",    "/dev/",
      "/etc/", "/home/", "/opt/",    "/root/", "/run/", "/srv/", "/tmp/", "/usr/", "/var/"};
  return std::any_of(kBegins.begin(), kBegins.end(),
                     [&](std::string_view begin) { return value.starts_with(begin); });
}

/// A word that switches something: no secret.
bool is_switch(std::string_view value) {
  constexpr std::array<std::string_view, 8> kSwitches = {"yes", "no",  "true",  "false",
                                                         "on",  "off", "never", "always"};
  const std::string plain = lower_ascii(value.substr(0, kShortestKey));
  return value.size() < kShortestKey &&
         std::find(kSwitches.begin(), kSwitches.end(), plain) != kSwitches.end();
}

/// A key in base64 has slashes as a path does.
bool is_base64(std::string_view value) {
  const auto is_sign = [](char c) {
    return is_lower(c) || is_upper(c) || is_digit(c) || c == '+' || c == '/' || c == '=';
  };
  if (value.starts_with('/') || !std::all_of(value.begin(), value.end(), is_sign)) return false;
  if (value.ends_with('=') || value.find('+') != kNone) return true;
  return value.size() >= kShortestBase64 && std::any_of(value.begin(), value.end(), is_digit) &&
         std::any_of(value.begin(), value.end(), is_lower) &&
         std::any_of(value.begin(), value.end(), is_upper);
}

/// What only a name calls a secret may be a file, `@FILE`, `op://vault/token` or a switch.
bool is_reference(std::string_view value) {
  if (is_elsewhere(value)) return true;
  if (is_quote(value.front())) value.remove_prefix(1);
  if (!value.empty() && is_quote(value.back())) value.remove_suffix(1);
  return value.starts_with('@') || is_switch(value) ||
         (value.find('/') != kNone && !is_base64(value));
}

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == kNone;
}

/// `3306:3306`, `127.0.0.1:80:80`: what `-p` is to programs that start another one.
bool is_port_mapping(std::string_view text) {
  return text.find(':') != kNone && text.find_first_not_of("0123456789:.") == kNone;
}

/// Options of many programs whose word is a name and, behind a colon, its secret.
bool is_user_option(std::string_view option) {
  return option == "-u" || option == "--user" || option == "--proxy-user";
}

/// Is `value`, behind a user option of `program`, a name and its secret, and no user and group?
bool is_login(std::string_view program, std::string_view value) {
  constexpr std::array<std::string_view, 5> kLogins = {"curl", "wget", "http", "https", "xh"};
  constexpr std::array<std::string_view, 10> kGroups = {
      "docker", "docker-compose", "podman",      "nerdctl", "sudo", "doas",
      "su",     "chpst",          "systemd-run", "runuser"};
  if (std::find(kLogins.begin(), kLogins.end(), program) != kLogins.end()) return true;
  if (std::find(kGroups.begin(), kGroups.end(), program) != kGroups.end()) return false;
  const std::size_t colon = value.find(':');
  if (colon == kNone) return false;
  const std::string_view second = value.substr(colon + 1);
  const bool is_like_group = std::all_of(
      second.begin(), second.end(), [](char c) { return is_lower(c) || c == '-' || c == '_'; });
  return second != value.substr(0, colon) && !is_like_group && !is_number(second);
}

/// `psql --password DB`: the program asks for it, a value can only be behind `=`.
bool asks_for_password(std::string_view program, std::string_view option) {
  if (option != "--password") return false;
  constexpr std::array<std::string_view, 5> kBegins = {"psql", "pg_", "createdb", "mysql",
                                                       "mariadb"};
  return std::any_of(kBegins.begin(), kBegins.end(),
                     [&](std::string_view begin) { return program.starts_with(begin); });
}

bool is_header_option(std::string_view option) { return option == "-H" || option == "--header"; }

/// `https://NAME:SECRET@host`
void look_at_urls(std::string_view word, std::vector<SecretOfWord>& found) {
  for (std::size_t at = word.find("://"); at != kNone; at = word.find("://", at + 3)) {
    const std::size_t begin = at + 3;
    const std::size_t end = std::min(word.find_first_of("/?#\"' ", begin), word.size());
    const std::string_view authority = word.substr(begin, end - begin);
    const std::size_t host = authority.rfind('@');
    if (host == kNone) continue;
    const std::size_t colon = authority.substr(0, host).find(':');
    if (colon == kNone || is_elsewhere(authority.substr(colon + 1, host - colon - 1))) continue;
    found.push_back({begin + colon + 1, begin + host});
  }
}

/// `--NAME=SECRET`, `NAME=SECRET`, `?user=a&NAME=SECRET`
void look_at_assignments(std::string_view word, std::vector<SecretOfWord>& found) {
  std::size_t end = 0;
  for (std::size_t at = word.find('='); at != kNone; at = word.find('=', at + 1)) {
    std::size_t begin = at;
    while (begin > 0 && at - begin <= kNameMax && is_of_name(word[begin - 1])) --begin;
    if (end <= at) end = std::min(word.find('&', at), word.size());
    const std::string_view value = word.substr(at + 1, end - at - 1);
    if (!says_secret(word.substr(begin, at - begin), value) || is_reference(value)) continue;
    found.push_back({at + 1, end});
    // What is in a secret is no assignment.
    at = end - 1;
  }
}

}  // namespace

const std::vector<CommandWords::ProgramOption>& CommandWords::program_options() {
  static const std::vector<ProgramOption> kOptions = {
      {"mysql*", "-p", Part::all, false},
      {"mariadb*", "-p", Part::all, false},
      {"ldap*", "-w", Part::all, true},
      {"ldappasswd", "-a", Part::all, true},
      {"ldappasswd", "-s", Part::all, true},
      {"sshpass", "-p", Part::all, true},
      {"smb*", "-U", Part::behind_percent, true},
      {"rpcclient", "-U", Part::behind_percent, true},
      {"net", "-U", Part::behind_percent, true},
      {"nsupdate", "-y", Part::behind_last_colon, true},
      {"dig", "-y", Part::behind_last_colon, true},
      {"redis-cli", "-a", Part::all, true},
      {"mongo*", "-p", Part::all, true},
      {"mosquitto_*", "-P", Part::all, true},
      {"ipmitool", "-P", Part::all, true},
      {"lftp", "-u", Part::behind_comma, true},
      {"curl", "-U", Part::behind_colon, true},
      {"swaks", "-ap", Part::all, true},
      {"openssl", "-passin", Part::behind_pass, true},
      {"openssl", "-passout", Part::behind_pass, true},
      {"openssl", "-pass", Part::behind_pass, true},
      {"7z*", "-p", Part::all, false},
      {"zip", "-P", Part::all, true},
      {"unzip", "-P", Part::all, true},
      // Those of `is_login` and `asks_for_password`.
      {"wget", "", Part::all, false},
      {"http", "", Part::all, false},
      {"https", "", Part::all, false},
      {"xh", "", Part::all, false},
      {"docker", "", Part::all, false},
      {"docker-compose", "", Part::all, false},
      {"podman", "", Part::all, false},
      {"nerdctl", "", Part::all, false},
      {"sudo", "", Part::all, false},
      {"doas", "", Part::all, false},
      {"su", "", Part::all, false},
      {"chpst", "", Part::all, false},
      {"systemd-run", "", Part::all, false},
      {"runuser", "", Part::all, false},
      {"psql", "", Part::all, false},
      {"pg_*", "", Part::all, false},
      {"createdb", "", Part::all, false},
      // With options of these letters that are no secrets; a program in front of them has its own.
      {"ssh", "", Part::all, false},
      {"scp", "", Part::all, false},
      {"sftp", "", Part::all, false},
      {"rsync", "", Part::all, false},
  };
  return kOptions;
}

/// The secret in `value`, which begins at `at` of its word.
std::optional<SecretOfWord> CommandWords::part_of(std::string_view value, std::size_t at,
                                                  Part part) {
  if (is_elsewhere(value) || value.starts_with('-')) return std::nullopt;
  std::size_t cut = 0;
  const auto behind = [&](std::size_t sign) { return sign == kNone ? value.size() : sign + 1; };
  switch (part) {
    case Part::all:
      if (is_port_mapping(value)) return std::nullopt;
      break;
    case Part::behind_colon:
      cut = behind(value.find(':'));
      // `-u 1000:1000` is a user and a group; `-url:https://host` no login.
      if (cut > 0 && is_number(value.substr(0, cut - 1)) && is_number(value.substr(cut)))
        return std::nullopt;
      if (value.substr(cut).starts_with("//")) return std::nullopt;
      break;
    case Part::behind_last_colon:
      cut = behind(value.rfind(':'));
      break;
    case Part::behind_comma:
      cut = behind(value.find(','));
      break;
    case Part::behind_percent:
      cut = behind(value.find('%'));
      break;
    case Part::behind_pass:
      cut = value.starts_with("pass:") ? std::size_t{5} : value.size();
      break;
    case Part::behind_header: {
      cut = behind(value.find(':'));
      const std::string_view name = cut == 0 ? value : value.substr(0, cut - 1);
      while (cut < value.size() && is_blank(value[cut])) ++cut;
      // `Authorization: Bearer $TOKEN`
      const std::size_t last = value.rfind(' ');
      const std::string_view word = value.substr(last == kNone || last < cut ? cut : last + 1);
      if (!says_secret(name, value.substr(cut)) || is_elsewhere(word)) return std::nullopt;
      break;
    }
  }
  if (cut >= value.size() || is_elsewhere(value.substr(cut))) return std::nullopt;
  return SecretOfWord{at + cut, at + value.size()};
}

/// An option: with its secret in the same word, or one that the next word may hold.
void CommandWords::look_at_option(std::string_view word, std::vector<SecretOfWord>& found) {
  const auto add = [&](std::optional<SecretOfWord> secret) {
    if (secret) found.push_back(std::move(*secret));
  };
  for (const ProgramOption& one : program_options()) {
    const bool is_beginning = one.program.ends_with('*');
    const std::string_view name =
        one.program.substr(0, one.program.size() - (is_beginning ? 1 : 0));
    if (is_beginning ? !program_.starts_with(name) : program_ != name) continue;
    if (one.option.empty() || !word.starts_with(one.option)) continue;
    if (word.size() > one.option.size())
      add(part_of(word.substr(one.option.size()), one.option.size(), one.part));
    else if (one.is_own_word)
      awaited_ = Awaited{one.part, std::string(word), false};
  }
  if (awaited_) return;
  if (is_user_option(word)) {
    awaited_ = Awaited{Part::behind_colon, std::string(word), false};
  } else if (is_header_option(word)) {
    awaited_ = Awaited{Part::behind_header, std::string(word), false};
  } else if (word.find('=') == kNone && word.size() > 3 && word.size() <= kNameMax + 2 &&
             is_name_of_secret(word) && !asks_for_password(program_, word)) {
    awaited_ = Awaited{Part::all, std::string(word), true};
  } else if (word.starts_with("-u") && word.find('=') == kNone &&
             is_login(program_, word.substr(2))) {
    add(part_of(word.substr(2), 2, Part::behind_colon));
  }
  for (const std::string_view option : {"--user=", "--proxy-user="}) {
    if (word.starts_with(option) && is_login(program_, word.substr(option.size())))
      add(part_of(word.substr(option.size()), option.size(), Part::behind_colon));
  }
  for (const std::string_view option : {"--header=", "-H"}) {
    if (word.starts_with(option) && word.size() > option.size())
      add(part_of(word.substr(option.size()), option.size(), Part::behind_header));
  }
}

/// The words of a shell's line: what is in quotes is one of them.
std::vector<SecretOfWord> CommandWords::line(std::string_view words) {
  std::vector<SecretOfWord> found;
  CommandWords inner;
  inner.depth_ = depth_ + 1;
  std::string no_quotes;
  std::size_t at = 0;
  while (at < words.size()) {
    while (at < words.size() && (is_blank(words[at]) || words[at] == ';' || words[at] == '|')) ++at;
    std::size_t begin = at;
    char quote = '\0';
    std::size_t blank = kNone;  // the first one in the quotes
    for (; at < words.size() && (quote != '\0' || !is_blank(words[at])); ++at) {
      if (quote == '\0' && is_quote(words[at]) && no_quotes.find(words[at]) == kNone) {
        quote = words[at];
        blank = kNone;
      } else if (quote != '\0' && words[at] == quote) {
        quote = '\0';
      } else if (quote != '\0' && blank == kNone && is_blank(words[at])) {
        blank = at;
      }
    }
    // An apostrophe opens nothing.
    if (quote != '\0') {
      no_quotes += quote;
      at = std::min(blank, words.size());
    }
    std::size_t end = at;
    if (begin < end && is_quote(words[begin])) ++begin;
    while (end > begin && (is_quote(words[end - 1]) || words[end - 1] == ';')) --end;
    for (SecretOfWord& secret : inner.take(words.substr(begin, end - begin))) {
      secret.begin += begin;
      secret.end += begin;
      found.push_back(std::move(secret));
    }
  }
  return found;
}

std::vector<SecretOfWord> CommandWords::take(std::string_view word) {
  std::vector<SecretOfWord> found;
  const std::optional<Awaited> awaited = std::exchange(awaited_, std::nullopt);
  bool is_secret = awaited.has_value();
  if (awaited && awaited->is_named)
    is_secret = says_secret(awaited->option, word) && !is_reference(word);
  else if (awaited && is_user_option(awaited->option) && awaited->part == Part::behind_colon)
    is_secret = is_login(program_, word);
  if (is_secret) {
    if (auto secret = part_of(word, 0, awaited->part)) {
      secret->behind = awaited->option;
      return {std::move(*secret)};
    }
  }
  const std::string_view trimmed = trim(word);
  const bool is_line = depth_ < kDepthMax && std::any_of(trimmed.begin(), trimmed.end(), is_blank);
  if (word.starts_with('-') && (!is_line || word.starts_with("-H") || word.starts_with("--header")))
    look_at_option(word, found);
  if (is_line) {
    for (SecretOfWord& secret : line(word)) found.push_back(std::move(secret));
  } else {
    look_at_urls(word, found);
    look_at_assignments(word, found);
    const std::string_view name = word.substr(word.find_last_of('/') + 1);
    const bool is_program =
        word.find("://") == kNone &&
        std::any_of(program_options().begin(), program_options().end(),
                    [&](const ProgramOption& one) {
                      return one.program.ends_with('*')
                                 ? name.starts_with(one.program.substr(0, one.program.size() - 1))
                                 : name == one.program;
                    });
    if (is_program) program_ = std::string(name);
  }
  std::sort(found.begin(), found.end(), [](const SecretOfWord& a, const SecretOfWord& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end > b.end;
  });
  std::vector<SecretOfWord> apart;
  for (SecretOfWord& secret : found) {
    if (secret.begin >= secret.end) continue;
    if (!apart.empty() && secret.begin < apart.back().end) {
      apart.back().end = std::max(apart.back().end, secret.end);
      continue;
    }
    if (secret.behind.empty()) {
      // Only what stands in front of the first one is shown with no secret in it.
      const std::string_view front = word.substr(0, apart.empty() ? secret.begin : 0);
      const std::size_t blank = front.find_last_of(" \t\r\n");
      secret.behind = trim(front.substr(blank == kNone ? 0 : blank + 1));
    }
    apart.push_back(std::move(secret));
  }
  return apart;
}

}  // namespace plan
