#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "compiler/ir/observation.h"
#include "compiler/ir/value.h"
#include "compiler/source/result.h"
#include "runtime/archive/archive_file.h"
#include "runtime/net/dav/client.h"

namespace plan::archive {

/// What an account has at a DAV server, in numbers: what is carried, and what is not.
struct DavCounts {
  std::uint64_t calendars = 0;
  std::uint64_t events = 0;
  std::uint64_t address_books = 0;
  std::uint64_t cards = 0;
  // Not carried:
  std::uint64_t tasks = 0;          ///< VTODO
  std::uint64_t journals = 0;       ///< VJOURNAL
  std::uint64_t busy_times = 0;     ///< VFREEBUSY
  std::uint64_t unread = 0;         ///< other texts that the target cannot read
  std::uint64_t refused = 0;        ///< events and cards that the target does not take
  std::uint64_t shared = 0;         ///< calendars and address books that others may see
  std::uint64_t shared_with = 0;    ///< the others, of all of these
  std::uint64_t of_others = 0;      ///< that are somebody else's: their items are carried as copies
  std::uint64_t subscriptions = 0;  ///< to calendars elsewhere
  bool are_tasks_known = true;      ///< false: the server does not count tasks and journals
  /// "2 calendars with 12 events, 1 address book with 4 cards".
  [[nodiscard]] std::string carried() const;
  /// "2 tasks, sharing of 1 calendar or address book (with 3 others)"; empty: everything is
  /// carried.
  [[nodiscard]] std::string not_carried() const;
  /// Both in one line.
  [[nodiscard]] std::string to_text() const;
  /// The numbers by name, and `carried` and `not_carried` in words.
  [[nodiscard]] ir::Value to_value() const;
  /// For the diff; of what is not carried only what there is.
  [[nodiscard]] std::vector<ir::Counted> carried_by_name() const;
  [[nodiscard]] std::vector<ir::Counted> not_carried_by_name() const;
  /// Adds how collections are shared, and what else `homes` shows beside them.
  void add_sharing(const net::dav::Homes& homes);
};

/// What the archive has, once the target has read the texts; without sharing.
[[nodiscard]] Result<DavCounts> count_dav(ArchiveFile& archive);

}  // namespace plan::archive
