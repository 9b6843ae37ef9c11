// Lifetime of MPI itself.
#include "h5score/base/error.hpp"
#include "h5score/base/narrow.hpp"
#include "h5score/comm/mpi.hpp"

#include "mpi_check.hpp"
#include "mpi_communicator.hpp"

#include <dlfcn.h>
#include <link.h>

#include <string>
#include <vector>

namespace h5score::comm {
namespace {

int note_name(dl_phdr_info* library, std::size_t /*size*/, void* names) {
  static_cast<std::vector<std::string>*>(names)->emplace_back(library->dlpi_name);
  return 0;
}

// Open MPI unloads its components in MPI_Finalize. When the launcher ends the job at that moment, because another rank
// has failed, a thread of its own still runs in them, and the rank dies of a segmentation fault.
void keep_libraries_loaded() {
  std::vector<std::string> names;
  dl_iterate_phdr(note_name, &names);
  // The handles are not closed: that is what keeps the libraries.
  for (const auto& name : names)
    if (!name.empty()) static_cast<void>(::dlopen(name.c_str(), RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE));
}

int finalize_mpi() {
  keep_libraries_loaded();
  return MPI_Finalize();
}

}  // namespace

class MpiEnvironment::Impl {
 public:
  explicit Impl(u64 piece_bytes) : world_(piece_bytes) {}
  MpiCommunicator world_;
};

MpiEnvironment::MpiEnvironment(const Launch& launch, u64 piece_bytes) {
  int initialised = 0;
  check(MPI_Initialized(&initialised), "MPI_Initialized");
  if (initialised != 0) throw base::Error(base::ExitCode::internal, "MPI is already initialised");
  check_launcher(launch, library_version());
  int provided = MPI_THREAD_SINGLE;
  check(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided), "MPI_Init_thread");
  check(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  try {
    if (provided < MPI_THREAD_FUNNELED)
      throw base::Error(base::ExitCode::usage, "the MPI library does not allow threads", {},
                        "use one built with MPI_THREAD_FUNNELED");
    int size = 0;
    check(MPI_Comm_size(MPI_COMM_WORLD, &size), "MPI_Comm_size");
    check_launch(launch, base::narrow<u32>(size));
  } catch (const base::Error&) {
    // Each process that comes here is a world of its own or all fail alike, so nobody is waited for.
    finalize_mpi();
    throw;
  }
  impl_ = std::make_unique<Impl>(piece_bytes);
}

MpiEnvironment::~MpiEnvironment() = default;

Communicator& MpiEnvironment::world() {
  return impl_->world_;
}

void MpiEnvironment::finalize() {
  impl_->world_.free();
  impl_.reset();
  check(finalize_mpi(), "MPI_Finalize");
}

std::string MpiEnvironment::library_version() {
  char text[MPI_MAX_LIBRARY_VERSION_STRING] = {};
  int length = 0;
  check(MPI_Get_library_version(text, &length), "MPI_Get_library_version");
  const std::string version(text, static_cast<std::size_t>(length));
  return version.substr(0, version.find('\n'));
}

}  // namespace h5score::comm
