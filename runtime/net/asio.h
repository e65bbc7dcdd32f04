#pragma once
// The only way to include Asio (Boost 1.81, compiled once in asio.cpp). For .cpp files and private
// headers of the proxy; no public header shows Asio.
//
// g++ 12 destroys some temporaries of a `co_await` expression twice (reference/style.md 4.1). So
// every coroutine here is a named function, its arguments are named or simple, there is one
// `co_await` in a statement, and no `co_await` stands inside an aggregate initialiser or beside a
// capturing lambda.
//
// The frames of Asio's coroutines are allocated and freed by a pair of functions of its own; g++ 12
// sees only the inlined half and calls them mismatched at -O2. The warning is off from here to the
// end of every file that includes this.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
#endif
#include <boost/asio.hpp>

namespace plan::net {
namespace asio = boost::asio;
using AsioError = boost::system::error_code;
}  // namespace plan::net
