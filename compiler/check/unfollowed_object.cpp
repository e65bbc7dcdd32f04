#include "compiler/check/unfollowed_object.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "compiler/check/misspelt_match.h"
#include "compiler/check/named_results.h"
#include "compiler/check/target_property.h"
#include "compiler/ir/json.h"
#include "compiler/schema/check_value.h"
#include "compiler/source/text.h"

namespace plan::check {
namespace {

using ir::StepKind;

bool is_followed(std::string_view object, std::string_view property) {
  const TargetProperty* const known = target_property(object, property);
  return known != nullptr && known->bearing == Bearing::followed;
}

bool has_bearing(std::string_view object, std::string_view property) {
  const TargetProperty* const known = target_property(object, property);
  return known != nullptr && known->bearing != Bearing::none;
}

bool has_address(std::string_view object) { return object == "Account" || object == "MailingList"; }

/// By what the proof finds an object of this type; empty: of none that it finds by a name.
std::string_view ways_of(std::string_view object) {
  if (has_address(object))
    return "`emailAddress`, or by `name` and the `domainId` that a step of the plan gives";
  if (object == "Domain" || object == "MtaRoute") return "`name`";
  if (object == "MemoryLookupKey") return "`namespace` and `key`";
  return {};
}

std::string text_in(const ir::Value& map, std::string_view member) {
  return lower_ascii(trim(map[member].string_or("")));
}

/// The name of the domain that `value`, a reference to a step that makes it, is.
std::string domain_name(const ir::StepGraph& graph, const ir::Value& value) {
  if (!value.is_output()) return {};
  const auto step = graph.find(value.as_output().step);
  if (!step || object_type(graph.argument(*step, "object").string_or("")) != "Domain") return {};
  const ir::Value match = graph.argument(*step, "match");
  const ir::Value set = graph.argument(*step, "set");
  return match["name"].is_null() ? text_in(set, "name") : text_in(match, "name");
}

/// Name and domain of an account or a list; either may be unknown.
struct Address {
  std::string local = {};
  std::string domain = {};

  [[nodiscard]] bool is_known() const { return !local.empty() && !domain.empty(); }
};

/// The one by which a step finds its object.
Address address_in(const ir::StepGraph& graph, const ir::Value& match) {
  const std::string whole = text_in(match, "emailAddress");
  const std::size_t at = whole.rfind('@');
  if (at != std::string::npos) return {whole.substr(0, at), whole.substr(at + 1)};
  return {text_in(match, "name"), domain_name(graph, match["domainId"])};
}

/// An upsert makes an object of both.
Address address_of_both(const ir::StepGraph& graph, const ObjectStep& step) {
  Address address = address_in(graph, step.match);
  if (address.local.empty()) address.local = text_in(step.set, "name");
  if (address.domain.empty() && step.match["domainId"].is_null())
    address.domain = domain_name(graph, step.set["domainId"]);
  return address;
}

/// What is no text is said by the check of the values.
bool is_told(const ir::Value& map, std::string_view member) {
  const ir::Value& value = map[member];
  return value.is_string() ? !trim(value.as_string()).empty()
                           : !value.is_null() && !value.is_output();
}

bool is_found(const ir::StepGraph& graph, const ObjectStep& step) {
  const bool is_upsert = step.kind == StepKind::admin_upsert;
  if (has_address(step.object))
    return is_upsert ? address_of_both(graph, step).is_known()
                     : address_in(graph, step.match).is_known();
  if (step.object == "MemoryLookupKey")
    return is_told(step.match, "namespace") && is_told(step.match, "key");
  return is_told(step.match, "name") ||
         (step.object == "Domain" && is_upsert && is_told(step.set, "name"));
}

/// Is a value that it would be found by one that the target does not take? The check of the values
/// says so.
bool is_refused(const schema::Schema* schema, const ObjectStep& step) {
  constexpr std::array<std::string_view, 5> kNames = {"emailAddress", "name", "domainId",
                                                      "namespace", "key"};
  return schema != nullptr && std::any_of(kNames.begin(), kNames.end(), [&](auto name) {
           const bool is_of_set = step.kind == StepKind::admin_upsert && step.match[name].is_null();
           const ir::Value& value = is_of_set ? step.set[name] : step.match[name];
           return !value.is_null() &&
                  !schema::check_property(*schema, step.object, name, value).empty();
         });
}

/// Does the step change what bears on mail? What makes an object does, and what destroys it.
bool changes_mail(const ObjectStep& step) {
  if (step.kind == StepKind::admin_destroy) return true;
  if (step.kind == StepKind::admin_upsert && step.match["id"].is_null()) return true;
  return std::any_of(step.set.members().begin(), step.set.members().end(), [&](const auto& member) {
    return has_bearing(step.object, property_of(member.first));
  });
}

/// Does the object go by another name when the step is done?
bool is_renamed(const ir::StepGraph& graph, const ObjectStep& step) {
  const auto is_other = [&](std::string_view member) {
    return !step.set[member].is_null() && !step.match[member].is_null() &&
           text_in(step.set, member) != text_in(step.match, member);
  };
  if (step.object == "Domain") return is_other("name");
  if (step.object == "MemoryLookupKey") return is_other("namespace") || is_other("key");
  if (!has_address(step.object)) return false;
  const Address known = address_in(graph, step.match);
  if (!step.set["name"].is_null() && !known.local.empty() &&
      text_in(step.set, "name") != known.local)
    return true;
  if (step.set["domainId"].is_null() || known.domain.empty()) return false;
  const std::string domain = domain_name(graph, step.set["domainId"]);
  // An upsert may say it once more by an id that only its author knows.
  if (domain.empty()) return step.kind == StepKind::admin_update;
  return domain != known.domain;
}

/// Does an expression about mail that a step writes ask for keys of this set?
bool is_asked_for(const GraphView& view, std::string_view set) {
  return std::any_of(view.writes().begin(), view.writes().end(), [&](const TargetWrite& write) {
    if (write.object != "MtaOutboundStrategy" && write.object != "MtaStageRcpt") return false;
    const auto& members = write.set.members();
    return std::any_of(members.begin(), members.end(), [&](const auto& member) {
      const std::vector<std::string> asked = namespaces_asked(member.second);
      return std::find(asked.begin(), asked.end(), set) != asked.end();
    });
  });
}

/// A key that stands for many, and not for all of one domain.
bool is_unknown_pattern(const ObjectStep& step) {
  const ir::Value& is_pattern = step.set["isGlobPattern"];
  if (step.object != "MemoryLookupKey" || is_pattern.is_null()) return false;
  if (is_pattern.is_bool() && !is_pattern.bool_or(false)) return false;
  std::string_view key = step.match["key"].string_or("");
  if (key.starts_with("*@")) key.remove_prefix(2);
  return key.find_first_of("*?[]{}\\") != std::string_view::npos;
}

std::string members_of_match(const ir::Value& match) {
  std::string words;
  for (const auto& [member, unused] : match.members()) {
    if (member == "@type") continue;
    words += fmt::format("{}`{}`", words.empty() ? "" : ", ", printable(member, 60));
  }
  return words;
}

}  // namespace

std::string_view property_of(std::string_view member) {
  if (member.starts_with('/')) member.remove_prefix(1);
  return member.substr(0, member.find('/'));
}

bool is_part_of_followed(std::string_view object, std::string_view member) {
  const std::string_view property = property_of(member);
  if (property.size() == member.size() || !is_followed(object, property)) return false;
  // One permission of many; these two the proof looks at.
  const bool is_one_permission =
      property == "permissions" && std::count(member.begin(), member.end(), '/') >= 2;
  return !is_one_permission || member.ends_with("/emailReceive") ||
         member.ends_with("/authenticate");
}

std::optional<UnprovedMail> unfollowed(const GraphView& view, const ObjectStep& step) {
  const std::string_view ways = ways_of(step.object);
  if (ways.empty() || !step.match.is_map() || step.match.size() == 0) return std::nullopt;
  const ir::StepGraph& graph = view.graph();
  if (!is_found(graph, step)) {
    if (!changes_mail(step) || is_misspelt_match(view.schema(), step.object, step.match) ||
        is_refused(view.schema(), step))
      return std::nullopt;
    return unproved_step(view, step.step,
                         fmt::format("finds its {} by {}, and what it does to mail is not proved",
                                     step.object, members_of_match(step.match)),
                         fmt::format("the proof follows what is found by {}", ways),
                         fmt::format("find it so in `match`; or {}", kTryIt));
  }
  if (is_renamed(graph, step))
    return unproved_step(
        view, step.step,
        fmt::format("gives its {} another name, and what that does to mail is not proved",
                    step.object),
        "the proof goes on with the name that it had",
        fmt::format("leave it to a time when nobody moves; or {}", kTryIt));
  if (is_unknown_pattern(step) && is_asked_for(view, step.match["namespace"].string_or("")))
    return unproved_step(
        view, step.step,
        fmt::format("writes the pattern `{}`, and which mail it is about is not proved",
                    printable(step.match["key"].string_or(""), 120)),
        "the proof follows keys that are one address, and `*@` with a domain",
        fmt::format("write one of these; or {}", kTryIt));
  return std::nullopt;
}

}  // namespace plan::check
