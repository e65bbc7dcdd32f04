#pragma once
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "compiler/ir/observation.h"
#include "runtime/step/step_driver.h"

namespace plan::archive {

/// What looking at an account's mailboxes took, kept from the look of archive.copy for the steps
/// that make the same look in the hold. Thread-safe.
class SeenMailboxes {
 public:
  struct Figures {
    double scan_ms = 0;
    std::uint64_t mailboxes = 0;
    std::uint64_t messages = 0;
    bool has_qresync = false;
  };
  /// What a step does besides its look at the source.
  struct Work {
    int calls = 0;   ///< of the target
    int writes = 0;  ///< that are durable when they return
  };

  void put(const std::string& account, Figures figures);
  /// Puts into `seen` what one pass over the source and that work take. `call_ms`: what one call of
  /// the target took just now. Nothing for an account that was not looked at.
  void predict(const step::StepContext& context, const std::string& account, const Work& work,
               double call_ms, ir::Observation& seen);

 private:
  std::mutex mutex_;
  std::map<std::string, Figures> by_account_;
  std::optional<double> write_ms_ = {};
  double calls_ms_ = 0;
  int calls_ = 0;
};

}  // namespace plan::archive
