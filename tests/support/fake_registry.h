#pragma once
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "compiler/ir/value.h"
#include "runtime/net/http_client.h"

namespace plan::test {

/// A registry of `x:` objects behind an HttpClient, in memory: as much of Stalwart's behaviour as
/// the drivers depend on (reference/stalwart-admin.md 3), with faults on demand. It keeps its own
/// count of what was done to it.
class FakeRegistry final : public net::HttpClient {
 public:
  FakeRegistry();

  [[nodiscard]] Result<net::HttpResponse> send(const net::HttpRequest& request) override;
  [[nodiscard]] net::HttpCertificate certificate() const override { return {}; }
  [[nodiscard]] const std::string& origin() const override { return origin_; }

  /// Puts an object there as if it had always been; returns its id.
  std::string put(const std::string& type, ir::Value object);
  void put_singleton(const std::string& type, ir::Value object);
  /// All objects of a type.
  [[nodiscard]] std::vector<ir::Value> objects(const std::string& type) const;
  /// The object of a type whose member has this value; null when there is none.
  [[nodiscard]] ir::Value object(const std::string& type, const std::string& member,
                                 const ir::Value& value) const;
  void change(const std::string& type, const std::string& id, const std::string& member,
              ir::Value value);
  void erase(const std::string& type, const std::string& id);

  [[nodiscard]] int count(
      const std::string& method) const;  ///< calls of "x:Domain/set", actions as "ReloadSettings"
  [[nodiscard]] int writes() const;      ///< /set calls altogether

  /// The next `/set` of this type (without `x:`) is done and its reply lost.
  std::string lose_reply_of = {};
  /// The next `/set` of this type is done and then answered with this method error.
  std::pair<std::string, std::string> method_error_after = {};
  /// Actions that are refused: name -> object that is to blame.
  std::map<std::string, std::string> refused_actions = {};
  /// ReloadSettings is refused while SpamPyzor is enabled, as on a machine without DNS.
  bool pyzor_stops_reloads = false;
  /// Types (without `x:`) that the server's version does not have: every method of them is unknown.
  std::set<std::string> unknown_types = {};
  std::size_t objects_in_get = 500;
  std::size_t objects_in_set = 500;
  int status = 200;  ///< of every answer, when not 200

 private:
  using Objects = std::map<std::string, ir::Value>;
  [[nodiscard]] ir::Value answer(const std::string& method, const ir::Value& arguments);
  [[nodiscard]] ir::Value get(const std::string& type, const ir::Value& arguments);
  [[nodiscard]] ir::Value query(const std::string& type, const ir::Value& arguments);
  [[nodiscard]] ir::Value set(const std::string& type, const ir::Value& arguments);
  [[nodiscard]] ir::Value create(const std::string& type, ir::Value object);
  [[nodiscard]] ir::Value action(const ir::Value& arguments);
  [[nodiscard]] std::string new_id();

  mutable std::mutex mutex_;
  std::string origin_ = "https://target.test";
  std::map<std::string, Objects> types_;
  std::map<std::string, ir::Value> singletons_;
  std::map<std::string, int> counts_;
  int writes_ = 0;
  std::uint64_t next_id_ = 0;
};

/// Applies a patch as the registry does: whole members, and pointers into embedded objects, sets
/// and numbered lists.
void apply_patch(ir::Value& object, const ir::Value& patch);

}  // namespace plan::test
