#include "compiler/check/blocks.h"

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

Field port_only(std::string_view name, int port) {
  return Field{name, FieldType::block, false, {}, {Field{"port", FieldType::port, false, port}}};
}

Value words(std::vector<std::string_view> texts) {
  Value list = Value::list();
  for (const std::string_view text : texts) list.push_back(text);
  return list;
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
      Field{"ssh", FieldType::text, true},
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
            {Field{"name", FieldType::text, true}, Field{"separator", FieldType::text, false, "*"},
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
      Field{"dovecot",
            FieldType::block,
            false,
            {},
            {Field{"config", FieldType::path, false, "/etc/dovecot/dovecot.conf"},
             Field{"configuration", FieldType::path, false, "/etc/dovecot/conf.d/00-plan.conf"},
             Field{"users_file", FieldType::path, false, ""},
             Field{"deny_file", FieldType::path, false, "/etc/dovecot/plan-deny"},
             Field{"doveadm", FieldType::texts, false, words({"doveadm"})}}},
      Field{"postfix",
            FieldType::block,
            false,
            {},
            {Field{"config_directory", FieldType::path, false, "/etc/postfix"},
             Field{"transport_map", FieldType::path, false, "/etc/postfix/plan_transport"},
             Field{"virtual_alias_map", FieldType::path, false, "/etc/postfix/virtual"},
             Field{"command_directory", FieldType::text, false, ""}}},
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

const std::vector<Field>& stop_fields() {
  static const std::vector<Field> kFields = {
      Field{"failed", FieldType::count, false, {}, {}, {}, 1, 1'000'000},
      Field{"error_rate", FieldType::permille},
      Field{"hold_longer_than", FieldType::duration_ms, false, {}, {}, {}, 100, 3'600'000},
  };
  return kFields;
}

}  // namespace plan::check
