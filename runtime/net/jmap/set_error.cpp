#include "runtime/net/jmap/set_error.h"

#include <fmt/format.h>

#include <array>

#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/net/jmap/errors.h"

namespace plan::net::jmap {
namespace {

constexpr std::size_t kListedMax = 16;
constexpr std::size_t kTextBytesMax = 400;

std::string text_of(const ir::Value& value) {
  return printable(value.string_or({}), kTextBytesMax);
}

ObjectRef parse_ref(const ir::Value& value) {
  return ObjectRef{.object = text_of(value["object"]), .id = text_of(value["id"])};
}

bool is_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// "aliases/2/name" below "set" -> "set.aliases[2].name".
std::string argument_path(std::string_view prefix, std::string_view pointer) {
  std::string path(prefix);
  if (pointer.empty()) return path;
  for (const std::string_view part : split(pointer, '/')) {
    if (part.empty()) continue;
    if (is_digits(part))
      path += fmt::format("[{}]", part);
    else
      path += fmt::format("{}{}", path.empty() ? "" : ".", part);
  }
  return path;
}

bool is_secret_like(std::string_view property) {
  constexpr std::array<std::string_view, 5> kWords = {"secret", "password", "credential", "otpauth",
                                                      "key"};
  const std::string lower = lower_ascii(property);
  for (const std::string_view word : kWords) {
    if (lower.find(word) != std::string::npos) return true;
  }
  return false;
}

std::string describe_violation(const ir::Value& violation) {
  const std::string type = text_of(violation["type"]);
  const std::string property = text_of(violation["property"]);
  if (type == "Required") return fmt::format("`{}` is required", property);
  const ir::Value& bound = violation["required"];
  if (type == "MinValue") return fmt::format("`{}` is below {}", property, ir::write_json(bound));
  if (type == "MaxValue") return fmt::format("`{}` is above {}", property, ir::write_json(bound));
  if (type == "MinLength")
    return fmt::format("`{}` has less than {} members or characters", property,
                       ir::write_json(bound));
  if (type == "MaxLength")
    return fmt::format("`{}` has more than {} members or characters", property,
                       ir::write_json(bound));
  if (is_secret_like(property)) return fmt::format("`{}` has a value that is refused", property);
  const std::string value = printable(ir::write_json(violation["value"]), 120);
  return fmt::format("`{}` is refused: {}", property, value);
}

struct Judgement {
  const ErrorCode* code = nullptr;
  std::string_view says = {};
};

Judgement judge(std::string_view type) {
  if (type == "primaryKeyViolation" || type == "alreadyExists")
    return {&errors::name_taken, "its name is taken"};
  if (type == "invalidForeignKey")
    return {&errors::reference_missing,
            "it refers to an object that is not there or of the wrong kind"};
  if (type == "objectIsLinked") return {&errors::object_in_use, "others refer to it"};
  if (type == "notFound" || type == "willDestroy")
    return {&errors::object_missing, "it is not there any more"};
  if (type == "forbidden") return {&errors::not_permitted, "the login may not do this"};
  if (type == "overQuota") return {&errors::over_quota, "a quota is used up"};
  if (type == "tooLarge") return {&errors::too_large, "it is larger than the server takes"};
  if (type == "rateLimit") return {&errors::rate_limited, "the server asks to wait"};
  if (type == "plan:silent")
    return {&errors::object_missing,
            "the server names it in no result, as it does with ids it cannot read"};
  return {&errors::object_refused, {}};
}

}  // namespace

std::string SetError::property() const {
  if (!properties.empty() && !properties.front().empty()) return properties.front();
  if (!violations.empty()) return text_of(violations.front()["property"]);
  return {};
}

SetError parse_set_error(const ir::Value& value) {
  SetError error;
  error.type = text_of(value["type"]);
  error.description = text_of(value["description"]);
  error.existing_id = text_of(value["existingId"]);
  error.object = parse_ref(value["objectId"]);
  for (const ir::Value& property : value["properties"].items()) {
    if (error.properties.size() == kListedMax) break;
    error.properties.push_back(text_of(property));
  }
  for (const ir::Value& linked : value["linkedObjects"].items()) {
    if (error.linked.size() == kListedMax) break;
    error.linked.push_back(parse_ref(linked));
  }
  for (const ir::Value& violation : value["validationErrors"].items()) {
    if (error.violations.size() == kListedMax) break;
    error.violations.push_back(violation);
  }
  return error;
}

Error to_error(const SetError& error, std::string_view what, std::string_view argument_prefix,
               Blame blame) {
  const Judgement judgement = judge(error.type);
  const bool is_taken = judgement.code == &errors::name_taken;
  std::string message(what);
  message += judgement.says.empty()
                 ? fmt::format(": the server refuses it ({})", printable(error.type, 60))
                 : fmt::format(": {}", judgement.says);
  for (const ir::Value& violation : error.violations)
    message += "; " + describe_violation(violation);
  if (error.violations.empty() && !error.property().empty())
    message += fmt::format(" because of `{}`", error.property());
  if (!error.object.object.empty()) {
    // Of a name that is taken the server tells who has it, else which object it is about.
    const std::string object = fmt::format("{} `{}`", error.object.object, error.object.id);
    message += is_taken ? fmt::format(", {} has it", object) : fmt::format(" ({})", object);
  }
  if (!error.existing_id.empty()) message += fmt::format(" (it is `{}`)", error.existing_id);
  for (std::size_t i = 0; i < error.linked.size(); ++i) {
    message +=
        fmt::format("{}{} `{}`", i == 0 ? ": " : ", ", error.linked[i].object, error.linked[i].id);
  }
  // The server's words about a secret may quote it.
  const bool may_quote = !is_secret_like(error.property());
  Error result = Error(*judgement.code, std::move(message)).with_blame(blame);
  if (may_quote) std::move(result).with_detail(error.description);
  if (error.is("rateLimit")) std::move(result).with_retry_after(std::chrono::seconds(10));
  const bool is_about_plan =
      judgement.code == &errors::object_refused || judgement.code == &errors::reference_missing;
  if (is_about_plan || !error.property().empty()) {
    std::move(result).with_argument(argument_path(argument_prefix, error.property()));
  }
  return result;
}

Error method_error(const ir::Value& arguments, std::string_view method, bool is_read_only,
                   Blame blame) {
  const std::string type = text_of(arguments["type"]);
  // Refused before the first object was looked at; everything else may have stopped in the middle
  // of a /set.
  constexpr std::array<std::string_view, 12> kRefusedAsAWhole = {
      "requestTooLarge", "unknownMethod",     "invalidArguments", "invalidResultReference",
      "forbidden",       "accountNotFound",   "accountReadOnly",  "accountNotSupportedByMethod",
      "stateMismatch",   "unsupportedFilter", "unsupportedSort",  "unknownDataType"};
  bool is_as_a_whole = false;
  for (const std::string_view known : kRefusedAsAWhole)
    is_as_a_whole = is_as_a_whole || type == known;
  const Effect effect = is_read_only || is_as_a_whole ? Effect::none : Effect::unknown;

  const ErrorCode* code = &errors::method_refused;
  if (type == "forbidden") code = &errors::not_permitted;
  if (type == "accountNotFound") code = &errors::account_missing;
  if (type == "requestTooLarge") code = &errors::too_large;
  Error error = Error(*code, fmt::format("{} was refused: {}", method,
                                         type.empty() ? "no reason given" : type))
                    .with_blame(blame)
                    .with_effect(effect);
  // The description of a failed /set can hold what was sent; a query holds no secret.
  if (is_read_only) std::move(error).with_detail(arguments["description"].string_or({}));
  if (type == "serverUnavailable" || type == "serverFail" || type == "serverPartialFail") {
    std::move(error).with_retry_after(std::chrono::seconds(1)).with_effect(effect);
  }
  return error;
}

}  // namespace plan::net::jmap
