#include "compiler/compile.h"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <map>
#include <memory>
#include <set>

#include "compiler/check/account_list.h"
#include "compiler/check/findings.h"
#include "compiler/check/graph_view.h"
#include "compiler/check/kind_of_source.h"
#include "compiler/check/listeners.h"
#include "compiler/check/passed_moments.h"
#include "compiler/check/plan.h"
#include "compiler/check/rules.h"
#include "compiler/facts/lock.h"
#include "compiler/facts/measurement.h"
#include "compiler/flow/handed_on.h"
#include "compiler/flow/proof.h"
#include "compiler/graph_rules.h"
#include "compiler/judged_plan.h"
#include "compiler/lower/given_place.h"
#include "compiler/lower/written_place.h"
#include "compiler/lowering.h"
#include "compiler/modules.h"
#include "compiler/schema/mta_container.h"
#include "compiler/schema/schema.h"
#include "compiler/source/report_again.h"
#include "compiler/source/std_place.h"
#include "compiler/source/text.h"
#include "compiler/std_modules.h"
#include "compiler/syntax/names.h"
#include "compiler/syntax/sound_part.h"
#include "compiler/target_amounts.h"
#include "compiler/yaml_help.h"
#include "embedded/stdlib_modules.h"

namespace plan {
namespace {

/// Reported while the text was read: it stays, also where the text is left out afterwards.
bool is_of_syntax(Kind kind) {
  return kind == Kind::yaml_syntax || kind == Kind::yaml_key || kind == Kind::yaml_merge_key ||
         kind == Kind::yaml_alias || kind == Kind::language_syntax ||
         kind == Kind::expression_syntax || kind == Kind::duplicate_key;
}

/// Whose mail waits because a step lacks the role of the move is told by that step already, which
/// is an error that no plan can silence.
std::vector<Diagnostic> without_twice_told(std::vector<Diagnostic> reported) {
  std::set<std::pair<FileId, std::uint32_t>> without_role;
  for (const Diagnostic& one : reported) {
    if (one.kind == Kind::step_without_rollback_point && one.severity == Severity::error)
      without_role.emplace(one.span.file, one.span.begin);
  }
  std::erase_if(reported, [&](const Diagnostic& one) {
    return one.kind == Kind::mail_flow && without_role.contains({one.span.file, one.span.begin}) &&
           std::any_of(one.help.begin(), one.help.end(), [](const std::string& help) {
             return help.find("`role = held`") != std::string::npos;
           });
  });
  return reported;
}

constexpr std::string_view kWithoutAccounts =
    "accounts, their lists and waves, and where their mail goes are not checked";

class Compilation {
 public:
  explicit Compilation(CompileInput input)
      : input_(std::move(input)), sources_(std::make_shared<SourceSet>()) {}

  CompileResult head() {
    if (auto plan = read_plan()) {
      const check::Migration migration = check::resolve(std::move(*plan), nullptr, nullptr, sink_);
      check::check_rules(migration, sink_);
      summarise(migration);
    }
    return finish();
  }

  CompileResult whole() {
    auto migration = resolved();
    if (!migration) return finish();
    check::check_rules(*migration, sink_);
    summarise(*migration);
    if (!migration->plan.is_sound) {
      judge_modules(*migration);
      return finish();
    }
    findings_ = migration->plan.findings;
    // What follows from an error that was reported is not reported once more.
    if (migration->lock != nullptr && !sink_.has_errors()) {
      expand(*migration);
    } else {
      judge_modules(*migration);
    }
    // A procedure of the plan's own may make the listeners that seem to lack as long as its steps
    // are not known; those of std make none.
    if (is_expanded_ || !migration->plan.use.text.starts_with("./"))
      check::check_listener_rules(*migration, sink_);
    return finish();
  }

  std::optional<JudgedPlan> judged() {
    auto migration = resolved();
    if (!migration) return std::nullopt;
    JudgedPlan plan;
    check::check_rules(*migration, sink_);
    if (migration->lock != nullptr && !sink_.has_errors()) {
      lower::LowerInput lowering = lowering_from(*migration, sink_);
      plan.steps = lowered(*migration, lowering);
    }
    plan.migration = std::move(*migration);
    plan.sources = sources_;
    return plan;
  }

 private:
  std::optional<check::Plan> read_plan() {
    const FileId file = sources_->add(input_.plan_name, std::move(input_.plan_text));
    const auto limits = syntax::TreeLimits::with_bytes(input_.plan_bytes_max);
    auto part = syntax::read_sound_part(*sources_, file, sink_, limits);
    if (!part.tree) return std::nullopt;
    left_out_ = std::move(part.left_out);
    check::Plan plan =
        check::read_plan(std::make_shared<syntax::Node>(std::move(*part.tree)), *sources_, sink_);
    note_gaps(plan);
    return plan;
  }

  /// What the statements that were left out may have said: names for the others, and findings.
  void note_gaps(const check::Plan& plan) {
    const auto is_left_out = [&](std::string_view key) {
      const syntax::Entry* entry = plan.tree->find_entry(key);
      return plan.has_nameless_gap || (entry != nullptr && has_gap(*entry));
    };
    for (const std::string_view key : {"name", "addresses", "domains"})
      may_lack_names_ = may_lack_names_ || is_left_out(key);
    may_lack_findings_ = is_left_out("findings");
  }

  /// Was it left out, or a part of it?
  [[nodiscard]] bool has_gap(const syntax::Entry& entry) const {
    return entry.value.is_left_out ||
           std::any_of(left_out_.begin(), left_out_.end(), [&](const Span& gap) {
             return entry.key_span.begin <= gap.begin && gap.begin < entry.value.span.end;
           });
  }

  /// The plan with all that was read beside it. Nothing of that is taken for one that is not sound.
  std::optional<check::Migration> resolved() {
    auto plan = read_plan();
    if (!plan) return std::nullopt;
    read_account_file(*plan);
    auto lock = read_lock(*plan);
    auto facts = read_facts();
    if (!plan->is_sound) {
      lock = nullptr;
      facts = nullptr;
    }
    return check::resolve(std::move(*plan), std::move(lock), std::move(facts), sink_);
  }

  std::shared_ptr<const facts::Lock> read_lock(const check::Plan& plan) {
    if (!input_.lock_text) {
      if (!plan.is_sound) return nullptr;
      sink_
          .report(Kind::lock_missing, plan.span,
                  fmt::format("there is no `{}` beside this plan", input_.lock_name))
          .help("`plan fetch` asks both servers once and writes it");
      return nullptr;
    }
    const FileId file = sources_->add(input_.lock_name, std::move(*input_.lock_text));
    auto lock = facts::read_lock(*sources_, file, sink_);
    return lock ? std::make_shared<const facts::Lock>(std::move(*lock)) : nullptr;
  }

  std::shared_ptr<const facts::Measurements> read_facts() {
    if (!input_.facts_text) return nullptr;
    const FileId file = sources_->add(input_.facts_name, std::move(*input_.facts_text));
    return std::make_shared<const facts::Measurements>(
        facts::read_measurements(*sources_, file, sink_));
  }

  void read_account_file(check::Plan& plan) {
    if (!plan.account_file_span.is_known() || !plan.accounts_from["csv"].is_string()) return;
    const std::string path = plan.accounts_from["csv"].as_string();
    std::string why = "there is no such file";
    if (const std::string outside = syntax::why_not_in_folder(path); !outside.empty()) {
      why = outside;
    } else if (input_.file_text) {
      if (auto text = input_.file_text(path)) {
        const FileId file = sources_->add(path, std::move(*text));
        const std::size_t errors = sink_.count(Severity::error);
        check::read_account_file(plan, *sources_, file, sink_);
        if (sink_.count(Severity::error) == errors) return;
        plan.is_partial = true;
        if (plan.account_list.empty())
          sink_
              .report(Kind::accounts_file, plan.account_file_span,
                      "no account is known from this file")
              .severity(Severity::note)
              .label(std::string(kWithoutAccounts))
              .help("mend what is said of the file, then check again");
        return;
      } else {
        why = text.error().message();
      }
    }
    plan.has_account_list = true;
    plan.is_partial = true;
    sink_
        .report(Kind::accounts_file, plan.account_file_span,
                fmt::format("the accounts of this plan cannot be read: {}", why))
        .label(std::string(kWithoutAccounts))
        .help("the path begins in the folder of the plan and stays in it");
  }

  [[nodiscard]] ModuleSource modules() const {
    return {input_.stdlib.empty() ? embedded::stdlib_modules() : input_.stdlib, input_.file_text};
  }

  [[nodiscard]] auto std_steps(const check::Plan& plan) const {
    return [stdlib = modules().stdlib, is_from_stalwart = check::is_from_stalwart(plan)](
               std::string_view id, const lower::Present& present) {
      return std_module_of(stdlib, id, is_from_stalwart, present);
    };
  }

  [[nodiscard]] lower::LowerInput lowering_from(const check::Migration& migration, Sink& sink) {
    lower::LowerInput lowering = lowering_of(migration, *sources_, sink);
    lowering.std_module_of = std_steps(migration.plan);
    if (input_.schema != nullptr) {
      lowering.with_target_amounts = [schema = input_.schema](ir::StepKind kind,
                                                              ir::Value arguments) {
        return with_target_amounts(*schema, kind, std::move(arguments));
      };
    }
    return lowering;
  }

  /// The steps; nothing: something was reported.
  std::optional<ir::StepGraph> lowered(check::Migration& migration, lower::LowerInput& lowering) {
    if (sink_.has_errors()) return std::nullopt;
    Sink said;
    linked_ =
        link_modules(migration.plan, modules(), lowering.scope, lowering.rows, {}, *sources_, said);
    if (linked_ == nullptr) {
      report_of_modules(said, {});
      return std::nullopt;
    }
    if (!linked_->is_whole) {
      judge_steps(migration, lowering, *linked_, said);
      return std::nullopt;
    }
    report_of_modules(said, {});
    lowering.modules = std::move(linked_->instances);
    lowering.module = lowering.modules.back().tree;
    auto graph = lower::lower(lowering, sink_);
    if (!graph) {
      Sink heard;  // what is wrong with the steps themselves was said
      check_objects(lowering.modules);
      check_values(migration, lower::check_steps(lowering, {}, heard), lowering.modules);
      return std::nullopt;
    }
    migration.made_listeners = check::made_listeners(*graph);
    migration.spared_networks = check::spared_networks(*graph);
    migration.now_ms = input_.now_ms;
    return graph;
  }

  void expand(check::Migration& migration) {
    lower::LowerInput lowering = lowering_from(migration, sink_);
    auto graph = lowered(migration, lowering);
    if (!graph) return;
    is_expanded_ = true;
    if (input_.is_only_lowered) {
      result_.graph = std::move(*graph);
      return;
    }
    Sink judged;
    if (input_.now_ms) result_.next_moment_ms = check::next_moment(*graph, *input_.now_ms);
    lower::WrittenPlaces places(lowering.modules, *sources_);
    const check::MemberPlace place_of_member = [&](ir::StepId step, std::string_view path) {
      const Span origin = graph->origin(step);
      const bool is_own = origin.is_known() && !sources_->name(origin.file).starts_with("std/");
      return is_own ? places.written(graph->id(step), origin, path, false) : Span{};
    };
    check::check_graph_rules(migration, *graph, input_.schema, place_of_member, judged);
    report_of_steps(judged, lowering.modules);
    check_clear_secrets(*graph, lowering.modules, *sources_, sink_);
    if (input_.schema != nullptr) {
      report_unknown_constructs(*input_.schema, migration.plan.place("target"), sink_);
      check_objects(lowering.modules);
      check_target_values(*graph, *input_.schema, migration.plan, lowering.modules, *sources_,
                          said_of_objects_, sink_);
    } else if (!migration.plan.is_of_store) {
      sink_
          .report(Kind::schema_missing, migration.plan.place("target"),
                  "the target's schema is not in the cache")
          .label("values for its objects are not checked")
          .help("`plan fetch` brings it");
      check_secret_names(*graph, sink_);
    }
    judge_switched_off(migration, lowering);
    flow::ProofLimits proof;
    proof.subjects_max = input_.mail_subjects_max;
    const ir::Value* ips = lowering.scope.find("source_ips");
    flow::MailFacts mail = mail_facts_of(migration);
    mail.is_schema_known = input_.schema != nullptr;
    mail.measured = measured_names(migration, lowering.scope.find("prior"));
    if (ips != nullptr) {
      for (const ir::Value& ip : ips->items()) mail.hosts.emplace_back(ip.string_or(""));
    }
    flow::report_mail_flow(*graph, migration.plan.use.span, sink_, proof, mail);
    if (result_.plan) result_.plan->mail = std::move(mail);
    if (ips != nullptr)
      flow::report_handed_on(*graph, *migration.lock, *ips, migration.plan.use.span, sink_);
    if (!sink_.has_errors()) result_.graph = std::move(*graph);
  }

  /// Not measured: what a server does unless it is told otherwise.
  [[nodiscard]] static std::string tag_delimiters_of(const check::Migration& migration) {
    if (migration.lock == nullptr) return "+";
    return std::string(
        check::rules::setting(migration, "source.recipient_delimiter").string_or("+"));
  }

  [[nodiscard]] static flow::MailFacts mail_facts_of(const check::Migration& migration) {
    flow::MailFacts facts;
    facts.tag_delimiters = tag_delimiters_of(migration);
    for (const auto& [name, members] :
         check::rules::setting(migration, "source.catch_alls").members()) {
      if (!name.starts_with('@') || members.size() == 0) continue;
      std::vector<std::string>& all = facts.catch_alls[lower_ascii(name.substr(1))];
      for (const ir::Value& member : members.items())
        all.push_back(lower_ascii(member.string_or("")));
    }
    const check::Plan& plan = migration.plan;
    for (const check::Named* const one :
         {&plan.source_address, &plan.target_address, &plan.proxy, &plan.public_name})
      facts.hosts.push_back(one->text);
    for (const std::string_view url :
         {plan.target["url"].string_or(""), plan.source["stalwart"]["url"].string_or("")})
      facts.hosts.emplace_back(syntax::host_of_url(url));
    facts.hosts.emplace_back(plan.source["stalwart"]["target_name"].string_or(""));
    const auto route = schema::MtaContainer::parse(
        check::rules::setting(migration, "target.MtaOutboundStrategy.route"),
        schema::context_of("MtaOutboundStrategy", "route"));
    if (!route) return facts;  // not measured, or said by a rule
    for (const auto& arm : route->arms()) {
      for (const schema::MtaNode& node : arm.condition.nodes) add_set(arm.condition, node, facts);
      for (const schema::MtaNode& node : arm.result.nodes) add_set(arm.result, node, facts);
    }
    return facts;
  }

  static void add_set(const schema::MtaExpression& expression, const schema::MtaNode& node,
                      flow::MailFacts& facts) {
    const bool asks_for_key = node.kind == schema::MtaNode::Kind::call &&
                              (node.text == "key_exists" || node.text == "key_get");
    if (!asks_for_key || node.children.empty()) return;
    const schema::MtaNode& set = expression.nodes[node.children.front()];
    if (set.kind == schema::MtaNode::Kind::text) facts.target_sets.push_back(set.text);
  }

  /// `prior`: what the procedure keeps of the target's settings.
  [[nodiscard]] static std::shared_ptr<const flow::MeasuredNames> measured_names(
      const check::Migration& migration, const ir::Value* prior) {
    auto names = std::make_shared<flow::MeasuredNames>();
    for (const facts::LockDomain& domain : migration.lock->target_domains) {
      names->target_domains.insert(lower_ascii(domain.name));
      for (const std::string& other : domain.aliases)
        names->target_domains.insert(lower_ascii(other));
    }
    for (const std::string& address : migration.lock->target_addresses)
      names->target_addresses.push_back(lower_ascii(address));
    std::sort(names->target_addresses.begin(), names->target_addresses.end());
    for (const std::string& domain : migration.lock->source_domains)
      names->source_domains.insert(lower_ascii(domain));
    if (prior == nullptr) return names;
    auto route = schema::MtaContainer::parse((*prior)["route"],
                                             schema::context_of("MtaOutboundStrategy", "route"));
    if (route)
      names->route_before = std::make_shared<const schema::MtaContainer>(std::move(*route));
    return names;
  }

  /// For a plan that is not expanded because of errors of its own: the modules in its folder, as
  /// far as it does not follow from what is wrong with the plan. Those of std are whole.
  void judge_modules(check::Migration& migration) {
    if (!migration.plan.use.text.starts_with("./")) return;
    const std::set<std::string> unknown = unknown_names(migration);
    const auto lock = migration.lock;
    if (lock == nullptr) migration.lock = std::make_shared<const facts::Lock>();
    Sink unheard;
    lower::LowerInput lowering = lowering_from(migration, unheard);
    Sink said;
    const auto linked = link_modules(migration.plan, modules(), lowering.scope, lowering.rows,
                                     unknown, *sources_, said);
    if (linked == nullptr) {
      report_of_modules(said, {});
    } else {
      judge_steps(migration, lowering, *linked, said);
    }
    migration.lock = lock;
  }

  /// Names that the plan would give to its modules if the part behind them were right.
  [[nodiscard]] std::set<std::string> unknown_names(const check::Migration& migration) const {
    const check::Plan& plan = migration.plan;
    const std::vector<Diagnostic> reported = sink_.sorted();
    const auto is_right = [&](std::string_view key, bool is_required) {
      const syntax::Entry* entry = plan.tree->find_entry(key);
      if (entry == nullptr || (entry->value.is_null() && !entry->value.is_left_out))
        return !is_required && !plan.has_nameless_gap;
      return !has_gap(*entry) &&
             std::none_of(reported.begin(), reported.end(), [&](const Diagnostic& one) {
               return one.severity == Severity::error && one.span.file == entry->key_span.file &&
                      entry->key_span.begin <= one.span.begin &&
                      one.span.begin <= entry->value.span.end;
             });
    };
    std::set<std::string> unknown;
    const auto need = [&](bool is_known, std::initializer_list<const char*> names) {
      if (!is_known) unknown.insert(names.begin(), names.end());
    };
    const bool has_lock = migration.lock != nullptr;
    need(is_right("addresses", true), {"addresses", "source_ips"});
    need(is_right("source", true), {"source"});
    need(is_right("target", true), {"target"});
    need(is_right("move", false), {"move"});
    need(is_right("cutover", true), {"cutover"});
    need(is_right("finalize", false), {"finalize"});
    need(is_right("domains", true), {"domain_names", "domain_conditions"});
    need(is_right("rollback_points", false), {"rollback_points"});
    need(is_right("dump", false) && is_right("store", false), {"store"});
    need(has_lock, {"prior", "resolves_names", "source_ips"});
    return unknown;
  }

  /// The steps of modules of which, or of whose plan, a part is missing.
  void judge_steps(const check::Migration& migration, lower::LowerInput& lowering,
                   LinkedModules& linked, Sink& said) {
    lowering.modules = std::move(linked.instances);
    const auto right = lower::check_steps(lowering, linked.lost, said);
    left_out_.insert(left_out_.end(), linked.left_out.begin(), linked.left_out.end());
    report_of_modules(said, linked.damaged);
    check_values(migration, right, lowering.modules);
  }

  /// What steps write that are switched off, as far as it is known.
  void judge_switched_off(const check::Migration& migration, const lower::LowerInput& lowering) {
    const bool has_own = std::any_of(
        lowering.modules.begin(), lowering.modules.end(), [&](const lower::ModuleInstance& module) {
          const Span at = module.tree->span;
          return at.is_known() && !sources_->name(at.file).starts_with("std/");
        });
    if (!has_own) return;
    const auto off = lower::steps_switched_off(lowering);
    if (!off) return;
    check_clear_secrets(*off, lowering.modules, *sources_, sink_);
    if (input_.schema == nullptr) return check_secret_names(*off, sink_);
    check_target_values(*off, *input_.schema, migration.plan, lowering.modules, *sources_,
                        said_of_objects_, sink_);
  }

  void check_objects(const std::vector<lower::ModuleInstance>& modules) {
    if (input_.schema != nullptr)
      said_of_objects_ = check_object_inputs(*input_.schema, modules, *sources_, sink_);
  }

  void check_values(const check::Migration& migration, const std::optional<ir::StepGraph>& steps,
                    const std::vector<lower::ModuleInstance>& modules) {
    if (steps && input_.schema != nullptr)
      check_target_values(*steps, *input_.schema, migration.plan, modules, *sources_,
                          said_of_objects_, sink_);
  }

  /// What was said about steps. A step of std is not the operator's to mend: where he gives its
  /// module values, that place is said too.
  void report_of_steps(const Sink& judged, const std::vector<lower::ModuleInstance>& modules) {
    for (Diagnostic one : judged.sorted()) {
      std::vector<Span> places = {one.span};
      for (const Label& note : one.notes) places.push_back(note.span);
      for (const Span place : places) {
        if (!is_of_std(*sources_, place)) continue;
        const auto* module = lower::module_at(modules, place);
        if (module == nullptr || module->given.empty()) continue;
        if (std::none_of(one.notes.begin(), one.notes.end(),
                         [&](const Label& note) { return note.span == module->used_at; }))
          one.notes.push_back({module->used_at, "its module is used here"});
      }
      report_again(one, sink_);
    }
  }

  /// What was said about modules, without what may only follow from statements that were left out
  /// of the damaged ones: names that nobody has there.
  void report_of_modules(const Sink& said, const std::vector<FileId>& damaged) {
    std::map<std::pair<FileId, std::uint32_t>, std::uint32_t> unheard;  // by begin: end
    const std::vector<Diagnostic> all = said.sorted();
    for (const Diagnostic& one : all) {
      const bool is_damaged =
          std::find(damaged.begin(), damaged.end(), one.span.file) != damaged.end();
      if (is_damaged && one.kind == Kind::unknown_name)
        unheard[{one.span.file, one.span.begin}] = one.span.end;
    }
    // A module of std is right: what is said of it follows from what it is given.
    const bool is_std_heard = damaged.empty() && !sink_.has_errors();
    const auto follows = [&](const Diagnostic& one) {
      if (!is_std_heard && is_of_std(*sources_, one.span)) return true;
      if (one.kind == Kind::input_missing) return !damaged.empty();
      auto behind = unheard.lower_bound({one.span.file, one.span.end});
      if (behind == unheard.begin()) return false;
      const auto& [place, end] = *--behind;
      return place.first == one.span.file && one.span.begin < end;
    };
    for (const Diagnostic& one : all) {
      if (follows(one)) continue;
      report_again(one, sink_);
    }
  }

  void summarise(const check::Migration& migration) {
    const check::Plan& plan = migration.plan;
    PlanSummary summary;
    summary.name = plan.name.text;
    summary.procedure = plan.use.text;
    summary.public_name = plan.public_name.text;
    summary.proxy_address = plan.proxy.text;
    summary.source_address = plan.source_address.text;
    summary.target_address = plan.target_address.text;
    for (const check::Named& domain : plan.domains) summary.domains.push_back(domain.text);
    summary.account_count = migration.accounts.size();
    summary.list_count = migration.lists.size();
    for (const check::PlanWave& wave : plan.waves) {
      summary.waves.push_back({wave.name, 0, wave.parallel, wave.is_held_for_approval});
    }
    for (const check::Account& account : migration.accounts) {
      if (account.wave < summary.waves.size()) ++summary.waves[account.wave].account_count;
    }
    for (const check::Named& point : plan.rollback_points)
      summary.rollback_points.push_back(point.text);
    for (const check::PlanDump& dump : plan.dumps) summary.dump_folders.push_back(dump.folder.text);
    summary.is_each_account_a_point = plan.has_point("each-account");
    summary.connections = connections_of(plan);
    result_.plan = std::move(summary);
  }

  CompileResult finish() {
    result_.sources = sources_;
    const bool is_complete = !sink_.has_errors();
    std::vector<Diagnostic> reported = sink_.sorted();
    std::erase_if(reported, [&](const Diagnostic& one) {
      // What is said of a part that was left out follows from that.
      return (!is_of_syntax(one.kind) && is_left_out(one.span)) ||
             (may_lack_names_ && one.kind == Kind::unknown_name) ||
             (may_lack_findings_ && one.severity != Severity::error);
    });
    for (Diagnostic& one : reported) {
      if (!is_of_yaml(one)) continue;
      for (std::string& help : one.help) help = help_in_yaml(help);
    }
    // Without a clock nobody knows what has passed.
    if (!input_.now_ms)
      std::erase_if(findings_, [](const auto& rule) { return rule.kind == Kind::moment_passed; });
    check::SortedFindings sorted =
        check::apply_findings(findings_, std::move(reported), *sources_, is_complete);
    result_.diagnostics = without_twice_told(std::move(sorted.diagnostics));
    for (check::Silenced& one : sorted.silenced)
      result_.silenced.push_back({std::move(one.diagnostic), one.rule.reason, one.rule.span});
    // The plan may have raised a warning to an error.
    if (result_.has_errors()) result_.graph.reset();
    return std::move(result_);
  }

  /// Is it mended in a file of YAML?
  [[nodiscard]] bool is_of_yaml(const Diagnostic& diagnostic) const {
    if (!diagnostic.span.is_known()) return false;
    const std::string_view name = sources_->name(diagnostic.span.file);
    return name.ends_with(".yaml") || name.ends_with(".yml");
  }

  [[nodiscard]] bool is_left_out(Span place) const {
    return std::any_of(left_out_.begin(), left_out_.end(), [&](const Span& gap) {
      return gap.file == place.file && gap.begin <= place.begin && place.begin < gap.end;
    });
  }

  CompileInput input_;
  std::shared_ptr<SourceSet> sources_;
  Sink sink_;
  std::vector<check::FindingRule> findings_;
  std::vector<Span> left_out_;  // of the plan and its modules, because its syntax is broken
  std::unique_ptr<LinkedModules> linked_;  // whose trees the steps point into
  bool is_expanded_ = false;
  SaidPlaces said_of_objects_;
  bool may_lack_names_ = false;
  bool may_lack_findings_ = false;
  CompileResult result_;
};

}  // namespace

bool CompileResult::has_errors() const {
  return std::any_of(diagnostics.begin(), diagnostics.end(),
                     [](const Diagnostic& d) { return d.severity == Severity::error; });
}

CompileResult compile(CompileInput input) { return Compilation(std::move(input)).whole(); }
std::optional<JudgedPlan> judged_plan(CompileInput input) {
  return Compilation(std::move(input)).judged();
}
CompileResult read_plan_head(CompileInput input) { return Compilation(std::move(input)).head(); }

}  // namespace plan
