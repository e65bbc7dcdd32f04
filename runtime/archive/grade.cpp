#include "runtime/archive/grade.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/archive/digest.h"
#include "runtime/archive/item_state.h"
#include "runtime/archive/limits.h"
#include "runtime/archive/target_mailboxes.h"
#include "runtime/net/imap/date.h"

namespace plan::archive {
namespace {

using ir::Value;

constexpr std::string_view kCalendarsAndContacts = "calendars and contacts";
constexpr std::size_t kDifferencesNamed = 5;

struct Item {
  std::int64_t id = 0;
  std::string where = {};
  std::string wire_name = {};
  std::string sha256 = {};
  std::string received_at = {};
  std::string keywords = {};
  bool is_gone = false;
  ItemState state = ItemState::wanted;
  std::string target_id = {};
  bool is_proved = false;
  std::string problem = {};
};

class Grader {
 public:
  Grader(ArchiveFile& archive, const TargetAccount& target, const GradeOptions& options)
      : archive_(archive), database_(archive.database()), target_(target), options_(options) {}

  Result<GradeReport> run() {
    PLAN_TRY(bound, archive_.fact("target-account"));
    if (bound != target_.account_id()) {
      add(Grade::not_checked, "the account",
          "nothing was copied to this account of the target yet");
      return finish();
    }
    PLAN_TRY(places, known_mailboxes(archive_));
    places_ = std::move(places);
    PLAN_TRY_VOID(grade_mailboxes());
    if (options_.is_since_last) {
      PLAN_TRY(is_done, grade_changes());
      if (is_done) {
        PLAN_TRY_VOID(grade_scripts());
        return finish();
      }
    }
    // Asked before the list: what changes while it is read is looked at again the next time.
    PLAN_TRY(state, target_.state_of(kEmail));
    PLAN_TRY_VOID(archive_.set_fact(kComparedState, ""));
    PLAN_TRY(ids, target_.email_ids());
    std::set<std::string> unclaimed(ids.begin(), ids.end());
    for (const std::string& id : options_.ignored_ids) unclaimed.erase(id);
    PLAN_TRY(items, load_items());
    for (std::size_t begin = 0; begin < items.size(); begin += kGetBatch)
      PLAN_TRY_VOID(
          grade_batch(items, begin, std::min(items.size(), begin + kGetBatch), unclaimed));
    if (options_.is_delivery_allowed) {
      report_.delivered = unclaimed.size();
    } else {
      for (const std::string& id : unclaimed)
        add(Grade::poor, "target message " + printable(id, 100), "is not from the source");
      if (unclaimed.empty() && doubtful_.size() <= kDoubtfulMax) PLAN_TRY_VOID(remember(state));
    }
    PLAN_TRY_VOID(grade_scripts());
    return finish();
  }

 private:
  void add(Grade grade, std::string where, std::string text) {
    report_.grade = worse(report_.grade, grade);
    ++report_.differences_count;
    // The worst ones are kept: a list full of lesser ones gives up its last.
    auto& list = report_.differences;
    if (list.size() >= kDifferencesListed) {
      if (static_cast<int>(list.back().grade) >= static_cast<int>(grade)) return;
      list.pop_back();
    }
    const auto place = std::upper_bound(
        list.begin(), list.end(), grade, [](Grade left, const GradeDifference& right) {
          return static_cast<int>(left) > static_cast<int>(right.grade);
        });
    list.insert(place, {grade, std::move(where), std::move(text)});
  }

  Result<GradeReport> finish() { return std::move(report_); }

  // --- only what changed -----------------------------------------------------------------------

  Outcome remember(const std::string& state) {
    Value doubtful = Value::list();
    for (const std::int64_t id : doubtful_) doubtful.push_back(id);
    PLAN_TRY(transaction, database_.begin());
    PLAN_TRY_VOID(archive_.set_fact(kComparedDoubts, ir::write_json(doubtful)));
    PLAN_TRY_VOID(archive_.set_fact(kComparedState, state));
    return transaction.commit();
  }

  /// False: it does not add up, everything has to be compared.
  Result<bool> grade_changes() {
    PLAN_TRY(state, archive_.fact(kComparedState));
    if (state.empty()) return false;
    PLAN_TRY(changes, target_.changes_of(kEmail, state));
    if (!changes) return false;
    PLAN_TRY(count, target_.count_of(kEmail));
    // All but those without: SQLite counts a whole table by its pages.
    PLAN_TRY(ours,
             database_.query_integer("SELECT (SELECT count(*) FROM plan_item) - (SELECT count(*) "
                                     "FROM plan_item WHERE target_id IS NULL)"));
    if (!count || *count != static_cast<std::uint64_t>(ours.value_or(0))) return false;
    std::map<std::int64_t, Item> items;
    for (const std::string_view ids : {kUnsettledItems, kMisplacedItems, kPlacelessItems})
      PLAN_TRY_VOID(load(fmt::format("p.id IN ({})", ids), {}, items));
    PLAN_TRY(doubts, archive_.fact(kComparedDoubts));
    PLAN_TRY(doubtful, ir::parse_json(doubts.empty() ? "[]" : doubts));
    for (const Value& id : doubtful.items())
      PLAN_TRY_VOID(load("p.id = ?1", std::to_string(id.integer_or(0)), items));
    std::set<std::string> unclaimed(changes->changed.begin(), changes->changed.end());
    for (const std::string& id : changes->gone) unclaimed.erase(id);  // came and went
    for (const std::string& id : unclaimed) {
      const std::size_t before = items.size();
      PLAN_TRY_VOID(load("p.target_id = ?1", id, items));
      PLAN_TRY(is_ours, has_item(id));
      if (items.size() == before && !is_ours) return false;  // came from somebody else
    }
    for (const std::string& id : changes->gone) PLAN_TRY_VOID(load("p.target_id = ?1", id, items));
    std::vector<Item> chosen;
    std::int64_t chosen_present = 0;
    for (auto& [id, item] : items) {
      chosen_present += item.is_gone ? 0 : 1;
      if (!item.target_id.empty()) unclaimed.insert(item.target_id);
      chosen.push_back(std::move(item));
    }
    for (std::size_t begin = 0; begin < chosen.size(); begin += kGetBatch)
      PLAN_TRY_VOID(
          grade_batch(chosen, begin, std::min(chosen.size(), begin + kGetBatch), unclaimed));
    PLAN_TRY(present, database_.query_integer(
                          "SELECT (SELECT count(*) FROM plan_item) - (SELECT count(*) FROM "
                          "plan_item WHERE state IN (0, 1, 2, 3, 4, 5) AND is_gone = 1)"));
    // What was not chosen is settled, and settled means proved.
    const auto rest =
        static_cast<std::uint64_t>(std::max<std::int64_t>(0, present.value_or(0) - chosen_present));
    report_.messages += rest;
    report_.proved += rest;
    if (doubtful_.size() <= kDoubtfulMax) PLAN_TRY_VOID(remember(changes->state));
    return true;
  }

  Result<bool> has_item(const std::string& target_id) {
    PLAN_TRY(find, database_.prepare("SELECT 1 FROM plan_item WHERE target_id = ?"));
    find.bind(1, target_id);
    return find.step();
  }

  Outcome grade_mailboxes() {
    PLAN_TRY(
        rows,
        database_.prepare(
            "SELECT p.wire_name, p.problem, t.name, m.name FROM plan_mailbox p JOIN mailboxes m ON "
            "m.id = p.mailbox_id LEFT JOIN plan_target_mailbox t ON t.wire_name = p.wire_name"));
    PLAN_TRY(existing, target_.mailboxes());
    std::set<std::string> ids;
    for (const TargetMailbox& mailbox : existing) ids.insert(mailbox.id);
    while (true) {
      PLAN_TRY(has_row, rows.step());
      if (!has_row) return {};
      const std::string wire_name(rows.text(0));
      const std::string where = "mailbox " + printable(wire_name, 200);
      if (!rows.is_null(1))
        add(Grade::not_checked, where, "could not be read: " + std::string(rows.text(1)));
      const auto place = places_.find(wire_name);
      if (place == places_.end() || ids.count(place->second) == 0) {
        add(Grade::investigate, where, "is not at the target");
      } else if (rows.text(2) != rows.text(3) && !equals_ignoring_case(rows.text(3), "INBOX")) {
        add(Grade::good, where,
            fmt::format("is called `{}` at the target", printable(rows.text(2), 200)));
      }
    }
  }

  Result<std::vector<Item>> load_items() {
    std::map<std::int64_t, Item> by_id;
    PLAN_TRY_VOID(load("1", {}, by_id));
    std::vector<Item> items;
    items.reserve(by_id.size());
    for (auto& [id, item] : by_id) items.push_back(std::move(item));
    return items;
  }

  Outcome load(std::string_view condition, const std::optional<std::string>& bound,
               std::map<std::int64_t, Item>& into) {
    PLAN_TRY(rows,
             database_.prepare(fmt::format(
                 "SELECT p.id, p.wire_name, p.uid, p.sha256, p.received_at, p.keywords, p.is_gone, "
                 "p.state, p.target_id, p.is_proved, p.problem FROM plan_item p LEFT JOIN "
                 "plan_target_mailbox t ON t.wire_name = p.wire_name WHERE {}",
                 condition)));
    if (bound) rows.bind(1, *bound);
    while (true) {
      PLAN_TRY(has_row, rows.step());
      if (!has_row) return {};
      Item item{.id = rows.integer(0),
                .where = fmt::format("{} uid {}", printable(rows.text(1), 200), rows.integer(2)),
                .wire_name = std::string(rows.text(1)),
                .sha256 = std::string(rows.blob(3)),
                .received_at = std::string(rows.text(4)),
                .keywords = std::string(rows.text(5)),
                .is_gone = rows.integer(6) != 0,
                .state = static_cast<ItemState>(rows.integer(7)),
                .target_id = std::string(rows.text(8)),
                .is_proved = rows.integer(9) != 0,
                .problem = std::string(rows.text(10))};
      into.insert_or_assign(item.id, std::move(item));
    }
  }

  Outcome grade_batch(const std::vector<Item>& items, std::size_t begin, std::size_t end,
                      std::set<std::string>& unclaimed) {
    std::vector<std::string> ids;
    for (std::size_t index = begin; index < end; ++index)
      if (!items[index].target_id.empty()) ids.push_back(items[index].target_id);
    PLAN_TRY(emails, target_.emails(ids));
    std::vector<std::string> blobs;
    for (std::size_t index = begin; index < end; ++index) {
      const auto email = emails.find(items[index].target_id);
      if (email != emails.end() && (!items[index].is_proved || options_.is_everything_proved_again))
        blobs.push_back(email->second.blob_id);
    }
    PLAN_TRY(digests, target_.digests(blobs));
    PLAN_TRY(transaction, database_.begin());
    for (std::size_t index = begin; index < end; ++index) {
      const Item& item = items[index];
      ++report_.messages;
      const std::uint64_t differences_before = report_.differences_count;
      PLAN_TRY_VOID(grade_item(item, emails, digests, unclaimed));
      if (report_.differences_count != differences_before) doubtful_.insert(item.id);
    }
    return transaction.commit();
  }

  Outcome grade_item(const Item& item, const std::map<std::string, TargetEmail>& emails,
                     const std::map<std::string, std::string>& digests,
                     std::set<std::string>& unclaimed) {
    const bool is_claimed = unclaimed.erase(item.target_id) > 0;
    const auto email = emails.find(item.target_id);
    const auto say = [&](Grade grade, std::string text) {
      add(grade, item.where, std::move(text));
      return Outcome();
    };
    if (item.is_gone) {
      if (email != emails.end() && !options_.is_target_authority)
        add(Grade::poor, item.where, "is gone at the source and still at the target");
      return {};
    }
    if (item.state == ItemState::refused)
      return say(Grade::investigate, "the target refuses it: " + item.problem);
    if (item.state == ItemState::unreadable)
      return say(Grade::not_checked, "the source does not give it: " + item.problem);
    if (item.state != ItemState::at_target) return say(Grade::poor, "is not at the target yet");
    if (email == emails.end()) {
      if (options_.is_target_authority) return {};
      return say(Grade::poor, "is not at the target any more");
    }
    if (!is_claimed && std::find(options_.ignored_ids.begin(), options_.ignored_ids.end(),
                                 item.target_id) == options_.ignored_ids.end())
      add(Grade::investigate, item.where, "is at the target, which does not list it");
    return grade_message(item, email->second, digests);
  }

  Outcome grade_message(const Item& item, const TargetEmail& email,
                        const std::map<std::string, std::string>& digests) {
    if (item.is_proved && !options_.is_everything_proved_again) {
      ++report_.proved;
    } else if (const auto digest = digests.find(email.blob_id); digest == digests.end()) {
      add(Grade::not_checked, item.where, "the target does not show its bytes");
    } else if (digest->second != item.sha256) {
      add(Grade::poor, item.where, "has other bytes at the target");
    } else {
      ++report_.proved;
      ++report_.proved_now;
      PLAN_TRY(note, database_.prepare("UPDATE plan_item SET is_proved = 1 WHERE id = ?"));
      note.bind(1, item.id);
      PLAN_TRY_VOID(note.run());
    }
    if (options_.is_target_authority) return {};
    const auto place = places_.find(item.wire_name);
    if (place == places_.end() || email.mailbox_ids != std::vector<std::string>{place->second})
      add(Grade::investigate, item.where, "is in another mailbox at the target");
    const std::vector<std::string> wanted = texts_of_json(item.keywords);
    if (!same_keywords(email.keywords, wanted))
      add(Grade::investigate, item.where,
          fmt::format("has keywords {} instead of {}", printable(json_array(email.keywords), 300),
                      printable(item.keywords, 300)));
    const auto there = net::imap::parse_rfc3339(email.received_at);
    const auto here = net::imap::parse_rfc3339(item.received_at);
    if (!there || !here || there->unix_seconds != here->unix_seconds) {
      const bool is_too_old = here && here->unix_seconds < 0 && there && there->unix_seconds == 0;
      add(is_too_old ? Grade::good : Grade::investigate, item.where,
          fmt::format("was received {} at the target, {} at the source",
                      printable(email.received_at, 40), printable(item.received_at, 40)));
    }
    return {};
  }

  Outcome grade_scripts() {
    if (options_.is_target_authority) return {};
    PLAN_TRY(rows, database_.prepare("SELECT s.name, b.data, s.is_active, t.problem FROM "
                                     "sieve_scripts s JOIN blobs b ON b.id = "
                                     "s.blob_id LEFT JOIN plan_target_script t ON t.name = s.name "
                                     "WHERE s.name IS NOT NULL"));
    PLAN_TRY(known, database_.query_integer("SELECT (SELECT count(*) FROM sieve_scripts) + (SELECT "
                                            "count(*) FROM plan_target_script)"));
    if (known.value_or(0) == 0) return {};
    PLAN_TRY(existing, target_.scripts());
    std::map<std::string, TargetScript> by_name;
    std::vector<std::string> blobs;
    for (const TargetScript& script : existing) {
      by_name[script.name] = script;
      blobs.push_back(script.blob_id);
    }
    PLAN_TRY(digests, target_.digests(blobs));
    while (true) {
      PLAN_TRY(has_row, rows.step());
      if (!has_row) break;
      const std::string name(rows.text(0));
      const std::string where = "Sieve script " + printable(name, 200);
      const auto found = by_name.find(name);
      if (found == by_name.end()) {
        add(Grade::investigate, where,
            rows.is_null(3) ? std::string("is not at the target") : std::string(rows.text(3)));
        continue;
      }
      const auto digest = digests.find(found->second.blob_id);
      if (digest == digests.end() || digest->second != sha256_raw(rows.blob(1)))
        add(Grade::poor, where, "has other bytes at the target");
      if (found->second.is_active != (rows.integer(2) != 0))
        add(Grade::investigate, where,
            rows.integer(2) != 0 ? "is not active at the target" : "is active at the target only");
      by_name.erase(found);
    }
    for (const auto& [name, script] : by_name)
      add(Grade::poor, "Sieve script " + printable(name, 200), "is at the target only");
    return {};
  }

  ArchiveFile& archive_;
  store::Database& database_;
  const TargetAccount& target_;
  const GradeOptions& options_;
  std::map<std::string, std::string> places_ = {};
  std::set<std::int64_t> doubtful_ = {};  ///< items with a difference
  GradeReport report_ = {};
};

}  // namespace

std::string_view to_string(Grade grade) {
  switch (grade) {
    case Grade::perfect:
      return "perfect";
    case Grade::good:
      return "good";
    case Grade::investigate:
      return "investigate";
    case Grade::poor:
      return "poor";
    case Grade::not_checked:
      return "not-checked";
  }
  return "not-checked";
}

Grade worse(Grade left, Grade right) {
  return static_cast<int>(left) < static_cast<int>(right) ? right : left;
}

Grade GradeReport::judged() const {
  if (!is_dav_carried) return is_dav_left ? grade : account_grade();
  // Whether it was compared at all is said by the account's grade.
  return dav_grade == Grade::not_checked ? grade : worse(grade, dav_grade);
}

Grade GradeReport::account_grade() const {
  if (dav_server.empty()) return grade;
  if (is_dav_carried) {
    const Grade whole = worse(grade, dav_grade);
    const bool is_bad_news = judged() == Grade::investigate || judged() == Grade::poor;
    return is_dav_checked ? whole : is_bad_news ? judged() : Grade::not_checked;
  }
  // What was compared and differs is worse news than what stays behind with the plan's consent.
  const bool is_worse = grade == Grade::investigate || grade == Grade::poor;
  return is_dav_left && is_worse ? grade : Grade::not_checked;
}

std::string GradeReport::summary() const {
  std::string text;
  if (is_dav_carried)
    text = fmt::format("calendars and contacts {} ({}; {} compared{}); mail and scripts {}: ",
                       to_string(dav_grade), dav_counts.to_text(), dav_items,
                       is_dav_checked ? "" : ", not checked: they can be written at the source",
                       to_string(grade));
  else if (!dav_server.empty())
    text = fmt::format("calendars and contacts not checked, they stay at {}; mail and scripts {}: ",
                       printable(dav_server, 200), to_string(grade));
  if (differences.empty()) return text + fmt::format("{} messages, all proved by digest", messages);
  const GradeDifference& first = differences.front();
  return text + fmt::format("{} difference{}; {}: {}", differences_count,
                            differences_count == 1 ? "" : "s", first.where, first.text);
}

std::string GradeReport::reason() const {
  std::string text = summary();
  for (std::size_t i = 1; i < std::min(differences.size(), kDifferencesNamed); ++i) {
    const GradeDifference& one = differences[i];
    text += fmt::format("; {}: {} ({})", one.where, one.text, to_string(one.grade));
  }
  return text;
}

ir::Value GradeReport::to_value() const {
  ir::List list;
  ir::List not_checked;
  const auto add = [&list](Grade one, std::string_view where, std::string_view text) {
    list.push_back(ir::Value::map({{"grade", to_string(one)}, {"where", where}, {"text", text}}));
  };
  const bool is_dav_open = !dav_server.empty() && !is_dav_checked;
  if (is_dav_open) {
    const std::string text = is_dav_carried ? fmt::format(
                                                  "{} compared; {} cannot be closed for the hold, "
                                                  "so what is written there meanwhile comes later",
                                                  dav_items, dav_server)
                                            : "are not carried, they stay at " + dav_server;
    add(Grade::not_checked, kCalendarsAndContacts, text);
    not_checked.push_back(kCalendarsAndContacts);
  }
  for (const GradeDifference& difference : differences)
    add(difference.grade, difference.where, difference.text);
  ir::Value value =
      ir::Value::map({{"grade", to_string(account_grade())},
                      {"mail_grade", to_string(grade)},
                      {"messages", messages},
                      {"proved", proved},
                      {"delivered", delivered},
                      {"not_checked", std::move(not_checked)},
                      {"differences_count", differences_count + (is_dav_open ? 1 : 0)},
                      {"differences", ir::Value(std::move(list))},
                      {"summary", summary()},
                      {"reason", reason()}});
  if (is_dav_carried) value.set("dav", dav_counts.to_value());
  if (!dav_server.empty() && (is_dav_left || is_dav_carried))
    value.set("judged", to_string(judged()));
  return value;
}

Result<GradeReport> grade_target(ArchiveFile& archive, const TargetAccount& target,
                                 const GradeOptions& options) {
  return Grader(archive, target, options).run();
}

void add_source_findings(GradeReport& report, const ImportReport& mail,
                         const SieveReport& scripts) {
  const auto add = [&](std::string where, std::string text) {
    report.grade = worse(report.grade, Grade::not_checked);
    ++report.differences_count;
    report.differences.insert(report.differences.begin(),
                              {Grade::not_checked, std::move(where), std::move(text)});
    if (report.differences.size() > kDifferencesListed) report.differences.pop_back();
  };
  for (const ImportProblem& problem : mail.problems)
    add(problem.uid == 0 ? "mailbox " + problem.mailbox
                         : fmt::format("{} uid {}", problem.mailbox, problem.uid),
        problem.text);
  for (const ImportProblem& problem : scripts.problems) add(problem.mailbox, problem.text);
  if (mail.changes() > 0)
    add("the source",
        fmt::format("changed since it was read: {} new, {} with other flags, {} gone, {} mailboxes",
                    mail.created, mail.updated, mail.removed, mail.mailboxes_changed));
  if (scripts.changes() > 0) add("the source", "its Sieve scripts changed since they were read");
}

}  // namespace plan::archive
