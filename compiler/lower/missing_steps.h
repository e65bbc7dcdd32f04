#pragma once
#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

#include "compiler/lower/lower.h"

namespace plan::lower {

/// Tells of ids that no step has where the steps are that were meant: behind the word that their
/// module is used `as`, or in a module of std that is not used. One for a whole procedure, which
/// tells each of these once, whoever names steps of it.
class MissingSteps {
 public:
  /// `steps`: all of the procedure, by their ids. All must outlive this.
  MissingSteps(const LowerInput& input, const std::unordered_map<std::string, std::size_t>& steps,
               Sink& sink)
      : input_(input), steps_(steps), sink_(sink) {}

  /// `item` names the step. False: nothing is known of it, and nothing was said.
  bool tell(const syntax::Node& item);

 private:
  [[nodiscard]] const ModuleInstance* used_as_a_word(const std::string& id) const;
  void report_prefix(const syntax::Node& item, const ModuleInstance& module);
  [[nodiscard]] Present present() const;
  void report_unused(const syntax::Node& item, const StdModule& module);
  [[nodiscard]] std::string how_to_use(std::string_view name, Span place) const;
  [[nodiscard]] std::string use_of(Span place) const;

  const LowerInput& input_;
  const std::unordered_map<std::string, std::size_t>& steps_;
  Sink& sink_;
  std::unordered_map<std::string, StdModule> of_std_;  // by the id of a step that is not there
  std::set<std::string>
      unused_;                   // modules of std that were told, and steps of those that cannot be
  std::set<std::string> words_;  // prefixes that were told
};

}  // namespace plan::lower
