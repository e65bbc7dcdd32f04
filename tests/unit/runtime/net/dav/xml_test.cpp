#include "runtime/net/dav/xml.h"

#include <gtest/gtest.h>

#include "runtime/net/dav/multistatus.h"
#include "runtime/net/errors.h"

namespace plan::net::dav {
namespace {

TEST(DavXml, ReadsNamespacesAndNotPrefixes) {
  const auto with_prefix = read_xml(R"(<D:a xmlns:D="DAV:"><D:b>x</D:b><c xmlns="urn:y"/></D:a>)");
  ASSERT_TRUE(with_prefix) << with_prefix.error().to_line();
  EXPECT_TRUE(with_prefix->is(kDav, "a"));
  ASSERT_NE(with_prefix->child(kDav, "b"), nullptr);
  EXPECT_EQ(with_prefix->child(kDav, "b")->text, "x");
  EXPECT_NE(with_prefix->child("urn:y", "c"), nullptr);
  EXPECT_EQ(with_prefix->child(kDav, "c"), nullptr);
  const auto by_default = read_xml(R"(<a xmlns="DAV:"><b>x</b></a>)");
  ASSERT_TRUE(by_default);
  EXPECT_NE(by_default->child(kDav, "b"), nullptr);
}

TEST(DavXml, GivesTextAsItStands) {
  const auto element = read_xml("<a>1 &lt; 2 &amp;&#13;\n<![CDATA[<b>]]>\xC3\xA4</a>");
  ASSERT_TRUE(element);
  EXPECT_EQ(element->text, "1 < 2 &\r\n<b>\xC3\xA4");
  const auto again = read_xml("<a>" + xml_text(element->text) + "</a>");
  ASSERT_TRUE(again);
  EXPECT_EQ(again->text, element->text);
  EXPECT_EQ(xml_text(std::string("a\0\x01", 3)), "a");
}

TEST(DavXml, ExpandsNoEntityOfADocument) {
  const auto bomb = read_xml(
      R"(<!DOCTYPE a [<!ENTITY x "yyyyyyyyyy"><!ENTITY z "&x;&x;&x;&x;">]><a>&z;&z;&z;</a>)");
  ASSERT_FALSE(bomb);
  EXPECT_TRUE(bomb.error().is(errors::protocol_violation));
  EXPECT_FALSE(read_xml(R"(<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>)"));
  EXPECT_FALSE(read_xml("<a>&unknown;</a>"));
}

TEST(DavXml, StopsAtItsBounds) {
  const XmlLimits limits{.bytes_max = 200, .depth_max = 3, .elements_max = 5};
  EXPECT_TRUE(read_xml("<a><b><c/></b></a>", limits));
  const auto deep = read_xml("<a><b><c><d/></c></b></a>", limits);
  ASSERT_FALSE(deep);
  EXPECT_TRUE(deep.error().is(errors::answer_too_large));
  const auto many = read_xml("<a><b/><b/><b/><b/><b/></a>", limits);
  ASSERT_FALSE(many);
  EXPECT_TRUE(many.error().is(errors::answer_too_large));
  const auto large = read_xml("<a>" + std::string(200, 'x') + "</a>", limits);
  ASSERT_FALSE(large);
  EXPECT_TRUE(large.error().is(errors::answer_too_large));
}

TEST(DavXml, RefusesWhatIsNotWellFormed) {
  for (const char* text : {"", " ", "x", "<a>", "<a></b>", "<a/><b/>", "<a>\x01</a>", "<a>&#0;</a>",
                           "<p:a/>", "<a>\xff</a>"}) {
    const auto element = read_xml(text);
    ASSERT_FALSE(element) << text;
    EXPECT_TRUE(element.error().is(errors::protocol_violation)) << text;
  }
}

TEST(DavMultistatus, TakesWhatWasFoundAndTheFirstOfEachHref) {
  const auto rows = read_multistatus(
      R"(<m:multistatus xmlns:m="DAV:">
        <m:response><m:href>/a%20b/</m:href>
          <m:propstat><m:prop><m:displayname> Home </m:displayname></m:prop><m:status>HTTP/1.1 200 OK</m:status></m:propstat>
          <m:propstat><m:prop><m:getetag/></m:prop><m:status>HTTP/1.1 404 Not Found</m:status></m:propstat>
        </m:response>
        <m:response><m:href>https://dav.example.org/a b/</m:href><m:status>HTTP/1.1 404 Not Found</m:status></m:response>
        <m:response><m:href>/gone</m:href><m:status>HTTP/1.1 404 Not Found</m:status></m:response>
      </m:multistatus>)",
      "https://dav.example.org");
  ASSERT_TRUE(rows) << rows.error().to_line();
  ASSERT_EQ(rows->size(), 2U);
  EXPECT_EQ(rows->front().href, "/a%20b/");
  EXPECT_EQ(rows->front().text(kDav, "displayname"), "Home");
  EXPECT_EQ(rows->front().property(kDav, "getetag"), nullptr);
  EXPECT_EQ(rows->front().status, 0);
  EXPECT_EQ(rows->back().status, 404);
}

TEST(DavMultistatus, RefusesOtherDocuments) {
  EXPECT_FALSE(read_multistatus("<html/>", ""));
  EXPECT_FALSE(read_multistatus(R"(<multistatus xmlns="DAV:"><response/></multistatus>)", ""));
}

TEST(DavHref, HasOneSpelling) {
  const std::string origin = "https://dav.example.org";
  const auto of = [&](const char* text) { return normal_href(text, origin).value_or("refused"); };
  EXPECT_EQ(of("/u%40example.org/caf\xC3\xA9/"), "/u@example.org/caf%C3%A9/");
  EXPECT_EQ(of("/u@example.org/caf%c3%a9/"), "/u@example.org/caf%C3%A9/");
  EXPECT_EQ(of("HTTPS://dav.example.org/x?a#b"), "/x");
  EXPECT_EQ(of("/a%2Fb"), "/a%2Fb");  // a name with a slash in it, not a folder
  EXPECT_EQ(of("https://dav.example.org.evil.test/x"), "refused");
  EXPECT_EQ(of("https://other.test/x"), "refused");
  EXPECT_EQ(of("//other.test/x"), "refused");
  EXPECT_EQ(of("x"), "refused");
  EXPECT_EQ(of(""), "refused");
  EXPECT_EQ(of("/a/../b"), "refused");
  EXPECT_EQ(of("/a/%2e%2E"), "refused");
  EXPECT_EQ(of("/a%0d%0aX: y"), "refused");
  EXPECT_EQ(of("/a%4"), "refused");
}

TEST(DavHref, KnowsWhatIsDirectlyBelow) {
  EXPECT_TRUE(is_directly_below("/u/cal/", "/u/"));
  EXPECT_TRUE(is_directly_below("/u/cal/e.ics", "/u/cal/"));
  EXPECT_FALSE(is_directly_below("/u/cal/e.ics", "/u/"));
  EXPECT_FALSE(is_directly_below("/u/", "/u/"));
  EXPECT_FALSE(is_directly_below("/u//", "/u/"));
  EXPECT_FALSE(is_directly_below("/ux/cal/", "/u"));
}

}  // namespace
}  // namespace plan::net::dav
