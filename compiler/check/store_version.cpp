#include "compiler/check/store_version.h"

#include <algorithm>

namespace plan::check {
namespace {

struct Subspace {
  char letter = 0;
  std::uint32_t schema = 0;
  std::string_view name = {};
  std::string_view family = {};
};

constexpr Subspace kSubspaces[] = {
#define PLAN_SUBSPACE(letter, schema, name, family, value) {letter, schema, name, family},
#include "compiler/schema/subspace.def"
#undef PLAN_SUBSPACE
};

const Subspace* find(std::string_view name, std::uint32_t schema) {
  for (const Subspace& subspace : kSubspaces) {
    const bool is_letter = name.size() == 1 && name[0] == subspace.letter;
    if (subspace.schema == schema && (is_letter || name == subspace.name)) return &subspace;
  }
  return nullptr;
}

}  // namespace

std::string store_server_version(const facts::Lock& lock) {
  const auto found = lock.versions.find("target.stalwart");
  return found == lock.versions.end() ? std::string() : found->second;
}

std::optional<std::uint32_t> store_schema_of_version(std::string_view version) {
  const auto is_of = [&](std::string_view series) {
    return version.starts_with(series) &&
           (version.size() == series.size() || version[series.size()] == '.');
  };
  if (is_of("0.15")) return 5;
  if (is_of("0.16")) return 6;
  return std::nullopt;
}

std::vector<std::string_view> store_families(std::uint32_t schema) {
  std::vector<std::string_view> families;
  for (const Subspace& subspace : kSubspaces) {
    if (subspace.schema != schema || subspace.family.empty() ||
        std::find(families.begin(), families.end(), subspace.family) != families.end())
      continue;
    families.push_back(subspace.family);
  }
  return families;
}

bool is_store_subspace(std::string_view name, std::uint32_t schema) {
  return find(name, schema) != nullptr;
}

std::string_view family_of_store_subspace(std::string_view name, std::uint32_t schema) {
  const Subspace* subspace = find(name, schema);
  return subspace == nullptr ? std::string_view() : subspace->family;
}

}  // namespace plan::check
