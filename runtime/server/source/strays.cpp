#include "runtime/server/source/strays.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "compiler/source/text.h"
#include "runtime/net/clock.h"
#include "runtime/server/dovecot/drivers.h"
#include "runtime/server/source/limits.h"

namespace plan::server::source {
namespace {

using ir::Value;
using Words = std::vector<std::string>;

/// Words of one command: over SSH all of them are one argument of the shell there, which takes 128
/// KiB.
constexpr std::size_t kCommandWordsMax = 200;
constexpr std::size_t kCommandBytesMax = std::size_t{16} << 10U;
constexpr std::size_t kListingBytesMax = std::size_t{64} << 20U;
/// Parents that are listed, and folders of nobody that are looked into.
constexpr std::size_t kParentsMax = 1000;
constexpr std::size_t kStraysMax = 2000;
constexpr std::size_t kNamesMax = 20;
constexpr std::size_t kNameBytesMax = 200;
/// From a home to a message: `sdbox/mailboxes/INBOX/dbox-Mails/u.1`.
constexpr std::size_t kLevelsToMessage = 5;

// One message is enough, wherever it lies: Maildir, mdbox, sdbox.
constexpr const char* kMessageScript = R"sh(levels=$1; shift
for folder do
  found=$(cd "$folder" && find . -maxdepth "$levels" -type f \( -path '*/cur/*' -o -path '*/new/*' \
    -o -path '*/storage/m.*' -o -path '*/dbox-Mails/u.*' \) -print -quit)
  if [ -n "$found" ]; then printf '%s\0' "$folder"; fi
done)sh";

/// An absolute path without `//`, `/./`, `..` and a slash at its end; empty for all others and for
/// the root.
std::string clean_path(std::string_view text) {
  if (text.empty() || text.front() != '/') return {};
  std::string path = std::filesystem::path(text).lexically_normal().string();
  if (path.starts_with("//")) path.erase(0, 1);
  while (!path.empty() && path.back() == '/') path.pop_back();
  return path;
}

/// Empty for what lies in the root.
std::string_view parent_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

/// `path` or one of the folders above it is in `folders`.
bool is_within(std::string_view path, const std::set<std::string, std::less<>>& folders) {
  for (; !path.empty(); path = parent_of(path)) {
    if (folders.contains(path)) return true;
  }
  return false;
}

/// Of `maildir:~/Maildir:LAYOUT=fs` the folder.
std::string mail_folder(std::string_view location, const std::string& home) {
  const std::size_t colon = location.find(':');
  if (colon != std::string_view::npos && location.find('/') > colon)
    location.remove_prefix(colon + 1);
  location = location.substr(0, location.find(':'));
  if (location == "~") return home;
  if (!location.starts_with("~/")) return clean_path(location);
  return home.empty() ? std::string() : clean_path(home + std::string(location.substr(1)));
}

struct Told {
  std::string home = {};
  std::string mail = {};
};

/// The home where the mail lies right in it; else the mail's: a home inside a Maildir, one far from
/// the mail, or one that all accounts share.
std::string own_folder(const Told& told, bool is_shared_home) {
  const std::string mail = mail_folder(told.mail, told.home);
  if (mail.empty()) return is_shared_home ? std::string() : told.home;
  if (!is_shared_home && !told.home.empty() && parent_of(mail) == told.home) return told.home;
  return mail;
}

std::vector<Words> in_runs(const Words& words) {
  std::vector<Words> runs;
  std::size_t bytes = 0;
  for (const std::string& word : words) {
    if (runs.empty() || runs.back().size() >= kCommandWordsMax ||
        bytes + word.size() > kCommandBytesMax) {
      runs.emplace_back();
      bytes = 0;
    }
    runs.back().push_back(word);
    bytes += word.size();
  }
  return runs;
}

Value measured(std::string_view what, Value value, std::string_view unit, std::string_view how) {
  return Value::map({{"what", what}, {"value", std::move(value)}, {"unit", unit}, {"how", how}});
}

Value not_told(std::string_view why) {
  Value measurements = Value::list();
  measurements.push_back(measured("source/strays", {}, "folders", why));
  return measurements;
}

class Search {
 public:
  Search(Source& source, const Words& users, const std::set<std::string>& domains)
      : source_(source), users_(users), domains_(domains) {}

  Result<Value> measure() {
    PLAN_TRY_VOID(ask_for_places());
    if (told_.folders.empty())
      return not_told(fmt::format("doveadm user tells the home of none of {} accounts",
                                  show_count(users_.size())));
    PLAN_TRY_VOID(list_parents());
    Words strays = folders_of_nobody(told_.folders, listing_);
    if (told_.accounts < users_.size()) leave_out_names_of_accounts(strays);
    if (strays.size() > kStraysMax) {
      how_ += fmt::format("; the first {} of {} folders of nobody were looked into",
                          show_count(kStraysMax), show_count(strays.size()));
      strays.resize(kStraysMax);
    }
    PLAN_TRY(holding, with_messages(strays));
    Value names = Value::list();
    for (std::size_t i = 0; i < std::min(holding.size(), kNamesMax); ++i)
      names.push_back(printable(holding[i], kNameBytesMax));
    Value measurements = Value::list();
    measurements.push_back(
        measured("source/strays", static_cast<std::int64_t>(holding.size()), "folders", how_));
    measurements.push_back(measured("source/strays/first", std::move(names), "paths", how_));
    return measurements;
  }

 private:
  Result<net::CommandResult> run(const Words& command) {
    net::CommandOptions options;
    options.output_bytes_max = kListingBytesMax;
    return source_.host(Place::dovecot).run(command, net::Deadline::after(kCommandTime), options);
  }

  Outcome ask_for_places() {
    Words names;
    for (const std::string& user : users_) {
      if (!dovecot::is_doveadm_mask(user)) names.push_back(user);
    }
    std::string printed;
    for (const Words& some : in_runs(names)) {
      Words command = source_.doveadm({"user", "--"});
      command.insert(command.end(), some.begin(), some.end());
      // Ends with an exit code when it does not know one of them; the others are told.
      PLAN_TRY(answer, run(command));
      printed += answer.output;
      printed += '\n';
    }
    told_ = told_places(printed);
    return {};
  }

  /// Folders that it may not read are left out, with an exit code.
  Outcome list_parents() {
    std::map<std::size_t, Words> by_levels;
    std::size_t count = 0;
    const std::map<std::string, std::size_t> parents = parents_of(told_.folders, domains_);
    for (const auto& [parent, levels] : parents) {
      levels_ = std::max(levels_, levels);
      if (++count <= kParentsMax) by_levels[levels].push_back(parent);
    }
    if (parents.size() > kParentsMax)
      how_ += fmt::format("; {} of {} folders were listed", show_count(kParentsMax),
                          show_count(parents.size()));
    for (const auto& [levels, some] : by_levels) {
      for (const Words& these : in_runs(some)) {
        Words command = {"find", "-H"};
        command.insert(command.end(), these.begin(), these.end());
        for (const char* word : {"-mindepth", "1", "-maxdepth"}) command.emplace_back(word);
        command.push_back(std::to_string(levels));
        for (const char* word : {"-type", "d", "-print0"}) command.emplace_back(word);
        PLAN_TRY(answer, run(command));
        listing_ += answer.output;
        note(answer);
      }
    }
    return {};
  }

  Result<Words> with_messages(const Words& strays) {
    Words holding;
    for (const Words& some : in_runs(strays)) {
      Words command = {"sh", "-c", kMessageScript, "sh",
                       std::to_string(levels_ + kLevelsToMessage)};
      command.insert(command.end(), some.begin(), some.end());
      PLAN_TRY(answer, run(command));
      note(answer);
      for (const std::string_view folder : split(answer.output, '\0')) {
        if (!folder.empty()) holding.emplace_back(folder);
      }
    }
    return holding;
  }

  /// Of some accounts nobody knows the folder: what is named like an account may be its.
  void leave_out_names_of_accounts(Words& strays) {
    std::set<std::string, std::less<>> names;
    for (const std::string& user : users_) {
      const std::string name = lower_ascii(user);
      names.insert(name.substr(0, name.rfind('@')));
      names.insert(name);
    }
    std::erase_if(strays, [&](const std::string& folder) {
      return names.contains(lower_ascii(folder.substr(folder.rfind('/') + 1)));
    });
    how_ += fmt::format("; doveadm user tells the home of {} of {} accounts",
                        show_count(told_.accounts), show_count(users_.size()));
  }

  void note(const net::CommandResult& answer) {
    if (answer.exit_code == 0 || has_note_) return;
    has_note_ = true;
    const std::string_view first = split(trim(answer.errors), '\n').front();
    how_ += fmt::format("; exit code {}: {}", answer.exit_code, printable(first, 200));
  }

  Source& source_;
  const Words& users_;
  const std::set<std::string>& domains_;
  ToldPlaces told_ = {};
  std::string listing_ = {};
  std::size_t levels_ = 0;
  std::string how_ = "find beside the homes of doveadm user";
  bool has_note_ = false;
};

}  // namespace

ToldPlaces told_places(std::string_view printed) {
  std::vector<Told> all;
  bool is_open = false;  // the last one has no mail location yet
  for (const std::string_view line : split(printed, '\n')) {
    const std::size_t tab = line.find('\t');
    if (tab == std::string_view::npos) continue;
    const std::string_view name = line.substr(0, tab);
    const std::string_view value = line.substr(tab + 1);
    if (name == "uid") is_open = false;
    if (name == "home") {
      all.push_back({clean_path(value), {}});
      is_open = true;
    } else if (name == "mail") {
      if (!is_open) all.emplace_back();
      all.back().mail = value;
      is_open = false;
    }
  }
  std::map<std::string_view, std::size_t> homes;
  for (const Told& told : all) ++homes[told.home];
  ToldPlaces places;
  for (const Told& told : all) {
    std::string folder = own_folder(told, homes[told.home] > 1);
    if (folder.empty()) continue;
    ++places.accounts;
    places.folders.insert(std::move(folder));
  }
  return places;
}

std::map<std::string, std::size_t> parents_of(const std::set<std::string>& folders,
                                              const std::set<std::string>& domains) {
  std::map<std::string, std::size_t> parents;
  for (const std::string& folder : folders) {
    std::size_t cut = folder.rfind('/');
    for (std::size_t end = folder.size(); end > 0;) {
      const std::size_t begin = folder.rfind('/', end - 1);
      if (begin == std::string::npos || begin == 0) break;
      if (domains.contains(lower_ascii(folder.substr(begin + 1, end - begin - 1)))) {
        cut = begin;
        break;
      }
      end = begin;
    }
    // Beside it are the folders of the machine.
    if (cut == 0 || cut == std::string::npos) continue;
    std::size_t& levels = parents[folder.substr(0, cut)];
    levels = std::max(levels,
                      static_cast<std::size_t>(std::count(
                          folder.begin() + static_cast<std::ptrdiff_t>(cut), folder.end(), '/')));
  }
  return parents;
}

std::vector<std::string> folders_of_nobody(const std::set<std::string>& folders,
                                           std::string_view listing) {
  const std::set<std::string, std::less<>> own(folders.begin(), folders.end());
  std::set<std::string, std::less<>> above;
  for (const std::string& folder : folders) {
    std::string_view parent = parent_of(folder);
    for (; !parent.empty() && !above.contains(parent); parent = parent_of(parent))
      above.emplace(parent);
  }
  std::set<std::string, std::less<>> nobodys;
  for (const std::string_view folder : split(listing, '\0')) {
    if (folder.empty() || folder.front() != '/' || above.contains(folder) || is_within(folder, own))
      continue;
    nobodys.emplace(folder);
  }
  std::vector<std::string> outermost;
  for (const std::string& folder : nobodys) {
    if (!is_within(parent_of(folder), nobodys)) outermost.push_back(folder);
  }
  return outermost;
}

Value measure_strays(Source& source, const std::vector<std::string>& users,
                     const std::set<std::string>& domains) {
  if (users.empty()) return Value::list();
  auto measurements = Search(source, users, domains).measure();
  if (measurements) return std::move(*measurements);
  return not_told(printable(measurements.error().to_line(), 400));
}

}  // namespace plan::server::source
