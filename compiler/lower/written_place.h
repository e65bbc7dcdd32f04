#pragma once
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "compiler/lower/lower.h"
#include "compiler/source/source_set.h"

namespace plan::lower {

/// Where the arguments of steps are written: what is wrong with a member of a value is shown there,
/// and not at the step.
class WrittenPlaces {
 public:
  WrittenPlaces(const std::vector<ModuleInstance>& modules, const SourceSet& sources)
      : modules_(modules), sources_(sources) {}

  /// Where the operator gave a module of std what stands in a part of the arguments of its step;
  /// unknown where he gave nothing of it, or more than one thing.
  [[nodiscard]] Span given(std::string_view step, Span id, std::string_view path);

  /// Where a part of the arguments of a step is written: `set.bind.0`. A path that goes on behind
  /// what is written means the last that is: the name of what lacks a member, the expression that
  /// gives the whole; and what an input has by a plain name stands where it is given. Unknown where
  /// nothing of it is written, or what is is another one in each row. `is_name`: it is about the
  /// name of the member and not about its value.
  [[nodiscard]] Span written(std::string_view step, Span id, std::string_view path, bool is_name);
  /// The same of a part of the value that stands at `value`, of an input or a `let`.
  [[nodiscard]] Span in_value(Span value, std::string_view path, bool is_name);
  /// Where the value of an input of this module is written: where it is given, else its default;
  /// unknown where it comes from elsewhere.
  [[nodiscard]] Span value_of(const ModuleInstance& module, std::string_view name);

 private:
  struct Step {
    const ModuleInstance* module = nullptr;
    const syntax::Node* node = nullptr;
  };
  /// What a path leads to.
  struct Found {
    const syntax::Node* node = nullptr;  ///< null: nothing of it is written
    Span key = {};                       ///< its name; unknown: it has none
    std::string_view rest = {};          ///< of the path, behind it
  };

  void index();
  /// The step whose id stands at `id`: several of a line of NDJSON stand at one place.
  [[nodiscard]] Step find(std::string_view step, Span id);
  [[nodiscard]] static Found walk(const syntax::Node& from, std::string_view path);
  [[nodiscard]] static Found argument(const syntax::Node& step, std::string_view path);
  [[nodiscard]] Span span_of(Found found, const ModuleInstance& of, bool is_name);
  [[nodiscard]] const syntax::Node* value_at(Span place);
  [[nodiscard]] bool mentions_in(const syntax::Node& node, std::string_view name) const;

  const std::vector<ModuleInstance>& modules_;
  const SourceSet& sources_;
  bool is_indexed_ = false;
  std::unordered_map<std::string, Step> by_id_;
  std::map<std::pair<FileId, std::uint32_t>, Step> by_place_;
  std::map<std::tuple<FileId, std::uint32_t, std::uint32_t>, const syntax::Node*> values_;
  std::map<std::pair<const ModuleInstance*, std::string>, Span> names_;
};

}  // namespace plan::lower
