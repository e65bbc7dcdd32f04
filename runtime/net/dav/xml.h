#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/source/result.h"

namespace plan::net::dav {

inline constexpr std::string_view kDav = "DAV:";
inline constexpr std::string_view kCalDav = "urn:ietf:params:xml:ns:caldav";
inline constexpr std::string_view kCardDav = "urn:ietf:params:xml:ns:carddav";
inline constexpr std::string_view kAppleCalendar = "http://apple.com/ns/ical/";
inline constexpr std::string_view kCalendarServer = "http://calendarserver.org/ns/";
inline constexpr std::string_view kOwnCloud = "http://owncloud.org/ns";

/// An element with its namespace; attributes are not kept, nothing in DAV that we read has any.
struct XmlElement {
  std::string space = {};  ///< the namespace's name; empty: none
  std::string name = {};   ///< without prefix
  std::string text = {};   ///< of this element alone, as it stands; line ends are LF
  std::vector<XmlElement> children = {};
  [[nodiscard]] bool is(std::string_view wanted_space, std::string_view wanted_name) const;
  /// The first child of that name, or null.
  [[nodiscard]] const XmlElement* child(std::string_view wanted_space,
                                        std::string_view wanted_name) const;
};

struct XmlLimits {
  std::size_t bytes_max = std::size_t{64} << 20U;
  std::size_t depth_max = 32;
  std::size_t elements_max = 1'000'000;
};

/// Reads one whole document (XML 1.0 with namespaces, by expat). A document type declaration is
/// refused, so no entity but the five of XML is ever expanded. Errors: answer-too-large over a
/// bound, protocol-violation for what is not well-formed.
[[nodiscard]] Result<XmlElement> read_xml(std::string_view document, const XmlLimits& limits = {});

/// `text` as content of an element: `&`, `<` and `>` escaped, characters that XML 1.0 has not left
/// out.
[[nodiscard]] std::string xml_text(std::string_view text);

}  // namespace plan::net::dav
