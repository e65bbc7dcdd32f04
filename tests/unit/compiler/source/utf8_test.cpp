#include "compiler/source/utf8.h"

#include <gtest/gtest.h>

#include "compiler/source/json_string.h"
#include "compiler/source/text.h"

namespace plan {
namespace {

std::string encoded(char32_t point) {
  std::string text;
  append_utf8(text, point);
  return text;
}

TEST(Utf8, EveryLengthBeginsAndEndsWhereTheRfcSays) {
  EXPECT_EQ(encoded(0x7f), "\x7f");
  EXPECT_EQ(encoded(0x80), "\xc2\x80");
  EXPECT_EQ(encoded(0x7ff), "\xdf\xbf");
  EXPECT_EQ(encoded(0x800), "\xe0\xa0\x80");
  EXPECT_EQ(encoded(0xffff), "\xef\xbf\xbf");
  EXPECT_EQ(encoded(0x10000), "\xf0\x90\x80\x80");
  EXPECT_EQ(encoded(0x10ffff), "\xf4\x8f\xbf\xbf");
}

TEST(Utf8, WhatIsWrittenIsReadAsValid) {
  for (char32_t point = 1; point <= 0x10ffff; point += 97) {
    if (point >= 0xd800 && point <= 0xdfff) continue;
    EXPECT_FALSE(first_invalid_utf8(encoded(point)).has_value()) << static_cast<unsigned>(point);
  }
}

TEST(JsonString, EscapesMarksAndControlsAndNothingElse) {
  std::string out = "x";
  append_json_string(out, std::string_view("a\"b\\c\n\r\t\x01\x7fü\0.", 14));
  EXPECT_EQ(out, "x\"a\\\"b\\\\c\\n\\r\\t\\u0001\x7fü\\u0000.\"");
}

}  // namespace
}  // namespace plan
