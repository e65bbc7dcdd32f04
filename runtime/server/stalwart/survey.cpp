#include "runtime/server/stalwart/survey.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <tuple>

#include "compiler/ir/digest.h"
#include "compiler/ir/json.h"
#include "compiler/schema/schema.h"
#include "compiler/source/text.h"
#include "runtime/net/errors.h"
#include "runtime/net/gunzip.h"
#include "runtime/net/jmap/errors.h"
#include "runtime/server/stalwart/certificates.h"
#include "runtime/server/stalwart/errors.h"
#include "runtime/server/stalwart/limits.h"
#include "runtime/server/stalwart/registry.h"
#include "runtime/server/stalwart/survey_names.h"

namespace plan::server::stalwart {
namespace {

using ir::Value;

constexpr std::chrono::milliseconds kServiceTime{10'000};

std::string raw_hash(std::string_view bytes) {
  const ir::Sha256 digest = ir::sha256(bytes);
  return ir::to_base64(
      std::string_view(reinterpret_cast<const char*>(digest.bytes.data()), digest.bytes.size()),
      true);
}

/// The survey while it grows.
class Survey {
 public:
  explicit Survey(std::string when) : when_(std::move(when)) {}

  void set(const std::string& member, Value value) { document_.set(member, std::move(value)); }
  void measure(const std::string& what, Value value, const std::string& unit,
               const std::string& how) {
    measurements_.push_back(Value::map({{"what", what},
                                        {"value", std::move(value)},
                                        {"unit", unit},
                                        {"how", how},
                                        {"when", when_}}));
  }
  /// Asked, and could not be told.
  void could_not(const std::string& what, const Error& why) {
    measure(what, {}, {}, why.to_line());
  }
  [[nodiscard]] Value finish() {
    document_.set("measurements", std::move(measurements_));
    return std::move(document_);
  }

 private:
  std::string when_;
  Value document_ = Value::map();
  Value measurements_ = Value::list();
};

Value strings(const std::set<std::string>& texts) {
  Value list = Value::list();
  for (const std::string& text : texts) list.push_back(text);
  return list;
}

void add_capabilities(Survey& survey, const net::jmap::Session& session) {
  std::set<std::string> names;
  for (const auto& [name, value] : session.document["capabilities"].members()) names.insert(name);
  for (const auto& [id, account] : session.document["accounts"].members()) {
    for (const auto& [name, value] : account["accountCapabilities"].members()) names.insert(name);
  }
  survey.set("capabilities", strings(names));
}

Result<Value> limits_of(Registry& registry, const net::jmap::Session& session, Survey& survey) {
  const Value& core = session.document["capabilities"][net::jmap::kCore];
  Value limits = Value::map();
  const auto take = [&](const std::string& name, const Value& value) {
    if (value.is_integer()) limits.set(name, value);
  };
  take("max_size_upload", core["maxSizeUpload"]);
  take("max_objects_in_set", core["maxObjectsInSet"]);
  take("max_objects_in_get", core["maxObjectsInGet"]);
  take("max_calls_in_request", core["maxCallsInRequest"]);
  const Value& mail = session.document["accounts"][session.primary_account(net::jmap::kMail)]
                                      ["accountCapabilities"][net::jmap::kMail];
  take("max_mailbox_name_bytes", mail["maxSizeMailboxName"]);
  take("max_mailbox_depth", mail["maxMailboxDepth"]);
  auto email = registry.singleton("Email");
  if (email) {
    take("max_message_bytes", (*email)["maxMessageSize"]);
    const Value& mailboxes = (*email)["maxMailboxes"];
    take("max_mailboxes", mailboxes.is_null() ? Value(0) : mailboxes);
  } else {
    survey.could_not("target/max-message-bytes", email.error());
  }
  return limits;
}

Outcome add_certificates(Survey& survey, const Value& target, const std::string& https,
                         net::Clock& clock) {
  struct Service {
    std::string_view name;
    Greeting greeting;
    std::string_view default_security;
  };
  constexpr std::array<Service, 4> kServices = {{{"imap", Greeting::imap, "tls"},
                                                 {"smtp", Greeting::smtp, "starttls"},
                                                 {"submission", Greeting::smtp, "starttls"},
                                                 {"sieve", Greeting::sieve, "starttls"}}};
  Value certificates = Value::map();
  if (!https.empty()) certificates.set("https", https);
  const std::string address(target["address"].string_or({}));
  for (const Service& service : kServices) {
    const Value& block = target[service.name];
    const std::int64_t port = block["port"].integer_or(0);
    if (address.empty() || port <= 0 || port > 65535) continue;
    const std::string security(block["security"].string_or(service.default_security));
    auto seen = service_certificate(service.greeting, address, static_cast<std::uint16_t>(port),
                                    security, net::Deadline::after(kServiceTime));
    if (!seen) {
      survey.could_not(fmt::format("target/certificate/{}", service.name), seen.error());
      continue;
    }
    if (seen->sha256_hex.empty()) continue;
    PLAN_TRY_VOID(
        check_age(*seen, target["certificate_sha256"].string_or({}),
                  fmt::format("the target's {} ({} port {})", service.name, address, port),
                  Blame::target, clock));
    certificates.set(std::string(service.name), seen->sha256_hex);
  }
  survey.set("certificates", std::move(certificates));
  return {};
}

/// What a plan may have to know about a domain, beside its addresses.
void add_domain_settings(const ir::List& domains, LinkSurvey& links, Value& settings) {
  std::set<std::string> automatic;
  std::map<std::string, Value> of_tenants;
  for (const Value& domain : domains) {
    const std::string name = lower_ascii(domain["name"].string_or({}));
    links.take("Domain", name, domain);
    if (domain["dnsManagement"]["@type"].string_or({}) == "Automatic") automatic.insert(name);
    const std::string tenant(domain["memberTenantId"].string_or({}));
    if (!tenant.empty()) of_tenants[name] = Value::map({{"name", name}, {"tenant", tenant}});
  }
  settings.set("Domain.dnsManagement", strings(automatic));
  Value list = Value::list();
  for (auto& [name, domain] : of_tenants) list.push_back(std::move(domain));
  settings.set("Domain.memberTenantId", std::move(list));
}

Outcome add_domains_and_addresses(Registry& registry, Survey& survey, LinkSurvey& links,
                                  Value& settings) {
  PLAN_TRY(domains, registry.all("Domain"));
  add_domain_settings(domains, links, settings);
  std::map<std::string, std::string> names;
  std::map<std::string, Value> sorted;
  for (const Value& domain : domains) {
    const std::string name = lower_ascii(domain["name"].string_or({}));
    names[std::string(domain["id"].string_or({}))] = name;
    std::set<std::string> aliases;
    for (const auto& [alias, is_member] : domain["aliases"].members())
      aliases.insert(lower_ascii(alias));
    sorted[name] = Value::map({{"name", name},
                               {"aliases", strings(aliases)},
                               {"catch_all", domain["catchAllAddress"].string_or({})},
                               {"allows_relaying", domain["allowRelaying"].bool_or(false)}});
  }
  Value list = Value::list();
  for (auto& [name, domain] : sorted) list.push_back(std::move(domain));
  survey.set("domains", std::move(list));

  std::set<std::string> addresses;
  const auto called = [&](const Value& local, const Value& domain) {
    const auto name = names.find(std::string(domain.string_or({})));
    return name == names.end()
               ? std::string()
               : fmt::format("{}@{}", lower_ascii(local.string_or({})), name->second);
  };
  const auto add = [&](const Value& local, const Value& domain) {
    if (std::string address = called(local, domain); !address.empty())
      addresses.insert(std::move(address));
  };
  for (const std::string_view type : {"Account", "MailingList"}) {
    PLAN_TRY(objects, registry.all(type));
    for (const Value& object : objects) {
      add(object["name"], object["domainId"]);
      links.take(type, called(object["name"], object["domainId"]), object);
      for (const auto& [number, alias] : object["aliases"].members())
        add(alias["name"], alias["domainId"]);
    }
  }
  survey.set("addresses", strings(addresses));
  return {};
}

/// A set is a map on the wire, `{"203.0.113.10": true}`; in the lock it is a sorted list.
Value set_as_list(const Value& value) {
  if (!value.is_map()) return value;
  std::set<std::string> members;
  for (const auto& [name, is_member] : value.members()) {
    if (!is_member.is_bool()) return value;
    members.insert(name);
  }
  return strings(members);
}

/// Where the target listens, whom it never bans, and for which names it has certificates. What
/// cannot be listed is not measured.
void add_doors(Registry& registry, Survey& survey, Value& settings) {
  const auto list_of = [&](const char* type, const auto& take) {
    auto objects = registry.all(type);
    if (!objects) {
      survey.could_not(fmt::format("target/setting/{}", type), objects.error());
      return false;
    }
    for (const Value& object : *objects) take(object);
    return true;
  };
  std::set<std::tuple<std::string, std::int64_t, std::string, std::string>> doors;
  const bool has_doors = list_of("NetworkListener", [&](const Value& listener) {
    for (const auto& [address, is_bound] : listener["bind"].members()) {
      const std::size_t colon = address.rfind(':');
      if (colon == std::string::npos) continue;
      std::int64_t port = 0;
      std::from_chars(address.data() + colon + 1, address.data() + address.size(), port);
      if (port > 0)
        doors.emplace(std::string(listener["protocol"].string_or("smtp")), port,
                      std::string(listener["name"].string_or("")), address.substr(0, colon));
    }
  });
  Value list = Value::list();
  for (const auto& [protocol, port, name, address] : doors)
    list.push_back(
        Value::map({{"protocol", protocol}, {"port", port}, {"name", name}, {"address", address}}));
  if (has_doors) settings.set("NetworkListener.bind", std::move(list));
  std::set<std::string> allowed;
  if (list_of("AllowedIp",
              [&](const Value& ip) { allowed.insert(std::string(ip["address"].string_or({}))); }))
    settings.set("AllowedIp.address", strings(allowed));
  std::set<std::string> names;
  if (list_of("Certificate", [&](const Value& certificate) {
        for (const auto& [name, is_member] : certificate["subjectAlternativeNames"].members())
          names.insert(lower_ascii(name));
      }))
    settings.set("Certificate.subjectAlternativeNames", strings(names));
}

Outcome add_settings(Registry& registry, Survey& survey, LinkSurvey& links, Value settings) {
  PLAN_TRY(throttles, registry.all("MtaInboundThrottle"));
  std::map<std::string, Value> sorted;
  for (const Value& throttle : throttles) {
    const std::string description(throttle["description"].string_or({}));
    sorted[description + "\n" + ir::canonical_json(throttle["match"])] =
        Value::map({{"description", description},
                    {"match", throttle["match"]},
                    {"enable", throttle["enable"]}});
  }
  Value list = Value::list();
  for (auto& [key, throttle] : sorted) list.push_back(std::move(throttle));
  survey.set("throttles", std::move(list));

  struct Setting {
    std::string_view object;
    std::string_view member;
  };
  constexpr std::array<Setting, 16> kSettings = {{{"MtaOutboundStrategy", "route"},
                                                  {"MtaOutboundStrategy", "schedule"},
                                                  {"MtaOutboundStrategy", "tls"},
                                                  {"MtaOutboundStrategy", "connection"},
                                                  {"MtaStageConnect", "script"},
                                                  {"MtaStageEhlo", "script"},
                                                  {"MtaStageMail", "script"},
                                                  {"MtaStageRcpt", "script"},
                                                  {"MtaStageData", "script"},
                                                  {"SieveUserInterpreter", "maxRedirects"},
                                                  {"SieveUserInterpreter", "maxScriptSize"},
                                                  {"MtaStageData", "maxMessages"},
                                                  {"MtaStageData", "maxMessageSize"},
                                                  {"SpamPyzor", "enable"},
                                                  {"DataRetention", "expungeTrashAfter"},
                                                  {"SystemSettings", "proxyTrustedNetworks"}}};
  for (const Setting& setting : kSettings) {
    auto object = registry.singleton(setting.object);
    const std::string name = fmt::format("{}.{}", setting.object, setting.member);
    if (object && object->is_map())
      settings.set(name, set_as_list((*object)[setting.member]));
    else if (!object)
      survey.could_not("target/setting/" + name, object.error());
  }
  add_doors(registry, survey, settings);
  add_names(
      registry, links,
      [&](const std::string& what, const Error& why) { survey.could_not(what, why); }, settings);
  survey.set("settings", std::move(settings));
  return {};
}

Outcome keep_schema(const SchemaDocument& schema, const std::string& directory) {
  namespace fs = std::filesystem;
  const fs::path file = fs::path(directory) / (schema.digest + ".json");
  const fs::path beside = fs::path(directory) / (schema.digest + ".json.new");
  std::error_code failure;
  fs::create_directories(directory, failure);
  if (!failure) {
    std::ofstream out(beside, std::ios::binary | std::ios::trunc);
    out.write(schema.json.data(), static_cast<std::streamsize>(schema.json.size()));
    out.close();
    if (!out) failure = std::make_error_code(std::errc::io_error);
  }
  if (!failure) fs::rename(beside, file, failure);
  if (!failure) return {};
  return Error(net::errors::file_unreadable,
               fmt::format("the schema cannot be kept in {}: {}", directory, failure.message()))
      .with_blame(Blame::local);
}

}  // namespace

Result<SchemaDocument> fetch_schema(net::HttpClient& http, net::Deadline deadline) {
  net::HttpRequest request;
  request.target = "/api/schema";
  request.is_repeatable = true;
  request.body_bytes_max = kSchemaPackedBytesMax;
  request.deadline = deadline;
  auto sent = http.send(request);
  if (!sent) return std::move(sent).while_doing("fetching the schema").error();
  const net::HttpResponse& response = *sent;
  if (!response.is_success())
    return net::http_error(response, Blame::target).while_doing("fetching the schema");

  SchemaDocument schema;
  const std::size_t slash = response.target.rfind('/');
  schema.server_hash = response.target.substr(slash + 1);
  if (net::is_gzip(response.body)) {
    auto unpacked = net::gunzip(response.body, kSchemaBytesMax);
    if (!unpacked)
      return std::move(unpacked)
          .error()
          .with_blame(Blame::target)
          .while_doing("unpacking the schema");
    schema.json = std::move(*unpacked);
  } else {
    schema.json = response.body;
  }
  if (raw_hash(response.body) != schema.server_hash &&
      raw_hash(schema.json) != schema.server_hash) {
    return Error(
               errors::schema_damaged,
               fmt::format("the schema of {} does not have the digest {} under which it is served",
                           http.origin(), printable(schema.server_hash, 60)))
        .with_blame(Blame::target);
  }
  if (auto text = ir::parse_json(schema.json, {.bytes_max = kSchemaBytesMax, .depth_max = 64});
      !text || !text->is_map()) {
    return Error(net::errors::not_json,
                 fmt::format("the schema of {} is no JSON document", http.origin()))
        .with_blame(Blame::target);
  }
  schema.digest = ir::sha256(schema.json).hex();
  return schema;
}

std::string version_of_schema(std::string_view server_hash) {
  static const std::map<std::string_view, std::string_view> kTried = {
      {"aJJKvnpsjjwAEzJ0eKDWdfSLK_RvBKsLhk8BwCq-7qA", "0.16.0"},
      {"MjKRgWQ7QGv43RPM0RInQz5vWEbl8tEbG7GbfVQ-hJg", "0.16.15"},
      {"25gnm1_xB9bPk-puX9VTFMP1W5V-1muUWuK964-_uEw", "0.16.19"},
  };
  const auto found = kTried.find(server_hash);
  return found == kTried.end() ? std::string() : std::string(found->second);
}

Result<Value> survey_target(const Value& target, net::jmap::ClientPool& clients,
                            secret::SecretSource& secrets, const SurveyOptions& options,
                            net::Clock& clock) {
  Survey survey(net::show_utc(clock.wall_ms()));
  Value block = target;
  const std::string url(target["url"].string_or({}));
  const bool is_pinned = !target["certificate_sha256"].string_or({}).empty();
  std::string certificate(target["certificate_sha256"].string_or({}));
  if (url.starts_with("https:") && !is_pinned) {
    PLAN_TRY(seen, net::look_at_certificate(url, {}, net::Deadline::after(kServiceTime))
                       .while_doing("looking at the target's certificate"));
    certificate = seen.sha256_hex;
    if (options.may_trust_first_certificate) block.set("certificate_sha256", certificate);
  }
  PLAN_TRY(client, clients.open(block, secrets));
  PLAN_TRY(session, client->refresh(net::Deadline::after(kCallTime)));
  Registry registry(client);

  PLAN_TRY(schema, fetch_schema(client->http(), net::Deadline::after(kCallTime)));
  survey.set("schema_digest", schema.digest);
  if (!options.schema_directory.empty()) {
    PLAN_TRY_VOID(keep_schema(schema, options.schema_directory));
    survey.set("schema", fmt::format("{}/{}.json", options.schema_directory, schema.digest));
  }
  std::string version = version_of_schema(schema.server_hash);
  if (version.empty()) {
    if (const auto types = schema::Schema::read(schema.json)) version = types->version();
  }
  if (!version.empty())
    survey.set("version", version);
  else
    survey.measure(
        "target/version", {}, {},
        fmt::format("the server tells its version only by its schema, and {} is not known",
                    schema.server_hash));

  add_capabilities(survey, *session);
  PLAN_TRY(limits, limits_of(registry, *session, survey));
  survey.set("limits", std::move(limits));
  if (const Value& key = target["host"]["host_key"]; key.is_string()) survey.set("host_key", key);
  PLAN_TRY_VOID(add_certificates(survey, target, certificate, clock));
  LinkSurvey links;
  Value settings = Value::map();
  PLAN_TRY_VOID(add_domains_and_addresses(registry, survey, links, settings)
                    .while_doing("listing the target's domains and addresses"));
  PLAN_TRY_VOID(add_settings(registry, survey, links, std::move(settings))
                    .while_doing("reading the target's settings"));
  survey.measure("target/resolves-names", {}, {},
                 "only a reload of the settings would tell, and a survey changes nothing");
  return survey.finish();
}

}  // namespace plan::server::stalwart
