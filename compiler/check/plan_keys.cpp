#include "compiler/check/plan_keys.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/check/blocks.h"
#include "compiler/check/kind_of_source.h"
#include "compiler/check/store_plan.h"
#include "compiler/ir/json.h"
#include "compiler/source/text.h"

namespace plan::check {
namespace {

using ir::Value;

constexpr std::string_view kExpression = R"(\$\{)";

Value string_schema(std::string pattern = {}) {
  Value schema = Value::map({{"type", "string"}});
  if (!pattern.empty()) schema.set("pattern", fmt::format("^(?:{})$|{}", pattern, kExpression));
  return schema;
}

Value texts_schema() { return Value::map({{"type", "array"}, {"items", string_schema()}}); }

Value words_schema(const std::vector<std::string_view>& words) {
  Value list = Value::list();
  for (const std::string_view word : words) list.push_back(word);
  return Value::map({{"enum", std::move(list)}});
}

Value number_schema(std::int64_t minimum, std::int64_t maximum) {
  // The bounds are those of a number, the pattern is that of a text.
  Value number = Value::map({{"type", Value::list({"integer", "string"})}, {"minimum", minimum}});
  if (maximum != INT64_MAX) number.set("maximum", maximum);
  number.set("pattern", kExpression);
  return number;
}

/// `special` where the value is of its type, else `otherwise`: what is wrong is said at its own
/// place, where `anyOf` would say that nothing fits.
Value either(Value special, Value otherwise) {
  return Value::map({{"if", Value::map({{"type", special["type"]}})},
                     {"then", special},
                     {"else", std::move(otherwise)}});
}

std::string name_of_type(const Field& field) {
  switch (field.type) {
    case FieldType::text:
      return "text";
    case FieldType::host:
      return "host name or IP address";
    case FieldType::url:
      return "URL with https";
    case FieldType::control:
      return "`unix:PATH` or URL with https";
    case FieldType::path:
      return "path";
    case FieldType::word: {
      std::string words;
      for (const std::string_view word : field.choices)
        words += fmt::format("{}`{}`", words.empty() ? "" : ", ", word);
      return "one of " + words;
    }
    case FieldType::port:
      return "port";
    case FieldType::count:
      return fmt::format("number from {} to {}", field.minimum, field.maximum);
    case FieldType::boolean:
      return "`true` or `false`";
    case FieldType::duration_ms:
      return "duration (`30s`)";
    case FieldType::time_ms:
      return "moment (`2026-12-01T02:00:00Z`)";
    case FieldType::permille:
      return "share (`5%`)";
    case FieldType::bytes:
      return "size (`50MiB`)";
    case FieldType::secret:
      return "secret (`!secret env:NAME`)";
    case FieldType::pin:
      return "SHA-256 of a certificate, or `!lock certificate`";
    case FieldType::texts:
      return "list of texts";
    case FieldType::block:
      return "block";
  }
  return "text";
}

Value schema_of_type(const Field& field) {
  switch (field.type) {
    case FieldType::word:
      return words_schema(field.choices);
    case FieldType::port:
      return number_schema(1, 65535);
    case FieldType::count:
      return number_schema(field.minimum, field.maximum);
    case FieldType::boolean:
      return Value::map({{"type", Value::list({"boolean", "string"})}});
    case FieldType::duration_ms:
      return string_schema("[0-9]+(?:ms|s|m|h|d)");
    case FieldType::bytes:
      return string_schema("[0-9]+(?:B|[KMGT]iB|kB|[MGT]B)");
    case FieldType::permille:
      return string_schema("[0-9]{1,3}(?:[.][0-9])?%");
    case FieldType::texts:
      return texts_schema();
    default:
      return string_schema();
  }
}

std::string shown(const Field& field) {
  const Value& value = field.fallback;
  if (field.type == FieldType::duration_ms)
    return show_duration_ms(static_cast<std::uint64_t>(value.integer_or(0)));
  return value.is_string() ? std::string(value.string_or("")) : ir::write_json(value);
}

std::vector<PlanKey> keys_of(const std::vector<Field>& fields);

PlanKey key_of(const Field& field) {
  PlanKey key;
  key.name = field.name;
  key.is_required = field.is_required;
  key.keys = keys_of(field.fields);
  key.what = name_of_type(field);
  if (field.is_required) {
    key.what += ", required";
  } else if (!field.fallback.is_null() && !shown(field).empty()) {
    key.what += fmt::format(", {} unless it is given", shown(field));
  }
  if (field.type != FieldType::block) key.schema = schema_of_type(field);
  return key;
}

std::vector<PlanKey> keys_of(const std::vector<Field>& fields) {
  std::vector<PlanKey> keys;
  for (const Field& field : fields) keys.push_back(key_of(field));
  return keys;
}

PlanKey block(std::string name, std::string what, bool is_required, std::vector<PlanKey> keys,
              bool is_list = false) {
  PlanKey key;
  key.name = std::move(name);
  key.what = std::move(what);
  key.is_required = is_required;
  key.is_list = is_list;
  key.keys = std::move(keys);
  return key;
}

PlanKey leaf(std::string name, std::string what, bool is_required, Value schema) {
  PlanKey key = block(std::move(name), std::move(what), is_required, {});
  key.schema = std::move(schema);
  return key;
}

/// `operator`, or a command.
PlanKey address_key(const std::vector<Field>& command) {
  PlanKey key = block("address", "`operator`, or a command", false, keys_of(command));
  key.schema = words_schema({"operator"});
  return key;
}

PlanKey use_key(std::string what) {
  PlanKey key =
      block("use", std::move(what), true,
            {leaf("module", "its name", true, string_schema()),
             leaf("as", "what stands in front of the ids of its steps", false, string_schema()),
             leaf("digest", "SHA-256 of its text", false, string_schema("sha256:[0-9a-f]+")),
             leaf("with", "values of its inputs", false, Value::map({{"type", "object"}}))});
  key.schema = string_schema();  // a module may be named by itself
  return key;
}

PlanKey findings_key() {
  return block("findings", "diagnostics that have another severity at one place, or are silenced",
               false, keys_of(finding_fields()), true);
}

PlanKey make_keys() {
  PlanKey plan;
  plan.name = "plan";
  PlanKey from =
      block("from", "where the accounts are: a file, or a list of addresses", true,
            {leaf("passwd_file", "path of a passwd-file of the source", false, string_schema()),
             leaf("stalwart", "`principals`: the users of a Stalwart that is the source", false,
                  words_schema({"principals"})),
             leaf("csv", "path of a csv file beside the plan", false, string_schema()),
             leaf("list", "addresses", false, texts_schema())});
  from.schema = texts_schema();
  const std::vector<Field> finalize_command = {Field{"run", FieldType::texts, true}};
  plan.keys = {
      leaf("plan", "version of the plan: 1", true, Value::map({{"const", 1}})),
      leaf("name", "name of the migration; the lock belongs to it", true, string_schema()),
      use_key("the procedure: `std/dovecot-postfix`, or a module in the plan's folder"),
      block("addresses", "where each part answers", true, keys_of(address_fields())),
      block("hosts", "how plan reaches the machines", false, keys_of(host_fields())),
      block("source", "the old server", true, keys_of(source_fields())),
      block("target", "the new server", true, keys_of(target_fields())),
      block("proxies", "the migration proxies; all are flipped together", true,
            keys_of(proxy_fields()), true),
      leaf("domains", "every domain that moves", true, texts_schema()),
      block("accounts", "who moves", true,
            {std::move(from),
             leaf("except", "addresses or `@domains` that stay", false, texts_schema()),
             leaf("without_password", "accounts that move without their password", false,
                  texts_schema())}),
      block(
          "waves", "in which order accounts move", false,
          {leaf("name", "name of the wave", true, string_schema()),
           leaf("accounts", "who is in it; without, all that are left", false, texts_schema()),
           leaf("parallel", "accounts at a time", false, number_schema(1, 1000)),
           leaf("hold", "`approval` keeps it from beginning", false, words_schema({"approval"})),
           leaf("start_after", "moment before which it does not begin", false, string_schema()),
           leaf("complete_after", "moment before which nobody is flipped", false, string_schema()),
           block("stop_when", "what stops it", false, keys_of(stop_fields())),
           block("clients", "what its clients, which load all mail again, may take of the network",
                 false, keys_of(clients_fields()))},
          true),
      block("move", "the bounds of one account's move", false, keys_of(move_fields())),
      block("cutover", "who points the public name at the proxies", true,
            {address_key(cutover_fields())}),
      block("finalize", "who points the public name at the target", false,
            {address_key(finalize_command), leaf("hold", "`approval`, or `none` to go on by itself",
                                                 false, words_schema({"approval", "none"}))}),
      findings_key(),
      leaf("rollback_points", "places to go back to", false,
           Value::map(
               {{"type", "array"},
                {"items", words_schema({"before-cutover", "each-account", "before-finalize"})}})),
  };
  return plan;
}

PlanKey make_store_keys() {
  PlanKey plan;
  const auto place = [](const char* name, const char* what) {
    return block(name, what, false, keys_of(store_place_fields()));
  };
  std::vector<PlanKey> store = keys_of(store_fields());
  store.push_back(place("from", "where the data is; without, what the configuration names"));
  store.push_back(place("to", "where it shall be"));
  std::vector<PlanKey> dump = keys_of(dump_fields());
  for (PlanKey& key : dump) {
    if (key.name != "subspaces") continue;
    key.what = "`all`, or a list of families, names or letters";
    key.schema = either(texts_schema(), words_schema({"all"}));
  }
  std::vector<PlanKey> server = keys_of(store_server_fields());
  for (PlanKey& key : server) {
    if (key.name != "ports") continue;
    key.what = "ports on which the server answers";
    key.schema = Value::map({{"type", "array"}, {"items", number_schema(1, 65535)}});
  }
  plan.keys = {
      leaf("plan", "version of the plan: 1", true, Value::map({{"const", 1}})),
      leaf("name", "name of the move; the lock belongs to it", true, string_schema()),
      use_key("the procedure: `std/store-move`, or a module in the plan's folder"),
      block("hosts", "how plan reaches the machine", false, keys_of(store_host_fields())),
      block("target", "the server", true, std::move(server)),
      block("dump", "what is dumped, and where to", false, std::move(dump), true),
      findings_key(),
      block("store", "where the server's data goes", false, std::move(store)),
      leaf("rollback_points", "places to go back to", false,
           Value::map({{"type", "array"}, {"items", words_schema(store_plan_points())}})),
  };
  return plan;
}

Value schema_of(const PlanKey& key) {
  if (key.keys.empty()) {
    Value schema = key.schema;
    if (!key.what.empty()) schema.set("description", key.what);
    return schema;
  }
  Value properties = Value::map();
  Value required = Value::list();
  for (const PlanKey& inner : key.keys) {
    properties.set(inner.name, schema_of(inner));
    if (inner.is_required) required.push_back(inner.name);
  }
  Value object = Value::map(
      {{"type", "object"}, {"properties", std::move(properties)}, {"additionalProperties", false}});
  if (required.size() > 0) object.set("required", std::move(required));
  if (key.is_list) object = Value::map({{"type", "array"}, {"items", std::move(object)}});
  if (!key.schema.is_null()) object = either(std::move(object), key.schema);
  if (!key.what.empty()) object.set("description", key.what);
  return object;
}

}  // namespace

const PlanKey& plan_keys() {
  static const PlanKey kPlan = make_keys();
  return kPlan;
}

const PlanKey& plan_keys_of_store() {
  static const PlanKey kPlan = make_store_keys();
  return kPlan;
}

namespace {

const PlanKey* find_below(const PlanKey* key, const std::vector<std::string>& path) {
  for (const std::string& name : path) {
    const auto found = std::find_if(key->keys.begin(), key->keys.end(),
                                    [&](const PlanKey& inner) { return inner.name == name; });
    if (found == key->keys.end()) return nullptr;
    key = &*found;
  }
  return key;
}

}  // namespace

const PlanKey* find_plan_key(const std::vector<std::string>& path) {
  const PlanKey* key = find_below(&plan_keys(), path);
  return key != nullptr ? key : find_below(&plan_keys_of_store(), path);
}

namespace {

/// `use` names this procedure, with or without a mapping around it.
Value uses(std::string_view procedure) {
  const Value name = Value::map({{"const", procedure}});
  return Value::map(
      {{"properties",
        Value::map({{"use", either(Value::map({{"type", "object"},
                                               {"properties", Value::map({{"module", name}})}}),
                                   name)}})},
       {"required", Value::list({"use"})}});
}

}  // namespace

Value plan_json_schema() {
  // As read_plan tells the two kinds of plans apart. What is wrong is said of the one that it is.
  const Value has_part =
      Value::map({{"anyOf", Value::list({Value::map({{"required", Value::list({"dump"})}}),
                                         Value::map({{"required", Value::list({"store"})}})})},
                  {"not", uses(kDovecotPostfix)}});
  Value schema =
      Value::map({{"if", Value::map({{"anyOf", Value::list({uses("std/store-move"), has_part})}})},
                  {"then", schema_of(plan_keys_of_store())},
                  {"else", schema_of(plan_keys())}});
  schema.set("$schema", "https://json-schema.org/draft/2020-12/schema");
  schema.set("title", "migration.yaml");
  return schema;
}

}  // namespace plan::check
