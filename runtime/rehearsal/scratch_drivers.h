#pragma once
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "runtime/step/step_driver.h"

namespace plan::rehearsal {

/// Where mail and logins of one account go in a rehearsal; what the scratch source, proxies and
/// address would do.
struct ScratchAccount {
  bool is_denied = false;          ///< the source's own door is closed
  bool is_parked = false;          ///< the proxies park its logins
  std::string mail = "source";     ///< `source`, `held`, `target`: the source's transport entry
  std::string prepared = {};       ///< destination that the proxies have written but do not use
  std::string clients = "source";  ///< destination that the proxies use
  bool is_in_set = false;          ///< its addresses are in the target's set
  std::int64_t generation = 0;
};

/// The books of a rehearsal: what every step that is not read-only would have done to the source,
/// the proxies and DNS. They refuse an order of steps that split-delivery.md section 4 shows to
/// lose or to loop mail, so a rehearsal finds it. Thread-safe.
class ScratchWorld {
 public:
  [[nodiscard]] ScratchAccount account(const std::string& address) const;
  /// The lines a person reads afterwards: "dovecot.deny alice@example.org: closed".
  [[nodiscard]] std::vector<std::string> log() const;
  /// After a rollback of everything: what is not as it was before the first account moved, one line
  /// each. `is_before_cutover`: the public address must be back as well.
  [[nodiscard]] std::vector<std::string> left_behind(bool is_before_cutover) const;

 private:
  friend class ScratchDriver;
  mutable std::mutex mutex_;
  std::map<std::string, ScratchAccount> accounts_;
  std::set<std::string> prepared_hosts_;
  bool is_address_moved_ = false;
  bool is_address_finalized_ = false;
  std::vector<std::string> log_;
};

/// Drivers for the kinds whose host is source, proxy or dns, and for a restart of the target, that
/// write into `world` and touch nothing else: the embedded target has no service. `probe.*` and
/// `queue.flush` are answered from the books too.
void add_scratch_drivers(step::DriverTable& drivers, const std::shared_ptr<ScratchWorld>& world);

/// Wraps the driver of admin.keys so that the books know the set; the keys themselves go to the
/// embedded target.
[[nodiscard]] std::shared_ptr<step::StepDriver> with_books(std::shared_ptr<step::StepDriver> keys,
                                                           std::shared_ptr<ScratchWorld> world);

}  // namespace plan::rehearsal
