// Micro-benchmark of the checksum that every block of results gets.
#include "h5score/base/hash.hpp"

#include <benchmark/benchmark.h>

#include <vector>

namespace h5score::base {
namespace {

void crc32_of_results(benchmark::State& state) {
  const std::vector<std::byte> results(static_cast<std::size_t>(state.range(0)), std::byte{7});
  for (auto _ : state) benchmark::DoNotOptimize(crc32(results));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(crc32_of_results)->RangeMultiplier(16)->Range(4 << 10, 1 << 20);

}  // namespace
}  // namespace h5score::base

BENCHMARK_MAIN();
