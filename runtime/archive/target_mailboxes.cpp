#include "runtime/archive/target_mailboxes.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "compiler/source/text.h"
#include "runtime/archive/errors.h"
#include "runtime/archive/limits.h"

namespace plan::archive {
namespace {

using ir::Value;
namespace jmap = net::jmap;

/// Roles that the target knows (reference/stalwart-admin.md 8.2).
constexpr std::string_view kRoles[] = {"inbox",   "trash", "junk",     "drafts",
                                       "archive", "sent",  "important"};

struct Wanted {
  std::string wire_name = {};
  std::string role = {};
  std::vector<std::string> path = {};
  bool is_subscribed = false;
};

struct Known {
  std::string target_id = {};
  std::string name = {};
  std::string parent_id = {};
  bool is_begun = false;  ///< its creation was begun and never answered
};

std::string cut_utf8(std::string text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  text.resize(bytes_max);
  while (first_invalid_utf8(text)) text.pop_back();
  return text;
}

class Mapper {
 public:
  Mapper(ArchiveFile& archive, const TargetAccount& target)
      : database_(archive.database()), target_(target) {}

  Result<MailboxMapping> run() {
    PLAN_TRY(existing, target_.mailboxes());
    for (TargetMailbox& mailbox : existing) {
      const std::string id = mailbox.id;
      by_id_[id] = std::move(mailbox);
    }
    PLAN_TRY(wanted, load_wanted());
    PLAN_TRY_VOID(load_known());
    for (const auto& [wire_name, known] : known_)
      if (by_id_.count(known.target_id) > 0) claimed_.insert(known.target_id);
    // Roles first, so that no plain mailbox takes a name that belongs to one.
    for (const Wanted& mailbox : wanted) PLAN_TRY_VOID(map_by_role(mailbox));
    for (const Wanted& mailbox : wanted) {
      auto mapped = map_by_path(mailbox);
      if (!mapped)
        return std::move(mapped.error())
            .while_doing(fmt::format("giving mailbox {} a place at the target",
                                     printable(mailbox.wire_name, 200)));
    }
    return std::move(mapping_);
  }

 private:
  Result<std::vector<Wanted>> load_wanted() {
    std::vector<Wanted> wanted;
    PLAN_TRY(rows, database_.prepare(
                       "SELECT p.wire_name, p.role, m.id, m.is_subscribed FROM plan_mailbox p JOIN "
                       "mailboxes m ON m.id = p.mailbox_id ORDER BY p.wire_name"));
    while (true) {
      PLAN_TRY(has_row, rows.step());
      if (!has_row) break;
      PLAN_TRY(path, mailbox_path(database_, rows.integer(2)));
      wanted.push_back({.wire_name = std::string(rows.text(0)),
                        .role = std::string(rows.text(1)),
                        .path = std::move(path),
                        .is_subscribed = rows.integer(3) != 0});
    }
    std::stable_sort(wanted.begin(), wanted.end(), [](const Wanted& left, const Wanted& right) {
      return left.path.size() < right.path.size();
    });
    return wanted;
  }

  Outcome load_known() {
    PLAN_TRY(rows, database_.prepare(
                       "SELECT wire_name, target_id, name, parent_id FROM plan_target_mailbox"));
    while (true) {
      PLAN_TRY(has_row, rows.step());
      if (!has_row) break;
      known_[std::string(rows.text(0))] = {.target_id = std::string(rows.text(1)),
                                           .name = std::string(rows.text(2)),
                                           .parent_id = std::string(rows.text(3)),
                                           .is_begun = rows.is_null(1)};
    }
    return {};
  }

  /// True when the mailbox already has its place.
  bool is_mapped(const Wanted& mailbox) {
    const auto known = known_.find(mailbox.wire_name);
    if (known == known_.end() || by_id_.count(known->second.target_id) == 0) return false;
    mapping_.target_ids[mailbox.wire_name] = known->second.target_id;
    place_of_[mailbox.path] = known->second.target_id;
    return true;
  }

  Outcome map_by_role(const Wanted& mailbox) {
    if (is_mapped(mailbox) || mailbox.role.empty()) return {};
    for (const auto& [id, existing] : by_id_)
      if (existing.role == mailbox.role && claimed_.count(id) == 0)
        return store(mailbox, id, existing.name, existing.parent_id, false);
    return {};
  }

  Outcome map_by_path(const Wanted& mailbox) {
    if (mapping_.target_ids.count(mailbox.wire_name) > 0) return {};
    std::string parent_id;
    std::string leaf = mailbox.path.empty() ? "" : mailbox.path.back();
    const std::size_t depth = mailbox.path.size();
    if (depth > kMailboxDepthMax) {
      leaf.clear();
      for (std::size_t index = kMailboxDepthMax - 1; index < depth; ++index)
        leaf += (leaf.empty() ? "" : ".") + mailbox.path[index];
      parent_id = place_of({mailbox.path.begin(), mailbox.path.begin() + kMailboxDepthMax - 1});
    } else if (depth > 1) {
      parent_id = place_of({mailbox.path.begin(), mailbox.path.end() - 1});
    }
    const std::string name = mailbox_name_for_target(leaf);
    std::string candidate = name;
    const auto known = known_.find(mailbox.wire_name);
    for (int copy = 2;; ++copy) {
      const TargetMailbox* same = child_of(parent_id, candidate);
      if (same == nullptr) break;
      const bool is_begun =
          known != known_.end() && known->second.is_begun && known->second.name == candidate;
      // A free mailbox of that name, or the one whose creation was begun.
      if (claimed_.count(same->id) == 0 && (same->role.empty() || is_begun))
        return store(mailbox, same->id, same->name, parent_id, is_begun);
      const std::string suffix = fmt::format(" ({})", copy);
      candidate = cut_utf8(name, kMailboxNameBytesMax - suffix.size()) + suffix;
    }
    return create(mailbox, candidate, parent_id);
  }

  std::string place_of(const std::vector<std::string>& path) {
    const auto found = place_of_.find(path);
    return found == place_of_.end() ? std::string() : found->second;
  }

  const TargetMailbox* child_of(const std::string& parent_id, const std::string& name) {
    for (const auto& [id, mailbox] : by_id_)
      if (mailbox.parent_id == parent_id && equals_ignoring_case(mailbox.name, name))
        return &mailbox;
    return nullptr;
  }

  Outcome store(const Wanted& mailbox, const std::string& id, const std::string& name,
                const std::string& parent_id, bool is_ours) {
    PLAN_TRY(keep, database_.prepare(
                       "INSERT OR REPLACE INTO plan_target_mailbox (wire_name, target_id, name, "
                       "parent_id, is_ours) VALUES (?, ?, ?, ?, ?)"));
    keep.bind(1, mailbox.wire_name).bind(2, id).bind(3, name).bind(4, parent_id).bind(5, is_ours);
    if (id.empty()) keep.bind_null(2);
    PLAN_TRY_VOID(keep.run());
    if (id.empty()) return {};
    claimed_.insert(id);
    mapping_.target_ids[mailbox.wire_name] = id;
    place_of_[mailbox.path] = id;
    return {};
  }

  Outcome create(const Wanted& mailbox, const std::string& name, const std::string& parent_id) {
    PLAN_TRY_VOID(store(mailbox, "", name, parent_id, true));  // intent
    Value object = Value::map({{"name", name}, {"isSubscribed", mailbox.is_subscribed}});
    object.set("parentId", parent_id.empty() ? Value(nullptr) : Value(parent_id));
    const bool has_role =
        std::find(std::begin(kRoles), std::end(kRoles), mailbox.role) != std::end(kRoles) &&
        std::none_of(by_id_.begin(), by_id_.end(),
                     [&](const auto& one) { return one.second.role == mailbox.role; });
    if (has_role) object.set("role", mailbox.role);
    PLAN_TRY(result, target_.client().set({.type = "Mailbox",
                                           .account_id = target_.account_id(),
                                           .create = Value::map({{"m", object}}),
                                           .capability = std::string(jmap::kMail)}));
    std::string id = result.created_id("m");
    if (id.empty() && !result.failures.empty()) {
      const jmap::SetError& refused = result.failures.front().error;
      if (!refused.is("alreadyExists") || refused.existing_id.empty() ||
          claimed_.count(refused.existing_id) > 0)
        return Error(errors::mailbox_refused,
                     fmt::format("the target does not take a mailbox called `{}`",
                                 printable(name, 200)))
            .with_blame(Blame::target)
            .with_detail(fmt::format("{}: {}", refused.type, refused.description));
      id = refused.existing_id;
    }
    if (id.empty())
      return Error(errors::mailbox_refused, "the target does not tell the id of a new mailbox")
          .with_effect(Effect::unknown)
          .with_blame(Blame::target);
    ++mapping_.created;
    by_id_[id] = {
        .id = id, .name = name, .parent_id = parent_id, .role = has_role ? mailbox.role : ""};
    return store(mailbox, id, name, parent_id, true);
  }

  store::Database& database_;
  const TargetAccount& target_;
  std::map<std::string, TargetMailbox> by_id_;
  std::map<std::string, Known> known_;
  std::set<std::string> claimed_;
  std::map<std::vector<std::string>, std::string> place_of_;
  MailboxMapping mapping_;
};

}  // namespace

std::string mailbox_name_for_target(std::string_view name) {
  std::string text;
  for (const char letter : name)
    text += letter == '/' || (letter >= 0 && letter < 0x20) || letter == 0x7F ? '_' : letter;
  text = std::string(trim(text));
  text = std::string(trim(cut_utf8(std::move(text), kMailboxNameBytesMax)));
  return text.empty() ? "_" : text;
}

Result<MailboxMapping> map_mailboxes(ArchiveFile& archive, const TargetAccount& target) {
  return Mapper(archive, target).run();
}

Result<std::map<std::string, std::string>> known_mailboxes(ArchiveFile& archive) {
  std::map<std::string, std::string> known;
  PLAN_TRY(rows, archive.database().prepare(
                     "SELECT wire_name, target_id FROM plan_target_mailbox WHERE target_id IS "
                     "NOT NULL"));
  while (true) {
    PLAN_TRY(has_row, rows.step());
    if (!has_row) break;
    known[std::string(rows.text(0))] = std::string(rows.text(1));
  }
  return known;
}

Outcome destroy_vanished_mailboxes(ArchiveFile& archive, const TargetAccount& target,
                                   bool all_of_ours) {
  std::vector<std::pair<std::string, std::string>> gone;  // wire name, id
  PLAN_TRY(rows, archive.database().prepare(
                     "SELECT wire_name, target_id, is_ours FROM plan_target_mailbox WHERE ?1 OR "
                     "wire_name NOT IN "
                     "(SELECT wire_name FROM plan_mailbox) ORDER BY length(wire_name) DESC"));
  rows.bind(1, all_of_ours);
  while (true) {
    PLAN_TRY(has_row, rows.step());
    if (!has_row) break;
    gone.emplace_back(rows.text(0),
                      rows.integer(2) != 0 ? std::string(rows.text(1)) : std::string());
  }
  for (const auto& [wire_name, id] : gone) {
    if (!id.empty()) {
      PLAN_TRY(result, target.client().set({.type = "Mailbox",
                                            .account_id = target.account_id(),
                                            .destroy = {id},
                                            .capability = std::string(jmap::kMail)}));
      if (!result.failures.empty() && !result.failures.front().error.is("notFound"))
        continue;  // not empty: stays
    }
    PLAN_TRY(forget,
             archive.database().prepare("DELETE FROM plan_target_mailbox WHERE wire_name = ?"));
    forget.bind(1, wire_name);
    PLAN_TRY_VOID(forget.run());
  }
  return {};
}

}  // namespace plan::archive
