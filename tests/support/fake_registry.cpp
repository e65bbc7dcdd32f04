#include "tests/support/fake_registry.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/net/errors.h"

namespace plan::test {
namespace {

using ir::Value;

Value set_error(const std::string& type, const std::string& property = {}) {
  Value error = Value::map({{"type", type}});
  if (!property.empty()) error.set("properties", Value::list({Value(property)}));
  return error;
}

std::string unescape(std::string text) {
  for (const auto& [from, to] : {std::pair<std::string, std::string>{"~1", "/"}, {"~0", "~"}}) {
    for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + 1))
      text.replace(at, 2, to);
  }
  return text;
}

/// Members that are unique together.
std::vector<std::string> unique_key(const std::string& type) {
  if (type == "Account" || type == "MailingList") return {"name", "domainId"};
  if (type.starts_with("MemoryLookup")) return {"namespace", "key"};
  if (type == "AllowedIp") return {"address"};
  if (type == "Role") return {};
  return {"name"};
}

const std::vector<std::string>& secrets() {
  static const std::vector<std::string> kNames = {"secret"};
  return kNames;
}

Value masked(const Value& value) {
  if (!value.is_map()) return value;
  Value copy = Value::map();
  for (const auto& [key, item] : value.members()) {
    const bool is_secret =
        std::find(secrets().begin(), secrets().end(), key) != secrets().end() && item.is_string();
    copy.set(key, is_secret ? Value("****") : masked(item));
  }
  return copy;
}

}  // namespace

void apply_patch(Value& object, const Value& patch) {
  for (const auto& [path, value] : patch.members()) {
    std::vector<std::string> parts;
    for (const std::string_view part : split(path, '/'))
      parts.push_back(unescape(std::string(part)));
    Value* at = &object;
    for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
      if (!at->is_map()) *at = Value::map();
      if (at->as_map().find(parts[i]) == nullptr) at->set(parts[i], Value::map());
      at = at->as_map().find(parts[i]);
    }
    if (!at->is_map()) *at = Value::map();
    if (parts.size() > 1 && value.is_null())
      at->as_map().erase(parts.back());
    else
      at->set(parts.back(), value);
  }
}

FakeRegistry::FakeRegistry() = default;

std::string FakeRegistry::new_id() { return fmt::format("i{:06}", ++next_id_); }

std::string FakeRegistry::put(const std::string& type, Value object) {
  const std::lock_guard lock(mutex_);
  const std::string id = new_id();
  object.set("id", id);
  types_[type][id] = std::move(object);
  return id;
}

void FakeRegistry::put_singleton(const std::string& type, Value object) {
  const std::lock_guard lock(mutex_);
  object.set("id", "singleton");
  singletons_[type] = std::move(object);
}

std::vector<Value> FakeRegistry::objects(const std::string& type) const {
  const std::lock_guard lock(mutex_);
  std::vector<Value> all;
  const auto found = types_.find(type);
  if (found == types_.end()) return all;
  for (const auto& [id, object] : found->second) all.push_back(object);
  return all;
}

Value FakeRegistry::object(const std::string& type, const std::string& member,
                           const Value& value) const {
  {
    const std::lock_guard lock(mutex_);
    if (member == "id" && value == Value("singleton")) {
      const auto found = singletons_.find(type);
      return found == singletons_.end() ? Value() : found->second;
    }
  }
  for (const Value& object : objects(type)) {
    if (object[member] == value) return object;
  }
  return {};
}

void FakeRegistry::change(const std::string& type, const std::string& id, const std::string& member,
                          Value value) {
  const std::lock_guard lock(mutex_);
  (id == "singleton" ? singletons_[type] : types_[type][id]).set(member, std::move(value));
}

void FakeRegistry::erase(const std::string& type, const std::string& id) {
  const std::lock_guard lock(mutex_);
  types_[type].erase(id);
}

int FakeRegistry::count(const std::string& method) const {
  const std::lock_guard lock(mutex_);
  const auto found = counts_.find(method);
  return found == counts_.end() ? 0 : found->second;
}

int FakeRegistry::writes() const {
  const std::lock_guard lock(mutex_);
  return writes_;
}

Result<net::HttpResponse> FakeRegistry::send(const net::HttpRequest& request) {
  const std::lock_guard lock(mutex_);
  net::HttpResponse response;
  response.status = status;
  response.target = request.target;
  response.content_type = "application/json";
  if (status != 200) return response;
  if (request.method == "GET") {
    const Value core = Value::map({{"maxObjectsInGet", static_cast<std::int64_t>(objects_in_get)},
                                   {"maxObjectsInSet", static_cast<std::int64_t>(objects_in_set)},
                                   {"maxCallsInRequest", 16},
                                   {"maxSizeRequest", 10'000'000},
                                   {"maxSizeUpload", 50'000'000}});
    response.body = ir::write_json(
        Value::map({{"capabilities", Value::map({{"urn:ietf:params:jmap:core", core}})},
                    {"accounts", Value::map()},
                    {"primaryAccounts", Value::map()},
                    {"username", "admin"},
                    {"apiUrl", "https://elsewhere.test/jmap/"},
                    {"uploadUrl", "/jmap/upload/{accountId}/"},
                    {"downloadUrl", "/jmap/download/{accountId}/{blobId}/{name}"},
                    {"state", "s1"}}));
    return response;
  }
  auto document = ir::parse_json(request.body);
  if (!document) return Error(net::errors::not_json, "the test sent no JSON");
  Value answers = Value::list();
  bool is_lost = false;
  for (const Value& call : (*document)["methodCalls"].items()) {
    const std::string method = call.item(0).as_string();
    ++counts_[method];
    const std::string type = method.substr(2, method.find('/') - 2);
    const bool is_set = method.ends_with("/set");
    if (is_set) ++writes_;
    Value answered = answer(method, call.item(1));
    std::string name = method;
    if (is_set && method_error_after.first == type) {
      name = "error";
      answered = Value::map({{"type", method_error_after.second}});
      method_error_after = {};
    } else if (answered["type"].is_string() && answered.size() <= 2 &&
               !answered.members().contains("list")) {
      name = "error";
    }
    if (is_set && lose_reply_of == type) {
      is_lost = true;
      lose_reply_of.clear();
    }
    answers.push_back(Value::list({name, std::move(answered), call.item(2)}));
  }
  if (is_lost) {
    return Error(net::errors::connection_lost, "the test lost the reply")
        .with_effect(Effect::unknown)
        .with_blame(Blame::target);
  }
  response.body =
      ir::write_json(Value::map({{"methodResponses", std::move(answers)}, {"sessionState", "s1"}}));
  return response;
}

Value FakeRegistry::answer(const std::string& method, const Value& arguments) {
  const std::string type = method.substr(2, method.find('/') - 2);
  if (unknown_types.contains(type)) return Value::map({{"type", "unknownMethod"}});
  if (type == "Action") return action(arguments);
  if (method.ends_with("/get")) return get(type, arguments);
  if (method.ends_with("/query")) {
    if (singletons_.contains(type)) return Value::map({{"type", "unknownMethod"}});
    return query(type, arguments);
  }
  return set(type, arguments);
}

Value FakeRegistry::get(const std::string& type, const Value& arguments) {
  if (arguments["ids"].size() > objects_in_get) return Value::map({{"type", "requestTooLarge"}});
  Value list = Value::list();
  Value missing = Value::list();
  for (const Value& id : arguments["ids"].items()) {
    const std::string text(id.string_or({}));
    const auto single = singletons_.find(type);
    if (text == "singleton" && single != singletons_.end()) {
      list.push_back(masked(single->second));
      continue;
    }
    const Objects& objects = types_[type];
    const auto found = objects.find(text);
    if (found != objects.end())
      list.push_back(masked(found->second));
    else
      missing.push_back(text);
  }
  return Value::map({{"list", std::move(list)}, {"notFound", std::move(missing)}});
}

Value FakeRegistry::query(const std::string& type, const Value& arguments) {
  std::vector<std::string> ids;
  for (const auto& [id, object] : types_[type]) {
    bool is_fit = true;
    for (const auto& [key, value] : arguments["filter"].members()) {
      if (key == "text" || key == "to") {
        const std::string text = ir::write_json(object["recipients"]);
        is_fit = is_fit && text.find(std::string(value.string_or({}))) != std::string::npos;
      } else {
        is_fit = is_fit && object[key] == value;
      }
    }
    if (is_fit) ids.push_back(id);
  }
  std::sort(ids.begin(), ids.end());
  const auto total = static_cast<std::int64_t>(ids.size());
  const std::string anchor(arguments["anchor"].string_or({}));
  if (!anchor.empty()) ids.erase(ids.begin(), std::upper_bound(ids.begin(), ids.end(), anchor));
  const std::size_t limit =
      static_cast<std::size_t>(std::max<std::int64_t>(1, arguments["limit"].integer_or(5000)));
  if (ids.size() > limit) ids.resize(limit);
  Value list = Value::list();
  for (const std::string& id : ids) list.push_back(id);
  return Value::map(
      {{"queryState", "n"}, {"position", 0}, {"ids", std::move(list)}, {"total", total}});
}

Value FakeRegistry::create(const std::string& type, Value object) {
  for (const auto& [key, value] : object["roles"]["roleIds"].members()) {
    if (!types_["Role"].contains(key)) return Value::map({{"type", "serverUnavailable"}});
  }
  const std::vector<std::string> key = unique_key(type);
  for (const auto& [id, other] : types_[type]) {
    const bool is_same =
        !key.empty() && std::all_of(key.begin(), key.end(), [&](const std::string& member) {
          return other[member] == object[member];
        });
    if (!is_same) continue;
    Value error = set_error("primaryKeyViolation", key.front());
    error.set("objectId", Value::map({{"object", type}, {"id", id}}));
    return error;
  }
  const std::string id = new_id();
  object.set("id", id);
  types_[type][id] = std::move(object);
  return Value::map({{"id", id}});
}

Value FakeRegistry::set(const std::string& type, const Value& arguments) {
  Value result = Value::map();
  const auto add = [&](const std::string& map, const std::string& key, Value value) {
    if (!result.members().contains(map)) result.set(map, Value::map());
    result.as_map().find(map)->set(key, std::move(value));
  };
  for (const auto& [creation, object] : arguments["create"].members()) {
    Value made = create(type, object);
    if (made["type"] == Value("serverUnavailable")) return made;
    const bool is_made = made["id"].is_string() && !made.members().contains("type");
    add(is_made ? "created" : "notCreated", creation, std::move(made));
  }
  for (const auto& [id, patch] : arguments["update"].members()) {
    Value* object = nullptr;
    if (id == "singleton" && singletons_.contains(type))
      object = &singletons_[type];
    else if (types_[type].contains(id))
      object = &types_[type][id];
    if (object == nullptr) {
      add("notUpdated", id, set_error("notFound"));
      continue;
    }
    if (patch.members().contains("id")) {
      add("notUpdated", id, set_error("invalidPatch", "id"));
      continue;
    }
    apply_patch(*object, patch);
    add("updated", id, {});
  }
  for (const Value& id : arguments["destroy"].items()) {
    if (types_[type].erase(id.as_string()) == 0) {
      add("notDestroyed", id.as_string(), set_error("notFound"));
      continue;
    }
    if (!result.members().contains("destroyed")) result.set("destroyed", Value::list());
    result.as_map().find("destroyed")->push_back(id);
  }
  return result;
}

Value FakeRegistry::action(const Value& arguments) {
  Value result = Value::map();
  for (const auto& [creation, object] : arguments["create"].members()) {
    const std::string name(object["@type"].string_or({}));
    ++counts_[name];
    const auto refused = refused_actions.find(name);
    const bool is_stopped = pyzor_stops_reloads && name == "ReloadSettings" &&
                            singletons_["SpamPyzor"]["enable"].bool_or(false);
    if (refused == refused_actions.end() && !is_stopped) {
      result.set("created", Value::map({{creation, Value::map({{"id", "t"}})}}));
      continue;
    }
    Value error = set_error("validationFailed");
    error.set("description", "Invalid address: failed to lookup address information");
    error.set("objectId",
              Value::map({{"object", is_stopped ? std::string("SpamPyzor") : refused->second},
                          {"id", "singleton"}}));
    result.set("notCreated", Value::map({{creation, std::move(error)}}));
  }
  return result;
}

}  // namespace plan::test
