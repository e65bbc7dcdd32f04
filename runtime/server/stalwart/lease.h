#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "compiler/ir/value.h"
#include "compiler/source/result.h"
#include "runtime/server/stalwart/target.h"

namespace plan::server::stalwart {

/// One run at a time, also from two machines: a lookup value on the target whose unique key is the
/// compare-and-set (design.md section 8). The key is (namespace `plan-lease`, `target`), its value
/// says who: token, holder, since when. It never runs out by itself: a dead run's lease is resumed
/// with its own token or taken over on purpose. One thread.
///
/// Errors: lease-taken with the words of the one who holds it; lease-lost; those of the JMAP
/// client. A lost reply is resolved inside by looking again.
class TargetLease {
 public:
  /// `holder` is for people: "alice@laptop, run 3f2a".
  TargetLease(std::shared_ptr<Target> target, std::string holder, net::Clock& clock)
      : target_(std::move(target)), holder_(std::move(holder)), clock_(clock) {}

  /// Makes `token` the holder. Succeeds when it is already.
  [[nodiscard]] Outcome acquire(std::string_view token);
  /// Still ours? Changes nothing.
  [[nodiscard]] Outcome renew(std::string_view token);
  /// Gives it back when it is `token`'s, does nothing when it is not.
  [[nodiscard]] Outcome release(std::string_view token);
  /// Puts `token` in the place of whoever holds it. Of two that try it at once, one gets
  /// lease-taken.
  [[nodiscard]] Outcome take_over(std::string_view token);
  [[nodiscard]] std::string name() const { return "target"; }

  struct Holder {
    std::string id = {};  ///< of the object; empty: nobody holds it
    std::string token = {};
    std::string words = {};  ///< "alice@laptop, run 3f2a, since 2026-11-24T02:10:00Z"
  };
  /// Who holds it now.
  [[nodiscard]] Result<Holder> look();

 private:
  [[nodiscard]] Outcome create(std::string_view token);

  std::shared_ptr<Target> target_;
  std::string holder_;
  net::Clock& clock_;
};

}  // namespace plan::server::stalwart
