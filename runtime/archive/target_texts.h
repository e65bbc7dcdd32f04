#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "compiler/source/result.h"
#include "runtime/archive/target_account.h"
#include "runtime/archive/target_shelf.h"

namespace plan::archive {

/// Texts (iCalendar, vCard) of the target's events and cards. JMAP shows them as objects only, so
/// they are read over CalDAV and CardDAV, as the administrator
/// (reference/split-delivery.md 9.6); nothing is written there.
class TargetTexts {
 public:
  /// `account` is the address: the server's paths have it (`/dav/cal/alice%40example.org/`).
  TargetTexts(const TargetAccount& target, std::string account)
      : target_(target), account_(std::move(account)) {}

  /// The text that the target itself reads as this entry; empty when none of those with its UID
  /// says the same. All texts of a kind are read at the first call.
  [[nodiscard]] Result<std::string> find(net::dav::Kind kind, const TargetEntry& entry);

 private:
  [[nodiscard]] Outcome read(net::dav::Kind kind);

  const TargetAccount& target_;
  std::string account_;
  std::map<net::dav::Kind, std::multimap<std::string, std::string>> texts_ = {};  ///< by UID
};

/// What lies in a calendar's text, in lower case: `vevent`, `vtodo`, ...; time zones do not count.
/// Empty when nothing does, or the text is a card.
[[nodiscard]] std::string component_of_text(std::string_view text);

/// UID of the first event, task or card of a text; empty when it has none. Fuzzed.
[[nodiscard]] std::string uid_of_text(std::string_view text);

}  // namespace plan::archive
