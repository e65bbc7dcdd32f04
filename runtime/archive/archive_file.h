#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/source/result.h"
#include "runtime/store/sqlite.h"

namespace plan::archive {

struct ArchiveOptions {
  bool must_exist = false;
  /// Makes the plan_ tables too: for archives that plan fills.
  bool has_provenance = true;
  std::string vfs = {};
};

/// Where the content of an archive came from (reference/account-archive.md 2.8). Never a password.
struct SourceIdentity {
  std::string kind = {};  ///< imap, managesieve, jmap
  std::string session_url = {};
  std::string account_id = {};
  std::string account_name = {};
  std::string username = {};
};

struct StoredBlob {
  std::int64_t id = 0;
  bool is_new = false;
};

/// One account in one SQLite file, in the layout of Vandelay: its tools open it, ours open theirs.
/// One thread at a time.
///
/// Errors: those of runtime/store, archive-foreign (a database without any table of an archive is
/// only taken when it is empty), source-conflict.
class ArchiveFile {
 public:
  [[nodiscard]] static Result<ArchiveFile> open(const std::string& path,
                                                const ArchiveOptions& options = {});

  [[nodiscard]] store::Database& database() { return *database_; }
  [[nodiscard]] const std::string& path() const { return database_->path(); }

  /// Id of the source, made or found. Another source of the same kind is refused unless
  /// `is_change_allowed`.
  [[nodiscard]] Result<std::int64_t> source(const SourceIdentity& identity, bool is_change_allowed);
  /// Stores bytes once.
  [[nodiscard]] Result<StoredBlob> put_blob(std::string_view bytes);
  [[nodiscard]] Result<std::string> blob(std::int64_t id);
  /// Deletes blobs that nothing refers to (2.7); how many.
  [[nodiscard]] Result<std::int64_t> collect_garbage();

  [[nodiscard]] Outcome set_fact(std::string_view name, std::string_view value);
  [[nodiscard]] Result<std::string> fact(std::string_view name);  ///< empty when there is none

  /// What does not hold in the file: damaged pages, references into nothing, blobs whose bytes are
  /// not those of their digest, JSON that is not what it should be. Empty: all is well. Reads
  /// everything. At most 100 complaints.
  [[nodiscard]] Result<std::vector<std::string>> verify();

 private:
  explicit ArchiveFile(store::Database database)
      : database_(std::make_unique<store::Database>(std::move(database))) {}

  std::unique_ptr<store::Database> database_;  // statements point to it
};

/// Path names of a mailbox row, root first; empty when the row is not there. Bounded against
/// cycles.
[[nodiscard]] Result<std::vector<std::string>> mailbox_path(store::Database& database,
                                                            std::int64_t mailbox_id);

}  // namespace plan::archive
