// Boundaries, PROXY headers, login names, SASL, control requests: the small parts.
#include <gtest/gtest.h>

#include "compiler/ir/digest.h"
#include "runtime/proxy/boundary.h"
#include "runtime/proxy/control_request.h"
#include "runtime/proxy/input_buffer.h"
#include "runtime/proxy/login_name.h"
#include "runtime/proxy/proxy_header.h"
#include "runtime/proxy/sasl.h"
#include "runtime/proxy/token_file.h"

namespace plan::proxy {
namespace {

bool is_between(Protocol protocol, const std::string& text) {
  Boundary whole(protocol);
  whole.feed(text);
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    Boundary parts(protocol);
    parts.feed(std::string_view(text).substr(0, cut));
    parts.feed(std::string_view(text).substr(cut));
    EXPECT_EQ(parts.is_between_lines(), whole.is_between_lines()) << "cut at " << cut;
  }
  Boundary bytes(protocol);
  for (const char c : text) bytes.feed(std::string_view(&c, 1));
  EXPECT_EQ(bytes.is_between_lines(), whole.is_between_lines()) << "byte by byte";
  return whole.is_between_lines();
}

TEST(Boundary, IsAtTheEndOfALineAndOutsideLiterals) {
  EXPECT_TRUE(is_between(Protocol::imap, ""));
  EXPECT_TRUE(is_between(Protocol::imap, "* 1 EXISTS\r\n"));
  EXPECT_FALSE(is_between(Protocol::imap, "* 1 EXI"));
  EXPECT_FALSE(is_between(Protocol::imap, "* 1 EXISTS\r"));
  EXPECT_FALSE(is_between(Protocol::imap, "* 1 FETCH (BODY[] {5}\r\n"));
  EXPECT_FALSE(is_between(Protocol::imap, "* 1 FETCH (BODY[] {5}\r\nab\r\n"));
  EXPECT_FALSE(is_between(Protocol::imap, "* 1 FETCH (BODY[] {5}\r\nab\r\n\n"))
      << "the line goes on behind a literal";
  EXPECT_TRUE(is_between(Protocol::imap, "* 1 FETCH (BODY[] {5}\r\nab\r\n\n)\r\n"));
  EXPECT_TRUE(is_between(Protocol::imap, "* 1 FETCH (BODY[] {3}\r\n}{1 FLAGS {2+}\r\nxy)\r\n"));
  EXPECT_TRUE(is_between(Protocol::imap, "* OK {x}\r\n"));
  EXPECT_TRUE(is_between(Protocol::pop3, "+OK {5}\r\n")) << "POP3 has no literals";
  EXPECT_FALSE(is_between(Protocol::imap, std::string("\0\0binary\r\n", 10)))
      << "compressed: never again";
}

TEST(ProxyHeader, IsWrittenInBothVersions) {
  EXPECT_EQ(proxy_header_v1("203.0.113.9", 50000, "203.0.113.10", 25),
            "PROXY TCP4 203.0.113.9 203.0.113.10 50000 25\r\n");
  EXPECT_EQ(proxy_header_v1("2001:db8::1", 1, "2001:db8::2", 2),
            "PROXY TCP6 2001:db8::1 2001:db8::2 1 2\r\n");
  EXPECT_EQ(proxy_header_v1("::ffff:203.0.113.9", 1, "203.0.113.10", 2),
            "PROXY TCP4 203.0.113.9 203.0.113.10 1 2\r\n");
  EXPECT_EQ(proxy_header_v1("203.0.113.9", 1, "2001:db8::2", 2), "PROXY UNKNOWN\r\n");
  EXPECT_EQ(ir::to_hex(proxy_header_v2("203.0.113.9", 50000, "203.0.113.10", 25)),
            "0d0a0d0a000d0a515549540a2111000ccb007109cb00710ac3500019");
  EXPECT_EQ(ir::to_hex(proxy_header_v2("2001:db8::1", 1, "2001:db8::2", 2)),
            "0d0a0d0a000d0a515549540a2121002420010db800000000000000000000000120010db800000000000000"
            "000000000200010002");
  EXPECT_EQ(ir::to_hex(proxy_header_v2("", 0, "", 0)), "0d0a0d0a000d0a515549540a20000000");
}

TEST(LoginName, IsComparedInLowerCaseAndWithoutItsMaster) {
  EXPECT_EQ(normal_login("  Alice@Example.ORG "), "alice@example.org");
  const std::vector<std::string> separators = {"%", "*"};
  EXPECT_EQ(user_part("alice@example.org%admin", separators), "alice@example.org");
  EXPECT_EQ(user_part("a*b%c", separators), "a") << "the earliest one";
  EXPECT_EQ(user_part("%admin", separators), "%admin") << "nothing would be left";
  EXPECT_EQ(user_part("alice", {""}), "alice");
  EXPECT_TRUE(is_login_name("alice@example.org"));
  EXPECT_TRUE(is_login_name("zoë@example.org"));
  for (const std::string bad : {"", "a b", "a\tb", "a\nb", "\xff", "a\x7f"})
    EXPECT_FALSE(is_login_name(bad)) << bad;
  EXPECT_TRUE(is_login_name(std::string(512, 'x')));
  EXPECT_FALSE(is_login_name(std::string(513, 'x')));
}

std::string plain(std::string_view message) { return ir::to_base64(message); }

TEST(Sasl, ReadsPlainExactly) {
  SaslServer sasl;
  const auto start = [&sasl](std::string_view message) {
    return sasl.start(SaslServer::Mechanism::plain, plain(message));
  };
  EXPECT_EQ(start(std::string_view("\0alice\0secret", 13)), SaslServer::Progress::ready);
  EXPECT_EQ(start(std::string_view("alice\0alice\0secret", 18)), SaslServer::Progress::ready);
  EXPECT_EQ(sasl.take().authorize_as, "") << "the same name is no impersonation";
  for (const std::string_view bad :
       {std::string_view("alice"), std::string_view("\0alice", 6),
        std::string_view("\0\0secret", 8), std::string_view("\0alice\0", 7),
        std::string_view("\0alice\0a\0b", 10), std::string_view("\0al\nice\0secret", 14),
        std::string_view("\0alice\0sec\rret", 14)}) {
    EXPECT_EQ(start(bad), SaslServer::Progress::malformed);
  }
  EXPECT_EQ(start("\0a\0" + std::string(4097, 'x')), SaslServer::Progress::malformed);
  EXPECT_EQ(sasl.start(SaslServer::Mechanism::plain, "not base64!"),
            SaslServer::Progress::malformed);
  EXPECT_EQ(sasl.start(SaslServer::Mechanism::plain, "="), SaslServer::Progress::malformed)
      << "an empty message";
  EXPECT_EQ(sasl.start(SaslServer::Mechanism::plain, "*"), SaslServer::Progress::cancelled);
  EXPECT_EQ(sasl.start(SaslServer::Mechanism::plain, std::nullopt),
            SaslServer::Progress::challenge);
}

TEST(Token, IsComparedWhole) {
  EXPECT_TRUE(is_same_token("abc", "abc"));
  EXPECT_FALSE(is_same_token("abc", "abd"));
  EXPECT_FALSE(is_same_token("ab", "abc"));
  EXPECT_FALSE(is_same_token("", "")) << "no token opens nothing";
}

TEST(ControlRequest, ReadsAndNormalises) {
  const auto request = read_control_request(
      R"({"op":"hold","names":["Alice@Example.org","alice@example.org"],"generation":3,"bound_ms":500,"lease":"L"})");
  ASSERT_TRUE(request) << request.error().to_line();
  EXPECT_EQ(request->op, ControlOp::hold);
  EXPECT_EQ(request->names, std::vector<std::string>{"alice@example.org"});
  EXPECT_EQ(request->generation, 3U);
  EXPECT_EQ(request->bound_ms, 500);
  for (const char* bad :
       {"", "[]", "{}", R"({"op":"hold"})", R"({"op":"hold","names":["a"],"generation":-1})",
        R"({"op":"hold","names":"a","generation":1})",
        R"({"op":"hold","names":[1],"generation":1})",
        R"({"op":"hold","names":["a"],"generation":1,"bound_ms":600001})",
        R"({"op":"prepare","names":["a"],"generation":1})", R"({"op":"take-over"})",
        R"({"op":"status","lease":7})", R"([[[[[[[[[[[[]]]]]]]]]]]])"}) {
    EXPECT_FALSE(read_control_request(bad)) << bad;
  }
}

TEST(ControlHttp, TakesPlainRequestsOnly) {
  const auto head = read_http_head(
      "POST /control HTTP/1.1\r\nHost: x\r\nauthorization: bearer T\r\nContent-Length: 12");
  ASSERT_TRUE(head);
  EXPECT_TRUE(head->is_post);
  EXPECT_EQ(head->path, "/control");
  EXPECT_EQ(head->bearer, "T");
  EXPECT_EQ(head->content_length, 12U);
  for (const char* bad :
       {"", "POST", "POST /control", "POST /control HTTP/1.0",
        "POST /control HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2",
        "POST /control HTTP/1.1\r\nTransfer-Encoding: chunked",
        "POST /control HTTP/1.1\r\nContent-Length: -1",
        "POST /control HTTP/1.1\r\nContent-Length : 1", "POST /control HTTP/1.1\r\n folded: 1",
        "POST /control HTTP/1.1\r\nAuthorization: a\r\nAuthorization: b",
        "POST /control HTTP/1.1\r\nContent-Length: 99999999999"}) {
    EXPECT_FALSE(read_http_head(bad)) << bad;
  }
}

TEST(InputBuffer, BoundsALineWithOrWithoutItsEnd) {
  std::string line;
  InputBuffer exact;
  exact.append(std::string(10, 'x') + "\r\n");
  EXPECT_EQ(exact.take_line(10, line), InputBuffer::Got::line);
  InputBuffer longer;
  longer.append(std::string(11, 'x') + "\r\n");
  EXPECT_EQ(longer.take_line(10, line), InputBuffer::Got::too_long);
  InputBuffer open;
  open.append(std::string(10, 'x'));
  EXPECT_EQ(open.take_line(10, line), InputBuffer::Got::more);
  open.append("\r");
  EXPECT_NE(open.take_line(10, line), InputBuffer::Got::line);
}

}  // namespace
}  // namespace plan::proxy
