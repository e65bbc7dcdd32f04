#include "runtime/rehearsal/oauth.h"

#include <array>

#include "compiler/ir/digest.h"
#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/rehearsal/directory.h"
#include "runtime/rehearsal/http_front.h"
#include "runtime/rehearsal/password.h"

namespace plan::rehearsal {
namespace {

using net::HttpServerRequest;
using net::HttpServerResponse;

constexpr std::size_t kGrantsMax = 10'000;

HttpServerResponse json(const ir::Value& value, int status = 200) {
  HttpServerResponse out;
  out.status = status;
  out.content_type = "application/json; charset=utf-8";
  out.body = ir::write_json(value);
  return out;
}

HttpServerResponse problem(int status, std::string_view title, std::string_view detail) {
  HttpServerResponse out =
      json(ir::Value::map(
               {{"type", "about:blank"}, {"status", status}, {"title", title}, {"detail", detail}}),
           status);
  out.content_type = "application/problem+json";
  return out;
}

// What a cache in between must not keep.
HttpServerResponse unkept(const ir::Value& value) {
  HttpServerResponse out = json(value);
  out.headers.emplace_back("cache-control", "no-store, no-cache, must-revalidate");
  return out;
}

HttpServerResponse refused(std::string_view error) {
  return json(ir::Value::map({{"error", error}}), 400);
}

std::string url_safe(std::string_view bytes) {
  std::string out = ir::to_base64(bytes, true);
  while (out.ends_with('=')) out.pop_back();
  return out;
}

std::string new_token(const std::string& login) {
  return "sw1." + random_text(66) + "." + url_safe(login);
}

// The members of a form.
std::map<std::string, std::string, std::less<>> form_of(std::string_view body) {
  std::map<std::string, std::string, std::less<>> out;
  for (const std::string_view pair : split(body, '&')) {
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos) continue;
    std::string coded(pair.substr(equals + 1));
    for (char& c : coded)
      if (c == '+') c = ' ';
    const auto value = net::percent_decode(coded);
    out[std::string(pair.substr(0, equals))] = value ? *value : coded;
  }
  return out;
}

std::int64_t seconds_of(const World& world, std::string_view property, std::int64_t fallback_ms) {
  return world.live->singleton("x:OidcProvider")[property].integer_or(fallback_ms) / 1000;
}

class Endpoint {
 public:
  Endpoint(World& world, const HttpServerRequest& request) : world_(world), request_(request) {}

  // The login form of the web interface as an API: a code for whoever has the password.
  HttpServerResponse client_code() {
    const auto parsed = ir::parse_json(request_.body);
    if (!parsed || !(*parsed)["type"].is_string())
      return problem(400, "Invalid parameters", "JSON deserialization failed");
    const ir::Value& given = *parsed;
    const std::string redirect(given["redirectUri"].string_or(""));
    if (!redirect.starts_with("https://")) {
      HttpServerResponse out = problem(401, "Unauthorized", "You have to authenticate first.");
      out.headers.emplace_back("www-authenticate", "Basic realm=\"Stalwart Server\"");
      return out;
    }
    std::string password(given["accountSecret"].string_or(""));
    const std::string_view code = given["mfaToken"].string_or("");
    if (!code.empty()) password += "$" + std::string(code);
    const LoginResult result =
        log_in(world_, given["accountName"].string_or(""), password, request_.peer_address);
    if (result.outcome == LoginOutcome::second_factor)
      return unkept(ir::Value::map({{"type", "mfaRequired"}}));
    if (result.outcome != LoginOutcome::ok) return unkept(ir::Value::map({{"type", "failure"}}));
    const std::lock_guard lock(world_.mutex);
    const std::string name = random_text(40);
    make_room(world_.oauth.codes);
    world_.oauth.codes[name] = {
        result.login.name, std::string(given["clientId"].string_or("")), redirect,
        world_.now_seconds(), world_.now_seconds() + seconds_of(world_, "authCodeExpiry", 600'000)};
    return unkept(ir::Value::map(
        {{"type", "authenticated"}, {"client_code", name}, {"iss", public_url(world_)}}));
  }

  HttpServerResponse token() {
    const auto form = form_of(request_.body);
    const auto member = [&form](std::string_view name) {
      const auto found = form.find(name);
      return found == form.end() ? std::string{} : found->second;
    };
    const std::lock_guard lock(world_.mutex);
    const std::string grant = member("grant_type");
    if (grant == "authorization_code") {
      const auto known = world_.oauth.codes.find(member("code"));
      if (known == world_.oauth.codes.end()) return refused("access_denied");
      const OAuthGrants::Grant given = known->second;
      world_.oauth.codes.erase(known);
      if (given.client_id != member("client_id") || given.redirect_uri != member("redirect_uri") ||
          given.expires_at < world_.now_seconds())
        return refused("access_denied");
      return issued(given.login, given.client_id, true);
    }
    if (grant == "refresh_token") {
      const auto known = world_.oauth.refresh.find(member("refresh_token"));
      if (known == world_.oauth.refresh.end() || known->second.expires_at < world_.now_seconds())
        return refused("invalid_grant");
      return issued(known->second.login, known->second.client_id, false);
    }
    if (grant == "urn:ietf:params:oauth:grant-type:device_code")
      return refused("authorization_pending");
    return refused("invalid_grant");
  }

  HttpServerResponse introspect() {
    const auto form = form_of(request_.body);
    const std::lock_guard lock(world_.mutex);
    const auto given = form.find("token");
    const auto known =
        given == form.end() ? world_.oauth.access.end() : world_.oauth.access.find(given->second);
    if (known == world_.oauth.access.end() || known->second.expires_at < world_.now_seconds())
      return unkept(ir::Value::map({{"active", false}}));
    return unkept(ir::Value::map({{"active", true},
                                  {"username", known->second.login},
                                  {"token_type", "bearer"},
                                  {"exp", known->second.expires_at},
                                  {"iat", known->second.issued_at}}));
  }

  // Nobody can confirm it here: there is no web interface.
  HttpServerResponse device() {
    const std::lock_guard lock(world_.mutex);
    std::string code = random_text(8);
    for (char& c : code)
      if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    code.insert(4, "-");
    const std::string page = public_url(world_) + "/device";
    return unkept(ir::Value::map({{"device_code", random_text(40)},
                                  {"user_code", code},
                                  {"verification_uri", page},
                                  {"verification_uri_complete", page + "/?code=" + code},
                                  {"expires_in", seconds_of(world_, "userCodeExpiry", 1'800'000)},
                                  {"interval", 5}}));
  }

  HttpServerResponse metadata(bool is_openid) {
    const std::lock_guard lock(world_.mutex);
    const std::string base = public_url(world_);
    ir::Value out = ir::Value::map({{"issuer", base},
                                    {"authorization_endpoint", base + "/login"},
                                    {"token_endpoint", base + "/auth/token"},
                                    {"registration_endpoint", base + "/auth/register"},
                                    {"device_authorization_endpoint", base + "/auth/device"}});
    ir::Value scopes = ir::Value::list({"openid", "offline_access"});
    for (const char* scope : {"mail", "contacts", "calendars"})
      scopes.push_back("urn:ietf:params:oauth:scope:" + std::string(scope));
    out.set("scopes_supported", std::move(scopes));
    out.set("response_types_supported", ir::Value::list({"code"}));
    out.set("grant_types_supported",
            ir::Value::list({"authorization_code", "refresh_token",
                             "urn:ietf:params:oauth:grant-type:device_code"}));
    out.set("token_endpoint_auth_methods_supported",
            ir::Value::list({"none", "client_secret_post", "client_secret_basic"}));
    out.set("code_challenge_methods_supported", ir::Value::list({"S256"}));
    out.set("authorization_response_iss_parameter_supported", true);
    if (!is_openid) {
      out.set("introspection_endpoint", base + "/auth/introspect");
      return json(out);
    }
    out.set("userinfo_endpoint", base + "/auth/userinfo");
    out.set("jwks_uri", base + "/auth/jwks.json");
    out.set("subject_types_supported", ir::Value::list({"public"}));
    ir::Value algorithms = ir::Value::list();
    for (const char* name : {"RS256", "RS384", "RS512", "ES256", "ES384", "PS256", "PS384", "PS512",
                             "HS256", "HS384", "HS512"})
      algorithms.push_back(name);
    out.set("id_token_signing_alg_values_supported", std::move(algorithms));
    out.set("claims_supported",
            ir::Value::list({"sub", "name", "preferred_username", "email", "email_verified"}));
    return json(out);
  }

 private:
  static void make_room(std::map<std::string, OAuthGrants::Grant, std::less<>>& grants) {
    if (grants.size() >= kGrantsMax) grants.erase(grants.begin());
  }

  HttpServerResponse issued(const std::string& login, const std::string& client,
                            bool with_refresh) {
    const std::int64_t now = world_.now_seconds();
    const std::int64_t life = seconds_of(world_, "accessTokenExpiry", 3'600'000);
    const std::string access = new_token(login);
    make_room(world_.oauth.access);
    world_.oauth.access[access] = {login, client, {}, now, now + life};
    ir::Value out =
        ir::Value::map({{"access_token", access}, {"token_type", "bearer"}, {"expires_in", life}});
    if (!with_refresh) return json(out);
    const std::string refresh = new_token(login);
    make_room(world_.oauth.refresh);
    world_.oauth.refresh[refresh] = {
        login, client, {}, now, now + seconds_of(world_, "refreshTokenExpiry", 2'592'000'000)};
    out.set("refresh_token", refresh);
    out.set("id_token", id_token(login, client, now));
    return json(out);
  }

  // Unsigned (RFC 7519, 6): a rehearsal vouches for nobody.
  std::string id_token(const std::string& login, const std::string& client,
                       std::int64_t now) const {
    const ir::Value head = ir::Value::map({{"alg", "none"}, {"typ", "JWT"}});
    const ir::Value claims =
        ir::Value::map({{"iss", public_url(world_)},
                        {"sub", login},
                        {"aud", client},
                        {"exp", now + seconds_of(world_, "idTokenExpiry", 900'000)},
                        {"iat", now},
                        {"preferred_username", login},
                        {"email", login}});
    return url_safe(ir::write_json(head)) + "." + url_safe(ir::write_json(claims)) + ".";
  }

  World& world_;
  const HttpServerRequest& request_;
};

}  // namespace

std::optional<std::string> login_of_token(const World& world, std::string_view token) {
  const auto known = world.oauth.access.find(token);
  if (known == world.oauth.access.end() || known->second.expires_at < world.now_seconds())
    return std::nullopt;
  return known->second.login;
}

std::optional<HttpServerResponse> answer_oauth(World& world, const HttpServerRequest& request) {
  Endpoint endpoint(world, request);
  const std::string& path = request.path;
  if (request.method == "GET") {
    if (path == "/.well-known/oauth-authorization-server") return endpoint.metadata(false);
    if (path == "/.well-known/openid-configuration" || path.starts_with("/api/discover/"))
      return endpoint.metadata(true);
    return std::nullopt;
  }
  if (request.method != "POST") return std::nullopt;
  if (path == "/api/auth") return endpoint.client_code();
  if (path == "/auth/token") return endpoint.token();
  if (path == "/auth/introspect") return endpoint.introspect();
  if (path == "/auth/device") return endpoint.device();
  return std::nullopt;
}

}  // namespace plan::rehearsal
