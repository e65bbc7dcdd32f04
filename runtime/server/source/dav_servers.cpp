#include "runtime/server/source/dav_servers.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "compiler/source/text.h"
#include "runtime/server/source/limits.h"

namespace plan::server::source {
namespace {

struct DavPlace {
  std::string_view server = {};
  std::string_view path = {};
};

// Packages first, then the boxes that bring one (reference/sources.md 6, 7, 10 and 17).
constexpr std::array kDavPlaces = {
    DavPlace{"sogo", "/etc/sogo/sogo.conf"},
    DavPlace{"sogo", "/opt/mailcow-dockerized/data/conf/sogo/sogo.conf"},
    DavPlace{"radicale", "/etc/radicale/config"},
    DavPlace{"radicale", "/var/lib/radicale/collections"},
    DavPlace{"radicale", "/srv/radicale/collections"},
    DavPlace{"nextcloud", "/home/user-data/owncloud"},
    DavPlace{"nextcloud", "/var/www/nextcloud/config/config.php"},
    DavPlace{"davical", "/etc/davical/config.php"},
    DavPlace{"baikal", "/var/www/baikal/config/baikal.yaml"},
};

}  // namespace

Result<std::string> dav_servers(net::Host& host) {
  std::vector<std::string> look = {"ls", "-d", "--"};
  for (const DavPlace& place : kDavPlaces) look.emplace_back(place.path);
  // Fails for each of them that is not there; what is there stands in the output all the same.
  PLAN_TRY(seen, host.run(look, net::Deadline::after(kCommandTime), {}));
  std::string words;
  std::vector<std::string_view> servers;
  for (const std::string_view line : split(seen.output, '\n')) {
    const auto* const place =
        std::find_if(kDavPlaces.begin(), kDavPlaces.end(),
                     [&](const DavPlace& one) { return one.path == trim(line); });
    if (place == kDavPlaces.end()) continue;
    if (std::find(servers.begin(), servers.end(), place->server) != servers.end()) continue;
    servers.push_back(place->server);
    words += fmt::format("{}{} at {}", words.empty() ? "" : ", ", place->server, place->path);
  }
  return words;
}

}  // namespace plan::server::source
