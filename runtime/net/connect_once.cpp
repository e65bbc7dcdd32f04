#include "runtime/net/connect_once.h"

#include <utility>

namespace plan::net {
namespace {

thread_local ConnectOnce* look_of_thread = nullptr;

}  // namespace

ConnectOnce* ConnectOnce::of_thread() { return look_of_thread; }

ConnectOnce::OfThread::OfThread(ConnectOnce* look) : before_(std::exchange(look_of_thread, look)) {}

ConnectOnce::OfThread::~OfThread() { look_of_thread = before_; }

ConnectTurn::ConnectTurn(const std::string& place) : look_(look_of_thread) {
  if (look_ == nullptr) return;
  place_ = place;
  std::unique_lock lock(look_->mutex_);
  ConnectOnce::Place& known = look_->places_[place_];
  look_->is_known_.wait(lock, [&] { return !known.is_tried_now; });
  if (known.silent) {
    refusal_ = known.silent;
  } else if (!known.has_answered) {
    known.is_tried_now = is_first_ = true;
  }
}

ConnectTurn::~ConnectTurn() {
  if (is_first_) found(false, nullptr);
}

void ConnectTurn::answered() { found(true, nullptr); }
void ConnectTurn::not_connected(const Error& error) { found(false, &error); }
void ConnectTurn::not_answered(const Error& error) {
  if (is_first_) found(false, &error);
}

void ConnectTurn::found(bool has_answered, const Error* silent) {
  if (look_ == nullptr) return;
  const std::lock_guard lock(look_->mutex_);
  ConnectOnce::Place& known = look_->places_[place_];
  known.has_answered = known.has_answered || has_answered;
  if (silent != nullptr && !known.silent) known.silent = Error(*silent).with_retry(Retry::never);
  if (std::exchange(is_first_, false)) known.is_tried_now = false;
  look_->is_known_.notify_all();
}

}  // namespace plan::net
