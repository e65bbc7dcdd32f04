#include "runtime/server/stalwart15/management.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>

#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/server/stalwart15/errors.h"

namespace plan::server::stalwart15 {
namespace {

using ir::Value;

constexpr std::chrono::seconds kCallTime{60};
/// Of one GET: the server reads whole request lines, a few thousand characters are safe.
constexpr std::size_t kQueryBytesMax = 3'000;
/// A body above 1 MiB is thrown away by the server, which then calls it empty JSON.
constexpr std::size_t kOperationsBytesMax = 900'000;
constexpr std::size_t kKeysShownMax = 3;
constexpr int kMinorMin = 13;
constexpr int kMinorMax = 15;

/// The second number of "0.15.5"; -1 when there is none, or the first is not 0.
int minor_of(std::string_view version) {
  if (!version.starts_with("0.")) return -1;
  version.remove_prefix(2);
  int minor = -1;
  std::from_chars(version.data(), version.data() + version.size(), minor);
  return minor;
}

Error failed(std::string what) {
  return Error(errors::old_call_failed, std::move(what)).with_blame(Blame::source);
}

}  // namespace

void SettingsWrite::insert(std::string key, std::string value) {
  operations_.push_back(Value::map(
      {{"type", "insert"},
       {"prefix", nullptr},
       {"values", Value::list({Value::list({Value(std::move(key)), Value(std::move(value))})})},
       {"assert_empty", false}}));
}

void SettingsWrite::remove(std::vector<std::string> keys) {
  Value list = Value::list();
  for (std::string& key : keys) list.push_back(std::move(key));
  if (list.size() != 0) operations_.push_back(Value::map({{"type", "delete"}, {"keys", list}}));
}

void SettingsWrite::clear_below(std::string_view key) {
  operations_.push_back(Value::map({{"type", "clear"}, {"prefix", fmt::format("{}.", key)}}));
}

Result<Value> Management::call(const std::string& method, const std::string& target,
                               std::string_view body, bool is_repeatable) {
  net::HttpRequest request;
  request.method = method;
  request.target = target;
  request.body = body;
  if (!body.empty()) request.content_type = "application/json";
  request.is_repeatable = is_repeatable;
  request.deadline = net::Deadline::after(kCallTime);
  PLAN_TRY(response, http_->send(request));
  const std::string_view path = std::string_view(target).substr(0, target.find('?'));
  if (response.status == 401 || response.status == 403 || response.status == 429) {
    response.body.clear();
    return net::http_error(response, Blame::source);
  }
  const auto answer = ir::parse_json(response.body);
  // A problem of the interface itself names no value of ours but in `detail`, which is left out.
  if (!response.is_success() || !answer || !answer->is_map()) {
    return failed(fmt::format("{} {} is answered with status {}{}", method, path, response.status,
                              answer ? "" : " and no JSON"))
        .with_effect(is_repeatable || response.status < 500 ? Effect::none : Effect::unknown);
  }
  const Value& error = (*answer)["error"];
  if (!error.is_null()) {
    const std::string_view field = (*answer)["field"].string_or("");
    return failed(fmt::format("{} {} fails: {}{}{}", method, path,
                              printable(error.string_or("?"), 80), field.empty() ? "" : " of ",
                              printable(field, 80)))
        .with_effect(is_repeatable ? Effect::none : Effect::unknown);
  }
  return (*answer)["data"];
}

Result<std::string> Management::version() {
  auto data =
      call("POST", "/api/oauth", R"({"type":"code","client_id":"plan","redirect_uri":null})", true);
  if (!data) {
    if (!data.error().is(errors::old_call_failed)) return std::move(data).error();
    return Error(errors::old_version,
                 fmt::format("no Stalwart before 0.16 answers at {}", http_->origin()))
        .with_blame(Blame::source)
        .with_detail(data.error().to_line());
  }
  // The code that comes with it is good for a login, and is dropped here.
  std::string version((*data)["version"].string_or(""));
  const int minor = minor_of(version);
  if (minor >= kMinorMin && minor <= kMinorMax) return version;
  return Error(errors::old_version,
               fmt::format("the server at {} is `{}`", http_->origin(), printable(version, 40)))
      .with_blame(Blame::source);
}

Result<Settings> Management::read(const std::vector<std::string>& keys,
                                  const std::vector<std::string>& prefixes) {
  Settings found;
  std::string query;
  const auto ask = [&]() -> Outcome {
    if (query.empty()) return {};
    PLAN_TRY(data, call("GET", "/api/settings/keys?" + query, {}, true));
    if (!data.is_map()) return failed("GET /api/settings/keys gives no settings");
    for (const auto& [key, value] : data.members()) found[key] = value.string_or("");
    query.clear();
    return {};
  };
  // A pair without a value vanishes, and of two equal ones the last counts: commas in one of each.
  const auto add = [&](std::string_view name, const std::vector<std::string>& texts) -> Outcome {
    std::string part;
    for (const std::string& text : texts) {
      const std::string one = net::percent_encode(text);
      if (!part.empty() && part.size() + one.size() > kQueryBytesMax) {
        query = fmt::format("{}={}", name, part);
        PLAN_TRY_VOID(ask());
        part.clear();
      }
      part += part.empty() ? one : "," + one;
    }
    if (!part.empty()) query = fmt::format("{}={}", name, part);
    return ask();
  };
  PLAN_TRY_VOID(add("keys", keys));
  PLAN_TRY_VOID(add("prefixes", prefixes));
  return found;
}

Outcome Management::write(const SettingsWrite& write) {
  Value part = Value::list();
  std::size_t bytes = 0;
  const auto send = [&]() -> Outcome {
    if (part.size() == 0) return {};
    PLAN_TRY_VOID(call("POST", "/api/settings", ir::canonical_json(part), false));
    part = Value::list();
    bytes = 0;
    return {};
  };
  for (const Value& operation : write.operations().items()) {
    const std::size_t size = ir::canonical_json(operation).size();
    if (bytes + size > kOperationsBytesMax) PLAN_TRY_VOID(send());
    bytes += size;
    part.push_back(operation);
  }
  return send();
}

Outcome Management::reload(Reload what) {
  const char* target = what == Reload::dry_run   ? "/api/reload?dry-run=true"
                       : what == Reload::lookups ? "/api/reload/lookup"
                                                 : "/api/reload";
  PLAN_TRY(data, call("GET", target, {}, what == Reload::dry_run));
  const Value& broken = data["errors"];
  if (!broken.is_map()) return failed("GET /api/reload does not say what is broken");
  if (broken.members().empty()) return {};
  std::string keys;
  std::size_t count = 0;
  for (const auto& [key, error] : broken.members()) {
    if (++count > kKeysShownMax) break;
    keys += fmt::format("{}{}: {}", keys.empty() ? "" : "; ", printable(key, 120),
                        printable(error["error"].string_or(""), 200));
  }
  return Error(errors::settings_broken,
               fmt::format("the old server refuses to load its settings: {}", keys))
      .with_blame(Blame::source);
}

}  // namespace plan::server::stalwart15
