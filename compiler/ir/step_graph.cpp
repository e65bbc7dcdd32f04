#include "compiler/ir/step_graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "compiler/ir/cycle.h"
#include "compiler/ir/errors.h"
#include "compiler/ir/json.h"
#include "compiler/ir/ready_set.h"
#include "compiler/source/check.h"

namespace plan::ir {
namespace {

constexpr std::string_view kRowReference = "$row";

std::string fill_pattern(std::string_view pattern, std::string_view escaped) {
  const std::size_t at = pattern.find("{}");
  if (at == std::string_view::npos) return std::string(pattern);
  std::string out(pattern.substr(0, at));
  out += escaped;
  out += pattern.substr(at + 2);
  return out;
}

Value substitute(const Value& value, const Value& row, std::string_view escaped_name) {
  switch (value.type()) {
    case Value::Type::output: {
      const OutputRef& ref = value.as_output();
      if (ref.step == kRowReference) return row[ref.field];
      return OutputRef{fill_pattern(ref.step, escaped_name), ref.field};
    }
    case Value::Type::list: {
      List items;
      items.reserve(value.size());
      for (const Value& item : value.items()) items.push_back(substitute(item, row, escaped_name));
      return items;
    }
    case Value::Type::map: {
      Map map;
      for (const auto& [key, member] : value.members()) {
        Value filled = substitute(member, row, escaped_name);
        // A row without the member means: this argument was not given.
        if (filled.is_null() && member.is_output()) continue;
        map.set(key, std::move(filled));
      }
      return map;
    }
    default:
      return value;
  }
}

constexpr std::uint32_t kNoPattern = UINT32_MAX;
// Each is compared with all others, and tried when an id is looked up; procedures have some dozens.
constexpr std::size_t kNamedPatternsMax = 256;

/// An id with a hole. What fills it is an escaped name, in which no `/` stands.
struct Pattern {
  std::string_view before;
  std::string_view after;

  explicit Pattern(std::string_view text)
      : before(text.substr(0, text.find("{}"))), after(text.substr(before.size() + 2)) {}

  /// The name that makes this id of the pattern.
  [[nodiscard]] std::optional<std::string_view> name_in(std::string_view id) const {
    if (id.size() < before.size() + after.size() || !id.starts_with(before) || !id.ends_with(after))
      return std::nullopt;
    const std::string_view name =
        id.substr(before.size(), id.size() - before.size() - after.size());
    return name.find('/') == std::string_view::npos ? std::optional(name) : std::nullopt;
  }
  /// May one id be made of both?
  [[nodiscard]] bool may_meet(const Pattern& other) const {
    const auto slashes = [](std::string_view text) {
      return std::count(text.begin(), text.end(), '/');
    };
    return (before.starts_with(other.before) || other.before.starts_with(before)) &&
           (after.ends_with(other.after) || other.after.ends_with(after)) &&
           slashes(before) + slashes(after) == slashes(other.before) + slashes(other.after);
  }
};

// Edges by column: the ends of step `i` stand from `begin[i]` to `begin[i + 1]`.
using Begins = std::vector<std::uint32_t>;

/// Makes counts, each two places behind its step, the places at which the ends of each step begin,
/// one place behind it: there they are counted up while the ends are put in.
void begin_places(Begins& begin) {
  for (std::size_t i = 2; i < begin.size(); ++i) begin[i] += begin[i - 1];
}

/// The same edges seen from their other ends, sorted, by counting instead of comparing: linear.
void turn(const Begins& begin, const std::vector<StepId>& ends, Begins& turned_begin,
          std::vector<StepId>& turned) {
  turned_begin.assign(begin.size() + 1, 0);
  for (const StepId end : ends) ++turned_begin[index(end) + 2];
  turned.resize(ends.size());
  begin_places(turned_begin);
  for (std::size_t i = 0; i + 1 < begin.size(); ++i) {
    for (std::uint32_t k = begin[i]; k < begin[i + 1]; ++k)
      turned[turned_begin[index(ends[k]) + 1]++] = static_cast<StepId>(i);
  }
  turned_begin.pop_back();
}

void drop_repeated(Begins& begin, std::vector<StepId>& ends) {
  std::uint32_t kept = 0;
  std::uint32_t from = 0;
  for (std::size_t i = 0; i + 1 < begin.size(); ++i) {
    const std::uint32_t to = begin[i + 1];
    const std::uint32_t first = kept;
    for (std::uint32_t k = from; k < to; ++k) {
      if (kept == first || ends[kept - 1] != ends[k]) ends[kept++] = ends[k];
    }
    from = to;
    begin[i + 1] = kept;
  }
  ends.resize(kept);
}

}  // namespace

std::string escape_segment(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<std::uint8_t>(c);
    if (c == '%' || c == '/' || c == '{' || c == '}' || byte <= 0x20 || byte == 0x7F) {
      out += fmt::format("%{:02X}", byte);
    } else {
      out += c;
    }
  }
  return out;
}

void StepGraph::reserve(std::size_t rows, std::size_t steps, std::size_t edges) {
  row_names_.reserve(rows);
  row_members_.reserve(rows);
  row_origins_.reserve(rows);
  shape_of_.reserve(steps);
  row_of_.reserve(steps);
  wave_of_.reserve(steps);
  edges_.reserve(edges);
}

std::uint32_t StepGraph::add_shape(StepShape shape) {
  shapes_.push_back(std::move(shape));
  return static_cast<std::uint32_t>(shapes_.size() - 1);
}

RowId StepGraph::add_row(std::string name, Value members, Span origin) {
  row_names_.push_back(std::move(name));
  row_members_.push_back(std::move(members));
  row_origins_.push_back(origin);
  return static_cast<RowId>(row_names_.size());
}

WaveId StepGraph::add_wave(WaveInfo wave) {
  waves_.push_back(std::move(wave));
  return static_cast<WaveId>(waves_.size());
}

StepId StepGraph::add_step(std::uint32_t shape, RowId row, WaveId wave) {
  PLAN_CHECK(shape < shapes_.size() && static_cast<std::size_t>(row) <= row_names_.size() &&
                 static_cast<std::size_t>(wave) <= waves_.size(),
             "shape, row and wave were added before their steps");
  shape_of_.push_back(shape);
  row_of_.push_back(row);
  wave_of_.push_back(wave);
  return static_cast<StepId>(shape_of_.size() - 1);
}

void StepGraph::add_edge(StepId before, StepId step) {
  PLAN_CHECK(index(before) < size() && index(step) < size(),
             "both ends were added before the edge");
  edges_.emplace_back(before, step);
}

void StepGraph::add_soft_edge(StepId before, StepId step) {
  add_edge(before, step);
  soft_.emplace_back(before, step);
}

bool StepGraph::is_soft(StepId before, StepId step) const {
  return !soft_.empty() && std::binary_search(soft_.begin(), soft_.end(), std::pair(before, step));
}

void StepGraph::sort_edges() {
  std::sort(soft_.begin(), soft_.end());
  soft_.erase(std::unique(soft_.begin(), soft_.end()), soft_.end());
  before_begin_.assign(size() + 2, 0);
  for (const Edge& edge : edges_) ++before_begin_[index(edge.first) + 2];
  before_.resize(edges_.size());
  begin_places(before_begin_);
  for (const Edge& edge : edges_) before_[before_begin_[index(edge.first) + 1]++] = edge.second;
  before_begin_.pop_back();
  std::vector<Edge>().swap(edges_);
  // Turning sorts: what was said twice stands side by side then.
  turn(before_begin_, before_, after_begin_, after_);
  drop_repeated(after_begin_, after_);
  turn(after_begin_, after_, before_begin_, before_);
}

/// Patterns with a hole whose ids neither a step without one nor another pattern can have.
void StepGraph::choose_named_patterns() {
  std::unordered_map<std::string_view, std::uint32_t> known;
  std::vector<Pattern> patterns;
  std::vector<std::uint32_t> first_shapes;
  std::vector<std::uint32_t> numbers(shapes_.size(), kNoPattern);
  for (std::uint32_t s = 0; s < shapes_.size(); ++s) {
    const std::string_view text = shapes_[s].id_pattern;
    if (text.find("{}") == std::string_view::npos) continue;
    const auto [entry, is_new] = known.emplace(text, static_cast<std::uint32_t>(patterns.size()));
    numbers[s] = entry->second;
    if (!is_new) continue;
    patterns.emplace_back(text);
    first_shapes.push_back(s);
  }
  if (patterns.size() > kNamedPatternsMax) {
    named_shapes_.clear();
    pattern_of_.assign(shapes_.size(), kNoPattern);
    return;
  }
  std::vector<bool> is_alone(patterns.size(), true);
  for (std::size_t i = 0; i < patterns.size(); ++i) {
    for (std::size_t k = i + 1; k < patterns.size(); ++k) {
      if (patterns[i].may_meet(patterns[k])) is_alone[i] = is_alone[k] = false;
    }
    for (const StepShape& shape : shapes_) {
      if (is_alone[i] && shape.id_pattern.find("{}") == std::string::npos &&
          patterns[i].name_in(shape.id_pattern))
        is_alone[i] = false;
    }
  }
  std::vector<std::uint32_t> kept(patterns.size(), kNoPattern);
  named_shapes_.clear();
  for (std::size_t i = 0; i < patterns.size(); ++i) {
    if (!is_alone[i]) continue;
    kept[i] = static_cast<std::uint32_t>(named_shapes_.size());
    named_shapes_.push_back(first_shapes[i]);
  }
  pattern_of_.assign(shapes_.size(), kNoPattern);
  for (std::size_t s = 0; s < shapes_.size(); ++s) {
    if (numbers[s] != kNoPattern) pattern_of_[s] = kept[numbers[s]];
  }
}

/// Rows of two sets may have one name: an account, and the key of its address.
void StepGraph::number_names() {
  const auto rows = static_cast<std::uint32_t>(row_names_.size());
  name_of_.resize(rows);
  by_name_ = TextIndex();
  by_name_.reserve(rows);
  std::uint32_t names = 0;
  for (std::uint32_t r = 0; r < rows; ++r) {
    const auto is_name = [&](std::uint32_t other) { return row_names_[other] == row_names_[r]; };
    const auto known = by_name_.insert(escape_segment(row_names_[r]), r, is_name);
    name_of_[r] = known ? name_of_[*known] : names++;
  }
  name_begin_.assign(names + std::size_t{2}, 0);
}

bool StepGraph::is_found_by_name(StepId step) const {
  return row(step) != RowId::none && pattern_of_[shape_of_[index(step)]] != kNoPattern;
}

std::optional<std::string> StepGraph::index_ids() {
  choose_named_patterns();
  number_names();
  const auto name_of = [&](StepId step) {
    return name_of_[static_cast<std::size_t>(row(step)) - 1];
  };
  std::size_t by_name = 0;
  for (std::size_t i = 0; i < size(); ++i) {
    const auto step = static_cast<StepId>(i);
    if (!is_found_by_name(step)) continue;
    ++by_name;
    ++name_begin_[name_of(step) + 2];
  }
  begin_places(name_begin_);
  name_steps_.resize(by_name);
  by_id_ = TextIndex();
  by_id_.reserve(size() - by_name);
  for (std::size_t i = 0; i < size(); ++i) {
    const auto step = static_cast<StepId>(i);
    if (is_found_by_name(step)) {
      name_steps_[name_begin_[name_of(step) + 1]++] = step;
      continue;
    }
    const std::string text = id(step);
    const auto is_same = [&](std::uint32_t other) {
      return id(static_cast<StepId>(other)) == text;
    };
    if (by_id_.insert(text, static_cast<std::uint32_t>(i), is_same))
      return fmt::format("step `{}` is there twice", text);
  }
  name_begin_.pop_back();
  std::vector<std::uint32_t> seen_at(named_shapes_.size(), UINT32_MAX);
  for (std::uint32_t name = 0; name + 1 < name_begin_.size(); ++name) {
    for (std::uint32_t k = name_begin_[name]; k < name_begin_[name + 1]; ++k) {
      std::uint32_t& seen = seen_at[pattern_of_[shape_of_[index(name_steps_[k])]]];
      if (seen == name) return fmt::format("step `{}` is there twice", id(name_steps_[k]));
      seen = name;
    }
  }
  return std::nullopt;
}

std::optional<std::string> StepGraph::freeze() {
  sort_edges();
  if (auto problem = index_ids()) return problem;
  const std::size_t count = size();
  std::vector<std::uint32_t> waiting(count);
  ReadySet ready(count);
  for (std::size_t i = 0; i < count; ++i) {
    waiting[i] = after_begin_[i + 1] - after_begin_[i];
    if (waiting[i] == 0) ready.insert(i);
  }
  order_.clear();
  order_.reserve(count);
  while (const auto next_step = ready.take_least()) {
    const auto step = static_cast<StepId>(*next_step);
    order_.push_back(step);
    for (const StepId next : before(step)) {
      if (--waiting[index(next)] == 0) ready.insert(index(next));
    }
  }
  if (order_.size() == count) return std::nullopt;

  const auto cycle = cycle_among(
      count, [&](std::size_t step) { return waiting[step] != 0; },
      [&](std::size_t step) { return after(static_cast<StepId>(step)); });
  std::string text;
  for (const std::size_t step : cycle) text += id(static_cast<StepId>(step)) + " after ";
  return "cycle: " + text + id(static_cast<StepId>(cycle.front()));
}

std::string StepGraph::id(StepId step) const {
  const StepShape& s = shape(step);
  const RowId r = row(step);
  return r == RowId::none ? s.id_pattern : fill_pattern(s.id_pattern, escape_segment(row_name(r)));
}

std::optional<StepId> StepGraph::find(std::string_view text) const {
  if (const auto found = by_id_.find(
          text, [&](std::uint32_t step) { return id(static_cast<StepId>(step)) == text; }))
    return static_cast<StepId>(*found);
  for (std::uint32_t pattern = 0; pattern < named_shapes_.size(); ++pattern) {
    const auto name = Pattern(shapes_[named_shapes_[pattern]].id_pattern).name_in(text);
    if (!name) continue;
    const auto first = by_name_.find(
        *name, [&](std::uint32_t row) { return escape_segment(row_names_[row]) == *name; });
    if (!first) continue;
    const std::uint32_t number = name_of_[*first];
    for (std::uint32_t k = name_begin_[number]; k < name_begin_[number + 1]; ++k) {
      if (pattern_of_[shape_of_[index(name_steps_[k])]] == pattern) return name_steps_[k];
    }
  }
  return std::nullopt;
}

Value StepGraph::arguments(StepId step) const {
  const RowId r = row(step);
  static const Value kNoRow;
  const Value& members = r == RowId::none ? kNoRow : row_members(r);
  return substitute(shape(step).arguments, members,
                    r == RowId::none ? "" : escape_segment(row_name(r)));
}

Value StepGraph::argument(StepId step, std::string_view name) const {
  const Value& given = shape(step).arguments[name];
  const RowId r = row(step);
  static const Value kNoRow;
  return substitute(given, r == RowId::none ? kNoRow : row_members(r),
                    r == RowId::none ? "" : escape_segment(row_name(r)));
}

Sha256 StepGraph::digest(StepId step) const {
  return sha256(canonical_json(List{info(kind(step)).name, arguments(step)}));
}

std::span<const StepId> StepGraph::after(StepId step) const {
  const std::size_t i = index(step);
  return std::span(after_).subspan(after_begin_[i], after_begin_[i + 1] - after_begin_[i]);
}

std::span<const StepId> StepGraph::before(StepId step) const {
  const std::size_t i = index(step);
  return std::span(before_).subspan(before_begin_[i], before_begin_[i + 1] - before_begin_[i]);
}

std::string_view StepGraph::row_name(RowId row) const {
  PLAN_CHECK(row != RowId::none, "only steps with a row have a row's name");
  return row_names_[static_cast<std::size_t>(row) - 1];
}

const Value& StepGraph::row_members(RowId row) const {
  PLAN_CHECK(row != RowId::none, "only steps with a row have a row's members");
  return row_members_[static_cast<std::size_t>(row) - 1];
}

Span StepGraph::row_origin(RowId row) const {
  PLAN_CHECK(row != RowId::none, "only steps with a row have a row's origin");
  return row_origins_[static_cast<std::size_t>(row) - 1];
}

const WaveInfo* StepGraph::wave_info(WaveId wave) const {
  return wave == WaveId::none ? nullptr : &waves_[static_cast<std::size_t>(wave) - 1];
}

}  // namespace plan::ir
