#pragma once
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "runtime/rehearsal/queue_store.h"
#include "runtime/rehearsal/world.h"

namespace plan::rehearsal {

/// A message as SMTP accepted it, before it is in the queue.
struct AcceptedMessage {
  std::string return_path = {};
  std::vector<std::string> recipients =
      {};  ///< rewritten: no sub-address of an account, lists expanded
  std::string bytes = {};
  std::string source = "smtp";
  std::string received_from_ip = {};
  std::uint16_t received_via_port = 25;
  bool is_authenticated = false;
};

/// Puts a message into the queue, durable when it returns. Gives the queue id. Takes the lock.
[[nodiscard]] std::string enqueue(World& world, AcceptedMessage message);

/// The same from inside a delivery (a redirect) or a request: the lock is held, the caller commits.
/// Gives the id of the queue entry.
std::uint64_t queue_from_delivery(World& world, AcceptedMessage message);

/// Works the queue off until it goes away.
class DeliveryThread {
 public:
  explicit DeliveryThread(World& world);
  ~DeliveryThread();
  DeliveryThread(const DeliveryThread&) = delete;
  DeliveryThread& operator=(const DeliveryThread&) = delete;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace plan::rehearsal
