// links: syntax
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "compiler/syntax/format.h"
#include "compiler/syntax/language.h"
#include "tests/fuzz/secret_places_check.h"

/// Any bytes as a file of the plan language: a tree or a problem, and what can be read can be
/// written in both languages and read again with nothing lost.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  plan::SourceSet sources;
  plan::Sink sink;
  const plan::FileId file =
      sources.add("x.plan", std::string(reinterpret_cast<const char*>(data), size));
  plan::test::check_secret_places(sources.text(file), true);
  const auto tree = plan::syntax::read_language(sources, file, sink);
  if (!tree && !sink.has_errors()) std::abort();
  static_cast<void>(plan::render_terminal(sink.sorted(), sources, {}));
  if (!tree || sink.has_errors() || size > 4096) return 0;
  for (const auto to : {plan::syntax::Language::plan, plan::syntax::Language::yaml}) {
    const auto written = plan::syntax::format_source(sources, file, to, sink);
    if (!written.text) std::abort();
  }
  return 0;
}
