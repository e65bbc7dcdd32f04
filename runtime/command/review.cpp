#include "runtime/command/review.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
#include <set>

#include "compiler/facts/limits.h"
#include "compiler/facts/measurement.h"
#include "compiler/ir/digest.h"
#include "compiler/ir/errors.h"
#include "compiler/ir/json.h"
#include "compiler/schema/schema.h"
#include "compiler/schema_drift.h"
#include "compiler/source/text.h"
#include "runtime/command/console.h"
#include "runtime/command/errors.h"
#include "runtime/command/saved_steps.h"
#include "runtime/command/source_names.h"
#include "runtime/engine/errors.h"
#include "runtime/engine/journal.h"
#include "runtime/engine/recovery.h"
#include "runtime/engine/subject.h"
#include "runtime/net/clock.h"
#include "runtime/step/durable_write.h"

namespace plan::command {
namespace {

constexpr std::size_t kFailuresNamed = 20;
constexpr std::size_t kValueBytes = 160;
constexpr std::size_t kRemarkBytes = 400;
constexpr std::size_t kNoteBytes = 4096;
constexpr int kDepthMax = 32;

/// What an earlier run has done is not done again, whatever the world looks like now (finalize
/// takes away what prepare made): the journal decides, as it does for apply.
Outcome mark_done(ir::SavedPlan& saved, const ProjectFolder& folder) {
  engine::JournalOptions options;
  options.is_read_only = true;
  auto journal = engine::open_journal(folder.journal_file, options);
  if (!journal && journal.error().is(engine::errors::journal_missing)) return {};
  if (!journal) return std::move(journal).error();
  PLAN_TRY(recovered, engine::recover(saved.graph, **journal,
                                      {.graph_digest = engine::graph_digest(saved.graph),
                                       .wall_ms = net::system_clock().wall_ms(),
                                       .boot_id = net::boot_id()}));
  for (const ir::StepId step : recovered.done) {
    ir::Observation& seen = saved.observations[static_cast<std::uint32_t>(step)];
    seen.standing = ir::Standing::satisfied;
    seen.differences.clear();
    seen.hold_ms = seen.duration_ms = std::nullopt;
    seen.remark = "done by an earlier run";
  }
  return {};
}

/// An error as a note, which a saved plan bounds (ir::kNotesBytesMax).
std::string words_of(const Error& error) { return printable(error.to_line(), kNoteBytes); }

/// Where two values differ, member by member: "target/route: values.port was 25, is 26".
void drift_of(const ir::Value& was, const ir::Value& is, const std::string& path,
              std::vector<std::string>& lines, int depth) {
  if (ir::canonical_json(was) == ir::canonical_json(is)) return;
  const auto joined = [&](std::string_view name) {
    return fmt::format("{}{}{}", path, path.ends_with(':') ? " " : ".", printable(name, 100));
  };
  if (depth < kDepthMax && was.is_map() && is.is_map()) {
    for (const auto& [name, member] : was.members())
      drift_of(member, is[name], joined(name), lines, depth + 1);
    for (const auto& [name, member] : is.members()) {
      if (!was.members().contains(name))
        drift_of(ir::Value(), member, joined(name), lines, depth + 1);
    }
    return;
  }
  lines.push_back(fmt::format("{} was {}, is {}", path, diff::show_value(was, kValueBytes),
                              diff::show_value(is, kValueBytes)));
}

/// "disk/source/free": the source; "dump/backup/free": the dump in that folder; empty: no disk.
std::string machine_of(std::string_view what) {
  if (!what.ends_with("/free")) return {};
  what.remove_suffix(std::string_view("/free").size());
  if (what == "disk/local") return "operator";
  if (what == "store/to") return "store";
  if (what.starts_with("disk/")) return std::string(what.substr(5));
  if (what.starts_with("dump/")) return fmt::format("dump {}", what.substr(5));
  return {};
}

/// What the last fetch measured of the disks. The file has a line for each account too: they are
/// not read.
std::vector<ir::MachineDisk> disks_of(const ProjectFolder& folder) {
  const auto text = read_text_file(folder.facts_file, facts::kFactsBytesMax);
  if (!text) return {};
  std::string lines;
  for (const std::string_view line : split(*text, '\n')) {
    if (line.find("\"account/") == std::string_view::npos) lines += std::string(line) + "\n";
  }
  SourceSet sources;
  Sink ignored;  // `plan check` says what is damaged in it
  std::vector<ir::MachineDisk> disks;
  const facts::Measurements measured =
      facts::read_measurements(sources, sources.add("facts", lines), ignored);
  for (const facts::Measurement& one : measured.all()) {
    const std::string machine = machine_of(one.what);
    if (machine.empty()) continue;
    ir::MachineDisk disk;
    disk.machine = machine;
    disk.how = one.how;
    disk.when = one.when;
    if (!one.what.starts_with("disk/")) {
      disk.needed_for = machine == "store" ? "all of the store" : "at most all of the store";
      disk.needed_bytes = measured.count("store/from/bytes");
    }
    if (one.value.is_integer() && one.value.as_integer() >= 0)
      disk.free_bytes = static_cast<std::uint64_t>(one.value.as_integer());
    disks.push_back(std::move(disk));
  }
  std::stable_sort(disks.begin(), disks.end(), [](const auto& left, const auto& right) {
    return left.machine < right.machine;
  });
  return disks;
}

/// A plan compares the world with its digests, and shows its texts: they have to be the same ones.
/// The first that is not, in words; empty: there is none.
std::string other_digest(const ir::SavedPlan& saved) {
  std::map<std::string, const std::string*> texts;  // by digest
  for (const auto& [name, text] : saved.sources) texts.emplace(ir::sha256(text).hex(), &text);
  const auto is_of_no_text = [](std::string_view member) {
    return fmt::format("`{}` is not the digest of the texts in it", member);
  };
  if (!texts.contains(saved.plan_digest)) return is_of_no_text("plan_digest");
  const auto lock = texts.find(saved.lock_digest);
  if (!saved.lock_digest.empty() && lock == texts.end()) return is_of_no_text("lock_digest");
  if (made_from(saved) != saved.made_from) return is_of_no_text("made_from");
  // Without it the target's schema of today is not compared with that of the review.
  const std::string named = lock == texts.end() ? std::string() : schema_digest_in(*lock->second);
  if (named != saved.schema_digest)
    return fmt::format("`schema_digest` is not the one that {} names",
                       lock == texts.end() ? "a plan without a lock" : "the lock in it");
  if (named.empty() && !saved.schema_parts.is_null())
    return "`schema_parts` is there, and `schema_digest` is empty";
  return {};
}

}  // namespace

Review review_project(Project project, Session& session, const step::StopSignal& stop) {
  Review review;
  ir::SavedPlan& saved = review.saved;
  saved.plan_name = project.compiled.plan->name;
  saved.made_at = net::show_utc(net::system_clock().wall_ms());
  saved.graph = std::move(*project.compiled.graph);
  saved.plan_digest = ir::sha256(project.plan_text).hex();
  saved.lock_digest = project.lock_text ? ir::sha256(*project.lock_text).hex() : std::string();
  saved.schema_digest = project.schema_digest;
  const SourceSet& sources = *project.compiled.sources;
  for (std::size_t i = 1; i <= sources.size(); ++i) {
    const auto file = static_cast<FileId>(i);
    saved.sources.emplace_back(std::string(sources.name(file)), std::string(sources.text(file)));
  }
  review.connections = session.connections();
  const double record_ms =
      step::durable_write_ms(project.folder.state_directory, net::system_clock());
  Observations seen = observe_all({.graph = saved.graph,
                                   .drivers = session.drivers(),
                                   .secrets = session.secrets(),
                                   .clock = net::system_clock(),
                                   .stop = stop,
                                   .state_directory = project.folder.state_directory,
                                   .durable_write_ms = record_ms});
  saved.observations = std::move(seen.by_step);
  saved.notes = untried_servers(project);
  if (auto marked = mark_done(saved, project.folder); !marked)
    saved.notes.push_back(
        fmt::format("what was done already is not known: {}", words_of(marked.error())));
  const auto is_over = [&](ir::StepId step) {
    return saved.observations.is_satisfied(static_cast<std::uint32_t>(step));
  };
  std::size_t left_out = 0;
  saved.findings =
      findings_of(project, check::passed_moments(saved.graph, project.now_ms, is_over), &left_out);
  if (left_out > 0)
    saved.notes.push_back(fmt::format("and {} more warnings: plan check", show_count(left_out)));
  saved.disks = disks_of(project.folder);
  saved.made_from = made_from(project);
  saved.made_by = program_name();
  if (project.schema) saved.schema_parts = project.schema->facts_of(types_written(saved.graph));
  if (auto names = look_at_names(saved, session)) {
    for (std::string& line : names->drift) saved.notes.push_back(std::move(line));
    for (std::string& line : names->remarks) saved.notes.push_back(std::move(line));
  } else {
    saved.notes.push_back(fmt::format("whether the source still has the accounts is not known: {}",
                                      words_of(names.error())));
  }
  return review;
}

bool is_saved_plan_file(const std::string& file) {
  std::error_code unknown;
  if (!std::filesystem::is_regular_file(file, unknown)) return false;
  std::FILE* opened = std::fopen(file.c_str(), "rbe");
  if (opened == nullptr) return false;
  std::string head(ir::kSavedPlanBegin.size(), '\0');
  head.resize(std::fread(head.data(), 1, head.size(), opened));
  std::fclose(opened);
  return ir::is_saved_plan(head);
}

Result<Review> read_review(const std::string& file) {
  PLAN_TRY(text, read_text_file(file, ir::kSavedPlanBytesMax, ir::kSavedPlanBegin));
  Review review;
  PLAN_TRY(saved,
           ir::read_saved_plan(text, &review.digest).while_doing(fmt::format("reading {}", file)));
  const std::string name = std::filesystem::path(file).stem().string();
  const bool is_digest = name.size() == review.digest.size() &&
                         name.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (is_digest && name != review.digest)
    return Error(ir::errors::bad_saved_plan,
                 fmt::format("{} has the name of another saved plan: its own digest is {}", file,
                             review.digest));
  review.saved = std::move(saved);
  if (const std::string other = other_digest(review.saved); !other.empty())
    return Error(ir::errors::bad_saved_plan, fmt::format("{}: {}", file, other));
  review.connections = connections_of(review.saved.graph);
  return review;
}

SourceSet sources_of(const ir::SavedPlan& saved) {
  SourceSet sources;
  for (const auto& [name, text] : saved.sources) sources.add(name, text);
  return sources;
}

diff::ChangeSet changes_of(const Review& review, diff::Detail detail) {
  const SourceSet sources = sources_of(review.saved);
  const ir::StepGraph& graph = review.saved.graph;
  diff::ChangeSet changes = diff::compare(
      graph, review.saved.observations,
      [&](ir::StepId step) { return place_of(sources, engine::cause_of(graph, step)); },
      review.saved.plan_name, detail);
  changes.digest = review.digest;
  changes.made_from = review.saved.made_from;
  changes.findings = review.saved.findings;
  changes.notes = review.saved.notes;
  std::vector<diff::DiskChange> disks;
  for (const ir::MachineDisk& disk : review.saved.disks) {
    diff::DiskChange& change = disks.emplace_back();
    change.disk = disk;
    change.basis = disk.needed_for;
    change.needed_bytes = disk.needed_bytes;
  }
  diff::add_disks(changes, std::move(disks));
  return changes;
}

std::vector<std::string> drift_since(const Review& review, const Observations& now,
                                     std::size_t* steps) {
  *steps = 0;
  std::vector<std::string> lines;
  const ir::StepGraph& graph = review.saved.graph;
  for (const ir::StepId step : graph.order()) {
    const auto key = static_cast<std::uint32_t>(step);
    const ir::Observation* then = review.saved.observations.find(key);
    const ir::Observation* today = now.by_step.find(key);
    if (then == nullptr || today == nullptr) continue;
    const std::string before = ir::fingerprint_of(*then);
    if (before.empty()) continue;
    const std::size_t count = lines.size();
    // What was seen and cannot be seen now may have changed: that is no "nothing has drifted".
    if (today->is_unseen) {
      lines.push_back(fmt::format("{}: could not be looked at: {}", graph.id(step),
                                  printable(today->remark, kRemarkBytes)));
      ++*steps;
      continue;
    }
    const std::string after = ir::fingerprint_of(*today);
    if (after.empty() || before == after) continue;
    ++*steps;
    drift_of(then->fingerprint, today->fingerprint, graph.id(step) + ":", lines, 0);
    // The order of members, or a value of another type that looks the same.
    if (lines.size() == count)
      lines.push_back(fmt::format("{}: was {}, is {}", graph.id(step),
                                  diff::show_value(then->fingerprint, kValueBytes),
                                  diff::show_value(today->fingerprint, kValueBytes)));
  }
  return lines;
}

std::vector<std::string> lock_drift(const ir::SavedPlan& saved, const std::string& lock_text) {
  if (saved.lock_digest.empty())
    return {"there is a migration.lock now, and the plan was reviewed without one"};
  if (ir::sha256(lock_text).hex() == saved.lock_digest) return {};
  const auto reviewed = std::find_if(
      saved.sources.begin(), saved.sources.end(),
      [&](const auto& source) { return ir::sha256(source.second).hex() == saved.lock_digest; });
  std::vector<std::string> lines = {"migration.lock is another one than the one that was reviewed"};
  if (reviewed == saved.sources.end()) return lines;
  const auto facts_in = [](std::string_view text) {
    std::set<std::string_view> facts;
    for (const std::string_view line : split(text, '\n')) {
      if (!line.empty() && !line.starts_with('#') && !line.starts_with("digest "))
        facts.insert(line);
    }
    return facts;
  };
  const std::set<std::string_view> was = facts_in(reviewed->second);
  const std::set<std::string_view> is = facts_in(lock_text);
  const auto add = [&](std::string_view words, std::string_view line) {
    if (lines.size() <= kFailuresNamed)
      lines.push_back(fmt::format("migration.lock {}: {}", words, printable(line, kRemarkBytes)));
  };
  for (const std::string_view line : was) {
    if (!is.contains(line)) add("had", line);
  }
  for (const std::string_view line : is) {
    if (!was.contains(line)) add("has", line);
  }
  return lines;
}

SchemaChange schema_change(const ir::SavedPlan& saved, const std::string& document) {
  SchemaChange change;
  if (saved.schema_digest.empty() || ir::sha256(document).hex() == saved.schema_digest)
    return change;
  const auto after = schema::Schema::read(document);
  const auto before = schema::Schema::load_facts(saved.schema_parts);
  if (!after || !before) {
    change.drift.emplace_back("the target's schema is another one than at the review");
    return change;
  }
  const SchemaDrift drift = schema_drift(*before, *after, saved.graph);
  if (drift.touched.empty()) {
    change.remarks.emplace_back(
        "the target's schema is another one than at the review; nothing that the plan writes is "
        "touched");
    return change;
  }
  change.drift.push_back(
      fmt::format("the target's schema has changed: {} of the {} types that the plan writes {} "
                  "touched",
                  drift.touched_types.size(), drift.types.size(),
                  drift.touched_types.size() == 1 ? "is" : "are"));
  for (const std::string& line : drift.touched) change.drift.push_back("  " + line);
  return change;
}

}  // namespace plan::command
