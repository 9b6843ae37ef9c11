// Versions of the program and of what it stands on.
#include "h5score/base/version.hpp"

#include "h5score/comm/mpi.hpp"
#include "h5score/h5/library.hpp"
#include "h5score/model/evaluator.hpp"

#include "command.hpp"

#include <fmt/format.h>
#include <libdeflate.h>
#include <nlohmann/json.hpp>

namespace h5score::cli {
namespace {

std::string compiler() {
#if defined(__clang__)
  return fmt::format("Clang {}.{}.{}", __clang_major__, __clang_minor__, __clang_patchlevel__);
#elif defined(__GNUC__)
  return fmt::format("GCC {}.{}.{}", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
#else
  return "unknown";
#endif
}

std::string first_line(const std::string& text) {
  return text.substr(0, text.find_first_of("\n,"));
}

}  // namespace

std::vector<std::pair<std::string, std::string>> versions() {
  return {{"h5score", base::version()},
          {"compiler", compiler()},
          {"MPI", first_line(comm::MpiEnvironment::library_version())},
          {"HDF5", h5::library_version()},
          {"libdeflate", LIBDEFLATE_VERSION_STRING},
          {"instruction set", model::to_string(model::best_isa())}};
}

std::string version_text() {
  std::string text;
  for (const auto& [name, version] : versions())
    text += text.empty() ? fmt::format("{} {}\n", name, version) : fmt::format("  {:<17}{}\n", name, version);
  return text;
}

}  // namespace h5score::cli
