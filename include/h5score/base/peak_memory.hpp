// The most memory that this program has had resident.
#pragma once

#include "h5score/base/types.hpp"

namespace h5score::base {

/// In bytes, since exec(); 0 where the system does not tell. getrusage() would also count what the process that started
/// this one had resident before exec().
[[nodiscard]] u64 peak_memory_bytes();

}  // namespace h5score::base
