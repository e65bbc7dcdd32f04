#include "compiler/flow/colleagues.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "compiler/flow/spellings.h"

namespace plan::flow {

namespace {

using ir::StepKind;

/// The world of one account with its colleagues in it.
class Crowd {
 public:
  Crowd(const Trial& alone, const Reader& own)
      : world_(alone.world()),
        trial_(alone.sent_on_in(world_)),
        own_(own),
        list_(alone.colleague("a-list-of-the-target")),
        forward_(alone.colleague("a-forward-of-the-source")) {}

  void check(const std::vector<Resident>& residents) {
    const Reader unmoved = reads_at(trial_.not_moved(), false, "colleague, not moved");
    const Reader created = reads_at(trial_.colleague("a-colleague-created"), false,
                                    "colleague, created and not moved");
    const Reader moved = reads_at(trial_.colleague("a-colleague-moved"), true, "colleague, moved");
    for (const Reader& one : {unmoved, created, moved}) world_.source.mailboxes.insert(one.address);
    if (is_created()) world_.target.accounts.insert(created.address);
    move(moved.address);
    std::vector<Reader> all = {own_, unmoved};
    if (is_created()) all.push_back(created);
    if (arrives_everywhere(moved)) {
      all.push_back(moved);
      for (const Entry entry : kEntries) check_alone(entry, moved);
    }
    for (const Entry entry : kEntries) {
      check_alone(entry, unmoved);
      if (is_created()) check_alone(entry, created);
    }
    all.push_back({"somebody@outside.test", Reader::Side::outside, "foreign domain"});
    check_sent_on(all);
    check_other_names_sent_on(residents);
    check_catch_all(unmoved);
    check_script(all);
  }

 private:
  void check_alone(Entry entry, const Reader& reader) {
    trial_.look(entry, reader.whose);
    trial_.check_letter(trial_.letter_to(entry, reader.address), reader, true);
  }

  void look_at_all(Entry entry, const std::vector<Reader>& readers, std::string_view by) const {
    for (const Reader& one : readers) trial_.look(entry, one.whose, by);
  }

  /// A list of both servers and a forward of the source send on to everybody, also what has no
  /// sender.
  void check_sent_on(const std::vector<Reader>& all) {
    std::vector<std::string> addresses;
    for (const Reader& one : all) addresses.push_back(one.address);
    world_.target.lists[list_] = addresses;
    world_.source.aliases[list_] = addresses;
    world_.source.aliases[forward_] = addresses;
    for (const Entry entry : kClientEntries) {
      for (const auto& [by, address] :
           {std::pair<std::string_view, const std::string&>("list", list_),
            {"forward", forward_}}) {
        look_at_all(entry, all, by);
        const bool is_right = trial_.check_letter(trial_.letter_to(entry, address), all, true);
        if (entry != Entry::target_25 && entry != Entry::source_25) continue;
        trial_.look(entry, "null sender", by);
        if (!is_right || trial_.asks_sender())
          trial_.check_letter(trial_.letter_to(entry, address, true), all, true);
      }
    }
  }

  /// The same to an alias, to the address in capitals and to a group, each alone: they lead to one
  /// mailbox. What only the target has the source refuses.
  void check_other_names_sent_on(const std::vector<Resident>& residents) {
    Reader named = own_;
    for (const std::string& alias : trial_.states().subject().aliases) {
      named.whose = "alias";
      check_name_sent_on(alias, named, true);
    }
    named.whose = "capitals";
    check_name_sent_on(upper_local(trial_.account()), named, true);
    named.whose = "sub-address";
    for (const std::string& sub_address : trial_.sub_addresses())
      check_name_sent_on(sub_address, named, true);
    for (const Resident& one : residents) {
      check_name_sent_on(
          one.names.front(),
          reads_at(one.names.front(), true, one.is_group ? "group" : "account of the target"),
          false);
    }
    world_.target.lists.erase(list_);
    world_.source.aliases.erase(list_);
    world_.source.aliases.erase(forward_);
  }

  /// `is_known_there`: the source has it.
  void check_name_sent_on(const std::string& address, const Reader& to, bool is_known_there) {
    const std::string& scripted = trial_.not_moved();
    world_.target.lists[list_] = {address};
    world_.source.aliases[list_] = {address};
    world_.source.aliases[forward_] = {address};
    if (is_known_there) world_.source.redirects[scripted] = {{address, false}};
    for (const Entry entry : kClientEntries) {
      if (is_known_there || is_at_target(entry)) check_by(entry, "list", list_, to);
      if (!is_known_there) continue;
      check_by(entry, "forward", forward_, to);
      check_by(entry, "redirect", scripted, to);
    }
    world_.source.redirects.erase(scripted);
  }

  void check_by(Entry entry, std::string_view by, const std::string& recipient, const Reader& to) {
    trial_.look(entry, to.whose, by);
    trial_.check_letter(trial_.letter_to(entry, recipient), to, true);
  }

  void check_catch_all(const Reader& reader) {
    world_.source.catch_all[trial_.domain()] = {reader.address};
    for (const Entry entry : kEntries) {
      if (entry == Entry::source_queue) continue;  // looked up before anything waits there
      trial_.look(entry, "catch-all");
      trial_.check_letter(trial_.letter_to(entry, trial_.colleague("no-such-address")), reader,
                          true);
    }
    world_.source.catch_all.clear();
  }

  /// A script of the account, on whichever server it runs, sends on to everybody.
  void check_script(const std::vector<Reader>& all) {
    const std::string& account = trial_.account();
    std::vector<Redirect> script;
    for (const Reader& one : all) {
      if (one.address != account) script.push_back({one.address, true});
    }
    world_.target.redirects[account] = script;
    world_.source.redirects[account] = script;
    for (const Entry entry : kClientEntries) {
      look_at_all(entry, all, "redirect");
      trial_.check_letter(trial_.letter_to(entry, account), all, true);
    }
  }

  [[nodiscard]] bool is_created() const {
    const auto& steps = trial_.states().steps();
    for (std::size_t i = 0; i < steps.size(); ++i) {
      if (steps[i].kind == StepKind::admin_account &&
          AccountStates::is_done(trial_.moment().state, i))
        return true;
    }
    return false;
  }

  /// As the steps of the account would have it for somebody else, when all are done.
  void move(const std::string& address) {
    world_.target.accounts.insert(address);
    for (const AccountStates::Relevant& step : trial_.states().steps()) {
      const ir::Value& match = step.arguments["match"];
      if (step.kind == StepKind::postfix_forward) {
        world_.source.transport[address] = Transport::forward;
        if (const auto to = world_.source.forwards_elsewhere.find(trial_.account());
            to != world_.source.forwards_elsewhere.end())
          world_.source.forwards_elsewhere[address] = to->second;
      }
      if (step.kind == StepKind::source_forward && world_.source.stalwart)
        world_.source.stalwart->lists[std::string(step.arguments["list"].string_or(""))].insert(
            address);
      if (step.kind == StepKind::admin_keys)
        world_.target.keys[std::string(step.arguments["namespace"].string_or(""))].insert(address);
      if (step.kind == StepKind::admin_upsert && match["namespace"].is_string())
        world_.target.keys[std::string(match["namespace"].string_or(""))].insert(address);
    }
  }

  /// A plan that moves accounts in another way than by steps of their own is proved by its own
  /// accounts alone.
  [[nodiscard]] bool arrives_everywhere(const Reader& one) const {
    return std::all_of(kClientEntries.begin(), kClientEntries.end(), [&](Entry entry) {
      const auto deliveries = deliver(world_, {entry, one.address}, false);
      return deliveries.size() == 1 && deliveries[0].mailbox == one.address &&
             deliveries[0].fate == Fate::target_mailbox;
    });
  }

  World world_;
  Trial trial_;  // in this world
  const Reader& own_;
  std::string list_;
  std::string forward_;
};

}  // namespace

void try_colleagues(const Trial& alone, const Reader& own, const std::vector<Resident>& residents) {
  Crowd(alone, own).check(residents);
}

}  // namespace plan::flow
