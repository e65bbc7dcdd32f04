#include "kinds.h"

#include <algorithm>
#include <array>
#include <map>
#include <regex>
#include <set>

#include "compiler/ir/digest.h"
#include "compiler/ir/json.h"
#include "compiler/schema/check_value.h"
#include "compiler/source/text.h"

namespace plan::replay {
namespace {

using ir::Value;

using Names = std::set<std::string, std::less<>>;

bool has_only(const Value& value, const Names& allowed) {
  return value.is_map() &&
         std::all_of(value.members().begin(), value.members().end(),
                     [&](const auto& each) { return allowed.contains(each.first); });
}

bool are_texts(const Value& list) {
  return std::all_of(list.items().begin(), list.items().end(),
                     [](const Value& each) { return each.is_string(); });
}

// Objects of one /set, values as the compiler would check them.
bool is_set_of_ours(const schema::Schema& schema, std::string_view type, const Value& arguments) {
  if (!has_only(arguments, {"accountId", "create", "update", "destroy"})) return false;
  const schema::ObjectType* object = schema.object(type);
  if (object == nullptr || object->kind == schema::ObjectKind::view) return false;
  schema::CheckOptions options;
  options.is_plan_value = false;
  const auto is_fine = [&](const Value& value) {
    return value.is_map() && schema::check_value(schema, type, value, options).empty();
  };
  const bool is_singleton = object->kind == schema::ObjectKind::singleton;
  for (const auto& [id, value] : arguments["create"].members())
    if (is_singleton || !is_fine(value) || id.starts_with("restore-")) return false;
  options.use = schema::Use::update;
  for (const auto& [id, value] : arguments["update"].members())
    if ((is_singleton && id != "singleton") || !is_fine(value)) return false;
  if (is_singleton && !arguments["destroy"].is_null()) return false;
  return arguments["destroy"].is_null() ||
         (arguments["destroy"].is_list() && are_texts(arguments["destroy"]));
}

bool is_one_batch(const Value& arguments) {
  constexpr std::size_t kObjectsMax = 500;
  return arguments["create"].size() + arguments["update"].size() + arguments["destroy"].size() <=
         kObjectsMax;
}

// The one way in which the driver pages (reference/stalwart-admin.md 3.6).
bool is_query_of_ours(const Value& arguments) {
  if (!has_only(arguments, {"accountId", "filter", "sort", "limit", "calculateTotal", "anchor",
                            "anchorOffset", "position"}))
    return false;
  const Value& sort = arguments["sort"].item(0);
  const std::string_view property = sort["property"].string_or("");
  const bool is_ours = sort["isAscending"].bool_or(false) &&
                       (property == "id" || property == "due" || property == "nodeId");
  return is_ours && arguments["calculateTotal"].bool_or(false);
}

bool is_registry_call_of_ours(const schema::Schema& schema, std::string_view method,
                              const Value& arguments) {
  const std::size_t slash = method.find('/');
  const std::string_view type = method.substr(0, slash);
  const std::string_view verb =
      slash == std::string_view::npos ? std::string_view{} : method.substr(slash + 1);
  // What belongs to a login, what nobody writes, and the form of the first start are no objects of
  // a plan.
  static const Names kNotOurs = {"x:AccountPassword", "x:AccountSettings", "x:ApiKey",
                                 "x:AppPassword",     "x:Bootstrap",       "x:Log",
                                 "x:ClusterNode",     "x:Metric",          "x:Trace"};
  if (kNotOurs.contains(type)) return false;
  if (type == "x:Action" && verb != "set") return false;
  if (type == "x:QueuedMessage" && verb == "query" &&
      arguments["sort"].item(0)["property"].string_or("") != "due")
    return false;
  if (verb == "set") return is_set_of_ours(schema, type, arguments);
  if (verb == "query") return is_query_of_ours(arguments);
  return verb == "get" && has_only(arguments, {"accountId", "ids"}) && arguments["ids"].is_list() &&
         are_texts(arguments["ids"]);
}

bool is_import_of_ours(const Value& arguments) {
  if (!has_only(arguments, {"accountId", "ifInState", "emails"})) return false;
  for (const auto& [id, email] : arguments["emails"].members()) {
    if (!has_only(email, {"blobId", "mailboxIds", "keywords", "receivedAt"})) return false;
    if (!email["blobId"].is_string() || email["mailboxIds"].size() == 0) return false;
    // The exporter writes atoms as keywords and UTC times from 1970 on.
    for (const auto& [keyword, is_on] : email["keywords"].members())
      if (keyword.empty() || keyword.size() > 128 || !is_on.bool_or(false) ||
          keyword.find_first_of(" ()[]{}%*\"\\") != std::string::npos ||
          std::any_of(keyword.begin(), keyword.end(),
                      [](char c) { return static_cast<unsigned char>(c) >= 0x7fU; }))
        return false;
    const Value& at = email["receivedAt"];
    if (!at.is_null() && (at.string_or("").size() != 20 || at.string_or("") < "1970")) return false;
  }
  return true;
}

// The exporter lists by position, with the total; the probe looks at the newest.
bool is_page_of_ours(const Value& arguments) {
  const Value& sort = arguments["sort"];
  if (sort.is_null()) return arguments["calculateTotal"].bool_or(false);
  return arguments["filter"].is_null() && sort.size() == 1 &&
         sort.item(0)["property"].string_or("") == "receivedAt" &&
         !sort.item(0)["isAscending"].bool_or(true);
}

bool is_state(const Value& value) {
  return value.is_null() || value.string_or("-").find_first_of("-.${") == std::string_view::npos ||
         value.string_or("").starts_with("${");
}

bool are_among(const Value& list, const Names& allowed) {
  return std::all_of(list.items().begin(), list.items().end(),
                     [&](const Value& each) { return allowed.contains(each.string_or("")); });
}

// The methods of mail data, each with the arguments that the exporter gives it.
bool is_mail_call_of_ours(std::string_view method, const Value& arguments) {
  static const std::map<std::string, Names, std::less<>> kMethods = {
      {"Mailbox/get", {"accountId", "ids", "properties"}},
      {"Mailbox/set", {"accountId", "create", "update", "destroy"}},
      {"Email/get", {"accountId", "ids", "properties"}},
      {"Email/query", {"accountId", "filter", "sort", "position", "limit", "calculateTotal"}},
      {"Email/set", {"accountId", "update", "destroy"}},
      {"Email/changes", {"accountId", "sinceState", "maxChanges"}},
      {"Blob/get", {"accountId", "ids", "properties"}},
      {"SieveScript/get", {"accountId", "ids"}},
      {"SieveScript/set",
       {"accountId", "create", "update", "destroy", "onSuccessActivateScript",
        "onSuccessDeactivateScript"}},
  };
  if (method == "Email/import") return is_import_of_ours(arguments);
  // Without properties only to learn the state; the probe of the mail path wants the Message-ID.
  if (method == "Email/get" && arguments["properties"].is_null())
    return arguments["ids"].is_list() && arguments["ids"].size() == 0;
  if (method == "Email/get" &&
      !are_among(arguments["properties"],
                 {"id", "blobId", "mailboxIds", "keywords", "receivedAt", "size", "messageId"}))
    return false;
  if (method == "Email/query" && !is_page_of_ours(arguments)) return false;
  // Subscriptions all at once; anything else one at a time: in which order the server takes several
  // is not fixed.
  if (method == "Mailbox/set" && arguments["update"].size() > 1 &&
      !std::all_of(arguments["update"].members().begin(), arguments["update"].members().end(),
                   [](const auto& each) { return has_only(each.second, {"isSubscribed"}); }))
    return false;
  if (method.ends_with("/set") && !is_one_batch(arguments)) return false;
  if (!is_state(arguments["sinceState"])) return false;
  const auto found = kMethods.find(method);
  return found != kMethods.end() && has_only(arguments, found->second);
}

// plan administers as an administrator, never as a plain user or one of a tenant.
bool acts_as_administrator(const Value& request) {
  for (const auto& [name, value] : request["headers"].members()) {
    if (lower_ascii(name) != "authorization") continue;
    const std::string_view given = value.string_or("");
    if (!given.starts_with("Basic ")) return false;
    bool is_valid = false;
    const std::string decoded = ir::from_base64(given.substr(6), &is_valid);
    return given.substr(6).starts_with("admin:") || decoded.starts_with("admin:");
  }
  return request["login"].string_or("").starts_with("admin:");
}

}  // namespace

bool is_sent_by_plan(const schema::Schema& schema, const Value& record) {
  const Value& request = record["request"];
  const std::string_view path = request["path"].string_or("");
  const std::string_view method = request["method"].string_or("");
  const auto status = record["response"]["status"].integer_or(0);
  if (status == 401 || status == 403 || status == 429) return false;
  if (method == "GET")
    return path == "/jmap/session" || path == "/.well-known/jmap" ||
           path.starts_with("/api/schema") || path.starts_with("/jmap/download/");
  if (method != "POST") return false;
  if (path.starts_with("/jmap/upload/")) return status == 200;
  const Value& body = request["body"];
  if ((path != "/jmap/" && path != "/jmap") || status != 200 || !body["methodCalls"].is_list())
    return false;
  if (body["methodCalls"].size() == 0) return false;
  // Blob ids of uploads that the recording has not kept.
  static const std::regex kKeptNowhere(R"("[a-z0-9]{50,}")");
  if (!request["bodyTemplate"].is_map() && std::regex_search(ir::write_json(body), kKeptNowhere))
    return false;
  const bool is_administrator = acts_as_administrator(request);
  return std::all_of(body["methodCalls"].items().begin(), body["methodCalls"].items().end(),
                     [&](const Value& call) {
                       const std::string_view name = call.item(0).string_or("");
                       const Value& arguments = call.item(1);
                       if (!arguments.is_map()) return false;
                       for (const auto& [member, value] : arguments.members())
                         if (member.starts_with('#')) return false;
                       if (name.starts_with("x:") && !is_administrator) return false;
                       return name.starts_with("x:")
                                  ? is_registry_call_of_ours(schema, name, arguments)
                                  : is_mail_call_of_ours(name, arguments);
                     });
}

}  // namespace plan::replay
