#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include <array>

#include "runtime/net/http_client.h"
#include "tests/unit/runtime/rehearsal/target_peer.h"

namespace plan::rehearsal {
namespace {

/// An address of this machine from which connections to itself come and that no target exempts, as
/// it does loopback; empty when there is none.
std::string own_address() {
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return {};
  std::string found;
  for (const ifaddrs* each = list; each != nullptr && found.empty(); each = each->ifa_next) {
    if (each->ifa_addr == nullptr || each->ifa_addr->sa_family != AF_INET) continue;
    if ((each->ifa_flags & IFF_LOOPBACK) != 0 || (each->ifa_flags & IFF_UP) == 0) continue;
    std::array<char, INET_ADDRSTRLEN> text = {};
    const auto* address = reinterpret_cast<const sockaddr_in*>(each->ifa_addr);
    if (inet_ntop(AF_INET, &address->sin_addr, text.data(), text.size()) != nullptr)
      found = text.data();
  }
  freeifaddrs(list);
  return found;
}

TEST(Ban, a_banned_address_is_turned_away_without_a_word_until_the_entry_is_gone) {
  const std::string own = own_address();
  if (own.empty()) GTEST_SKIP() << "this machine has no address but loopback";
  TargetPeer target;
  target.options.http->address = "0.0.0.0";
  ASSERT_NO_FATAL_FAILURE(target.start());
  const auto get = [&]() -> Result<net::HttpResponse> {
    net::HttpOptions options;
    options.url = "http://" + own + ":" + std::to_string(target.port());
    PLAN_TRY(client, net::make_http_client(std::move(options)));
    return client->send({.method = "GET", .target = "/.well-known/jmap"});
  };
  ASSERT_TRUE(get()) << get().error().to_line();

  const auto made =
      target.call("x:BlockedIp/set", R"({"create":{"b":{"address":")" + own + R"("}}})");
  const std::string id(made["created"]["b"]["id"].string_or(""));
  ASSERT_FALSE(id.empty()) << ir::write_json(made);
  EXPECT_TRUE(get()) << "an entry counts from its reload on";
  const auto reload = [&] {
    return target.call("x:Action/set", R"({"create":{"r":{"@type":"ReloadBlockedIps"}}})");
  };
  reload();
  EXPECT_FALSE(get());

  // It is not even asked what it wants: the end comes before a byte was sent.
  auto stream = net::connect_tcp(own, target.port(), net::Deadline::after(std::chrono::minutes(1)));
  ASSERT_TRUE(stream) << "a connection is taken: " << stream.error().to_line();
  std::array<char, 16> bytes = {};
  const auto read = (*stream)->read_some(bytes.data(), bytes.size(),
                                         net::Deadline::after(std::chrono::minutes(1)));
  EXPECT_TRUE(!read || *read == 0) << std::string(bytes.data(), read ? *read : 0);

  target.call("x:BlockedIp/set", R"({"destroy":[")" + id + R"("]})");
  reload();
  EXPECT_TRUE(get()) << "the way out that the error names";
}

}  // namespace
}  // namespace plan::rehearsal
