#pragma once
#include <string_view>

namespace plan::archive {

/// plan_item.state: what is known of a message at the target. On disk; never renumber.
enum class ItemState : int {
  wanted = 0,      ///< not there
  importing = 1,   ///< an import was begun whose answer is not known
  at_target = 2,   ///< there, as target_id
  refused = 3,     ///< the target does not take it: problem
  destroying = 4,  ///< a destruction was begun whose answer is not known
  unreadable = 5,  ///< the source does not give it: problem
};

/// Ids of the items that are not as a comparison with no difference leaves them, by themselves; the
/// condition is that of the index.
inline constexpr std::string_view kUnsettledItems =
    "SELECT u.id FROM plan_item u INDEXED BY plan_item_unsettled_idx WHERE u.is_gone = 1 OR "
    "u.state "
    "<> 2 OR u.is_proved = 0 OR u.problem IS NOT NULL OR u.target_keywords IS NOT u.keywords";
/// Ids of the items that are in another mailbox of the target than their mailbox has become.
inline constexpr std::string_view kMisplacedItems =
    "SELECT q.id FROM plan_target_mailbox o CROSS JOIN plan_item q INDEXED BY plan_item_place_idx "
    "WHERE q.wire_name = o.wire_name AND q.target_mailbox < o.target_id UNION ALL "
    "SELECT q.id FROM plan_target_mailbox o CROSS JOIN plan_item q INDEXED BY plan_item_place_idx "
    "WHERE q.wire_name = o.wire_name AND q.target_mailbox > o.target_id";
/// The same for items whose mailbox has no place at the target.
inline constexpr std::string_view kPlacelessItems =
    "SELECT q.id FROM plan_mailbox m LEFT JOIN plan_target_mailbox o ON o.wire_name = m.wire_name "
    "CROSS JOIN plan_item q INDEXED BY plan_item_place_idx WHERE q.wire_name = m.wire_name AND "
    "q.target_mailbox > '' AND o.target_id IS NULL";

}  // namespace plan::archive
