#include "runtime/dump/store/store_address.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>

#include "compiler/ir/json.h"
#include "runtime/dump/store/errors.h"

namespace plan::dump {
namespace {

constexpr std::size_t kConfigBytesMax = std::size_t{1} << 20U;

/// A password has no place in an address, and may stand in one that is wrong.
std::string without_password(std::string_view text) {
  const std::size_t scheme = text.find("://");
  const std::size_t host = text.rfind('@');
  if (scheme == std::string_view::npos || host == std::string_view::npos) return std::string(text);
  const std::size_t colon = text.find(':', scheme + 3);
  if (colon >= host) return std::string(text);
  return fmt::format("{}********{}", text.substr(0, colon + 1), text.substr(host));
}

Error wrong(std::string_view text, std::string_view why) {
  return Error(errors::store_address_wrong, fmt::format("{}: {}", without_password(text), why))
      .with_blame(Blame::plan);
}

Error not_supported(std::string_view kind) {
  return Error(errors::store_not_supported,
               fmt::format("`{}` is a kind of store that plan does not open", kind))
      .with_blame(Blame::plan);
}

/// Links are followed (secrets are often mounted as such); a pipe is refused and not waited for.
Result<std::string> read_small_file(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (file < 0) return wrong(path, fmt::format("cannot be read: {}", std::strerror(errno)));
  struct stat status = {};
  const bool is_file = ::fstat(file, &status) == 0 && S_ISREG(status.st_mode);
  std::string text(is_file ? kConfigBytesMax + 1 : 0, '\0');
  std::size_t filled = 0;
  ssize_t count = is_file ? 1 : 0;
  while (count > 0 && filled < text.size()) {
    do count = ::read(file, text.data() + filled, text.size() - filled);
    while (count < 0 && errno == EINTR);
    if (count > 0) filled += static_cast<std::size_t>(count);
  }
  const std::string why = count < 0 ? std::strerror(errno) : std::string();
  ::close(file);
  if (!is_file) return wrong(path, "is no regular file");
  if (!why.empty()) return wrong(path, "cannot be read: " + why);
  if (filled > kConfigBytesMax) return wrong(path, "is longer than the 1 MiB of a configuration");
  text.resize(filled);
  return text;
}

Result<secret::Secret> secret_of(const ir::Value& value, const std::string& file) {
  const std::string_view type = value["@type"].string_or("");
  if (value.is_null() || type == "None") return secret::Secret();
  if (type == "Value") return secret::Secret(std::string(value["secret"].string_or("")));
  if (type == "EnvironmentVariable") {
    const std::string name(value["variableName"].string_or(""));
    const char* text = std::getenv(name.c_str());
    if (text == nullptr) return wrong(file, fmt::format("the variable {} is not set", name));
    return secret::Secret(text);
  }
  if (type == "File") {
    PLAN_TRY(text, read_small_file(std::string(value["filePath"].string_or(""))));
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
    return secret::Secret(std::move(text));
  }
  return wrong(file, "its authSecret is of a kind that plan does not know");
}

Result<StoreAddress> from_config(const std::string& path) {
  PLAN_TRY(text, read_small_file(path));
  PLAN_TRY(config, ir::parse_json(text));
  const std::string_view type = config["@type"].string_or("");
  StoreAddress address;
  if (type == "RocksDb" || type == "Sqlite") {
    address.kind = type == "Sqlite" ? StoreKind::sqlite : StoreKind::rocksdb;
    address.path = config["path"].string_or("");
    if (address.path.empty()) return wrong(path, "has no path");
    return address;
  }
  if (type == "PostgreSql" || type == "MySql") {
    const bool is_postgres = type == "PostgreSql";
    address.kind = is_postgres ? StoreKind::postgresql : StoreKind::mysql;
    address.host = config["host"].string_or("");
    address.port = static_cast<std::uint16_t>(config["port"].integer_or(is_postgres ? 5432 : 3306));
    address.database = config["database"].string_or("stalwart");
    address.user = config["authUsername"].string_or("stalwart");
    address.uses_tls = config["useTls"].bool_or(false);
    PLAN_TRY(password, secret_of(config["authSecret"], path));
    address.password = std::move(password);
    if (address.host.empty()) return wrong(path, "has no host");
    return address;
  }
  if (type.empty()) return wrong(path, "is not the JSON file of a 0.16 server");
  return not_supported(type);
}

Result<StoreAddress> from_url(std::string_view text, StoreKind kind, std::string_view rest) {
  StoreAddress address;
  address.kind = kind;
  address.port = kind == StoreKind::postgresql ? 5432 : 3306;
  if (const std::size_t mark = rest.find('?'); mark != std::string_view::npos) {
    std::string_view options = rest.substr(mark + 1);
    rest = rest.substr(0, mark);
    while (!options.empty()) {
      const std::string_view option = options.substr(0, options.find('&'));
      options.remove_prefix(std::min(options.size(), option.size() + 1));
      if (option.starts_with("socket=")) {
        address.host = option.substr(7);
      } else if (option == "tls") {
        address.uses_tls = true;
      } else {
        return wrong(text, fmt::format("{} is not `socket=PATH` or `tls`", option));
      }
    }
  }
  const std::size_t slash = rest.find('/');
  if (slash == std::string_view::npos || slash + 1 == rest.size()) {
    return wrong(text, "names no database");
  }
  address.database = rest.substr(slash + 1);
  std::string_view place = rest.substr(0, slash);
  if (const std::size_t at = place.rfind('@'); at != std::string_view::npos) {
    address.user = place.substr(0, at);
    place.remove_prefix(at + 1);
  }
  if (address.user.find(':') != std::string::npos) {
    return Error(errors::store_address_wrong,
                 "a password in the address would stand in the process list; put it into a file "
                 "and name that with --password-file")
        .with_blame(Blame::plan);
  }
  if (address.user.empty()) return wrong(text, "names no user");
  // The colons of an IPv6 address stand in brackets.
  const std::size_t bracket = place.rfind(']');
  if (const std::size_t colon = place.rfind(':');
      colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket)) {
    const std::string_view digits = place.substr(colon + 1);
    const auto [end, code] =
        std::from_chars(digits.data(), digits.data() + digits.size(), address.port);
    if (code != std::errc() || end != digits.data() + digits.size() || address.port == 0) {
      return wrong(text, "its port is no number of 1 to 65535");
    }
    place = place.substr(0, colon);
  }
  if (place.starts_with('[') && place.ends_with(']')) place = place.substr(1, place.size() - 2);
  if (address.host.empty()) address.host = place;
  if (address.host.empty()) return wrong(text, "names no host");
  return address;
}

}  // namespace

std::string_view to_string(StoreKind kind) {
  switch (kind) {
    case StoreKind::sqlite:
      return "sqlite";
    case StoreKind::rocksdb:
      return "rocksdb";
    case StoreKind::postgresql:
      return "postgresql";
    case StoreKind::mysql:
      return "mysql";
  }
  return "unknown";
}

std::string StoreAddress::name() const {
  if (kind == StoreKind::sqlite || kind == StoreKind::rocksdb) {
    return fmt::format("{}:{}", to_string(kind), path);
  }
  return fmt::format("{}://{}@{}:{}/{}", to_string(kind), user, host, port, database);
}

Result<StoreAddress> parse_store_address(std::string_view text) {
  const auto after = [text](std::string_view prefix) -> std::string_view {
    return text.starts_with(prefix) ? text.substr(prefix.size()) : std::string_view();
  };
  StoreAddress address;
  if (const auto path = after("sqlite:"); !path.empty()) {
    address.kind = StoreKind::sqlite;
    address.path = path;
    return address;
  }
  if (const auto path = after("rocksdb:"); !path.empty()) {
    address.kind = StoreKind::rocksdb;
    address.path = path;
    return address;
  }
  if (const auto rest = after("postgresql://"); !rest.empty()) {
    return from_url(text, StoreKind::postgresql, rest);
  }
  if (const auto rest = after("mysql://"); !rest.empty()) {
    return from_url(text, StoreKind::mysql, rest);
  }
  if (const auto path = after("config:"); !path.empty()) return from_config(std::string(path));
  if (text.starts_with("redis:"))
    return wrong(text, "an in-memory store holds nothing that a dump has: name the data store");
  for (const std::string_view other : {"foundationdb", "s3", "azure"}) {
    if (text.starts_with(fmt::format("{}:", other))) return not_supported(other);
  }
  return wrong(text, "no form of a store that is known");
}

}  // namespace plan::dump
