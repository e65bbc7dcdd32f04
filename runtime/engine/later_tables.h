#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/source/result.h"
#include "runtime/store/sqlite.h"

namespace plan::engine::later {

// Tables that came later than the journal's format: an earlier plan leaves them alone, and a
// journal that only an earlier plan has opened for writing lacks them, which reads as empty.

[[nodiscard]] Outcome make_tables(store::Database& database);

/// Where the steps of a graph come from.
[[nodiscard]] Outcome put_places(store::Database& database, std::string_view graph_digest,
                                 const std::vector<std::string>& places);
/// As canonical JSON; empty: not known.
[[nodiscard]] Result<std::string> places(store::Database& database, std::string_view graph_digest);

/// The monotonic clock at the begin of each account's latest hold.
[[nodiscard]] Outcome put_uptime(store::Database& database, std::string_view account,
                                 std::optional<std::int64_t> up_ms);
[[nodiscard]] Result<std::map<std::string, std::int64_t>> uptimes(store::Database& database);

/// Each account's latest grade, as canonical JSON.
[[nodiscard]] Outcome put_grade(store::Database& database, std::string_view account,
                                std::string_view grade);
[[nodiscard]] Result<std::map<std::string, std::string>> grades(store::Database& database);

/// Runs that have asked for the leases, begun or not.
[[nodiscard]] Outcome put_lease_asked(store::Database& database, std::string_view run_id);
[[nodiscard]] Result<std::vector<std::string>> leases_asked(store::Database& database);

}  // namespace plan::engine::later
