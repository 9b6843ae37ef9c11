// Did a launcher (mpirun, srun, ...) start this process, and how many did it start? Read from the environment only, so
// that a process that nobody launched never initialises MPI.
#pragma once

#include "h5score/base/types.hpp"

#include <optional>
#include <string>

namespace h5score::comm {

struct Launch {
  bool under_launcher = false;
  std::optional<base::u64> expected_size;  ///< processes started together, if the launcher says so
  std::optional<base::u64> rank;           ///< this process's number among them
  std::string variable;                    ///< the environment variable that told: "OMPI_COMM_WORLD_SIZE", ...

  /// True if MPI has to be initialised: a launcher started this process and did not say that it is alone.
  [[nodiscard]] bool needs_mpi() const { return under_launcher && expected_size != 1; }
};

/// Reads, in this order, what Open MPI's mpirun, the PMI launchers (MPICH, Intel MPI, Cray, Flux), MVAPICH, JSM and
/// Slurm set for each process. Slurm's SLURM_STEP_NUM_TASKS and SLURM_PROCID count only together with SLURM_STEP_ID,
/// which a batch script or the shell of salloc does not have: Slurm sets SLURM_PROCID=0 (and SLURM_NTASKS, ...) there
/// too although nothing was launched.
[[nodiscard]] Launch detect_launch();

/// To be called before MPI_Init, which would end the process with a text of its own: throws Error(usage) if srun
/// started several processes without the PMIx (or PMI) that the library `mpi_version` (MPI_Get_library_version) needs.
void check_launcher(const Launch& launch, const std::string& mpi_version);

/// Throws Error(usage) if the launcher started several processes while MPI sees one: each would do the whole job. Every
/// one of them throws; to say it once, the one with Launch::rank 0 (or unknown) prints.
void check_launch(const Launch& launch, base::u32 mpi_size);

}  // namespace h5score::comm
