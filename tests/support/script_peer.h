#pragma once
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "runtime/net/stream.h"

namespace plan::test {

/// A server that plays a script with one client on loopback. Lines of the script:
///   S: text        sends the text and CRLF in one write; `{crlf}` in it is a line end
///   C: text        reads a line, which must be the text; `{any}` in it stands for anything
///   data           reads lines up to a line with a dot alone
///   bytewise       from here on every byte is sent by itself
///   pause N        waits N milliseconds
///   cut            closes the connection
/// At its end it reads until the client leaves.
class ScriptPeer {
 public:
  explicit ScriptPeer(std::string script);
  ~ScriptPeer();
  ScriptPeer(const ScriptPeer&) = delete;
  ScriptPeer& operator=(const ScriptPeer&) = delete;

  [[nodiscard]] std::uint16_t port() const { return listener_->port(); }
  /// Waits for the end of the script; what did not go as written, empty when all did.
  [[nodiscard]] std::string complaints();
  /// What `data` read, lines with CRLF; after complaints().
  [[nodiscard]] const std::string& data() const { return data_; }

 private:
  void play(const std::string& script);

  std::unique_ptr<net::Listener> listener_;
  std::string complaints_ = {};
  std::string data_ = {};
  std::thread thread_;
};

}  // namespace plan::test
