#include "runtime/archive/carry_mailboxes.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/source/text.h"
#include "runtime/archive/limits.h"
#include "runtime/net/imap/mailbox_name.h"

namespace plan::archive {
namespace {

constexpr int kNameAttemptsMax = 100;

struct Mapped {
  std::string wire_name = {};
  std::string name = {};  ///< at the target, as plan knew it
  std::string parent_id = {};
};

struct AtSource {
  std::string separator = {};
  bool is_selectable = true;
};

/// What mail servers and programs call a mailbox for a use; the target has other words for some.
std::string usual_name(const TargetMailbox& mailbox) {
  for (const auto& [role, name] : {std::pair<std::string_view, std::string_view>{"trash", "Trash"},
                                   {"sent", "Sent"},
                                   {"drafts", "Drafts"},
                                   {"junk", "Junk"},
                                   {"archive", "Archive"}})
    if (mailbox.role == role) return std::string(name);
  return mailbox.name;
}

bool is_inbox(std::string_view wire_name) { return equals_ignoring_case(wire_name, "INBOX"); }

Result<std::map<std::string, AtSource>> load_listed(store::Database& database) {
  std::map<std::string, AtSource> listed;
  PLAN_TRY(rows, database.prepare("SELECT wire_name, separator, is_selectable FROM plan_mailbox"));
  while (true) {
    PLAN_TRY(has_row, rows.step());
    if (!has_row) return listed;
    listed[std::string(rows.text(0))] = {std::string(rows.text(1)), rows.integer(2) != 0};
  }
}

class Carry {
 public:
  Carry(ArchiveFile& archive, const std::vector<TargetMailbox>& at_target,
        const std::set<std::string>& used, SourceWriter* writer, bool is_rename_allowed)
      : database_(archive.database()),
        used_(used),
        writer_(writer),
        is_rename_allowed_(is_rename_allowed) {
    for (const TargetMailbox& mailbox : at_target) by_id_[mailbox.id] = &mailbox;
  }

  Result<MailboxCarry> run() {
    PLAN_TRY(listed, load_listed(database_));
    listed_ = std::move(listed);
    PLAN_TRY_VOID(load_mapped());
    std::vector<std::pair<std::size_t, const TargetMailbox*>> ordered;
    for (const auto& [id, mailbox] : by_id_) ordered.emplace_back(depth_of(*mailbox), mailbox);
    std::sort(ordered.begin(), ordered.end(), [](const auto& left, const auto& right) {
      return std::pair(left.first, left.second->id) < std::pair(right.first, right.second->id);
    });
    find_needed(ordered);
    for (const auto& [depth, mailbox] : ordered) {
      PLAN_TRY_VOID(carry(*mailbox).while_doing(fmt::format(
          "giving the target's mailbox {} a place at the source", printable(mailbox->name, 200))));
    }
    return std::move(result_);
  }

 private:
  Outcome load_mapped() {
    PLAN_TRY(rows, database_.prepare(
                       "SELECT target_id, wire_name, name, parent_id FROM plan_target_mailbox "
                       "WHERE target_id IS NOT NULL"));
    while (true) {
      PLAN_TRY(has_row, rows.step());
      if (!has_row) return {};
      const std::string id(rows.text(0));
      mapped_[id] = {std::string(rows.text(1)), std::string(rows.text(2)),
                     std::string(rows.text(3))};
      id_of_wire_[mapped_[id].wire_name] = id;
    }
  }

  std::size_t depth_of(const TargetMailbox& mailbox) const {
    std::size_t depth = 0;
    const TargetMailbox* at = &mailbox;
    for (; !at->parent_id.empty() && depth < 100; ++depth) {
      const auto parent = by_id_.find(at->parent_id);
      if (parent == by_id_.end()) break;
      at = parent->second;
    }
    return depth;
  }

  /// Children first, so that a parent is needed when one of them is.
  void find_needed(const std::vector<std::pair<std::size_t, const TargetMailbox*>>& ordered) {
    for (auto at = ordered.rbegin(); at != ordered.rend(); ++at) {
      const TargetMailbox& mailbox = *at->second;
      const bool is_made_by_user = mailbox.role.empty() && !mapped_.contains(mailbox.id);
      if (used_.contains(mailbox.id) || is_made_by_user) needed_.insert(mailbox.id);
      if (needed_.contains(mailbox.id) && !mailbox.parent_id.empty())
        needed_.insert(mailbox.parent_id);
    }
  }

  Outcome carry(const TargetMailbox& mailbox) {
    const auto mapped = mapped_.find(mailbox.id);
    if (mapped == mapped_.end())
      return needed_.contains(mailbox.id) ? make(mailbox, "") : Outcome();
    const std::string wire = mapped->second.wire_name;
    const bool is_listed = listed_.contains(wire);
    const bool is_same =
        mailbox.name == mapped->second.name && mailbox.parent_id == mapped->second.parent_id;
    if (is_listed && (is_same || !is_rename_allowed_)) {
      result_.wires[mailbox.id] = wire;
      return {};
    }
    if (is_listed) return rename(mailbox, wire);
    // Not at the source any more: renamed before a crash, or gone.
    PLAN_TRY(wanted, wire_of(mailbox));
    if (listed_.contains(wanted) && !id_of_wire_.contains(wanted)) {
      result_.wires[mailbox.id] = wanted;
      return rekey(mailbox, wire, wanted);
    }
    return needed_.contains(mailbox.id) ? make(mailbox, wire) : Outcome();
  }

  Outcome rename(const TargetMailbox& mailbox, const std::string& wire) {
    result_.wires[mailbox.id] = wire;
    PLAN_TRY(wanted, wire_of(mailbox));
    if (is_inbox(wire) || wanted == wire) return rekey(mailbox, wire, wire);
    if (listed_.contains(wanted)) return keep_name(mailbox, wire, "that name is taken there");
    if (writer_ != nullptr) {
      const auto renamed = writer_->rename(wire, wanted);
      if (!renamed) {
        if (!is_refusal(renamed.error())) return renamed;
        return keep_name(mailbox, wire, renamed.error().detail());
      }
    }
    ++result_.renamed;
    result_.wires[mailbox.id] = wanted;
    return rekey(mailbox, wire, wanted);
  }

  Outcome keep_name(const TargetMailbox& mailbox, const std::string& wire, std::string_view why) {
    result_.conflicts.push_back(
        {"mailbox " + printable(wire, 200),
         fmt::format("renamed to `{}` at the target, keeps its name at the source: {}",
                     printable(mailbox.name, 200), printable(why, 200))});
    return rekey(mailbox, wire, wire);
  }

  /// `old_wire`: what it was called at the source; empty for a new one.
  Outcome make(const TargetMailbox& mailbox, const std::string& old_wire) {
    PLAN_TRY(wanted, wire_of(mailbox));
    std::string wire = wanted;
    for (int copy = 2;
         id_of_wire_.contains(wire) && id_of_wire_[wire] != mailbox.id && copy < kNameAttemptsMax;
         ++copy)
      wire = fmt::format("{} ({})", wanted, copy);
    if (!listed_.contains(wire)) {
      if (writer_ != nullptr) {
        auto made = writer_->create(wire);
        if (!made && is_refusal(made.error())) {
          PLAN_TRY(prefix, this->prefix());
          const std::string plain = fmt::format("{}Restored-{}", prefix, mailbox.id);
          PLAN_TRY_VOID(writer_->create(plain));
          result_.conflicts.push_back(
              {"mailbox " + printable(plain, 200),
               fmt::format("is called `{}` at the target; the source refuses that name: {}",
                           printable(mailbox.name, 200), printable(made.error().detail(), 200))});
          wire = plain;
        } else if (!made) {
          return made;
        }
      }
      ++result_.made;
    }
    result_.wires[mailbox.id] = wire;
    return rekey(mailbox, old_wire, wire);
  }

  /// Notes that the mailbox is called `wire` at the source, and its children below it.
  Outcome rekey(const TargetMailbox& mailbox, const std::string& old_wire,
                const std::string& wire) {
    if (writer_ == nullptr) return {};
    PLAN_TRY(transaction, database_.begin());
    int is_ours = 0;
    if (!old_wire.empty()) {
      PLAN_TRY(find,
               database_.prepare("SELECT is_ours FROM plan_target_mailbox WHERE wire_name = ?"));
      find.bind(1, old_wire);
      PLAN_TRY(is_found, find.step());
      if (is_found) is_ours = static_cast<int>(find.integer(0));
      find.reset();
      PLAN_TRY(drop, database_.prepare("DELETE FROM plan_target_mailbox WHERE wire_name = ?"));
      drop.bind(1, old_wire);
      PLAN_TRY_VOID(drop.run());
    }
    PLAN_TRY(keep, database_.prepare(
                       "INSERT OR REPLACE INTO plan_target_mailbox (wire_name, target_id, name, "
                       "parent_id, is_ours) VALUES (?, ?, ?, ?, ?)"));
    keep.bind(1, wire).bind(2, mailbox.id).bind(3, mailbox.name).bind(4, mailbox.parent_id);
    keep.bind(5, is_ours);
    PLAN_TRY_VOID(keep.run());
    if (!old_wire.empty() && old_wire != wire) {
      const std::string below = old_wire + separator();
      PLAN_TRY(children,
               database_.prepare("UPDATE OR REPLACE plan_target_mailbox SET wire_name = ?1 || "
                                 "substr(wire_name, ?2) WHERE substr(wire_name, 1, ?3) = ?4"));
      children.bind(1, wire).bind(2, static_cast<std::int64_t>(old_wire.size() + 1));
      children.bind(3, static_cast<std::int64_t>(below.size())).bind(4, below);
      PLAN_TRY_VOID(children.run());
      for (auto& [id, known] : mapped_)
        if (known.wire_name.starts_with(below))
          known.wire_name = wire + known.wire_name.substr(old_wire.size());
      std::map<std::string, AtSource> listed;
      for (const auto& [name, info] : listed_) {
        if (name != old_wire && !name.starts_with(below)) listed[name] = info;
      }
      for (const auto& [name, info] : listed_) {
        if (name == old_wire || name.starts_with(below))
          listed[wire + name.substr(old_wire.size())] = info;
      }
      listed_ = std::move(listed);
    }
    PLAN_TRY_VOID(transaction.commit());
    id_of_wire_.erase(old_wire);
    id_of_wire_[wire] = mailbox.id;
    return {};
  }

  Result<std::string> wire_of(const TargetMailbox& mailbox) {
    const bool is_new = !mapped_.contains(mailbox.id);
    std::string leaf = is_new ? usual_name(mailbox) : mailbox.name;
    const std::string between = separator();
    for (std::size_t at = leaf.find(between); at != std::string::npos; at = leaf.find(between))
      leaf.replace(at, between.size(), "_");
    leaf = net::imap::encode_mailbox_name(leaf).value_or(printable(leaf, kMailboxNameBytesMax));
    if (mailbox.parent_id.empty()) {
      PLAN_TRY(before, prefix());
      return before + leaf;
    }
    const auto parent = result_.wires.find(mailbox.parent_id);
    if (parent != result_.wires.end()) return parent->second + between + leaf;
    PLAN_TRY(before, prefix());
    return before + leaf;
  }

  [[nodiscard]] std::string separator() const {
    for (const auto& [wire, info] : listed_)
      if (!info.separator.empty()) return info.separator;
    return "/";
  }

  Result<std::string> prefix() {
    if (!prefix_ && writer_ != nullptr) {
      PLAN_TRY(found, writer_->personal_prefix());
      prefix_ = found;
    }
    return prefix_.value_or("");
  }

  store::Database& database_;
  const std::set<std::string>& used_;
  SourceWriter* writer_;
  bool is_rename_allowed_;
  std::map<std::string, const TargetMailbox*> by_id_ = {};
  std::map<std::string, AtSource> listed_ = {};
  std::map<std::string, Mapped> mapped_ = {};  ///< by target id
  std::map<std::string, std::string> id_of_wire_ = {};
  std::set<std::string> needed_ = {};
  std::optional<std::string> prefix_ = {};
  MailboxCarry result_ = {};
};

}  // namespace

Result<MailboxCarry> carry_mailboxes(ArchiveFile& archive,
                                     const std::vector<TargetMailbox>& at_target,
                                     const std::set<std::string>& used, SourceWriter* writer,
                                     bool is_rename_allowed) {
  return Carry(archive, at_target, used, writer, is_rename_allowed).run();
}

Result<std::uint64_t> remove_gone_mailboxes(ArchiveFile& archive,
                                            const std::vector<TargetMailbox>& at_target,
                                            SourceWriter& writer,
                                            std::vector<CarryConflict>& conflicts) {
  std::set<std::string> present;
  for (const TargetMailbox& mailbox : at_target) present.insert(mailbox.id);
  store::Database& database = archive.database();
  PLAN_TRY(listed, load_listed(database));
  std::vector<std::string> gone;
  PLAN_TRY(rows, database.prepare(
                     "SELECT wire_name, target_id FROM plan_target_mailbox WHERE target_id IS NOT "
                     "NULL ORDER BY length(wire_name) DESC"));
  while (true) {
    PLAN_TRY(has_row, rows.step());
    if (!has_row) break;
    if (!present.contains(std::string(rows.text(1)))) gone.emplace_back(rows.text(0));
  }
  std::uint64_t removed = 0;
  for (const std::string& wire : gone) {
    const auto at_source = listed.find(wire);
    if (at_source != listed.end() && !is_inbox(wire)) {
      PLAN_TRY(count, database.prepare(
                          "SELECT count(*) FROM plan_item WHERE wire_name = ? AND is_gone = 0"));
      count.bind(1, wire);
      PLAN_TRY(has_count, count.step());
      const bool is_empty = has_count && count.integer(0) == 0;
      const std::string below = wire + at_source->second.separator;
      const bool has_children = !at_source->second.separator.empty() &&
                                std::any_of(listed.begin(), listed.end(), [&](const auto& one) {
                                  return one.first.starts_with(below);
                                });
      if (is_empty && !has_children && at_source->second.is_selectable) {
        const auto done = writer.remove(wire);
        if (!done && !is_refusal(done.error())) return std::move(done).error();
        if (done) {
          ++removed;
          listed.erase(at_source);
        }
      } else if (!is_empty) {
        conflicts.push_back({"mailbox " + printable(wire, 200),
                             "deleted at the target, not empty at the source: it stays"});
      }
    }
    PLAN_TRY(forget, database.prepare("DELETE FROM plan_target_mailbox WHERE wire_name = ?"));
    forget.bind(1, wire);
    PLAN_TRY_VOID(forget.run());
  }
  return removed;
}

}  // namespace plan::archive
