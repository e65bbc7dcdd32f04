#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "compiler/facts/limits.h"
#include "compiler/facts/lock.h"
#include "compiler/facts/lock_text.h"
#include "compiler/ir/digest.h"
#include "compiler/ir/json.h"
#include "compiler/source/text.h"

namespace plan::facts {
namespace {

constexpr std::string_view kRemedy = "run `plan fetch` again; the lock is not edited by hand";
constexpr ir::JsonLimits kSettingLimits{std::size_t{1} << 20U, 16};
// After this many wrong lines the rest says nothing new.
constexpr int kProblemsMax = 20;
constexpr std::array<std::string_view, 14> kKinds = {
    "account", "mailboxes",     "list",           "target-domain", "throttle",
    "schema",  "source-domain", "target-address", "capability",    "version",
    "limit",   "setting",       "host-key",       "certificate"};

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  if (text.size() > 1 && text.front() == '0') return std::nullopt;
  if (value > INT64_MAX) return std::nullopt;
  return value;
}

/// One line: its kind, its name, then `key=value` members or plain words.
class Line {
 public:
  explicit Line(std::string_view text) : words_(split(text, ' ')) {}

  [[nodiscard]] std::string_view kind() const { return words_.front(); }
  [[nodiscard]] std::size_t size() const { return words_.size(); }
  [[nodiscard]] std::string_view raw(std::size_t i) const { return words_[i]; }
  [[nodiscard]] std::optional<std::string> word(std::size_t i) const {
    return i < words_.size() ? unescape_word(words_[i]) : std::nullopt;
  }
  /// Takes member `key` if it is the next one: members have one order.
  [[nodiscard]] std::optional<std::string_view> take(std::string_view key) {
    if (next_ >= words_.size()) return std::nullopt;
    const std::string_view word = words_[next_];
    if (word.size() <= key.size() || !word.starts_with(key) || word[key.size()] != '=') {
      return std::nullopt;
    }
    ++next_;
    return word.substr(key.size() + 1);
  }
  [[nodiscard]] bool is_used_up() const { return next_ == words_.size(); }
  [[nodiscard]] std::size_t next() const { return next_; }

 private:
  std::vector<std::string_view> words_;
  std::size_t next_ = 2;
};

class Reader {
 public:
  Reader(const SourceSet& sources, FileId file, Sink& sink)
      : text_(sources.text(file)), file_(file), sink_(sink) {}

  std::optional<Lock> read() {
    if (text_.size() > kLockBytesMax) {
      sink_.report(Kind::file_too_large, Span{file_, 0, 0},
                   fmt::format("lock has {}, at most {} are read", show_bytes(text_.size()),
                               show_bytes(kLockBytesMax)));
      return std::nullopt;
    }
    if (const auto bad = first_invalid_utf8(text_)) {
      const auto begin = static_cast<std::uint32_t>(*bad);
      sink_
          .report(Kind::not_utf8, Span{file_, begin, begin + 1},
                  fmt::format("byte {} of the lock is not UTF-8", *bad))
          .help(std::string(kRemedy));
      return std::nullopt;
    }
    if (const std::size_t carriage = text_.find("\r\n"); carriage != std::string_view::npos) {
      const auto begin = static_cast<std::uint32_t>(carriage);
      sink_
          .report(Kind::lock_syntax, Span{file_, begin, begin + 1},
                  "a line of the lock ends with a carriage return")
          .label("git or an editor has changed it")
          .help("write `migration.lock -text` into .gitattributes, then run `plan fetch` again");
      return std::nullopt;
    }
    if (!read_header()) return std::nullopt;
    std::string_view previous;
    while (at_ < text_.size()) {
      const std::size_t begin = at_;
      const std::optional<std::string_view> line = next_line();
      if (!line) return std::nullopt;
      if (line->starts_with("digest ")) {
        check_digest(begin, line->substr(7));
        finish_mailboxes();
        if (problems_ != 0) return std::nullopt;
        return std::move(lock_);
      }
      if (line->starts_with('#') && begin == header_end_) continue;
      if (!previous.empty() && *line <= previous) {
        problem(begin, line->size(), "this line is not in its sorted place");
      }
      previous = *line;
      why_ = "a word of it is not escaped as `plan fetch` does it";
      if (!take_line(*line, here(begin, line->size()))) {
        problem(begin, line->size(), fmt::format("this line cannot be read: {}", why_));
      }
      if (problems_ >= kProblemsMax) return std::nullopt;
    }
    sink_
        .report(Kind::lock_edited, here(text_.size() == 0 ? 0 : text_.size() - 1, 1),
                "the lock ends without its digest line")
        .help(std::string(kRemedy));
    return std::nullopt;
  }

 private:
  [[nodiscard]] Span here(std::size_t begin, std::size_t size) const {
    return {file_, static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(begin + size)};
  }
  void problem(std::size_t begin, std::size_t size, std::string message) {
    ++problems_;
    sink_
        .report(Kind::lock_syntax, here(begin, std::min<std::size_t>(size, 200)),
                std::move(message))
        .help(std::string(kRemedy));
  }
  /// Always false: what is wrong with the line that is being taken.
  bool refuse(std::string why) {
    why_ = std::move(why);
    return false;
  }
  /// False, and says so, when a line has more than what it may have.
  bool is_used_up(const Line& line) {
    if (line.is_used_up()) return true;
    return refuse(fmt::format("`{}` does not belong there", printable(line.raw(line.next()), 60)));
  }

  /// A line without its end; nothing when the file stops in the middle of it.
  std::optional<std::string_view> next_line() {
    const std::size_t end = text_.find('\n', at_);
    if (end == std::string_view::npos) {
      problem(at_, text_.size() - at_, "the lock stops in the middle of a line");
      return std::nullopt;
    }
    if (end - at_ > kLockLineBytesMax) {
      problem(at_, 1,
              fmt::format("a line of {}, at most {} are read", show_bytes(end - at_),
                          show_bytes(kLockLineBytesMax)));
      return std::nullopt;
    }
    const std::string_view line = text_.substr(at_, end - at_);
    at_ = end + 1;
    return line;
  }

  bool read_header() {
    if (!text_.starts_with("plan-lock ")) {
      sink_
          .report(Kind::lock_syntax, here(0, std::min<std::size_t>(text_.size(), 1)),
                  text_.starts_with("<<<<<<<") ? "git has left a conflict here"
                                               : "the file does not begin with `plan-lock`")
          .help(std::string(kRemedy));
      return false;
    }
    const auto line = next_line();
    if (!line) return false;
    header_end_ = at_;
    const auto words = split(*line, ' ');
    const auto version = words.size() > 1 ? number(words[1]) : std::nullopt;
    if (!version) {
      problem(0, line->size(), "the first line has no format number");
      return false;
    }
    if (*version != kLockFormat) {
      sink_
          .report(Kind::lock_version, here(10, words[1].size()),
                  fmt::format("lock has format {}, this program reads format {}", *version,
                              kLockFormat))
          .help("use the version of `plan` that wrote the lock, or run `plan fetch` with this one");
      return false;
    }
    const auto digest = words.size() == 3 ? unescape_word(words[2]) : std::nullopt;
    if (!digest) {
      problem(0, line->size(), "the first line has no digest of the plan's name");
      return false;
    }
    lock_.plan_name_digest = *digest;
    return true;
  }

  void check_digest(std::size_t begin, std::string_view digest) {
    const std::size_t size = at_ - begin - 1;
    if (at_ != text_.size()) {
      ++problems_;
      sink_.report(Kind::lock_edited, here(at_, 1), "text stands behind the digest line")
          .help(std::string(kRemedy));
      return;
    }
    if (problems_ == 0 && ir::sha256(text_.substr(0, begin)).hex() != digest) {
      ++problems_;
      sink_
          .report(Kind::lock_edited, here(begin, size), "the digest does not fit the text above it")
          .label("digest of the lock as `plan fetch` wrote it")
          .help("take back the edit with git, or run `plan fetch` again");
    }
  }

  static std::string no_number(std::string_view what, std::string_view text) {
    return fmt::format("{} is `{}`, it is a whole number from 1 to {}", what, printable(text, 40),
                       INT64_MAX);
  }

  bool take_line(std::string_view text, Span span) {
    Line line(text);
    const std::string_view kind = line.kind();
    // A caret points at the name, not at all that is known about it.
    span.begin += static_cast<std::uint32_t>(kind.size()) + 1;
    span.end =
        std::min(span.end,
                 span.begin + static_cast<std::uint32_t>(line.size() > 1 ? line.raw(1).size() : 0));
    if (text.starts_with("<<<<<<<") || text.starts_with("=======") || text.starts_with(">>>>>>>"))
      return refuse("git has left a conflict here");
    if (std::find(kKinds.begin(), kKinds.end(), kind) == kKinds.end())
      return refuse(fmt::format("nothing in a lock is called `{}`", printable(kind, 40)));
    auto name = line.word(1);
    if (!name) return line.size() > 1 ? false : refuse("it has no name");
    if (kind == "account") return take_account(line, std::move(*name), span);
    if (kind == "mailboxes") return take_mailboxes(line, std::move(*name));
    if (kind == "list") return take_list(line, std::move(*name), span);
    if (kind == "target-domain") return take_domain(line, std::move(*name), span);
    if (kind == "throttle") return take_throttle(line, std::move(*name), span);
    if (kind == "capability") {
      auto& words = lock_.capabilities[*name];
      if (const auto names = line.take("names")) {
        auto list = unescape_list(*names);
        if (!list) return false;
        words = std::move(*list);
      }
      return is_used_up(line);
    }
    if (kind == "schema" || kind == "source-domain" || kind == "target-address") {
      if (line.size() != 2)
        return refuse(fmt::format("`{}` stands behind its name", printable(line.raw(2), 60)));
      if (kind == "schema" && !lock_.schema_digest.empty())
        return refuse("there is a `schema` already");
      if (kind == "schema")
        lock_.schema_digest = std::move(*name);
      else if (kind == "source-domain")
        lock_.source_domains.push_back(std::move(*name));
      else
        lock_.target_addresses.push_back(std::move(*name));
      return true;
    }
    if (line.size() != 3)
      return refuse(fmt::format("it has {} words, a `{}` has 3", line.size(), kind));
    auto value = line.word(2);
    if (!value) return false;
    if (kind == "version")
      lock_.versions[*name] = std::move(*value);
    else if (kind == "host-key")
      lock_.host_keys[*name] = std::move(*value);
    else if (kind == "certificate")
      lock_.certificates[*name] = std::move(*value);
    else if (kind == "limit") {
      const auto count = number(*value);
      if (!count) return refuse(no_number("the limit", *value));
      lock_.limits[*name] = *count;
    } else if (kind == "setting") {
      auto document = ir::parse_json(*value, kSettingLimits);
      if (!document) return refuse(document.error().message());
      if (ir::canonical_json(*document) != *value)
        return refuse("its JSON is not spelt as `plan fetch` does it");
      if (has_negative(*document)) return refuse("no figure in it can be less than 0");
      lock_.settings[*name] = std::move(*document);
    } else {
      return false;
    }
    return true;
  }

  bool take_account(Line& line, std::string name, Span span) {
    LockAccount account;
    account.address = std::move(name);
    account.span = span;
    const auto take_list_member = [&](std::string_view key, std::vector<std::string>& into) {
      const auto text = line.take(key);
      if (!text) return true;
      auto list = unescape_list(*text);
      if (!list || list->empty()) return false;
      into = std::move(*list);
      return true;
    };
    const auto take_word = [&](std::string_view key, std::string& into) {
      const auto text = line.take(key);
      if (!text) return true;
      auto word = unescape_word(*text);
      if (!word || word->empty()) return false;
      into = std::move(*word);
      return true;
    };
    // Keyed by one folder, so it says nothing to another; earlier programs wrote it.
    std::string hash_digest;
    if (!take_list_member("aliases", account.aliases) ||
        !take_list_member("disabled_aliases", account.disabled_aliases) ||
        !take_word("login", account.login) || !take_word("hash", account.hash_scheme) ||
        !take_word("hash_digest", hash_digest)) {
      return false;
    }
    if (const auto quota = line.take("quota")) {
      const auto bytes = number(*quota);
      if (!bytes || *bytes == 0) return refuse(no_number("`quota`", *quota));
      account.quota_bytes = *bytes;
    }
    if (const auto enabled = line.take("enabled")) {
      if (*enabled != "no") return refuse("`enabled` is `no` or is not there");
      account.is_enabled = false;
    }
    if (!is_used_up(line)) return false;
    lock_.accounts.push_back(std::move(account));
    return true;
  }

  bool take_mailboxes(Line& line, std::string name) {
    std::vector<std::string> names;
    if (const auto text = line.take("names")) {
      auto list = unescape_list(*text);
      if (!list) return false;
      names = std::move(*list);
    }
    if (!is_used_up(line)) return false;
    mailboxes_.emplace_back(std::move(name), std::move(names));
    return true;
  }

  bool take_list(Line& line, std::string name, Span span) {
    LockList list;
    list.address = std::move(name);
    list.span = span;
    if (const auto text = line.take("members")) {
      auto members = unescape_list(*text);
      if (!members) return false;
      list.members = std::move(*members);
    }
    if (!is_used_up(line)) return false;
    lock_.lists.push_back(std::move(list));
    return true;
  }

  bool take_domain(Line& line, std::string name, Span span) {
    LockDomain domain;
    domain.name = std::move(name);
    domain.span = span;
    if (const auto text = line.take("aliases")) {
      auto aliases = unescape_list(*text);
      if (!aliases) return false;
      domain.aliases = std::move(*aliases);
    }
    if (const auto text = line.take("catch_all")) {
      auto word = unescape_word(*text);
      if (!word) return false;
      domain.catch_all = std::move(*word);
    }
    if (const auto text = line.take("relaying")) {
      if (*text != "yes") return refuse("`relaying` is `yes` or is not there");
      domain.allows_relaying = true;
    }
    if (!is_used_up(line)) return false;
    lock_.target_domains.push_back(std::move(domain));
    return true;
  }

  bool take_throttle(Line& line, std::string name, Span span) {
    const auto text = line.take("match");
    const auto word = text ? unescape_word(*text) : std::nullopt;
    if (!text) return refuse("it has no `match`");
    if (!word || !is_used_up(line)) return false;
    auto match = ir::parse_json(*word, kSettingLimits);
    if (!match) return refuse(match.error().message());
    lock_.throttles.push_back({std::move(name), std::move(*match), span});
    return true;
  }

  /// Escaped lines are sorted as text; look-ups need the addresses themselves sorted.
  void finish_mailboxes() {
    const auto by_address = [](const auto& a, const auto& b) { return a.address < b.address; };
    const auto sort = [&](auto& entries) {
      // They are sorted but for those that are written with an escape.
      if (!std::is_sorted(entries.begin(), entries.end(), by_address))
        std::sort(entries.begin(), entries.end(), by_address);
    };
    sort(lock_.accounts);
    sort(lock_.lists);
    auto next = lock_.accounts.begin();
    for (auto& [address, names] : mailboxes_) {
      // Mostly the account behind the last one.
      const auto found =
          next != lock_.accounts.end() && next->address == address
              ? next
              : std::lower_bound(lock_.accounts.begin(), lock_.accounts.end(), address,
                                 [](const LockAccount& a, const std::string& wanted) {
                                   return a.address < wanted;
                                 });
      if (found == lock_.accounts.end() || found->address != address) {
        problem(0, 1,
                fmt::format("mailboxes of `{}`, which is no account of this lock",
                            printable(address, 120)));
        return;
      }
      found->mailboxes = std::move(names);
      found->has_mailboxes = true;
      next = found + 1;
    }
    mailboxes_.clear();
    for (std::size_t i = 1; i < lock_.accounts.size(); ++i) {
      if (problems_ >= kProblemsMax) return;
      if (lock_.accounts[i].address == lock_.accounts[i - 1].address) {
        problem(lock_.accounts[i].span.begin, 8,
                fmt::format("account `{}` stands here twice",
                            printable(lock_.accounts[i].address, 120)));
      }
    }
  }

  std::string_view text_;
  FileId file_;
  Sink& sink_;
  Lock lock_;
  std::vector<std::pair<std::string, std::vector<std::string>>> mailboxes_;
  std::size_t at_ = 0;
  std::size_t header_end_ = 0;
  int problems_ = 0;
  std::string why_;  // the line that is being taken cannot be
};

}  // namespace

std::optional<Lock> read_lock(const SourceSet& sources, FileId file, Sink& sink) {
  return Reader(sources, file, sink).read();
}

}  // namespace plan::facts
