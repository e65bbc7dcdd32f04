#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "runtime/net/errors.h"
#include "runtime/net/stream.h"

namespace plan::fuzz {

/// The other side of a conversation that says what the fuzzer thought of, in pieces of one size,
/// then leaves. What is written to it is dropped. `is_tls`: as if there were TLS below already;
/// more of it is refused.
class CannedStream final : public net::SocketStream {
 public:
  CannedStream(std::string_view text, std::size_t piece_bytes, bool is_tls = false)
      : text_(text), piece_bytes_(piece_bytes), is_tls_(is_tls) {}

  Result<std::size_t> read_some(char* data, std::size_t size, net::Deadline) override {
    const std::size_t count = std::min({size, text_.size(), piece_bytes_});
    std::copy_n(text_.begin(), count, data);
    text_.remove_prefix(count);
    return count;
  }
  Outcome write_all(std::string_view, net::Deadline) override { return {}; }
  void close() override { text_ = {}; }
  Outcome start_tls(const net::TlsClientOptions&, net::Deadline) override {
    return Error(net::errors::tls_failed, "no TLS here");
  }
  Outcome accept_tls(const net::TlsServerOptions&, net::Deadline) override {
    return Error(net::errors::tls_failed, "no TLS here");
  }
  bool is_tls() const override { return is_tls_; }
  std::string peer_certificate_sha256() const override { return {}; }
  std::int64_t peer_certificate_not_after() const override { return 0; }
  std::string peer_address() const override { return "127.0.0.1"; }
  std::uint16_t peer_port() const override { return 40'000; }
  std::string local_address() const override { return "127.0.0.1"; }
  std::uint16_t local_port() const override { return 25; }

 private:
  std::string_view text_;
  std::size_t piece_bytes_;
  bool is_tls_;
};

}  // namespace plan::fuzz
