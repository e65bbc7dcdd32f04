#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "compiler/facts/digest_key.h"
#include "compiler/facts/limits.h"
#include "compiler/facts/lock.h"
#include "compiler/facts/measurement.h"
#include "compiler/ir/json.h"
#include "compiler/schema/limits.h"
#include "compiler/schema/schema.h"
#include "compiler/schema_drift.h"
#include "compiler/source/text.h"
#include "compiler/syntax/limits.h"
#include "runtime/command/commands.h"
#include "runtime/command/console.h"
#include "runtime/command/errors.h"
#include "runtime/command/free_disk.h"
#include "runtime/command/identities.h"
#include "runtime/command/project.h"
#include "runtime/command/session.h"

namespace plan::command {
namespace {

constexpr std::string_view kProxyPrefix = "proxy.";
constexpr std::size_t kPasswordsNamed = 10;
constexpr std::size_t kSchemaLinesMax = 100;

// The blocks as the plan says them, before there is a lock.
Result<std::optional<PlanSummary>> read_head(const ProjectFolder& folder) {
  PLAN_TRY(text, read_text_file(folder.plan_file, syntax::kSourceBytesMax));
  CompileInput input;
  input.plan_name = folder.plan_file;
  input.plan_text = std::move(text);
  input.plan_bytes_max = syntax::kSourceBytesMax;
  CompileResult head = read_plan_head(std::move(input));
  if (!head.diagnostics.empty()) {
    RenderOptions options;
    options.width_columns = terminal_width_columns();
    print_words(render_terminal(head.diagnostics, *head.sources, options));
  }
  if (head.has_errors()) return std::optional<PlanSummary>();
  return std::move(head.plan);
}

/// What the lock that is there says. One that cannot be read is replaced, but its pins count.
struct KnownLock {
  std::string text = {};  ///< empty: there is none
  facts::Lock lock = {};
};

KnownLock known_lock(const ProjectFolder& folder) {
  KnownLock known;
  const auto text = read_text_file(folder.lock_file, facts::kLockBytesMax);
  if (!text) return known;
  known.text = *text;
  SourceSet sources;
  Sink sink;
  auto lock = facts::read_lock(sources, sources.add(folder.lock_file, *text), sink);
  if (lock) {
    known.lock = std::move(*lock);
  } else {
    known.lock = facts::identities_in(*text);
    print_words(fmt::format(
        "{} cannot be read and is written anew; {} host keys and certificates "
        "in it still count\n",
        folder.lock_file, known.lock.host_keys.size() + known.lock.certificates.size()));
  }
  return known;
}

/// Nothing is told and nothing written while somebody answers who is not in the lock.
Outcome compare_identities(const facts::Lock& known, const facts::Lock& fresh, bool may_change,
                           const std::string& lock_file) {
  const std::vector<std::string> changed = facts::changed_identities(known, fresh);
  if (may_change || changed.size() > 1) {
    for (const std::string& line : changed) print_words(fmt::format("{}: {}\n", lock_file, line));
  }
  if (changed.empty() || may_change) return {};
  return Error(errors::identity_changed,
               fmt::format(
                   "{}: {}{}; nothing was written", lock_file, changed.front(),
                   changed.size() > 1 ? fmt::format(", and {} more", changed.size() - 1) : ""))
      .with_blame(Blame::network);
}

std::string measurements_text(const ir::Value& survey, const std::string& when) {
  std::string lines;
  for (const ir::Value& document : survey["measurements"].items()) {
    auto measurement = facts::measurement_from(document);
    if (!measurement) continue;
    if (measurement->when.empty()) measurement->when = when;
    lines += facts::write_measurement(*measurement);
  }
  return lines;
}

facts::Measurements read_measured(const std::string& text) {
  SourceSet sources;
  Sink ignored;  // what is damaged in the old file is replaced now
  return facts::read_measurements(sources, sources.add("facts", text), ignored);
}

/// Survey documents of both sides. A plan about a store has one side only.
struct Surveys {
  ir::Value source = {};
  ir::Value target = {};
};

Result<Surveys> ask_servers(Session& session, const PlanSummary& plan) {
  Surveys surveys;
  if (is_about_store(plan.connections)) {
    PLAN_TRY(target,
             session.survey_store(plan.dump_folders).while_doing("asking the server's machine"));
    surveys.source = ir::Value::map({{"accounts", ir::Value::list()}});
    surveys.target = std::move(target);
    return surveys;
  }
  PLAN_TRY(target, session.survey_target().while_doing("asking the target"));
  PLAN_TRY(source, session.survey_source().while_doing("asking the source"));
  surveys.source = std::move(source);
  surveys.target = std::move(target);
  return surveys;
}

std::optional<schema::Schema> cached_schema(const ProjectFolder& folder,
                                            const std::string& digest) {
  const auto text = read_text_file(fmt::format("{}/{}.json", folder.schema_directory, digest),
                                   schema::kDocumentBytesMax);
  auto read = text ? schema::Schema::read(*text) : Result<schema::Schema>(text.error());
  return read ? std::optional(std::move(*read)) : std::nullopt;
}

/// The plan with the lock that is there, where the target has another schema than at the last
/// fetch. Afterwards it may not compile any more, which is when it matters most what was touched.
std::optional<Project> as_last_fetched(const ProjectFolder& folder, const facts::Lock& known,
                                       const facts::Lock& fresh) {
  if (known.schema_digest.empty() || fresh.schema_digest.empty() ||
      known.schema_digest == fresh.schema_digest)
    return std::nullopt;
  auto project = load_project(folder.plan_file, {}, {.needs_schema = true});
  return project ? std::optional(std::move(*project)) : std::optional(Project{});
}

/// Which of the plan's objects the target's new schema touches. Lines for a person; nothing: the
/// schema is the same.
std::vector<std::string> schema_words(const ProjectFolder& folder, const facts::Lock& fresh,
                                      const std::optional<Project>& earlier) {
  if (!earlier) return {};
  const auto after = cached_schema(folder, fresh.schema_digest);
  if (earlier->schema == nullptr || !after)
    return {"the target's schema has changed; the old document is not in the cache any more"};
  const auto now = load_project(folder.plan_file);
  const bool compiles = now && now->compiled.graph;
  const std::string broken =
      "the plan does not compile against it, or for another reason: see `plan check`";
  // A plan that was edited since may not compile with the old lock, but with the new one.
  if (!earlier->compiled.graph && !compiles) return {"the target's schema has changed", broken};
  const ir::StepGraph& graph =
      earlier->compiled.graph ? *earlier->compiled.graph : *now->compiled.graph;
  const SchemaDrift drift = schema_drift(*earlier->schema, *after, graph);
  std::vector<std::string> words = {
      fmt::format("the target's schema has changed: {} of the {} types that the plan writes {} "
                  "touched",
                  drift.touched_types.size(), drift.types.size(),
                  drift.touched_types.size() == 1 ? "is" : "are")};
  for (const std::string& line : drift.touched) words.push_back("  " + line);
  for (const std::string& unknown : after->warnings()) {
    if (words.size() > kSchemaLinesMax) break;
    words.push_back("  not known to this version of plan: " + printable(unknown, 200));
  }
  if (!compiles) words.push_back(broken);
  return words;
}

/// What the servers measured, and the free disks of all machines, as facts.ndjson has them.
std::string measured_facts(const ProjectFolder& folder, const PlanSummary& plan,
                           const Surveys& surveys, const facts::Lock& shown) {
  const std::string when = net::show_utc(net::system_clock().wall_ms());
  std::string measured =
      measurements_text(surveys.source, when) + measurements_text(surveys.target, when);
  if (is_about_store(plan.connections)) return measured;
  for (const facts::Measurement& disk : measure_free_disks(
           folder.state_directory, folder.directory, with_pins(plan.connections, shown), when)) {
    measured += facts::write_measurement(disk);
    if (disk.value.is_null())
      print_words(fmt::format("not measured: {}: {}\n", disk.what, disk.how));
  }
  return measured;
}

/// What a fetch has to tell.
struct Told {
  std::vector<std::string> schema = {};     ///< which of the plan's objects a new schema touches
  std::vector<std::string> pinned = {};     ///< identities that were seen for the first time
  std::vector<std::string> passwords = {};  ///< accounts with another one than at the last fetch
  bool is_other_key = false;                ///< so that passwords could not be compared
  bool is_same = false;                     ///< the lock is as it was
};

ir::List texts(const std::vector<std::string>& lines) {
  ir::List list;
  for (const std::string& line : lines) list.emplace_back(trim(line));
  return list;
}

void tell_json(const ProjectFolder& folder, const facts::Lock& lock, const Told& told) {
  print_result(
      ir::write_json(ir::Value::map({{"format", 1},
                                     {"lock", folder.lock_file},
                                     {"accounts", static_cast<std::uint64_t>(lock.accounts.size())},
                                     {"lists", static_cast<std::uint64_t>(lock.lists.size())},
                                     {"schema_digest", lock.schema_digest},
                                     {"schema_change", texts(told.schema)},
                                     {"pinned_first", texts(told.pinned)},
                                     {"passwords_changed", texts(told.passwords)},
                                     {"passwords_compared", !told.is_other_key},
                                     {"is_changed", !told.is_same}}),
                     2) +
      "\n");
}

void tell_passwords(const ProjectFolder& folder, const Told& told) {
  std::error_code failure;
  if (told.is_other_key) {
    print_words(fmt::format(
        "{}/seal.key is not the one of the last fetch: whether a password has changed since then "
        "cannot be told{}\n",
        folder.state_directory,
        std::filesystem::exists(folder.journal_file, failure)
            ? "; bring it back from a copy, the prior states in the journal are sealed with it"
            : ""));
  }
  if (told.passwords.empty()) return;
  const std::size_t shown = std::min(told.passwords.size(), kPasswordsNamed);
  std::string names = fmt::format(
      "{}", fmt::join(told.passwords.begin(),
                      told.passwords.begin() + static_cast<std::ptrdiff_t>(shown), ", "));
  if (shown < told.passwords.size())
    names += fmt::format(" and {} more", show_count(told.passwords.size() - shown));
  print_words(fmt::format("another password than at the last fetch: {}\n", names));
}

/// `found`: what the lock is about, in a few words.
void tell_words(const ProjectFolder& folder, const std::string& found, const Told& told) {
  for (const std::string& line : told.schema) print_words(line + "\n");
  tell_passwords(folder, told);
  if (!told.pinned.empty())
    print_words("pinned for the first time; compare them with the servers:\n");
  for (const std::string& line : told.pinned) print_words(fmt::format("  {}\n", line));
  print_words(fmt::format("{}: {}; {}\n", folder.lock_file, found,
                          told.is_same ? "nothing has changed" : "written; it belongs into git"));
}

std::string words_of_lock(const PlanSummary& plan, const Surveys& surveys,
                          const facts::Lock& lock) {
  if (is_about_store(plan.connections))
    return fmt::format("Stalwart {}", surveys.target["version"].string_or("(not known)"));
  return fmt::format("{} account{}, {} list{}", show_count(lock.accounts.size()),
                     lock.accounts.size() == 1 ? "" : "s", show_count(lock.lists.size()),
                     lock.lists.size() == 1 ? "" : "s");
}

ExitCode fetch(const ProjectFolder& folder, const Invocation& invocation) {
  const std::string format = invocation.value("--format");
  auto head = read_head(folder);
  if (!head) return print_error(head.error(), format);
  if (!*head)
    return print_error(
        Error(errors::plan_has_errors, fmt::format("{} has errors", folder.plan_file)), format);
  const PlanSummary& plan = **head;
  if (auto made = create_state_directory(folder); !made) return print_error(made.error(), format);
  std::error_code failure;
  std::filesystem::create_directories(folder.schema_directory, failure);

  const KnownLock known = known_lock(folder);
  const bool may_change = invocation.has("--accept-new-keys");
  auto identities = look_at_identities(plan.connections, known.lock);
  if (!identities) return print_error(identities.error(), format);
  if (auto same = compare_identities(known.lock, identities->shown, may_change, folder.lock_file);
      !same)
    return print_error(same.error(), format);
  for (const std::string& line : identities->silent) print_words(line + "\n");

  Session session(folder, with_pins(plan.connections, identities->shown));
  auto surveys = ask_servers(session, plan);
  if (!surveys) return print_error(surveys.error(), format);
  ir::Value proxies = ir::Value::map();
  for (const auto& [name, certificate] : identities->shown.certificates) {
    if (name.starts_with(kProxyPrefix)) proxies.set(name.substr(kProxyPrefix.size()), certificate);
  }
  surveys->target.set("proxy_certificates", std::move(proxies));
  auto lock = facts::lock_from_surveys(plan.name, surveys->source, surveys->target);
  if (!lock) return print_error(lock.error(), format);
  // The other services (ManageSieve, submission, ...) were told nothing; they are compared too.
  if (auto same = compare_identities(known.lock, *lock, may_change, folder.lock_file); !same)
    return print_error(same.error(), format);
  const std::optional<Project> earlier_project = as_last_fetched(folder, known.lock, *lock);
  const std::string text = facts::write_lock(*lock);
  if (auto written = write_text_file(folder.lock_file, text); !written)
    return print_error(written.error(), format);
  const std::string measured = measured_facts(folder, plan, *surveys, identities->shown);
  const auto earlier = read_text_file(folder.facts_file, facts::kFactsBytesMax);
  const facts::Measurements before = read_measured(earlier ? *earlier : std::string());
  const facts::Measurements now = read_measured(measured);
  Told told = {.pinned = facts::new_identities(known.lock, *lock),
               .passwords = facts::changed_passwords(before, now),
               .is_other_key = facts::is_other_digest_key(before, now),
               .is_same = known.text == text};
  if (auto written = write_text_file(folder.facts_file, measured, 0600); !written)
    return print_error(written.error(), format);
  told.schema = schema_words(folder, *lock, earlier_project);
  if (format == "json") {
    tell_json(folder, *lock, told);
  } else {
    tell_words(folder, words_of_lock(plan, *surveys, *lock), told);
  }
  return ExitCode::done;
}

}  // namespace

ExitCode run_fetch(const Invocation& invocation) {
  return fetch(project_folder(invocation.value("plan")), invocation);
}

}  // namespace plan::command
