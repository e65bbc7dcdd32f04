// Says that a domain of the plan looks like one below which others register theirs, as `co.uk`: a
// part of the name was forgotten. The target takes such a domain, and what is written for it is for
// nobody.
//
// There is a public list of these suffixes, of fifteen thousand lines, which is another one each
// week. Here a shape decides: a country's two letters, and in front of them a word that registries
// use for whole groups of registrants.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

constexpr std::array<std::string_view, 16> kGroups = {"ac",  "co", "com", "edu", "gob", "gouv",
                                                      "gov", "gv", "ltd", "mil", "ne",  "net",
                                                      "nom", "or", "org", "plc"};

bool looks_like_suffix(std::string_view domain) {
  const std::size_t dot = domain.find('.');
  if (dot == std::string_view::npos || domain.size() - dot != 3) return false;
  return std::find(kGroups.begin(), kGroups.end(), domain.substr(0, dot)) != kGroups.end();
}

/// Somebody has an address there: then it is the operator's own, whatever it looks like.
bool has_addresses(const facts::Lock& lock, std::string_view domain) {
  const auto is_there = [&](const auto& one) { return domain_of(one.address) == domain; };
  return std::any_of(lock.accounts.begin(), lock.accounts.end(), is_there) ||
         std::any_of(lock.lists.begin(), lock.lists.end(), is_there);
}

}  // namespace

void public_suffix(const Migration& migration, Sink& sink) {
  const Plan& plan = migration.plan;
  for (const Named& domain : plan.domains) {
    if (!looks_like_suffix(domain.text)) continue;
    if (migration.lock != nullptr && has_addresses(*migration.lock, domain.text)) continue;
    auto report = sink.report(Kind::public_suffix, domain.span,
                              fmt::format("`{}` looks like a domain below which others register "
                                          "theirs",
                                          printable(domain.text, 120)));
    report.label("nobody has an address there");
    std::string_view meant;
    if (migration.lock != nullptr) {
      for (const std::string& seen : migration.lock->source_domains) {
        if (seen.ends_with("." + domain.text)) meant = seen;
      }
    }
    report.help(meant.empty() ? "write the whole domain, with the name in front of it"
                              : fmt::format("did you mean `{}`?", printable(meant, 120)));
  }
}

}  // namespace plan::check::rules
