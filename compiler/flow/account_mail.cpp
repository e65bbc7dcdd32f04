#include "compiler/flow/account_mail.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "compiler/flow/mail_address.h"

namespace plan::flow {

namespace {

class AccountMail {
 public:
  AccountMail(Trial& trial, const ToldApart& told_apart, const Reader& own)
      : trial_(trial),
        senders_(told_apart.senders),
        spellings_(told_apart.spellings.tried),
        for_one_(told_apart.for_one),
        own_(own) {}

  /// Every name of the account, in capitals, with a tag, with a sender and as a bounce. Where no
  /// expression on its way asks who sends, what has no sender goes the way of what has one; a
  /// server does something else with it only when it comes to a bounce, which is wrong already.
  void check_own(Entry entry) {
    for (const auto& [recipient, whose] : own_recipients(entry)) {
      trial_.look(entry, whose);
      const bool is_right = trial_.check_letter(trial_.letter_to(entry, recipient), own_, true);
      const bool asks_sender = trial_.asks_sender();
      if (is_right && asks_sender && (is_name(recipient) || is_spelling(recipient)))
        check_named_senders(entry, recipient, true);
      if (entry == Entry::target_submission || entry == Entry::source_submission) continue;
      trial_.look(entry, "null sender");
      if (!is_right || asks_sender)
        trial_.check_letter(trial_.letter_to(entry, recipient, true), own_, true);
    }
  }

  void check_lists(Entry entry) {
    if (entry == Entry::source_queue || entry == Entry::target_queue ||
        entry == Entry::target_local)
      return;  // expanded when they are accepted
    const World& world = trial_.world();
    for (const auto& [list, unused] : world.source.aliases) {
      if (is_name(list)) continue;
      check_list(entry, list);
    }
    if (!is_at_target(entry)) return;
    for (const auto& [list, unused] : world.target.lists) {
      if (!world.source.aliases.contains(list)) check_list(entry, list);
    }
  }

  /// Strangers, addresses that nobody has, and a domain that lives only on the target.
  void check_others(Entry entry) {
    const std::string nobody = trial_.colleague("no-such-address");
    trial_.look(entry, "unknown");
    const bool is_right = trial_.check(trial_.letter_to(entry, nobody), judge_unknown);
    if (!is_right || trial_.asks_sender())
      trial_.check(trial_.letter_to(entry, nobody, true), judge_unknown);
    for (const std::string& recipient :
         {std::string(kForeign), "somebody@sub." + trial_.domain()}) {
      trial_.look(entry, recipient == kForeign ? "foreign domain" : "subdomain");
      trial_.check(trial_.letter_to(entry, recipient),
                   [&](const std::vector<Delivery>& deliveries) {
                     return judge_foreign(entry, deliveries);
                   });
      if (entry == Entry::target_25) check_relayed_senders(entry, recipient);
    }
    if (!is_at_target(entry)) return;
    trial_.look(entry, "domain of the target");
    trial_.check(trial_.letter_to(entry, std::string(kTargetOnlyAddress)), judge_domain_of_target);
  }

  /// What a user of the target writes while it is prepared: to the account, whose public MX is
  /// still the source's, to others of the target and elsewhere.
  void check_from_target(Entry entry, const std::string& user) {
    if (entry == Entry::target_25) return;  // nobody brings mail for the account there
    const auto letter_to = [&](const std::string& recipient) {
      Letter letter = trial_.letter_to(entry, recipient);
      letter.sender = user;
      return letter;
    };
    for (const std::string& name : names()) {
      if (own_.side != Reader::Side::source) break;
      trial_.look(entry, name == trial_.account() ? own_.whose : "alias");
      const Letter letter = letter_to(name);
      trial_.check(letter, [&](std::vector<Delivery> deliveries) {
        for (Delivery& one : deliveries) {
          if (one.fate != Fate::outside || one.mailbox != name) continue;
          one.fate = Fate::source_mailbox;
          one.mailbox = own_.address;
        }
        Judged judged = trial_.judged_letter(letter, deliveries, std::span(&own_, 1), true);
        if (judged && judged->what == "lost") {
          judged->what = "unready";
          judged->claim +=
              fmt::format(" while the target is prepared, where users like {} send already", user);
        }
        return judged;
      });
    }
    trial_.look(entry, "foreign domain");
    trial_.check(letter_to(std::string(kForeign)), [&](const std::vector<Delivery>& deliveries) {
      return judge_foreign(entry, deliveries);
    });
    trial_.look(entry, "domain of the target");
    trial_.check(letter_to(std::string(kTargetOnlyAddress)), judge_domain_of_target);
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
      recipients.push_back(with_tag(own.address));
    for (const std::string& recipient : recipients) {
      const Letter letter = trial_.letter_to(entry, recipient);
      trial_.look(entry, own.whose);
      if (!is_at_target(entry)) {
        const std::vector<Delivery> deliveries = deliver(trial_.world(), letter, false);
        if (deliveries.size() == 1 && deliveries[0].fate == Fate::refused) continue;
      }
      trial_.check_letter(letter, own, true);
    }
  }

  /// Who logs in on the target to send: nobody before he reads there, nobody who was locked out at
  /// the source, everybody else when his move is over.
  void check_login() {
    const AccountStates& states = trial_.states();
    const auto& steps = states.steps();
    const bool is_made = std::any_of(steps.begin(), steps.end(), [](const auto& step) {
      return step.kind == ir::StepKind::admin_account;
    });
    if (!is_made) return;
    const std::string& account = trial_.account();
    Letter letter{Entry::target_submission, std::string(kForeign)};
    letter.login = account;
    trial_.look(letter.entry, "login");
    for (const Delivery& delivery : deliver(trial_.world(), letter)) {
      const bool is_in = delivery.fate != Fate::refused;
      if (is_in && states.is_disabled()) {
        trial_.fail(
            letter,
            {"login", delivery,
             fmt::format("{} was locked out at the source and sends from the target", account)});
      } else if (is_in && own_.side == Reader::Side::source) {
        trial_.fail(letter, {"login", delivery,
                             fmt::format("{} sends from the target before the mailbox is copied",
                                         account)});
      } else if (!is_in && !states.is_disabled() && states.is_committed(trial_.moment().state)) {
        trial_.fail(letter, {"login", delivery,
                             fmt::format("{} has moved and cannot send from the target", account)});
      }
    }
  }

 private:
  using Recipients = std::vector<std::pair<std::string, std::string_view>>;

  /// Each with what it is called in what was looked at.
  [[nodiscard]] Recipients own_recipients(Entry entry) const {
    Recipients recipients;
    const std::string& account = trial_.account();
    const World& world = trial_.world();
    // Aliases are expanded before anything waits at the source, but for an old Stalwart.
    const bool waits_by_alias = entry != Entry::source_queue || world.source.stalwart.has_value();
    for (const std::string& name : names()) {
      if (name == account || waits_by_alias)
        recipients.emplace_back(name, name == account ? own_.whose : "alias");
    }
    recipients.emplace_back(upper_local(account), "capitals");
    // A tag is taken off at RCPT. What the target makes itself is not asked there, and a message
    // that waits since before the account was created is older than its queue allows by then.
    const bool has_old_tag =
        entry == Entry::target_queue && trial_.states().is_finalize_begun(trial_.moment().state);
    if (entry != Entry::target_local && !has_old_tag) {
      for (std::string& sub_address : trial_.sub_addresses())
        recipients.emplace_back(std::move(sub_address), "sub-address");
    }
    for (const Spelling& one : spellings_) {
      if (one.name != account && !waits_by_alias) continue;
      if (one.has_tag && (entry == Entry::target_local || has_old_tag || !takes_tags())) continue;
      const auto is_same = [&](const auto& other) { return other.first == one.address; };
      if (std::none_of(recipients.begin(), recipients.end(), is_same))
        recipients.emplace_back(one.address, one.has_tag ? "sub-address" : "capitals");
    }
    // Names that a step gives it on the target: the source refuses their mail, which is seen.
    if (is_at_target(entry)) {
      for (const auto& [alias, of] : world.target.aliases) {
        if (of == account && !is_name(alias)) recipients.emplace_back(alias, "new alias");
      }
    }
    return recipients;
  }

  [[nodiscard]] bool takes_tags() const {
    return trial_.world().source.tag_delimiters.find('+') != std::string::npos;
  }
  [[nodiscard]] bool is_spelling(const std::string& address) const {
    return std::any_of(spellings_.begin(), spellings_.end(),
                       [&](const Spelling& one) { return one.address == address; });
  }

  void check_list(Entry entry, const std::string& list) {
    trial_.look(entry, "list");
    const Letter letter = trial_.letter_to(entry, list);
    const std::optional<std::string> left_out = left_out_of(list);
    const bool is_own = left_out && is_name(*left_out);
    const auto judge = [&](const std::vector<Delivery>& deliveries) {
      Judged judged = trial_.judged_letter(letter, deliveries, std::span(&own_, 1), false);
      const bool is_left_out = left_out && is_own == judged.has_value();
      if (is_left_out && !is_own) {
        const std::array<Reader, 2> both = {own_, stays_on_list(*left_out)};
        judged = trial_.judged_letter(letter, deliveries, both, false);
      }
      if (is_left_out && judged && judged->what == "lost") judged->what = "member";
      if (judged && judged->what == "twice" && is_named_twice(list)) judged->what = "named twice";
      return judged;
    };
    if (trial_.check(letter, judge) && trial_.asks_sender())
      check_named_senders(entry, list, false);
  }

  /// Who is on a list at the source and not on the one of that address that the target has: the
  /// account itself, or the first whom no move of his own asks for.
  [[nodiscard]] std::optional<std::string> left_out_of(const std::string& list) const {
    const World& world = trial_.world();
    const auto at_source = world.source.aliases.find(list);
    const auto at_target = world.target.lists.find(list);
    if (at_source == world.source.aliases.end() || at_target == world.target.lists.end())
      return std::nullopt;
    const std::unordered_set<std::string_view> kept(at_target->second.begin(),
                                                    at_target->second.end());
    const bool is_own_kept =
        std::any_of(names().begin(), names().end(),
                    [&](const std::string& name) { return kept.contains(name); });
    std::optional<std::string> other;
    for (const std::string& member : at_source->second) {
      if (kept.contains(member)) continue;
      if (is_name(member)) {
        if (!is_own_kept) return member;
      } else if (!other && trial_.states().is_nobodys(member)) {
        other = member;
      }
    }
    return other;
  }

  /// Has the target's list the account by two of its names?
  [[nodiscard]] bool is_named_twice(const std::string& list) const {
    const World& world = trial_.world();
    const auto at_target = world.target.lists.find(list);
    return at_target != world.target.lists.end() &&
           std::count_if(at_target->second.begin(), at_target->second.end(),
                         [&](const std::string& member) { return is_name(member); }) > 1;
  }

  [[nodiscard]] Reader stays_on_list(const std::string& member) const {
    if (domain_of(member) == trial_.domain()) return reads_at(member, false, "list");
    return {member, Reader::Side::outside, "list"};
  }

  /// The same from each sender that a route tells apart. The route is asked for the recipient as he
  /// is written or, behind an alias and a list, for the account.
  void check_named_senders(Entry entry, const std::string& recipient, bool is_alone) {
    if (!check_from_each(senders_, nobody_, entry, recipient, is_alone)) return;
    const auto check_for = [&](const std::string& name) {
      ForOne& one = of_one(name);
      return check_from_each(one.senders, one.nobody, entry, recipient, is_alone);
    };
    const bool is_list = !is_name(recipient) && !is_spelling(recipient);
    if (!is_list && recipient != trial_.account() && !check_for(recipient)) return;
    (void)check_for(trial_.account());
  }

  /// Of a condition for which nobody was found.
  struct Nobody {
    std::optional<World> world = {};  ///< in which somebody gives its answer
    bool is_made = false;
    bool is_told = false;
  };

  bool check_from_each(const Senders& senders, std::vector<Nobody>& nobody, Entry entry,
                       const std::string& recipient, bool is_alone) {
    check_nobody(senders, nobody, entry, recipient, is_alone);
    for (const std::string& sender : senders.named) {
      // Somebody of the domain itself is tried as who submits.
      if (sender == "somebody@" + trial_.domain()) continue;
      Letter letter = trial_.letter_to(entry, recipient);
      letter.sender = sender;
      if (!trial_.check_letter(letter, own_, is_alone)) return false;
    }
    return true;
  }

  /// Answers for which no sender was found matter where they lead the message astray.
  void check_nobody(const Senders& senders, std::vector<Nobody>& nobody, Entry entry,
                    const std::string& recipient, bool is_alone) {
    nobody.resize(senders.without.size());
    for (std::size_t i = 0; i < nobody.size(); ++i) {
      Nobody& one = nobody[i];
      if (one.is_told) continue;
      if (!one.is_made) one.world = world_taking(trial_.world(), senders.without[i]);
      one.is_made = true;
      one.is_told =
          !one.world ||
          !trial_.is_right_in(*one.world, trial_.letter_to(entry, recipient), own_, is_alone);
      if (one.is_told) trial_.add_nobody_for({senders.without[i]});
    }
  }

  /// A relay rule may ask who sends, and anybody can write as such a sender.
  void check_relayed_senders(Entry entry, const std::string& recipient) {
    if (trial_.world().target.relay_rule == nullptr) return;
    Senders senders = for_one_.relayed_to(trial_.world(), recipient);
    trial_.add_nobody_for(senders.without);
    senders.named.push_back(trial_.not_moved());
    for (const std::string& sender : senders.named) {
      Letter letter = trial_.letter_to(entry, recipient);
      letter.sender = sender;
      const bool is_right = trial_.check(letter, [&](const std::vector<Delivery>& deliveries) {
        return judge_foreign(entry, deliveries);
      });
      if (!is_right) return;
    }
  }

  /// Senders whom a route tells apart by the recipient.
  struct ForOne {
    Senders senders = {};
    std::vector<Nobody> nobody = {};
  };
  ForOne& of_one(const std::string& recipient) {
    const auto [known, is_new] = of_one_.try_emplace(recipient);
    if (is_new) known->second.senders = for_one_.with(trial_.world(), recipient);
    return known->second;
  }

  [[nodiscard]] const std::vector<std::string>& names() const {
    return trial_.states().subject().names;
  }
  [[nodiscard]] bool is_name(const std::string& address) const {
    return std::find(names().begin(), names().end(), address) != names().end();
  }

  Trial& trial_;
  const Senders& senders_;
  const std::vector<Spelling>& spellings_;
  SenderQuestions& for_one_;
  const Reader& own_;
  std::vector<Nobody> nobody_;
  std::map<std::string, ForOne> of_one_;
};

}  // namespace

void try_account_mail(Trial& trial, const ToldApart& told_apart, const Reader& own,
                      const std::vector<Resident>& residents) {
  // Nobody else sends to the target before it is set up: the public address is still the source's.
  const bool is_target_open = trial.states().is_prepared(trial.moment().state);
  trial.add_untried(told_apart.spellings.untried);
  AccountMail mail(trial, told_apart, own);
  for (const Entry entry : kEntries) {
    if (!is_target_open && is_at_target(entry)) {
      const std::string& user = told_apart.user_of_target;
      if (!user.empty()) mail.check_from_target(entry, user);
      continue;
    }
    mail.check_own(entry);
    mail.check_lists(entry);
    mail.check_others(entry);
    if (!is_target_open) continue;
    for (const Resident& one : residents) mail.check_resident(entry, one);
  }
  if (is_target_open) mail.check_login();
  try_outsiders(trial, told_apart.outsiders, is_target_open);
}

}  // namespace plan::flow
