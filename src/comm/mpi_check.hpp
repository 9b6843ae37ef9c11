// MPI's return codes as errors. Private to comm.
#pragma once

#include "h5score/base/types.hpp"

#include <mpi.h>

#include <string>

namespace h5score::comm {

/// MPI_Error_string of `code`.
std::string mpi_error_text(int code);

[[noreturn]] void throw_mpi(int code, const char* call, const std::string& operands);

/// Throws Error(io): `MPI_Isend failed (reason)`.
inline void check(int code, const char* call) {
  if (code != MPI_SUCCESS) throw_mpi(code, call, {});
}

/// Throws Error(io): `MPI_Isend of 80 bytes with rank 3 failed (reason)`.
inline void check(int code, const char* call, base::u64 bytes, base::u64 peer) {
  if (code != MPI_SUCCESS)
    throw_mpi(code, call, " of " + std::to_string(bytes) + " bytes with rank " + std::to_string(peer));
}

}  // namespace h5score::comm
