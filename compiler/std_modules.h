#pragma once
#include <span>
#include <string_view>
#include <vector>

#include "compiler/lower/lower.h"
#include "compiler/source/embedded_file.h"
#include "compiler/source/std_place.h"

namespace plan {

/// Modules that use one another, at most.
inline constexpr std::size_t kModuleDepthMax = 16;

/// Is this module's text for a source of the other kind?
[[nodiscard]] bool is_for_another(std::string_view text, bool is_from_stalwart);

/// The module of std to use for a step of this id, as it stands in the texts, in a procedure for
/// this kind of source that has all the rest.
[[nodiscard]] lower::StdModule std_module_of(std::span<const EmbeddedFile> stdlib,
                                             std::string_view id, bool is_from_stalwart,
                                             const lower::Present& present);

/// The ids of the steps of std as they stand in its texts: "source/door", "account/{}/hold".
[[nodiscard]] std::vector<std::string_view> std_step_forms(std::span<const EmbeddedFile> stdlib);

}  // namespace plan
