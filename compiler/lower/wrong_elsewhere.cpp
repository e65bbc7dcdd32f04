#include "compiler/lower/wrong_elsewhere.h"

#include <fmt/format.h>

#include "compiler/source/text.h"

namespace plan::lower {

void WrongElsewhere::note_arguments(Sink::Report& report) const {
  report.note(becomes.front(), "it becomes this argument");
  if (becomes.size() == 2) report.note(becomes[1], "and this one");
  if (becomes.size() > 2)
    report.note(becomes[1],
                fmt::format("and this one, and {} more", show_count(becomes.size() - 2)));
}

void ValuesWrongElsewhere::add(Span place, ArgumentProblem problem) {
  const auto [at, is_new] =
      at_.try_emplace({place.file, place.begin, place.end, problem.message}, found_.size());
  const Span argument = problem.span;
  if (is_new) found_.push_back({place, std::move(problem), {}});
  // A module that is used twice has one text.
  if (taken_at_.emplace(at->second, argument.file, argument.begin).second)
    found_[at->second].becomes.push_back(argument);
}

std::vector<WrongElsewhere> ValuesWrongElsewhere::take() {
  at_.clear();
  taken_at_.clear();
  return std::exchange(found_, {});
}

}  // namespace plan::lower
