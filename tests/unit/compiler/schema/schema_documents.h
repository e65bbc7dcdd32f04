#pragma once
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>

#include "compiler/schema/schema.h"
#include "tests/support/repository.h"
#include "tests/support/shared_data.h"

namespace plan::test {

/// What `gzip -dc` says of a file.
inline std::string unzipped(const std::filesystem::path& path) {
  const std::string command = "gzip -dc '" + path.string() + "'";
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  std::string text;
  char buffer[65536];
  for (std::size_t size = 0; (size = fread(buffer, 1, sizeof buffer, pipe.get())) > 0;) {
    text.append(buffer, size);
  }
  return text;
}

/// The facts in the repository: every clone has them.
inline const schema::Schema& facts() {
  static const schema::Schema kFacts = [] {
    auto read = schema::Schema::read(
        read_all(test::repository() / "runtime/rehearsal/schema/stalwart-0.16.json"));
    if (!read) throw std::runtime_error(read.error().to_line());
    return *read;
  }();
  return kFacts;
}

}  // namespace plan::test
