#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "compiler/editor.h"
#include "compiler/source/text.h"
#include "compiler/syntax/expression.h"
#include "compiler/syntax/language.h"
#include "compiler/syntax/words.h"

namespace plan {
namespace {

using syntax::Entry;
using syntax::Node;

constexpr std::array<std::string_view, 3> kWaits = {"after", "after_previous_wave",
                                                    "after_members"};

/// A text that parses, and the thing in it that has a name.
class Renaming {
 public:
  Renaming(std::string_view file_name, std::string_view text, std::size_t at) : text_(text) {
    Sink unheard;
    tree_ = syntax::read_source(sources_, sources_.add(std::string(file_name), std::string(text)),
                                unheard);
    if (!tree_) return;
    if (find_step(at)) return;
    find_name(at);
  }

  [[nodiscard]] bool is_step() const { return is_step_; }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::vector<TextRange>& places() const { return places_; }
  /// Is there a step, a `let` or an input with this name already?
  [[nodiscard]] bool is_taken(std::string_view name) const {
    if (!tree_) return false;
    if (is_step_) {
      const Node* steps = tree_->find("steps");
      return steps != nullptr &&
             std::any_of(steps->items.begin(), steps->items.end(), [&](const Node& step) {
               const Node* id = step.find("id");
               return id != nullptr && id->text == name;
             });
    }
    for (const char* block : {"let", "inputs"}) {
      const Node* names = tree_->find(block);
      if (names != nullptr && names->find(name) != nullptr) return true;
    }
    return false;
  }

 private:
  /// The span without its quotes.
  [[nodiscard]] TextRange inner(const Span& span) const {
    TextRange range{span.begin, span.end};
    const auto is_quote = [&](std::size_t i) { return text_[i] == '"' || text_[i] == '\''; };
    if (range.end > range.begin + 1 && range.end <= text_.size() && is_quote(range.begin) &&
        text_[range.end - 1] == text_[range.begin]) {
      ++range.begin;
      --range.end;
    }
    return range;
  }
  [[nodiscard]] static bool holds(const TextRange& range, std::size_t at) {
    return at >= range.begin && at <= range.end;
  }
  /// Only what stands there letter by letter can be replaced: no escapes, no templates.
  [[nodiscard]] bool is_verbatim(const TextRange& range, std::string_view name) const {
    return range.end <= text_.size() && text_.substr(range.begin, range.end - range.begin) == name;
  }

  // --- steps -------------------------------------------------------------------------------------

  /// Every scalar that names a step of this module.
  [[nodiscard]] std::vector<const Node*> step_names() const {
    std::vector<const Node*> names;
    const Node* steps = tree_->find("steps");
    if (steps == nullptr) return names;
    for (const Node& step : steps->items) {
      if (const Node* id = step.find("id")) names.push_back(id);
    }
    for (const Node& step : steps->items) {
      for (const std::string_view key : kWaits) {
        const Node* list = step.find(key);
        if (list == nullptr) continue;
        for (const Node& one : list->items) names.push_back(&one);
      }
      // `restore` names the step that it undoes.
      const Node* arguments = step.find("args");
      const Node* undone = arguments == nullptr ? nullptr : arguments->find("step");
      if (undone != nullptr && undone->is_scalar()) names.push_back(undone);
    }
    return names;
  }

  bool find_step(std::size_t at) {
    const std::vector<const Node*> names = step_names();
    const auto found = std::find_if(names.begin(), names.end(), [&](const Node* node) {
      return holds(inner(node->span), at) && is_verbatim(inner(node->span), node->text);
    });
    if (found == names.end()) return false;
    name_ = (*found)->text;
    is_step_ = true;
    const Node* steps = tree_->find("steps");
    const bool is_own =
        std::any_of(steps->items.begin(), steps->items.end(), [&](const Node& step) {
          const Node* id = step.find("id");
          return id != nullptr && id->text == name_;
        });
    if (!is_own) return true;  // of another module: not to be changed from here
    for (const Node* node : names) {
      if (node->text == name_ && is_verbatim(inner(node->span), name_))
        places_.push_back(inner(node->span));
    }
    return true;
  }

  // --- names of expressions ----------------------------------------------------------------------

  void find_name(std::size_t at) {
    for (const char* block : {"let", "inputs"}) {
      const Node* names = tree_->find(block);
      if (names == nullptr) continue;
      for (const Entry& entry : names->entries) {
        std::vector<TextRange> places = {inner(entry.key_span)};
        collect(*tree_, entry.key, places);
        const bool is_meant = std::any_of(places.begin(), places.end(),
                                          [&](const auto& place) { return holds(place, at); });
        if (!is_meant) continue;
        name_ = entry.key;
        places_ = std::move(places);
        return;
      }
    }
  }

  /// Uses of `name` in the expressions below; a step's own row hides it.
  void collect(const Node& node, const std::string& name, std::vector<TextRange>& into) {
    if (node.is_scalar()) return collect_scalar(node, name, into);
    const Node* loop = node.find("for");
    if (loop != nullptr && loop->is_scalar() && loop->text.starts_with(name + " in ")) return;
    if (loop != nullptr && loop->is_scalar() && loop->text.ends_with(" in " + name)) {
      // `for account in accounts`: an input of rows.
      const TextRange range = inner(loop->span);
      if (is_verbatim({range.end - name.size(), range.end}, name))
        into.push_back({range.end - name.size(), range.end});
    }
    const Node* each = node.find("each");
    if (node.tag == "!for" && each != nullptr && each->text == name) return;
    for (const Node& item : node.items) collect(item, name, into);
    for (const Entry& entry : node.entries) collect(entry.value, name, into);
  }

  void collect_scalar(const Node& node, const std::string& name, std::vector<TextRange>& into) {
    if (node.text.find(name) == std::string::npos) return;
    Sink unheard;
    const auto text = syntax::parse_template(node, sources_, unheard);
    if (!text) return;
    for (const syntax::Template::Part& part : text->parts) {
      if (part.expression) collect_expression(*part.expression, name, into);
    }
  }

  void collect_expression(const syntax::Expression& expression, const std::string& name,
                          std::vector<TextRange>& into) {
    if (expression.kind == syntax::Expression::Kind::name && expression.text == name) {
      const TextRange range{expression.span.begin, expression.span.end};
      if (is_verbatim(range, name)) into.push_back(range);
    }
    for (const syntax::Expression& operand : expression.operands)
      collect_expression(operand, name, into);
  }

  std::string_view text_;
  SourceSet sources_;
  std::optional<Node> tree_;
  std::string name_;
  bool is_step_ = false;
  std::vector<TextRange> places_;
};

std::size_t holes_of(std::string_view id) {
  std::size_t count = 0;
  for (std::size_t at = id.find("{}"); at != std::string_view::npos; at = id.find("{}", at + 2))
    ++count;
  return count;
}

}  // namespace

std::vector<TextRange> places_of_name_at(std::string_view file_name, std::string_view text,
                                         std::size_t at) {
  return Renaming(file_name, text, at).places();
}

std::string why_not_renamed(std::string_view file_name, std::string_view text, std::size_t at,
                            std::string_view name) {
  const Renaming renaming(file_name, text, at);
  if (renaming.places().empty()) {
    return renaming.is_step() ? fmt::format("`{}` is a step of another module", renaming.name())
                              : std::string(
                                    "only steps, `let` and inputs of a module have names "
                                    "of their own");
  }
  if (renaming.is_step() && !syntax::is_path(name))
    return fmt::format("`{}` cannot be the id of a step", printable(name, 80));
  if (!renaming.is_step() && !syntax::is_name(name))
    return fmt::format("`{}` cannot be a name in an expression", printable(name, 80));
  if (renaming.is_step() && holes_of(name) != holes_of(renaming.name()))
    return fmt::format("`{}` needs as many `{{}}` as `{}`", printable(name, 80), renaming.name());
  if (name != renaming.name() && renaming.is_taken(name))
    return fmt::format("`{}` is there already", printable(name, 80));
  return {};
}

}  // namespace plan
