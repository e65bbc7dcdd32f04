#include "compiler/std_modules.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "compiler/source/text.h"
#include "compiler/syntax/words.h"

namespace plan {
namespace {

/// Does the text have these words, elsewhere than in a comment?
bool asks(std::string_view text, std::string_view words) {
  for (std::size_t at = text.find(words); at != std::string_view::npos;
       at = text.find(words, at + words.size())) {
    const std::size_t newline = text.rfind('\n', at);
    const std::size_t begin = newline == std::string_view::npos ? 0 : newline + 1;
    if (!trim(text.substr(begin, at - begin)).starts_with('#')) return true;
  }
  return false;
}

/// What stands behind these words at the begin of a line, up to a blank.
std::vector<std::string_view> words_behind(std::string_view text, std::string_view begin) {
  std::vector<std::string_view> words;
  for (std::string_view line : split(text, '\n')) {
    if (begin.starts_with('-')) line = trim(line);
    if (!line.starts_with(begin)) continue;
    line.remove_prefix(begin.size());
    words.push_back(line.substr(0, line.find(' ')));
  }
  return words;
}

/// The ids of its steps, as they stand there.
std::vector<std::string_view> steps_of(const EmbeddedFile& file) {
  return words_behind(file.text, file.name.ends_with(".yaml") ? "- id: " : "step ");
}

/// The modules of std by their texts: which steps each has, and which others it brings.
class Stdlib {
 public:
  Stdlib(std::span<const EmbeddedFile> files, bool is_from_stalwart,
         const lower::Present& present) {
    for (const EmbeddedFile& file : files) {
      Module& module = modules_.emplace_back();
      module.name = fmt::format("{}{}", kStd, file.name.substr(0, file.name.rfind('.')));
      module.used = words_behind(file.text, "use ");
      module.steps = steps_of(file);
      module.is_for_another = is_for_another(file.text, is_from_stalwart);
      module.is_there =
          present.modules.contains(module.name) ||
          std::any_of(module.steps.begin(), module.steps.end(),
                      [&](std::string_view id) { return present.has_step(std::string(id)); });
    }
  }

  [[nodiscard]] lower::StdModule module_for(std::string_view id) const {
    const Module* found = nullptr;
    for (const Module& module : modules_) {
      if (std::find(module.steps.begin(), module.steps.end(), id) == module.steps.end() ||
          !is_for_this_source(module))
        continue;
      if (found == nullptr || (!can_be_used(*found) && can_be_used(module))) found = &module;
    }
    if (found == nullptr) return {};
    const bool is_usable = can_be_used(*found);
    return {found->name, is_usable ? outermost(*found).name : found->name, is_usable};
  }

 private:
  struct Module {
    std::string name = {};
    std::vector<std::string_view> used = {};  ///< names of others
    std::vector<std::string_view> steps = {};
    bool is_for_another = false;  ///< source; by itself
    bool is_there = false;        ///< it, or a step of it
  };

  static bool uses(const Module& module, const Module& other) {
    return std::find(module.used.begin(), module.used.end(), other.name) != module.used.end();
  }

  /// Is it so of none of the module and all that it brings?
  template <class Is>
  [[nodiscard]] bool is_none_of_whole(const Module& module, const Is& is) const {
    std::vector<const Module*> all = {&module};
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (is(*all[i])) return false;
      for (const Module& other : modules_) {
        if (uses(*all[i], other) && std::find(all.begin(), all.end(), &other) == all.end())
          all.push_back(&other);
      }
    }
    return true;
  }
  [[nodiscard]] bool is_for_this_source(const Module& module) const {
    return is_none_of_whole(module, [](const Module& one) { return one.is_for_another; });
  }
  [[nodiscard]] bool can_be_used(const Module& module) const {
    return is_none_of_whole(module, [](const Module& one) { return one.is_there; });
  }

  /// A part that one other module brings is used with that one.
  [[nodiscard]] const Module& outermost(const Module& part) const {
    const Module* found = &part;
    for (std::size_t depth = 0; depth < kModuleDepthMax; ++depth) {
      std::vector<const Module*> users;
      for (const Module& module : modules_) {
        if (uses(module, *found) && is_for_this_source(module) && can_be_used(module))
          users.push_back(&module);
      }
      if (users.size() != 1) break;
      found = users.front();
    }
    return *found;
  }

  std::vector<Module> modules_;
};

}  // namespace

bool is_for_another(std::string_view text, bool is_from_stalwart) {
  return is_from_stalwart ? asks(text, "source.dovecot.") || asks(text, "source.postfix.")
                          : asks(text, "source.stalwart.");
}

lower::StdModule std_module_of(std::span<const EmbeddedFile> stdlib, std::string_view id,
                               bool is_from_stalwart, const lower::Present& present) {
  return Stdlib(stdlib, is_from_stalwart, present).module_for(id);
}

std::vector<std::string_view> std_step_forms(std::span<const EmbeddedFile> stdlib) {
  std::vector<std::string_view> forms;
  for (const EmbeddedFile& file : stdlib) {
    const std::vector<std::string_view> steps = steps_of(file);
    forms.insert(forms.end(), steps.begin(), steps.end());
  }
  return forms;
}

}  // namespace plan
