#include "compiler/syntax/tree_value.h"

#include <fmt/format.h>

#include "compiler/source/command_secrets.h"
#include "compiler/source/text.h"
#include "compiler/syntax/scalar.h"
#include "compiler/syntax/value_weight.h"

namespace plan::syntax {
namespace {

using ir::Value;

class Reader {
 public:
  Reader(const Scope& scope, const TypeScope& types, const SourceSet& sources, Sink& sink)
      : scope_(scope), types_(types), sources_(sources), sink_(sink) {}

  std::optional<Value> value(const Node& node) {
    if (node.tag.is("!secret") && node.is_scalar()) return secret(node);
    if (node.tag.is("!for") || node.tag.is("!output") || node.tag.is("!numbered")) {
      // The plan language has words for them, without the mark of a tag.
      const std::string_view word = sources_.text(node.tag.span()).starts_with('!')
                                        ? node.tag.text()
                                        : node.tag.text().substr(1);
      sink_
          .report(Kind::unknown_tag, node.tag.span(),
                  fmt::format("`{}` stands in the arguments of a step, and nowhere else", word))
          .help(node.tag.is("!for")
                    ? "write the list itself here, or let the step that needs it go "
                      "through the list where it stands"
                    : "write the value itself here");
      return std::nullopt;
    }
    if (!node.tag.empty()) {
      sink_.report(Kind::unknown_tag, node.tag.span(),
                   fmt::format("`{}` means nothing here", printable(node.tag.text(), 60)));
      return std::nullopt;
    }
    switch (node.kind) {
      case NodeKind::null:
        return Value();
      case NodeKind::scalar:
        return scalar(node);
      case NodeKind::sequence: {
        ir::List items;
        for (const Node& item : node.items) {
          auto one = value(item);
          if (!one) return std::nullopt;
          items.push_back(std::move(*one));
        }
        return Value(std::move(items));
      }
      case NodeKind::mapping: {
        Value map = Value::map();
        for (const Entry& entry : node.entries) {
          auto one = value(entry.value);
          if (!one) return std::nullopt;
          map.set(entry.key, std::move(*one));
        }
        return map;
      }
    }
    return std::nullopt;
  }

 private:
  std::optional<Value> secret(const Node& node) {
    const std::size_t colon = node.text.find(':');
    const std::string provider = node.text.substr(0, colon);
    const bool is_known = provider == "env" || provider == "file" || provider == "command";
    if (!is_known || colon == std::string::npos || colon + 1 == node.text.size()) {
      sink_.report(Kind::bad_value, node.span, "this does not say where the secret comes from")
          .help("`env:NAME`, `file:PATH` or `command:PROGRAM`");
      return std::nullopt;
    }
    std::string name = node.text.substr(colon + 1);
    if (provider == "command") {
      if (const auto secrets = CommandWords().take(name); !secrets.empty()) {
        sink_
            .report(Kind::secret_in_clear, node.span,
                    fmt::format("the command that gives this secret has one behind `{}`",
                                printable(secrets.front().behind, 40)))
            .label("a plan goes into git")
            .help(
                "run a script that reads the secret from a file, and change the secret: it was "
                "written down");
      }
    }
    return ir::SecretRef{provider, std::move(name)};
  }

  std::optional<Value> scalar(const Node& node) {
    const auto text = parse_template(node, sources_, sink_);
    if (!text) return std::nullopt;
    if (!text->has_expression()) {
      Node plain = node;
      plain.text = text->parts.empty() ? std::string() : text->parts.front().text;
      if (const auto duration = read_duration_ms(plain.text); duration && !node.is_quoted)
        return *duration;
      if (const auto bytes = read_bytes(plain.text); bytes && !node.is_quoted) return *bytes;
      return scalar_value(plain);
    }
    const std::size_t errors = sink_.count(Severity::error);
    static_cast<void>(check_type(*text, types_, sink_));
    if (sink_.count(Severity::error) != errors) return std::nullopt;
    auto value = evaluate(*text, scope_, sink_);
    if (value) weight_ += weight_of(*value);
    if (weight_ <= kExpressionWeightMax) return value;
    sink_.report(Kind::expression_type, node.span,
                 fmt::format("the values up to here come to more than {}",
                             show_bytes(kExpressionWeightMax)));
    return std::nullopt;
  }

  const Scope& scope_;
  const TypeScope& types_;
  const SourceSet& sources_;
  Sink& sink_;
  std::size_t weight_ = 0;  // of what expressions gave
};

}  // namespace

std::optional<Value> value_of_tree(const Node& node, const Scope& scope, const TypeScope& types,
                                   const SourceSet& sources, Sink& sink) {
  return Reader(scope, types, sources, sink).value(node);
}

}  // namespace plan::syntax
