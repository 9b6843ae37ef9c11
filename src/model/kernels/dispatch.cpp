// Chooses kernels at run time: what the CPU has, what the build has, and what H5SCORE_ISA allows.
#include "dispatch.hpp"

#include "h5score/base/error.hpp"

#include <algorithm>
#include <cstdlib>
#include <string>

namespace h5score::model {
namespace {

Isa supported() {
#if H5SCORE_HAS_X86_KERNELS
  const bool avx2 = __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
  const bool avx512 = __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
                      __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("avx512vl") != 0;
  if (avx2 && avx512) return Isa::avx512;
  if (avx2) return Isa::avx2;
#endif
  return Isa::baseline;
}

Isa allowed() {
  const char* text = std::getenv("H5SCORE_ISA");
  if (text == nullptr || *text == '\0') return Isa::avx512;
  for (const Isa isa : {Isa::baseline, Isa::avx2, Isa::avx512})
    if (std::string(text) == to_string(isa)) return isa;
  throw base::Error(base::ExitCode::usage, "H5SCORE_ISA is '" + std::string(text) + "'", "unknown instruction set",
                    "use baseline, avx2 or avx512");
}

}  // namespace

const char* to_string(Isa isa) {
  switch (isa) {
    case Isa::baseline:
      return "baseline";
    case Isa::avx2:
      return "avx2";
    case Isa::avx512:
      return "avx512";
  }
  return "unknown";
}

Isa best_isa() {
  return std::min(supported(), allowed());
}

namespace kernels {

const Tables& tables(Isa isa) {
  if (isa > supported())
    throw base::Error(base::ExitCode::internal, "no " + std::string(to_string(isa)) + " kernels",
                      "this CPU or this build has none");
#if H5SCORE_HAS_X86_KERNELS
  if (isa == Isa::avx512) return avx512_tables;
  if (isa == Isa::avx2) return avx2_tables;
#endif
  return baseline_tables;
}

}  // namespace kernels
}  // namespace h5score::model
