#include "runtime/rehearsal/keywords.h"

#include <array>

#include "compiler/source/text.h"

namespace plan::rehearsal {
namespace {

constexpr std::size_t kKeywordBytesMax = 128;
constexpr std::array<std::string_view, 13> kKnown = {
    "$seen", "$draft",   "$flagged", "$answered",  "$recent",  "$important", "$phishing",
    "$junk", "$notjunk", "$deleted", "$forwarded", "$mdnsent", "$autosent"};
struct Flag {
  std::string_view keyword;
  std::string_view imap;
};
constexpr std::array<Flag, 12> kFlags = {{{"$seen", "\\Seen"},
                                          {"$draft", "\\Draft"},
                                          {"$flagged", "\\Flagged"},
                                          {"$answered", "\\Answered"},
                                          {"$recent", "\\Recent"},
                                          {"$important", "\\Important"},
                                          {"$phishing", "$Phishing"},
                                          {"$junk", "$Junk"},
                                          {"$notjunk", "$NotJunk"},
                                          {"$deleted", "\\Deleted"},
                                          {"$forwarded", "$Forwarded"},
                                          {"$mdnsent", "$MDNSent"}}};

}  // namespace

std::string normal_keyword(std::string_view keyword) {
  const std::string lower = lower_ascii(keyword);
  for (const std::string_view known : kKnown)
    if (lower == known) return lower;
  for (const Flag& flag : kFlags)
    if (flag.imap.starts_with('\\') && equals_ignoring_case(keyword, flag.imap))
      return std::string(flag.keyword);
  std::string out(keyword.substr(0, kKeywordBytesMax));
  while (!out.empty() && first_invalid_utf8(out)) out.pop_back();
  return out;
}

std::string imap_flag(std::string_view keyword) {
  for (const Flag& flag : kFlags)
    if (flag.keyword == keyword) return std::string(flag.imap);
  return std::string(keyword);
}

std::string keyword_of_flag(std::string_view flag) { return normal_keyword(flag); }

std::int64_t stored_time(std::int64_t seconds) {
  if (seconds >= 0) return seconds;
  // Unsigned 64 bits of seconds, of which the date arithmetic keeps this much: 1969-12-31T23:59:59Z
  // comes back as 32548-12-04T15:30:07Z.
  return 964'977'723'008 + seconds;
}

}  // namespace plan::rehearsal
