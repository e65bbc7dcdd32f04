#pragma once
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "compiler/ir/observation.h"
#include "compiler/source/result.h"
#include "runtime/archive/import_dav.h"
#include "runtime/archive/import_imap.h"
#include "runtime/net/clock.h"
#include "runtime/step/step_driver.h"

namespace plan::archive {

/// What looking at an account's mailboxes took, kept from the look of archive.copy for the steps
/// that make the same look in the hold. Thread-safe.
class SeenMailboxes {
 public:
  /// Calendars and address books beside the mail, where they are carried.
  struct Calendars {
    double scan_ms = 0;  ///< the login, and what changed in each, or a listing of it
    std::uint64_t collections = 0;
    std::uint64_t listed = 0;  ///< of them those whose server does not say what changed
    std::uint64_t entries = 0;
    int calls = 0;  ///< of the target, for what it has of them
  };
  struct Figures {
    double scan_ms = 0;
    std::uint64_t mailboxes = 0;
    std::uint64_t messages = 0;
    bool has_qresync = false;
    Calendars calendars = {};
  };
  /// What a step does besides its look at the source.
  struct Work {
    int calls = 0;   ///< of the target
    int writes = 0;  ///< that are durable when they return
    int looks = 1;   ///< at the mailboxes, and the scripts
  };

  void put(const std::string& account, Figures figures);
  /// Puts into `seen` what one pass over the source and that work take. `call_ms`: what one call of
  /// the target took just now. Nothing for an account that was not looked at.
  void predict(const step::StepContext& context, const std::string& account, const Work& work,
               double call_ms, ir::Observation& seen);

 private:
  std::mutex mutex_;
  std::map<std::string, Figures> by_account_;
  std::optional<double> write_ms_ = {};
  double calls_ms_ = 0;
  int calls_ = 0;
};

struct MailboxesLook {
  SeenMailboxes::Figures figures = {};
  std::optional<std::uint64_t> bytes = {};  ///< nothing: a mailbox did not say
  std::string remark = {};                  ///< about a mailbox that cannot be read
};

struct CalendarsLook {
  SeenMailboxes::Calendars figures = {};
  DavCounts counts = {};
};

/// Lists and counts an account's calendars and address books, then asks what changed as the passes
/// of the hold do, and measures that. Nothing where the server has nothing at the account's path;
/// one that cannot be listed counts as empty. Errors: those of the connection.
[[nodiscard]] Result<std::optional<CalendarsLook>> look_at_calendars(const DavSource& source,
                                                                     net::Clock& clock);

/// Counts an account's mail without reading it, and measures what opening its mailboxes takes, as
/// the passes of the hold do. Errors: those of the connection; a mailbox that is refused is a
/// remark.
[[nodiscard]] Result<MailboxesLook> look_at_mailboxes(const ImapSource& source, net::Clock& clock);

}  // namespace plan::archive
