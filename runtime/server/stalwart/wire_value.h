#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "compiler/ir/observation.h"
#include "compiler/ir/value.h"
#include "compiler/source/result.h"
#include "runtime/secret/secret.h"

// Values of registry objects as they cross the wire (reference/stalwart-admin.md 2): sets are {"a":
// true}, lists of objects {"0": {...}}, expressions need both `match` and `else`, a whole
// multi-variant value resets what it leaves out.
namespace plan::server::stalwart {

/// The spelling of the wire for what a plan says: a list of strings becomes a set, a list of maps a
/// numbered list, an expression without `match` gets an empty one (or else the server keeps the
/// old). Maps stay as they are.
[[nodiscard]] ir::Value to_wire(const ir::Value& planned);

/// Appends what differs between `wanted` (of the wire) and `live`: members that `wanted` does not
/// mention are left alone, sets, numbered lists and expressions are compared as a whole. A secret
/// is never compared: the server masks it.
void compare(const std::string& path, const ir::Value& wanted, const ir::Value& live,
             std::vector<ir::Difference>& differences);
/// The same for a whole object: an empty `wanted` wants nothing (an empty member wants emptiness).
void compare_members(const ir::Value& wanted, const ir::Value& live,
                     std::vector<ir::Difference>& differences);

/// The smallest patch that makes `live` as `wanted`: pointers into embedded objects
/// ("dkimManagement/rotateAfter"), whole values where the variant changes. Secrets are always part
/// of it. Empty map: nothing to do.
[[nodiscard]] ir::Value patch_for(const ir::Value& wanted, const ir::Value& live);

/// The values that `live` has at the top-level members that `wanted` names, for the prior state;
/// members that hold a masked secret are left out, because they could not be written back.
[[nodiscard]] ir::Value touched_by(const ir::Value& wanted, const ir::Value& live);

/// True when `live` has every member of `match` with that value. Networks compare without a
/// full-length prefix
/// ("192.0.2.1" and "192.0.2.1/32" are one); letter case counts.
[[nodiscard]] bool fits(const ir::Value& match, const ir::Value& live);

/// Every SecretRef replaced by its text, for the one request that carries it.
[[nodiscard]] Result<ir::Value> with_secrets(const ir::Value& value, secret::SecretSource& secrets);

/// Is an output of a step that has not run inside?
[[nodiscard]] bool has_outputs(const ir::Value& value);
/// Four or five asterisks: what the server shows instead of a secret.
[[nodiscard]] bool is_mask(const ir::Value& value);
/// The value without masked secrets and without what only the server sets (id, createdAt,
/// credentialId, ...).
[[nodiscard]] ir::Value without_server_members(const ir::Value& object);

/// Set members as text, and back.
[[nodiscard]] ir::Value make_set(const std::vector<std::string>& members);

}  // namespace plan::server::stalwart
