// Launcher detection from environment variables.
#include "h5score/comm/launch.hpp"

#include "h5score/base/error.hpp"

#include <array>
#include <charconv>
#include <cstdlib>
#include <string_view>

namespace h5score::comm {
namespace {

using base::u64;

struct Launcher {
  const char* size;
  const char* rank;
  const char* only_with;  ///< counts only where this is set too; null: always
};

constexpr const char* slurm_size = "SLURM_STEP_NUM_TASKS";

// The innermost launcher first: mpirun inside a Slurm step overrules the step.
constexpr std::array launchers = {
    Launcher{"OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", nullptr},  // Open MPI's mpirun
    Launcher{"PMI_SIZE", "PMI_RANK", nullptr},  // hydra (MPICH, Intel MPI), PALS, Flux, srun --mpi=pmi2
    Launcher{"MV2_COMM_WORLD_SIZE", "MV2_COMM_WORLD_RANK", nullptr},  // MVAPICH's mpirun_rsh
    Launcher{"JSM_NAMESPACE_SIZE", "JSM_NAMESPACE_RANK", nullptr},    // IBM's jsrun
    Launcher{slurm_size, "SLURM_PROCID", "SLURM_STEP_ID"},            // srun, whatever its --mpi
    Launcher{"MPI_LOCALNRANKS", "MPI_LOCALRANKID", nullptr},          // hydra without PMI_SIZE: of this host only
};

std::optional<u64> number(const char* variable) {
  const char* text = std::getenv(variable);
  if (text == nullptr) return std::nullopt;
  const std::string_view view(text);
  u64 value = 0;
  const auto [end, error] = std::from_chars(view.data(), view.data() + view.size(), value);
  if (error != std::errc() || end != view.data() + view.size() || view.empty()) return std::nullopt;
  return value;
}

}  // namespace

Launch detect_launch() {
  for (const Launcher& launcher : launchers) {
    if (launcher.only_with != nullptr && std::getenv(launcher.only_with) == nullptr) continue;
    if (const auto size = number(launcher.size)) return {true, size, number(launcher.rank), launcher.size};
  }
  // A PMIx launcher other than the above (prterun, a batch system's own) tells only the rank.
  if (const auto rank = number("PMIX_RANK")) return {true, std::nullopt, rank, "PMIX_RANK"};
  return {};
}

void check_launcher(const Launch& launch, const std::string& mpi_version) {
  // MPICH may find Slurm's own PMI-1, which sets no variable; Open MPI needs PMIx, or PMI-2 (then PMI_SIZE is set).
  const bool plain_step = launch.variable == slurm_size && launch.expected_size.value_or(1) > 1 &&
                          std::getenv("PMIX_RANK") == nullptr && std::getenv("PMI_RANK") == nullptr;
  if (plain_step && mpi_version.starts_with("Open MPI"))
    throw base::Error(base::ExitCode::usage,
                      std::to_string(*launch.expected_size) + " tasks were launched by an srun that knows no PMIx",
                      launch.variable + "=" + std::to_string(*launch.expected_size) +
                          " but no PMIX_RANK, so Open MPI would see " + "1 rank in each",
                      "start it with `srun --mpi=pmix`, or with mpirun");
}

void check_launch(const Launch& launch, base::u32 mpi_size) {
  if (mpi_size != 1 || launch.expected_size.value_or(1) <= 1) return;
  throw base::Error(
      base::ExitCode::usage, std::to_string(*launch.expected_size) + " tasks were launched but MPI sees 1 rank in each",
      launch.variable + "=" + std::to_string(*launch.expected_size) + ", MPI_Comm_size=1",
      "start it with `srun --mpi=pmix`, or with the mpirun of the MPI library that h5score was built with");
}

}  // namespace h5score::comm
