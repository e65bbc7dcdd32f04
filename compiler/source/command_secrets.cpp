#include "compiler/source/command_secrets.h"

#include <algorithm>
#include <array>
#include <utility>

#include "compiler/source/secret_names.h"
#include "compiler/source/text.h"

namespace plan {
namespace {

constexpr std::size_t kNone = std::string_view::npos;
// Longer names are of no option, variable or header.
constexpr std::size_t kNameMax = 40;
constexpr int kDepthMax = 3;
// Words behind a program that its tables may count.
constexpr std::size_t kSubcommandWordsMax = 4;
constexpr std::size_t kCredentialsMax = 256;

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
bool is_quote(char c) { return c == '"' || c == '\''; }

bool is_of_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
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
  if (is_web_client(program)) return true;
  if (takes_group(program)) return false;
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
    if (colon == kNone || is_read_elsewhere(authority.substr(colon + 1, host - colon - 1)))
      continue;
    found.push_back({begin + colon + 1, begin + host});
  }
}

/// The quote at `at`, whatever a string around it has put in front of it: `"`, `\"`, `'`. Its end;
/// `at`: none stands there.
std::size_t past_quote(std::string_view word, std::size_t at) {
  std::size_t end = at;
  while (end < word.size() && word[end] == '\\') ++end;
  return end < word.size() && is_quote(word[end]) ? end + 1 : at;
}

std::size_t past_blanks(std::string_view word, std::size_t at) {
  while (at < word.size() && is_blank(word[at])) ++at;
  return at;
}

/// `--NAME=SECRET`, `NAME=SECRET`, `?user=a&NAME=SECRET`, and what HTTPie sends as JSON:
/// `NAME:=SECRET`
void look_at_assignments(std::string_view word, std::vector<SecretOfWord>& found) {
  // The address of a key in a device: its token is the device's name.
  if (word.starts_with("pkcs11:")) return;
  std::size_t end = 0;
  for (std::size_t at = word.find('='); at != kNone; at = word.find('=', at + 1)) {
    const std::size_t name_end = at > 0 && word[at - 1] == ':' ? at - 1 : at;
    std::size_t begin = name_end;
    while (begin > 0 && name_end - begin <= kNameMax && is_of_name(word[begin - 1])) --begin;
    if (end <= at) end = std::min(word.find('&', at), word.size());
    const std::string_view value = word.substr(at + 1, end - at - 1);
    const std::string_view name = word.substr(begin, name_end - begin);
    // `:=` has a number, `null` or an object behind it, or a text in quotes.
    if (name_end < at && past_quote(word, at + 1) == at + 1) continue;
    // `DNS_KEY=...` is a variable, `dns_key=...` sends a member.
    const bool is_member =
        name.ends_with("key") && std::none_of(name.begin(), name.end(), is_upper);
    if (!(is_member ? member_says_secret(name, value) : says_secret(name, value)) ||
        is_reference(value))
      continue;
    found.push_back({at + 1, end});
    // What is in a secret is no assignment.
    at = end - 1;
  }
}

/// `'Bearer ' + token`, `'{}'.format(token)`: the text that ends at `end` is not all of it.
bool is_continued(std::string_view word, std::size_t end) {
  const std::string_view behind = word.substr(past_blanks(word, end));
  return behind.starts_with('+') || behind.starts_with('%') || behind.starts_with(".format");
}

/// What a program sends: `{"NAME": "SECRET"}`, also where a shell's or the plan's string escapes
/// its quotes. A value that is no text is none.
void look_at_json(std::string_view word, std::vector<SecretOfWord>& found) {
  for (std::size_t at = word.find(':'); at != kNone; at = word.find(':', at + 1)) {
    std::size_t name_end = at;
    while (name_end > 0 && is_blank(word[name_end - 1])) --name_end;
    if (name_end == 0 || !is_quote(word[name_end - 1])) continue;
    const char quote = word[--name_end];
    while (name_end > 0 && word[name_end - 1] == '\\') --name_end;
    std::size_t begin = name_end;
    while (begin > 0 && name_end - begin <= kNameMax && is_of_name(word[begin - 1])) --begin;
    if (begin == 0 || word[begin - 1] != quote) continue;
    const std::size_t opening = past_blanks(word, at + 1);
    const std::size_t first = past_quote(word, opening);
    if (first == opening) continue;
    // It closes with the same sign; a secret with that sign in it has one more in front of it.
    const std::string_view sign = word.substr(opening, first - opening);
    std::size_t end = word.find(sign, first);
    while (end != kNone && word[end - 1] == '\\') end = word.find(sign, end + 1);
    end = std::min(end, word.size());
    const std::string_view value = word.substr(first, end - first);
    const std::string_view name = word.substr(begin, name_end - begin);
    if (member_says_secret(name, value) && !is_reference(value) &&
        !is_continued(word, std::min(end + sign.size(), word.size())))
      found.push_back({first, end, std::string(name)});
    at = std::max(at, end - 1);
  }
}

/// `Authorization: Bearer SECRET`, wherever it stands: `git -c http.extraHeader=...`
void look_at_authorization(std::string_view word, std::vector<SecretOfWord>& found) {
  constexpr std::string_view kName = "uthorization:";
  for (std::size_t at = word.find(kName); at != kNone; at = word.find(kName, at + 1)) {
    std::size_t begin = past_blanks(word, at + kName.size());
    const auto word_end = [&] {
      return std::min(word.find_first_of(" \t\r\n\"'\\", begin), word.size());
    };
    const std::string_view near = word.substr(0, begin + kCredentialsMax);
    const std::size_t stop = std::min(near.find_first_of("\r\n\"'\\", begin), near.size());
    if (!holds_credentials(word.substr(begin, stop - begin), false)) continue;
    const std::size_t second = past_blanks(word, word_end());
    if (second < stop && !looks_random(word.substr(begin, word_end() - begin))) begin = second;
    found.push_back({begin, word_end()});
  }
}

/// Does `plain`, in front of a text of SQL, say that it is a password? `IDENTIFIED BY`, `PASSWORD`,
/// `password =`, `PASSWORD(`. Where the name begins; kNone: no.
std::size_t name_of_sql_password(std::string_view plain) {
  const auto drop_blanks = [&] {
    while (!plain.empty() && is_blank(plain.back())) plain.remove_suffix(1);
  };
  drop_blanks();
  if (plain.ends_with('(') || plain.ends_with('=')) {
    plain.remove_suffix(1);
    drop_blanks();
  }
  for (const std::string_view name : {"identified by", "password"}) {
    if (!plain.ends_with(name)) continue;
    const std::size_t at = plain.size() - name.size();
    if (at == 0 || !is_of_name(plain[at - 1])) return at;
  }
  return kNone;
}

/// `IDENTIFIED BY 'SECRET'`, `PASSWORD 'SECRET'`: texts are taken from left to right, as what
/// closes one looks like what opens one. Comments hold nothing.
void look_at_sql(std::string_view word, std::vector<SecretOfWord>& found) {
  const std::string plain = lower_ascii(word);
  const auto past = [&](std::string_view sign, std::size_t at) {
    const std::size_t next = word.find(sign, at);
    return next == kNone ? word.size() : next + sign.size();
  };
  // No statement begins with a text: what stands there is the quote around the statement.
  std::size_t at = past_quote(word, 0);
  std::size_t text_end = at;  // of the last text or comment
  while (at < word.size()) {
    const std::string_view rest = word.substr(at);
    if (rest.starts_with("-- ") || rest.starts_with("/*")) {
      at = text_end = rest.front() == '-' ? past("\n", at) : past("*/", at);
      continue;
    }
    const std::size_t first = past_quote(word, at);
    if (first == at) {
      at = std::max(at + 1, std::min(word.find_first_not_of('\\', at), word.size()));
      continue;
    }
    const std::string_view sign = word.substr(at, first - at);
    std::size_t end = word.find(sign, first);
    // `''` is a quote in the text, and so is `\'`.
    while (end != kNone && sign.size() == 1 &&
           (word[end - 1] == '\\' || word.substr(end + 1).starts_with(sign)))
      end = word.find(sign, end + (word[end - 1] == '\\' ? 1 : 2));
    end = std::min(end, word.size());
    const std::size_t name =
        name_of_sql_password(std::string_view(plain).substr(text_end, at - text_end));
    if (name != kNone && !is_read_elsewhere(word.substr(first, end - first))) {
      const std::string_view shown = word.substr(text_end + name, at - text_end - name);
      found.push_back({first, end, std::string(trim(shown))});
    }
    at = text_end = std::min(end + sign.size(), word.size());
  }
}

}  // namespace

/// The secret in `value`, which begins at `at` of its word.
std::optional<SecretOfWord> CommandWords::part_of(std::string_view value, std::size_t at,
                                                  SecretPart part) {
  if (is_read_elsewhere(value) || value.starts_with('-')) return std::nullopt;
  std::size_t cut = 0;
  const auto behind = [&](std::size_t sign) { return sign == kNone ? value.size() : sign + 1; };
  switch (part) {
    case SecretPart::all:
      if (is_port_mapping(value)) return std::nullopt;
      break;
    case SecretPart::behind_colon:
      cut = behind(value.find(':'));
      // `-u 1000:1000` is a user and a group; `-url:https://host` no login.
      if (cut > 0 && is_number(value.substr(0, cut - 1)) && is_number(value.substr(cut)))
        return std::nullopt;
      if (value.substr(cut).starts_with("//")) return std::nullopt;
      break;
    case SecretPart::behind_file: {
      const bool has_drive =
          value.size() > 2 && value[1] == ':' && (value[2] == '/' || value[2] == '\\');
      if (value.starts_with("pkcs11:")) return std::nullopt;
      cut = behind(value.find(':', has_drive ? 2 : 0));
      break;
    }
    case SecretPart::login_or_token:
      cut = value.find(':') != kNone ? value.find(':') + 1 : looks_random(value) ? 0 : value.size();
      break;
    case SecretPart::behind_last_colon:
      cut = behind(value.rfind(':'));
      break;
    case SecretPart::behind_comma:
      cut = behind(value.find(','));
      break;
    case SecretPart::behind_percent:
      cut = behind(value.find('%'));
      break;
    case SecretPart::behind_pass:
      cut = value.starts_with("pass:") ? std::size_t{5} : value.size();
      break;
    case SecretPart::behind_header: {
      cut = behind(value.find(':'));
      const std::string_view name = cut == 0 ? value : value.substr(0, cut - 1);
      // `q==token:abc` is no header.
      if (!std::all_of(name.begin(), name.end(), is_of_name)) return std::nullopt;
      cut = past_blanks(value, cut);
      // `Authorization: Bearer $TOKEN`
      const std::size_t last = value.rfind(' ');
      const std::string_view word = value.substr(last == kNone || last < cut ? cut : last + 1);
      if (!says_secret(name, value.substr(cut)) || is_read_elsewhere(word)) return std::nullopt;
      break;
    }
  }
  if (cut >= value.size() || is_read_elsewhere(value.substr(cut))) return std::nullopt;
  return SecretOfWord{at + cut, at + value.size()};
}

/// Do the words behind the program begin with `subcommand`?
bool CommandWords::is_in(std::string_view subcommand) const {
  if (subcommand.empty()) return true;
  const std::string_view behind = subcommand_;
  return behind.starts_with(subcommand) &&
         (behind.size() == subcommand.size() || behind[subcommand.size()] == ' ');
}

/// An option: with its secret in the same word, or one that the next word may hold.
void CommandWords::look_at_option(std::string_view word, std::vector<SecretOfWord>& found) {
  const auto add = [&](std::size_t begin, SecretPart part) {
    auto secret = part_of(word.substr(begin), begin, part);
    if (!secret) return;
    const std::string_view front = word.substr(0, secret->begin);
    secret->behind =
        std::any_of(front.begin(), front.end(), is_blank) ? word.substr(0, begin) : front;
    found.push_back(std::move(*secret));
  };
  for (const ProgramOption& one : program_options()) {
    if (!is_program(program_, one.program) || !word.starts_with(one.option)) continue;
    if (!is_in(one.subcommand)) continue;
    std::size_t begin = one.option.size();
    if (begin == word.size()) {
      if (one.place != ValuePlace::same_word)
        awaited_ = Awaited{one.part, std::string(word), false};
      continue;
    }
    if (one.place == ValuePlace::next_word) continue;
    if (one.option.starts_with("--") && word[begin++] != '=') continue;
    add(begin, one.part);
  }
  if (awaited_) return;
  if (is_user_option(word)) {
    awaited_ = Awaited{SecretPart::behind_colon, std::string(word), false};
  } else if (is_header_option(word)) {
    awaited_ = Awaited{SecretPart::behind_header, std::string(word), false};
  } else if (word.find('=') == kNone && word.size() > 3 && word.size() <= kNameMax + 2 &&
             is_option_of_secret(word) && !asks_for_password(program_, word)) {
    awaited_ = Awaited{SecretPart::all, std::string(word), true};
  } else if (word.starts_with("-u") && word.find('=') == kNone &&
             is_login(program_, word.substr(2))) {
    add(2, SecretPart::behind_colon);
  }
  for (const std::string_view option : {"--user=", "--proxy-user="}) {
    if (word.starts_with(option) && is_login(program_, word.substr(option.size())))
      add(option.size(), SecretPart::behind_colon);
  }
  for (const std::string_view option : {"--header=", "-H"}) {
    if (word.starts_with(option) && word.size() > option.size())
      add(option.size(), SecretPart::behind_header);
  }
}

/// A word that is no option: a subcommand, a header or, of some programs, a secret by its place.
void CommandWords::look_at_operand(std::string_view word, std::vector<SecretOfWord>& found) {
  if (takes_header_words(program_) && word.find(":=") == kNone) {
    if (auto secret = part_of(word, 0, SecretPart::behind_header)) {
      secret->behind = word.substr(0, secret->begin);
      found.push_back(std::move(*secret));
    }
  }
  if (has_options_) return;
  for (const ProgramWord& one : program_words()) {
    if (!is_program(program_, one.program) || !is_in(one.subcommand)) continue;
    const auto blanks =
        static_cast<std::size_t>(std::count(one.subcommand.begin(), one.subcommand.end(), ' '));
    if (operands_ != blanks + 1 + one.at || is_read_elsewhere(word)) continue;
    found.push_back({0, word.size(), std::string(one.subcommand)});
  }
}

/// Another program begins: behind `;`, `|` or `&&` of a shell.
void CommandWords::begin_program() {
  is_program_next_ = true;
  is_value_next_ = false;
  runner_ = nullptr;
}

/// Is `word`, whose last part is `name`, where the name of a program stands?
bool CommandWords::is_program_here(std::string_view word, std::string_view name) {
  if (!is_program_next_ || std::exchange(is_value_next_, false)) return false;
  if (word.starts_with('-')) {
    is_value_next_ = runner_ != nullptr && word.size() == 2 &&
                     runner_->letters_with_value.find(word[1]) != kNone;
    return false;
  }
  const bool is_duration = runner_ != nullptr && !word.empty() && is_number(word.substr(0, 1));
  if (word.find('=') != kNone || is_duration) return false;
  runner_ = program_runner(name);
  is_program_next_ = runner_ != nullptr;
  return true;
}

/// What the next words are to be understood by.
void CommandWords::remember(std::string_view word) {
  const std::string_view name = word.substr(word.find_last_of('/') + 1);
  const bool is_here = is_program_here(word, name);
  if (word.find("://") == kNone && is_known_program(name) && (is_here || !is_also_a_word(name))) {
    program_ = std::string(name);
    subcommand_.clear();
    operands_ = 0;
    has_options_ = false;
    return;
  }
  if (word.starts_with('-')) {
    has_options_ = true;
    return;
  }
  // `-o NAME=VALUE` in front of a subcommand.
  if (word.find('=') != kNone) return;
  if (operands_++ < kSubcommandWordsMax && word.size() <= kNameMax)
    subcommand_ += (subcommand_.empty() ? "" : " ") + std::string(word);
}

/// The words of a shell's line: what is in quotes is one of them.
std::vector<SecretOfWord> CommandWords::line(std::string_view words) {
  std::vector<SecretOfWord> found;
  CommandWords inner;
  inner.depth_ = depth_ + 1;
  std::string no_quotes;
  std::size_t at = 0;
  const auto ends_program = [](char c) { return c == ';' || c == '|' || c == '&' || c == '\n'; };
  while (at < words.size()) {
    for (; at < words.size() && (is_blank(words[at]) || words[at] == ';' || words[at] == '|'); ++at)
      if (ends_program(words[at])) inner.begin_program();
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
    const std::string_view last = words.substr(begin, at - begin);
    constexpr std::array<std::string_view, 7> kBefore = {"then",  "do", "else", "if",
                                                         "while", "!",  "{"};
    if ((!last.empty() && ends_program(last.back())) ||
        std::find(kBefore.begin(), kBefore.end(), last) != kBefore.end())
      inner.begin_program();
  }
  return found;
}

std::vector<SecretOfWord> CommandWords::take(std::string_view word) {
  std::vector<SecretOfWord> found;
  const std::optional<Awaited> awaited = std::exchange(awaited_, std::nullopt);
  bool is_secret = awaited.has_value();
  if (awaited && awaited->is_named)
    is_secret = says_secret(awaited->option, word) && !is_reference(word);
  else if (awaited && is_user_option(awaited->option) && awaited->part == SecretPart::behind_colon)
    is_secret = is_login(program_, word);
  if (is_secret) {
    if (auto secret = part_of(word, 0, awaited->part)) {
      secret->behind = awaited->option;
      return {std::move(*secret)};
    }
  }
  const std::string_view trimmed = trim(word);
  const bool has_blanks = std::any_of(trimmed.begin(), trimmed.end(), is_blank);
  const bool is_line = depth_ < kDepthMax && has_blanks;
  if (word.starts_with('-') && (!is_line || word.starts_with("-H") || word.starts_with("--header")))
    look_at_option(word, found);
  look_at_json(word, found);
  look_at_authorization(word, found);
  if (has_blanks && takes_sql(program_)) look_at_sql(word, found);
  if (is_line) {
    if (takes_header_words(program_)) look_at_operand(word, found);
    for (SecretOfWord& secret : line(word)) found.push_back(std::move(secret));
  } else {
    look_at_urls(word, found);
    look_at_assignments(word, found);
    if (!word.starts_with('-') && !awaited) look_at_operand(word, found);
    remember(word);
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
      if (secret.behind.empty()) secret.behind = trim(front);
    }
    apart.push_back(std::move(secret));
  }
  return apart;
}

}  // namespace plan
