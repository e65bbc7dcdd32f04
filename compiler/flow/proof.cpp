#include "compiler/flow/proof.h"

#include <algorithm>
#include <array>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>

#include "compiler/flow/states.h"
#include "compiler/source/text.h"

namespace plan::flow {
namespace {

using ir::StepKind;

constexpr std::size_t kStatesMax = 20'000;
constexpr std::size_t kCounterexamplesMax = 20;
constexpr std::size_t kExamplesMax = 3;
constexpr std::size_t kWorkOfWorld = 100;
constexpr std::string_view kForeign = "somebody@elsewhere.test";
constexpr std::array kClientEntries = {Entry::target_25, Entry::target_submission, Entry::source_25,
                                       Entry::source_submission};

[[nodiscard]] bool is_port_25(Entry entry) {
  return entry == Entry::target_25 || entry == Entry::source_25;
}

[[nodiscard]] std::string upper_local(std::string address) {
  for (char& c : address) {
    if (c == '@') break;
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  }
  return address;
}

[[nodiscard]] std::string tagged(const std::string& address) {
  const std::size_t at = address.rfind('@');
  return at == std::string::npos ? address : address.substr(0, at) + "+tag" + address.substr(at);
}

/// Whose mailbox a message belongs to, and on which server it is read.
struct Reader {
  std::string address = {};
  bool is_targets = false;
};

class Prover {
 public:
  Prover(const ir::StepGraph& graph, const ProofLimits& limits, std::set<LookedAt>* looked_at)
      : graph_(graph), limits_(limits), tried_(looked_at) {}

  Proof run() {
    Classes classes = account_classes(graph_, limits_);
    Proof proof;
    proof.left_out = std::move(classes.left_out);
    for (Subject& subject : classes.subjects) {
      if (work_ >= limits_.work_max) {
        leave_out(subject, proof.left_out);
        continue;
      }
      const AccountStates states(graph_, std::move(subject));
      states_ = &states;
      if (states.is_too_large()) {
        unproved("too many steps decide its mail");
      } else if (states.is_moved_at_all()) {
        walk_states();
      }
      if (found_.size() >= kCounterexamplesMax) break;
    }
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

  [[nodiscard]] const std::string& account() const { return states_->subject().account; }
  [[nodiscard]] std::string colleague(std::string_view name) const {
    return fmt::format("{}@{}", name, domain_of(account()));
  }

  void walk_states() {
    std::unordered_set<Mask> seen = {0};
    std::vector<Mask> open = {0};
    looked_at_.clear();
    while (!open.empty()) {
      const Mask state = open.back();
      open.pop_back();
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
  [[nodiscard]] bool is_new_world(Mask state) {
    const std::string key =
        fmt::format("{} {} {} {} {} {}", states_->effects(state), states_->is_targets(state),
                    states_->is_prepared(state), states_->is_cut_over(state),
                    states_->is_committed(state), states_->is_finalize_begun(state));
    return looked_at_.insert(key).second;
  }

  void check_state(Mask state) {
    if (!is_new_world(state)) return;
    work_ += kWorkOfWorld + arms();
    state_ = state;
    std::string problem;
    const auto world = states_->world(state, &problem);
    if (!world) {
      Counterexample& example = report();
      example.claim = "the route expression cannot be read: " + problem;
      return;
    }
    world_ = &*world;
    // Nobody sends to the target before it is set up: the public address is still the source's.
    const bool is_target_open = states_->is_prepared(state);
    const Reader own{account(), states_->is_targets(state)};
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
    if (is_target_open && !states_->is_finalize_begun(state)) check_colleagues(own);
  }

  /// Of all route expressions: each is gone through for every message.
  [[nodiscard]] std::size_t arms() const {
    std::size_t count = 0;
    for (const AccountStates::Relevant& step : states_->steps()) {
      for (const auto& [unused, value] : step.arguments["set"].members())
        count += value["match"].size();
    }
    return count;
  }

  void look(Entry entry, std::string_view whose) {
    if (tried_ != nullptr) tried_->insert({states_->phase(state_), entry, whose});
  }

  /// Every name of the account, in capitals, with a tag, with a sender and as a bounce.
  void check_own(Entry entry, const Reader& own) {
    const std::string_view who = states_->is_disabled() ? "disabled account" : "account";
    std::vector<std::pair<std::string, std::string_view>> recipients;
    // Aliases are expanded before anything waits at the source.
    for (const std::string& name : states_->subject().names) {
      if (name == account() || entry != Entry::source_queue)
        recipients.emplace_back(name, name == account() ? who : "alias");
    }
    recipients.emplace_back(upper_local(account()), "capitals");
    // A tag is taken off at RCPT. What the target makes itself is not asked there, and a message
    // that waits since before the account was created is older than its queue allows by then.
    const bool has_old_tag = entry == Entry::target_queue && states_->is_finalize_begun(state_);
    if (entry != Entry::target_local && !has_old_tag)
      recipients.emplace_back(tagged(account()), "sub-address");
    for (const auto& [recipient, whose] : recipients) {
      look(entry, whose);
      check_letter({entry, recipient, false}, {own}, true);
      if (entry == Entry::target_submission || entry == Entry::source_submission) continue;
      look(entry, "null sender");
      check_letter({entry, recipient, true}, {own}, true);
    }
  }

  void check_lists(Entry entry, const Reader& own) {
    if (entry == Entry::source_queue || entry == Entry::target_queue ||
        entry == Entry::target_local)
      return;  // expanded when they are accepted
    const std::vector<std::string>& aliases = states_->subject().aliases;
    for (const auto& [list, unused] : world_->source.aliases) {
      if (std::find(aliases.begin(), aliases.end(), list) != aliases.end()) continue;
      look(entry, "list");
      check_letter({entry, list}, {own}, false);
    }
    if (!is_at_target(entry)) return;
    for (const auto& [list, unused] : world_->target.lists) {
      if (world_->source.aliases.contains(list)) continue;
      look(entry, "list");
      check_letter({entry, list}, {own}, false);
    }
  }

  /// A group or a user that only the target has. The source refuses its mail, which the sender
  /// sees; what it takes must arrive.
  void check_resident(Entry entry, const Resident& resident) {
    if (entry == Entry::source_local || entry == Entry::source_queue) return;
    const Reader reader{resident.names.front(), true};
    std::vector<std::string> recipients = resident.names;
    recipients.push_back(upper_local(reader.address));
    if (entry != Entry::target_local && entry != Entry::target_queue)
      recipients.push_back(tagged(reader.address));
    for (const std::string& recipient : recipients) {
      const Letter letter{entry, recipient};
      look(entry, resident.is_group ? "group" : "account of the target");
      if (!is_at_target(entry)) {
        const std::vector<Delivery> deliveries = deliver(*world_, letter);
        if (deliveries.size() == 1 && deliveries[0].fate == Fate::refused) continue;
      }
      check_letter(letter, {reader}, true);
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
        fail("login", letter, delivery,
             fmt::format("{} was locked out at the source and sends from the target", account()));
      } else if (is_in && !own.is_targets) {
        fail("login", letter, delivery,
             fmt::format("{} sends from the target before the mailbox is copied", account()));
      } else if (!is_in && !states_->is_disabled() && states_->is_committed(state_)) {
        fail("login", letter, delivery,
             fmt::format("{} has moved and cannot send from the target", account()));
      }
    }
  }

  void check_letter(const Letter& letter, const std::vector<Reader>& readers, bool is_alone) {
    const std::vector<Delivery> deliveries = deliver(*world_, letter);
    std::vector<std::size_t> copies(readers.size());
    bool is_waiting = false;
    for (const Delivery& delivery : deliveries) {
      if (is_wrong(letter, delivery, is_alone)) return;
      const bool is_kept = delivery.fate == Fate::source_queue ||
                           delivery.fate == Fate::target_queue || delivery.fate == Fate::deferred;
      is_waiting = is_waiting || is_kept;
      for (std::size_t i = 0; i < readers.size(); ++i) {
        if (delivery.mailbox != readers[i].address) continue;
        if (is_kept) ++copies[i];
        if (delivery.fate != Fate::target_mailbox && delivery.fate != Fate::source_mailbox)
          continue;
        ++copies[i];
        if ((delivery.fate == Fate::target_mailbox) != readers[i].is_targets)
          return wrong_side(letter, delivery, readers[i]);
      }
    }
    for (std::size_t i = 0; i < readers.size(); ++i) {
      if (copies[i] == 1) continue;
      // What waits has not come to the script or list that sends it on.
      if (copies[i] == 0 && is_waiting && i > 0) continue;
      const Delivery nothing;
      const Delivery& first = deliveries.empty() ? nothing : deliveries.front();
      const std::string& reader = readers[i].address;
      if (copies[i] == 0)
        return fail("lost", letter, first,
                    fmt::format("mail for {} does not reach {}", letter.recipient, reader));
      return fail(
          "twice", letter, first,
          fmt::format("{} gets a message to {} {} times", reader, letter.recipient, copies[i]));
    }
  }

  /// An end that is wrong whoever reads.
  bool is_wrong(const Letter& letter, const Delivery& delivery, bool is_alone) {
    switch (delivery.fate) {
      case Fate::loop:
        fail("loop", letter, delivery,
             fmt::format("mail for {} goes round between the two servers until it bounces",
                         letter.recipient));
        return true;
      case Fate::public_mx:
        fail("public", letter, delivery,
             fmt::format("mail for {} is sent to the public MX", letter.recipient));
        return true;
      case Fate::undecided:
        fail("undecided", letter, delivery,
             "the route of a message cannot be told: the expression asks what the plan does not "
             "say");
        return true;
      case Fate::refused:
      case Fate::bounced:
      case Fate::discarded:
        if (!is_alone) return false;
        fail("lost", letter, delivery,
             fmt::format("mail for {} is {}", letter.recipient, to_string(delivery.fate)));
        return true;
      default:
        return false;
    }
  }

  void wrong_side(const Letter& letter, const Delivery& delivery, const Reader& reader) {
    const bool is_own = reader.address == account();
    if (delivery.fate == Fate::target_mailbox) {
      if (is_own)
        return fail("premature", letter, delivery,
                    fmt::format("mail for {} reaches the target before its mailbox is copied",
                                reader.address));
      return fail("premature", letter, delivery,
                  fmt::format("mail for an account that has not moved ({}) reaches the target",
                              reader.address));
    }
    if (is_own)
      return fail("stale", letter, delivery,
                  fmt::format("mail for {} reaches the old mailbox after the last copy of it was "
                              "made",
                              reader.address));
    fail("stale", letter, delivery,
         fmt::format("mail for an account that has moved ({}) reaches its old mailbox",
                     reader.address));
  }

  /// Strangers, addresses that nobody has, and a domain that lives only on the target.
  void check_others(Entry entry) {
    for (const bool has_null_sender : {false, true}) {
      const Letter unknown{entry, "no-such-address@" + domain_of(account()), has_null_sender};
      look(entry, "unknown");
      for (const Delivery& delivery : deliver(*world_, unknown)) {
        if (delivery.fate == Fate::loop)
          fail("loop", unknown, delivery,
               "mail for an address that nobody has goes round between the two servers");
      }
    }
    if (entry == Entry::source_queue || entry == Entry::target_queue) return;
    for (const std::string& recipient :
         {std::string(kForeign), "somebody@sub." + domain_of(account())}) {
      const Letter foreign{entry, recipient};
      look(entry, recipient == kForeign ? "foreign domain" : "subdomain");
      for (const Delivery& delivery : deliver(*world_, foreign)) {
        if (is_port_25(entry) && delivery.fate != Fate::refused) {
          fail("relay", foreign, delivery,
               fmt::format("the {} relays mail of strangers",
                           is_at_target(entry) ? "target" : "source"));
        } else if (!is_port_25(entry) && delivery.fate != Fate::outside) {
          fail("foreign", foreign, delivery,
               fmt::format("mail to another domain ends as: {}", to_string(delivery.fate)));
        }
      }
    }
    if (!is_at_target(entry)) return;
    const Letter own{entry, std::string(kTargetOnlyAddress)};
    for (const Delivery& delivery : deliver(*world_, own)) {
      if (delivery.fate != Fate::target_mailbox)
        fail("own", own, delivery,
             "mail for a domain that lives only on the target is sent away from it");
    }
  }

  /// The same domain has people in every state of the move; a forward, a list, a catch-all of the
  /// source and a script send on to them.
  void check_colleagues(const Reader& own) {
    World crowd = *world_;
    const Reader unmoved{colleague("a-colleague-not-moved"), false};
    const Reader created{colleague("a-colleague-created"), false};
    const Reader moved{colleague("a-colleague-moved"), true};
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
      for (const Entry entry : kClientEntries) look(entry, "colleague, moved");
    }
    for (const Entry entry : kClientEntries) {
      look(entry, "colleague, not moved");
      check_letter({entry, unmoved.address}, {unmoved}, true);
      if (!is_created()) continue;
      look(entry, "colleague, created and not moved");
      check_letter({entry, created.address}, {created}, true);
    }
    std::vector<std::string> addresses;
    for (const Reader& one : all) addresses.push_back(one.address);
    addresses.emplace_back("somebody@outside.test");
    const std::string list = colleague("a-list-of-the-target");
    const std::string forward = colleague("a-forward-of-the-source");
    crowd.target.lists[list] = addresses;
    crowd.source.aliases[list] = addresses;
    crowd.source.aliases[forward] = addresses;
    for (const Entry entry : kClientEntries) {
      look(entry, "list to everybody");
      check_letter({entry, list}, all, true);
      look(entry, "forward to everybody");
      check_letter({entry, forward}, all, true);
    }
    check_catch_all(crowd, unmoved);
    std::vector<Redirect> script;
    for (const std::string& address : addresses) {
      if (address != account()) script.push_back({address, true});
    }
    crowd.target.redirects[account()] = script;
    crowd.source.redirects[account()] = script;
    for (const Entry entry : kClientEntries) {
      look(entry, "redirect to everybody");
      check_letter({entry, account()}, all, true);
    }
    world_ = before;
    is_sent_on_ = false;
  }

  void check_catch_all(World& crowd, const Reader& reader) {
    crowd.source.catch_all[domain_of(account())] = reader.address;
    for (const Entry entry : kClientEntries) {
      look(entry, "catch-all");
      check_letter({entry, colleague("no-such-address")}, {reader}, true);
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
      if (step.kind == StepKind::postfix_forward)
        world.source.transport[address] = Transport::forward;
      if (step.kind == StepKind::admin_keys)
        world.target.keys[std::string(step.arguments["namespace"].string_or(""))].insert(address);
      if (step.kind == StepKind::admin_upsert && match["namespace"].is_string())
        world.target.keys[std::string(match["namespace"].string_or(""))].insert(address);
    }
  }

  /// A plan that moves accounts in another way than by steps of their own is proved by its own
  /// accounts alone.
  [[nodiscard]] bool arrives_everywhere(const Reader& reader) const {
    return std::all_of(kClientEntries.begin(), kClientEntries.end(), [&](Entry entry) {
      const auto deliveries = deliver(*world_, {entry, reader.address});
      return deliveries.size() == 1 && deliveries[0].mailbox == reader.address &&
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

  void fail(std::string_view what, const Letter& letter, const Delivery& delivery,
            std::string claim) {
    if (is_the_same_again(what, letter)) return;
    Counterexample& example = report();
    example.claim = std::move(claim);
    example.letter = letter;
    example.delivery = delivery;
  }

  void unproved(std::string why) {
    state_ = 0;
    Counterexample& example = report();
    example.claim = fmt::format("the mail flow of {} is not proved: {}", account(), why);
  }

  Counterexample& report() {
    Counterexample& example = found_.emplace_back();
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
  const AccountStates* states_ = nullptr;
  const World* world_ = nullptr;
  Mask state_ = 0;
  bool is_sent_on_ = false;
  std::size_t work_ = 0;
  std::string last_left_out_;
  std::unordered_set<std::string> domains_left_out_;
  std::unordered_set<std::string> looked_at_;
  std::vector<Counterexample> found_;
  std::unordered_set<std::string> reported_;
};

}  // namespace

Proof prove(const ir::StepGraph& graph, std::set<LookedAt>* looked_at, const ProofLimits& limits) {
  return Prover(graph, limits, looked_at).run();
}

namespace {

void report_left_out(const LeftOut& left_out, Span place, Sink& sink) {
  if (left_out.accounts == 0) return;
  sink.report(Kind::mail_flow_unproved, place,
              fmt::format("the mail flow of {} account{} in {} domain{} is not proved",
                          show_count(left_out.accounts), left_out.accounts == 1 ? "" : "s",
                          show_count(left_out.domains), left_out.domains == 1 ? "" : "s"))
      .argument("accounts", std::to_string(left_out.accounts))
      .argument("domains", std::to_string(left_out.domains))
      .label(fmt::format("among them {}", fmt::join(left_out.examples, ", ")))
      .help(
          "they differ in too many ways: treat domains and accounts alike, or move them by "
          "several plans");
}

}  // namespace

void report_mail_flow(const ir::StepGraph& graph, Span fallback, Sink& sink,
                      const ProofLimits& limits) {
  const Proof proof = prove(graph, nullptr, limits);
  report_left_out(proof.left_out, fallback, sink);
  for (const Counterexample& example : proof.found) {
    auto report = sink.report(Kind::mail_flow,
                              example.origin.is_known() ? example.origin : fallback, example.claim);
    report.argument("account", example.account).argument("phase", example.phase);
    if (!example.done.empty()) {
      std::string label = fmt::format("when `{}` is done", example.done.back());
      if (!example.next.empty()) label += fmt::format(" and `{}` is not", example.next);
      report.label(std::move(label));
    }
    if (example.letter.recipient.empty()) continue;
    report.argument("recipient", example.letter.recipient);
    report.argument("entry", std::string(to_string(example.letter.entry)));
    report.note({}, fmt::format("in the phase `{}` a message to {} comes in at {}{}", example.phase,
                                example.letter.recipient, to_string(example.letter.entry),
                                example.letter.has_null_sender ? ", without a sender" : ""));
    for (const Hop& hop : example.delivery.hops) report.note(hop.origin, "then " + to_text(hop));
  }
}

std::string to_text(const Counterexample& counterexample) {
  std::string text = counterexample.claim;
  if (!counterexample.letter.recipient.empty()) {
    text += fmt::format("\n  {}: a message to {} at {}", counterexample.phase,
                        counterexample.letter.recipient, to_string(counterexample.letter.entry));
    if (counterexample.letter.has_null_sender) text += ", without a sender";
  }
  for (const Hop& hop : counterexample.delivery.hops) text += "\n  -> " + to_text(hop);
  if (!counterexample.done.empty())
    text += fmt::format("\n  when {} is done", counterexample.done.back());
  if (!counterexample.next.empty()) text += fmt::format(" and {} is not", counterexample.next);
  return text;
}

}  // namespace plan::flow
