# Where each Debian package's library comes in; the packages are listed in scripts/packages.txt.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(tl-expected REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(CURL REQUIRED)
find_package(EXPAT REQUIRED)
find_package(ZLIB REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(RocksDB REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(CLI11 REQUIRED)
pkg_check_modules(LIBSSH2 REQUIRED IMPORTED_TARGET libssh2)
pkg_check_modules(LZ4 REQUIRED IMPORTED_TARGET liblz4)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(LIBPQ REQUIRED IMPORTED_TARGET libpq)
pkg_check_modules(LIBMARIADB REQUIRED IMPORTED_TARGET libmariadb)
add_library(plan_libssh2 ALIAS PkgConfig::LIBSSH2)
add_library(plan_lz4 ALIAS PkgConfig::LZ4)
add_library(plan_xxhash ALIAS PkgConfig::XXHASH)

# Asio is compiled once, in runtime/net/asio.cpp; everything includes runtime/net/asio.h.
add_library(plan_boost INTERFACE)
target_include_directories(plan_boost SYSTEM INTERFACE ${Boost_INCLUDE_DIRS})
target_compile_definitions(plan_boost INTERFACE BOOST_ASIO_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED)
target_link_libraries(plan_boost INTERFACE Threads::Threads)

# BLAKE3: the official C sources that Debian ships inside librust-blake3-dev, portable parts plus the SSE/AVX
# assembly of the same package.
file(GLOB PLAN_BLAKE3_DIR LIST_DIRECTORIES true /usr/share/cargo/registry/blake3-*/c)
if(NOT PLAN_BLAKE3_DIR)
  message(FATAL_ERROR "librust-blake3-dev is not installed: no blake3-*/c below the cargo registry of /usr/share")
endif()
add_library(plan_blake3 STATIC
  ${PLAN_BLAKE3_DIR}/blake3.c ${PLAN_BLAKE3_DIR}/blake3_dispatch.c ${PLAN_BLAKE3_DIR}/blake3_portable.c)
target_include_directories(plan_blake3 SYSTEM PUBLIC ${PLAN_BLAKE3_DIR})
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64" AND EXISTS ${PLAN_BLAKE3_DIR}/blake3_avx2_x86-64_unix.S)
  target_sources(plan_blake3 PRIVATE
    ${PLAN_BLAKE3_DIR}/blake3_sse2_x86-64_unix.S ${PLAN_BLAKE3_DIR}/blake3_sse41_x86-64_unix.S
    ${PLAN_BLAKE3_DIR}/blake3_avx2_x86-64_unix.S ${PLAN_BLAKE3_DIR}/blake3_avx512_x86-64_unix.S)
else()
  target_compile_definitions(plan_blake3 PRIVATE BLAKE3_NO_SSE2 BLAKE3_NO_SSE41 BLAKE3_NO_AVX2 BLAKE3_NO_AVX512)
endif()
