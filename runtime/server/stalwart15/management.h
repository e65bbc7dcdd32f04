#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/ir/value.h"
#include "compiler/source/result.h"
#include "runtime/net/http_client.h"
#include "runtime/secret/secret.h"

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

/// Types of principals that are asked for. A word that the server does not know would mean all of
/// them, so there are no others than these.
enum class PrincipalType : std::uint8_t {
  individual,
  group,
  resource,
  location,
  list,
  tenant,
  role,
  domain,
  api_key,
  oauth_client,
};
/// "apiKey", as the interface spells it.
[[nodiscard]] std::string_view word_of(PrincipalType type);

/// The management interface of a Stalwart 0.13 to 0.15 (reference/stalwart-v015-api.md). A failure
/// may come with status 200, so the body decides. No body is ever part of a message: listings hold
/// keys and passwords in clear. Thread-safe.
class Management {
 public:
  explicit Management(std::unique_ptr<net::HttpClient> http) : http_(std::move(http)) {}

  /// SHA-256 (hex) of the certificate that the server showed last; empty for plain HTTP.
  [[nodiscard]] std::string certificate_sha256() const { return http_->certificate().sha256_hex; }
  /// "0.15.5". Errors: old-server-version for a server without this interface or of another
  /// version, login-refused.
  [[nodiscard]] Result<std::string> version();
  /// Those of `keys` that are there, and everything below each of `prefixes`, by whole keys.
  [[nodiscard]] Result<Settings> read(const std::vector<std::string>& keys,
                                      const std::vector<std::string>& prefixes);
  /// Errors: old-server-call-failed (effect unknown: the first operations may be done).
  [[nodiscard]] Outcome write(const SettingsWrite& write);
  /// All principals of one type, page by page, each a map with at least `name` and `type`. Those of
  /// users are secret material: hashes, clear texts, seeds of one-time codes. A list that
  /// changes while it is read is read again. Errors: old-server-call-failed, also for an answer
  /// that is no list of such principals.
  [[nodiscard]] Result<std::vector<ir::Value>> principals(PrincipalType type);
  /// Inserts one key below `prefix` when nothing is there below it, and says whether it did. The
  /// server looks and writes in two goes.
  [[nodiscard]] Result<bool> insert_into_empty(std::string_view prefix, std::string_view key,
                                               std::string_view value);
  /// As `principals`, with `name` and `emails` alone.
  [[nodiscard]] Result<std::vector<ir::Value>> names(PrincipalType type);
  /// One principal by its exact name; null when there is none. Secret material.
  [[nodiscard]] Result<ir::Value> principal(std::string_view name);
  /// Replaces the list in one member of a principal. Never `roles`, `memberOf` or `lists`: the
  /// server would drop the other two of them, so this takes no other than the one that is named
  /// here.
  [[nodiscard]] Outcome set_disabled_permissions(std::string_view name,
                                                 const std::vector<std::string>& permissions);
  /// One page of its queue, from the id `from` on: the raw objects. Errors: old-server-call-failed,
  /// also for an answer of another shape.
  struct QueuePage {
    std::vector<ir::Value> messages = {};
    bool is_running = true;  ///< false: somebody has paused it, and nothing leaves
  };
  [[nodiscard]] Result<QueuePage> queue_page(std::uint64_t from, std::size_t count);
  /// Takes a message out of the queue without a bounce. One that is gone does not matter.
  [[nodiscard]] Outcome cancel_message(std::uint64_t id);
  /// The first bytes of a stored message; empty when it is gone.
  [[nodiscard]] Result<std::string> message_text(std::string_view blob_hash, std::size_t bytes_max);
  /// Errors: settings-broken with the first keys that the server names; nothing is loaded then.
  [[nodiscard]] Outcome reload(Reload what);

 private:
  [[nodiscard]] Result<ir::Value> call(const std::string& method, const std::string& target,
                                       std::string_view body, bool is_repeatable);
  /// The whole answer, which may be one about an error.
  [[nodiscard]] Result<ir::Value> exchange(const std::string& method, const std::string& target,
                                           std::string_view body, bool is_repeatable);
  [[nodiscard]] Result<std::vector<ir::Value>> listed(PrincipalType type, std::string_view fields);
  /// Nothing: it changed on the way.
  [[nodiscard]] Result<std::optional<std::vector<ir::Value>>> pages(PrincipalType type,
                                                                    std::string_view fields);

  std::unique_ptr<net::HttpClient> http_;
};

/// A login at the management interface: `login` has `user` and `password`, a secret. Without a pin
/// the certificate has to be one that this machine trusts. Error: argument-missing.
[[nodiscard]] Result<std::unique_ptr<Management>> open_management(
    std::string_view url, const ir::Value& login, std::string_view certificate_sha256,
    secret::SecretSource& secrets);

}  // namespace plan::server::stalwart15
