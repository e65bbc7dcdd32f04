#include "compiler/check/store_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "compiler/check/blocks.h"
#include "compiler/source/text.h"
#include "compiler/syntax/scalar.h"

namespace plan::check {
namespace {

using ir::Value;
using syntax::Entry;
using syntax::Node;

constexpr std::string_view kTargetPrefix = "target:";
constexpr std::size_t kDumpsMax = 64;

bool is_absolute(std::string_view path) { return path.starts_with('/'); }

/// Without a slash at its end, so that two spellings of one folder are one.
std::string folder_name(std::string_view path) {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  return std::string(path);
}

class StoreReader {
 public:
  StoreReader(Plan& plan, FieldReader& reader, Sink& sink)
      : plan_(plan), tree_(*plan.tree), reader_(reader), sink_(sink) {}

  void read() {
    plan_.hosts = reader_.block(tree_.find("hosts"), store_host_fields(), "`hosts`", plan_.span);
    plan_.proxies = Value::list();
    read_server();
    read_dumps();
    read_store();
    if (tree_.find("dump") == nullptr && tree_.find("store") == nullptr && !is_gap(nullptr)) {
      sink_.report(Kind::missing_key, plan_.span, "the plan has neither `dump` nor `store`")
          .help("`dump: [{of: target, subspaces: all, to: \"target:/srv/dump\", when: stopped}]`");
    }
  }

 private:
  /// May have been left out, because its syntax is broken.
  [[nodiscard]] bool is_gap(const Node* node) const {
    return node == nullptr ? plan_.has_nameless_gap : node->is_left_out;
  }

  void must_be_absolute(std::string_view path, Span span, const std::string& what) {
    if (path.empty() || is_absolute(path)) return;
    sink_
        .report(Kind::bad_value, span,
                fmt::format("{} is `{}`, which begins nowhere", what, printable(path, 120)))
        .help("write the whole path, from `/` on");
  }

  void read_server() {
    const Node* node = tree_.find("target");
    if (is_gap(node)) return;
    if (node == nullptr || node->is_null()) {
      sink_.report(Kind::missing_key, plan_.span, "`target` is missing in the plan")
          .help(
              "describe the server: `target: {config: /etc/stalwart/config.json, service: {unit: "
              "stalwart.service}}`");
      return;
    }
    plan_.target = reader_.block(node, store_server_fields(), "`target`", node->span);
    for (const char* key : {"config", "binary"}) {
      const Node* path = node->find(key);
      if (path != nullptr)
        must_be_absolute(plan_.target[key].string_or(""), path->span,
                         fmt::format("`{}` of `target`", key));
    }
    read_ports(node->find("ports"));
    const Node* service = node->find("service");
    if (service != nullptr && service->is_mapping())
      check_service(plan_.target["service"], *service, sink_);
  }

  void read_ports(const Node* node) {
    Value ports = Value::list();
    for (const Value& text : plan_.target["ports"].items()) {
      const auto port = syntax::read_integer(text.string_or(""));
      if (port && *port >= 1 && *port <= 65'535) {
        ports.push_back(*port);
      } else {
        sink_
            .report(Kind::bad_value, node->span,
                    fmt::format("`{}` is no port", printable(text.string_or(""), 40)))
            .help("the ports on which the server answers: `ports: [25, 443]`");
      }
    }
    plan_.target.set("ports", std::move(ports));
  }

  void read_dumps() {
    const Node* node = tree_.find("dump");
    if (node == nullptr || node->is_null()) return;
    if (!node->is_sequence()) return reader_.wrong_type(*node, "a list", "`dump`");
    if (node->items.empty() || node->items.size() > kDumpsMax) {
      sink_.report(Kind::bad_value, node->span,
                   fmt::format("{} dumps, 1 to {} are possible", node->items.size(), kDumpsMax));
      return;
    }
    for (const Node& item : node->items) read_dump(item);
    name_dumps();
  }

  void read_dump(const Node& item) {
    PlanDump dump;
    dump.span = {item.span.file, item.span.begin, item.span.begin + 1};
    dump.subspaces_span = dump.span;
    // `all` may stand without a list around it.
    Node given = item;
    const Node* subspaces = item.find("subspaces");
    if (subspaces != nullptr && subspaces->is_scalar()) {
      given.entries.erase_if([](const Entry& entry) { return entry.key == "subspaces"; });
      if (const auto word = reader_.text(*subspaces, "`subspaces` of this dump");
          word && *word != "all")
        dump.named.push_back({*word, subspaces->span});
    }
    const Value block = reader_.block(&given, dump_fields(), "this dump", item.span);
    if (subspaces != nullptr) {
      dump.subspaces_span = subspaces->span;
      for (std::size_t i = 0; i < block["subspaces"].size(); ++i) {
        const Span span = i < subspaces->items.size() ? subspaces->items[i].span : subspaces->span;
        dump.named.push_back({std::string(block["subspaces"].item(i).string_or("")), span});
      }
    }
    if (subspaces != nullptr && subspaces->is_sequence() && subspaces->items.empty()) {
      // EXPORT_TYPES set and empty is a failure, not everything.
      dump.named.push_back({"", subspaces->span});
    }
    if (std::any_of(dump.named.begin(), dump.named.end(),
                    [](const Named& name) { return name.text == "all"; }))
      dump.named.clear();
    dump.is_by_server = block["by"] == Value("server");
    if (const Node* when = item.find("when"))
      dump.when = {std::string(block["when"].string_or("")), when->span};
    const Node* to = item.find("to");
    const std::string_view place = block["to"].string_or("");
    if (to != nullptr && !place.empty()) {
      const bool is_there = place.starts_with(kTargetPrefix);
      const std::string_view path = is_there ? place.substr(kTargetPrefix.size()) : place;
      dump.folder = {folder_name(path), to->span};
      if (!is_there || !is_absolute(path)) {
        sink_
            .report(Kind::bad_value, to->span,
                    fmt::format("`{}` is no folder of the server's machine", printable(place, 120)))
            .help("write `target:` and the whole path: `to: \"target:/srv/dumps/full\"`");
      }
    }
    plan_.dumps.push_back(std::move(dump));
  }

  /// The last part of the folder's path, with a number behind it where another one has it.
  void name_dumps() {
    std::set<std::string> taken;
    for (std::size_t i = 0; i < plan_.dumps.size(); ++i) {
      PlanDump& dump = plan_.dumps[i];
      const std::string last = dump.folder.text.substr(dump.folder.text.rfind('/') + 1);
      dump.name = last;
      for (std::size_t number = i + 1; !taken.insert(dump.name).second; ++number)
        dump.name = fmt::format("{}-{}", last, number);
    }
  }

  void read_store() {
    PlanStore& store = plan_.store;
    const std::string config(plan_.target["config"].string_or(""));
    store.from = Value::map({{"address", "config:" + config}, {"password", nullptr}});
    store.span = plan_.span;
    const Entry* entry = tree_.find_entry("store");
    if (entry == nullptr || entry->value.is_null()) return;
    store.span = entry->key_span;
    const Node& node = entry->value;
    if (!node.is_mapping()) return reader_.wrong_type(node, "a mapping", "`store`");
    Node rest = node;
    rest.entries.erase_if(
        [](const Entry& inner) { return inner.key == "from" || inner.key == "to"; });
    std::vector<Field> fields = store_fields();
    fields.push_back(Field{"from", FieldType::block});
    fields.push_back(Field{"to", FieldType::block});
    const Value block = reader_.block(&rest, fields, "`store`", node.span);
    store.is_by_server = block["by"] == Value("server");
    store.config = block["config"].string_or("");
    if (const Node* path = node.find("config"))
      must_be_absolute(store.config, path->span, "`config` of `store`");
    store.from_span = store.span;
    store.to_span = store.span;
    if (const Node* from = node.find("from"); from != nullptr && !from->is_null()) {
      store.from_span = from->span;
      store.from = place_of(*from, "`from` of `store`", store.from_kind);
    }
    if (const Node* to = node.find("to"); to != nullptr && !to->is_null()) {
      store.to_span = to->span;
      store.to = place_of(*to, "`to` of `store`", store.to_kind);
    }
    store.is_moved = !store.to.is_null() || !store.config.empty();
    if (store.is_by_server && store.config.empty()) {
      sink_.report(Kind::missing_key, store.span, "`config` is missing in `store`")
          .help(
              "the server's own program imports into the store that its configuration names: write "
              "that file and name it with `config`");
    }
    if (!store.is_by_server && store.is_moved && store.to.is_null())
      sink_.report(Kind::missing_key, store.span, "`to` is missing in `store`");
  }

  /// `{postgresql: {...}}` as {address, password, config}: what our own code opens, and what the
  /// configuration of a 0.16 server says about the same store.
  Value place_of(const Node& node, const std::string& what, std::string& kind) {
    if (!node.is_mapping() || node.entries.size() != 1) {
      sink_.report(Kind::wrong_type, node.span, fmt::format("{} needs exactly one store", what))
          .help("`{sqlite: PATH}`, `{rocksdb: PATH}`, `{postgresql: {...}}` or `{mysql: {...}}`");
      return {};
    }
    const Entry& entry = node.entries.front();
    const Value block = reader_.block(&node, store_place_fields(), what, node.span);
    kind = entry.key;
    const Value& given = block[kind];
    if (given.is_null()) return {};
    if (given.is_string()) {
      must_be_absolute(given.as_string(), entry.value.span, fmt::format("`{}` of {}", kind, what));
      const bool is_file = kind == "sqlite";
      return Value::map({{"address", fmt::format("{}:{}", kind, given.as_string())},
                         {"path", given},
                         {"password", nullptr},
                         {"config", kind == "foundationdb"
                                        ? Value()
                                        : Value::map({{"@type", is_file ? "Sqlite" : "RocksDb"},
                                                      {"path", given}})}});
    }
    const bool is_postgres = kind == "postgresql";
    std::int64_t port = given["port"].integer_or(0);
    if (port == 0) port = is_postgres ? 5432 : 3306;
    const std::string_view host = given["host"].string_or("");
    const bool is_numeric_v6 = host.find(':') != std::string_view::npos;
    Value config = Value::map({{"@type", is_postgres ? "PostgreSql" : "MySql"},
                               {"host", host},
                               {"port", port},
                               {"database", given["database"]},
                               {"authUsername", given["user"]}});
    if (given["tls"].bool_or(false)) config.set("useTls", true);
    return Value::map(
        {{"address",
          fmt::format("{}://{}@{}{}{}:{}/{}{}", kind, given["user"].string_or(""),
                      is_numeric_v6 ? "[" : "", host, is_numeric_v6 ? "]" : "", port,
                      given["database"].string_or(""), given["tls"].bool_or(false) ? "?tls" : "")},
         {"password", given["password"]},
         {"config", std::move(config)}});
  }

  Plan& plan_;
  const Node& tree_;
  FieldReader& reader_;
  Sink& sink_;
};

}  // namespace

void check_service(const Value& service, const Node& node, Sink& sink) {
  const bool has_unit = !service["unit"].string_or("").empty();
  const bool has_container = !service["container"].string_or("").empty();
  const bool has_command =
      !service["stop"].is_null() || !service["start"].is_null() || !service["running"].is_null();
  if (static_cast<int>(has_unit) + static_cast<int>(has_container) +
          static_cast<int>(has_command) !=
      1) {
    sink.report(Kind::bad_value, node.span,
                "`service` needs exactly one way to stop and start the server")
        .help(
            "`{unit: stalwart.service}`, `{container: stalwart}`, or `{stop: [...], start: "
            "[...], running: [...]}`");
    return;
  }
  if (!has_command) return;
  for (const char* key : {"stop", "start", "running"}) {
    const Value& command = service[key];
    if (command.is_list() && command.size() > 0) continue;
    sink.report(Kind::missing_key, node.span, fmt::format("`{}` is missing in `service`", key))
        .help(
            "three commands, each a list of the program and its arguments; `running` ends with 0 "
            "while the server runs");
  }
}

void read_store_plan(Plan& plan, FieldReader& reader, Sink& sink) {
  StoreReader(plan, reader, sink).read();
}

const std::vector<std::string_view>& store_plan_keys() {
  static const std::vector<std::string_view> kKeys = {
      "plan", "name", "use", "hosts", "target", "dump", "store", "rollback_points", "findings"};
  return kKeys;
}

const std::vector<std::string_view>& store_plan_points() {
  static const std::vector<std::string_view> kPoints = {"before-stop", "before-start"};
  return kPoints;
}

bool has_blobs(const PlanDump& dump) {
  return dump.named.empty() ||
         std::any_of(dump.named.begin(), dump.named.end(),
                     [](const Named& name) { return name.text == "t" || name.text == "blob"; });
}

std::string store_lease_file(std::string_view config) {
  return fmt::format("{}.plan-lease", config);
}

}  // namespace plan::check
