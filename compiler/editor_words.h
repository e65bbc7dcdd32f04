#pragma once
#include <array>
#include <string_view>

namespace plan {

/// A word of a module, and what an editor says of it.
struct ModuleWord {
  std::string_view name;
  std::string_view what;
};

/// Words that each step may have, in both languages.
inline constexpr std::array kStepWords = {
    ModuleWord{"about", "what the step does, in a line"},
    ModuleWord{"after", "steps that it waits for"},
    ModuleWord{"after_members", "of a list: it waits for these steps of every member"},
    ModuleWord{"after_previous_wave",
               "it waits for these steps of all accounts of the wave before"},
    ModuleWord{"before", "steps that wait for it"},
    ModuleWord{"role", "`held`, from the beginning of the hold on, or `commit`"},
    ModuleWord{"stage", "`prepare`, `cutover`, `waves` or `finalize`"},
    ModuleWord{"when", "a condition: without it there is no such step"}};

}  // namespace plan
