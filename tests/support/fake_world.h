#pragma once
// A small world that keeps its own books: accounts with mail that arrives all the time, a source, a
// queue, a target and a proxy, as plain flags and counters that can live in memory shared with
// processes that are killed. Drivers on it follow the contract of StepDriver; what the engine must
// never do is noticed by the world, not by the engine.
#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "runtime/step/errors.h"
#include "runtime/step/step_driver.h"

namespace plan::test {

inline constexpr std::size_t kWorldAccounts = 8;
inline constexpr std::size_t kWorldMessages = 512;

/// What one message of an account is: copies on each side.
struct WorldMessage {
  std::uint8_t at_source = 0;
  std::uint8_t at_target = 0;
  std::uint8_t in_queue = 0;
};

struct WorldAccount {
  bool is_created = false;
  bool is_proxy_held = false;
  bool is_denied = false;
  bool is_mail_held = false;  ///< transport entry to a closed port
  bool is_forwarded = false;  ///< transport entry to the target
  bool is_open = false;       ///< login enabled on the target
  bool has_keys = false;
  bool is_prepared = false;
  bool is_at_target = false;  ///< the proxy sends clients there: the authority
  bool is_proved = false;     ///< target equals source, and nothing changed since
  std::uint32_t messages = 0;
  std::array<WorldMessage, kWorldMessages> mail = {};
};

/// What goes wrong, at the n-th effect (apply or undo) from the beginning of the world. 0: never.
struct WorldFault {
  enum class Kind : std::uint8_t {
    none,
    lost_reply,     ///< the effect is made, the driver says `unknown`
    lost_request,   ///< no effect, the driver says `unknown`
    refused_safe,   ///< no effect, may be tried again
    refused_never,  ///< no effect, never again
    doubled_call,   ///< the effect is made twice
    killed_before,  ///< the process is killed before the effect
    killed_after,   ///< ... after it, before anybody hears
  };
  Kind kind = Kind::none;
  std::uint32_t at = 0;
};

/// Plain data: may lie in memory that several processes share.
struct World {
  std::array<WorldAccount, kWorldAccounts> accounts = {};
  WorldFault fault = {};
  std::uint32_t effects = 0;
  std::uint32_t domain_made = 0;
  std::uint32_t address_finalized = 0;
  std::uint32_t finalized = 0;
  std::uint32_t observations = 0;
  std::uint32_t violations = 0;
  std::array<char, 400> first_violation = {};
  std::array<bool, kWorldAccounts> has_poor_content = {};  ///< grades `poor`
  std::array<bool, kWorldAccounts> has_doubts = {};        ///< grades `investigate`
  bool has_calendars = false;       ///< at the source, beside the mail: nothing of them is carried
  bool are_calendars_left = false;  ///< and the plan says so
  /// Per account and kind: a reply was lost, so the next call must be an observation.
  std::array<std::array<bool, 64>, kWorldAccounts + 1> must_look = {};
  std::atomic_flag lock = ATOMIC_FLAG_INIT;

  void violate(const std::string& what) {
    ++violations;
    if (violations > 1) return;
    const std::size_t length = std::min(what.size(), first_violation.size() - 1);
    std::copy_n(what.begin(), length, first_violation.begin());
  }

  /// One more message for the account, from outside: where it goes says the routing of this moment.
  void deliver(WorldAccount& account) {
    if (account.messages >= kWorldMessages) return;
    WorldMessage& message = account.mail[account.messages++];
    if (account.is_forwarded) {
      if (account.has_keys) {
        message.at_target = 1;
      } else {
        violate("mail was forwarded to a target that sends it back: a loop");
        message.at_source = 1;
      }
    } else if (account.is_mail_held) {
      message.in_queue = 1;
    } else {
      message.at_source = 1;
    }
    account.is_proved = account.is_proved && account.is_mail_held;
  }

  /// The verdict: each message exactly once where its reader looks, none waiting.
  /// Before everything has moved, mail may also wait where a later step lets it go.
  [[nodiscard]] std::string verdict(std::size_t count, bool all_moved) const {
    if (violations > 0) return std::string("violation: ") + first_violation.data();
    for (std::size_t i = 0; i < count; ++i) {
      const WorldAccount& a = accounts[i];
      const std::string name = "account " + std::to_string(i) + ": ";
      if (all_moved && !a.is_at_target) return name + "has not moved";
      if (a.is_at_target && !(a.is_forwarded && a.has_keys && a.is_open && a.is_denied)) {
        return name + "clients are at the target, the rest is not";
      }
      if (!a.is_at_target && (a.is_forwarded || a.has_keys || a.is_open || a.is_denied ||
                              a.is_mail_held || a.is_prepared)) {
        return name + "clients are at the source, the rest is not";
      }
      if (a.is_proxy_held) return name + "is still held";
      for (std::uint32_t m = 0; m < a.messages; ++m) {
        const WorldMessage& message = a.mail[m];
        const int waiting = all_moved ? 0 : message.in_queue;
        const int here = waiting + (a.is_at_target ? message.at_target : message.at_source);
        if (here != 1) {
          return name + "message " + std::to_string(m) + " is there " + std::to_string(here) +
                 " times (source " + std::to_string(message.at_source) + ", target " +
                 std::to_string(message.at_target) + ", queue " + std::to_string(message.in_queue) +
                 ")";
        }
        if (all_moved && message.in_queue != 0) return name + "mail waits in the queue";
      }
    }
    return {};
  }
};

inline constexpr ErrorCode kWorldError{"world-error", "the fake world said no", "none"};

/// Drivers for all kinds of the account's move on one World.
class WorldDriver final : public step::StepDriver {
 public:
  explicit WorldDriver(World& world) : world_(world) {}

  Result<ir::Observation> observe(step::StepContext& context) override {
    const Guard guard(world_);
    ++world_.observations;
    must_look(context) = false;
    tick();
    ir::Observation seen;
    bool* flag = flag_of(context);
    if (flag == nullptr) {
      seen.standing = ir::Standing::unknowable;
      return seen;
    }
    bool is_so = *flag;
    // Released on some proxies only is not released.
    if (context.kind == ir::StepKind::proxy_release)
      is_so = is_so && !account_of(context).is_proxy_held;
    seen.standing = is_so == wanted(context) ? ir::Standing::satisfied : ir::Standing::absent;
    seen.prior = ir::Value::map({{"on", *flag}});
    return seen;
  }

  Result<ir::Value> apply(step::StepContext& context) override {
    const Guard guard(world_);
    if (must_look(context)) world_.violate(std::string(context.id) + " was tried again blindly");
    tick();
    const WorldFault::Kind fault = take_fault(context);
    if (fault == WorldFault::Kind::refused_safe) {
      return Error(kWorldError, "busy").with_retry(Retry::safe);
    }
    if (fault == WorldFault::Kind::refused_never) return Error(kWorldError, "no");
    if (fault == WorldFault::Kind::lost_request) return lost(context);
    if (fault == WorldFault::Kind::killed_before) ::kill(::getpid(), SIGKILL);
    perform(context);
    if (fault == WorldFault::Kind::doubled_call) perform(context);
    if (fault == WorldFault::Kind::killed_after) ::kill(::getpid(), SIGKILL);
    if (fault == WorldFault::Kind::lost_reply) return lost(context);
    return outputs(context);
  }

  Outcome verify(step::StepContext& context) override {
    const Guard guard(world_);
    const bool* flag = flag_of(context);
    if (flag != nullptr && *flag != wanted(context)) {
      return Error(step::errors::not_as_wanted, std::string(context.id))
          .with_effect(Effect::applied);
    }
    return {};
  }

  Outcome undo(step::StepContext& context) override {
    const Guard guard(world_);
    tick();
    const WorldFault::Kind fault = take_fault(context);
    if (fault == WorldFault::Kind::refused_safe || fault == WorldFault::Kind::refused_never) {
      return Error(kWorldError, "busy").with_retry(Retry::safe);
    }
    if (fault == WorldFault::Kind::lost_request) {
      return Error(kWorldError, "lost").with_effect(Effect::unknown);
    }
    if (fault == WorldFault::Kind::killed_before) ::kill(::getpid(), SIGKILL);
    take_back(context);
    if (fault == WorldFault::Kind::doubled_call) take_back(context);
    if (fault == WorldFault::Kind::killed_after) ::kill(::getpid(), SIGKILL);
    if (fault == WorldFault::Kind::lost_reply) {
      return Error(kWorldError, "lost").with_effect(Effect::unknown);
    }
    return {};
  }

  /// What `plan` must not be told by the proxies alone: all names of all accounts in one table.
  static std::size_t account_index(std::string_view account) {
    return account.empty() ? kWorldAccounts : static_cast<std::size_t>(account.back() - '0');
  }

 private:
  struct Guard {
    explicit Guard(World& world) : world_(world) {
      while (world_.lock.test_and_set(std::memory_order_acquire)) {
      }
    }
    ~Guard() { world_.lock.clear(std::memory_order_release); }
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;
    World& world_;
  };

  bool& must_look(step::StepContext& context) {
    // One index per account and kind; account ids end in their digit ("a0@x" has it before the @).
    return world_.must_look[index_of(context)][static_cast<std::size_t>(context.kind)];
  }
  static std::size_t index_of(const step::StepContext& context) {
    if (context.account.size() < 2) return kWorldAccounts;
    return static_cast<std::size_t>(context.account[1] - '0');
  }
  WorldAccount& account_of(const step::StepContext& context) {
    return world_.accounts[index_of(context) % kWorldAccounts];
  }

  Error lost(step::StepContext& context) {
    must_look(context) = true;
    return Error(kWorldError, "the reply was lost").with_effect(Effect::unknown);
  }

  WorldFault::Kind take_fault(const step::StepContext&) {
    ++world_.effects;
    return world_.effects == world_.fault.at ? world_.fault.kind : WorldFault::Kind::none;
  }

  /// Time goes on: everybody gets mail.
  void tick() {
    for (WorldAccount& account : world_.accounts) {
      if (account.is_created || account.messages > 0) world_.deliver(account);
    }
  }

  bool* flag_of(const step::StepContext& context) {
    WorldAccount& a = account_of(context);
    switch (context.kind) {
      case ir::StepKind::admin_account:
        return &a.is_created;
      case ir::StepKind::proxy_hold:
        return &a.is_proxy_held;
      case ir::StepKind::dovecot_deny:
      case ir::StepKind::source_freeze:
        return &a.is_denied;
      case ir::StepKind::postfix_hold:
      case ir::StepKind::source_hold:
        return &a.is_mail_held;
      case ir::StepKind::admin_account_open:
        return &a.is_open;
      case ir::StepKind::admin_keys:
        return &a.has_keys;
      case ir::StepKind::postfix_forward:
      case ir::StepKind::source_forward:
        return &a.is_forwarded;
      case ir::StepKind::proxy_prepare:
        return &a.is_prepared;
      case ir::StepKind::proxy_release:
        return &a.is_at_target;
      default:
        return nullptr;
    }
  }
  static bool wanted(const step::StepContext&) { return true; }

  void need(bool condition, const step::StepContext& context, const char* what) {
    if (!condition) world_.violate(std::string(context.id) + ": " + what);
  }

  static void copy_all(WorldAccount& a) {
    for (std::uint32_t m = 0; m < a.messages; ++m) {
      // Identity is provenance: what is there already is not carried again.
      if (a.mail[m].at_source > 0 && a.mail[m].at_target == 0) a.mail[m].at_target = 1;
    }
  }
  void flush(WorldAccount& a) {
    for (std::uint32_t m = 0; m < a.messages; ++m) {
      if (a.mail[m].in_queue == 0) continue;
      if (a.is_forwarded) {
        a.mail[m].in_queue = 0;
        ++a.mail[m].at_target;
      } else if (!a.is_mail_held) {
        a.mail[m].in_queue = 0;
        ++a.mail[m].at_source;
      }
    }
  }

  void perform(step::StepContext& context) {
    WorldAccount& a = account_of(context);
    switch (context.kind) {
      case ir::StepKind::admin_upsert:
        world_.domain_made = 1;
        break;
      case ir::StepKind::admin_update:
        ++world_.finalized;
        break;
      case ir::StepKind::address_finalize:
        need(world_.finalized > 0 && world_.domain_made == 1, context,
             "the address moved too early");
        world_.address_finalized = 1;
        break;
      case ir::StepKind::admin_account:
        a.is_created = true;
        break;
      case ir::StepKind::archive_copy:
        need(a.is_created, context, "copied into no account");
        copy_all(a);
        break;
      case ir::StepKind::proxy_hold:
        a.is_proxy_held = true;
        break;
      case ir::StepKind::dovecot_deny:
      case ir::StepKind::source_freeze:
        a.is_denied = true;
        break;
      case ir::StepKind::postfix_hold:
      case ir::StepKind::source_hold:
        a.is_mail_held = true;
        break;
      case ir::StepKind::archive_delta:
        need(a.is_proxy_held && a.is_denied && a.is_mail_held, context, "delta without hold");
        copy_all(a);
        a.is_proved = true;
        break;
      case ir::StepKind::admin_account_open:
        need(a.is_proved, context, "opened before the content was proved");
        a.is_open = true;
        break;
      case ir::StepKind::admin_keys:
        need(a.is_mail_held && a.is_proved, context, "keys before the hold");
        a.has_keys = true;
        break;
      case ir::StepKind::postfix_forward:
      case ir::StepKind::source_forward:
        need(a.has_keys, context, "forwarded without keys");
        a.is_forwarded = true;
        break;
      case ir::StepKind::proxy_prepare:
        need(a.is_proxy_held && a.is_proved, context, "prepared without hold");
        a.is_prepared = true;
        break;
      case ir::StepKind::proxy_release:
        need(a.is_at_target ||
                 (a.is_prepared && a.is_proxy_held && a.is_forwarded && a.is_open && a.is_denied),
             context, "released before everything was ready");
        a.is_at_target = true;
        a.is_proxy_held = false;
        break;
      case ir::StepKind::queue_flush:
        flush(a);
        break;
      case ir::StepKind::archive_sweep:
        need(a.is_at_target, context, "swept before the release");
        copy_all(a);
        break;
      default:
        break;
    }
  }

  /// From the recorded prior state.
  void take_back(step::StepContext& context) {
    WorldAccount& a = account_of(context);
    const bool prior = context.prior["on"].bool_or(false);
    switch (context.kind) {
      case ir::StepKind::proxy_release:
        // The same transaction the other way: hold first, then nobody is at the target.
        if (a.is_at_target) a.is_proxy_held = true;
        a.is_at_target = false;
        break;
      case ir::StepKind::proxy_prepare:
        a.is_prepared = prior;
        break;
      case ir::StepKind::postfix_forward:
      case ir::StepKind::source_forward:
        need(!a.is_at_target, context, "unforwarded while clients are at the target");
        a.is_forwarded = prior;
        break;
      case ir::StepKind::admin_keys:
        need(!a.is_forwarded, context, "keys taken away while mail is forwarded");
        a.has_keys = prior;
        break;
      case ir::StepKind::admin_account_open:
        a.is_open = prior;
        break;
      case ir::StepKind::archive_delta:
        // Carry back: what came to the target since the keys were set.
        for (std::uint32_t m = 0; m < a.messages; ++m) {
          if (a.mail[m].at_target > 0 && a.mail[m].at_source == 0) a.mail[m].at_source = 1;
        }
        break;
      case ir::StepKind::postfix_hold:
      case ir::StepKind::source_hold:
        need(!a.is_forwarded && !a.has_keys, context, "mail let go before routing was back");
        a.is_mail_held = prior;
        flush(a);
        break;
      case ir::StepKind::dovecot_deny:
      case ir::StepKind::source_freeze:
        a.is_denied = prior;
        break;
      case ir::StepKind::proxy_hold:
        // Mail may still wait: it comes to the mailbox that they see.
        need(!a.is_denied && !a.is_at_target && !a.has_keys && !a.is_forwarded, context,
             "clients let in before the rest was back");
        a.is_proxy_held = prior;
        break;
      case ir::StepKind::admin_account:
        a.is_created = prior;
        break;
      case ir::StepKind::admin_upsert:
        world_.domain_made = 0;
        break;
      default:
        break;
    }
  }

  ir::Value outputs(const step::StepContext& context) {
    switch (context.kind) {
      case ir::StepKind::admin_account:
        return ir::Value::map({{"account_id", "id-" + std::string(context.account)}});
      case ir::StepKind::archive_copy:
        if (context.arguments["account_id"].string_or("") != "id-" + std::string(context.account)) {
          world_.violate("copy did not get the output of create");
        }
        return ir::Value::map({{"messages", account_of(context).messages}, {"bytes", 1}});
      case ir::StepKind::archive_delta:
        return ir::Value::map({{"messages", 1}});
      case ir::StepKind::archive_grade: {
        const std::size_t i = index_of(context) % kWorldAccounts;
        const char* grade = world_.has_poor_content[i] ? "poor"
                            : world_.has_doubts[i]     ? "investigate"
                                                       : "perfect";
        if (!world_.has_calendars) return ir::Value::map({{"grade", grade}});
        ir::Value graded =
            ir::Value::map({{"grade", "not-checked"},
                            {"mail_grade", grade},
                            {"not_checked", ir::Value::list({"calendars and contacts"})}});
        if (world_.are_calendars_left) graded.set("judged", grade);
        return graded;
      }
      case ir::StepKind::proxy_prepare:
        return ir::Value::map({{"generation", 1}});
      case ir::StepKind::archive_sweep:
        return ir::Value::map({{"messages", 0}});
      default:
        return ir::Value::map();
    }
  }

  World& world_;
};

}  // namespace plan::test
