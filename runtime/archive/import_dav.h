#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "compiler/source/result.h"
#include "runtime/archive/archive_file.h"
#include "runtime/archive/dav_counts.h"
#include "runtime/archive/import_imap.h"
#include "runtime/net/dav/client.h"

namespace plan::archive {

/// Where the calendars and contacts of one account lie.
struct DavSource {
  std::string server = {};  ///< as the plan names it: radicale, sogo, ...
  std::string url = {};
  std::string path = {};     ///< the account's principal there, "/alice%40example.org/"
  std::string account = {};  ///< its address
  /// Where it is known where its collections lie, and nobody need be asked: instead of `path`.
  net::dav::HomePaths homes = {};
  /// Where `path` is only the usual one and has nothing, the server is asked for the principal: the
  /// login is the account's own.
  bool is_principal_asked = false;
  std::function<Result<net::dav::Client>()> connect = {};
};

/// The account's homes, at `path` or where the server says that they are. A principal that names
/// somebody else is an error: two accounts must not be read from one place.
[[nodiscard]] Result<net::dav::Homes> homes_of(const net::dav::Client& client,
                                               const DavSource& source);

struct DavReport {
  bool is_there = false;  ///< false: the server has nothing at the account's path
  std::uint64_t collections = 0;
  std::uint64_t items = 0;
  std::uint64_t created = 0;
  std::uint64_t updated = 0;
  std::uint64_t removed = 0;
  std::uint64_t collections_changed = 0;  ///< made, gone, or with another name
  std::vector<ImportProblem> problems = {};
  DavCounts sharing = {};  ///< only what others have to do with the collections
  [[nodiscard]] std::uint64_t changes() const {
    return created + updated + removed + collections_changed;
  }
};

struct DavImportOptions {
  bool is_dry = false;  ///< nothing is stored
  /// Only what the server says changed since the last pass (sync-collection), where it can say it:
  /// for the hold. Else every collection is listed whole, which costs some servers seconds.
  bool is_since_last = false;
};

/// One pass: the archive becomes what the calendars and address books of the source are. By ETag,
/// and by the text where there is none; may be repeated at any time. A collection that cannot be
/// read is a problem in the report, and nothing of it counts as gone.
///
/// Errors: the source cannot be reached or refuses the login, the archive cannot be written.
[[nodiscard]] Result<DavReport> import_dav(ArchiveFile& archive, const DavSource& source,
                                           const DavImportOptions& options = {});

}  // namespace plan::archive
