#include "compiler/flow/telling.h"

#include "compiler/source/text.h"

namespace plan::flow {

namespace {

constexpr std::size_t kRuleBytesMax = 160;

}  // namespace

Span Telling::find_origin(std::string_view kind, std::string_view name) const {
  const auto found =
      world_.origins.find(name.empty() ? std::string(kind) : fmt::format("{} {}", kind, name));
  return found == world_.origins.end() ? Span{} : found->second;
}

Span Telling::origin_of(std::string_view member, const std::string& domain) const {
  const Span written = origin(member, domain);
  return written.is_known() ? written : origin("domain", domain);
}

std::string Telling::rule_of(const schema::MtaContainer& container, std::size_t arm,
                             std::string_view name) const {
  if (!tells_) return {};
  const auto& arms = container.arms();
  if (arm >= arms.size()) return fmt::format("`else` of {}", name);
  return fmt::format("`if` {} of {}: {}", arm, name, printable(arms[arm].text, kRuleBytesMax));
}

}  // namespace plan::flow
