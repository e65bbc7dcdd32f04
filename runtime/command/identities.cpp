#include "runtime/command/identities.h"

#include <fmt/format.h>

#include "compiler/source/text.h"
#include "runtime/command/session.h"
#include "runtime/net/host.h"
#include "runtime/net/http_client.h"
#include "runtime/server/stalwart/certificates.h"

namespace plan::command {
namespace {

constexpr std::chrono::seconds kLookTime{10};
constexpr std::string_view kHttps = "https:";

net::Deadline soon() { return net::Deadline::after(kLookTime); }

std::string text_in(const std::map<std::string, std::string>& map, const std::string& name) {
  const auto found = map.find(name);
  return found == map.end() ? std::string() : found->second;
}

std::string proxy_name(const ir::Value& proxy) {
  return "proxy." + std::string(proxy["name"].string_or(""));
}

Outcome look_at_host(const ir::Value& block, const std::string& name, const facts::Lock& known,
                     facts::Lock& shown) {
  ir::Value host = block["host"];
  if (!host.is_map() || host["ssh"].is_null()) return {};
  host.set("host_key", text_in(known.host_keys, name));
  PLAN_TRY(key, net::shown_host_key(host, soon())
                    .while_doing(fmt::format("looking at the host key of the {}", name)));
  shown.host_keys[name] = key;
  return {};
}

/// The other doors that users and plan itself log in at. A source may have neither: what does not
/// answer is not there.
Outcome look_at_doors(const ir::Value& source, const std::string& address) {
  using server::stalwart::Greeting;
  struct Door {
    const char* name;
    const char* shown;
    Greeting greeting;
    std::int64_t port;
  };
  for (const Door& door : {Door{"sieve", "ManageSieve", Greeting::sieve, 4190},
                           Door{"submission", "submission", Greeting::smtp, 587}}) {
    const std::int64_t port = source[door.name]["port"].integer_or(door.port);
    const auto certificate = server::stalwart::service_certificate(
        door.greeting, address, static_cast<std::uint16_t>(port),
        source[door.name]["security"].string_or("starttls"), soon());
    if (!certificate) continue;
    PLAN_TRY_VOID(server::stalwart::check_age(
        *certificate, source["certificate_sha256"].string_or(""),
        fmt::format("the source's {} ({} port {})", door.shown, address, port), Blame::source,
        net::system_clock()));
  }
  return {};
}

/// The management interface of a source that is a Stalwart.
Outcome look_at_management(const ir::Value& stalwart, facts::Lock& shown) {
  const std::string url(stalwart["url"].string_or(""));
  if (!url.starts_with(kHttps)) return {};
  PLAN_TRY(certificate, net::look_at_certificate(url, {}, soon())
                            .while_doing("looking at the certificate of the source's interface"));
  PLAN_TRY_VOID(
      server::stalwart::check_age(certificate, stalwart["certificate_sha256"].string_or(""),
                                  fmt::format("the source's management interface ({})", url),
                                  Blame::source, net::system_clock()));
  shown.certificates["source.https"] = certificate.sha256_hex;
  return {};
}

Outcome look_at_source(const ir::Value& source, facts::Lock& shown) {
  const std::int64_t port = source["imap"]["port"].integer_or(143);
  const std::string address(source["address"].string_or(""));
  PLAN_TRY(certificate,
           server::stalwart::service_certificate(
               server::stalwart::Greeting::imap, address, static_cast<std::uint16_t>(port),
               source["imap"]["security"].string_or("starttls"), soon())
               .while_doing("looking at the source's certificate"));
  PLAN_TRY_VOID(server::stalwart::check_age(certificate, source["certificate_sha256"].string_or(""),
                                            fmt::format("the source ({} port {})", address, port),
                                            Blame::source, net::system_clock()));
  if (!certificate.sha256_hex.empty()) shown.certificates["source.imap"] = certificate.sha256_hex;
  if (source["stalwart"].is_map()) PLAN_TRY_VOID(look_at_management(source["stalwart"], shown));
  return look_at_doors(source, address);
}

Outcome look_at_target(const ir::Value& target, facts::Lock& shown) {
  const std::string url(target["url"].string_or(""));
  if (!url.starts_with(kHttps)) return {};
  PLAN_TRY(
      certificate,
      net::look_at_certificate(url, {}, soon()).while_doing("looking at the target's certificate"));
  PLAN_TRY_VOID(server::stalwart::check_age(certificate, target["certificate_sha256"].string_or(""),
                                            fmt::format("the target ({})", url), Blame::target,
                                            net::system_clock()));
  shown.certificates["target.https"] = certificate.sha256_hex;
  return {};
}

Outcome look_at_proxy(const ir::Value& proxy, const facts::Lock& known, Identities& seen) {
  const std::string control(proxy["control"].string_or(""));
  if (!control.starts_with(kHttps)) return {};  // of a Unix socket the file's rights are the pin
  const std::string name = proxy_name(proxy);
  const auto certificate = net::look_at_certificate(control, {}, soon());
  if (certificate) {
    PLAN_TRY_VOID(server::stalwart::check_age(
        *certificate, proxy["certificate_sha256"].string_or(""),
        fmt::format("{} ({})", printable(name, 120), control), Blame::proxy, net::system_clock()));
    seen.shown.certificates[name] = certificate->sha256_hex;
    return {};
  }
  const std::string pinned = text_in(known.certificates, name);
  if (!pinned.empty()) seen.shown.certificates[name] = pinned;
  seen.silent.push_back(fmt::format("{} does not answer ({}): {}", printable(name, 120),
                                    certificate.error().to_line(),
                                    pinned.empty() ? "it is not pinned" : "its pin stays"));
  return {};
}

}  // namespace

Result<Identities> look_at_identities(const ir::Value& connections, const facts::Lock& known) {
  Identities seen;
  for (const char* name : {"source", "target"})
    PLAN_TRY_VOID(look_at_host(connections[name], name, known, seen.shown));
  // The server of a plan about a store is reached through its machine only, and may be stopped.
  if (is_about_store(connections)) return seen;
  PLAN_TRY_VOID(look_at_target(connections["target"], seen.shown));
  PLAN_TRY_VOID(look_at_source(connections["source"], seen.shown));
  for (const ir::Value& proxy : connections["proxies"].items())
    PLAN_TRY_VOID(look_at_proxy(proxy, known, seen));
  return seen;
}

ir::Value with_pins(ir::Value connections, const facts::Lock& pins) {
  const auto pin = [&](ir::Value& block, const std::string& certificate) {
    if (block["certificate_sha256"].string_or("").empty())
      block.set("certificate_sha256", text_in(pins.certificates, certificate));
  };
  for (const auto& [name, certificate] :
       {std::pair{"source", "source.imap"}, std::pair{"target", "target.https"}}) {
    ir::Value block = connections[name];
    if (!block.is_map()) continue;
    pin(block, certificate);
    if (ir::Value host = block["host"]; host.is_map() && !host["ssh"].is_null()) {
      host.set("host_key", text_in(pins.host_keys, name));
      block.set("host", std::move(host));
    }
    if (ir::Value stalwart = block["stalwart"];
        name == std::string_view("source") && stalwart.is_map()) {
      pin(stalwart, "source.https");
      block.set("stalwart", std::move(stalwart));
    }
    connections.set(name, std::move(block));
  }
  ir::Value proxies = ir::Value::list();
  for (const ir::Value& given : connections["proxies"].items()) {
    ir::Value proxy = given;
    if (proxy["control"].string_or("").starts_with(kHttps)) pin(proxy, proxy_name(proxy));
    proxies.push_back(std::move(proxy));
  }
  connections.set("proxies", std::move(proxies));
  return connections;
}

}  // namespace plan::command
