#include "runtime/rehearsal/proxy_preamble.h"

#include <arpa/inet.h>

#include <array>
#include <charconv>

#include "compiler/source/text.h"
#include "runtime/net/errors.h"

namespace plan::rehearsal {
namespace {

using net::Deadline;

constexpr std::chrono::minutes kPatience{5};
constexpr std::chrono::milliseconds kSlice{200};
constexpr std::size_t kLineBytesMax = 107;  // version 1
constexpr std::size_t kAddressBytesMax = 2048;
constexpr std::string_view kSignature("\r\n\r\n\0\r\nQUIT\n", 12);

struct Source {
  std::string address = {};  ///< empty: the connection's own
  std::uint16_t port = 0;
};

// The inner stream under the name that the proxy gave.
class NamedStream final : public net::SocketStream {
 public:
  NamedStream(std::unique_ptr<net::SocketStream> inner, Source source)
      : inner_(std::move(inner)), source_(std::move(source)) {}
  Result<std::size_t> read_some(char* data, std::size_t size, Deadline deadline) override {
    return inner_->read_some(data, size, deadline);
  }
  Outcome write_all(std::string_view data, Deadline deadline) override {
    return inner_->write_all(data, deadline);
  }
  void close() override { inner_->close(); }
  Outcome start_tls(const net::TlsClientOptions& options, Deadline deadline) override {
    return inner_->start_tls(options, deadline);
  }
  Outcome accept_tls(const net::TlsServerOptions& options, Deadline deadline) override {
    return inner_->accept_tls(options, deadline);
  }
  bool is_tls() const override { return inner_->is_tls(); }
  std::string peer_certificate_sha256() const override { return inner_->peer_certificate_sha256(); }
  std::int64_t peer_certificate_not_after() const override {
    return inner_->peer_certificate_not_after();
  }
  std::string peer_address() const override {
    return source_.address.empty() ? inner_->peer_address() : source_.address;
  }
  std::uint16_t peer_port() const override {
    return source_.address.empty() ? inner_->peer_port() : source_.port;
  }
  std::string local_address() const override { return inner_->local_address(); }
  std::uint16_t local_port() const override { return inner_->local_port(); }

 private:
  std::unique_ptr<net::SocketStream> inner_;
  Source source_;
};

// Reads exactly what belongs to the header: what follows is the conversation's.
class HeaderReader {
 public:
  HeaderReader(net::SocketStream& stream, const net::StopSignal& signal)
      : stream_(stream), signal_(signal) {}

  std::optional<Source> read() {
    std::string head;
    while (head.size() < 6)
      if (!take(head)) return std::nullopt;
    if (head == "PROXY ") return version_1(std::move(head));
    if (kSignature.substr(0, 6) == head) return version_2(std::move(head));
    return std::nullopt;
  }

 private:
  bool take(std::string& out) {
    const Deadline end = Deadline::after(kPatience);
    while (!end.is_over() && !signal_.is_stopping()) {
      char byte = 0;
      const auto got = stream_.read_some(&byte, 1, Deadline::after(kSlice));
      if (got && *got == 1) {
        out += byte;
        return true;
      }
      if (got || !got.error().is(net::errors::timed_out)) return false;
    }
    return false;
  }

  std::optional<Source> version_1(std::string line) {
    while (!line.ends_with("\r\n"))
      if (line.size() >= kLineBytesMax || !take(line)) return std::nullopt;
    const auto words = split(std::string_view(line).substr(0, line.size() - 2), ' ');
    if (words.size() >= 2 && words[1] == "UNKNOWN") return Source{};
    if (words.size() != 6 || (words[1] != "TCP4" && words[1] != "TCP6")) return std::nullopt;
    Source out;
    out.address = words[2];
    std::array<unsigned char, 16> bytes{};
    if (inet_pton(words[1] == "TCP4" ? AF_INET : AF_INET6, out.address.c_str(), bytes.data()) != 1)
      return std::nullopt;
    const auto [end, error] =
        std::from_chars(words[4].data(), words[4].data() + words[4].size(), out.port);
    if (error != std::errc{} || end != words[4].data() + words[4].size()) return std::nullopt;
    return out;
  }

  std::optional<Source> version_2(std::string head) {
    while (head.size() < 16)
      if (!take(head)) return std::nullopt;
    if (!head.starts_with(kSignature)) return std::nullopt;
    const auto byte = [&head](std::size_t at) { return static_cast<unsigned char>(head[at]); };
    if (byte(12) >> 4U != 2) return std::nullopt;
    const std::size_t size = std::size_t{byte(14)} << 8U | byte(15);
    if (size > kAddressBytesMax) return std::nullopt;
    while (head.size() < 16 + size)
      if (!take(head)) return std::nullopt;
    const bool is_local = (byte(12) & 0x0fU) == 0;
    const unsigned family = byte(13) >> 4U;
    const std::size_t length = family == 1 ? 4 : 16;
    if (is_local || (family != 1 && family != 2) || size < 2 * length + 4) return Source{};
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (inet_ntop(family == 1 ? AF_INET : AF_INET6, head.data() + 16, text.data(), text.size()) ==
        nullptr)
      return std::nullopt;
    Source out;
    out.address = text.data();
    const std::size_t port = 16 + 2 * length;
    out.port = static_cast<std::uint16_t>(byte(port) << 8U | byte(port + 1));
    return out;
  }

  net::SocketStream& stream_;
  const net::StopSignal& signal_;
};

}  // namespace

std::unique_ptr<net::SocketStream> behind_proxy(std::unique_ptr<net::SocketStream> stream,
                                                const net::StopSignal& signal) {
  auto source = HeaderReader(*stream, signal).read();
  if (!source) return nullptr;
  return std::make_unique<NamedStream>(std::move(stream), std::move(*source));
}

}  // namespace plan::rehearsal
