#include "runtime/server/source/dovecot_postfix.h"

#include <algorithm>

#include "compiler/source/text.h"
#include "runtime/server/postfix/postfix_queue.h"
#include "runtime/server/source/names_watch.h"
#include "runtime/server/source/survey.h"

namespace plan::server::source {
namespace {

/// A probe is small; what is larger is not read.
constexpr std::uint64_t kProbeBytesMax = 8192;

class PostfixQueue final : public queue::AccountQueue {
 public:
  explicit PostfixQueue(std::shared_ptr<Source> source) : source_(std::move(source)) {}

  Result<queue::Waiting> look(const std::vector<std::string>& addresses) override {
    PLAN_TRY(queue, source_->queue().read());
    PLAN_TRY(delimiters, source_->queue().delimiters());
    queue::Waiting waiting;
    for (const postfix::QueueEntry& entry : *queue) {
      if (!postfix::names_account(entry, addresses, delimiters)) continue;
      ++waiting.messages;
      for (const postfix::QueueRecipient& recipient : entry.recipients) {
        if (waiting.reason.empty()) waiting.reason = printable(recipient.delay_reason, 200);
      }
    }
    return waiting;
  }

  Result<std::set<std::string>> ids(const std::vector<std::string>& addresses) override {
    PLAN_TRY(queue, source_->queue().read());
    PLAN_TRY(delimiters, source_->queue().delimiters());
    const std::vector<std::string> found = postfix::ids_naming(*queue, addresses, delimiters);
    return std::set<std::string>(found.begin(), found.end());
  }

  Outcome flush(const std::vector<std::string>& addresses) override {
    PLAN_TRY(queue, source_->queue().read());
    PLAN_TRY(delimiters, source_->queue().delimiters());
    const std::vector<std::string> ids = postfix::ids_naming(*queue, addresses, delimiters);
    if (ids.empty()) return {};
    return source_->queue().flush(ids);
  }

 private:
  std::shared_ptr<Source> source_;
};

class DovecotPostfix final : public LiveSource {
 public:
  DovecotPostfix(ir::Value source_block, Block block, std::shared_ptr<SourcePool> sources,
                 secret::SecretSource& secrets)
      : source_block_(std::move(source_block)),
        block_(std::move(block)),
        sources_(std::move(sources)),
        secrets_(secrets),
        names_([this] { return open(); }) {}

  const Block& block() const override { return block_; }
  Result<std::string> login_of(const std::string& account) override { return account; }
  Result<std::vector<std::string>> aliases_of(const std::string& account) override {
    return names_.aliases_of(account);
  }
  Result<secret::Secret> password_hash_of(const std::string& account) override {
    PLAN_TRY(source, open());
    return read_password_hash(*source, account);
  }
  Result<std::unique_ptr<queue::AccountQueue>> queue() override {
    PLAN_TRY(source, open());
    return std::unique_ptr<queue::AccountQueue>(std::make_unique<PostfixQueue>(source));
  }
  Result<bool> holds_probe(const std::string& account, std::string_view random) override {
    PLAN_TRY(source, open());
    PLAN_TRY(delimiters, source->queue().delimiters());
    PLAN_TRY(queue, source->queue().read());
    for (const postfix::QueueEntry& entry : *queue) {
      if (entry.sender != "MAILER-DAEMON" || entry.size_bytes > kProbeBytesMax ||
          !postfix::names_account(entry, {account}, delimiters))
        continue;
      const auto message = source->queue().message(entry.id);
      // One that cannot be read any more is on its way: the next look tells.
      if (!message || message->find(random) != std::string::npos) return true;
    }
    return false;
  }
  // The deny file keeps users out and lets the master user pass.
  Result<bool> begin_writing(const std::string&) override { return false; }
  Outcome end_writing(const std::string&) override { return {}; }
  Result<std::unique_ptr<Lease>> lease(const std::string& holder) override {
    PLAN_TRY(source, open());
    return std::unique_ptr<Lease>(std::make_unique<SourceLease>(
        source->host(Place::machine), block_.lease_file, holder, source->clock()));
  }
  Result<ir::Value> survey(const KeyedDigest& keyed_digest) override {
    PLAN_TRY(source, open());
    return survey_source(*source, secrets_, keyed_digest);
  }
  Result<ir::Value> survey_names() override {
    PLAN_TRY(source, open());
    return source::survey_names(*source);
  }

 private:
  // The pool keeps it, and with it the host that a lease works on.
  Result<std::shared_ptr<Source>> open() { return sources_->open(source_block_); }

  ir::Value source_block_;
  Block block_;
  std::shared_ptr<SourcePool> sources_;
  secret::SecretSource& secrets_;
  NamesWatch names_;
};

}  // namespace

Result<std::shared_ptr<LiveSource>> make_dovecot_postfix(const ir::Value& source_block,
                                                         std::shared_ptr<SourcePool> sources,
                                                         secret::SecretSource& secrets) {
  PLAN_TRY(block, read_block(source_block));
  return std::shared_ptr<LiveSource>(std::make_shared<DovecotPostfix>(
      source_block, std::move(block), std::move(sources), secrets));
}

}  // namespace plan::server::source
