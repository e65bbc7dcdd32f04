#pragma once
#include <string>
#include <vector>

#include "compiler/ir/value.h"
#include "compiler/source/result.h"
#include "runtime/dump/frame_writer.h"
#include "runtime/dump/record_filter.h"
#include "runtime/dump/verify.h"

namespace plan::dump {

/// Writes a new dump from what `wanted` names of one dump or of several, into a folder that is
/// empty or not there. A letter that is wanted whole from one dump is copied and then read to its
/// end; all others are read, filtered, merged and written anew. What is read is held against the
/// manifest beside its dump, and a manifest goes beside the result.
/// {output, manifest, files: [{name, letter, records, key_bytes, value_bytes, file_bytes, sha256,
/// record_stream_sha256, from: "copied"|"written"}], is_complete, missing: [...], dangling: [...],
/// notes: [...]}; is_complete: nothing is missing that belongs to what was written. When it fails
/// nothing is left. Errors: dump-damaged (repair first), manifest-differs, dump-exists,
/// dump-unfinished, output-in-dump, dumps-disagree, unknown-subspace, dump-unknown-account,
/// not-in-dump (nothing of it is there), dump-unwritable.
struct RewriteOptions {
  Wanted wanted = {};
  bool has_end_mark = false;  ///< also for letters that would be copied
  bool has_checksum = false;
  OnProgress on_progress = {};
};
[[nodiscard]] Result<ir::Value> rewrite_dumps(const std::vector<std::string>& dumps,
                                              const std::string& output,
                                              const RewriteOptions& options);

/// What a dump is written for.
struct Conversion {
  std::string to = {};  ///< a version, `0.16.5`; empty is the dump's own
  /// From 0.15 to 0.16 only what both lay out alike: the mail of all accounts without the accounts.
  bool is_mail_only = false;
};

/// The same for one dump and another version. Layouts are the same within a schema number. From
/// 0.15 to 0.16 the mail alone can go (then with `accounts`: whose it is); everything else between
/// numbers is refused with the reason (no-conversion).
[[nodiscard]] Result<ir::Value> convert_dump(const std::string& dump, const std::string& output,
                                             const Conversion& conversion,
                                             const RewriteOptions& options);

}  // namespace plan::dump
