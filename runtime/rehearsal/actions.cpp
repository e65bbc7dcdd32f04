// x:Action and what takes effect when (reference/stalwart-admin.md 3.8, split-delivery.md 2).
#include <openssl/rand.h>

#include <algorithm>
#include <array>

#include "compiler/source/text.h"
#include "runtime/rehearsal/ids.h"
#include "runtime/rehearsal/registry_methods.h"

namespace plan::rehearsal {
namespace {

// Types whose objects are asked at every use, or have a reload of their own: everything else is
// settings.
bool is_immediate(std::string_view type) {
  constexpr std::array<std::string_view, 10> kImmediate = {
      "x:Domain", "x:Account",         "x:MailingList",          "x:Role",      "x:Tenant",
      "x:Task",   "x:MemoryLookupKey", "x:MemoryLookupKeyValue", "x:BlockedIp", "x:DkimSignature"};
  for (const std::string_view each : kImmediate)
    if (each == type) return true;
  return false;
}

std::string random_state() {
  std::uint32_t number = 0;
  static_cast<void>(RAND_bytes(reinterpret_cast<unsigned char*>(&number), sizeof number));
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (unsigned shift = 0; shift < 32; shift += 4) out += kDigits[(number >> shift) & 15U];
  return out;
}

ir::Value refused(std::string_view description, std::string_view object, std::string_view id) {
  return ir::Value::map({{"type", "validationFailed"},
                         {"description", description},
                         {"objectId", ir::Value::map({{"object", object}, {"id", id}})}});
}

std::optional<ir::Value> run(JmapContext& context, const std::string& variant) {
  World& world = context.world;
  if (variant == "ReloadSettings") return reload_settings(world);
  if (variant == "ReloadTlsCertificates")
    for (const auto& [id, object] : world.registry.all("x:Certificate"))
      if (const auto complaint = certificate_complaint(object))
        return refused(*complaint, "Certificate", encode_id(id));
  if (variant == "ReloadLookupStores") reload_lookups(world);
  if (variant == "ReloadBlockedIps") reload_blocked(world);
  if (variant == "PauseMtaQueue") world.is_queue_paused = true;
  if (variant == "ResumeMtaQueue") world.is_queue_paused = false;
  return std::nullopt;
}

}  // namespace

std::optional<ir::Value> reload_settings(World& world, bool is_checked) {
  if (is_checked && !world.options.has_dns &&
      singleton_of(world, "x:SpamPyzor")["enable"].bool_or(true))
    return refused(
        "Invalid address: failed to lookup address information: Temporary failure in name "
        "resolution",
        "SpamPyzor", "singleton");
  if (const ir::Value oidc = singleton_of(world, "x:OidcProvider");
      is_checked && oidc["signatureKey"]["secret"].string_or("") == "****")
    return refused("Failed to build the signing key.", "OidcProvider", "singleton");
  // The stores of a rehearsal are of no kind that a directory could ask in SQL.
  for (const auto& [id, directory] : world.registry.all("x:Directory"))
    if (is_checked && directory["@type"].string_or("") == "Sql" &&
        directory["store"]["@type"].string_or("Default") == "Default")
      return refused("The configured data store is not compatible with the SQL directory backend.",
                     "Directory", encode_id(id));
  auto fresh = std::make_shared<LiveSettings>();
  for (const auto& [name, type] : world.schema->types()) {
    if (is_immediate(name)) continue;
    if (type.is_singleton)
      fresh->types[name][0] = singleton_of(world, name);
    else
      fresh->types[name] = world.registry.all(name);
  }
  world.live = std::move(fresh);
  const ir::Value& search = world.live->singleton("x:Search");
  world.mail.set_index_rules({search["indexEmail"].bool_or(true),
                              search["indexEmailFields"].members().contains("headers")});
  world.session_state = random_state();
  return std::nullopt;
}

void reload_lookups(World& world) {
  auto fresh = std::make_shared<LiveLookups>();
  for (const char* type : {"x:MemoryLookupKey", "x:MemoryLookupKeyValue"})
    for (const auto& [id, object] : world.registry.all(type)) {
      const std::string space(object["namespace"].string_or(""));
      const std::string key(object["key"].string_or(""));
      const std::string value(object["value"].string_or("1"));
      if (object["isGlobPattern"].bool_or(false))
        fresh->patterns[space].emplace_back(key, value);
      else
        fresh->exact[space][key] = value;
    }
  world.lookups = std::move(fresh);
}

void reload_blocked(World& world) {
  world.blocked.clear();
  for (const auto& [id, object] : world.registry.all("x:BlockedIp"))
    world.blocked.emplace(object["address"].string_or(""));
}

MethodResult action_set(JmapContext& context, const std::string& account,
                        const ir::Value& arguments) {
  const ObjectType* type = context.world.schema->type("x:Action");
  ir::Value created = ir::Value::map();
  ir::Value not_created = ir::Value::map();
  if (!arguments["create"].is_null() && !arguments["create"].is_map())
    return MethodResult::not_request();
  for (const auto& [name, body] : arguments["create"].members()) {
    const std::string variant(body["@type"].string_or(""));
    if (type == nullptr || type->shape->variant(variant) == nullptr) {
      not_created.set(
          name, ir::Value::map({{"type", "invalidPatch"},
                                {"description", "Missing or invalid '@type' property in object"},
                                {"properties", ir::Value::list({""})}}));
      continue;
    }
    if (!context.login.may("action" + variant)) {
      not_created.set(name,
                      set_error("forbidden", "You are not authorized to perform this action."));
      continue;
    }
    if (auto failed = run(context, variant)) {
      not_created.set(name, std::move(*failed));
      continue;
    }
    created.set(name,
                ir::Value::map(
                    {{"id", encode_id(static_cast<std::uint64_t>(context.world.now_seconds()))}}));
  }
  ir::Value out = ir::Value::map({{"accountId", account}});
  ir::Value not_updated = ir::Value::map();
  ir::Value not_destroyed = ir::Value::map();
  const auto& going = arguments["destroy"].items();
  for (const auto& [id, patch] : arguments["update"].members())
    not_updated.set(id, std::find(going.begin(), going.end(), ir::Value(id)) == going.end()
                            ? set_error("notFound")
                            : set_error("willDestroy", "ID will be destroyed."));
  for (const ir::Value& id : going)
    not_destroyed.set(std::string(id.string_or("")),
                      set_error("forbidden", "Actions cannot be destroyed"));
  if (created.size() > 0) out.set("created", std::move(created));
  if (not_created.size() > 0) out.set("notCreated", std::move(not_created));
  if (not_updated.size() > 0) out.set("notUpdated", std::move(not_updated));
  if (not_destroyed.size() > 0) out.set("notDestroyed", std::move(not_destroyed));
  return MethodResult::answer(std::move(out));
}

}  // namespace plan::rehearsal
