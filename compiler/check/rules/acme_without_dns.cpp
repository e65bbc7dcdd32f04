// Prevents: a domain whose certificate is never issued. The challenge DNS-01 is answered by records
// that the target writes itself, for which it needs the domain's DNS (reference/stalwart-admin.md
// 5.2).
#include <fmt/format.h>

#include <string>

#include "compiler/check/graph_view.h"
#include "compiler/check/named_results.h"
#include "compiler/check/rules.h"
#include "compiler/check/written_objects.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

/// The challenge of the provider that a domain's certificate comes from; empty: nobody knows.
std::string challenge_of(const GraphView& view, const WrittenObjects& objects,
                         const ir::Value& provider) {
  if (provider.is_output()) {
    const WrittenObject* made = objects.by_step(provider.as_output().step);
    if (made == nullptr) return {};
    const std::string_view written = made->member("challengeType").string_or("");
    return std::string(written.empty() && made->is_made ? "TlsAlpn01" : written);
  }
  for (const ir::Value& known :
       setting(view.migration(), "target.AcmeProvider.challengeType").items()) {
    if (known["id"].string_or("") == provider.string_or(""))
      return std::string(known["challenge"].string_or(""));
  }
  return {};
}

}  // namespace

void acme_without_dns(const GraphView& view, Sink& sink) {
  const WrittenObjects objects(view);
  for (const WrittenObject& domain : objects.all()) {
    if (domain.type != "Domain") continue;
    const ir::Value& certificate = domain.member("certificateManagement");
    if (certificate["@type"].string_or("") != "Automatic" ||
        challenge_of(view, objects, certificate["acmeProviderId"]) != "Dns01")
      continue;
    const ir::Value& dns = domain.member("dnsManagement");
    const std::string name = lower_ascii(domain.match["name"].string_or(""));
    const bool is_automatic =
        dns.is_map()
            ? dns["@type"].string_or("") == "Automatic"
            : target_names(view.migration(), "target.Domain.dnsManagement").names.contains(name);
    if (is_automatic) continue;
    for (const TargetWrite* write : domain.writes) {
      if (write->set["certificateManagement"].is_null()) continue;
      report_write(
          view, *write, Kind::acme_without_dns,
          fmt::format("lets the certificate of `{}` be issued by the challenge DNS-01, and "
                      "the target does not manage its DNS",
                      printable(name, 120)),
          sink)
          .label("nobody would write the record that answers the challenge")
          .help(
              "set `dnsManagement` of the domain to `Automatic` with a DnsServer, or let the "
              "AcmeProvider use `Http01` or `TlsAlpn01`");
      break;
    }
  }
}

}  // namespace plan::check::rules
