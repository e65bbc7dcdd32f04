#include "runtime/net/http_client.h"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "compiler/source/text.h"
#include "runtime/net/errors.h"
#include "runtime/net/http_server.h"
#include "tests/support/fake_http_server.h"
#include "tests/support/script_peer.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_certificate.h"
#include "tests/support/told_error.h"

namespace plan::net {
namespace {

using test::FakeAnswer;
using test::FakeHttpServer;
using test::FakeRequest;
using Fault = FakeAnswer::Fault;
using std::chrono::milliseconds;

FakeAnswer text(std::string body, std::string type = "application/json") {
  FakeAnswer answer;
  answer.body = std::move(body);
  answer.headers = {{"Content-Type", std::move(type)}};
  return answer;
}

FakeAnswer with_fault(Fault fault, std::string body = "0123456789") {
  FakeAnswer answer = text(std::move(body));
  answer.fault = fault;
  return answer;
}

FakeAnswer redirect(std::string where, int status = 302) {
  FakeAnswer answer;
  answer.status = status;
  answer.headers = {{"Location", std::move(where)}};
  return answer;
}

std::unique_ptr<HttpClient> client_of(const std::string& url, HttpOptions options = {}) {
  options.url = url;
  auto client = make_http_client(std::move(options));
  EXPECT_TRUE(client.has_value()) << client.error().to_line();
  return std::move(*client);
}

HttpRequest get(std::string target) {
  HttpRequest request;
  request.target = std::move(target);
  return request;
}

HttpRequest post(std::string_view body, std::string target = "/jmap/") {
  HttpRequest request;
  request.method = "POST";
  request.target = std::move(target);
  request.body = body;
  request.content_type = "application/json";
  return request;
}

TEST(HttpClient, sends_credentials_body_and_type_and_reads_the_answer) {
  FakeHttpServer server(
      [](const FakeRequest&) { return text("{\"a\":1}", "Application/JSON; charset=utf-8"); });
  HttpOptions options;
  options.user = "admin";
  options.password = secret::Secret("geheim");
  const auto client = client_of(server.url(), std::move(options));
  const auto answer = client->send(post("{}"));
  ASSERT_TRUE(answer) << answer.error().to_line();
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->content_type, "application/json");
  EXPECT_EQ(answer->body, "{\"a\":1}");
  const FakeRequest seen = server.requests().at(0);
  EXPECT_EQ(seen.method, "POST");
  EXPECT_EQ(seen.target, "/jmap/");
  EXPECT_EQ(seen.body, "{}");
  EXPECT_EQ(seen.headers.at("authorization"), "Basic YWRtaW46Z2VoZWlt");
  EXPECT_FALSE(seen.headers.contains("expect"));
  EXPECT_FALSE(seen.headers.contains("accept-encoding"))
      << "packed answers would hide their true length";
}

TEST(HttpClient, any_status_is_a_value) {
  FakeHttpServer server([](const FakeRequest&) {
    FakeAnswer answer = text("no", "text/plain");
    answer.status = 503;
    answer.headers.emplace_back("Retry-After", "7");
    return answer;
  });
  const auto answer = client_of(server.url())->send(get("/"));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 503);
  const Error error = http_error(*answer, Blame::target);
  EXPECT_TRUE(error.is(errors::http_status));
  EXPECT_EQ(error.effect(), Effect::none);
  EXPECT_EQ(error.retry_after(), milliseconds(7000));
}

TEST(HttpClient, keeps_the_connection_between_requests) {
  FakeHttpServer server([](const FakeRequest&) { return text("{}"); });
  const auto client = client_of(server.url());
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(client->send(post("{}")));
  EXPECT_EQ(server.connections(), 1U);
}

TEST(HttpClient, serves_many_threads_with_at_most_so_many_requests_at_once) {
  std::atomic<int> count{0};
  FakeHttpServer server([&](const FakeRequest&) {
    ++count;
    return text("{}");
  });
  HttpOptions options;
  options.concurrent_max = 2;
  const auto client = client_of(server.url(), std::move(options));
  std::vector<std::thread> threads;
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 5; ++k) EXPECT_TRUE(client->send(post("{}")));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(count, 30);
  EXPECT_LE(server.connections(), 2U);
}

TEST(HttpClient, follows_a_redirect_on_the_same_server_and_says_where_it_ended) {
  FakeHttpServer server([](const FakeRequest& request) {
    return request.target == "/api/schema" ? redirect("/api/schema/abc?x=1") : text("doc");
  });
  const auto answer = client_of(server.url())->send(get("/api/schema"));
  ASSERT_TRUE(answer) << answer.error().to_line();
  EXPECT_EQ(answer->body, "doc");
  EXPECT_EQ(answer->target, "/api/schema/abc?x=1");
}

TEST(HttpClient, refuses_a_redirect_to_another_host_port_or_scheme_and_sends_nothing_there) {
  FakeHttpServer other([](const FakeRequest&) { return text("thief"); });
  std::mutex mutex;
  std::string where;
  FakeHttpServer server([&](const FakeRequest&) {
    const std::lock_guard lock(mutex);
    return redirect(where);
  });
  HttpOptions options;
  options.user = "admin";
  options.password = secret::Secret("geheim");
  const auto client = client_of(server.url(), std::move(options));
  for (const std::string& target :
       {other.url() + "/", std::string("http://example.org/"), std::string("//example.org/x"),
        std::string("https") + server.url().substr(4), std::string("file:///etc/passwd")}) {
    {
      const std::lock_guard lock(mutex);
      where = target;
    }
    const auto answer = client->send(get("/"));
    ASSERT_FALSE(answer) << target;
    EXPECT_TRUE(answer.error().is(errors::redirected_elsewhere))
        << target << ": " << answer.error().to_line();
  }
  EXPECT_EQ(other.requests().size(), 0U);
}

TEST(HttpClient, does_not_run_in_circles) {
  FakeHttpServer server([](const FakeRequest&) { return redirect("/again"); });
  const auto answer = client_of(server.url())->send(get("/"));
  ASSERT_FALSE(answer);
  EXPECT_TRUE(answer.error().is(errors::protocol_violation));
  EXPECT_LE(server.requests().size(), 7U);
}

TEST(HttpClient, does_not_repeat_a_post_that_is_redirected) {
  FakeHttpServer server([](const FakeRequest&) { return redirect("/elsewhere", 307); });
  const auto answer = client_of(server.url())->send(post("{}"));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 307);
  EXPECT_EQ(server.requests().size(), 1U);
}

TEST(HttpClient, a_lost_reply_to_a_post_is_unknown_and_not_sent_again) {
  for (const Fault fault : {Fault::drop, Fault::cut}) {
    int count = 0;
    FakeHttpServer server(
        [&](const FakeRequest&) { return ++count == 1 ? text("{}") : with_fault(fault); });
    const auto client = client_of(server.url());
    ASSERT_TRUE(client->send(post("{}")));
    const auto answer = client->send(post("{\"create\":1}"));  // over the kept connection
    ASSERT_FALSE(answer);
    EXPECT_TRUE(answer.error().is(errors::connection_lost)) << answer.error().to_line();
    EXPECT_EQ(answer.error().effect(), Effect::unknown);
    EXPECT_EQ(answer.error().retry(), Retry::never);
    EXPECT_EQ(server.requests().size(), 2U);
  }
}

TEST(HttpClient, a_lost_reply_to_something_repeatable_is_tried_once_more) {
  int count = 0;
  FakeHttpServer server(
      [&](const FakeRequest&) { return ++count == 1 ? with_fault(Fault::drop) : text("{}"); });
  HttpRequest request = post("{\"query\":1}");
  request.is_repeatable = true;
  const auto answer = client_of(server.url())->send(request);
  ASSERT_TRUE(answer) << answer.error().to_line();
  EXPECT_EQ(server.requests().size(), 2U);
}

TEST(HttpClient, nobody_listening_has_no_effect) {
  std::string url;
  {
    FakeHttpServer server([](const FakeRequest&) { return text("{}"); });
    url = server.url();
  }
  const auto answer = client_of(url)->send(post("{}"));
  ASSERT_FALSE(answer);
  EXPECT_TRUE(answer.error().is(errors::connection_refused)) << answer.error().to_line();
  EXPECT_EQ(answer.error().effect(), Effect::none);
  EXPECT_EQ(answer.error().retry(), Retry::safe);
}

TEST(HttpClient, a_stall_ends_at_the_deadline_of_the_request) {
  FakeHttpServer server([](const FakeRequest&) { return with_fault(Fault::stall); });
  HttpRequest request = post("{}");
  request.deadline = Deadline::after(milliseconds(150));
  const auto began = std::chrono::steady_clock::now();
  const auto answer = client_of(server.url())->send(request);
  ASSERT_FALSE(answer);
  EXPECT_TRUE(answer.error().is(errors::timed_out)) << answer.error().to_line();
  EXPECT_EQ(answer.error().effect(), Effect::unknown);
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(30));
}

TEST(HttpClient, a_stall_ends_after_the_stall_time) {
  FakeHttpServer server([](const FakeRequest&) { return with_fault(Fault::stall); });
  HttpOptions options;
  options.stall_timeout = milliseconds(100);
  const auto began = std::chrono::steady_clock::now();
  const auto answer = client_of(server.url(), std::move(options))->send(get("/"));
  ASSERT_FALSE(answer);
  EXPECT_TRUE(answer.error().is(errors::timed_out)) << answer.error().to_line();
  EXPECT_EQ(answer.error().effect(), Effect::none);
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(30));
}

TEST(HttpClient, an_answer_over_the_bound_stops_at_the_bound) {
  for (const bool is_announced : {true, false}) {
    const std::string body(2000, 'x');
    FakeHttpServer server([&](const FakeRequest&) {
      if (is_announced) return text(body);
      return with_fault(Fault::raw, "HTTP/1.1 200 OK\r\n\r\n" + body);
    });
    HttpOptions options;
    options.body_bytes_max = 1999;
    const auto client = client_of(server.url(), std::move(options));
    const auto answer = client->send(get("/"));
    ASSERT_FALSE(answer);
    EXPECT_TRUE(test::told_as("answer-too-large", answer.error()));
    HttpRequest larger = get("/");
    larger.body_bytes_max = 2000;
    EXPECT_TRUE(client->send(larger));
  }
}

TEST(HttpClient, a_head_over_the_bound_is_refused) {
  FakeHttpServer server([](const FakeRequest&) {
    FakeAnswer answer = text("{}");
    for (int i = 0; i < 40; ++i) answer.headers.emplace_back("X-Filler", std::string(100, 'y'));
    return answer;
  });
  HttpOptions options;
  options.header_bytes_max = 1000;
  const auto answer = client_of(server.url(), std::move(options))->send(get("/"));
  ASSERT_FALSE(answer);
  EXPECT_TRUE(answer.error().is(errors::answer_too_large)) << answer.error().to_line();
  EXPECT_TRUE(answer.error().message().starts_with("the head of the answer"));
}

TEST(HttpClient, lies_about_lengths_are_seen_or_cut) {
  FakeHttpServer longer([](const FakeRequest&) {
    FakeAnswer answer = with_fault(Fault::cut, "0123456789");
    answer.claimed_length = 500;
    return answer;
  });
  const auto answer = client_of(longer.url())->send(get("/"));
  ASSERT_FALSE(answer);
  EXPECT_TRUE(test::told_as("connection-lost", answer.error()));

  FakeHttpServer shorter([](const FakeRequest&) {
    FakeAnswer lie = text("0123456789");
    lie.claimed_length = 4;
    return lie;
  });
  const auto cut = client_of(shorter.url())->send(get("/"));
  ASSERT_TRUE(cut) << cut.error().to_line();
  EXPECT_EQ(cut->body, "0123");
}

TEST(HttpClient, something_that_is_not_http_is_a_protocol_violation) {
  FakeHttpServer server(
      [](const FakeRequest&) { return with_fault(Fault::raw, "* OK IMAP4rev2 ready\r\n"); });
  const auto answer = client_of(server.url())->send(get("/"));
  ASSERT_FALSE(answer);
  EXPECT_TRUE(answer.error().is(errors::protocol_violation) ||
              answer.error().is(errors::connection_lost))
      << answer.error().to_line();
}

TEST(HttpClient, urls_are_judged_before_anything_is_sent) {
  for (const std::string& url :
       {std::string(), std::string("ftp://example.org"), std::string("https://"),
        std::string("mail.example.org"), std::string("https://user:pw@example.org"),
        std::string("http://a\r\nb/")}) {
    HttpOptions options;
    options.url = url;
    EXPECT_FALSE(make_http_client(std::move(options))) << url;
  }
  HttpOptions unseen;
  unseen.url = "https://127.0.0.1:1";
  unseen.user = "admin";
  unseen.password = secret::Secret("x");
  unseen.is_unverified_allowed = true;
  EXPECT_FALSE(make_http_client(std::move(unseen)))
      << "credentials never go where nobody looked at the certificate";
}

TEST(HttpClient, the_origin_has_one_spelling) {
  EXPECT_EQ(client_of("HTTPS://Mail.Example.org:443/jmap/session?x")->origin(),
            "https://mail.example.org");
  EXPECT_EQ(client_of("http://127.0.0.1:8080")->origin(), "http://127.0.0.1:8080");
}

TEST(HttpClient, a_whole_url_of_another_server_is_refused) {
  FakeHttpServer server([](const FakeRequest&) { return text("{}"); });
  const auto client = client_of(server.url());
  EXPECT_TRUE(client->send(get(server.url() + "/jmap/")));
  const auto answer = client->send(get("http://127.0.0.1:1/jmap/"));
  ASSERT_FALSE(answer);
  EXPECT_TRUE(answer.error().is(errors::redirected_elsewhere));
}

TEST(HttpClient, a_redirect_to_the_name_that_clients_will_use_is_told_with_both) {
  FakeHttpServer server(
      [](const FakeRequest&) { return redirect("https://mail.example.org/dav?token=geheim"); });
  const auto answer = client_of(server.url())->send(get("/dav"));
  ASSERT_FALSE(answer);
  EXPECT_TRUE(test::told_as("redirected-elsewhere", answer.error()))
      << "without the rest of the address, which may hold a secret";
}

class HttpsClient : public ::testing::Test {
 protected:
  HttpsClient() {
    tls_.certificate_file = folder_.file("cert.pem");
    tls_.key_file = folder_.file("key.pem");
    fingerprint_ = test::make_certificate(tls_.certificate_file, tls_.key_file, "localhost");
  }
  test::TempDir folder_;
  TlsServerOptions tls_;
  std::string fingerprint_;
};

TEST_F(HttpsClient, talks_to_the_pinned_certificate_and_shows_it) {
  FakeHttpServer server([](const FakeRequest&) { return text("{}"); }, tls_);
  HttpOptions options;
  options.pinned_sha256_hex = fingerprint_;
  options.user = "admin";
  options.password = secret::Secret("x");
  const auto client = client_of(server.url(), std::move(options));
  const auto answer = client->send(get("/"));
  ASSERT_TRUE(answer) << answer.error().to_line();
  EXPECT_EQ(client->certificate().sha256_hex, fingerprint_);
  EXPECT_GT(client->certificate().not_after, 0);
}

// A Stalwart does so on every port to an address that it has banned (stalwart-admin.md 9).
TEST_F(HttpsClient, a_connection_that_is_ended_without_a_word_is_told_as_a_likely_ban) {
  const auto server = HttpServer::start(
      {.tls = tls_, .is_turned_away = [](const std::string& peer) { return peer == "127.0.0.1"; }},
      [](const HttpServerRequest&) { return HttpServerResponse(); });
  ASSERT_TRUE(server) << server.error().to_line();
  const std::string url = "https://127.0.0.1:" + std::to_string((*server)->port());
  HttpOptions options;
  options.pinned_sha256_hex = fingerprint_;
  const auto answer = client_of(url, std::move(options))->send(post("{}"));
  ASSERT_FALSE(answer);
  EXPECT_TRUE(test::told_as("connection-dropped", answer.error()))
      << "with the address to allow; to be tried again, as a server that starts does so too";
}

TEST_F(HttpsClient, a_port_that_answers_the_handshake_in_plain_text_is_no_ban) {
  test::ScriptPeer peer("S: HTTP/1.1 400 Bad Request{crlf}Content-Length: 0{crlf}");
  const auto answer =
      client_of("https://127.0.0.1:" + std::to_string(peer.port()))->send(post("{}"));
  ASSERT_FALSE(answer);
  EXPECT_NE(answer.error().detail().find("wrong version number"), std::string::npos);
  EXPECT_TRUE(
      test::told_as("tls-failed", answer.error(), {{answer.error().detail(), "<OpenSSL's words>"}}))
      << "it will not speak TLS the next time either";
}

TEST_F(HttpsClient, another_certificate_than_the_pinned_one_gets_no_request) {
  FakeHttpServer server([](const FakeRequest&) { return text("{}"); }, tls_);
  HttpOptions options;
  options.pinned_sha256_hex = std::string(64, 'a');
  const auto answer = client_of(server.url(), std::move(options))->send(post("{}"));
  ASSERT_FALSE(answer);
  EXPECT_TRUE(test::told_as("certificate-mismatch", answer.error(), {{fingerprint_, "<shown>"}}));
  EXPECT_TRUE(server.requests().empty());
}

TEST_F(HttpsClient, without_a_pin_a_self_signed_certificate_is_not_trusted) {
  FakeHttpServer server([](const FakeRequest&) { return text("{}"); }, tls_);
  const auto answer = client_of(server.url())->send(get("/"));
  ASSERT_FALSE(answer);
  EXPECT_TRUE(answer.error().is(errors::certificate_mismatch)) << answer.error().to_line();
  EXPECT_TRUE(server.requests().empty());
}

TEST_F(HttpsClient, a_look_at_the_certificate_asks_for_nothing) {
  FakeHttpServer server([](const FakeRequest&) { return text("{}"); }, tls_);
  const auto seen = look_at_certificate(server.url(), {}, Deadline::after(std::chrono::seconds(5)));
  ASSERT_TRUE(seen) << seen.error().to_line();
  EXPECT_EQ(seen->sha256_hex, fingerprint_);
  EXPECT_TRUE(server.requests().empty());
}

TEST(HttpError, a_401_is_a_refused_login_and_a_500_is_unknown) {
  HttpResponse response;
  response.status = 401;
  EXPECT_TRUE(http_error(response, Blame::target).is(errors::login_refused));
  response.status = 500;
  EXPECT_EQ(http_error(response, Blame::target).effect(), Effect::unknown);
  response.status = 404;
  EXPECT_EQ(http_error(response, Blame::target).effect(), Effect::none);
}

TEST(PercentEncode, leaves_only_unreserved_characters) {
  EXPECT_EQ(percent_encode("a-Z_0.9~"), "a-Z_0.9~");
  EXPECT_EQ(percent_encode("a/b c%\xC3\xA9"), "a%2Fb%20c%25%C3%A9");
}

}  // namespace
}  // namespace plan::net
