#include "runtime/rehearsal/jmap.h"

#include <algorithm>
#include <array>

#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/rehearsal/ids.h"

namespace plan::rehearsal {
namespace {

constexpr std::array<std::string_view, 29> kCapabilities = {
    "urn:ietf:params:jmap:core",
    "urn:ietf:params:jmap:mail",
    "urn:ietf:params:jmap:submission",
    "urn:ietf:params:jmap:vacationresponse",
    "urn:ietf:params:jmap:contacts",
    "urn:ietf:params:jmap:contacts:parse",
    "urn:ietf:params:jmap:calendars",
    "urn:ietf:params:jmap:calendars:parse",
    "urn:ietf:params:jmap:websocket",
    "urn:ietf:params:jmap:sieve",
    "urn:ietf:params:jmap:blob",
    "urn:ietf:params:jmap:quota",
    "urn:ietf:params:jmap:principals",
    "urn:ietf:params:jmap:principals:owner",
    "urn:ietf:params:jmap:principals:availability",
    "urn:ietf:params:jmap:filenode",
    "urn:stalwart:jmap",
    "urn:ietf:params:jmap:webpush-vapid",
    "urn:ietf:params:jmap:mdn",
    "urn:ietf:params:jmap:emailpush",
    "urn:ietf:params:jmap:calendars:preferences",
    "urn:ietf:params:jmap:smimeverify",
    "urn:ietf:params:jmap:metadata",
    "urn:ietf:params:jmap:addressbooks",
    "urn:ietf:params:jmap:tasks",
    "urn:ietf:params:jmap:notes",
    "urn:ietf:params:jmap:sharing",
    "urn:ietf:params:jmap:backups",
    "urn:ietf:params:jmap:push"};

// A JSON pointer with `*` over lists (RFC 8620, 3.7). Nothing when it leads nowhere.
std::optional<ir::Value> follow(const ir::Value& value, std::string_view path, int depth) {
  if (depth > 32) return std::nullopt;
  if (path.empty()) return value;
  if (path.front() != '/') return std::nullopt;
  path.remove_prefix(1);
  const std::size_t slash = path.find('/');
  const std::string_view segment = path.substr(0, slash);
  const std::string_view rest =
      slash == std::string_view::npos ? std::string_view{} : path.substr(slash);
  if (segment == "*" && value.is_list()) {
    ir::Value out = ir::Value::list();
    for (const ir::Value& item : value.items()) {
      auto found = follow(item, rest, depth + 1);
      if (!found) return std::nullopt;
      if (found->is_list()) {
        for (const ir::Value& each : found->items()) out.push_back(each);
      } else {
        out.push_back(std::move(*found));
      }
    }
    return out;
  }
  if (value.is_map()) {
    const ir::Value* member = value.members().find(segment);
    return member == nullptr ? std::nullopt : follow(*member, rest, depth + 1);
  }
  return std::nullopt;
}

struct Responses {
  std::vector<std::string> names = {};
  ir::Value list = ir::Value::list();
};

// Replaces `#ids` by what an earlier call answered.
std::optional<MethodResult> resolve_references(ir::Value& arguments, const Responses& earlier) {
  std::vector<std::pair<std::string, ir::Value>> found;
  for (const auto& [name, reference] : arguments.members()) {
    if (!name.starts_with('#')) continue;
    const std::string_view call = reference["resultOf"].string_or("");
    const std::string_view method = reference["name"].string_or("");
    std::optional<ir::Value> value;
    for (const ir::Value& response : earlier.list.items()) {
      if (response.item(2).string_or("") != call || response.item(0).string_or("") != method)
        continue;
      value = follow(response.item(1), reference["path"].string_or(""), 0);
      break;
    }
    if (!value)
      return MethodResult::error(
          "invalidResultReference",
          "Result reference to " + std::string(call) + "#" + std::string(method) + " not found.");
    found.emplace_back(name, std::move(*value));
  }
  for (auto& [name, value] : found) {
    arguments.as_map().erase(name);
    arguments.set(name.substr(1), std::move(value));
  }
  return std::nullopt;
}

// The capability that a request must name to call a method. The server does not ask for one for
// its own `x:` objects.
std::string_view capability_of(std::string_view method) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 18> kNeeded = {
      {{"Mailbox/", "mail"},
       {"Email/", "mail"},
       {"Thread/", "mail"},
       {"SearchSnippet/", "mail"},
       {"Identity/", "submission"},
       {"EmailSubmission/", "submission"},
       {"VacationResponse/", "vacationresponse"},
       {"SieveScript/", "sieve"},
       {"Blob/", "blob"},
       {"Quota/", "quota"},
       {"AddressBook/", "contacts"},
       {"ContactCard/", "contacts"},
       {"Calendar/", "calendars"},
       {"CalendarEvent/", "calendars"},
       {"ParticipantIdentity/", "calendars"},
       {"FileNode/", "filenode"},
       {"Principal/", "principals"},
       {"PushSubscription/", "core"}}};
  for (const auto& [prefix, capability] : kNeeded)
    if (method.starts_with(prefix)) return capability;
  return {};
}

std::optional<MethodResult> lacks_capability(const ir::Value& request, std::string_view method) {
  const std::string_view needed = capability_of(method);
  if (needed.empty()) return std::nullopt;
  const std::string urn = "urn:ietf:params:jmap:" + std::string(needed);
  for (const ir::Value& named : request["using"].items())
    if (named.string_or("") == urn) return std::nullopt;
  return MethodResult::error("unknownMethod",
                             "Method " + std::string(method) + " requires capability " + urn +
                                 " which is not present in the \"using\" property.");
}

MethodResult call_method(JmapContext& context, std::string_view name, const ir::Value& arguments) {
  if (name == "Core/echo") return MethodResult::answer(arguments);
  if (context.login.is_expired && name != "x:AccountPassword/set" &&
      name != "x:AccountPassword/get")
    return MethodResult::error("forbidden", "The account's password has expired.");
  if (!arguments.is_map()) return MethodResult::not_request();
  for (const auto family :
       {registry_method, mailbox_method, email_method, account_method, blob_method, folder_method,
        entry_method, file_method, submission_method, people_method})
    if (auto result = family(context, name, arguments)) return std::move(*result);
  return MethodResult::error("unknownMethod", name);
}

bool is_request(const ir::Value& request) {
  if (!request["using"].is_list() || !request["methodCalls"].is_list()) return false;
  for (const ir::Value& urn : request["using"].items())
    if (std::find(kCapabilities.begin(), kCapabilities.end(), urn.string_or("")) ==
        kCapabilities.end())
      return false;
  for (const ir::Value& call : request["methodCalls"].items())
    if (call.size() != 3 || !call.item(0).is_string() || !call.item(2).is_string()) return false;
  return true;
}

}  // namespace

MethodResult MethodResult::error(std::string_view type, std::string_view description) {
  ir::Value arguments = ir::Value::map({{"type", type}});
  if (!description.empty()) arguments.set("description", description);
  return {Kind::error, std::move(arguments), {}, {}};
}

ir::Value request_error(std::string_view type, std::string_view detail, std::string_view limit) {
  ir::Value out = ir::Value::map({{"type", "urn:ietf:params:jmap:error:" + std::string(type)},
                                  {"status", 400},
                                  {"detail", printable(detail, 1U << 20U)}});
  if (type == "notRequest" && !first_invalid_utf8(detail)) out.set("detail", detail);
  if (!limit.empty()) out.set("limit", limit);
  return out;
}

JmapResponse run_jmap(World& world, const Login& login, std::string_view body,
                      const std::string& peer) {
  const auto refuse = [&body] {
    JmapResponse out;
    out.status = 400;
    out.body = request_error("notRequest", body);
    return out;
  };
  auto parsed = ir::parse_json(body);
  if (!parsed || !is_request(*parsed)) return refuse();
  const ir::Value& request = *parsed;
  const std::unique_lock lock(world.mutex);
  const std::int64_t calls_max = limit_of(world, "x:Jmap", "maxMethodCalls", 16);
  if (static_cast<std::int64_t>(request["methodCalls"].size()) > calls_max) {
    JmapResponse out;
    out.status = 400;
    out.body = request_error("limit",
                             "The request exceeds the maximum number of calls in a single request.",
                             "maxCallsInRequest");
    return out;
  }
  std::map<std::string, std::string, std::less<>> created_ids;
  for (const auto& [name, id] : request["createdIds"].members())
    created_ids[name] = std::string(id.string_or(""));
  JmapContext context{world, login, created_ids, peer};
  Responses responses;
  for (const ir::Value& call : request["methodCalls"].items()) {
    ir::Value arguments = call.item(1);
    const std::string name(call.item(0).string_or(""));
    std::optional<MethodResult> failed;
    if (arguments.is_map() && name != "Core/echo")
      failed = resolve_references(arguments, responses);
    if (!failed) failed = lacks_capability(request, name);
    MethodResult result = failed ? std::move(*failed) : call_method(context, name, arguments);
    world.commit();
    if (result.kind == MethodResult::Kind::not_request) return refuse();
    if (result.kind == MethodResult::Kind::dropped) {
      JmapResponse out;
      out.is_dropped = true;
      return out;
    }
    const auto add = [&](const std::string& method, MethodResult& done) {
      const bool is_error = done.kind == MethodResult::Kind::error;
      responses.list.push_back(ir::Value::list({is_error ? ir::Value("error") : ir::Value(method),
                                                std::move(done.arguments), call.item(2)}));
    };
    add(name, result);
    if (!result.then_method.empty()) {
      MethodResult then = call_method(context, result.then_method, result.then_arguments);
      world.commit();
      add(result.then_method, then);
    }
  }
  JmapResponse out;
  out.body = ir::Value::map({{"methodResponses", std::move(responses.list)}});
  if (request["createdIds"].is_map()) {
    ir::Value ids = ir::Value::map();
    for (const auto& [name, id] : created_ids) ids.set(name, id);
    out.body.set("createdIds", std::move(ids));
  }
  out.body.set("sessionState", world.session_state);
  return out;
}

AccountAccess account_of(const JmapContext& context, const ir::Value& arguments,
                         std::string_view member) {
  AccountAccess out;
  const ir::Value* given = arguments.members().find(member);
  if (given == nullptr || !given->is_string()) {
    out.failed = MethodResult::error("invalidArguments",
                                     "The \"" + std::string(member) + "\" property is required.");
    return out;
  }
  const auto id = parse_id(given->string_or(""));
  if (!id) {
    out.failed = MethodResult::error("accountNotFound",
                                     "The accountId does not correspond to a valid account");
    return out;
  }
  out.id = *id;
  if (*id == context.login.account || context.login.may("impersonate")) return out;
  const ir::Value* own = context.world.registry.find("x:Account", context.login.account);
  if (own != nullptr && (*own)["memberGroupIds"].members().contains(encode_id(*id))) return out;
  out.failed =
      MethodResult::error("forbidden", "You do not have access to account " + encode_id(*id));
  return out;
}

ir::Value set_error(std::string_view type, std::string_view description,
                    std::string_view property) {
  ir::Value out = ir::Value::map({{"type", type}});
  if (!description.empty()) out.set("description", description);
  if (!property.empty()) out.set("properties", ir::Value::list({property}));
  return out;
}

std::string state_of(const MailAccount& account, ChangeKind kind) {
  const auto found = account.last_change.find(kind);
  if (found != account.last_change.end()) return encode_state(found->second);
  const bool is_cached =
      kind == ChangeKind::email || kind == ChangeKind::mailbox || kind == ChangeKind::thread;
  return is_cached ? "saa" : "n";
}

std::optional<MethodResult> check_state(const MailAccount& account, ChangeKind kind,
                                        const ir::Value& arguments) {
  const ir::Value& wanted = arguments["ifInState"];
  if (!wanted.is_string()) return std::nullopt;
  if (!parse_state(wanted.string_or(""))) return MethodResult::not_request();
  if (wanted.string_or("") == state_of(account, kind)) return std::nullopt;
  return MethodResult::error(
      "stateMismatch",
      "An \"ifInState\" argument was supplied, but it does not match the current state.");
}

MethodResult changes_of(JmapContext& context, MailAccount& account, ChangeKind kind,
                        const ir::Value& arguments) {
  if (!arguments["sinceState"].is_string())
    return MethodResult::error("invalidArguments", "sinceState is required");
  const auto since = parse_state(arguments["sinceState"].string_or(""));
  if (!since) return MethodResult::error("invalidArguments", "invalid JMAP State");
  const std::uint64_t now = account.last_change.contains(kind) ? account.last_change.at(kind) : 0;
  const bool is_forgotten = !account.log.empty() &&
                            since->change + 1 < account.log.front().number &&
                            account.log.front().number > 1;
  if (since->change > account.change || is_forgotten)
    return MethodResult::error(
        "cannotCalculateChanges",
        "The server cannot calculate the changes between the old and new states.");
  // One entry for each object: what happened to it from then to now.
  struct Sum {
    bool is_created = false;
    bool is_destroyed = false;
    bool only_counts = true;
    std::size_t order = 0;
  };
  std::map<std::uint64_t, Sum> sums;
  std::size_t order = 0;
  for (const Change& change : account.log) {
    if (change.kind != kind || change.number <= since->change) continue;
    auto [entry, is_new] = sums.try_emplace(change.id);
    if (is_new) entry->second.order = order++;
    if (change.action == ChangeAction::created) entry->second.is_created = true;
    if (change.action == ChangeAction::destroyed) entry->second.is_destroyed = true;
    if (change.action != ChangeAction::counts) entry->second.only_counts = false;
  }
  std::vector<std::pair<std::size_t, std::uint64_t>> ordered;
  for (const auto& [id, sum] : sums)
    if (!(sum.is_created && sum.is_destroyed)) ordered.emplace_back(sum.order, id);
  std::sort(ordered.begin(), ordered.end());
  std::int64_t max = arguments["maxChanges"].integer_or(0);
  const std::int64_t server_max = limit_of(context.world, "x:Jmap", "changesMaxResults", 5000);
  if (max <= 0 || max > server_max) max = server_max;
  ir::Value created = ir::Value::list();
  ir::Value updated = ir::Value::list();
  ir::Value destroyed = ir::Value::list();
  bool has_only_counts = true;
  std::size_t position = 0;
  for (; position < ordered.size(); ++position) {
    if (position < since->items_sent) continue;
    if (static_cast<std::int64_t>(position - since->items_sent) >= max) break;
    const Sum& sum = sums[ordered[position].second];
    const std::string id = encode_id(ordered[position].second);
    if (sum.is_destroyed)
      destroyed.push_back(id);
    else if (sum.is_created)
      created.push_back(id);
    else
      updated.push_back(id);
    if (!sum.only_counts || sum.is_created || sum.is_destroyed) has_only_counts = false;
  }
  const bool has_more = position < ordered.size();
  const bool has_updated = updated.size() > 0;
  ir::Value out = ir::Value::map(
      {{"accountId", encode_id(account.id)},
       {"oldState", arguments["sinceState"]},
       {"newState", has_more ? encode_intermediate_state(since->change, position)
                             : (now == 0 ? state_of(account, kind) : encode_state(now))},
       {"hasMoreChanges", has_more},
       {"created", std::move(created)},
       {"updated", std::move(updated)},
       {"destroyed", std::move(destroyed)}});
  if (kind == ChangeKind::mailbox && has_only_counts && has_updated)
    out.set("updatedProperties",
            ir::Value::list({"totalEmails", "unreadEmails", "totalThreads", "unreadThreads"}));
  return MethodResult::answer(std::move(out));
}

std::int64_t limit_of(const World& world, std::string_view type, std::string_view property,
                      std::int64_t fallback) {
  const ir::Value& settings = world.live->singleton(type);
  if (!settings.is_map()) return fallback;
  const ir::Value* value = settings.members().find(property);
  if (value == nullptr) return fallback;
  return value->is_null() ? 4294967295 : value->integer_or(fallback);
}

MethodResult query_window(const World& world, std::string_view account_id, const std::string& state,
                          std::vector<std::string> ids, const ir::Value& arguments) {
  const std::int64_t total = static_cast<std::int64_t>(ids.size());
  const std::int64_t page = limit_of(world, "x:Jmap", "queryMaxResults", 5000);
  std::int64_t limit = arguments["limit"].integer_or(page);
  const bool is_echoed = limit < total && arguments["limit"].is_integer();
  limit = std::clamp<std::int64_t>(limit, 0, page);
  std::int64_t position = arguments["position"].integer_or(0);
  if (arguments["anchor"].is_string()) {
    const auto found = std::find(ids.begin(), ids.end(), arguments["anchor"].string_or(""));
    if (found == ids.end())
      return MethodResult::error("anchorNotFound", "The anchor was not found in the results.");
    position = (found - ids.begin()) + arguments["anchorOffset"].integer_or(0);
    position = std::max<std::int64_t>(position, 0);
  } else if (position < 0) {
    position = std::max<std::int64_t>(total + position, 0);
  }
  position = std::min(position, total);
  ir::Value list = ir::Value::list();
  for (std::int64_t i = position; i < total && i - position < limit; ++i)
    list.push_back(ids[static_cast<std::size_t>(i)]);
  ir::Value out = ir::Value::map({{"accountId", account_id},
                                  {"queryState", state},
                                  {"canCalculateChanges", true},
                                  {"position", position},
                                  {"ids", std::move(list)}});
  if (arguments["calculateTotal"].bool_or(false)) out.set("total", total);
  if (is_echoed && limit > 0) out.set("limit", limit);
  return MethodResult::answer(std::move(out));
}

}  // namespace plan::rehearsal
