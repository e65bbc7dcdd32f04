#pragma once
#include <string>

#include "compiler/ir/value.h"
#include "compiler/source/result.h"

namespace plan::dump {

/// How many differing records are listed for each subspace; all of them are counted.
constexpr std::size_t kDifferencesListed = 100;

/// Compares two dumps (folders, or two files) record by record, each file by its letter inside:
/// {is_equal, subspaces: [{letter, is_equal, equal, only_left, only_right, different, first: [{key,
/// what: "only-left"|"only-right"|"different", account}]}], notes}. Keys must be in order
/// (dump-damaged); files of 0.8 to 0.14 have no such order (old-dump). Two schemas may be compared.
/// Memory is bounded: values are compared piece by piece.
[[nodiscard]] Result<ir::Value> diff_dumps(const std::string& left, const std::string& right);

}  // namespace plan::dump
