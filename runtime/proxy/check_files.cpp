#include <fstream>
#include <set>
#include <sstream>
#include <utility>

#include "runtime/proxy/config.h"
#include "runtime/proxy/leg.h"
#include "runtime/proxy/map_log.h"
#include "runtime/proxy/token_file.h"

namespace plan::proxy {

std::vector<ConfigProblem> check_files(const ProxyConfig& config) {
  std::vector<ConfigProblem> problems;
  const auto note = [&problems](const Error& error) { problems.push_back({0, error.to_line()}); };
  std::set<std::pair<std::string, std::string>> pairs;
  for (const ListenerConfig& listener : config.listeners) {
    if (listener.tls == TlsMode::none) continue;
    if (listener.certificate.empty())
      pairs.emplace(config.certificate, config.key);
    else
      pairs.emplace(listener.certificate, listener.key);
  }
  if (!config.control.https_address.empty()) {
    if (config.control.certificate.empty())
      pairs.emplace(config.certificate, config.key);
    else
      pairs.emplace(config.control.certificate, config.control.key);
  }
  for (const auto& [certificate, key] : pairs) {
    if (auto context = make_server_context(certificate, key); !context) note(context.error());
  }
  for (const auto& [name, destination] : config.destinations) {
    if (auto context = make_client_context(destination); !context) note(context.error());
  }
  if (auto token = read_token_file(config.control.token_file); !token) note(token.error());
  std::ifstream file(config.map_file, std::ios::binary);
  if (file) {
    std::ostringstream bytes;
    bytes << file.rdbuf();
    if (auto image = read_map_image(bytes.str()); !image)
      note(std::move(image).error().while_doing("reading " + config.map_file));
  } else if (!config.is_map_created) {
    problems.push_back(
        {0, "the account map " + config.map_file + " is not there, and map_missing is refuse"});
  }
  return problems;
}

}  // namespace plan::proxy
