#include "compiler/check/misspelt_domains.h"

#include <algorithm>
#include <vector>

#include "compiler/source/text.h"

namespace plan::check {

std::map<std::string_view, std::string_view> misspelt_domains(const Plan& plan,
                                                              const facts::Lock& lock) {
  std::map<std::string_view, std::string_view> meant;
  const auto is_delivered = [&](std::string_view domain) {
    return std::binary_search(lock.source_domains.begin(), lock.source_domains.end(), domain);
  };
  const auto is_named = [&](std::string_view domain) {
    return std::any_of(plan.domains.begin(), plan.domains.end(),
                       [&](const Named& one) { return one.text == domain; });
  };
  const std::vector<std::string_view> known(lock.source_domains.begin(), lock.source_domains.end());
  if (known.empty()) return meant;  // not measured
  for (const Named& domain : plan.domains) {
    if (is_delivered(domain.text)) continue;
    const auto near = nearest(domain.text, known);
    if (near && !is_named(*near)) meant.emplace(*near, domain.text);
  }
  return meant;
}

}  // namespace plan::check
