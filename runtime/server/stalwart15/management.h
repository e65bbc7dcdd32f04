#pragma once
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/ir/value.h"
#include "compiler/source/result.h"
#include "runtime/net/http_client.h"

namespace plan::server::stalwart15 {

/// Keys and values of settings, as the server has them: everything is text.
using Settings = std::map<std::string, std::string>;

/// One `POST /api/settings`: operations in the order in which the server does them. It is no
/// transaction: what comes before a failure stays done.
class SettingsWrite {
 public:
  /// Overwrites what is there.
  void insert(std::string key, std::string value);
  void remove(std::vector<std::string> keys);
  /// Everything below `key`. The server takes a bare prefix, so the dot is added here: without it
  /// `server.listener.imap` would take `server.listener.imaptls` along, and nothing would take all.
  void clear_below(std::string_view key);

  [[nodiscard]] bool is_empty() const { return operations_.size() == 0; }
  [[nodiscard]] const ir::Value& operations() const { return operations_; }

 private:
  ir::Value operations_ = ir::Value::list();
};

/// What is loaded again. A word that the server does not know reloads everything, so there are no
/// others than these.
enum class Reload : std::uint8_t { everything, lookups, dry_run };

/// The management interface of a Stalwart 0.13 to 0.15 (reference/stalwart-v015-api.md). A failure
/// may come with status 200, so the body decides. No body is ever part of a message: listings hold
/// keys and passwords in clear.
class Management {
 public:
  explicit Management(std::unique_ptr<net::HttpClient> http) : http_(std::move(http)) {}

  /// "0.15.5". Errors: old-server-version for a server without this interface or of another
  /// version, login-refused.
  [[nodiscard]] Result<std::string> version();
  /// Those of `keys` that are there, and everything below each of `prefixes`, by whole keys.
  [[nodiscard]] Result<Settings> read(const std::vector<std::string>& keys,
                                      const std::vector<std::string>& prefixes);
  /// Errors: old-server-call-failed (effect unknown: the first operations may be done).
  [[nodiscard]] Outcome write(const SettingsWrite& write);
  /// Errors: settings-broken with the first keys that the server names; nothing is loaded then.
  [[nodiscard]] Outcome reload(Reload what);

 private:
  [[nodiscard]] Result<ir::Value> call(const std::string& method, const std::string& target,
                                       std::string_view body, bool is_repeatable);

  std::unique_ptr<net::HttpClient> http_;
};

}  // namespace plan::server::stalwart15
