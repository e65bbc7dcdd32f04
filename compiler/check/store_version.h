#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/facts/lock.h"

namespace plan::check {

/// What a lock says about the server whose store a plan moves, and what the versions have
/// (compiler/schema/subspace.def).

constexpr std::string_view kStoreSchemaSetting = "target.store.schema";

/// "0.16.15"; empty when it was not measured.
[[nodiscard]] std::string store_server_version(const facts::Lock& lock);
/// 5 for 0.15, 6 for 0.16; nothing for every other version.
[[nodiscard]] std::optional<std::uint32_t> store_schema_of_version(std::string_view version);
/// The families that EXPORT_TYPES of a schema's versions takes, each once.
[[nodiscard]] std::vector<std::string_view> store_families(std::uint32_t schema);
/// A letter or a name of a subspace of this schema.
[[nodiscard]] bool is_store_subspace(std::string_view name, std::uint32_t schema);
/// The family of such a one; empty: none.
[[nodiscard]] std::string_view family_of_store_subspace(std::string_view name,
                                                        std::uint32_t schema);

}  // namespace plan::check
