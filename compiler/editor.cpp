#include "compiler/editor.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/check/plan_keys.h"
#include "compiler/ir/step_kind.h"
#include "compiler/source/diagnostic.h"
#include "compiler/source/embedded_file.h"
#include "compiler/source/text.h"
#include "compiler/syntax/language.h"
#include "compiler/syntax/sound_part.h"
#include "compiler/syntax/value_type.h"
#include "compiler/syntax/words.h"
#include "embedded/stdlib_modules.h"

namespace plan {
namespace {

using check::PlanKey;
using syntax::Node;

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '-'; }

struct Line {
  std::string_view text = {};
  std::size_t begin = 0;
};

/// Everything that can be told without a whole tree: the text is half written.
class Cursor {
 public:
  Cursor(std::string_view file_name, std::string_view text, std::size_t at)
      : is_language_(syntax::is_language_file(file_name)),
        text_(text),
        at_(std::min(at, text.size())) {
    word_begin_ = at_;
    while (word_begin_ > 0 && syntax::is_word_part(text_[word_begin_ - 1])) --word_begin_;
    word_end_ = at_;
    while (word_end_ < text_.size() && syntax::is_word_part(text_[word_end_])) ++word_end_;
    path_begin_ = at_;
    while (path_begin_ > 0 && is_path_char(path_begin_ - 1)) --path_begin_;
    path_end_ = at_;
    while (path_end_ < text_.size() && is_path_char(path_end_)) ++path_end_;
  }

  [[nodiscard]] bool is_language() const { return is_language_; }
  [[nodiscard]] std::string_view word() const {
    return text_.substr(word_begin_, word_end_ - word_begin_);
  }
  /// An id or a module's name: `account/{}/hold`.
  [[nodiscard]] std::string_view path_word() const {
    return text_.substr(path_begin_, path_end_ - path_begin_);
  }
  /// The line up to the word that is being written.
  [[nodiscard]] std::string_view before() const {
    const std::size_t line = line_begin(word_begin_);
    return text_.substr(line, word_begin_ - line);
  }
  /// The line up to the id, module or kind of step that is being written.
  [[nodiscard]] std::string_view before_path() const {
    const std::size_t line = line_begin(path_begin_);
    return text_.substr(line, path_begin_ - line);
  }
  [[nodiscard]] bool is_called() const { return text_.substr(word_end_).starts_with('('); }
  [[nodiscard]] bool is_module() const {
    for (const std::string_view line : split(text_, '\n')) {
      if (line.starts_with("module") || line.starts_with("steps")) return true;
      if (line.starts_with("plan")) return false;
    }
    return false;
  }

  /// Inside `${...}`, or behind the `=` of the plan language and in no text.
  [[nodiscard]] bool is_in_expression() const {
    const std::string_view left = before();
    const std::size_t open = left.rfind("${");
    if (open != std::string_view::npos && left.find('}', open) == std::string_view::npos)
      return true;
    return is_language_ && is_behind_assign(left);
  }

  /// `addresses.` in front of the word: ["addresses"].
  [[nodiscard]] std::vector<std::string> members_before() const {
    std::vector<std::string> names;
    std::string_view left = before();
    while (left.ends_with('.')) {
      left.remove_suffix(1);
      std::size_t begin = left.size();
      while (begin > 0 && syntax::is_word_part(left[begin - 1])) --begin;
      names.insert(names.begin(), std::string(left.substr(begin)));
      left = left.substr(0, begin);
    }
    return names;
  }

  /// The key whose value is being written on this line.
  [[nodiscard]] std::string key_on_line() const { return key_before(before()); }
  /// The same, where the value is an id, a module or a kind of step.
  [[nodiscard]] std::string key_before_path() const { return key_before(before_path()); }

  /// Keys of the blocks around the cursor, from the outside in: by indentation, and by the braces
  /// that are open on the line.
  [[nodiscard]] std::vector<std::string> blocks() const {
    std::vector<std::string> keys;
    std::size_t line = line_begin(word_begin_);
    std::size_t indent = indent_of(line, word_begin_);
    while (line > 0 && indent > 0) {
      line = line_begin(line - 1);
      const std::size_t size = text_.find('\n', line) - line;
      const std::string_view above = text_.substr(line, size);
      const std::size_t column = indent_of(line, line + above.size());
      if (column >= indent || trim(above).empty() || trim(above).starts_with('#')) continue;
      const std::string key = key_of(above);
      if (key.empty()) continue;
      keys.insert(keys.begin(), key);
      indent = column;
    }
    add_braces(before(), keys);
    return keys;
  }

 private:
  /// Is the end of this part of a line in the value of an entry, in no text? A map's braces begin
  /// with keys again, and so does what stands behind a comma in them.
  static bool is_behind_assign(std::string_view line) {
    std::string open;
    bool is_value = false;
    bool is_in_text = false;
    for (std::size_t i = 0; i < line.size(); ++i) {
      const char c = line[i];
      if (c == '"') is_in_text = !is_in_text;
      if (is_in_text) {
        i += c == '\\' ? 1 : 0;
        continue;
      }
      if (c == '{' || c == '[' || c == '(') open += c;
      if ((c == '}' || c == ']' || c == ')') && !open.empty()) open.pop_back();
      if (c == '=') is_value = true;
      if (c == '{' || (c == ',' && open.ends_with('{'))) is_value = false;
    }
    return is_value && !is_in_text;
  }

  static std::string key_before(std::string_view left) {
    while (!left.empty() && (left.back() == ' ' || left.back() == '"')) left.remove_suffix(1);
    if (left.empty() || (left.back() != ':' && left.back() != '=')) return {};
    left.remove_suffix(1);
    left = trim(left);
    std::size_t begin = left.size();
    while (begin > 0 && syntax::is_word_part(left[begin - 1])) --begin;
    return std::string(left.substr(begin));
  }

  [[nodiscard]] bool is_path_char(std::size_t i) const {
    return syntax::is_path_part(text_[i]) || text_.substr(i, 2) == "{}" ||
           (i > 0 && text_.substr(i - 1, 2) == "{}");
  }
  [[nodiscard]] std::size_t line_begin(std::size_t at) const {
    while (at > 0 && text_[at - 1] != '\n') --at;
    return at;
  }
  [[nodiscard]] std::size_t indent_of(std::size_t line, std::size_t end) const {
    std::size_t at = line;
    while (at < end && at < text_.size() && is_blank(text_[at])) ++at;
    return at - line;
  }
  static std::string key_of(std::string_view line) {
    while (!line.empty() && is_blank(line.front())) line.remove_prefix(1);
    std::size_t end = 0;
    while (end < line.size() && syntax::is_word_part(line[end])) ++end;
    const std::string_view rest = trim(line.substr(end));
    const bool is_key = rest.starts_with(':') || rest.starts_with('=') || rest.starts_with('{');
    return is_key ? std::string(line.substr(0, end)) : std::string();
  }
  static void add_braces(std::string_view line, std::vector<std::string>& keys) {
    std::vector<std::string> open;
    for (std::size_t i = 0; i < line.size(); ++i) {
      if (line[i] == '{' && (i == 0 || line[i - 1] != '$')) {
        std::string_view left = trim(line.substr(0, i));
        while (!left.empty() && (left.back() == ':' || left.back() == '=')) {
          left.remove_suffix(1);
          left = trim(left);
        }
        std::size_t begin = left.size();
        while (begin > 0 && syntax::is_word_part(left[begin - 1])) --begin;
        open.emplace_back(left.substr(begin));
      } else if (line[i] == '}' && !open.empty()) {
        open.pop_back();
      }
    }
    // The `-` of a list's item is no key.
    for (std::string& key : open) {
      if (syntax::is_word(key)) keys.push_back(std::move(key));
    }
  }

  bool is_language_;
  std::string_view text_;
  std::size_t at_;
  std::size_t word_begin_ = 0;
  std::size_t word_end_ = 0;
  std::size_t path_begin_ = 0;
  std::size_t path_end_ = 0;
};

void add_keys(const std::vector<PlanKey>& keys, bool is_language, std::vector<Completion>& into) {
  for (const PlanKey& key : keys) {
    const bool is_block = !key.keys.empty() && key.schema.is_null();
    std::string insert = key.name;
    if (!is_language) {
      insert += is_block ? ":" : ": ";
    } else {
      insert += is_block && !key.is_list ? " {" : " = ";
    }
    into.push_back({key.name, key.what, std::move(insert)});
  }
}

void add_functions(std::vector<Completion>& into) {
  for (const syntax::FunctionInfo& function : syntax::all_functions()) {
    into.push_back(
        {std::string(function.name),
         fmt::format("({}) {}: {}", function.parameters, function.result, function.summary),
         fmt::format("{}(", function.name)});
  }
}

void add_kinds(std::vector<Completion>& into) {
  for (const ir::StepKindInfo& kind : ir::all_step_kinds())
    into.push_back({std::string(kind.name), std::string(kind.summary), std::string(kind.name)});
}

/// What a module of the program says about itself above its first statement.
std::optional<std::string> page_of_module(std::string_view name) {
  for (const EmbeddedFile& file : embedded::stdlib_modules()) {
    const std::string_view module = file.name.substr(0, file.name.rfind('.'));
    if (!name.starts_with("std/") || name.substr(4) != module) continue;
    std::string page = fmt::format("`{}`\n\n", name);
    for (const std::string_view line : split(file.text, '\n')) {
      if (!line.starts_with('#')) break;
      page += line.substr(std::min<std::size_t>(line.size(), 2));
      page += '\n';
    }
    return page;
  }
  return std::nullopt;
}

std::optional<Node> tree_of(std::string_view file_name, std::string_view text, SourceSet& sources) {
  Sink unheard;
  return syntax::read_sound_part(sources, sources.add(std::string(file_name), std::string(text)),
                                 unheard)
      .tree;
}

}  // namespace

std::vector<Completion> completions_at(std::string_view file_name, std::string_view text,
                                       std::size_t at, const std::vector<std::string>& modules) {
  const Cursor cursor(file_name, text, at);
  std::vector<Completion> found;
  const std::string path_key = cursor.key_before_path();
  const std::string_view before_path = trim(cursor.before_path());
  const bool is_use = path_key == "use" || (cursor.is_language() && before_path == "use");
  if (is_use) {
    for (const std::string& module : modules) found.push_back({module, "module", module});
    return found;
  }
  if (path_key == "kind" ||
      (cursor.is_language() && before_path.starts_with("step ") && before_path.ends_with(':'))) {
    add_kinds(found);
    return found;
  }
  const std::vector<std::string> members = cursor.members_before();
  if (!members.empty()) {
    if (const PlanKey* key = check::find_plan_key(members)) {
      for (const PlanKey& inner : key->keys) found.push_back({inner.name, inner.what, inner.name});
    }
    return found;
  }
  const std::string key = cursor.key_on_line();
  std::vector<std::string> path = cursor.blocks();
  if (cursor.is_module() && (key == "stage" || key == "role")) {
    const bool is_stage = key == "stage";
    for (const char* word : is_stage ? std::vector{"prepare", "cutover", "waves", "finalize"}
                                     : std::vector{"held", "commit"})
      found.push_back({word, is_stage ? "stage of a step" : "role of a step", word});
    return found;
  }
  if (!key.empty()) {
    path.push_back(key);
    const PlanKey* wanted = check::find_plan_key(path);
    path.pop_back();
    if (wanted != nullptr) {
      for (const ir::Value& word : wanted->schema["enum"].items()) {
        const std::string shown(word.string_or(""));
        found.push_back({shown, wanted->what, cursor.is_language() ? "\"" + shown + "\"" : shown});
      }
    }
  }
  if (cursor.is_in_expression()) {
    add_functions(found);
    for (const PlanKey& name : check::plan_keys().keys)
      found.push_back({name.name, name.what, name.name});
    return found;
  }
  if (!key.empty()) return found;
  if (cursor.is_module()) {
    for (const char* word : {"id", "kind", "for", "stage", "role", "when", "after", "before",
                             "after_previous_wave", "after_members", "args", "about"}) {
      found.push_back(
          {word, "of a step", std::string(word) + (cursor.is_language() ? " = " : ": ")});
    }
    return found;
  }
  if (const PlanKey* block = check::find_plan_key(path))
    add_keys(block->keys, cursor.is_language(), found);
  return found;
}

std::optional<std::string> hover_at(std::string_view file_name, std::string_view text,
                                    std::size_t at) {
  const Cursor cursor(file_name, text, at);
  const std::string_view word = cursor.word();
  if (auto page = page_of_module(cursor.path_word())) return page;
  for (const KindInfo& kind : all_kinds()) {
    if (kind.name == cursor.path_word())
      return fmt::format("`{}`, {}: {}\n\n`plan explain {}` says more", kind.name,
                         to_string(kind.severity), kind.summary, kind.name);
  }
  if (const auto kind = ir::step_kind_by_name(cursor.path_word())) {
    const ir::StepKindInfo& info = ir::info(*kind);
    std::string page =
        fmt::format("`{}`: {}\n\nundo: {}\n", info.name, info.summary, ir::undo_words(info));
    for (const ir::ArgumentSpec& argument : ir::arguments_of(*kind)) {
      page += fmt::format("\n- `{}`{}: {}", argument.name,
                          argument.is_required ? "" : " (may be left out)", argument.meaning);
    }
    return page;
  }
  if (word.empty()) return std::nullopt;
  if (const syntax::FunctionInfo* function = syntax::find_function(word);
      function != nullptr && cursor.is_in_expression() && cursor.is_called()) {
    return fmt::format("`{}({})` gives `{}`: {}\n\n`{}` is `{}`", function->name,
                       function->parameters, function->result, function->summary, function->example,
                       function->example_gives);
  }
  std::vector<std::string> path = cursor.members_before();
  if (path.empty()) path = cursor.is_in_expression() ? path : cursor.blocks();
  path.emplace_back(word);
  const PlanKey* key = check::find_plan_key(path);
  if (key == nullptr) return std::nullopt;
  return fmt::format("`{}`: {}", word, key->what);
}

std::optional<FilePlace> definition_at(const std::vector<EditedFile>& files, std::size_t file,
                                       std::size_t at) {
  if (file >= files.size()) return std::nullopt;
  const EditedFile& edited = files[file];
  const Cursor cursor(edited.path, edited.text, at);
  const std::string path(cursor.path_word());
  const bool is_file =
      path.ends_with(".plan") || path.ends_with(".yaml") || path.ends_with(".ndjson");
  if (path.starts_with("./") && is_file) return FilePlace{path.substr(2), 0, 0};
  if (auto place = definition_of_name_at(files, file, at)) return place;
  if (!cursor.is_in_expression()) return std::nullopt;
  SourceSet sources;
  const auto tree = tree_of(edited.path, edited.text, sources);
  if (!tree) return std::nullopt;
  const Node* node = &*tree;
  for (const std::string& name : cursor.members_before()) {
    node = node->find(name);
    if (node == nullptr) return std::nullopt;
  }
  const syntax::Entry* entry = node->find_entry(cursor.word());
  if (entry == nullptr) return std::nullopt;
  return FilePlace{edited.path, entry->key_span.begin, entry->key_span.end};
}

}  // namespace plan
