// Sieve scripts of an archive onto the target (reference/stalwart-admin.md 8.4).
#include <fmt/format.h>

#include <map>

#include "compiler/source/text.h"
#include "runtime/archive/digest.h"
#include "runtime/archive/errors.h"
#include "runtime/archive/push_jmap.h"

namespace plan::archive {
namespace {

using ir::Value;
namespace jmap = net::jmap;

struct Script {
  std::string name = {};
  std::string content = {};
  bool is_active = false;
};

class ScriptPush {
 public:
  ScriptPush(ArchiveFile& archive, const TargetAccount& target, PushReport& report)
      : database_(archive.database()), target_(target), report_(report) {}

  Outcome run() {
    PLAN_TRY_VOID(load());
    PLAN_TRY(known, database_.query_integer("SELECT count(*) FROM plan_target_script"));
    if (scripts_.empty() && known.value_or(0) == 0) return {};  // no need for the capability
    PLAN_TRY(existing, target_.scripts());
    for (TargetScript& script : existing) {
      const std::string name = script.name;
      existing_[name] = std::move(script);
    }
    for (const Script& script : scripts_) PLAN_TRY_VOID(write(script));
    PLAN_TRY_VOID(activate());
    return remove_gone();
  }

 private:
  Outcome load() {
    PLAN_TRY(rows,
             database_.prepare(
                 "SELECT s.name, b.data, s.is_active FROM sieve_scripts s JOIN blobs b ON b.id = "
                 "s.blob_id WHERE s.name IS NOT NULL ORDER BY s.id"));
    while (true) {
      PLAN_TRY(has_row, rows.step());
      if (!has_row) return {};
      scripts_.push_back({.name = std::string(rows.text(0)),
                          .content = std::string(rows.blob(1)),
                          .is_active = rows.integer(2) != 0});
    }
  }

  Outcome note(const std::string& name, const std::string& id, const std::string& digest,
               const std::string& problem) {
    PLAN_TRY(keep,
             database_.prepare(
                 "INSERT OR REPLACE INTO plan_target_script (name, target_id, sha256, is_ours, "
                 "problem) VALUES (?, ?, ?, 1, ?)"));
    keep.bind(1, name).bind(2, id).bind_blob(3, digest).bind(4, problem);
    if (id.empty()) keep.bind_null(2);
    if (problem.empty()) keep.bind_null(4);
    if (!problem.empty())
      report_.problems.push_back({"Sieve script " + printable(name, 200), problem});
    return keep.run();
  }

  Outcome write(const Script& script) {
    const std::string digest = sha256_raw(script.content);
    const auto found = existing_.find(script.name);
    if (found != existing_.end()) {
      PLAN_TRY(digests, target_.digests({found->second.blob_id}));
      const auto there = digests.find(found->second.blob_id);
      if (there != digests.end() && there->second == digest)
        return note(script.name, found->second.id, digest, "");
    }
    PLAN_TRY(blob_id,
             target_.client().upload(target_.account_id(), script.content, "application/sieve"));
    jmap::SetRequest request{.type = "SieveScript",
                             .account_id = target_.account_id(),
                             .capability = std::string(jmap::kSieve)};
    if (found == existing_.end()) {
      PLAN_TRY_VOID(
          note(script.name, "", digest, ""));  // intent; names are unique, so a repeat finds it
      request.create =
          Value::map({{"s", Value::map({{"name", script.name}, {"blobId", blob_id}})}});
    } else {
      request.update = Value::map({{found->second.id, Value::map({{"blobId", blob_id}})}});
    }
    PLAN_TRY(result, target_.client().set(std::move(request)));
    if (!result.failures.empty()) {
      const jmap::SetError& refused = result.failures.front().error;
      return note(
          script.name, found == existing_.end() ? "" : found->second.id, digest,
          fmt::format("the target refuses the script: {}: {}", refused.type, refused.description));
    }
    const std::string id = found == existing_.end() ? result.created_id("s") : found->second.id;
    existing_[script.name] = {.id = id,
                              .name = script.name,
                              .is_active = found != existing_.end() && found->second.is_active};
    ++report_.scripts;
    return note(script.name, id, digest, "");
  }

  Outcome activate() {
    std::string wanted;
    for (const Script& script : scripts_) {
      if (!script.is_active) continue;
      const auto found = existing_.find(script.name);
      if (found == existing_.end()) return {};  // refused: listed
      wanted = found->second.id;
      if (found->second.is_active) return {};
    }
    Value arguments = Value::map({{"accountId", target_.account_id()}});
    if (!wanted.empty()) {
      arguments.set("onSuccessActivateScript", wanted);
    } else {
      bool is_ours_active = false;
      for (const auto& [name, script] : existing_) {
        PLAN_TRY(is_ours, has_note(name));
        if (script.is_active && is_ours) is_ours_active = true;
      }
      if (!is_ours_active) return {};
      arguments.set("onSuccessDeactivateScript", true);
    }
    PLAN_TRY(result, target_.client().call_one("SieveScript/set", std::move(arguments),
                                               {.capabilities = {std::string(jmap::kSieve)}}));
    (void)result;
    ++report_.scripts;
    return {};
  }

  Result<bool> has_note(const std::string& name) {
    PLAN_TRY(find,
             database_.prepare("SELECT 1 FROM plan_target_script WHERE name = ? AND is_ours = 1"));
    find.bind(1, name);
    return find.step();
  }

  Outcome remove_gone() {
    std::vector<std::pair<std::string, std::string>> gone;
    PLAN_TRY(rows,
             database_.prepare(
                 "SELECT name, target_id FROM plan_target_script WHERE is_ours = 1 AND name NOT IN "
                 "(SELECT name FROM sieve_scripts WHERE name IS NOT NULL)"));
    while (true) {
      PLAN_TRY(has_row, rows.step());
      if (!has_row) break;
      gone.emplace_back(rows.text(0), rows.text(1));
    }
    for (const auto& [name, id] : gone) {
      if (!id.empty()) {
        PLAN_TRY(result, target_.client().set({.type = "SieveScript",
                                               .account_id = target_.account_id(),
                                               .destroy = {id},
                                               .capability = std::string(jmap::kSieve)}));
        if (!result.failures.empty() && !result.failures.front().error.is("notFound")) {
          report_.problems.push_back(
              {"Sieve script " + printable(name, 200),
               "gone at the source, the target keeps it: " + result.failures.front().error.type});
          continue;
        }
        ++report_.scripts;
      }
      PLAN_TRY(forget, database_.prepare("DELETE FROM plan_target_script WHERE name = ?"));
      forget.bind(1, name);
      PLAN_TRY_VOID(forget.run());
    }
    return {};
  }

  store::Database& database_;
  const TargetAccount& target_;
  PushReport& report_;
  std::vector<Script> scripts_;
  std::map<std::string, TargetScript> existing_;
};

}  // namespace

Outcome push_scripts(ArchiveFile& archive, const TargetAccount& target, PushReport& report) {
  return ScriptPush(archive, target, report).run();
}

}  // namespace plan::archive
