#include "runtime/server/stalwart/target.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/net/errors.h"
#include "runtime/net/jmap/errors.h"
#include "runtime/server/stalwart/limits.h"
#include "runtime/server/stalwart/wire_value.h"

namespace plan::server::stalwart {
namespace {

constexpr std::string_view kGenerationNamespace = "plan-generation";

Generation parse_generation(std::string_view text) {
  Generation generation;
  const auto value = ir::parse_json(text, {.bytes_max = 4096, .depth_max = 4});
  if (!value) return generation;
  generation.number = std::max<std::int64_t>(0, (*value)["generation"].integer_or(0));
  if ((*value)["at"].string_or({}) == "target") generation.at = "target";
  return generation;
}

}  // namespace

AddressParts split_address(std::string_view address) {
  const std::size_t at = address.rfind('@');
  if (at == std::string_view::npos) return {.local = std::string(address), .domain = {}};
  return {.local = std::string(address.substr(0, at)),
          .domain = std::string(address.substr(at + 1))};
}

// --- KeySet ---

Outcome KeySet::read_when_old() {
  if (read_at_ && clock_.now() - *read_at_ < kIndexAge) return {};
  const auto began = clock_.now();
  PLAN_TRY(objects, registry_.all(type_, ir::Value::map({{"namespace", namespace_}})));
  std::map<std::string, Key> keys;
  for (const ir::Value& object : objects) {
    if (object["namespace"].string_or({}) != namespace_) continue;
    keys[std::string(object["key"].string_or({}))] =
        Key{.id = std::string(object["id"].string_or({})),
            .value = std::string(object["value"].string_or({})),
            .is_glob = object["isGlobPattern"].bool_or(false)};
  }
  keys_ = std::move(keys);
  read_at_ = began;
  return {};
}

Result<std::map<std::string, KeySet::Key>> KeySet::find(const std::vector<std::string>& keys) {
  const std::lock_guard lock(mutex_);
  PLAN_TRY_VOID(read_when_old());
  std::map<std::string, Key> found;
  for (const std::string& key : keys) {
    const auto known = keys_.find(key);
    if (known != keys_.end()) found.emplace(key, known->second);
  }
  return found;
}

Outcome KeySet::add(const std::vector<std::string>& keys) {
  net::jmap::SetRequest request;
  request.type = type_;
  request.create = ir::Value::map();
  std::map<std::string, std::string> wanted;  // creation id -> key
  for (const std::string& key : keys) {
    const std::string creation = fmt::format("k{}", wanted.size());
    request.create.set(
        creation,
        ir::Value::map({{"namespace", namespace_}, {"key", key}, {"isGlobPattern", false}}));
    wanted.emplace(creation, key);
  }
  if (wanted.empty()) return {};
  auto result = registry_.set(std::move(request));
  if (!result) {
    forget();
    return std::move(result).error();
  }
  std::vector<std::string> doubtful;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [creation, key] : wanted) {
      const std::string id = result->created_id(creation);
      if (!id.empty()) keys_[key] = Key{.id = id, .value = {}, .is_glob = false};
    }
  }
  for (const net::jmap::SetFailure& failure : result->failures) {
    const std::string& key = wanted[failure.id];
    if (!failure.error.is("primaryKeyViolation")) {
      return net::jmap::to_error(
          failure.error, fmt::format("lookup key `{}` in `{}`", printable(key, 320), namespace_),
          "addresses", Blame::target);
    }
    doubtful.push_back(failure.error.object.id);
  }
  if (doubtful.empty()) return {};
  // There already, by an earlier attempt or by hand: make sure that it is no pattern.
  PLAN_TRY(objects, registry_.get(type_, doubtful));
  ir::Value update = ir::Value::map();
  for (const ir::Value& object : objects) {
    const std::string id(object["id"].string_or({}));
    if (object["isGlobPattern"].bool_or(false))
      update.set(id, ir::Value::map({{"isGlobPattern", false}}));
    const std::lock_guard lock(mutex_);
    keys_[std::string(object["key"].string_or({}))] = Key{.id = id, .value = {}, .is_glob = false};
  }
  if (update.size() == 0) return {};
  net::jmap::SetRequest repair;
  repair.type = type_;
  repair.update = std::move(update);
  PLAN_TRY(repaired, registry_.set(std::move(repair)));
  if (repaired.failures.empty()) return {};
  return net::jmap::to_error(repaired.failures.front().error,
                             fmt::format("a lookup key in `{}`", namespace_), "addresses",
                             Blame::target);
}

Outcome KeySet::remove(const std::vector<std::string>& keys) {
  PLAN_TRY(found, find(keys));
  if (found.empty()) return {};
  net::jmap::SetRequest request;
  request.type = type_;
  for (const auto& [key, entry] : found) request.destroy.push_back(entry.id);
  auto result = registry_.set(std::move(request));
  if (!result) {
    forget();
    return std::move(result).error();
  }
  for (const net::jmap::SetFailure& failure : result->failures) {
    if (failure.error.is("notFound")) continue;
    forget();
    return net::jmap::to_error(failure.error, fmt::format("a lookup key in `{}`", namespace_),
                               "addresses", Blame::target);
  }
  const std::lock_guard lock(mutex_);
  for (const auto& [key, entry] : found) keys_.erase(key);
  return {};
}

Result<std::string> KeySet::change(
    const std::string& key,
    const std::function<std::optional<std::string>(std::string_view now)>& next) {
  const std::string what =
      fmt::format("lookup value `{}` in `{}`", printable(key, 320), namespace_);
  PLAN_TRY(known, find({key}));
  std::string id = known.empty() ? std::string() : known.begin()->second.id;
  for (int attempt = 0; attempt < 2; ++attempt) {
    // The decision is made on what the target says now, not on what was remembered.
    ir::Value object;
    if (!id.empty()) {
      PLAN_TRY(read, registry_.object(type_, id));
      object = std::move(read);
    }
    const std::string now(object["value"].string_or({}));
    const std::optional<std::string> wanted = next(now);
    if (!wanted) return now;
    if (object.is_map()) {
      PLAN_TRY_VOID(registry_.update(type_, id, ir::Value::map({{"value", *wanted}}), what, {}));
    } else {
      net::jmap::SetRequest request;
      request.type = type_;
      request.create = ir::Value::map({{"v", ir::Value::map({{"namespace", namespace_},
                                                             {"key", key},
                                                             {"value", *wanted},
                                                             {"isGlobPattern", false}})}});
      PLAN_TRY(result, registry_.set(std::move(request)));
      if (!result.failures.empty()) {
        const net::jmap::SetError& failure = result.failures.front().error;
        if (!failure.is("primaryKeyViolation") || attempt > 0)
          return net::jmap::to_error(failure, what, {}, Blame::target);
        id = failure.object.id;
        continue;
      }
      id = result.created_id("v");
    }
    const std::lock_guard lock(mutex_);
    keys_[key] = Key{.id = id, .value = *wanted, .is_glob = false};
    return *wanted;
  }
  return Error(net::jmap::errors::name_taken, what + " is there and cannot be read")
      .with_blame(Blame::target);
}

void KeySet::forget() {
  const std::lock_guard lock(mutex_);
  read_at_.reset();
}

// --- Target ---

Target::Target(std::shared_ptr<net::jmap::Client> client, net::Clock& clock)
    : registry_(std::move(client)),
      clock_(clock),
      lookups_([this] { return registry_.action("ReloadLookupStores"); }, kReloadApart, clock),
      generations_(registry_, "MemoryLookupKeyValue", std::string(kGenerationNamespace), clock) {}

KeySet& Target::keys(const std::string& name) {
  const std::lock_guard lock(mutex_);
  std::unique_ptr<KeySet>& set = key_sets_[name];
  if (!set) set = std::make_unique<KeySet>(registry_, "MemoryLookupKey", name, clock_);
  return *set;
}

Result<Generation> Target::generation(std::string_view account) {
  const std::string key = lower_ascii(account);
  PLAN_TRY(found, generations_.find({key}));
  return found.empty() ? Generation{} : parse_generation(found.begin()->second.value);
}

Result<Generation> Target::move_generation(std::string_view account, std::string_view at) {
  const auto next = [&](std::string_view now) -> std::optional<std::string> {
    const Generation generation = parse_generation(now);
    if (generation.at == at) return std::nullopt;
    return ir::canonical_json(ir::Value::map({{"at", at}, {"generation", generation.number + 1}}));
  };
  PLAN_TRY(value, generations_.change(lower_ascii(account), next));
  return parse_generation(value);
}

Outcome Target::read_domains() {
  PLAN_TRY(objects, registry_.all("Domain"));
  const std::lock_guard lock(mutex_);
  domains_.clear();
  domain_names_.clear();
  for (const ir::Value& object : objects) {
    const std::string id(object["id"].string_or({}));
    const std::string name = lower_ascii(object["name"].string_or({}));
    domain_names_[id] = name;
    for (const auto& [alias, is_member] : object["aliases"].members())
      domains_.emplace(lower_ascii(alias), id);
    domains_[name] = id;  // a name wins over an alias; the server lets both exist
  }
  return {};
}

Result<std::string> Target::domain_id(std::string_view name) {
  const std::string key = lower_ascii(name);
  for (int attempt = 0; attempt < 2; ++attempt) {
    {
      const std::lock_guard lock(mutex_);
      const auto found = domains_.find(key);
      if (found != domains_.end()) return found->second;
    }
    if (attempt == 0) PLAN_TRY_VOID(read_domains());
  }
  return std::string();
}

Result<std::string> Target::domain_name(const std::string& id) {
  for (int attempt = 0; attempt < 2; ++attempt) {
    {
      const std::lock_guard lock(mutex_);
      const auto found = domain_names_.find(id);
      if (found != domain_names_.end()) return found->second;
    }
    if (attempt == 0) PLAN_TRY_VOID(read_domains());
  }
  return std::string();
}

Result<ir::Value> Target::account(std::string_view address) {
  const AddressParts parts = split_address(address);
  PLAN_TRY(domain, domain_id(parts.domain));
  if (domain.empty()) return ir::Value();
  return registry_.find(
      "Account", ir::Value::map({{"name", parts.local}, {"domainId", domain}, {"@type", "User"}}));
}

Result<ir::Value> Target::list(std::string_view address) {
  const AddressParts parts = split_address(address);
  PLAN_TRY(domain, domain_id(parts.domain));
  if (domain.empty()) return ir::Value();
  const std::string key = fmt::format("{}@{}", lower_ascii(parts.local), domain);
  std::string id;
  bool is_old = false;
  {
    const std::lock_guard lock(mutex_);
    is_old = !lists_read_at_ || clock_.now() - *lists_read_at_ >= kIndexAge;
    const auto found = lists_.find(key);
    if (!is_old && found != lists_.end()) id = found->second;
  }
  if (is_old) {
    // The server cannot filter lists by name (reference/stalwart-admin.md 3.6).
    const auto began = clock_.now();
    PLAN_TRY(objects, registry_.all("MailingList"));
    const std::lock_guard lock(mutex_);
    lists_.clear();
    for (const ir::Value& object : objects) {
      lists_[fmt::format("{}@{}", lower_ascii(object["name"].string_or({})),
                         object["domainId"].string_or({}))] =
          std::string(object["id"].string_or({}));
    }
    lists_read_at_ = began;
    const auto found = lists_.find(key);
    if (found != lists_.end()) id = found->second;
  }
  if (id.empty()) return ir::Value();
  return registry_.object("MailingList", id);
}

void Target::forget_lists() {
  const std::lock_guard lock(mutex_);
  lists_read_at_.reset();
}

void Target::forget_domains() {
  const std::lock_guard lock(mutex_);
  domains_.clear();
  domain_names_.clear();
}

// --- TargetPool ---

TargetPool::TargetPool(std::shared_ptr<net::jmap::ClientPool> clients, net::Clock& clock)
    : clients_(std::move(clients)), clock_(&clock) {}

TargetPool::TargetPool(std::shared_ptr<net::jmap::Client> client, std::shared_ptr<Target> target)
    : only_client_(std::move(client)), only_target_(std::move(target)) {}

Result<std::shared_ptr<Target>> TargetPool::open(step::StepContext& context) {
  return open(context.arguments["target"], context.secrets);
}

Result<std::shared_ptr<Target>> TargetPool::open(const ir::Value& target_block,
                                                 secret::SecretSource& secrets) {
  if (only_target_) return only_target_;
  PLAN_TRY(client, clients_->open(target_block, secrets));
  const std::lock_guard lock(mutex_);
  std::shared_ptr<Target>& target = targets_[client.get()];
  if (!target) target = std::make_shared<Target>(client, *clock_);
  return target;
}

Result<std::shared_ptr<net::jmap::Client>> TargetPool::open_as(const ir::Value& target_block,
                                                               secret::SecretSource& secrets,
                                                               std::string_view account) {
  if (only_client_) return only_client_;
  return clients_->open(target_block, secrets, account);
}

}  // namespace plan::server::stalwart
