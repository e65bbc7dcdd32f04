#include "runtime/server/stalwart/registry.h"

#include <fmt/format.h>

#include <map>
#include <set>

#include "compiler/source/text.h"
#include "runtime/net/errors.h"
#include "runtime/net/jmap/errors.h"
#include "runtime/server/stalwart/errors.h"
#include "runtime/server/stalwart/limits.h"
#include "runtime/server/stalwart/wire_value.h"

namespace plan::server::stalwart {
namespace {

using net::jmap::CallOptions;

std::string wire_type(std::string_view type) {
  return type.starts_with("x:") ? std::string(type) : fmt::format("x:{}", type);
}

CallOptions reading() {
  return CallOptions{.is_read_only = true,
                     .capabilities = {std::string(net::jmap::kRegistry)},
                     .created_ids = {},
                     .deadline = net::Deadline::after(kCallTime)};
}

/// Members that the server filters exactly (reference/stalwart-admin.md 3.6); others are compared
/// by us alone.
const std::vector<std::string>& filterable(std::string_view type) {
  static const std::vector<std::string> kName = {"name"};
  static const std::vector<std::string> kNone;
  static const std::map<std::string, std::vector<std::string>, std::less<>> kTypes = {
      {"Account", {"name", "domainId"}},
      {"Domain", kName},
      {"DkimSignature", {"domainId"}},
      {"MemoryLookupKey", {"namespace"}},
      {"MemoryLookupKeyValue", {"namespace"}},
      {"MtaConnectionStrategy", kName},
      {"MtaDeliverySchedule", kName},
      {"MtaRoute", kName},
      {"MtaTlsStrategy", kName},
      {"MtaVirtualQueue", kName},
      {"NetworkListener", kName},
      {"SieveSystemScript", kName},
      {"SieveUserScript", kName},
      {"OAuthClient", {"clientId"}},
      {"Role", {"description"}},
  };
  const auto found = kTypes.find(type);
  return found == kTypes.end() ? kNone : found->second;
}

std::string_view sort_of(std::string_view type) {
  if (type == "QueuedMessage" || type == "Task") return "due";
  if (type == "ClusterNode") return "nodeId";
  return "id";
}

std::string show_match(const ir::Value& match) {
  std::string text;
  for (const auto& [key, value] : match.members()) {
    if (!value.is_string()) continue;
    text +=
        fmt::format("{}{} `{}`", text.empty() ? "" : ", ", key, printable(value.as_string(), 100));
  }
  return text;
}

}  // namespace

Result<std::vector<std::string>> Registry::ids(std::string_view type, const ir::Value& filter) {
  // The one order of paging that loses nothing (3.6): ascending by id, anchored at the last id of
  // the page before. Types that live in queues can only be sorted by time; those are paged by
  // position, and may change meanwhile.
  const std::string method = wire_type(type) + "/query";
  const std::string_view sort = sort_of(type.starts_with("x:") ? type.substr(2) : type);
  const bool is_by_id = sort == "id";
  std::vector<std::string> ids;
  std::set<std::string> seen;
  std::int64_t total = -1;
  for (;;) {
    ir::Value arguments = ir::Value::map();
    if (filter.size() > 0) arguments.set("filter", filter);
    arguments.set("sort",
                  ir::Value::list({ir::Value::map({{"property", sort}, {"isAscending", true}})}));
    arguments.set("limit", static_cast<std::int64_t>(kQueryPage));
    arguments.set("calculateTotal", true);
    if (!ids.empty() && is_by_id) {
      arguments.set("anchor", ids.back());
      arguments.set("anchorOffset", 1);
    }
    if (!ids.empty() && !is_by_id) arguments.set("position", static_cast<std::int64_t>(ids.size()));
    PLAN_TRY(page, client_->call_one(method, std::move(arguments), reading()));
    total = page["total"].integer_or(-1);
    bool is_new = false;
    for (const ir::Value& id : page["ids"].items()) {
      if (!id.is_string() || !seen.insert(id.as_string()).second) continue;
      ids.push_back(id.as_string());
      is_new = true;
    }
    if (ids.size() > kListedMax) {
      return Error(net::errors::answer_too_large,
                   fmt::format("the target has more than {} objects of type {}",
                               show_count(kListedMax), type))
          .with_blame(Blame::target);
    }
    if (!is_new || (total >= 0 && ids.size() >= static_cast<std::size_t>(total))) break;
  }
  if (is_by_id && total > 0 && ids.size() < static_cast<std::size_t>(total)) {
    return Error(net::errors::protocol_violation,
                 fmt::format("the target counts {} objects of type {} and lists {}", total, type,
                             ids.size()))
        .with_blame(Blame::target)
        .with_retry(Retry::safe);
  }
  return ids;
}

Result<ir::List> Registry::get(std::string_view type, const std::vector<std::string>& ids) {
  return client_->get(wire_type(type), {}, ids, {}, reading());
}

Result<ir::List> Registry::all(std::string_view type, const ir::Value& filter) {
  PLAN_TRY(found, ids(type, filter));
  return get(type, found);
}

Result<ir::Value> Registry::object(std::string_view type, const std::string& id) {
  PLAN_TRY(list, get(type, {id}));
  return list.empty() ? ir::Value() : std::move(list.front());
}

Result<ir::Value> Registry::singleton(std::string_view type) { return object(type, "singleton"); }

Result<ir::Value> Registry::find(std::string_view type, const ir::Value& match) {
  ir::Value filter = ir::Value::map();
  for (const std::string& property : filterable(type.starts_with("x:") ? type.substr(2) : type)) {
    if (match[property].is_string()) filter.set(property, match[property]);
  }
  PLAN_TRY(candidates, all(type, filter));
  ir::Value found;
  for (ir::Value& candidate : candidates) {
    if (!fits(match, candidate)) continue;
    if (!found.is_null()) {
      return Error(errors::several_matches,
                   fmt::format("more than one {} has {}", type, show_match(match)))
          .with_blame(Blame::target)
          .with_argument("match");
    }
    found = std::move(candidate);
  }
  return found;
}

Result<net::jmap::SetResult> Registry::set(net::jmap::SetRequest request) {
  request.type = wire_type(request.type);
  return client_->set(std::move(request), net::Deadline::after(kCallTime));
}

Result<std::string> Registry::create(std::string_view type, const ir::Value& object,
                                     std::string_view what, std::string_view argument) {
  net::jmap::SetRequest request;
  request.type = std::string(type);
  request.create = ir::Value::map({{"n", object}});
  PLAN_TRY(result, set(std::move(request)).while_doing(fmt::format("creating {}", what)));
  if (!result.failures.empty()) {
    Error error = net::jmap::to_error(result.failures.front().error, what, argument, Blame::target);
    const auto& reason = result.failures.front().error;
    if (reason.is("invalidPatch") && reason.property().empty()) {
      // A create does not say which member it does not know (0a).
      return Error(error.code(),
                   fmt::format(
                       "{}: it has a member that this version of the target does not know, and the "
                       "server does not say which",
                       what))
          .with_blame(Blame::target)
          .with_argument(std::string(argument))
          .while_doing(fmt::format("creating {}", what));
    }
    return std::move(error).while_doing(fmt::format("creating {}", what));
  }
  std::string id = result.created_id("n");
  if (id.empty()) {
    return Error(net::errors::protocol_violation,
                 fmt::format("the target made {} and does not say its id", what))
        .with_effect(Effect::unknown)
        .with_blame(Blame::target);
  }
  return id;
}

Outcome Registry::update(std::string_view type, const std::string& id, const ir::Value& patch,
                         std::string_view what, std::string_view argument) {
  if (patch.size() == 0) return {};
  net::jmap::SetRequest request;
  request.type = std::string(type);
  request.update = ir::Value::map({{id, patch}});
  PLAN_TRY(result, set(std::move(request)).while_doing(fmt::format("updating {}", what)));
  if (result.failures.empty()) return {};
  return net::jmap::to_error(result.failures.front().error, what, argument, Blame::target)
      .while_doing(fmt::format("updating {}", what));
}

Outcome Registry::destroy(std::string_view type, const std::string& id, std::string_view what) {
  net::jmap::SetRequest request;
  request.type = std::string(type);
  request.destroy.push_back(id);
  PLAN_TRY(result, set(std::move(request)).while_doing(fmt::format("destroying {}", what)));
  if (result.failures.empty() || result.failures.front().error.is("notFound")) return {};
  return net::jmap::to_error(result.failures.front().error, what, {}, Blame::target)
      .while_doing(fmt::format("destroying {}", what));
}

Outcome Registry::action(std::string_view name) {
  CallOptions options =
      reading();  // repeating an action does no harm, so a lost reply is tried again
  ir::Value arguments =
      ir::Value::map({{"create", ir::Value::map({{"a", ir::Value::map({{"@type", name}})}})}});
  PLAN_TRY(answer, client_->call_one("x:Action/set", std::move(arguments), options)
                       .while_doing(fmt::format("asking for {}", name)));
  if (answer["created"]["a"].is_map()) return {};
  const net::jmap::SetError reason = net::jmap::parse_set_error(answer["notCreated"]["a"]);
  if (name.starts_with("Reload") && reason.is("validationFailed")) {
    std::string culprit = reason.object.object.empty()
                              ? std::string("an object that it does not name")
                              : fmt::format("{} `{}`", reason.object.object, reason.object.id);
    std::string message = fmt::format(
        "{} was refused as a whole because of {}; nothing that was written since the last one is "
        "live",
        name, culprit);
    if (reason.object.object == "SpamPyzor")
      message += " (the target cannot resolve public names: set SpamPyzor {enable: false} first)";
    return Error(errors::reload_refused, std::move(message))
        .with_blame(Blame::target)
        .with_detail(reason.description)
        .with_argument("action");
  }
  return net::jmap::to_error(reason, fmt::format("action {}", name), "action", Blame::target);
}

}  // namespace plan::server::stalwart
