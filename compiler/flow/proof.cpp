#include "compiler/flow/proof.h"

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>

#include "compiler/flow/judgement.h"
#include "compiler/flow/mail_address.h"
#include "compiler/flow/senders.h"
#include "compiler/flow/states.h"
#include "compiler/source/text.h"

namespace plan::flow {
namespace {

using ir::StepKind;

constexpr std::size_t kStatesMax = 20'000;
constexpr std::size_t kCounterexamplesMax = 20;
constexpr std::size_t kExamplesMax = 3;
constexpr std::size_t kWorkOfWorld = 100;
constexpr std::size_t kConditionBytesMax = 160;
constexpr std::string_view kForeign = "somebody@elsewhere.test";
constexpr std::string_view kNotMoved = "a-colleague-not-moved";
constexpr std::array kClientEntries = {Entry::target_25, Entry::target_submission, Entry::source_25,
                                       Entry::source_submission};

[[nodiscard]] std::string upper_local(std::string address) {
  for (char& c : address) {
    if (c == '@') break;
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  }
  return address;
}

[[nodiscard]] std::string tagged(const std::string& address, char delimiter = '+') {
  const std::size_t at = address.rfind('@');
  if (at == std::string::npos) return address;
  return fmt::format("{}{}tag{}", address.substr(0, at), delimiter, address.substr(at));
}

class Prover {
 public:
  Prover(const ir::StepGraph& graph, const ProofLimits& limits, std::set<LookedAt>* looked_at,
         const MailFacts& facts)
      : graph_(graph), limits_(limits), tried_(looked_at), facts_(facts) {}

  Proof run() {
    Classes classes = account_classes(graph_, limits_);
    Proof proof;
    proof.left_out = std::move(classes.left_out);
    MailSteps all(graph_, classes.subjects);
    sender_questions_.emplace(all);
    for (Subject& subject : classes.subjects) {
      if (work_ >= limits_.work_max) {
        leave_out(subject, proof.left_out);
        continue;
      }
      if (has_name_with_plus(subject) && AccountStates(all, subject).is_from_old_stalwart() &&
          !leave_names_with_plus(subject))
        continue;
      const AccountStates states(all, std::move(subject), facts_);
      states_ = &states;
      domain_ = domain_of(account());
      not_moved_ = colleague(kNotMoved);
      if (states.is_too_large()) {
        unproved("too many steps decide its mail");
      } else if (states.is_moved_at_all()) {
        walk_states();
      }
      if (found_.size() >= kCounterexamplesMax) break;
    }
    report_names_with_plus();
    // Domains of accounts that had no subject are counted there; these come on top.
    proof.left_out.domains += domains_left_out_.size();
    proof.found = std::move(found_);
    return proof;
  }

 private:
  void leave_out(const Subject& subject, LeftOut& left_out) {
    // A class with several subjects is one class.
    if (subject.account == last_left_out_) return;
    last_left_out_ = subject.account;
    left_out.accounts += subject.stands_for;
    domains_left_out_.insert(domain_of(subject.account));
    if (left_out.examples.size() < kExamplesMax) left_out.examples.push_back(subject.account);
  }

  /// Names that an old Stalwart takes for a tagged one of somebody else.
  [[nodiscard]] static bool is_with_plus(const Subject& subject, const std::string& name) {
    const std::string base = without_tag(parse_address(name));
    return base != name &&
           std::find(subject.names.begin(), subject.names.end(), base) == subject.names.end();
  }
  [[nodiscard]] static bool has_name_with_plus(const Subject& subject) {
    return std::any_of(subject.names.begin(), subject.names.end(),
                       [&](const std::string& name) { return is_with_plus(subject, name); });
  }

  /// No mail has come to them there, and none of it can be followed. False: nothing else is left.
  bool leave_names_with_plus(Subject& subject) {
    const std::vector<std::string> names = subject.names;
    for (const std::string& name : names) {
      if (!is_with_plus(subject, name)) continue;
      if (std::find(with_plus_.begin(), with_plus_.end(), name) == with_plus_.end())
        with_plus_.push_back(name);
      if (name == subject.account) return false;
      std::erase(subject.names, name);
      std::erase(subject.aliases, name);
      subject.dropped.erase(name);
    }
    return true;
  }

  void report_names_with_plus() {
    if (with_plus_.empty() || found_.size() >= kCounterexamplesMax) return;
    Counterexample& example = found_.emplace_back();
    example.what = "plus";
    example.is_supposed = true;
    example.account = with_plus_.front();
    const std::size_t others = with_plus_.size() - 1;
    example.claim = fmt::format(
        "the old server takes what follows the `+` in `{}`{} for a tag: mail for it goes to the "
        "name "
        "in front of it, or is refused",
        printable(with_plus_.front(), 80),
        others == 0 ? std::string() : fmt::format(", and in {} more,", show_count(others)));
  }

  [[nodiscard]] const std::string& account() const { return states_->subject().account; }
  [[nodiscard]] std::string colleague(std::string_view name) const {
    return fmt::format("{}@{}", name, domain_);
  }

  void walk_states() {
    // The fewest steps first: what is found names the first state that fails.
    std::unordered_set<Mask> seen = {0};
    std::deque<Mask> open = {0};
    looked_at_.clear();
    while (!open.empty()) {
      const Mask state = open.front();
      open.pop_front();
      ++work_;
      if (seen.size() > kStatesMax)
        return unproved(
            fmt::format("its steps can be in more than {} states", show_count(kStatesMax)));
      check_state(state);
      if (found_.size() >= kCounterexamplesMax) return;
      for (std::size_t i = 0; i < states_->steps().size(); ++i) {
        const Mask next = state | Mask{1} << i;
        if (states_->is_ready(state, i) && seen.insert(next).second) open.push_back(next);
      }
    }
  }

  /// States with the same effects, in which the same is expected, deliver alike.
  [[nodiscard]] bool is_new_world(Mask state, Mask effects) {
    const std::string key = fmt::format("{} {} {} {} {} {} {}", effects, states_->is_targets(state),
                                        states_->is_prepared(state), states_->is_cut_over(state),
                                        states_->is_committed(state), states_->is_settled(state),
                                        states_->is_finalize_begun(state));
    return looked_at_.insert(key).second;
  }

  void check_state(Mask state) {
    const Mask sure = states_->effects(state);
    const Mask perhaps = states_->perhaps(state);
    check_world(state, sure);
    if (perhaps == 0) return;
    check_world(state, sure | perhaps);
    for (std::size_t i = 0; i < states_->steps().size(); ++i) {
      const Mask one = Mask{1} << i;
      if ((perhaps & one) != 0 && perhaps != one) check_world(state, sure | one);
    }
  }

  void check_world(Mask state, Mask effects) {
    if (!is_new_world(state, effects)) return;
    work_ += kWorkOfWorld;
    state_ = state;
    std::string problem;
    ir::StepId step = {};
    const auto world = states_->world_with(effects, &problem, &step);
    if (!world) return unread(step, problem);
    world_ = &*world;
    work_ += asked();
    senders_ = sender_questions_->of(*world_);
    // Nobody sends to the target before it is set up: the public address is still the source's.
    const bool is_target_open = states_->is_prepared(state);
    const Reader own = reads_at(account(), states_->is_targets(state),
                                states_->is_disabled() ? "disabled account" : "account");
    const std::vector<Resident> residents = states_->residents(state);
    for (const Entry entry : kEntries) {
      if (!is_target_open && is_at_target(entry)) continue;
      check_own(entry, own);
      check_lists(entry, own);
      check_others(entry);
      if (!is_target_open) continue;
      for (const Resident& one : residents) check_resident(entry, one);
    }
    if (is_target_open) check_login(own);
    if (is_target_open && !states_->is_finalize_begun(state)) check_colleagues(own, residents);
  }

  /// Conditions that are gone through for every message to the account's domain.
  [[nodiscard]] std::size_t asked() const {
    std::size_t count = 0;
    if (world_->target.route) count += world_->target.route->asked_for(domain_);
    if (world_->source.stalwart && world_->source.stalwart->route)
      count += world_->source.stalwart->route->asked_for(domain_);
    return count;
  }

  /// Conditions that are true for nobody who is tried, once each.
  void report_nobody_for() {
    for (const NobodyFor& one : senders_.without) {
      if (!reported_.insert("sender? " + one.condition).second) continue;
      Counterexample& example = report("sender");
      example.is_supposed = true;
      example.claim =
          fmt::format("mail from senders for whom `{}` is true, of whom none was found to be tried",
                      printable(one.condition, kConditionBytesMax));
      example.delivery.supposed = Hop{"", "", one.origin, ""};
    }
  }

  void look(Entry entry, std::string_view whose, std::string_view by = {}) {
    if (tried_ != nullptr) tried_->insert({states_->phase(state_), entry, whose, by});
  }

  /// A message as it comes in there: who submits, or has a program send, is a colleague.
  [[nodiscard]] Letter letter_to(Entry entry, std::string recipient,
                                 bool has_null_sender = false) const {
    Letter letter{entry, std::move(recipient), has_null_sender};
    const bool is_inside = entry == Entry::target_submission || entry == Entry::source_submission ||
                           entry == Entry::target_local || entry == Entry::source_local;
    if (is_inside && !has_null_sender) letter.sender = not_moved_;
    return letter;
  }

  /// Every name of the account, in capitals, with a tag, with a sender and as a bounce. Where no
  /// expression on its way asks who sends, what has no sender goes the way of what has one; a
  /// server does something else with it only when it comes to a bounce, which is wrong already.
  void check_own(Entry entry, const Reader& own) {
    std::vector<std::pair<std::string, std::string_view>> recipients;
    // Aliases are expanded before anything waits at the source, but for an old Stalwart.
    const bool waits_by_alias = entry != Entry::source_queue || world_->source.stalwart.has_value();
    for (const std::string& name : states_->subject().names) {
      if (name == account() || waits_by_alias)
        recipients.emplace_back(name, name == account() ? own.whose : "alias");
    }
    recipients.emplace_back(upper_local(account()), "capitals");
    // A tag is taken off at RCPT. What the target makes itself is not asked there, and a message
    // that waits since before the account was created is older than its queue allows by then.
    const bool has_old_tag = entry == Entry::target_queue && states_->is_finalize_begun(state_);
    if (entry != Entry::target_local && !has_old_tag) {
      for (std::string& sub_address : sub_addresses())
        recipients.emplace_back(std::move(sub_address), "sub-address");
    }
    // Names that a step gives it on the target: the source refuses their mail, which is seen.
    if (is_at_target(entry)) {
      for (const auto& [alias, of] : world_->target.aliases) {
        if (of == account() && !is_name(alias)) recipients.emplace_back(alias, "new alias");
      }
    }
    for (const auto& [recipient, whose] : recipients) {
      look(entry, whose);
      const bool is_right = check_letter(letter_to(entry, recipient), own, true);
      const bool asks_sender = asks_sender_;
      if (is_right && asks_sender && is_name(recipient))
        check_named_senders(entry, recipient, own, true);
      if (entry == Entry::target_submission || entry == Entry::source_submission) continue;
      look(entry, "null sender");
      if (!is_right || asks_sender) check_letter(letter_to(entry, recipient, true), own, true);
    }
  }

  /// With a delimiter in its own name an account has none at the source either.
  [[nodiscard]] std::vector<std::string> sub_addresses() const {
    std::vector<std::string> all;
    for (const char delimiter : facts_.tag_delimiters) {
      std::string one = tagged(account(), delimiter);
      if (lower_ascii(without_tag(parse_address(one), facts_.tag_delimiters)) == account())
        all.push_back(std::move(one));
    }
    return all;
  }

  /// The same from each sender that a route tells apart.
  void check_named_senders(Entry entry, const std::string& recipient, const Reader& own,
                           bool is_alone) {
    report_nobody_for();
    for (const std::string& sender : senders_.named) {
      // Somebody of the domain itself is tried as who submits.
      if (sender == "somebody@" + domain_) continue;
      Letter letter = letter_to(entry, recipient);
      letter.sender = sender;
      if (!check_letter(letter, own, is_alone)) return;
    }
  }

  [[nodiscard]] bool is_name(const std::string& address) const {
    const std::vector<std::string>& names = states_->subject().names;
    return std::find(names.begin(), names.end(), address) != names.end();
  }

  void check_lists(Entry entry, const Reader& own) {
    if (entry == Entry::source_queue || entry == Entry::target_queue ||
        entry == Entry::target_local)
      return;  // expanded when they are accepted
    for (const auto& [list, unused] : world_->source.aliases) {
      if (is_name(list)) continue;
      check_list(entry, list, own);
    }
    if (!is_at_target(entry)) return;
    for (const auto& [list, unused] : world_->target.lists) {
      if (!world_->source.aliases.contains(list)) check_list(entry, list, own);
    }
  }

  void check_list(Entry entry, const std::string& list, const Reader& own) {
    look(entry, "list");
    if (check_letter(letter_to(entry, list), own, false) && asks_sender_)
      check_named_senders(entry, list, own, false);
  }

  /// A group or a user that only the target has. The source refuses its mail, which the sender
  /// sees; what it takes must arrive.
  void check_resident(Entry entry, const Resident& resident) {
    if (entry == Entry::source_local || entry == Entry::source_queue) return;
    const Reader own = reads_at(resident.names.front(), true,
                                resident.is_group ? "group" : "account of the target");
    std::vector<std::string> recipients = resident.names;
    recipients.push_back(upper_local(own.address));
    if (entry != Entry::target_local && entry != Entry::target_queue)
      recipients.push_back(tagged(own.address));
    for (const std::string& recipient : recipients) {
      const Letter letter = letter_to(entry, recipient);
      look(entry, own.whose);
      if (!is_at_target(entry)) {
        const std::vector<Delivery> deliveries = deliver(*world_, letter, false);
        if (deliveries.size() == 1 && deliveries[0].fate == Fate::refused) continue;
      }
      check_letter(letter, own, true);
    }
  }

  /// Who logs in on the target to send: nobody before he reads there, nobody who was locked out at
  /// the source, everybody else when his move is over.
  void check_login(const Reader& own) {
    const auto& steps = states_->steps();
    const bool is_made = std::any_of(steps.begin(), steps.end(), [](const auto& step) {
      return step.kind == StepKind::admin_account;
    });
    if (!is_made) return;
    Letter letter{Entry::target_submission, std::string(kForeign)};
    letter.login = account();
    look(letter.entry, "login");
    for (const Delivery& delivery : deliver(*world_, letter)) {
      const bool is_in = delivery.fate != Fate::refused;
      if (is_in && states_->is_disabled()) {
        fail(letter,
             {"login", delivery,
              fmt::format("{} was locked out at the source and sends from the target", account())});
      } else if (is_in && own.side == Reader::Side::source) {
        fail(letter,
             {"login", delivery,
              fmt::format("{} sends from the target before the mailbox is copied", account())});
      } else if (!is_in && !states_->is_disabled() && states_->is_committed(state_)) {
        fail(letter, {"login", delivery,
                      fmt::format("{} has moved and cannot send from the target", account())});
      }
    }
  }

  /// What is wrong with a message in one of the ways that it may go.
  struct Wrong {
    Judged first = {};
    bool is_either_way = false;  ///< wrong whatever only the target can tell
  };
  template <typename Judge>
  [[nodiscard]] Wrong follow(const Letter& letter, Judge judge, bool tells) {
    asks_sender_ = false;
    const auto ways = deliver_either_way(*world_, letter, tells, &asks_sender_);
    Wrong wrong;
    std::size_t count = 0;
    for (const std::vector<Delivery>& deliveries : ways) {
      Judged failure = judge(deliveries);
      if (!failure) continue;
      ++count;
      if (!wrong.first) wrong.first = std::move(failure);
    }
    wrong.is_either_way = count == ways.size();
    return wrong;
  }

  /// Nearly every message arrives: its way is told only when it does not.
  template <typename Judge>
  bool check(const Letter& letter, Judge judge) {
    if (!follow(letter, judge, false).first) return true;
    Wrong wrong = follow(letter, judge, true);
    fail(letter, std::move(*wrong.first), !wrong.is_either_way);
    return false;
  }

  bool check_letter(const Letter& letter, const Reader& reader, bool is_alone) {
    return check_letter(letter, std::span(&reader, 1), is_alone);
  }
  bool check_letter(const Letter& letter, std::span<const Reader> readers, bool is_alone) {
    return check(letter, [&](const std::vector<Delivery>& deliveries) {
      Judged judged = judge_letter(letter, deliveries, readers,
                                   {account(), states_->is_settled(state_), is_alone});
      if (judged && is_tag_of_source(letter.recipient)) judged->what = "tag";
      return judged;
    });
  }

  /// Has it a tag that only the source knows as one?
  [[nodiscard]] bool is_tag_of_source(const std::string& recipient) const {
    const std::string& delimiters = facts_.tag_delimiters;
    return std::any_of(delimiters.begin(), delimiters.end(), [&](char delimiter) {
      return delimiter != '+' && recipient == tagged(account(), delimiter);
    });
  }

  /// Strangers, addresses that nobody has, and a domain that lives only on the target.
  void check_others(Entry entry) {
    look(entry, "unknown");
    const bool is_right = check(letter_to(entry, colleague("no-such-address")), judge_unknown);
    if (!is_right || asks_sender_)
      check(letter_to(entry, colleague("no-such-address"), true), judge_unknown);
    for (const std::string& recipient : {std::string(kForeign), "somebody@sub." + domain_}) {
      look(entry, recipient == kForeign ? "foreign domain" : "subdomain");
      check(letter_to(entry, recipient), [&](const std::vector<Delivery>& deliveries) {
        return judge_foreign(entry, deliveries);
      });
    }
    if (!is_at_target(entry)) return;
    look(entry, "domain of the target");
    check(letter_to(entry, std::string(kTargetOnlyAddress)), judge_domain_of_target);
  }

  /// The same domain has people in every state of the move; a forward, a list, a catch-all of the
  /// source and a script send on to them.
  void check_colleagues(const Reader& own, const std::vector<Resident>& residents) {
    World crowd = *world_;
    const Reader unmoved = reads_at(not_moved_, false, "colleague, not moved");
    const Reader created =
        reads_at(colleague("a-colleague-created"), false, "colleague, created and not moved");
    const Reader moved = reads_at(colleague("a-colleague-moved"), true, "colleague, moved");
    for (const Reader& one : {unmoved, created, moved}) crowd.source.mailboxes.insert(one.address);
    if (is_created()) crowd.target.accounts.insert(created.address);
    move(crowd, moved.address);
    const World* before = world_;
    world_ = &crowd;
    is_sent_on_ = true;
    std::vector<Reader> all = {own, unmoved};
    if (is_created()) all.push_back(created);
    if (arrives_everywhere(moved)) {
      all.push_back(moved);
      for (const Entry entry : kEntries) {
        look(entry, moved.whose);
        check_letter(letter_to(entry, moved.address), moved, true);
      }
    }
    for (const Entry entry : kEntries) {
      look(entry, unmoved.whose);
      check_letter(letter_to(entry, unmoved.address), unmoved, true);
      if (!is_created()) continue;
      look(entry, created.whose);
      check_letter(letter_to(entry, created.address), created, true);
    }
    all.push_back({"somebody@outside.test", Reader::Side::outside, "foreign domain"});
    check_sent_on(crowd, all);
    check_other_names_sent_on(crowd, own, residents);
    check_catch_all(crowd, unmoved);
    std::vector<Redirect> script;
    for (const Reader& one : all) {
      if (one.address != account()) script.push_back({one.address, true});
    }
    crowd.target.redirects[account()] = script;
    crowd.source.redirects[account()] = script;
    for (const Entry entry : kClientEntries) {
      look_at_all(entry, all, "redirect");
      check_letter(letter_to(entry, account()), all, true);
    }
    world_ = before;
    is_sent_on_ = false;
  }

  void look_at_all(Entry entry, const std::vector<Reader>& readers, std::string_view by) {
    for (const Reader& one : readers) look(entry, one.whose, by);
  }

  /// A list of both servers and a forward of the source send on to everybody, also what has no
  /// sender.
  void check_sent_on(World& crowd, const std::vector<Reader>& all) {
    std::vector<std::string> addresses;
    for (const Reader& one : all) addresses.push_back(one.address);
    const std::string list = colleague("a-list-of-the-target");
    const std::string forward = colleague("a-forward-of-the-source");
    crowd.target.lists[list] = addresses;
    crowd.source.aliases[list] = addresses;
    crowd.source.aliases[forward] = addresses;
    for (const Entry entry : kClientEntries) {
      for (const auto& [by, address] :
           {std::pair<std::string_view, const std::string&>("list", list), {"forward", forward}}) {
        look_at_all(entry, all, by);
        const bool is_right = check_letter(letter_to(entry, address), all, true);
        if (entry != Entry::target_25 && entry != Entry::source_25) continue;
        look(entry, "null sender", by);
        if (!is_right || asks_sender_) check_letter(letter_to(entry, address, true), all, true);
      }
    }
  }

  /// The same to an alias, to the address in capitals and to a group, each alone: they lead to one
  /// mailbox. What only the target has the source refuses.
  void check_other_names_sent_on(World& crowd, const Reader& own,
                                 const std::vector<Resident>& residents) {
    const std::string list = colleague("a-list-of-the-target");
    const std::string forward = colleague("a-forward-of-the-source");
    const std::string scripted = not_moved_;
    const auto send_on = [&](const std::string& address, const Reader& to, bool is_known_there) {
      crowd.target.lists[list] = {address};
      crowd.source.aliases[list] = {address};
      crowd.source.aliases[forward] = {address};
      if (is_known_there) crowd.source.redirects[scripted] = {{address, false}};
      for (const Entry entry : kClientEntries) {
        if (is_known_there || is_at_target(entry)) {
          look(entry, to.whose, "list");
          check_letter(letter_to(entry, list), to, true);
        }
        if (!is_known_there) continue;
        look(entry, to.whose, "forward");
        check_letter(letter_to(entry, forward), to, true);
        look(entry, to.whose, "redirect");
        check_letter(letter_to(entry, scripted), to, true);
      }
      crowd.source.redirects.erase(scripted);
    };
    Reader named = own;
    for (const std::string& alias : states_->subject().aliases) {
      named.whose = "alias";
      send_on(alias, named, true);
    }
    named.whose = "capitals";
    send_on(upper_local(account()), named, true);
    named.whose = "sub-address";
    for (const std::string& sub_address : sub_addresses()) send_on(sub_address, named, true);
    for (const Resident& one : residents) {
      send_on(one.names.front(),
              reads_at(one.names.front(), true, one.is_group ? "group" : "account of the target"),
              false);
    }
    crowd.target.lists.erase(list);
    crowd.source.aliases.erase(list);
    crowd.source.aliases.erase(forward);
  }

  void check_catch_all(World& crowd, const Reader& own) {
    crowd.source.catch_all[domain_] = own.address;
    for (const Entry entry : kEntries) {
      if (entry == Entry::source_queue) continue;  // looked up before anything waits there
      look(entry, "catch-all");
      check_letter(letter_to(entry, colleague("no-such-address")), own, true);
    }
    crowd.source.catch_all.clear();
  }

  [[nodiscard]] bool is_created() const {
    for (std::size_t i = 0; i < states_->steps().size(); ++i) {
      if (states_->steps()[i].kind == StepKind::admin_account && states_->is_done(state_, i))
        return true;
    }
    return false;
  }

  /// As the steps of the account would have it for somebody else, when all are done.
  void move(World& world, const std::string& address) const {
    world.target.accounts.insert(address);
    for (const AccountStates::Relevant& step : states_->steps()) {
      const ir::Value& match = step.arguments["match"];
      if (step.kind == StepKind::postfix_forward) {
        world.source.transport[address] = Transport::forward;
        if (const auto to = world.source.forwards_elsewhere.find(account());
            to != world.source.forwards_elsewhere.end())
          world.source.forwards_elsewhere[address] = to->second;
      }
      if (step.kind == StepKind::source_forward && world.source.stalwart)
        world.source.stalwart->lists[std::string(step.arguments["list"].string_or(""))].insert(
            address);
      if (step.kind == StepKind::admin_keys)
        world.target.keys[std::string(step.arguments["namespace"].string_or(""))].insert(address);
      if (step.kind == StepKind::admin_upsert && match["namespace"].is_string())
        world.target.keys[std::string(match["namespace"].string_or(""))].insert(address);
    }
  }

  /// A plan that moves accounts in another way than by steps of their own is proved by its own
  /// accounts alone.
  [[nodiscard]] bool arrives_everywhere(const Reader& one) const {
    return std::all_of(kClientEntries.begin(), kClientEntries.end(), [&](Entry entry) {
      const auto deliveries = deliver(*world_, {entry, one.address}, false);
      return deliveries.size() == 1 && deliveries[0].mailbox == one.address &&
             deliveries[0].fate == Fate::target_mailbox;
    });
  }

  /// One example for each kind of failure and entry point; what a server makes or has queued goes
  /// the way of what it accepts, and lists and scripts send on what goes wrong by itself.
  bool is_the_same_again(std::string_view what, const Letter& letter) {
    const auto is_reported = [&](Entry entry) {
      return reported_.contains(fmt::format("{} {}", what, static_cast<int>(entry)));
    };
    if (is_reported(letter.entry)) return true;
    const bool is_accepted = std::find(kClientEntries.begin(), kClientEntries.end(),
                                       letter.entry) != kClientEntries.end();
    for (const Entry entry : kClientEntries) {
      const bool is_same_server = is_at_target(entry) == is_at_target(letter.entry);
      if ((is_sent_on_ || (!is_accepted && is_same_server)) && is_reported(entry)) return true;
    }
    reported_.insert(fmt::format("{} {}", what, static_cast<int>(letter.entry)));
    return false;
  }

  void fail(const Letter& letter, Failure failure, bool is_supposed = false) {
    const Delivery& delivery = failure.delivery;
    // What a route of the target's own does with its mail nobody but it can tell.
    is_supposed = is_supposed || delivery.fate == Fate::undecided ||
                  (delivery.fate == Fate::public_mx && !delivery.mailbox.empty());
    // What is only supposed does not stand for what is proved; it is said once for each condition.
    if (is_supposed) {
      const auto& asked = delivery.supposed;
      const std::string rule = asked ? fmt::format("{} {}", asked->rule, asked->origin.begin) : "";
      if (!reported_.insert(fmt::format("{}? {}", failure.what, rule)).second) return;
    } else if (is_the_same_again(failure.what, letter)) {
      return;
    }
    Counterexample& example = report(failure.what);
    example.is_supposed = is_supposed;
    example.claim = std::move(failure.claim);
    example.letter = letter;
    example.delivery = std::move(failure.delivery);
  }

  /// Said once, in the first state that has it: no state behind the step can be told either. Steps
  /// of the same shape, a row each, are counted.
  void unread(ir::StepId step, const std::string& why) {
    const Span origin = graph_.origin(step);
    const auto [known, is_new] = unread_.try_emplace(
        {static_cast<std::uint32_t>(origin.file), origin.begin, why}, found_.size());
    if (!unread_steps_.insert(step).second) return;
    if (!is_new) {
      ++found_[known->second].others;
      return;
    }
    Counterexample& example = found_.emplace_back();
    example.what =
        graph_.kind(step) == StepKind::source_settings ? "unread at the source" : "unread";
    example.account = account();
    example.phase = states_->phase(state_);
    example.claim =
        fmt::format("`{}` writes an expression that cannot be read: {}", graph_.id(step), why);
    example.origin = origin;
  }

  void unproved(std::string why) {
    state_ = 0;
    report("unproved").claim = fmt::format("the mail flow of {} is not proved: {}", account(), why);
  }

  Counterexample& report(std::string_view what) {
    Counterexample& example = found_.emplace_back();
    example.what = what;
    example.account = account();
    example.phase = states_->phase(state_);
    for (std::size_t i = 0; i < states_->steps().size(); ++i) {
      const ir::StepId step = states_->steps()[i].step;
      if (states_->is_done(state_, i)) {
        example.done.push_back(graph_.id(step));
        example.origin = graph_.origin(step);
      } else if (example.next.empty() && states_->is_ready(state_, i)) {
        example.next = graph_.id(step);
      }
    }
    return example;
  }

  const ir::StepGraph& graph_;
  const ProofLimits& limits_;
  std::set<LookedAt>* tried_ = nullptr;
  const MailFacts& facts_;
  const AccountStates* states_ = nullptr;
  std::string domain_;     // of the account
  std::string not_moved_;  // who sends from inside it
  const World* world_ = nullptr;
  Mask state_ = 0;
  bool is_sent_on_ = false;
  std::optional<SenderQuestions> sender_questions_;
  Senders senders_;           // of this world
  bool asks_sender_ = false;  // an expression, on the way of the letter that was followed last
  std::size_t work_ = 0;
  std::string last_left_out_;
  std::unordered_set<std::string> domains_left_out_;
  std::vector<std::string> with_plus_;
  std::unordered_set<std::string> looked_at_;
  std::vector<Counterexample> found_;
  std::unordered_set<std::string> reported_;
  /// Expressions that cannot be read, by where they stand and why: number of the counterexample.
  std::map<std::tuple<std::uint32_t, std::uint32_t, std::string>, std::size_t> unread_;
  std::set<ir::StepId> unread_steps_;
};

}  // namespace

Proof prove(const ir::StepGraph& graph, std::set<LookedAt>* looked_at, const ProofLimits& limits,
            const MailFacts& facts) {
  return Prover(graph, limits, looked_at, facts).run();
}

}  // namespace plan::flow
