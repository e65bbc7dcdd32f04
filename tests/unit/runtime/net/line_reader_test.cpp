#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "runtime/net/errors.h"
#include "runtime/net/stream.h"

namespace plan::net {
namespace {

/// Hands out the given pieces, one a read, then the end of the stream.
class PieceStream final : public Stream {
 public:
  explicit PieceStream(std::vector<std::string> pieces) : pieces_(std::move(pieces)) {}
  Result<std::size_t> read_some(char* data, std::size_t size, Deadline) override {
    while (next_ < pieces_.size() && pieces_[next_].empty()) ++next_;
    if (next_ == pieces_.size()) return std::size_t{0};
    std::string& piece = pieces_[next_];
    const std::size_t count = std::min(size, piece.size());
    std::copy_n(piece.begin(), count, data);
    piece.erase(0, count);
    return count;
  }
  Outcome write_all(std::string_view, Deadline) override { return {}; }
  void close() override {}

 private:
  std::vector<std::string> pieces_;
  std::size_t next_ = 0;
};

std::vector<std::string> bytewise(const std::string& text) {
  std::vector<std::string> pieces;
  for (const char byte : text) pieces.emplace_back(1, byte);
  return pieces;
}

const std::string kTalk = "* OK ready\r\nbare\n\r\n{5}\r\nab\r\ncd done\r\n";

void expect_talk(LineReader& reader) {
  const Deadline deadline = Deadline::never();
  EXPECT_EQ(*reader.line(deadline), "* OK ready");
  EXPECT_EQ(*reader.line(deadline), "bare");
  EXPECT_EQ(*reader.line(deadline), "");
  EXPECT_EQ(*reader.line(deadline), "{5}");
  EXPECT_EQ(*reader.bytes(5, deadline), "ab\r\nc");
  EXPECT_EQ(*reader.line(deadline), "d done");
  EXPECT_EQ(reader.buffered(), 0U);
}

TEST(LineReader, ReadsLinesAndCountedBytesFromOnePiece) {
  PieceStream stream({kTalk});
  LineReader reader(stream, 100);
  expect_talk(reader);
}

TEST(LineReader, ReadsTheSameDeliveredByteByByte) {
  PieceStream stream(bytewise(kTalk));
  LineReader reader(stream, 100);
  expect_talk(reader);
}

TEST(LineReader, ReadsTheSameAtEverySplit) {
  for (std::size_t split = 0; split <= kTalk.size(); ++split) {
    PieceStream stream({kTalk.substr(0, split), kTalk.substr(split)});
    LineReader reader(stream, 100);
    expect_talk(reader);
  }
}

TEST(LineReader, EveryTruncationIsALostConnectionAndNeverALine) {
  const std::string text = "one\r\n";
  for (std::size_t size = 0; size < text.size(); ++size) {
    PieceStream stream({text.substr(0, size)});
    LineReader reader(stream, 100);
    const auto line = reader.line(Deadline::never());
    ASSERT_FALSE(line) << size;
    EXPECT_TRUE(line.error().is(errors::connection_lost));
  }
}

TEST(LineReader, ALineAtTheBoundIsReadAndOneByteMoreIsNot) {
  for (const bool is_bytewise : {false, true}) {
    for (const std::string end : {"\r\n", "\n"}) {
      const std::string fits = std::string(10, 'x') + end;
      PieceStream good(is_bytewise ? bytewise(fits) : std::vector<std::string>{fits});
      LineReader reader(good, 10);
      EXPECT_EQ(*reader.line(Deadline::never()), std::string(10, 'x'));
      const std::string over = std::string(11, 'x') + end;
      PieceStream bad(is_bytewise ? bytewise(over) : std::vector<std::string>{over});
      LineReader refusing(bad, 10);
      const auto line = refusing.line(Deadline::never());
      ASSERT_FALSE(line);
      EXPECT_TRUE(line.error().is(errors::line_too_long));
    }
  }
}

TEST(LineReader, AnEndlessLineIsGivenUpEarly) {
  PieceStream stream(std::vector<std::string>(1000, std::string(1000, 'x')));
  LineReader reader(stream, 5000);
  const auto line = reader.line(Deadline::never());
  ASSERT_FALSE(line);
  EXPECT_TRUE(line.error().is(errors::line_too_long));
  EXPECT_LT(reader.buffered(), 30'000U);
}

TEST(LineReader, CountedBytesThatDoNotComeAreALostConnection) {
  PieceStream stream({"abc"});
  LineReader reader(stream, 10);
  const auto bytes = reader.bytes(std::size_t{1} << 40U, Deadline::never());
  ASSERT_FALSE(bytes);
  EXPECT_TRUE(bytes.error().is(errors::connection_lost));
}

TEST(LineReader, NulAndOtherControlBytesPassThrough) {
  PieceStream stream({std::string("a\0b\x01\r\n", 6)});
  LineReader reader(stream, 10);
  EXPECT_EQ(*reader.line(Deadline::never()), std::string("a\0b\x01", 4));
}

TEST(LineReader, BytesAheadOfAHandshakeAreReported) {
  PieceStream stream({"220 go\r\nsmuggled\r\n"});
  LineReader reader(stream, 100);
  ASSERT_TRUE(reader.line(Deadline::never()));
  EXPECT_FALSE(reader.check_nothing_ahead());
  ASSERT_TRUE(reader.line(Deadline::never()));
  EXPECT_TRUE(reader.check_nothing_ahead());
}

}  // namespace
}  // namespace plan::net
