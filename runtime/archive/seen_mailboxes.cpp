#include "runtime/archive/seen_mailboxes.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "compiler/source/text.h"
#include "runtime/archive/limits.h"
#include "runtime/step/durable_write.h"

namespace plan::archive {
namespace {

/// ManageSieve is one more login and a list: about half of an IMAP login with its mailboxes.
constexpr double kScriptsFactor = 1.5;
constexpr std::uint64_t kScannedPerSecond = 20'000;
/// Events and cards that the target shows and plan compares.
constexpr double kEntriesPerMs = 5;

}  // namespace

void SeenMailboxes::put(const std::string& account, Figures figures) {
  const std::lock_guard lock(mutex_);
  by_account_[account] = figures;
}

void SeenMailboxes::predict(const step::StepContext& context, const std::string& account,
                            const Work& work, double call_ms, ir::Observation& seen) {
  const std::lock_guard lock(mutex_);
  const auto found = by_account_.find(account);
  if (found == by_account_.end()) return;
  const Figures& figures = found->second;
  if (!write_ms_)
    write_ms_ = step::durable_write_ms(std::string(context.state_directory), context.clock);
  // One look may have waited for its turn; all of them tell what a call takes.
  calls_ms_ += call_ms;
  ++calls_;
  const double call = calls_ms_ / calls_;
  const std::uint64_t scan = figures.has_qresync ? 0 : figures.messages * 1000 / kScannedPerSecond;
  const double rest = work.calls * call + work.writes * *write_ms_;
  const SeenMailboxes::Calendars& dav = figures.calendars;
  const double entries =
      dav.scan_ms + dav.calls * call + static_cast<double>(dav.entries) / kEntriesPerMs;
  seen.hold_ms = static_cast<std::uint64_t>(
                     std::llround(work.looks * figures.scan_ms * kScriptsFactor + rest + entries)) +
                 static_cast<std::uint64_t>(work.looks) * scan;
  seen.hold_basis = fmt::format(
      "{}{} mailboxes opened in {:.0f} ms and the scripts in {:.0f} ms, {} calls of the target of "
      "{:.0f} ms, {} writes to the archive of {:.1f} ms",
      work.looks > 1 ? fmt::format("{} times ", work.looks) : std::string(), figures.mailboxes,
      figures.scan_ms, figures.scan_ms * (kScriptsFactor - 1), work.calls, call, work.writes,
      *write_ms_);
  if (scan > 0)
    seen.hold_basis +=
        fmt::format(", {} messages compared without QRESYNC in {} ms", figures.messages, scan);
  if (dav.calls > 0)
    seen.hold_basis += fmt::format(
        ", {} calendars and address books asked for changes in {:.0f} ms{}, {} calls of the target "
        "for what it has of their {} entries, {} of which it shows in a second",
        dav.collections, dav.scan_ms,
        dav.listed == 0
            ? std::string()
            : fmt::format(" ({} listed whole: the server does not say what changed)", dav.listed),
        dav.calls, dav.entries, show_count(static_cast<std::uint64_t>(kEntriesPerMs * 1000)));
}

namespace {

/// Tasks and journals of a calendar with so many items, which are no events.
Outcome count_others(const net::dav::Client& client, const net::dav::Collection& calendar,
                     std::uint64_t items, DavCounts& counts) {
  std::uint64_t others = 0;
  for (const auto& [component, count] :
       {std::pair("VTODO", &counts.tasks), std::pair("VJOURNAL", &counts.journals)}) {
    PLAN_TRY(found, client.count(calendar, component));
    if (!found) counts.are_tasks_known = false;
    *count += found.value_or(0);
    others += found.value_or(0);
  }
  counts.events += items - std::min(items, others);
  return {};
}

}  // namespace

Result<std::optional<CalendarsLook>> look_at_calendars(const DavSource& source, net::Clock& clock) {
  CalendarsLook look;
  PLAN_TRY(client, source.connect());
  PLAN_TRY(homes, homes_of(client, source).while_doing("looking for calendars and contacts"));
  if (!homes.is_there) return std::optional<CalendarsLook>();
  look.counts.add_sharing(homes);
  std::map<std::string, std::string> tokens;
  std::array<bool, 2> has_some = {};
  // The first one wakes the server up; the hold comes when it has at hand what it read for this.
  for (const net::dav::Collection& collection : homes.collections) {
    const bool is_calendar = collection.kind == net::dav::Kind::calendar;
    has_some.at(static_cast<std::size_t>(collection.kind)) = true;
    ++look.figures.collections;
    ++(is_calendar ? look.counts.calendars : look.counts.address_books);
    PLAN_TRY(token, client.sync_token(collection));
    const auto listed = client.list(collection);
    const std::uint64_t items = listed ? listed->size() : 0;  // else the copy names it
    look.figures.entries += items;
    if (is_calendar)
      PLAN_TRY_VOID(count_others(client, collection, items, look.counts));
    else
      look.counts.cards += items;
    if (listed) tokens[collection.href] = token;
  }
  const auto begun = clock.now();
  PLAN_TRY(again, source.connect());
  PLAN_TRY(homes_again, homes_of(again, source));
  for (const net::dav::Collection& collection : homes_again.collections) {
    const std::string& token = tokens[collection.href];
    if (!token.empty()) {
      PLAN_TRY(changes, again.changes(collection, token));
      if (changes) continue;
    }
    ++look.figures.listed;
    static_cast<void>(again.list(collection).has_value());
  }
  look.figures.scan_ms = std::chrono::duration<double, std::milli>(clock.now() - begun).count();
  for (const bool is_there : has_some)
    if (is_there) look.figures.calls += kShelfCalls;
  return std::optional<CalendarsLook>(look);
}

Result<MailboxesLook> look_at_mailboxes(const ImapSource& source, net::Clock& clock) {
  MailboxesLook look;
  const auto begun = clock.now();
  PLAN_TRY(client, source.connect());
  PLAN_TRY(mailboxes, client->list());
  PLAN_TRY(spaces, source.namespaces(*client));
  std::erase_if(mailboxes, [&](const net::imap::MailboxInfo& mailbox) {
    return net::imap::is_of_others(mailbox.wire_name, spaces);
  });
  std::chrono::duration<double, std::milli> took = clock.now() - begun;
  std::uint64_t bytes = 0;
  bool has_sizes = true;
  for (const net::imap::MailboxInfo& mailbox : mailboxes) {
    if (!mailbox.is_selectable()) continue;
    const auto status = client->status(mailbox.wire_name);
    if (!status) {
      if (client->is_broken()) return status.error();
      look.remark = "a mailbox cannot be read: " + status.error().detail();
      continue;
    }
    ++look.figures.mailboxes;
    look.figures.messages += status->messages.value_or(0);
    bytes += status->size_bytes.value_or(0);
    has_sizes = has_sizes && status->size_bytes.has_value();
  }
  if (has_sizes) look.bytes = bytes;
  // STATUS adds up sizes, which the hold does not ask for; and its passes come behind others, when
  // the server has at hand what it read for the first one.
  for (const bool is_timed : {false, true}) {
    const auto opening = clock.now();
    for (const net::imap::MailboxInfo& mailbox : mailboxes) {
      if (!mailbox.is_selectable()) continue;
      const auto selected = client->select(mailbox.wire_name);
      if (!selected && client->is_broken()) return selected.error();
    }
    if (is_timed) took += clock.now() - opening;
  }
  look.figures.scan_ms = took.count();
  look.figures.has_qresync = client->has("QRESYNC");
  client->logout();
  return look;
}

}  // namespace plan::archive
