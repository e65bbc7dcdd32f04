#pragma once
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/source/result.h"
#include "runtime/net/clock.h"
#include "runtime/server/source/shared_read.h"

namespace plan::server::source {
class Source;
}

namespace plan::server::postfix {

/// Which of Postfix's queues (postqueue(1), `queue_name`).
enum class QueueName : std::uint8_t { active, incoming, deferred, hold, maildrop, other };

struct QueueRecipient {
  std::string address = {};       ///< as it was written, after alias expansion
  std::string delay_reason = {};  ///< empty when there was no attempt yet
};

/// One message that waits or is being delivered. `recipients` are the open ones: those delivered
/// already are not listed, and an entry without any is delivered, or just being received
/// (reference/split-delivery.md 9.3).
struct QueueEntry {
  std::string id = {};
  QueueName queue = QueueName::other;
  std::int64_t arrival_seconds = 0;  ///< since 1970, by the source's clock
  std::uint64_t size_bytes = 0;
  std::string sender = {};  ///< "MAILER-DAEMON" for the null sender
  std::vector<QueueRecipient> recipients = {};
};

using QueueSnapshot = std::vector<QueueEntry>;

/// Reads the output of `postqueue -j` (one JSON object a line). Errors: bad-queue-listing with the
/// line.
[[nodiscard]] Result<QueueSnapshot> parse_queue(std::string_view listing);

/// The address as maps see it: lower case, without what follows the first of `delimiters` in the
/// local part.
[[nodiscard]] std::string plain_address(std::string_view address, std::string_view delimiters);

/// Does an open recipient of the entry name one of `addresses` (lower case)?
[[nodiscard]] bool names_account(const QueueEntry& entry, const std::vector<std::string>& addresses,
                                 std::string_view delimiters = "+");

/// Ids of the entries that name one of `addresses`, in the order of the listing.
[[nodiscard]] std::vector<std::string> ids_naming(const QueueSnapshot& queue,
                                                  const std::vector<std::string>& addresses,
                                                  std::string_view delimiters = "+");

/// Proof of the drain (9.3): no entry in active or incoming that names one of `addresses` and
/// arrived at `until_seconds` or earlier. Deferred ones follow the new map entry at their next
/// attempt.
[[nodiscard]] bool is_drained(const QueueSnapshot& queue, const std::vector<std::string>& addresses,
                              std::int64_t until_seconds, std::string_view delimiters = "+");

/// Ids of what stands in the way of is_drained() and that the queue manager may have put off. One
/// that starts while an older delivery goes on (a reload) puts the message into incoming and looks
/// at it a minute later (qmgr: "skipped, still being delivered"): until then a recipient that this
/// delivery was refused for stays there. A flush by id makes it look now. At most `kFlushByIdMax`.
[[nodiscard]] std::vector<std::string> ids_put_off(const QueueSnapshot& queue,
                                                   const std::vector<std::string>& addresses,
                                                   std::int64_t until_seconds,
                                                   std::string_view delimiters = "+");

/// The queue of one source. Thread-safe; callers that ask at the same time share one listing.
class Queue {
 public:
  explicit Queue(source::Source& source) : source_(source) {}

  /// A listing that began after this call.
  [[nodiscard]] Result<std::shared_ptr<const QueueSnapshot>> read();
  /// Has these tried again now. Few by id, many by flushing the whole queue. Ids that are gone do
  /// not matter.
  [[nodiscard]] Outcome flush(const std::vector<std::string>& ids);
  /// Takes messages out of the queue for good. Only for probes of our own.
  [[nodiscard]] Outcome remove(const std::vector<std::string>& ids);
  /// recipient_delimiter of this Postfix; read once.
  [[nodiscard]] Result<std::string> delimiters();
  /// The whole of a queued message, headers and body, at most 64 KiB of it.
  [[nodiscard]] Result<std::string> message(const std::string& id);

 private:
  source::Source& source_;
  source::SharedRead<QueueSnapshot> listing_;
  std::mutex mutex_;
  std::optional<std::string> delimiters_;
};

}  // namespace plan::server::postfix
