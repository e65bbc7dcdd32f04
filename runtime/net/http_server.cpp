#include "runtime/net/http_server.h"

#include <algorithm>
#include <charconv>

#include "compiler/source/text.h"
#include "runtime/net/connection_server.h"
#include "runtime/net/errors.h"

namespace plan::net {
namespace {

constexpr std::size_t kBodyBytesMaxByDefault = std::size_t{16} << 20U;
constexpr std::size_t kChunkLineBytesMax = 1024;
constexpr std::size_t kHeadersMax = 200;

bool is_token(std::string_view text) {
  if (text.empty()) return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

std::string_view reason_of(int status) {
  switch (status) {
    case 100:
      return "Continue";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 204:
      return "No Content";
    case 302:
      return "Found";
    case 307:
      return "Temporary Redirect";
    case 400:
      return "Bad Request";
    case 101:
      return "Switching Protocols";
    case 401:
      return "Unauthorized";
    case 402:
      return "Payment Required";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 409:
      return "Conflict";
    case 413:
      return "Content Too Large";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 503:
      return "Service Unavailable";
    default:
      return "Status";
  }
}

std::string render(const HttpServerResponse& response, bool is_head, bool keep_alive) {
  std::string out = "HTTP/1.1 " + std::to_string(response.status) + " ";
  out += reason_of(response.status);
  out += "\r\n";
  if (!response.content_type.empty()) out += "content-type: " + response.content_type + "\r\n";
  for (const auto& [name, value] : response.headers) out += name + ": " + value + "\r\n";
  if (response.goes_on) return out + "\r\n";
  if (response.status != 204)
    out += "content-length: " + std::to_string(response.body.size()) + "\r\n";
  if (!keep_alive) out += "connection: close\r\n";
  out += "\r\n";
  if (!is_head && response.status != 204) out += response.body;
  return out;
}

HttpServerResponse problem(int status) {
  HttpServerResponse response;
  response.status = status;
  response.content_type = "text/plain";
  response.body = std::string(reason_of(status)) + "\n";
  return response;
}

enum class BodyKind : std::uint8_t { none, sized, chunked, broken };

struct Framing {
  BodyKind kind = BodyKind::none;
  std::size_t size = 0;
};

Framing framing_of(const HttpServerRequest& request) {
  const bool has_length = request.has_header("content-length");
  const std::string_view coding = request.header("transfer-encoding");
  if (request.has_header("transfer-encoding")) {
    if (has_length || !equals_ignoring_case(coding, "chunked")) return {BodyKind::broken, 0};
    return {BodyKind::chunked, 0};
  }
  if (!has_length) return {};
  const std::string_view text = request.header("content-length");
  std::uint64_t size = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), size);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty())
    return {BodyKind::broken, 0};
  return {BodyKind::sized, static_cast<std::size_t>(size)};
}

// One conversation with one client.
class Conversation {
 public:
  Conversation(SocketStream& stream, const HttpServerOptions& options,
               const HttpServer::Handler& handler, const StopSignal& signal)
      : stream_(stream),
        options_(options),
        handler_(handler),
        signal_(signal),
        reader_(stream, options.header_bytes_max) {}

  void run() {
    while (one_request()) {
    }
    stream_.close();
  }

 private:
  bool send(const HttpServerResponse& response, bool is_head, bool keep_alive) {
    return stream_
               .write_all(render(response, is_head, keep_alive),
                          Deadline::after(options_.request_timeout))
               .has_value() &&
           keep_alive;
  }

  // False when the connection is over.
  bool one_request() {
    std::string head;
    for (;;) {
      auto line = read_line(
          reader_, head.empty() ? options_.idle_timeout : options_.request_timeout, signal_);
      if (!line) {
        if (line.error().is(errors::line_too_long)) send(problem(431), false, false);
        return false;
      }
      if (line->empty()) {
        if (head.empty()) continue;  // RFC 9112, 2.2: empty lines before a request are skipped
        break;
      }
      if (head.size() + line->size() + 2 > options_.header_bytes_max) {
        send(problem(431), false, false);
        return false;
      }
      head += *line;
      head += "\r\n";
    }
    auto parsed = parse_request_head(head + "\r\n");
    if (!parsed) return send(problem(400), false, false);
    HttpServerRequest& request = *parsed;
    request.peer_address = stream_.peer_address();
    request.local_port = stream_.local_port();
    request.is_tls = stream_.is_tls();

    const Framing framing = framing_of(request);
    if (framing.kind == BodyKind::broken) return send(problem(400), false, false);
    const std::size_t bound =
        options_.body_bytes_max ? options_.body_bytes_max(request) : kBodyBytesMaxByDefault;
    if (framing.kind == BodyKind::sized && framing.size > bound) {
      request.is_body_too_large = true;
    } else {
      if (framing.kind != BodyKind::none &&
          equals_ignoring_case(request.header("expect"), "100-continue") &&
          !stream_.write_all("HTTP/1.1 100 Continue\r\n\r\n",
                             Deadline::after(options_.request_timeout)))
        return false;
      if (framing.kind == BodyKind::sized && framing.size > 0) {
        auto body = reader_.bytes(framing.size, Deadline::after(options_.request_timeout));
        if (!body) return false;
        request.body = std::move(*body);
      } else if (framing.kind == BodyKind::chunked) {
        const std::optional<bool> fits = read_chunks(bound, request.body);
        if (!fits) return send(problem(400), false, false);
        request.is_body_too_large = !*fits;
      }
    }
    const bool keep_alive = !request.is_body_too_large && !signal_.is_stopping() &&
                            !equals_ignoring_case(request.header("connection"), "close");
    const HttpServerResponse response = handler_(request);
    if (response.is_connection_dropped) return false;
    const bool goes_on = send(response, request.method == "HEAD", keep_alive);
    if (response.goes_on) {
      if (goes_on || !keep_alive) response.goes_on(stream_, reader_, signal_);
      return false;
    }
    if (request.is_body_too_large) swallow();
    return goes_on;
  }

  // True: all of it is in `body`; false: it is larger than `bound`; nothing: broken.
  std::optional<bool> read_chunks(std::size_t bound, std::string& body) {
    for (;;) {
      auto line = reader_.line(Deadline::after(options_.request_timeout));
      if (!line || line->size() > kChunkLineBytesMax) return std::nullopt;
      const std::string_view digits = trim(std::string_view(*line).substr(0, line->find(';')));
      std::uint64_t size = 0;
      const auto [end, error] =
          std::from_chars(digits.data(), digits.data() + digits.size(), size, 16);
      if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size())
        return std::nullopt;
      if (size == 0) break;
      if (size > bound || body.size() > bound - size) {
        body.clear();
        return false;
      }
      auto bytes =
          reader_.bytes(static_cast<std::size_t>(size), Deadline::after(options_.request_timeout));
      if (!bytes) return std::nullopt;
      body += *bytes;
      auto after = reader_.line(Deadline::after(options_.request_timeout));
      if (!after || !after->empty()) return std::nullopt;
    }
    for (std::size_t count = 0; count < kHeadersMax; ++count) {
      auto trailer = reader_.line(Deadline::after(options_.request_timeout));
      if (!trailer) return std::nullopt;
      if (trailer->empty()) return true;
    }
    return std::nullopt;
  }

  // Reads on for a moment, so that the client sees our answer and not a reset.
  void swallow() {
    const Deadline end = Deadline::after(std::chrono::milliseconds(1000));
    char buffer[16384];
    std::size_t total = 0;
    while (!end.is_over() && total < (std::size_t{64} << 20U)) {
      auto got = stream_.read_some(buffer, sizeof buffer, end);
      if (!got || *got == 0) return;
      total += *got;
    }
  }

  SocketStream& stream_;
  const HttpServerOptions& options_;
  const HttpServer::Handler& handler_;
  const StopSignal& signal_;
  LineReader reader_;
};

}  // namespace

std::string_view HttpServerRequest::header(std::string_view name) const {
  for (const auto& [key, value] : headers)
    if (key == name) return value;
  return {};
}

bool HttpServerRequest::has_header(std::string_view name) const {
  return std::any_of(headers.begin(), headers.end(),
                     [name](const auto& entry) { return entry.first == name; });
}

std::optional<HttpServerRequest> parse_request_head(std::string_view head) {
  HttpServerRequest request;
  bool is_first = true;
  while (!head.empty()) {
    const std::size_t end = head.find("\r\n");
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(end + 2);
    if (line.empty())
      return !is_first && head.empty() ? std::optional(std::move(request)) : std::nullopt;
    if (line.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos)
      return std::nullopt;
    if (is_first) {
      is_first = false;
      const std::size_t first = line.find(' ');
      const std::size_t last = line.rfind(' ');
      if (first == std::string_view::npos || first == last) return std::nullopt;
      const std::string_view version = line.substr(last + 1);
      if (version != "HTTP/1.1" && version != "HTTP/1.0") return std::nullopt;
      request.method = std::string(line.substr(0, first));
      std::string_view target = line.substr(first + 1, last - first - 1);
      if (!is_token(request.method) || target.empty() || target.find(' ') != std::string_view::npos)
        return std::nullopt;
      if (const std::size_t scheme = target.find("://");
          target.front() != '/' && scheme != std::string_view::npos) {
        const std::size_t slash = target.find('/', scheme + 3);
        target = slash == std::string_view::npos ? "/" : target.substr(slash);
      }
      const std::size_t mark = target.find('?');
      request.path = std::string(target.substr(0, mark));
      if (mark != std::string_view::npos) request.query = std::string(target.substr(mark + 1));
      if (version == "HTTP/1.0") request.headers.emplace_back("connection", "close");
      continue;
    }
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) return std::nullopt;
    std::string name = lower_ascii(line.substr(0, colon));
    const std::string value(trim(line.substr(colon + 1)));
    const auto known = std::find_if(request.headers.begin(), request.headers.end(),
                                    [&name](const auto& entry) { return entry.first == name; });
    if (known == request.headers.end()) {
      if (request.headers.size() == kHeadersMax) return std::nullopt;
      request.headers.emplace_back(std::move(name), value);
    } else if (name == "content-length" || name == "transfer-encoding" || name == "host") {
      return std::nullopt;  // which of the two counts is the question that smuggling asks
    } else if (name == "connection") {
      known->second = value;
    } else {
      known->second += ", " + value;
    }
  }
  return std::nullopt;
}

std::optional<std::string> percent_decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    unsigned value = 0;
    if (text.size() - i < 3) return std::nullopt;
    const auto [end, error] = std::from_chars(text.data() + i + 1, text.data() + i + 3, value, 16);
    if (error != std::errc{} || end != text.data() + i + 3) return std::nullopt;
    out += static_cast<char>(value);
    i += 2;
  }
  return out;
}

struct HttpServer::State {
  HttpServerOptions options;
  Handler handler;
  std::unique_ptr<ConnectionServer> server;

  void serve(SocketStream& stream, const StopSignal& signal) const {
    if (options.is_turned_away && options.is_turned_away(stream.peer_address())) {
      stream.close();
      return;
    }
    if (options.tls &&
        !stream.accept_tls(*options.tls, Deadline::after(std::chrono::seconds(15)))) {
      stream.close();
      return;
    }
    Conversation(stream, options, handler, signal).run();
  }
};

HttpServer::HttpServer(std::unique_ptr<State> state) : state_(std::move(state)) {}

HttpServer::~HttpServer() { stop(); }

Result<std::unique_ptr<HttpServer>> HttpServer::start(HttpServerOptions options, Handler handler) {
  auto state = std::make_unique<State>();
  state->options = std::move(options);
  state->handler = std::move(handler);
  ConnectionServerOptions connection;
  connection.address = state->options.address;
  connection.port = state->options.port;
  connection.connections_max = state->options.connections_max;
  const State* raw = state.get();
  PLAN_TRY(server, ConnectionServer::start(connection, [raw](std::unique_ptr<SocketStream> stream,
                                                             const StopSignal& signal) {
             raw->serve(*stream, signal);
           }));
  state->server = std::move(server);
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(state)));
}

std::uint16_t HttpServer::port() const { return state_->server->port(); }

void HttpServer::stop() { state_->server->stop(); }

}  // namespace plan::net
