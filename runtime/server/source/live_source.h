#pragma once
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/ir/value.h"
#include "compiler/source/result.h"
#include "runtime/secret/secret.h"
#include "runtime/server/queue/account_queue.h"
#include "runtime/server/source/lease.h"
#include "runtime/server/source/source.h"
#include "runtime/step/step_driver.h"

namespace plan::server::source {

using KeyedDigest = std::function<Result<std::string>(const secret::Secret&)>;

/// A source as everything sees it that does not care which programs it is made of: what it says of
/// its accounts, its queue, its lease. One object a run; connected to when something is asked.
/// Thread-safe; what it gives out must not outlive it.
class LiveSource {
 public:
  LiveSource() = default;
  LiveSource(const LiveSource&) = delete;
  LiveSource& operator=(const LiveSource&) = delete;
  virtual ~LiveSource() = default;

  [[nodiscard]] virtual const Block& block() const = 0;

  /// What the account's user types to log in; its address, unless the source has other names.
  [[nodiscard]] virtual Result<std::string> login_of(const std::string& account) = 0;
  /// Its aliases now, sorted, in lower case; none when nobody of that address is there.
  [[nodiscard]] virtual Result<std::vector<std::string>> aliases_of(const std::string& account) = 0;
  /// Its stored password now, as `{SCHEME}text`: the provider `source` of secrets.
  [[nodiscard]] virtual Result<secret::Secret> password_hash_of(const std::string& account) = 0;

  [[nodiscard]] virtual Result<std::unique_ptr<queue::AccountQueue>> queue() = 0;
  /// Whether a message of plan's own, without sender and with `random` in it, waits for the
  /// account.
  [[nodiscard]] virtual Result<bool> holds_probe(const std::string& account,
                                                 std::string_view random) = 0;

  /// Lets the master user write into an account whose right to write was taken, and says whether it
  /// was; `end_writing` takes it again. Where users are kept out in another way it never was.
  [[nodiscard]] virtual Result<bool> begin_writing(const std::string& account) = 0;
  [[nodiscard]] virtual Outcome end_writing(const std::string& account) = 0;

  [[nodiscard]] virtual Result<std::unique_ptr<Lease>> lease(const std::string& holder) = 0;

  /// What `plan fetch` asks (compiler/facts/survey.md), and who is there now.
  [[nodiscard]] virtual Result<ir::Value> survey(const KeyedDigest& keyed_digest) = 0;
  [[nodiscard]] virtual Result<ir::Value> survey_names() = 0;
};

/// The sources of a run by their connection blocks, whatever kind they are of. Thread-safe.
class LiveSources {
 public:
  using Open = std::function<Result<std::shared_ptr<LiveSource>>(const ir::Value& source_block,
                                                                 secret::SecretSource& secrets)>;

  /// How a source of that `kind` of block is opened. Before the first `open`.
  void add(std::string kind, Open open);
  /// `secrets` must outlive the pool. Error: argument-missing for a kind that nobody added.
  [[nodiscard]] Result<std::shared_ptr<LiveSource>> open(const ir::Value& source_block,
                                                         secret::SecretSource& secrets);
  /// Of the step's argument `source`.
  [[nodiscard]] Result<std::shared_ptr<LiveSource>> open(const step::StepContext& context) {
    return open(context.arguments["source"], context.secrets);
  }

 private:
  std::map<std::string, Open, std::less<>> kinds_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<LiveSource>> sources_;
};

}  // namespace plan::server::source
