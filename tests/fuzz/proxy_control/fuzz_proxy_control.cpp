// links: proxy
#include <cstdlib>
#include <string_view>

#include "runtime/proxy/config.h"
#include "runtime/proxy/control_request.h"
#include "runtime/proxy/login_name.h"

// The first byte chooses what the rest is: a control request, the head of an HTTP request, a
// configuration.
extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace plan::proxy;
  if (size < 1) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 3U) {
    case 0: {
      const auto request = read_control_request(rest);
      if (!request) return 0;
      for (const std::string& name : request->names) {
        if (!is_login_name(name) || normal_login(name) != name) std::abort();
      }
      return 0;
    }
    case 1: {
      const auto head = read_http_head(rest);
      if (head && head->content_length > 999'999'999) std::abort();
      return 0;
    }
    default: {
      std::vector<ConfigProblem> problems;
      const bool is_read = read_config(rest, problems).has_value();
      if (is_read != problems.empty()) std::abort();
      return 0;
    }
  }
}
