// links: net
// What a JMAP server may say: the input is the session (up to the first NUL), the status (one byte)
// and the answer.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "compiler/source/check.h"
#include "runtime/net/jmap/client.h"

namespace {

using namespace plan::net;

class CannedHttp final : public HttpClient {
 public:
  plan::Result<HttpResponse> send(const HttpRequest& request) override {
    HttpResponse response;
    response.status = request.method == "GET" ? 200 : status;
    response.content_type = "application/json";
    response.body = std::string(request.method == "GET" ? session : answer);
    return response;
  }
  HttpCertificate certificate() const override { return {}; }
  const std::string& origin() const override { return origin_; }
  std::string_view session;
  std::string_view answer;
  int status = 200;

 private:
  std::string origin_ = "https://target.test";
};

class StillClock final : public Clock {
 public:
  Monotonic now() override { return Monotonic{}; }
  std::int64_t wall_ms() override { return 0; }
  void sleep_for(std::chrono::milliseconds) override {}
};

constexpr std::string_view kSession =
    R"({"capabilities":{"urn:ietf:params:jmap:core":{}},"username":"a","apiUrl":"/jmap/","uploadUrl":"/u/{accountId}/","downloadUrl":"/d/{blobId}","state":"s"})";

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  auto http = std::make_shared<CannedHttp>();
  const std::size_t end = input.find('\0');
  http->session = end == 0 || end == std::string_view::npos ? kSession : input.substr(0, end);
  input.remove_prefix(end == std::string_view::npos ? 0 : end + 1);
  if (!input.empty()) {
    constexpr int kStatus[] = {200, 200, 200, 400, 401, 403, 429, 500};
    http->status = kStatus[static_cast<unsigned char>(input.front()) % 8];
    input.remove_prefix(1);
  }
  http->answer = input;
  StillClock clock;
  jmap::Client client(http, plan::Blame::target, clock);
  const auto check = [](const plan::Error& error) {
    PLAN_CHECK(!error.message().empty(), "every error says something");
  };
  jmap::CallOptions options;
  options.is_read_only = true;
  if (auto answers = client.call({{.method = "A/get", .arguments = {}, .id = "c0"}}, options);
      !answers)
    check(answers.error());
  if (auto objects = client.get("Email", "a", {"1", "2"}); !objects) check(objects.error());
  jmap::SetRequest request;
  request.type = "x:Domain";
  request.create = plan::ir::Value::map({{"n", plan::ir::Value::map()}});
  request.destroy = {"d"};
  if (auto result = client.set(request); !result)
    check(result.error());
  else
    for (const auto& failure : result->failures)
      check(jmap::to_error(failure.error, "it", "set", plan::Blame::target));
  if (auto blob = client.upload("a", "x"); !blob) check(blob.error());
  return 0;
}
