// What has a name in the files of a folder: where it is defined, where it is used, how it is
// renamed. The plan and its modules may be in either language.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <tuple>

#include "compiler/check/plan_keys.h"
#include "compiler/editor.h"
#include "compiler/source/text.h"
#include "compiler/syntax/expression.h"
#include "compiler/syntax/language.h"
#include "compiler/syntax/words.h"

namespace plan {
namespace {

using syntax::Entry;
using syntax::Node;

constexpr std::array<std::string_view, 4> kWaits = {"after", "before", "after_previous_wave",
                                                    "after_members"};
constexpr std::size_t kDepthMax = 16;
constexpr std::size_t kInstancesMax = 1'000;
constexpr std::string_view kHere = "./";
constexpr std::string_view kStandard = "std/";

struct Range {
  std::size_t begin = 0;
  std::size_t end = 0;
  [[nodiscard]] bool holds(std::size_t at) const { return at >= begin && at <= end; }
};

/// A text that names a step: of an id, a wait, a `restore`, an `!output`.
struct StepName {
  std::string name = {};
  Range range = {};
  bool is_id = false;
};

struct Use {
  std::string path = {};  // of a file of the folder
  std::string as = {};    // "word/" or ""
  const Node* with = nullptr;
};

struct File {
  std::string path = {};
  std::string_view text = {};
  std::optional<Node> tree = {};
  std::vector<StepName> steps = {};
  std::vector<Use> uses = {};

  [[nodiscard]] bool has_step(std::string_view name) const {
    return std::any_of(steps.begin(), steps.end(),
                       [&](const StepName& one) { return one.is_id && one.name == name; });
  }
  [[nodiscard]] const Entry* declared(std::string_view name) const {
    for (const char* block : {"let", "inputs"}) {
      const Node* names = tree ? tree->find(block) : nullptr;
      const Entry* entry = names == nullptr ? nullptr : names->find_entry(name);
      if (entry != nullptr) return entry;
    }
    return nullptr;
  }
  [[nodiscard]] const Entry* input(std::string_view name) const {
    const Node* inputs = tree ? tree->find("inputs") : nullptr;
    return inputs == nullptr ? nullptr : inputs->find_entry(name);
  }
};

/// A file as one plan or module has it: ids of its steps begin with `prefix` there.
struct Instance {
  std::size_t program = 0;
  std::size_t file = 0;
  std::string prefix = {};
};

class Names {
 public:
  Names(const std::vector<EditedFile>& files, std::size_t file, std::size_t at) : at_(at) {
    files_.reserve(files.size());
    for (const EditedFile& one : files) {
      File& read = files_.emplace_back();
      read.path = one.path;
      read.text = one.text;
      Sink unheard;
      read.tree = syntax::read_source(sources_, sources_.add(one.path, one.text), unheard);
      if (!read.tree) continue;
      collect_steps(read);
      collect_uses(read);
    }
    link();
    if (file >= files_.size() || !files_[file].tree) return;
    if (find_step(file) || find_given(file)) return;
    find_name(file);
  }

  [[nodiscard]] bool is_step() const { return is_step_; }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::string& refusal() const { return refusal_; }
  [[nodiscard]] const std::optional<FilePlace>& definition() const { return definition_; }
  [[nodiscard]] std::vector<FilePlace> places() const {
    std::vector<FilePlace> all;
    if (!refusal_.empty()) return all;
    for (const auto& [file, begin, end] : places_) all.push_back({files_[file].path, begin, end});
    // Where it is declared comes first.
    std::stable_partition(all.begin(), all.end(), [&](const FilePlace& one) {
      return definition_ && one.path == definition_->path && one.begin == definition_->begin;
    });
    return all;
  }

  /// Why the thing at the cursor cannot be called `name`; empty: it can.
  [[nodiscard]] std::string why_not(std::string_view name) const {
    if (!refusal_.empty() || places_.empty()) return refusal_;
    if (name == name_) return {};
    const std::string taken = fmt::format("`{}` is there already", printable(name, 80));
    if (!is_step_) {
      const bool is_taken = std::any_of(owners_.begin(), owners_.end(), [&](std::size_t file) {
        return files_[file].declared(name) != nullptr;
      });
      return is_taken ? taken : std::string();
    }
    std::set<std::pair<std::size_t, std::string>> made;
    for (const Instance& one : instances_) {
      if (!owners_.contains(one.file)) continue;
      const std::pair<std::size_t, std::string> key = {one.program, one.prefix + std::string(name)};
      if (steps_.contains(key)) return taken;
      made.insert(key);
    }
    // A name that another step has been reached by must not mean the new one.
    for (const Instance& one : instances_) {
      for (const StepName& step : files_[one.file].steps) {
        if (step.is_id || places_.contains({one.file, step.range.begin, step.range.end})) continue;
        if (made.contains({one.program, one.prefix + step.name}))
          return fmt::format("`{}` in {} would mean another step", printable(step.name, 80),
                             files_[one.file].path);
      }
    }
    return {};
  }

 private:
  // --- reading -----------------------------------------------------------------------------------

  /// The span without its quotes.
  [[nodiscard]] static Range inner(const File& file, const Span& span) {
    Range range{span.begin, span.end};
    const auto is_quote = [&](std::size_t i) {
      return file.text[i] == '"' || file.text[i] == '\'';
    };
    if (range.end > range.begin + 1 && range.end <= file.text.size() && is_quote(range.begin) &&
        file.text[range.end - 1] == file.text[range.begin]) {
      ++range.begin;
      --range.end;
    }
    return range;
  }
  /// Only what stands there letter by letter can be replaced: no escapes, no templates.
  [[nodiscard]] static bool is_verbatim(const File& file, const Range& range,
                                        std::string_view name) {
    return range.begin <= range.end && range.end <= file.text.size() &&
           file.text.substr(range.begin, range.end - range.begin) == name;
  }

  static void take_step(File& file, const Node& node, std::string_view name, bool is_id) {
    Range range = inner(file, node.span);
    if (name.size() < node.text.size()) range.end = range.begin + name.size();
    if (is_verbatim(file, range, name)) file.steps.push_back({std::string(name), range, is_id});
  }

  static void collect_outputs(File& file, const Node& node) {
    if (node.tag.is("!output") && node.is_scalar())
      take_step(file, node, std::string_view(node.text).substr(0, node.text.rfind(' ')), false);
    for (const Node& item : node.items) collect_outputs(file, item);
    for (const Entry& entry : node.entries) collect_outputs(file, entry.value);
  }

  static void collect_steps(File& file) {
    const Node* steps = file.tree->find("steps");
    if (steps == nullptr) return;
    for (const Node& step : steps->items) {
      if (const Node* id = step.find("id")) take_step(file, *id, id->text, true);
      for (const std::string_view key : kWaits) {
        const Node* list = step.find(key);
        if (list == nullptr) continue;
        for (const Node& one : list->items) take_step(file, one, one.text, false);
      }
      const Node* arguments = step.find("args");
      if (arguments == nullptr) continue;
      // `restore` names the step that it undoes.
      const Node* undone = arguments->find("step");
      if (undone != nullptr && undone->is_scalar()) take_step(file, *undone, undone->text, false);
      collect_outputs(file, *arguments);
    }
  }

  static void collect_uses(File& file) {
    const Node* uses = file.tree->find("use");
    if (uses == nullptr) return;
    const auto take = [&](const Node& node) {
      const Node* name = node.is_mapping() ? node.find("module") : &node;
      if (name == nullptr || !name->is_scalar()) return;
      const bool is_here = name->text.starts_with(kHere);
      if (!is_here && !name->text.starts_with(kStandard)) return;
      const Node* as = node.find("as");
      file.uses.push_back({is_here ? name->text.substr(kHere.size()) : name->text + ".plan",
                           as == nullptr ? std::string() : as->text + "/", node.find("with")});
    };
    if (uses->is_sequence()) {
      for (const Node& node : uses->items) take(node);
    } else {
      take(*uses);
    }
  }

  [[nodiscard]] std::optional<std::size_t> file_at(std::string_view path) const {
    const auto found = std::find_if(files_.begin(), files_.end(),
                                    [&](const File& file) { return file.path == path; });
    if (found == files_.end() || !found->tree) return std::nullopt;
    return static_cast<std::size_t>(found - files_.begin());
  }

  /// Every file that no other uses is a program of its own.
  void link() {
    std::set<std::string> used;
    for (const File& file : files_) {
      for (const Use& use : file.uses) used.insert(use.path);
    }
    for (std::size_t i = 0; i < files_.size(); ++i) {
      if (files_[i].tree && !used.contains(files_[i].path)) add_instance(i, i, "", 0);
    }
    for (const Instance& one : instances_) {
      for (const StepName& step : files_[one.file].steps) {
        if (step.is_id) steps_[{one.program, one.prefix + step.name}] = {one.file, step.name};
      }
    }
  }

  void add_instance(std::size_t program, std::size_t file, const std::string& prefix,
                    std::size_t depth) {
    if (depth > kDepthMax || instances_.size() >= kInstancesMax) return;
    instances_.push_back({program, file, prefix});
    for (const Use& use : files_[file].uses) {
      if (const auto inner_file = file_at(use.path))
        add_instance(program, *inner_file, prefix + use.as, depth + 1);
    }
  }

  // --- steps -------------------------------------------------------------------------------------

  struct Target {
    std::size_t file = 0;
    std::string name = {};
    friend bool operator==(const Target&, const Target&) = default;
  };

  /// What a name means in this instance: a module means its own steps first.
  [[nodiscard]] const Target* meant(const Instance& instance, const std::string& name) const {
    auto found = steps_.find({instance.program, instance.prefix + name});
    if (found == steps_.end()) found = steps_.find({instance.program, name});
    return found == steps_.end() ? nullptr : &found->second;
  }

  bool find_step(std::size_t file) {
    const std::vector<StepName>& names = files_[file].steps;
    const auto found = std::find_if(names.begin(), names.end(),
                                    [&](const StepName& one) { return one.range.holds(at_); });
    if (found == names.end()) return false;
    is_step_ = true;
    name_ = found->name;
    refusal_ = fmt::format("`{}` is a step of another module", name_);
    for (const Instance& one : instances_) {
      if (one.file != file) continue;
      if (const Target* target = meant(one, found->name)) {
        take_places(*target);
        break;
      }
    }
    return true;
  }

  void take_places(const Target& target) {
    name_ = target.name;
    refusal_.clear();
    owners_ = {target.file};
    for (const Instance& one : instances_) {
      for (const StepName& step : files_[one.file].steps) {
        const Target* found = meant(one, step.name);
        if (found == nullptr || *found != target) continue;
        // In front of it stands what `as` puts there.
        if (!step.name.ends_with(target.name)) {
          refusal_ =
              fmt::format("`{}` in {} is a part of its name", step.name, files_[one.file].path);
          continue;
        }
        const std::size_t begin = step.range.end - target.name.size();
        places_.insert({one.file, begin, step.range.end});
        if (step.is_id && one.file == target.file)
          definition_ = FilePlace{files_[one.file].path, begin, step.range.end};
      }
    }
  }

  // --- names of expressions ----------------------------------------------------------------------

  /// An input that a `use` gives a value to.
  bool find_given(std::size_t file) {
    for (const Use& use : files_[file].uses) {
      if (use.with == nullptr) continue;
      for (const Entry& given : use.with->entries) {
        if (!inner(files_[file], given.key_span).holds(at_)) continue;
        name_ = given.key;
        refusal_ = fmt::format("`{}` is an input of another module", name_);
        const auto module = file_at(use.path);
        if (module && files_[*module].input(given.key) != nullptr) take_name(*module);
        return true;
      }
    }
    return false;
  }

  void find_name(std::size_t file) {
    for (const char* block : {"let", "inputs"}) {
      const Node* names = files_[file].tree->find(block);
      if (names == nullptr) continue;
      for (const Entry& entry : names->entries) {
        std::vector<Range> ranges = {inner(files_[file], entry.key_span)};
        collect(files_[file], *files_[file].tree, entry.key, ranges);
        const bool is_meant = std::any_of(ranges.begin(), ranges.end(),
                                          [&](const Range& range) { return range.holds(at_); });
        if (!is_meant) continue;
        name_ = entry.key;
        return take_name(file);
      }
    }
  }

  /// `name_`, which `owner` declares.
  void take_name(std::size_t owner) {
    refusal_.clear();
    owners_ = {owner};
    const File& file = files_[owner];
    const Entry* declared = file.declared(name_);
    const Range key = inner(file, declared->key_span);
    definition_ = FilePlace{file.path, key.begin, key.end};
    std::vector<Range> ranges = {key};
    collect(file, *file.tree, name_, ranges);
    for (const Range& range : ranges) places_.insert({owner, range.begin, range.end});
    if (file.input(name_) != nullptr) take_givers(owner);
    look_at_used(owner);
  }

  /// Who uses the module gives the input a value, or has one of the same name.
  void take_givers(std::size_t owner) {
    const Node& type = files_[owner].input(name_)->value;
    const Node* word = type.is_mapping() ? type.find("type") : &type;
    if (word != nullptr && word->text == "rows") {
      refusal_ = fmt::format("`{}` is the name that the plan has for these rows", name_);
      return;
    }
    for (std::size_t i = 0; i < files_.size(); ++i) {
      for (const Use& use : files_[i].uses) {
        if (use.path != files_[owner].path) continue;
        const Entry* given = use.with == nullptr ? nullptr : use.with->find_entry(name_);
        if (given != nullptr) {
          const Range range = inner(files_[i], given->key_span);
          if (is_verbatim(files_[i], range, name_)) places_.insert({i, range.begin, range.end});
          continue;
        }
        const bool has_default = type.is_mapping() && type.find("default") != nullptr;
        const bool is_named =
            files_[i].declared(name_) != nullptr || check::find_plan_key({name_}) != nullptr;
        if (is_named || !has_default)
          refusal_ = fmt::format("{} gives `{}` by its name: write it into its `use` first",
                                 files_[i].path, name_);
      }
    }
  }

  /// Modules that see the name because it has that name.
  void look_at_used(std::size_t owner) {
    for (const Use& use : files_[owner].uses) {
      const auto module = file_at(use.path);
      if (!module || (use.with != nullptr && use.with->find_entry(name_) != nullptr)) continue;
      bool is_seen = files_[*module].input(name_) != nullptr;
      if (files_[*module].tree->find("inputs") == nullptr &&
          files_[*module].declared(name_) == nullptr) {
        std::vector<Range> ranges;
        collect(files_[*module], *files_[*module].tree, name_, ranges);
        is_seen = !ranges.empty();
      }
      if (is_seen)
        refusal_ = fmt::format("{} sees `{}` by its name: write it into the `use` first",
                               files_[*module].path, name_);
    }
  }

  /// Uses of `name` in the expressions below; a step's own row hides it.
  void collect(const File& file, const Node& node, const std::string& name,
               std::vector<Range>& into) {
    if (node.is_scalar()) return collect_scalar(file, node, name, into);
    const Node* loop = node.find("for");
    if (loop != nullptr && loop->is_scalar() && loop->text.starts_with(name + " in ")) return;
    if (loop != nullptr && loop->is_scalar() && loop->text.ends_with(" in " + name)) {
      // `for account in accounts`: an input of rows.
      const Range range = inner(file, loop->span);
      const Range last{range.end - std::min(range.end, name.size()), range.end};
      if (is_verbatim(file, last, name)) into.push_back(last);
    }
    const Node* each = node.find("each");
    if (node.tag.is("!for") && each != nullptr && each->text == name) return;
    for (const Node& item : node.items) collect(file, item, name, into);
    for (const Entry& entry : node.entries) collect(file, entry.value, name, into);
  }

  void collect_scalar(const File& file, const Node& node, const std::string& name,
                      std::vector<Range>& into) {
    if (node.text.find(name) == std::string::npos) return;
    Sink unheard;
    const auto text = syntax::parse_template(node, sources_, unheard);
    if (!text) return;
    for (const syntax::Template::Part& part : text->parts) {
      if (part.expression) collect_expression(file, *part.expression, name, into);
    }
  }

  static void collect_expression(const File& file, const syntax::Expression& expression,
                                 const std::string& name, std::vector<Range>& into) {
    if (expression.kind == syntax::Expression::Kind::name && expression.text == name) {
      const Range range{expression.span.begin, expression.span.end};
      if (is_verbatim(file, range, name)) into.push_back(range);
    }
    for (const syntax::Expression& operand : expression.operands)
      collect_expression(file, operand, name, into);
  }

  SourceSet sources_;
  std::vector<File> files_;
  std::vector<Instance> instances_;
  std::map<std::pair<std::size_t, std::string>, Target> steps_;  // by program and whole id
  std::size_t at_;
  std::string name_;
  bool is_step_ = false;
  std::string refusal_;
  std::set<std::size_t> owners_;
  std::optional<FilePlace> definition_;
  std::set<std::tuple<std::size_t, std::size_t, std::size_t>> places_;
};

std::size_t holes_of(std::string_view id) {
  std::size_t count = 0;
  for (std::size_t at = id.find("{}"); at != std::string_view::npos; at = id.find("{}", at + 2))
    ++count;
  return count;
}

}  // namespace

std::vector<FilePlace> places_of_name_at(const std::vector<EditedFile>& files, std::size_t file,
                                         std::size_t at) {
  return Names(files, file, at).places();
}

std::optional<FilePlace> definition_of_name_at(const std::vector<EditedFile>& files,
                                               std::size_t file, std::size_t at) {
  return Names(files, file, at).definition();
}

std::string why_not_renamed(const std::vector<EditedFile>& files, std::size_t file, std::size_t at,
                            std::string_view name) {
  const Names names(files, file, at);
  if (!names.refusal().empty()) return names.refusal();
  if (names.places().empty())
    return "only steps, `let` and inputs of a module have names of their own";
  if (names.is_step() && !syntax::is_path(name))
    return fmt::format("`{}` cannot be the id of a step", printable(name, 80));
  if (!names.is_step() && !syntax::is_name(name))
    return fmt::format("`{}` cannot be a name in an expression", printable(name, 80));
  if (names.is_step() && holes_of(name) != holes_of(names.name()))
    return fmt::format("`{}` needs as many `{{}}` as `{}`", printable(name, 80), names.name());
  return names.why_not(name);
}

}  // namespace plan
