#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/check/account_list.h"
#include "compiler/check/blocks.h"
#include "compiler/check/fields.h"
#include "compiler/check/kind_of_source.h"
#include "compiler/check/names.h"
#include "compiler/check/plan.h"
#include "compiler/check/plan_waves.h"
#include "compiler/check/store_plan.h"
#include "compiler/schema/formats.h"
#include "compiler/source/text.h"

namespace plan::check {
namespace {

using ir::Value;
using syntax::Entry;
using syntax::Node;

const std::vector<std::string_view> kPlanKeys = {
    "plan",     "name",   "use",     "addresses", "hosts",
    "source",   "target", "proxies", "domains",   "accounts",
    "waves",    "move",   "cutover", "finalize",  "rollback_points",
    "findings",
};
const std::vector<std::string_view> kAccountKeys = {"from", "except", "without_password"};
const std::vector<std::string_view> kOurAccountSources = {"passwd_file", "stalwart", "csv", "list"};
const std::vector<std::string_view> kOtherAccountSources = {"sql", "mailcow", "mail-in-a-box"};
const std::vector<std::string_view> kPoints = {"before-cutover", "each-account", "before-finalize"};
constexpr std::string_view kStoreMove = "std/store-move";
const std::vector<std::string_view> kProcedures = {kDovecotPostfix, kOldStalwart, kStoreMove};
constexpr std::string_view kProceduresHelp =
    "this version has `std/dovecot-postfix`, `std/stalwart-0.15` and `std/store-move`";
constexpr std::string_view kDatabaseHelp =
    "this version reads `passwd_file`, `csv` and lists; a database is exported into a passwd-file "
    "by `export` in `source`, and `plan init --list` names plans that do";

class PlanReader {
 public:
  PlanReader(std::shared_ptr<const Node> tree, const SourceSet& sources, Sink& sink)
      : tree_(std::move(tree)), sink_(sink), reader_(scope_, sources, sink) {
    plan_.tree = tree_;
    plan_.span = {tree_->span.file, tree_->span.begin, tree_->span.begin + 1};
  }

  Plan read() {
    if (!tree_->is_mapping()) {
      reader_.wrong_type(*tree_, "a mapping", "the plan");
      return std::move(plan_);
    }
    find_gaps();
    read_version();
    read_name();
    if (!read_procedure()) return std::move(plan_);
    const bool is_own_module = !plan_.use.text.starts_with("std/");
    plan_.is_of_store =
        plan_.use.text == kStoreMove || meant_ == kStoreMove ||
        (is_own_module && (tree_->find("dump") != nullptr || tree_->find("store") != nullptr));
    const std::vector<std::string_view>& keys = plan_.is_of_store ? store_plan_keys() : kPlanKeys;
    for (const Entry& entry : tree_->entries) {
      if (!entry.value.is_left_out &&
          std::find(keys.begin(), keys.end(), std::string_view(entry.key)) == keys.end())
        reader_.unknown_key(entry, "the plan", keys);
    }
    if (plan_.is_of_store) {
      const std::size_t errors = sink_.count(Severity::error);
      read_store_plan(plan_, reader_, sink_);
      plan_.is_sound = sink_.count(Severity::error) == errors;
      read_points();
      read_findings();
      return std::move(plan_);
    }
    read_addresses();
    plan_.hosts = reader_.block(tree_->find("hosts"), host_fields(), "`hosts`", plan_.span);
    plan_.source = required_block("source", source_fields());
    if (!is_left_out("source")) check_kind_of_source(plan_, sink_);
    plan_.target = required_block("target", target_fields());
    check_names_for_stalwart(plan_, sink_);
    if (const Node* target = tree_->find("target")) {
      const Node* service = target->find("service");
      if (service != nullptr && service->is_mapping())
        check_service(plan_.target["service"], *service, sink_);
    }
    plan_.move = reader_.block(tree_->find("move"), move_fields(), "`move`", plan_.span);
    read_proxies();
    const std::size_t errors = sink_.count(Severity::error);
    read_domains();
    plan_.is_partial = sink_.count(Severity::error) != errors || plan_.has_nameless_gap;
    plan_.is_sound = read_accounts() && !plan_.domains.empty();
    read_waves(plan_, reader_, sink_);
    read_cutover();
    read_finalize();
    read_points();
    read_findings();
    return std::move(plan_);
  }

 private:
  void find_gaps() {
    const auto is_among = [](const std::vector<std::string_view>& keys, std::string_view key) {
      return std::find(keys.begin(), keys.end(), key) != keys.end();
    };
    for (const Entry& entry : tree_->entries) {
      if (!entry.value.is_left_out) continue;
      const bool is_named =
          is_among(kPlanKeys, entry.key) || is_among(store_plan_keys(), entry.key);
      plan_.has_nameless_gap = plan_.has_nameless_gap || !is_named;
    }
  }

  /// Its syntax is broken, which was reported: nothing can be said about it.
  [[nodiscard]] bool is_left_out(std::string_view key) const {
    const Node* node = tree_->find(key);
    return node == nullptr ? plan_.has_nameless_gap : node->is_left_out;
  }

  /// Another key stands there that is reported as a misspelt one.
  [[nodiscard]] bool is_misspelt(std::string_view key) const {
    const Node* node = tree_->find(key);
    return node == nullptr &&
           FieldReader::is_misspelt(*tree_, key, plan_.is_of_store ? store_plan_keys() : kPlanKeys);
  }

  Sink::Report report_missing(std::string_view key) {
    const Entry* entry = tree_->find_entry(key);
    return sink_.report(Kind::missing_key, entry == nullptr ? plan_.span : entry->key_span,
                        entry == nullptr ? fmt::format("`{}` is missing in the plan", key)
                                         : fmt::format("`{}` of the plan is empty", key));
  }

  const Node* required(std::string_view key, std::string_view help = {}) {
    const Node* node = tree_->find(key);
    if (node != nullptr && !node->is_null()) return node;
    if (is_left_out(key) || is_misspelt(key)) return nullptr;
    auto report = report_missing(key);
    if (!help.empty()) report.help(std::string(help));
    return nullptr;
  }
  Value required_block(std::string_view key, const std::vector<Field>& fields) {
    const Node* node = required(key);
    if (node == nullptr) return Value::map();
    return reader_.block(node, fields, fmt::format("`{}`", key), node->span);
  }

  void read_version() {
    const Node* node = tree_->find("plan");
    if (is_left_out("plan") || is_misspelt("plan")) return;
    if (node == nullptr) {
      sink_.report(Kind::missing_key, plan_.span, "`plan` is missing in the plan")
          .help("begin the file with `plan: 1`");
    } else if (!node->is_scalar() || node->text != "1") {
      sink_
          .report(Kind::plan_version, node->span,
                  fmt::format("the plan has version `{}`, this program reads 1",
                              printable(node->text, 40)))
          .help("write `plan: 1`, or use the program that the plan was written for");
    }
  }

  void read_name() {
    const Node* node =
        required("name", "give the migration a name: `name: example.org to Stalwart`");
    if (node == nullptr) return;
    auto text = reader_.text(*node, "`name`");
    if (text && trim(*text).empty()) {
      sink_.report(Kind::bad_value, node->span, "the migration has no name")
          .help("the lock belongs to it: `name: example.org to Stalwart`");
    } else if (text) {
      plan_.name = {std::move(*text), node->span};
    }
    scope_.set("name", plan_.name.text);
  }

  /// False: another procedure's plan; its keys are not ours to judge.
  bool read_procedure() {
    const Node* node = required("use", "write `use: std/dovecot-postfix`");
    if (node == nullptr) return true;
    // `{module: NAME, digest: ..., with: {...}}`; link_modules reads the rest of it.
    const Node* module = node->is_mapping() ? node->find("module") : node;
    if (module == nullptr) {
      reader_.wrong_type(*node, "a module", "`use`");
      return true;
    }
    const auto text = reader_.text(*module, "`use`");
    if (!text) return true;
    plan_.use = {*text, module->span};
    if (text->starts_with("./")) return true;
    if (std::find(kProcedures.begin(), kProcedures.end(), std::string_view(*text)) !=
        kProcedures.end())
      return true;
    auto report = sink_.report(Kind::unknown_procedure, node->span,
                               fmt::format("there is no procedure `{}`", printable(*text, 80)));
    report.help(std::string(kProceduresHelp));
    const auto near = nearest(*text, kProcedures);
    if (!near) return false;
    // The rest is read as a plan of the one that was meant: all mistakes at once.
    report.label(fmt::format("did you mean `{}`?", *near));
    meant_ = *near;
    return true;
  }

  void read_addresses() {
    const Node* node = required("addresses");
    if (node == nullptr) return;
    plan_.addresses = reader_.block(node, address_fields(), "`addresses`", node->span);
    // As both servers see and print them: steps compare these texts, and others write them.
    const Value written = plan_.addresses;
    for (const auto& [key, value] : written.members()) {
      if (is_ip_address(value.string_or("")))
        plan_.addresses.set(key, schema::canonical_host(value.string_or("")));
    }
    const auto named = [&](std::string_view key) {
      const Node* value = node->find(key);
      return Named{std::string(plan_.addresses[key].string_or("")),
                   value == nullptr ? node->span : value->span};
    };
    plan_.public_name = named("public");
    if (is_ip_address(plan_.public_name.text)) {
      sink_
          .report(Kind::bad_host, plan_.public_name.span,
                  fmt::format("the public name is an IP address, `{}`",
                              printable(plan_.public_name.text, 80)))
          .severity(Severity::warning)
          .label("nothing can point it at the proxies; it would have to be taken to their machine")
          .help(
              "write the name that clients have in their settings; their certificates are for it");
    }
    plan_.proxy = named("proxy");
    plan_.source_address = named("source");
    plan_.target_address = named("target");
    scope_.set("addresses", plan_.addresses);
  }

  void read_proxies() {
    plan_.proxies = Value::list();
    const Node* node =
        required("proxies",
                 "name the migration proxies: `- {name: edge1, control: "
                 "unix:/run/plan-proxy/control.sock, token: !secret file:secrets/edge1}`");
    if (node == nullptr) return;
    if (!node->is_sequence()) return reader_.wrong_type(*node, "a list", "`proxies`");
    std::vector<Named> names;
    std::vector<Named> controls;  // one control port is one proxy: the others would never be told
    for (const Node& item : node->items) {
      Value proxy = reader_.block(&item, proxy_fields(), "this proxy", item.span);
      const Node* name = item.find("name");
      if (name != nullptr) names.push_back({std::string(proxy["name"].string_or("")), name->span});
      if (const Node* control = item.find("control"); control != nullptr)
        controls.push_back({std::string(proxy["control"].string_or("")), control->span});
      plan_.proxies.push_back(std::move(proxy));
    }
    if (node->items.empty())
      sink_.report(Kind::missing_key, node->span, "no proxy is named")
          .help("accounts move behind at least one proxy");
    report_duplicates(names, "proxy", sink_);
    std::erase_if(controls, [](const Named& one) { return one.text.empty(); });
    report_duplicates(controls, "the control port", sink_);
  }

  void read_domains() {
    const Node* node = required("domains", "name the domains that move: `domains: [example.org]`");
    if (node == nullptr) return;
    plan_.domains_span = node->span;
    for (Named& domain : reader_.names(*node, "`domains`")) {
      if (const std::string why = why_not_domain(domain.text); !why.empty()) {
        sink_.report(Kind::bad_domain, domain.span,
                     fmt::format("`{}` is no domain name: {}", printable(domain.text, 80), why));
        continue;
      }
      plan_.domains.push_back(std::move(domain));
    }
    if (node->is_sequence() && node->items.empty())
      sink_.report(Kind::missing_key, node->span, "no domain is named");
    Value list = Value::list();
    for (const Named& domain : plan_.domains) list.push_back(domain.text);
    scope_.set("domains", std::move(list));
  }

  /// `except` also takes whole domains, as `@example.net`.
  std::vector<Named> read_addresses_of(const Node& node, const std::string& what,
                                       bool takes_domains = false) {
    return addresses_in(reader_.names(node, what), takes_domains, sink_);
  }

  /// False: which accounts move cannot be told. A name of a list that is none leaves the others.
  bool read_accounts() {
    const Node* node = required(
        "accounts",
        "say where the accounts are: `accounts: {from: {passwd_file: /etc/dovecot/users}}`");
    if (node == nullptr) return false;
    plan_.accounts_span = node->span;
    if (!node->is_mapping()) {
      reader_.wrong_type(*node, "a mapping", "`accounts`");
      return false;
    }
    if (const Entry* entry = tree_->find_entry("accounts")) plan_.accounts_span = entry->key_span;
    for (const Entry& entry : node->entries) {
      if (std::find(kAccountKeys.begin(), kAccountKeys.end(), std::string_view(entry.key)) ==
          kAccountKeys.end()) {
        reader_.unknown_key(entry, "`accounts`", kAccountKeys);
        take_meant_exceptions(entry.value);
      }
    }
    if (const Node* except = node->find("except")) {
      const std::size_t errors = sink_.count(Severity::error);
      plan_.except = read_addresses_of(*except, "`except`", true);
      if (sink_.count(Severity::error) != errors) take_meant_exceptions(*except);
    }
    if (const Node* without = node->find("without_password")) {
      plan_.without_password = read_addresses_of(*without, "`without_password`");
    }
    const Node* from = node->find("from");
    if (from == nullptr || from->is_null()) {
      if (from == nullptr && FieldReader::is_misspelt(*node, "from", kAccountKeys)) return false;
      sink_.report(Kind::missing_key, plan_.accounts_span, "`from` is missing in `accounts`")
          .help(
              "write `from: {passwd_file: /etc/dovecot/users}`, `from: {csv: accounts.csv}` or a "
              "list of addresses");
      return false;
    }
    const std::size_t before = sink_.count(Severity::error);
    read_account_source(*from);
    const bool is_source_read = sink_.count(Severity::error) == before;
    const bool has_some = plan_.has_account_list && !plan_.account_list.empty();
    if (!is_source_read) plan_.is_partial = true;
    return is_source_read || has_some;
  }

  void take_meant_exceptions(const Node& node) {
    plan_.is_partial = true;
    if (node.is_scalar()) plan_.meant_exceptions.push_back(lower_ascii(node.text));
    for (const Node& item : node.items) take_meant_exceptions(item);
    for (const Entry& entry : node.entries) take_meant_exceptions(entry.value);
  }

  void read_account_source(const Node& from) {
    if (from.is_sequence()) {
      plan_.has_account_list = true;
      plan_.account_list = read_addresses_of(from, "`from`");
      plan_.accounts_from = Value::map({{"list", true}});
      return;
    }
    if (!from.is_mapping() || from.entries.size() != 1) {
      sink_
          .report(Kind::wrong_type, from.span,
                  "`from` needs exactly one place where the accounts are")
          .help("`{passwd_file: PATH}`, `{csv: PATH}` or a list of addresses");
      return;
    }
    const Entry& entry = from.entries.front();
    if (std::find(kOtherAccountSources.begin(), kOtherAccountSources.end(),
                  std::string_view(entry.key)) != kOtherAccountSources.end()) {
      sink_
          .report(Kind::procedure_unavailable, entry.key_span,
                  fmt::format("accounts from `{}` are not in this version", entry.key))
          .help(std::string(kDatabaseHelp));
      return;
    }
    if (std::find(kOurAccountSources.begin(), kOurAccountSources.end(),
                  std::string_view(entry.key)) == kOurAccountSources.end()) {
      return reader_.unknown_key(entry, "`from`", kOurAccountSources);
    }
    if (entry.key == "list") {
      plan_.has_account_list = true;
      plan_.account_list = read_addresses_of(entry.value, "`list`");
      plan_.accounts_from = Value::map({{"list", true}});
      return;
    }
    if (entry.key == "stalwart") return read_principals(entry);
    if (entry.key == "passwd_file" && check::is_from_stalwart(plan_)) {
      sink_
          .report(Kind::bad_value, entry.key_span,
                  "the source is a Stalwart, which has no passwd-file")
          .help("`from: {stalwart: principals}`, `{csv: PATH}` or a list of addresses");
      return;
    }
    const Field path{"path", FieldType::path, true};
    plan_.accounts_from =
        Value::map({{entry.key, reader_.field(entry.value, path, fmt::format("`{}`", entry.key))}});
    if (entry.key == "csv") plan_.account_file_span = entry.value.span;
    if (entry.key == "passwd_file" && plan_.source["dovecot"]["users_file"].string_or("").empty()) {
      Value dovecot = plan_.source["dovecot"];
      dovecot.set("users_file", plan_.accounts_from["passwd_file"]);
      plan_.source.set("dovecot", std::move(dovecot));
    }
  }

  void read_principals(const Entry& entry) {
    const Field principals{"stalwart", FieldType::word, true, {}, {}, {"principals"}};
    plan_.accounts_from =
        Value::map({{"stalwart", reader_.field(entry.value, principals, "`stalwart`")}});
    // By a procedure for a Stalwart the source was told already.
    if (check::is_from_stalwart(plan_) || plan_.use.text == kOldStalwart || is_left_out("source"))
      return;
    sink_
        .report(Kind::missing_key, entry.key_span,
                "the accounts are principals of a Stalwart, and `source` names none")
        .help(std::string(kOldStalwartHelp));
  }

  void read_cutover() {
    const Node* node = tree_->find("cutover");
    plan_.cutover = Value::map({{"run", nullptr}, {"undo", nullptr}});
    const Entry* entry = tree_->find_entry("cutover");
    plan_.cutover_span = entry == nullptr ? plan_.span : entry->key_span;
    if (is_left_out("cutover") || is_misspelt("cutover")) return;
    if (node == nullptr || node->is_null()) {
      report_missing("cutover").help(
          "say who moves the public address: `cutover: {address: operator}` or `{address: "
          "{run: [...], undo: [...]}}`");
      return;
    }
    if (!node->is_mapping()) return reader_.wrong_type(*node, "a mapping", "`cutover`");
    for (const Entry& member : node->entries) {
      if (member.key != "address") reader_.unknown_key(member, "`cutover`", {"address"});
    }
    const Node* address = node->find("address");
    if (address == nullptr) {
      if (!FieldReader::is_misspelt(*node, "address", {"address"}))
        sink_.report(Kind::missing_key, plan_.cutover_span, "`address` is missing in `cutover`");
    } else if (address->is_mapping()) {
      plan_.cutover =
          reader_.block(address, cutover_fields(), "`address` of `cutover`", address->span);
      if (is_empty_command(address->find("run"))) {
        sink_.report(Kind::bad_value, address->find("run")->span, "the command is empty")
            .help("the program and its arguments: `run: [ip, ...]`");
      }
    } else {
      static_cast<void>(reader_.field(*address, cutover_word(), "`address` of `cutover`"));
    }
  }

  static bool is_empty_command(const Node* run) {
    return run != nullptr && run->is_sequence() && run->items.empty();
  }

  void read_finalize() {
    plan_.finalize = Value::map({{"run", nullptr}, {"is_held", true}});
    const Entry* entry = tree_->find_entry("finalize");
    plan_.finalize_span = entry == nullptr ? plan_.span : entry->key_span;
    if (entry == nullptr || entry->value.is_null()) return;
    const Node& node = entry->value;
    if (!node.is_mapping()) return reader_.wrong_type(node, "a mapping", "`finalize`");
    for (const Entry& member : node.entries) {
      if (member.key != "address" && member.key != "hold")
        reader_.unknown_key(member, "`finalize`", {"address", "hold"});
    }
    if (const Node* hold = node.find("hold")) {
      const Field field{"hold", FieldType::word, false, {}, {}, {"approval", "none"}};
      plan_.finalize.set("is_held",
                         reader_.field(*hold, field, "`hold` of `finalize`") != Value("none"));
    }
    const Node* address = node.find("address");
    if (address == nullptr || address->is_null()) return;
    if (address->is_mapping()) {
      const Value block =
          reader_.block(address, finalize_fields(), "`address` of `finalize`", address->span);
      if (is_empty_command(address->find("run"))) {
        sink_.report(Kind::bad_value, address->find("run")->span, "the command is empty")
            .help("the program and its arguments: `run: [ip, ...]`");
      }
      plan_.finalize.set("run", block["run"]);
    } else {
      static_cast<void>(reader_.field(*address, finalize_word(), "`address` of `finalize`"));
    }
  }

  void read_points() {
    const Node* node = tree_->find("rollback_points");
    const Entry* entry = tree_->find_entry("rollback_points");
    plan_.rollback_span = entry == nullptr ? plan_.span : entry->key_span;
    if (node == nullptr || node->is_null()) return;  // the rule says what lacks one
    const std::vector<std::string_view>& points = plan_.is_of_store ? store_plan_points() : kPoints;
    for (Named& point : reader_.names(*node, "`rollback_points`")) {
      if (std::find(points.begin(), points.end(), std::string_view(point.text)) == points.end()) {
        auto report =
            sink_.report(Kind::bad_value, point.span,
                         fmt::format("there is no rollback point `{}`", printable(point.text, 60)));
        if (const auto near = nearest(point.text, points))
          report.label(fmt::format("did you mean `{}`?", *near));
        report.help(fmt::format("known here: `{}`", fmt::join(points, "`, `")));
        continue;
      }
      plan_.rollback_points.push_back(std::move(point));
    }
    report_duplicates(plan_.rollback_points, "rollback point", sink_);
  }

  void read_findings() {
    const Node* node = tree_->find("findings");
    if (node == nullptr || node->is_null()) return;
    if (!node->is_sequence()) return reader_.wrong_type(*node, "a list", "`findings`");
    std::map<std::pair<Kind, std::string>, FindingRule> known_findings;
    std::vector<std::string_view> codes;
    for (const KindInfo& kind : all_kinds()) codes.push_back(kind.name);
    for (const Node& item : node->items) {
      const std::size_t errors = sink_.count(Severity::error);
      const Value block = reader_.block(&item, finding_fields(), "this finding", item.span);
      const bool is_reported = sink_.count(Severity::error) != errors;
      const std::string_view code = block["code"].string_or("");
      const auto known = std::find_if(all_kinds().begin(), all_kinds().end(),
                                      [&](const KindInfo& kind) { return kind.name == code; });
      const Node* code_node = item.find("code");
      if (code_node == nullptr || code.empty()) continue;  // reported
      if (known == all_kinds().end()) {
        auto report = sink_.report(Kind::unknown_name, code_node->span,
                                   fmt::format("there is no code `{}`", printable(code, 60)));
        report.help(
            "write the code that stands in brackets behind what is to be silenced or raised");
        if (const auto near = nearest(code, codes))
          report.label(fmt::format("did you mean `{}`?", *near));
        continue;
      }
      const std::string_view severity = block["severity"].string_or("");
      FindingRule rule{known->kind, std::string(block["at"].string_or("")), std::nullopt,
                       std::string(trim(block["reason"].string_or(""))), code_node->span};
      for (const Severity one : {Severity::note, Severity::warning, Severity::error}) {
        if (severity == to_string(one)) rule.severity = one;
      }
      if (rule.reason.empty()) {
        if (is_reported) continue;
        sink_
            .report(Kind::bad_value, code_node->span,
                    fmt::format("nothing says why `{}` is {}", printable(code, 60),
                                severity == "silent" ? "silenced" : "changed"))
            .help("write the reason for who reviews the plan: `reason: ...`");
        continue;
      }
      if (rule.at.empty() || severity.empty()) continue;
      if (rule.kind == Kind::moment_passed && rule.severity == Severity::error) {
        sink_
            .report(Kind::bad_value, code_node->span,
                    fmt::format("`{}` cannot be made an error", printable(code, 60)))
            .label("a run that has begun would not go on behind the moment")
            .help("leave it a warning, or silence it: `severity: silent`");
        continue;
      }
      if (const auto [first, is_first] = known_findings.try_emplace({rule.kind, rule.at}, rule);
          !is_first && first->second.severity != rule.severity) {
        say_contradiction(first->second, rule);
        continue;
      }
      plan_.findings.push_back(std::move(rule));
    }
  }

  /// Nobody could tell which of the two was meant.
  void say_contradiction(const FindingRule& first, const FindingRule& second) {
    const auto word = [](const FindingRule& rule) {
      return rule.severity ? to_string(*rule.severity) : std::string_view("silent");
    };
    sink_
        .report(Kind::bad_value, second.span,
                fmt::format("`{}` at `{}` is to be `{}` here, and `{}` in another entry",
                            info(second.kind).name, printable(second.at, 120), word(second),
                            word(first)))
        .note(first.span, "the other one")
        .help("take one of the two out");
  }

  std::string_view meant_ = {};  // the procedure that a misspelt one is near to
  std::shared_ptr<const Node> tree_;
  Sink& sink_;
  syntax::Scope scope_;
  FieldReader reader_;
  Plan plan_;
};

}  // namespace

bool Plan::has_point(std::string_view wanted) const {
  return std::any_of(rollback_points.begin(), rollback_points.end(),
                     [&](const Named& point) { return point.text == wanted; });
}

Span Plan::place(std::string_view key, std::string_view inner) const {
  if (tree == nullptr) return span;
  const syntax::Entry* entry = tree->find_entry(key);
  if (entry == nullptr) return span;
  if (inner.empty()) return entry->value.is_scalar() ? entry->value.span : entry->key_span;
  const syntax::Node* value = entry->value.find(inner);
  return value == nullptr ? entry->key_span : value->span;
}

Plan read_plan(std::shared_ptr<const syntax::Node> tree, const SourceSet& sources, Sink& sink) {
  return PlanReader(std::move(tree), sources, sink).read();
}

}  // namespace plan::check
