#include "runtime/server/source/drivers.h"

#include "runtime/server/dovecot/drivers.h"
#include "runtime/server/postfix/drivers.h"

namespace plan::server::source {

void add_drivers(step::DriverTable& table, std::shared_ptr<SourcePool> sources,
                 probe::OpenMailbox open_mailbox) {
  table.add(ir::StepKind::dovecot_door, dovecot::make_door_driver(sources));
  table.add(ir::StepKind::dovecot_deny, dovecot::make_deny_driver(sources));
  table.add(ir::StepKind::postfix_hook, postfix::make_hook_driver(sources));
  table.add(ir::StepKind::postfix_listener, postfix::make_listener_driver(sources));
  table.add(ir::StepKind::postfix_hold,
            postfix::make_hold_driver(sources, std::move(open_mailbox)));
  table.add(ir::StepKind::postfix_forward, postfix::make_forward_driver(sources));
}

}  // namespace plan::server::source
