// SieveScript/*, VacationResponse/*, Identity/*, Quota/get (RFC 9661, RFC 8621 5, 6 and 8;
// reference 8.4).
#include <openssl/rand.h>

#include <algorithm>
#include <array>

#include "compiler/source/text.h"
#include "runtime/rehearsal/ids.h"
#include "runtime/rehearsal/imap_text.h"
#include "runtime/rehearsal/jmap.h"
#include "runtime/rehearsal/jmap_set.h"
#include "runtime/rehearsal/message.h"
#include "runtime/rehearsal/sieve_check.h"

namespace plan::rehearsal {
namespace {

constexpr std::string_view kVacationName = "vacation";

std::string script_blob_id(const MailAccount& account, const SieveScript& script) {
  return email_blob_id(script.blob, account.id, script.id);
}

ir::Value show(const MailAccount& account, const SieveScript& script, const ir::Value& properties) {
  const ir::Value all = ir::Value::map({{"id", encode_id(script.id)},
                                        {"name", script.name},
                                        {"blobId", script_blob_id(account, script)},
                                        {"isActive", script.is_active}});
  if (!properties.is_list()) return all;
  ir::Value out = ir::Value::map();
  for (const ir::Value& name : properties.items())
    if (const ir::Value* member = all.members().find(name.string_or("")))
      out.set(std::string(name.string_or("")), *member);
  out.set("id", encode_id(script.id));
  return out;
}

// For a script without a name: fifteen letters.
std::string random_name() {
  constexpr std::string_view kLetters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijkl";
  std::string out(15, 'a');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(out.size())) != 1)
    return out;
  for (char& c : out) c = kLetters[static_cast<unsigned char>(c) % kLetters.size()];
  return out;
}

class ScriptSetter {
 public:
  ScriptSetter(JmapContext& context, MailAccount& account, const ir::Value& arguments)
      : context_(context), mail_(context.world.mail), account_(account), arguments_(arguments) {}

  MethodResult run() {
    const std::string old_state = state_of(account_, ChangeKind::script);
    for (const auto& [name, body] : arguments_["create"].members())
      if (auto failed = create(name, body)) answer_.not_created.set(name, std::move(*failed));
    for (const auto& [id, patch] : arguments_["update"].members())
      if (auto failed = update(id, patch)) answer_.not_updated.set(id, std::move(*failed));
    for (const ir::Value& id : arguments_["destroy"].items())
      destroy(std::string(id.string_or("")));
    if (!answer_.has_failed()) {
      if (arguments_["onSuccessDeactivateScript"].bool_or(false)) activate(0);
      if (arguments_["onSuccessActivateScript"].is_string()) {
        std::string id(arguments_["onSuccessActivateScript"].string_or(""));
        std::string created;
        if (id.starts_with('#')) {
          created = id.substr(1);
          const auto found = context_.created_ids.find(created);
          id = found == context_.created_ids.end() ? "" : found->second;
        }
        const auto number = parse_id(id);
        if (number && account_.scripts.contains(static_cast<std::uint32_t>(*number))) {
          activate(static_cast<std::uint32_t>(*number));
          if (!created.empty()) {
            ir::Value shown = answer_.created[created];
            shown.set("isActive", true);
            answer_.created.set(created, std::move(shown));
          }
        }
      }
    }
    return answer_.finish(account_, ChangeKind::script, old_state);
  }

 private:
  void open() {
    if (!is_open_) mail_.open_change(account_);
    is_open_ = true;
  }

  std::optional<ir::Value> check_name(const std::string& name, std::uint32_t self) const {
    if (lower_ascii(name) == kVacationName)
      return set_error("forbidden", "The 'vacation' name is reserved, please use a different name.",
                       "name");
    if (static_cast<std::int64_t>(name.size()) >
        limit_of(context_.world, "x:SieveUserInterpreter", "maxScriptNameLength", 512))
      return set_error("invalidProperties", "Script name is too long.", "name");
    for (const auto& [number, other] : account_.scripts) {
      if (number == self || other.name != name) continue;
      ir::Value error =
          set_error("alreadyExists", "A sieve script with name '" + name + "' already exists.");
      error.set("existingId", encode_id(number));
      return error;
    }
    return std::nullopt;
  }

  std::optional<ir::Value> read_content(const ir::Value& blob_id, SieveScript& script) const {
    const auto found = blob_id.is_string() ? find_blob(context_.world, context_.login, account_.id,
                                                       blob_id.string_or(""))
                                           : std::nullopt;
    const auto bytes = found ? read_blob(context_.world, *found) : std::nullopt;
    if (!bytes) return set_error("blobNotFound", "Blob does not exist.", "blobId");
    if (static_cast<std::int64_t>(bytes->size()) >
        limit_of(context_.world, "x:SieveUserInterpreter", "maxScriptSize", 102400))
      return set_error("tooLarge", "Sieve script is too large at line 0, column 0.");
    if (const auto complaint = sieve_complaint(*bytes))
      return set_error("invalidScript", *complaint);
    script.blob = mail_.put_blob(*bytes);
    script.size = bytes->size();
    return std::nullopt;
  }

  std::optional<ir::Value> create(const std::string& name, const ir::Value& body) {
    SieveScript script;
    for (const auto& [property, value] : body.members())
      if (property != "name" && property != "blobId" && property != "isActive")
        return set_error("invalidProperties", "Invalid property or value.", property);
    script.name =
        body["name"].is_string() ? std::string(body["name"].string_or("")) : random_name();
    if (auto failed = check_name(script.name, 0)) return failed;
    if (static_cast<std::int64_t>(account_.scripts.size()) >=
        limit_of(context_.world, "x:SieveUserInterpreter", "maxScripts", 100))
      return set_error(
          "overQuota",
          "There are too many sieve scripts, please delete some before adding a new one.");
    if (auto failed = read_content(body["blobId"], script)) return failed;
    open();
    const SieveScript& made = mail_.add_script(account_, std::move(script));
    context_.created_ids[name] = encode_id(made.id);
    answer_.created.set(name, ir::Value::map({{"id", encode_id(made.id)},
                                              {"blobId", script_blob_id(account_, made)}}));
    return std::nullopt;
  }

  std::optional<ir::Value> update(const std::string& id, const ir::Value& patch) {
    const auto number = parse_id(id);
    const auto found = number ? account_.scripts.find(static_cast<std::uint32_t>(*number))
                              : account_.scripts.end();
    if (found == account_.scripts.end()) return set_error("notFound");
    SieveScript changed = found->second;
    bool has_content = false;
    for (const auto& [property, value] : patch.members()) {
      if (property == "name") {
        if (!value.is_string())
          return set_error("invalidProperties", "Invalid property or value.", property);
        changed.name = value.string_or("");
        if (auto failed = check_name(changed.name, changed.id)) return failed;
      } else if (property == "blobId") {
        if (auto failed = read_content(value, changed)) return failed;
        has_content = true;
      } else if (property != "isActive") {
        return set_error("invalidProperties", "Invalid property or value.", property);
      }
    }
    open();
    mail_.refer(changed.blob);
    mail_.release(found->second.blob);
    found->second = std::move(changed);
    mail_.note(account_, ChangeKind::script, ChangeAction::updated, found->first);
    mail_.save(account_, found->second);
    mail_.save(account_);
    answer_.updated.set(
        id, has_content ? ir::Value::map({{"blobId", script_blob_id(account_, found->second)}})
                        : ir::Value());
    return std::nullopt;
  }

  void destroy(const std::string& id) {
    const auto number = parse_id(id);
    const auto found = number ? account_.scripts.find(static_cast<std::uint32_t>(*number))
                              : account_.scripts.end();
    if (found == account_.scripts.end()) {
      answer_.not_destroyed.set(id, set_error("notFound"));
    } else if (found->second.is_active) {
      answer_.not_destroyed.set(
          id, set_error("scriptIsActive", "Deactivate Sieve script before deletion."));
    } else {
      open();
      mail_.remove_script(account_, found->first);
      answer_.destroyed.push_back(id);
    }
  }

  void activate(std::uint32_t which) {
    for (auto& [number, script] : account_.scripts) {
      if (script.is_active == (number == which)) continue;
      script.is_active = number == which;
      mail_.save(account_, script);
    }
    if (account_.vacation["isEnabled"].bool_or(false) && which != 0) {
      account_.vacation.set("isEnabled", false);
      mail_.save(account_);
    }
  }

  JmapContext& context_;
  MailStore& mail_;
  MailAccount& account_;
  const ir::Value& arguments_;
  SetAnswer answer_;
  bool is_open_ = false;
};

MethodResult get_scripts(MailAccount& account, const ir::Value& arguments) {
  ir::Value list = ir::Value::list();
  ir::Value missing = ir::Value::list();
  if (arguments["ids"].is_list()) {
    for (const ir::Value& id : arguments["ids"].items()) {
      const auto number = parse_id(id.string_or("!"));
      const auto found = number ? account.scripts.find(static_cast<std::uint32_t>(*number))
                                : account.scripts.end();
      if (found == account.scripts.end())
        missing.push_back(id);
      else
        list.push_back(show(account, found->second, arguments["properties"]));
    }
  } else {
    for (const auto& [number, script] : account.scripts)
      list.push_back(show(account, script, arguments["properties"]));
  }
  return MethodResult::answer(ir::Value::map({{"accountId", encode_id(account.id)},
                                              {"state", state_of(account, ChangeKind::script)},
                                              {"list", std::move(list)},
                                              {"notFound", std::move(missing)}}));
}

MethodResult query_scripts(JmapContext& context, MailAccount& account, const ir::Value& arguments) {
  std::vector<std::string> ids;
  for (const auto& [number, script] : account.scripts) {
    const ir::Value& filter = arguments["filter"];
    if (filter["isActive"].is_bool() && filter["isActive"].bool_or(false) != script.is_active)
      continue;
    if (filter["name"].is_string() &&
        script.name.find(filter["name"].string_or("")) == std::string::npos)
      continue;
    ids.push_back(encode_id(number));
  }
  return query_window(context.world, encode_id(account.id), state_of(account, ChangeKind::script),
                      std::move(ids), arguments);
}

MethodResult validate_script(JmapContext& context, MailAccount& account,
                             const ir::Value& arguments) {
  const auto found =
      find_blob(context.world, context.login, account.id, arguments["blobId"].string_or(""));
  const auto bytes = found ? read_blob(context.world, *found) : std::nullopt;
  ir::Value error;
  if (!bytes)
    error = set_error("blobNotFound", "Blob does not exist.");
  else if (const auto complaint = sieve_complaint(*bytes))
    error = set_error("invalidScript", *complaint);
  return MethodResult::answer(
      ir::Value::map({{"accountId", encode_id(account.id)}, {"error", std::move(error)}}));
}

// The vacation is the script `vacation`, as the real server keeps it.
void write_vacation(MailStore& mail, MailAccount& account, bool is_enabled) {
  SieveScript* script = nullptr;
  for (auto& [number, each] : account.scripts) {
    if (each.name == kVacationName)
      script = &each;
    else if (is_enabled && each.is_active) {
      each.is_active = false;
      mail.save(account, each);
    }
  }
  std::string text = "require [\"vacation\"];\r\n# kept in VacationResponse\r\n";
  for (const char* name : {"subject", "textBody", "htmlBody", "fromDate", "toDate"})
    text += "# " + imap_quoted(account.vacation[name].string_or("")) + "\r\n";
  if (script == nullptr) {
    SieveScript fresh;
    fresh.name = std::string(kVacationName);
    fresh.blob = mail.put_blob(text);
    fresh.size = text.size();
    fresh.is_active = is_enabled;
    mail.add_script(account, std::move(fresh));
    return;
  }
  script->is_active = is_enabled;
  const std::string blob = mail.put_blob(text);
  if (blob != script->blob) {
    mail.refer(blob);
    mail.release(script->blob);
    script->blob = blob;
    script->size = text.size();
  }
  mail.note(account, ChangeKind::script, ChangeAction::updated, script->id);
  mail.save(account, *script);
}

ir::Value show_vacation(const MailAccount& account) {
  ir::Value out = ir::Value::map({{"id", "singleton"}});
  out.set("isEnabled", account.vacation["isEnabled"].bool_or(false));
  for (const char* name : {"fromDate", "toDate", "subject", "textBody", "htmlBody"})
    out.set(name, account.vacation[name]);
  return out;
}

MethodResult vacation(JmapContext& context, MailAccount& account, std::string_view verb,
                      const ir::Value& arguments) {
  const std::string state = state_of(account, ChangeKind::script);
  if (verb == "get") {
    ir::Value list = ir::Value::list();
    ir::Value missing = ir::Value::list();
    if (!arguments["ids"].is_list()) {
      list.push_back(show_vacation(account));
    } else {
      for (const ir::Value& id : arguments["ids"].items()) {
        if (id.string_or("") == "singleton")
          list.push_back(show_vacation(account));
        else
          missing.push_back(id);
      }
    }
    return MethodResult::answer(ir::Value::map({{"accountId", encode_id(account.id)},
                                                {"state", state},
                                                {"list", std::move(list)},
                                                {"notFound", std::move(missing)}}));
  }
  SetAnswer answer;
  const ir::Value singleton = set_error("singleton", "Singletons cannot be created or destroyed.");
  for (const auto& [name, body] : arguments["create"].members())
    answer.not_created.set(name, singleton);
  for (const ir::Value& id : arguments["destroy"].items())
    answer.not_destroyed.set(std::string(id.string_or("")), singleton);
  for (const auto& [id, patch] : arguments["update"].members()) {
    if (id != "singleton") {
      answer.not_updated.set(id, set_error("notFound"));
      continue;
    }
    ir::Value changed = account.vacation.is_map() ? account.vacation : ir::Value::map();
    std::optional<ir::Value> failed;
    for (const auto& [name, value] : patch.members()) {
      static constexpr std::array<std::string_view, 6> kKnown = {
          "isEnabled", "fromDate", "toDate", "subject", "textBody", "htmlBody"};
      if (std::find(kKnown.begin(), kKnown.end(), name) == kKnown.end())
        failed = set_error("invalidProperties", "Invalid property or value.", name);
      changed.set(name, value);
    }
    if (failed) {
      answer.not_updated.set(id, std::move(*failed));
      continue;
    }
    account.vacation = std::move(changed);
    context.world.mail.open_change(account);
    write_vacation(context.world.mail, account, account.vacation["isEnabled"].bool_or(false));
    context.world.mail.save(account);
    answer.updated.set(id, {});
  }
  return answer.finish(account, ChangeKind::script, state);
}

// One identity for each address, made when first asked for (reference 8.4).
void ensure_identities(JmapContext& context, MailAccount& account) {
  const ir::Value* object = context.world.registry.find("x:Account", account.id);
  if (object == nullptr || !account.identities.empty()) return;
  std::uint64_t next = 1;
  for (const std::string& address : addresses_of(context.world, *object)) {
    const std::string_view description = (*object)["description"].string_or("");
    account.identities.set(
        encode_id(next++),
        ir::Value::map({{"name", description.empty() ? ir::Value(address) : ir::Value(description)},
                        {"email", address},
                        {"replyTo", {}},
                        {"bcc", {}},
                        {"textSignature", ""},
                        {"htmlSignature", ""},
                        {"mayDelete", true}}));
  }
  context.world.mail.save(account);
}

MethodResult identity(JmapContext& context, MailAccount& account, std::string_view verb,
                      const ir::Value& arguments) {
  ensure_identities(context, account);
  const std::string state = state_of(account, ChangeKind::identity);
  if (verb == "get") {
    ir::Value list = ir::Value::list();
    ir::Value missing = ir::Value::list();
    const auto add = [&](const std::string& id, const ir::Value& value) {
      ir::Value out = ir::Value::map({{"id", id}});
      for (const auto& [name, member] : value.members())
        if (!arguments["properties"].is_list() ||
            std::any_of(arguments["properties"].items().begin(),
                        arguments["properties"].items().end(),
                        [&name](const ir::Value& each) { return each.string_or("") == name; }))
          out.set(name, member);
      list.push_back(std::move(out));
    };
    if (arguments["ids"].is_list()) {
      for (const ir::Value& id : arguments["ids"].items()) {
        const ir::Value* found = account.identities.find(id.string_or(""));
        if (found == nullptr)
          missing.push_back(id);
        else
          add(std::string(id.string_or("")), *found);
      }
    } else {
      for (const auto& [id, value] : account.identities) add(id, value);
    }
    return MethodResult::answer(ir::Value::map({{"accountId", encode_id(account.id)},
                                                {"state", state},
                                                {"list", std::move(list)},
                                                {"notFound", std::move(missing)}}));
  }
  const ir::Value* object = context.world.registry.find("x:Account", account.id);
  const std::vector<std::string> own =
      object == nullptr ? std::vector<std::string>{} : addresses_of(context.world, *object);
  SetAnswer answer;
  bool is_open = false;
  const auto open = [&] {
    if (!is_open) context.world.mail.open_change(account);
    is_open = true;
  };
  const auto apply = [&](ir::Value& target, const ir::Value& body,
                         bool is_create) -> std::optional<ir::Value> {
    for (const auto& [name, value] : body.members()) {
      if (name == "email") {
        const std::string email = lower_ascii(value.string_or(""));
        if (!is_create)
          return set_error("invalidProperties", "Invalid property or value.", "email");
        if (std::find(own.begin(), own.end(), email) == own.end())
          return set_error("invalidProperties", "E-mail address not configured for this account.",
                           "email");
        target.set("email", email);
      } else if (name == "name" || name == "replyTo" || name == "bcc" || name == "textSignature" ||
                 name == "htmlSignature") {
        target.set(name, value);
      } else {
        return set_error("invalidProperties", "Invalid property or value.", name);
      }
    }
    if (target["email"].string_or("").empty())
      return set_error("invalidProperties", "Missing e-mail address.", "email");
    return std::nullopt;
  };
  for (const auto& [name, body] : arguments["create"].members()) {
    ir::Value fresh = ir::Value::map({{"name", ""},
                                      {"email", ""},
                                      {"replyTo", {}},
                                      {"bcc", {}},
                                      {"textSignature", ""},
                                      {"htmlSignature", ""},
                                      {"mayDelete", true}});
    if (auto failed = apply(fresh, body, true)) {
      answer.not_created.set(name, std::move(*failed));
      continue;
    }
    if (static_cast<std::int64_t>(account.identities.size()) >=
        limit_of(context.world, "x:Email", "maxIdentities", 20)) {
      answer.not_created.set(
          name,
          set_error("overQuota",
                    "There are too many identities, please delete some before adding a new one."));
      continue;
    }
    open();
    std::uint64_t id = 1;
    for (const auto& [text, value] : account.identities)
      id = std::max(id, parse_id(text).value_or(0) + 1);
    account.identities.set(encode_id(id), std::move(fresh));
    context.world.mail.note(account, ChangeKind::identity, ChangeAction::created, id);
    answer.created.set(name, ir::Value::map({{"id", encode_id(id)}}));
    context.created_ids[name] = encode_id(id);
  }
  for (const auto& [id, patch] : arguments["update"].members()) {
    ir::Value* found = account.identities.find(id);
    std::optional<ir::Value> failed =
        found == nullptr ? std::optional(set_error("notFound")) : apply(*found, patch, false);
    if (failed) {
      answer.not_updated.set(id, std::move(*failed));
      continue;
    }
    open();
    context.world.mail.note(account, ChangeKind::identity, ChangeAction::updated,
                            parse_id(id).value_or(0));
    answer.updated.set(id, {});
  }
  for (const ir::Value& id : arguments["destroy"].items()) {
    const std::string text(id.string_or(""));
    if (!account.identities.erase(text)) {
      answer.not_destroyed.set(text, set_error("notFound"));
      continue;
    }
    open();
    context.world.mail.note(account, ChangeKind::identity, ChangeAction::destroyed,
                            parse_id(text).value_or(0));
    answer.destroyed.push_back(text);
  }
  context.world.mail.save(account);
  MethodResult result = answer.finish(account, ChangeKind::identity, state);
  // This one type says no old state, and a new one only when something changed
  // (identity-vacation-sieve.jsonl).
  result.arguments.as_map().erase("oldState");
  if (!is_open) result.arguments.as_map().erase("newState");
  return result;
}

MethodResult quota(JmapContext& context, MailAccount& account) {
  ir::Value list = ir::Value::list();
  const ir::Value* object = context.world.registry.find("x:Account", account.id);
  const std::int64_t limit =
      object == nullptr ? 0 : (*object)["quotas"]["maxDiskQuota"].integer_or(0);
  if (limit > 0)
    list.push_back(ir::Value::map({{"id", "a"},
                                   {"resourceType", "octets"},
                                   {"used", account.used_bytes},
                                   {"hardLimit", limit},
                                   {"scope", "account"},
                                   {"name", address_of(context.world, *object)},
                                   {"types", ir::Value::list({"Email", "SieveScript", "FileNode",
                                                              "CalendarEvent", "ContactCard"})},
                                   {"warnLimit", {}},
                                   {"softLimit", {}},
                                   {"description", {}}}));
  return MethodResult::answer(ir::Value::map({{"accountId", encode_id(account.id)},
                                              {"state", "saa"},
                                              {"list", std::move(list)},
                                              {"notFound", ir::Value::list()}}));
}

}  // namespace

std::optional<MethodResult> account_method(JmapContext& context, std::string_view name,
                                           const ir::Value& arguments) {
  static constexpr std::array<std::string_view, 9> kNames = {
      "SieveScript/get",      "SieveScript/set",      "SieveScript/query",
      "SieveScript/validate", "VacationResponse/get", "VacationResponse/set",
      "Identity/get",         "Identity/set",         "Quota/get"};
  if (std::find(kNames.begin(), kNames.end(), name) == kNames.end()) return std::nullopt;
  const AccountAccess access = account_of(context, arguments);
  if (access.failed) return access.failed;
  MailAccount& account = context.world.account(access.id);
  for (const char* member : {"create", "update"})
    if (!arguments[member].is_null() && !arguments[member].is_map())
      return MethodResult::not_request();
  const std::string_view verb = name.substr(name.find('/') + 1);
  if (name.starts_with("Quota")) return quota(context, account);
  if (name.starts_with("Vacation")) return vacation(context, account, verb, arguments);
  if (name.starts_with("Identity")) return identity(context, account, verb, arguments);
  if (verb == "get") return get_scripts(account, arguments);
  if (verb == "query") return query_scripts(context, account, arguments);
  if (verb == "validate") return validate_script(context, account, arguments);
  if (auto failed = check_state(account, ChangeKind::script, arguments)) return failed;
  return ScriptSetter(context, account, arguments).run();
}

}  // namespace plan::rehearsal
