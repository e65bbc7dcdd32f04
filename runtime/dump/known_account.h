#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/source/result.h"

namespace plan::dump {

/// The account of a dump that `named_as` means: an id, a name or an address. Where the dump has no
/// directory the id is all there is, and it must have a record. Error: dump-unknown-account.
[[nodiscard]] Result<std::uint32_t> known_account(const std::string& dump,
                                                  std::string_view named_as);

/// The same for several dumps that become one: an id is known where any of them knows it. Names are
/// not looked at.
[[nodiscard]] Outcome check_account_ids(const std::vector<std::string>& dumps,
                                        const std::vector<std::string>& accounts);

}  // namespace plan::dump
