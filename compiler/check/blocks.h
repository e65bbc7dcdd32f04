#pragma once
#include <string>
#include <vector>

#include "compiler/check/fields.h"

namespace plan::check {

// The tables of the plan's blocks: what std/dovecot-postfix and std/store-move understand, and what
// their drivers get when the author says nothing.

[[nodiscard]] const std::vector<Field>& address_fields();
[[nodiscard]] const std::vector<Field>& host_fields();
[[nodiscard]] const std::vector<Field>& source_fields();
[[nodiscard]] const std::vector<Field>& target_fields();
[[nodiscard]] const std::vector<Field>& proxy_fields();
[[nodiscard]] const std::vector<Field>& move_fields();
/// `address` of `cutover` and of `finalize`: as a mapping, and as a word.
[[nodiscard]] const std::vector<Field>& cutover_fields();
[[nodiscard]] const std::vector<Field>& finalize_fields();
[[nodiscard]] const Field& cutover_word();
[[nodiscard]] const Field& finalize_word();
/// Why a wave cannot be called so: the name is what `plan approve` and step ids say, so it reads as
/// nothing else. Empty when it can.
[[nodiscard]] std::string why_not_wave(const std::string& name);
/// `stop_when` of a wave.
[[nodiscard]] const std::vector<Field>& stop_fields();
[[nodiscard]] const std::vector<Field>& clients_fields();
[[nodiscard]] const std::vector<Field>& finding_fields();

/// `hosts` and `target` of a plan about a store.
[[nodiscard]] const std::vector<Field>& store_host_fields();
[[nodiscard]] const std::vector<Field>& store_server_fields();
/// One entry of `dump`.
[[nodiscard]] const std::vector<Field>& dump_fields();
/// `store`, without `from` and `to`; and what stands in each of these.
[[nodiscard]] const std::vector<Field>& store_fields();
[[nodiscard]] const std::vector<Field>& store_place_fields();

}  // namespace plan::check
