#include "runtime/net/jmap/client.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/net/errors.h"
#include "runtime/net/jmap/errors.h"
#include "runtime/net/jmap/limits.h"

namespace plan::net::jmap {
namespace {

constexpr int kQueryAttemptsMax = 3;
constexpr std::size_t kQueryPage = 5000;
constexpr std::size_t kEnvelopeBytes = 512;  // "using", "methodCalls" and brackets, generously

std::size_t limit_of(const ir::Value& core, std::string_view name, std::size_t fallback,
                     std::size_t most) {
  const std::int64_t advertised = core[name].integer_or(static_cast<std::int64_t>(fallback));
  if (advertised <= 0) return 1;  // a server that takes nothing: let it refuse the first object
  return std::min<std::size_t>(static_cast<std::size_t>(advertised), most);
}

/// "https://mail.example.org/jmap/" -> "/jmap/"; a path stays as it is; anything else is empty.
std::string path_of(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme != std::string_view::npos) {
    const std::size_t slash = url.find('/', scheme + 3);
    return slash == std::string_view::npos ? std::string("/") : std::string(url.substr(slash));
  }
  return url.starts_with('/') && !url.starts_with("//") ? std::string(url) : std::string();
}

std::string fill(std::string text, std::string_view name, std::string_view value) {
  const std::string token = fmt::format("{{{}}}", name);
  const std::size_t at = text.find(token);
  if (at != std::string::npos) text.replace(at, token.size(), percent_encode(value));
  return text;
}

std::string capability_of(std::string_view type) {
  if (type.starts_with("x:")) return std::string(kRegistry);
  if (type.starts_with("Sieve")) return std::string(kSieve);
  if (type.starts_with("Blob")) return std::string(kBlob);
  if (type.starts_with("Quota")) return std::string(kQuota);
  return std::string(kMail);
}

CallOptions with_capability(CallOptions options, std::string_view type) {
  if (options.capabilities.empty()) options.capabilities.push_back(capability_of(type));
  return options;
}

/// Ids of the earlier calls that this one takes results from (RFC 8620, 3.7).
std::vector<std::string> referenced_calls(const Call& call) {
  std::vector<std::string> ids;
  for (const auto& [key, value] : call.arguments.members()) {
    if (key.starts_with('#') && value["resultOf"].is_string())
      ids.push_back(value["resultOf"].as_string());
  }
  return ids;
}

/// How many of the calls from `first` on must travel together because later ones refer to earlier
/// ones.
std::size_t unit_length(const std::vector<Call>& calls, std::size_t first) {
  std::size_t end = first + 1;
  for (std::size_t i = first + 1; i < calls.size(); ++i) {
    for (const std::string& id : referenced_calls(calls[i])) {
      for (std::size_t k = first; k < end; ++k) {
        if (calls[k].id == id) end = i + 1;
      }
    }
  }
  return end - first;
}

std::string call_text(const Call& call) {
  ir::Value arguments = call.arguments.is_null() ? ir::Value::map() : call.arguments;
  return ir::write_json(ir::Value::list({call.method, std::move(arguments), call.id}));
}

Error not_json_error(const HttpResponse& response, Effect effect, Blame blame,
                     const std::string& origin) {
  const std::string type = response.content_type.empty() ? std::string("no media type")
                                                         : printable(response.content_type, 80);
  const bool is_called_json = type.find("json") != std::string::npos;
  return Error(net::errors::not_json,
               is_called_json ? fmt::format("{} calls its answer {}, and it cannot be read as that",
                                            origin, type)
                              : fmt::format("{} answered with {} instead of JSON", origin, type))
      .with_effect(effect)
      .with_blame(blame);
}

Error misfit(std::string message, Effect effect, Blame blame) {
  return Error(net::errors::protocol_violation, std::move(message))
      .with_effect(effect)
      .with_blame(blame);
}

ir::JsonLimits answer_limits() {
  return {.bytes_max = kAnswerBytesMax, .depth_max = kAnswerDepthMax};
}

}  // namespace

std::string Session::primary_account(std::string_view capability) const {
  return std::string(document["primaryAccounts"][capability].string_or({}));
}

bool Session::has_capability(std::string_view capability) const {
  if (document["capabilities"].members().contains(capability)) return true;
  for (const auto& [id, account] : document["accounts"].members()) {
    if (account["accountCapabilities"].members().contains(capability)) return true;
  }
  return document["primaryAccounts"].members().contains(capability);
}

std::string SetResult::created_id(std::string_view creation_id) const {
  return std::string(created[creation_id]["id"].string_or({}));
}

Client::Client(std::shared_ptr<HttpClient> http, Blame blame, Clock& clock)
    : http_(std::move(http)), blame_(blame), clock_(clock) {
  PLAN_CHECK(http_ != nullptr, "a JMAP client needs its transport");
}

Result<std::shared_ptr<const Session>> Client::session(Deadline deadline) {
  {
    const std::lock_guard lock(mutex_);
    if (session_) return session_;
  }
  // A wrong password is told once, however many steps begin with it: the server counts.
  const std::lock_guard turn(login_mutex_);
  {
    const std::lock_guard lock(mutex_);
    if (session_) return session_;
  }
  return fetch(deadline);
}

Result<std::shared_ptr<const Session>> Client::refresh(Deadline deadline) {
  return fetch(deadline);
}

Result<std::shared_ptr<const Session>> Client::fetch(Deadline deadline) {
  HttpRequest request;
  request.target = "/.well-known/jmap";
  request.accept = "application/json";
  request.is_repeatable = true;
  request.body_bytes_max = kSessionBytesMax;
  request.stall_timeout = kSessionSilenceMax;
  request.deadline = deadline;
  auto answer = send(request);
  // Before the cutover the server may name itself by a host that clients do not reach yet; the path
  // is the same.
  if (!answer && (answer.error().is(net::errors::redirected_elsewhere) ||
                  answer.error().is(net::errors::http_status))) {
    request.target = "/jmap/session";
    answer = send(request);
  }
  if (!answer) return std::move(answer).while_doing("fetching the JMAP session").error();

  const std::string& origin = http_->origin();
  auto document =
      ir::parse_json(answer->body, {.bytes_max = kSessionBytesMax, .depth_max = kAnswerDepthMax});
  if (!document || !document->is_map())
    return not_json_error(*answer, Effect::none, blame_, origin);
  auto session = std::make_shared<Session>();
  session->document = std::move(*document);
  const ir::Value& fields = session->document;
  session->username = printable(fields["username"].string_or({}), 320);
  session->state = std::string(fields["state"].string_or({}));
  if (session->username.empty()) {
    return Error(net::errors::login_refused,
                 fmt::format("{} answers, but as to somebody without a login", origin))
        .with_blame(blame_);
  }
  const ir::Value& core = fields["capabilities"][kCore];
  if (!core.is_map())
    return misfit(fmt::format("{} sends a session without the JMAP core capability", origin),
                  Effect::none, blame_);
  const Limits fallback;
  session->limits = Limits{
      .objects_in_get = limit_of(core, "maxObjectsInGet", fallback.objects_in_get, kObjectsMax),
      .objects_in_set = limit_of(core, "maxObjectsInSet", fallback.objects_in_set, kObjectsMax),
      .calls_in_request = limit_of(core, "maxCallsInRequest", fallback.calls_in_request, kCallsMax),
      .request_bytes = limit_of(core, "maxSizeRequest", fallback.request_bytes, kRequestBytesMax),
      .upload_bytes = limit_of(core, "maxSizeUpload", fallback.upload_bytes, std::size_t{1} << 32U),
      .concurrent_uploads = limit_of(core, "maxConcurrentUpload", fallback.concurrent_uploads, 64),
      .concurrent_requests =
          limit_of(core, "maxConcurrentRequests", fallback.concurrent_requests, 64),
  };
  session->api_path = path_of(fields["apiUrl"].string_or({}));
  session->upload_path = path_of(fields["uploadUrl"].string_or({}));
  session->download_path = path_of(fields["downloadUrl"].string_or({}));
  if (session->api_path.empty())
    return misfit(fmt::format("{} sends a session without apiUrl", origin), Effect::none, blame_);

  const std::lock_guard lock(mutex_);
  session_ = session;
  return std::shared_ptr<const Session>(session);
}

Result<HttpResponse> Client::send(const HttpRequest& request) {
  {
    const std::lock_guard lock(mutex_);
    if (is_refused_) {
      return Error(net::errors::login_refused,
                   fmt::format("{} refused this login before; plan does not try it again",
                               http_->origin()))
          .with_blame(blame_);
    }
  }
  std::chrono::milliseconds waited{0};
  std::chrono::milliseconds backoff{100};
  for (;;) {
    PLAN_TRY(response, http_->send(request));
    if (response.is_success()) return std::move(response);
    if (response.status == 401 || response.status == 402) {
      const std::lock_guard lock(mutex_);
      is_refused_ = true;
    }
    Error error = judge(response);
    if (!error.is(errors::rate_limited)) {
      // What changes nothing has had no effect, whatever went wrong on the server.
      const bool is_read = request.is_repeatable || request.method == "GET";
      if (is_read && response.status >= 500)
        return std::move(error).with_effect(Effect::none).with_retry_after(std::chrono::seconds(1));
      return error;
    }
    const auto wait = std::max(error.retry_after(), backoff);
    backoff = std::min<std::chrono::milliseconds>(backoff * 2, std::chrono::seconds(5));
    if (waited + wait > kWaitMax) return error;
    const int left = request.deadline.left_ms();
    if (left >= 0 && wait >= std::chrono::milliseconds(left)) return error;
    clock_.sleep_for(wait);
    waited += wait;
  }
}

Error Client::judge(const HttpResponse& response) const {
  // `detail` of the real server's 400 is the whole request body, passwords included: only type,
  // title, limit are used.
  auto problem =
      ir::parse_json(response.body, {.bytes_max = kSessionBytesMax, .depth_max = kAnswerDepthMax});
  const ir::Value document = problem ? std::move(*problem) : ir::Value();
  std::string_view type = document["type"].string_or({});
  constexpr std::string_view kPrefix = "urn:ietf:params:jmap:error:";
  if (type.starts_with(kPrefix)) type.remove_prefix(kPrefix.size());
  const std::string limit = printable(document["limit"].string_or({}), 60);
  const std::string& origin = http_->origin();
  switch (response.status) {
    case 400:
      if (type == "limit" && limit.starts_with("maxConcurrent")) {
        return Error(
                   errors::rate_limited,
                   fmt::format("{} is busy with other requests of this login ({})", origin, limit))
            .with_blame(blame_)
            .with_retry_after(std::chrono::milliseconds(100));
      }
      if (type == "limit") {
        return Error(errors::too_large,
                     fmt::format("a request is over the limit {} of {}", limit, origin))
            .with_blame(blame_);
      }
      return Error(errors::request_not_understood,
                   fmt::format("{} refused a request: {}", origin,
                               type.empty() ? "status 400" : printable(type, 60)))
          .with_blame(blame_);
    case 401:
      return Error(net::errors::login_refused,
                   fmt::format("{} refused the name or the password", origin))
          .with_blame(blame_);
    case 402:
      return Error(net::errors::login_refused,
                   fmt::format("{} wants a second factor for this login", origin))
          .with_blame(blame_);
    case 403:
      return Error(errors::not_permitted,
                   fmt::format("{} does not let this login in, or has banned this address", origin))
          .with_blame(blame_);
    case 413:
      return Error(errors::too_large, fmt::format("a request is larger than {} takes", origin))
          .with_blame(blame_);
    case 429:
    case 503: {
      HttpResponse bare;
      bare.status = response.status;
      bare.headers = response.headers;
      return Error(errors::rate_limited,
                   fmt::format("{} asks to come later (status {})", origin, response.status))
          .with_blame(blame_)
          .with_retry_after(http_error(bare, blame_).retry_after());
    }
    default: {
      HttpResponse bare;  // without the body, which may quote what was sent
      bare.status = response.status;
      bare.target = response.target;
      return http_error(bare, blame_).while_doing("asking " + origin);
    }
  }
}

Result<std::vector<Answer>> Client::call(std::vector<Call> calls, const CallOptions& options) {
  for (std::size_t i = 0; i < calls.size(); ++i) {
    if (calls[i].id.empty()) calls[i].id = fmt::format("c{}", i);
  }
  PLAN_TRY(session, this->session(options.deadline));
  const Limits& limits = session->limits;
  std::vector<Answer> answers;
  std::size_t next = 0;
  while (next < calls.size()) {
    std::vector<Call> batch;
    std::string body;
    while (next < calls.size()) {
      const std::size_t length = unit_length(calls, next);
      std::string text;
      for (std::size_t i = next; i < next + length; ++i)
        text += (body.empty() && text.empty() ? "" : ",") + call_text(calls[i]);
      const bool is_too_many = batch.size() + length > limits.calls_in_request;
      const bool is_too_big = body.size() + text.size() + kEnvelopeBytes > limits.request_bytes;
      if (!batch.empty() && (is_too_many || is_too_big)) break;
      if (is_too_many) {
        return Error(
                   errors::too_large,
                   fmt::format("{} calls that belong together, the server takes {} in one request",
                               length, limits.calls_in_request))
            .with_blame(blame_);
      }
      if (is_too_big) {
        return Error(errors::too_large,
                     fmt::format("a call of {} has {}, the server takes {} in one request",
                                 calls[next].method, show_bytes(text.size()),
                                 show_bytes(limits.request_bytes)))
            .with_blame(blame_);
      }
      body += text;
      for (std::size_t i = next; i < next + length; ++i) batch.push_back(calls[i]);
      next += length;
    }
    auto more = send_batch(*session, batch, std::move(body), options);
    if (!more) {
      Error error = std::move(more).error();
      if (!options.is_read_only && !answers.empty())
        std::move(error).with_effect(Effect::unknown).with_retry(Retry::never);
      return error;
    }
    for (Answer& answer : *more) answers.push_back(std::move(answer));
  }
  return answers;
}

Result<std::vector<Answer>> Client::send_batch(const Session& session,
                                               const std::vector<Call>& calls, std::string body,
                                               const CallOptions& options) {
  std::string text = fmt::format("{{\"using\":[\"{}\"", kCore);
  for (const std::string& capability : options.capabilities) {
    if (capability != kCore) text += "," + ir::write_json(capability);
  }
  text += "],\"methodCalls\":[";
  text += body;
  text += "]";
  if (options.created_ids.is_map())
    text += ",\"createdIds\":" + ir::write_json(options.created_ids);
  text += "}";

  HttpRequest request;
  request.method = "POST";
  request.target = session.api_path;
  request.body = text;
  request.content_type = "application/json";
  request.accept = "application/json";
  request.is_repeatable = options.is_read_only;
  request.body_bytes_max = kAnswerBytesMax;
  request.deadline = options.deadline;
  auto sent = send(request);
  // A path prefix of STALWART_PUBLIC_URL stands in the advertised path but is not served directly.
  if (!sent && sent.error().is(net::errors::http_status) && sent.error().effect() == Effect::none &&
      session.api_path != "/jmap/") {
    request.target = "/jmap/";
    sent = send(request);
  }
  if (!sent) return std::move(sent).error();

  const Effect effect = options.is_read_only ? Effect::none : Effect::unknown;
  auto document = ir::parse_json(sent->body, answer_limits());
  if (!document || !document->is_map())
    return not_json_error(*sent, effect, blame_, http_->origin());
  std::set<std::string> open;
  std::set<std::string> known;
  for (const Call& call : calls) open.insert(call.id);
  known = open;
  std::vector<Answer> answers;
  for (const ir::Value& entry : (*document)["methodResponses"].items()) {
    const bool is_shaped = entry.size() == 3 && entry.item(0).is_string() &&
                           entry.item(1).is_map() && entry.item(2).is_string();
    if (!is_shaped || !known.contains(entry.item(2).as_string())) {
      return misfit(fmt::format("{} sends an answer that belongs to no call", http_->origin()),
                    effect, blame_);
    }
    open.erase(entry.item(2).as_string());
    answers.push_back(Answer{.method = entry.item(0).as_string(),
                             .arguments = entry.item(1),
                             .id = entry.item(2).as_string()});
  }
  if (!open.empty()) {
    return misfit(fmt::format("{} left {} of {} calls without an answer", http_->origin(),
                              open.size(), calls.size()),
                  effect, blame_);
  }
  const std::string_view state = (*document)["sessionState"].string_or({});
  if (!state.empty() && !session.state.empty() && state != session.state) {
    const std::lock_guard lock(mutex_);
    // Limits may have changed; the next call looks. Only once for each state, in case a server
    // spells the two differently.
    if (session_ && session_->state == session.state && last_state_ != state) session_.reset();
    last_state_ = std::string(state);
  }
  return answers;
}

Result<ir::Value> Client::call_one(std::string method, ir::Value arguments,
                                   const CallOptions& options) {
  const std::string name = method;
  const std::string account = printable(arguments["accountId"].string_or({}), 60);
  std::vector<Call> calls;
  calls.push_back(Call{.method = std::move(method), .arguments = std::move(arguments), .id = {}});
  PLAN_TRY(answers, call(std::move(calls), with_capability(options, name)));
  Answer& answer = answers.front();
  if (answer.is_error()) {
    Error error = method_error(answer.arguments, name, options.is_read_only, blame_);
    if (error.is(errors::account_missing))
      return std::move(error).while_doing(fmt::format("asking for account id `{}`", account));
    return error;
  }
  return std::move(answer.arguments);
}

Result<ir::List> Client::get(std::string_view type, std::string_view account_id,
                             const std::vector<std::string>& ids,
                             const std::vector<std::string>& properties,
                             const CallOptions& options) {
  CallOptions reading = with_capability(options, type);
  reading.is_read_only = true;
  PLAN_TRY(session, this->session(options.deadline));
  const std::size_t page = session->limits.objects_in_get;
  ir::List objects;
  for (std::size_t begin = 0; begin < ids.size(); begin += page) {
    ir::Value arguments = ir::Value::map();
    if (!account_id.empty()) arguments.set("accountId", account_id);
    ir::List wanted;
    for (std::size_t i = begin; i < std::min(begin + page, ids.size()); ++i)
      wanted.emplace_back(ids[i]);
    arguments.set("ids", std::move(wanted));
    if (!properties.empty()) {
      ir::List names;
      for (const std::string& property : properties) names.emplace_back(property);
      arguments.set("properties", std::move(names));
    }
    PLAN_TRY(answer, call_one(std::string(type) + "/get", std::move(arguments), reading));
    if (!answer["list"].is_list())
      return misfit(fmt::format("{}/get answers without a list", type), Effect::none, blame_);
    for (const ir::Value& object : answer["list"].items()) objects.push_back(object);
  }
  return objects;
}

Result<std::vector<std::string>> Client::query(std::string_view type, std::string_view account_id,
                                               const ir::Value& filter, const ir::Value& sort,
                                               const CallOptions& options) {
  CallOptions reading = with_capability(options, type);
  reading.is_read_only = true;
  for (int attempt = 0; attempt < kQueryAttemptsMax; ++attempt) {
    std::vector<std::string> ids;
    std::string state;
    bool is_changed = false;
    for (std::size_t page = 0; page < kPagesMax; ++page) {
      ir::Value arguments = ir::Value::map();
      if (!account_id.empty()) arguments.set("accountId", account_id);
      if (!filter.is_null()) arguments.set("filter", filter);
      if (!sort.is_null()) arguments.set("sort", sort);
      arguments.set("position", static_cast<std::int64_t>(ids.size()));
      arguments.set("limit", static_cast<std::int64_t>(kQueryPage));
      arguments.set("calculateTotal", true);
      PLAN_TRY(answer, call_one(std::string(type) + "/query", std::move(arguments), reading));
      if (!answer["ids"].is_list())
        return misfit(fmt::format("{}/query answers without ids", type), Effect::none, blame_);
      const std::string now(answer["queryState"].string_or({}));
      if (page > 0 && now != state) {
        is_changed = true;
        break;
      }
      state = now;
      for (const ir::Value& id : answer["ids"].items()) ids.emplace_back(id.string_or({}));
      const std::int64_t total = answer["total"].integer_or(-1);
      const bool is_last = answer["ids"].size() == 0 ||
                           (total >= 0 && ids.size() >= static_cast<std::size_t>(total));
      if (is_last) return ids;
    }
    if (!is_changed) break;
  }
  return misfit(fmt::format(
                    "{}/query does not come to an end: the objects change while they are listed",
                    type),
                Effect::none, blame_)
      .with_retry_after(std::chrono::seconds(1));
}

Result<SetResult> Client::set(SetRequest request, Deadline deadline) {
  PLAN_TRY(session, this->session(deadline));
  const Limits& limits = session->limits;
  CallOptions options;
  options.deadline = deadline;
  options.capabilities.push_back(request.capability.empty() ? capability_of(request.type)
                                                            : request.capability);

  SetResult result;
  result.created = ir::Value::map();
  result.updated = ir::Value::map();
  // One flat list of what is to be done, in the server's own order: creates, updates, destroys.
  struct Item {
    SetFailure::Operation operation;
    std::string id;
    const ir::Value* value;
    std::size_t bytes;
  };
  std::vector<Item> items;
  for (const auto& [id, value] : request.create.members()) {
    items.push_back(
        {SetFailure::Operation::create, id, &value, ir::write_json(value).size() + id.size() + 8});
  }
  for (const auto& [id, value] : request.update.members()) {
    items.push_back(
        {SetFailure::Operation::update, id, &value, ir::write_json(value).size() + id.size() + 8});
  }
  for (const std::string& id : request.destroy)
    items.push_back({SetFailure::Operation::destroy, id, nullptr, id.size() + 8});

  ir::Value created_ids = ir::Value::map();
  bool is_first = true;
  for (std::size_t next = 0; next < items.size();) {
    ir::Value create = ir::Value::map();
    ir::Value update = ir::Value::map();
    ir::List destroy;
    std::size_t bytes = 2 * kEnvelopeBytes;
    const std::size_t begin = next;
    while (next < items.size() && next - begin < limits.objects_in_set &&
           (next == begin || bytes + items[next].bytes <= limits.request_bytes)) {
      const Item& item = items[next++];
      bytes += item.bytes;
      if (item.operation == SetFailure::Operation::create) create.set(item.id, *item.value);
      if (item.operation == SetFailure::Operation::update) update.set(item.id, *item.value);
      if (item.operation == SetFailure::Operation::destroy) destroy.emplace_back(item.id);
    }
    ir::Value arguments = ir::Value::map();
    if (!request.account_id.empty()) arguments.set("accountId", request.account_id);
    if (create.size() > 0) arguments.set("create", create);
    if (update.size() > 0) arguments.set("update", update);
    if (!destroy.empty()) arguments.set("destroy", ir::Value(destroy));
    for (const auto& [key, value] : request.more.members()) arguments.set(key, value);
    if (!is_first && created_ids.size() > 0) options.created_ids = created_ids;
    auto answered = call_one(request.type + "/set", std::move(arguments), options);
    if (!answered) {
      Error error = std::move(answered).error();
      if (!is_first) std::move(error).with_effect(Effect::unknown).with_retry(Retry::never);
      return error;
    }
    is_first = false;
    const ir::Value& answer = *answered;
    const auto fail = [&](SetFailure::Operation operation, const std::string& id,
                          const ir::Value& reason) {
      SetError error = parse_set_error(reason);
      if (error.type.empty()) error.type = "plan:silent";
      result.failures.push_back(
          SetFailure{.operation = operation, .id = id, .error = std::move(error)});
    };
    for (const auto& [id, value] : create.members()) {
      const ir::Value& made = answer["created"][id];
      if (!made.is_map()) {
        fail(SetFailure::Operation::create, id, answer["notCreated"][id]);
        continue;
      }
      result.created.set(id, made);
      created_ids.set(id, made["id"]);
    }
    for (const auto& [id, value] : update.members()) {
      if (answer["updated"].members().contains(id))
        result.updated.set(id, answer["updated"][id]);
      else
        fail(SetFailure::Operation::update, id, answer["notUpdated"][id]);
    }
    std::set<std::string_view> gone;
    for (const ir::Value& id : answer["destroyed"].items()) gone.insert(id.string_or({}));
    for (const ir::Value& id : destroy) {
      if (gone.contains(id.as_string()))
        result.destroyed.push_back(id.as_string());
      else
        fail(SetFailure::Operation::destroy, id.as_string(),
             answer["notDestroyed"][id.as_string()]);
    }
  }
  return result;
}

Result<std::string> Client::upload(std::string_view account_id, std::string_view bytes,
                                   std::string_view media_type, Deadline deadline) {
  PLAN_TRY(session, this->session(deadline));
  HttpRequest request;
  request.method = "POST";
  request.target = fill(session->upload_path, "accountId", account_id);
  request.body = bytes;
  request.content_type = std::string(media_type);
  request.accept = "application/json";
  request.is_repeatable = true;
  request.body_bytes_max = kSessionBytesMax;
  request.stall_timeout = kSessionSilenceMax;
  request.deadline = deadline;
  PLAN_TRY(response,
           send(request).while_doing(fmt::format("uploading {}", show_bytes(bytes.size()))));
  auto document = ir::parse_json(response.body);
  if (!document) return not_json_error(response, Effect::none, blame_, http_->origin());
  const std::string_view blob = (*document)["blobId"].string_or({});
  if (blob.empty())
    return misfit(fmt::format("{} answers an upload without blobId", http_->origin()), Effect::none,
                  blame_);
  return std::string(blob);
}

Result<std::string> Client::download(std::string_view account_id, std::string_view blob_id,
                                     std::size_t bytes_max, Deadline deadline) {
  PLAN_TRY(session, this->session(deadline));
  std::string path = fill(session->download_path, "accountId", account_id);
  path = fill(std::move(path), "blobId", blob_id);
  path = fill(std::move(path), "name", "blob");
  path = fill(std::move(path), "type", "application/octet-stream");
  HttpRequest request;
  request.target = std::move(path);
  request.is_repeatable = true;
  request.body_bytes_max = bytes_max;
  request.deadline = deadline;
  PLAN_TRY(response, send(request).while_doing("downloading a blob"));
  return std::move(response.body);
}

}  // namespace plan::net::jmap
