#include "runtime/server/stalwart15/old_source.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/net/http_client.h"
#include "runtime/server/stalwart15/directory.h"
#include "runtime/server/stalwart15/errors.h"
#include "runtime/server/stalwart15/limits.h"
#include "runtime/server/stalwart15/old_lease.h"
#include "runtime/server/stalwart15/survey.h"
#include "runtime/server/stalwart15/write_rights.h"
#include "runtime/step/errors.h"

namespace plan::server::stalwart15 {
namespace {

using ir::Value;

constexpr std::chrono::seconds kCallTime{60};

/// What a server that has 1 MiB of room for a request never comes near.
constexpr std::size_t kAnswerBytesMax = 65'536;

bool has_address(const Value& principal, std::string_view address) {
  const auto& emails = principal["emails"].items();
  return std::any_of(emails.begin(), emails.end(), [&](const Value& email) {
    return equals_ignoring_case(email.string_or(""), address);
  });
}

class OldAccountQueue final : public queue::AccountQueue {
 public:
  explicit OldAccountQueue(OldQueue& queue) : queue_(queue) {}

  Result<queue::Waiting> look(const std::vector<std::string>& addresses) override {
    PLAN_TRY(now, queue_.read());
    queue::Waiting waiting;
    for (const OldMessage& message : now->messages) {
      if (!names_account(message, addresses)) continue;
      ++waiting.messages;
      for (const OldRecipient& recipient : message.recipients) {
        if (waiting.reason.empty() && recipient.is_open) waiting.reason = recipient.reason;
      }
    }
    if (waiting.messages > 0 && !now->is_running)
      waiting.reason = "the old server's queue is paused";
    return waiting;
  }

  Result<std::set<std::string>> ids(const std::vector<std::string>& addresses) override {
    PLAN_TRY(now, queue_.read());
    std::set<std::string> ids;
    for (const OldMessage& message : now->messages) {
      if (names_account(message, addresses)) ids.insert(std::to_string(message.id));
    }
    return ids;
  }

  // 0.15 answers "true" to a call that asks for another time, and keeps the old one.
  Outcome flush(const std::vector<std::string>&) override { return {}; }

 private:
  OldQueue& queue_;
};

}  // namespace

std::string jmap_id_of(std::uint64_t number) {
  constexpr std::string_view kDigits = "abcdefghijklmnopqrstuvwxyz792013";
  std::string text;
  do {
    text.insert(text.begin(), kDigits[number % 32]);
    number /= 32;
  } while (number > 0);
  return text;
}

OldSource::OldSource(Value source_block, source::Block block, std::unique_ptr<Management> server,
                     secret::SecretSource& secrets, net::Clock& clock)
    : source_block_(std::move(source_block)),
      block_(std::move(block)),
      server_(std::move(server)),
      secrets_(secrets),
      clock_(clock),
      messages_(*server_) {}

Result<std::shared_ptr<OldSource>> OldSource::open(const Value& source_block,
                                                   secret::SecretSource& secrets,
                                                   net::Clock& clock) {
  PLAN_TRY(block, source::read_block(source_block));
  const Value& stalwart = source_block["stalwart"];
  PLAN_TRY(server, open_management(stalwart["url"].string_or(""), stalwart["login"],
                                   stalwart["certificate_sha256"].string_or(""), secrets));
  return std::shared_ptr<OldSource>(
      new OldSource(source_block, std::move(block), std::move(server), secrets, clock));
}

LookupList& OldSource::list(const std::string& name) {
  const std::lock_guard lock(mutex_);
  std::unique_ptr<LookupList>& list = lists_[name];
  if (list == nullptr) list = std::make_unique<LookupList>(*server_, name, clock_);
  return *list;
}

std::string OldSource::known_login(const std::string& account) {
  const std::lock_guard lock(mutex_);
  const auto found = logins_.find(account);
  return found == logins_.end() ? std::string() : found->second;
}

Result<Value> OldSource::principal_named(const std::string& login, const std::string& account) {
  PLAN_TRY(found, server_->principal(login));
  if (found["type"].string_or("") != "individual") return Value();
  // One that is called like another's alias is somebody else.
  if (!has_address(found, account) && !(found["emails"].size() == 0 && login == account))
    return Value();
  return found;
}

Outcome OldSource::read_logins() {
  Principals principals;
  for (const auto& [type, into] : {std::pair{PrincipalType::domain, &principals.domains},
                                   std::pair{PrincipalType::group, &principals.groups},
                                   std::pair{PrincipalType::list, &principals.lists},
                                   std::pair{PrincipalType::individual, &principals.individuals}}) {
    PLAN_TRY(found, server_->names(type));
    *into = std::move(found);
  }
  PLAN_TRY(directory, read_directory(principals));
  const std::lock_guard lock(mutex_);
  logins_.clear();
  for (OldAccount& one : directory.accounts) logins_[one.address] = std::move(one.login);
  return {};
}

Result<Value> OldSource::principal_of(const std::string& account) {
  const std::string known = known_login(account);
  PLAN_TRY(found, principal_named(known.empty() ? account : known, account));
  if (found.is_null()) {
    // Users' names need not be their addresses, and may have changed since.
    PLAN_TRY_VOID(read_logins().while_doing("reading who is at the old server"));
    if (const std::string now = known_login(account); !now.empty()) {
      PLAN_TRY(again, server_->principal(now));
      found = std::move(again);
    }
  }
  if (found.is_null()) {
    return Error(errors::account_missing, fmt::format("nobody at the old server has the address {}",
                                                      printable(account, 120)))
        .with_blame(Blame::source);
  }
  const std::lock_guard lock(mutex_);
  logins_[account] = found["name"].string_or("");
  return found;
}

Result<std::string> OldSource::login_of(const std::string& account) {
  if (std::string known = known_login(account); !known.empty()) return known;
  PLAN_TRY(principal, principal_of(account));
  return std::string(principal["name"].string_or(""));
}

Result<std::vector<std::string>> OldSource::aliases_of(const std::string& account) {
  auto principal = principal_of(account);
  if (!principal) {
    if (principal.error().is(errors::account_missing)) return std::vector<std::string>();
    return std::move(principal).error();
  }
  return aliases_in(*principal, account);
}

Result<secret::Secret> OldSource::password_hash_of(const std::string& account) {
  PLAN_TRY(principal, principal_of(account));
  return secret::Secret(password_of(principal["secrets"]).with_scheme());
}

Result<std::unique_ptr<queue::AccountQueue>> OldSource::queue() {
  return std::unique_ptr<queue::AccountQueue>(std::make_unique<OldAccountQueue>(messages_));
}

Result<bool> OldSource::holds_probe(const std::string& account, std::string_view random) {
  PLAN_TRY(now, messages_.read());
  for (const OldMessage& message : now->messages) {
    if (!message.sender.empty() || message.size_bytes > kProbeBytesMax ||
        !names_account(message, {account}))
      continue;
    PLAN_TRY(is_it, messages_.contains(message, random));
    if (is_it) return true;
  }
  return false;
}

Result<bool> OldSource::begin_writing(const std::string& account) {
  PLAN_TRY(principal, principal_of(account));
  const std::vector<std::string> now = disabled_of(principal);
  const std::vector<std::string> wanted = with_writing_given(now);
  if (now == wanted) return false;
  PLAN_TRY_VOID(server_->set_disabled_permissions(principal["name"].string_or(""), wanted));
  return true;
}

Outcome OldSource::end_writing(const std::string& account) {
  PLAN_TRY(principal, principal_of(account));
  const std::vector<std::string> now = disabled_of(principal);
  const std::vector<std::string> wanted = with_writing_taken(now);
  if (now == wanted) return {};
  return server_->set_disabled_permissions(principal["name"].string_or(""), wanted);
}

Result<bool> OldSource::may_write(const std::string& account) {
  PLAN_TRY(principal, principal_of(account));
  if (!block_.master_password.is_secret() || block_.master_name.empty()) {
    return Error(step::errors::argument_missing, "the plan gives no master user for the source")
        .with_blame(Blame::plan)
        .with_argument("source.master_user");
  }
  PLAN_TRY(password, secrets_.read(block_.master_password.as_secret()));
  net::HttpOptions options;
  options.url = source_block_["stalwart"]["url"].string_or("");
  options.user = block_.master_login(principal["name"].string_or(""));
  options.password = std::move(password);
  options.pinned_sha256_hex = source_block_["stalwart"]["certificate_sha256"].string_or("");
  options.body_bytes_max = kAnswerBytesMax;
  options.blame = Blame::source;
  PLAN_TRY(http, net::make_http_client(std::move(options)));
  // Nothing is made, changed or destroyed by it, whoever asks.
  const std::int64_t number = principal["id"].integer_or(-1);
  if (number < 0) {
    return Error(errors::old_call_failed, "GET /api/principal/NAME gives an account without an id")
        .with_blame(Blame::source);
  }
  const Value body = Value::map(
      {{"using", Value::list({"urn:ietf:params:jmap:core", "urn:ietf:params:jmap:mail"})},
       {"methodCalls",
        Value::list({Value::list(
            {"Mailbox/set",
             Value::map({{"accountId", jmap_id_of(static_cast<std::uint64_t>(number))}}),
             "0"})})}});
  const std::string text = ir::canonical_json(body);
  net::HttpRequest request;
  request.method = "POST";
  request.target = "/jmap/";
  request.body = text;
  request.content_type = "application/json";
  request.is_repeatable = true;
  request.deadline = net::Deadline::after(kCallTime);
  PLAN_TRY(response, http->send(request));
  if (response.status == 403) return false;  // who may not even log in
  if (response.status == 401) {
    response.body.clear();
    return net::http_error(response, Blame::source);
  }
  const auto answer = ir::parse_json(response.body);
  const Value none;
  const Value& call = answer ? (*answer)["methodResponses"].item(0) : none;
  const std::string_view method = call.item(0).string_or("");
  if (response.is_success() && method == "Mailbox/set") return true;
  if (response.is_success() && method == "error" &&
      call.item(1)["type"].string_or("") == "forbidden")
    return false;
  return Error(errors::old_call_failed,
               fmt::format("Mailbox/set as the master user is answered with status {} and `{}`",
                           response.status, printable(call.item(1)["type"].string_or("?"), 60)))
      .with_blame(Blame::source);
}

Result<std::unique_ptr<source::Lease>> OldSource::lease(const std::string& holder) {
  return std::unique_ptr<source::Lease>(std::make_unique<OldLease>(*server_, holder, clock_));
}

Result<Value> OldSource::survey(const source::KeyedDigest& keyed_digest) {
  return survey_old_stalwart(source_block_, secrets_, keyed_digest);
}

Result<Value> OldSource::survey_names() { return survey_old_names(source_block_, secrets_); }

Result<std::shared_ptr<OldSource>> OldSources::open(const Value& source_block,
                                                    secret::SecretSource& secrets) {
  const std::string key = ir::canonical_json(source_block);
  const std::lock_guard lock(mutex_);
  std::shared_ptr<OldSource>& source = sources_[key];
  if (source == nullptr) {
    PLAN_TRY(opened, OldSource::open(source_block, secrets, clock_));
    source = std::move(opened);
  }
  return source;
}

}  // namespace plan::server::stalwart15
