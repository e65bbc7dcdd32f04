// Sieve scripts of the target back to the source, three ways with what plan left at the target.
#include <fmt/format.h>

#include <map>

#include "compiler/source/text.h"
#include "runtime/archive/carry_back.h"
#include "runtime/archive/digest.h"
#include "runtime/archive/limits.h"
#include "runtime/net/sieve/errors.h"

namespace plan::archive {
namespace {

namespace jmap = net::jmap;

/// The target keeps the vacation response as a script of this name and takes none from outside.
constexpr std::string_view kReserved = "vacation";

struct AtSource {
  std::string sha256 = {};
  bool is_active = false;
};

class ScriptCarry {
 public:
  ScriptCarry(ArchiveFile& archive, const SieveSource& source, const TargetAccount& target,
              bool is_dry, CarryReport& report)
      : archive_(archive),
        database_(archive.database()),
        source_(source),
        target_(target),
        is_dry_(is_dry),
        report_(report) {}

  Outcome run() {
    PLAN_TRY(session, target_.client().session());
    if (!session->has_capability(jmap::kSieve)) return {};
    if (!is_dry_) PLAN_TRY_VOID(read_source());
    PLAN_TRY_VOID(load());
    PLAN_TRY(scripts, target_.scripts());
    std::vector<std::string> blobs;
    for (TargetScript& script : scripts) {
      if (equals_ignoring_case(script.name, kReserved)) continue;
      blobs.push_back(script.blob_id);
      const std::string name = script.name;
      at_target_[name] = std::move(script);
    }
    PLAN_TRY(digests, target_.digests(blobs));
    const std::uint64_t before = report_.scripts;
    for (const auto& [name, script] : at_target_) PLAN_TRY_VOID(write(script, digests));
    PLAN_TRY_VOID(activate());
    for (const auto& [name, digest] : left_there_)
      if (!at_target_.contains(name)) PLAN_TRY_VOID(remove(name, digest));
    if (client_) client_->logout();
    if (!is_dry_ && report_.scripts != before) PLAN_TRY_VOID(read_source());
    return {};
  }

 private:
  Outcome read_source() {
    PLAN_TRY(read, import_sieve(archive_, source_));
    (void)read;
    return {};
  }

  Result<net::sieve::Client*> client() {
    if (!client_) {
      PLAN_TRY(made, source_.connect());
      client_ = std::move(made);
    }
    return client_.get();
  }

  Outcome load() {
    PLAN_TRY(rows, database_.prepare(
                       "SELECT s.name, b.data, s.is_active FROM sieve_scripts s JOIN blobs b ON "
                       "b.id = s.blob_id WHERE s.name IS NOT NULL"));
    while (true) {
      PLAN_TRY(has_row, rows.step());
      if (!has_row) break;
      at_source_[std::string(rows.text(0))] = {sha256_raw(rows.blob(1)), rows.integer(2) != 0};
    }
    PLAN_TRY(left, database_.prepare(
                       "SELECT name, sha256 FROM plan_target_script WHERE target_id IS NOT NULL "
                       "AND problem IS NULL"));
    while (true) {
      PLAN_TRY(has_row, left.step());
      if (!has_row) return {};
      left_there_[std::string(left.text(0))] = std::string(left.blob(1));
    }
  }

  static std::string where(const std::string& name) {
    return "Sieve script " + printable(name, 200);
  }

  Outcome conflict(const std::string& name, std::string rule) {
    if (!is_dry_) {
      PLAN_TRY(keep, database_.prepare(
                         "INSERT INTO plan_carry_note (wall_ms, place, rule) VALUES (?, ?, ?)"));
      keep.bind(1, net::system_clock().wall_ms()).bind(2, where(name)).bind(3, rule);
      PLAN_TRY_VOID(keep.run());
    }
    report_.conflicts.push_back({where(name), std::move(rule)});
    return {};
  }

  Outcome write(const TargetScript& script, const std::map<std::string, std::string>& digests) {
    const auto digest = digests.find(script.blob_id);
    if (digest == digests.end()) return {};
    const auto here = at_source_.find(script.name);
    const auto left = left_there_.find(script.name);
    const bool is_same = here != at_source_.end() && here->second.sha256 == digest->second;
    const bool is_untouched = left != left_there_.end() && left->second == digest->second;
    if (is_same) return note(script, digest->second);
    if (is_untouched && here != at_source_.end()) return {};  // the source's own change stays
    if (left != left_there_.end() && here != at_source_.end() &&
        here->second.sha256 != left->second)
      PLAN_TRY_VOID(conflict(script.name, "changed at both sides: the target's text decided"));
    if (is_untouched)
      PLAN_TRY_VOID(
          conflict(script.name, "gone at the source, still at the target: it is given back"));
    ++report_.scripts;
    if (is_dry_) return {};
    PLAN_TRY(content,
             target_.client().download(target_.account_id(), script.blob_id, kMessageBytesMax));
    PLAN_TRY(open, client());
    const auto put = open->put(script.name, content);
    if (!put) {
      if (!put.error().is(net::sieve::errors::sieve_refused) &&
          !put.error().is(net::sieve::errors::script_invalid))
        return std::move(Error(put.error())).while_doing("carrying a script back");
      --report_.scripts;
      report_.refused.push_back({where(script.name), put.error().to_line()});
      return {};
    }
    at_source_[script.name].sha256 = digest->second;
    return note(script, digest->second);
  }

  /// What is the same on both sides from now on.
  Outcome note(const TargetScript& script, const std::string& digest) {
    if (is_dry_) return {};
    PLAN_TRY(keep, database_.prepare(
                       "INSERT OR REPLACE INTO plan_target_script (name, target_id, sha256, "
                       "is_ours, problem) VALUES (?, ?, ?, 1, NULL)"));
    keep.bind(1, script.name).bind(2, script.id).bind_blob(3, digest);
    return keep.run();
  }

  Outcome activate() {
    std::string there, here;
    for (const auto& [name, script] : at_target_)
      if (script.is_active) there = name;
    for (const auto& [name, script] : at_source_)
      if (script.is_active) here = name;
    if (there == here) return {};
    // One that the target never had says nothing about what the user wants there.
    if (there.empty() && !at_target_.contains(here)) return {};
    if (!there.empty() && !at_source_.contains(there)) return {};  // refused: listed
    ++report_.scripts;
    if (is_dry_) return {};
    PLAN_TRY(open, client());
    return open->set_active(there).while_doing("activating a script at the source");
  }

  Outcome remove(const std::string& name, const std::string& digest) {
    const auto here = at_source_.find(name);
    if (here != at_source_.end() && here->second.sha256 != digest) {
      PLAN_TRY_VOID(
          conflict(name, "deleted at the target, its text changed at the source: it stays"));
    } else if (here != at_source_.end()) {
      ++report_.scripts;
      if (is_dry_) return {};
      PLAN_TRY(open, client());
      if (here->second.is_active && is_none_active_at_target()) PLAN_TRY_VOID(open->set_active(""));
      const auto removed = open->remove(name);
      if (!removed && !removed.error().is(net::sieve::errors::sieve_refused) &&
          !removed.error().is(net::sieve::errors::script_missing))
        return std::move(Error(removed.error())).while_doing("removing a script at the source");
    }
    if (is_dry_) return {};
    PLAN_TRY(forget, database_.prepare("DELETE FROM plan_target_script WHERE name = ?"));
    forget.bind(1, name);
    return forget.run();
  }

  [[nodiscard]] bool is_none_active_at_target() const {
    for (const auto& [name, script] : at_target_)
      if (script.is_active) return false;
    return true;
  }

  ArchiveFile& archive_;
  store::Database& database_;
  const SieveSource& source_;
  const TargetAccount& target_;
  bool is_dry_;
  CarryReport& report_;
  std::unique_ptr<net::sieve::Client> client_;
  std::map<std::string, AtSource> at_source_ = {};
  std::map<std::string, std::string> left_there_ = {};  ///< name to digest, as plan left it
  std::map<std::string, TargetScript> at_target_ = {};
};

}  // namespace

Outcome carry_scripts(ArchiveFile& archive, const SieveSource& source, const TargetAccount& target,
                      bool is_dry, CarryReport& report) {
  return ScriptCarry(archive, source, target, is_dry, report).run();
}

}  // namespace plan::archive
