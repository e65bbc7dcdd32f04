#include "runtime/net/jmap/pool.h"

#include <fmt/format.h>

#include <map>
#include <mutex>

#include "compiler/ir/digest.h"
#include "runtime/net/errors.h"
#include "runtime/net/jmap/limits.h"

namespace plan::net::jmap {

struct ClientPool::State {
  struct Entry {
    ir::Sha256 secret = {};  // digest of the password that the client has, keyed by its name
    std::shared_ptr<Client> client = {};
  };
  explicit State(Clock& used) : clock(used) {}
  Clock& clock;
  std::mutex mutex;
  std::map<std::string, Entry> clients;
};

ClientPool::ClientPool(Clock& clock) : state_(std::make_unique<State>(clock)) {}
ClientPool::~ClientPool() = default;

Result<std::shared_ptr<Client>> ClientPool::open(const ir::Value& server,
                                                 secret::SecretSource& secrets,
                                                 std::string_view on_behalf_of) {
  const ir::Value& login = server["login"];
  HttpOptions options;
  options.url = std::string(server["url"].string_or({}));
  options.pinned_sha256_hex = std::string(server["certificate_sha256"].string_or({}));
  options.ca_file = std::string(server["ca_file"].string_or({}));
  // An administrator has no limit of four (reference/stalwart-admin.md 8.1); where there is one the
  // client waits and repeats. Copies in the background must not keep a flip waiting for its turn.
  options.concurrent_max = kRequestsAtOnce;
  const std::string user(login["user"].string_or({}));
  options.user = on_behalf_of.empty() ? user : fmt::format("{}%{}", on_behalf_of, user);
  if (options.url.empty() || user.empty()) {
    return Error(errors::protocol_violation, "the plan gives no `url` and `login` for the target")
        .with_blame(Blame::plan);
  }
  if (user.find(':') != std::string::npos) {
    return Error(errors::login_refused,
                 "a login name with `:` cannot be sent in HTTP basic authentication")
        .with_blame(Blame::plan);
  }
  if (!login["password"].is_secret()) {
    return Error(errors::login_refused, "the plan gives no password for the target's login")
        .with_blame(Blame::plan);
  }
  PLAN_TRY(password, secrets.read(login["password"].as_secret()));
  if (!on_behalf_of.empty()) {
    options.password = std::move(password);
    PLAN_TRY(http, make_http_client(std::move(options)));
    return std::make_shared<Client>(std::shared_ptr<HttpClient>(std::move(http)), Blame::target,
                                    state_->clock);
  }
  const std::string key =
      fmt::format("{}\n{}\n{}", options.url, options.user, options.pinned_sha256_hex);
  const ir::Sha256 digest = ir::hmac_sha256(key, password.reveal_for("telling a changed password"));

  const std::lock_guard lock(state_->mutex);
  State::Entry& entry = state_->clients[key];
  if (entry.client && entry.secret == digest) return entry.client;
  options.password = std::move(password);
  PLAN_TRY(http, make_http_client(std::move(options)));
  entry.secret = digest;
  entry.client = std::make_shared<Client>(std::shared_ptr<HttpClient>(std::move(http)),
                                          Blame::target, state_->clock);
  return entry.client;
}

}  // namespace plan::net::jmap
