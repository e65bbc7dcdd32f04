#pragma once
#include <memory>
#include <string>
#include <vector>

#include "compiler/ir/step_graph.h"
#include "compiler/ir/value.h"
#include "compiler/source/result.h"
#include "runtime/command/project_folder.h"
#include "runtime/engine/lease.h"
#include "runtime/net/clock.h"
#include "runtime/secret/secret.h"
#include "runtime/step/step_driver.h"

namespace plan::archive {
struct ArchiveWorld;
struct AccountSource;
class TargetAccount;
}  // namespace plan::archive

namespace plan::command {

/// Everything that a command needs to reach the servers of one plan: secrets, hosts, clients,
/// drivers, leases. Made in one place (wiring.cpp), so that no driver knows another. Connects to
/// nothing by itself.
class Session {
 public:
  /// `connections` is PlanSummary::connections: the resolved blocks `source`, `target`, `proxies`,
  /// `addresses`.
  enum class Purpose : std::uint8_t {
    live = 0,
    /// Steps that would change source, proxies or DNS go into books (rehearsal/scratch_drivers.h).
    rehearsal = 1,
  };
  Session(const ProjectFolder& folder, ir::Value connections, Purpose purpose = Purpose::live);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  [[nodiscard]] const step::DriverTable& drivers() const;
  [[nodiscard]] secret::SecretSource& secrets();
  [[nodiscard]] const ir::Value& connections() const;

  /// The leases of a run, target first; of a plan about a store, whose server is stopped, a lock
  /// file on its machine. `holder` is for people: "alice@laptop". Errors: those of
  /// opening the target.
  [[nodiscard]] Result<std::vector<engine::LeaseHolder*>> leases(const std::string& holder);

  /// The lease on the target alone, for what touches nothing else.
  [[nodiscard]] Result<engine::LeaseHolder*> target_lease(const std::string& holder);

  /// Both ends of one account, for `plan archive`. The source is not connected to yet.
  [[nodiscard]] Result<archive::AccountSource> account_at_source(const std::string& account);
  struct AtTarget;
  /// Error: nothing-of-that-name, when the target has no such account.
  [[nodiscard]] Result<AtTarget> account_at_target(const std::string& account);

  /// What a rehearsal's books say was done, in order; empty for a live session.
  [[nodiscard]] std::vector<std::string> rehearsal_log() const;
  /// ScratchWorld::left_behind; empty for a live session.
  [[nodiscard]] std::vector<std::string> rehearsal_left_behind(bool is_before_cutover) const;

  /// All objects of a registry type of the target ("x:Domain"), as the server shows them: secrets
  /// are masked.
  [[nodiscard]] Result<ir::Value> read_objects(const std::string& type, bool is_singleton);

  /// The target's schema document, unpacked, as it is now.
  [[nodiscard]] Result<std::string> target_schema();

  /// Survey documents for `plan fetch` (compiler/facts/survey.md).
  [[nodiscard]] Result<ir::Value> survey_source();
  [[nodiscard]] Result<ir::Value> survey_target();
  /// Only who is at the source now (server::source::survey_names).
  [[nodiscard]] Result<ir::Value> survey_source_names();
  /// The same for a plan about a store; `folders` are those of its dumps.
  [[nodiscard]] Result<ir::Value> survey_store(const std::vector<std::string>& folders);

 private:
  [[nodiscard]] archive::ArchiveWorld archive_world(Purpose purpose);

  struct State;
  std::unique_ptr<State> state_;
};

/// The resolved blocks that a graph's steps carry, for a session on a saved or recorded graph.
[[nodiscard]] ir::Value connections_of(const ir::StepGraph& graph);

/// The plan is about one server's store: no source, no proxies, and the server may be stopped.
[[nodiscard]] bool is_about_store(const ir::Value& connections);

/// `user@host` of this process, for leases and reports.
[[nodiscard]] std::string holder_name();

}  // namespace plan::command
