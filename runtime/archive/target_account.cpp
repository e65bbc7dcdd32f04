#include "runtime/archive/target_account.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/ir/digest.h"
#include "compiler/source/text.h"
#include "runtime/archive/digest.h"
#include "runtime/archive/limits.h"
#include "runtime/net/errors.h"
#include "runtime/net/imap/date.h"

namespace plan::archive {
namespace {

using ir::Value;
namespace jmap = net::jmap;

Error not_a_list(std::string_view method) {
  return Error(net::errors::protocol_violation, fmt::format("the answer to {} has no list", method))
      .with_blame(Blame::target);
}

std::vector<std::string> true_members(const Value& map) {
  std::vector<std::string> names;
  if (!map.is_map()) return names;
  for (const auto& [name, value] : map.as_map())
    if (value.bool_or(false)) names.push_back(name);
  std::sort(names.begin(), names.end());
  return names;
}

Value strings(const std::vector<std::string>& texts) {
  ir::List list;
  for (const std::string& text : texts) list.emplace_back(text);
  return Value(std::move(list));
}

}  // namespace

jmap::CallOptions TargetAccount::reading(std::string_view capability) const {
  return {.is_read_only = true, .capabilities = {std::string(capability)}};
}

Result<std::vector<TargetMailbox>> TargetAccount::mailboxes() const {
  PLAN_TRY(
      answer,
      client_->call_one(
          "Mailbox/get",
          Value::map({{"accountId", account_id_},
                      {"ids", nullptr},
                      {"properties", strings({"id", "name", "parentId", "role", "isSubscribed"})}}),
          reading(jmap::kMail)));
  const Value& list = answer["list"];
  if (!list.is_list()) return not_a_list("Mailbox/get");
  std::vector<TargetMailbox> mailboxes;
  for (std::size_t index = 0; index < list.size(); ++index) {
    const Value& one = list.item(index);
    mailboxes.push_back({.id = std::string(one["id"].string_or("")),
                         .name = std::string(one["name"].string_or("")),
                         .parent_id = std::string(one["parentId"].string_or("")),
                         .role = std::string(one["role"].string_or("")),
                         .is_subscribed = one["isSubscribed"].bool_or(false)});
  }
  return mailboxes;
}

Result<std::vector<TargetScript>> TargetAccount::scripts() const {
  PLAN_TRY(answer, client_->call_one("SieveScript/get",
                                     Value::map({{"accountId", account_id_}, {"ids", nullptr}}),
                                     reading(jmap::kSieve)));
  const Value& list = answer["list"];
  if (!list.is_list()) return not_a_list("SieveScript/get");
  std::vector<TargetScript> scripts;
  for (std::size_t index = 0; index < list.size(); ++index) {
    const Value& one = list.item(index);
    scripts.push_back({.id = std::string(one["id"].string_or("")),
                       .name = std::string(one["name"].string_or("")),
                       .blob_id = std::string(one["blobId"].string_or("")),
                       .is_active = one["isActive"].bool_or(false)});
  }
  return scripts;
}

Result<std::string> TargetAccount::state_of(const TargetType& type) const {
  PLAN_TRY(answer,
           client_->call_one(fmt::format("{}/get", type.name),
                             Value::map({{"accountId", account_id_}, {"ids", Value::list({})}}),
                             reading(type.capability)));
  return std::string(answer["state"].string_or(""));
}

Result<std::optional<TargetChanges>> TargetAccount::changes_of(const TargetType& type,
                                                               std::string state) const {
  const std::optional<TargetChanges> nothing;
  TargetChanges found;
  for (int page = 0; page < kChangePagesMax; ++page) {
    PLAN_TRY(answers,
             client_->call(
                 {{.method = fmt::format("{}/changes", type.name),
                   .arguments = Value::map({{"accountId", account_id_}, {"sinceState", state}})}},
                 reading(type.capability)));
    if (answers.empty() || answers[0].is_error()) return nothing;
    const Value& answer = answers[0].arguments;
    for (const std::string_view member : {"created", "updated"})
      for (const Value& id : answer[member].items()) found.changed.emplace_back(id.string_or(""));
    for (const Value& id : answer["destroyed"].items()) found.gone.emplace_back(id.string_or(""));
    state = std::string(answer["newState"].string_or(""));
    if (state.empty()) return nothing;
    if (!answer["hasMoreChanges"].bool_or(false)) {
      found.state = std::move(state);
      return std::optional<TargetChanges>(std::move(found));
    }
  }
  return nothing;
}

Result<std::optional<std::uint64_t>> TargetAccount::count_of(const TargetType& type) const {
  PLAN_TRY(answer,
           client_->call_one(
               fmt::format("{}/query", type.name),
               Value::map({{"accountId", account_id_}, {"limit", 1}, {"calculateTotal", true}}),
               reading(type.capability)));
  const std::int64_t total = answer["total"].integer_or(-1);
  if (total < 0) return std::optional<std::uint64_t>();
  return std::optional<std::uint64_t>(static_cast<std::uint64_t>(total));
}

Result<std::optional<std::uint64_t>> TargetAccount::quota_bytes() const {
  PLAN_TRY(session, client_->session());
  if (!session->has_capability(jmap::kQuota)) return std::optional<std::uint64_t>();
  PLAN_TRY(answers,
           client_->call({{.method = "Quota/get",
                           .arguments = Value::map({{"accountId", account_id_}, {"ids", {}}})}},
                         reading(jmap::kQuota)));
  if (answers.empty() || answers[0].is_error()) return std::optional<std::uint64_t>();
  for (const Value& quota : answers[0].arguments["list"].items()) {
    const std::int64_t limit = quota["hardLimit"].integer_or(-1);
    if (quota["resourceType"].string_or("") == "octets" &&
        quota["scope"].string_or("") == "account" && limit > 0)
      return std::optional<std::uint64_t>(static_cast<std::uint64_t>(limit));
  }
  return std::optional<std::uint64_t>();
}

Result<std::vector<std::string>> TargetAccount::email_ids(std::string_view mailbox_id) const {
  Value filter;
  if (!mailbox_id.empty()) filter = Value::map({{"inMailbox", mailbox_id}});
  return client_->query("Email", account_id_, filter, {}, reading(jmap::kMail));
}

Result<std::map<std::string, TargetEmail>> TargetAccount::emails(
    const std::vector<std::string>& ids) const {
  std::map<std::string, TargetEmail> emails;
  if (ids.empty()) return emails;
  PLAN_TRY(list, client_->get("Email", account_id_, ids,
                              {"id", "blobId", "mailboxIds", "keywords", "receivedAt", "size"},
                              reading(jmap::kMail)));
  for (const Value& one : list) {
    TargetEmail email{.id = std::string(one["id"].string_or("")),
                      .blob_id = std::string(one["blobId"].string_or("")),
                      .mailbox_ids = true_members(one["mailboxIds"]),
                      .keywords = true_members(one["keywords"]),
                      .received_at = std::string(one["receivedAt"].string_or("")),
                      .size_bytes = static_cast<std::uint64_t>(
                          std::max<std::int64_t>(one["size"].integer_or(0), 0))};
    const std::string id = email.id;
    emails[id] = std::move(email);
  }
  return emails;
}

Result<std::map<std::string, std::string>> TargetAccount::digests(
    const std::vector<std::string>& blob_ids) const {
  std::map<std::string, std::string> digests;
  PLAN_TRY(session, client_->session());
  std::size_t begin = 0;
  if (!has_no_digests_ && session->has_capability(jmap::kBlob)) {
    for (; begin < blob_ids.size(); begin += kDigestBatch) {
      const std::size_t end = std::min(blob_ids.size(), begin + kDigestBatch);
      PLAN_TRY(answers,
               client_->call(
                   {{.method = "Blob/get",
                     .arguments = Value::map(
                         {{"accountId", account_id_},
                          {"ids", strings({blob_ids.begin() + static_cast<std::ptrdiff_t>(begin),
                                           blob_ids.begin() + static_cast<std::ptrdiff_t>(end)})},
                          {"properties", strings({"digest:sha-256", "size"})}})}},
                   reading(jmap::kBlob)));
      if (answers.empty() || answers[0].is_error()) {
        has_no_digests_ = true;
        break;
      }
      const Value& list = answers[0].arguments["list"];
      for (std::size_t index = 0; index < list.size(); ++index) {
        bool is_valid = false;
        const std::string digest =
            ir::from_base64(list.item(index)["digest:sha-256"].string_or(""), &is_valid);
        if (is_valid && digest.size() == 32)
          digests[std::string(list.item(index)["id"].string_or(""))] = digest;
      }
    }
  }
  for (const std::string& blob_id : blob_ids) {
    if (digests.count(blob_id) > 0) continue;
    auto bytes = client_->download(account_id_, blob_id, kMessageBytesMax);
    if (bytes)
      digests[blob_id] = sha256_raw(*bytes);
    else if (!bytes.error().is(net::errors::http_status))
      return std::move(bytes.error()).while_doing("reading a message back from the target");
  }
  return digests;
}

std::string received_at_for_target(std::string_view rfc3339) {
  const auto date = net::imap::parse_rfc3339(rfc3339);
  if (!date) return "1970-01-01T00:00:00Z";
  return net::imap::InternalDate{.unix_seconds = std::max<std::int64_t>(date->unix_seconds, 0)}
      .rfc3339();
}

std::vector<std::string> keywords_for_target(const std::vector<std::string>& keywords) {
  std::vector<std::string> kept;
  for (const std::string& keyword : keywords) {
    const bool is_atom =
        !keyword.empty() && keyword.size() <= kKeywordBytesMax &&
        std::all_of(keyword.begin(), keyword.end(), [](char letter) {
          return letter > 0x20 && letter < 0x7F &&
                 std::string_view("(){}%*\"\\]").find(letter) == std::string_view::npos;
        });
    if (is_atom) kept.push_back(keyword);
  }
  std::sort(kept.begin(), kept.end());
  return kept;
}

}  // namespace plan::archive
