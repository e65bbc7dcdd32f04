// What the first normal start makes (reference/stalwart-admin.md 4.3 and 4.5): facts, as data.
#include <array>

#include "runtime/rehearsal/ids.h"
#include "runtime/rehearsal/push_key.h"
#include "runtime/rehearsal/registry_methods.h"

namespace plan::rehearsal {
namespace {

// Where the real server looks for them; nothing here ever does.
constexpr std::string_view kWebInterface =
    "https://github.com/stalwartlabs/webui/releases/latest/download/webui.zip";
constexpr std::string_view kAsnBase = "https://cdn.jsdelivr.net/npm/@ip-location-db/";

bool starts_with_any(std::string_view name, const auto& prefixes) {
  for (const std::string_view prefix : prefixes)
    if (name.starts_with(prefix)) return true;
  return false;
}

// The default roles by the beginnings of the permissions' names.
bool is_user_permission(std::string_view name) {
  constexpr std::array<std::string_view, 16> kPrefixes = {"authenticate",
                                                          "interactAi",
                                                          "email",
                                                          "calendar",
                                                          "jmap",
                                                          "imap",
                                                          "pop3",
                                                          "sieve",
                                                          "dav",
                                                          "sysAccountPassword",
                                                          "sysAccountSettings",
                                                          "sysApiKey",
                                                          "sysAppPassword",
                                                          "sysArchivedItem",
                                                          "sysMaskedEmail",
                                                          "sysPublicKey"};
  if (name == "sysSpamTrainingSampleCreate") return false;
  return starts_with_any(name, kPrefixes) || name.starts_with("sysSpamTrainingSample");
}

bool is_group_permission(std::string_view name) {
  constexpr std::array<std::string_view, 5> kOwn = {
      "authenticate", "interactAi", "sysAccountPassword", "sysApiKey", "sysAppPassword"};
  return is_user_permission(name) && !starts_with_any(name, kOwn);
}

bool is_tenant_permission(std::string_view name) {
  constexpr std::array<std::string_view, 9> kTypes = {
      "sysAcmeProvider", "sysDkimSignature", "sysDnsServer", "sysDomain",   "sysMailingList",
      "sysOAuthClient",  "sysQueuedMessage", "sysRole",      "authenticate"};
  return starts_with_any(name, kTypes) || name == "fetchAnyBlob" || name == "interactAi" ||
         name == "liveDeliveryTest" ||
         (name.starts_with("sysAccount") && !name.starts_with("sysAccountPassword") &&
          !name.starts_with("sysAccountSettings"));
}

bool is_system_permission(std::string_view name) {
  constexpr std::array<std::string_view, 10> kPrefixes = {
      "authenticate", "interactAi", "impersonate", "unlimited", "fetch",
      "oAuth",        "live",       "sys",         "action",    "task"};
  return starts_with_any(name, kPrefixes);
}

class Seeder {
 public:
  explicit Seeder(World& world) : world_(world), facts_(*world.schema) {}

  void run() {
    seed_roles();
    seed_queues();
    seed("x:MtaRoute",
         {ir::Value::map({{"@type", "Mx"},
                          {"name", "mx"},
                          {"description", "MX delivery route"},
                          {"maxMxHosts", 2}}),
          ir::Value::map(
              {{"@type", "Local"}, {"name", "local"}, {"description", "Local delivery route"}})});
    seed("x:MtaConnectionStrategy",
         {ir::Value::map({{"name", "default"}, {"description", "Default connection strategy"}})});
    seed("x:MtaTlsStrategy",
         {ir::Value::map({{"name", "invalid-tls"},
                          {"description", "Allow invalid TLS certificates"},
                          {"allowInvalidCerts", true}}),
          ir::Value::map({{"name", "default"}, {"description", "Default TLS settings"}})});
    seed("x:MtaInboundThrottle", {throttle("Sender IP throttle", {"remoteIp"}, 5, 1000),
                                  throttle("Sender address to recipient throttle",
                                           {"senderDomain", "rcpt"}, 25, 3'600'000)});
    seed("x:NetworkListener",
         {listener("smtp", 25, "smtp", false), listener("submissions", 465, "smtp", true),
          listener("imaps", 993, "imap", true), listener("pop3s", 995, "pop3", true),
          listener("sieve", 4190, "manageSieve", false), listener("https", 443, "http", true),
          listener("http", 8080, "http", false)});
    seed("x:Tracer", {ir::Value::map({{"@type", "Log"},
                                      {"path", "/var/log/stalwart"},
                                      {"prefix", "stalwart.log"},
                                      {"rotate", "daily"},
                                      {"ansi", false},
                                      {"level", "info"}})});
    seed("x:Application",
         {ir::Value::map({{"description", "Stalwart Web Interface"},
                          {"resourceUrl", std::string(kWebInterface)},
                          {"urlPrefix", ir::Value::map({{"/admin", true}, {"/account", true}})},
                          {"autoUpdateFrequency", std::int64_t{2'592'000'000}}})});
    for (const char* store : {"x:MetricsStore", "x:TracingStore"})
      seed(store, {ir::Value::map({{"@type", "Default"}})});
    seed_asn();
    if (world_.registry.all("x:Jmap").empty())
      put("x:Jmap",
          ir::Value::map(
              {{"webPushKey", ir::Value::map({{"@type", "Text"}, {"secret", new_push_key()}})}}));
    if (world_.registry.all("x:OidcProvider").empty())
      put("x:OidcProvider",
          ir::Value::map(
              {{"signatureAlgorithm", "es256"},
               {"signatureKey",
                ir::Value::map({{"@type", "Text"}, {"secret", "made at the first start"}})},
               {"encryptionKey",
                ir::Value::map({{"@type", "Value"}, {"secret", "made at the first start"}})}}));
  }

 private:
  // Merges `members` over the defaults of the type (one level; variants by @type).
  ir::Value complete(const std::string& name, const ir::Value& members) const {
    const ObjectType* type = facts_.type(name);
    if (type == nullptr) return {};
    ir::Value out =
        facts_.blank(*type->shape, members["@type"].string_or(""), world_.now_seconds());
    for (const auto& [member, value] : members.members()) out.set(member, value);
    return out;
  }

  void put(const std::string& name, const ir::Value& members) {
    const ObjectType* type = facts_.type(name);
    if (type == nullptr) return;
    world_.registry.put(name, type->is_singleton ? 0 : world_.registry.next_id(name),
                        complete(name, members));
  }

  void seed(const std::string& name, const std::vector<ir::Value>& objects) {
    if (!world_.registry.all(name).empty()) return;
    for (const ir::Value& each : objects) put(name, each);
  }

  static ir::Value throttle(std::string_view description, const std::vector<std::string>& keys,
                            int count, int period) {
    ir::Value key = ir::Value::map();
    for (const std::string& each : keys) key.set(each, true);
    return ir::Value::map(
        {{"description", description},
         {"key", std::move(key)},
         {"match", ir::Value::map({{"match", ir::Value::map()}, {"else", "true"}})},
         {"rate", ir::Value::map({{"count", count}, {"period", period}})}});
  }

  static ir::Value listener(std::string_view name, int port, std::string_view protocol,
                            bool is_implicit) {
    return ir::Value::map({{"name", name},
                           {"bind", ir::Value::map({{"[::]:" + std::to_string(port), true}})},
                           {"protocol", protocol},
                           {"tlsImplicit", is_implicit}});
  }

  void seed_roles() {
    if (!world_.registry.all("x:Role").empty()) return;
    const auto add = [this](std::string_view description, bool (*is_in)(std::string_view)) {
      ir::Value permissions = ir::Value::map();
      for (const std::string& name : facts_.enum_values("Permission"))
        if (is_in(name)) permissions.set(name, true);
      put("x:Role", ir::Value::map({{"description", description},
                                    {"enabledPermissions", std::move(permissions)}}));
    };
    add("User", is_user_permission);
    add("Group", is_group_permission);
    add("Tenant Administrator", is_tenant_permission);
    add("System Administrator", is_system_permission);
    if (!world_.registry.all("x:Authentication").empty()) return;
    put("x:Authentication",
        ir::Value::map({{"defaultUserRoleIds", ir::Value::map({{"b", true}})},
                        {"defaultGroupRoleIds", ir::Value::map({{"c", true}})},
                        {"defaultTenantRoleIds", ir::Value::map({{"d", true}, {"b", true}})},
                        {"defaultAdminRoleIds", ir::Value::map({{"e", true}, {"b", true}})}}));
  }

  void seed_asn() {
    if (!world_.registry.all("x:Asn").empty()) return;
    const auto urls = [](std::string_view path) {
      ir::Value out = ir::Value::map();
      for (const char* version : {"-ipv4.csv", "-ipv6.csv"})
        out.set(std::string(kAsnBase) + std::string(path) + version, true);
      return out;
    };
    const std::string geo = "geolite2-geo-whois-asn-country";
    put("x:Asn", ir::Value::map({{"@type", "Resource"},
                                 {"asnUrls", urls("asn/asn")},
                                 {"geoUrls", urls(geo + "/" + geo)}}));
  }

  void seed_queues() {
    if (!world_.registry.all("x:MtaVirtualQueue").empty() ||
        !world_.registry.all("x:MtaDeliverySchedule").empty())
      return;
    const auto queue = [this](std::string_view name, std::string_view description, int threads) {
      put("x:MtaVirtualQueue",
          ir::Value::map(
              {{"name", name}, {"description", description}, {"threadsPerNode", threads}}));
    };
    queue("local", "Local delivery queue", 25);
    queue("remote", "Remote delivery queue", 50);
    queue("dsn", "Delivery Status Notification delivery queue", 5);
    queue("report", "DMARC and TLS report delivery queue", 5);
    const ir::Value ttl = ir::Value::map({{"@type", "Ttl"}, {"expire", 259'200'000}});
    const auto schedule = [this](std::string_view name, std::string_view description,
                                 std::string_view id, const ir::Value& expiry,
                                 const ir::Value& retry) {
      put("x:MtaDeliverySchedule", ir::Value::map({{"name", name},
                                                   {"description", description},
                                                   {"queueId", id},
                                                   {"expiry", expiry},
                                                   {"retry", retry}}));
    };
    const ir::Value standard = ir::Value::map({{"@type", "Default"}});
    schedule("local", "Local delivery schedule", "a", ttl, standard);
    schedule("remote", "Remote delivery schedule", "b", ttl, standard);
    ir::Value intervals = ir::Value::map();
    int position = 0;
    for (const int duration : {900'000, 1'800'000, 3'600'000, 7'200'000})
      intervals.set(std::to_string(position++), ir::Value::map({{"duration", duration}}));
    schedule("dsn", "Delivery Status Notification delivery schedule", "c",
             ir::Value::map({{"@type", "Attempts"}, {"maxAttempts", 10}}),
             ir::Value::map({{"@type", "Custom"}, {"intervals", std::move(intervals)}}));
  }

  World& world_;
  const SchemaFacts& facts_;
};

}  // namespace

void seed_defaults(World& world) { Seeder(world).run(); }

}  // namespace plan::rehearsal
