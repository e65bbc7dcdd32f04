#include "runtime/server/probe/mailbox_search.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "compiler/source/text.h"
#include "runtime/net/jmap/errors.h"
#include "runtime/server/probe/limits.h"
#include "runtime/server/stalwart/errors.h"
#include "runtime/step/errors.h"

namespace plan::server::probe {
namespace {

using ir::Value;

/// Without angle brackets, as JMAP has it.
std::string_view bare(std::string_view message_id) {
  if (message_id.starts_with('<')) message_id.remove_prefix(1);
  if (message_id.ends_with('>')) message_id.remove_suffix(1);
  return message_id;
}

net::jmap::CallOptions reading() {
  return {.is_read_only = true,
          .capabilities = {std::string(net::jmap::kMail)},
          .created_ids = {},
          .deadline = net::Deadline::after(kSessionTime)};
}

class TargetSearch final : public MailboxSearch {
 public:
  TargetSearch(stalwart::Target& target, std::string account_id)
      : client_(target.client()), account_id_(std::move(account_id)) {}

  Outcome begin() override {
    PLAN_TRY(answer,
             client_.call_one("Email/get",
                              Value::map({{"accountId", account_id_}, {"ids", Value::list()}}),
                              reading()));
    state_ = std::string(answer["state"].string_or({}));
    return {};
  }

  Result<std::vector<std::string>> take(const std::vector<std::string>& message_ids) override {
    PLAN_TRY(ids, candidates());
    if (ids.empty()) return std::vector<std::string>();
    PLAN_TRY(emails, client_.get("Email", account_id_, ids, {"id", "messageId"}, reading()));
    std::vector<std::string> found;
    net::jmap::SetRequest request;
    request.type = "Email";
    request.account_id = account_id_;
    for (const Value& email : emails) {
      for (const std::string& wanted : message_ids) {
        const auto& names = email["messageId"].items();
        const bool is_it = std::any_of(names.begin(), names.end(), [&](const Value& name) {
          return bare(name.string_or({})) == bare(wanted);
        });
        if (!is_it) continue;
        request.destroy.emplace_back(email["id"].string_or({}));
        found.push_back(wanted);
      }
    }
    if (request.destroy.empty()) return found;
    PLAN_TRY(result, client_.set(std::move(request), net::Deadline::after(kSessionTime)));
    for (const net::jmap::SetFailure& failure : result.failures) {
      if (failure.error.is("notFound")) continue;
      return net::jmap::to_error(failure.error, "the probe message", {}, Blame::target);
    }
    return found;
  }

 private:
  Result<std::vector<std::string>> candidates() {
    if (!state_.empty()) {
      auto changes =
          client_.call_one("Email/changes",
                           Value::map({{"accountId", account_id_},
                                       {"sinceState", state_},
                                       {"maxChanges", static_cast<std::int64_t>(kChangesMax)}}),
                           reading());
      if (changes) {
        std::vector<std::string> ids;
        for (const std::string_view member : {"created", "updated"}) {
          for (const Value& id : (*changes)[member].items()) ids.emplace_back(id.string_or({}));
        }
        // What was looked through need not be looked through again. Newer changes come with the
        // next look.
        state_ = std::string((*changes)["newState"].string_or(state_));
        return ids;
      }
      if (!changes.error().is(net::jmap::errors::method_refused)) return std::move(changes).error();
      state_.clear();  // the server cannot calculate changes from there
    }
    const Value newest =
        Value::list({Value::map({{"property", "receivedAt"}, {"isAscending", false}})});
    PLAN_TRY(answer,
             client_.call_one("Email/query",
                              Value::map({{"accountId", account_id_},
                                          {"sort", newest},
                                          {"limit", static_cast<std::int64_t>(kNewestMax)}}),
                              reading()));
    std::vector<std::string> ids;
    for (const Value& id : answer["ids"].items()) ids.emplace_back(id.string_or({}));
    return ids;
  }

  net::jmap::Client& client_;
  std::string account_id_;
  std::string state_;
};

class SourceSearch final : public MailboxSearch {
 public:
  SourceSearch(std::unique_ptr<net::imap::Client> client, std::string shared_prefix)
      : client_(std::move(client)), shared_prefix_(std::move(shared_prefix)) {}

  Outcome begin() override { return {}; }

  Result<std::vector<std::string>> take(const std::vector<std::string>& message_ids) override {
    std::vector<std::string> found;
    PLAN_TRY_VOID(take_from("INBOX", message_ids, found));
    if (found.size() == message_ids.size()) return found;
    PLAN_TRY(namespaces, client_->namespaces());
    if (!shared_prefix_.empty())
      namespaces.shared.push_back({.prefix = shared_prefix_, .separator = shared_prefix_.back()});
    PLAN_TRY(mailboxes, client_->list());
    for (const net::imap::MailboxInfo& mailbox : mailboxes) {
      if (!mailbox.is_selectable() || equals_ignoring_case(mailbox.wire_name, "INBOX") ||
          net::imap::is_of_others(mailbox.wire_name, namespaces))
        continue;
      PLAN_TRY_VOID(take_from(mailbox.wire_name, message_ids, found));
    }
    return found;
  }

 private:
  Outcome take_from(const std::string& mailbox, const std::vector<std::string>& message_ids,
                    std::vector<std::string>& found) {
    PLAN_TRY(selected, client_->select(mailbox, {.is_read_only = false}));
    if (selected.exists == 0) return {};
    for (const std::string& id : message_ids) {
      PLAN_TRY(uids, client_->search(fmt::format("HEADER Message-ID \"{}\"", id)));
      if (uids.empty()) continue;
      PLAN_TRY_VOID(client_->store(uids.to_string(), "+FLAGS.SILENT", {"\\Deleted"}));
      PLAN_TRY_VOID(client_->expunge(uids.to_string()));
      found.push_back(id);
    }
    return {};
  }

  std::unique_ptr<net::imap::Client> client_;
  std::string shared_prefix_;
};

}  // namespace

Result<std::unique_ptr<MailboxSearch>> search_target(stalwart::Target& target,
                                                     const std::string& account) {
  PLAN_TRY(object, target.account(account));
  const std::string id(object["id"].string_or({}));
  if (id.empty()) {
    return Error(stalwart::errors::account_not_there,
                 fmt::format("{} is not on the target", account))
        .with_blame(Blame::target);
  }
  return std::unique_ptr<MailboxSearch>(std::make_unique<TargetSearch>(target, id));
}

Result<std::unique_ptr<net::imap::Client>> log_in_at_source(source::LiveSource& source,
                                                            const std::string& account,
                                                            secret::SecretSource& secrets) {
  const source::Block& block = source.block();
  if (!block.master_password.is_secret()) {
    return Error(step::errors::argument_missing, "the plan gives no master user for the source")
        .with_blame(Blame::plan)
        .with_argument("source.master_user");
  }
  PLAN_TRY(login, source.login_of(account));
  PLAN_TRY(password, secrets.read(block.master_password.as_secret()));
  PLAN_TRY(client, net::imap::Client::connect(block.endpoint(block.imap)));
  PLAN_TRY_VOID(client->login(block.master_login(login), password));
  return std::move(client);
}

Result<std::unique_ptr<MailboxSearch>> search_source(source::LiveSource& source,
                                                     const std::string& account,
                                                     secret::SecretSource& secrets) {
  PLAN_TRY(client, log_in_at_source(source, account, secrets));
  return std::unique_ptr<MailboxSearch>(
      std::make_unique<SourceSearch>(std::move(client), source.block().shared_prefix));
}

}  // namespace plan::server::probe
