// Flags, keywords and roles: what IMAP calls them and what JMAP does.
#include <algorithm>
#include <set>

#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/archive/import_imap.h"

namespace plan::archive {
namespace {

struct Pair {
  std::string_view imap;
  std::string_view jmap;
};

constexpr Pair kFlags[] = {{"\\Seen", "$seen"},
                           {"\\Flagged", "$flagged"},
                           {"\\Answered", "$answered"},
                           {"\\Draft", "$draft"},
                           {"\\Deleted", "$deleted"}};

constexpr Pair kUses[] = {
    {"\\All", "all"},         {"\\Archive", "archive"},     {"\\Drafts", "drafts"},
    {"\\Flagged", "flagged"}, {"\\Important", "important"}, {"\\Junk", "junk"},
    {"\\Sent", "sent"},       {"\\Trash", "trash"}};

constexpr Pair kNames[] = {{"sent", "sent"},
                           {"sent mail", "sent"},
                           {"sent items", "sent"},
                           {"sent messages", "sent"},
                           {"sent-mail", "sent"},
                           {"drafts", "drafts"},
                           {"draft", "drafts"},
                           {"trash", "trash"},
                           {"deleted", "trash"},
                           {"deleted items", "trash"},
                           {"deleted messages", "trash"},
                           {"junk", "junk"},
                           {"spam", "junk"},
                           {"junk e-mail", "junk"},
                           {"junk email", "junk"},
                           {"archive", "archive"},
                           {"archives", "archive"}};

}  // namespace

std::vector<std::string> keywords_of(const std::vector<std::string>& flags) {
  std::vector<std::string> keywords;
  std::set<std::string> seen;
  for (const std::string& flag : flags) {
    if (equals_ignoring_case(flag, "\\Recent") || flag.empty()) continue;
    std::string keyword = flag;
    for (const Pair& pair : kFlags)
      if (equals_ignoring_case(flag, pair.imap) || equals_ignoring_case(flag, pair.jmap))
        keyword = pair.jmap;
    if (first_invalid_utf8(keyword)) keyword = printable(keyword, 200);
    if (seen.insert(lower_ascii(keyword)).second) keywords.push_back(std::move(keyword));
  }
  return keywords;
}

std::string json_array(const std::vector<std::string>& texts) {
  ir::List list;
  for (const std::string& text : texts) list.emplace_back(text);
  return ir::write_json(ir::Value(std::move(list)));
}

std::vector<std::string> texts_of_json(std::string_view json) {
  std::vector<std::string> texts;
  auto value = ir::parse_json(json);
  if (!value || !value->is_list()) return texts;
  for (std::size_t index = 0; index < value->size(); ++index)
    texts.emplace_back(value->item(index).string_or(""));
  return texts;
}

bool same_keywords(const std::vector<std::string>& left, const std::vector<std::string>& right) {
  const auto folded = [](const std::vector<std::string>& keywords) {
    std::set<std::string> set;
    for (const std::string& keyword : keywords) set.insert(lower_ascii(keyword));
    return set;
  };
  return folded(left) == folded(right);
}

std::string role_by_use(const net::imap::MailboxInfo& mailbox) {
  if (equals_ignoring_case(mailbox.wire_name, "INBOX")) return "inbox";
  for (const Pair& pair : kUses)
    if (mailbox.has(pair.imap)) return std::string(pair.jmap);
  return {};
}

std::string role_by_name(std::string_view full_name) {
  for (const Pair& pair : kNames)
    if (equals_ignoring_case(full_name, pair.imap)) return std::string(pair.jmap);
  return {};
}

}  // namespace plan::archive
