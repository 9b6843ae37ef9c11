// A pending MPI operation of one or more MPI requests. Private to comm.
#pragma once

#include "h5score/comm/communicator.hpp"

#include <mpi.h>

#include <vector>

namespace h5score::comm {

/// What MPI reads and writes of ours while an operation is pending, apart from the caller's buffers.
struct Pending {
  std::vector<MPI_Request> requests;
  std::vector<u64> expected;  ///< bytes that each request must receive; empty if nothing is received by message
  std::vector<int> counts;
  std::vector<int> displacements;
  u64 announced = 0;  ///< total size, as sent ahead of a split message
};

class MpiRequest final : public Request {
 public:
  /// `total` != 0: `announced` must equal it on completion.
  explicit MpiRequest(std::unique_ptr<Pending> pending, u64 total = 0)
      : pending_(std::move(pending)), statuses_(pending_->requests.size()), total_(total) {}
  ~MpiRequest() override;
  bool test() override;

 private:
  void verify() const;
  std::unique_ptr<Pending> pending_;
  std::vector<MPI_Status> statuses_;
  u64 total_;
};

}  // namespace h5score::comm
