#include "runtime/rehearsal/world.h"

#include <algorithm>

#include "runtime/rehearsal/ids.h"
#include "runtime/rehearsal/queue_store.h"
#include "runtime/rehearsal/schema_facts.h"
#include "runtime/rehearsal/wildcard.h"

namespace plan::rehearsal {
namespace {

const Objects kNoObjects = {};
const ir::Value kNothing = {};
constexpr std::size_t kSlotsMax = 100'000;

}  // namespace

const Objects& LiveSettings::all(std::string_view type) const {
  const auto found = types.find(type);
  return found == types.end() ? kNoObjects : found->second;
}

const ir::Value& LiveSettings::singleton(std::string_view type) const {
  const Objects& objects = all(type);
  return objects.empty() ? kNothing : objects.begin()->second;
}

const std::string* LiveLookups::find(std::string_view space, std::string_view key) const {
  if (const auto found = exact.find(std::string(space)); found != exact.end())
    if (const auto entry = found->second.find(std::string(key)); entry != found->second.end())
      return &entry->second;
  if (const auto found = patterns.find(std::string(space)); found != patterns.end())
    for (const auto& [pattern, value] : found->second)
      if (is_wildcard_match(pattern, key)) return &value;
  return nullptr;
}

bool RateWindow::take(const std::string& key, std::int64_t now_ms, std::int64_t count,
                      std::int64_t period_ms) {
  if (slots_.size() > kSlotsMax) forget_old(now_ms);
  Slot& slot = slots_[key];
  slot.period_ms = period_ms;
  std::erase_if(slot.times, [&](std::int64_t at) { return at <= now_ms - period_ms; });
  if (static_cast<std::int64_t>(slot.times.size()) >= count) return false;
  slot.times.push_back(now_ms);
  return true;
}

void RateWindow::forget_old(std::int64_t now_ms) {
  std::erase_if(slots_, [now_ms](const auto& entry) {
    return entry.second.times.empty() ||
           entry.second.times.back() <= now_ms - entry.second.period_ms;
  });
}

World::World(EmbeddedTargetOptions target_options, std::unique_ptr<Storage> opened,
             std::unique_ptr<SchemaFacts> facts)
    : options(std::move(target_options)),
      clock(options.clock != nullptr ? *options.clock : net::system_clock()),
      storage(std::move(opened)),
      schema(std::move(facts)),
      registry(*storage, clock),
      mail(*storage, clock),
      queue(std::make_unique<QueueStore>(*storage)),
      live(std::make_shared<LiveSettings>()),
      lookups(std::make_shared<LiveLookups>()) {}

World::~World() = default;

std::string World::hostname() const {
  const auto& settings = registry.all("x:SystemSettings");
  if (!settings.empty()) {
    const std::string_view name = settings.begin()->second["defaultHostname"].string_or("");
    if (!name.empty()) return std::string(name);
  }
  return options.hostname;
}

std::string World::default_domain() const {
  const auto& settings = registry.all("x:SystemSettings");
  if (settings.empty()) return {};
  const auto id = parse_id(settings.begin()->second["defaultDomainId"].string_or(""));
  const ir::Value* domain = id ? registry.find("x:Domain", *id) : nullptr;
  return domain == nullptr ? std::string{} : std::string((*domain)["name"].string_or(""));
}

MailAccount& World::account(std::uint64_t id) {
  return mail.account(id, live->singleton("x:Email")["defaultFolders"]);
}

void World::commit() {
  storage->commit();
  changed.notify_all();
}

ir::Value singleton_of(const World& world, std::string_view type) {
  const Objects& objects = world.registry.all(type);
  if (!objects.empty()) return objects.begin()->second;
  const ObjectType* object = world.schema->type(type);
  if (object == nullptr) return {};
  ir::Value out = world.schema->blank(*object->shape, "", world.now_seconds());
  // What comes from elsewhere than the defaults: the configuration file, and a key made at start.
  if (type == "x:DataStore") out.set("path", world.options.data_directory);
  if (type == "x:OidcProvider") {
    const std::string_view made = "made at the first start";
    out.set("encryptionKey", ir::Value::map({{"@type", "Value"}, {"secret", made}}));
    out.set("signatureKey", ir::Value::map({{"@type", "Text"}, {"secret", made}}));
  }
  return out;
}

}  // namespace plan::rehearsal
