#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/ir/value.h"
#include "compiler/source/result.h"
#include "runtime/net/clock.h"
#include "runtime/secret/secret.h"
#include "runtime/server/source/live_source.h"
#include "runtime/server/stalwart15/lookup_list.h"
#include "runtime/server/stalwart15/management.h"
#include "runtime/server/stalwart15/old_queue.h"

namespace plan::server::stalwart15 {

/// A Stalwart 0.13 to 0.15 that is the source of a run: its interface, and the one writer of each
/// of its lists. Thread-safe.
class OldSource final : public source::LiveSource {
 public:
  /// `secrets` and `clock` must outlive it. Nothing is connected to yet. Errors: argument-missing,
  /// those of the secret.
  [[nodiscard]] static Result<std::shared_ptr<OldSource>> open(const ir::Value& source_block,
                                                               secret::SecretSource& secrets,
                                                               net::Clock& clock);

  [[nodiscard]] Management& server() { return *server_; }
  [[nodiscard]] OldQueue& messages() { return messages_; }
  [[nodiscard]] LookupList& list(const std::string& name);
  /// The account's principal as it is now. Secret material. Error: account-not-at-source.
  [[nodiscard]] Result<ir::Value> principal_of(const std::string& account);
  /// Asked with the account's own rights, as the master user and without an effect. Errors:
  /// login-refused, old-server-call-failed.
  [[nodiscard]] Result<bool> may_write(const std::string& account);

  const source::Block& block() const override { return block_; }
  Result<std::string> login_of(const std::string& account) override;
  Result<std::vector<std::string>> aliases_of(const std::string& account) override;
  Result<secret::Secret> password_hash_of(const std::string& account) override;
  Result<std::unique_ptr<queue::AccountQueue>> queue() override;
  Result<bool> holds_probe(const std::string& account, std::string_view random) override;
  Result<bool> begin_writing(const std::string& account) override;
  Outcome end_writing(const std::string& account) override;
  Result<std::unique_ptr<source::Lease>> lease(const std::string& holder) override;
  Result<ir::Value> survey(const source::KeyedDigest& keyed_digest) override;
  Result<ir::Value> survey_names() override;

 private:
  OldSource(ir::Value source_block, source::Block block, std::unique_ptr<Management> server,
            secret::SecretSource& secrets, net::Clock& clock);

  /// Null: nobody is called so, or somebody whose address is another one.
  [[nodiscard]] Result<ir::Value> principal_named(const std::string& login,
                                                  const std::string& account);
  /// Reads who is there anew: accounts by address.
  [[nodiscard]] Outcome read_logins();
  [[nodiscard]] std::string known_login(const std::string& account);

  ir::Value source_block_;
  source::Block block_;
  std::unique_ptr<Management> server_;
  secret::SecretSource& secrets_;
  net::Clock& clock_;
  OldQueue messages_;
  std::mutex mutex_;  ///< what follows
  std::map<std::string, std::unique_ptr<LookupList>> lists_;
  std::map<std::string, std::string> logins_;  ///< by address, of those that were asked for
};

/// The old Stalwarts of a run, one object each however many steps name it. Thread-safe.
class OldSources {
 public:
  explicit OldSources(net::Clock& clock) : clock_(clock) {}
  [[nodiscard]] Result<std::shared_ptr<OldSource>> open(const ir::Value& source_block,
                                                        secret::SecretSource& secrets);
  /// Of the step's argument `source`.
  [[nodiscard]] Result<std::shared_ptr<OldSource>> open(const step::StepContext& context) {
    return open(context.arguments["source"], context.secrets);
  }

 private:
  net::Clock& clock_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<OldSource>> sources_;
};

/// Base 32 as JMAP writes the number of a principal: 0 is `a`, 32 is `ba`.
[[nodiscard]] std::string jmap_id_of(std::uint64_t number);

}  // namespace plan::server::stalwart15
