#include "compiler/check/fields.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/check/names.h"
#include "compiler/source/command_secrets.h"
#include "compiler/source/text.h"
#include "compiler/syntax/scalar.h"

namespace plan::check {
namespace {

using ir::Value;
using syntax::Node;

constexpr std::size_t kPinDigits = 64;

std::string or_list(const std::vector<std::string_view>& words) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i != 0) text += i + 1 == words.size() ? " or " : ", ";
    text += fmt::format("`{}`", words[i]);
  }
  return text;
}

bool holds_password(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return false;
  const std::string_view authority = url.substr(scheme + 3, url.find('/', scheme + 3) - scheme - 3);
  const std::size_t at = authority.rfind('@');
  return at != std::string_view::npos &&
         authority.substr(0, at).find(':') != std::string_view::npos;
}

/// A type as a person says it.
std::string_view spoken(ir::Value::Type type) {
  switch (type) {
    case ir::Value::Type::null:
      return "nothing";
    case ir::Value::Type::boolean:
      return "true or false";
    case ir::Value::Type::integer:
    case ir::Value::Type::number:
      return "a number";
    case ir::Value::Type::string:
      return "a text";
    case ir::Value::Type::list:
      return "a list";
    case ir::Value::Type::map:
      return "a mapping";
    case ir::Value::Type::secret:
      return "a secret";
    case ir::Value::Type::output:
      return "the output of a step";
  }
  return "nothing";
}

}  // namespace

void FieldReader::wrong_type(const Node& node, std::string_view wanted, const std::string& what) {
  sink_.report(Kind::wrong_type, node.span,
               fmt::format("{} is {}, where {} is needed", what, to_string(node.kind), wanted));
}

void FieldReader::unknown_key(const syntax::Entry& entry, const std::string& what,
                              const std::vector<std::string_view>& known) {
  auto report = sink_.report(Kind::unknown_key, entry.key_span,
                             fmt::format("unknown key `{}` in {}", printable(entry.key, 80), what));
  if (const auto near = nearest(entry.key, known)) {
    report.label(fmt::format("did you mean `{}`?", *near));
  } else {
    report.help(fmt::format("known here: {}", or_list(known)));
  }
}

bool FieldReader::is_misspelt(const Node& mapping, std::string_view key,
                              const std::vector<std::string_view>& known) {
  return std::any_of(
      mapping.entries.begin(), mapping.entries.end(), [&](const syntax::Entry& entry) {
        return std::find(known.begin(), known.end(), std::string_view(entry.key)) == known.end() &&
               nearest(entry.key, known) == key;
      });
}

bool FieldReader::refuse_tag(const Node& node) {
  if (node.tag.empty()) return false;
  sink_
      .report(Kind::unknown_tag, node.tag.span(),
              fmt::format("`{}` means nothing here", printable(node.tag.text(), 60)))
      .help(
          "`!secret env:NAME`, `!secret file:PATH` stand for secrets, `!lock certificate` for a "
          "pin of the lock");
  return true;
}

std::optional<syntax::Template> FieldReader::template_of(const Node& node, const std::string& what,
                                                         std::string_view wanted) {
  if (!node.is_scalar()) {
    wrong_type(node, wanted, what);
    return std::nullopt;
  }
  if (refuse_tag(node)) return std::nullopt;
  return parse_template(node, sources_, sink_);
}

std::optional<Value> FieldReader::scalar(const Node& node, const std::string& what,
                                         std::string_view wanted) {
  const auto text = template_of(node, what, wanted);
  if (!text) return std::nullopt;
  if (text->has_expression()) return evaluate(*text, scope_, sink_);
  Node plain = node;
  plain.text = text->parts.empty() ? std::string() : text->parts.front().text;
  return syntax::scalar_value(plain);
}

std::optional<std::string> FieldReader::text(const Node& node, const std::string& what,
                                             std::string_view wanted) {
  const auto text = template_of(node, what, wanted);
  if (!text) return std::nullopt;
  const auto value = evaluate(*text, scope_, sink_);
  if (!value) return std::nullopt;
  if (value->is_string()) return value->as_string();
  sink_.report(Kind::wrong_type, node.span,
               fmt::format("{} is {}, where {} is needed", what, spoken(value->type()), wanted));
  return std::nullopt;
}

std::vector<Named> FieldReader::names(const Node& node, const std::string& what) {
  std::vector<Named> names;
  if (!node.is_sequence()) {
    wrong_type(node, "a list", what);
    return names;
  }
  for (const Node& item : node.items) {
    if (auto name = text(item, "an item of " + what))
      names.push_back({std::move(*name), item.span});
  }
  return names;
}

Value FieldReader::secret(const Node& node, const std::string& what) {
  if (!node.is_scalar()) {
    wrong_type(node, "a secret (`!secret env:NAME`)", what);
    return {};
  }
  if (node.tag.empty()) {
    sink_
        .report(Kind::secret_in_clear, node.span, fmt::format("{} stands here in clear text", what))
        .label("a plan goes into git")
        .help(
            "write `!secret file:secrets/NAME` or `!secret env:NAME`, and change the secret: it "
            "was written down");
    return {};
  }
  if (!node.tag.is("!secret")) {
    refuse_tag(node);
    return {};
  }
  const std::size_t colon = node.text.find(':');
  const std::string provider = node.text.substr(0, colon);
  const std::string name = colon == std::string::npos ? std::string() : node.text.substr(colon + 1);
  if ((provider != "env" && provider != "file" && provider != "command") || name.empty()) {
    sink_.report(Kind::bad_value, node.span, "this does not say where the secret comes from")
        .help("`!secret env:NAME`, `!secret file:PATH` or `!secret command:PROGRAM`");
    return {};
  }
  if (const std::string why = provider == "env" ? syntax::why_not_variable(name) : "";
      !why.empty()) {
    sink_.report(Kind::bad_value, node.span, fmt::format("`{}`: {}", printable(name, 40), why))
        .help("`!secret env:NAME`, as in `export NAME=...`");
    return {};
  }
  if (provider == "command") {
    if (const auto secrets = CommandWords().take(name); !secrets.empty()) {
      sink_
          .report(Kind::secret_in_clear, node.span,
                  fmt::format("the command that gives {} has a secret behind `{}`", what,
                              printable(secrets.front().behind, 40)))
          .label("a plan goes into git")
          .help(
              "run a script that reads the secret from a file, and change the secret: it was "
              "written down");
    }
  }
  return ir::SecretRef{provider, name};
}

Value FieldReader::pin(const Node& node, const std::string& what) {
  if (node.is_scalar() && node.tag.is("!lock")) {
    if (node.text != "certificate") {
      sink_
          .report(Kind::bad_value, node.span,
                  fmt::format("the lock has no `{}` for a pin", printable(node.text, 40)))
          .help("`!lock certificate` is the certificate that `plan fetch` saw");
      return {};
    }
    return "!lock";
  }
  const auto value = text(node, what);
  if (!value) return {};
  const std::string hex = lower_ascii(*value);
  if (hex.size() != kPinDigits || hex.find_first_not_of("0123456789abcdef") != std::string::npos) {
    sink_.report(Kind::bad_value, node.span, "this is no SHA-256 of a certificate")
        .help("64 hexadecimal digits, or `!lock certificate`");
    return {};
  }
  return hex;
}

Value FieldReader::quantity(const Node& node, const Field& field, const std::string& what) {
  const bool is_duration = field.type == FieldType::duration_ms;
  const auto value = text(node, what, is_duration ? "a duration (`30s`)" : "a size (`50MiB`)");
  if (!value) return {};
  if (syntax::is_too_large(*value)) {
    sink_
        .report(Kind::bad_value, node.span,
                fmt::format("{} is `{}`, which is more than can be counted", what,
                            printable(*value, 40)))
        .help("write a smaller number, or a larger unit");
    return {};
  }
  const auto amount = is_duration ? syntax::read_duration_ms(*value) : syntax::read_bytes(*value);
  if (!amount) {
    auto report = sink_.report(
        Kind::wrong_unit, node.span,
        fmt::format("`{}` is no {}", printable(*value, 40), is_duration ? "duration" : "size"));
    // A line is sold by its bits, and what goes over it is counted in bytes.
    if (!is_duration && lower_ascii(*value).find("bit") != std::string::npos)
      report.label("bytes are counted, of which each has eight bits: 100 Mbit/s are `11MiB`");
    report.help(is_duration ? "a number with its unit: `500ms`, `30s`, `5m`, `2h`, `1d`"
                            : "a number with its unit: `512KiB`, `50MiB`, `2GiB`");
    return {};
  }
  const auto count = static_cast<std::int64_t>(*amount);
  if (count < field.minimum || count > field.maximum) {
    sink_.report(
        Kind::bad_value, node.span,
        fmt::format("{} is `{}`, at least {} and at most {} are possible", what,
                    printable(*value, 40),
                    is_duration ? show_duration_ms(static_cast<std::uint64_t>(field.minimum))
                                : show_bytes(static_cast<std::uint64_t>(field.minimum)),
                    is_duration ? show_duration_ms(static_cast<std::uint64_t>(field.maximum))
                                : show_bytes(static_cast<std::uint64_t>(field.maximum))));
    return {};
  }
  return *amount;
}

Value FieldReader::moment(const Node& node, const std::string& what) {
  const auto value = text(node, what, "a moment (`2026-12-01T02:00Z`)");
  if (!value) return {};
  if (const auto time = syntax::read_time_ms(*value)) return *time;
  sink_.report(Kind::wrong_unit, node.span, fmt::format("`{}` is no moment", printable(*value, 40)))
      .help("a date and a time with its zone: `2026-12-01T02:00Z`, `2026-12-01T02:00+01:00`");
  return {};
}

Value FieldReader::share(const Node& node, const std::string& what) {
  const auto value = text(node, what, "a share (`5%`)");
  if (!value) return {};
  const auto permille = syntax::read_permille(*value);
  if (permille && *permille > 0) return *permille;
  sink_
      .report(Kind::wrong_unit, node.span,
              fmt::format("`{}` is no share of something", printable(*value, 40)))
      .help("a percentage above 0% and at most 100%: `5%`, `0.5%`");
  return {};
}

Value FieldReader::boolean(const Node& node, const std::string& what) {
  const auto value = scalar(node, what, "true or false");
  if (value && value->is_bool()) return *value;
  if (value)
    sink_.report(
        Kind::wrong_type, node.span,
        fmt::format("{} is {}, where true or false is needed", what, spoken(value->type())));
  return {};
}

Value FieldReader::number(const Node& node, std::int64_t minimum, std::int64_t maximum,
                          const std::string& what) {
  const auto value = scalar(node, what, "a number");
  if (!value) return {};
  if (value->is_string() && syntax::is_too_large(value->as_string())) {
    sink_.report(Kind::bad_value, node.span,
                 fmt::format("{} is `{}`, possible are {} to {}", what,
                             printable(value->as_string(), 40), minimum, maximum));
    return {};
  }
  if (!value->is_integer()) {
    sink_.report(Kind::wrong_type, node.span,
                 fmt::format("{} is {}, where a number is needed", what, spoken(value->type())));
    return {};
  }
  if (value->as_integer() < minimum || value->as_integer() > maximum) {
    sink_.report(Kind::bad_value, node.span,
                 fmt::format("{} is {}, possible are {} to {}", what, value->as_integer(), minimum,
                             maximum));
    return {};
  }
  return *value;
}

Value FieldReader::texts(const Node& node, const std::string& what) {
  Value list = Value::list();
  CommandWords command;
  for (Named& name : names(node, what)) {
    if (const auto secrets = command.take(name.text); !secrets.empty()) {
      sink_
          .report(Kind::secret_in_clear, name.span,
                  fmt::format("{} has a secret behind `{}`", what,
                              printable(secrets.front().behind, 40)))
          .label("a plan goes into git")
          .help(
              "run a script that reads the secret from a file, and change the secret: it was "
              "written down");
    }
    list.push_back(std::move(name.text));
  }
  return list;
}

/// True when it was reported: a secret in a place where none belongs.
bool FieldReader::refuse_secret_text(const Node& node, std::string_view text,
                                     const std::string& what) {
  if (holds_password(text)) {
    sink_.report(Kind::secret_in_clear, node.span, fmt::format("{} has a password in it", what))
        .label("a plan goes into git")
        .help("take `user:password@` out of it and use the key for the login");
    return true;
  }
  if (text.find("PRIVATE KEY-----") != std::string::npos) {
    sink_.report(Kind::secret_in_clear, node.span, fmt::format("{} is a private key", what))
        .help("put it into a file that only you can read and write `!secret file:PATH`");
    return true;
  }
  return false;
}

/// A text whose form depends on the field: host, URL, path, word, or any.
Value FieldReader::formed_text(const Node& node, const Field& field, const std::string& what) {
  auto value = text(node, what);
  if (!value || refuse_secret_text(node, *value, what)) return {};
  std::string why;
  if (field.type == FieldType::host) why = why_not_host(*value);
  if (!why.empty()) {
    sink_.report(Kind::bad_host, node.span,
                 fmt::format("{} is no host name and no IP address: {}", what, why));
    return {};
  }
  if (field.type == FieldType::url) why = why_not_url(*value);
  if (field.type == FieldType::control && !value->starts_with("unix:"))
    why = value->starts_with("https://") ? why_not_url(*value)
                                         : "it begins with neither `unix:` nor `https://`";
  if (field.type == FieldType::control && *value == "unix:") why = "no path stands behind `unix:`";
  // Empty is a value only where the author's silence means it too.
  const bool may_be_empty =
      field.type == FieldType::text && !field.is_required && field.fallback.string_or({}).empty();
  if (!may_be_empty && trim(*value).empty()) {
    sink_.report(Kind::bad_value, node.span, fmt::format("{} is empty", what))
        .help(field.is_required ? "write what should stand here"
                                : "write what should stand here, or leave the key out");
    return {};
  }
  if (field.type == FieldType::word && std::find(field.choices.begin(), field.choices.end(),
                                                 std::string_view(*value)) == field.choices.end()) {
    // A mapping may stand there too: what it is the field knows.
    why =
        field.why_not != nullptr ? field.why_not(*value) : "possible are " + or_list(field.choices);
  }
  if (why.empty() && field.type != FieldType::word && field.why_not != nullptr && !value->empty())
    why = field.why_not(*value);
  if (!why.empty()) {
    auto report = sink_.report(Kind::bad_value, node.span,
                               fmt::format("{} is `{}`: {}", what, printable(*value, 80), why));
    if (const auto near = nearest(*value, field.choices))
      report.label(fmt::format("did you mean `{}`?", *near));
    return {};
  }
  return std::move(*value);
}

Value FieldReader::field(const Node& node, const Field& field, const std::string& what) {
  switch (field.type) {
    case FieldType::text:
    case FieldType::host:
    case FieldType::url:
    case FieldType::control:
    case FieldType::path:
    case FieldType::word:
      return formed_text(node, field, what);
    case FieldType::secret:
      return secret(node, what);
    case FieldType::pin:
      return pin(node, what);
    case FieldType::duration_ms:
    case FieldType::bytes:
      return quantity(node, field, what);
    case FieldType::time_ms:
      return moment(node, what);
    case FieldType::permille:
      return share(node, what);
    case FieldType::boolean:
      return boolean(node, what);
    case FieldType::port:
      return number(node, 1, 65535, what);
    case FieldType::count:
      return number(node, field.minimum, field.maximum, what);
    case FieldType::texts:
      return texts(node, what);
    case FieldType::block:
      return block(&node, field.fields, what, node.span);
  }
  return {};
}

/// Says with which keys the mapping would be one.
void FieldReader::wrong_mapping(const Node& node, const std::vector<Field>& fields,
                                const std::string& what) {
  std::string keys;
  for (const Field& f : fields) {
    if (f.is_required) keys += fmt::format("{}{}: ...", keys.empty() ? "" : ", ", f.name);
  }
  if (keys.empty() && !fields.empty()) keys = fmt::format("{}: ...", fields.front().name);
  sink_
      .report(Kind::wrong_type, node.span,
              fmt::format("{} is {}, where a mapping is needed", what, to_string(node.kind)))
      .help(fmt::format("write `{{{}}}`; `plan init` writes a plan with an example of each", keys));
}

Value FieldReader::block(const Node* node, const std::vector<Field>& fields,
                         const std::string& what, Span where) {
  Value block = Value::map();
  std::vector<std::string_view> known;
  for (const Field& f : fields) known.push_back(f.name);
  bool is_reported = false;
  if (node != nullptr && !node->is_mapping()) {
    if (!node->is_null()) {
      is_reported = true;
      wrong_mapping(*node, fields, what);
    }
    node = nullptr;
  }
  if (node != nullptr) {
    for (const syntax::Entry& entry : node->entries) {
      if (std::find(known.begin(), known.end(), std::string_view(entry.key)) == known.end())
        unknown_key(entry, what, known);
    }
  }
  for (const Field& f : fields) {
    const Node* value = node == nullptr ? nullptr : node->find(f.name);
    const std::string inner = fmt::format("`{}` of {}", f.name, what);
    if (value != nullptr && !(value->is_null() && !f.is_required)) {
      block.set(std::string(f.name), field(*value, f, inner));
    } else if (f.is_required) {
      if (!is_reported && (node == nullptr || !is_misspelt(*node, f.name, known)))
        sink_.report(
            Kind::missing_key,
            node == nullptr ? where : Span{node->span.file, node->span.begin, node->span.begin + 1},
            fmt::format("`{}` is missing in {}", f.name, what));
      block.set(std::string(f.name), nullptr);
    } else if (f.type == FieldType::block && !f.fields.empty()) {
      // A block that is left out has the fallbacks of its keys, unless one of them is required.
      const bool needs_author = std::any_of(f.fields.begin(), f.fields.end(),
                                            [](const Field& i) { return i.is_required; });
      block.set(std::string(f.name),
                needs_author ? Value() : this->block(nullptr, f.fields, inner, where));
    } else {
      block.set(std::string(f.name), f.fallback);
    }
  }
  return block;
}

}  // namespace plan::check
