// links: archive
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "compiler/source/check.h"
#include "runtime/archive/target_texts.h"
#include "runtime/net/dav/client.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace plan::net::dav;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string_view origin = "https://dav.example.org";
  const XmlLimits limits{.bytes_max = 1'000'000, .depth_max = 16, .elements_max = 10'000};
  if (const auto root = read_xml(text, limits)) {
    const auto again = read_xml("<a>" + xml_text(root->text) + "</a>");
    PLAN_CHECK(again && again->text == root->text, "text that is escaped reads back");
  }
  if (const auto rows = read_multistatus(text, origin, limits)) {
    for (const MultistatusRow& row : *rows) {
      const auto again = normal_href(row.href, origin);
      PLAN_CHECK(again && *again == row.href, "a normal href is its own normal form");
      PLAN_CHECK(row.href.find("/../") == std::string::npos, "no href leads upwards");
    }
  }
  static_cast<void>(normal_href(text, origin));
  const std::string lines = with_crlf(text);
  PLAN_CHECK(plan::archive::uid_of_text(lines) == plan::archive::uid_of_text(lines + "END:X\r\n"),
             "what stands behind a UID does not change it");
  PLAN_CHECK(with_crlf(lines) == lines, "line ends are normal once");
  return 0;
}
