// Says which settings a step writes that may change what happens to mail, and that the proof of the
// mail does not follow (design.md section 7): without this a plan with a setting that nobody has
// looked at would be called proved. What the proof evaluates is silent, and so is what has no
// bearing on whom a message reaches (reference/stalwart-v015-api.md 9, stalwart-admin.md).
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/check/client_limits.h"
#include "compiler/check/graph_view.h"
#include "compiler/check/names.h"
#include "compiler/check/rules.h"
#include "compiler/check/target_property.h"
#include "compiler/check/unfollowed_object.h"
#include "compiler/check/unproved_mail.h"
#include "compiler/ir/old_setting.h"
#include "compiler/ir/row_values.h"
#include "compiler/schema/mta_container.h"
#include "compiler/schema/old_route.h"
#include "compiler/schema/schema.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

using ir::StepId;
using ir::StepKind;

constexpr std::size_t kShownMax = 5;

/// A setting of an old Stalwart, by the beginning of its key.
struct Setting {
  std::string_view prefix = {};
  /// Silent only when this is no result of it; empty: whatever it is.
  std::string_view unless = {};
  /// Silent only when this is what it is; empty: whatever it is.
  std::string_view only = {};
  /// Only for keys that end so; empty: however they end.
  std::string_view end = {};
};

constexpr std::array kSilentAtSource = {
    // What the proof evaluates.
    Setting{"queue.strategy.route"},                   // the proof follows the route expression
    Setting{"lookup."},                                // the proof has the keys of lookup lists
    Setting{"queue.route.", {}, {}, ".type"},          // the proof follows it
    Setting{"queue.route.", {}, {}, ".address"},       // the proof follows it
    Setting{"queue.route.", {}, {}, ".port"},          // the proof follows it
    Setting{"queue.route.", {}, {}, ".description"},   // a comment
    Setting{"queue.route.", {}, "smtp", ".protocol"},  // what the proof takes a relay to speak
    Setting{"queue.route.", {}, {}, ".tls.implicit"},  // the proof follows it
    Setting{"queue.route.", {}, {}, ".tls.allow-invalid-certs"},  // to the same server
    // What is judged elsewhere.
    Setting{"session.auth.require"},     // the rule old_server_unready looks at it
    Setting{"session.auth.mechanisms"},  // how somebody logs in, not where mail goes
    Setting{"session.auth.directory"},   // who logs in, not who gets mail
    // What lets more in than before.
    Setting{"server.allowed-ip."},                               // nobody there is banned
    Setting{"queue.limiter.inbound.", {}, "false", ".enable"},   // a limit that is off
    Setting{"queue.limiter.outbound.", {}, "false", ".enable"},  // a limit that is off
    // What says something about a message and decides nothing.
    Setting{"auth.dkim.sign"},                // a header
    Setting{"auth.arc.seal"},                 // a header
    Setting{"auth.dkim.verify", "strict"},    // a header, unless it refuses
    Setting{"auth.arc.verify", "strict"},     // a header, unless it refuses
    Setting{"auth.spf.verify.", "strict"},    // a header, unless it refuses
    Setting{"auth.dmarc.verify", "strict"},   // a header, unless it refuses
    Setting{"auth.iprev.verify", "strict"},   // a header, unless it refuses
    Setting{"session.data.add-headers."},     // headers
    Setting{"session.ehlo.reject-non-fqdn"},  // a client without a name is told so
    Setting{"session.connect.greeting"},      // a text
    Setting{"session.connect.hostname"},      // a text
    Setting{"signature."},                    // keys that sign
    Setting{"report."},                       // reports about mail
    // What is no mail, or mail that has arrived.
    Setting{"tracer."},        // logs
    Setting{"metrics."},       // figures
    Setting{"imap."},          // how mail is read
    Setting{"pop3."},          // how mail is read
    Setting{"jmap."},          // how mail is read
    Setting{"http."},          // no mail
    Setting{"oauth."},         // no mail
    Setting{"calendar."},      // no mail
    Setting{"contacts."},      // no mail
    Setting{"file-storage."},  // no mail
    Setting{"webadmin."},      // no mail
    Setting{"certificate."},   // mail is taken without TLS as well
    Setting{"acme."},          // mail is taken without TLS as well
};

/// The texts that a setting can give: its value, or every result of its rules.
std::vector<std::string_view> results_of_setting(const ir::Value& one) {
  std::vector<std::string_view> results;
  if (one["value"].is_string()) results.push_back(one["value"].as_string());
  for (const ir::Value& rule : one["rules"].items()) {
    for (const char* const result : {"then", "else"}) {
      if (rule[result].is_string()) results.push_back(rule[result].as_string());
    }
  }
  return results;
}

bool is_silent(std::string_view key, const ir::Value& written) {
  // The proof compares keys as they are.
  if (key.starts_with("lookup.") && key.find_first_of("*?") != std::string_view::npos) return false;
  const std::vector<std::string_view> results = results_of_setting(written);
  const auto is_it = [&](const Setting& one) {
    if (!key.starts_with(one.prefix) || !key.ends_with(one.end)) return false;
    // "session.auth.require" is no beginning of "session.auth.require-something".
    const bool is_part = one.prefix.ends_with('.') || key.size() == one.prefix.size() ||
                         key[one.prefix.size()] == '.';
    const auto gives = [&](std::string_view text) {
      return std::any_of(results.begin(), results.end(), [&](std::string_view result) {
        return trim(result) == text || trim(result) == fmt::format("'{}'", text);
      });
    };
    const bool is_only = one.only.empty() || (results.size() == 1 && gives(one.only));
    return is_part && is_only && (one.unless.empty() || !gives(one.unless));
  };
  return std::any_of(kSilentAtSource.begin(), kSilentAtSource.end(), is_it);
}

using Found = std::vector<UnprovedMail>;

/// The first names, in quotes.
std::string shown_names(const std::set<std::string>& names) {
  std::string shown;
  std::size_t count = 0;
  for (const std::string& name : names) {
    if (++count > kShownMax) break;
    shown += fmt::format("{}`{}`", count == 1 ? "" : ", ", printable(name, 120));
  }
  if (names.size() > kShownMax)
    shown += fmt::format(" and {} more", show_count(names.size() - kShownMax));
  return shown;
}

void add_written(const GraphView& view, StepId step, const std::set<std::string>& names,
                 std::string_view server, Found& found) {
  if (names.empty()) return;
  found.push_back(
      unproved_step(view, step,
                    fmt::format("writes {} of {}, and what that does to mail is not proved",
                                shown_names(names), server),
                    "the proof goes on as if it were not there",
                    fmt::format("leave it to a time when nobody moves; or {}", kTryIt)));
}

/// Of what is looked at for mail that the source hands on, and for no other.
void add_written_for_others(const GraphView& view, StepId step, const std::set<std::string>& names,
                            Found& found) {
  if (names.empty()) return;
  found.push_back(unproved_step(
      view, step,
      fmt::format("writes {} of the target, and what that does to mail that the source does not "
                  "hand on is not proved",
                  shown_names(names)),
      "mail from the source's address is looked at, and no other",
      fmt::format("leave it to a time when nobody moves; or {}", kTryIt)));
}

/// What no step can write is an error already, by the rule settings_twice.
bool is_refused(std::string_view part, std::string_view key, const ir::Value& item) {
  if (key.empty() || !ir::why_not_old_setting(key).empty()) return true;
  if (part == "blocks") {
    const ir::Value& rules = item["rules"];
    return !rules.is_output() && !ir::why_not_old_rules(rules).empty();
  }
  const ir::Value& value = item["value"];
  return !value.is_output() &&
         (!value.is_string() || value.as_string().find("%{") != std::string::npos);
}

void look_at_source(const GraphView& view, Found& found) {
  const ir::StepGraph& graph = view.graph();
  std::set<const ir::StepShape*> done;
  for (const StepId step : view.of_kind(StepKind::source_settings)) {
    const ir::StepShape& shape = graph.shape(step);
    if (done.contains(&shape)) continue;
    // The same for all of a shape, unless a module computes it from the row.
    const bool is_of_row =
        ir::is_of_row(shape.arguments["values"]) || ir::is_of_row(shape.arguments["blocks"]);
    std::set<std::string> names;
    for (const char* const part : {"values", "blocks"}) {
      const ir::Value all = graph.argument(step, part);
      for (const ir::Value& one : all.items()) {
        const std::string_view key = one["key"].string_or("");
        if (!is_refused(part, key, one) && !is_silent(key, one)) names.emplace(key);
      }
    }
    if (!is_of_row || !names.empty()) done.insert(&shape);
    add_written(view, step, names, "the old server", found);
  }
}

using Names = std::set<std::string, std::less<>>;

/// Lists that an expression asks for; of one whose name it computes this is that part of it.
struct ListsAsked {
  Names named = {};
  Names computed = {};
};

/// Those of `key_exists`. For a value (`key_get`) the proof has no answer, and says so where the
/// way of a message hangs on it.
void add_lists_asked(const schema::MtaExpression& expression, std::string_view text,
                     ListsAsked& asked) {
  for (const schema::MtaNode& node : expression.nodes) {
    if (node.kind != schema::MtaNode::Kind::call || node.text != "key_exists") continue;
    const schema::MtaNode& list = expression.nodes[node.children.front()];
    if (list.kind == schema::MtaNode::Kind::text) {
      asked.named.insert(list.text);
    } else {
      asked.computed.emplace(text.substr(list.begin, list.end - list.begin));
    }
  }
}

/// Also of what the rules give. Nothing of an expression that cannot be read: the proof says so.
ListsAsked lists_asked(const ir::Value& block) {
  ListsAsked asked;
  const auto route = schema::parse_old_route(block);
  if (!route) return asked;
  std::size_t arm = 0;
  for (const ir::Value& rule : block["rules"].items()) {
    if (rule["else"].is_string()) {
      add_lists_asked(route->otherwise(), rule["else"].as_string(), asked);
      continue;
    }
    add_lists_asked(route->arms()[arm].condition, rule["if"].string_or(""), asked);
    add_lists_asked(route->arms()[arm].result, rule["then"].string_or(""), asked);
    ++arm;
  }
  return asked;
}

/// Lists that a step fills, also those that it only makes.
Names lists_filled(const GraphView& view) {
  const ir::StepGraph& graph = view.graph();
  Names filled;
  for (const StepKind kind :
       {StepKind::source_settings, StepKind::source_hold, StepKind::source_forward}) {
    std::set<const ir::StepShape*> done;
    for (const StepId step : view.of_kind(kind)) {
      const ir::StepShape& shape = graph.shape(step);
      if (done.contains(&shape)) continue;
      if (!ir::is_of_row(shape.arguments["list"]) && !ir::is_of_row(shape.arguments["values"]))
        done.insert(&shape);
      filled.emplace(graph.argument(step, "list").string_or(""));
      const ir::Value values = graph.argument(step, "values");
      for (const ir::Value& one : values.items()) {
        constexpr std::string_view kLists = "lookup.";
        std::string_view key = one["key"].string_or("");
        if (!key.starts_with(kLists)) continue;
        key.remove_prefix(kLists.size());
        filled.emplace(key.substr(0, key.find('.')));
      }
    }
  }
  return filled;
}

/// The proof takes a list that no step fills for empty; what the old server has in one of that name
/// nobody else knows.
void look_at_lists(const GraphView& view, Found& found) {
  const ir::StepGraph& graph = view.graph();
  const Names filled = lists_filled(view);
  std::set<const ir::StepShape*> done;
  for (const StepId step : view.of_kind(StepKind::source_settings)) {
    const ir::StepShape& shape = graph.shape(step);
    if (done.contains(&shape)) continue;
    ListsAsked asked;
    const ir::Value blocks = graph.argument(step, "blocks");
    for (const ir::Value& block : blocks.items()) {
      if (block["key"].string_or("") != schema::kOldRoute) continue;
      ListsAsked of_block = lists_asked(block);
      asked.named.merge(of_block.named);
      asked.computed.merge(of_block.computed);
    }
    std::erase_if(asked.named, [&](const std::string& list) { return filled.contains(list); });
    // The same for all of a shape, unless a module computes it from the row.
    const bool is_silent = asked.named.empty() && asked.computed.empty();
    if (!is_silent || !ir::is_of_row(shape.arguments["blocks"])) done.insert(&shape);
    const std::string remedy = fmt::format("name a list that the plan fills; or {}", kTryIt);
    for (const std::string& list : asked.named)
      found.push_back(
          unproved_step(view, step,
                        fmt::format("asks for the list `{}` of the old server, which no step fills",
                                    printable(list, 120)),
                        "the proof goes on as if it were empty", remedy));
    for (const std::string& name : asked.computed)
      found.push_back(unproved_step(
          view, step,
          fmt::format("asks for a list of the old server whose name is computed, `{}`",
                      printable(name, 120)),
          "the proof goes on as if one that no step fills were empty", remedy));
  }
}

/// Everything that a written value can give: itself, or each result of an expression.
std::vector<std::string_view> results_of_property(const ir::Value& written) {
  if (written.is_bool()) return {written.bool_or(false) ? "true" : "false"};
  if (written.is_string()) return {written.as_string()};
  return results_of(written);
}

/// What a result is whoever asks: "5m" a number of milliseconds, "20 * 1048576" one of bytes.
/// Nothing for what hangs on the message or on what the server knows.
std::optional<ir::Value> constant_of(std::string_view result, const TargetProperty& property) {
  const auto expression = schema::parse_mta_expression(
      result, schema::context_of(property.object, property.name), nullptr);
  if (!expression || expression->nodes.empty()) return std::nullopt;
  auto value = schema::evaluate(*expression, {});
  return value ? std::optional(std::move(*value)) : std::nullopt;
}

/// The largest message that the source takes; 0 where nobody has measured it, or it takes all.
double source_message_max(const GraphView& view) {
  const TargetProperty bytes = {"MtaStageData", "maxMessageSize", Bearing::said, {}, 0, {}};
  const auto measured = constant_of(
      trim(setting(view.migration(), "source.message_size_limit").string_or("")), bytes);
  return measured ? std::max(measured->number_or(0), 0.0) : 0;
}

/// Of mail that the source takes none is too large where the bound is not less than the source's.
double enough_of(const GraphView& view, const TargetProperty& property) {
  if (property.object != "MtaStageData" || property.name != "maxMessageSize")
    return property.enough;
  const double accepted = source_message_max(view);
  return accepted > 0 ? accepted : property.enough;
}

/// Is mail treated by this result as by the server without it, or better?
bool is_without_bearing(const TargetProperty& property, double enough, std::string_view result) {
  const auto& without = property.without;
  const auto constant = constant_of(result, property);
  const bool is_known = std::any_of(without.begin(), without.end(), [&](std::string_view one) {
    return !one.empty() && (one == result || (constant && constant == constant_of(one, property)));
  });
  if (is_known) return true;
  return enough > 0 && constant && constant->is_number() && constant->number_or(0) >= enough;
}

/// The results of a written value by which mail may be treated worse than without it.
std::vector<std::string_view> results_with_bearing(const GraphView& view,
                                                   const TargetProperty& property,
                                                   const ir::Value& written) {
  std::vector<std::string_view> results = results_of_property(written);
  const double enough = enough_of(view, property);
  for (std::string_view& result : results) result = trim(result);
  std::erase_if(results, [&](auto result) { return is_without_bearing(property, enough, result); });
  return results;
}

/// An expression that the target cannot read is refused, and that is told where its types are
/// known.
bool is_unreadable(const GraphView& view, const TargetProperty& property,
                   const ir::Value& written) {
  const std::vector<std::string_view> results = results_of(written);
  return view.schema() != nullptr &&
         std::any_of(results.begin(), results.end(), [&](std::string_view result) {
           return !schema::parse_mta_expression(
               result, schema::context_of(property.object, property.name), nullptr);
         });
}

bool has_bearing(const GraphView& view, const TargetProperty& property, const ir::Value& written) {
  const bool is_empty = (written.is_list() || written.is_map()) && written.size() == 0;
  if (written.is_null() || is_empty || is_unreadable(view, property, written)) return false;
  return results_of_property(written).empty() ||
         !results_with_bearing(view, property, written).empty();
}

/// One that the target does not know is refused, and that is told.
bool may_be_there(const GraphView& view, std::string_view object, std::string_view property) {
  if (view.schema() == nullptr) return true;
  const schema::ObjectType* type = view.schema()->resolved(fmt::format("x:{}", object));
  if (type == nullptr) return false;
  return std::any_of(
      type->variants.begin(), type->variants.end(), [&](const schema::Variant& variant) {
        return variant.fields != nullptr && variant.fields->find(property) != nullptr;
      });
}

/// Is what is written as this member of an object evaluated by nothing?
bool is_unfollowed(const GraphView& view, std::string_view object, std::string_view member,
                   const ir::Value& written) {
  const std::string_view name = property_of(member);
  const TargetProperty* const property = target_property(object, name);
  if (property == nullptr)
    return decides_about_mail(object) && name != "@type" && may_be_there(view, object, name);
  const bool is_part = name.size() != member.size();
  switch (property->bearing) {
    case Bearing::followed:
      return is_part_of_followed(object, member);
    case Bearing::said:
      return is_part || has_bearing(view, *property, written);
    case Bearing::none:
      return false;
  }
  return false;
}

/// Addresses that mail comes from while accounts move.
struct Clients {
  std::vector<std::string> sources = {};
  std::vector<std::string> proxies = {};
};

Clients clients_of(const GraphView& view) {
  Clients clients;
  const Plan& plan = view.plan();
  if (is_ip_address(plan.source_address.text)) {
    clients.sources.push_back(plan.source_address.text);
  } else {
    for (const ir::Value& ip : setting(view.migration(), "source.ip_addresses").items())
      clients.sources.emplace_back(ip.string_or(""));
  }
  if (is_ip_address(plan.proxy.text)) clients.proxies.push_back(plan.proxy.text);
  return clients;
}

/// The throttle of the target that a step writes, as it was measured.
const facts::LockThrottle* measured_throttle(const GraphView& view, const ObjectStep& step) {
  const auto& lock = view.migration().lock;
  const ir::Value& name =
      step.match["description"].is_null() ? step.set["description"] : step.match["description"];
  if (lock == nullptr || !name.is_string()) return nullptr;
  const auto found =
      std::find_if(lock->throttles.begin(), lock->throttles.end(),
                   [&](const auto& one) { return one.description == name.as_string(); });
  return found == lock->throttles.end() ? nullptr : &*found;
}

/// Does a step make a throttle that counts the source or the proxies, let one that counts them let
/// less pass, or let one count the source that did not? What was measured and counts the source
/// still is said by the proof.
bool tightens_throttle(const GraphView& view, const ObjectStep& step) {
  const facts::LockThrottle* const measured = measured_throttle(view, step);
  const bool is_limit = limits_by_throttle(step.set);
  const ir::Value& match = step.set["match"];
  const auto is_met_by = [&](const std::string& ip, bool is_source) {
    const bool was_counted = measured != nullptr && counts(measured->match, ip).value_or(true);
    const bool is_unchanged = match.is_null();
    const bool is_counted =
        is_unchanged ? measured == nullptr || was_counted : counts(match, ip).value_or(true);
    if (!is_counted || is_limit) return is_counted;
    // Another condition is how the source is left out: others may be counted by it then.
    return !is_unchanged && is_source && !was_counted;
  };
  const Clients clients = clients_of(view);
  return std::any_of(clients.sources.begin(), clients.sources.end(),
                     [&](const std::string& ip) { return is_met_by(ip, true); }) ||
         std::any_of(clients.proxies.begin(), clients.proxies.end(),
                     [&](const std::string& ip) { return is_met_by(ip, false); });
}

/// Properties that a step writes, and that nothing evaluates.
struct Written {
  std::set<std::string> for_all = {};
  std::set<std::string> for_others = {};  ///< than the source, for which they are looked at
};

/// Steps whose settings are in use when some step forwards: what they do to mail from the source is
/// judged there (flow/handed_on.h).
class HandedOnSteps {
 public:
  explicit HandedOnSteps(const GraphView& view) : view_(view) {}

  bool contains(StepId step) {
    if (is_loaded_.empty()) look();
    return is_loaded_[ir::index(step)];
  }

 private:
  void look() {
    const ir::StepGraph& graph = view_.graph();
    is_loaded_.resize(graph.size());
    std::set<const ir::StepShape*> seen;  // steps of one shape wait for the same
    for (const StepKind kind : {StepKind::postfix_forward, StepKind::source_forward}) {
      for (const StepId forward : view_.of_kind(kind)) {
        if (!seen.insert(&graph.shape(forward)).second) continue;
        const std::vector<bool> loaded = loaded_before(graph, forward);
        for (std::size_t i = 0; i < loaded.size(); ++i) is_loaded_[i] = is_loaded_[i] || loaded[i];
      }
    }
  }

  const GraphView& view_;
  std::vector<bool> is_loaded_;
};

/// Adds a property that nothing evaluates; of what is judged for mail from the source no more than
/// what others get.
void add_unfollowed(const GraphView& view, const ObjectStep& step, std::string_view member,
                    const ir::Value& written, HandedOnSteps& handed_on, Written& names) {
  const std::string name = fmt::format("{}.{}", step.object, member);
  const TargetProperty* const property = target_property(step.object, member);
  const std::vector<std::string> sources = clients_of(view).sources;
  std::set<std::string> refused;  // results for the source that are told as errors
  const bool is_judged =
      property != nullptr && !sources.empty() &&
      std::all_of(sources.begin(), sources.end(), [&](const std::string& ip) {
        const Taken taken = taken_from(ip, written, step.object, member, source_message_max(view));
        if (taken == Taken::not_all)
          refused.insert(schema::text_of(*value_for(written, step.object, member, ip)));
        return taken != Taken::perhaps;
      });
  if (!is_judged || !handed_on.contains(step.step)) {
    names.for_all.insert(name);
    return;
  }
  const std::vector<std::string_view> results = results_with_bearing(view, *property, written);
  const bool is_told = std::all_of(results.begin(), results.end(), [&](std::string_view result) {
    const auto constant = constant_of(result, *property);
    return constant && refused.contains(schema::text_of(*constant));
  });
  if (!is_told) names.for_others.insert(name);
}

Written names_at_target(const GraphView& view, const ObjectStep& step, HandedOnSteps& handed_on) {
  const std::string_view object = step.object;
  const ir::Value& set = step.set;
  Written written_names;
  std::set<std::string>& names = written_names.for_all;
  if (const TargetProperty* const whole = target_property(object, "*")) {
    names.emplace(whole->object);
  } else {
    for (const auto& [member, written] : set.members()) {
      if (is_unfollowed(view, object, member, written))
        add_unfollowed(view, step, member, written, handed_on, written_names);
    }
  }
  if (object == "MtaInboundThrottle" && step.kind != StepKind::admin_destroy &&
      tightens_throttle(view, step))
    names.emplace(object);
  // A script does nothing before something runs it; what runs it may stand on the target already.
  if (object == "SieveSystemScript" && set["isActive"].bool_or(true)) names.emplace(object);
  const std::string_view action = step.match["@type"].is_string()
                                      ? step.match["@type"].string_or("")
                                      : set["@type"].string_or("");
  if (object == "SpamTag" && (action == "Discard" || action == "Reject"))
    names.insert(fmt::format("{}/{}", object, action));
  return written_names;
}

void look_at_target(const GraphView& view, Found& found) {
  const ir::StepGraph& graph = view.graph();
  std::set<const ir::StepShape*> said;
  HandedOnSteps handed_on(view);
  const auto look = [&](const ObjectStep& written) {
    const ir::StepShape* shape = &graph.shape(written.step);
    if (said.contains(shape)) return;
    auto why = unfollowed(view, written);
    const Written names = names_at_target(view, written, handed_on);
    if (why || !names.for_all.empty() || !names.for_others.empty()) said.insert(shape);
    if (why) found.push_back(std::move(*why));
    add_written(view, written.step, names.for_all, "the target", found);
    add_written_for_others(view, written.step, names.for_others, found);
  };
  const auto type_of = [](std::string_view object) {
    const std::string_view type = object_type(object);
    return type.substr(0, type.find('/'));
  };
  for (const TargetWrite& write : view.writes()) {
    const StepKind kind = write.is_upsert ? StepKind::admin_upsert : StepKind::admin_update;
    look({write.step, kind, type_of(write.object), write.match, write.set});
  }
  const ir::Value nothing = ir::Value::map();
  std::set<const ir::StepShape*> seen;
  for (const StepId step : view.of_kind(StepKind::admin_destroy)) {
    if (!seen.insert(&graph.shape(step)).second) continue;
    const ir::Value object = graph.argument(step, "object");
    const ir::Value match = graph.argument(step, "match");
    look({step, StepKind::admin_destroy, type_of(object.string_or("")), match, nothing});
  }
}

/// All that steps write and the proof does not follow, each shape once.
Found unproved_steps(const GraphView& view) {
  Found found;
  // A plan that moves nobody's mail has no proof either.
  if (view.of_kind(StepKind::archive_copy).empty() && view.of_kind(StepKind::archive_delta).empty())
    return found;
  look_at_source(view, found);
  look_at_lists(view, found);
  look_at_target(view, found);
  return found;
}

}  // namespace

void mail_unmodelled(const GraphView& view, Sink& sink) {
  for (UnprovedMail& one : unproved_steps(view)) report_unproved(std::move(one), sink);
}

}  // namespace plan::check::rules
