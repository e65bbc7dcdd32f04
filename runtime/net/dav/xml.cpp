#include "runtime/net/dav/xml.h"

#include <expat.h>
#include <fmt/format.h>

#include <memory>
#include <type_traits>

#include "compiler/source/text.h"
#include "runtime/net/errors.h"

namespace plan::net::dav {
namespace {

// Between namespace and name: never part of either, attribute values have no line ends left.
constexpr char kBetween = '\n';
constexpr std::size_t kFeedBytes = std::size_t{1} << 20U;

struct Reading {
  XML_Parser parser = nullptr;
  const XmlLimits* limits = nullptr;
  XmlElement root = {};                ///< of no name; the document's element is its child
  std::vector<XmlElement*> open = {};  ///< from the root down
  std::size_t elements = 0;
  std::string too_much = {};  ///< the bound that was met
  bool has_type_declaration = false;

  void stop() { XML_StopParser(parser, XML_FALSE); }
};

void XMLCALL begin(void* data, const XML_Char* name, const XML_Char** attributes) {
  (void)attributes;
  Reading& reading = *static_cast<Reading*>(data);
  if (++reading.elements > reading.limits->elements_max) {
    reading.too_much = fmt::format("more than {} elements", reading.limits->elements_max);
    reading.stop();
    return;
  }
  if (reading.open.size() > reading.limits->depth_max) {
    reading.too_much = fmt::format("elements more than {} deep", reading.limits->depth_max);
    reading.stop();
    return;
  }
  const std::string_view whole(name);
  const std::size_t at = whole.find(kBetween);
  XmlElement element;
  if (at == std::string_view::npos) {
    element.name = whole;
  } else {
    element.space = whole.substr(0, at);
    element.name = whole.substr(at + 1);
  }
  std::vector<XmlElement>& siblings = reading.open.back()->children;
  siblings.push_back(std::move(element));
  // Stays where it is while it is open: nothing is added beside it before it has ended.
  reading.open.push_back(&siblings.back());
}

void XMLCALL end(void* data, const XML_Char* name) {
  (void)name;
  Reading& reading = *static_cast<Reading*>(data);
  if (reading.open.size() > 1) reading.open.pop_back();
}

void XMLCALL characters(void* data, const XML_Char* text, int length) {
  Reading& reading = *static_cast<Reading*>(data);
  if (length > 0) reading.open.back()->text.append(text, static_cast<std::size_t>(length));
}

void XMLCALL type_declaration(void* data, const XML_Char* name, const XML_Char* system_id,
                              const XML_Char* public_id, int has_internal_subset) {
  (void)name, (void)system_id, (void)public_id, (void)has_internal_subset;
  Reading& reading = *static_cast<Reading*>(data);
  reading.has_type_declaration = true;
  reading.stop();
}

}  // namespace

bool XmlElement::is(std::string_view wanted_space, std::string_view wanted_name) const {
  return name == wanted_name && space == wanted_space;
}

const XmlElement* XmlElement::child(std::string_view wanted_space,
                                    std::string_view wanted_name) const {
  for (const XmlElement& one : children)
    if (one.is(wanted_space, wanted_name)) return &one;
  return nullptr;
}

Result<XmlElement> read_xml(std::string_view document, const XmlLimits& limits) {
  if (document.size() > limits.bytes_max)
    return Error(errors::answer_too_large,
                 fmt::format("an XML document of more than {}", show_bytes(limits.bytes_max)));
  const std::unique_ptr<std::remove_pointer_t<XML_Parser>, decltype(&XML_ParserFree)> parser(
      XML_ParserCreateNS(nullptr, kBetween), &XML_ParserFree);
  if (!parser) return Error(errors::answer_too_large, "no memory to read an XML document");
  Reading reading{.parser = parser.get(), .limits = &limits};
  reading.open.push_back(&reading.root);
  XML_SetUserData(parser.get(), &reading);
  XML_SetElementHandler(parser.get(), begin, end);
  XML_SetCharacterDataHandler(parser.get(), characters);
  XML_SetStartDoctypeDeclHandler(parser.get(), type_declaration);
  XML_Status status = XML_STATUS_OK;
  do {
    const std::string_view piece = document.substr(0, kFeedBytes);
    document.remove_prefix(piece.size());
    status = XML_Parse(parser.get(), piece.data(), static_cast<int>(piece.size()),
                       document.empty() ? XML_TRUE : XML_FALSE);
  } while (status == XML_STATUS_OK && !document.empty());
  if (!reading.too_much.empty())
    return Error(errors::answer_too_large,
                 fmt::format("an XML document with {}", reading.too_much));
  if (reading.has_type_declaration)
    return Error(errors::protocol_violation, "an XML document with a document type declaration");
  if (status != XML_STATUS_OK || reading.root.children.empty())
    return Error(errors::protocol_violation, "an answer that is not well-formed XML")
        .with_detail(fmt::format("line {}: {}", XML_GetCurrentLineNumber(parser.get()),
                                 XML_ErrorString(XML_GetErrorCode(parser.get()))));
  XmlElement element = std::move(reading.root.children.front());
  return element;
}

std::string xml_text(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (byte >= 0x20 || c == '\t' || c == '\n')
      out += c;
    else if (c == '\r')
      out += "&#13;";
  }
  return out;
}

}  // namespace plan::net::dav
