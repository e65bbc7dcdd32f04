#include <fmt/format.h>

#include <utility>

#include "compiler/ir/errors.h"
#include "compiler/ir/step_graph.h"
#include "compiler/ir/strict_reader.h"

// The graph as a document (docs/formats/saved-plan.md), in saved plans and in the journal, and
// back.

namespace plan::ir {
namespace {

constexpr std::size_t kStepsMax = 20'000'000;
constexpr std::size_t kWavesMax = UINT16_MAX;
constexpr std::uint64_t kAccountsMax = 1'000'000;  // of a wave: at a time, or failed
constexpr std::uint64_t kPermilleMax = 1'000;
constexpr std::size_t kEdges = 3;  // place of the edges in a step; behind them the soft ones

Value span_document(Span span) {
  return List{static_cast<std::uint32_t>(span.file), span.begin, span.end};
}

Span read_span(StrictReader& read, const Value& value, const Place& at) {
  read.list(value, 3, 3, at);
  const auto number = [&](std::size_t i) {
    return static_cast<std::uint32_t>(read.count(value.item(i), 0, UINT32_MAX, at.item(i)));
  };
  Span span;
  span.file = static_cast<FileId>(number(0));
  span.begin = number(1);
  span.end = number(2);
  return span;
}

StepShape read_shape(StrictReader& read, const Value& value, const Place& at) {
  read.object(value, {"arguments", "id", "kind", "origin", "role", "stage"}, {}, at);
  StepShape shape;
  if (const auto kind = step_kind_by_name(value["kind"].string_or("")))
    shape.kind = *kind;
  else
    read.refuse(at.member("kind"), value["kind"], "a kind of step that this version knows");
  if (const auto stage = stage_by_name(value["stage"].string_or("")))
    shape.stage = *stage;
  else
    read.refuse(at.member("stage"), value["stage"], "a stage");
  shape.role = static_cast<TransactionRole>(read.count(value["role"], 0, 2, at.member("role")));
  shape.id_pattern = read.text(value["id"], at.member("id"));
  read.object_or_null(value["arguments"], at.member("arguments"));
  shape.arguments = value["arguments"];
  shape.origin = read_span(read, value["origin"], at.member("origin"));
  return shape;
}

WaveInfo read_wave(StrictReader& read, const Value& value, const Place& at) {
  // What its clients may take is said whole or not at all.
  if (value.members().contains("client_bytes_per_s")) {
    read.object(value,
                {"approval", "client_bytes_per_s", "client_within_ms", "name", "origin", "parallel",
                 "stop_after_failed", "stop_failed_permille", "stop_hold_ms"},
                {}, at);
  } else {
    read.object(value,
                {"approval", "name", "origin", "parallel", "stop_after_failed",
                 "stop_failed_permille", "stop_hold_ms"},
                {}, at);
  }
  const auto number = [&](std::string_view name, std::uint64_t least, std::uint64_t most) {
    return read.count(value[name], least, most, at.member(name));
  };
  const auto accounts = [&](std::string_view name, std::uint64_t least, std::uint64_t most) {
    return static_cast<std::uint32_t>(number(name, least, most));
  };
  WaveInfo wave;
  wave.name = read.text(value["name"], at.member("name"));
  wave.parallel = accounts("parallel", 1, kAccountsMax);
  wave.is_held_for_approval = read.flag(value["approval"], at.member("approval"));
  wave.stop_after_failed = accounts("stop_after_failed", 0, kAccountsMax);
  wave.stop_failed_permille = accounts("stop_failed_permille", 0, kPermilleMax);
  wave.stop_hold_ms = number("stop_hold_ms", 0, INT64_MAX);
  if (value.members().contains("client_bytes_per_s")) {
    wave.client_bytes_per_s = number("client_bytes_per_s", 1, INT64_MAX);
    wave.client_within_ms = number("client_within_ms", 0, INT64_MAX);
  }
  wave.origin = read_span(read, value["origin"], at.member("origin"));
  return wave;
}

/// The numbers of the steps that one waits for: each once, in their order, and none that stands in
/// `others` too.
std::vector<StepId> read_edges(StrictReader& read, const Value& value, std::size_t least,
                               std::size_t steps, const std::vector<StepId>& others,
                               const Place& at) {
  std::vector<StepId> edges;
  const List& items = read.list(value, least, SIZE_MAX, at);
  edges.reserve(items.size());
  std::size_t other = 0;
  for (std::size_t i = 0; i < items.size() && !read.is_refused(); ++i) {
    const std::uint64_t number = read.count(items[i], 0, UINT32_MAX, at.item(i));
    const auto step = static_cast<StepId>(number);
    while (other < others.size() && others[other] < step) ++other;
    if (number >= steps)
      read.refuse(at.item(i), items[i], "the number of a step that is there");
    else if (!edges.empty() && step <= edges.back())
      read.refuse(at.item(i), items[i], "larger than the one before it");
    else if (other < others.size() && others[other] == step)
      read.refuse(at.item(i), items[i], "a step that it does not need as well");
    else
      edges.push_back(step);
  }
  return edges;
}

}  // namespace

Value StepGraph::to_document() const {
  Value document = Value::map({{"format", 1}});
  Value shapes = Value::list();
  for (const StepShape& s : shapes_) {
    shapes.push_back(Value::map({{"kind", info(s.kind).name},
                                 {"stage", to_string(s.stage)},
                                 {"role", static_cast<int>(s.role)},
                                 {"id", s.id_pattern},
                                 {"arguments", s.arguments},
                                 {"origin", span_document(s.origin)}}));
  }
  Value rows = Value::list();
  for (std::size_t i = 0; i < row_names_.size(); ++i) {
    rows.push_back(List{row_names_[i], row_members_[i], span_document(row_origins_[i])});
  }
  Value waves = Value::list();
  for (const WaveInfo& w : waves_) {
    Value wave = Value::map({{"name", w.name},
                             {"parallel", w.parallel},
                             {"approval", w.is_held_for_approval},
                             {"stop_after_failed", w.stop_after_failed},
                             {"stop_failed_permille", w.stop_failed_permille},
                             {"stop_hold_ms", w.stop_hold_ms},
                             {"origin", span_document(w.origin)}});
    if (w.client_bytes_per_s != 0) {
      wave.set("client_bytes_per_s", w.client_bytes_per_s);
      wave.set("client_within_ms", w.client_within_ms);
    }
    waves.push_back(std::move(wave));
  }
  Value steps = Value::list();
  for (std::size_t i = 0; i < size(); ++i) {
    Value before_this = Value::list();
    Value softly = Value::list();
    for (const StepId earlier : after(static_cast<StepId>(i))) {
      (is_soft(earlier, static_cast<StepId>(i)) ? softly : before_this)
          .push_back(static_cast<std::uint32_t>(earlier));
    }
    List step{shape_of_[i], static_cast<std::uint32_t>(row_of_[i]),
              static_cast<std::uint32_t>(wave_of_[i]), std::move(before_this)};
    if (softly.size() > 0) step.push_back(std::move(softly));
    steps.push_back(std::move(step));
  }
  document.set("shapes", std::move(shapes));
  document.set("rows", std::move(rows));
  document.set("waves", std::move(waves));
  document.set("steps", std::move(steps));
  return document;
}

Result<StepGraph> StepGraph::from_document(const Value& document) {
  if (document["format"].integer_or(0) != 1)
    return Error(errors::bad_saved_plan, "graph has a format that this version does not read");
  StrictReader read;
  const Place at("graph");
  const auto refused = [&] { return Error(errors::bad_saved_plan, *read.refusal()); };
  read.object(document, {"format", "rows", "shapes", "steps", "waves"}, {}, at);
  StepGraph graph;
  const Place shapes_at = at.member("shapes");
  for (const Value& shape : read.list(document["shapes"], shapes_at)) {
    graph.add_shape(read_shape(read, shape, shapes_at.item(graph.shapes_.size())));
    if (read.is_refused()) return refused();
  }
  const Place rows_at = at.member("rows");
  for (const Value& row : read.list(document["rows"], rows_at)) {
    const Place row_at = rows_at.item(graph.row_count());
    read.list(row, 3, 3, row_at);
    std::string name = read.text(row.item(0), row_at.item(0));
    read.object_or_null(row.item(1), row_at.item(1));
    const Span origin = read_span(read, row.item(2), row_at.item(2));
    if (read.is_refused()) return refused();
    graph.add_row(std::move(name), row.item(1), origin);
  }
  const Place waves_at = at.member("waves");
  for (const Value& wave : read.list(document["waves"], 0, kWavesMax, waves_at)) {
    graph.add_wave(read_wave(read, wave, waves_at.item(graph.waves_.size())));
    if (read.is_refused()) return refused();
  }
  const Place steps_at = at.member("steps");
  const List& steps = read.list(document["steps"], steps_at);
  if (read.is_refused()) return refused();
  if (steps.size() > kStepsMax)
    return Error(errors::bad_saved_plan, "graph has more steps than 20 million");
  for (const Value& step : steps) {
    const Place step_at = steps_at.item(graph.size());
    read.list(step, kEdges + 1, kEdges + 2, step_at);
    const auto number = [&](std::size_t i, std::size_t end, std::string_view wanted) {
      const std::uint64_t given = read.count(step.item(i), 0, UINT32_MAX, step_at.item(i));
      if (given >= end) read.refuse(step_at.item(i), step.item(i), wanted);
      return static_cast<std::uint32_t>(given);
    };
    const std::uint32_t shape = number(0, graph.shapes_.size(), "the number of a shape");
    const std::uint32_t row = number(1, graph.row_count() + 1, "0 or the number of a row, from 1");
    const std::uint32_t wave =
        number(2, graph.waves_.size() + 1, "0 or the number of a wave, from 1");
    if (read.is_refused()) return refused();
    graph.add_step(shape, static_cast<RowId>(row), static_cast<WaveId>(wave));
  }
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Place step_at = steps_at.item(i);
    const auto step = static_cast<StepId>(i);
    const std::vector<StepId> needed =
        read_edges(read, steps[i].item(kEdges), 0, steps.size(), {}, step_at.item(kEdges));
    for (const StepId before : needed) graph.add_edge(before, step);
    if (steps[i].size() > kEdges + 1) {
      const Place soft_at = step_at.item(kEdges + 1);
      for (const StepId before :
           read_edges(read, steps[i].item(kEdges + 1), 1, steps.size(), needed, soft_at))
        graph.add_soft_edge(before, step);
    }
    if (read.is_refused()) return refused();
  }
  if (auto problem = graph.freeze()) return Error(errors::bad_saved_plan, std::move(*problem));
  return graph;
}

}  // namespace plan::ir
