#pragma once
#include <string>
#include <vector>

#include "compiler/source/result.h"
#include "runtime/dump/manifest.h"
#include "runtime/dump/verify.h"

namespace plan::dump {

/// The manifest that a dump is held against: `named`, or the one beside it when nothing is named
/// and one is there. Empty for none, which `-` asks for.
[[nodiscard]] std::string manifest_for(const std::string& dump, const std::string& named);

/// Holds a file, or a whole dump, against what a manifest says: proved when its bytes are those,
/// otherwise damaged, with what differs among the faults.
void hold_against(FileReport& file, const Manifest::File& known);
void hold_against(DumpReport& report, const Manifest& manifest);

/// What differs between a dump and a manifest: one line for each file, none when it is proved.
[[nodiscard]] std::vector<std::string> differences(const DumpReport& report,
                                                   const Manifest& manifest);

/// What becomes of a manifest that is there already and does not fit the dump.
enum class OldManifest : std::uint8_t { must_fit = 0, replaced = 1 };

/// Writes the manifest of a dump: {manifest, files, records, grade, is_written}. `output` empty is
/// beside it. Refuses a dump in which something is wrong (dump-damaged): a manifest proves, and
/// must not prove damage. It also refuses one that differs from the manifest beside it or at
/// `output` (manifest-differs), unless that is to be replaced; when the dump fits nothing is
/// written. Further errors: output-in-dump, dump-exists (`output` is no manifest).
[[nodiscard]] Result<ir::Value> make_manifest(const std::string& path, const std::string& output,
                                              OldManifest old = OldManifest::must_fit,
                                              OnProgress on_progress = {});

}  // namespace plan::dump
