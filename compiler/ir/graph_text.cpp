#include "compiler/ir/graph_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "compiler/ir/json.h"
#include "compiler/ir/undo_by_hand.h"
#include "compiler/source/text.h"

namespace plan::ir {
namespace {

std::string_view role_word(TransactionRole role) {
  switch (role) {
    case TransactionRole::none:
      return "-";
    case TransactionRole::held:
      return "held";
    case TransactionRole::commit:
      return "commit";
  }
  return "-";
}

// What is drawn: a step, or all steps of one shape in one wave.
struct Drawing {
  struct Node {
    std::string label;
    StepKind kind = {};
    Stage stage = Stage::prepare;
    std::size_t count = 0;
  };
  std::vector<Node> nodes;
  std::set<std::pair<std::size_t, std::size_t>> edges;
};

Drawing draw(const StepGraph& graph, const GraphTextOptions& options) {
  Drawing drawing;
  std::map<std::pair<const StepShape*, WaveId>, std::size_t> folded;
  std::vector<std::size_t> node_of(graph.size());
  for (const StepId step : graph.order()) {
    const StepShape& shape = graph.shape(step);
    const bool is_row = graph.row(step) != RowId::none;
    std::size_t node = drawing.nodes.size();
    if (options.is_folded && is_row) {
      const auto [entry, is_new] = folded.emplace(std::pair(&shape, graph.wave(step)), node);
      node = entry->second;
      if (is_new) {
        const WaveInfo* wave = graph.wave_info(graph.wave(step));
        drawing.nodes.push_back(
            {fmt::format("{}{}", shape.id_pattern, wave == nullptr ? "" : " of wave " + wave->name),
             shape.kind, shape.stage, 0});
      }
    } else {
      drawing.nodes.push_back({graph.id(step), shape.kind, shape.stage, 0});
    }
    ++drawing.nodes[node].count;
    node_of[index(step)] = node;
  }
  for (const StepId step : graph.order()) {
    for (const StepId before : graph.after(step)) {
      if (node_of[index(before)] != node_of[index(step)]) {
        drawing.edges.emplace(node_of[index(before)], node_of[index(step)]);
      }
    }
  }
  return drawing;
}

std::string label_of(const Drawing::Node& node) {
  const std::string label = printable(node.label);
  return node.count > 1 ? fmt::format("{} ({} times)", label, node.count) : label;
}

std::string quoted(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string_view colour_of(StepEffect effect) {
  switch (effect) {
    case StepEffect::read:
      return "#eeeeee";
    case StepEffect::create:
      return "#d7f0d7";
    case StepEffect::update:
      return "#fbf0c8";
    case StepEffect::destroy:
      return "#f5cccc";
    case StepEffect::move_mail:
      return "#cfe2f7";
    case StepEffect::move_traffic:
      return "#d9d2f0";
    case StepEffect::stop_service:
      return "#f5cccc";
  }
  return "#eeeeee";
}

std::string undo_words(const StepGraph& graph, StepId step) {
  std::string words(to_string(info(graph.kind(step)).undo));
  if (const std::string by_hand = undo_by_hand(graph, step); !by_hand.empty())
    words += fmt::format(" ({})", by_hand);
  return words;
}

}  // namespace

std::string graph_lines(const StepGraph& graph, bool has_arguments) {
  std::vector<std::string> lines;
  for (const StepId step : graph.order()) {
    std::vector<std::string> before;
    for (const StepId earlier : graph.after(step))
      before.push_back(printable(graph.id(earlier)) + (graph.is_soft(earlier, step) ? "?" : ""));
    std::sort(before.begin(), before.end());
    const WaveInfo* wave = graph.wave_info(graph.wave(step));
    lines.push_back(fmt::format(
        "{}  kind={}  stage={}  wave={}  role={}  undo={}  after={}{}\n", printable(graph.id(step)),
        info(graph.kind(step)).name, to_string(graph.stage(step)),
        wave == nullptr ? "-" : printable(wave->name), role_word(graph.role(step)),
        undo_words(graph, step), before.empty() ? "-" : fmt::format("{}", fmt::join(before, ",")),
        has_arguments ? "\n    " + printable(canonical_json(graph.arguments(step)), SIZE_MAX)
                      : ""));
  }
  std::sort(lines.begin(), lines.end());
  std::string text;
  for (const std::string& line : lines) text += line;
  return text;
}

std::string graph_dot(const StepGraph& graph, const GraphTextOptions& options) {
  const Drawing drawing = draw(graph, options);
  std::string text =
      "digraph plan {\n  rankdir=LR;\n  node [shape=box, style=filled, fontname=\"sans-serif\"];\n";
  for (const Stage stage : {Stage::prepare, Stage::cutover, Stage::waves, Stage::finalize}) {
    text += fmt::format("  subgraph cluster_{0} {{\n    label=\"{0}\";\n", to_string(stage));
    for (std::size_t i = 0; i < drawing.nodes.size(); ++i) {
      const Drawing::Node& node = drawing.nodes[i];
      if (node.stage != stage) continue;
      text +=
          fmt::format("    n{} [label=\"{}\\n{}\", fillcolor=\"{}\"];\n", i, quoted(label_of(node)),
                      info(node.kind).name, colour_of(info(node.kind).effect));
    }
    text += "  }\n";
  }
  for (const auto& [from, to] : drawing.edges) text += fmt::format("  n{} -> n{};\n", from, to);
  return text + "}\n";
}

std::string graph_mermaid(const StepGraph& graph, const GraphTextOptions& options) {
  const Drawing drawing = draw(graph, options);
  std::string text = "flowchart LR\n";
  for (const Stage stage : {Stage::prepare, Stage::cutover, Stage::waves, Stage::finalize}) {
    text += fmt::format("  subgraph {}\n", to_string(stage));
    for (std::size_t i = 0; i < drawing.nodes.size(); ++i) {
      std::string label = label_of(drawing.nodes[i]);
      std::replace(label.begin(), label.end(), '"', '\'');
      if (drawing.nodes[i].stage == stage) text += fmt::format("    n{}[\"{}\"]\n", i, label);
    }
    text += "  end\n";
  }
  for (const auto& [from, to] : drawing.edges) text += fmt::format("  n{} --> n{}\n", from, to);
  return text;
}

}  // namespace plan::ir
