// links: syntax
#include <cstddef>
#include <cstdint>
#include <string>

#include "compiler/source/check.h"
#include "compiler/syntax/csv.h"

/// Any bytes as a csv file: rows of one width, or a place where it is none.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  plan::SourceSet sources;
  plan::Sink sink;
  const plan::FileId file =
      sources.add("a.csv", std::string(reinterpret_cast<const char*>(data), size));
  std::size_t width = 0;
  const bool is_whole =
      plan::syntax::read_csv(sources, file, sink, [&](std::span<const plan::syntax::CsvField> row) {
        PLAN_CHECK(width == 0 || row.size() == width, "every row has as many fields");
        width = row.size();
        for (const plan::syntax::CsvField& field : row)
          PLAN_CHECK(field.text.size() <= sources.text(field.span).size(), "a field has its place");
      });
  PLAN_CHECK(is_whole != sink.has_errors(), "what ends the reading is told");
  static_cast<void>(plan::render_terminal(sink.sorted(), sources, {}));
  return 0;
}
