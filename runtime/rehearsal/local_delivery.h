#pragma once
#include <string>

#include "runtime/rehearsal/queue_store.h"
#include "runtime/rehearsal/smtp_client.h"
#include "runtime/rehearsal/world.h"

namespace plan::rehearsal {

/// Puts a queued message into the mailbox of a local account: its active script, the silent drop of
/// duplicates in Inbox and Junk (split-delivery.md 6), its quota. The lock is held; the caller
/// commits, so that the copy and the queue entry change together.
[[nodiscard]] RelayResult deliver_locally(World& world, const QueuedMessage& message,
                                          const std::string& address);

}  // namespace plan::rehearsal
