#pragma once
#include <algorithm>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "compiler/ir/digest.h"
#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "tests/support/fake_http_server.h"
#include "tests/unit/runtime/server/stalwart15/old_mail.h"

namespace plan::test {

/// The settings and principals of a Stalwart 0.15 and the interface to them, as far as plan needs
/// it: a file whose keys win, a database, expressions of several lines, reloads, lists by page, the
/// rights of accounts, lookup lists, and the queue behind a port 25. Tests hold it to the
/// recordings with the real server. It judges the shape of an expression, and only of
/// `queue.strategy.route` what it says.
class OldServer {
 public:
  using Settings = std::map<std::string, std::string>;

  OldServer() {
    mail.route = [this](const std::string& address) { return route_of(address); };
    mail.refusal = [this](const std::string& route) { return refusal_of(route); };
  }
  OldServer(const OldServer&) = delete;
  OldServer& operator=(const OldServer&) = delete;

  OldMail mail = {};
  std::map<std::string, std::set<std::string>> lists = {};  ///< lookup lists as they are loaded
  std::set<std::string> open_ports = {};  ///< "new.target.test:25": where somebody listens
  std::set<std::string> local_domains = {"old.test"};
  std::string master = "master:master-secret";       ///< its name and password
  bool ignores_rights = false;                       ///< lets everybody write by JMAP
  std::function<void(OldServer&)> after_write = {};  ///< of settings, once: others write too

  /// What a test does to it while its threads may be at work.
  template <class Function>
  auto locked(Function function) {
    const std::lock_guard lock(mutex_);
    return function(*this);
  }

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

  /// A message at port 25; nothing: refused. May be called from any thread.
  std::optional<std::uint64_t> take(const std::string& sender,
                                    const std::vector<std::string>& recipients,
                                    const std::string& text) {
    const std::lock_guard lock(mutex_);
    if (std::any_of(recipients.begin(), recipients.end(),
                    [&](const std::string& one) { return mail.unknown.contains(one); }))
      return std::nullopt;
    return mail.accept(sender, recipients, text);
  }

  FakeAnswer answer(const FakeRequest& request) {
    const std::lock_guard lock(mutex_);
    calls.push_back(request.method + " " + request.target);
    FakeAnswer answer;
    ir::Value body = reply(request, answer.status);
    answer.headers = {{"Content-Type", "application/json; charset=utf-8"}};
    answer.body = ir::canonical_json(body);
    if (answer.status == kBytes) {
      answer.status = 200;
      answer.headers = {{"Content-Type", "application/octet-stream"}};
      answer.body = body.string_or("");
    }
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
    if (path.starts_with("/api/principal/")) {
      const std::string name = decoded(path.substr(15));
      if (request.method == "GET") return one_principal(name);
      if (request.method == "PATCH") return change_principal(name, request.body, status);
    }
    if (path.starts_with("/api/queue/messages")) {
      const std::uint64_t from = number_of(value("range-start"));
      return of_queue(request.method, path.substr(19), from, number_of(value("limit")), status);
    }
    if (request.method == "GET" && path.starts_with("/api/store/blobs/hash"))
      return blob(number_of(path.substr(21)), number_of(value("limit")), status);
    if (request.method == "POST" && path == "/jmap/") return jmap(request, status);
    if (request.method == "POST" && path == "/api/settings") {
      ir::Value done = write(request.body, status);
      if (const auto others = std::exchange(after_write, {})) others(*this);
      return done;
    }
    if (request.method == "DELETE" && path.starts_with("/api/settings/")) {
      remove(path.substr(14));
      return data({});
    }
    if (request.method == "GET" && path.starts_with("/api/reload")) {
      ir::Value broken = errors();
      const bool is_lookup = path == "/api/reload/lookup";
      if (broken.members().empty() && !is_lookup && value("dry-run").empty()) {
        loaded = all();
        load_lists(false);
      }
      if (is_lookup) {
        broken = ir::Value::map();
        load_lists(true);
      }
      return data(ir::Value::map({{"warnings", ir::Value::map()}, {"errors", std::move(broken)}}));
    }
    status = 404;
    return ir::Value::map({{"status", 404}, {"title", "Not Found"}});
  }

 private:
  static constexpr int kBytes = -1;  ///< the answer is no JSON

  /// A full reload adds lists and changes none that is loaded; that of the lists changes those that
  /// are loaded and still have a key, and adds none.
  void load_lists(bool is_of_lists) {
    std::map<std::string, std::set<std::string>> now;
    for (const auto& [key, value] : all()) {
      if (!key.starts_with("lookup.")) continue;
      const std::size_t dot = key.find('.', 7);
      if (dot != std::string::npos) now[key.substr(7, dot - 7)].insert(key.substr(dot + 1));
    }
    for (auto& [name, keys] : now) {
      if (lists.contains(name) == is_of_lists) lists[name] = std::move(keys);
    }
  }

  /// The first rule of the loaded expression that applies, without its quotes.
  [[nodiscard]] std::string route_of(const std::string& address) const {
    const std::string prefix = "queue.strategy.route.";
    bool applies = false;
    for (auto at = loaded.lower_bound(prefix); at != loaded.end() && at->first.starts_with(prefix);
         ++at) {
      const std::string word = at->first.substr(at->first.rfind('.') + 1);
      if (word == "if") applies = is_true(at->second, address);
      if (word == "else" || (word == "then" && applies))
        return at->second.substr(1, at->second.size() - 2);
    }
    return local_domains.contains(address.substr(address.rfind('@') + 1)) ? "local" : "mx";
  }
  [[nodiscard]] bool is_true(const std::string& condition, const std::string& address) const {
    const std::string begin = "key_exists('";
    if (condition.starts_with(begin) && condition.ends_with("', rcpt)")) {
      const auto list =
          lists.find(condition.substr(begin.size(), condition.size() - begin.size() - 8));
      return list != lists.end() && list->second.contains(address);
    }
    if (condition == "is_local_domain('*', rcpt_domain)")
      return local_domains.contains(address.substr(address.rfind('@') + 1));
    return false;
  }
  [[nodiscard]] std::string refusal_of(const std::string& route) const {
    const auto value = [&](const char* key) {
      const auto found = loaded.find("queue.route." + route + "." + key);
      return found == loaded.end() ? std::string() : found->second;
    };
    if (value("type") != "relay" || open_ports.contains(value("address") + ":" + value("port")))
      return "";
    return "Error for " + value("address") +
           ": Connection failed: I/O error: Connection refused (os error 111)";
  }

  [[nodiscard]] ir::Value* find_principal(const std::string& name) {
    const auto found =
        std::find_if(principals.begin(), principals.end(),
                     [&](const ir::Value& one) { return one["name"].string_or("") == name; });
    return found == principals.end() ? nullptr : &*found;
  }
  static ir::Value not_found(const std::string& name) {
    return ir::Value::map({{"error", "notFound"}, {"item", name}});
  }
  [[nodiscard]] ir::Value one_principal(const std::string& name) {
    const ir::Value* one = find_principal(name);
    return one == nullptr ? not_found(name) : data(*one);
  }
  /// Only lists of texts, and of those only what drivers may change.
  ir::Value change_principal(const std::string& name, const std::string& body, int& status) {
    const auto changes = ir::parse_json(body);
    const bool is_sound =
        changes && changes->is_list() &&
        std::all_of(changes->items().begin(), changes->items().end(), [](const ir::Value& one) {
          const std::string_view action = one["action"].string_or("");
          return action == "set" || action == "addItem" || action == "removeItem";
        });
    if (!is_sound) {
      status = 400;
      return ir::Value::map({{"status", 400}, {"title", "Invalid parameters"}});
    }
    ir::Value* one = find_principal(name);
    if (one == nullptr) return not_found(name);
    for (const ir::Value& change : changes->items()) {
      const std::string field(change["field"].string_or(""));
      ir::Value list = (*one)[field].is_list() ? (*one)[field] : ir::Value::list();
      if (change["action"].string_or("") == "set") {
        list = change["value"];
        // The other two of these are lost with it.
        for (const char* other : {"roles", "memberOf", "lists"}) {
          if (field == "roles" || field == "memberOf" || field == "lists")
            one->as_map().erase(other);
        }
      } else {
        std::erase(list.as_list(), change["value"]);
        if (change["action"].string_or("") == "addItem") list.push_back(change["value"]);
      }
      if (list.is_list() && list.size() == 0) {
        one->as_map().erase(field);
      } else {
        one->set(field, std::move(list));
      }
    }
    return data({});
  }

  ir::Value of_queue(const std::string& method, const std::string& rest, std::uint64_t from,
                     std::size_t limit, int& status) {
    if (rest.empty() && method == "GET") {
      ir::Value items = ir::Value::list();
      std::int64_t total = 0;
      for (const OldMail::Message& message : mail.queue) {
        if (message.id < from) continue;
        ++total;
        if (limit == 0 || items.size() < limit) items.push_back(mail.listed(message));
      }
      return data(ir::Value::map(
          {{"items", std::move(items)}, {"total", total}, {"status", mail.is_running}}));
    }
    const std::uint64_t id = rest.empty() ? 0 : number_of(rest.substr(1));
    const auto found = std::find_if(mail.queue.begin(), mail.queue.end(),
                                    [&](const OldMail::Message& one) { return one.id == id; });
    if (found == mail.queue.end()) {
      status = 404;
      return ir::Value::map({{"status", 404}, {"title", "Not Found"}});
    }
    if (method == "GET") return data(mail.listed(*found));
    // Another time for a try is answered with `true` as well, and not taken.
    if (method == "DELETE") mail.queue.erase(found);
    return data(true);
  }

  ir::Value blob(std::uint64_t id, std::size_t limit, int& status) {
    for (const OldMail::Message& message : mail.queue) {
      if (message.id != id) continue;
      status = kBytes;
      return "X-Spam-Result: ARC_NA (0.00)\r\n" +
             message.text.substr(0, limit == 0 ? message.text.size() : limit);
    }
    return not_found("");
  }

  /// As the master user, who has the rights of the account.
  ir::Value jmap(const FakeRequest& request, int& status) {
    const auto header = request.headers.find("authorization");
    bool is_valid = false;
    const std::string login = header == request.headers.end()
                                  ? std::string()
                                  : ir::from_base64(header->second.substr(6), &is_valid);
    const std::size_t mark = login.find('%');
    const ir::Value* account =
        mark == std::string::npos ? nullptr : find_principal(login.substr(0, mark));
    if (account == nullptr || login.substr(mark + 1) != master) {
      status = 401;
      return ir::Value::map({{"status", 401}, {"title", "Unauthorized"}});
    }
    const auto& taken = (*account)["disabledPermissions"].items();
    const auto has = [&](const char* name) {
      return std::find(taken.begin(), taken.end(), ir::Value(name)) != taken.end();
    };
    if (has("authenticate")) {
      status = 403;
      return ir::Value::map({{"status", 403}, {"title", "Forbidden"}});
    }
    const bool may_write = ignores_rights || !has("jmap-mailbox-set");
    ir::Value answer =
        may_write ? ir::Value::list({"Mailbox/set", ir::Value::map(), "0"})
                  : ir::Value::list({"error", ir::Value::map({{"type", "forbidden"}}), "0"});
    return ir::Value::map({{"methodResponses", ir::Value::list({std::move(answer)})}});
  }

  std::recursive_mutex mutex_;

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
