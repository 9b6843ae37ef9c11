// Lifetime of MPI itself.
#include "h5score/base/error.hpp"
#include "h5score/base/narrow.hpp"
#include "h5score/comm/mpi.hpp"

#include "mpi_check.hpp"
#include "mpi_communicator.hpp"

namespace h5score::comm {

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
    MPI_Finalize();
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
  check(MPI_Finalize(), "MPI_Finalize");
}

std::string MpiEnvironment::library_version() {
  char text[MPI_MAX_LIBRARY_VERSION_STRING] = {};
  int length = 0;
  check(MPI_Get_library_version(text, &length), "MPI_Get_library_version");
  const std::string version(text, static_cast<std::size_t>(length));
  return version.substr(0, version.find('\n'));
}

}  // namespace h5score::comm
