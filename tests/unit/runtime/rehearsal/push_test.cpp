// Push of the embedded target: EventSource (RFC 8620, 7.3) and WebSocket (RFC 8887).
#include "target_peer.h"

namespace plan::rehearsal {
namespace {

class Push : public testing::Test {
 protected:
  void SetUp() override {
    target.start();
    target.call("x:Domain/set", R"({"create":{"d":{"name":"a.test"}}})");
    for (const char* name : {"anna", "berta"})
      ids[name] = std::string(
          target
              .call(
                  "x:Account/set",
                  R"({"create":{"u":{"@type":"User","name":")" + std::string(name) +
                      R"(","domainId":"b","credentials":{"0":{"@type":"Password","secret":"Corr3ct-horse-)" +
                      name + R"("}}}}})")["created"]["u"]["id"]
              .string_or(""));
    ASSERT_FALSE(ids["berta"].empty());
  }

  static HttpHeaders anna() { return login("anna@a.test:Corr3ct-horse-anna"); }

  void make_mailbox(const std::string& account, const std::string& name) {
    const ir::Value made =
        target.call("Mailbox/set", R"({"accountId":")" + account + R"(","create":{"m":{"name":")" +
                                       name + R"("}}})");
    EXPECT_TRUE(made["created"]["m"].is_map()) << ir::write_json(made);
  }
  void import_message(const std::string& account) {
    HttpHeaders headers = login("admin:adminpw");
    headers.emplace_back("content-type", "message/rfc822");
    HttpPeer upload(target.port(), "POST", "/jmap/upload/" + account + "/", headers,
                    "Subject: x\r\n\r\nx\r\n");
    const std::string blob(upload.json()["blobId"].string_or(""));
    const ir::Value made = target.call("Email/import", R"({"accountId":")" + account +
                                                           R"(","emails":{"e":{"blobId":")" + blob +
                                                           R"(","mailboxIds":{"a":true}}}})");
    EXPECT_TRUE(made["created"]["e"].is_map()) << ir::write_json(made);
  }

  // The data of the next event of a stream; null when the stream has ended.
  static ir::Value next_event(HttpPeer& stream) {
    while (const auto line = stream.line())
      if (line->starts_with("data: ")) {
        auto parsed = ir::parse_json(line->substr(6));
        return parsed ? std::move(*parsed) : ir::Value();
      }
    return {};
  }

  HttpPeer socket() {
    HttpHeaders headers = anna();
    headers.insert(headers.end(), {{"upgrade", "websocket"},
                                   {"connection", "Upgrade"},
                                   {"sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="},
                                   {"sec-websocket-version", "13"},
                                   {"sec-websocket-protocol", "jmap"}});
    return HttpPeer(target.port(), "GET", "/jmap/ws", headers);
  }
  // A frame as a client sends it: masked, here with a mask that changes something.
  static std::string frame(unsigned opcode, const std::string& payload, bool is_masked = true) {
    std::string out(1, static_cast<char>(0x80U | opcode));
    EXPECT_LT(payload.size(), 126U);
    out += static_cast<char>((is_masked ? 0x80U : 0U) | payload.size());
    const std::string mask = "\x11\x22\x33\x44";
    if (is_masked) out += mask;
    for (std::size_t i = 0; i < payload.size(); ++i)
      out += is_masked ? static_cast<char>(payload[i] ^ mask[i % 4]) : payload[i];
    return out;
  }
  struct Frame {
    unsigned opcode = 0;
    std::string payload = {};
  };
  static Frame next_frame(HttpPeer& peer) {
    const auto head = peer.bytes(2);
    if (!head) return {};
    std::size_t size = static_cast<unsigned char>((*head)[1]);
    EXPECT_LT(size, 128U) << "a server does not mask";
    if (size == 126) {
      const std::string longer = peer.bytes(2).value_or(std::string(2, '\0'));
      size = static_cast<std::size_t>(static_cast<unsigned char>(longer[0])) << 8U |
             static_cast<unsigned char>(longer[1]);
    }
    return {static_cast<unsigned char>((*head)[0]) & 0x0fU, peer.bytes(size).value_or("")};
  }
  static ir::Value next_message(HttpPeer& peer) {
    const Frame got = next_frame(peer);
    EXPECT_EQ(got.opcode, 1U);
    auto parsed = ir::parse_json(got.payload);
    return parsed ? std::move(*parsed) : ir::Value();
  }

  TargetPeer target;
  std::map<std::string, std::string> ids;
};

TEST_F(Push, a_stream_tells_what_changed_and_ends_when_asked_to) {
  HttpPeer stream(target.port(), "GET", "/jmap/eventsource/?types=*&closeafter=state&ping=0",
                  anna());
  EXPECT_EQ(stream.status, 200);
  EXPECT_EQ(stream.headers["content-type"], "text/event-stream");
  make_mailbox(ids["anna"], "Work");
  const ir::Value event = next_event(stream);
  EXPECT_EQ(event["@type"], ir::Value("StateChange"));
  ASSERT_EQ(event["changed"].size(), 1U);
  EXPECT_EQ(event["changed"][ids["anna"]].size(), 1U);
  EXPECT_TRUE(event["changed"][ids["anna"]]["Mailbox"].is_string());
  EXPECT_TRUE(next_event(stream).is_null());
}

TEST_F(Push, a_stream_keeps_to_its_types_and_its_account) {
  HttpPeer stream(target.port(), "GET", "/jmap/eventsource/?types=Email&closeafter=state&ping=0",
                  anna());
  ASSERT_EQ(stream.status, 200);
  make_mailbox(ids["anna"], "Work");  // no Email
  import_message(ids["berta"]);       // not hers
  import_message(ids["anna"]);
  const ir::Value event = next_event(stream);
  ASSERT_EQ(event["changed"].size(), 1U) << ir::write_json(event);
  EXPECT_EQ(event["changed"][ids["anna"]].size(), 1U);
  EXPECT_TRUE(event["changed"][ids["anna"]]["Email"].is_string());
}

TEST_F(Push, a_stream_goes_on_when_not_asked_to_end) {
  HttpPeer stream(target.port(), "GET", "/jmap/eventsource/?types=Mailbox&closeafter=no&ping=0",
                  anna());
  std::string last;
  for (const char* name : {"One", "Two"}) {
    make_mailbox(ids["anna"], name);
    const std::string state(next_event(stream)["changed"][ids["anna"]]["Mailbox"].string_or(""));
    EXPECT_NE(state, last);
    last = state;
  }
}

TEST_F(Push, what_cannot_be_followed_is_refused) {
  EXPECT_EQ(HttpPeer(target.port(), "GET", "/jmap/eventsource/?types=Foo", anna()).status, 400);
  EXPECT_EQ(HttpPeer(target.port(), "GET", "/jmap/eventsource/?types=*", {}).status, 401);
  EXPECT_EQ(HttpPeer(target.port(), "GET", "/jmap/ws", anna()).status, 400);
  EXPECT_EQ(HttpPeer(target.port(), "GET", "/jmap/ws", {}).status, 401);
}

TEST_F(Push, a_socket_answers_requests_by_their_id) {
  HttpPeer peer = socket();
  EXPECT_EQ(peer.status, 101);
  // The example of RFC 6455, 1.3.
  EXPECT_EQ(peer.headers["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  peer.write(frame(
      1, R"({"@type":"Request","id":"r1","using":[],"methodCalls":[["Core/echo",{"a":1},"0"]]})"));
  const ir::Value answer = next_message(peer);
  EXPECT_EQ(answer["@type"], ir::Value("Response"));
  EXPECT_EQ(answer["requestId"], ir::Value("r1"));
  EXPECT_EQ(answer["methodResponses"].item(0).item(1)["a"], ir::Value(1));
  peer.write(frame(1, R"({"@type":"Nonsense"})"));
  EXPECT_EQ(next_message(peer)["@type"], ir::Value("RequestError"));
  peer.write(frame(1, "no JSON"));
  EXPECT_EQ(next_message(peer)["@type"], ir::Value("RequestError"));
}

TEST_F(Push, a_socket_tells_changes_between_enable_and_disable) {
  HttpPeer peer = socket();
  const std::string ping = frame(9, "here");
  // A pong says that all before it was read.
  const auto read_all = [&] {
    peer.write(ping);
    const Frame pong = next_frame(peer);
    EXPECT_EQ(pong.opcode, 10U);
    EXPECT_EQ(pong.payload, "here");
  };
  make_mailbox(ids["anna"], "Before");
  read_all();  // nothing was told
  peer.write(frame(1, R"({"@type":"WebSocketPushEnable","dataTypes":["Mailbox"]})"));
  read_all();
  make_mailbox(ids["anna"], "Between");
  const ir::Value change = next_message(peer);
  EXPECT_EQ(change["@type"], ir::Value("StateChange"));
  EXPECT_TRUE(change["changed"][ids["anna"]]["Mailbox"].is_string());
  peer.write(frame(1, R"({"@type":"WebSocketPushDisable"})"));
  read_all();
  make_mailbox(ids["anna"], "After");
  read_all();  // nothing was told
}

TEST_F(Push, a_client_that_does_not_mask_is_let_go) {
  HttpPeer peer = socket();
  peer.write(frame(1, "{}", false));
  EXPECT_EQ(next_frame(peer).opcode, 8U);
  EXPECT_FALSE(peer.bytes(1).has_value());
}

}  // namespace
}  // namespace plan::rehearsal
