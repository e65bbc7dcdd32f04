// Prevents: a mailbox that the target refuses in the middle of a copy. It counts bytes of one name,
// levels, mailboxes of an account, and takes names for equal whatever their case
// (reference/stalwart-admin.md 8.2).
#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

// Defaults of a fresh server; `plan fetch` measures the real ones.
constexpr std::uint64_t kNameBytesMax = 254;
constexpr std::uint64_t kDepthMax = 10;
constexpr std::uint64_t kMailboxesMax = 250;  // 0: as many as anybody wants

}  // namespace

void mailbox_name_refused(const Migration& migration, Sink& sink) {
  const std::uint64_t name_max =
      migration.lock->limit("target.max_mailbox_name_bytes").value_or(kNameBytesMax);
  const std::uint64_t depth_max =
      migration.lock->limit("target.max_mailbox_depth").value_or(kDepthMax);
  const std::uint64_t count_max =
      migration.lock->limit("target.max_mailboxes").value_or(kMailboxesMax);
  std::unordered_map<std::string, std::string_view> by_lower;
  for (const Account& account : migration.accounts) {
    const auto refuse = [&](std::string_view name, std::string why) {
      sink.report(Kind::mailbox_name_refused, account.lock->span,
                  fmt::format("mailbox `{}` of `{}`: {}", printable(name, 120),
                              printable(account.lock->address, 120), why))
          .help("rename it at the source and run `plan fetch`");
    };
    if (count_max != 0 && account.lock->mailboxes.size() > count_max) {
      sink.report(Kind::mailbox_name_refused, account.lock->span,
                  fmt::format("`{}` has {} mailboxes, the target allows {}",
                              printable(account.lock->address, 120),
                              show_count(account.lock->mailboxes.size()), show_count(count_max)))
          .help("raise `maxMailboxes` on the target and run `plan fetch`");
    }
    by_lower.clear();
    for (const std::string& mailbox : account.lock->mailboxes) {
      const auto parts = split(mailbox, '/');
      if (parts.size() > depth_max)
        refuse(mailbox, fmt::format("{} levels, the target allows {}", parts.size(), depth_max));
      for (const std::string_view part : parts) {
        if (part.empty()) {
          refuse(mailbox, "a level without a name");
        } else if (part.size() > name_max) {
          refuse(mailbox,
                 fmt::format("a name of {} bytes, the target allows {}", part.size(), name_max));
        } else if (trim(part) != part) {
          refuse(mailbox, "a blank at the edge of a name, which the target takes away");
        } else if (std::any_of(part.begin(), part.end(), [](char c) {
                     return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
                   })) {
          refuse(mailbox, "a control character in a name");
        }
      }
      const auto [entry, is_new] = by_lower.emplace(lower_ascii(mailbox), mailbox);
      if (!is_new)
        refuse(mailbox, fmt::format("the target takes it for `{}`", printable(entry->second, 120)));
    }
  }
}

}  // namespace plan::check::rules
