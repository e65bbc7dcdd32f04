#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/ir/value.h"
#include "compiler/source/result.h"
#include "runtime/archive/target_account.h"
#include "runtime/net/dav/client.h"

namespace plan::archive {

/// A calendar or an address book of the target.
struct TargetFolder {
  std::string id = {};
  std::string name = {};  ///< as the administrator's login sees it
  bool is_default = false;
};

/// An event or a card of the target.
struct TargetEntry {
  std::string id = {};
  std::string uid = {};
  std::set<std::string> folders = {};
  ir::Value body = {};      ///< without id and folders; null: not read (kept_shelf.h)
  std::string digest = {};  ///< of its normal form
};

struct TargetShelf {
  std::vector<TargetFolder> folders = {};  ///< in the target's order
  std::map<std::string, TargetEntry> entries = {};
};

/// How JMAP calls the two kinds (RFC 9610, draft-ietf-jmap-calendars).
struct ShelfWords {
  std::string_view capability;
  std::string_view parse_capability;
  std::string_view folder_type;
  std::string_view entry_type;
  std::string_view folder_ids;
  std::string_view media_type;
  std::string_view one;   ///< "event"
  std::string_view many;  ///< "events"
};
[[nodiscard]] const ShelfWords& words_of(net::dav::Kind kind);

/// What counts of an event or a card: without what the target stamps or notes by itself (id,
/// folders, `updated`, how a text was converted), and without the roles of participants of an event
/// that nobody organises, which the target does not keep (reference/stalwart-admin.md 8.4).
[[nodiscard]] ir::Value normal_entry(net::dav::Kind kind, const ir::Value& body);
/// SHA-256 (raw) of the normal form's one spelling.
[[nodiscard]] std::string entry_digest(net::dav::Kind kind, const ir::Value& body);
/// Names of the members in which two entries differ, "title, start"; at most five.
[[nodiscard]] std::string members_that_differ(net::dav::Kind kind, const ir::Value& left,
                                              const ir::Value& right);

[[nodiscard]] Result<std::vector<TargetFolder>> read_folders(const TargetAccount& target,
                                                             net::dav::Kind kind);
/// All of one kind that the account has. Read as the administrator, by accountId.
[[nodiscard]] Result<TargetShelf> read_shelf(const TargetAccount& target, net::dav::Kind kind);
/// Those of the ids that are there.
[[nodiscard]] Result<std::vector<TargetEntry>> read_entries(const TargetAccount& target,
                                                            net::dav::Kind kind,
                                                            const std::vector<std::string>& ids);

/// What the target makes of a text; without an entry the reason why it cannot be carried.
struct ParsedText {
  std::optional<ir::Value> entry = {};
  std::string problem = {};
};
/// Has the target read each of the texts (CalendarEvent/parse, ContactCard/parse), in their order;
/// nothing is stored there. An entry without a UID gets the one of `fallback_uids`.
[[nodiscard]] Result<std::vector<ParsedText>> parse_at_target(
    const TargetAccount& target, net::dav::Kind kind, const std::vector<std::string_view>& texts,
    const std::vector<std::string>& fallback_uids);

}  // namespace plan::archive
