// x:Bootstrap (reference/stalwart-admin.md 4.2): what a server answers before its first
// configuration, and what the form makes. As with the real one the process stays in bootstrap mode
// afterwards and would take the form again; a restart ends it.
#include <filesystem>

#include "compiler/source/text.h"
#include "runtime/rehearsal/ids.h"
#include "runtime/rehearsal/password.h"
#include "runtime/rehearsal/registry_methods.h"
#include "runtime/rehearsal/registry_patch.h"
#include "runtime/rehearsal/text_rules.h"

namespace plan::rehearsal {
namespace {

constexpr std::string_view kSingleton = "singleton";
constexpr std::size_t kPasswordSize = 16;

ir::Value blank_form(const World& world, const ObjectType& type) {
  ir::Value out = world.schema->blank(*type.shape, "", world.now_seconds());
  out.as_map().erase("username");
  out.as_map().erase("secret");
  out.set("serverHostname", world.options.hostname);
  out.set("defaultDomain", "example.org");
  return out;
}

// Could a store be opened there? What was made for the answer is taken away again.
std::optional<std::string> store_complaint(const ir::Value& store) {
  namespace fs = std::filesystem;
  if (store["@type"].string_or("") != "RocksDb") return std::nullopt;
  const fs::path path = std::string(store["path"].string_or(""));
  fs::path first_made;
  for (fs::path at = path; !at.empty() && at.has_relative_path(); at = at.parent_path()) {
    std::error_code unknown;
    if (fs::exists(at, unknown)) break;
    first_made = at;
  }
  std::error_code failed;
  fs::create_directories(path, failed);
  if (failed)
    return "Failed to create database directory " + path.string() + ": " + failed.message();
  std::error_code ignored;
  if (!first_made.empty()) fs::remove_all(first_made, ignored);
  return std::nullopt;
}

// The form as it is filled in: the error, or nothing when `form` can be carried out.
std::optional<ir::Value> fill_in(const World& world, const ObjectType& type, const ir::Value& patch,
                                 ir::Value& form) {
  const Struct& members = *type.shape->single;
  const Patcher patcher(*world.schema, world.now_seconds(), false);
  for (const auto& [name, value] : patch.members()) {
    const Field* field = members.field(name);
    if (field == nullptr) return set_error("invalidProperties", "", name);  // pointers too
    if (field->update == Field::Update::server_set)
      return set_error("invalidPatch", "Cannot modify server set property", name);
    if (const auto failed = patcher.write(members, form, name, value))
      return set_error("invalidPatch", failed->description, failed->path);
  }
  const auto host = normal_hostname(form["serverHostname"].string_or(""));
  if (!host || host->find('.') == std::string::npos)
    return set_error("invalidProperties", "Invalid server hostname", "serverHostname");
  const auto domain = normal_domain(form["defaultDomain"].string_or(""));
  if (!domain) return set_error("invalidProperties", "Invalid default domain", "defaultDomain");
  form.set("serverHostname", *host);
  form.set("defaultDomain", *domain);
  if (const auto failed = store_complaint(form["dataStore"]))
    return set_error("invalidProperties", *failed, "dataStore");
  return std::nullopt;
}

// Makes what the form asks for, as the recovery administrator would.
class Maker {
 public:
  Maker(JmapContext& context, const std::string& account) : context_(context), account_(account) {}

  // {username, secret}, or what a part was refused with.
  ir::Value run(const ir::Value& form) {
    const std::string secret = random_text(kPasswordSize);
    const bool has_keys = form["generateDkimKeys"].bool_or(true);
    const std::string domain = create(
        "x:Domain",
        ir::Value::map(
            {{"name", form["defaultDomain"]},
             {"dkimManagement", ir::Value::map({{"@type", has_keys ? "Automatic" : "Manual"}})}}));
    update("x:SystemSettings", ir::Value::map({{"defaultHostname", form["serverHostname"]},
                                               {"defaultDomainId", domain}}));
    for (const char* store : {"dataStore", "blobStore", "searchStore", "inMemoryStore"}) {
      std::string type = "x:" + std::string(store);
      type[2] = static_cast<char>(type[2] - 'a' + 'A');
      update(type, form[store]);
    }
    create("x:Tracer", form["tracer"]);
    const ir::Value credential = ir::Value::map({{"@type", "Password"}, {"secret", secret}});
    create("x:Account", ir::Value::map({{"@type", "User"},
                                        {"name", "admin"},
                                        {"domainId", domain},
                                        {"description", "System administrator"},
                                        {"credentials", ir::Value::map({{"0", credential}})},
                                        {"roles", ir::Value::map({{"@type", "Admin"}})}}));
    if (has_keys && failed_.is_null()) put_key_task(domain);
    if (!failed_.is_null()) return failed_;
    const std::string name = "admin@" + std::string(form["defaultDomain"].string_or(""));
    return ir::Value::map({{"username", name}, {"secret", secret}});
  }

  [[nodiscard]] bool has_failed() const { return !failed_.is_null(); }

 private:
  ir::Value call(const std::string& type, ir::Value arguments) {
    return registry_set(context_, *context_.world.schema->type(type), account_, arguments)
        .arguments;
  }

  std::string create(const std::string& type, const ir::Value& body) {
    if (!failed_.is_null()) return {};
    const ir::Value answer =
        call(type, ir::Value::map({{"create", ir::Value::map({{"made", body}})}}));
    if (!answer["notCreated"].is_null()) failed_ = answer["notCreated"]["made"];
    return std::string(answer["created"]["made"]["id"].string_or(""));
  }

  void update(const std::string& type, const ir::Value& body) {
    if (!failed_.is_null()) return;
    const ir::Value answer =
        call(type, ir::Value::map({{"update", ir::Value::map({{std::string(kSingleton), body}})}}));
    if (!answer["notUpdated"].is_null()) failed_ = answer["notUpdated"][kSingleton];
  }

  void put_key_task(const std::string& domain) {
    World& world = context_.world;
    const ObjectType& type = *world.schema->type("x:Task");
    ir::Value task = world.schema->blank(*type.shape, "DkimManagement", world.now_seconds());
    FieldType moment;
    moment.kind = FieldType::Kind::date_time;
    const ir::Value now = world.schema->blank_value(moment, nullptr, world.now_seconds());
    task.set("due", now);
    task.set("domainId", domain);
    task.set("status", ir::Value::map({{"@type", "Pending"}, {"createdAt", now}, {"due", now}}));
    world.registry.put(type.name, world.registry.next_id(type.name), std::move(task));
  }

  JmapContext& context_;
  const std::string& account_;
  ir::Value failed_;
};

}  // namespace

std::optional<MethodResult> bootstrap_refusal(const World& world, const ObjectType& type,
                                              std::string_view verb) {
  if (!world.options.is_bootstrap_mode || type.name == "x:Bootstrap") return std::nullopt;
  return MethodResult::error(
      "forbidden", "The server is in bootstrap mode. Only the 'Bootstrap' object type can be " +
                       std::string(verb == "set" ? "modified" : "accessed") +
                       " until the bootstrap process is complete.");
}

MethodResult bootstrap_method(JmapContext& context, const ObjectType& type, std::string_view verb,
                              const std::string& account, const ir::Value& arguments) {
  World& world = context.world;
  const bool is_open = world.options.is_bootstrap_mode;
  if (verb == "get") {
    ir::Value list = ir::Value::list();
    ir::Value not_found = ir::Value::list();
    if (is_open && arguments["ids"].is_null()) {
      list.push_back(blank_form(world, type));
    } else if (arguments["ids"].is_null()) {
      return MethodResult::error("forbidden", "This feature is not available.");
    }
    for (const ir::Value& id : arguments["ids"].items()) {
      if (is_open && id.string_or("") == kSingleton)
        list.push_back(blank_form(world, type));
      else
        not_found.push_back(id);
    }
    for (ir::Value& form : list.as_list()) form.set("id", kSingleton);
    return MethodResult::answer(ir::Value::map(
        {{"accountId", account}, {"list", std::move(list)}, {"notFound", std::move(not_found)}}));
  }
  ir::Value out = ir::Value::map({{"accountId", account}});
  const auto add = [&out](const std::string& member, const std::string& id, ir::Value value) {
    ir::Value known = out[member].is_map() ? out[member] : ir::Value::map();
    known.set(id, std::move(value));
    out.set(member, std::move(known));
  };
  for (const auto& [name, body] : arguments["create"].members())
    add("notCreated", name, set_error("forbidden", "Bootstrap objects can only be updated"));
  for (const auto& [id, patch] : arguments["update"].members()) {
    ir::Value form = blank_form(world, type);
    if (id != kSingleton) {
      add("notUpdated", id, set_error("notFound", ""));
    } else if (!is_open) {
      add("notUpdated", id,
          set_error("forbidden", "This operation is only allowed bootstrap mode"));
    } else if (auto failed = fill_in(world, type, patch, form)) {
      add("notUpdated", id, std::move(*failed));
    } else {
      Maker maker(context, account);
      ir::Value made = maker.run(form);
      add(maker.has_failed() ? "notUpdated" : "updated", id, std::move(made));
    }
  }
  for (const ir::Value& id : arguments["destroy"].items())
    add("notDestroyed", std::string(id.string_or("")),
        set_error("singleton", "Singletons cannot be created or destroyed."));
  return MethodResult::answer(std::move(out));
}

}  // namespace plan::rehearsal
