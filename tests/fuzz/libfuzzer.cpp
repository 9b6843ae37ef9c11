// libFuzzer's entry: the same targets, driven by coverage (clang, -DH5SCORE_BUILD_FUZZERS=ON).
#include "target.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    h5score::fuzz::run(std::as_bytes(std::span(data, size)));
  } catch (const std::exception& e) {
    std::fprintf(stderr, "fault: %s\n", e.what());
    std::abort();
  }
  return 0;
}
