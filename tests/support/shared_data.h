#pragma once
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include "tests/support/repository.h"

namespace plan::test {

/// A file of ../shared beside the repository (recordings, schemas, mail: test input that is never
/// copied in). Nothing when this clone has no ../shared.
[[nodiscard]] inline std::optional<std::filesystem::path> shared_data(const std::string& path) {
  const std::filesystem::path full = repository() / ".." / "shared" / path;
  if (!std::filesystem::exists(full)) return std::nullopt;
  return full;
}

[[nodiscard]] inline std::string read_all(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// `PLAN_SHARED(path, "data/schema/x.json.gz");` declares `path`, or skips the test by name.
#define PLAN_SHARED(name, file)                                                             \
  const auto PLAN_CONCAT(name, _found) = ::plan::test::shared_data(file);                   \
  if (!PLAN_CONCAT(name, _found)) GTEST_SKIP() << "this clone has no ../shared/" << (file); \
  const std::filesystem::path name = *PLAN_CONCAT(name, _found)

}  // namespace plan::test
