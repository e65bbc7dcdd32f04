#include "runtime/net/stream.h"

#include <gtest/gtest.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <functional>
#include <future>
#include <thread>

#include "runtime/net/errors.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_certificate.h"
#include "tests/support/told_error.h"

namespace plan::net {
namespace {

using namespace std::chrono_literals;

Deadline soon() { return Deadline::after(60s); }

/// Accepts one connection on loopback and runs `serve` with it in a thread.
class OneConnectionServer {
 public:
  explicit OneConnectionServer(std::function<void(SocketStream&)> serve)
      : listener_(std::move(*listen_tcp("127.0.0.1", 0))) {
    thread_ = std::thread([this, serve = std::move(serve)] {
      auto client = listener_->accept();
      if (client) serve(**client);
    });
  }
  ~OneConnectionServer() {
    listener_->close();
    thread_.join();
  }
  [[nodiscard]] std::unique_ptr<SocketStream> connect() const {
    return std::move(*connect_tcp("127.0.0.1", listener_->port(), soon()));
  }
  [[nodiscard]] std::uint16_t port() const { return listener_->port(); }

 private:
  std::unique_ptr<Listener> listener_;
  std::thread thread_;
};

std::string read_all(Stream& stream) {
  std::string text;
  std::array<char, 1000> chunk;
  while (true) {
    auto count = stream.read_some(chunk.data(), chunk.size(), soon());
    if (!count || *count == 0) return text;
    text.append(chunk.data(), *count);
  }
}

TEST(Stream, CarriesBytesBothWaysAndKnowsItsEnds) {
  OneConnectionServer server([](SocketStream& client) {
    EXPECT_EQ(client.peer_address(), "127.0.0.1");
    LineReader reader(client, 100);
    auto line = reader.line(soon());
    ASSERT_TRUE(line);
    EXPECT_TRUE(client.write_all("echo " + *line + "\r\n", soon()));
  });
  auto stream = server.connect();
  EXPECT_EQ(stream->peer_port(), server.port());
  EXPECT_FALSE(stream->is_tls());
  EXPECT_EQ(stream->peer_certificate_sha256(), "");
  ASSERT_TRUE(stream->write_all("hello\r\n", soon()));
  EXPECT_EQ(read_all(*stream), "echo hello\r\n");
}

TEST(Stream, AReadThatGetsNothingEndsAtItsDeadlineWithAnUnknownEffect) {
  OneConnectionServer server([](SocketStream& client) { read_all(client); });
  auto stream = server.connect();
  char byte = 0;
  const auto began = std::chrono::steady_clock::now();
  const auto count = stream->read_some(&byte, 1, Deadline::after(50ms));
  ASSERT_FALSE(count);
  EXPECT_TRUE(count.error().is(errors::timed_out));
  EXPECT_EQ(count.error().effect(), Effect::unknown);
  EXPECT_GE(std::chrono::steady_clock::now() - began, 45ms);
  EXPECT_LT(std::chrono::steady_clock::now() - began, 30s);
}

TEST(Stream, AWriteToSomebodyWhoDoesNotReadEndsAtItsDeadline) {
  std::promise<void> end;
  OneConnectionServer server([&](SocketStream&) { end.get_future().wait_for(30s); });
  auto stream = server.connect();
  const std::string much(64U << 20U, 'x');
  const auto written = stream->write_all(much, Deadline::after(100ms));
  end.set_value();
  ASSERT_FALSE(written);
  EXPECT_TRUE(written.error().is(errors::timed_out));
  EXPECT_EQ(written.error().effect(), Effect::unknown);
}

TEST(Stream, WritingAfterTheOtherSideLeftIsAnErrorAndNoSignal) {
  OneConnectionServer server([](SocketStream& client) { client.close(); });
  auto stream = server.connect();
  Outcome written;
  for (const Deadline deadline = soon(); written && !deadline.is_over();) {
    written = stream->write_all(std::string(10000, 'x'), soon());
  }
  ASSERT_FALSE(written);
  EXPECT_TRUE(written.error().is(errors::connection_lost));
}

TEST(Stream, APortWhereNobodyListensIsRefusedWithoutEffect) {
  auto listener = std::move(*listen_tcp("127.0.0.1", 0));
  const std::uint16_t port = listener->port();
  listener.reset();
  const auto stream = connect_tcp("127.0.0.1", port, soon());
  ASSERT_FALSE(stream);
  EXPECT_TRUE(test::told_as("connection-refused", stream.error()));
}

TEST(Stream, ANameWithoutAddressIsSaidSo) {
  const auto stream = connect_tcp("no such name.invalid", 25, soon());
  ASSERT_FALSE(stream);
  // The resolver's word: there is no such name, or nobody who knows.
  EXPECT_TRUE(test::told_as("name-not-found", stream.error(),
                            {{gai_strerror(EAI_NONAME), "<why>"},
                             {gai_strerror(EAI_AGAIN), "<why>"},
                             {gai_strerror(EAI_FAIL), "<why>"}}));
}

TEST(Stream, BindsTheLocalAddressThatWasAskedFor) {
  OneConnectionServer server(
      [](SocketStream& client) { EXPECT_EQ(client.peer_address(), "127.0.0.7"); });
  const auto stream = connect_tcp("127.0.0.1", server.port(), soon(), "127.0.0.7");
  ASSERT_TRUE(stream);
  EXPECT_EQ((*stream)->local_address(), "127.0.0.7");
}

TEST(Stream, SpeaksOverUnixSockets) {
  const test::TempDir folder;
  const std::string path = folder.file("socket");
  const int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  ASSERT_EQ(bind(listening, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(listen(listening, 1), 0);
  auto stream = connect_unix(path, soon());
  ASSERT_TRUE(stream);
  const int client = accept(listening, nullptr, nullptr);
  ASSERT_TRUE((*stream)->write_all("ping", soon()));
  char bytes[4] = {};
  EXPECT_EQ(recv(client, bytes, 4, MSG_WAITALL), 4);
  EXPECT_EQ(std::string(bytes, 4), "ping");
  EXPECT_EQ((*stream)->peer_address(), "");
  ::close(client);
  ::close(listening);
}

TEST(Stream, AMissingUnixSocketIsRefused) {
  const auto stream = connect_unix("/nonexistent/socket", soon());
  ASSERT_FALSE(stream);
  EXPECT_TRUE(stream.error().is(errors::connection_refused));
}

TEST(Listener, CloseFromAnotherThreadWakesAccept) {
  auto listener = std::move(*listen_tcp("127.0.0.1", 0));
  std::thread closer([&] {
    std::this_thread::sleep_for(30ms);
    listener->close();
  });
  const auto client = listener->accept();
  closer.join();
  ASSERT_FALSE(client);
  EXPECT_TRUE(test::told_as("stopped-listening", client.error()));
}

TEST(Listener, APortInUseIsSaidSo) {
  auto first = std::move(*listen_tcp("127.0.0.1", 0));
  const auto second = listen_tcp("127.0.0.1", first->port());
  ASSERT_FALSE(second);
  EXPECT_TRUE(test::told_as("address-in-use", second.error()));
}

class TlsTest : public testing::Test {
 protected:
  TlsTest() {
    sha256_ =
        test::make_certificate(server_.certificate_file, server_.key_file, "mail.legacy.test");
  }

  /// Client and server shake hands; then the server sends "secret" and ends.
  Outcome shake(const TlsClientOptions& options, std::unique_ptr<SocketStream>& stream) {
    serving_ = std::make_unique<OneConnectionServer>([this](SocketStream& client) {
      if (!client.accept_tls(server_, soon())) return;
      [[maybe_unused]] const bool is_taken = client.write_all("secret", soon()).has_value();
      client.close();
    });
    stream = serving_->connect();
    return stream->start_tls(options, soon());
  }

  test::TempDir folder_;
  TlsServerOptions server_{.certificate_file = folder_.file("certificate.pem"),
                           .key_file = folder_.file("key.pem")};
  std::string sha256_;
  std::unique_ptr<OneConnectionServer> serving_;
};

TEST_F(TlsTest, ATrustedCertificateWithTheRightNameIsTaken) {
  std::unique_ptr<SocketStream> stream;
  ASSERT_TRUE(
      shake({.server_name = "mail.legacy.test", .ca_file = server_.certificate_file}, stream));
  EXPECT_TRUE(stream->is_tls());
  EXPECT_EQ(stream->peer_certificate_sha256(), sha256_);
  EXPECT_GT(stream->peer_certificate_not_after(), time(nullptr));
  EXPECT_EQ(read_all(*stream), "secret");
}

TEST_F(TlsTest, AnAddressInTheCertificateIsANameToo) {
  std::unique_ptr<SocketStream> stream;
  EXPECT_TRUE(shake({.server_name = "127.0.0.1", .ca_file = server_.certificate_file}, stream));
}

TEST_F(TlsTest, AnotherNameIsAMismatch) {
  std::unique_ptr<SocketStream> stream;
  const auto outcome =
      shake({.server_name = "mail.other.test", .ca_file = server_.certificate_file}, stream);
  ASSERT_FALSE(outcome);
  EXPECT_TRUE(outcome.error().is(errors::certificate_mismatch)) << outcome.error().to_line();
  EXPECT_FALSE(stream->write_all("x", soon())) << "nothing may follow in clear text";
}

TEST_F(TlsTest, AnUntrustedCertificateIsRefused) {
  std::unique_ptr<SocketStream> stream;
  const auto outcome = shake({.server_name = "mail.legacy.test"}, stream);
  ASSERT_FALSE(outcome);
  EXPECT_TRUE(outcome.error().is(errors::tls_failed)) << outcome.error().to_line();
}

TEST_F(TlsTest, AnExpiredCertificateIsSaidToBeExpired) {
  sha256_ = test::make_certificate(server_.certificate_file, server_.key_file, "mail.legacy.test",
                                   -7200, -3600);
  std::unique_ptr<SocketStream> stream;
  const auto outcome =
      shake({.server_name = "mail.legacy.test", .ca_file = server_.certificate_file}, stream);
  ASSERT_FALSE(outcome);
  EXPECT_TRUE(test::told_as("certificate-expired", outcome.error()));
}

TEST_F(TlsTest, ACertificateThatBeginsLaterIsNotSaidToBeOver) {
  sha256_ = test::make_certificate(server_.certificate_file, server_.key_file, "mail.legacy.test",
                                   86'400, 172'800);
  std::unique_ptr<SocketStream> stream;
  const auto outcome =
      shake({.server_name = "mail.legacy.test", .ca_file = server_.certificate_file}, stream);
  ASSERT_FALSE(outcome);
  EXPECT_TRUE(outcome.error().is(errors::certificate_expired)) << outcome.error().to_line();
  EXPECT_NE(outcome.error().message().find("not valid yet"), std::string::npos);
}

TEST_F(TlsTest, ThePinnedCertificateNeedsNoAuthority) {
  std::unique_ptr<SocketStream> stream;
  ASSERT_TRUE(shake({.server_name = "any.test", .pinned_sha256_hex = sha256_}, stream));
  EXPECT_EQ(read_all(*stream), "secret");
}

TEST_F(TlsTest, AnotherCertificateThanThePinnedOneIsAMismatchAndClosesTheStream) {
  std::unique_ptr<SocketStream> stream;
  const auto outcome = shake({.server_name = "mail.legacy.test",
                              .pinned_sha256_hex = std::string(64, '0'),
                              .ca_file = server_.certificate_file},
                             stream);
  ASSERT_FALSE(outcome);
  EXPECT_TRUE(outcome.error().is(errors::certificate_mismatch));
  EXPECT_FALSE(stream->write_all("password", soon()));
}

TEST_F(TlsTest, AFetchMayLookAtAnUnverifiedCertificate) {
  std::unique_ptr<SocketStream> stream;
  ASSERT_TRUE(shake({.server_name = "mail.legacy.test", .is_unverified_allowed = true}, stream));
  EXPECT_EQ(stream->peer_certificate_sha256(), sha256_);
}

TEST_F(TlsTest, BytesAheadOfTheHandshakeAreAnInjection) {
  OneConnectionServer server([](SocketStream& client) {
    EXPECT_TRUE(client.write_all("220 go ahead\r\n250 slipped in\r\n", soon()));
    read_all(client);
  });
  auto stream = server.connect();
  LineReader reader(*stream, 100);
  ASSERT_TRUE(reader.line(soon()));
  const auto ahead = reader.check_nothing_ahead();
  ASSERT_FALSE(ahead);
  EXPECT_TRUE(ahead.error().is(errors::protocol_violation));
}

TEST_F(TlsTest, BytesThatWaitInTheSocketAreAnInjectionToo) {
  OneConnectionServer server([](SocketStream& client) {
    EXPECT_TRUE(client.write_all("x", soon()));
    read_all(client);
  });
  auto stream = server.connect();
  std::this_thread::sleep_for(50ms);
  const auto outcome = stream->start_tls({.is_unverified_allowed = true}, soon());
  ASSERT_FALSE(outcome);
  EXPECT_TRUE(outcome.error().is(errors::protocol_violation));
}

TEST_F(TlsTest, AServerThatIsSilentInTheHandshakeTimesOut) {
  OneConnectionServer server([](SocketStream& client) { read_all(client); });
  auto stream = server.connect();
  const auto outcome = stream->start_tls({.is_unverified_allowed = true}, Deadline::after(80ms));
  ASSERT_FALSE(outcome);
  EXPECT_TRUE(outcome.error().is(errors::timed_out));
}

TEST_F(TlsTest, AServerThatSpeaksNoTlsIsSaidSo) {
  OneConnectionServer server([](SocketStream& client) {
    char byte = 0;
    EXPECT_TRUE(client.read_some(&byte, 1, soon()));
    EXPECT_TRUE(client.write_all("HTTP/1.1 400 Bad Request\r\n\r\n", soon()));
    read_all(client);
  });
  auto stream = server.connect();
  const auto outcome = stream->start_tls({.is_unverified_allowed = true}, soon());
  ASSERT_FALSE(outcome);
  EXPECT_TRUE(outcome.error().is(errors::tls_failed)) << outcome.error().to_line();
}

TEST_F(TlsTest, LargeAmountsCrossTls) {
  const std::string much(3'000'000, 'm');
  OneConnectionServer server([&](SocketStream& client) {
    ASSERT_TRUE(client.accept_tls(server_, soon()));
    LineReader reader(client, 100);
    auto text = reader.bytes(much.size(), soon());
    ASSERT_TRUE(text);
    EXPECT_EQ(*text, much);
    EXPECT_TRUE(client.write_all(*text, soon()));
    client.close();
  });
  auto stream = server.connect();
  ASSERT_TRUE(stream->start_tls({.pinned_sha256_hex = sha256_}, soon()));
  ASSERT_TRUE(stream->write_all(much, soon()));
  EXPECT_EQ(read_all(*stream), much);
}

TEST_F(TlsTest, AConnectionCutWithoutGoodbyeIsLostAndNotAtItsEnd) {
  OneConnectionServer server([&](SocketStream& client) {
    ASSERT_TRUE(client.accept_tls(server_, soon()));
    EXPECT_TRUE(client.write_all("half", soon()));
    // The socket goes under TLS's feet.
    for (int descriptor = 3; descriptor < 256; ++descriptor) {
      sockaddr_storage peer{};
      socklen_t size = sizeof peer;
      std::uint16_t port = 0;
      if (getpeername(descriptor, reinterpret_cast<sockaddr*>(&peer), &size) == 0 &&
          peer.ss_family == AF_INET) {
        std::memcpy(&port, reinterpret_cast<const char*>(&peer) + 2, 2);
        if (ntohs(port) == client.peer_port()) shutdown(descriptor, SHUT_RDWR);
      }
    }
  });
  auto stream = server.connect();
  ASSERT_TRUE(stream->start_tls({.pinned_sha256_hex = sha256_}, soon()));
  LineReader reader(*stream, 100);
  EXPECT_EQ(*reader.bytes(4, soon()), "half");
  char byte = 0;
  const auto next = stream->read_some(&byte, 1, soon());
  ASSERT_FALSE(next);
  EXPECT_TRUE(next.error().is(errors::connection_lost));
}

}  // namespace
}  // namespace plan::net
