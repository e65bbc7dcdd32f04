// Says that a module writes a Sieve script which requires an extension that the target does not
// have. The target takes it without a word, and the script does nothing (reference/sources.md 1.3,
// stalwart-admin.md 8.4).
#include <fmt/format.h>

#include "compiler/check/graph_view.h"
#include "compiler/check/rules.h"
#include "compiler/check/sieve_extensions.h"

namespace plan::check::rules {

void script_written(const GraphView& view, Sink& sink) {
  for (const TargetWrite& write : view.writes()) {
    if (write.object != "SieveSystemScript" && write.object != "SieveUserScript") continue;
    const std::string_view script = write.set["contents"].string_or("");
    const std::vector<std::string> required = extensions_required(script);
    Examples examples;
    for (const std::string& name : required) {
      if (!is_extension_of_target(name)) examples.add(name, {});
    }
    if (examples.count == 0) continue;
    report_write(view, write, Kind::sieve_extension_lost,
                 fmt::format("requires {} that the target does not know: {}",
                             counted(examples.count, "Sieve extension", "Sieve extensions"),
                             examples.text()),
                 sink)
        .label("the target takes the script without a word, and it does nothing")
        .help("write it without them");
  }
}

}  // namespace plan::check::rules
