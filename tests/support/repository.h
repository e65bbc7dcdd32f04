#pragma once
#include <filesystem>

namespace plan::test {

/// The repository these tests were built from. A function of its own, not a macro: a path in the
/// compiler's command line would make every test another one in another folder, for ccache too.
[[nodiscard]] std::filesystem::path repository();

}  // namespace plan::test
