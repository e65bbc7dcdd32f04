#pragma once
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "runtime/net/stream.h"

namespace plan::test {

struct FakeRequest {
  std::string method = {};
  std::string target = {};
  std::map<std::string, std::string> headers = {};  ///< names in lower case
  std::string body = {};
  std::size_t connection = 0;  ///< from 0, in the order of accept
};

/// What the fake does with a request. Faults are the point of it.
struct FakeAnswer {
  enum class Fault {
    none,
    drop,   ///< closes without a word: the effect may have happened
    cut,    ///< announces the whole body, sends half of it, closes
    stall,  ///< sends the head and nothing more until the server ends
    raw,    ///< sends `body` as it is, head included
  };
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string body = {};
  Fault fault = Fault::none;
  long claimed_length = -1;  ///< Content-Length that is sent instead of the true one
  std::function<void()> before_sending = {};  ///< may wait: others are served meanwhile
};

/// An HTTP/1.1 server on loopback with a thread per connection; `handle` is called from them, one
/// at a time.
class FakeHttpServer {
 public:
  using Handler = std::function<FakeAnswer(const FakeRequest&)>;

  explicit FakeHttpServer(Handler handle, net::TlsServerOptions tls = {});
  ~FakeHttpServer();
  FakeHttpServer(const FakeHttpServer&) = delete;
  FakeHttpServer& operator=(const FakeHttpServer&) = delete;

  [[nodiscard]] std::string url() const;
  [[nodiscard]] std::vector<FakeRequest> requests() const;
  [[nodiscard]] std::size_t connections() const { return accepted_; }

 private:
  void accept_all();
  void serve(net::SocketStream& stream, std::size_t number);

  Handler handle_;
  net::TlsServerOptions tls_;
  std::unique_ptr<net::Listener> listener_;
  mutable std::mutex mutex_;
  std::condition_variable ended_;
  bool is_over_ = false;
  std::vector<FakeRequest> requests_;
  std::atomic<std::size_t> accepted_{0};
  std::list<std::thread> threads_;
  std::thread acceptor_;
};

}  // namespace plan::test
