// VmHWM of proc(5).
#include "h5score/base/peak_memory.hpp"

#include <fstream>
#include <string>

namespace h5score::base {

u64 peak_memory_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;)
    if (u64 kib = 0; word == "VmHWM:" && status >> kib) return kib * 1024;
  return 0;
}

}  // namespace h5score::base
