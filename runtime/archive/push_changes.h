#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/ir/value.h"
#include "runtime/archive/push_jmap.h"

namespace plan::archive {

/// {"a": true, "b": true}: how JMAP writes a set.
[[nodiscard]] ir::Value true_map(const std::vector<std::string>& names);

/// "INBOX uid 7", for a report.
[[nodiscard]] std::string place_of(const std::string& wire_name, std::int64_t uid);

/// `stopped` when the caller of the push wants an end.
[[nodiscard]] Outcome check_stop(const PushOptions& options);

/// The part of a push that is about messages which are at the target already: those that changed
/// at the source, and those that went. Only what is at the target as plan left it is touched.
class PushChanges {
 public:
  /// All four outlive the object; `report` gets the counts.
  PushChanges(ArchiveFile& archive, const TargetAccount& target, const PushOptions& options,
              PushReport& report)
      : database_(archive.database()), target_(target), options_(options), report_(report) {}

  /// Keywords and mailbox follow the source. `places`: the target's mailbox of each wire name.
  [[nodiscard]] Outcome update_changed(const std::map<std::string, std::string>& places);

  /// Destroys the items that `condition` (over plan_item p) selects.
  [[nodiscard]] Outcome destroy_gone(std::string_view condition = "p.state = 2 AND p.is_gone = 1");

  /// In a transaction: the item is not at the target any more.
  [[nodiscard]] Outcome forget(std::int64_t id);

 private:
  struct Placed {
    std::int64_t id = 0;
    std::string wire_name = {};
    std::int64_t uid = 0;
    std::string target_id = {};
    std::string target_mailbox = {};
    std::string target_keywords = {};
    std::string keywords = {};
  };

  [[nodiscard]] Result<std::vector<Placed>> placed(std::string_view condition);
  [[nodiscard]] static bool is_untouched(const Placed& item, const TargetEmail& email);
  [[nodiscard]] Outcome note_conflict(const Placed& item, std::string text);

  store::Database& database_;
  const TargetAccount& target_;
  const PushOptions& options_;
  PushReport& report_;
};

}  // namespace plan::archive
