// What this rank has asked MPI to send so far, counted below our own communicator. Linked into tests only.
#pragma once

#include <map>

namespace h5score::test {

struct MpiCounts {
  std::map<int, unsigned long> sends;  ///< point-to-point messages, by tag
  std::map<int, unsigned long> send_bytes;
  unsigned long scatters = 0;       ///< MPI_Iscatterv calls
  unsigned long scatter_bytes = 0;  ///< at the root
  unsigned long gathers = 0;        ///< MPI_Igatherv calls
  unsigned long gather_bytes = 0;   ///< this rank's own parts
};

MpiCounts mpi_counts();

}  // namespace h5score::test
