#include "runtime/archive/push_jmap.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <tuple>

#include "compiler/ir/digest.h"
#include "compiler/source/text.h"
#include "runtime/archive/errors.h"
#include "runtime/archive/grade.h"
#include "runtime/archive/import_imap.h"
#include "runtime/archive/item_state.h"
#include "runtime/archive/provenance.h"
#include "runtime/archive/push_changes.h"
#include "runtime/archive/target_mailboxes.h"
#include "runtime/net/errors.h"
#include "runtime/net/imap/date.h"
#include "runtime/net/jmap/errors.h"
#include "runtime/step/errors.h"

namespace plan::archive {
namespace {

using ir::Value;
namespace jmap = net::jmap;

constexpr int kUploadAttemptsMax = 3;
/// The archive's fact: the target's Email state from before an import whose answer is not known was
/// looked for and not found. The next import is made in that state, also by another process.
constexpr std::string_view kStateBeforeLook = "state-before-look";

struct Pending {
  std::int64_t id = 0;
  std::string wire_name = {};
  std::uint32_t uid = 0;
  std::string body = {};
  std::string sha256 = {};
  std::string received_at = {};
  std::string keywords = {};  ///< JSON, as at the source
  std::string mailbox_id = {};
  std::string blob_id = {};
  std::string refusal = {};  ///< the target does not take the upload
};

class Push {
 public:
  Push(ArchiveFile& archive, const TargetAccount& target, const PushOptions& options)
      : archive_(archive),
        database_(archive.database()),
        target_(target),
        options_(options),
        changes_(archive, target, options, report_) {}

  Result<PushReport> run() {
    PLAN_TRY_VOID(bind_target());
    PLAN_TRY_VOID(resolve());
    PLAN_TRY(linked, archive_.fact(kLinked));
    if (options_.is_source_authority && (options_.is_presence_checked || !linked.empty())) {
      PLAN_TRY(split, split_shared(archive_, target_));
      report_.updated += split;
    }
    PLAN_TRY(mapping, map_mailboxes(archive_, target_));
    report_.mailboxes_created = mapping.created;
    places_ = std::move(mapping.target_ids);
    if (options_.is_refused_tried_again)
      PLAN_TRY_VOID(database_.execute(
          "UPDATE plan_item SET state = 0, problem = NULL WHERE state = 3 AND is_gone = 0"));
    if (options_.is_presence_checked && options_.is_source_authority)
      PLAN_TRY_VOID(forget_missing());
    if (options_.is_present_taken) PLAN_TRY_VOID(take_present());
    PLAN_TRY_VOID(adopt());
    PLAN_TRY_VOID(import_wanted());
    if (options_.is_source_authority) {
      PLAN_TRY_VOID(changes_.update_changed(places_));
      PLAN_TRY_VOID(changes_.destroy_gone());
      PLAN_TRY_VOID(destroy_vanished_mailboxes(archive_, target_));
      PLAN_TRY_VOID(push_scripts(archive_, target_, report_));
    }
    PLAN_TRY_VOID(list_problems());
    return std::move(report_);
  }

  Outcome resolve_open() {
    PLAN_TRY_VOID(bind_target());
    return resolve();
  }

 private:
  void kill_point(const char* place) {
    if (options_.kill_point) options_.kill_point(place);
  }

  /// Provenance is of one account; another one (made anew after an undo) has nothing of ours yet.
  Outcome bind_target() {
    PLAN_TRY(bound, archive_.fact("target-account"));
    if (bound == target_.account_id()) return {};
    PLAN_TRY(transaction, database_.begin());
    PLAN_TRY_VOID(
        database_.execute("DELETE FROM plan_target_mailbox; DELETE FROM plan_target_script; DELETE "
                          "FROM plan_item WHERE is_gone = 1; "
                          "UPDATE plan_item SET state = 0, target_id = NULL, target_mailbox = "
                          "NULL, target_keywords = NULL, is_proved "
                          "= 0, problem = NULL WHERE state <> 5"));
    PLAN_TRY_VOID(archive_.set_fact("target-account", target_.account_id()));
    PLAN_TRY_VOID(archive_.set_fact(kComparedState, ""));
    PLAN_TRY_VOID(archive_.set_fact(kStateBeforeLook, ""));
    return transaction.commit();
  }

  // --- what an earlier run left open -----------------------------------------------------------

  struct Open {
    std::int64_t id = 0;
    std::string sha256 = {};
    std::uint64_t bytes = 0;
    std::string mailbox_id = {};
    std::string keywords = {};  ///< as they were sent; the source may have others by now
    std::string received_at = {};
  };

  static std::int64_t seconds_of(std::string_view rfc3339) {
    const auto date = net::imap::parse_rfc3339(rfc3339);
    return date ? date->unix_seconds : -1;
  }

  Outcome resolve() {
    std::vector<Open> open;
    PLAN_TRY(rows,
             database_.prepare(
                 "SELECT id, sha256, bytes, target_mailbox, coalesce(target_keywords, keywords), "
                 "received_at FROM plan_item WHERE state = 1 ORDER BY id"));
    while (true) {
      PLAN_TRY(has_row, rows.step());
      if (!has_row) break;
      open.push_back({.id = rows.integer(0),
                      .sha256 = std::string(rows.blob(1)),
                      .bytes = static_cast<std::uint64_t>(rows.integer(2)),
                      .mailbox_id = std::string(rows.text(3)),
                      .keywords = std::string(rows.text(4)),
                      .received_at = received_at_for_target(rows.text(5))});
    }
    // A destruction that was begun is simply made again: destroy_gone.
    PLAN_TRY_VOID(database_.execute("UPDATE plan_item SET state = 2 WHERE state = 4"));
    if (open.empty()) return {};
    // Before the look: an import of ours may still be on its way, and what runs after this makes
    // the next import of the same messages a stateMismatch.
    PLAN_TRY(state, target_.state_of(kEmail));
    std::set<std::string> mailboxes;
    std::set<std::uint64_t> sizes;
    for (const Open& item : open) {
      mailboxes.insert(item.mailbox_id);
      sizes.insert(item.bytes);
    }
    // Messages at the target that no item has, by mailbox, digest and date: twins of somebody else
    // with another date are not ours.
    std::multimap<std::tuple<std::string, std::string, std::int64_t>, std::string> strays;
    for (const std::string& mailbox_id : mailboxes) {
      PLAN_TRY(ids, target_.email_ids(mailbox_id));
      std::vector<std::string> unknown;
      for (const std::string& id : ids) {
        PLAN_TRY(is_known, has_item(id));
        if (!is_known) unknown.push_back(id);
      }
      PLAN_TRY(emails, target_.emails(unknown));
      std::vector<std::string> blobs;
      for (const auto& [id, email] : emails)
        if (sizes.count(email.size_bytes) > 0) blobs.push_back(email.blob_id);
      PLAN_TRY(digests, target_.digests(blobs));
      for (const auto& [id, email] : emails)
        if (const auto digest = digests.find(email.blob_id); digest != digests.end())
          strays.emplace(std::tuple(mailbox_id, digest->second, seconds_of(email.received_at)), id);
    }
    PLAN_TRY(transaction, database_.begin());
    bool is_any_wanted = false;
    for (const Open& item : open) {
      const auto found = strays.find({item.mailbox_id, item.sha256, seconds_of(item.received_at)});
      PLAN_TRY(update,
               database_.prepare(
                   "UPDATE plan_item SET state = ?, target_id = ?, target_keywords = ?, is_proved "
                   "= ? WHERE id = ?"));
      if (found != strays.end()) {
        update.bind(1, static_cast<int>(ItemState::at_target)).bind(2, found->second);
        update.bind(3, item.keywords).bind(4, true).bind(5, item.id);
        strays.erase(found);
        ++report_.resolved;
      } else {
        is_any_wanted = true;
        update.bind(1, static_cast<int>(ItemState::wanted))
            .bind_null(2)
            .bind_null(3)
            .bind(4, false);
        update.bind(5, item.id);
      }
      PLAN_TRY_VOID(update.run());
    }
    PLAN_TRY_VOID(database_.execute("DELETE FROM plan_item WHERE is_gone = 1 AND state = 0"));
    if (is_any_wanted) PLAN_TRY_VOID(archive_.set_fact(kStateBeforeLook, state));
    has_looked_ = has_looked_ || is_any_wanted;
    return transaction.commit();
  }

  /// Not begun by us, but looked for in the same way: by mailbox, bytes and date, each once.
  Outcome take_present() {
    {
      PLAN_TRY(transaction, database_.begin());
      PLAN_TRY(update, database_.prepare("UPDATE plan_item SET state = 1, target_mailbox = ?, "
                                         "target_keywords = keywords WHERE wire_name = ? AND state "
                                         "= 0 AND is_gone = 0"));
      for (const auto& [wire_name, target_id] : places_) {
        update.bind(1, target_id).bind(2, wire_name);
        PLAN_TRY_VOID(update.run());
      }
      PLAN_TRY_VOID(transaction.commit());
    }
    return resolve();
  }

  Result<bool> has_item(const std::string& target_id) {
    PLAN_TRY(find, database_.prepare("SELECT 1 FROM plan_item WHERE target_id = ?"));
    find.bind(1, target_id);
    return find.step();
  }

  Outcome forget_missing() {
    PLAN_TRY(ids, target_.email_ids());
    const std::set<std::string> present(ids.begin(), ids.end());
    std::vector<std::int64_t> missing;
    PLAN_TRY(rows, database_.prepare("SELECT id, target_id FROM plan_item WHERE state = 2"));
    while (true) {
      PLAN_TRY(has_row, rows.step());
      if (!has_row) break;
      if (present.count(std::string(rows.text(1))) == 0) missing.push_back(rows.integer(0));
    }
    if (missing.empty()) return {};
    PLAN_TRY(transaction, database_.begin());
    for (const std::int64_t id : missing) PLAN_TRY_VOID(changes_.forget(id));
    return transaction.commit();
  }

  // --- moved at the source ---------------------------------------------------------------------

  /// Their mailbox and keywords follow by update_changed.
  Outcome adopt() {
    if (!options_.is_source_authority) return {};
    PLAN_TRY(adopted, adopt_moved(archive_));
    report_.adopted += adopted;
    return {};
  }

  // --- new messages ----------------------------------------------------------------------------

  Outcome import_wanted() {
    PLAN_TRY(total, database_.query_integer(
                        "SELECT count(*) FROM plan_item WHERE state = 0 AND is_gone = 0"));
    total_ = static_cast<std::uint64_t>(total.value_or(0));
    if (total_ == 0) return {};
    PLAN_TRY(session, target_.client().session());
    uploads_ = std::clamp<std::size_t>(session->limits.concurrent_uploads, 1, kUploadsInFlight);
    PLAN_TRY(before_look, archive_.fact(kStateBeforeLook));
    email_state_ = std::move(before_look);
    has_looked_ = !email_state_.empty();
    if (!has_looked_) {
      PLAN_TRY(state, target_.state_of(kEmail));
      email_state_ = std::move(state);
    }
    // The next batch is uploaded while the target imports this one.
    PLAN_TRY(first, next_batch());
    std::vector<Pending> batch = std::move(first);
    auto uploaded = upload(batch);
    while (!batch.empty()) {
      PLAN_TRY_VOID(uploaded);
      PLAN_TRY(following, next_batch());
      std::vector<Pending> next = std::move(following);
      auto ahead = std::async(std::launch::async, [&] { return upload(next); });
      auto imported = check_stop(options_);
      if (imported) imported = import_batch(batch);
      uploaded = ahead.get();
      PLAN_TRY_VOID(imported);
      batch = std::move(next);
    }
    return {};
  }

  Result<std::vector<Pending>> next_batch() {
    std::vector<Pending> batch;
    PLAN_TRY(rows, database_.prepare("SELECT p.id, p.wire_name, p.uid, b.data, p.sha256, "
                                     "p.received_at, p.keywords FROM plan_item p "
                                     "JOIN emails e ON e.id = p.email_id JOIN blobs b ON b.id = "
                                     "e.blob_id WHERE p.state = 0 AND "
                                     "p.is_gone = 0 AND p.id > ? ORDER BY p.id"));
    rows.bind(1, last_id_);
    std::size_t bytes = 0;
    while (batch.size() < options_.import_batch && bytes < kImportBytes) {
      PLAN_TRY(has_row, rows.step());
      if (!has_row) break;
      Pending item{.id = rows.integer(0),
                   .wire_name = std::string(rows.text(1)),
                   .uid = static_cast<std::uint32_t>(rows.integer(2)),
                   .body = std::string(rows.blob(3)),
                   .sha256 = std::string(rows.blob(4)),
                   .received_at = std::string(rows.text(5)),
                   .keywords = std::string(rows.text(6))};
      last_id_ = item.id;
      const auto place = places_.find(item.wire_name);
      if (place == places_.end()) continue;  // its mailbox went away: the next pass removes it
      item.mailbox_id = place->second;
      bytes += item.body.size();
      batch.push_back(std::move(item));
    }
    return batch;
  }

  /// Several at a time. Equal bytes are uploaded once. What the target does not take stays without
  /// blob_id and gets the error's words.
  Outcome upload(std::vector<Pending>& batch) {
    std::map<std::string, std::vector<Pending*>> by_digest;
    for (Pending& item : batch) by_digest[item.sha256].push_back(&item);
    std::vector<std::vector<Pending*>*> jobs;
    jobs.reserve(by_digest.size());
    for (auto& [digest, items] : by_digest) jobs.push_back(&items);
    std::atomic<std::size_t> next{0};
    std::mutex mutex;
    std::optional<Error> failed;
    const auto work = [&] {
      while (true) {
        const std::size_t index = next++;
        if (index >= jobs.size()) return;
        auto blob = target_.client().upload(target_.account_id(), jobs[index]->front()->body,
                                            "message/rfc822");
        const std::lock_guard lock(mutex);
        if (blob) {
          for (Pending* item : *jobs[index]) item->blob_id = *blob;
        } else if (blob.error().is(net::errors::http_status) ||
                   blob.error().is(jmap::errors::too_large)) {
          for (Pending* item : *jobs[index]) item->refusal = blob.error().to_line();
        } else {
          if (!failed) failed = std::move(blob.error());
          next = jobs.size();
        }
      }
    };
    std::vector<std::thread> threads;
    for (std::size_t count = 1; count < std::min(uploads_, jobs.size()); ++count)
      threads.emplace_back(work);
    work();
    for (std::thread& thread : threads) thread.join();
    if (failed) return std::move(*failed).while_doing("uploading messages");
    return {};
  }

  Outcome set_state(const std::vector<Pending>& batch, ItemState state) {
    PLAN_TRY(transaction, database_.begin());
    for (const Pending& item : batch) {
      if (item.blob_id.empty()) continue;
      PLAN_TRY(update, database_.prepare("UPDATE plan_item SET state = ?, target_mailbox = ?, "
                                         "target_keywords = ? WHERE id = ?"));
      update.bind(1, static_cast<int>(state)).bind(2, item.mailbox_id).bind(3, item.keywords);
      update.bind(4, item.id);
      PLAN_TRY_VOID(update.run());
    }
    return transaction.commit();
  }

  Outcome keep_wanted(std::vector<Pending>& batch) {
    PLAN_TRY(find, database_.prepare("SELECT state FROM plan_item WHERE id = ?"));
    std::vector<Pending> left;
    for (Pending& item : batch) {
      find.bind(1, item.id);
      PLAN_TRY(is_found, find.step());
      if (is_found && find.integer(0) == static_cast<int>(ItemState::wanted))
        left.push_back(std::move(item));
      find.reset();
    }
    batch = std::move(left);
    return {};
  }

  Outcome refuse(const Pending& item, std::string_view text) {
    PLAN_TRY(update, database_.prepare("UPDATE plan_item SET state = 3, problem = ? WHERE id = ?"));
    update.bind(1, text).bind(2, item.id);
    return update.run();
  }

  Outcome import_batch(std::vector<Pending>& batch) {
    for (const Pending& item : batch)
      if (item.blob_id.empty()) PLAN_TRY_VOID(refuse(item, item.refusal));
    for (int attempt = 0;; ++attempt) {
      if (attempt >= kStateRetriesMax)
        return Error(errors::target_changed_meanwhile,
                     fmt::format(
                         "the target's account changed under each of {} tries to import into it",
                         kStateRetriesMax))
            .with_retry(Retry::safe)
            .with_blame(Blame::target);
      Value emails = Value::map();
      for (const Pending& item : batch) {
        if (item.blob_id.empty()) continue;
        emails.set(
            fmt::format("i{}", item.id),
            Value::map({{"blobId", item.blob_id},
                        {"mailboxIds", true_map({item.mailbox_id})},
                        {"keywords", true_map(keywords_for_target(texts_of_json(item.keywords)))},
                        {"receivedAt", received_at_for_target(item.received_at)}}));
      }
      if (emails.size() == 0) return {};
      Value arguments = Value::map({{"accountId", target_.account_id()}});
      if (options_.is_state_expected && !email_state_.empty())
        arguments.set("ifInState", email_state_);
      arguments.set("emails", std::move(emails));

      PLAN_TRY_VOID(set_state(batch, ItemState::importing));
      kill_point("import-begun");
      auto answers =
          target_.client().call({{.method = "Email/import", .arguments = std::move(arguments)}},
                                {.capabilities = {std::string(jmap::kMail)}});
      if (!answers) {
        if (answers.error().effect() == Effect::none)
          PLAN_TRY_VOID(set_state(batch, ItemState::wanted));
        return std::move(answers.error()).while_doing("importing messages");
      }
      kill_point("import-answered");
      if (answers->empty())
        return Error(net::errors::protocol_violation, "Email/import without answer")
            .with_blame(Blame::target);
      const jmap::Answer& answer = answers->front();
      if (!answer.is_error()) {
        // Taken in the state from before the look: what was on its way is refused from now on.
        if (has_looked_) PLAN_TRY_VOID(archive_.set_fact(kStateBeforeLook, ""));
        has_looked_ = false;
        return take_answer(batch, answer.arguments);
      }
      const std::string_view type = answer.arguments["type"].string_or("");
      if (type == "stateMismatch") {
        // Somebody changed the account: perhaps an import of ours whose reply was lost and that ran
        // late. So the batch is looked up like any other open one.
        PLAN_TRY(state, target_.state_of(kEmail));
        email_state_ = std::move(state);
        PLAN_TRY_VOID(resolve());
        PLAN_TRY_VOID(keep_wanted(batch));
        continue;
      }
      if (type == "invalidArguments" || type == "requestTooLarge") {
        // Nothing was done. One of them spoils the call: halves, down to the one that does.
        PLAN_TRY_VOID(set_state(batch, ItemState::wanted));
        if (batch.size() == 1) return refuse(batch[0], refusal_of(answer.arguments));
        std::vector<Pending> second(
            std::make_move_iterator(batch.begin() + static_cast<std::ptrdiff_t>(batch.size() / 2)),
            std::make_move_iterator(batch.end()));
        batch.resize(batch.size() / 2);
        PLAN_TRY_VOID(import_batch(batch));
        return import_batch(second);
      }
      return jmap::method_error(answer.arguments, "Email/import", false, Blame::target);
    }
  }

  /// A method error as a line: its type, and what the server says of it in words or by the names of
  /// the arguments it does not take.
  static std::string refusal_of(const Value& error) {
    std::string text = fmt::format("{}: {}", error["type"].string_or(""),
                                   printable(error["description"].string_or(""), 300));
    if (!error["arguments"].is_list()) return text;
    for (const Value& name : error["arguments"].items())
      text += fmt::format(" `{}`", printable(name.string_or(""), 60));
    return text;
  }

  Outcome take_answer(std::vector<Pending>& batch, const Value& answer) {
    const Value& created = answer["created"];
    const Value& refused = answer["notCreated"];
    email_state_ = std::string(answer["newState"].string_or(""));
    std::vector<Pending> again;
    std::optional<Error> stop;
    bool is_anything_unknown = false;
    PLAN_TRY_VOID(ask_for_quota(refused));
    {
      PLAN_TRY(transaction, database_.begin());
      for (Pending& item : batch) {
        if (item.blob_id.empty()) continue;
        const std::string key = fmt::format("i{}", item.id);
        const std::string_view id = created[key]["id"].string_or("");
        if (!id.empty()) {
          PLAN_TRY(update, database_.prepare(
                               "UPDATE plan_item SET state = 2, target_id = ?, target_mailbox = ?, "
                               "target_keywords = ?, problem = NULL WHERE id = ?"));
          update.bind(1, id).bind(2, item.mailbox_id).bind(3, item.keywords).bind(4, item.id);
          PLAN_TRY_VOID(update.run());
          ++report_.created;
          report_.bytes += item.body.size();
          continue;
        }
        const Value& why = refused[key];
        if (!why.is_map()) {
          is_anything_unknown = true;  // stays `importing`: looked up by the next push
          continue;
        }
        const jmap::SetError error = jmap::parse_set_error(why);
        if (error.is("blobNotFound") && ++upload_attempts_[item.id] < kUploadAttemptsMax) {
          PLAN_TRY_VOID(keep_state(item, ItemState::wanted));
          again.push_back(std::move(item));
        } else if (error.is("overQuota") && quota_bytes_ && item.body.size() > *quota_bytes_) {
          // It would not fit if it were alone; what does not fit beside the others is about the
          // account, whose mail is brought whole or not at all.
          PLAN_TRY_VOID(refuse(
              item, fmt::format("overQuota: its {} bytes are more than the account's whole quota "
                                "of {}",
                                item.body.size(), *quota_bytes_)));
        } else if (error.is("overQuota") || error.is("rateLimit") ||
                   error.is("serverUnavailable") || error.is("serverFail")) {
          PLAN_TRY_VOID(keep_state(item, ItemState::wanted));
          if (!stop)
            stop = jmap::to_error(error, "message " + place_of(item.wire_name, item.uid), "",
                                  Blame::target);
        } else {
          PLAN_TRY_VOID(refuse(item, fmt::format("{}: {}", error.type, error.description)));
        }
      }
      PLAN_TRY_VOID(transaction.commit());
    }
    if (options_.progress) options_.progress(report_.created, total_, report_.bytes);
    if (stop) return std::move(*stop);
    if (is_anything_unknown)
      return Error(net::errors::protocol_violation,
                   "the target answers for some messages of an import only")
          .with_effect(Effect::unknown)
          .with_retry(Retry::safe)
          .with_blame(Blame::target);
    if (again.empty()) return {};
    PLAN_TRY_VOID(upload(again));
    return import_batch(again);
  }

  /// Once in a push, and only when a message is refused for it.
  Outcome ask_for_quota(const Value& refused) {
    if (has_asked_for_quota_ || !refused.is_map()) return {};
    const bool is_about_it = std::any_of(
        refused.as_map().begin(), refused.as_map().end(),
        [](const auto& one) { return one.second["type"].string_or("") == "overQuota"; });
    if (!is_about_it) return {};
    PLAN_TRY(quota, target_.quota_bytes());
    quota_bytes_ = quota;
    has_asked_for_quota_ = true;
    return {};
  }

  Outcome keep_state(const Pending& item, ItemState state) {
    PLAN_TRY(update, database_.prepare("UPDATE plan_item SET state = ? WHERE id = ?"));
    update.bind(1, static_cast<int>(state)).bind(2, item.id);
    return update.run();
  }

  Outcome list_problems() {
    PLAN_TRY(rows, database_.prepare("SELECT wire_name, uid, problem FROM plan_item INDEXED BY "
                                     "plan_item_unsettled_idx WHERE "
                                     "problem IS NOT NULL LIMIT 1000"));
    while (true) {
      PLAN_TRY(has_row, rows.step());
      if (!has_row) break;
      report_.problems.push_back(
          {place_of(std::string(rows.text(0)), rows.integer(1)), std::string(rows.text(2))});
    }
    return {};
  }

  ArchiveFile& archive_;
  store::Database& database_;
  const TargetAccount& target_;
  const PushOptions& options_;
  std::map<std::string, std::string> places_ = {};
  std::string email_state_ = {};
  bool has_looked_ = false;  ///< kStateBeforeLook is set
  bool has_asked_for_quota_ = false;
  std::optional<std::uint64_t> quota_bytes_ = {};
  std::int64_t last_id_ = 0;
  std::uint64_t total_ = 0;
  std::size_t uploads_ = 1;
  std::map<std::int64_t, int> upload_attempts_ = {};
  PushReport report_ = {};
  PushChanges changes_;
};

}  // namespace

Result<PushReport> push_jmap(ArchiveFile& archive, const TargetAccount& target,
                             const PushOptions& options) {
  return Push(archive, target, options).run();
}

Outcome resolve_imports(ArchiveFile& archive, const TargetAccount& target) {
  const PushOptions options;
  return Push(archive, target, options).resolve_open();
}

Result<std::uint64_t> push_subscriptions(ArchiveFile& archive, const TargetAccount& as_user) {
  PLAN_TRY(existing, as_user.mailboxes());
  std::map<std::string, bool> subscribed;
  for (const TargetMailbox& mailbox : existing) subscribed[mailbox.id] = mailbox.is_subscribed;
  PLAN_TRY(rows, archive.database().prepare(
                     "SELECT t.target_id, m.is_subscribed FROM plan_target_mailbox t JOIN "
                     "plan_mailbox p ON p.wire_name = t.wire_name JOIN mailboxes m ON m.id = "
                     "p.mailbox_id WHERE t.target_id IS NOT NULL"));
  Value update = Value::map();
  while (true) {
    PLAN_TRY(has_row, rows.step());
    if (!has_row) break;
    const std::string id(rows.text(0));
    // Only ever added: a client may have subscribed to more since the flip.
    if (const auto found = subscribed.find(id);
        found != subscribed.end() && !found->second && rows.integer(1) != 0)
      update.set(id, Value::map({{"isSubscribed", true}}));
  }
  const std::uint64_t count = update.size();
  if (count == 0) return count;
  PLAN_TRY(result, as_user.client().set({.type = "Mailbox",
                                         .account_id = as_user.account_id(),
                                         .update = std::move(update),
                                         .capability = std::string(jmap::kMail)}));
  return count - result.failures.size();
}

Result<std::uint64_t> open_items(ArchiveFile& archive) {
  PLAN_TRY(count, archive.database().query_integer(
                      "SELECT (SELECT count(*) FROM plan_item WHERE state IN (0, 1, 4)) + (SELECT "
                      "count(*) FROM plan_item WHERE state IN (2, 3, 5) AND is_gone = 1)"));
  return static_cast<std::uint64_t>(count.value_or(0));
}

Result<PushState> push_state(ArchiveFile& archive) {
  PLAN_TRY(row,
           archive.database().prepare(
               "SELECT sum(state = 2 AND is_gone = 0), sum(state IN (0, 1, 4) OR is_gone = 1), "
               "sum(state IN (3, 5)) FROM plan_item"));
  PLAN_TRY(has_row, row.step());
  if (!has_row) return PushState();
  return PushState{.at_target = static_cast<std::uint64_t>(row.integer(0)),
                   .open = static_cast<std::uint64_t>(row.integer(1)),
                   .refused = static_cast<std::uint64_t>(row.integer(2))};
}

}  // namespace plan::archive
