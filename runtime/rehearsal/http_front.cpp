#include "runtime/rehearsal/http_front.h"

#include <algorithm>
#include <array>

#include "compiler/ir/digest.h"
#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/rehearsal/dav_front.h"
#include "runtime/rehearsal/directory.h"
#include "runtime/rehearsal/ids.h"
#include "runtime/rehearsal/jmap.h"
#include "runtime/rehearsal/oauth.h"
#include "runtime/rehearsal/push.h"
#include "runtime/rehearsal/schema_facts.h"

namespace plan::rehearsal {
namespace {

using net::HttpServerRequest;
using net::HttpServerResponse;

constexpr std::size_t kUploadBytesMax = std::size_t{128} << 20U;
constexpr std::size_t kRequestBytesMax = std::size_t{16} << 20U;
constexpr std::int64_t kHourMs = 3'600'000;

HttpServerResponse json(const ir::Value& value, int status = 200) {
  HttpServerResponse out;
  out.status = status;
  out.content_type = status == 200 ? "application/json; charset=utf-8" : "application/problem+json";
  out.body = ir::write_json(value);
  return out;
}

HttpServerResponse problem(int status, std::string_view title, std::string_view detail) {
  return json(
      ir::Value::map(
          {{"type", "about:blank"}, {"status", status}, {"title", title}, {"detail", detail}}),
      status);
}

HttpServerResponse not_found() {
  return problem(404, "Not Found", "The requested resource does not exist on this server.");
}

HttpServerResponse unauthorized() {
  HttpServerResponse out = problem(401, "Unauthorized", "You have to authenticate first.");
  out.headers.emplace_back("www-authenticate", "Basic realm=\"Stalwart Server\"");
  return out;
}

HttpServerResponse redirect(int status, std::string_view location) {
  HttpServerResponse out;
  out.status = status;
  out.headers.emplace_back("location", location);
  return out;
}

struct Authenticated {
  std::optional<Login> login = {};
  std::optional<HttpServerResponse> refused = {};
};

Authenticated authenticate(World& world, const HttpServerRequest& request) {
  Authenticated out;
  const std::string_view header = request.header("authorization");
  const std::size_t blank = header.find(' ');
  const std::string scheme = lower_ascii(header.substr(0, blank));
  const std::string_view rest =
      blank == std::string_view::npos ? std::string_view{} : trim(header.substr(blank + 1));
  LoginResult result;
  if (scheme == "basic") {
    bool is_valid = false;
    const std::string decoded = ir::from_base64(rest, &is_valid);
    const std::size_t colon = decoded.find(':');
    if (is_valid && colon != std::string::npos)
      result =
          log_in(world, decoded.substr(0, colon), decoded.substr(colon + 1), request.peer_address);
  } else if (scheme == "bearer") {
    result = log_in_by_token(world, rest, request.peer_address);
  }
  switch (result.outcome) {
    case LoginOutcome::ok:
      out.login = std::move(result.login);
      break;
    case LoginOutcome::wrong:
      out.refused = unauthorized();
      break;
    case LoginOutcome::expired:
      // The real server does not ask for another login then.
      out.refused = problem(401, "Unauthorized", "You have to authenticate first.");
      break;
    case LoginOutcome::second_factor:
      out.refused = problem(402, "TOTP code required",
                            "A TOTP code is required to authenticate this account. Try "
                            "authenticating again using 'secret$totp_token'.");
      break;
    case LoginOutcome::forbidden:
      out.refused =
          problem(403, "Forbidden", "You do not have enough permissions to access this resource.");
      break;
  }
  return out;
}

HttpServerResponse limit_error(std::string_view limit, std::string_view detail) {
  return json(request_error("limit", detail, limit), 400);
}

HttpServerResponse upload(World& world, const Login& login, const HttpServerRequest& request,
                          std::string_view rest) {
  while (rest.ends_with('/')) rest.remove_suffix(1);
  const auto account = parse_id(rest);
  if (!account) return not_found();
  const std::lock_guard lock(world.mutex);
  const bool is_unlimited = login.may("unlimitedUploads");
  const bool is_over =
      request.is_body_too_large ||
      (!is_unlimited && static_cast<std::int64_t>(request.body.size()) >
                            limit_of(world, "x:Jmap", "maxUploadSize", 50'000'000));
  if (is_over)
    return limit_error("maxSizeUpload",
                       "The uploaded file is larger than the server is willing to process.");
  if (!is_unlimited) {
    std::int64_t bytes = 0;
    std::int64_t count = 0;
    if (const MailAccount* holder = world.mail.find(*account))
      for (const auto& [blob, each] : holder->uploads)
        if (each.at_ms > world.clock.wall_ms() - limit_of(world, "x:Jmap", "uploadTtl", kHourMs)) {
          bytes += static_cast<std::int64_t>(each.size);
          ++count;
        }
    if (bytes + static_cast<std::int64_t>(request.body.size()) >
            limit_of(world, "x:Jmap", "uploadQuota", 50'000'000) ||
        count >= limit_of(world, "x:Jmap", "maxUploadCount", 1000)) {
      const std::string files = std::to_string(limit_of(world, "x:Jmap", "maxUploadCount", 1000));
      const std::string size = std::to_string(limit_of(world, "x:Jmap", "uploadQuota", 50'000'000));
      HttpServerResponse out = problem(
          429, "Quota exceeded",
          "You have exceeded the blob upload quota of " + files + " files or " + size + " bytes.");
      out.headers.emplace_back("retry-after", "3600");
      out.headers.emplace_back("ratelimit-policy", "\"blob-upload-files\";q=" + files +
                                                       ", \"blob-upload-bytes\";q=" + size +
                                                       ";qu=\"content-bytes\"");
      out.headers.emplace_back(
          "ratelimit", "\"blob-upload-files\";r=0;t=3600, \"blob-upload-bytes\";r=0;t=3600");
      return out;
    }
  }
  const std::string hash = world.mail.put_blob(request.body);
  world.mail.upload(world.account(*account), hash, request.body.size());
  world.commit();
  const std::string_view type = request.header("content-type");
  return json(ir::Value::map(
      {{"accountId", encode_id(*account)},
       {"blobId", upload_blob_id(hash, *account)},
       {"type", type.empty() ? ir::Value("application/octet-stream") : ir::Value(type)},
       {"size", static_cast<std::int64_t>(request.body.size())}}));
}

HttpServerResponse download(World& world, const Login& login, const HttpServerRequest& request,
                            std::string_view rest) {
  const auto parts = split(rest, '/');
  if (parts.size() < 3) return not_found();
  const auto account = parse_id(parts[0]);
  if (!account) return not_found();
  const std::lock_guard lock(world.mutex);
  if (*account != login.account && !login.may("impersonate")) return not_found();
  const auto found = find_blob(world, login, *account, parts[1]);
  auto bytes = found ? read_blob(world, *found) : std::nullopt;
  if (!bytes) return not_found();
  HttpServerResponse out;
  out.body = std::move(*bytes);
  out.content_type = "application/octet-stream";
  for (const std::string_view pair : split(request.query, '&'))
    if (pair.starts_with("accept="))
      if (const auto type = net::percent_decode(pair.substr(7));
          type && type->find_first_of("\r\n") == std::string::npos && !type->empty())
        out.content_type = *type;
  if (!world.options.is_recovery_mode)
    out.headers.emplace_back("content-disposition",
                             "attachment; filename=\"" + std::string(parts[2]) + "\"");
  out.headers.emplace_back("cache-control", "private, immutable, max-age=31536000");
  return out;
}

HttpServerResponse serve_schema(World& world, std::string_view wanted) {
  const std::string& hash = world.schema->hash();
  if (wanted != hash) return redirect(302, "/api/schema/" + hash);
  HttpServerResponse out;
  out.content_type = "application/json";
  out.headers.emplace_back("content-encoding", "gzip");
  out.headers.emplace_back("cache-control", "public, max-age=31536000, immutable");
  out.body = world.schema->gzip();
  return out;
}

HttpServerResponse api(World& world, const Login& login, const HttpServerRequest& request) {
  const std::string type = lower_ascii(request.header("content-type"));
  if (!type.empty() && !type.starts_with("application/json"))
    return json(
        request_error("notJSON",
                      "Failed to parse JSON: The Content-Type header must be application/json."),
        400);
  {
    const std::lock_guard lock(world.mutex);
    if (request.is_body_too_large || static_cast<std::int64_t>(request.body.size()) >
                                         limit_of(world, "x:Jmap", "maxRequestSize", 10'000'000))
      return limit_error("maxSizeRequest",
                         "The request is larger than the server is willing to process.");
  }
  JmapResponse response = run_jmap(world, login, request.body, request.peer_address);
  if (response.is_dropped) {
    HttpServerResponse out;
    out.is_connection_dropped = true;
    return out;
  }
  return json(response.body, response.status);
}

// The limit of authenticated requests, for clients that are not exempt.
std::optional<HttpServerResponse> over_rate(World& world, const Login& login,
                                            const HttpServerRequest& request) {
  const std::lock_guard lock(world.mutex);
  if (world.options.is_recovery_mode || login.may("unlimitedRequests") ||
      is_exempt(world, request.peer_address))
    return std::nullopt;
  const ir::Value& rate = world.live->singleton("x:Http")["rateLimitAuthenticated"];
  if (!rate.is_map()) return std::nullopt;
  if (world.throttles.take("http\n" + encode_id(login.account), world.clock.wall_ms(),
                           rate["count"].integer_or(1000), rate["period"].integer_or(60'000)))
    return std::nullopt;
  HttpServerResponse out = json(
      ir::Value::map(
          {{"type", "about:blank"},
           {"status", 429},
           {"title", "Too Many Requests"},
           {"detail", "Your request has been rate limited. Please try again in a few seconds."}}),
      429);
  out.headers.emplace_back("retry-after", "60");
  out.headers.emplace_back("ratelimit-policy",
                           "\"requests\";q=" + std::to_string(rate["count"].integer_or(1000)));
  out.headers.emplace_back("ratelimit", "\"requests\";r=0;t=60");
  return out;
}

// Fixed answers to paths that need no login.
std::optional<HttpServerResponse> static_answer(World& world, const HttpServerRequest& request) {
  const auto text = [](std::string body) {
    HttpServerResponse out;
    out.content_type = "text/plain";
    out.body = std::move(body);
    return out;
  };
  const auto moved = [](std::string_view location) {
    HttpServerResponse out = redirect(307, location);
    out.headers.insert(out.headers.begin(), {"cache-control", "no-cache"});
    return out;
  };
  const std::string& path = request.path;
  if (path == "/.well-known/jmap")
    return request.method == "GET" ? moved("/jmap/session") : not_found();
  if (request.method != "GET") return std::nullopt;
  if (path == "/.well-known/caldav") return moved("/dav/cal");
  if (path == "/.well-known/carddav") return moved("/dav/card");
  if (path == "/robots.txt") return text("User-agent: *\nDisallow: /\n");
  if (path == "/.well-known/mta-sts.txt") {
    const std::lock_guard lock(world.mutex);
    const auto& settings = world.registry.all("x:SystemSettings");
    const std::string mx(settings.empty()
                             ? std::string_view{}
                             : settings.begin()->second["defaultHostname"].string_or(""));
    return text("version: STSv1\r\nmode: testing\r\nmax_age: 604800\r\nmx: " + mx + "\r\n");
  }
  if (path == "/login") {
    HttpServerResponse out;
    out.content_type = "text/html; charset=utf-8";
    out.body = "<!doctype html><title>plan</title><p>A rehearsal target has no web interface.\n";
    return out;
  }
  return std::nullopt;
}

// Paths of the real server that only programs use: 404 instead of the web application's redirect.
bool is_program_path(std::string_view path) {
  constexpr std::array<std::string_view, 7> kPrefixes = {
      "/api", "/jmap", "/.well-known", "/auth/", "/healthz", "/metrics", "/dav/"};
  return std::any_of(kPrefixes.begin(), kPrefixes.end(),
                     [path](std::string_view prefix) { return path.starts_with(prefix); });
}

// The same below some prefix: what a client asks for that was told a public URL with one.
bool has_parent_of_program(std::string_view path) {
  const std::size_t slash = path.find('/', 1);
  return slash != std::string_view::npos && is_program_path(path.substr(slash));
}

HttpServerResponse route(World& world, const HttpServerRequest& request) {
  const std::string_view path = request.path == "/jmap/session/" ? std::string_view("/jmap/session")
                                                                 : std::string_view(request.path);
  const std::string& method = request.method;
  if (method == "OPTIONS") {
    HttpServerResponse out;
    out.status = 204;
    return out;
  }
  if (path == "/healthz/live" || path == "/healthz/ready") {
    HttpServerResponse out = json(ir::Value::map(
        {{"type", "about:blank"}, {"status", 200}, {"title", "OK"}, {"detail", "OK"}}));
    out.content_type = "application/problem+json";
    return out;
  }
  if (auto answer = static_answer(world, request)) return *answer;
  if (auto answer = answer_oauth(world, request)) return *answer;
  const bool has_login = request.has_header("authorization");
  if (path == "/jmap/session" && method == "GET" && !has_login)
    return json(jmap_session(world, nullptr));
  const bool is_known = path == "/jmap" || path == "/jmap/" || path == "/jmap/session" ||
                        path.starts_with("/jmap/upload/") || path.starts_with("/jmap/download/") ||
                        path == "/api/schema" || path.starts_with("/api/schema/") ||
                        is_push_path(path) || is_dav_path(path);
  if (path == "/api/account" && !has_login) return unauthorized();
  if (!is_known) {
    if (is_program_path(path) || has_parent_of_program(path)) return not_found();
    if (path == "/") return redirect(302, "/account");
    return path.ends_with('/') ? not_found() : redirect(302, std::string(path) + "/");
  }
  if (path == "/jmap/session" && method != "GET") return not_found();
  if ((path == "/jmap" || path == "/jmap/") && method != "POST") return not_found();
  if (path.starts_with("/jmap/upload/") && method != "POST") return not_found();
  if ((path.starts_with("/jmap/download/") || is_push_path(path)) && method != "GET")
    return not_found();
  if (!has_login) return unauthorized();
  const Authenticated who = authenticate(world, request);
  if (who.refused) return *who.refused;
  if (auto refused = over_rate(world, *who.login, request)) return *refused;
  if (path == "/jmap/session") return json(jmap_session(world, &*who.login));
  if (is_dav_path(path)) return answer_dav(world, *who.login, request);
  if (is_push_path(path)) return answer_push(world, *who.login, request);
  if (path.starts_with("/api/schema"))
    return serve_schema(world, path.size() > 12 ? path.substr(12) : std::string_view{});
  if (path.starts_with("/jmap/upload/")) return upload(world, *who.login, request, path.substr(13));
  if (path.starts_with("/jmap/download/"))
    return download(world, *who.login, request, path.substr(15));
  return api(world, *who.login, request);
}

}  // namespace

std::size_t body_limit(const HttpServerRequest& head) {
  return head.path.starts_with("/jmap/upload/") ? kUploadBytesMax : kRequestBytesMax;
}

namespace {

// Behind a trusted proxy the client is whom the header names (Http.useXForwarded).
std::string client_address(const World& world, const HttpServerRequest& request) {
  if (!world.live->singleton("x:Http")["useXForwarded"].bool_or(false)) return request.peer_address;
  const std::string_view named = trim(
      request.header("x-forwarded-for").substr(0, request.header("x-forwarded-for").find(',')));
  return named.empty() ? request.peer_address : std::string(named);
}

}  // namespace

HttpServerResponse answer_http(World& world, const HttpServerRequest& given) {
  HttpServerRequest request = given;
  HttpServerResponse out;
  bool is_banned = false;
  {
    const std::lock_guard lock(world.mutex);
    if (is_blocked(world, given.peer_address)) {
      out.is_connection_dropped = true;
      return out;
    }
    request.peer_address = client_address(world, given);
    is_banned = is_blocked(world, request.peer_address);
  }
  out = is_banned ? problem(403, "Forbidden",
                            "You do not have enough permissions to access this resource.")
                  : route(world, request);
  out.headers.emplace_back("server", "plan-rehearsal-target");
  if (world.options.is_recovery_mode) {
    out.headers.emplace_back("access-control-allow-origin", "*");
    out.headers.emplace_back("access-control-allow-headers",
                             "Authorization, Content-Type, Accept, X-Requested-With");
    out.headers.emplace_back("access-control-allow-methods",
                             "POST, GET, PATCH, PUT, DELETE, HEAD, OPTIONS");
  }
  return out;
}

}  // namespace plan::rehearsal
