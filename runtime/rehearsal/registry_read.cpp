// x:Type/get and /query (reference/stalwart-admin.md 3.6).
#include <algorithm>
#include <array>

#include "compiler/source/text.h"
#include "runtime/rehearsal/ids.h"
#include "runtime/rehearsal/message.h"
#include "runtime/rehearsal/registry_methods.h"
#include "runtime/rehearsal/registry_patch.h"

namespace plan::rehearsal {
namespace {

constexpr std::string_view kTooLarge =
    "The number of ids requested by the client exceeds the maximum number the server is willing to "
    "process in a single "
    "method call.";

// What is computed when an object is read.
void add_computed(const World& world, const ObjectType& type, std::uint64_t id, ir::Value& object) {
  if (type.name == "x:Account") {
    const auto found = world.mail.all().find(id);
    object.set("usedDiskQuota", found == world.mail.all().end()
                                    ? ir::Value(0)
                                    : ir::Value(found->second.used_bytes));
    object.set("emailAddress", address_of(world, object));
  } else if (type.name == "x:MailingList") {
    object.set("emailAddress", address_of(world, object));
  } else if (type.name == "x:Domain") {
    const std::string name(object["name"].string_or(""));
    object.set("dnsZoneFile", name + ". IN MX 10 " + world.hostname() + ".\n" + name +
                                  ". IN TXT \"v=spf1 mx ra=postmaster -all\"\n");
  } else if (type.name == "x:Tenant") {
    object.set("usedDiskQuota", 0);
  }
}

// A few optional texts are left out when they are null, where all others show null (run).
void drop_unset(ir::Value& value, int depth) {
  constexpr std::array<std::string_view, 3> kLeftOut = {"otpAuth", "otpCode", "email"};
  if (!value.is_map() || depth > 4) return;
  for (const std::string_view name : kLeftOut)
    if (const ir::Value* member = value.members().find(name);
        member != nullptr && member->is_null())
      value.as_map().erase(name);
  for (auto& [name, member] : value.as_map()) drop_unset(member, depth + 1);
}

ir::Value shown(const World& world, const ObjectType& type, std::uint64_t id,
                const ir::Value& stored, const ir::Value& properties) {
  ir::Value object = masked(*world.schema, *type.shape, stored);
  add_computed(world, type, id, object);
  drop_unset(object, 0);
  const std::string text = type.is_singleton ? "singleton" : encode_id(id);
  ir::Value out = ir::Value::map();
  for (const ir::Value& name : properties.items())
    if (const ir::Value* member = object.members().find(name.string_or("")))
      out.set(std::string(name.string_or("")), *member);
  const bool asks_only_id = properties.size() == 1 && properties.item(0).string_or("") == "id";
  if (out.size() == 0 && !asks_only_id) {
    // An empty list of properties, or only unknown ones, means all of them.
    const bool has_id =
        std::any_of(properties.items().begin(), properties.items().end(),
                    [](const ir::Value& each) { return each.string_or("") == "id"; });
    if (!has_id) out = std::move(object);
  }
  out.set("id", text);
  return out;
}

struct Filterable {
  std::string_view type;
  std::array<std::string_view, 6> properties;
};
constexpr std::array<Filterable, 26> kFilterable = {{
    {"x:Account", {"text", "@type", "domainId", "memberGroupIds", "memberTenantId", "name"}},
    {"x:Domain", {"text", "name", "aliases", "memberTenantId", "", ""}},
    {"x:MailingList", {"text", "memberTenantId", "", "", "", ""}},
    {"x:Role", {"description", "memberTenantId", "", "", "", ""}},
    {"x:Tenant", {"text", "", "", "", "", ""}},
    {"x:DkimSignature", {"domainId", "memberTenantId", "", "", "", ""}},
    {"x:OAuthClient", {"text", "clientId", "memberTenantId", "", "", ""}},
    {"x:Certificate", {"subjectAlternativeNames", "", "", "", "", ""}},
    {"x:AllowedIp", {"address", "", "", "", "", ""}},
    {"x:BlockedIp", {"address", "", "", "", "", ""}},
    {"x:MemoryLookupKey", {"namespace", "", "", "", "", ""}},
    {"x:MemoryLookupKeyValue", {"namespace", "", "", "", "", ""}},
    {"x:PublicKey", {"accountId", "", "", "", "", ""}},
    {"x:MaskedEmail", {"accountId", "", "", "", "", ""}},
    {"x:Directory", {"memberTenantId", "", "", "", "", ""}},
    {"x:DnsServer", {"memberTenantId", "", "", "", "", ""}},
    {"x:AcmeProvider", {"memberTenantId", "text", "", "", "", ""}},
    {"x:Task", {"status", "due", "@type", "", "", ""}},
    {"x:ClusterRole", {"name", "", "", "", "", ""}},
    {"x:MtaConnectionStrategy", {"name", "", "", "", "", ""}},
    {"x:MtaDeliverySchedule", {"name", "", "", "", "", ""}},
    {"x:MtaRoute", {"name", "", "", "", "", ""}},
    {"x:MtaTlsStrategy", {"name", "", "", "", "", ""}},
    {"x:MtaVirtualQueue", {"name", "", "", "", "", ""}},
    {"x:NetworkListener", {"name", "", "", "", "", ""}},
    {"x:SieveSystemScript", {"name", "", "", "", "", ""}},
}};

bool can_filter(std::string_view type, std::string_view property) {
  for (const Filterable& each : kFilterable)
    if (each.type == type)
      return std::find(each.properties.begin(), each.properties.end(), property) !=
             each.properties.end();
  return property == "name" && (type.starts_with("x:Spam") || type == "x:SieveUserScript");
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> out;
  std::string word;
  for (const char c : lower_ascii(text)) {
    const bool is_letter =
        (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || static_cast<unsigned char>(c) >= 0x80;
    if (is_letter)
      word += c;
    else if (!word.empty())
      out.push_back(std::exchange(word, {}));
  }
  if (!word.empty()) out.push_back(std::move(word));
  return out;
}

bool has_words(const ir::Value& object, std::string_view text) {
  std::vector<std::string> known;
  const auto add = [&known](const ir::Value& value) {
    for (std::string& word : words_of(value.string_or(""))) known.push_back(std::move(word));
  };
  add(object["name"]);
  add(object["description"]);
  add(object["clientId"]);
  for (const auto& [key, alias] : object["aliases"].members()) {
    add(alias["name"]);
    if (alias.is_bool()) add(ir::Value(key));
  }
  // A full address is one word to the index and found nowhere.
  if (text.find('@') != std::string_view::npos) return false;
  const auto wanted = words_of(text);
  return std::all_of(wanted.begin(), wanted.end(), [&known](const std::string& word) {
    return std::find(known.begin(), known.end(), word) != known.end();
  });
}

struct Condition {
  std::string property = {};
  std::string comparison = {};  ///< empty: equality
  ir::Value value = {};
};

constexpr std::array<std::string_view, 4> kComparisons = {"IsGreaterThanOrEqual", "IsGreaterThan",
                                                          "IsLessThanOrEqual", "IsLessThan"};

// Flattens a filter. The error, or nothing.
std::optional<MethodResult> read_filter(const SchemaFacts& facts, const ObjectType& type,
                                        const ir::Value& filter, std::vector<Condition>& out,
                                        int depth) {
  if (filter.is_null()) return std::nullopt;
  if (!filter.is_map() || depth > 8)
    return MethodResult::error("invalidArguments", "expected a filter object");
  if (filter["operator"].is_string()) {
    if (filter["operator"].string_or("") != "AND")
      return MethodResult::error("unsupportedFilter", "Logical operators are not supported");
    for (const ir::Value& each : filter["conditions"].items())
      if (auto failed = read_filter(facts, type, each, out, depth + 1)) return failed;
    return std::nullopt;
  }
  for (const auto& [name, value] : filter.members()) {
    Condition condition;
    condition.property = name;
    condition.value = value;
    for (const std::string_view comparison : kComparisons) {
      if (!name.ends_with(comparison)) continue;
      condition.property = name.substr(0, name.size() - comparison.size());
      condition.comparison = comparison;
      break;
    }
    if (!can_filter(type.name, condition.property))
      return MethodResult::error("unsupportedFilter", name);
    const bool is_id = condition.property.ends_with("Id") || condition.property.ends_with("Ids");
    const bool fits = value.is_string() || (value.is_null() && is_id);
    if (!fits)
      return MethodResult::error("unsupportedFilter",
                                 "Filter on property " + name + " is not supported or invalid");
    if (is_id && value.is_string() && !parse_id(value.string_or("")))
      return MethodResult::error("unsupportedFilter",
                                 "Filter on property " + name + " is not supported or invalid");
    if (condition.property == "@type" && type.shape->is_multi() &&
        type.shape->variant(value.string_or("")) == nullptr)
      return MethodResult::error("unsupportedFilter",
                                 "Filter on property " + name + " is not supported or invalid");
    out.push_back(std::move(condition));
  }
  return std::nullopt;
}

bool fits(const ir::Value& object, const Condition& condition) {
  const std::string_view wanted = condition.value.string_or("");
  if (condition.property == "text") return has_words(object, wanted);
  const ir::Value& value = object[condition.property];
  if (value.is_map()) {
    if (value["@type"].is_string()) return value["@type"].string_or("") == wanted;
    return value.members().contains(wanted);
  }
  if (condition.value.is_null()) return value.is_null();
  if (!value.is_string()) return false;
  const int order = value.string_or("").compare(wanted);
  if (condition.comparison == "IsGreaterThan") return order > 0;
  if (condition.comparison == "IsGreaterThanOrEqual") return order >= 0;
  if (condition.comparison == "IsLessThan") return order < 0;
  if (condition.comparison == "IsLessThanOrEqual") return order <= 0;
  return order == 0;
}

}  // namespace

MethodResult registry_get(JmapContext& context, const ObjectType& type, const std::string& account,
                          const ir::Value& arguments) {
  const World& world = context.world;
  const ir::Value& ids = arguments["ids"];
  if (!ids.is_null() && !ids.is_list())
    return MethodResult::error("invalidArguments", "invalid type: expected a sequence");
  const std::int64_t max = limit_of(world, "x:Jmap", "getMaxResults", 500);
  if (static_cast<std::int64_t>(ids.size()) > max)
    return MethodResult::error("requestTooLarge", kTooLarge);
  const std::string tenant = tenant_of(world, context.login);
  ir::Value list = ir::Value::list();
  ir::Value missing = ir::Value::list();
  if (ids.is_list()) {
    for (const ir::Value& each : ids.items()) {
      const auto text = resolve_creation(context, each.string_or(""));
      const std::string_view wanted = text ? std::string_view(*text) : each.string_or("");
      if (type.is_singleton) {
        if (wanted == "singleton")
          list.push_back(
              shown(world, type, 0, singleton_of(world, type.name), arguments["properties"]));
        else
          missing.push_back(each);
        continue;
      }
      const auto id = parse_id(wanted);
      const ir::Value* found = id ? world.registry.find(type.name, *id) : nullptr;
      if (found == nullptr || !is_visible(*found, tenant))
        missing.push_back(each);
      else
        list.push_back(shown(world, type, *id, *found, arguments["properties"]));
    }
  } else if (!type.is_singleton) {
    for (const auto& [id, object] : world.registry.all(type.name)) {
      if (static_cast<std::int64_t>(list.size()) >= max) break;
      if (!is_visible(object, tenant)) continue;
      list.push_back(shown(world, type, id, object, arguments["properties"]));
    }
  }
  return MethodResult::answer(ir::Value::map(
      {{"accountId", account}, {"list", std::move(list)}, {"notFound", std::move(missing)}}));
}

MethodResult registry_query(JmapContext& context, const ObjectType& type,
                            const std::string& account, const ir::Value& arguments) {
  const World& world = context.world;
  if (!arguments["limit"].is_null() &&
      (!arguments["limit"].is_integer() || arguments["limit"].integer_or(0) < 0))
    return MethodResult::error("invalidArguments", "invalid value for limit");
  std::vector<Condition> conditions;
  if (auto failed = read_filter(*world.schema, type, arguments["filter"], conditions, 0))
    return std::move(*failed);
  const ir::Value& sort = arguments["sort"].item(0);
  const std::string property(sort["property"].string_or(""));
  if (sort.is_map()) {
    if (type.name == "x:Task" && property != "due")
      return MethodResult::error("unsupportedSort", "Only sorting by 'due' is supported for tasks");
    if (property != "id" && type.name != "x:Task" &&
        (!can_filter(type.name, property) || property == "text"))
      return MethodResult::error("unsupportedSort",
                                 "Property " + property + " is not supported for sorting");
  }
  const std::string tenant = tenant_of(world, context.login);
  std::vector<std::pair<std::string, std::uint64_t>> found;
  for (const auto& [id, object] : world.registry.all(type.name)) {
    if (!is_visible(object, tenant)) continue;
    if (!std::all_of(conditions.begin(), conditions.end(),
                     [&object](const Condition& each) { return fits(object, each); }))
      continue;
    found.emplace_back(property == "id" ? "" : std::string(object[property].string_or("")), id);
  }
  const std::int64_t page = limit_of(world, "x:Jmap", "queryMaxResults", 5000);
  const std::int64_t total = static_cast<std::int64_t>(found.size());
  std::int64_t limit = arguments["limit"].integer_or(page);
  const bool is_capped = limit > page;
  limit = std::min(limit, page);
  const bool has_total = arguments["calculateTotal"].bool_or(false);
  std::int64_t position = arguments["position"].integer_or(0);
  const auto anchor =
      arguments["anchor"].is_string() ? parse_id(arguments["anchor"].string_or("")) : std::nullopt;
  ir::Value ids = ir::Value::list();
  std::int64_t shown_position = 0;
  if (!sort.is_map() && !has_total) {
    // The store's short way: the lowest ids, then turned round (reference 3.6). What looks odd here
    // is recorded.
    std::vector<std::uint64_t> picked;
    bool is_started = !anchor.has_value();
    const std::int64_t skip = std::max<std::int64_t>(position, 0);
    std::int64_t passed = 0;
    for (const auto& [text, id] : found) {
      if (!is_started) {
        is_started = id == *anchor;
        continue;
      }
      if (passed++ < skip) continue;
      if (static_cast<std::int64_t>(picked.size()) >= std::max<std::int64_t>(limit, 1)) break;
      picked.push_back(id);
    }
    std::reverse(picked.begin(), picked.end());
    for (const std::uint64_t id : picked) ids.push_back(encode_id(id));
  } else {
    const bool is_ascending = sort.is_map() ? sort["isAscending"].bool_or(true) : false;
    std::stable_sort(found.begin(), found.end(), [&](const auto& left, const auto& right) {
      return is_ascending ? left < right : right < left;
    });
    if (anchor) {
      const auto at = std::find_if(found.begin(), found.end(),
                                   [&](const auto& each) { return each.second == *anchor; });
      if (at == found.end())
        return MethodResult::error("anchorNotFound", "The anchor was not found in the results.");
      position =
          std::max<std::int64_t>(0, (at - found.begin()) + arguments["anchorOffset"].integer_or(0));
    } else if (position < 0) {
      position = std::max<std::int64_t>(0, total + position);
    }
    shown_position = std::min(position, total);
    for (std::int64_t i = shown_position; i < total && i - shown_position < limit; ++i)
      ids.push_back(encode_id(found[static_cast<std::size_t>(i)].second));
  }
  ir::Value out = ir::Value::map({{"accountId", account},
                                  {"queryState", "n"},
                                  {"canCalculateChanges", true},
                                  {"position", shown_position},
                                  {"ids", std::move(ids)}});
  if (has_total) out.set("total", total);
  if ((sort.is_map() || has_total) &&
      (is_capped || (arguments["limit"].is_integer() && limit < total && limit > 0)))
    out.set("limit", limit);
  return MethodResult::answer(std::move(out));
}

}  // namespace plan::rehearsal
