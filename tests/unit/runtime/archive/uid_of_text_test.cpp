#include <gtest/gtest.h>

#include "runtime/archive/target_texts.h"

namespace plan::archive {
namespace {

TEST(UidOfText, IsThatOfTheEventOrCardAndNotOfItsAlarm) {
  EXPECT_EQ(uid_of_text("BEGIN:VCALENDAR\r\nBEGIN:VTIMEZONE\r\nTZID:x\r\nEND:VTIMEZONE\r\n"
                        "BEGIN:VEVENT\r\nBEGIN:VALARM\r\nUID:alarm\r\nEND:VALARM\r\n"
                        "UID;X-A=b:one\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"),
            "one");
  EXPECT_EQ(uid_of_text("BEGIN:VCARD\r\nuid:a\\,b\r\nEND:VCARD\r\n"), "a,b");
}

TEST(UidOfText, GoesOnInTheNextLine) {
  EXPECT_EQ(uid_of_text("BEGIN:VCARD\r\nUID:abc\r\n def\n\tghi\r\nFN:x\r\nEND:VCARD"), "abcdefghi");
}

TEST(UidOfText, IsEmptyWhereThereIsNone) {
  for (const char* text : {"", "UID:x", "BEGIN:VCALENDAR\r\nUID:x\r\nEND:VCALENDAR\r\n",
                           "BEGIN:VCARD\r\nFN:UID:x\r\nEND:VCARD\r\n", " \r\n :\r\n"})
    EXPECT_EQ(uid_of_text(text), "") << text;
}

}  // namespace
}  // namespace plan::archive
