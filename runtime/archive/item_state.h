#pragma once

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

}  // namespace plan::archive
