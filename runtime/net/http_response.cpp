// What an answer over HTTP says, and names in its URLs: no word of libcurl.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "compiler/source/text.h"
#include "runtime/net/errors.h"
#include "runtime/net/http_client.h"

namespace plan::net {
namespace {

constexpr std::chrono::seconds kRetryAfterMax{60};

}  // namespace

std::string_view HttpResponse::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return {};
}

Error http_error(const HttpResponse& response, Blame blame) {
  // Without the query, which may hold a secret.
  const std::string_view path =
      std::string_view(response.target).substr(0, response.target.find('?'));
  const std::string message =
      path.empty() ? fmt::format("the server answered with HTTP status {}", response.status)
                   : fmt::format("the server answered `{}` with HTTP status {}",
                                 printable(path, 200), response.status);
  if (response.status == 401) {
    return Error(errors::login_refused, message).with_blame(blame).with_detail(response.body);
  }
  Error error = Error(errors::http_status, message).with_blame(blame).with_detail(response.body);
  if (response.status == 429 || response.status == 503) {
    const std::string_view text = response.header("retry-after");
    int seconds = 1;
    std::from_chars(text.data(), text.data() + text.size(), seconds);
    const auto wait = std::clamp<std::chrono::milliseconds>(
        std::chrono::seconds(std::max(1, seconds)), std::chrono::seconds(1), kRetryAfterMax);
    return std::move(error).with_retry_after(wait);
  }
  if (response.status >= 500) return std::move(error).with_effect(Effect::unknown);
  return error;
}

std::string percent_encode(std::string_view text) {
  constexpr std::string_view kUnreserved = "-._~";
  std::string encoded;
  for (const char c : text) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c >= '0' && c <= '9') || kUnreserved.find(c) != std::string_view::npos;
    if (is_plain)
      encoded.push_back(c);
    else
      encoded += fmt::format("%{:02X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
  }
  return encoded;
}

}  // namespace plan::net
