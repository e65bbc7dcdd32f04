// links: proxy
#include "tests/fuzz/proxy_front/drive.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  plan::proxy::drive_front(plan::proxy::Protocol::pop3, data, size);
  return 0;
}
