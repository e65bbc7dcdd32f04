#include "compiler/flow/routes.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include <fmt/format.h>

#include "compiler/flow/mail_address.h"
#include "compiler/flow/states.h"
#include "compiler/source/text.h"

namespace plan::flow {
namespace {

constexpr std::size_t kNamesSearchedMax = 5'000;  // for the one that is meant
constexpr std::size_t kOtherDomainsMax = 8;
constexpr std::size_t kDrawnMax = 64;  // classes: more nobody looks at
constexpr std::array kDrawnEntries = {Entry::source_25, Entry::source_submission, Entry::target_25,
                                      Entry::target_submission};

[[nodiscard]] std::string place_of(const SourceSet& sources, Span span) {
  if (!span.is_known()) return {};
  return fmt::format("{}:{}", sources.name(span.file),
                     sources.position(span.file, span.begin).line);
}

[[nodiscard]] bool is_of_move(std::string_view phase) {
  return phase == "created" || phase == "copied" || phase == "held" || phase == "keys" ||
         phase == "moved" || phase == "rollback";
}

/// "moved, wave canary: alice@example.org and 2 like it; not moved yet: bob@example.org".
[[nodiscard]] std::string heading(const DrawnRoute& route) {
  std::string text = route.phase;
  if (!route.wave.empty()) text += ", wave " + route.wave;
  text += ": " + route.account;
  if (route.stands_for > 1)
    text += fmt::format(" and {} like it", show_count(route.stands_for - 1));
  if (!route.not_moved.empty()) {
    text += "; not moved yet: " + route.not_moved.front();
    if (route.not_moved.size() > 1)
      text += fmt::format(" and {} more", show_count(route.not_moved.size() - 1));
  }
  return text;
}

std::optional<std::string> nearest_account(const ir::StepGraph& graph, std::string_view wanted) {
  std::vector<std::string_view> names;
  // Row 0 is that of steps without one.
  for (std::size_t row = 1; row <= graph.row_count() && names.size() < kNamesSearchedMax; ++row) {
    const std::string_view name = graph.row_name(static_cast<ir::RowId>(row));
    if (name.find('@') != std::string_view::npos) names.push_back(name);
  }
  const auto near = nearest(wanted, names);
  return near ? std::optional<std::string>(*near) : std::nullopt;
}

/// The step that makes the list of this address.
[[nodiscard]] std::optional<ir::StepId> list_of(const ir::StepGraph& graph,
                                                std::string_view address) {
  const std::string wanted = lower_ascii(address);
  const auto found = std::find_if(graph.order().begin(), graph.order().end(), [&](ir::StepId step) {
    const bool is_made =
        graph.kind(step) == ir::StepKind::admin_list ||
        (is_admin_kind(graph.kind(step)) && is_object(graph.shape(step).arguments, "MailingList"));
    return is_made && list_address(graph, step) == wanted;
  });
  return found == graph.order().end() ? std::nullopt : std::optional(*found);
}

/// Is it the same whoever moves? Nobody has begun by then, or everybody has moved.
[[nodiscard]] bool is_same_for_all(const ir::StepGraph& graph, std::string_view when) {
  constexpr std::array<std::string_view, 4> kPhases = {"before", "prepared", "cutover",
                                                       "finalized"};
  if (std::find(kPhases.begin(), kPhases.end(), when) != kPhases.end()) return true;
  const auto step = graph.find(when);
  return step && graph.stage(*step) != ir::Stage::waves;
}

/// Any account whose state has what decides about mail to this address: a member of the list that
/// it is, else somebody of its domain, else anybody.
std::optional<Subject> anybody(const ir::StepGraph& graph, const std::string& recipient,
                               const MailFacts& facts) {
  if (const auto list = list_of(graph, recipient)) {
    const std::vector<Subject> members =
        subjects_with(graph, members_of(graph, *list), facts.tag_delimiters);
    return members.empty() ? std::nullopt
                           : subject_with(graph, members.front().account, facts.tag_delimiters);
  }
  const std::string domain = domain_of(lower_ascii(recipient));
  std::string first;
  for (const ir::StepId step : graph.order()) {
    if (graph.kind(step) != ir::StepKind::admin_account) continue;
    const std::string account = lower_ascii(graph.argument(step, "account").string_or(""));
    const bool is_of_domain = domain_of(account) == domain;
    if (first.empty() || is_of_domain) first = account;
    if (is_of_domain) break;
  }
  if (first.empty()) return std::nullopt;
  return subject_with(graph, first, facts.tag_delimiters);
}

/// An address, and the same without a tag: a delimiter may be a part of a name.
void add_names(std::string_view address, const MailFacts& facts, std::vector<std::string>& names) {
  names.push_back(lower_ascii(address));
  names.push_back(lower_ascii(without_tag(parse_address(address), facts.tag_delimiters)));
}

/// Whoever gets at the source what nobody has in the domain of this address.
void add_catch_all(std::string_view address, const MailFacts& facts,
                   std::vector<std::string>& names) {
  const auto known = facts.catch_alls.find(domain_of(lower_ascii(address)));
  if (known == facts.catch_alls.end()) return;
  for (const std::string& member : known->second) add_names(member, facts, names);
}

/// Those of the domains that the world has. A member that is no name of the plan is a mailbox that
/// stays at the source.
void put_catch_alls(World& world, const MailFacts& facts) {
  Source& source = world.source;
  for (const auto& [domain, members] : facts.catch_alls) {
    if (!source.domains.contains(domain)) continue;
    source.catch_all[domain] = members;
    for (const std::string& member : members) {
      const bool is_alias = source.aliases.contains(member) ||
                            (source.stalwart && source.stalwart->names.contains(member));
      if (!is_alias && source.domains.contains(domain_of(member))) source.mailboxes.insert(member);
    }
  }
}

/// Everybody who is on a list with this account, or gets what nobody has in its domains.
std::vector<std::string> met_by(const ir::StepGraph& graph, const Subject& subject,
                                const MailFacts& facts) {
  std::vector<std::string> met;
  for (const ir::StepId list : subject.lists) {
    for (const std::string& member : members_of(graph, list)) add_names(member, facts, met);
  }
  for (const std::string& name : subject.names) add_catch_all(name, facts, met);
  return met;
}

/// The accounts that go by one of these names; their domains are looked at for the subject too.
std::vector<Subject> others_among(const std::vector<Subject>& accounts,
                                  const std::vector<std::string>& met, Subject& subject) {
  const std::set<std::string, std::less<>> names(met.begin(), met.end());
  std::set<std::string> domains;
  std::vector<Subject> others;
  for (const Subject& one : accounts) {
    if (one.row == subject.row ||
        std::none_of(one.names.begin(), one.names.end(),
                     [&](const std::string& name) { return names.contains(name); }))
      continue;
    std::string domain = domain_of(one.account);
    // Each domain has steps of its own, and their number is bounded.
    if (domains.size() < kOtherDomainsMax) domains.insert(std::move(domain));
    others.push_back(one);
  }
  subject.domains.assign(domains.begin(), domains.end());
  return others;
}

}  // namespace

std::string_view end_word(Fate fate) { return all_fates()[static_cast<std::size_t>(fate)].written; }

const std::vector<std::string_view>& all_end_words() {
  static const std::vector<std::string_view> kWords = [] {
    std::vector<std::string_view> words;
    for (const FateWords& one : all_fates()) words.push_back(one.written);
    return words;
  }();
  return kWords;
}

RouteAnswer route_of(const ir::StepGraph& graph, const RouteQuestion& question,
                     const MailFacts& facts) {
  const std::string& whose =
      question.account.empty() ? question.letter.recipient : question.account;
  auto subject = subject_with(graph, whose, facts.tag_delimiters);
  RouteAnswer answer;
  if (!subject && question.account.empty() && is_same_for_all(graph, question.when)) {
    subject = anybody(graph, whose, facts);
    // It may be meant for one that is misspelt.
    if (const auto near = subject ? nearest_account(graph, whose) : std::nullopt)
      answer.note = fmt::format("the plan moves no account `{}`; did you mean `{}`?",
                                printable(whose, 120), printable(*near, 120));
  }
  if (!subject) {
    std::string problem = fmt::format("the plan moves no account `{}`", printable(whose, 120));
    if (list_of(graph, whose)) {
      problem += ", which is a list; `account` says whose move it is, one of its members";
      return {std::move(problem), {}};
    }
    if (question.account.empty())
      problem += "; `account` says whose move it is when mail to somebody else is asked about";
    if (const auto near = nearest_account(graph, whose))
      problem += fmt::format("; did you mean `{}`?", printable(*near, 120));
    return {std::move(problem), {}};
  }
  std::vector<std::string> met = met_by(graph, *subject, facts);
  add_names(question.letter.recipient, facts, met);
  add_catch_all(question.letter.recipient, facts, met);
  const std::vector<Subject> others =
      others_among(subjects_with(graph, met, facts.tag_delimiters), met, *subject);
  MailSteps all(graph, {*subject});
  const AccountStates states(all, std::move(*subject), facts);
  if (states.is_too_large()) return {"too many steps decide its mail", {}};
  auto standing = states.at_phase(question.when);
  const auto step = standing ? std::nullopt : graph.find(question.when);
  if (!standing) {
    if (const auto done = states.after_step(question.when))
      standing = Standing{*done, states.effects(*done)};
  }
  if (!standing) {
    return {fmt::format("`{}` is neither a step nor one of the phases {}",
                        printable(question.when, 120), fmt::join(states.phase_names(), ", ")),
            {}};
  }
  auto world = states.world_with(standing->effects, &answer.problem);
  if (!world) return answer;
  states.add_others(*world, others,
                    step ? done_behind(graph, {*step}) : states.done_in(standing->done));
  put_catch_alls(*world, facts);
  answer.deliveries = deliver(*world, question.letter);
  return answer;
}

std::vector<DrawnRoute> drawn_routes(const ir::StepGraph& graph, bool is_every_class,
                                     const MailFacts& facts) {
  std::vector<DrawnRoute> routes;
  std::vector<Subject> subjects = account_classes(graph).subjects;
  if (subjects.size() > kDrawnMax) subjects.resize(kDrawnMax);
  if (!is_every_class && subjects.size() > 1) subjects.resize(1);
  std::vector<std::string> met;
  for (const Subject& subject : subjects) {
    for (std::string& name : met_by(graph, subject, facts)) met.push_back(std::move(name));
  }
  const std::vector<Subject> accounts = subjects_with(graph, met, facts.tag_delimiters);
  std::vector<std::vector<Subject>> others_of;
  for (Subject& subject : subjects)
    others_of.push_back(others_among(accounts, met_by(graph, subject, facts), subject));
  MailSteps all(graph, subjects);
  for (std::size_t i = 0; i < subjects.size(); ++i) {
    const std::size_t stands_for = subjects[i].stands_for;
    const std::vector<Subject>& others = others_of[i];
    const AccountStates states(all, std::move(subjects[i]), facts);
    if (states.is_too_large()) continue;
    for (const std::string& phase : states.phase_names()) {
      const std::string wave = is_of_move(phase) ? states.wave_name() : std::string();
      std::string problem;
      const Standing standing = states.at_phase(phase).value_or(Standing());
      auto world = states.world_with(standing.effects, &problem);
      if (!world) continue;
      std::vector<std::string> not_moved;
      if (!others.empty())
        not_moved = states.add_others(*world, others, states.done_in(standing.done));
      put_catch_alls(*world, facts);
      if (!is_of_move(phase)) not_moved.clear();
      std::vector<std::string> recipients = {states.subject().account};
      if (!states.subject().aliases.empty()) recipients.push_back(states.subject().aliases.front());
      recipients.push_back("no-such-address@" + domain_of(states.subject().account));
      for (const Resident& one : states.residents(standing.done))
        recipients.push_back(one.names.front());
      for (const auto& [list, unused] : world->target.lists) recipients.push_back(list);
      for (const std::string& recipient : recipients) {
        for (const Entry entry : kDrawnEntries) {
          // Nobody sends to the target before it is set up.
          if (phase == "before" && is_at_target(entry)) continue;
          const Letter letter{entry, recipient};
          for (Delivery& delivery : deliver(*world, letter))
            routes.push_back({phase, wave, states.subject().account, stands_for, not_moved, letter,
                              std::move(delivery)});
        }
      }
    }
  }
  return routes;
}

namespace {

/// Boxes and arrows of one phase: a decision that several messages meet is drawn once.
struct Picture {
  struct Phase {
    std::string name = {};
    std::vector<std::string> boxes = {};  // texts; the number is the index
    std::map<std::string, std::size_t> box_of = {};
    std::set<std::pair<std::size_t, std::size_t>> arrows = {};
    std::set<std::size_t> ends = {};

    std::size_t box(const std::string& text) {
      const auto [entry, is_new] = box_of.emplace(text, boxes.size());
      if (is_new) boxes.push_back(text);
      return entry->second;
    }
  };
  std::vector<Phase> phases = {};
};

Picture picture_of(const std::vector<DrawnRoute>& routes) {
  Picture picture;
  for (const DrawnRoute& route : routes) {
    const std::string name = heading(route);
    auto phase = std::find_if(picture.phases.begin(), picture.phases.end(),
                              [&](const auto& one) { return one.name == name; });
    if (phase == picture.phases.end()) {
      picture.phases.emplace_back().name = name;
      phase = picture.phases.end() - 1;
    }
    std::size_t from = phase->box(
        fmt::format("{}\nfor {}", to_string(route.letter.entry), route.letter.recipient));
    for (const Hop& hop : route.delivery.hops) {
      const std::size_t to =
          phase->box(hop.rule.empty() ? hop.text : fmt::format("{}\n{}", hop.text, hop.rule));
      phase->arrows.emplace(from, to);
      from = to;
    }
    const std::size_t end = phase->box(std::string(to_string(route.delivery.fate)));
    phase->arrows.emplace(from, end);
    phase->ends.insert(end);
  }
  return picture;
}

std::string escaped(std::string_view text, std::string_view line_break) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') {
      out += line_break;
    } else if (c == '"') {
      out += line_break == "<br/>" ? "'" : "\\\"";
    } else if (c == '\\') {
      out += "\\\\";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

std::string routes_dot(const std::vector<DrawnRoute>& routes) {
  const Picture picture = picture_of(routes);
  std::string text =
      "digraph mail {\n  rankdir=LR;\n  node [shape=box, style=filled, fillcolor=\"#eeeeee\", "
      "fontname=\"sans-serif\"];\n";
  for (std::size_t p = 0; p < picture.phases.size(); ++p) {
    const Picture::Phase& phase = picture.phases[p];
    text +=
        fmt::format("  subgraph cluster_{} {{\n    label=\"{}\";\n", p, escaped(phase.name, "\\n"));
    for (std::size_t i = 0; i < phase.boxes.size(); ++i) {
      text += fmt::format("    p{}n{} [label=\"{}\"{}];\n", p, i, escaped(phase.boxes[i], "\\n"),
                          phase.ends.contains(i) ? ", shape=ellipse, fillcolor=\"#cfe2f7\"" : "");
    }
    for (const auto& [from, to] : phase.arrows)
      text += fmt::format("    p{0}n{1} -> p{0}n{2};\n", p, from, to);
    text += "  }\n";
  }
  return text + "}\n";
}

std::string routes_mermaid(const std::vector<DrawnRoute>& routes) {
  const Picture picture = picture_of(routes);
  std::string text = "flowchart LR\n";
  for (std::size_t p = 0; p < picture.phases.size(); ++p) {
    const Picture::Phase& phase = picture.phases[p];
    text += fmt::format("  subgraph p{}[\"{}\"]\n", p, escaped(phase.name, "<br/>"));
    for (std::size_t i = 0; i < phase.boxes.size(); ++i) {
      const bool is_end = phase.ends.contains(i);
      text += fmt::format("    p{}n{}{}\"{}\"{}\n", p, i, is_end ? "([" : "[",
                          escaped(phase.boxes[i], "<br/>"), is_end ? "])" : "]");
    }
    for (const auto& [from, to] : phase.arrows)
      text += fmt::format("    p{0}n{1} --> p{0}n{2}\n", p, from, to);
    text += "  end\n";
  }
  return text;
}

std::string routes_text(const std::vector<DrawnRoute>& routes, const SourceSet& sources) {
  std::string text;
  std::string shown;
  for (const DrawnRoute& route : routes) {
    if (std::string name = heading(route); name != shown) {
      text += name + "\n";
      shown = std::move(name);
    }
    text += fmt::format("  {} for {}: {}\n", to_string(route.letter.entry), route.letter.recipient,
                        to_string(route.delivery.fate));
    for (const Hop& hop : route.delivery.hops) {
      const std::string place = place_of(sources, hop.origin);
      text += fmt::format("    {}{}\n", to_text(hop), place.empty() ? "" : ", " + place);
    }
  }
  return text;
}

ir::Value routes_document(const std::vector<DrawnRoute>& routes, const SourceSet& sources) {
  ir::Value list = ir::Value::list();
  for (const DrawnRoute& route : routes) {
    ir::Value hops = ir::Value::list();
    for (const Hop& hop : route.delivery.hops) {
      hops.push_back(ir::Value::map(
          {{"text", hop.text}, {"rule", hop.rule}, {"place", place_of(sources, hop.origin)}}));
    }
    ir::Value not_moved = ir::Value::list();
    for (const std::string& account : route.not_moved) not_moved.push_back(account);
    list.push_back(ir::Value::map({{"phase", route.phase},
                                   {"wave", route.wave},
                                   {"account", route.account},
                                   {"stands_for", static_cast<std::int64_t>(route.stands_for)},
                                   {"not_moved", std::move(not_moved)},
                                   {"from", std::string(to_string(route.letter.entry))},
                                   {"to", route.letter.recipient},
                                   {"ends", std::string(end_word(route.delivery.fate))},
                                   {"mailbox", route.delivery.mailbox},
                                   {"hops", std::move(hops)}}));
  }
  return ir::Value::map({{"format", 1}, {"routes", std::move(list)}});
}

}  // namespace plan::flow
