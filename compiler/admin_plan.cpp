#include "compiler/admin_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "compiler/ir/json.h"
#include "compiler/json_places.h"
#include "compiler/schema/schema.h"
#include "compiler/source/text.h"
#include "compiler/syntax/words.h"

namespace plan {
namespace {

using ir::Value;
using syntax::Entry;
using syntax::Node;
using syntax::NodeKind;

constexpr std::size_t kLinesMax = 100'000;
constexpr const char* kExample =
    R"(write a line like `{"@type":"upsert","object":"Domain","value":{"d":{"name":"example.org"}}}`)";
constexpr std::array<std::string_view, 6> kKeys = {"@type", "object",  "value",
                                                   "id",    "matchOn", "scope"};

class AdminPlan {
 public:
  AdminPlan(const SourceSet& sources, FileId file, Sink& sink)
      : text_(sources.text(file)), file_(file), sink_(sink) {}

  std::optional<Node> read() {
    std::size_t begin = 0;
    std::size_t number = 0;
    while (begin < text_.size()) {
      const std::size_t end = std::min(text_.find('\n', begin), text_.size());
      span_ = {file_, static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)};
      if (++number > kLinesMax) {
        broken(fmt::format("more than {} lines", show_count(kLinesMax)),
               "write accounts and aliases into the plan's own list instead");
        break;
      }
      line_ = number;
      read_line(trim(text_.substr(begin, end - begin)));
      begin = end + 1;
    }
    if (is_broken_) return std::nullopt;
    return module();
  }

 private:
  struct Step {
    std::string id = {};
    std::string kind = {};
    Node arguments = {};
    Span span = {};
  };
  /// An object that later lines may name.
  struct Known {
    std::string step = {};
    Value match = {};
    std::string object = {};
  };

  void broken(std::string message, std::string help) {
    is_broken_ = true;
    sink_.report(Kind::procedure_broken, span_, std::move(message)).help(std::move(help));
  }

  void read_line(std::string_view line) {
    if (line.empty()) return;
    const auto parsed = ir::parse_json(line);
    if (!parsed && parsed.error().detail().starts_with("member `"))
      return broken(fmt::format("{} in one object of this line", parsed.error().detail()),
                    "leave one of the two: servers take the last one, people read the first");
    if (!parsed || !parsed->is_map())
      return broken("this is no operation of stalwart-cli: one JSON object a line", kExample);
    for (const auto& [key, unused] : parsed->members()) {
      if (std::find(kKeys.begin(), kKeys.end(), std::string_view(key)) == kKeys.end())
        return broken(fmt::format("an operation has no key `{}`", printable(key, 60)),
                      fmt::format("keys are `{}`", fmt::join(kKeys, "`, `")));
    }
    places_ = places_in_json(line);
    line_begin_ = static_cast<std::uint32_t>(line.data() - text_.data());
    const Value& operation = *parsed;
    std::string_view object = operation["object"].string_or("");
    if (lower_ascii(object).starts_with("x:")) object.remove_prefix(2);
    if (object.empty() || object.find('/') != std::string_view::npos)
      return broken("an operation needs `object`, the name of a type", kExample);
    const std::string type(operation["@type"].string_or(""));
    if (type == "upsert") return upsert(operation, std::string(object));
    if (type == "update") return update(operation, std::string(object));
    if (type == "destroy") return destroy(operation, std::string(object));
    if (type == "create") return create(operation, std::string(object));
    if (type == "reconcile")
      return broken("`reconcile` destroys objects that the plan does not name",
                    "write `upsert`, and a `destroy` with a filter for what has to go");
    broken(type.empty() ? "an operation needs `@type`, which says what is done"
                        : fmt::format("there is no operation `{}`", printable(type, 60)),
           "operations are `upsert`, `update`, `create`, `destroy`");
  }

  // --- operations --------------------------------------------------------------------------------

  void upsert(const Value& operation, const std::string& object) {
    const Value& entries = operation["value"];
    if (!entries.is_map() || entries.size() == 0)
      return broken("`value` of an `upsert` is a map of names to objects", kExample);
    const Value& scope = operation["scope"];
    if (!scope.is_null() && !scope.is_map())
      return broken("`scope` is a map of properties that all objects of the `upsert` have",
                    R"(write `"scope":{"memberTenantId":"#t"}`, or leave it out)");
    const auto properties = match_properties(operation, object);
    if (!properties)
      return broken("`matchOn` is a list of properties, or `*`", R"(write `"matchOn":["name"]`)");
    if (properties->empty())
      return broken(fmt::format("nothing tells one {} from another", printable(object, 60)),
                    "write `matchOn` with the properties that do");
    std::set<std::string> seen;
    const JsonPlaces* const entries_at = member_at(operation, &places_, "value");
    const JsonPlaces* const scope_at = member_at(operation, &places_, "scope");
    std::size_t entry_number = 0;
    for (const auto& [key, given] : entries.members()) {
      const JsonPlaces* const given_at = part_at(entries_at, entry_number++);
      const std::string name = key.starts_with('#') ? key.substr(1) : key;
      if (!seen.insert(name).second)
        return broken(fmt::format("`{}` is there twice", printable(name, 60)),
                      "give one of the two objects another name");
      if (!given.is_map())
        return broken(
            fmt::format("`{}` in the `value` of an `upsert` is no object", printable(name, 60)),
            kExample);
      Value body = given;
      std::vector<const JsonPlaces*> body_at;
      for (std::size_t i = 0; i < given.size(); ++i) body_at.push_back(part_at(given_at, i));
      std::size_t scope_number = 0;
      for (const auto& [member, value] : scope.members()) {
        const JsonPlaces* const value_at = part_at(scope_at, scope_number++);
        if (!body.members().contains(member)) {
          body.set(member, value);
          body_at.push_back(value_at);
        }
        if (body[member] != value)
          return broken(fmt::format("`{}` has another `{}` than `scope`", printable(name, 60),
                                    printable(member, 60)),
                        "write it in one of the two places");
      }
      Value match = Value::map();
      Node match_node = mapping(given_at);
      Node set_node = mapping(given_at);
      std::size_t member_number = 0;
      for (const auto& [member, value] : body.members()) {
        const JsonPlaces* const value_at = body_at[member_number++];
        const bool is_key =
            std::find(properties->begin(), properties->end(), member) != properties->end();
        if (is_key) match.set(member, value);
        add_member(is_key ? match_node : set_node, member, value, value_at);
      }
      if (match.size() != properties->size())
        return broken(
            fmt::format("`{}` lacks a property that it is found by: {}", printable(name, 60),
                        printable(fmt::format("{}", fmt::join(*properties, ", ")), 100)),
            "give the object these properties, or others with `matchOn`");
      const std::string id = fmt::format("server/{}/{}", line_, segment(name));
      Node arguments = with_object(operation, object);
      arguments.entries.push_back(entry("match", std::move(match_node)));
      arguments.entries.push_back(entry("set", std::move(set_node)));
      add(id, "admin.upsert", std::move(arguments));
      known_[name] = {id, std::move(match), object};
    }
  }

  /// Nothing when `matchOn` is none. For "*" and without one the natural key: that stays the same.
  static std::optional<std::vector<std::string>> match_properties(const Value& operation,
                                                                  const std::string& object) {
    const Value& given = operation["matchOn"];
    if (given.is_null() || given.string_or("") == "*")
      return schema::Schema::natural_key(object).properties;
    std::vector<std::string> properties;
    for (const Value& one : given.items()) {
      if (one.string_or("").empty()) return std::nullopt;
      properties.push_back(one.as_string());
    }
    if (properties.empty()) return std::nullopt;
    return properties;
  }

  void update(const Value& operation, const std::string& object) {
    if (!operation["id"].is_null() && !operation["id"].is_string())
      return broken("`id` of an `update` is a text",
                    "name an object of an earlier `upsert` by `#NAME`, or leave `id` out");
    const std::string id(operation["id"].string_or("singleton"));
    if (!operation["value"].is_map())
      return broken("`value` of an `update` is a map",
                    R"(write the properties that change: `"value":{"maxMessages":10}`)");
    for (const auto& [member, unused] : operation["value"].members()) {
      if (member.find('/') != std::string::npos)
        return broken(fmt::format("`{}` is a pointer into an object", printable(member, 80)),
                      "write the whole property");
    }
    Node arguments = with_object(operation, object);
    arguments.entries.push_back(
        entry("set", node_of(operation["value"], member_at(operation, &places_, "value"))));
    if (id != "singleton") {
      const auto known = id.starts_with('#') ? known_.find(id.substr(1)) : known_.end();
      if (known == known_.end())
        return broken(fmt::format("`{}` is the id of an object on one server", printable(id, 60)),
                      "name an object of an earlier `upsert` by `#NAME`, or write `upsert`");
      arguments.entries.push_back(entry("match", node_of(known->second.match, nullptr)));
    }
    add(fmt::format("server/{}/{}", line_, segment(object)), "admin.update", std::move(arguments));
  }

  void destroy(const Value& operation, const std::string& object) {
    const Value& filter = operation["value"];
    if (filter.is_list() && filter.size() > 0)
      return broken("these are the ids of objects on one server",
                    "write a filter: properties that the objects are found by");
    if (!filter.is_map() || filter.size() == 0)
      return broken(fmt::format("this destroys every {}", printable(object, 60)),
                    "write the objects that have to go as a filter");
    Node arguments = with_object(operation, object);
    arguments.entries.push_back(
        entry("match", node_of(filter, member_at(operation, &places_, "value"))));
    add(fmt::format("server/{}/{}", line_, segment(object)), "admin.destroy", std::move(arguments),
        true);
  }

  void create(const Value& operation, const std::string& object) {
    if (!equals_ignoring_case(object, "Action"))
      return broken("`create` cannot be run again after an interruption",
                    "write `upsert` with `matchOn`");
    if (operation["value"].members().size() == 0)
      return broken("`value` of a `create` is a map of names to actions",
                    R"(write `"value":{"r":{"@type":"ReloadSettings"}}`)");
    const JsonPlaces* const actions_at = member_at(operation, &places_, "value");
    std::size_t number = 0;
    for (const auto& [name, body] : operation["value"].members()) {
      const JsonPlaces* const body_at = part_at(actions_at, number++);
      if (!body["@type"].is_string())
        return broken(
            fmt::format("`{}` does not say by `@type` which action it is", printable(name, 60)),
            R"(write `"@type":"ReloadSettings"`, or the action that is meant)");
      if (body.size() > 1)
        return broken(fmt::format("an action with values of its own: `{}`", printable(name, 60)),
                      "run it by hand with stalwart-cli, before or behind the migration");
      Node arguments = mapping(body_at);
      arguments.entries.push_back(
          entry("action", node_of(body["@type"], member_at(body, body_at, "@type"))));
      add(fmt::format("server/{}/{}", line_, segment(name)), "admin.action", std::move(arguments));
    }
  }

  // --- the module --------------------------------------------------------------------------------

  void add(std::string id, const char* kind, Node arguments, bool is_destroy = false) {
    Step step{std::move(id), kind, std::move(arguments), span_};
    (is_destroy ? destroys_ : steps_).push_back(std::move(step));
  }

  /// A client id as a part of a step's id.
  static std::string segment(std::string_view name) {
    std::string text;
    for (const char c : name) text += syntax::is_path_part(c) && c != '/' ? c : '-';
    return text;
  }

  /// A part of the line; the whole line where nobody knows.
  [[nodiscard]] Span span_of(const JsonPlaces* places) const {
    return places == nullptr ? span_
                             : Span{file_, line_begin_ + places->begin, line_begin_ + places->end};
  }
  [[nodiscard]] static const JsonPlaces* part_at(const JsonPlaces* places, std::size_t number) {
    return places == nullptr || number >= places->inner.size() ? nullptr : &places->inner[number];
  }
  [[nodiscard]] static const JsonPlaces* member_at(const Value& map, const JsonPlaces* places,
                                                   std::string_view name) {
    std::size_t number = 0;
    for (const auto& [key, unused] : map.members()) {
      if (key == name) return part_at(places, number);
      ++number;
    }
    return nullptr;
  }

  Node scalar(std::string text, Span span) const {
    Node node;
    node.kind = NodeKind::scalar;
    node.is_quoted = true;
    node.span = span;
    node.text = syntax::escape_template(text);
    return node;
  }
  Node scalar(std::string text) const { return scalar(std::move(text), span_); }

  [[nodiscard]] Node mapping(const JsonPlaces* places) const {
    Node node;
    node.kind = NodeKind::mapping;
    node.span = span_of(places);
    return node;
  }
  [[nodiscard]] Node with_object(const Value& operation, const std::string& object) const {
    Node arguments = mapping(nullptr);
    arguments.entries.push_back(
        entry("object", scalar(object, span_of(member_at(operation, &places_, "object")))));
    return arguments;
  }
  void add_member(Node& map, const std::string& key, const Value& value,
                  const JsonPlaces* places) const {
    Span key_span = span_;
    if (places != nullptr)
      key_span = {file_, line_begin_ + places->key_begin, line_begin_ + places->key_end};
    map.entries.push_back({key, key_span, node_of(value, places)});
  }

  Node node_of(const Value& value, const JsonPlaces* places) const {
    Node node;
    node.span = span_of(places);
    if (value.is_string()) {
      const std::string& text = value.as_string();
      const auto known = text.starts_with('#') ? known_.find(text.substr(1)) : known_.end();
      if (known == known_.end()) return scalar(text, node.span);
      node = scalar(known->second.step + " id", node.span);
      node.tag = syntax::Tag("!output", node.span);
    } else if (value.is_map()) {
      node.kind = NodeKind::mapping;
      std::size_t number = 0;
      for (const auto& [key, member] : value.members())
        add_member(node, key, member, part_at(places, number++));
    } else if (value.is_list()) {
      node.kind = NodeKind::sequence;
      std::size_t number = 0;
      for (const Value& item : value.items())
        node.items.push_back(node_of(item, part_at(places, number++)));
    } else if (!value.is_null()) {
      node.kind = NodeKind::scalar;
      node.text = ir::write_json(value);
    }
    return node;
  }

  [[nodiscard]] Entry entry(const char* key, Node value) const {
    return {key, value.span, std::move(value)};
  }

  Node module() {
    std::reverse(destroys_.begin(), destroys_.end());
    std::vector<Step> all = std::move(destroys_);
    all.insert(all.end(), std::make_move_iterator(steps_.begin()),
               std::make_move_iterator(steps_.end()));
    Node steps;
    steps.kind = NodeKind::sequence;
    std::string before;
    for (Step& step : all) {
      span_ = step.span;
      Node node;
      node.kind = NodeKind::mapping;
      node.span = span_;
      node.entries.push_back(entry("id", scalar(step.id)));
      node.entries.push_back(entry("kind", scalar(step.kind)));
      node.entries.push_back(entry("stage", scalar("prepare")));
      if (!before.empty()) {
        Node after;
        after.kind = NodeKind::sequence;
        after.span = span_;
        after.items.push_back(scalar(before));
        node.entries.push_back(entry("after", std::move(after)));
      }
      node.entries.push_back(entry("args", std::move(step.arguments)));
      before = step.id;
      steps.items.push_back(std::move(node));
    }
    span_ = {file_, 0, 0};
    Node whole;
    whole.kind = NodeKind::mapping;
    whole.span = span_;
    whole.entries.push_back(entry("module", scalar("server")));
    whole.entries.push_back(entry("steps", std::move(steps)));
    return whole;
  }

  std::string_view text_;
  FileId file_;
  Sink& sink_;
  Span span_ = {};
  JsonPlaces places_;  // of the line that is read
  std::uint32_t line_begin_ = 0;
  std::size_t line_ = 0;
  std::map<std::string, Known> known_;
  std::vector<Step> steps_;
  std::vector<Step> destroys_;
  bool is_broken_ = false;
};

}  // namespace

std::optional<syntax::Node> read_admin_plan(const SourceSet& sources, FileId file, Sink& sink) {
  return AdminPlan(sources, file, sink).read();
}

}  // namespace plan
