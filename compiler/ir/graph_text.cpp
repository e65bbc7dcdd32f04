#include "compiler/ir/graph_text.h"

#include <fmt/format.h>

#include <set>
#include <vector>

#include "compiler/source/text.h"

namespace plan::ir {
namespace {

/// A node of the picture: one step, or one shape for all its rows.
struct Picture {
  struct Node {
    std::string text = {};
    Stage stage = {};
    StepEffect effect = {};
  };
  std::vector<Node> nodes = {};
  std::set<std::pair<std::size_t, std::size_t>> edges = {};
};

Picture picture_of(const StepGraph& graph, const GraphTextOptions& options) {
  const std::size_t shape_count = graph.shapes().size();
  const auto shape_of = [&](StepId step) { return static_cast<std::size_t>(&graph.shape(step) - graph.shapes().data()); };
  std::vector<std::size_t> steps_of_shape(shape_count);
  for (std::size_t i = 0; i < graph.size(); ++i) ++steps_of_shape[shape_of(static_cast<StepId>(i))];

  Picture picture;
  std::vector<std::size_t> node_of_shape(shape_count, SIZE_MAX);
  std::vector<std::size_t> node_of_step(graph.size());
  for (std::size_t i = 0; i < graph.size(); ++i) {
    const auto step = static_cast<StepId>(i);
    const std::size_t shape = shape_of(step);
    const bool is_folded = steps_of_shape[shape] > options.rows_max;
    if (is_folded && node_of_shape[shape] != SIZE_MAX) {
      node_of_step[i] = node_of_shape[shape];
      continue;
    }
    node_of_step[i] = picture.nodes.size();
    if (is_folded) node_of_shape[shape] = picture.nodes.size();
    std::string text = is_folded ? fmt::format("{} ({} times)", graph.shape(step).id_pattern, show_count(steps_of_shape[shape])) : graph.id(step);
    picture.nodes.push_back({std::move(text), graph.stage(step), info(graph.kind(step)).effect});
  }
  for (std::size_t i = 0; i < graph.size(); ++i) {
    for (const StepId earlier : graph.after(static_cast<StepId>(i))) {
      const std::size_t from = node_of_step[index(earlier)];
      if (from != node_of_step[i]) picture.edges.emplace(from, node_of_step[i]);
    }
  }
  return picture;
}

std::string_view colour_of(StepEffect effect) {
  switch (effect) {
    case StepEffect::read:
      return "#e8eef4";
    case StepEffect::create:
      return "#dff0d8";
    case StepEffect::update:
      return "#fdf3d0";
    case StepEffect::destroy:
      return "#f4cccc";
    case StepEffect::move_mail:
      return "#d9d2f0";
    case StepEffect::move_traffic:
      return "#cfe2f3";
    case StepEffect::stop_service:
      return "#f9cb9c";
  }
  return "#ffffff";
}

constexpr Stage kStages[] = {Stage::prepare, Stage::cutover, Stage::waves, Stage::finalize};

std::string quoted(std::string_view text, bool is_mermaid) {
  std::string out;
  for (const char c : printable(text, 200)) {
    if (c == '"') {
      out += is_mermaid ? "#quot;" : "\\\"";
    } else if (c == '\\' && !is_mermaid) {
      out += "\\\\";
    } else if (is_mermaid && (c == '#' || c == '<' || c == '>')) {
      out += fmt::format("#{};", static_cast<int>(c));
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

std::string graph_as_dot(const StepGraph& graph, const GraphTextOptions& options) {
  const Picture picture = picture_of(graph, options);
  std::string text = "digraph plan {\n  rankdir=LR;\n  node [shape=box, style=filled, fontname=\"sans-serif\"];\n";
  for (const Stage stage : kStages) {
    text += fmt::format("  subgraph cluster_{0} {{\n    label=\"{0}\";\n", to_string(stage));
    for (std::size_t i = 0; i < picture.nodes.size(); ++i) {
      const Picture::Node& node = picture.nodes[i];
      if (node.stage != stage) continue;
      text += fmt::format("    n{} [label=\"{}\", fillcolor=\"{}\"];\n", i, quoted(node.text, false), colour_of(node.effect));
    }
    text += "  }\n";
  }
  for (const auto& [from, to] : picture.edges) text += fmt::format("  n{} -> n{};\n", from, to);
  return text + "}\n";
}

std::string graph_as_mermaid(const StepGraph& graph, const GraphTextOptions& options) {
  const Picture picture = picture_of(graph, options);
  std::string text = "flowchart LR\n";
  for (const Stage stage : kStages) {
    text += fmt::format("  subgraph {0}\n", to_string(stage));
    for (std::size_t i = 0; i < picture.nodes.size(); ++i) {
      if (picture.nodes[i].stage == stage) text += fmt::format("    n{}[\"{}\"]\n", i, quoted(picture.nodes[i].text, true));
    }
    text += "  end\n";
  }
  for (const auto& [from, to] : picture.edges) text += fmt::format("  n{} --> n{}\n", from, to);
  for (std::size_t i = 0; i < picture.nodes.size(); ++i) {
    text += fmt::format("  style n{} fill:{}\n", i, colour_of(picture.nodes[i].effect));
  }
  return text;
}

}  // namespace plan::ir
