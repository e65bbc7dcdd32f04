// Prevents: mail that is signed with keys which no DNS names, where the source may have signed with
// ones that it does. The target makes keys for a domain the moment it is created, unless its
// management is Manual (reference/stalwart-admin.md 5.2, 5.6).
#include <fmt/format.h>

#include <array>
#include <set>
#include <string>
#include <string_view>

#include "compiler/check/graph_view.h"
#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

/// Where a signing program of the source is named (OpenDKIM, Rspamd, amavis).
constexpr std::array kSigners = {"source.smtpd_milters", "source.non_smtpd_milters",
                                 "source.content_filter"};

bool has_keys_of_operator(const ir::Value& set) {
  return set["dkimManagement"]["@type"].string_or("") == "Manual";
}

bool publishes(const ir::Value& set) {
  return set["dnsManagement"]["@type"].string_or("") == "Automatic";
}

}  // namespace

void dkim_unpublished(const GraphView& view, Sink& sink) {
  const Migration& migration = view.migration();
  if (migration.lock == nullptr) return;
  std::string_view signer;
  for (const char* name : kSigners) {
    if (signer.empty() && !setting(migration, name).string_or("").empty())
      signer = std::string_view(name).substr(7);
  }
  if (signer.empty()) return;
  std::set<std::string> others, made;
  for (const facts::LockDomain& domain : migration.lock->target_domains) others.insert(domain.name);
  for (const TargetWrite& write : view.writes()) {
    if (write.object != "Domain") continue;
    const std::string name = lower_ascii(write.match["name"].string_or(""));
    if (has_keys_of_operator(write.set) || publishes(write.set)) others.insert(name);
    if (write.is_upsert && !name.empty()) made.insert(name);
  }
  Examples examples;
  for (const std::string& name : made) {
    if (!others.contains(name)) examples.add(name, view.plan().place("domains"));
  }
  if (examples.count == 0) return;
  sink.report(Kind::dkim_unpublished, examples.first,
              fmt::format("the target will sign mail of {} with DKIM keys that DNS does not name",
                          examples.text()))
      .label(fmt::format("the source may sign it now: `{}` is set there", signer))
      .help(
          "give the target the key that DNS names already, with std/dkim in front of the "
          "procedure; or publish the target's own keys before the first wave");
}

}  // namespace plan::check::rules
