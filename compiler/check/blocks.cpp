#include "compiler/check/blocks.h"

#include "compiler/ir/step_kind.h"
#include "compiler/source/text.h"
#include "compiler/syntax/names.h"

namespace plan::check {
namespace {

using ir::Value;

const std::vector<std::string_view> kSecurity = {"starttls", "tls", "none"};

Field service(std::string_view name, int port, std::string_view security) {
  return Field{name,
               FieldType::block,
               false,
               {},
               {Field{"port", FieldType::port, false, port},
                Field{"security", FieldType::word, false, security, {}, kSecurity}}};
}

Field shaped(Field field, std::string (*why_not)(std::string_view)) {
  field.why_not = why_not;
  return field;
}

/// A path of the server's machine.
Field machine_path(std::string_view name, std::string_view fallback) {
  return shaped(Field{name, FieldType::path, false, fallback}, syntax::why_not_machine_path);
}

Field container() {
  return shaped(Field{"container", FieldType::text, false, ""}, syntax::why_not_container);
}

Field port_only(std::string_view name, int port) {
  return Field{name, FieldType::block, false, {}, {Field{"port", FieldType::port, false, port}}};
}

/// How a server is stopped and started: exactly one of the three ways.
Field server_service(bool is_required) {
  return Field{
      "service",
      FieldType::block,
      is_required,
      {},
      {Field{"unit", FieldType::text, false, ""}, container(), Field{"stop", FieldType::texts},
       Field{"start", FieldType::texts}, Field{"running", FieldType::texts}}};
}

Value words(const std::vector<std::string_view>& texts) {
  Value list = Value::list();
  for (const std::string_view text : texts) list.push_back(text);
  return list;
}

/// A word in a place where a mapping may stand too, which `why_not` names.
Field operator_or(std::string (*why_not)(std::string_view)) {
  Field field{"address", FieldType::word, false, {}, {}, {"operator"}};
  field.why_not = why_not;
  return field;
}

}  // namespace

const std::vector<Field>& address_fields() {
  static const std::vector<Field> kFields = {
      Field{"public", FieldType::host, true},
      Field{"proxy", FieldType::host, true},
      Field{"source", FieldType::host, true},
      Field{"target", FieldType::host, true},
  };
  return kFields;
}

const std::vector<Field>& host_fields() {
  static const std::vector<Field> kHost = {
      shaped(Field{"ssh", FieldType::text, true}, syntax::why_not_ssh),
      Field{"key", FieldType::secret, true},
  };
  static const std::vector<Field> kFields = {
      Field{"source", FieldType::block, false, {}, kHost},
      Field{"target", FieldType::block, false, {}, kHost},
  };
  return kFields;
}

const std::vector<Field>& source_fields() {
  static const std::vector<Field> kFields = {
      Field{"master_user",
            FieldType::block,
            true,
            {},
            {shaped(Field{"name", FieldType::text, true}, syntax::why_not_master_name),
             shaped(Field{"separator", FieldType::text, false, "*"}, syntax::why_not_separator),
             Field{"password", FieldType::secret, true}}},
      service("imap", 143, "starttls"),
      service("sieve", 4190, "starttls"),
      port_only("smtp", 25),
      service("submission", 587, "starttls"),
      Field{"certificate", FieldType::pin, false, ""},
      Field{"listener",
            FieldType::block,
            false,
            {},
            {Field{"address", FieldType::host, false, ""},
             Field{"port", FieldType::port, false, 10025}}},
      // A server with a `container` is reached by `docker exec` on the source's machine, and the
      // paths below it are in there.
      Field{"dovecot",
            FieldType::block,
            false,
            {},
            {container(), machine_path("config", "/etc/dovecot/dovecot.conf"),
             machine_path("configuration", "/etc/dovecot/conf.d/00-plan.conf"),
             machine_path("users_file", ""), machine_path("deny_file", "/etc/dovecot/plan-deny"),
             Field{"doveadm", FieldType::texts, false, words({"doveadm"})}}},
      Field{"postfix",
            FieldType::block,
            false,
            {},
            {container(), machine_path("config_directory", "/etc/postfix"),
             machine_path("transport_map", "/etc/postfix/plan_transport"),
             Field{"command_directory", FieldType::text, false, ""}}},
      // Accounts in a database: what writes the passwd-file and the aliases anew, on the source's
      // machine. Without `aliases` Postfix's own maps have to be such that can be listed.
      Field{
          "export",
          FieldType::block,
          false,
          {},
          {Field{"command", FieldType::texts, true}, Field{"aliases", FieldType::path, false, ""}}},
      // A Stalwart 0.13 to 0.15 in the place of Dovecot and Postfix: its management interface.
      Field{"stalwart",
            FieldType::block,
            false,
            {},
            {Field{"url", FieldType::url, true},
             Field{"login",
                   FieldType::block,
                   true,
                   {},
                   {Field{"user", FieldType::text, true},
                    Field{"password", FieldType::secret, true}}},
             Field{"certificate", FieldType::pin, false, ""},
             // The host name by which it hands mail on to the target; absent: that of `target.url`.
             Field{"target_name", FieldType::host, false, ""},
             // Addresses that it may not ban beside the target's and the proxy's: that of plan.
             Field{"allowed", FieldType::texts, false, Value::list()}}},
      // A server of calendars and contacts beside Dovecot: carried when it has a `url`. `{account}`
      // in `path` and `user` stands for the account's address.
      Field{"dav",
            FieldType::block,
            false,
            {},
            {Field{"server",
                   FieldType::word,
                   true,
                   {},
                   {},
                   {"sogo", "radicale", "nextcloud", "baikal", "davical", "other", "none"}},
             Field{"stays_behind", FieldType::boolean, false, false},
             Field{"url", FieldType::url, false, ""},
             Field{"login",
                   FieldType::block,
                   false,
                   {},
                   {Field{"user", FieldType::text, true},
                    Field{"password", FieldType::secret, true}}},
             Field{"path", FieldType::path, false, ""},
             Field{"certificate", FieldType::pin, false, ""}}},
  };
  return kFields;
}

const std::vector<Field>& target_fields() {
  static const std::vector<Field> kFields = {
      Field{"url", FieldType::url, true},
      Field{"login",
            FieldType::block,
            true,
            {},
            {Field{"user", FieldType::text, true}, Field{"password", FieldType::secret, true}}},
      Field{"certificate", FieldType::pin, false, ""},
      port_only("smtp", 25),
      service("imap", 143, "starttls"),
      service("submission", 587, "starttls"),
      service("sieve", 4190, "starttls"),
      // Only for steps that restart it.
      server_service(false),
      Field{"ready", FieldType::texts},
      // The server itself waits a second before it ends (reference/stalwart-store.md 11).
      Field{"stop_within", FieldType::duration_ms, false, {}, {}, {}, 5'000, 3'600'000},
      Field{"start_within", FieldType::duration_ms, false, {}, {}, {}, 5'000, 3'600'000},
  };
  return kFields;
}

const std::vector<Field>& proxy_fields() {
  static const std::vector<Field> kFields = {
      Field{"name", FieldType::text, true},
      Field{"control", FieldType::control, true},
      Field{"pin", FieldType::pin, false, ""},
      Field{"token", FieldType::secret, true},
      Field{"host", FieldType::word, false, "", {}, {"source", "target"}},
  };
  return kFields;
}

const std::vector<Field>& move_fields() {
  static const std::vector<Field> kFields = {
      // Below clients' timeouts; the proxies give an account back by themselves after it.
      Field{"hold_bound", FieldType::duration_ms, false, 20'000, {}, {}, 1'000, 120'000},
      Field{"copy_passes", FieldType::count, false, 5, {}, {}, 1, 100},
      // A postponed wave is kept in step by passes this far apart.
      Field{"keep_apart", FieldType::duration_ms, false, 3'600'000, {}, {}, 1'000, 86'400'000},
      // Stragglers need the time that a queue's own retry takes at the least.
      Field{"sweep_apart", FieldType::duration_ms, false, 60'000, {}, {}, 60'000, 86'400'000},
      // Reaches the source in bursts: above what one SMTP session of Postfix sends.
      Field{"messages_per_session", FieldType::count, false, 1000, {}, {}, 10, 1'000'000},
  };
  return kFields;
}

const std::vector<Field>& cutover_fields() {
  static const std::vector<Field> kFields = {
      Field{"run", FieldType::texts, true},
      Field{"undo", FieldType::texts, false, {}},
  };
  return kFields;
}

const std::vector<Field>& finalize_fields() {
  static const std::vector<Field> kFields = {Field{"run", FieldType::texts, true}};
  return kFields;
}

const Field& cutover_word() {
  static const Field kField = operator_or([](std::string_view) {
    return std::string("possible are `operator` and `{run: [...], undo: [...]}`");
  });
  return kField;
}

const Field& finalize_word() {
  static const Field kField = operator_or(
      [](std::string_view) { return std::string("possible are `operator` and `{run: [...]}`"); });
  return kField;
}

std::string why_not_wave(const std::string& name) {
  const std::string lower = lower_ascii(name);
  for (const ir::Stage stage :
       {ir::Stage::prepare, ir::Stage::cutover, ir::Stage::waves, ir::Stage::finalize}) {
    if (lower == ir::to_string(stage)) return "a stage is called so, as in `plan approve finalize`";
  }
  if (printable(name, SIZE_MAX) != name) return "it has a character that cannot be seen";
  if (name.find_first_of("@/") != std::string::npos) return "`@` and `/` cannot stand in it";
  return trim(name) == name ? "" : "it begins or ends with a blank";
}

const std::vector<Field>& stop_fields() {
  static const std::vector<Field> kFields = {
      Field{"failed", FieldType::count, false, {}, {}, {}, 1, 1'000'000},
      Field{"error_rate", FieldType::permille},
      Field{"hold_longer_than", FieldType::duration_ms, false, {}, {}, {}, 100, 3'600'000},
  };
  return kFields;
}

const std::vector<Field>& store_host_fields() {
  static const std::vector<Field> kFields = {host_fields().back()};
  return kFields;
}

const std::vector<Field>& store_server_fields() {
  static const std::vector<Field> kFields = {
      Field{"config", FieldType::path, true},
      Field{"binary", FieldType::path, false, "/usr/local/bin/stalwart"},
      // Whom files of the store belong to, and as whom the server's own program runs.
      Field{"user", FieldType::text, false, ""},
      server_service(true),
      Field{"stop_within", FieldType::duration_ms, false, 60'000, {}, {}, 5'000, 3'600'000},
      Field{"start_within", FieldType::duration_ms, false, 120'000, {}, {}, 5'000, 3'600'000},
      Field{"ready", FieldType::texts},
      Field{"ports", FieldType::texts},
      Field{"blobs",
            FieldType::block,
            false,
            {},
            {Field{"folder", FieldType::text, false, ""},
             Field{"depth", FieldType::count, false, 2, {}, {}, 1, 5}}},
      Field{"rocksdb_library", FieldType::text, false, ""},
      // The program on that machine when it is reached over SSH.
      Field{"plan", FieldType::text, false, "plan"},
  };
  return kFields;
}

const std::vector<Field>& dump_fields() {
  static const std::vector<Field> kFields = {
      Field{"of", FieldType::word, false, "target", {}, {"target"}},
      Field{"subspaces", FieldType::texts},
      Field{"to", FieldType::path, true},
      Field{"when", FieldType::word, false, "", {}, {"stopped", "running"}},
      Field{"by", FieldType::word, false, "plan", {}, {"plan", "server"}},
  };
  return kFields;
}

const std::vector<Field>& store_fields() {
  static const std::vector<Field> kFields = {
      Field{"by", FieldType::word, false, "plan", {}, {"plan", "server"}},
      Field{"config", FieldType::text, false, ""},
  };
  return kFields;
}

const std::vector<Field>& store_place_fields() {
  static const std::vector<Field> kDatabase = {
      Field{"host", FieldType::host, true},
      // 0: that of the kind of database.
      Field{"port", FieldType::count, false, 0, {}, {}, 0, 65'535},
      Field{"database", FieldType::text, false, "stalwart"},
      Field{"user", FieldType::text, false, "stalwart"},
      Field{"password", FieldType::secret},
      Field{"tls", FieldType::boolean, false, false},
  };
  static const std::vector<Field> kFields = {
      Field{"sqlite", FieldType::path},
      Field{"rocksdb", FieldType::path},
      Field{"postgresql", FieldType::block, false, {}, kDatabase},
      Field{"mysql", FieldType::block, false, {}, kDatabase},
      Field{"foundationdb", FieldType::path},
  };
  return kFields;
}

const std::vector<Field>& clients_fields() {
  static const std::vector<Field> kFields = {
      Field{"bandwidth", FieldType::bytes, true, {}, {}, {}, 1'024},
      Field{"within", FieldType::duration_ms, true, {}, {}, {}, 60'000, 2'592'000'000},
  };
  return kFields;
}

const std::vector<Field>& finding_fields() {
  static const std::vector<Field> kFields = {
      Field{"code", FieldType::text, true},
      Field{"at", FieldType::text, true},
      Field{"severity", FieldType::word, true, {}, {}, {"silent", "note", "warning", "error"}},
      Field{"reason", FieldType::text, true},
  };
  return kFields;
}

}  // namespace plan::check
