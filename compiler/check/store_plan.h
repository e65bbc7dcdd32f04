#pragma once
#include "compiler/check/fields.h"
#include "compiler/check/plan.h"

namespace plan::check {

/// Reads what a plan about a store has instead of source, proxies and accounts: `hosts`, `target`,
/// `dump`, `store`. Reports what is not there or of another kind; what follows from it is for the
/// rules.
void read_store_plan(Plan& plan, FieldReader& reader, Sink& sink);

/// Reports when a block `service` has no way to stop and start the server, or more than one.
void check_service(const ir::Value& service, const syntax::Node& node, Sink& sink);

/// The top-level keys of such a plan.
[[nodiscard]] const std::vector<std::string_view>& store_plan_keys();
/// And the places that it can go back to.
[[nodiscard]] const std::vector<std::string_view>& store_plan_points();

/// Its subspaces are all of them, or the blobs are among them.
[[nodiscard]] bool has_blobs(const PlanDump& dump);

/// Where the lease of a run over this server lies, on its machine.
[[nodiscard]] std::string store_lease_file(std::string_view config);

}  // namespace plan::check
