#pragma once
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/source/error.h"

namespace plan::test {

/// A text that is another one in each run, and what stands for it in a golden file.
using Stand = std::pair<std::string, std::string>;

/// What an error of errors.def says to the operator and to the engine: its line, effect, retry,
/// blame, argument, summary and remedy. Ports of loopback and folders of TempDir are `<port>` and
/// `<folder>`; `stands` are replaced in front of that, in their order.
[[nodiscard]] std::string told(const Error& error, const std::vector<Stand>& stands = {});

/// Is `error` one of `code`, and told as in tests/golden/errors/CODE.txt? PLAN_ACCEPT=1 writes that
/// file instead. `code` is a literal: tests/unit/told_errors_test.py looks for one of each code.
[[nodiscard]] testing::AssertionResult told_as(std::string_view code, const Error& error,
                                               const std::vector<Stand>& stands = {});

}  // namespace plan::test
