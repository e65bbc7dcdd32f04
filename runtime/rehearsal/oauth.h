#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "runtime/net/http_server.h"

namespace plan::rehearsal {

struct World;

/// Codes and tokens that were given out. Kept in memory: a restart forgets them, as a new key of
/// the real server does.
struct OAuthGrants {
  struct Grant {
    std::string login = {};  ///< whose, as `log_in` names it
    std::string client_id = {};
    std::string redirect_uri = {};
    std::int64_t issued_at = 0;  ///< seconds since 1970
    std::int64_t expires_at = 0;
  };
  std::map<std::string, Grant, std::less<>> codes = {};  ///< each good once
  std::map<std::string, Grant, std::less<>> access = {};
  std::map<std::string, Grant, std::less<>> refresh = {};
};

/// Who an access token stands for; nothing when it is none of ours or over. The lock is held.
[[nodiscard]] std::optional<std::string> login_of_token(const World& world, std::string_view token);

/// `/api/auth`, `/auth/...` and the two discovery documents (reference/stalwart-admin.md 3.1; RFC
/// 6749, RFC 8414, RFC 7662, RFC 8628). Nothing when the path is none of these. Takes the lock.
[[nodiscard]] std::optional<net::HttpServerResponse> answer_oauth(
    World& world, const net::HttpServerRequest& request);

}  // namespace plan::rehearsal
