#include "compiler/ir/plan_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "compiler/ir/errors.h"
#include "compiler/ir/json.h"
#include "compiler/ir/moment.h"
#include "compiler/ir/strict_reader.h"
#include "compiler/source/text.h"

namespace plan::ir {
namespace {

constexpr std::string_view kMagic = "plan-saved 1 ";
constexpr std::size_t kDigestDigits = 64;
constexpr std::size_t kSourcesMax = 10'000;
constexpr std::size_t kDisksMax = 10'000;
constexpr std::size_t kFindingsMax = 100'000;

Value counted_document(const std::vector<Counted>& all) {
  List list;
  for (const Counted& one : all) list.push_back(List{one.name, one.count});
  return list;
}

std::vector<Counted> read_counted(StrictReader& read, const Value& value, const Place& at) {
  std::vector<Counted> all;
  for (const Value& one : read.list(value, 1, SIZE_MAX, at)) {
    const Place one_at = at.item(all.size());
    read.list(one, 2, 2, one_at);
    Counted& counted = all.emplace_back();
    counted.name = read.text(one.item(0), one_at.item(0));
    counted.count = read.count(one.item(1), 0, INT64_MAX, one_at.item(1));
    if (read.is_refused()) break;
  }
  return all;
}

Value observation_document(const Observation& seen) {
  List differences;
  for (const Difference& difference : seen.differences) {
    differences.push_back(List{difference.path, difference.is, difference.wanted});
  }
  const auto number = [](const std::optional<std::uint64_t>& value) {
    return value ? Value(*value) : Value();
  };
  Value document = Value::map({{"standing", static_cast<int>(seen.standing)},
                               {"differences", std::move(differences)},
                               {"fingerprint", seen.fingerprint},
                               {"messages", number(seen.messages)},
                               {"bytes", number(seen.bytes)},
                               {"duration_ms", number(seen.duration_ms)},
                               {"hold_ms", number(seen.hold_ms)},
                               {"hold_basis", seen.hold_basis},
                               {"remark", seen.remark}});
  if (!seen.duration_basis.empty()) document.set("duration_basis", seen.duration_basis);
  if (seen.is_unseen) document.set("unseen", true);
  if (!seen.beside.empty()) document.set("beside", counted_document(seen.beside));
  if (!seen.not_carried.empty()) document.set("not_carried", counted_document(seen.not_carried));
  return document;
}

Observation read_observation(StrictReader& read, const Value& value, const Place& at) {
  read.object(value,
              {"bytes", "differences", "duration_ms", "fingerprint", "hold_basis", "hold_ms",
               "messages", "remark", "standing"},
              {"beside", "duration_basis", "not_carried", "unseen"}, at);
  const auto measured = [&](std::string_view name) {
    return read.measured(value[name], at.member(name));
  };
  const auto text = [&](std::string_view name) { return read.text(value[name], at.member(name)); };
  Observation seen;
  seen.standing = static_cast<Standing>(read.count(value["standing"], 0, 3, at.member("standing")));
  const Place differences_at = at.member("differences");
  for (const Value& one : read.list(value["differences"], differences_at)) {
    const Place one_at = differences_at.item(seen.differences.size());
    read.list(one, 3, 3, one_at);
    Difference& difference = seen.differences.emplace_back();
    difference.path = read.text(one.item(0), one_at.item(0));
    difference.is = one.item(1);
    difference.wanted = one.item(2);
    if (read.is_refused()) break;
  }
  seen.fingerprint = value["fingerprint"];
  seen.messages = measured("messages");
  seen.bytes = measured("bytes");
  seen.duration_ms = measured("duration_ms");
  seen.hold_ms = measured("hold_ms");
  seen.hold_basis = text("hold_basis");
  seen.remark = text("remark");
  const auto has = [&](std::string_view name) { return value.members().contains(name); };
  if (has("beside")) seen.beside = read_counted(read, value["beside"], at.member("beside"));
  if (has("not_carried"))
    seen.not_carried = read_counted(read, value["not_carried"], at.member("not_carried"));
  // These stand there only where they say something.
  if (has("duration_basis")) {
    seen.duration_basis = text("duration_basis");
    if (seen.duration_basis.empty())
      read.refuse(at.member("duration_basis"), value["duration_basis"], "a text that is not empty");
  }
  if (has("unseen")) {
    seen.is_unseen = read.flag(value["unseen"], at.member("unseen"));
    if (!seen.is_unseen) read.refuse(at.member("unseen"), value["unseen"], "true");
  }
  return seen;
}

Value finding_document(const ReviewedFinding& finding) {
  return List{finding.code,  finding.severity,    finding.message,
              finding.place, finding.silenced_at, finding.reason};
}

ReviewedFinding read_finding(StrictReader& read, const Value& value, const Place& at) {
  read.list(value, 6, 6, at);
  const auto text = [&](std::size_t i) { return read.text(value.item(i), at.item(i)); };
  return {.code = text(0),
          .severity = text(1),
          .message = text(2),
          .place = text(3),
          .silenced_at = text(4),
          .reason = text(5)};
}

Value number_document(const std::optional<std::uint64_t>& value) {
  return value ? Value(*value) : Value();
}

Value disk_document(const MachineDisk& disk) {
  return List{disk.machine,    number_document(disk.free_bytes),  disk.how, disk.when,
              disk.needed_for, number_document(disk.needed_bytes)};
}

MachineDisk read_disk(StrictReader& read, const Value& value, const Place& at) {
  read.list(value, 6, 6, at);
  const auto text = [&](std::size_t i) { return read.text(value.item(i), at.item(i)); };
  return {.machine = text(0),
          .free_bytes = read.measured(value.item(1), at.item(1)),
          .how = text(2),
          .when = text(3),
          .needed_for = text(4),
          .needed_bytes = read.measured(value.item(5), at.item(5))};
}

/// Reads `read_one` of each item of a list of at most `most`.
template <class ReadOne>
auto read_all(StrictReader& read, const Value& value, std::size_t most, const Place& at,
              ReadOne read_one) {
  std::vector<decltype(read_one(read, value, at))> all;
  for (const Value& one : read.list(value, 0, most, at)) {
    all.push_back(read_one(read, one, at.item(all.size())));
    if (read.is_refused()) break;
  }
  return all;
}

std::pair<std::string, std::string> read_source(StrictReader& read, const Value& value,
                                                const Place& at) {
  read.list(value, 2, 2, at);
  std::pair<std::string, std::string> source;
  source.first = read.text(value.item(0), at.item(0));
  source.second = read.text(value.item(1), at.item(1));
  return source;
}

std::vector<std::string> read_notes(StrictReader& read, const Value& value, const Place& at) {
  std::vector<std::string> notes;
  std::size_t bytes = 0;
  for (const Value& note : read.list(value, at)) {
    notes.push_back(read.text(note, at.item(notes.size())));
    bytes += notes.back().size() + 1;
    if (bytes > kNotesBytesMax)
      read.refuse(at, value, fmt::format("at most {} of text", show_bytes(kNotesBytesMax)));
    if (read.is_refused()) break;
  }
  return notes;
}

/// The step whose number is a member's name, in the one way in which it is written.
std::optional<std::uint32_t> step_of(std::string_view name, std::size_t steps) {
  std::uint32_t step = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), step);
  if (error != std::errc() || end != name.data() + name.size() || step >= steps ||
      (name.front() == '0' && name.size() > 1))
    return std::nullopt;
  return step;
}

/// What every saved plan has, and as what. A member that were allowed to be missing would be a
/// check against the world of today that is left out.
struct Member {
  std::string_view name;
  Value::Type type;
};
constexpr std::array kMembers = {
    Member{"plan", Value::Type::string},        Member{"made_at", Value::Type::string},
    Member{"graph", Value::Type::map},          Member{"plan_digest", Value::Type::string},
    Member{"lock_digest", Value::Type::string}, Member{"schema_digest", Value::Type::string},
    Member{"sources", Value::Type::list},       Member{"observations", Value::Type::map},
    Member{"findings", Value::Type::list},      Member{"disks", Value::Type::list},
    Member{"made_from", Value::Type::string},   Member{"notes", Value::Type::list}};
constexpr std::string_view kSchemaParts = "schema_parts";  // an object, or null: not known
constexpr std::string_view kMadeBy = "made_by";            // is left out where it is not known

/// What is nested less is compared piece by piece, so that no second copy of a plan is made.
constexpr int kDepthInPieces = 3;

bool take(std::string_view& rest, std::string_view text) {
  if (!rest.starts_with(text)) return false;
  rest.remove_prefix(text.size());
  return true;
}

/// Takes canonical_json(value) from the beginning of `rest`; false: something else stands there.
bool take_canonical(std::string_view& rest, const Value& value, int depth) {
  if (depth == 0 || (!value.is_list() && !value.is_map())) return take(rest, canonical_json(value));
  bool is_first = true;
  if (value.is_list()) {
    if (!take(rest, "[")) return false;
    for (const Value& item : value.items()) {
      if (!std::exchange(is_first, false) && !take(rest, ",")) return false;
      if (!take_canonical(rest, item, depth - 1)) return false;
    }
    return take(rest, "]");
  }
  if (!take(rest, "{")) return false;
  std::string_view last;
  for (const auto& [name, member] : value.members()) {
    if (!is_first && (name < last || !take(rest, ","))) return false;
    is_first = false;
    last = name;
    if (!take(rest, canonical_json(name)) || !take(rest, ":") ||
        !take_canonical(rest, member, depth - 1))
      return false;
  }
  return take(rest, "}");
}

}  // namespace

std::string fingerprint_of(const Observation& observation) {
  return observation.fingerprint.is_null() ? std::string()
                                           : sha256(canonical_json(observation.fingerprint)).hex();
}

bool is_saved_plan(std::string_view text) { return text.starts_with(kSavedPlanBegin); }

std::string write_saved_plan(const SavedPlan& plan, std::string* digest) {
  List sources;
  for (const auto& [name, text] : plan.sources) sources.push_back(List{name, text});
  Map observations;
  plan.observations.for_each([&](std::uint32_t step, const Observation& seen) {
    observations.set(std::to_string(step), observation_document(seen));
  });
  List notes;
  for (const std::string& note : plan.notes) notes.emplace_back(note);
  List findings;
  for (const ReviewedFinding& finding : plan.findings)
    findings.push_back(finding_document(finding));
  List disks;
  for (const MachineDisk& disk : plan.disks) disks.push_back(disk_document(disk));
  Value document = Value::map({{"plan", plan.plan_name},
                               {"made_at", plan.made_at},
                               {"graph", plan.graph.to_document()},
                               {"plan_digest", plan.plan_digest},
                               {"lock_digest", plan.lock_digest},
                               {"schema_digest", plan.schema_digest},
                               {"sources", std::move(sources)},
                               {"observations", std::move(observations)},
                               {"findings", std::move(findings)},
                               {"disks", std::move(disks)},
                               {"made_from", plan.made_from},
                               {std::string(kSchemaParts), plan.schema_parts},
                               {"notes", std::move(notes)}});
  if (!plan.made_by.empty()) document.set(std::string(kMadeBy), plan.made_by);
  const std::string body = canonical_json(document) + "\n";
  *digest = sha256(body).hex();
  return fmt::format("{}{}\n{}", kMagic, *digest, body);
}

Result<SavedPlan> read_saved_plan(std::string_view text, std::string* digest) {
  const auto refuse = [](std::string why) { return Error(errors::bad_saved_plan, std::move(why)); };
  if (!is_saved_plan(text))
    return refuse("this is no saved plan: it does not begin with `plan-saved`");
  if (!text.starts_with(kMagic)) {
    const std::string_view version = text.substr(kSavedPlanBegin.size()).substr(0, 20);
    return refuse(
        fmt::format("saved by another version of plan: its format is `{}`, this one reads `1`",
                    printable(version.substr(0, version.find_first_of(" \n")), 20)));
  }
  text.remove_prefix(kMagic.size());
  if (text.size() < kDigestDigits + 1 || text[kDigestDigits] != '\n')
    return refuse("the first line is cut");
  const std::string_view claimed = text.substr(0, kDigestDigits);
  const std::string_view body = text.substr(kDigestDigits + 1);
  const std::string actual = sha256(body).hex();
  if (actual != claimed)
    return refuse("it was changed or cut since it was saved: its digest differs");
  PLAN_TRY(document,
           read_canonical(body, JsonLimits{.bytes_max = kSavedPlanBytesMax, .depth_max = 128}));
  for (const Member& member : kMembers) {
    if (document[member.name].type() != member.type)
      return refuse(fmt::format("it is damaged: `{}` is missing or something else", member.name));
  }
  const Value& parts = document[kSchemaParts];
  if (!document.members().contains(kSchemaParts) || (!parts.is_map() && !parts.is_null()))
    return refuse(fmt::format("it is damaged: `{}` is missing or something else", kSchemaParts));
  for (const auto& [name, unused] : document.members()) {
    const bool is_known = std::any_of(kMembers.begin(), kMembers.end(),
                                      [&](const Member& member) { return member.name == name; });
    if (!is_known && name != kSchemaParts && name != kMadeBy)
      return refuse(fmt::format("it has `{}`, which this version of plan does not know",
                                printable(name, 80)));
  }
  // One plan has one text, so that its digest is its name: the same members in another order, or
  // with other escapes, would be a second name for it and a second use.
  if (!body.ends_with('\n')) return refuse("the end of its last line is missing");
  std::string_view rest = body.substr(0, body.size() - 1);
  if (!take_canonical(rest, document, kDepthInPieces) || !rest.empty())
    return refuse(
        fmt::format("plan did not write it: its JSON is spelled in another way, at byte "
                    "{} of the second line or soon after",
                    body.size() - 1 - rest.size()));
  PLAN_TRY(graph, StepGraph::from_document(document["graph"]));
  SavedPlan plan;
  plan.plan_name = document["plan"].string_or("");
  plan.made_at = document["made_at"].string_or("");
  plan.plan_digest = document["plan_digest"].string_or("");
  plan.lock_digest = document["lock_digest"].string_or("");
  plan.schema_digest = document["schema_digest"].string_or("");
  StrictReader read;
  if (!is_utc_moment(plan.made_at))
    read.refuse(Place("made_at"), document["made_at"], "a moment like 2026-08-14T09:12:00Z");
  const Place observations_at("observations");
  for (const auto& [name, seen] : document["observations"].members()) {
    const auto step = step_of(name, graph.size());
    if (!step)
      return refuse(
          fmt::format("`{}` is of a step that is not there", observations_at.member(name).text()));
    plan.observations.put(*step, read_observation(read, seen, observations_at.member(name)));
    if (read.is_refused()) break;
  }
  plan.sources = read_all(read, document["sources"], kSourcesMax, Place("sources"), read_source);
  plan.findings =
      read_all(read, document["findings"], kFindingsMax, Place("findings"), read_finding);
  plan.disks = read_all(read, document["disks"], kDisksMax, Place("disks"), read_disk);
  plan.notes = read_notes(read, document["notes"], Place("notes"));
  plan.made_from = document["made_from"].string_or("");
  if (const Value* made_by = document.members().find(kMadeBy)) {
    plan.made_by = made_by->string_or("");
    if (plan.made_by.empty()) read.refuse(Place(kMadeBy), *made_by, "a text that is not empty");
  }
  plan.schema_parts = parts;
  if (read.is_refused()) return refuse(*read.refusal());
  plan.graph = std::move(graph);
  *digest = actual;
  return plan;
}

}  // namespace plan::ir
