// x:Type/set (reference/stalwart-admin.md 2.2, 3.4, 3.5, 3.7) and the entry of all x: methods.
#include <algorithm>
#include <array>
#include <functional>

#include "compiler/schema/mta_container.h"
#include "compiler/source/text.h"
#include "runtime/rehearsal/ids.h"
#include "runtime/rehearsal/message.h"
#include "runtime/rehearsal/registry_methods.h"
#include "runtime/rehearsal/registry_patch.h"

namespace plan::rehearsal {
namespace {

// Only these properties resolve "#name" in a value (reference 3.5).
constexpr std::array<std::string_view, 19> kResolving = {"id",
                                                         "memberGroupIds",
                                                         "memberTenantId",
                                                         "roleIds",
                                                         "dnsServerId",
                                                         "directoryId",
                                                         "domainId",
                                                         "accountId",
                                                         "defaultDomainId",
                                                         "defaultCertificateId",
                                                         "defaultUserRoleIds",
                                                         "defaultGroupRoleIds",
                                                         "defaultTenantRoleIds",
                                                         "defaultAdminRoleIds",
                                                         "listenerIds",
                                                         "publicKey",
                                                         "queueId",
                                                         "modelId",
                                                         "acmeProviderId"};
constexpr int kResolveDepthMax = 5;

bool resolves(std::string_view property) {
  return property == "blobId" ||
         std::find(kResolving.begin(), kResolving.end(), property) != kResolving.end();
}

std::string bare(std::string_view type) {
  return std::string(type.starts_with("x:") ? type.substr(2) : type);
}

ir::Value object_id(std::string_view type, std::string_view id) {
  return ir::Value::map({{"object", bare(type)}, {"id", id}});
}

ir::Value patch_error(const PatchError& error, bool is_name_hidden) {
  return ir::Value::map(
      {{"type", "invalidPatch"},
       {"description", error.description},
       {"properties", ir::Value::list({is_name_hidden ? std::string{} : error.path})}});
}

class Setter {
 public:
  Setter(JmapContext& context, const ObjectType& type, const std::string& account,
         const ir::Value& arguments)
      : context_(context),
        world_(context.world),
        facts_(*context.world.schema),
        type_(type),
        account_(account),
        arguments_(arguments),
        tenant_(tenant_of(context.world, context.login)) {}

  MethodResult run() {
    if (auto failed = check_arguments()) return std::move(*failed);
    std::vector<std::string> order;
    if (auto failed = creation_order(order)) return std::move(*failed);
    for (const std::string& name : order) {
      auto failed = create(name, arguments_["create"][name]);
      if (stopped_) return std::move(*stopped_);
      if (failed) not_created_.set(name, std::move(*failed));
    }
    for (const auto& [text, patch] : arguments_["update"].members()) {
      if (!patch.is_map()) return MethodResult::dropped();
      update(text, patch);
      if (stopped_) return std::move(*stopped_);
    }
    for (const ir::Value& id : arguments_["destroy"].items()) destroy(id.string_or(""));
    ir::Value out = ir::Value::map({{"accountId", account_}});
    if (created_.size() > 0) out.set("created", std::move(created_));
    if (updated_.size() > 0) out.set("updated", std::move(updated_));
    if (destroyed_.size() > 0) out.set("destroyed", std::move(destroyed_));
    if (not_created_.size() > 0) out.set("notCreated", std::move(not_created_));
    if (not_updated_.size() > 0) out.set("notUpdated", std::move(not_updated_));
    if (not_destroyed_.size() > 0) out.set("notDestroyed", std::move(not_destroyed_));
    return MethodResult::answer(std::move(out));
  }

 private:
  std::optional<MethodResult> check_arguments() const {
    const ir::Value& state = arguments_["ifInState"];
    if (state.is_string() && !parse_state(state.string_or(""))) return MethodResult::not_request();
    for (const char* member : {"create", "update"})
      if (!arguments_[member].is_null() && !arguments_[member].is_map())
        return MethodResult::not_request();
    if (!arguments_["destroy"].is_null() && !arguments_["destroy"].is_list())
      return MethodResult::error("invalidArguments", "invalid type: expected a sequence");
    const auto count =
        arguments_["create"].size() + arguments_["update"].size() + arguments_["destroy"].size();
    if (static_cast<std::int64_t>(count) > limit_of(world_, "x:Jmap", "setMaxObjects", 500))
      return MethodResult::error(
          "requestTooLarge",
          "The number of ids requested by the client exceeds the maximum number "
          "the server is willing to process in a single method call.");
    return std::nullopt;
  }

  // Names of creates that `value` refers to in the resolving properties.
  void references_in(const ir::Value& value, bool is_resolving, std::vector<std::string>& out,
                     int depth) const {
    if (depth > 8) return;
    if (is_resolving && value.is_string() && value.string_or("").starts_with('#'))
      out.emplace_back(value.string_or("").substr(1));
    for (const auto& [name, member] : value.members())
      references_in(member, resolves(name), out, depth + 1);
    for (const ir::Value& item : value.items()) references_in(item, is_resolving, out, depth + 1);
  }

  // Creates in the order of the map, each after those it refers to. The error: a reference to
  // nothing.
  std::optional<MethodResult> creation_order(std::vector<std::string>& order) const {
    std::map<std::string, std::vector<std::string>> needs;
    for (const auto& [name, body] : arguments_["create"].members()) {
      references_in(body, false, needs[name], 0);
      for (const std::string& needed : needs[name])
        if (!arguments_["create"].members().contains(needed) &&
            !context_.created_ids.contains(needed))
          return MethodResult::error("invalidResultReference",
                                     "Id reference #" + needed + " not found.");
    }
    for (const auto& [id, patch] : arguments_["update"].members()) {
      std::vector<std::string> used;
      references_in(patch, false, used, 0);
      for (const std::string& needed : used)
        if (!arguments_["create"].members().contains(needed) &&
            !context_.created_ids.contains(needed))
          return MethodResult::error("invalidResultReference",
                                     "Id reference #" + needed + " not found.");
    }
    std::set<std::string> done;
    const std::function<void(const std::string&, int)> add = [&](const std::string& name,
                                                                 int depth) {
      if (done.contains(name) || depth > 500) return;
      done.insert(name);
      for (const std::string& needed : needs[name])
        if (needs.contains(needed)) add(needed, depth + 1);
      order.push_back(name);
    };
    for (const auto& [name, body] : arguments_["create"].members()) add(name, 0);
    return std::nullopt;
  }

  // Replaces "#name" in values and keys. False: a key that leads nowhere.
  ir::Value resolved(const ir::Value& value, std::string_view property, int depth) {
    const bool is_resolving = resolves(property);
    if (is_resolving && value.is_string() && value.string_or("").starts_with('#')) {
      const auto id = resolve_creation(context_, value.string_or(""));
      if (!id) {
        stopped_ =
            MethodResult::error("invalidResultReference",
                                "Id reference " + std::string(value.string_or("")) + " not found.");
        return value;
      }
      return *id;
    }
    if (!value.is_map() || depth > kResolveDepthMax) return value;
    ir::Value out = ir::Value::map();
    for (const auto& [name, member] : value.members()) {
      std::string key = name;
      if (is_resolving && key.starts_with('#'))
        if (const auto id = resolve_creation(context_, key)) key = *id;
      out.set(key, resolved(member, name, depth + 1));
    }
    return out;
  }

  std::optional<ir::Value> create(const std::string& name, const ir::Value& given) {
    if (type_.is_singleton) return set_error("singleton", "Cannot create a singleton object.");
    if (!given.is_map()) return patch_error({"", "Invalid value type for object"}, true);
    const Struct* members = type_.shape->single;
    std::string variant;
    if (type_.shape->is_multi()) {
      const Variant* found = type_.shape->variant(given["@type"].string_or(""));
      if (found == nullptr)
        return patch_error({"", "Missing or invalid '@type' property in object"}, true);
      members = found->members;
      variant = found->name;
    }
    const ir::Value body = resolved(given, "", 0);
    if (stopped_) return std::nullopt;
    ir::Value object = facts_.blank(*type_.shape, variant, world_.now_seconds());
    const bool is_scoped = members != nullptr && members->field("memberTenantId") != nullptr;
    if (is_scoped && !tenant_.empty()) {
      if (body.members().contains("memberTenantId"))
        return patch_error({"memberTenantId", "Cannot modify memberTenantId property"}, false);
      object.set("memberTenantId", tenant_);
    }
    const Patcher patcher(facts_, world_.now_seconds(), true);
    for (const auto& [path, value] : body.members()) {
      if (path == "@type" && type_.shape->is_multi()) continue;
      const std::string first = path.substr(0, path.find('/'));
      if (members == nullptr || members->field(first) == nullptr)
        return patch_error({path, "Invalid property"}, !facts_.is_property(first));
      if (auto failed = patcher.write(*members, object, path, value))
        return patch_error(*failed, false);
    }
    return store(name, std::nullopt, nullptr, std::move(object));
  }

  // Everything between the patch and the disk.
  std::optional<ir::Value> store(const std::string& name, std::optional<std::uint64_t> id,
                                 const ir::Value* before, ir::Value object) {
    const ir::Value hook = before == nullptr ? ir::Value() : *before;
    if (auto failed =
            apply_type_rules(context_, type_, before == nullptr ? nullptr : &hook, object)) {
      if ((*failed)["type"].string_or("") == "serverUnavailable") {
        stopped_ = MethodResult::error("serverUnavailable",
                                       "This server is temporarily unavailable. Attempting this "
                                       "same operation later may succeed.");
        return std::nullopt;
      }
      return failed;
    }
    if (auto failed = check_expressions(object)) return failed;
    const ir::Value errors = validate_object(facts_, *type_.shape, object);
    if (errors.size() > 0)
      return ir::Value::map({{"type", "validationFailed"}, {"validationErrors", errors}});
    if (auto failed = check_keys(id, object)) return failed;
    if (auto failed = check_references(object)) return failed;
    const std::uint64_t number =
        type_.is_singleton ? 0 : (id ? *id : world_.registry.next_id(type_.name));
    world_.registry.put(type_.name, number, std::move(object));
    if (!id && !type_.is_singleton) {
      context_.created_ids[name] = encode_id(number);
      created_.set(name, ir::Value::map({{"id", encode_id(number)}}));
    }
    return std::nullopt;
  }

  std::optional<ir::Value> check_expressions(const ir::Value& object) const {
    const Struct* members = type_.shape->single;
    if (type_.shape->is_multi()) {
      const Variant* variant = type_.shape->variant(object["@type"].string_or(""));
      members = variant == nullptr ? nullptr : variant->members;
    }
    const std::string owner = members == nullptr ? type_.name : members->name;
    std::optional<ir::Value> failed;
    for_each_expression(
        facts_, *type_.shape, object,
        [&](const std::string& property, const ir::Value& expression) {
          if (failed) return;
          std::string complaint;
          const bool is_empty =
              expression["else"].string_or("").empty() && expression["match"].size() == 0;
          if (is_empty) return;
          for (const auto& [position, arm] : expression["match"].members())
            if (arm["if"].string_or("").empty() || arm["then"].string_or("").empty())
              complaint = "All 'if' and 'then' blocks must be non-empty";
          if (complaint.empty() && expression["else"].string_or("").empty())
            complaint = "Missing 'else' expression";
          if (complaint.empty())
            for (const schema::ExpressionProblem& problem :
                 schema::check_container(expression, schema::context_of(owner, property)))
              if (problem.is_refused_by_server) {
                complaint = "Error parsing '" + problem.part + "' expression: " + problem.message;
                break;
              }
          if (complaint.empty()) return;
          failed = ir::Value::map(
              {{"type", "validationFailed"},
               {"properties", ir::Value::list({property})},
               {"validationErrors",
                ir::Value::list({ir::Value::map(
                    {{"type", "Invalid"}, {"property", property}, {"value", complaint}})})}});
        });
    return failed;
  }

  std::optional<ir::Value> check_keys(std::optional<std::uint64_t> id,
                                      const ir::Value& object) const {
    for (const RegistryStore::Key& key : RegistryStore::keys_of(type_.name, object)) {
      const KeyOwner* owner = world_.registry.owner_of(key.text);
      if (owner == nullptr || (owner->type == type_.name && id && owner->id == *id)) continue;
      return ir::Value::map({{"type", "primaryKeyViolation"},
                             {"properties", ir::Value::list({key.property})},
                             {"objectId", object_id(owner->type, encode_id(owner->id))}});
    }
    return std::nullopt;
  }

  std::optional<ir::Value> check_references(const ir::Value& object) const {
    for (const Reference& reference : references_of(facts_, *type_.shape, object)) {
      const SchemaFacts::Target target = facts_.target_of(reference.object_name);
      const auto id = parse_id(reference.id);
      const ir::Value* found = id ? world_.registry.find(target.type, *id) : nullptr;
      // A tenant's object borrows nothing of others, nor what is global (reference 3.7).
      const bool is_foreign = found != nullptr && object["memberTenantId"].is_string() &&
                              target.type != "x:Tenant" &&
                              !is_visible(*found, object["memberTenantId"].string_or(""));
      const bool fits =
          found != nullptr && !is_foreign &&
          (target.variant.empty() || (*found)["@type"].string_or(target.variant) == target.variant);
      if (fits) continue;
      if (target.type == "x:AcmeProvider")
        return set_error("invalidProperties", "ACME provider not found.",
                         "certificateManagement/acmeProviderId");
      return ir::Value::map(
          {{"type", "invalidForeignKey"}, {"objectId", object_id(target.type, reference.id)}});
    }
    return std::nullopt;
  }

  bool is_going(std::string_view text) const {
    return std::any_of(arguments_["destroy"].items().begin(), arguments_["destroy"].items().end(),
                       [text](const ir::Value& each) { return each.string_or("") == text; });
  }

  void update(const std::string& text, const ir::Value& given) {
    if (type_.is_singleton) {
      if (text != "singleton") {
        if (const auto id = parse_id(text)) not_updated_.set(encode_id(*id), set_error("notFound"));
        return;
      }
      ir::Value object = singleton_of(world_, type_.name);
      if (auto failed = patch(given, object, 0))
        not_updated_.set(text, std::move(*failed));
      else if (!stopped_)
        updated_.set(text, {});
      return;
    }
    const auto id = parse_id(text);
    if (!id) return;  // dropped silently, as recorded
    const std::string shown = encode_id(*id);
    const ir::Value* found = world_.registry.find(type_.name, *id);
    if (found == nullptr || !is_visible(*found, tenant_)) {
      not_updated_.set(shown, set_error("notFound"));
      return;
    }
    if (is_going(text)) {
      not_updated_.set(shown, set_error("willDestroy", "ID will be destroyed."));
      return;
    }
    ir::Value object = *found;
    if (auto failed = patch(given, object, *id))
      not_updated_.set(shown, std::move(*failed));
    else if (!stopped_)
      updated_.set(shown, {});
  }

  std::optional<ir::Value> patch(const ir::Value& given, ir::Value& object, std::uint64_t id) {
    const ir::Value before = object;
    const ir::Value body = resolved(given, "", 0);
    if (stopped_) return std::nullopt;
    const Struct* members = type_.shape->single;
    bool is_rebuilt = false;
    if (type_.shape->is_multi()) {
      const ir::Value& wanted = body["@type"];
      if (!wanted.is_null() && wanted.string_or("") != object["@type"].string_or("")) {
        if (type_.name == "x:Account")
          return set_error("invalidProperties", "Cannot change the type of an existing account.",
                           "@type");
        const Variant* variant = type_.shape->variant(wanted.string_or(""));
        if (variant == nullptr)
          return patch_error({"", "Missing or invalid '@type' property in object"}, true);
        object = facts_.blank(*type_.shape, variant->name, world_.now_seconds());
        is_rebuilt = true;
      }
      const Variant* variant = type_.shape->variant(object["@type"].string_or(""));
      members = variant == nullptr ? nullptr : variant->members;
    }
    const Patcher patcher(facts_, world_.now_seconds(), is_rebuilt);
    for (const auto& [path, value] : body.members()) {
      if (path == "@type" && type_.shape->is_multi()) continue;
      if (members == nullptr) return patch_error({path, "Invalid property"}, false);
      if (auto failed = patcher.write(*members, object, path, value))
        return patch_error(*failed, false);
    }
    if (object == before) return std::nullopt;
    return store({}, id, &before, std::move(object));
  }

  void destroy(std::string_view text) {
    if (type_.is_singleton) {
      not_destroyed_.set(std::string(text),
                         set_error("singleton", "Cannot destroy a singleton object."));
      return;
    }
    const auto id = parse_id(text);
    if (!id) return;  // dropped silently, as recorded
    const std::string shown = encode_id(*id);
    const ir::Value* found = world_.registry.find(type_.name, *id);
    const bool is_twice =
        std::count_if(arguments_["destroy"].items().begin(), arguments_["destroy"].items().end(),
                      [text](const ir::Value& each) { return each.string_or("") == text; }) > 1;
    if (found == nullptr || !is_visible(*found, tenant_)) {
      if (!is_twice || !not_destroyed_.members().contains(shown))
        not_destroyed_.set(shown, set_error("notFound"));
      return;
    }
    ir::Value linked = linked_to(*id, *found);
    if (linked.size() > 0) {
      not_destroyed_.set(shown, ir::Value::map({{"type", "objectIsLinked"},
                                                {"objectId", object_id(type_.name, shown)},
                                                {"linkedObjects", std::move(linked)}}));
      return;
    }
    if (type_.name == "x:Account") {
      world_.mail.destroy_account(*id);
      for (const char* owned : {"x:AppPassword/", "x:ApiKey/"}) {
        const Objects copy = world_.registry.all(owned + shown);
        for (const auto& [number, secondary] : copy) world_.registry.remove(owned + shown, number);
      }
    }
    world_.registry.remove(type_.name, *id);
    destroyed_.push_back(shown);
  }

  ir::Value linked_to(std::uint64_t id, const ir::Value& object) const {
    ir::Value linked = ir::Value::list();
    const std::string text = encode_id(id);
    const bool is_user = type_.name == "x:Account" && object["@type"].string_or("") == "User";
    for (const auto& [name, other_type] : facts_.types()) {
      if (is_user && name == "x:Account")
        continue;  // users are members, never referred to by accounts
      if (!facts_.refers_to(other_type, type_.name)) continue;
      for (const auto& [number, other] : world_.registry.all(name)) {
        if (name == type_.name && number == id) continue;
        for (const Reference& reference : references_of(facts_, *other_type.shape, other)) {
          if (reference.id != text || facts_.target_of(reference.object_name).type != type_.name)
            continue;
          linked.push_back(
              object_id(name, other_type.is_singleton ? "singleton" : encode_id(number)));
          break;
        }
      }
    }
    return linked;
  }

  JmapContext& context_;
  World& world_;
  const SchemaFacts& facts_;
  const ObjectType& type_;
  const std::string& account_;
  const ir::Value& arguments_;
  const std::string tenant_;  ///< of who calls
  std::optional<MethodResult> stopped_;
  ir::Value created_ = ir::Value::map();
  ir::Value updated_ = ir::Value::map();
  ir::Value destroyed_ = ir::Value::list();
  ir::Value not_created_ = ir::Value::map();
  ir::Value not_updated_ = ir::Value::map();
  ir::Value not_destroyed_ = ir::Value::map();
};

}  // namespace

std::optional<std::string> resolve_creation(const JmapContext& context, std::string_view text) {
  if (!text.starts_with('#')) return std::string(text);
  const auto found = context.created_ids.find(text.substr(1));
  if (found == context.created_ids.end()) return std::nullopt;
  return found->second;
}

namespace {

// A singleton that is not there.
MethodResult nothing_found(const std::string& account, const ir::Value& arguments) {
  return MethodResult::answer(ir::Value::map(
      {{"accountId", account}, {"list", ir::Value::list()}, {"notFound", arguments["ids"]}}));
}

}  // namespace

MethodResult registry_set(JmapContext& context, const ObjectType& type, const std::string& account,
                          const ir::Value& arguments) {
  return Setter(context, type, account, arguments).run();
}

std::optional<MethodResult> registry_method(JmapContext& context, std::string_view name,
                                            const ir::Value& arguments) {
  if (!name.starts_with("x:")) return std::nullopt;
  const std::size_t slash = name.rfind('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const ObjectType* type = context.world.schema->type(name.substr(0, slash));
  const std::string_view verb = name.substr(slash + 1);
  if (type == nullptr || (verb != "get" && verb != "set" && verb != "query") ||
      (type->is_singleton && verb == "query"))
    return std::nullopt;
  std::uint64_t account = context.login.account;
  if (const ir::Value* given = arguments.members().find("accountId")) {
    if (!given->is_string())
      return MethodResult::error("invalidArguments",
                                 "invalid type: null, expected a borrowed string");
    account = parse_id(given->string_or("")).value_or(account);
  }
  const std::string shown = encode_id(account);
  if (account != context.login.account && !context.login.may("impersonate"))
    return MethodResult::error("forbidden", "You do not have access to account " + shown);
  static constexpr std::array<std::string_view, 4> kLicensed = {"x:ArchivedItem", "x:MaskedEmail",
                                                                "x:Metric", "x:Trace"};
  if (auto refused = bootstrap_refusal(context.world, *type, verb)) return refused;
  if (type->name == "x:Bootstrap") return bootstrap_method(context, *type, verb, shown, arguments);
  if (std::find(kLicensed.begin(), kLicensed.end(), type->name) != kLicensed.end())
    return MethodResult::error("forbidden", "This feature is not available.");
  const auto needs = [&](std::string_view what) {
    return !context.login.may(type->permission_prefix + std::string(what));
  };
  const bool is_refused = (verb == "get" && needs("Get")) || (verb == "query" && needs("Query")) ||
                          (verb == "set" && arguments["create"].size() > 0 && needs("Create")) ||
                          (verb == "set" && arguments["update"].size() > 0 && needs("Update")) ||
                          (verb == "set" && arguments["destroy"].size() > 0 && needs("Destroy"));
  if (is_refused)
    return MethodResult::error("forbidden", "You are not authorized to perform this action.");
  // The recovery administrator is no account: nothing is its own.
  if (account == kAdministratorId) {
    const bool is_own = type->name == "x:AccountPassword" || type->name == "x:AccountSettings";
    if (is_own && verb == "get" && arguments["ids"].is_list())
      return nothing_found(shown, arguments);
    if (verb == "query" && (type->name == "x:ApiKey" || type->name == "x:AppPassword"))
      return MethodResult::error("forbidden", "Account not found.");
  }
  if (type->name == "x:Action" && verb == "query")
    return MethodResult::error("invalidArguments", "Actions cannot be queried");
  // There is no log to read, as on a server whose log folder is missing.
  if (type->name == "x:Log" && verb != "set")
    return MethodResult::error("serverUnavailable",
                               "This server is temporarily unavailable. Attempting this same "
                               "operation later may succeed.");
  if (type->name == "x:ClusterNode" && verb == "query" && arguments["sort"].size() > 0 &&
      arguments["sort"].item(0)["property"].string_or("") != "nodeId")
    return MethodResult::error("unsupportedSort",
                               "Only sorting by 'nodeId' is supported for cluster nodes");
  if (type->name == "x:QueuedMessage") return queue_method(context, verb, shown, arguments);
  if (type->name == "x:Action" && verb == "set") return action_set(context, shown, arguments);
  if (type->name == "x:AppPassword" || type->name == "x:ApiKey")
    return secondary_method(context, *type, verb, account, arguments);
  if (verb == "get") return registry_get(context, *type, shown, arguments);
  if (verb == "query") return registry_query(context, *type, shown, arguments);
  return registry_set(context, *type, shown, arguments);
}

}  // namespace plan::rehearsal
