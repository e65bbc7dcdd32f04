#include "compiler/ir/plan_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "compiler/ir/errors.h"
#include "compiler/ir/json.h"
#include "compiler/source/text.h"

namespace plan::ir {
namespace {

constexpr std::string_view kMagic = "plan-saved 1 ";
constexpr std::size_t kDigestDigits = 64;
constexpr std::size_t kSavedPlanBytesMax = std::size_t{4} << 30U;
constexpr std::size_t kSourcesMax = 10'000;
constexpr std::size_t kFindingsMax = 100'000;

Value counted_document(const std::vector<Counted>& all) {
  List list;
  for (const Counted& one : all) list.push_back(List{one.name, one.count});
  return list;
}

std::vector<Counted> counted_from(const Value& document) {
  std::vector<Counted> all;
  for (const Value& one : document.items())
    all.push_back({.name = std::string(one.item(0).string_or("")),
                   .count = static_cast<std::uint64_t>(
                       std::max<std::int64_t>(0, one.item(1).integer_or(0)))});
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

Observation observation_from(const Value& document) {
  Observation seen;
  const std::int64_t standing = document["standing"].integer_or(3);
  seen.standing =
      standing >= 0 && standing <= 3 ? static_cast<Standing>(standing) : Standing::unknowable;
  for (const Value& item : document["differences"].items()) {
    seen.differences.push_back(
        {std::string(item.item(0).string_or("")), item.item(1), item.item(2)});
  }
  const auto number = [&](const char* key) -> std::optional<std::uint64_t> {
    const std::int64_t value = document[key].integer_or(-1);
    if (value < 0) return std::nullopt;
    return static_cast<std::uint64_t>(value);
  };
  seen.fingerprint = document["fingerprint"];
  seen.messages = number("messages");
  seen.bytes = number("bytes");
  seen.duration_ms = number("duration_ms");
  seen.beside = counted_from(document["beside"]);
  seen.not_carried = counted_from(document["not_carried"]);
  seen.hold_ms = number("hold_ms");
  seen.hold_basis = document["hold_basis"].string_or("");
  seen.remark = document["remark"].string_or("");
  seen.duration_basis = document["duration_basis"].string_or("");
  seen.is_unseen = document["unseen"].bool_or(false);
  return seen;
}

Value finding_document(const ReviewedFinding& finding) {
  return List{finding.code,  finding.severity,    finding.message,
              finding.place, finding.silenced_at, finding.reason};
}

ReviewedFinding finding_from(const Value& document) {
  const auto text = [&](std::size_t at) { return std::string(document.item(at).string_or("")); };
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

std::optional<std::uint64_t> number_from(const Value& document) {
  const std::int64_t value = document.integer_or(-1);
  return value < 0 ? std::nullopt : std::optional(static_cast<std::uint64_t>(value));
}

Value disk_document(const MachineDisk& disk) {
  return List{disk.machine,    number_document(disk.free_bytes),  disk.how, disk.when,
              disk.needed_for, number_document(disk.needed_bytes)};
}

MachineDisk disk_from(const Value& document) {
  return {.machine = std::string(document.item(0).string_or("")),
          .free_bytes = number_from(document.item(1)),
          .how = std::string(document.item(2).string_or("")),
          .when = std::string(document.item(3).string_or("")),
          .needed_for = std::string(document.item(4).string_or("")),
          .needed_bytes = number_from(document.item(5))};
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

constexpr std::string_view kSchemaParts = "schema_parts";  // may be null: not known
constexpr std::string_view kMadeBy = "made_by";            // may be missing: not known

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
  for (const auto& [step, seen] : plan.observations)
    observations.set(std::to_string(step), observation_document(seen));
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
  for (const auto& [name, value] : document.members()) {
    const bool is_known = std::any_of(kMembers.begin(), kMembers.end(),
                                      [&](const Member& member) { return member.name == name; });
    if (!is_known && name != kSchemaParts && !(name == kMadeBy && value.is_string()))
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
  for (const Value& source : document["sources"].items()) {
    if (plan.sources.size() == kSourcesMax) return refuse("more sources than 10,000");
    plan.sources.emplace_back(std::string(source.item(0).string_or("")),
                              std::string(source.item(1).string_or("")));
  }
  for (const auto& [step, seen] : document["observations"].members()) {
    std::uint64_t index_of_step = 0;
    for (const char c : step) {
      if (c < '0' || c > '9' || index_of_step > UINT32_MAX)
        return refuse("an observation of no step");
      index_of_step = index_of_step * 10 + static_cast<std::uint64_t>(c - '0');
    }
    if (index_of_step >= graph.size()) return refuse("an observation of a step that is not there");
    plan.observations.emplace(static_cast<std::uint32_t>(index_of_step), observation_from(seen));
  }
  for (const Value& finding : document["findings"].items()) {
    if (plan.findings.size() == kFindingsMax) return refuse("more findings than 100,000");
    plan.findings.push_back(finding_from(finding));
  }
  for (const Value& disk : document["disks"].items()) {
    if (plan.disks.size() == kSourcesMax) return refuse("more disks than 10,000");
    plan.disks.push_back(disk_from(disk));
  }
  plan.made_from = document["made_from"].string_or("");
  plan.made_by = document[kMadeBy].string_or("");
  plan.schema_parts = document[kSchemaParts];
  for (const Value& note : document["notes"].items()) plan.notes.emplace_back(note.string_or(""));
  plan.graph = std::move(graph);
  *digest = actual;
  return plan;
}

}  // namespace plan::ir
