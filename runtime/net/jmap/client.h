#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/ir/value.h"
#include "compiler/source/result.h"
#include "runtime/net/clock.h"
#include "runtime/net/http_client.h"
#include "runtime/net/jmap/set_error.h"

namespace plan::net::jmap {

inline constexpr std::string_view kCore = "urn:ietf:params:jmap:core";
inline constexpr std::string_view kMail = "urn:ietf:params:jmap:mail";
inline constexpr std::string_view kSieve = "urn:ietf:params:jmap:sieve";
inline constexpr std::string_view kBlob = "urn:ietf:params:jmap:blob";
inline constexpr std::string_view kQuota = "urn:ietf:params:jmap:quota";
inline constexpr std::string_view kRegistry = "urn:stalwart:jmap";

/// What a server advertises in its core capability (RFC 8620, section 2), cut to our own bounds
/// (limits.h).
struct Limits {
  std::size_t objects_in_get = 500;
  std::size_t objects_in_set = 500;
  std::size_t calls_in_request = 16;
  std::size_t request_bytes = 10'000'000;
  std::size_t upload_bytes = 50'000'000;
  std::size_t concurrent_uploads = 4;
  std::size_t concurrent_requests = 4;
};

struct Session {
  std::string username = {};
  std::string state = {};
  Limits limits = {};
  std::string api_path =
      {};  ///< "/jmap/": paths only; the host is ours (reference/stalwart-admin.md 3.1)
  std::string upload_path = {};    ///< template with {accountId}
  std::string download_path = {};  ///< template with {accountId}, {blobId}, {type}, {name}
  ir::Value document = {};         ///< the whole of it

  /// Account that is primary for a capability; empty when there is none.
  [[nodiscard]] std::string primary_account(std::string_view capability) const;
  /// Is it advertised, for the server or for any account?
  [[nodiscard]] bool has_capability(std::string_view capability) const;
};

struct Call {
  std::string method = {};   ///< "Email/get"
  ir::Value arguments = {};  ///< a map; result references as "#ids": {resultOf, name, path}
  std::string id = {};       ///< empty: numbered by the client ("c0", "c1", ...)
};

struct Answer {
  std::string method = {};
  ir::Value arguments = {};
  std::string id = {};
  [[nodiscard]] bool is_error() const { return method == "error"; }
};

struct CallOptions {
  /// The calls change nothing: a lost connection is tried again, errors have effect none.
  bool is_read_only = false;
  /// Capabilities; core is added. An unknown one makes the real server refuse the whole request.
  std::vector<std::string> capabilities = {};
  /// Creation ids of earlier requests that these calls refer to ({cid: id}); null: none are sent.
  ir::Value created_ids = {};
  Deadline deadline = Deadline::never();
};

/// One failure of a batched /set.
struct SetFailure {
  enum class Operation : std::uint8_t { create, update, destroy };
  Operation operation = Operation::create;
  std::string id = {};  ///< creation id or object id
  /// type `plan:silent` when the server named the id in no result at all, as it does with ids that
  /// do not parse.
  SetError error = {};
};

struct SetRequest {
  std::string type = {};        ///< "x:Domain", "Mailbox"
  std::string account_id = {};  ///< empty: not sent (registry objects)
  ir::Value create = {};        ///< map of creation id to object
  ir::Value update = {};        ///< map of id to patch
  std::vector<std::string> destroy = {};
  ir::Value more =
      {};  ///< further arguments (onSuccessActivateScript, ...): only when it fits one call
  std::string capability = {};  ///< empty: kRegistry for x: types, else kMail
};

struct SetResult {
  ir::Value created = {};  ///< map of creation id to what the server answered ({"id": ...})
  ir::Value updated = {};  ///< map of id to null or what the server changed
  std::vector<std::string> destroyed = {};
  std::vector<SetFailure> failures = {};
  [[nodiscard]] bool is_complete() const { return failures.empty(); }
  /// Id given to `creation_id`, or empty.
  [[nodiscard]] std::string created_id(std::string_view creation_id) const;
};

/// A JMAP client (RFC 8620) of one server and one login. Thread-safe; each call is one or more HTTP
/// requests within the advertised limits. Waits by itself, at most kWaitMax, when the server asks
/// to come later: such answers have no effect.
///
/// Errors, besides those of HttpClient: login-refused (401: every later call gets the same without
/// a word on the wire, so that a wrong password does not end in a ban), not-json,
/// protocol-violation (answers that do not fit the calls), those of errors.def. A request body
/// never stands in an error: the real server sends it back, passwords included.
class Client {
 public:
  /// `http` has origin and credentials. `clock` is used for waiting.
  explicit Client(std::shared_ptr<HttpClient> http, Blame blame = Blame::target,
                  Clock& clock = system_clock());

  /// The session, fetched once (RFC 8620, section 2; bounded). An answer without a username is no
  /// login: login-refused.
  [[nodiscard]] Result<std::shared_ptr<const Session>> session(
      Deadline deadline = Deadline::never());
  /// Fetches it again, as limits change with a reload.
  [[nodiscard]] Result<std::shared_ptr<const Session>> refresh(
      Deadline deadline = Deadline::never());

  /// All answers, in order; a method error is an answer. More calls than one request takes are
  /// split; a call with a result reference stays with the call that it refers to. When a later
  /// request fails after an earlier one was answered, the error has effect `unknown`, unless
  /// read-only.
  [[nodiscard]] Result<std::vector<Answer>> call(std::vector<Call> calls,
                                                 const CallOptions& options);
  /// One call; a method error is an Error.
  [[nodiscard]] Result<ir::Value> call_one(std::string method, ir::Value arguments,
                                           const CallOptions& options);

  /// `/get` of exactly these ids in batches; `properties` empty: all (never send an empty list: it
  /// means all, too). The result has the objects that exist, in the order of the ids as answered.
  [[nodiscard]] Result<ir::List> get(std::string_view type, std::string_view account_id,
                                     const std::vector<std::string>& ids,
                                     const std::vector<std::string>& properties = {},
                                     const CallOptions& options = {});
  /// All ids of a `/query` by pages of position (standard types). When the state changes between
  /// two pages it begins again, at most three times, then protocol-violation.
  [[nodiscard]] Result<std::vector<std::string>> query(std::string_view type,
                                                       std::string_view account_id,
                                                       const ir::Value& filter,
                                                       const ir::Value& sort = {},
                                                       const CallOptions& options = {});
  /// `/set` in batches within maxObjectsInSet and the request size. Objects that failed are values
  /// in the result; a method error, after which nobody knows what was done, is an Error with effect
  /// `unknown`.
  [[nodiscard]] Result<SetResult> set(SetRequest request, Deadline deadline = Deadline::never());

  /// Uploads bytes and returns the blobId. Equal bytes give the equal id, so it may be repeated.
  /// Errors: too-large.
  [[nodiscard]] Result<std::string> upload(std::string_view account_id, std::string_view bytes,
                                           std::string_view media_type = "application/octet-stream",
                                           Deadline deadline = Deadline::never());
  [[nodiscard]] Result<std::string> download(std::string_view account_id, std::string_view blob_id,
                                             std::size_t bytes_max,
                                             Deadline deadline = Deadline::never());

  [[nodiscard]] HttpClient& http() { return *http_; }
  [[nodiscard]] Blame blame() const { return blame_; }

 private:
  [[nodiscard]] Result<std::shared_ptr<const Session>> fetch(Deadline deadline);
  /// Sends, waiting when asked to; 401 is remembered. 2xx answers only.
  [[nodiscard]] Result<HttpResponse> send(const HttpRequest& request);
  [[nodiscard]] Result<std::vector<Answer>> send_batch(const Session& session,
                                                       const std::vector<Call>& calls,
                                                       std::string body,
                                                       const CallOptions& options);
  [[nodiscard]] Error judge(const HttpResponse& response) const;

  std::shared_ptr<HttpClient> http_;
  Blame blame_;
  Clock& clock_;
  std::mutex login_mutex_;  // one asks for the session, the others wait for its answer
  std::mutex mutex_;
  std::shared_ptr<const Session> session_;  // guarded by mutex_
  std::string last_state_;   // guarded by mutex_: session state named by the last answer
  bool is_refused_ = false;  // guarded by mutex_
};

}  // namespace plan::net::jmap
