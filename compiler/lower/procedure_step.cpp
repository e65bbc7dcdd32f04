// What can be told of the steps of a procedure without the rest of their module.
#include "compiler/lower/procedure_step.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/ir/cycle.h"
#include "compiler/source/text.h"
#include "compiler/syntax/names.h"
#include "compiler/syntax/scalar.h"
#include "compiler/syntax/value_type.h"

namespace plan::lower {
namespace {

using ir::Value;

/// `admin.`, `proxy.` and the like, each once.
std::vector<std::string_view> families() {
  std::vector<std::string_view> words;
  for (const ir::StepKindInfo& one : ir::all_step_kinds()) {
    const std::string_view word = one.name.substr(0, one.name.find('.') + 1);
    if (!word.empty() && std::find(words.begin(), words.end(), word) == words.end())
      words.push_back(word);
  }
  return words;
}

}  // namespace

UnknownKind unknown_kind(std::string_view name) {
  std::vector<std::string_view> names, alike;
  const std::string_view family = name.substr(0, name.find('.'));
  for (const ir::StepKindInfo& one : ir::all_step_kinds()) {
    names.push_back(one.name);
    if (one.name.substr(0, one.name.find('.')) == family) alike.push_back(one.name);
  }
  const auto near = nearest(name, names);
  std::string help = "correct the spelling";
  if (!near) {
    help = alike.empty() ? fmt::format("kinds begin with `{}`", fmt::join(families(), "`, `"))
                         : fmt::format("those of its name are `{}`", fmt::join(alike, "`, `"));
  }
  return {std::string(near.value_or("")), std::move(help)};
}

bool takes_secret(ir::StepKind kind, std::string_view name) {
  const auto& specs = ir::arguments_of(kind);
  const auto spec = std::find_if(specs.begin(), specs.end(),
                                 [&](const ir::ArgumentSpec& one) { return one.name == name; });
  if (spec != specs.end() && spec->type == ir::ArgumentType::secret) return true;
  return name == "set" &&
         (kind == ir::StepKind::admin_upsert || kind == ir::StepKind::admin_update);
}

void drop_absent(ProcedureStep& step) {
  Value given = Value::map();
  for (const auto& [name, value] : step.arguments.members()) {
    if (!value.is_null()) given.set(name, value);
  }
  step.arguments = std::move(given);
}

void read_units(ProcedureStep& step) {
  for (const ir::ArgumentSpec& spec : ir::arguments_of(step.kind)) {
    const bool is_duration = spec.type == ir::ArgumentType::duration_ms;
    if (!is_duration && spec.type != ir::ArgumentType::bytes) continue;
    const Value& given = step.arguments[spec.name];
    if (!given.is_string()) continue;
    const auto amount = is_duration ? syntax::read_duration_ms(given.as_string())
                                    : syntax::read_bytes(given.as_string());
    if (amount) step.arguments.set(std::string(spec.name), *amount);
  }
}

namespace {

std::string_view words_of(ir::ArgumentType type) {
  using ir::ArgumentType;
  switch (type) {
    case ArgumentType::any:
      return "a value";
    case ArgumentType::string:
      return "a text";
    case ArgumentType::address:
      return "a mail address";
    case ArgumentType::url:
      return "a URL";
    case ArgumentType::integer:
      return "a whole number";
    case ArgumentType::boolean:
      return "`true` or `false`";
    case ArgumentType::list:
      return "a list";
    case ArgumentType::map:
      return "a map";
    case ArgumentType::duration_ms:
      return "a duration";
    case ArgumentType::bytes:
      return "a size";
    case ArgumentType::secret:
      return "a secret";
  }
  return "a value";
}

}  // namespace

std::string why_not_argument(const Value& value, ir::ArgumentType type) {
  using ir::ArgumentType;
  if (value.is_output() || value.is_null()) return {};
  const bool is_amount = value.is_integer() && value.integer_or(0) >= 0;
  bool is_right = true;
  switch (type) {
    case ArgumentType::any:
      break;
    case ArgumentType::string:
    case ArgumentType::address:
    case ArgumentType::url:
      is_right = value.is_string();
      break;
    case ArgumentType::integer:
      is_right = value.is_integer();
      break;
    case ArgumentType::boolean:
      is_right = value.is_bool();
      break;
    case ArgumentType::list:
      is_right = value.is_list();
      break;
    case ArgumentType::map:
      is_right = value.is_map();
      break;
    case ArgumentType::duration_ms:
    case ArgumentType::bytes:
      is_right = is_amount;
      break;
    case ArgumentType::secret:
      is_right = value.is_secret();
      break;
  }
  if (is_right) return {};
  // The value of a secret that stands there in clear is nobody's to read.
  const std::string shown = value.is_integer() ? fmt::format("{}", value.integer_or(0))
                                               : syntax::to_text(syntax::type_of_value(value));
  return fmt::format("takes {}, and this is {}", words_of(type), shown);
}

namespace {

constexpr std::int64_t kPortMax = 65535;

using Names = std::vector<std::string_view>;

bool is_among(std::string_view name, const Names& names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// The words that an argument, or each item of it, is one of; empty: any text.
Names choices_of(std::string_view argument) {
  if (argument == "at" || argument == "destination" || argument == "entries")
    return {"source", "target"};
  if (argument == "by") return {"plan", "server"};
  return {};
}

std::optional<WrongContent> wrong_word(std::string_view word, const Names& choices) {
  if (choices.empty() || is_among(word, choices)) return std::nullopt;
  const auto near = nearest(word, choices);
  return WrongContent{fmt::format("takes `{}`, and this is `{}`", fmt::join(choices, "` or `"),
                                  printable(word, 80)),
                      near ? fmt::format("did you mean `{}`?", *near) : "write one of these words"};
}

std::optional<WrongContent> wrong_item(const Value& item, std::string_view argument) {
  if (item.is_output() || item.is_null()) return std::nullopt;
  const std::string shown = item.is_integer() ? fmt::format("{}", item.integer_or(0))
                                              : syntax::to_text(syntax::type_of_value(item));
  if (argument == "ports") {
    if (item.is_integer() && item.integer_or(0) >= 1 && item.integer_or(0) <= kPortMax)
      return std::nullopt;
    return WrongContent{fmt::format("takes ports, and {} is none", shown),
                        "write whole numbers from 1 to 65535, without quotes: `[25, 143]`"};
  }
  if (!item.is_string()) {
    return WrongContent{fmt::format("takes a list of texts, and {} is none", shown),
                        std::string(argument_remedy(ir::ArgumentType::string))};
  }
  return wrong_word(item.as_string(), choices_of(argument));
}

}  // namespace

std::optional<WrongContent> wrong_content(const Value& value, const ir::ArgumentSpec& spec) {
  using ir::ArgumentType;
  static const Names kListsOfKnownItems = {"ports",   "addresses", "members", "aliases",  "folders",
                                           "trusted", "entries",   "accept",  "subspaces"};
  if (spec.type == ArgumentType::list && is_among(spec.name, kListsOfKnownItems)) {
    for (const Value& item : value.items()) {
      if (auto wrong = wrong_item(item, spec.name)) return wrong;
    }
    return std::nullopt;
  }
  if (!value.is_string()) return std::nullopt;
  const std::string& text = value.as_string();
  if (spec.type == ArgumentType::string) return wrong_word(text, choices_of(spec.name));
  if (spec.type == ArgumentType::url) {
    const std::string why = syntax::why_not_url(text);
    if (why.empty()) return std::nullopt;
    return WrongContent{fmt::format("takes a URL, and `{}` is none: {}", printable(text, 80), why),
                        std::string(argument_remedy(spec.type))};
  }
  if (spec.type != ArgumentType::address) return std::nullopt;
  const std::size_t at = text.find('@');
  if (at != std::string::npos && at == text.rfind('@') && at > 0 && at + 1 < text.size())
    return std::nullopt;
  return WrongContent{fmt::format("takes a mail address, and `{}` is none", printable(text, 80)),
                      "write the whole address, `alice@example.org`"};
}

std::string_view argument_remedy(ir::ArgumentType type) {
  using ir::ArgumentType;
  switch (type) {
    case ArgumentType::string:
    case ArgumentType::address:
    case ArgumentType::any:
      return "write a text; a number that is one stands in quotes";
    case ArgumentType::url:
      return "write a URL as a text: `https://mail.example.org`";
    case ArgumentType::integer:
      return "write a whole number, without quotes and without a unit";
    case ArgumentType::boolean:
      return "write `true` or `false`, without quotes";
    case ArgumentType::list:
      return "put it into brackets: `[a, b]`";
    case ArgumentType::map:
      return "write members by name: `{name = value}`, in YAML `{name: value}`";
    case ArgumentType::duration_ms:
      return "write a number with its unit: `500ms`, `30s`, `5m`, `2h`, `1d`";
    case ArgumentType::bytes:
      return "write a number with its unit: `512KiB`, `50MiB`, `2GiB`";
    case ArgumentType::secret:
      return "give it a name that stands for a secret: an `input` of type `secret`";
  }
  return "";
}

void add_connections(ProcedureStep& step, const std::map<std::string, ir::Value>& connections) {
  using ir::StepHost;
  const StepHost host = info(step.kind).host;
  const bool is_archive = info(step.kind).name.starts_with("archive.");
  const auto add = [&](const std::string& name) {
    const auto found = connections.find(name);
    if (found != connections.end()) step.arguments.set(name, found->second);
  };
  if (host == StepHost::source || host == StepHost::both || is_archive) add("source");
  if (host == StepHost::target || host == StepHost::both || host == StepHost::source) add("target");
  if (host == StepHost::proxy || host == StepHost::both) add("proxies");
  if (host == StepHost::proxy) {
    add("source");
    add("target");
  }
  if (host == StepHost::dns) {
    add("addresses");
    add("proxies");
    add("target");
  }
}

/// Also where a step of the circle is switched off: it hands on what it would have waited for.
std::vector<std::size_t> circle_among(const std::vector<ProcedureStep>& steps) {
  std::vector<std::vector<std::size_t>> later(steps.size());
  std::vector<std::size_t> waiting(steps.size());
  std::vector<std::size_t> ready;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    waiting[i] = steps[i].after.size();
    for (const std::size_t earlier : steps[i].after) later[earlier].push_back(i);
    if (waiting[i] == 0) ready.push_back(i);
  }
  std::size_t left = steps.size();
  while (!ready.empty()) {
    const std::size_t step = ready.back();
    ready.pop_back();
    --left;
    for (const std::size_t next : later[step]) {
      if (--waiting[next] == 0) ready.push_back(next);
    }
  }
  if (left == 0) return {};
  return ir::cycle_among(
      steps.size(), [&](std::size_t step) { return waiting[step] != 0; },
      [&](std::size_t step) -> const auto& { return steps[step].after; });
}

}  // namespace plan::lower
