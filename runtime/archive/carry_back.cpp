#include "runtime/archive/carry_back.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <mutex>
#include <set>
#include <thread>

#include "compiler/source/text.h"
#include "runtime/archive/carry_mailboxes.h"
#include "runtime/archive/digest.h"
#include "runtime/archive/errors.h"
#include "runtime/archive/limits.h"
#include "runtime/archive/open_appends.h"
#include "runtime/archive/provenance.h"
#include "runtime/archive/source_writer.h"
#include "runtime/net/clock.h"
#include "runtime/step/errors.h"

namespace plan::archive {
namespace {

namespace imap = net::imap;
namespace jmap = net::jmap;

constexpr int kRoundsMax = 12;
constexpr int kEarlyRounds = 2;
constexpr std::size_t kUidsAtOnce = 500;
constexpr std::size_t kAppendBatch = 50;
constexpr std::string_view kProbeMark = "Message-ID: <plan-probe.";

/// A probe that a crash left behind: never the user's mail.
bool is_probe(std::string_view message) {
  const std::size_t end = message.find("\r\n\r\n");
  return message.substr(0, end).find(kProbeMark) != std::string_view::npos;
}

class Carrier {
 public:
  Carrier(ArchiveFile& archive, const AccountSource& source, const TargetAccount& target,
          const CarryOptions& options)
      : archive_(archive),
        database_(archive.database()),
        source_(source),
        target_(target),
        options_(options),
        writer_(source.imap) {}

  Result<CarryReport> run() {
    PLAN_TRY(bound, archive_.fact("target-account"));
    if (bound != target_.account_id())
      return Error(
                 errors::target_account_gone,
                 fmt::format("plan filled the account with the id {} of the target, {} has the id "
                             "{} now",
                             bound, source_.imap.identity.account_id, target_.account_id()))
          .with_blame(Blame::target);
    if (!options_.is_dry) PLAN_TRY_VOID(resolve_imports(archive_, target_));
    for (int round = 0; round < kRoundsMax; ++round) {
      PLAN_TRY_VOID(check_stop());
      PLAN_TRY(is_over, carry_once());
      // While the target is the authority mail keeps coming: what is left is for the hold.
      if (is_over || (options_.only_new && round + 1 >= kEarlyRounds)) return std::move(report_);
    }
    return Error(errors::carry_back_unsettled,
                 fmt::format(
                     "source and target still differ after {} passes: somebody writes to them",
                     kRoundsMax))
        .with_retry(Retry::safe)
        .with_blame(Blame::target);
  }

 private:
  void kill_point(const char* place) {
    if (options_.kill_point) options_.kill_point(place);
  }

  Outcome check_stop() {
    if (options_.is_stop_requested && options_.is_stop_requested())
      return Error(step::errors::stopped, "stopped between two passes").with_retry(Retry::safe);
    return {};
  }

  /// One round. True: nothing is left to do.
  Result<bool> carry_once() {
    if (!options_.is_dry) {
      PLAN_TRY_VOID(settle_open_appends(archive_, source_.imap,
                                        {.quiet = options_.quiet,
                                         .clock = options_.clock,
                                         .is_stop_requested = options_.is_stop_requested}));
      PLAN_TRY(read, import_imap(archive_, source_.imap,
                                 {.is_stop_requested = options_.is_stop_requested}));
      kill_point("source-read");
      PLAN_TRY(linked, link_carried(archive_));
      (void)linked;
      kill_point("carried-linked");
      PLAN_TRY(adopted, adopt_moved(archive_));
      (void)adopted;
      if (!read.problems.empty() && read.problems.front().uid == 0)
        return Error(step::errors::not_as_wanted, "a mailbox of the source cannot be read")
            .with_retry(Retry::safe)
            .with_blame(Blame::source)
            .with_detail(read.problems.front().mailbox + ": " + read.problems.front().text);
    }
    CarryView view;
    PLAN_TRY(mailboxes, target_.mailboxes());
    PLAN_TRY_VOID(look_at_target());
    view.emails = snapshot().emails;
    for (const std::string& id : probes_) view.emails.erase(id);
    view.settled = refused_;
    std::set<std::string> used;
    for (const auto& [id, email] : view.emails)
      used.insert(email.mailbox_ids.begin(), email.mailbox_ids.end());
    PLAN_TRY(places, carry_mailboxes(archive_, mailboxes, used,
                                     options_.is_dry ? nullptr : &writer_, !options_.only_new));
    kill_point("mailboxes-carried");
    report_.mailboxes += places.made + places.renamed;
    for (CarryConflict& conflict : places.conflicts) PLAN_TRY_VOID(note(std::move(conflict)));
    if (places.renamed > 0 && !options_.is_dry) return false;  // the messages are elsewhere now
    view.wires = std::move(places.wires);
    PLAN_TRY(items, load_carry_items(archive_));
    view.items = std::move(items);
    CarryActions actions = decide_carry(view);
    if (options_.only_new) {
      std::erase_if(actions.placements, [](const Placement& one) { return !one.is_new; });
      actions.flags.clear();
      actions.deleted.clear();
      actions.moved_away.clear();
      actions.conflicts.clear();
      actions.forgotten.clear();
      actions.kept.clear();
    }
    for (CarryConflict& conflict : actions.conflicts) PLAN_TRY_VOID(note(std::move(conflict)));
    if (options_.is_dry) return count(actions);
    return execute(actions, mailboxes);
  }

  TargetSnapshot& snapshot() {
    return options_.snapshot == nullptr ? own_snapshot_ : *options_.snapshot;
  }

  /// Brings the snapshot up to date: by what changed since, or by a list of everything.
  Outcome look_at_target() {
    TargetSnapshot& seen = snapshot();
    if (!seen.state.empty() && seen.account_id == target_.account_id()) {
      PLAN_TRY(changes, target_.changes_of(kEmail, seen.state));
      if (changes) {
        for (const std::string& id : changes->gone) seen.emails.erase(id);
        // Those that went since are in no answer.
        for (const std::string& id : changes->changed) seen.emails.erase(id);
        PLAN_TRY(changed, target_.emails(changes->changed));
        seen.emails.merge(changed);
        seen.state = changes->state;
        return {};
      }
    }
    seen = {};
    // Asked before the list: what changes while it is read is looked at again the next time.
    PLAN_TRY(state, target_.state_of(kEmail));
    PLAN_TRY(ids, target_.email_ids());
    PLAN_TRY(emails, target_.emails(ids));
    seen = {.account_id = target_.account_id(), .state = state, .emails = std::move(emails)};
    return {};
  }

  Result<bool> count(const CarryActions& actions) {
    for (const Placement& placement : actions.placements) {
      ++(placement.is_new ? report_.arrived : report_.moved);
      report_.bytes += placement.email.size_bytes;
    }
    report_.flags = actions.flags.size();
    report_.deleted = actions.deleted.size();
    if (!options_.only_new && source_.has_sieve)
      PLAN_TRY_VOID(carry_scripts(archive_, source_.sieve, target_, true, report_));
    if (!options_.only_new && source_.dav)
      PLAN_TRY_VOID(carry_dav(archive_, *source_.dav, target_, options_, report_));
    return true;
  }

  Result<bool> execute(const CarryActions& actions, const std::vector<TargetMailbox>& mailboxes) {
    PLAN_TRY_VOID(forget(actions));
    PLAN_TRY_VOID(change_flags(actions.flags));
    PLAN_TRY_VOID(append(actions.placements));
    // What moved is taken from its old place only when a pass has found it in the new one.
    if (!actions.placements.empty()) return false;
    PLAN_TRY_VOID(expunge(actions.moved_away));
    PLAN_TRY_VOID(expunge(actions.deleted));
    report_.deleted += actions.deleted.size();
    if (!actions.flags.empty() || !actions.moved_away.empty() || !actions.deleted.empty())
      return false;
    if (options_.only_new) return true;
    if (source_.has_sieve && !are_scripts_carried_) {
      PLAN_TRY_VOID(carry_scripts(archive_, source_.sieve, target_, false, report_));
      are_scripts_carried_ = true;
    }
    if (source_.dav && !is_dav_carried_) {
      PLAN_TRY_VOID(carry_dav(archive_, *source_.dav, target_, options_, report_));
      is_dav_carried_ = true;
    }
    std::vector<CarryConflict> conflicts;
    PLAN_TRY(removed, remove_gone_mailboxes(archive_, mailboxes, writer_, conflicts));
    for (CarryConflict& conflict : conflicts) PLAN_TRY_VOID(note(std::move(conflict)));
    report_.mailboxes += removed;
    return removed == 0;
  }

  // --- bookkeeping -----------------------------------------------------------------------------

  /// Once each, also when several rounds meet it.
  Outcome note(CarryConflict conflict) {
    if (!noted_.insert(conflict.place + "\n" + conflict.rule).second) return {};
    if (!options_.is_dry) {
      PLAN_TRY(keep, database_.prepare(
                         "INSERT INTO plan_carry_note (wall_ms, place, rule) VALUES (?, ?, ?)"));
      keep.bind(1, net::system_clock().wall_ms()).bind(2, conflict.place).bind(3, conflict.rule);
      PLAN_TRY_VOID(keep.run());
    }
    report_.conflicts.push_back(std::move(conflict));
    return {};
  }

  Outcome forget(const CarryActions& actions) {
    if (actions.forgotten.empty() && actions.kept.empty()) return {};
    PLAN_TRY(transaction, database_.begin());
    for (const std::int64_t id : actions.forgotten) {
      PLAN_TRY(drop, database_.prepare("DELETE FROM plan_item WHERE id = ?"));
      drop.bind(1, id);
      PLAN_TRY_VOID(drop.run());
    }
    for (const std::int64_t id : actions.kept) {
      PLAN_TRY(reset, database_.prepare(
                          "UPDATE plan_item SET state = 0, target_id = NULL, target_mailbox = "
                          "NULL, target_keywords = NULL, is_proved = 0 WHERE id = ?"));
      reset.bind(1, id);
      PLAN_TRY_VOID(reset.run());
    }
    return transaction.commit();
  }

  // --- flags, deletions ------------------------------------------------------------------------

  Outcome change_flags(const std::vector<FlagChange>& changes) {
    using Key =
        std::tuple<std::string, std::uint32_t, std::vector<std::string>, std::vector<std::string>>;
    std::map<Key, std::vector<const FlagChange*>> groups;
    for (const FlagChange& change : changes)
      groups[{change.item->wire_name, change.item->uid_validity, change.added, change.removed}]
          .push_back(&change);
    for (const auto& [key, group] : groups) {
      const auto& [wire_name, uid_validity, added, removed] = key;
      for (std::size_t begin = 0; begin < group.size(); begin += kUidsAtOnce) {
        const std::size_t end = std::min(group.size(), begin + kUidsAtOnce);
        imap::UidSet uids;
        for (std::size_t index = begin; index < end; ++index) uids.add(group[index]->item->uid);
        if (!added.empty() || !removed.empty()) {
          const auto stored = writer_.change_flags(wire_name, uid_validity, uids, added, removed);
          if (!stored && !is_refusal(stored.error()))
            return std::move(Error(stored.error())).while_doing("carrying flags back");
          if (!stored)
            PLAN_TRY_VOID(note({printable(wire_name, 200),
                                fmt::format("the source refuses the flags {}: they stay at the "
                                            "target: {}",
                                            printable(json_array(added), 200),
                                            printable(stored.error().detail(), 200))}));
          else
            report_.flags += end - begin;
        }
        kill_point("flags-stored");
        PLAN_TRY(transaction, database_.begin());
        for (std::size_t index = begin; index < end; ++index) {
          PLAN_TRY(keep,
                   database_.prepare("UPDATE plan_item SET target_keywords = ? WHERE id = ?"));
          keep.bind(1, json_array(group[index]->target_keywords)).bind(2, group[index]->item->id);
          PLAN_TRY_VOID(keep.run());
        }
        PLAN_TRY_VOID(transaction.commit());
      }
    }
    return {};
  }

  Outcome expunge(const std::vector<const CarryItem*>& items) {
    std::map<std::pair<std::string, std::uint32_t>, std::vector<std::uint32_t>> groups;
    for (const CarryItem* item : items)
      groups[{item->wire_name, item->uid_validity}].push_back(item->uid);
    for (const auto& [key, uids] : groups) {
      for (std::size_t begin = 0; begin < uids.size(); begin += kUidsAtOnce) {
        imap::UidSet some;
        const std::size_t end = std::min(uids.size(), begin + kUidsAtOnce);
        for (std::size_t index = begin; index < end; ++index) some.add(uids[index]);
        PLAN_TRY(
            is_gone,
            writer_.expunge(key.first, key.second, some).while_doing("carrying deletions back"));
        kill_point("expunged");
        if (!is_gone)
          return Error(errors::carry_back_unsettled,
                       "the source has no UIDPLUS: messages that were deleted or moved at the "
                       "target are marked \\Deleted there and cannot be expunged one by one")
              .with_blame(Blame::source);
      }
    }
    return {};
  }

  // --- messages --------------------------------------------------------------------------------

  struct Loaded {
    const Placement* placement = nullptr;
    std::string body = {};
    std::string received_at = {};
  };

  /// What is appended in one go.
  struct Batch {
    std::string wire_name = {};
    std::vector<const Placement*> placements = {};
  };
  static std::vector<Batch> batches_of(const std::vector<Placement>& placements) {
    std::map<std::string, std::vector<const Placement*>> by_mailbox;
    for (const Placement& placement : placements)
      by_mailbox[placement.wire_name].push_back(&placement);
    std::vector<Batch> batches;
    for (const auto& [wire_name, group] : by_mailbox) {
      std::uint64_t bytes = kImportBytes;
      for (const Placement* placement : group) {
        const bool is_full =
            bytes >= kImportBytes || batches.back().placements.size() >= kAppendBatch;
        if (is_full) {
          batches.push_back({wire_name, {}});
          bytes = 0;
        }
        batches.back().placements.push_back(placement);
        bytes += placement->email.size_bytes;
      }
    }
    return batches;
  }

  /// The target has one message an answer, so several are asked for at a time, and those of the
  /// next batch while this one is appended.
  Outcome append(const std::vector<Placement>& placements) {
    const std::vector<Batch> batches = batches_of(placements);
    std::uint64_t done = 0;
    std::future<Result<std::vector<std::string>>> ahead;
    const auto begin = [&](std::size_t index) {
      ahead = std::async(std::launch::async, [this, &batch = batches[index]] {
        return download_new(batch.placements);
      });
    };
    if (!batches.empty()) begin(0);
    for (std::size_t index = 0; index < batches.size(); ++index) {
      PLAN_TRY_VOID(check_stop());
      PLAN_TRY(bodies, ahead.get());
      if (index + 1 < batches.size()) begin(index + 1);
      const Batch& batch = batches[index];
      std::vector<Loaded> loaded;
      for (std::size_t at = 0; at < batch.placements.size(); ++at) {
        const Placement& placement = *batch.placements[at];
        PLAN_TRY(one, load(placement, std::move(bodies[at])));
        if (one.body.empty() && placement.email.size_bytes > 0) continue;  // a probe, or gone
        loaded.push_back(std::move(one));
      }
      if (!loaded.empty()) PLAN_TRY_VOID(append_batch(batch.wire_name, loaded));
      done += batch.placements.size();
      if (options_.progress) options_.progress(done, placements.size());
    }
    return {};
  }

  /// The bytes of those that the archive does not have, in their order; the others are empty.
  Result<std::vector<std::string>> download_new(const std::vector<const Placement*>& placements) {
    std::vector<std::string> bodies(placements.size());
    std::atomic<std::size_t> next{0};
    std::mutex mutex;
    std::optional<Error> failed;
    const auto work = [&] {
      for (std::size_t at = next++; at < placements.size(); at = next++) {
        if (placements[at]->email_id != 0) continue;
        auto bytes = download(placements[at]->email);
        const std::lock_guard lock(mutex);
        if (bytes) {
          bodies[at] = std::move(*bytes);
        } else {
          if (!failed) failed = std::move(bytes.error());
          next = placements.size();
        }
      }
    };
    const auto wanted = static_cast<std::size_t>(
        std::count_if(placements.begin(), placements.end(),
                      [](const Placement* placement) { return placement->email_id == 0; }));
    std::vector<std::thread> threads;
    for (std::size_t count = 1; count < std::min(kDownloadsInFlight, wanted); ++count)
      threads.emplace_back(work);
    work();
    for (std::thread& thread : threads) thread.join();
    if (failed) return std::move(*failed);
    return bodies;
  }

  Result<std::string> download(const TargetEmail& email) const {
    auto bytes = target_.client().download(target_.account_id(), email.blob_id, kMessageBytesMax);
    if (!bytes)
      return std::move(bytes.error())
          .while_doing(fmt::format("reading message {} of the target", printable(email.id, 100)));
    return bytes;
  }

  Result<Loaded> load(const Placement& placement, std::string bytes) {
    Loaded loaded{.placement = &placement,
                  .received_at = placement.received_at.empty() ? placement.email.received_at
                                                               : placement.received_at};
    if (placement.email_id != 0) {
      PLAN_TRY(find, database_.prepare(
                         "SELECT b.data FROM emails e JOIN blobs b ON b.id = e.blob_id WHERE e.id "
                         "= ?"));
      find.bind(1, placement.email_id);
      PLAN_TRY(is_found, find.step());
      if (is_found) {
        loaded.body = std::string(find.blob(0));
        return loaded;
      }
      PLAN_TRY(at_target, download(placement.email));
      bytes = std::move(at_target);
    }
    if (is_probe(bytes)) {
      PLAN_TRY_VOID(destroy_probe(placement.email.id));
      return loaded;
    }
    loaded.body = with_wire_line_ends(bytes);
    return loaded;
  }

  Outcome destroy_probe(const std::string& id) {
    if (!probes_.insert(id).second) return {};
    PLAN_TRY(gone, target_.client().set({.type = "Email",
                                         .account_id = target_.account_id(),
                                         .destroy = {id},
                                         .capability = std::string(jmap::kMail)}));
    (void)gone;
    return {};
  }

  Outcome append_batch(const std::string& wire_name, const std::vector<Loaded>& batch) {
    std::vector<std::int64_t> rows;
    {
      PLAN_TRY(transaction, database_.begin());
      for (const Loaded& one : batch) {
        const TargetEmail& email = one.placement->email;
        PLAN_TRY(begin, database_.prepare(
                            "INSERT INTO plan_carried (wire_name, target_id, target_mailbox, "
                            "target_keywords, sha256, received_at) VALUES (?, ?, ?, ?, ?, ?)"));
        begin.bind(1, wire_name).bind(2, email.id).bind(3, one.placement->mailbox_id);
        begin.bind(4, json_array(email.keywords)).bind_blob(5, sha256_raw(one.body));
        begin.bind(6, one.received_at);
        PLAN_TRY_VOID(begin.run());
        rows.push_back(database_.last_insert_id());
      }
      PLAN_TRY_VOID(transaction.commit());
    }
    kill_point("append-begun");
    std::vector<imap::AppendMessage> messages;
    messages.reserve(batch.size());
    for (const Loaded& one : batch)
      messages.push_back({.body = one.body,
                          .flags = flags_of(one.placement->email.keywords),
                          .date = imap::parse_rfc3339(one.received_at)});
    auto answers = writer_.append(wire_name, messages);
    if (!answers)
      return std::move(answers.error())
          .with_retry(Retry::safe)
          .while_doing(fmt::format("appending to {}", printable(wire_name, 200)));
    kill_point("append-answered");
    PLAN_TRY(transaction, database_.begin());
    for (std::size_t index = 0; index < answers->size() && index < batch.size(); ++index) {
      const auto& answer = (*answers)[index];
      const Placement& placement = *batch[index].placement;
      if (!answer) {
        if (!is_refusal(answer.error())) continue;  // stays open: looked up by the next pass
        PLAN_TRY(forget, database_.prepare("DELETE FROM plan_carried WHERE id = ?"));
        forget.bind(1, rows[index]);
        PLAN_TRY_VOID(forget.run());
        refused_.insert({placement.email.id, placement.mailbox_id});
        report_.refused.push_back(
            {fmt::format("message {} for {}", printable(placement.email.id, 100),
                         printable(wire_name, 200)),
             answer.error().to_line()});
        continue;
      }
      ++(placement.is_new ? report_.arrived : report_.moved);
      report_.bytes += batch[index].body.size();
      PLAN_TRY(keep,
               database_.prepare("UPDATE plan_carried SET uidvalidity = ?, uid = ? WHERE id = ?"));
      keep.bind(1, std::int64_t{answer->uid_validity}).bind(2, std::int64_t{answer->uid});
      // Without UIDPLUS it is found by digest, and that it was answered is still known.
      if (answer->uid == 0) keep.bind(1, std::int64_t{0}).bind_null(2);
      keep.bind(3, rows[index]);
      PLAN_TRY_VOID(keep.run());
    }
    PLAN_TRY_VOID(transaction.commit());
    kill_point("append-noted");
    return {};
  }

  ArchiveFile& archive_;
  store::Database& database_;
  const AccountSource& source_;
  const TargetAccount& target_;
  const CarryOptions& options_;
  SourceWriter writer_;
  std::set<std::pair<std::string, std::string>> refused_ = {};
  std::set<std::string> probes_ = {};
  TargetSnapshot own_snapshot_ = {};
  std::set<std::string> noted_ = {};
  bool are_scripts_carried_ = false;
  bool is_dav_carried_ = false;
  CarryReport report_ = {};
};

}  // namespace

std::string CarryReport::to_text() const {
  std::vector<std::string> parts;
  const auto add = [&](std::uint64_t count, std::string_view one, std::string_view many) {
    if (count > 0)
      parts.push_back(fmt::format("{} {}", show_count(count), count == 1 ? one : many));
  };
  add(arrived, "message", "messages");
  add(flags, "with other flags", "with other flags");
  add(moved, "moved or copied", "moved or copied");
  add(deleted, "deleted", "deleted");
  add(mailboxes, "mailbox", "mailboxes");
  add(scripts, "script", "scripts");
  add(entries, "event or card", "events and cards");
  if (parts.empty()) return "nothing";
  return fmt::format("{}{}", fmt::join(parts, ", "),
                     bytes > 0 ? fmt::format(" ({})", show_bytes(bytes)) : std::string());
}

Result<CarryReport> carry_back(ArchiveFile& archive, const AccountSource& source,
                               const TargetAccount& target, const CarryOptions& options) {
  return Carrier(archive, source, target, options).run();
}

}  // namespace plan::archive
