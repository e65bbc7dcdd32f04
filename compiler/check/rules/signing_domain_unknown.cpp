// Says that reports or other mail of the target would be signed for a domain that it does not have:
// there is no key, and the mail leaves without a signature (reference/stalwart-admin.md 5.6, 6.4).
#include <fmt/format.h>

#include <set>
#include <string>
#include <vector>

#include "compiler/check/graph_view.h"
#include "compiler/check/named_results.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

void signing_domain_unknown(const GraphView& view, Sink& sink) {
  std::set<std::string, std::less<>> domains;
  const Migration& migration = view.migration();
  if (migration.lock == nullptr) return;
  for (const facts::LockDomain& domain : migration.lock->target_domains) {
    domains.insert(domain.name);
    domains.insert(domain.aliases.begin(), domain.aliases.end());
  }
  for (const Named& domain : view.plan().domains) domains.insert(lower_ascii(domain.text));
  for (const TargetWrite& write : view.writes()) {
    if (write.object == "Domain") domains.insert(lower_ascii(write.match["name"].string_or("")));
  }
  const std::vector<std::string_view> candidates(domains.begin(), domains.end());
  for (const TargetWrite& write : view.writes()) {
    for (const auto& [member, value] : write.set.members()) {
      // `dkimSignDomain`, `aggregateDkimSignDomain`, `failureDkimSignDomain`
      if (!member.ends_with("kimSignDomain")) continue;
      for (const std::string& name : named_results(value).texts) {
        if (domains.contains(lower_ascii(name))) continue;
        const auto near = nearest(lower_ascii(name), candidates);
        report_write(view, write, Kind::signing_domain_unknown,
                     fmt::format("signs for `{}` (`{}`), which is no domain of the target",
                                 printable(name, 120), member),
                     sink)
            .label(near ? fmt::format("did you mean `{}`?", printable(*near, 120))
                        : "there is no key for it: the mail leaves without a signature")
            .help("name a domain that the target has, or make it in the procedure");
      }
    }
  }
}

}  // namespace plan::check::rules
