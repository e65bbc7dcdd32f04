#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/check/plan.h"
#include "compiler/ir/value.h"
#include "compiler/source/diagnostic.h"
#include "compiler/syntax/expression.h"
#include "compiler/syntax/tree.h"

namespace plan::check {

enum class FieldType : std::uint8_t {
  text,
  host,
  url,
  control,  ///< of a proxy: `unix:PATH` or `https://...`
  path,
  word,  ///< one of Field::choices
  port,
  count,
  boolean,
  duration_ms,
  time_ms,   ///< a moment with its zone
  permille,  ///< `5%`
  bytes,
  secret,
  pin,  ///< hex SHA-256, or `!lock certificate`
  texts,
  block,
};

/// One key of a block: what may stand there, and what stands there when the author says nothing.
struct Field {
  std::string_view name = {};
  FieldType type = FieldType::text;
  bool is_required = false;
  ir::Value fallback = {};
  std::vector<Field> fields = {};  ///< of a block
  std::vector<std::string_view> choices = {};
  std::int64_t minimum = 0;  ///< of counts, durations (ms), bytes
  std::int64_t maximum = INT64_MAX;
  /// Of texts and paths: the reason why one may not stand there, or an empty text. Not asked for
  /// empty ones.
  std::string (*why_not)(std::string_view) = nullptr;
};

/// Reads values with their types, reporting what does not fit at its exact place.
class FieldReader {
 public:
  FieldReader(const syntax::Scope& scope, const SourceSet& sources, Sink& sink)
      : scope_(scope), sources_(sources), sink_(sink) {}

  /// A mapping against a table; `what` names the block in messages ("`source`"). Missing blocks
  /// read as all fallbacks.
  [[nodiscard]] ir::Value block(const syntax::Node* node, const std::vector<Field>& fields,
                                const std::string& what, Span where);
  [[nodiscard]] ir::Value field(const syntax::Node& node, const Field& field,
                                const std::string& what);
  /// Text of a scalar, with expressions evaluated; nothing (reported) when it is something else.
  [[nodiscard]] std::optional<std::string> text(const syntax::Node& node, const std::string& what,
                                                std::string_view wanted = "a text");
  /// A list of texts; a single one is a mistake, not a list of one.
  [[nodiscard]] std::vector<Named> names(const syntax::Node& node, const std::string& what);
  void unknown_key(const syntax::Entry& entry, const std::string& what,
                   const std::vector<std::string_view>& known);
  void wrong_type(const syntax::Node& node, std::string_view wanted, const std::string& what);
  /// Whether `key`, which is not there, is what the author meant by another key of the mapping:
  /// then that one is reported, and not that `key` is missing.
  [[nodiscard]] static bool is_misspelt(const syntax::Node& mapping, std::string_view key,
                                        const std::vector<std::string_view>& known);

 private:
  std::optional<ir::Value> scalar(const syntax::Node& node, const std::string& what,
                                  std::string_view wanted);
  ir::Value secret(const syntax::Node& node, const std::string& what);
  ir::Value pin(const syntax::Node& node, const std::string& what);
  ir::Value moment(const syntax::Node& node, const std::string& what);
  ir::Value share(const syntax::Node& node, const std::string& what);
  ir::Value quantity(const syntax::Node& node, const Field& field, const std::string& what);
  ir::Value boolean(const syntax::Node& node, const std::string& what);
  ir::Value texts(const syntax::Node& node, const std::string& what);
  ir::Value number(const syntax::Node& node, std::int64_t minimum, std::int64_t maximum,
                   const std::string& what);
  ir::Value formed_text(const syntax::Node& node, const Field& field, const std::string& what);
  bool refuse_secret_text(const syntax::Node& node, std::string_view text, const std::string& what);
  bool refuse_tag(const syntax::Node& node);
  /// Of a scalar without a tag.
  std::optional<syntax::Template> template_of(const syntax::Node& node, const std::string& what,
                                              std::string_view wanted);
  void wrong_mapping(const syntax::Node& node, const std::vector<Field>& fields,
                     const std::string& what);

  const syntax::Scope& scope_;
  const SourceSet& sources_;
  Sink& sink_;
};

}  // namespace plan::check
