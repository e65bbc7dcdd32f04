#include "runtime/rehearsal/scratch_drivers.h"

#include <fmt/format.h>

#include "runtime/rehearsal/scratch_errors.h"

namespace plan::rehearsal {

using ir::StepKind;
using ir::Value;

ScratchAccount ScratchWorld::account(const std::string& address) const {
  const std::lock_guard lock(mutex_);
  const auto found = accounts_.find(address);
  return found == accounts_.end() ? ScratchAccount{} : found->second;
}

std::vector<std::string> ScratchWorld::log() const {
  const std::lock_guard lock(mutex_);
  return log_;
}

std::vector<std::string> ScratchWorld::left_behind(bool is_before_cutover) const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> lines;
  for (const auto& [address, account] : accounts_) {
    if (address.empty()) continue;
    const auto say = [&, &address = address](std::string_view what) {
      lines.push_back(fmt::format("{}: {}", address, what));
    };
    if (account.mail != "source") say(fmt::format("its mail at the source is `{}`", account.mail));
    if (account.clients != "source") say("its clients go to the target");
    if (account.is_parked) say("its logins are parked");
    if (account.is_denied) say("the source's own door is closed");
    if (account.is_in_set) say("its addresses are in the target's set");
  }
  if (is_before_cutover && is_address_moved_)
    lines.emplace_back("the public address is at the proxies");
  return lines;
}

/// One driver for all scratch kinds: each is a small change of one account's books.
class ScratchDriver final : public step::StepDriver {
 public:
  explicit ScratchDriver(std::shared_ptr<ScratchWorld> world) : world_(std::move(world)) {}

  Result<ir::Observation> observe(step::StepContext& context) override {
    const std::lock_guard lock(world_->mutex_);
    ir::Observation seen;
    seen.standing = is_done(context) ? ir::Standing::satisfied : ir::Standing::absent;
    seen.prior = state_of(context);
    return seen;
  }

  Result<Value> apply(step::StepContext& context) override {
    const std::lock_guard lock(world_->mutex_);
    ScratchAccount& account = world_->accounts_[std::string(context.account)];
    Value outputs = Value::map();
    switch (context.kind) {
      case StepKind::dovecot_deny:
      case StepKind::source_freeze:
        account.is_denied = true;
        break;
      case StepKind::postfix_hold:
      case StepKind::source_hold:
        account.mail = "held";
        break;
      case StepKind::postfix_forward:
      case StepKind::source_forward:
        if (!account.is_in_set) {
          return Error(errors::would_loop, fmt::format("{} would be forwarded to the target before "
                                                       "its addresses are in the target's set",
                                                       context.account))
              .with_blame(Blame::plan);
        }
        account.mail = "target";
        break;
      case StepKind::proxy_hold:
        account.is_parked = true;
        break;
      case StepKind::proxy_prepare:
        if (!account.is_parked)
          return out_of_order(context, "prepared while its clients are not held");
        account.prepared = context.arguments["destination"].string_or("target");
        outputs.set("generation", account.generation + 1);
        break;
      case StepKind::proxy_release:
        if (account.prepared.empty())
          return out_of_order(context, "released before it was prepared");
        if (account.mail != "target" && account.prepared == "target") {
          return out_of_order(context, "released to the target while its mail goes elsewhere");
        }
        account.clients = account.prepared;
        account.prepared.clear();
        account.is_parked = false;
        ++account.generation;
        break;
      case StepKind::address_move:
        world_->is_address_moved_ = true;
        break;
      case StepKind::address_finalize:
        for (const auto& [address, one] : world_->accounts_) {
          if (!address.empty() && one.clients != "target") {
            return Error(errors::out_of_order,
                         fmt::format("{} is not at the target, and the public address would be",
                                     address))
                .with_blame(Blame::plan);
          }
        }
        world_->is_address_finalized_ = true;
        break;
      case StepKind::dovecot_door:
      case StepKind::postfix_hook:
      case StepKind::postfix_listener:
      case StepKind::service_restart:
      case StepKind::source_settings:
      case StepKind::source_listener:
        world_->prepared_hosts_.insert(std::string(context.id));
        break;
      default:
        break;
    }
    world_->log_.push_back(fmt::format("{} {}", ir::info(context.kind).name,
                                       context.account.empty() ? context.id : context.account));
    return outputs;
  }

  Outcome verify(step::StepContext& context) override {
    const std::lock_guard lock(world_->mutex_);
    if (context.kind == StepKind::probe_mail || context.kind == StepKind::probe_login) {
      const ScratchAccount& account = world_->accounts_[std::string(context.account)];
      const std::string_view at = context.arguments["at"].string_or("target");
      if (context.kind == StepKind::probe_mail && account.mail != at) {
        return out_of_order(context, fmt::format("its mail goes to `{}`, the probe looks at the {}",
                                                 account.mail, at));
      }
    }
    return {};
  }

  Outcome undo(step::StepContext& context) override {
    const std::lock_guard lock(world_->mutex_);
    ScratchAccount& account = world_->accounts_[std::string(context.account)];
    switch (context.kind) {
      case StepKind::dovecot_deny:
      case StepKind::source_freeze:
        account.is_denied = false;
        break;
      case StepKind::postfix_hold:
      case StepKind::source_hold:
        if (account.is_in_set)
          return out_of_order(context, "delivered at the source while the target keeps its mail");
        account.mail = "source";
        break;
      case StepKind::postfix_forward:
      case StepKind::source_forward:
        account.mail = "held";
        break;
      case StepKind::proxy_hold:
        if (account.is_in_set)
          return out_of_order(context, "let in at the source while the target keeps its mail");
        if (account.prepared == "source") account.clients = "source";
        account.prepared.clear();
        account.is_parked = false;
        break;
      case StepKind::proxy_prepare:
        if (account.prepared != "source") account.prepared.clear();
        break;
      case StepKind::proxy_release:
        // As the real one: everybody is held, the way back is prepared, and the undo of the hold
        // commits it.
        if (account.clients == "source") break;
        account.is_parked = true;
        account.prepared = "source";
        break;
      case StepKind::address_move:
        world_->is_address_moved_ = false;
        break;
      default:
        world_->prepared_hosts_.erase(std::string(context.id));
        break;
    }
    world_->log_.push_back(fmt::format("undo {} {}", ir::info(context.kind).name,
                                       context.account.empty() ? context.id : context.account));
    return {};
  }

 private:
  static Error out_of_order(const step::StepContext& context, std::string_view what) {
    return Error(errors::out_of_order, fmt::format("{}: {}", context.account, what))
        .with_blame(Blame::plan);
  }

  [[nodiscard]] bool is_done(const step::StepContext& context) const {
    const auto found = world_->accounts_.find(std::string(context.account));
    const ScratchAccount account =
        found == world_->accounts_.end() ? ScratchAccount{} : found->second;
    switch (context.kind) {
      case StepKind::dovecot_deny:
      case StepKind::source_freeze:
        return account.is_denied;
      case StepKind::postfix_hold:
      case StepKind::source_hold:
        return account.mail == "held";
      case StepKind::postfix_forward:
      case StepKind::source_forward:
        return account.mail == "target";
      case StepKind::proxy_hold:
        return account.is_parked;
      case StepKind::address_move:
        return world_->is_address_moved_;
      case StepKind::address_finalize:
        return world_->is_address_finalized_;
      case StepKind::dovecot_door:
      case StepKind::postfix_hook:
      case StepKind::postfix_listener:
      case StepKind::service_restart:
      case StepKind::source_settings:
      case StepKind::source_listener:
        return world_->prepared_hosts_.contains(std::string(context.id));
      default:
        return false;
    }
  }

  [[nodiscard]] Value state_of(const step::StepContext& context) const {
    const auto found = world_->accounts_.find(std::string(context.account));
    const ScratchAccount account =
        found == world_->accounts_.end() ? ScratchAccount{} : found->second;
    return Value::map(
        {{"mail", account.mail}, {"clients", account.clients}, {"denied", account.is_denied}});
  }

  std::shared_ptr<ScratchWorld> world_;

  friend class BookedKeys;
  static void set_keys(ScratchWorld& world, std::string_view account, bool is_in_set) {
    const std::lock_guard lock(world.mutex_);
    world.accounts_[std::string(account)].is_in_set = is_in_set;
  }
};

class BookedKeys final : public step::StepDriver {
 public:
  BookedKeys(std::shared_ptr<step::StepDriver> keys, std::shared_ptr<ScratchWorld> world)
      : keys_(std::move(keys)), world_(std::move(world)) {}

  Result<ir::Observation> observe(step::StepContext& context) override {
    return keys_->observe(context);
  }
  Result<Value> apply(step::StepContext& context) override {
    auto outputs = keys_->apply(context);
    if (outputs) ScratchDriver::set_keys(*world_, context.account, true);
    return outputs;
  }
  Outcome verify(step::StepContext& context) override { return keys_->verify(context); }
  Outcome undo(step::StepContext& context) override {
    if (world_->account(std::string(context.account)).mail == "target") {
      return Error(errors::would_loop,
                   fmt::format("{} would leave the target's set while its mail is still forwarded "
                               "to the target",
                               context.account))
          .with_blame(Blame::plan);
    }
    Outcome done = keys_->undo(context);
    if (done) ScratchDriver::set_keys(*world_, context.account, false);
    return done;
  }

 private:
  std::shared_ptr<step::StepDriver> keys_;
  std::shared_ptr<ScratchWorld> world_;
};

void add_scratch_drivers(step::DriverTable& drivers, const std::shared_ptr<ScratchWorld>& world) {
  const auto driver = std::make_shared<ScratchDriver>(world);
  for (const StepKind kind :
       {StepKind::dovecot_door,     StepKind::dovecot_deny,    StepKind::postfix_hook,
        StepKind::postfix_listener, StepKind::postfix_hold,    StepKind::postfix_forward,
        StepKind::queue_flush,      StepKind::proxy_ready,     StepKind::proxy_hold,
        StepKind::proxy_prepare,    StepKind::proxy_release,   StepKind::address_move,
        StepKind::address_finalize, StepKind::probe_login,     StepKind::probe_mail,
        StepKind::service_restart,  StepKind::source_settings, StepKind::source_listener,
        StepKind::source_hold,      StepKind::source_freeze,   StepKind::source_forward}) {
    drivers.add(kind, driver);
  }
}

std::shared_ptr<step::StepDriver> with_books(std::shared_ptr<step::StepDriver> keys,
                                             std::shared_ptr<ScratchWorld> world) {
  return std::make_shared<BookedKeys>(std::move(keys), std::move(world));
}

}  // namespace plan::rehearsal
