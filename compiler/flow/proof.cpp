#include "compiler/flow/proof.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>

#include "compiler/schema/mta_container.h"
#include "compiler/source/text.h"

namespace plan::flow {
namespace {

using ir::StepId;
using ir::StepKind;
using Mask = std::uint64_t;

constexpr std::size_t kStatesMax = 20'000;
constexpr std::size_t kClassesMax = 64;   // accounts looked at
constexpr std::size_t kRelevantMax = 60;  // steps that decide deliveries, for one account
constexpr std::size_t kListsMax = 4;      // lists looked at for one account
constexpr std::size_t kAliasesMax = 3;    // aliases looked at for one account
constexpr std::size_t kCounterexamplesMax = 20;
constexpr std::string_view kOwnDomain = "only-on-the-target.test";
constexpr std::string_view kForeign = "somebody@elsewhere.test";

[[nodiscard]] std::string domain_of(std::string_view address) {
  const std::size_t at = address.rfind('@');
  return at == std::string_view::npos ? std::string() : lower_ascii(address.substr(at + 1));
}

[[nodiscard]] bool is_object(const ir::Value& arguments, std::string_view name) {
  std::string_view object = arguments["object"].string_or("");
  if (object.starts_with("x:")) object.remove_prefix(2);
  return object == name;
}

/// Does this kind of step decide where mail of one account goes, or when its data is on the target?
[[nodiscard]] bool is_account_kind(StepKind kind) {
  switch (kind) {
    case StepKind::admin_account:
    case StepKind::admin_keys:
    case StepKind::archive_copy:
    case StepKind::archive_delta:
    case StepKind::postfix_hold:
    case StepKind::postfix_forward:
      return true;
    default:
      return false;
  }
}

[[nodiscard]] bool is_admin_kind(StepKind kind) {
  switch (kind) {
    case StepKind::admin_upsert:
    case StepKind::admin_update:
    case StepKind::admin_destroy:
    case StepKind::admin_action:
    case StepKind::admin_list:
      return true;
    default:
      return false;
  }
}

/// One account and the steps that decide its mail.
struct Subject {
  ir::RowId row = ir::RowId::none;
  std::string account = {};
  std::vector<std::string> aliases = {};
  std::vector<std::string> names = {};  // account and aliases
};

struct Relevant {
  StepId step = {};
  StepKind kind = {};
  ir::Stage stage = {};
  ir::Value arguments = {};
  Mask before = 0;  // relevant steps that are done when this one runs
};

class Prover {
 public:
  explicit Prover(const ir::StepGraph& graph) : graph_(graph) {}

  std::vector<Counterexample> run() {
    collect_global();
    for (const Subject& subject : subjects()) prove_account(subject);
    return std::move(found_);
  }

 private:
  /// Steps that are not of one account: domains, routes, strategy, reloads, lists, and the keys
  /// that go at the end.
  void collect_global() {
    for (const StepId step : graph_.order()) {
      if (is_admin_kind(graph_.kind(step))) admin_.push_back(step);
    }
  }

  std::vector<Subject> subjects() {
    struct RowFacts {
      std::size_t signature = 0;
      StepId any = {};
      bool is_account = false;
    };
    std::vector<RowFacts> rows(graph_.row_count() + 1);
    for (const StepId step : graph_.order()) {
      if (!is_account_kind(graph_.kind(step))) continue;
      const auto row = static_cast<std::size_t>(graph_.row(step));
      if (row == 0 || row >= rows.size()) continue;
      RowFacts& facts = rows[row];
      // The address of a shape names it: rows stamped out of the same shapes behave alike.
      const auto shape = reinterpret_cast<std::uintptr_t>(&graph_.shape(step));  // NOLINT
      facts.signature = facts.signature * 1'000'003U + std::hash<std::uintptr_t>{}(shape);
      if (!facts.is_account || graph_.kind(step) == StepKind::admin_account) facts.any = step;
      facts.is_account = true;
    }
    std::unordered_set<std::string> list_members;
    std::size_t lists = 0;
    for (const StepId step : admin_) {
      if (graph_.kind(step) != StepKind::admin_list || ++lists > kListsMax) continue;
      const ir::Value arguments = graph_.arguments(step);
      for (const ir::Value& member : arguments["members"].items()) {
        if (list_members.size() < 4) list_members.insert(lower_ascii(member.string_or("")));
      }
    }
    std::vector<Subject> subjects;
    std::unordered_set<std::string> classes;
    for (std::size_t row = 1; row < rows.size() && subjects.size() < kClassesMax; ++row) {
      const RowFacts& facts = rows[row];
      if (!facts.is_account) continue;
      const ir::Value arguments = graph_.arguments(facts.any);
      Subject subject;
      subject.row = static_cast<ir::RowId>(row);
      subject.account = lower_ascii(arguments["account"].string_or(graph_.row_name(subject.row)));
      const std::string label =
          fmt::format("{} {} {} {}", facts.signature, arguments["aliases"].size() > 0,
                      list_members.contains(subject.account), domain_of(subject.account));
      if (!classes.insert(label).second) continue;
      for (const ir::Value& alias : arguments["aliases"].items()) {
        if (subject.aliases.size() < kAliasesMax)
          subject.aliases.push_back(lower_ascii(alias.string_or("")));
      }
      subject.names = subject.aliases;
      subject.names.insert(subject.names.begin(), subject.account);
      subjects.push_back(std::move(subject));
    }
    return subjects;
  }

  [[nodiscard]] bool concerns(const ir::Value& arguments, StepKind kind, const Subject& subject,
                              std::size_t& lists) {
    if (kind == StepKind::admin_action) {
      const std::string_view action = arguments["action"].string_or("");
      return action == "ReloadSettings" || action == "ReloadLookupStores";
    }
    if (kind == StepKind::admin_list) {
      if (lists >= kListsMax) return false;
      for (const ir::Value& member : arguments["members"].items()) {
        if (equals_ignoring_case(member.string_or(""), subject.account)) {
          ++lists;
          return true;
        }
      }
      return false;
    }
    if (is_object(arguments, "Domain"))
      return equals_ignoring_case(arguments["match"]["name"].string_or(""),
                                  domain_of(subject.account));
    if (is_object(arguments, "MemoryLookupKey")) {
      const std::string key = lower_ascii(arguments["match"]["key"].string_or(""));
      return std::find(subject.names.begin(), subject.names.end(), key) != subject.names.end();
    }
    if (is_object(arguments, "MtaStageRcpt"))
      return arguments["set"].members().contains("allowRelaying");
    if (is_object(arguments, "MtaOutboundStrategy"))
      return arguments["set"].members().contains("route");
    return is_object(arguments, "MtaRoute");
  }

  void prove_account(const Subject& subject) {
    relevant_.clear();
    std::unordered_map<std::size_t, std::size_t> bit_of;
    std::size_t lists = 0;
    const auto take = [&](StepId step, ir::Value arguments) {
      if (relevant_.size() >= kRelevantMax) return;
      bit_of.emplace(ir::index(step), relevant_.size());
      relevant_.push_back({step, graph_.kind(step), graph_.stage(step), std::move(arguments), 0});
    };
    // Reading arguments costs; of a hundred thousand alike steps (keys at the end) only those named
    // like this account are read.
    std::size_t read = 0;
    for (const StepId step : graph_.order()) {
      const StepKind kind = graph_.kind(step);
      if (graph_.row(step) == subject.row && is_account_kind(kind)) {
        take(step, graph_.arguments(step));
        continue;
      }
      if (!is_admin_kind(kind)) continue;
      if (kind == StepKind::admin_destroy && graph_.row(step) != ir::RowId::none) {
        const std::string_view name = graph_.row_name(graph_.row(step));
        const bool is_own =
            std::find(subject.names.begin(), subject.names.end(), name) != subject.names.end();
        if (!is_own && ++read > 100) continue;
      }
      ir::Value arguments = graph_.arguments(step);
      if (concerns(arguments, kind, subject, lists)) take(step, std::move(arguments));
    }
    if (relevant_.size() >= kRelevantMax) {
      return unproved(subject, fmt::format("more than {} steps decide its mail", kRelevantMax - 1));
    }
    order_relevant(bit_of);
    last_copy_ = -1;
    for (std::size_t i = 0; i < relevant_.size(); ++i) {
      if (relevant_[i].kind == StepKind::archive_copy ||
          relevant_[i].kind == StepKind::archive_delta)
        last_copy_ = static_cast<int>(i);
    }
    if (last_copy_ < 0) return;  // nothing of this account is moved
    walk_states(subject);
  }

  /// Fills `before` of each relevant step: one pass over the graph in its order, masks flow along
  /// the edges.
  void order_relevant(const std::unordered_map<std::size_t, std::size_t>& bit_of) {
    std::vector<Mask> reached(graph_.size(), 0);
    for (const StepId step : graph_.order()) {
      Mask mask = 0;
      for (const StepId before : graph_.after(step)) {
        mask |= reached[ir::index(before)];
        if (const auto bit = bit_of.find(ir::index(before)); bit != bit_of.end())
          mask |= Mask{1} << bit->second;
      }
      reached[ir::index(step)] = mask;
      if (const auto bit = bit_of.find(ir::index(step)); bit != bit_of.end())
        relevant_[bit->second].before = mask;
    }
  }

  void walk_states(const Subject& subject) {
    std::unordered_set<Mask> seen = {0};
    std::vector<Mask> open = {0};
    while (!open.empty()) {
      const Mask state = open.back();
      open.pop_back();
      if (seen.size() > kStatesMax)
        return unproved(subject, fmt::format("its steps can be in more than {} states",
                                             show_count(kStatesMax)));
      check_state(subject, state);
      if (found_.size() >= kCounterexamplesMax) return;
      for (std::size_t i = 0; i < relevant_.size(); ++i) {
        const Mask bit = Mask{1} << i;
        if ((state & bit) != 0 || (relevant_[i].before & ~state) != 0) continue;
        if (seen.insert(state | bit).second) open.push_back(state | bit);
      }
    }
  }

  [[nodiscard]] bool is_done(Mask state, std::size_t i) const { return (state >> i & 1U) != 0; }

  /// A written setting is used only after a reload that came after it.
  [[nodiscard]] bool is_loaded(Mask state, std::size_t i, std::string_view action) const {
    for (std::size_t k = 0; k < relevant_.size(); ++k) {
      if (!is_done(state, k) || relevant_[k].kind != StepKind::admin_action) continue;
      if (relevant_[k].arguments["action"].string_or("") != action) continue;
      if ((relevant_[k].before >> i & 1U) != 0) return true;
    }
    return false;
  }

  [[nodiscard]] std::optional<World> world_of(const Subject& subject, Mask state,
                                              std::string* problem) const {
    World world;
    Target& target = world.target;
    Source& source = world.source;
    target.domains[std::string(kOwnDomain)] = {};
    target.accounts.insert("somebody@" + std::string(kOwnDomain));
    source.mailboxes.insert(subject.account);
    for (const std::string& alias : subject.aliases) source.aliases[alias] = {subject.account};
    for (std::size_t i = 0; i < relevant_.size(); ++i) {
      const Relevant& step = relevant_[i];
      const ir::Value& set = step.arguments["set"];
      if (step.kind == StepKind::admin_list) {
        // The source has every list of the plan, from the start.
        std::vector<std::string> members;
        for (const ir::Value& member : step.arguments["members"].items()) {
          members.push_back(lower_ascii(member.string_or("")));
          if (domain_of(members.back()) == domain_of(subject.account))
            source.mailboxes.insert(members.back());
        }
        const std::string address = lower_ascii(step.arguments["address"].string_or(""));
        source.aliases[address] = members;
        if (is_done(state, i)) target.lists[address] = std::move(members);
        continue;
      }
      if (!is_done(state, i)) continue;
      switch (step.kind) {
        case StepKind::admin_account:
          target.accounts.insert(subject.account);
          for (const std::string& alias : subject.aliases) target.aliases[alias] = subject.account;
          break;
        case StepKind::admin_keys:
          for (const ir::Value& address : step.arguments["addresses"].items()) {
            target.keys[std::string(step.arguments["namespace"].string_or(""))].insert(
                std::string(address.string_or("")));
          }
          break;
        case StepKind::postfix_hold:
          source.transport[subject.account] = Transport::hold;
          break;
        case StepKind::postfix_forward:
          source.transport[subject.account] = Transport::forward;
          break;
        case StepKind::admin_upsert:
        case StepKind::admin_update:
          if (is_object(step.arguments, "Domain")) {
            TargetDomain& domain = target.domains[domain_of(subject.account)];
            domain.allows_relaying = set["allowRelaying"].bool_or(domain.allows_relaying);
            if (set.members().contains("catchAllAddress"))
              domain.catch_all = lower_ascii(set["catchAllAddress"].string_or(""));
          } else if (is_object(step.arguments, "MtaRoute") &&
                     is_loaded(state, i, "ReloadSettings")) {
            TargetRoute& route =
                target.routes[std::string(step.arguments["match"]["name"].string_or(""))];
            const std::string_view type = set["@type"].string_or("Mx");
            route.kind = type == "Relay"   ? TargetRoute::Kind::relay
                         : type == "Local" ? TargetRoute::Kind::local
                                           : TargetRoute::Kind::mx;
            route.address = std::string(set["address"].string_or(""));
          } else if (is_object(step.arguments, "MtaOutboundStrategy") &&
                     is_loaded(state, i, "ReloadSettings")) {
            if (!read_expression(set["route"], "MtaOutboundStrategy", "route", target.route,
                                 problem))
              return std::nullopt;
          } else if (is_object(step.arguments, "MtaStageRcpt") &&
                     is_loaded(state, i, "ReloadSettings")) {
            if (!read_expression(set["allowRelaying"], "MtaStageRcpt", "allowRelaying",
                                 target.relay_rule, problem))
              return std::nullopt;
          } else if (is_object(step.arguments, "MemoryLookupKey") &&
                     is_loaded(state, i, "ReloadLookupStores")) {
            target.keys[std::string(step.arguments["match"]["namespace"].string_or(""))].insert(
                std::string(step.arguments["match"]["key"].string_or("")));
          }
          break;
        case StepKind::admin_destroy:
          if (is_object(step.arguments, "MemoryLookupKey") &&
              is_loaded(state, i, "ReloadLookupStores")) {
            target.keys[std::string(step.arguments["match"]["namespace"].string_or(""))].erase(
                std::string(step.arguments["match"]["key"].string_or("")));
          } else if (is_object(step.arguments, "MtaRoute") &&
                     is_loaded(state, i, "ReloadSettings")) {
            target.routes.erase(std::string(step.arguments["match"]["name"].string_or("")));
          }
          break;
        default:
          break;
      }
    }
    return world;
  }

  static bool read_expression(const ir::Value& container, std::string_view object,
                              std::string_view property,
                              std::shared_ptr<const schema::MtaContainer>& into,
                              std::string* problem) {
    if (!container.is_map()) {
      into = nullptr;  // a prior value that only the run knows: the server's default
      return true;
    }
    auto parsed = schema::MtaContainer::parse(container, schema::context_of(object, property));
    if (!parsed) {
      *problem = parsed.error().message();
      return false;
    }
    into = std::make_shared<const schema::MtaContainer>(std::move(*parsed));
    return true;
  }

  void check_state(const Subject& subject, Mask state) {
    std::string problem;
    const auto world = world_of(subject, state, &problem);
    if (!world) {
      Counterexample& example = report("expression", subject, state);
      example.claim = "the route expression cannot be read: " + problem;
      return;
    }
    // Nobody sends to the target before it is set up: the public address is still the source's.
    bool is_target_open = true;
    for (std::size_t i = 0; i < relevant_.size(); ++i) {
      if (relevant_[i].stage == ir::Stage::prepare && !is_done(state, i)) is_target_open = false;
    }
    const bool is_targets = is_done(state, static_cast<std::size_t>(last_copy_));
    for (const Entry entry :
         {Entry::target_25, Entry::target_submission, Entry::source_25, Entry::source_submission}) {
      if (!is_target_open && (entry == Entry::target_25 || entry == Entry::target_submission))
        continue;
      std::vector<std::string> recipients = subject.names;
      recipients.push_back(upper_local(subject.account));
      recipients.push_back(tagged(subject.account));
      for (const std::string& recipient : recipients) {
        check_letter(subject, state, *world, {entry, recipient, false}, is_targets, true);
        if (entry == Entry::target_25 || entry == Entry::source_25) {
          check_letter(subject, state, *world, {entry, recipient, true}, is_targets, true);
        }
      }
      for (const auto& [list, unused] : world->source.aliases) {
        if (std::find(subject.aliases.begin(), subject.aliases.end(), list) !=
            subject.aliases.end())
          continue;
        check_letter(subject, state, *world, {entry, list, false}, is_targets, false);
      }
      check_others(subject, state, *world, entry);
    }
  }

  [[nodiscard]] static std::string upper_local(const std::string& address) {
    std::string text = address;
    for (char& c : text) {
      if (c == '@') break;
      if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
    }
    return text;
  }
  [[nodiscard]] static std::string tagged(const std::string& address) {
    const std::size_t at = address.rfind('@');
    return at == std::string::npos ? address : address.substr(0, at) + "+tag" + address.substr(at);
  }

  void check_letter(const Subject& subject, Mask state, const World& world, const Letter& letter,
                    bool is_targets, bool is_alone) {
    const std::vector<Delivery> deliveries = deliver(world, letter);
    std::size_t copies = 0;
    for (const Delivery& delivery : deliveries) {
      const bool is_own = delivery.mailbox == subject.account;
      switch (delivery.fate) {
        case Fate::target_mailbox:
          if (!is_own) break;
          ++copies;
          if (!is_targets)
            fail("premature", subject, state, letter, delivery,
                 fmt::format("mail for {} reaches the target before its mailbox is copied",
                             subject.account));
          break;
        case Fate::source_mailbox:
          if (!is_own) break;
          ++copies;
          if (is_targets)
            fail("stale", subject, state, letter, delivery,
                 fmt::format(
                     "mail for {} reaches the old mailbox after the last copy of it was made",
                     subject.account));
          break;
        case Fate::source_queue:
        case Fate::target_queue:
        case Fate::deferred:
          copies += is_own ? 1 : 0;
          break;
        case Fate::loop:
          fail("loop", subject, state, letter, delivery,
               fmt::format("mail for {} goes round between the two servers until it bounces",
                           letter.recipient));
          return;
        case Fate::public_mx:
          fail("public", subject, state, letter, delivery,
               fmt::format("mail for {} is sent to the public MX", letter.recipient));
          return;
        case Fate::undecided:
          fail("undecided", subject, state, letter, delivery,
               "the route of a message cannot be told: the expression asks what the plan does not "
               "say");
          return;
        case Fate::refused:
        case Fate::bounced:
        case Fate::discarded:
          if (is_alone) {
            fail("lost", subject, state, letter, delivery,
                 fmt::format("mail for {} is {}", letter.recipient, to_string(delivery.fate)));
            return;
          }
          break;
        case Fate::outside:
          break;
      }
    }
    if (copies == 1) return;
    const Delivery nothing;
    fail(copies == 0 ? "lost" : "twice", subject, state, letter,
         deliveries.empty() ? nothing : deliveries.front(),
         copies == 0
             ? fmt::format("mail for {} does not reach {}", letter.recipient, subject.account)
             : fmt::format("{} gets a message to {} {} times", subject.account, letter.recipient,
                           copies));
  }

  /// Strangers, addresses that nobody has, and a domain that lives only on the target.
  void check_others(const Subject& subject, Mask state, const World& world, Entry entry) {
    const Letter unknown{entry, "no-such-address@" + domain_of(subject.account), false};
    for (const Delivery& delivery : deliver(world, unknown)) {
      if (delivery.fate == Fate::loop)
        fail("loop", subject, state, unknown, delivery,
             "mail for an address that nobody has goes round between the two servers");
    }
    if (entry != Entry::target_25) return;
    const Letter foreign{entry, std::string(kForeign), false};
    for (const Delivery& delivery : deliver(world, foreign)) {
      if (delivery.fate != Fate::refused)
        fail("relay", subject, state, foreign, delivery, "the target relays mail of strangers");
    }
    const Letter own{entry, "somebody@" + std::string(kOwnDomain), false};
    for (const Delivery& delivery : deliver(world, own)) {
      if (delivery.fate != Fate::target_mailbox)
        fail("own", subject, state, own, delivery,
             "mail for a domain that lives only on the target is sent away from it");
    }
  }

  void fail(std::string_view what, const Subject& subject, Mask state, const Letter& letter,
            const Delivery& delivery, std::string claim) {
    // One example for each kind of failure and entry point: the rest are the same again.
    if (!reported_.insert(fmt::format("{} {}", what, static_cast<int>(letter.entry))).second)
      return;
    Counterexample& example = report(what, subject, state);
    example.claim = std::move(claim);
    example.letter = letter;
    example.delivery = delivery;
  }

  void unproved(const Subject& subject, std::string why) {
    Counterexample& example = report("unproved", subject, 0);
    example.claim = fmt::format("the mail flow of {} is not proved: {}", subject.account, why);
  }

  Counterexample& report(std::string_view, const Subject& subject, Mask state) {
    Counterexample& example = found_.emplace_back();
    example.account = subject.account;
    for (std::size_t i = 0; i < relevant_.size(); ++i) {
      if (is_done(state, i)) {
        example.done.push_back(graph_.id(relevant_[i].step));
        example.origin = graph_.origin(relevant_[i].step);
      } else if (example.next.empty() && (relevant_[i].before & ~state) == 0) {
        example.next = graph_.id(relevant_[i].step);
      }
    }
    return example;
  }

  const ir::StepGraph& graph_;
  std::vector<StepId> admin_;
  std::vector<Relevant> relevant_;
  std::vector<Counterexample> found_;
  std::unordered_set<std::string> reported_;
  int last_copy_ = -1;
};

}  // namespace

std::vector<Counterexample> prove(const ir::StepGraph& graph) { return Prover(graph).run(); }

void report_mail_flow(const ir::StepGraph& graph, Span fallback, Sink& sink) {
  for (const Counterexample& example : prove(graph)) {
    auto report = sink.report(Kind::mail_flow,
                              example.origin.is_known() ? example.origin : fallback, example.claim);
    report.argument("account", example.account);
    if (!example.done.empty()) {
      std::string label = fmt::format("when `{}` is done", example.done.back());
      if (!example.next.empty()) label += fmt::format(" and `{}` is not", example.next);
      report.label(std::move(label));
    }
    if (example.letter.recipient.empty()) continue;
    report.argument("recipient", example.letter.recipient);
    report.argument("entry", std::string(to_string(example.letter.entry)));
    report.note({}, fmt::format("a message to {} comes in at {}{}", example.letter.recipient,
                                to_string(example.letter.entry),
                                example.letter.has_null_sender ? ", without a sender" : ""));
    for (const std::string& hop : example.delivery.hops) report.note({}, "then " + hop);
  }
}

std::string to_text(const Counterexample& counterexample) {
  std::string text = counterexample.claim;
  if (!counterexample.letter.recipient.empty()) {
    text += fmt::format("\n  a message to {} at {}", counterexample.letter.recipient,
                        to_string(counterexample.letter.entry));
    if (counterexample.letter.has_null_sender) text += ", without a sender";
  }
  for (const std::string& hop : counterexample.delivery.hops) text += "\n  -> " + hop;
  if (!counterexample.done.empty())
    text += fmt::format("\n  when {} is done", counterexample.done.back());
  if (!counterexample.next.empty()) text += fmt::format(" and {} is not", counterexample.next);
  return text;
}

}  // namespace plan::flow
