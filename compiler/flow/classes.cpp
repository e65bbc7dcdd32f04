#include "compiler/flow/classes.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>

#include "compiler/flow/domain_facts.h"
#include "compiler/flow/mail_address.h"
#include "compiler/flow/states.h"
#include "compiler/ir/json.h"
#include "compiler/ir/row_values.h"
#include "compiler/schema/mta_pattern.h"
#include "compiler/source/text.h"

namespace plan::flow {
namespace {

using ir::StepId;
using ir::StepKind;

constexpr std::size_t kAliasesAtOnce = 3;
constexpr std::size_t kListsAtOnce = 4;
constexpr std::size_t kResidentsAtOnce = 4;
constexpr std::size_t kSubjectsAlways = 64;
constexpr std::size_t kStepsLookedAtMax = 300'000'000;
constexpr std::size_t kExamplesMax = 3;

[[nodiscard]] std::vector<std::string> written_members(const ir::StepGraph& graph, StepId step) {
  if (graph.kind(step) != StepKind::admin_list) return list_members(graph.arguments(step));
  std::vector<std::string> members;
  const ir::Value written = graph.argument(step, "members");
  for (const ir::Value& member : written.items())
    members.push_back(lower_ascii(member.string_or("")));
  return members;
}

[[nodiscard]] bool is_written_list(const ir::StepGraph& graph, StepId step) {
  const StepKind kind = graph.kind(step);
  return kind == StepKind::admin_list ||
         ((kind == StepKind::admin_upsert || kind == StepKind::admin_update ||
           kind == StepKind::admin_destroy) &&
          is_object(graph.shape(step).arguments, "MailingList"));
}

struct Row {
  std::size_t signature = 0;
  StepId named_by = {};  ///< the step that says which account and which aliases
  bool is_account = false;
  std::string said = {};            ///< what its steps say of it that others may say otherwise
  std::vector<StepId> naming = {};  ///< steps that say names, and not simply all of the account
};

/// By how many of its names an account is on a list, of which more than two are alike.
struct Named {
  std::size_t at_source_or_target = 0;
  std::size_t at_target = 0;
};

/// Arguments that decide where mail goes, and whose: mostly they are the same for every row.
constexpr std::array<std::string_view, 7> kDeciding = {
    "account", "list", "namespace", "transport_map", "next_hop", "values", "blocks"};

/// What differs from row to row in the steps of one shape.
struct ByRow {
  bool is_known = false;
  std::vector<std::string_view> deciding = {};
  bool is_naming = false;
};

[[nodiscard]] const char* names_argument(StepKind kind) {
  return kind == StepKind::source_settings ? "members" : "addresses";
}

[[nodiscard]] bool says_names(StepKind kind) {
  return kind == StepKind::admin_keys || kind == StepKind::source_settings || is_hold(kind) ||
         is_forward(kind);
}

[[nodiscard]] ByRow by_row(const ir::StepShape& shape) {
  ByRow found;
  found.is_known = true;
  for (const std::string_view name : kDeciding) {
    const ir::Value& written = shape.arguments[name];
    if (name == "account" && ir::row_member(written) == "address") continue;
    // An account that is written out is the own one of one row alone.
    if (ir::is_of_row(written) || (name == "account" && written.is_string()))
      found.deciding.push_back(name);
  }
  const ir::Value& names = shape.arguments[names_argument(shape.kind)];
  found.is_naming =
      says_names(shape.kind) && !names.is_null() && ir::row_member(names) != "addresses";
  return found;
}

class Index {
 public:
  explicit Index(const ir::StepGraph& graph) : graph_(graph), by_row_(graph.shapes().size()) {
    read_rows();
    read_lists();
    read_steps_apart();
  }

  [[nodiscard]] const std::vector<Row>& rows() const { return rows_; }

  [[nodiscard]] Subject subject(std::size_t row) const {
    const StepId step = rows_[row].named_by;
    Subject subject;
    subject.row = static_cast<ir::RowId>(row);
    const ir::Value account = graph_.argument(step, "account");
    subject.account = lower_ascii(account.string_or(graph_.row_name(subject.row)));
    const ir::Value aliases = graph_.argument(step, "aliases");
    for (const ir::Value& alias : aliases.items())
      subject.aliases.push_back(lower_ascii(alias.string_or("")));
    add_dropped(step, subject);
    add_lists(subject.account, subject);
    for (const std::string& alias : subject.aliases) add_lists(alias, subject);
    return subject;
  }

  /// With all its names, when it is an account that the plan creates.
  [[nodiscard]] std::optional<Subject> created(std::size_t row) const {
    const Row& one = rows_[row];
    if (!one.is_account || graph_.kind(one.named_by) != StepKind::admin_account)
      return std::nullopt;
    Subject found = subject(row);
    found.names = found.aliases;
    found.names.insert(found.names.begin(), found.account);
    return found;
  }

  /// By each step that writes a list of its own.
  [[nodiscard]] std::unordered_map<StepId, Named> named_on(const Subject& subject) const {
    std::unordered_map<StepId, Named> named;
    const auto add = [&](const std::string& name) {
      const auto lists = lists_of_.find(name);
      if (lists == lists_of_.end()) return;
      for (const Listed& one : lists->second) {
        Named& of = named[one.step];
        of.at_source_or_target = std::min<std::size_t>(of.at_source_or_target + 1, 2);
        if (one.is_written) of.at_target = std::min<std::size_t>(of.at_target + 1, 2);
      }
    };
    add(subject.account);
    for (const std::string& alias : subject.aliases) add(alias);
    return named;
  }

  [[nodiscard]] bool is_on(const std::string& name, StepId list) const {
    const auto lists = lists_of_.find(name);
    return lists != lists_of_.end() &&
           std::any_of(lists->second.begin(), lists->second.end(),
                       [&](const Listed& one) { return one.step == list; });
  }

  [[nodiscard]] const std::map<StepId, std::string>& list_domains() const { return list_domains_; }

  /// What the steps of a row say of it alone: "list=plan-held".
  [[nodiscard]] const std::string& said(std::size_t row) const { return rows_[row].said; }

  /// The names that each step says which does not simply say all of the account.
  [[nodiscard]] std::vector<std::set<std::string>> names_said(std::size_t row) const {
    std::vector<std::set<std::string>> all;
    for (const StepId step : rows_[row].naming) {
      std::set<std::string>& names = all.emplace_back();
      const ir::Value said = graph_.argument(step, names_argument(graph_.kind(step)));
      for (const ir::Value& name : said.items()) names.insert(lower_ascii(name.string_or("")));
    }
    return all;
  }

 private:
  void add_lists(const std::string& member, Subject& subject) const {
    const auto lists = lists_of_.find(member);
    if (lists == lists_of_.end()) return;
    const std::set<StepId> known(subject.lists.begin(), subject.lists.end());
    for (const Listed& list : lists->second) {
      if (!known.contains(list.step)) subject.lists.push_back(list.step);
    }
  }

  /// Aliases that the source has and the step that makes the account does not write.
  void add_dropped(StepId step, Subject& subject) const {
    if (ir::row_member(graph_.shape(step).arguments["aliases"]) == "aliases") return;
    const std::unordered_set<std::string> written_names(subject.aliases.begin(),
                                                        subject.aliases.end());
    for (const ir::Value& alias : graph_.row_members(subject.row)["aliases"].items()) {
      std::string name = lower_ascii(alias.string_or(""));
      if (written_names.contains(name)) continue;
      subject.dropped.insert(name);
      subject.aliases.push_back(std::move(name));
    }
  }

  void read_rows() {
    rows_.resize(graph_.row_count() + 1);
    for (const StepId step : graph_.order()) {
      const auto row = static_cast<std::size_t>(graph_.row(step));
      if (row == 0 || row >= rows_.size()) continue;
      const StepKind kind = graph_.kind(step);
      const bool is_own = is_account_kind(kind);
      // What is stamped out for the rows of accounts beside their move decides with it.
      const bool is_setting = kind == StepKind::source_settings;
      if (!is_own && !is_setting && !is_admin_kind(kind) && kind != StepKind::restore) continue;
      Row& one = rows_[row];
      // The number of a shape names it: rows stamped out of the same shapes behave alike.
      const auto shape = static_cast<std::size_t>(&graph_.shape(step) - graph_.shapes().data()) + 1;
      one.signature = one.signature * 1'000'003U + shape;
      if (is_own || is_setting) note_what_is_said(step, one);
      if (!is_own) continue;
      if (!one.is_account || kind == StepKind::admin_account) one.named_by = step;
      one.is_account = true;
    }
  }

  /// An account that steps of no row of its own are about is like those of which the same is said.
  void read_steps_apart() {
    std::unordered_map<std::string, std::vector<StepId>> steps_of;  // by name
    StepsApart steps_apart(graph_);
    for (const StepId step : graph_.order()) {
      for (std::string& name : steps_apart.named_by(step))
        steps_of[std::move(name)].push_back(step);
    }
    if (steps_of.empty()) return;
    for (std::size_t row = 1; row < rows_.size(); ++row) {
      if (!rows_[row].is_account) continue;
      const Subject one = subject(row);
      std::set<StepId> apart;
      const auto add = [&](const std::string& name, bool is_alias) {
        const auto steps = steps_of.find(name);
        if (steps == steps_of.end()) return;
        for (const StepId step : steps->second) {
          if (is_alias && !goes_by_addresses(graph_.kind(step))) continue;
          if (graph_.row(step) != one.row) apart.insert(step);
        }
      };
      add(one.account, false);
      for (const std::string& alias : one.aliases) add(alias, true);
      for (const StepId step : apart) {
        rows_[row].said += fmt::format("apart {},", &graph_.shape(step) - graph_.shapes().data());
        note_what_is_said(step, rows_[row]);
      }
    }
  }

  /// Shapes alone do not make rows alike: an argument may be computed from the row.
  void note_what_is_said(StepId step, Row& row) {
    const ir::StepShape& shape = graph_.shape(step);
    ByRow& differs = by_row_[static_cast<std::size_t>(&shape - graph_.shapes().data())];
    if (!differs.is_known) differs = by_row(shape);
    if (differs.is_naming) row.naming.push_back(step);
    for (const std::string_view name : differs.deciding) {
      const ir::Value value = graph_.argument(step, name);
      // A step of no row is with the account that it names.
      const ir::RowId named_by = graph_.row(step);
      const bool is_own = name == "account" &&
                          (named_by == ir::RowId::none ||
                           equals_ignoring_case(value.string_or(""), graph_.row_name(named_by)));
      row.said += fmt::format("{}={},", name, is_own ? "own" : ir::canonical_json(value));
    }
  }

  /// Who is on a list is concerned by every step that writes it, also by one that leaves him out.
  void read_lists() {
    struct List {
      std::vector<StepId> steps;
      std::unordered_map<std::string, std::vector<StepId>> members;  // steps that write each
    };
    std::unordered_map<std::string, std::size_t> known;  // by address
    std::vector<List> lists;
    for (const StepId step : graph_.order()) {
      if (!is_written_list(graph_, step)) continue;
      const std::string address = list_address(graph_, step);
      list_domains_.emplace(step, domain_of(address));
      // Lists whose domain no step makes have nothing in common.
      const std::string name = address.empty() ? fmt::format("{}", ir::index(step)) : address;
      const std::size_t number = known.emplace(name, lists.size()).first->second;
      if (number == lists.size()) lists.emplace_back();
      List& list = lists[number];
      list.steps.push_back(step);
      for (std::string& member : written_members(graph_, step))
        list.members[std::move(member)].push_back(step);
      if (graph_.kind(step) != StepKind::admin_list) continue;
      for (std::string& member : source_members(graph_, step))
        list.members.try_emplace(std::move(member));
    }
    for (const List& list : lists) {
      for (const auto& [member, writing] : list.members) {
        std::vector<Listed>& of = lists_of_[member];
        for (const StepId step : list.steps)
          of.push_back({step, std::find(writing.begin(), writing.end(), step) != writing.end()});
      }
    }
  }

  struct Listed {
    StepId step = {};
    bool is_written = false;  // he is in what the step writes, not only on the source's list
  };

  const ir::StepGraph& graph_;
  std::vector<ByRow> by_row_;  // by shape
  std::vector<Row> rows_;
  std::unordered_map<std::string, std::vector<Listed>> lists_of_;  // by member
  std::map<StepId, std::string> list_domains_;
};

/// One of each kind, by what `kind_of` says of it; the kinds, sorted, are added to `label`.
template <typename Item, typename KindOf>
void keep_kinds(std::vector<Item>& items, std::string& label, KindOf kind_of) {
  std::map<std::string, Item> kinds;
  for (Item& item : items) kinds.emplace(kind_of(item), item);
  items.clear();
  label += '|';
  for (auto& [kind, item] : kinds) {
    label += kind + ",";
    items.push_back(std::move(item));
  }
}

template <typename Item>
[[nodiscard]] std::vector<Item> part(const std::vector<Item>& items, std::size_t turn,
                                     std::size_t at_once) {
  const std::size_t begin = std::min(turn * at_once, items.size());
  const std::size_t end = std::min(begin + at_once, items.size());
  return {items.begin() + static_cast<std::ptrdiff_t>(begin),
          items.begin() + static_cast<std::ptrdiff_t>(end)};
}

[[nodiscard]] std::size_t turns(std::size_t items, std::size_t at_once) {
  return (items + at_once - 1) / at_once;
}

[[nodiscard]] std::vector<std::string> domains_in(const ir::StepGraph& graph, const Index& index) {
  std::unordered_set<std::string> domains;
  for (std::size_t row = 1; row < index.rows().size(); ++row) {
    if (!index.rows()[row].is_account) continue;
    const StepId step = index.rows()[row].named_by;
    domains.insert(domain_of(graph.row_name(static_cast<ir::RowId>(row))));
    const auto add_domains = [&](const ir::Value& aliases) {
      for (const ir::Value& alias : aliases.items()) domains.insert(domain_of(alias.string_or("")));
    };
    add_domains(graph.row_members(static_cast<ir::RowId>(row))["aliases"]);
    if (ir::row_member(graph.shape(step).arguments["aliases"]) != "aliases")
      add_domains(graph.argument(step, "aliases"));
  }
  for (const auto& [unused, domain] : index.list_domains()) domains.insert(domain);
  return {domains.begin(), domains.end()};
}

class Classifier {
 public:
  Classifier(const ir::StepGraph& graph, const ProofLimits& limits)
      : graph_(graph), index_(graph), facts_(graph, domains_in(graph, index_)) {
    pattern_work_max_ = limits.pattern_work_max;
    const std::size_t affordable =
        std::max(kStepsLookedAtMax / std::max<std::size_t>(graph.size(), 1), kSubjectsAlways);
    subjects_max_ = std::min(affordable, limits.subjects_max);
  }

  Classes run() {
    for (std::size_t row = 1; row < index_.rows().size(); ++row) {
      if (index_.rows()[row].is_account) take(row);
    }
    // Each subject of a class stands for all of it.
    for (std::size_t i = 1; i < classes_.subjects.size(); ++i) {
      const Subject& before = classes_.subjects[i - 1];
      if (classes_.subjects[i].row != before.row) continue;
      classes_.subjects[i].stands_for = before.stands_for;
      classes_.subjects[i].in_domains = before.in_domains;
    }
    classes_.left_out.domains = classes_.domains_left_out.size();
    return std::move(classes_);
  }

 private:
  void take(std::size_t row) {
    Subject subject = index_.subject(row);
    const std::string domain = domain_of(subject.account);
    if (schema::pattern_work() - pattern_work_before_ > pattern_work_max_)
      return leave_out(subject.account, domain);
    const auto names_said = index_.names_said(row);
    const auto saying = [&](const std::string& name) {
      std::string bits;
      for (const std::set<std::string>& names : names_said)
        bits += names.contains(name) ? '1' : '0';
      return bits;
    };
    std::string label =
        fmt::format("{} {} {} {} {}", index_.rows()[row].signature, facts_.of(domain),
                    facts_.of_address(subject.account), saying(subject.account), index_.said(row));
    if (!names_said.empty()) {
      const std::unordered_set<std::string_view> aliases(subject.aliases.begin(),
                                                         subject.aliases.end());
      for (const std::set<std::string>& names : names_said) {
        // Addresses of others: nobody looks at them here, and rows that name others are not alike.
        for (const std::string& name : names) {
          if (name.find('@') == std::string::npos) continue;
          if (name != subject.account && !aliases.contains(name)) label += " +" + name;
        }
      }
    }
    const auto named = index_.named_on(subject);
    const std::vector<std::string> all_aliases =
        named.empty() ? std::vector<std::string>() : subject.aliases;
    keep_kinds(subject.aliases, label, [&](const std::string& alias) {
      const std::string of = domain_of(alias);
      return fmt::format("{} {} {} {} {}", of == domain, facts_.of(of), facts_.of_address(alias),
                         saying(alias), subject.dropped.contains(alias));
    });
    keep_kinds(subject.lists, label, [&](StepId step) {
      const std::string& of = index_.list_domains().at(step);
      // One copy for each name: who is on it by two of them is not like who is on it once.
      const Named& by = named.at(step);
      return fmt::format("{} {} {} {} {}",
                         static_cast<std::size_t>(&graph_.shape(step) - graph_.shapes().data()),
                         of == domain, facts_.of(of), by.at_source_or_target, by.at_target);
    });
    const auto [known, is_new] = subject_of_.emplace(std::move(label), classes_.subjects.size());
    if (!is_new) {
      if (known->second == kNone) return leave_out(subject.account, domain);
      Subject& first = classes_.subjects[known->second];
      ++first.stands_for;
      first.in_domains.insert(domain);
      return;
    }
    const std::vector<Resident>& residents = facts_.residents(domain);
    const std::size_t count = std::max(
        {std::size_t{1}, turns(subject.aliases.size(), kAliasesAtOnce),
         turns(subject.lists.size(), kListsAtOnce), turns(residents.size(), kResidentsAtOnce)});
    if (classes_.subjects.size() + count > subjects_max_) {
      known->second = kNone;
      return leave_out(subject.account, domain);
    }
    for (std::size_t turn = 0; turn < count; ++turn) {
      Subject& one = classes_.subjects.emplace_back();
      one.row = subject.row;
      one.account = subject.account;
      one.in_domains = {domain};
      one.aliases = part(subject.aliases, turn, kAliasesAtOnce);
      one.lists = part(subject.lists, turn, kListsAtOnce);
      add_aliases_on_lists(all_aliases, named, one);
      for (const std::string& alias : one.aliases) {
        if (subject.dropped.contains(alias)) one.dropped.insert(alias);
      }
      one.residents = part(residents, turn, kResidentsAtOnce);
      one.names = one.aliases;
      one.names.insert(one.names.begin(), one.account);
    }
  }

  /// Those by which a list has the account twice, be they of another kind or not.
  void add_aliases_on_lists(const std::vector<std::string>& all,
                            const std::unordered_map<StepId, Named>& named, Subject& one) const {
    for (const StepId list : one.lists) {
      if (named.at(list).at_source_or_target < 2) continue;
      std::size_t count = index_.is_on(one.account, list) ? 1 : 0;
      for (const std::string& alias : all) {
        if (count == 2) break;
        if (!index_.is_on(alias, list)) continue;
        ++count;
        if (std::find(one.aliases.begin(), one.aliases.end(), alias) == one.aliases.end())
          one.aliases.push_back(alias);
      }
    }
  }

  void leave_out(const std::string& account, const std::string& domain) {
    LeftOut& left = classes_.left_out;
    ++left.accounts;
    classes_.domains_left_out.insert(domain);
    if (left.examples.size() < kExamplesMax) left.examples.push_back(account);
  }

  static constexpr std::size_t kNone = SIZE_MAX;
  const ir::StepGraph& graph_;
  std::size_t pattern_work_before_ = schema::pattern_work();
  Index index_;
  DomainFacts facts_;
  std::size_t subjects_max_ = 0;
  std::size_t pattern_work_max_ = 0;
  Classes classes_;
  std::unordered_map<std::string, std::size_t> subject_of_;  // by label
};

}  // namespace

Classes account_classes(const ir::StepGraph& graph, const ProofLimits& limits) {
  return Classifier(graph, limits).run();
}

std::vector<std::string> members_of(const ir::StepGraph& graph, ir::StepId step) {
  std::vector<std::string> members = written_members(graph, step);
  if (graph.kind(step) != StepKind::admin_list) return members;
  // Those whom the source has on it and the step leaves out are its members too.
  std::unordered_set<std::string> known(members.begin(), members.end());
  for (std::string& member : source_members(graph, step)) {
    if (known.insert(member).second) members.push_back(std::move(member));
  }
  return members;
}

std::optional<Subject> subject_with(const ir::StepGraph& graph, std::string_view address,
                                    std::string_view tag_delimiters) {
  const std::string whole = lower_ascii(address);
  const std::string base = lower_ascii(without_tag(parse_address(address), tag_delimiters));
  const Index index(graph);
  std::optional<Subject> found;
  for (std::size_t row = 1; row < index.rows().size(); ++row) {
    std::optional<Subject> subject = index.created(row);
    if (!subject) continue;
    const auto has = [&](const std::string& name) {
      return std::find(subject->names.begin(), subject->names.end(), name) != subject->names.end();
    };
    // A delimiter may be a part of a name.
    const bool is_whole = has(whole);
    if (is_whole || (!found && has(base))) found = std::move(subject);
    if (is_whole) break;
  }
  if (!found) return std::nullopt;
  const DomainFacts facts(graph, domains_in(graph, index));
  found->lists = part(found->lists, 0, kListsAtOnce);
  found->residents = part(facts.residents(domain_of(found->account)), 0, kResidentsAtOnce);
  return found;
}

std::vector<Subject> subjects_with(const ir::StepGraph& graph,
                                   const std::vector<std::string>& addresses,
                                   std::string_view tag_delimiters) {
  std::vector<Subject> subjects;
  if (addresses.empty()) return subjects;
  std::unordered_set<std::string> wanted;
  for (const std::string& address : addresses) {
    wanted.insert(lower_ascii(address));
    wanted.insert(lower_ascii(without_tag(parse_address(address), tag_delimiters)));
  }
  const Index index(graph);
  for (std::size_t row = 1; row < index.rows().size(); ++row) {
    std::optional<Subject> subject = index.created(row);
    if (!subject) continue;
    if (std::none_of(subject->names.begin(), subject->names.end(),
                     [&](const std::string& name) { return wanted.contains(name); }))
      continue;
    subject->lists.clear();
    subjects.push_back(std::move(*subject));
  }
  return subjects;
}

}  // namespace plan::flow
