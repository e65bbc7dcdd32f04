#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "runtime/dump/directory.h"
#include "runtime/dump/record_stream.h"

namespace plan::dump {

/// The subspaces that 0.15 and 0.16 lay out alike: what 0.16 keeps when it is started in recovery
/// mode on a store of 0.15 (reference/stalwart-store.md 7.3, 8). Directory, settings, tasks,
/// reports and telemetry it throws away.
[[nodiscard]] std::string_view mail_letters();

/// A subspace of 0.15 as 0.16 has it: the schema row of p says 6, and u loses the used bytes of
/// accounts, which 0.16 keeps in n. All other records are the same.
[[nodiscard]] std::unique_ptr<RecordStream> as_mail_of_16(std::unique_ptr<RecordStream> rows,
                                                          char letter);

/// Those used bytes as rows of n: account and FF, or tenant and FE. Null when `dump` has no u.
/// Errors: those of the file; value-too-large beyond kAccountsMax.
[[nodiscard]] Result<std::unique_ptr<RecordStream>> used_bytes_as_of_16(const std::string& dump,
                                                                        const Directory& owners);

}  // namespace plan::dump
