#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/ir/value.h"
#include "compiler/source/result.h"
#include "runtime/net/jmap/client.h"

namespace plan::server::stalwart {

/// The registry of a Stalwart 0.16 server: `x:` objects over JMAP (reference/stalwart-admin.md 3).
/// Types are named without `x:` ("Domain"). Knows the traps: `ids: null` truncates, the default
/// order of a query loses objects, an empty list of properties means all, ids that do not parse are
/// dropped silently, singletons are read by name. Thread-safe.
class Registry {
 public:
  explicit Registry(std::shared_ptr<net::jmap::Client> client) : client_(std::move(client)) {}

  /// All ids of a type, ascending, by pages with an anchor, compared with the total that the server
  /// counts.
  [[nodiscard]] Result<std::vector<std::string>> ids(std::string_view type,
                                                     const ir::Value& filter = {});
  /// All objects of a type, whole.
  [[nodiscard]] Result<ir::List> all(std::string_view type, const ir::Value& filter = {});
  [[nodiscard]] Result<ir::List> get(std::string_view type, const std::vector<std::string>& ids);
  /// One object by id; null when there is none.
  [[nodiscard]] Result<ir::Value> object(std::string_view type, const std::string& id);
  [[nodiscard]] Result<ir::Value> singleton(std::string_view type);
  /// The one object that has the members of `match` (of the wire); null when there is none. Uses a
  /// server-side filter where the type has one and always compares itself. Errors: several-matches.
  [[nodiscard]] Result<ir::Value> find(std::string_view type, const ir::Value& match);

  /// `what` names the object in errors ("Domain `example.org`"); `argument` is where its members
  /// stand in the step
  /// ("set"). A value must not hold SecretRefs any more. Returns the id.
  [[nodiscard]] Result<std::string> create(std::string_view type, const ir::Value& object,
                                           std::string_view what, std::string_view argument);
  [[nodiscard]] Outcome update(std::string_view type, const std::string& id, const ir::Value& patch,
                               std::string_view what, std::string_view argument);
  /// Gone already is fine.
  [[nodiscard]] Outcome destroy(std::string_view type, const std::string& id,
                                std::string_view what);
  /// Several objects at once: failures are values. See Client::set.
  [[nodiscard]] Result<net::jmap::SetResult> set(net::jmap::SetRequest request);
  /// One of the actions of 3.8; may be repeated. Errors: reload-refused (nothing is live),
  /// jmap-object-refused.
  [[nodiscard]] Outcome action(std::string_view name);

  [[nodiscard]] net::jmap::Client& client() { return *client_; }

 private:
  std::shared_ptr<net::jmap::Client> client_;
};

}  // namespace plan::server::stalwart
