// Prevents: a half of an expression, or one member of a list by its number. The target takes both
// and keeps the other half, whatever that is by then; the number may be another member
// (reference/stalwart-admin.md 2.2).
#include <fmt/format.h>

#include <algorithm>

#include "compiler/check/graph_view.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

bool is_half_of_expression(const ir::Value& value) {
  if (!value.is_map() || value.size() != 1) return false;
  return value.members().contains("else") || value.members().contains("match");
}

bool is_number(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

enum class Part : std::uint8_t { none, expression, numbered };

Part part_of(std::string_view key, const ir::Value& value) {
  if (is_half_of_expression(value)) return Part::expression;
  auto segments = split(key, '/');
  if (!segments.empty() && segments.front().empty()) segments.erase(segments.begin());
  for (std::size_t i = 1; i < segments.size(); ++i) {
    if (segments[i] == "else" || segments[i] == "match") return Part::expression;
    if (is_number(segments[i])) return Part::numbered;
  }
  return Part::none;
}

}  // namespace

void partial_value(const GraphView& view, Sink& sink) {
  for (const TargetWrite& write : view.writes()) {
    for (const auto& [key, value] : write.set.members()) {
      const Part part = part_of(key, value);
      if (part == Part::none) continue;
      const bool is_expression = part == Part::expression;
      sink.report(Kind::schema_value, view.place_of(write.step, fmt::format("set.{}", key)),
                  fmt::format("{} `set.{}`: {}", write.object, printable(key, 80),
                              is_expression ? "only a part of an expression"
                                            : "one member of a list by its number"))
          .label(is_expression ? "the target keeps the other part, whatever it is by then"
                               : "by then the number may be another member's")
          .help(is_expression
                    ? "write `match` and `else` together; `match: {}` takes the branches away"
                    : "write the whole list");
    }
  }
}

}  // namespace plan::check::rules
