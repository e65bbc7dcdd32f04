#pragma once
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "compiler/source/error.h"

namespace plan::net {

/// One look at the world, of any number of threads, in which a place that does not answer is tried
/// once: a host and port, a Unix socket, the origin of an HTTP server. A plan of 100,000 accounts
/// has ten steps for each that ask the same server, and each would wait for it. Who changes
/// something makes no such look: it tries again.
class ConnectOnce {
 public:
  ConnectOnce() = default;
  ConnectOnce(const ConnectOnce&) = delete;
  ConnectOnce& operator=(const ConnectOnce&) = delete;

  /// The look that connections of the calling thread are of; null: none.
  [[nodiscard]] static ConnectOnce* of_thread();
  /// While it lives, connections that its thread makes are of this look, or with null of none. Who
  /// begins a thread for a part of a look gives it that look.
  class OfThread {
   public:
    explicit OfThread(ConnectOnce* look);
    OfThread(const OfThread&) = delete;
    OfThread& operator=(const OfThread&) = delete;
    ~OfThread();

   private:
    ConnectOnce* before_;
  };

 private:
  friend class ConnectTurn;
  struct Place {
    bool is_tried_now = false;
    bool has_answered = false;
    std::optional<Error> silent = {};  // what the try came to
  };
  std::mutex mutex_;
  std::condition_variable is_known_;
  std::map<std::string, Place> places_ = {};
};

/// One connection of the calling thread; outside of a look it does nothing. While another thread
/// makes the first try of the same place, the constructor waits for what it comes to.
class ConnectTurn {
 public:
  explicit ConnectTurn(const std::string& place);
  ConnectTurn(const ConnectTurn&) = delete;
  ConnectTurn& operator=(const ConnectTurn&) = delete;
  /// Nothing was found out: the next one tries.
  ~ConnectTurn();

  /// Why not to try: an earlier try of this look got no answer. It is not to be repeated.
  [[nodiscard]] const std::optional<Error>& refusal() const { return refusal_; }
  void answered();
  /// No connection came about, or none that may be spoken on.
  void not_connected(const Error& error);
  /// There was one, and no answer in time: of a server that never answered in this look as good as
  /// none, of another one the matter of this request.
  void not_answered(const Error& error);

 private:
  void found(bool has_answered, const Error* silent);

  ConnectOnce* look_;
  std::string place_;
  bool is_first_ = false;
  std::optional<Error> refusal_ = {};
};

}  // namespace plan::net
