#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "runtime/server/probe/mailbox_search.h"
#include "runtime/server/source/live_source.h"
#include "runtime/step/step_driver.h"

namespace plan::server::probe {

/// Opens the old mailbox of an account for a step, as the master user.
using OpenMailbox = std::function<Result<std::unique_ptr<MailboxSearch>>(
    step::StepContext& context, const std::string& account)>;
[[nodiscard]] OpenMailbox source_mailboxes(std::shared_ptr<source::LiveSources> sources);

/// The probes by which a step proves that an account's mail is held. A server that routes by what
/// it knew before the change delivers one instead (reference/split-delivery.md 9.2), and then a
/// message that nobody sent is in a user's mailbox. So each is in the step's notes before it is
/// sent, until it was seen held and taken out of the queue, or destroyed in the mailbox: also by a
/// later attempt, and by the way back. Lives for one call of the driver; one thread.
class HoldProbes {
 public:
  /// `context` and `open` must outlive it.
  HoldProbes(step::StepContext& context, const OpenMailbox& open, std::string account);

  /// The random id of a new probe, durable from here on. Errors: those of the notes.
  [[nodiscard]] Result<std::string> make();
  /// The newest one is out of the queue and was nowhere else.
  void was_held();
  /// Destroys those that came into the mailbox; the notes keep them. What a script of the user
  /// discarded or sent on cannot be found. Errors: those of logging in and of IMAP.
  [[nodiscard]] Outcome take_astray();
  /// What the step answers to `error` of its newest probe. One that was not held is destroyed where
  /// it went, and another one is tried two times: on a busy machine it may meet processes of before
  /// the change; a third would meet another rule that decides.
  [[nodiscard]] Error failed(Error error);

 private:
  step::StepContext& context_;
  const OpenMailbox& open_;
  std::string account_;
  std::vector<std::string> ids_;
};

}  // namespace plan::server::probe
