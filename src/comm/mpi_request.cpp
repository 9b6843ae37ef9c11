// Completion of MPI operations, with every status checked.
#include "mpi_request.hpp"

#include "h5score/base/error.hpp"
#include "h5score/base/narrow.hpp"

#include "mpi_check.hpp"

namespace h5score::comm {

std::string mpi_error_text(int code) {
  char text[MPI_MAX_ERROR_STRING] = {};
  int length = 0;
  if (MPI_Error_string(code, text, &length) != MPI_SUCCESS) return "MPI error " + std::to_string(code);
  return std::string(text, static_cast<std::size_t>(length));
}

void throw_mpi(int code, const char* call, const std::string& operands) {
  throw base::Error(base::ExitCode::io, std::string(call) + operands + " failed", mpi_error_text(code));
}

MpiRequest::~MpiRequest() {
  // MPI still uses the arrays of a pending operation, and cancelling it would communicate.
  [[maybe_unused]] const auto* leaked = pending_.release();
}

bool MpiRequest::test() {
  if (!pending_) return true;
  int done = 0;
  const int code = MPI_Testall(base::narrow<int>(statuses_.size()), pending_->requests.data(), &done, statuses_.data());
  if (code == MPI_ERR_IN_STATUS) {
    for (const MPI_Status& status : statuses_)
      if (status.MPI_ERROR != MPI_SUCCESS && status.MPI_ERROR != MPI_ERR_PENDING) check(status.MPI_ERROR, "a transfer");
  }
  check(code, "MPI_Testall");
  if (done == 0) return false;
  verify();
  pending_.reset();
  return true;
}

void MpiRequest::verify() const {
  for (std::size_t i = 0; i < pending_->expected.size(); ++i) {
    int count = 0;
    check(MPI_Get_count(&statuses_[i], MPI_BYTE, &count), "MPI_Get_count");
    if (count < 0 || static_cast<u64>(count) != pending_->expected[i])
      throw base::Error(base::ExitCode::internal, "a message of " + std::to_string(count) + " bytes arrived where " +
                                                      std::to_string(pending_->expected[i]) + " were expected");
  }
  if (total_ != 0 && pending_->announced != total_)
    throw base::Error(base::ExitCode::internal, "a split message of " + std::to_string(pending_->announced) +
                                                    " bytes arrived where " + std::to_string(total_) +
                                                    " were expected");
}

}  // namespace h5score::comm
