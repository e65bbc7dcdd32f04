#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "compiler/source/result.h"
#include "runtime/net/dav/xml.h"

namespace plan::net::dav {

/// One `response` of a multistatus (RFC 4918, 14.24).
struct MultistatusRow {
  std::string href = {};                    ///< as normal_href makes it
  int status = 0;                           ///< of the whole row; 0: it has properties instead
  std::vector<XmlElement> properties = {};  ///< those that were found (2xx)
  /// A property's element, or null where it was not found.
  [[nodiscard]] const XmlElement* property(std::string_view space, std::string_view name) const;
  /// Text of a property without white space around it, or empty.
  [[nodiscard]] std::string_view text(std::string_view space, std::string_view name) const;
};

/// Rows of a multistatus document, the first of each href. Errors: protocol-violation when it is
/// none, or names another host; answer-too-large.
[[nodiscard]] Result<std::vector<MultistatusRow>> read_multistatus(std::string_view document,
                                                                   std::string_view origin,
                                                                   const XmlLimits& limits = {});

/// The answer to a sync-collection report (RFC 6578).
struct SyncReport {
  std::vector<MultistatusRow> rows = {};
  std::string token = {};  ///< of the state that the rows lead to; empty: the answer names none
};

/// As read_multistatus, with the document's sync-token.
[[nodiscard]] Result<SyncReport> read_sync_report(std::string_view document,
                                                  std::string_view origin,
                                                  const XmlLimits& limits = {});

/// The path of an href in one spelling: scheme and host gone, query and fragment too, unreserved
/// characters, `/` and `@` as they are, all else as `%HH`. Errors: protocol-violation for another
/// host than `origin` ("https://dav.example.org"), for dots as a segment, for what is no path.
[[nodiscard]] Result<std::string> normal_href(std::string_view href, std::string_view origin);

/// Is `href` directly below `folder`, which ends with `/`? Both normal. With `/` at its end or
/// without.
[[nodiscard]] bool is_directly_below(std::string_view href, std::string_view folder);

}  // namespace plan::net::dav
