// links: proxy
#include "tests/fuzz/proxy_front/drive.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  plan::proxy::drive_back(plan::proxy::Protocol::submission, data, size);
  return 0;
}
