#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "compiler/source/result.h"
#include "runtime/archive/archive_file.h"
#include "runtime/archive/limits.h"
#include "runtime/net/imap/client.h"

namespace plan::archive {

/// Where an import reads. `connect` gives a connection that is logged in; it is called again after
/// a connection broke.
struct ImapSource {
  std::function<Result<std::unique_ptr<net::imap::Client>>()> connect = {};
  SourceIdentity identity = {};  ///< kind "imap"
  /// Where mailboxes of others lie, besides what the server says by NAMESPACE: "Shared Folders/".
  std::string shared_prefix = {};

  /// What the server says of its namespaces, and that.
  [[nodiscard]] Result<net::imap::Namespaces> namespaces(net::imap::Client& client) const;
};

struct ImportOptions {
  std::size_t fetch_batch = kFetchBatch;
  bool is_source_change_allowed = false;
  /// Reads every UID and flag, whatever QRESYNC says.
  bool is_full_scan = false;
  /// Looks for what changed and stores nothing: for the grade.
  bool is_dry = false;
  /// Messages that another program (Vandelay) put into this archive are taken over; a look at all
  /// of them.
  bool are_others_rows_looked_for = true;
  std::function<bool()> is_stop_requested = {};
  /// Messages read so far in this pass, and their bytes.
  std::function<void(std::uint64_t messages, std::uint64_t bytes)> progress = {};
};

/// A message or mailbox that could not be read: listed, tried again by the next pass.
struct ImportProblem {
  std::string mailbox = {};
  std::uint32_t uid = 0;  ///< 0: the mailbox itself
  std::string text = {};
};

struct ImportReport {
  std::uint64_t mailboxes = 0;          ///< that can be opened
  std::uint64_t messages = 0;           ///< in them
  std::uint64_t created = 0;            ///< messages that were new
  std::uint64_t updated = 0;            ///< messages whose keywords changed
  std::uint64_t removed = 0;            ///< messages that are gone
  std::uint64_t mailboxes_changed = 0;  ///< made, gone or with a new UIDVALIDITY
  std::uint64_t bytes = 0;              ///< of new messages
  std::uint64_t scanned = 0;            ///< mailboxes that had to be compared UID by UID
  std::vector<ImportProblem> problems = {};
  [[nodiscard]] std::uint64_t changes() const {
    return created + updated + removed + mailboxes_changed;
  }
};

/// One pass: the archive becomes what the source is, mailbox by mailbox. Committed in batches, so
/// that a crash loses little; may be repeated at any time. By QRESYNC where the source has it (with
/// a comparison of all UIDs when the numbers do not add up), else by comparing UIDs and flags.
///
/// A mailbox that is refused or goes away in the middle, and a message that cannot be read, are
/// problems in the report. Errors: the source cannot be reached, the archive cannot be written,
/// `stopped`.
[[nodiscard]] Result<ImportReport> import_imap(ArchiveFile& archive, const ImapSource& source,
                                               const ImportOptions& options = {});

/// Keywords of JMAP for flags of IMAP, in the order of the source, without `\Recent` and doubles
/// (reference/account-archive.md 4.1).
[[nodiscard]] std::vector<std::string> keywords_of(const std::vector<std::string>& flags);
/// As a JSON array.
[[nodiscard]] std::string json_array(const std::vector<std::string>& texts);
[[nodiscard]] std::vector<std::string> texts_of_json(std::string_view json);
/// The same keywords, whatever their order and letter case of the known ones?
[[nodiscard]] bool same_keywords(const std::vector<std::string>& left,
                                 const std::vector<std::string>& right);

/// Role for a mailbox: by SPECIAL-USE, else by its name where plan knows it; empty for none.
[[nodiscard]] std::string role_by_use(const net::imap::MailboxInfo& mailbox);
[[nodiscard]] std::string role_by_name(std::string_view full_name);

}  // namespace plan::archive
