#include "runtime/command/saved_steps.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <vector>

#include "compiler/compile.h"
#include "compiler/diff/change.h"
#include "compiler/ir/digest.h"
#include "compiler/ir/json.h"
#include "compiler/schema/schema.h"
#include "compiler/source/std_place.h"
#include "compiler/source/text.h"
#include "compiler/syntax/limits.h"
#include "embedded/stdlib_modules.h"
#include "runtime/command/command_table.h"
#include "runtime/command/errors.h"
#include "runtime/command/program_digest.h"
#include "runtime/command/project.h"
#include "runtime/command/project_folder.h"
#include "runtime/engine/journal.h"

namespace plan::command {
namespace {

using ir::StepGraph;
using ir::StepId;
using ir::Value;

constexpr std::size_t kValueBytes = 160;
constexpr std::size_t kNameBytes = 200;
constexpr std::size_t kBuildDigits = 12;

/// The measurements among the texts of a saved plan: named by where they lay (project_folder.h).
bool is_measurements(std::string_view name) {
  constexpr std::string_view kFacts = ".plan/facts.jsonl";
  return name == kFacts || name.ends_with("/.plan/facts.jsonl");
}

bool is_of_std(const std::string& name, const std::string& text) {
  const auto stdlib = embedded::stdlib_modules();
  return std::any_of(stdlib.begin(), stdlib.end(), [&](const EmbeddedFile& file) {
    return name == fmt::format("{}{}", kStd, file.name) && text == file.text;
  });
}

/// The first of the texts of which the name is none that plan gives it; empty: there is none. The
/// lock and the measurements lie beside the plan, and of the others compiling asks for the name.
std::string other_name(const ir::SavedPlan& saved, const CompileInput& input) {
  const std::string& plan = saved.sources.front().first;
  const auto is_shown_as_it_is = [](const std::string& name) {
    return !name.empty() && printable(name, name.size() + 1) == name;
  };
  for (const auto& [name, text] : saved.sources) {
    if (!is_shown_as_it_is(name))
      return fmt::format("a text in it has the name \"{}\"", printable(name, kNameBytes));
  }
  const ProjectFolder folder = project_folder(plan);
  const auto is_beside = [&](std::string_view name, std::string_view wanted) {
    return name == wanted ? std::string()
                          : fmt::format("a text in it has the name {}, and beside {} it is {}",
                                        printable(name, kNameBytes), printable(plan, kNameBytes),
                                        printable(wanted, kNameBytes));
  };
  if (input.lock_text) {
    if (std::string words = is_beside(input.lock_name, folder.lock_file); !words.empty())
      return words;
  }
  return input.facts_text ? is_beside(input.facts_name, folder.facts_file) : std::string();
}

/// What was compiled when the plan was saved, out of the texts in it.
CompileInput input_of(const ir::SavedPlan& saved) {
  CompileInput input;
  input.is_only_lowered = true;
  input.plan_bytes_max = syntax::kSourceBytesMax;
  const auto& [plan_name, plan_text] = saved.sources.front();
  input.plan_name = plan_name;
  input.plan_text = plan_text;
  std::size_t lock = 0;
  for (std::size_t i = 1; i < saved.sources.size(); ++i) {
    const auto& [name, text] = saved.sources[i];
    if (is_measurements(name)) {
      input.facts_name = name;
      input.facts_text = text;
    } else if (lock == 0 && !saved.lock_digest.empty() &&
               ir::sha256(text).hex() == saved.lock_digest) {
      lock = i;
      input.lock_name = name;
      input.lock_text = text;
    }
  }
  input.file_text = [&saved, lock](const std::string& path) -> Result<std::string> {
    const std::string* found = nullptr;
    for (std::size_t i = 1; i < saved.sources.size(); ++i) {
      const auto& [name, text] = saved.sources[i];
      if (i == lock || name != path || is_measurements(name)) continue;
      // A folder `std` beside the plan may have a module of the same name as one of plan's own.
      if (found == nullptr || is_of_std(name, *found)) found = &text;
    }
    if (found != nullptr) return *found;
    return Error(errors::file_missing,
                 fmt::format("{} is not among the texts of the saved plan", path));
  };
  return input;
}

/// "values.port is 26, and its texts give 25": the first place where two values differ.
std::string difference(const Value& saved, const Value& made, const std::string& path) {
  if (saved.is_map() && made.is_map()) {
    const auto inner = [&](const std::string& name) {
      const std::string shown = printable(name, 100);
      return path.empty() ? shown : fmt::format("{}.{}", path, shown);
    };
    for (const auto& [name, member] : saved.members()) {
      if (ir::canonical_json(member) != ir::canonical_json(made[name]))
        return difference(member, made[name], inner(name));
    }
    for (const auto& [name, member] : made.members()) {
      if (!saved.members().contains(name)) return difference(Value(), member, inner(name));
    }
  }
  return fmt::format("{} is {}, and its texts give {}", path.empty() ? "it" : path,
                     diff::show_value(saved, kValueBytes), diff::show_value(made, kValueBytes));
}

/// The steps that one runs behind, by their ids: numbers are of one graph.
std::vector<std::string> earlier_of(const StepGraph& graph, StepId step) {
  std::vector<std::string> earlier;
  for (const StepId before : graph.after(step))
    earlier.push_back(
        fmt::format("{}{}", graph.is_soft(before, step) ? "~" : "", graph.id(before)));
  std::sort(earlier.begin(), earlier.end());
  return earlier;
}

Value document_of(const ir::WaveInfo* wave) {
  if (wave == nullptr) return {};
  return Value::map({{"name", wave->name},
                     {"parallel", wave->parallel},
                     {"approval", wave->is_held_for_approval},
                     {"stop_after_failed", wave->stop_after_failed},
                     {"stop_failed_permille", wave->stop_failed_permille},
                     {"stop_hold_ms", wave->stop_hold_ms},
                     {"client_bytes_per_s", wave->client_bytes_per_s},
                     {"client_within_ms", wave->client_within_ms}});
}

/// The graph without where in the texts its parts come from.
std::string without_places(Value document) {
  for (const char* part : {"shapes", "waves"}) {
    Value all = document[part];
    for (Value& one : all.as_list()) one.as_map().erase("origin");
    document.set(part, std::move(all));
  }
  Value rows = document["rows"];
  for (Value& row : rows.as_list()) row.as_list().resize(2);
  document.set("rows", std::move(rows));
  return ir::sha256(ir::canonical_json(document)).hex();
}

/// Name and members of the row that a step belongs to: they say which account is held.
Value row_of(const StepGraph& graph, StepId step) {
  const ir::RowId row = graph.row(step);
  if (row == ir::RowId::none) return {};
  return Value::map({{"name", std::string(graph.row_name(row))}, {"has", graph.row_members(row)}});
}

/// In what a step of the saved plan is not the one that its texts give; empty: it is.
std::string difference(const StepGraph& saved, StepId step, const StepGraph& made, StepId other) {
  if (saved.digest(step) != made.digest(other)) {
    if (saved.kind(step) != made.kind(other))
      return fmt::format("it is a step {}, and its texts give {}", ir::info(saved.kind(step)).name,
                         ir::info(made.kind(other)).name);
    return difference(saved.arguments(step), made.arguments(other), "");
  }
  if (saved.stage(step) != made.stage(other) || saved.role(step) != made.role(other))
    return fmt::format(
        "it stands in stage {}, and its texts put it into {}, or hold its account "
        "in another way",
        ir::to_string(saved.stage(step)), ir::to_string(made.stage(other)));
  const Value row = row_of(saved, step);
  const Value made_row = row_of(made, other);
  if (ir::canonical_json(row) != ir::canonical_json(made_row))
    return difference(row, made_row, "row");
  const Value wave = document_of(saved.wave_info(saved.wave(step)));
  const Value made_wave = document_of(made.wave_info(made.wave(other)));
  if (ir::canonical_json(wave) != ir::canonical_json(made_wave))
    return difference(wave, made_wave, "wave");
  if (saved.after(step).empty() && made.after(other).empty()) return {};
  const std::vector<std::string> earlier = earlier_of(saved, step);
  const std::vector<std::string> made_earlier = earlier_of(made, other);
  if (earlier == made_earlier) return {};
  const auto one = [](const std::vector<std::string>& all, const std::vector<std::string>& others) {
    for (const std::string& id : all) {
      if (!std::binary_search(others.begin(), others.end(), id)) return id;
    }
    return std::string();
  };
  if (const std::string more = one(earlier, made_earlier); !more.empty())
    return fmt::format("it runs after {}, and by its texts it does not", printable(more));
  return fmt::format("it does not run after {}, and by its texts it does",
                     printable(one(made_earlier, earlier)));
}

/// The steps of the saved plan that are not those of its texts: the first in words, and how many.
struct OtherSteps {
  std::string first = {};
  std::size_t count = 0;
  void add(const std::string& id, std::string_view words) {
    if (++count == 1) first = fmt::format("{}: {}", printable(id, kNameBytes), words);
  }
};

OtherSteps other_steps(const StepGraph& saved, const StepGraph& made) {
  OtherSteps others;
  for (const StepId step : saved.order()) {
    const std::string id = saved.id(step);
    const auto same = made.find(id);
    if (!same) {
      others.add(id, "it is in the saved plan, and its texts give no such step");
    } else if (std::string words = difference(saved, step, made, *same); !words.empty()) {
      others.add(id, words);
    }
  }
  for (const StepId step : made.order()) {
    const std::string id = made.id(step);
    if (!saved.find(id))
      others.add(id, "its texts give this step, and it is not in the saved plan");
  }
  return others;
}

/// Shapes, rows and waves that no step is of, or too few of them: "it has 3 rows of steps, and
/// its texts give 2"; empty: there are as many.
std::string other_numbers(const StepGraph& saved, const StepGraph& made) {
  const auto words = [](std::size_t has, std::size_t gives, std::string_view what) {
    return fmt::format("it has {} {} of steps, and its texts give {}", show_count(has), what,
                       show_count(gives));
  };
  if (saved.row_count() != made.row_count())
    return words(saved.row_count(), made.row_count(), "rows");
  if (saved.waves().size() != made.waves().size())
    return words(saved.waves().size(), made.waves().size(), "waves");
  if (saved.shapes().size() != made.shapes().size())
    return words(saved.shapes().size(), made.shapes().size(), "shapes");
  return {};
}

/// The texts in a saved plan are those that compiling it reads, in that order: one more would be
/// shown to nobody, and give the plan another digest. Of plan's own modules another version may
/// read others. The name of the first that is not so.
std::optional<std::string> text_not_read(const ir::SavedPlan& saved, const SourceSet& read,
                                         bool has_other_modules) {
  const auto is_left_out = [&](std::string_view name) {
    return has_other_modules && name.starts_with(kStd);
  };
  std::size_t next = 1;
  const auto skip = [&] {
    while (next <= read.size() && is_left_out(read.name(static_cast<FileId>(next)))) ++next;
  };
  for (const auto& [name, text] : saved.sources) {
    if (is_left_out(name)) continue;
    skip();
    const auto file = static_cast<FileId>(next);
    if (next > read.size() || read.name(file) != name || read.text(file) != text) return name;
    ++next;
  }
  skip();
  if (next <= read.size()) return std::string(read.name(static_cast<FileId>(next)));
  return std::nullopt;
}

/// Plan's own modules that are in a saved plan with another text than this program has.
std::vector<std::string> modules_changed(const ir::SavedPlan& saved, const SourceSet& now) {
  std::set<std::string> texts;
  for (const auto& [name, text] : saved.sources) texts.insert(ir::sha256(text).hex());
  std::vector<std::string> changed;
  for (std::size_t i = 1; i <= now.size(); ++i) {
    const auto file = static_cast<FileId>(i);
    if (now.name(file).starts_with(kStd) && !texts.contains(ir::sha256(now.text(file)).hex()))
      changed.emplace_back(now.name(file));
  }
  return changed;
}

/// Why the same texts may give other steps without anybody having changed the file; empty: for no
/// reason.
std::string program_of(const ir::SavedPlan& saved, const std::vector<std::string>& changed) {
  std::string words;
  if (!saved.made_by.empty() && saved.made_by != program_name())
    words = fmt::format(
        "it was saved by {}, and this is {}, which makes other steps of the same "
        "texts",
        printable(saved.made_by, kNameBytes), program_name());
  if (words.empty() && !changed.empty()) words = "it was saved by another version of plan";
  if (!changed.empty()) words += fmt::format(" (its own module {} is another)", changed.front());
  return words;
}

}  // namespace

std::string program_name() {
  const auto build = program_digest();
  return build ? fmt::format("plan {} build {}", kVersion, build->substr(0, kBuildDigits))
               : fmt::format("plan {}", kVersion);
}

std::string made_from(const ir::SavedPlan& saved) {
  std::string digests;
  for (const auto& [name, text] : saved.sources) {
    if (!is_measurements(name)) digests += ir::sha256(text).hex() + "\n";
  }
  return ir::sha256(digests).hex();
}

Outcome check_saved_steps(const ir::SavedPlan& saved) {
  const auto refuse = [](std::string why) {
    return Error(errors::steps_not_of_sources, std::move(why));
  };
  if (saved.sources.empty() || ir::sha256(saved.sources.front().second).hex() != saved.plan_digest)
    return refuse("the first of the texts in it is not the plan");
  CompileInput input = input_of(saved);
  // Durations and sizes are read where the schema of that time had one.
  std::optional<schema::Schema> parts;
  if (saved.schema_parts.is_map()) {
    auto read = schema::Schema::load_facts(saved.schema_parts);
    if (!read)
      return refuse(fmt::format("its `schema_parts` cannot be read: {}", read.error().message()));
    parts.emplace(std::move(*read));
    input.schema = &*parts;
  }
  if (std::string words = other_name(saved, input); !words.empty()) return refuse(std::move(words));
  const CompileResult made = compile(std::move(input));
  const std::vector<std::string> changed = modules_changed(saved, *made.sources);
  const std::string program = program_of(saved, changed);
  const auto because = [&](std::string words) {
    return refuse(program.empty() ? std::move(words) : fmt::format("{}: {}", program, words));
  };
  if (!made.graph) {
    for (const Diagnostic& one : made.diagnostics) {
      if (one.severity != Severity::error) continue;
      return because(fmt::format("its texts do not compile: {}: {} [{}]",
                                 place_of(*made.sources, one.span), one.message,
                                 info(one.kind).name));
    }
    return because("its texts give no steps");
  }
  const std::string title = made.plan ? made.plan->name : std::string();
  if (saved.plan_name != title)
    return refuse(fmt::format("it is about \"{}\", and its texts are about \"{}\"",
                              printable(saved.plan_name, kNameBytes),
                              printable(title, kNameBytes)));
  const auto check_texts = [&]() -> Outcome {
    const auto name = text_not_read(saved, *made.sources, !changed.empty());
    if (!name) return {};
    return refuse(
        fmt::format("its texts are not those that compiling them reads: {} is one too many, or "
                    "missing, or stands in another place",
                    printable(*name, kNameBytes)));
  };
  // One after the other: the document of a large graph takes more memory than the graph.
  if (engine::graph_digest(saved.graph) == engine::graph_digest(*made.graph)) return check_texts();
  const OtherSteps others = other_steps(saved.graph, *made.graph);
  if (others.count == 0) {
    if (std::string words = other_numbers(saved.graph, *made.graph); !words.empty())
      return because(std::move(words));
    if (without_places(saved.graph.to_document()) != without_places(made.graph->to_document()))
      return because("its steps stand in another order than its texts put them in");
    // Other words in a module of plan move the places of its steps, and nothing else.
    if (!changed.empty()) return check_texts();
    return refuse("its steps point at other places than those in its texts that they are made of");
  }
  if (others.count == 1) return because(others.first);
  return because(others.count == 2 ? fmt::format("{}; and 1 step more differs", others.first)
                                   : fmt::format("{}; and {} steps more differ", others.first,
                                                 show_count(others.count - 1)));
}

}  // namespace plan::command
