// One message of the target that stands for several of the source: it was in two mailboxes there
// when it was carried back, so the source has two. When the account moves again each becomes a
// message of its own, because from then on their flags and places go separate ways.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "runtime/archive/provenance.h"
#include "runtime/archive/push_jmap.h"

namespace plan::archive {
namespace {

using ir::Value;
namespace jmap = net::jmap;

struct Share {
  std::int64_t id = 0;
  std::string target_mailbox = {};
};

using Shares = std::map<std::string, std::vector<Share>>;

Result<Shares> load_shares(store::Database& database) {
  Shares shares;
  // Those that are gone at the source last: one that is there keeps the object.
  PLAN_TRY(rows, database.prepare(
                     "SELECT target_id, id, target_mailbox FROM plan_item WHERE state = 2 AND "
                     "target_id IN (SELECT target_id FROM plan_item WHERE state = 2 GROUP BY "
                     "target_id HAVING count(*) > 1) ORDER BY is_gone, id"));
  while (true) {
    PLAN_TRY(has_row, rows.step());
    if (!has_row) return shares;
    shares[std::string(rows.text(0))].push_back({rows.integer(1), std::string(rows.text(2))});
  }
}

}  // namespace

Result<std::uint64_t> split_shared(ArchiveFile& archive, const TargetAccount& target) {
  store::Database& database = archive.database();
  std::uint64_t split = 0;
  PLAN_TRY(shares, load_shares(database));
  if (shares.empty()) {
    PLAN_TRY(linked, archive.fact(kLinked));
    if (!linked.empty()) PLAN_TRY_VOID(archive.set_fact(kLinked, ""));
    return split;
  }
  std::vector<std::string> ids;
  for (const auto& [target_id, items] : shares) ids.push_back(target_id);
  PLAN_TRY(emails, target.emails(ids));
  Value update = Value::map();
  for (const auto& [target_id, items] : shares) {
    const auto email = emails.find(target_id);
    if (email == emails.end()) continue;
    std::vector<std::string> together;
    for (const Share& item : items) together.push_back(item.target_mailbox);
    std::sort(together.begin(), together.end());
    const std::vector<std::string> alone{items.front().target_mailbox};
    // Alone already: a crash came before it was noted. Neither: somebody else moved it.
    if (email->second.mailbox_ids == together)
      update.set(target_id,
                 Value::map({{"mailboxIds", Value::map({{items.front().target_mailbox, true}})}}));
    else if (email->second.mailbox_ids != alone)
      emails.erase(email);
  }
  if (update.size() > 0) {
    PLAN_TRY(result, target.client().set({.type = "Email",
                                          .account_id = target.account_id(),
                                          .update = std::move(update),
                                          .capability = std::string(jmap::kMail)}));
    for (const jmap::SetFailure& failure : result.failures) emails.erase(failure.id);
  }
  PLAN_TRY(transaction, database.begin());
  for (const auto& [target_id, items] : shares) {
    if (!emails.contains(target_id)) continue;
    for (std::size_t index = 1; index < items.size(); ++index) {
      PLAN_TRY(reset, database.prepare(
                          "UPDATE plan_item SET state = 0, target_id = NULL, target_mailbox = "
                          "NULL, target_keywords = NULL, is_proved = 0 WHERE id = ?"));
      reset.bind(1, items[index].id);
      PLAN_TRY_VOID(reset.run());
      ++split;
    }
  }
  PLAN_TRY_VOID(database.execute("DELETE FROM plan_item WHERE is_gone = 1 AND state = 0"));
  PLAN_TRY_VOID(transaction.commit());
  return split;
}

}  // namespace plan::archive
