#include "runtime/archive/dav_counts.h"

#include <fmt/format.h>

#include <string_view>
#include <vector>

#include "runtime/archive/target_texts.h"

namespace plan::archive {
namespace {

using net::dav::Kind;

std::string counted(std::uint64_t count, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", count, count == 1 ? one : many);
}

std::string joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : ", ") + part;
  return text;
}

}  // namespace

std::string DavCounts::carried() const {
  std::vector<std::string> parts;
  if (calendars > 0 || events > 0)
    parts.push_back(counted(calendars, "calendar", "calendars") + " with " +
                    counted(events, "event", "events"));
  if (address_books > 0 || cards > 0)
    parts.push_back(counted(address_books, "address book", "address books") + " with " +
                    counted(cards, "card", "cards"));
  return parts.empty() ? "no calendars and no address books" : joined(parts);
}

std::string DavCounts::not_carried() const {
  std::vector<std::string> parts;
  const auto add = [&parts](std::uint64_t count, std::string_view one, std::string_view many) {
    if (count > 0) parts.push_back(counted(count, one, many));
  };
  add(tasks, "task", "tasks");
  add(journals, "journal", "journals");
  add(busy_times, "list of busy times", "lists of busy times");
  add(unread, "text that the target cannot read", "texts that the target cannot read");
  add(refused, "event or card that the target does not take",
      "events and cards that the target does not take");
  if (shared > 0)
    parts.push_back(
        fmt::format("sharing of {} (with {})",
                    counted(shared, "calendar or address book", "calendars and address books"),
                    counted(shared_with, "other", "others")));
  if (of_others > 0)
    parts.push_back(
        fmt::format("the owner of {} (the account gets a copy)",
                    counted(of_others, "calendar or address book", "calendars and address books")));
  add(subscriptions, "subscription to a calendar elsewhere",
      "subscriptions to calendars elsewhere");
  if (!are_tasks_known) parts.emplace_back("tasks and journals, which its server does not count");
  return joined(parts);
}

std::string DavCounts::to_text() const {
  const std::string left = not_carried();
  return left.empty() ? carried() : fmt::format("{}; not carried: {}", carried(), left);
}

ir::Value DavCounts::to_value() const {
  return ir::Value::map({{"calendars", calendars},
                         {"events", events},
                         {"address_books", address_books},
                         {"cards", cards},
                         {"tasks", tasks},
                         {"journals", journals},
                         {"busy_times", busy_times},
                         {"unread", unread},
                         {"refused", refused},
                         {"shared", shared},
                         {"shared_with", shared_with},
                         {"of_others", of_others},
                         {"subscriptions", subscriptions},
                         {"carried", carried()},
                         {"not_carried", not_carried()}});
}

std::vector<ir::Counted> DavCounts::carried_by_name() const {
  return {{"calendars", calendars},
          {"events", events},
          {"address books", address_books},
          {"cards", cards}};
}

std::vector<ir::Counted> DavCounts::not_carried_by_name() const {
  std::vector<ir::Counted> all = {{"tasks", tasks},
                                  {"journals", journals},
                                  {"lists of busy times", busy_times},
                                  {"unreadable texts", unread},
                                  {"refused entries", refused},
                                  {"shared calendars and address books", shared},
                                  {"others who see them", shared_with},
                                  {"calendars and address books of others", of_others},
                                  {"subscriptions", subscriptions}};
  std::erase_if(all, [](const ir::Counted& one) { return one.count == 0; });
  return all;
}

void DavCounts::add_sharing(const net::dav::Homes& homes) {
  for (const net::dav::Collection& collection : homes.collections) {
    if (collection.is_of_another) ++of_others;
    if (collection.shared_with == 0) continue;
    ++shared;
    shared_with += collection.shared_with;
  }
  subscriptions += homes.subscriptions;
}

Result<DavCounts> count_dav(ArchiveFile& archive) {
  DavCounts counts;
  PLAN_TRY(collections, archive.database().prepare("SELECT kind FROM plan_dav_collection WHERE "
                                                   "is_gone = 0"));
  while (true) {
    PLAN_TRY(has_row, collections.step());
    if (!has_row) break;
    ++(collections.integer(0) == 0 ? counts.calendars : counts.address_books);
  }
  PLAN_TRY(items, archive.database().prepare(
                      "SELECT c.kind, i.target_id IS NULL AND i.problem IS NOT NULL, count(*) FROM "
                      "plan_dav_item i JOIN plan_dav_collection c ON c.id = i.collection_id WHERE "
                      "i.is_gone = 0 AND i.entry IS NOT NULL GROUP BY 1, 2"));
  while (true) {
    PLAN_TRY(has_row, items.step());
    if (!has_row) break;
    const auto count = static_cast<std::uint64_t>(items.integer(2));
    (items.integer(1) != 0   ? counts.refused
     : items.integer(0) == 0 ? counts.events
                             : counts.cards) += count;
  }
  PLAN_TRY(texts, archive.database().prepare(
                      "SELECT text FROM plan_dav_item WHERE is_gone = 0 AND entry IS NULL"));
  while (true) {
    PLAN_TRY(has_row, texts.step());
    if (!has_row) return counts;
    const std::string component = component_of_text(texts.blob(0));
    ++(component == "vtodo"       ? counts.tasks
       : component == "vjournal"  ? counts.journals
       : component == "vfreebusy" ? counts.busy_times
                                  : counts.unread);
  }
}

}  // namespace plan::archive
