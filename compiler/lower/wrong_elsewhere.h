#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "compiler/lower/step_arguments.h"
#include "compiler/source/diagnostic.h"

namespace plan::lower {

/// What is wrong with a value that stands outside of the steps that take it: a `let`, an input.
struct WrongElsewhere {
  Span place = {};
  ArgumentProblem problem = {};
  std::vector<Span> becomes = {};  ///< the arguments that are made of it, at least one

  /// Says which they are: two of them, and how many more.
  void note_arguments(Sink::Report& report) const;
};

/// Collects those of one procedure: each is told once, however many steps take the value.
class ValuesWrongElsewhere {
 public:
  /// `problem.span` is the argument that the value at `place` becomes.
  void add(Span place, ArgumentProblem problem);
  /// In the order in which they came; leaves none behind.
  [[nodiscard]] std::vector<WrongElsewhere> take();

 private:
  using Key = std::tuple<FileId, std::uint32_t, std::uint32_t, std::string>;
  std::vector<WrongElsewhere> found_ = {};
  std::map<Key, std::size_t> at_ = {};
  std::set<std::tuple<std::size_t, FileId, std::uint32_t>> taken_at_ = {};
};

}  // namespace plan::lower
