#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "compiler/ir/value.h"
#include "compiler/source/result.h"
#include "runtime/net/clock.h"
#include "runtime/proxy/map_log.h"

namespace plan::proxy {

/// Where a login name stands. The only changes that exist (g: generation of the transaction):
///
///   settled --hold(g, greater)--> held --prepare(g)--> prepared --commit(g)--> settled at the new
///   destination held --bound over--> returned       the old destination serves again; its refusals
///   are shown as temporary failures,
///                                       because the refusal may be plan's own deny entry that
///                                       nobody has taken back yet
///   prepared --unprepare(g)--> held, firm: its bound ends in a temporary failure, never in a
///   return held, returned, prepared --abort(g)--> settled where it was returned --hold(g,
///   greater)--> held
///
/// After `prepare` no time that passes changes the authority: only plan does (design.md section 6).
enum class NameState : std::uint8_t { settled = 0, held = 1, returned = 2, prepared = 3 };

[[nodiscard]] std::string_view to_string(NameState state);

/// What to do with a login.
struct Route {
  enum class Kind : std::uint8_t { go = 0, park = 1, unavailable = 2 };
  Kind kind = Kind::go;
  std::string destination = {};
  bool is_refusal_masked = false;     ///< a refusal is shown as a temporary failure
  std::chrono::milliseconds left{0};  ///< park: until the bound
};

struct NameView {
  NameState state = NameState::settled;
  std::string destination = {};
  std::string next_destination = {};
  std::string lease = {};
  std::uint64_t generation = 0;
  std::int64_t left_ms = 0;
  bool is_known = false;
  bool is_firm = false;
};

/// The durable map of login names. Every change is in the file, synced, before the function
/// returns. Not thread-safe: it lives on the proxy's one thread. Names are given normalised
/// (login_name.h).
class AccountMap {
 public:
  struct Options {
    std::string path = {};
    bool is_created = true;
    std::string default_destination = "source";
    std::string boot_id = {};  ///< of the running kernel: a hold's bound from another boot is over
  };
  [[nodiscard]] static Result<std::unique_ptr<AccountMap>> open(Options options, net::Clock& clock);

  [[nodiscard]] Route route(const std::string& name);
  [[nodiscard]] NameView view(const std::string& name) const;
  [[nodiscard]] bool knows(const std::string& name) const {
    return entries_.contains(name) || transactions_.contains(name);
  }

  // All or none of the names. Errors as in errors.def: generation-stale, lease-held, hold-expired,
  // not-held, not-prepared, already-committed, map-unreadable. Each may be repeated.
  [[nodiscard]] Outcome hold(const std::vector<std::string>& names, std::uint64_t generation,
                             std::chrono::milliseconds bound, const std::string& lease);
  [[nodiscard]] Outcome prepare(const std::vector<std::string>& names, std::uint64_t generation,
                                const std::string& destination, const std::string& lease);
  [[nodiscard]] Outcome unprepare(const std::vector<std::string>& names, std::uint64_t generation,
                                  const std::string& lease);
  [[nodiscard]] Outcome commit(const std::vector<std::string>& names, std::uint64_t generation,
                               const std::string& lease);
  /// Also fences: a hold of this generation that arrives later is refused.
  [[nodiscard]] Outcome abort(const std::vector<std::string>& names, std::uint64_t generation,
                              const std::string& lease);
  /// Makes `lease` the one that commands must bear; refused while another run's accounts are held.
  [[nodiscard]] Outcome acquire(const std::string& lease);
  /// The same without asking (`--take-over`), unless a later run is known.
  [[nodiscard]] Outcome take_over(const std::string& lease);

  /// Gives back the holds whose bound is over, durably; the names that were. When the disk refuses
  /// they stay parked and then get temporary failures: without a record the return could be
  /// forgotten and undone by a restart.
  [[nodiscard]] std::vector<std::string> expire_due();

  [[nodiscard]] const std::string& instance() const { return log_->instance(); }
  [[nodiscard]] const std::string& lease() const { return lease_; }
  [[nodiscard]] std::size_t known_count() const { return entries_.size(); }
  [[nodiscard]] std::size_t transaction_count() const { return transactions_.size(); }
  [[nodiscard]] bool is_poisoned() const { return log_->is_poisoned(); }
  [[nodiscard]] std::size_t file_bytes() const { return log_->bytes(); }
  /// Names in the map, sorted, from `after` (exclusive), at most `count`.
  [[nodiscard]] std::vector<std::string> names_after(const std::string& after,
                                                     std::size_t count) const;

 private:
  struct Entry {
    std::string destination = {};
    std::uint64_t generation = 0;
    bool was_committed = false;  ///< the last transaction ended in a commit
  };
  struct Transaction {
    NameState state = NameState::held;
    bool is_firm = false;
    std::uint64_t generation = 0;
    std::string next_destination = {};
    std::string lease = {};
    std::int64_t until_wall_ms = 0;
    std::string boot_id = {};
    net::Clock::Monotonic until = {};
  };

  AccountMap(Options options, net::Clock& clock) : options_(std::move(options)), clock_(&clock) {}
  [[nodiscard]] Outcome check_lease(const std::string& lease) const;
  [[nodiscard]] Outcome write(ir::Value record);
  /// Does a command of this generation change the name? `transaction` is null when there is none of
  /// this generation. An error refuses the command for all names.
  using Judge =
      std::function<Result<bool>(const std::string& name, const Transaction* transaction)>;
  /// What all commands of a transaction have in common: the lease, the fence by generation, and one
  /// record for the names that change; nothing is written when none does.
  [[nodiscard]] Outcome command(ir::Value record, const std::vector<std::string>& names,
                                std::uint64_t generation, const std::string& lease,
                                const Judge& judge);
  [[nodiscard]] bool apply(const ir::Value& record);
  void expire_if_due(const std::string& name);
  [[nodiscard]] bool is_due(const Transaction& transaction) const;
  [[nodiscard]] std::chrono::milliseconds left_of(const Transaction& transaction) const;
  [[nodiscard]] std::uint64_t generation_of(const std::string& name) const;
  [[nodiscard]] std::vector<ir::Value> snapshot() const;
  [[nodiscard]] Entry& entry_of(const std::string& name);

  Options options_;
  net::Clock* clock_;
  std::unique_ptr<MapLog> log_;
  std::unordered_map<std::string, Entry> entries_;
  std::unordered_map<std::string, Transaction> transactions_;
  std::string lease_;
  std::size_t compacted_bytes_ = 0;
};

/// Order of two lease tokens: tokens that begin with a decimal number and `-` or `.` are ordered by
/// it (a later run has the greater number and takes over by itself); others only differ. Negative,
/// zero, positive; nothing when unordered.
[[nodiscard]] std::optional<int> compare_leases(std::string_view left, std::string_view right);

}  // namespace plan::proxy
