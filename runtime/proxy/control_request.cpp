#include "runtime/proxy/control_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <unordered_set>
#include <utility>

#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/proxy/errors.h"
#include "runtime/proxy/limits.h"
#include "runtime/proxy/login_name.h"

namespace plan::proxy {
namespace {

constexpr std::array<std::pair<ControlOp, std::string_view>, 15> kOps = {{
    {ControlOp::status, "status"},
    {ControlOp::names, "names"},
    {ControlOp::map, "map"},
    {ControlOp::sessions, "sessions"},
    {ControlOp::hold, "hold"},
    {ControlOp::prepare, "prepare"},
    {ControlOp::unprepare, "unprepare"},
    {ControlOp::commit, "commit"},
    {ControlOp::abort, "abort"},
    {ControlOp::confirm, "confirm"},
    {ControlOp::kick, "kick"},
    {ControlOp::drain, "drain"},
    {ControlOp::probe, "probe"},
    {ControlOp::acquire, "acquire"},
    {ControlOp::take_over, "take-over"},
}};
constexpr std::size_t kListDefault = 1000;
constexpr std::size_t kListMax = 10'000;

Error malformed(std::string words) {
  return Error(errors::request_malformed, std::move(words)).with_blame(Blame::plan);
}

bool needs_names(ControlOp op) {
  switch (op) {
    case ControlOp::names:
    case ControlOp::hold:
    case ControlOp::prepare:
    case ControlOp::unprepare:
    case ControlOp::commit:
    case ControlOp::abort:
    case ControlOp::confirm:
    case ControlOp::kick:
      return true;
    case ControlOp::status:
    case ControlOp::map:
    case ControlOp::sessions:
    case ControlOp::drain:
    case ControlOp::probe:
    case ControlOp::acquire:
    case ControlOp::take_over:
      return false;
  }
  return false;
}

bool needs_generation(ControlOp op) {
  return op == ControlOp::hold || op == ControlOp::prepare || op == ControlOp::unprepare ||
         op == ControlOp::commit || op == ControlOp::abort;
}

bool needs_destination(ControlOp op) {
  return op == ControlOp::prepare || op == ControlOp::confirm || op == ControlOp::probe;
}

Outcome take_text(const ir::Value& document, std::string_view key, std::size_t bytes_max,
                  std::string& out) {
  const ir::Value& value = document[key];
  if (value.is_null()) return {};
  if (!value.is_string() || value.as_string().size() > bytes_max)
    return malformed("`" + std::string(key) + "` is not a text within its bound");
  out = value.as_string();
  return {};
}

}  // namespace

std::string_view to_string(ControlOp op) {
  for (const auto& [candidate, name] : kOps) {
    if (candidate == op) return name;
  }
  return "?";
}

Result<ControlRequest> read_control_request(std::string_view json) {
  ir::JsonLimits limits;
  limits.bytes_max = kControlRequestBytesMax;
  limits.depth_max = 8;
  auto parsed = ir::parse_json(json, limits);
  if (!parsed) return malformed("the request is not JSON: " + parsed.error().message());
  const ir::Value& document = *parsed;
  if (!document.is_map()) return malformed("the request is not an object");
  ControlRequest request;
  const std::string_view word = document["op"].string_or("");
  const auto op = std::find_if(kOps.begin(), kOps.end(),
                               [word](const auto& item) { return item.second == word; });
  if (op == kOps.end())
    return malformed("`op` is `" + printable(word, 40) + "`, which is no operation");
  request.op = op->first;
  const ir::Value& names = document["names"];
  if (!names.is_null()) {
    if (!names.is_list() || names.size() > kControlNamesMax)
      return malformed("`names` is not a list within its bound");
    std::unordered_set<std::string> seen;
    for (const ir::Value& item : names.items()) {
      std::string name = normal_login(item.string_or(""));
      if (!is_login_name(name))
        return malformed("`names` has `" + printable(name, 60) + "`, which is no login name");
      if (seen.insert(name).second) request.names.push_back(std::move(name));
    }
  }
  if (needs_names(request.op) && request.names.empty()) return malformed("`names` is empty");
  const std::int64_t generation = document["generation"].integer_or(0);
  if (needs_generation(request.op) && generation <= 0)
    return malformed("`generation` is not a number above 0");
  request.generation = static_cast<std::uint64_t>(std::max<std::int64_t>(generation, 0));
  request.bound_ms = document["bound_ms"].integer_or(0);
  if (request.bound_ms < 0 || request.bound_ms > kHoldBoundMsMax)
    return malformed(
        fmt::format("`bound_ms` is {}, it takes 0 to {}", request.bound_ms, kHoldBoundMsMax));
  PLAN_TRY_VOID(take_text(document, "destination", 200, request.destination));
  PLAN_TRY_VOID(take_text(document, "lease", 500, request.lease));
  PLAN_TRY_VOID(take_text(document, "protocol", 20, request.protocol));
  PLAN_TRY_VOID(take_text(document, "login", kNameBytesMax, request.login));
  PLAN_TRY_VOID(take_text(document, "password", kCredentialBytesMax, request.password));
  PLAN_TRY_VOID(take_text(document, "after", kNameBytesMax, request.after));
  if (needs_destination(request.op) && request.destination.empty())
    return malformed("`destination` is missing");
  if ((request.op == ControlOp::take_over || request.op == ControlOp::acquire) &&
      request.lease.empty())
    return malformed("`lease` is missing");
  const std::int64_t count = document["count"].integer_or(kListDefault);
  request.count = static_cast<std::size_t>(std::clamp<std::int64_t>(count, 1, kListMax));
  return request;
}

std::optional<ControlHttpHead> read_http_head(std::string_view head) {
  ControlHttpHead result;
  std::size_t end = head.find("\r\n");
  std::string_view first = head.substr(0, end);
  const std::size_t blank = first.find(' ');
  const std::size_t second = blank == std::string_view::npos ? blank : first.find(' ', blank + 1);
  if (second == std::string_view::npos || first.substr(second + 1) != "HTTP/1.1")
    return std::nullopt;
  result.is_post = first.substr(0, blank) == "POST";
  result.path = std::string(first.substr(blank + 1, second - blank - 1));
  bool has_length = false;
  bool has_authorization = false;
  while (end != std::string_view::npos) {
    const std::size_t begin = end + 2;
    end = head.find("\r\n", begin);
    const std::string_view line =
        head.substr(begin, end == std::string_view::npos ? end : end - begin);
    if (line.empty()) continue;
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0 || line[0] == ' ' || line[0] == '\t' ||
        line[colon - 1] == ' ')
      return std::nullopt;
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = trim(line.substr(colon + 1));
    if (equals_ignoring_case(name, "Content-Length")) {
      if (has_length || value.empty() || value.size() > 9) return std::nullopt;
      const auto [rest, failure] =
          std::from_chars(value.data(), value.data() + value.size(), result.content_length);
      if (failure != std::errc{} || rest != value.data() + value.size()) return std::nullopt;
      has_length = true;
    } else if (equals_ignoring_case(name, "Transfer-Encoding")) {
      return std::nullopt;  // never sent by our client; two lengths in one request are how requests
                            // are smuggled
    } else if (equals_ignoring_case(name, "Authorization")) {
      if (has_authorization) return std::nullopt;
      has_authorization = true;
      if (value.size() > 7 && equals_ignoring_case(value.substr(0, 7), "Bearer "))
        result.bearer = std::string(value.substr(7));
    } else if (equals_ignoring_case(name, "Connection")) {
      result.is_kept_alive = !equals_ignoring_case(value, "close");
    }
  }
  return result;
}

}  // namespace plan::proxy
