#include "compiler/modules.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "compiler/admin_plan.h"
#include "compiler/ir/digest.h"
#include "compiler/module_inputs.h"
#include "compiler/module_units.h"
#include "compiler/source/std_place.h"
#include "compiler/source/text.h"
#include "compiler/std_modules.h"
#include "compiler/syntax/language.h"
#include "compiler/syntax/names.h"
#include "compiler/syntax/sound_part.h"
#include "compiler/syntax/words.h"

namespace plan {
namespace {

using ir::Value;
using syntax::Node;

constexpr std::size_t kModulesMax = 256;
constexpr std::string_view kHere = "./";
constexpr std::string_view kAdminPlan = ".ndjson";
constexpr std::string_view kDigestPrefix = "sha256:";

class Linker {
 public:
  Linker(const ModuleSource& source, const std::vector<lower::RowSet>& rows, SourceSet& sources,
         Sink& sink)
      : source_(source),
        sources_(sources),
        sink_(sink),
        linked_(std::make_unique<LinkedModules>()),
        binder_(world_, rows, sources, sink) {}

  std::unique_ptr<LinkedModules> link(const ModuleUse& use, const syntax::Scope& scope,
                                      const std::set<std::string>& unknown) {
    world_.unknown = unknown;
    for (const std::string_view name : scope.names()) {
      const Value& value = *scope.find(name);
      world_.scope.set(std::string(name), value);
      world_.types.set(std::string(name), type_of_given(name, value));
    }
    const std::size_t errors = sink_.count(Severity::error);
    add(use, world_);
    linked_->is_whole = sink_.count(Severity::error) == errors;
    return std::move(linked_);
  }

  std::optional<ModuleUse> read_use(const Node& node, const std::string& prefix) {
    ModuleUse use;
    const Node* name = node.is_mapping() ? node.find("module") : &node;
    if (name == nullptr || !name->is_scalar()) {
      sink_.report(Kind::wrong_type, node.span, "`use` needs the name of a module")
          .help("`std/NAME`, or `./NAME.plan` for one in the plan's folder");
      return std::nullopt;
    }
    use.name = name->text;
    use.span = name->span;
    use.prefix = prefix;
    for (const syntax::Entry& entry : node.entries) {
      if (entry.key == "as" && entry.value.is_scalar()) {
        use.prefix += entry.value.text + "/";
      } else if (entry.key == "digest" && entry.value.is_scalar()) {
        use.digest = entry.value.text;
        use.digest_span = entry.value.span;
      } else if (entry.key == "with" && entry.value.is_mapping()) {
        use.with = &entry.value;
      } else if (entry.key != "module") {
        sink_
            .report(Kind::unknown_key, entry.key_span,
                    fmt::format("`{}` means nothing in a `use`", printable(entry.key, 60)))
            .help("known here: `module`, `as`, `digest`, `with`");
      }
    }
    return use;
  }

 private:
  syntax::SoundPart read_module(const ModuleUse& use, FileId file) {
    if (!use.name.ends_with(kAdminPlan)) return syntax::read_sound_part(sources_, file, sink_);
    return {.tree = read_admin_plan(sources_, file, sink_)};
  }

  std::optional<FileId> file_of(const ModuleUse& use) {
    if (use.name.starts_with(kStd)) {
      const std::string name = use.name.substr(kStd.size());
      for (const EmbeddedFile& file : source_.stdlib) {
        if (file.name == name + ".plan" || file.name == name + ".yaml")
          return sources_.add(fmt::format("{}{}", kStd, file.name), std::string(file.text));
      }
      return unknown(use, "there is no such module in this version");
    }
    const bool is_file = use.name.ends_with(".plan") || use.name.ends_with(".yaml") ||
                         use.name.ends_with(kAdminPlan);
    if (!use.name.starts_with(kHere) || !is_file)
      return unknown(use,
                     "a module is `std/NAME`, or `./NAME.plan` in the plan's folder; "
                     "`./NAME.ndjson` is a plan of stalwart-cli");
    const std::string path = use.name.substr(kHere.size());
    if (std::string why = syntax::why_not_in_folder(path); !why.empty())
      return unknown(use, std::move(why));
    if (!source_.file_text) return unknown(use, "there is no such file");
    auto text = source_.file_text(path);
    if (!text) return unknown(use, text.error().message());
    return sources_.add(path, std::move(*text));
  }

  std::optional<FileId> unknown(const ModuleUse& use, std::string why) {
    auto report = sink_.report(Kind::unknown_procedure, use.span,
                               fmt::format("there is no module `{}`", printable(use.name, 80)));
    std::vector<std::string> names;
    for (const EmbeddedFile& file : source_.stdlib)
      names.push_back(fmt::format("{}{}", kStd, file.name.substr(0, file.name.rfind('.'))));
    const std::vector<std::string_view> known(names.begin(), names.end());
    if (const auto near = nearest(use.name, known)) {
      report.label(fmt::format("did you mean `{}`?", *near));
    } else {
      report.label(std::move(why));
    }
    return std::nullopt;
  }

  void check_digest(const ModuleUse& use, FileId file) {
    if (use.digest.empty()) return;
    const std::string digest =
        fmt::format("{}{}", kDigestPrefix, ir::sha256(sources_.text(file)).hex());
    if (digest == use.digest) return;
    sink_
        .report(Kind::module_digest, use.digest_span,
                fmt::format("`{}` is not the module that was pinned", printable(use.name, 80)))
        .help(fmt::format("read what has changed in it; then write `{}`", digest));
  }

  /// What was left out of a module may have been steps, whose ids others name: true where it may.
  bool lose(Span gap, const std::string& prefix, const Node& module) {
    linked_->left_out.push_back(gap);
    const std::string_view text = sources_.text(gap);
    const bool is_language = syntax::is_language_file(sources_.name(gap.file));
    bool has_ids = false;
    for (const std::string_view id : is_language ? step_of_statement(text) : ids_in_yaml(text)) {
      linked_->lost.ids.insert(prefix + std::string(id));
      has_ids = true;
    }
    std::string_view word = text.substr(0, text.find_first_of(" \t\n:=("));
    if (!is_language) {
      for (const syntax::Entry& entry : module.entries) {
        if (entry.key_span.begin <= gap.begin && gap.begin <= entry.value.span.end)
          word = entry.key;
      }
    }
    static const std::set<std::string_view> kOthers = {"module", "about", "inputs", "input", "let"};
    if (has_ids) return true;
    if (kOthers.contains(word)) return false;
    linked_->lost.has_others = true;
    return true;
  }

  static bool is_id_part(char c) {
    return syntax::is_word_part(c) || std::string_view("/.@{}").find(c) != std::string_view::npos;
  }

  /// `step ID ...`
  static std::vector<std::string_view> step_of_statement(std::string_view text) {
    constexpr std::string_view kStep = "step ";
    if (!text.starts_with(kStep)) return {};
    std::size_t begin = text.find_first_not_of(" \"", kStep.size());
    std::size_t end = std::min(begin, text.size());
    while (end < text.size() && is_id_part(text[end])) ++end;
    if (end == begin || begin == std::string_view::npos) return {};
    return {text.substr(begin, end - begin)};
  }

  /// Each `id: ID`.
  static std::vector<std::string_view> ids_in_yaml(std::string_view text) {
    constexpr std::string_view kId = "id:";
    std::vector<std::string_view> ids;
    for (std::size_t at = text.find(kId); at != std::string_view::npos; at = text.find(kId, at)) {
      const bool is_key =
          at == 0 || std::string_view(" -{,\n").find(text[at - 1]) != std::string_view::npos;
      at += kId.size();
      const std::size_t begin = std::min(text.find_first_not_of(" \"'", at), text.size());
      std::size_t end = begin;
      while (end < text.size() && is_id_part(text[end])) ++end;
      if (is_key && end > begin) ids.push_back(text.substr(begin, end - begin));
    }
    return ids;
  }

  /// Entries without a value: what is looked for in them is not found, and that is not reported.
  /// Items of lists stay, and what is said of them is not heard.
  static void forget_gaps(Node& module) {
    const auto is_gap = [](const syntax::Entry& entry) { return entry.value.is_left_out; };
    module.entries.erase_if(is_gap);
    for (syntax::Entry& entry : module.entries) entry.value.entries.erase_if(is_gap);
  }

  /// Modules that use one another in a circle, too deeply, or too many of them.
  bool is_refused(const ModuleUse& use) {
    const auto begin = std::find_if(open_.begin(), open_.end(),
                                    [&](const ModuleUse* one) { return one->name == use.name; });
    if (begin != open_.end()) {
      sink_.report(
          Kind::module_cycle, use.span,
          fmt::format("`{}` is used by itself: {}", printable(use.name, 80), way_to(use, begin)));
      return true;
    }
    const bool is_deep = open_.size() >= kModuleDepthMax;
    if (!is_deep && ++modules_ <= kModulesMax) return false;
    if (std::exchange(is_bound_told_, true)) return true;
    if (is_deep) {
      sink_
          .report(Kind::module_bound, use.span,
                  fmt::format("`{}` is the {}th module on one way, {} are possible",
                              printable(use.name, 80), open_.size() + 1, kModuleDepthMax))
          .label(way_to(use, open_.begin()))
          .help("let a module use others beside one another instead of one inside the other");
    } else {
      sink_
          .report(Kind::module_bound, use.span,
                  fmt::format("with `{}` the plan uses more than {} modules",
                              printable(use.name, 80), kModulesMax))
          .help(
              "use a module once: one that is used `as` two words stands there twice, and so does "
              "each one that it uses");
    }
    return true;
  }

  std::string way_to(const ModuleUse& use,
                     std::vector<const ModuleUse*>::const_iterator from) const {
    std::string way;
    for (auto one = from; one != open_.end(); ++one) way += (*one)->name + " -> ";
    return printable(way + use.name, 400);
  }

  /// Its steps would have the ids that are there already. Where modules of std use it, the place
  /// that can be mended is where those are used.
  bool is_there_twice(const ModuleUse& use) {
    const Span here = own_place(use.span);
    const auto [first, is_new] = used_.emplace(std::pair(use.prefix, use.name), here);
    if (is_new) return false;
    if (!twice_.insert({here.file, here.begin}).second) return true;
    sink_
        .report(Kind::duplicate_name, here,
                fmt::format("module `{}` is used twice", printable(use.name, 80)))
        .label("each of its steps would be there twice")
        .note(first->second, "it is used here first")
        .help(
            use.prefix.empty()
                ? "take one of the two out; if both are meant, use one of them `as` a word, which "
                  "then stands in front of its steps"
                : "take one of the two out; if both are meant, give each its own word behind "
                  "`as`, which stands in front of its steps");
    return true;
  }

  [[nodiscard]] bool is_own(Span span) const {
    return span.is_known() && !is_of_std(sources_, span);
  }

  [[nodiscard]] Span own_place(Span use) const {
    if (is_own(use)) return use;
    const auto own = std::find_if(open_.rbegin(), open_.rend(),
                                  [&](const ModuleUse* one) { return is_own(one->span); });
    return own == open_.rend() ? use : (*own)->span;
  }

  /// A module of std for a source of another kind would miss each member of it that it asks for:
  /// said once, where the operator uses it, or the module that brings it.
  bool is_for_another_source(const ModuleUse& use, FileId file,
                             const lower::ModuleInstance& outer) {
    if (!use.name.starts_with(kStd) || (use.with != nullptr && use.with->find("source") != nullptr))
      return false;
    const Value* source = outer.scope.find("source");
    if (source == nullptr) source = world_.scope.find("source");
    if (source == nullptr || !source->is_map() || outer.unknown.contains("source") ||
        world_.unknown.contains("source"))
      return false;
    const bool is_stalwart = (*source)["stalwart"].is_map();
    if (!is_for_another(sources_.text(file), is_stalwart)) return false;
    const Span here = own_place(use.span);
    if (!of_another_source_.insert({here.file, here.begin}).second) return true;
    const auto own = std::find_if(open_.begin(), open_.end(),
                                  [&](const ModuleUse* one) { return one->span == here; });
    sink_
        .report(
            Kind::bad_value, here,
            fmt::format("the source is {} Stalwart, and `{}` is for {}", is_stalwart ? "a" : "no",
                        printable(own == open_.end() ? use.name : (*own)->name, 80),
                        is_stalwart ? "Dovecot and Postfix" : "one"))
        .label("it asks for settings that this source does not have")
        .help(is_stalwart
                  ? "for an old Stalwart there are `std/stalwart-0.15` and its parts, "
                    "`std/stalwart-source` and `std/stalwart-account-move`"
                  : "for Dovecot and Postfix there are `std/dovecot-postfix` and its parts, "
                    "`std/source-preparation` and `std/account-move`; an old Stalwart is "
                    "named in the plan, `source: {stalwart: {url: ..., login: ...}}`");
    return true;
  }

  void add(const ModuleUse& use, const lower::ModuleInstance& outer) {
    if (is_refused(use)) {
      linked_->lost.has_others = true;
      return;
    }
    if (is_there_twice(use)) return;
    const auto file = file_of(use);
    if (file && is_for_another_source(use, *file, outer)) {
      linked_->lost.has_others = true;
      return;
    }
    // One that was changed since it was pinned is judged all the same.
    if (file) check_digest(use, *file);
    auto part = file ? read_module(use, *file) : syntax::SoundPart();
    if (!part.tree) {
      linked_->lost.has_others = true;
      return;
    }
    bool may_lack_steps = false;
    if (part.is_damaged) {
      linked_->damaged.push_back(*file);
      for (const Span& gap : part.left_out) may_lack_steps |= lose(gap, use.prefix, *part.tree);
      forget_gaps(*part.tree);
    }
    const Node& module = linked_->trees.emplace_back(std::move(*part.tree));
    lower::ModuleInstance instance;
    instance.tree = &module;
    instance.prefix = use.prefix;
    instance.may_lack_steps = may_lack_steps;
    instance.used_at = own_place(use.span);
    binder_.bind(use, outer, instance, part.is_damaged);
    open_.push_back(&use);
    for (const Node& inner : uses_of(module)) {
      if (auto inner_use = read_use(inner, use.prefix)) add(*inner_use, instance);
    }
    open_.pop_back();
    linked_->instances.push_back(std::move(instance));
  }

  static std::vector<Node> uses_of(const Node& module) {
    const Node* uses = module.find("use");
    if (uses == nullptr) return {};
    if (uses->is_sequence()) return {uses->items.begin(), uses->items.end()};
    return {*uses};
  }

  const ModuleSource& source_;
  SourceSet& sources_;
  Sink& sink_;
  std::unique_ptr<LinkedModules> linked_;
  lower::ModuleInstance world_;  ///< what the plan gives, seen by every module
  ModuleBinder binder_;
  std::vector<const ModuleUse*> open_;  // that are being added, from the plan's own
  std::size_t modules_ = 0;
  bool is_bound_told_ = false;
  std::map<std::pair<std::string, std::string>, Span> used_;      // prefix, name: where
  std::set<std::pair<FileId, std::uint32_t>> twice_;              // that were reported
  std::set<std::pair<FileId, std::uint32_t>> of_another_source_;  // the same
};

}  // namespace

std::unique_ptr<LinkedModules> link_modules(const check::Plan& plan, const ModuleSource& source,
                                            const syntax::Scope& scope,
                                            const std::vector<lower::RowSet>& rows,
                                            const std::set<std::string>& unknown,
                                            SourceSet& sources, Sink& sink) {
  Linker linker(source, rows, sources, sink);
  const Node* node = plan.tree == nullptr ? nullptr : plan.tree->find("use");
  if (node == nullptr) return nullptr;
  const auto use = linker.read_use(*node, "");
  return use ? linker.link(*use, scope, unknown) : nullptr;
}

}  // namespace plan
