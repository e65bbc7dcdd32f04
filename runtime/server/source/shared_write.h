#pragma once
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "compiler/source/result.h"
#include "runtime/net/clock.h"

namespace plan::server::source {

/// Lets many threads share the writes of one file: all requests that are ready when a write begins
/// go into it, and two writes begin at least `apart` from each other. One of the waiting callers
/// does the work. Thread-safe.
///
/// `write` gets the requests and settles each (an Error in it, or its answer) or returns an Error
/// for all of them.
template <class Request>
class SharedWrite {
 public:
  using Write = std::function<Outcome(std::vector<Request*>&)>;
  /// Which of the requests that are ready go into the write that is due; the others wait for a
  /// later one. Called again and again until it names some.
  using Pick = std::function<std::vector<Request*>(const std::vector<Request*>&)>;

  SharedWrite(Write write, std::chrono::milliseconds apart, net::Clock& clock, Pick pick = {})
      : write_(std::move(write)), pick_(std::move(pick)), apart_(apart), clock_(clock) {}

  /// Returns when a write that began after this call has ended.
  [[nodiscard]] Outcome submit(Request& request) {
    std::unique_lock lock(mutex_);
    auto ticket = std::make_shared<Ticket>();
    ticket->request = &request;
    waiting_.push_back(ticket);
    while (!ticket->is_done) {
      if (is_busy_) {
        changed_.wait(lock);
        continue;
      }
      is_busy_ = true;
      wait_for_turn(lock);
      std::vector<std::shared_ptr<Ticket>> batch = take_batch(lock);
      last_ = clock_.now();
      lock.unlock();
      std::vector<Request*> requests;
      for (const auto& entry : batch) requests.push_back(entry->request);
      const Outcome outcome = write_(requests);
      lock.lock();
      for (const auto& entry : batch) {
        entry->is_done = true;
        if (!outcome) entry->error = outcome.error();
      }
      is_busy_ = false;
      changed_.notify_all();
    }
    if (ticket->error) return *ticket->error;
    return {};
  }

 private:
  struct Ticket {
    Request* request = nullptr;
    bool is_done = false;
    std::optional<Error> error = {};
  };

  void wait_for_turn(std::unique_lock<std::mutex>& lock) {
    if (!last_) return;
    const auto rest = std::chrono::ceil<std::chrono::milliseconds>(*last_ + apart_ - clock_.now());
    if (rest <= std::chrono::milliseconds(0)) return;
    lock.unlock();
    clock_.sleep_for(rest);
    lock.lock();
  }

  std::vector<std::shared_ptr<Ticket>> take_batch(std::unique_lock<std::mutex>& lock) {
    if (!pick_) return std::exchange(waiting_, {});
    while (true) {
      std::vector<Request*> ready;
      for (const auto& ticket : waiting_) ready.push_back(ticket->request);
      const std::vector<Request*> picked = pick_(ready);
      std::vector<std::shared_ptr<Ticket>> batch;
      std::erase_if(waiting_, [&](const std::shared_ptr<Ticket>& ticket) {
        if (std::find(picked.begin(), picked.end(), ticket->request) == picked.end()) return false;
        batch.push_back(ticket);
        return true;
      });
      if (!batch.empty()) return batch;
      lock.unlock();
      clock_.sleep_for(kLookAgain);
      lock.lock();
    }
  }

  static constexpr std::chrono::milliseconds kLookAgain{20};
  Write write_;
  Pick pick_;
  std::chrono::milliseconds apart_;
  net::Clock& clock_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::shared_ptr<Ticket>> waiting_;
  bool is_busy_ = false;
  std::optional<net::Clock::Monotonic> last_;
};

}  // namespace plan::server::source
