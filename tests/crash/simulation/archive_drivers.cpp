// Copy, delta, carry-back and sweep between the two simulated servers, after the archive's rules:
// identity is provenance (UID <-> id), what cannot be repeated is noted before and after, and what
// an interruption left open is resolved by looking, as a count of equal contents.
#include "tests/crash/simulation/archive_drivers.h"

#include <algorithm>

#include "runtime/engine/kill_point.h"
#include "tests/crash/simulation/calendar_drivers.h"

namespace plan::simulation {
namespace {

constexpr std::size_t kBatch = 4;
constexpr ErrorCode kLoginRefused{"simulated-login-refused", "the source knows no such user",
                                  "see"};

bool is_linked_id(const Archive& archive, std::uint32_t id) {
  return std::any_of(archive.linked.begin(), archive.linked.end(),
                     [&](const auto& link) { return link.second == id; });
}

struct Both {
  Mail source;
  Mail target;
  std::uint32_t state = 0;
};

Result<Both> read_both(Machine& machine, std::size_t account) {
  Both both;
  World& world = machine.world;
  bool is_known = false;
  PLAN_TRY_VOID(machine.look(world.source, [&] {
    is_known = !world.source.account(account).is_renamed;
    if (is_known) both.source = world.source.account(account).mail;
  }));
  if (!is_known) return Error(kLoginRefused, "the master user is refused for it");
  PLAN_TRY_VOID(machine.look(world.target, [&] {
    both.target = world.target.account(account).mail;
    both.state = world.target.account(account).state;
  }));
  return both;
}

/// What an import that was interrupted has made at the target.
void resolve_imports(Machine& machine, Archive& archive, const Both& both) {
  if (machine.is_dead) return;
  for (const auto& [uid, digest] : archive.importing) {
    if (archive.linked.contains(uid)) continue;
    if (machine.sabotage == Sabotage::imports_blindly) continue;
    for (const auto& [id, message] : both.target) {
      if (message.digest != digest || is_linked_id(archive, id)) continue;
      archive.linked[uid] = id;
      break;
    }
  }
  archive.importing.clear();
}

Outcome import_new(Machine& machine, std::size_t account, Both& both) {
  Archive& archive = machine.archives[account];
  World& world = machine.world;
  std::vector<std::uint32_t> fresh;
  for (const auto& [uid, message] : both.source) {
    if (!archive.linked.contains(uid)) fresh.push_back(uid);
  }
  for (std::size_t begin = 0; begin < fresh.size(); begin += kBatch) {
    const std::vector<std::uint32_t> batch(
        fresh.begin() + static_cast<std::ptrdiff_t>(begin),
        fresh.begin() + static_cast<std::ptrdiff_t>(std::min(fresh.size(), begin + kBatch)));
    if (machine.is_dead) return machine.gone();
    for (const std::uint32_t uid : batch) archive.importing[uid] = both.source.at(uid).digest;
    PLAN_KILL_POINT("push.import-begun");
    std::vector<std::uint32_t> ids;
    // ifInState: a call that comes twice is refused the second time.
    PLAN_TRY_VOID(machine.call(world.target, [&] {
      if (world.target.account(account).state != both.state) return false;
      ids.clear();
      for (const std::uint32_t uid : batch)
        ids.push_back(world.target.import(account, both.source.at(uid)));
      return true;
    }));
    PLAN_KILL_POINT("push.import-answered");
    if (machine.is_dead) return machine.gone();
    for (std::size_t i = 0; i < batch.size(); ++i) {
      archive.linked[batch[i]] = ids[i];
      archive.importing.erase(batch[i]);
      both.target[ids[i]] = both.source.at(batch[i]);
    }
    both.state += static_cast<std::uint32_t>(batch.size());
  }
  return {};
}

/// What an append that was interrupted has made at the source; and what moved there under another
/// UID, which is the same message.
void resolve_appends(Machine& machine, Archive& archive, const Both& both) {
  if (machine.is_dead) return;
  const auto link_by_content = [&](std::uint32_t id) {
    const auto content = archive.contents.find(id);
    if (content == archive.contents.end()) return;
    for (const auto& [uid, candidate] : both.source) {
      if (candidate.digest != content->second || archive.linked.contains(uid)) continue;
      archive.linked[uid] = id;
      return;
    }
  };
  std::vector<std::uint32_t> lost;
  for (const auto& [uid, id] : archive.linked) {
    if (!both.source.contains(uid)) lost.push_back(uid);
  }
  for (const std::uint32_t uid : lost) {
    const std::uint32_t id = archive.linked.at(uid);
    archive.linked.erase(uid);
    link_by_content(id);
  }
  for (const std::uint32_t id : archive.appending) {
    if (!is_linked_id(archive, id)) link_by_content(id);
  }
  archive.appending.clear();
}

}  // namespace

Outcome carry_over(Machine& machine, std::size_t account, bool only_new) {
  World& world = machine.world;
  Archive& archive = machine.archives[account];
  PLAN_TRY(both, read_both(machine, account));
  resolve_imports(machine, archive, both);
  if (only_new) return import_new(machine, account, both);
  std::vector<std::uint32_t> vanished;
  for (const auto& [uid, id] : archive.linked) {
    if (!both.source.contains(uid)) vanished.push_back(uid);
  }
  for (const std::uint32_t uid : vanished) {
    const std::uint32_t id = archive.linked.at(uid);
    PLAN_KILL_POINT("push.destroy-begun");
    PLAN_TRY_VOID(machine.call(world.target, [&] {
      if (world.target.account(account).mail.erase(id) > 0) world.target.touch(account);
      return true;
    }));
    PLAN_KILL_POINT("push.destroy-answered");
    if (machine.is_dead) return machine.gone();
    archive.linked.erase(uid);
  }
  for (const auto& [uid, id] : archive.linked) {
    const auto old = both.target.find(id);
    if (old == both.target.end() || old->second == both.source.at(uid)) continue;
    PLAN_TRY_VOID(machine.call(world.target, [&, at = id, wanted = both.source.at(uid)] {
      world.target.account(account).mail[at] = wanted;
      world.target.touch(account);
      return true;
    }));
    PLAN_KILL_POINT("push.update-answered");
  }
  PLAN_TRY_VOID(
      machine.look(world.target, [&] { both.state = world.target.account(account).state; }));
  return import_new(machine, account, both);
}

Outcome carry_back(Machine& machine, std::size_t account) {
  if (machine.sabotage == Sabotage::leaves_source_as_it_is) return {};
  World& world = machine.world;
  Archive& archive = machine.archives[account];
  PLAN_TRY(both, read_both(machine, account));
  PLAN_KILL_POINT("carry.source-read");
  if (machine.is_dead) return machine.gone();
  for (const auto& [id, message] : both.target) archive.contents[id] = message.digest;
  resolve_imports(machine, archive, both);
  resolve_appends(machine, archive, both);
  PLAN_KILL_POINT("carry.carried-linked");
  PLAN_KILL_POINT("carry.mailboxes-carried");
  for (const auto& [id, message] : both.target) {
    if (is_linked_id(archive, id)) continue;
    if (machine.is_dead) return machine.gone();
    archive.appending.insert(id);
    PLAN_KILL_POINT("carry.append-begun");
    std::uint32_t uid = 0;
    PLAN_TRY_VOID(machine.call(
        world.source,
        [&, wanted = message] { return (uid = world.source.append(account, wanted)) != 0; },
        false));
    PLAN_KILL_POINT("carry.append-answered");
    if (machine.is_dead) return machine.gone();
    archive.linked[uid] = id;
    archive.appending.erase(id);
    PLAN_KILL_POINT("carry.append-noted");
  }
  const std::map<std::uint32_t, std::uint32_t> links = archive.linked;
  for (const auto& [uid, id] : links) {
    const auto wanted = both.target.find(id);
    const auto old = both.source.find(uid);
    if (old == both.source.end()) continue;
    if (wanted == both.target.end()) {
      PLAN_TRY_VOID(machine.call(
          world.source,
          [&, gone = uid] {
            world.source.account(account).mail.erase(gone);
            return true;
          },
          false));
      PLAN_KILL_POINT("carry.expunged");
      if (machine.is_dead) return machine.gone();
      archive.linked.erase(uid);
      continue;
    }
    if (wanted->second.flags != old->second.flags) {
      PLAN_TRY_VOID(machine.call(world.source, [&, at = uid, flags = wanted->second.flags] {
        Mail& mail = world.source.account(account).mail;
        if (mail.contains(at)) mail.at(at).flags = flags;
        return true;
      }));
      PLAN_KILL_POINT("carry.flags-stored");
    }
    if (wanted->second.box == old->second.box) continue;
    std::uint32_t moved = 0;
    PLAN_TRY_VOID(machine.call(
        world.source,
        [&, from = uid, box = wanted->second.box] {
          if (!world.source.account(account).mail.contains(from)) return false;
          moved = world.source.move(account, from, box);
          return true;
        },
        false));
    if (machine.is_dead) return machine.gone();
    archive.linked.erase(uid);
    archive.linked[moved] = id;
  }
  return {};
}

Result<bool> are_equal(Machine& machine, std::size_t account) {
  PLAN_TRY(both, read_both(machine, account));
  std::vector<Message> left;
  std::vector<Message> right;
  for (const auto& [uid, message] : both.source) left.push_back(message);
  for (const auto& [id, message] : both.target) right.push_back(message);
  std::sort(left.begin(), left.end());
  std::sort(right.begin(), right.end());
  return left == right;
}

Result<ir::Value> sweep(Machine& machine, std::size_t account, step::StepContext& context) {
  World& world = machine.world;
  std::int64_t quiet = context.notes["quiet"].integer_or(0);
  bool is_waiting = false;
  PLAN_TRY_VOID(machine.look(world.source, [&] { is_waiting = world.source.is_queued(account); }));
  PLAN_TRY_VOID(machine.look(world.target,
                             [&] { is_waiting = is_waiting || world.target.is_queued(account); }));
  const std::size_t before = machine.archives[account].linked.size();
  PLAN_TRY_VOID(carry_over(machine, account, true));
  PLAN_TRY(events, carry_events_over(machine, account, false));
  const bool has_found = machine.archives[account].linked.size() != before || events > 0;
  quiet = is_waiting || has_found ? 0 : quiet + 1;
  PLAN_TRY_VOID(context.remember(ir::Value::map({{"quiet", quiet}})));
  if (quiet >= 2) return ir::Value::map({{"messages", 0}});
  return step::not_yet(std::chrono::seconds(60), "the old mailbox to stay quiet");
}

}  // namespace plan::simulation
