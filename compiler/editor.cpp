#include "compiler/editor.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "compiler/check/plan_keys.h"
#include "compiler/ir/step_kind.h"
#include "compiler/keys_beside.h"
#include "compiler/source/diagnostic.h"
#include "compiler/source/embedded_file.h"
#include "compiler/source/secret_places.h"
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
  [[nodiscard]] std::size_t word_begin() const { return word_begin_; }
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

  /// Inside quotes: what is inserted needs none.
  [[nodiscard]] bool is_quoted() const {
    return word_begin_ > 0 && (text_[word_begin_ - 1] == '"' || text_[word_begin_ - 1] == '\'');
  }

  /// The type that the step around the cursor is about: the value of its `object`.
  [[nodiscard]] std::string object_of_step() const { return value_in_step("object"); }
  /// The kind of the step around the cursor.
  [[nodiscard]] std::optional<ir::StepKind> kind_of_step() const {
    if (!is_language_) return ir::step_kind_by_name(value_in_step("kind"));
    const std::size_t begin = step_begin();
    if (!begins_step(begin)) return std::nullopt;
    std::string_view head = text_.substr(begin, text_.find('\n', begin) - begin);
    head = trim(head.substr(0, head.rfind('{')));
    return ir::step_kind_by_name(trim(head.substr(head.rfind(':') + 1)));
  }
  /// At the beginning of a line, where the statements and blocks of a file stand.
  [[nodiscard]] bool is_outermost() const { return line_begin(word_begin_) == word_begin_; }

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
  [[nodiscard]] bool begins_step(std::size_t line) const {
    const std::string_view rest = text_.substr(line);
    if (is_language_) return rest.starts_with("step ");
    const std::string_view item = rest.substr(std::min(rest.find_first_not_of(' '), rest.size()));
    return item.starts_with("- id:") || item.starts_with("- {id:");
  }
  [[nodiscard]] std::size_t step_begin() const {
    std::size_t begin = line_begin(at_);
    while (begin > 0 && !begins_step(begin)) begin = line_begin(begin - 1);
    return begin;
  }
  [[nodiscard]] std::string value_in_step(std::string_view key) const {
    std::size_t line = step_begin();
    do {
      const std::size_t end = std::min(text_.find('\n', line), text_.size());
      if (std::string value = value_in(text_.substr(line, end - line), key); !value.empty())
        return value;
      line = end + 1;
    } while (line < text_.size() && !begins_step(line));
    return {};
  }
  static std::string value_in(std::string_view line, std::string_view key) {
    for (std::size_t at = line.find(key); at != std::string_view::npos;
         at = line.find(key, at + 1)) {
      if (at > 0 && syntax::is_word_part(line[at - 1])) continue;
      std::string_view rest = trim(line.substr(at + key.size()));
      if (!rest.starts_with(':') && !rest.starts_with('=')) continue;
      rest = trim(rest.substr(1));
      if (rest.starts_with('"') || rest.starts_with('\'')) rest.remove_prefix(1);
      std::size_t end = 0;
      while (end < rest.size() && (syntax::is_path_part(rest[end]) || rest[end] == ':')) ++end;
      return std::string(rest.substr(0, end));
    }
    return {};
  }

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
    if (left.ends_with('"') && left.size() > 1) {
      const std::size_t open = left.rfind('"', left.size() - 2);
      if (open == std::string_view::npos) return {};
      return std::string(left.substr(open + 1, left.size() - open - 2));
    }
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

// --- words of a module

struct Word {
  std::string_view name;
  std::string_view what;
};
constexpr std::array kStatements = {
    Word{"about", "what the module does, in a line"},
    Word{"input", "what who uses it gives: `input NAME : TYPE`, with `= VALUE` where it may not"},
    Word{"let", "a name for a value: `let NAME = EXPRESSION`"},
    Word{"module", "the module's name"},
    Word{"step", "a step: `step ID : KIND { ... }`"},
    Word{"use", "the steps of another module"}};
constexpr std::array kBlocks = {Word{"about", "what the module does, in a line"},
                                Word{"inputs", "what who uses it gives, with types"},
                                Word{"let", "names for values"},
                                Word{"module", "the module's name"},
                                Word{"steps", "the list of its steps"},
                                Word{"use", "other modules, whose steps are added"}};
constexpr std::array kStepHeads = {Word{"id", "the step's name; `{}` is the name of the row"},
                                   Word{"kind", "what it does: one of the kinds of steps"},
                                   Word{"for", "one step for each row: `NAME in LIST`"},
                                   Word{"args", "the arguments of its kind"}};
constexpr std::array kStepWords = {
    Word{"about", "what the step does, in a line"},
    Word{"after", "steps that it waits for"},
    Word{"after_members", "of a list: it waits for these steps of every member"},
    Word{"after_previous_wave", "it waits for these steps of all accounts of the wave before"},
    Word{"before", "steps that wait for it"},
    Word{"role", "`held`, from the beginning of the hold on, or `commit`"},
    Word{"stage", "`prepare`, `cutover`, `waves` or `finalize`"},
    Word{"when", "a condition: without it there is no such step"}};

/// The statements of a file, or what a step may have: its words and the arguments of its kind.
void add_module_words(const Cursor& cursor, const std::vector<std::string>& blocks,
                      std::vector<Completion>& into) {
  const std::string assign = cursor.is_language() ? " = " : ": ";
  const auto add = [&](const auto& words, std::string_view behind) {
    for (const Word& word : words)
      into.push_back(
          {std::string(word.name), std::string(word.what), std::string(word.name).append(behind)});
  };
  if (cursor.is_outermost()) {
    if (cursor.is_language())
      add(kStatements, " ");
    else
      add(kBlocks, ": ");
    return;
  }
  const bool is_in_arguments = !blocks.empty() && blocks.back() == "args";
  if (cursor.is_language() || is_in_arguments) {
    if (const auto kind = cursor.kind_of_step()) {
      for (const ir::ArgumentSpec& argument : ir::arguments_of(*kind))
        into.push_back({std::string(argument.name), std::string(argument.meaning),
                        std::string(argument.name) + assign});
    }
  }
  if (is_in_arguments) return;
  if (!cursor.is_language()) add(kStepHeads, assign);
  add(kStepWords, assign);
}

/// What a word of a step, or an argument of its kind, says.
std::optional<std::string> hover_in_step(const Cursor& cursor) {
  if (!cursor.is_module() || cursor.is_outermost()) return std::nullopt;
  const std::string_view word = cursor.word();
  if (const auto kind = cursor.kind_of_step()) {
    for (const ir::ArgumentSpec& argument : ir::arguments_of(*kind)) {
      if (argument.name == word)
        return fmt::format("`{}` of `{}`: {}", word, ir::info(*kind).name, argument.meaning);
    }
  }
  for (const Word& known : kStepWords) {
    if (known.name == word) return fmt::format("`{}`: {}", word, known.what);
  }
  return std::nullopt;
}

// --- what the target's schema says

/// The type whose properties stand in the block at the cursor: that of the step's `object`, or one
/// inside it. Null: the cursor is in no `match` and no `set`.
const schema::ObjectType* type_at(const Cursor& cursor, const schema::Schema& schema) {
  const std::vector<std::string> path = cursor.blocks();
  const auto part = std::find_if(path.begin(), path.end(), [](const std::string& key) {
    return key == "set" || key == "match";
  });
  if (part == path.end() || !cursor.is_module()) return nullptr;
  const schema::ObjectType* type = schema.resolved(cursor.object_of_step());
  for (auto key = part + 1; key != path.end() && type != nullptr; ++key) {
    const schema::ObjectType* inner = nullptr;
    for (const schema::Variant& variant : type->variants) {
      const schema::Property* property =
          variant.fields == nullptr ? nullptr : variant.fields->find(*key);
      if (property != nullptr && inner == nullptr)
        inner = schema.resolved(property->type.reference);
    }
    type = inner;
  }
  return type;
}

/// The names and types of all properties; of a union each variant says which are its own.
std::vector<Completion> properties_of(const schema::ObjectType& type) {
  std::vector<Completion> found;
  for (const schema::Variant& variant : type.variants) {
    if (variant.fields == nullptr) continue;
    for (const schema::Property& property : variant.fields->properties()) {
      const auto known = std::find_if(found.begin(), found.end(), [&](const Completion& one) {
        return one.label == property.name;
      });
      if (known != found.end()) {
        known->detail += ", " + variant.name;
        continue;
      }
      std::string detail = property.type.notation();
      if (property.update == schema::Update::server_set) detail += ", set by the server";
      if (property.update == schema::Update::immutable) detail += ", fixed at creation";
      if (type.is_multiple) detail += fmt::format("; of {}", variant.name);
      found.push_back({property.name, std::move(detail), property.name});
    }
  }
  return found;
}

/// The words that the value of `key` may be.
std::vector<std::string> words_of(const schema::ObjectType& type, std::string_view key,
                                  const schema::Schema& schema) {
  std::vector<std::string> words;
  for (const schema::Variant& variant : type.variants) {
    if (key == "@type") words.push_back(variant.name);
    const schema::Property* property =
        variant.fields == nullptr ? nullptr : variant.fields->find(key);
    if (property == nullptr || !words.empty()) continue;
    const schema::EnumType* values = property->type.kind == schema::TypeKind::enumeration
                                         ? schema.enumeration(property->type.reference)
                                         : nullptr;
    if (values != nullptr) words = values->values;
  }
  return words;
}

void add_words(const Cursor& cursor, const std::vector<std::string>& words, std::string_view detail,
               std::vector<Completion>& into) {
  const bool needs_quotes = cursor.is_language() && !cursor.is_quoted();
  for (const std::string& word : words)
    into.push_back({word, std::string(detail), needs_quotes ? "\"" + word + "\"" : word});
}

/// Everything that only the schema knows; false: the place is none of its own.
bool add_from_schema(const Cursor& cursor, const schema::Schema& schema,
                     std::vector<Completion>& into) {
  const std::string key = cursor.key_on_line();
  if (const schema::ObjectType* type = type_at(cursor, schema)) {
    if (key.empty()) {
      for (Completion& property : properties_of(*type)) {
        property.insert += cursor.is_language() ? " = " : ": ";
        into.push_back(std::move(property));
      }
      return true;
    }
    add_words(cursor, words_of(*type, key, schema), "", into);
    return !into.empty();
  }
  if (!cursor.is_module()) return false;
  if (key == "object") {
    for (const schema::ObjectType& type : schema.objects()) {
      if (type.kind != schema::ObjectKind::collection && type.kind != schema::ObjectKind::singleton)
        continue;
      const std::string name = type.name.starts_with("x:") ? type.name.substr(2) : type.name;
      if (schema.object(name) == &type) add_words(cursor, {name}, to_string(type.kind), into);
    }
    return true;
  }
  if (key != "action") return false;
  if (const schema::ObjectType* actions = schema.object("Action")) {
    for (const schema::Variant& action : actions->variants)
      if (action.fields == nullptr) add_words(cursor, {action.name}, "action", into);
  }
  return true;
}

/// A type behind `object`, or a property inside `match` and `set`.
std::optional<std::string> hover_from_schema(const Cursor& cursor, const schema::Schema& schema) {
  const std::string word(cursor.word());
  if (word.empty() || !cursor.is_module()) return std::nullopt;
  if (cursor.key_on_line() == "object") {
    const schema::ObjectType* type = schema.resolved(word);
    if (type == nullptr) return std::nullopt;
    std::string page = fmt::format("`{}` of the target ({})\n", word, to_string(type->kind));
    for (const Completion& property : properties_of(*type))
      page += fmt::format("\n- `{}`: `{}`", property.label, property.detail);
    return page;
  }
  const schema::ObjectType* type = type_at(cursor, schema);
  if (type == nullptr || !cursor.key_on_line().empty()) return std::nullopt;
  for (const Completion& property : properties_of(*type)) {
    if (property.label != word) continue;
    std::string page = fmt::format("`{}`: `{}`", word, property.detail);
    const std::vector<std::string> words = words_of(*type, word, schema);
    if (!words.empty()) page += fmt::format("\n\none of `{}`", fmt::join(words, "`, `"));
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
                                       std::size_t at, const std::vector<std::string>& modules,
                                       const schema::Schema* schema) {
  const Cursor cursor(file_name, text, at);
  std::vector<Completion> found;
  if (schema != nullptr && add_from_schema(cursor, *schema, found)) return found;
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
    add_module_words(cursor, path, found);
    return found;
  }
  if (const PlanKey* block = check::find_plan_key(path))
    add_keys(block->keys, cursor.is_language(), found);
  const std::set<std::string> there = keys_beside(text, cursor.word_begin(), cursor.is_language());
  std::erase_if(found, [&](const Completion& one) { return there.contains(one.label); });
  return found;
}

std::optional<std::string> hover_at(std::string_view file_name, std::string_view text,
                                    std::size_t at, const schema::Schema* schema) {
  const Cursor cursor(file_name, text, at);
  const std::string_view word = cursor.word();
  if (schema != nullptr) {
    if (auto page = hover_from_schema(cursor, *schema)) return page;
  }
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
  if (path.empty() && !cursor.is_in_expression()) {
    if (auto page = hover_in_step(cursor)) return page;
  }
  if (path.empty()) path = cursor.is_in_expression() ? path : cursor.blocks();
  path.emplace_back(word);
  const PlanKey* key = check::find_plan_key(path);
  if (key == nullptr) return std::nullopt;
  return fmt::format("`{}`: {}", word, key->what);
}

std::vector<EditedFile> standard_modules() {
  std::vector<EditedFile> files;
  for (const EmbeddedFile& file : embedded::stdlib_modules())
    files.push_back({fmt::format("std/{}", file.name), std::string(file.text)});
  return files;
}

std::string declaration_at(const std::vector<EditedFile>& files, const FilePlace& place) {
  const auto file = std::find_if(files.begin(), files.end(),
                                 [&](const EditedFile& one) { return one.path == place.path; });
  if (file == files.end()) return {};
  constexpr std::size_t kLinesMax = 12;
  const std::vector<std::string_view> lines = split(file->text, '\n');
  const auto text = std::string_view(file->text).substr(0, place.begin);
  const auto first = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
  const auto indent_of = [&](std::size_t i) {
    return std::min(lines[i].find_first_not_of(" -"), lines[i].size());
  };
  std::size_t begin = first;
  while (begin > 0 && first - begin < kLinesMax && trim(lines[begin - 1]).starts_with('#')) --begin;
  // What is deeper belongs to it, and the bracket that closes it.
  std::size_t end = first + 1;
  while (end < lines.size() && end - first < kLinesMax &&
         (trim(lines[end]).empty() || indent_of(end) > indent_of(first)))
    ++end;
  const bool is_closed = end < lines.size() && end - first < kLinesMax &&
                         (trim(lines[end]).starts_with('}') || trim(lines[end]).starts_with(']'));
  if (is_closed) ++end;
  while (end > first + 1 && trim(lines[end - 1]).empty()) --end;
  // A secret that stands there in clear is not shown a second time.
  SourceSet sources;
  const FileId shown = sources.add(file->path, file->text);
  SecretMask mask(sources, {});
  const auto offset_of = [&](std::string_view line) {
    return static_cast<std::uint32_t>(line.data() - file->text.data());
  };
  const std::string_view last = lines[end - 1];
  return fmt::format("```\n{}\n```\n\n{}:{}",
                     mask.text(shown, offset_of(lines[begin]),
                               offset_of(last) + static_cast<std::uint32_t>(last.size())),
                     file->path, first + 1);
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
  if (path.starts_with("std/")) {
    for (const EditedFile& one : files) {
      if (one.path.substr(0, one.path.rfind('.')) == path) return FilePlace{one.path, 0, 0};
    }
  }
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
