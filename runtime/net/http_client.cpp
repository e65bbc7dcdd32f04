// libcurl behind our interface; the only file that includes it. Three things libcurl would do
// differently are settled here: a redirect is judged by us, a request is not sent again on a fresh
// connection when the kept one turns out dead after the body went out (the effect would happen
// twice), and a pinned certificate is the certificate, not its key.
#include "runtime/net/http_client.h"

#include <curl/curl.h>
#include <fmt/format.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <cstring>
#include <mutex>

#include "compiler/ir/digest.h"
#include "compiler/source/text.h"
#include "runtime/net/connect_once.h"
#include "runtime/net/errors.h"
#include "runtime/net/socket.h"

namespace plan::net {
namespace {

constexpr int kRedirectsMax = 5;
constexpr std::size_t kIdleHandlesMax = 8;
constexpr long kIdleConnectionSecondsMax = 25;  // below the idle timeout of any server we know

struct CurlFree {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using Handle = std::unique_ptr<CURL, CurlFree>;
using Url = std::unique_ptr<CURLU, CurlFree>;
using HeaderList = std::unique_ptr<curl_slist, CurlFree>;

void start_curl_once() {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
}

std::string part_of(CURLU* url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK || text == nullptr) return {};
  std::string copy(text);
  curl_free(text);
  return copy;
}

/// Scheme, host and port of a URL in one spelling; empty when it is not http(s) or carries
/// credentials.
std::string origin_of(CURLU* url) {
  const std::string scheme = lower_ascii(part_of(url, CURLUPART_SCHEME));
  if (scheme != "http" && scheme != "https") return {};
  if (!part_of(url, CURLUPART_USER).empty() || !part_of(url, CURLUPART_PASSWORD).empty()) return {};
  const std::string host = lower_ascii(part_of(url, CURLUPART_HOST));
  if (host.empty()) return {};
  const std::string port = part_of(url, CURLUPART_PORT, CURLU_NO_DEFAULT_PORT);
  return port.empty() ? fmt::format("{}://{}", scheme, host)
                      : fmt::format("{}://{}:{}", scheme, host, port);
}

std::string hex_only(std::string_view text) {
  std::string hex;
  for (const char c : lower_ascii(text)) {
    if (c != ':' && c != ' ') hex.push_back(c);
  }
  return hex;
}

/// Judges certificates for all connections of a client. Lives as long as they do: a connection that
/// is kept alive holds on to it after the call that made it.
struct CertificateJudge {
  std::string pinned_sha256_hex = {};
  bool is_unverified_allowed = false;
  std::mutex mutex = {};
  HttpCertificate seen = {};

  HttpCertificate last_seen() {
    const std::lock_guard lock(mutex);
    return seen;
  }
};

/// What one transfer has seen so far; the callbacks write it.
struct Transfer {
  std::array<char, CURL_ERROR_SIZE> words = {};  ///< libcurl's own, about an error
  const HttpOptions* options = nullptr;
  std::string_view body = {};
  std::size_t body_sent = 0;
  std::size_t body_bytes_max = 0;
  std::chrono::milliseconds stall_timeout{0};
  std::size_t header_bytes = 0;
  HttpResponse response = {};
  bool is_too_large = false;
  bool is_stalled = false;
  curl_off_t bytes_moved = 0;
  std::chrono::steady_clock::time_point last_moved = {};
};

std::size_t on_body(char* data, std::size_t size, std::size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  const std::size_t bytes = size * count;
  if (transfer.response.body.size() + bytes > transfer.body_bytes_max) {
    transfer.is_too_large = true;
    return bytes == 0 ? 1 : 0;
  }
  transfer.response.body.append(data, bytes);
  return bytes;
}

std::size_t on_header(char* data, std::size_t size, std::size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  const std::size_t bytes = size * count;
  transfer.header_bytes += bytes;
  if (transfer.header_bytes > transfer.options->header_bytes_max) {
    transfer.is_too_large = true;
    return 0;
  }
  const std::string_view line = trim(std::string_view(data, bytes));
  if (line.starts_with("HTTP/")) {  // a new answer begins (after 100 Continue)
    transfer.response.headers.clear();
    return bytes;
  }
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return bytes;
  transfer.response.headers.emplace_back(lower_ascii(trim(line.substr(0, colon))),
                                         std::string(trim(line.substr(colon + 1))));
  return bytes;
}

std::size_t on_read(char* data, std::size_t size, std::size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  const std::size_t bytes = std::min(size * count, transfer.body.size() - transfer.body_sent);
  std::memcpy(data, transfer.body.data() + transfer.body_sent, bytes);
  transfer.body_sent += bytes;
  return bytes;
}

/// Refuses to rewind: without it libcurl would send a body a second time when a kept connection
/// dies.
int on_seek(void*, curl_off_t, int) { return CURL_SEEKFUNC_FAIL; }

int on_progress(void* user, curl_off_t, curl_off_t downloaded, curl_off_t, curl_off_t uploaded) {
  auto& transfer = *static_cast<Transfer*>(user);
  const auto now = std::chrono::steady_clock::now();
  const curl_off_t moved = downloaded + uploaded + static_cast<curl_off_t>(transfer.header_bytes);
  if (moved != transfer.bytes_moved) {
    transfer.bytes_moved = moved;
    transfer.last_moved = now;
    return 0;
  }
  if (now - transfer.last_moved < transfer.stall_timeout) return 0;
  transfer.is_stalled = true;
  return 1;
}

HttpCertificate describe(X509* certificate) {
  HttpCertificate described;
  std::array<unsigned char, 32> digest = {};
  unsigned size = 0;
  if (X509_digest(certificate, EVP_sha256(), digest.data(), &size) != 1) return described;
  for (const unsigned char byte : digest) described.sha256_hex += fmt::format("{:02x}", byte);
  std::tm end{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) == 1)
    described.not_after = timegm(&end);
  return described;
}

int on_verify(X509_STORE_CTX* store, void* user) {
  auto& judge = *static_cast<CertificateJudge*>(user);
  X509* certificate = X509_STORE_CTX_get0_cert(store);
  if (certificate == nullptr) return 0;
  const HttpCertificate described = describe(certificate);
  {
    const std::lock_guard lock(judge.mutex);
    judge.seen = described;
  }
  if (!judge.pinned_sha256_hex.empty()) {
    const bool is_agreed = described.sha256_hex == judge.pinned_sha256_hex;
    X509_STORE_CTX_set_error(store, is_agreed ? X509_V_OK : X509_V_ERR_CERT_REJECTED);
    return is_agreed ? 1 : 0;
  }
  if (judge.is_unverified_allowed) {
    X509_STORE_CTX_set_error(store, X509_V_OK);
    return 1;
  }
  return X509_verify_cert(store);
}

CURLcode on_ssl_context(CURL*, void* context, void* user) {
  auto* tls = static_cast<SSL_CTX*>(context);
  SSL_CTX_set_cert_verify_callback(tls, on_verify, user);
  SSL_CTX_set_options(tls, SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION);
  return CURLE_OK;
}

class CurlClient final : public HttpClient {
 public:
  CurlClient(HttpOptions options, std::string origin)
      : options_(std::move(options)), origin_(std::move(origin)) {
    judge_.pinned_sha256_hex = options_.pinned_sha256_hex;
    judge_.is_unverified_allowed = options_.is_unverified_allowed;
  }

  Result<HttpResponse> send(const HttpRequest& request) override {
    PLAN_TRY(target, absolute(request.target));
    std::string url = std::move(target);
    std::string method = request.method;
    const bool is_plain_read = method == "GET" || method == "HEAD";
    const Deadline deadline = request.deadline.sooner(Deadline::after(options_.total_timeout));
    for (int hop = 0;; ++hop) {
      PLAN_TRY(response, send_once(request, url, deadline));
      response.target = url.substr(std::min(origin_.size(), url.size()));
      const bool is_redirect = response.status == 301 || response.status == 302 ||
                               response.status == 303 || response.status == 307 ||
                               response.status == 308;
      if (!is_redirect || response.header("location").empty()) return std::move(response);
      PLAN_TRY(next, judge_redirect(url, response));
      if (!is_plain_read) return std::move(response);
      if (hop >= kRedirectsMax) {
        return Error(errors::protocol_violation,
                     fmt::format("more than {} redirects from {}", kRedirectsMax, origin_))
            .with_blame(options_.blame);
      }
      url = std::move(next);
    }
  }

  HttpCertificate certificate() const override { return judge_.last_seen(); }
  const std::string& origin() const override { return origin_; }

 private:
  /// Takes a turn and a handle; gives both back at the end of the scope.
  class Turn {
   public:
    explicit Turn(CurlClient& client, Deadline deadline) : client_(client) {
      std::unique_lock lock(client_.mutex_);
      const auto has_room = [&] { return client_.running_ < client_.options_.concurrent_max; };
      if (deadline.left_ms() < 0) {
        client_.turn_.wait(lock, has_room);
      } else if (!client_.turn_.wait_until(lock, deadline.at(), has_room)) {
        return;
      }
      ++client_.running_;
      is_taken_ = true;
      if (!client_.idle_.empty()) {
        handle_ = std::move(client_.idle_.back());
        client_.idle_.pop_back();
      } else {
        handle_.reset(curl_easy_init());
      }
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn() {
      if (!is_taken_) return;
      if (handle_) curl_easy_reset(handle_.get());  // it still points at the locals of the call
      {
        const std::lock_guard lock(client_.mutex_);
        --client_.running_;
        if (handle_ && client_.idle_.size() < kIdleHandlesMax)
          client_.idle_.push_back(std::move(handle_));
      }
      client_.turn_.notify_one();
    }
    [[nodiscard]] bool is_taken() const { return is_taken_; }
    [[nodiscard]] CURL* handle() const { return handle_.get(); }

   private:
    CurlClient& client_;
    Handle handle_;
    bool is_taken_ = false;
  };

  Result<std::string> absolute(const std::string& target) const {
    const Url url(curl_url());
    if (!url) return bad_target(target);
    if (curl_url_set(url.get(), CURLUPART_URL, (origin_ + "/").c_str(), 0) != CURLUE_OK)
      return bad_target(target);
    if (target.empty() || curl_url_set(url.get(), CURLUPART_URL, target.c_str(), 0) != CURLUE_OK) {
      return bad_target(target);
    }
    if (origin_of(url.get()) != origin_) return elsewhere(origin_of(url.get()));
    curl_url_set(url.get(), CURLUPART_FRAGMENT, nullptr, 0);
    return part_of(url.get(), CURLUPART_URL);
  }

  Error bad_target(const std::string& target) const {
    return Error(errors::protocol_violation,
                 fmt::format("`{}` is no URL of {}", printable(target, 200), origin_))
        .with_blame(options_.blame);
  }

  /// Only the other server's name: the rest may repeat what we sent, a login too.
  Error elsewhere(std::string_view origin) const {
    return Error(errors::redirected_elsewhere,
                 fmt::format("{} points to `{}`, which is another server", origin_,
                             printable(origin, 200)))
        .with_blame(options_.blame);
  }

  Result<std::string> judge_redirect(const std::string& from, const HttpResponse& response) const {
    const Url url(curl_url());
    const std::string location(response.header("location"));
    if (!url || curl_url_set(url.get(), CURLUPART_URL, from.c_str(), 0) != CURLUE_OK)
      return bad_target(from);
    if (curl_url_set(url.get(), CURLUPART_URL, location.c_str(), 0) != CURLUE_OK)
      return bad_target(location);
    if (origin_of(url.get()) != origin_) return elsewhere(origin_of(url.get()));
    return part_of(url.get(), CURLUPART_URL);
  }

  Result<HttpResponse> send_once(const HttpRequest& request, const std::string& url,
                                 Deadline deadline) {
    auto first = transfer(request, url, deadline);
    if (first || !request.is_repeatable || deadline.is_over()) return first;
    if (!first.error().is(errors::connection_lost) && !first.error().is(errors::connection_dropped))
      return first;
    return transfer(request, url, deadline);
  }

  Result<HttpResponse> transfer(const HttpRequest& request, const std::string& url,
                                Deadline deadline) {
    ConnectTurn connect_turn(fmt::format("http {} {}", origin_, options_.connect_address));
    if (connect_turn.refusal()) return Error(*connect_turn.refusal());
    const Turn turn(*this, deadline);
    if (!turn.is_taken()) {
      return Error(errors::timed_out,
                   fmt::format("no turn for a request to {} within the time allowed", origin_))
          .with_retry(Retry::safe);
    }
    CURL* handle = turn.handle();
    if (handle == nullptr) return Error(errors::connection_refused, "libcurl gave no handle");
    curl_easy_reset(handle);

    Transfer transfer;
    transfer.options = &options_;
    transfer.body = request.body;
    transfer.body_bytes_max =
        request.body_bytes_max != 0 ? request.body_bytes_max : options_.body_bytes_max;
    transfer.stall_timeout =
        request.stall_timeout.count() != 0 ? request.stall_timeout : options_.stall_timeout;
    transfer.last_moved = std::chrono::steady_clock::now();

    const long left_ms = std::max(1, deadline.left_ms());
    const long connect_ms =
        std::min<long>(left_ms, static_cast<long>(options_.connect_timeout.count()));
    curl_easy_setopt(handle, CURLOPT_URL, url.c_str());
    curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(handle, CURLOPT_PROXY, "");
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(handle, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    curl_easy_setopt(handle, CURLOPT_HTTP09_ALLOWED, 0L);
    curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, left_ms);
    curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, connect_ms);
    curl_easy_setopt(handle, CURLOPT_MAXAGE_CONN, kIdleConnectionSecondsMax);
    curl_easy_setopt(handle, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, &transfer);
    curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(handle, CURLOPT_HEADERDATA, &transfer);
    curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(handle, CURLOPT_XFERINFODATA, &transfer);
    curl_easy_setopt(handle, CURLOPT_SSL_CTX_FUNCTION, on_ssl_context);
    curl_easy_setopt(handle, CURLOPT_SSL_CTX_DATA, &judge_);
    const bool is_judged_by_us =
        !options_.pinned_sha256_hex.empty() || options_.is_unverified_allowed;
    curl_easy_setopt(handle, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(handle, CURLOPT_SSL_VERIFYHOST, is_judged_by_us ? 0L : 2L);
    curl_easy_setopt(handle, CURLOPT_SSL_SESSIONID_CACHE,
                     0L);  // a resumed session shows no certificate
    if (!options_.ca_file.empty())
      curl_easy_setopt(handle, CURLOPT_CAINFO, options_.ca_file.c_str());
    if (!options_.user.empty()) {
      curl_easy_setopt(handle, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
      curl_easy_setopt(handle, CURLOPT_USERNAME, options_.user.c_str());
      curl_easy_setopt(handle, CURLOPT_PASSWORD,
                       options_.password.reveal_for("HTTP basic authentication").c_str());
    }
    HeaderList connect_to;
    if (!options_.connect_address.empty()) {
      const bool is_bare_v6 = options_.connect_address.find(':') != std::string::npos &&
                              !options_.connect_address.starts_with('[');
      connect_to.reset(
          curl_slist_append(nullptr, fmt::format("::{0}{2}{1}:", is_bare_v6 ? "[" : "",
                                                 is_bare_v6 ? "]" : "", options_.connect_address)
                                         .c_str()));
      curl_easy_setopt(handle, CURLOPT_CONNECT_TO, connect_to.get());
    }

    HeaderList headers;
    const auto add_header = [&](const std::string& line) {
      curl_slist* longer = curl_slist_append(headers.get(), line.c_str());
      static_cast<void>(headers.release());
      headers.reset(longer);
    };
    add_header("Expect:");
    add_header("User-Agent: " + options_.user_agent);
    add_header("Accept: " + (request.accept.empty() ? std::string("*/*") : request.accept));
    if (!request.content_type.empty()) add_header("Content-Type: " + request.content_type);
    if (!options_.bearer_token.empty()) {
      add_header("Authorization: Bearer " + options_.bearer_token.reveal_for("HTTP bearer token"));
    }
    for (const auto& [name, value] : request.headers) add_header(name + ": " + value);
    curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers.get());

    if (options_.is_handshake_only) curl_easy_setopt(handle, CURLOPT_CONNECT_ONLY, 1L);
    if (request.method == "HEAD") {
      curl_easy_setopt(handle, CURLOPT_NOBODY, 1L);
    } else if (request.method != "GET") {
      curl_easy_setopt(handle, CURLOPT_POST, 1L);
      curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, request.method.c_str());
      curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE,
                       static_cast<curl_off_t>(request.body.size()));
      curl_easy_setopt(handle, CURLOPT_READFUNCTION, on_read);
      curl_easy_setopt(handle, CURLOPT_READDATA, &transfer);
      curl_easy_setopt(handle, CURLOPT_SEEKFUNCTION, on_seek);
      if (request.body.empty())
        curl_easy_setopt(handle, CURLOPT_FRESH_CONNECT, 1L);  // nothing to rewind: no retry either
    }

    curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, transfer.words.data());
    const CURLcode code = curl_easy_perform(handle);
    curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, nullptr);
    if (code != CURLE_OK) {
      Error error = judge(code, handle, transfer, request);
      note(connect_turn, code, handle, transfer, error);
      return error;
    }
    connect_turn.answered();
    long status = 0;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    transfer.response.status = static_cast<int>(status);
    std::string_view type = transfer.response.header("content-type");
    type = trim(type.substr(0, type.find(';')));
    transfer.response.content_type = lower_ascii(type);
    return std::move(transfer.response);
  }

  /// What a transfer that failed says of the server.
  static void note(ConnectTurn& turn, CURLcode code, CURL* handle, const Transfer& transfer,
                   const Error& error) {
    curl_off_t connected_after_us = 0;
    curl_easy_getinfo(handle, CURLINFO_CONNECT_TIME_T, &connected_after_us);
    // A connection that was there already has no such time.
    const bool is_connected = connected_after_us != 0 || is_sent(handle, transfer);
    const bool is_late = error.is(errors::timed_out);
    // Another certificate than the one that was agreed on is shown again as well.
    const bool is_of_tls = error.is(errors::tls_failed) || error.is(errors::certificate_expired) ||
                           error.is(errors::certificate_mismatch) ||
                           error.is(errors::connection_dropped);
    if (code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_CONNECT || is_of_tls ||
        (is_late && !is_connected))
      turn.not_connected(error);
    else if (is_late)
      turn.not_answered(error);
    else
      turn.answered();
  }

  static bool is_sent(CURL* handle, const Transfer& transfer) {
    long request_bytes = 0;
    curl_easy_getinfo(handle, CURLINFO_REQUEST_SIZE, &request_bytes);
    return request_bytes > 0 || transfer.body_sent > 0;
  }

  Error judge(CURLcode code, CURL* handle, const Transfer& transfer,
              const HttpRequest& request) const {
    const bool was_sent = is_sent(handle, transfer);
    const bool has_effect =
        request.method != "GET" && request.method != "HEAD" && !request.is_repeatable;
    const Effect effect = was_sent && has_effect ? Effect::unknown : Effect::none;
    const Retry retry = effect == Effect::unknown ? Retry::never : Retry::safe;
    const auto finish = [&](Error error) {
      return std::move(error).with_effect(effect).with_retry(retry).with_blame(
          was_sent ? options_.blame : Blame::network);
    };
    if (transfer.is_too_large || code == CURLE_FILESIZE_EXCEEDED) {
      const bool is_head = transfer.header_bytes > options_.header_bytes_max;
      return finish(Error(errors::answer_too_large,
                          fmt::format("the {} of {} is larger than {}",
                                      is_head ? "head of the answer" : "answer", origin_,
                                      show_bytes(is_head ? options_.header_bytes_max
                                                         : transfer.body_bytes_max))))
          .with_retry(Retry::never);
    }
    if (transfer.is_stalled) {
      return finish(
          Error(errors::timed_out, fmt::format("{} moved no byte for {}", origin_,
                                               show_duration_ms(static_cast<std::uint64_t>(
                                                   transfer.stall_timeout.count())))));
    }
    if (code == CURLE_SSL_CONNECT_ERROR && has_ended_unheard(transfer))
      return finish(dropped(handle));
    switch (code) {
      case CURLE_COULDNT_RESOLVE_HOST:
      case CURLE_COULDNT_RESOLVE_PROXY:
        return finish(
            Error(errors::name_not_found, fmt::format("the host of {} has no address", origin_)));
      case CURLE_COULDNT_CONNECT:
        return finish(Error(errors::connection_refused,
                            fmt::format("{} accepts no connections", origin_)))
            .with_detail(system_words(handle));
      case CURLE_OPERATION_TIMEDOUT:
        return finish(Error(errors::timed_out,
                            fmt::format("no answer of {} within the time allowed", origin_)));
      case CURLE_PEER_FAILED_VERIFICATION:
      case CURLE_SSL_CONNECT_ERROR:
      case CURLE_SSL_CACERT_BADFILE:
      case CURLE_SSL_CERTPROBLEM:
      case CURLE_SSL_CIPHER:
      case CURLE_SSL_ISSUER_ERROR:
        return finish(tls_error(code, handle, transfer))
            .with_retry(Retry::never)
            .with_blame(options_.blame);
      case CURLE_PARTIAL_FILE:
      case CURLE_GOT_NOTHING:
      case CURLE_SEND_ERROR:
      case CURLE_RECV_ERROR:
      case CURLE_SEND_FAIL_REWIND:
        return finish(Error(errors::connection_lost,
                            fmt::format("{} closed the connection before its answer was whole",
                                        origin_)))
            .with_detail(curl_easy_strerror(code));
      default:
        return finish(Error(errors::protocol_violation,
                            fmt::format("{} does not speak HTTP as expected", origin_)))
            .with_detail(curl_easy_strerror(code))
            .with_retry(Retry::never);
    }
  }

  /// Why the system made no connection; empty when it does not say.
  static std::string system_words(CURL* handle) {
    long number = 0;
    curl_easy_getinfo(handle, CURLINFO_OS_ERRNO, &number);
    return number == 0 ? std::string() : errno_text(static_cast<int>(number));
  }

  /// The connection ended in the handshake, and not by an alert: only libcurl's words tell the two
  /// apart.
  static bool has_ended_unheard(const Transfer& transfer) {
    const std::string_view words(transfer.words.data());
    constexpr std::array<std::string_view, 4> kEnds = {"reset by peer", "SSL_ERROR_SYSCALL",
                                                       "unexpected eof", "Broken pipe"};
    return std::any_of(kEnds.begin(), kEnds.end(), [words](std::string_view end) {
      return words.find(end) != std::string_view::npos;
    });
  }

  Error dropped(CURL* handle) const {
    const char* from = nullptr;
    curl_easy_getinfo(handle, CURLINFO_LOCAL_IP, &from);
    return Error(
        errors::connection_dropped,
        fmt::format("{} takes a connection from {} and ends it without a word, as a server "
                    "does that has banned this address",
                    origin_, from == nullptr || *from == '\0' ? "this machine" : from));
  }

  Error tls_error(CURLcode code, CURL* handle, const Transfer& transfer) const {
    const HttpCertificate seen = judge_.last_seen();
    const std::string& pinned = options_.pinned_sha256_hex;
    if (!pinned.empty() && !seen.sha256_hex.empty() && seen.sha256_hex != pinned) {
      return Error(errors::certificate_mismatch,
                   fmt::format("{} shows certificate {}, agreed on is {}", origin_, seen.sha256_hex,
                               pinned));
    }
    long verify = 0;
    curl_easy_getinfo(handle, CURLINFO_SSL_VERIFYRESULT, &verify);
    if (verify == X509_V_ERR_CERT_NOT_YET_VALID) {
      return Error(
          errors::certificate_expired,
          fmt::format("the certificate of {} is not valid yet by the clock of this machine",
                      origin_));
    }
    if (verify == X509_V_ERR_CERT_HAS_EXPIRED) {
      return Error(errors::certificate_expired,
                   fmt::format("the certificate of {} ended at {}", origin_,
                               show_utc(seen.not_after * 1000)));
    }
    if (code == CURLE_PEER_FAILED_VERIFICATION) {
      return Error(errors::certificate_mismatch,
                   fmt::format("the certificate of {} is not trusted: {}", origin_,
                               verify == X509_V_OK ? "it names another host"
                                                   : X509_verify_cert_error_string(verify)));
    }
    return Error(errors::tls_failed, fmt::format("no TLS session with {}", origin_))
        .with_detail(transfer.words.data());
  }

  const HttpOptions options_;
  const std::string origin_;
  mutable CertificateJudge judge_;
  std::mutex mutex_;
  std::condition_variable turn_;
  std::size_t running_ = 0;
  std::vector<Handle> idle_;
};

}  // namespace

Result<std::unique_ptr<HttpClient>> make_http_client(HttpOptions options) {
  start_curl_once();
  const Blame blame = options.blame;
  const Url url(curl_url());
  const bool is_url = url && !options.url.empty() &&
                      options.url.find_first_of("\r\n") == std::string::npos &&
                      curl_url_set(url.get(), CURLUPART_URL, options.url.c_str(), 0) == CURLUE_OK;
  std::string origin = is_url ? origin_of(url.get()) : std::string();
  if (origin.empty()) {
    return Error(errors::protocol_violation,
                 "the URL of the server is not `http://` or `https://` with a host and without "
                 "credentials")
        .with_blame(Blame::plan);
  }
  const bool has_credentials = !options.user.empty() || !options.bearer_token.empty();
  if (options.is_unverified_allowed && options.pinned_sha256_hex.empty() && has_credentials) {
    return Error(
               errors::certificate_mismatch,
               fmt::format("credentials would go to {} without a look at its certificate", origin))
        .with_blame(blame);
  }
  options.pinned_sha256_hex = hex_only(options.pinned_sha256_hex);
  options.concurrent_max = std::max<std::size_t>(1, options.concurrent_max);
  return std::unique_ptr<HttpClient>(
      std::make_unique<CurlClient>(std::move(options), std::move(origin)));
}

Result<HttpCertificate> look_at_certificate(const std::string& url,
                                            const std::string& connect_address, Deadline deadline) {
  HttpOptions options;
  options.url = url;
  options.connect_address = connect_address;
  options.is_unverified_allowed = true;
  options.is_handshake_only = true;
  PLAN_TRY(client, make_http_client(std::move(options)));
  HttpRequest request;
  request.deadline = deadline;
  request.is_repeatable = true;
  auto answer = client->send(request);
  const HttpCertificate seen = client->certificate();
  if (!answer && seen.sha256_hex.empty()) return std::move(answer).error();
  return seen;
}

}  // namespace plan::net
