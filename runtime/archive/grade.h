#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "compiler/ir/value.h"
#include "compiler/source/result.h"
#include "runtime/archive/archive_file.h"
#include "runtime/archive/dav_counts.h"
#include "runtime/archive/import_imap.h"
#include "runtime/archive/import_sieve.h"
#include "runtime/archive/target_account.h"

namespace plan::archive {

/// How equal the two sides of an account are (design.md section 6, step 6); worse ones are larger.
enum class Grade : std::uint8_t {
  perfect = 0,      ///< no difference
  good = 1,         ///< only differences of the closed list below
  investigate = 2,  ///< flag, date or mailbox differs, or an item was refused
  poor = 3,         ///< content is missing or extra
  not_checked = 4,  ///< a part has no evidence
};
[[nodiscard]] std::string_view to_string(Grade grade);

// Facts of the archive: the target's Email state up to which everything was compared, and the items
// that differed then.
inline constexpr std::string_view kComparedState = "compared-state";
inline constexpr std::string_view kComparedDoubts = "compared-doubts";
[[nodiscard]] Grade worse(Grade left, Grade right);

// The closed list of `good` differences:
//   - a date before 1970, which the target cannot hold, is 1970-01-01T00:00:00Z there
//   - a mailbox has another name, because the target has a role mailbox for it or refuses the name
//   - `\Recent`, which is no property of the message
//   - who may see a calendar or an address book, and whose it was, is not carried

struct GradeDifference {
  Grade grade = Grade::investigate;
  std::string where = {};  ///< "INBOX uid 7", "Sieve script x", "target message m123"
  std::string text = {};
};

struct GradeReport {
  Grade grade = Grade::perfect;
  std::uint64_t messages = 0;  ///< compared one by one
  std::uint64_t proved = 0;    ///< whose bytes were proved at the target by digest
  std::uint64_t proved_now = 0;
  std::uint64_t differences_count = 0;
  std::vector<GradeDifference> differences = {};  ///< the first kDifferencesListed, worst first
  std::uint64_t delivered = 0;                    ///< at the target, not ours, and allowed to be
  /// The server of calendars and contacts beside the source; empty: the source has none.
  std::string dav_server = {};
  bool is_dav_left = false;     ///< the plan says that they stay
  bool is_dav_carried = false;  ///< they are brought over; `dav_grade` is theirs
  bool is_dav_checked = false;  ///< the source was read again when nobody used it any more
  Grade dav_grade = Grade::not_checked;
  std::uint64_t dav_items = 0;  ///< events and cards that were compared
  DavCounts dav_counts = {};    ///< what the source has of them, and what of that is not carried
  /// `grade` is that of mail and scripts; the account's is never better than not-checked while
  /// calendars and contacts stay behind, or could be written at the source all the while.
  [[nodiscard]] Grade account_grade() const;
  /// What decides whether the account goes on, where the plan has agreed to a part that is not
  /// checked; else the account's grade.
  [[nodiscard]] Grade judged() const;
  /// One line: how many messages, or the first difference.
  [[nodiscard]] std::string summary() const;
  /// The summary and the first differences behind it, in one line.
  [[nodiscard]] std::string reason() const;
  /// The outputs of archive.grade.
  [[nodiscard]] ir::Value to_value() const;
};

struct GradeOptions {
  /// Once the account's key is set, mail that arrives at the target is the target's own; before
  /// that there must be none.
  bool is_delivery_allowed = false;
  /// After the flip flags, moves and deletions at the target are the user's.
  bool is_target_authority = false;
  /// Only what changed on either side since the last whole comparison of this archive with this
  /// account: what Email/changes reports, what the archive has not settled, and what differed then;
  /// all the rest stands as it was proved. The whole comparison is made where that does not add up
  /// (the target cannot tell, or has more or fewer messages). For the hold.
  bool is_since_last = false;
  /// Proves by digest also what was proved before.
  bool is_everything_proved_again = false;
  /// Ids of messages that are not the user's (probes).
  std::vector<std::string> ignored_ids = {};
};

/// Compares the archive with the target, message by message, and proves bytes by digest.
[[nodiscard]] Result<GradeReport> grade_target(ArchiveFile& archive, const TargetAccount& target,
                                               const GradeOptions& options = {});

/// Adds what a dry pass over the source found: differences between source and archive are
/// differences between source and target. Anything that changed makes the grade `not-checked`.
void add_source_findings(GradeReport& report, const ImportReport& mail, const SieveReport& scripts);

}  // namespace plan::archive
