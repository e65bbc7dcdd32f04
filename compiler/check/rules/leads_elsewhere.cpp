// Prevents: a step that does what it should at the wrong place. Clients are given to the server
// that has stopped taking their mail, mail is handed to a port that wants a login, the end brings
// the public name to a machine that will be switched off. The proof follows mail between the two
// servers only, so it is said here which step leads it to another machine
// (reference/split-delivery.md 2, 3 and 9, migration-proxy.md 17.2).
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>

#include "compiler/check/given_texts.h"
#include "compiler/check/graph_view.h"
#include "compiler/check/kind_of_source.h"
#include "compiler/check/names.h"
#include "compiler/check/next_hop.h"
#include "compiler/check/rules.h"
#include "compiler/schema/formats.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

using ir::StepId;
using ir::StepKind;

constexpr std::int64_t kTlsPort = 465;  // where TLS begins at once

bool is_another_ip(std::string_view address, std::string_view known) {
  return is_ip_address(address) && is_ip_address(known) && !schema::is_same_host(address, known);
}

/// Clients and probes of an account: where it goes is the target, from its last copy on.
void look_at_account(const GraphView& view, Sink& sink) {
  const ir::StepGraph& graph = view.graph();
  std::set<const ir::StepShape*> seen;
  for (const StepKind kind : {StepKind::proxy_prepare, StepKind::proxy_release}) {
    for (const StepId step : view.of_kind(kind)) {
      if (!seen.insert(&graph.shape(step)).second ||
          !view.has_in_row(step, StepKind::admin_account))
        continue;
      const ir::Value given = graph.argument(step, "destination");
      const std::string_view destination = given.string_or("");
      if (destination == "target") continue;
      report_step(view, step, Kind::leads_elsewhere,
                  fmt::format("sends the account's clients to `{}`", printable(destination, 60)),
                  sink)
          .label("its mail goes to the target, and its users would not see it")
          .help("write `target`; the way back is `plan rollback`, which no step has to say");
    }
  }
  for (const StepKind kind : {StepKind::probe_login, StepKind::probe_mail}) {
    for (const StepId step : view.of_kind(kind)) {
      if (!view.follows_in_row(step, StepKind::archive_delta) ||
          !seen.insert(&graph.shape(step)).second)
        continue;
      const ir::Value at = graph.argument(step, "at");
      if (at.string_or("") == "target") continue;
      report_step(view, step, Kind::leads_elsewhere,
                  fmt::format("looks at `{}` for what is at the target by then",
                              printable(at.string_or(""), 60)),
                  sink)
          .label("the move would fail, or prove nothing")
          .help("write `target`: behind the last copy the account is there");
    }
  }
}

/// The public name: to the proxies at the cutover, to the target at the end.
void look_at_name(const GraphView& view, Sink& sink) {
  const Plan& plan = view.plan();
  const ir::StepGraph& graph = view.graph();
  const auto say = [&](StepId step, std::string_view to, std::string_view what, const Named& wanted,
                       std::string_view label, bool is_sure) {
    report_step(view, step, Kind::leads_elsewhere,
                fmt::format("moves the public name to `{}`, {}", printable(to, 80), what), sink)
        .severity(is_sure ? Severity::error : Severity::warning)
        .label(std::string(label))
        .help(fmt::format("write the address of the plan, `{}`", printable(wanted.text, 80)));
  };
  for (const StepId step : view.of_kind(StepKind::address_move)) {
    const ir::Value given = graph.argument(step, "to");
    const std::string_view to = given.string_or("");
    if (schema::is_same_host(to, plan.source_address.text)) {
      say(step, to, "which is the source", plan.proxy,
          "clients would go around the proxies, which could hold nobody", true);
    } else if (is_another_ip(to, plan.proxy.text) &&
               !schema::is_same_host(to, plan.target_address.text)) {
      say(step, to, "which is no proxy of this plan", plan.proxy,
          "who comes in there is not held while an account moves", false);
    }
  }
  for (const StepId step : view.of_kind(StepKind::address_finalize)) {
    const ir::Value given = graph.argument(step, "to");
    const std::string_view to = given.string_or("");
    constexpr std::string_view kEnd = "what was relaxed is taken back behind it";
    if (schema::is_same_host(to, plan.proxy.text)) {
      say(step, to, "which is the proxies'", plan.target_address,
          "the listener that they hand port 25 to goes behind it, and mail would be refused", true);
    } else if (schema::is_same_host(to, plan.source_address.text)) {
      say(step, to, "which is the source", plan.target_address, kEnd, true);
    } else if (is_another_ip(to, plan.target_address.text)) {
      say(step, to, "which is not the target of this plan", plan.target_address, kEnd, false);
    }
  }
}

/// Neither the target, nor a name of the source's own, of which `relay-own-address` and
/// `relay-loopback` tell. Postfix is told an address, an old Stalwart a name, which its DNS knows.
bool is_third_machine(const Plan& plan, std::string_view host) {
  const auto is = [&](std::string_view name) { return schema::is_same_host(host, name); };
  if (is_loopback(host) || is(plan.source_address.text) || is(plan.proxy.text) ||
      is(plan.public_name.text))
    return false;
  if (!is_from_stalwart(plan)) return is_another_ip(host, plan.target_address.text);
  const ir::Value& old = plan.source["stalwart"];
  const std::string_view name = old["target_name"].string_or("");
  return !name.empty() && !is(name) && !is(plan.target_address.text) &&
         !is(syntax::host_of_url(old["url"].string_or("")));
}

/// Names of services in `master.cf` are case-sensitive.
bool may_be_service(std::string_view transport) {
  return transport_in_other_case(transport).empty() &&
         transport.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
             "0123456789-_") == std::string_view::npos;
}

/// Mail of accounts that have moved: from the source to the target.
void look_at_forwards(const GraphView& view, Sink& sink) {
  const Plan& plan = view.plan();
  const std::int64_t port = plan.target["smtp"]["port"].integer_or(25);
  const bool is_old = is_from_stalwart(plan);
  const std::string remedy =
      is_old ? fmt::format("write `smtp:[${{source.stalwart.target_name}}]:{}`", port)
             : fmt::format("write `smtp:[{}]:{}`, from `addresses.target` and `target.smtp.port`",
                           printable(plan.target_address.text, 80), port);
  for (const GivenText& given : given_texts(view, steps_of_source(plan).forward, "next_hop")) {
    const NextHop hop = next_hop_of(given.text);
    const TransportKind transport = kind_of_transport(hop);
    // It goes to no other machine: said as `mail-flow`.
    if (transport == TransportKind::keeps || transport == TransportKind::delivers) continue;
    const auto say = [&](std::string what, std::string_view label, Severity severity) {
      report_step(view, given.step, Kind::leads_elsewhere, what, sink)
          .severity(severity)
          .label(std::string(label))
          .help(std::string(remedy));
    };
    if (transport == TransportKind::unknown) {
      // A service of the source's own has a name that can be one, and a machine behind it.
      const bool is_sure = is_old || hop.host.empty() || !may_be_service(hop.transport);
      say(fmt::format("forwards by `{}`, which is no transport that {} has",
                      printable(hop.transport, 80),
                      is_old ? "an old Stalwart" : "Postfix's own `master.cf`"),
          is_sure ? "mail of those who have moved would wait until it is bounced"
                  : "mail waits until it is bounced, unless the source's `master.cf` has it",
          is_sure ? Severity::error : Severity::warning);
      if (is_sure) continue;
    }
    if (const auto flaw = flaw_of(hop)) {
      const bool is_sure = is_old || flaw->is_sure;
      const bool is_domain = hop.host.empty() && !hop.is_bracketed && !is_old;
      std::string_view label = "nothing is sent there, and mail waits until it is bounced";
      if (is_domain) label = "Postfix looks for the MX of the domain, and mail would come back";
      if (!is_sure) label = "where the source does not know it, mail waits until it is bounced";
      say(fmt::format("forwards to `{}`: {}", printable(given.text, 120), flaw->why), label,
          is_sure ? Severity::error : Severity::warning);
      if (is_sure) continue;
    }
    if (is_third_machine(plan, hop.host))
      say(fmt::format("forwards to `{}`, which is not the target", printable(hop.host, 80)),
          is_old ? "mail of those who have moved would go to a third machine"
                 : "the proof does not follow mail there",
          is_old ? Severity::error : Severity::warning);
    if (hop.transport == "lmtp")
      say("forwards by LMTP to a port for SMTP",
          "the target does not know the command `LHLO` there", Severity::error);
    const bool is_by_default = hop.behind.empty() && hop.transport != "lmtp";
    const std::int64_t used = is_by_default ? 25 : hop.port;
    if (used != 0 && used != port)
      say(fmt::format("forwards to port {}, and the target takes mail at {}", used, port),
          used == 587 || used == 465 ? "this port wants a login" : "nobody takes it there",
          Severity::error);
    if (!is_old && !hop.is_bracketed && is_ip_address(hop.host))
      say(fmt::format("forwards to `{}` without brackets", printable(hop.host, 80)),
          "Postfix looks for the MX of an address, finds none, and mail waits", Severity::error);
  }
}

/// Does this condition pick mail for a migrating domain, or for every domain of the target?
bool is_about_domains(const Plan& plan, std::string_view condition) {
  if (condition.find("is_local_domain(") != std::string_view::npos) return true;
  constexpr std::size_t kDomainsMax = 50;  // the conditions of many domains look alike
  for (std::size_t i = 0; i < plan.domains.size() && i < kDomainsMax; ++i) {
    if (condition.find(fmt::format("'{}'", plan.domains[i].text)) != std::string_view::npos)
      return true;
  }
  return false;
}

/// Names of routes that mail of those who have not moved takes, as the steps write it.
std::set<std::string> routes_to_source(const GraphView& view) {
  std::set<std::string> names;
  for (const TargetWrite& write : view.writes()) {
    // Finalize puts back what others had for these domains.
    if (write.object != "MtaOutboundStrategy" ||
        view.graph().stage(write.step) == ir::Stage::finalize)
      continue;
    const ir::Value& match = write.set["route"]["match"];
    const auto take = [&](const ir::Value& branch) {
      const std::string_view result = trim(branch["then"].string_or(""));
      if (result.size() > 2 && result.front() == '\'' && result.back() == '\'' &&
          is_about_domains(view.plan(), branch["if"].string_or("")))
        names.emplace(result.substr(1, result.size() - 2));
    };
    for (const auto& [number, branch] : match.members()) take(branch);
    for (const ir::Value& branch : match.items()) take(branch);
  }
  return names;
}

void look_at_routes(const GraphView& view, Sink& sink) {
  const Plan& plan = view.plan();
  const std::int64_t wanted = plan.source["smtp"]["port"].integer_or(25);
  const std::set<std::string> names = routes_to_source(view);
  std::set<std::string> written;
  const auto is_elsewhere = [&](std::string_view address) {
    return is_another_ip(address, plan.source_address.text) && !is_loopback(address) &&
           !schema::is_same_host(address, plan.target_address.text);
  };
  const std::string remedy = fmt::format("write the source's `{}` and port {}",
                                         printable(plan.source_address.text, 80), wanted);
  constexpr std::string_view kNotSource = "the proof does not follow mail there";
  for (const TargetWrite& write : view.writes()) {
    const std::string name(write.match["name"].string_or(""));
    // An update may write one member of a relay that another step made.
    if (write.object != "MtaRoute" || !names.contains(name) ||
        write.set["@type"].string_or("Relay") != "Relay")
      continue;
    if (write.set.members().contains("address")) written.insert(name);
    const auto say = [&](std::string what, std::string_view label, Severity severity) {
      report_write(view, write, Kind::leads_elsewhere, what, sink)
          .severity(severity)
          .label(std::string(label))
          .help(remedy);
    };
    const std::string_view address = write.set["address"].string_or("");
    if (is_elsewhere(address))
      say(fmt::format("hands mail of those who have not moved to `{}`, which is not the source",
                      printable(address, 80)),
          kNotSource, Severity::warning);
    if (write.set["protocol"].string_or("smtp") == "lmtp")
      say("hands mail of those who have not moved to the source by LMTP",
          "Postfix does not see it: neither its holds nor its forwards apply", Severity::error);
    const std::int64_t port = write.set["port"].integer_or(wanted);
    if (port != wanted)
      say(fmt::format("hands mail of those who have not moved to port {}, and the source takes it "
                      "at {}",
                      port, wanted),
          port == 587 || port == 465 ? "this port wants a login" : "nobody takes it there",
          Severity::error);
    if (port != kTlsPort && write.set["implicitTls"].bool_or(false))
      say(fmt::format("begins TLS at once at port {} of the source", port),
          "it waits for a greeting in clear text", Severity::error);
  }
  for (const ir::Value& route : setting(view.migration(), "target.MtaRoute.kinds").items()) {
    const std::string name(route["name"].string_or(""));
    const std::string_view address = route["address"].string_or("");
    if (!names.contains(name) || written.contains(name) || !is_elsewhere(address)) continue;
    sink.report(Kind::leads_elsewhere, plan.source_address.span,
                fmt::format("the target's route `{}` leads to `{}`, which is not the source",
                            printable(name, 60), printable(address, 80)))
        .severity(Severity::warning)
        .label(fmt::format("a step hands mail of those who have not moved to it; {}", kNotSource))
        .help("let a step make a route of its own for the source, as std/split-delivery does");
  }
}

}  // namespace

void leads_elsewhere(const GraphView& view, Sink& sink) {
  look_at_account(view, sink);
  look_at_name(view, sink);
  look_at_forwards(view, sink);
  look_at_routes(view, sink);
}

}  // namespace plan::check::rules
