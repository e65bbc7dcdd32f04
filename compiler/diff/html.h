#pragma once
#include <string>
#include <string_view>

#include "compiler/diff/change.h"

namespace plan::diff::html {

// The parts of the page around the tree of changes.

/// A text for an element or an attribute in double quotes, without control characters.
[[nodiscard]] std::string escape(std::string_view text);
/// A text as the value of an `id`: no blank, nothing that has to be escaped.
[[nodiscard]] std::string anchor(std::string_view text);

/// Everything in front of `<main>`: style, title, digests, what is counted, and links to the parts.
[[nodiscard]] std::string head(const ChangeSet& changes);
/// Each of them empty when there is nothing to say.
[[nodiscard]] std::string cost_section(const ChangeSet& changes);
[[nodiscard]] std::string disk_section(const ChangeSet& changes);
/// Findings, and those that the plan silences with its reason; each with an anchor of its own.
[[nodiscard]] std::string findings_sections(const ChangeSet& changes);
[[nodiscard]] std::string way_back_section(const ChangeSet& changes);
[[nodiscard]] std::string notes_section(const ChangeSet& changes);

}  // namespace plan::diff::html
