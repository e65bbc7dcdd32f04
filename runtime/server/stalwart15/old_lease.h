#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "runtime/net/clock.h"
#include "runtime/server/source/lease.h"
#include "runtime/server/stalwart15/management.h"

namespace plan::server::stalwart15 {

/// The lease as a setting of the old server, `plan.lease.TOKEN` with the words of the holder. An
/// insert there can ask for an empty prefix, but the server looks and writes in two goes: two at
/// the same moment may both get in. Each has a key of its own, so each then sees the other, and
/// goes: that makes it a compare-and-set that at most one wins.
class OldLease final : public source::Lease {
 public:
  /// The server must outlive this.
  OldLease(Management& server, std::string holder, net::Clock& clock)
      : server_(server), holder_(std::move(holder)), clock_(clock) {}

  Outcome acquire(std::string_view token) override;
  Outcome renew(std::string_view token) override;
  Outcome release(std::string_view token) override;
  Outcome take_over(std::string_view token) override;
  Result<Holder> look() override;

 private:
  [[nodiscard]] Result<std::vector<Holder>> all();
  [[nodiscard]] std::string words() const;

  Management& server_;
  std::string holder_;
  net::Clock& clock_;
};

}  // namespace plan::server::stalwart15
