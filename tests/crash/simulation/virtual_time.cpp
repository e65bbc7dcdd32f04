// Jobs are contexts of their own (ucontext) on stacks of their own, all in one thread. The engine's
// mutexes are never held where a job gives way: drivers, clock and kill points are called without.
#include "tests/crash/simulation/virtual_time.h"

#include <ucontext.h>

#include <algorithm>

#include "compiler/source/check.h"

namespace plan::simulation {
namespace {

constexpr std::size_t kStackBytes = 512 * 1024;

}  // namespace

struct VirtualTime::Job {
  ucontext_t context = {};
  ucontext_t back = {};
  std::unique_ptr<char[]> stack = std::make_unique_for_overwrite<char[]>(kStackBytes);
  std::function<void()> work;
  bool is_over = false;
};

namespace {

/// makecontext takes no pointer; one simulation enters at a time.
VirtualTime* entering = nullptr;

}  // namespace

VirtualTime::VirtualTime(std::uint64_t seed) : random_(seed) {}

VirtualTime::~VirtualTime() { PLAN_CHECK(living_ == 0, "every job has ended before its world"); }

std::uint64_t VirtualTime::random(std::uint64_t below) { return random_() % below; }

milliseconds VirtualTime::between(milliseconds least, milliseconds most) {
  return least + milliseconds(random(static_cast<std::uint64_t>((most - least).count()) + 1));
}

void VirtualTime::after(milliseconds pause, std::function<void()> event) {
  events_.emplace(std::pair(now_ + pause, ++sequence_), std::move(event));
}

void VirtualTime::enter() {
  VirtualTime* self = entering;
  Job* job = self->current_;
  job->work();
  job->work = nullptr;
  job->is_over = true;
  // uc_link leads back to where the job was resumed.
}

void VirtualTime::begin(std::function<void()> work) {
  Job* job = nullptr;
  if (ended_.empty()) {
    all_.push_back(std::make_unique<Job>());
    job = all_.back().get();
  } else {
    job = ended_.back();
    ended_.pop_back();
  }
  job->work = std::move(work);
  job->is_over = false;
  ::getcontext(&job->context);
  job->context.uc_stack.ss_sp = job->stack.get();
  job->context.uc_stack.ss_size = kStackBytes;
  job->context.uc_link = &job->back;
  ::makecontext(&job->context, &VirtualTime::enter, 0);
  ready_.push_back(job);
  ++living_;
}

void VirtualTime::resume(Job& job) {
  PLAN_CHECK(current_ == nullptr, "only the main program resumes jobs");
  current_ = &job;
  entering = this;
  ::swapcontext(&job.back, &job.context);
  current_ = nullptr;
  if (!job.is_over) return;
  --living_;
  ended_.push_back(&job);
}

void VirtualTime::sleep(milliseconds duration) {
  if (current_ == nullptr) {
    run_until(duration, [] { return false; });
    return;
  }
  Job* job = current_;
  after(std::max(duration, milliseconds(0)), [this, job] { ready_.push_back(job); });
  ::swapcontext(&job->context, &job->back);
}

bool VirtualTime::run_until(milliseconds duration, const std::function<bool()>& is_reached) {
  const milliseconds until = now_ + std::max(duration, milliseconds(0));
  while (true) {
    while (!events_.empty() && events_.begin()->first.first <= now_) {
      const std::function<void()> event = std::move(events_.begin()->second);
      events_.erase(events_.begin());
      event();
    }
    if (is_reached()) return true;
    if (!ready_.empty()) {
      const std::size_t chosen = random(ready_.size());
      Job* job = ready_[chosen];
      ready_.erase(ready_.begin() + static_cast<std::ptrdiff_t>(chosen));
      resume(*job);
      continue;
    }
    if (now_ >= until) return false;
    now_ = events_.empty() ? until : std::min(until, events_.begin()->first.first);
  }
}

VirtualWorkers::~VirtualWorkers() {
  // As threads are joined: what was begun ends first.
  while (time_.jobs() > 0) time_.sleep(milliseconds(10));
}

}  // namespace plan::simulation
