#pragma once
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "tests/support/fake_http_server.h"

namespace plan::test {

/// The settings and principals of a Stalwart 0.15 and the interface to them, as far as plan needs
/// it: a file whose keys win, a database, expressions of several lines, reloads, lists by page.
/// Tests hold it to the recordings with the real server. It judges the shape of an expression,
/// never what it says.
class OldServer {
 public:
  using Settings = std::map<std::string, std::string>;

  Settings file = {};
  Settings database = {};
  Settings loaded = {};  ///< since the last reload of everything
  std::string version = "0.15.5";
  std::set<std::string> refused = {};  ///< texts that the server cannot make sense of
  std::vector<std::string> calls = {};
  std::vector<ir::Value> principals = {};  ///< whole, as a list without `fields` has them
  /// Before each page of principals, counted from 0: others work there meanwhile.
  std::function<void(OldServer&, std::size_t)> before_page = {};
  std::size_t pages = 0;
  int calls_until_cut =
      -1;  ///< counted down; the call that comes to 0 has its effect and no answer

  [[nodiscard]] Settings all() const {
    Settings both = database;
    std::erase_if(both, [](const auto& one) { return is_local(one.first); });
    for (const auto& [key, value] : file) both[key] = value;
    return both;
  }

  FakeAnswer answer(const FakeRequest& request) {
    calls.push_back(request.method + " " + request.target);
    FakeAnswer answer;
    ir::Value body = reply(request, answer.status);
    answer.headers = {{"Content-Type", "application/json; charset=utf-8"}};
    answer.body = ir::canonical_json(body);
    if (calls_until_cut > 0 && --calls_until_cut == 0) answer.fault = FakeAnswer::Fault::drop;
    return answer;
  }

  ir::Value reply(const FakeRequest& request, int& status) {
    const std::size_t mark = request.target.find('?');
    const std::string path = request.target.substr(0, mark);
    const std::map<std::string, std::string> query =
        mark == std::string::npos ? std::map<std::string, std::string>()
                                  : pairs_of(request.target.substr(mark + 1));
    const auto value = [&](const char* name) {
      const auto found = query.find(name);
      return found == query.end() ? std::string() : found->second;
    };
    status = 200;
    if (request.method == "POST" && path == "/api/oauth")
      return data(ir::Value::map({{"version", version}, {"code", "one-time"}}));
    if (request.method == "GET" && path == "/api/settings/keys")
      return data(as_value(keys(value("keys"), value("prefixes"))));
    if (request.method == "GET" && path == "/api/settings/list") {
      ir::Value items = as_value(list(value("prefix")));
      const auto total = static_cast<std::int64_t>(items.members().size());
      return data(ir::Value::map({{"total", total}, {"items", std::move(items)}}));
    }
    if (request.method == "GET" && path == "/api/principal") {
      if (before_page) before_page(*this, pages);
      ++pages;
      return list_principals(value("types").empty() ? value("type") : value("types"),
                             value("fields"), value("page"), value("limit"),
                             !value("count").empty());
    }
    if (request.method == "POST" && path == "/api/settings") return write(request.body, status);
    if (request.method == "DELETE" && path.starts_with("/api/settings/")) {
      remove(path.substr(14));
      return data({});
    }
    if (request.method == "GET" && path.starts_with("/api/reload")) {
      ir::Value broken = errors();
      const bool is_lookup = path == "/api/reload/lookup";
      if (broken.members().empty() && !is_lookup && value("dry-run").empty()) loaded = all();
      if (is_lookup) broken = ir::Value::map();
      return data(ir::Value::map({{"warnings", ir::Value::map()}, {"errors", std::move(broken)}}));
    }
    status = 404;
    return ir::Value::map({{"status", 404}, {"title", "Not Found"}});
  }

 private:
  static ir::Value data(ir::Value value) { return ir::Value::map({{"data", std::move(value)}}); }
  static ir::Value as_value(const Settings& settings) {
    ir::Value map = ir::Value::map();
    for (const auto& [key, value] : settings) map.set(key, value);
    return map;
  }
  static std::string decoded(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '%' && i + 2 < text.size()) {
        out += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
        i += 2;
      } else {
        out += text[i] == '+' ? ' ' : text[i];
      }
    }
    return out;
  }
  /// Pairs without a value vanish.
  static std::map<std::string, std::string> pairs_of(const std::string& query) {
    std::map<std::string, std::string> pairs;
    for (const std::string_view pair : split(query, '&')) {
      const std::size_t equals = pair.find('=');
      if (equals == std::string_view::npos || equals + 1 == pair.size()) continue;
      pairs[std::string(pair.substr(0, equals))] = decoded(pair.substr(equals + 1));
    }
    return pairs;
  }

  static std::size_t number_of(const std::string& text) {
    return text.empty() || text.find_first_not_of("0123456789") != std::string::npos
               ? 0
               : std::stoul(text);
  }

  /// Types that there are not are passed over, and none that is left means all; so with fields.
  [[nodiscard]] ir::Value list_principals(const std::string& types, const std::string& fields,
                                          const std::string& page, const std::string& limit,
                                          bool is_count) const {
    const std::set<std::string_view> known = {"individual", "group",      "resource", "location",
                                              "list",       "tenant",     "role",     "domain",
                                              "apiKey",     "oauthClient"};
    const std::set<std::string_view> known_fields = {
        "name",        "emails",  "secrets",         "quota",
        "usedQuota",   "roles",   "memberOf",        "lists",
        "members",     "urls",    "externalMembers", "enabledPermissions",
        "description", "picture", "locale",          "disabledPermissions"};
    std::set<std::string> wanted;
    for (const std::string_view type : split(types, ','))
      if (type == "superuser" || known.contains(type))
        wanted.insert(type == "superuser" ? "individual" : std::string(type));
    std::set<std::string> shown;
    for (const std::string_view field : split(fields, ','))
      if (known_fields.contains(field)) shown.insert(std::string(field));
    std::map<std::string, const ir::Value*> found;
    for (const ir::Value& one : principals) {
      if (wanted.empty() || wanted.contains(std::string(one["type"].string_or(""))))
        found[std::string(one["name"].string_or(""))] = &one;
    }
    const std::size_t size = number_of(limit);
    const std::size_t first =
        size == 0 ? 0 : size * (std::max<std::size_t>(number_of(page), 1) - 1);
    ir::Value items = ir::Value::list();
    std::size_t at = 0;
    for (const auto& [name, one] : found) {
      const bool is_here = at >= first && (size == 0 || at < first + size);
      ++at;
      if (!is_here || is_count) continue;
      ir::Value item = ir::Value::map();
      for (const auto& [key, member] : one->members())
        if (shown.empty() || key == "id" || key == "type" || shown.contains(key))
          item.set(key, member);
      items.push_back(std::move(item));
    }
    return data(ir::Value::map(
        {{"items", std::move(items)}, {"total", static_cast<std::int64_t>(found.size())}}));
  }

  static bool is_local(const std::string& key) {
    if (key.starts_with("server.allowed-ip.") || key.starts_with("server.blocked-ip."))
      return false;
    for (const char* prefix :
         {"store.", "directory.", "tracer.", "server.", "certificate.", "config.local-keys.",
          "authentication.fallback-admin.", "cluster.", "storage."})
      if (key.starts_with(prefix)) return true;
    return false;
  }

  [[nodiscard]] Settings keys(const std::string& wanted, const std::string& prefixes) const {
    Settings found;
    const Settings both = all();
    for (const std::string_view key : split(wanted, ',')) {
      const auto at = both.find(std::string(key));
      if (at != both.end()) found.insert(*at);
    }
    for (const std::string_view prefix : split(prefixes, ',')) {
      if (prefix.empty()) continue;
      for (const auto& one : both)
        if (one.first.starts_with(std::string(prefix) + ".")) found.insert(one);
    }
    return found;
  }
  [[nodiscard]] Settings list(std::string prefix) const {
    if (!prefix.empty() && !prefix.ends_with('.')) prefix += '.';
    Settings found;
    for (const auto& [key, value] : all())
      if (key.starts_with(prefix)) found[key.substr(prefix.size())] = value;
    return found;
  }

  void insert(const std::string& key, const std::string& value) {
    (is_local(key) ? file : database)[key] = value;
  }
  void remove(const std::string& key) {
    if (is_local(key)) file.erase(key);
    database.erase(key);
  }

  ir::Value write(const std::string& body, int& status) {
    const auto operations = ir::parse_json(body);
    if (!operations || !operations->is_list() || !are_sound(*operations)) {
      status = 400;
      return ir::Value::map({{"status", 400}, {"title", "Invalid parameters"}});
    }
    for (const ir::Value& operation : operations->items()) {
      const std::string_view type = operation["type"].string_or("");
      if (type == "delete") {
        for (const ir::Value& key : operation["keys"].items())
          remove(std::string(key.string_or("")));
      } else if (type == "clear") {
        clear(operation);
      } else if (!insert_all(operation)) {
        return ir::Value::map({{"error", "assertFailed"}});
      }
    }
    return data({});
  }

  /// Read as a whole before anything is done.
  static bool are_sound(const ir::Value& operations) {
    for (const ir::Value& operation : operations.items()) {
      const std::string_view type = operation["type"].string_or("");
      if (type != "insert" && type != "delete" && type != "clear") return false;
      if (type == "insert" && !operation["assert_empty"].is_bool()) return false;
      for (const ir::Value& pair : operation["values"].items()) {
        if (pair.size() != 2 || !pair.item(0).is_string() || !pair.item(1).is_string())
          return false;
      }
    }
    return true;
  }

  bool insert_all(const ir::Value& operation) {
    std::string prefix(operation["prefix"].string_or(""));
    if (!prefix.empty()) prefix += '.';
    if (operation["assert_empty"].bool_or(false)) {
      const Settings both = all();
      for (const auto& [key, value] : both)
        if (!prefix.empty() && key.starts_with(prefix)) return false;
      if (prefix.empty() &&
          both.contains(std::string(operation["values"].item(0).item(0).string_or(""))))
        return false;
    }
    for (const ir::Value& pair : operation["values"].items())
      insert(prefix + std::string(pair.item(0).string_or("")),
             std::string(pair.item(1).string_or("")));
    return true;
  }

  /// A bare prefix; the file's keys go too.
  void clear(const ir::Value& operation) {
    const std::string prefix(operation["prefix"].string_or(""));
    const std::string filter(operation["filter"].string_or(""));
    for (Settings* settings : {&file, &database}) {
      std::erase_if(*settings, [&](const auto& one) {
        if (!one.first.starts_with(prefix)) return false;
        return filter.empty() || lower_ascii(one.first).find(filter) != std::string::npos ||
               lower_ascii(one.second).find(filter) != std::string::npos;
      });
    }
  }

  [[nodiscard]] ir::Value errors() const {
    ir::Value broken = ir::Value::map();
    const auto add = [&](const std::string& key, const char* why) {
      broken.set(key, ir::Value::map({{"type", "parse"}, {"error", why}}));
    };
    const Settings both = all();
    std::map<std::string, std::map<std::string, std::set<std::string>>> blocks;
    for (const auto& [key, value] : both) {
      if (refused.contains(value)) add(key, "Invalid variable or constant");
      const bool is_expression = key.starts_with("session.") || key.starts_with("auth.") ||
                                 key.starts_with("queue.strategy.");
      if (!is_expression) continue;
      // KEY.NUMBER or KEY.NUMBER.WORD
      const std::vector<std::string_view> parts = split(key, '.');
      for (std::size_t i = parts.size(); i-- > 1;) {
        if (parts[i].empty() || parts[i].find_first_not_of("0123456789") != std::string_view::npos)
          continue;
        const auto begin = static_cast<std::size_t>(parts[i].data() - key.data());
        const std::string word =
            i + 1 < parts.size() ? key.substr(begin + parts[i].size() + 1) : std::string();
        blocks[key.substr(0, begin - 1)][std::string(parts[i])].insert(word);
        break;
      }
    }
    for (const auto& [key, lines] : blocks) {
      if (both.contains(key)) continue;  // the plain key hides the block
      std::size_t seen = 0;
      for (const auto& [number, words] : lines) {
        ++seen;
        const bool is_else = words == std::set<std::string>{"else"};
        const bool is_rule = words == std::set<std::string>{"if", "then"};
        if ((!is_else && !is_rule) || is_else != (seen == lines.size()) || lines.size() < 2)
          add(key, "block");
      }
    }
    return broken;
  }
};

}  // namespace plan::test
