// links: syntax
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "compiler/syntax/expression.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  plan::syntax::Node node;
  node.kind = plan::syntax::NodeKind::scalar;
  node.text.assign(reinterpret_cast<const char*>(data), size);
  plan::SourceSet sources;
  plan::Sink sink;
  node.span = {sources.add("plan", node.text), 0, static_cast<std::uint32_t>(size)};
  plan::syntax::Scope scope;
  scope.set("a", plan::ir::Value::map({{"b", plan::ir::List{1, "x"}}}));
  const auto text = plan::syntax::parse_template(node, sources, sink);
  if (text) static_cast<void>(evaluate(*text, scope, sink));
  if (!text && !sink.has_errors()) std::abort();
  return 0;
}
