# One set of warnings, always errors; libraries come in as SYSTEM and are exempt.
add_library(plan_warnings INTERFACE)
target_compile_options(plan_warnings INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wpedantic;-Wshadow;-Wconversion;-Wsign-conversion;-Wnon-virtual-dtor;-Wold-style-cast;-Wimplicit-fallthrough;-Werror>
  # g++ 12 sees overlapping copies in `"text" + string` that cannot be there (GCC bug 105651).
  $<$<AND:$<COMPILE_LANG_AND_ID:CXX,GNU>,$<CONFIG:Release,RelWithDebInfo>>:-Wno-restrict>)
target_compile_definitions(plan_warnings INTERFACE _GLIBCXX_ASSERTIONS)
if(PLAN_SANITIZE STREQUAL "address")
  target_compile_options(plan_warnings INTERFACE -fsanitize=address,undefined
    -fno-sanitize=null,alignment,object-size,vptr -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(plan_warnings INTERFACE -fsanitize=address,undefined)
elseif(PLAN_SANITIZE STREQUAL "thread")
  # Beside its sanitizer g++ 12 calls moved variants uninitialised that are not.
  target_compile_options(plan_warnings INTERFACE -fsanitize=thread
    $<$<CXX_COMPILER_ID:GNU>:-Wno-tsan> $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  target_link_options(plan_warnings INTERFACE -fsanitize=thread)
endif()
# libFuzzer sees which way an input went through all of our code, not only through the target's own file.
if(PLAN_FUZZ)
  target_compile_options(plan_warnings INTERFACE -fsanitize=fuzzer-no-link)
endif()
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

# Hardening of what is shipped; tests are built without it, and without optimisation: they are many and run once.
add_library(plan_hardening INTERFACE)
if(CMAKE_BUILD_TYPE MATCHES "Rel" AND NOT PLAN_SANITIZE)
  target_compile_options(plan_hardening INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong)
  target_link_options(plan_hardening INTERFACE -Wl,-z,relro,-z,now)
endif()
