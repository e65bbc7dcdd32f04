#include "runtime/server/stalwart15/management.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <unordered_set>

#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/server/stalwart15/errors.h"
#include "runtime/step/errors.h"

namespace plan::server::stalwart15 {
namespace {

using ir::Value;

constexpr std::chrono::seconds kCallTime{60};
/// Of one GET: the server reads whole request lines, a few thousand characters are safe.
constexpr std::size_t kQueryBytesMax = 3'000;
/// A body above 1 MiB is thrown away by the server, which then calls it empty JSON.
constexpr std::size_t kOperationsBytesMax = 900'000;
constexpr std::size_t kKeysShownMax = 3;
/// Of one page of principals: about 300 bytes each with their secrets.
constexpr std::size_t kPageSize = 500;
constexpr std::size_t kPrincipalsMax = 300'000;
constexpr std::size_t kNameBytesMax = 1'000;
/// How often a list is begun again because somebody was made or removed meanwhile.
constexpr int kListAttempts = 4;
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

/// No more than is needed: pictures are left out, secrets but those of users, and the `members` of
/// a domain, which cost the server a walk over all addresses for each domain.
std::string_view fields_of(PrincipalType type) {
  switch (type) {
    case PrincipalType::individual:
      return "name,emails,secrets,quota,usedQuota,roles,enabledPermissions,disabledPermissions";
    case PrincipalType::group:
    case PrincipalType::list:
      return "name,emails,members,externalMembers";
    case PrincipalType::role:
      return "name,roles,enabledPermissions,disabledPermissions";
    default:
      return "name";
  }
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

std::string_view word_of(PrincipalType type) {
  switch (type) {
    case PrincipalType::individual:
      return "individual";
    case PrincipalType::group:
      return "group";
    case PrincipalType::resource:
      return "resource";
    case PrincipalType::location:
      return "location";
    case PrincipalType::list:
      return "list";
    case PrincipalType::tenant:
      return "tenant";
    case PrincipalType::role:
      return "role";
    case PrincipalType::domain:
      return "domain";
    case PrincipalType::api_key:
      return "apiKey";
    case PrincipalType::oauth_client:
      return "oauthClient";
  }
  return "individual";
}

Result<Value> Management::exchange(const std::string& method, const std::string& target,
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
  auto answer = ir::parse_json(response.body);
  // A problem of the interface itself names no value of ours but in `detail`, which is left out.
  if (!response.is_success() || !answer || !answer->is_map()) {
    return failed(fmt::format("{} {} at {} is answered with status {}{}", method, path,
                              http_->origin(), response.status, answer ? "" : " and no JSON"))
        .with_effect(is_repeatable || response.status < 500 ? Effect::none : Effect::unknown);
  }
  return std::move(*answer);
}

Result<Value> Management::call(const std::string& method, const std::string& target,
                               std::string_view body, bool is_repeatable) {
  PLAN_TRY(whole, exchange(method, target, body, is_repeatable));
  const std::string_view path = std::string_view(target).substr(0, target.find('?'));
  const Value& error = whole["error"];
  if (!error.is_null()) {
    const std::string_view field = whole["field"].string_or("");
    return failed(fmt::format("{} {} fails: {}{}{}", method, path,
                              printable(error.string_or("?"), 80), field.empty() ? "" : " of ",
                              printable(field, 80)))
        .with_effect(is_repeatable ? Effect::none : Effect::unknown);
  }
  return whole["data"];
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

Result<std::vector<Value>> Management::principals(PrincipalType type) {
  return listed(type, fields_of(type));
}

Result<std::vector<Value>> Management::names(PrincipalType type) {
  return listed(type, "name,emails");
}

Result<std::vector<Value>> Management::listed(PrincipalType type, std::string_view fields) {
  for (int attempt = 0; attempt < kListAttempts; ++attempt) {
    PLAN_TRY(found, pages(type, fields));
    if (found) return std::move(*found);
  }
  return failed(fmt::format("the list of type {} changed {} times while it was read", word_of(type),
                            kListAttempts))
      .with_retry_after(std::chrono::seconds(30));
}

Result<std::optional<std::vector<Value>>> Management::pages(PrincipalType type,
                                                            std::string_view fields) {
  std::vector<Value> all;
  std::unordered_set<std::string> names;
  std::optional<std::int64_t> total;
  for (std::size_t page = 1;; ++page) {
    const std::string target = fmt::format("/api/principal?types={}&fields={}&page={}&limit={}",
                                           word_of(type), fields, page, kPageSize);
    PLAN_TRY(whole, exchange("GET", target, {}, true));
    // Somebody who is removed while the list is made ends it.
    if (whole["error"].string_or("") == "notFound") return std::optional<std::vector<Value>>();
    if (!whole["error"].is_null()) {
      return failed(fmt::format("GET /api/principal fails: {}",
                                printable(whole["error"].string_or("?"), 80)));
    }
    const Value& data = whole["data"];
    const std::int64_t count = data["total"].integer_or(-1);
    if (!data["items"].is_list() || count < 0 || data["items"].size() > kPageSize)
      return failed("GET /api/principal gives no page of principals");
    if (static_cast<std::uint64_t>(count) > kPrincipalsMax) {
      return failed(
          fmt::format("the old server says that it has {} principals of type {}, at most "
                      "{} are read",
                      count, word_of(type), kPrincipalsMax));
    }
    if (total && *total != count) return std::optional<std::vector<Value>>();
    total = count;
    for (const Value& item : data["items"].items()) {
      const Value& name = item["name"];
      if (!name.is_string() || name.as_string().empty() || name.as_string().size() > kNameBytesMax)
        return failed(fmt::format("GET /api/principal gives a {} without a name", word_of(type)));
      if (item["type"].string_or("") != word_of(type)) {
        return failed(fmt::format("GET /api/principal gives a `{}` where only `{}` was asked for",
                                  printable(item["type"].string_or("?"), 40), word_of(type)));
      }
      if (!names.insert(name.as_string()).second) return std::optional<std::vector<Value>>();
      all.push_back(item);
    }
    if (all.size() >= static_cast<std::uint64_t>(count)) break;
    if (data["items"].size() < kPageSize) return std::optional<std::vector<Value>>();
  }
  if (all.size() != static_cast<std::uint64_t>(*total)) return std::optional<std::vector<Value>>();
  return std::optional(std::move(all));
}

Result<Value> Management::principal(std::string_view name) {
  PLAN_TRY(whole, exchange("GET", "/api/principal/" + net::percent_encode(name), {}, true));
  const std::string_view error = whole["error"].string_or("");
  if (error == "notFound") return Value();
  if (!whole["error"].is_null())
    return failed(fmt::format("GET /api/principal/NAME fails: {}", printable(error, 80)));
  const Value& found = whole["data"];
  if (!found["name"].is_string() || !found["type"].is_string())
    return failed("GET /api/principal/NAME gives no principal");
  return found;
}

Outcome Management::set_disabled_permissions(std::string_view name,
                                             const std::vector<std::string>& permissions) {
  Value list = Value::list();
  for (const std::string& permission : permissions) list.push_back(permission);
  const Value changes = Value::list({Value::map(
      {{"action", "set"}, {"field", "disabledPermissions"}, {"value", std::move(list)}})});
  PLAN_TRY_VOID(call("PATCH", "/api/principal/" + net::percent_encode(name),
                     ir::canonical_json(changes), false));
  return {};
}

Result<bool> Management::insert_into_empty(std::string_view prefix, std::string_view key,
                                           std::string_view value) {
  const Value operations =
      Value::list({Value::map({{"type", "insert"},
                               {"prefix", prefix},
                               {"values", Value::list({Value::list({Value(key), Value(value)})})},
                               {"assert_empty", true}})});
  PLAN_TRY(whole, exchange("POST", "/api/settings", ir::canonical_json(operations), false));
  const std::string_view error = whole["error"].string_or("");
  if (error == "assertFailed") return false;
  if (whole["error"].is_null()) return true;
  return failed(fmt::format("POST /api/settings fails: {}", printable(error, 80)))
      .with_effect(Effect::unknown);
}

Result<Management::QueuePage> Management::queue_page(std::uint64_t from, std::size_t count) {
  PLAN_TRY(
      data,
      call("GET", fmt::format("/api/queue/messages?values=1&range-start={}&limit={}", from, count),
           {}, true));
  if (!data["items"].is_list() || data["items"].size() > count || !data["status"].is_bool())
    return failed("GET /api/queue/messages gives no page of messages");
  return QueuePage{.messages = data["items"].items(), .is_running = data["status"].bool_or(true)};
}

Outcome Management::cancel_message(std::uint64_t id) {
  net::HttpRequest request;
  request.method = "DELETE";
  request.target = fmt::format("/api/queue/messages/{}", id);
  request.is_repeatable = true;
  request.deadline = net::Deadline::after(kCallTime);
  PLAN_TRY(response, http_->send(request));
  if (response.status == 404) return {};
  const auto answer = ir::parse_json(response.body);
  if (response.is_success() && answer && (*answer)["error"].is_null()) return {};
  return failed(fmt::format("DELETE /api/queue/messages/ID is answered with status {}{}",
                            response.status, response.is_success() ? " and an error" : ""));
}

Result<std::string> Management::message_text(std::string_view blob_hash, std::size_t bytes_max) {
  net::HttpRequest request;
  request.target =
      fmt::format("/api/store/blobs/{}?limit={}", net::percent_encode(blob_hash), bytes_max);
  request.is_repeatable = true;
  request.body_bytes_max = bytes_max + 1'024;  // the problem of one that is gone is no blob
  request.deadline = net::Deadline::after(kCallTime);
  PLAN_TRY(response, http_->send(request));
  if (response.status == 404) return std::string();
  if (!response.is_success()) {
    return failed(
        fmt::format("GET /api/store/blobs/HASH is answered with status {}", response.status));
  }
  if (response.content_type == "application/json") return std::string();
  return std::move(response.body);
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

Result<std::unique_ptr<Management>> open_management(std::string_view url, const Value& login,
                                                    std::string_view certificate_sha256,
                                                    secret::SecretSource& secrets) {
  const Value& password = login["password"];
  if (!password.is_secret()) {
    return Error(step::errors::argument_missing, "the old server's login has no password")
        .with_blame(Blame::plan)
        .with_argument("password");
  }
  net::HttpOptions options;
  options.url = url;
  options.user = login["user"].string_or("");
  options.pinned_sha256_hex = certificate_sha256;
  options.blame = Blame::source;
  PLAN_TRY(secret, secrets.read(password.as_secret()));
  options.password = std::move(secret);
  PLAN_TRY(http, net::make_http_client(std::move(options)));
  return std::make_unique<Management>(std::move(http));
}

}  // namespace plan::server::stalwart15
