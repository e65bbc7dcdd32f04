// The only file that includes toml++.
#include "runtime/proxy/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <fstream>
#include <set>
#include <sstream>

namespace {
struct BrokenToml {};
}  // namespace
// toml++ 3.3 takes some broken documents for its own bugs and asserts, such as a table header that
// begins with a brace (found by fuzz_proxy_control). Its assertions become exceptions, in every
// build, and all of them are caught below.
// (In its noexcept functions they still end the program; none of those is reached by a broken
// document.)
#undef NDEBUG
#if defined(__clang__)
#pragma GCC diagnostic ignored "-Wexceptions"
#else
#pragma GCC diagnostic ignored "-Wterminate"
#endif
#define TOML_EXCEPTIONS 1
#define TOML_ASSERT(expression) ((expression) ? void() : throw BrokenToml())
#include <toml++/toml.h>

#include "compiler/source/text.h"
#include "runtime/net/clock.h"
#include "runtime/net/errors.h"
#include "runtime/proxy/errors.h"

namespace plan::proxy {
namespace {

constexpr std::size_t kConfigBytesMax = 1024 * 1024;

/// The line of the first byte beyond ASCII that is in neither a string nor a comment; 0 when there
/// is none. TOML 1.0 has none there, and toml++ 3.3 has undefined behaviour for letters up to
/// U+0499.
int line_of_stray_letter(std::string_view text) {
  enum class In : std::uint8_t { code, comment, basic, literal };
  In in = In::code;
  int line = 1;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\n') ++line;
    switch (in) {
      case In::code:
        if ((static_cast<unsigned char>(c) & 0x80U) != 0) return line;
        if (c == '#') in = In::comment;
        if (c == '"') in = In::basic;
        if (c == '\'') in = In::literal;
        break;
      case In::comment:
        if (c == '\n') in = In::code;
        break;
      // Three quotes open, close and open again: strings of many lines need no case of their own.
      case In::basic:
        if (c == '\\') ++i;
        if (c == '"') in = In::code;
        break;
      case In::literal:
        if (c == '\'') in = In::code;
        break;
    }
  }
  return 0;
}

int line_of(const toml::node& node) { return static_cast<int>(node.source().begin.line); }

/// `20s`, `1500ms`, `35m`, `1h`.
std::optional<std::chrono::milliseconds> duration_of(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc{} || number < 0 || number > 1'000'000'000) return std::nullopt;
  const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  std::int64_t factor = 0;
  if (unit == "ms")
    factor = 1;
  else if (unit == "s")
    factor = 1000;
  else if (unit == "m" || unit == "min")
    factor = 60'000;
  else if (unit == "h")
    factor = 3'600'000;
  if (factor == 0) return std::nullopt;
  return std::chrono::milliseconds(number * factor);
}

/// One table: every key is taken once, and what nobody took is an unknown key.
class Section {
 public:
  Section(const toml::table& table, std::string path, std::vector<ConfigProblem>& problems)
      : table_(&table), path_(std::move(path)), problems_(&problems) {}

  void done() {
    for (const auto& [key, node] : *table_) {
      if (taken_.contains(std::string(key.str()))) continue;
      std::string words = fmt::format("unknown key `{}` in {}", printable(key.str(), 60), path_);
      std::vector<std::string_view> known(taken_.begin(), taken_.end());
      if (const auto near = nearest(key.str(), known))
        words += fmt::format("; did you mean `{}`?", *near);
      problem(line_of(node), words);
    }
  }
  const toml::node* take(const char* key) {
    taken_.insert(key);
    return table_->get(key);
  }
  void text(const char* key, std::string& out) {
    const toml::node* node = take(key);
    if (node == nullptr) return;
    if (const auto value = node->value_exact<std::string>())
      out = *value;
    else
      wrong(*node, key, "a text in quotes");
  }
  void boolean(const char* key, bool& out) {
    const toml::node* node = take(key);
    if (node == nullptr) return;
    if (const auto value = node->value_exact<bool>())
      out = *value;
    else
      wrong(*node, key, "true or false");
  }
  template <class Number>
  void number(const char* key, Number& out, std::int64_t least, std::int64_t most) {
    const toml::node* node = take(key);
    if (node == nullptr) return;
    const auto value = node->value_exact<std::int64_t>();
    if (value && *value >= least && *value <= most)
      out = static_cast<Number>(*value);
    else
      wrong(*node, key, fmt::format("a number from {} to {}", least, most));
  }
  void duration(const char* key, std::chrono::milliseconds& out, std::chrono::milliseconds least,
                std::chrono::milliseconds most) {
    const toml::node* node = take(key);
    if (node == nullptr) return;
    const auto value = node->value_exact<std::string>();
    const auto read = value ? duration_of(*value) : std::nullopt;
    if (read && *read >= least && *read <= most)
      out = *read;
    else
      wrong(*node, key,
            fmt::format("a duration with its unit (\"20s\") from {} to {}",
                        show_duration_ms(static_cast<std::uint64_t>(least.count())),
                        show_duration_ms(static_cast<std::uint64_t>(most.count()))));
  }
  template <class Enum>
  void choice(const char* key, Enum& out, std::optional<Enum> (*by_name)(std::string_view),
              const char* choices) {
    const toml::node* node = take(key);
    if (node == nullptr) return;
    const auto value = node->value_exact<std::string>();
    const auto read = value ? by_name(*value) : std::nullopt;
    if (read)
      out = *read;
    else
      wrong(*node, key, fmt::format("one of {}", choices));
  }
  const toml::table* table(const char* key) {
    const toml::node* node = take(key);
    if (node == nullptr) return nullptr;
    if (node->is_table()) return node->as_table();
    wrong(*node, key, "a table");
    return nullptr;
  }
  void problem(int line, std::string words) { problems_->push_back({line, std::move(words)}); }
  void wrong(const toml::node& node, const char* key, const std::string& wanted) {
    problem(line_of(node), fmt::format("`{}` in {} is not {}", key, path_, wanted));
  }
  [[nodiscard]] int line() const { return line_of(*table_); }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  const toml::table* table_;
  std::string path_;
  std::vector<ConfigProblem>* problems_;
  std::set<std::string> taken_;
};

bool is_hex_sha256(std::string_view text) {
  return text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) {
           return std::isxdigit(static_cast<unsigned char>(c)) != 0;
         });
}

void read_server(const toml::table& table, ProxyConfig& config,
                 std::vector<ConfigProblem>& problems) {
  using std::chrono::milliseconds;
  Section section(table, "[server]", problems);
  section.text("name", config.server_name);
  section.text("certificate", config.certificate);
  section.text("key", config.key);
  section.text("map", config.map_file);
  std::string missing = config.is_map_created ? "create" : "refuse";
  section.text("map_missing", missing);
  if (missing != "create" && missing != "refuse")
    section.problem(section.line(), "`map_missing` in [server] is not one of create, refuse");
  config.is_map_created = missing == "create";
  section.text("default_destination", config.default_destination);
  section.text("smtp_destination", config.smtp_destination);
  section.duration("hold_bound", config.hold_bound, milliseconds(100), milliseconds(600'000));
  section.duration("close_grace", config.close_grace, milliseconds(0), milliseconds(60'000));
  section.duration("keepalive", config.keepalive, milliseconds(100), milliseconds(600'000));
  if (const toml::node* node = section.take("master_separators")) {
    const toml::array* list = node->as_array();
    std::vector<std::string> separators;
    bool is_good = list != nullptr && list->size() <= 10;
    if (is_good) {
      for (const toml::node& item : *list) {
        const auto value = item.value_exact<std::string>();
        is_good = is_good && value && !value->empty() && value->size() <= 8 && *value != "@";
        if (is_good) separators.push_back(*value);
      }
    }
    if (is_good)
      config.master_separators = std::move(separators);
    else
      section.wrong(*node, "master_separators", "a list of at most 10 short texts, none of them @");
  }
  section.done();
  if (config.server_name.empty())
    section.problem(section.line(), "[server] needs `name`, the host name that greetings show");
  if (!std::all_of(config.server_name.begin(), config.server_name.end(), [](char c) {
        return c > 0x20 && c < 0x7f && c != '"' && c != '\\' && c != ']';
      })) {
    section.problem(section.line(), "`name` in [server] is no host name");
  }
  if (config.map_file.empty())
    section.problem(section.line(), "[server] needs `map`, the path of the account map");
  if (config.certificate.empty() != config.key.empty())
    section.problem(section.line(), "[server] has only one of `certificate` and `key`");
}

void read_limits(const toml::table& table, ProxyConfig& config,
                 std::vector<ConfigProblem>& problems) {
  using std::chrono::milliseconds;
  Section section(table, "[limits]", problems);
  section.number("connections", config.connections_max, 1, 1'000'000);
  section.number("connections_per_address", config.connections_per_address_max, 1, 1'000'000);
  section.duration("login_timeout", config.login_timeout, milliseconds(100),
                   milliseconds(3'600'000));
  section.duration("idle_timeout", config.idle_timeout, milliseconds(1000),
                   milliseconds(86'400'000));
  section.duration("backend_timeout", config.backend_timeout, milliseconds(100),
                   milliseconds(600'000));
  section.number("login_failures", config.login_failures_max, 1, 100);
  section.done();
}

void read_control(const toml::table& table, ProxyConfig& config,
                  std::vector<ConfigProblem>& problems) {
  Section section(table, "[control]", problems);
  std::string https;
  section.text("unix", config.control.unix_path);
  section.text("https", https);
  section.text("certificate", config.control.certificate);
  section.text("key", config.control.key);
  section.text("token_file", config.control.token_file);
  section.done();
  if (!https.empty()) {
    const std::size_t colon = https.rfind(':');
    int port = -1;
    if (colon != std::string::npos) {
      const auto [end, failure] =
          std::from_chars(https.data() + colon + 1, https.data() + https.size(), port);
      if (failure != std::errc{} || end != https.data() + https.size()) port = -1;
    }
    if (port < 0 || port > 65535 || colon == 0) {
      section.problem(section.line(), "`https` in [control] is not address:port");
    } else {
      std::string address = https.substr(0, colon);
      if (address.size() > 2 && address.front() == '[' && address.back() == ']')
        address = address.substr(1, address.size() - 2);
      config.control.https_address = address;
      config.control.https_port = static_cast<std::uint16_t>(port);
    }
    if (config.control.certificate.empty() && config.certificate.empty())
      section.problem(section.line(), "[control] `https` needs a certificate, here or in [server]");
  }
  if (config.control.unix_path.empty() && https.empty())
    section.problem(section.line(),
                    "[control] needs `unix` or `https`: without it plan cannot drive this proxy");
  if (config.control.token_file.empty())
    section.problem(section.line(), "[control] needs `token_file`");
}

void read_listener(const std::string& name, const toml::table& table, ProxyConfig& config,
                   std::vector<ConfigProblem>& problems) {
  Section section(table, "[listener." + name + "]", problems);
  ListenerConfig listener;
  listener.name = name;
  const bool has_protocol = table.contains("protocol");
  section.choice("protocol", listener.protocol, protocol_by_name,
                 "imap, pop3, sieve, submission, smtp");
  section.text("address", listener.address);
  section.number("port", listener.port, 0, 65535);
  section.choice("tls", listener.tls, tls_mode_by_name, "none, starttls, implicit");
  section.text("certificate", listener.certificate);
  section.text("key", listener.key);
  section.boolean("plain_login", listener.plain_login);
  section.done();
  if (!has_protocol) section.problem(section.line(), section.path() + " needs `protocol`");
  if (!table.contains("port")) section.problem(section.line(), section.path() + " needs `port`");
  if (listener.certificate.empty() != listener.key.empty())
    section.problem(section.line(), section.path() + " has only one of `certificate` and `key`");
  if (listener.tls != TlsMode::none && listener.certificate.empty() && config.certificate.empty()) {
    section.problem(
        section.line(),
        section.path() + " uses TLS but there is no certificate, neither here nor in [server]");
  }
  if (listener.protocol == Protocol::smtp && listener.tls == TlsMode::starttls) {
    section.problem(section.line(), section.path() +
                                        ": port 25 is relayed as it comes, so STARTTLS is between "
                                        "client and source; use tls = \"none\"");
  }
  if (listener.tls == TlsMode::none && !listener.plain_login &&
      listener.protocol != Protocol::smtp) {
    section.problem(section.line(), section.path() +
                                        ": nobody can log in without TLS; set tls, or plain_login "
                                        "= true for a network that you trust");
  }
  config.listeners.push_back(std::move(listener));
}

void read_destination(const std::string& name, const toml::table& table, ProxyConfig& config,
                      std::vector<ConfigProblem>& problems) {
  Section section(table, "[destination." + name + "]", problems);
  DestinationConfig destination;
  destination.name = name;
  section.text("address", destination.address);
  section.text("tls_name", destination.tls_name);
  section.text("certificate_sha256", destination.certificate_sha256);
  section.text("ca_file", destination.ca_file);
  section.boolean("unverified", destination.is_unverified_allowed);
  section.choice("announce", destination.announce, announce_by_name,
                 "none, native, proxy-v1, proxy-v2");
  std::erase(destination.certificate_sha256, ':');
  if (!destination.certificate_sha256.empty() && !is_hex_sha256(destination.certificate_sha256)) {
    section.problem(section.line(),
                    "`certificate_sha256` in " + section.path() + " is not 64 hex digits");
  }
  for (const Protocol protocol :
       {Protocol::imap, Protocol::pop3, Protocol::sieve, Protocol::submission, Protocol::smtp}) {
    const std::string key(to_string(protocol));
    const toml::table* endpoint_table = section.table(key.c_str());
    if (endpoint_table == nullptr) continue;
    Section inner(*endpoint_table, fmt::format("{} of [destination.{}]", key, name), problems);
    EndpointConfig endpoint;
    Announce announce = Announce::none;
    inner.number("port", endpoint.port, 1, 65535);
    inner.choice("tls", endpoint.tls, tls_mode_by_name, "none, starttls, implicit");
    inner.choice("announce", announce, announce_by_name, "none, native, proxy-v1, proxy-v2");
    if (endpoint_table->contains("announce")) endpoint.announce = announce;
    inner.done();
    if (endpoint.port == 0) inner.problem(inner.line(), inner.path() + " needs `port`");
    if (protocol == Protocol::smtp) {
      const Announce used = endpoint.announce.value_or(destination.announce);
      if (endpoint.tls == TlsMode::starttls)
        inner.problem(inner.line(),
                      inner.path() + ": port 25 is relayed as it comes; use tls = \"none\"");
      if (used != Announce::proxy_v1 && used != Announce::proxy_v2) {
        inner.problem(inner.line(),
                      inner.path() +
                          " needs announce = \"proxy-v1\" or \"proxy-v2\": without the header the "
                          "source takes every client for the proxy, "
                          "which makes an open relay where the proxy's network is trusted");
      }
    }
    destination.endpoints.emplace(protocol, endpoint);
  }
  section.done();
  if (destination.address.empty())
    section.problem(section.line(), section.path() + " needs `address`");
  if (destination.endpoints.empty())
    section.problem(section.line(),
                    section.path() + " has no endpoint (imap, pop3, sieve, submission, smtp)");
  config.destinations.emplace(name, std::move(destination));
}

void check_whole(const ProxyConfig& config, std::vector<ConfigProblem>& problems) {
  const auto problem = [&problems](std::string words) {
    problems.push_back({0, std::move(words)});
  };
  if (config.listeners.empty()) problem("there is no [listener.NAME]");
  const auto fallback = config.destinations.find(config.default_destination);
  if (fallback == config.destinations.end())
    problem(fmt::format("default_destination is `{}`, but there is no [destination.{}]",
                        config.default_destination, config.default_destination));
  for (const ListenerConfig& listener : config.listeners) {
    if (listener.protocol == Protocol::smtp) {
      const auto mail = config.destinations.find(config.smtp_destination);
      if (mail == config.destinations.end())
        problem(fmt::format("smtp_destination is `{}`, but there is no [destination.{}]",
                            config.smtp_destination, config.smtp_destination));
      else if (!mail->second.endpoints.contains(Protocol::smtp))
        problem(fmt::format("[listener.{}] relays port 25, but [destination.{}] has no `smtp`",
                            listener.name, mail->first));
      continue;
    }
    for (const auto& [name, destination] : config.destinations) {
      if (!destination.endpoints.contains(listener.protocol)) {
        problem(fmt::format(
            "[listener.{}] speaks {}, but [destination.{}] has no `{}`: logins of its accounts "
            "would fail",
            listener.name, to_string(listener.protocol), name, to_string(listener.protocol)));
      }
    }
    for (const ListenerConfig& other : config.listeners) {
      if (&other < &listener && other.port != 0 && other.port == listener.port &&
          other.address == listener.address) {
        problem(fmt::format("[listener.{}] and [listener.{}] have the same address and port",
                            other.name, listener.name));
      }
    }
    for (const auto& [name, destination] : config.destinations) {
      const auto endpoint = destination.endpoints.find(listener.protocol);
      if (endpoint != destination.endpoints.end() && listener.port != 0 &&
          endpoint->second.port == listener.port && destination.address == listener.address) {
        problem(fmt::format("[destination.{}] points at [listener.{}] of this proxy: a loop", name,
                            listener.name));
      }
    }
  }
}

}  // namespace

std::optional<ProxyConfig> read_config(std::string_view text,
                                       std::vector<ConfigProblem>& problems) {
  const std::size_t before = problems.size();
  if (text.size() > kConfigBytesMax) {
    problems.push_back({0, "the configuration is larger than 1 MiB"});
    return std::nullopt;
  }
  if (const int line = line_of_stray_letter(text); line != 0) {
    problems.push_back({line, "not TOML: letters beyond ASCII belong into a string or a comment"});
    return std::nullopt;
  }
  toml::table root;
  try {
    root = toml::parse(text);
  } catch (const toml::parse_error& failure) {
    problems.push_back({static_cast<int>(failure.source().begin.line),
                        "not TOML: " + printable(failure.description(), 300)});
    return std::nullopt;
  } catch (const BrokenToml&) {
    problems.push_back({0, "not TOML: a key or a table header cannot be read"});
    return std::nullopt;
  }
  ProxyConfig config;
  Section whole(root, "the file", problems);
  if (const toml::table* table = whole.table("server"))
    read_server(*table, config, problems);
  else
    problems.push_back({0, "there is no [server]"});
  if (const toml::table* table = whole.table("limits")) read_limits(*table, config, problems);
  if (const toml::table* table = whole.table("control"))
    read_control(*table, config, problems);
  else
    problems.push_back({0, "there is no [control]: without it plan cannot drive this proxy"});
  const auto each = [&](const char* key, auto read) {
    const toml::table* tables = whole.table(key);
    if (tables == nullptr) return;
    for (const auto& [name, node] : *tables) {
      if (node.is_table())
        read(std::string(name.str()), *node.as_table(), config, problems);
      else
        problems.push_back(
            {line_of(node), fmt::format("[{}.{}] is not a table", key, printable(name.str(), 60))});
    }
  };
  each("listener", read_listener);
  each("destination", read_destination);
  whole.done();
  check_whole(config, problems);
  std::stable_sort(
      problems.begin() + static_cast<std::ptrdiff_t>(before), problems.end(),
      [](const ConfigProblem& left, const ConfigProblem& right) { return left.line < right.line; });
  if (problems.size() > before) return std::nullopt;
  return config;
}

Result<ProxyConfig> load_config(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error(net::errors::file_unreadable, "cannot open " + path);
  std::string text(kConfigBytesMax + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  std::vector<ConfigProblem> problems;
  auto config = read_config(text, problems);
  if (config) return std::move(*config);
  std::string words;
  for (const ConfigProblem& problem : problems) {
    if (!words.empty()) words += "\n";
    words += problem.line > 0 ? fmt::format("{}:{}: {}", path, problem.line, problem.message)
                              : fmt::format("{}: {}", path, problem.message);
  }
  return Error(errors::proxy_config, words);
}

}  // namespace plan::proxy
