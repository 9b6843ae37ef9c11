// Counts what MPI is really asked to send, by standing in front of it (MPI's profiling interface).
#include "pmpi_counter.hpp"

#include <mpi.h>

#include <numeric>

namespace {
h5score::test::MpiCounts counts;
}

h5score::test::MpiCounts h5score::test::mpi_counts() {
  return counts;
}

extern "C" {

int MPI_Isend(const void* buf, int count, MPI_Datatype type, int to, int tag, MPI_Comm comm, MPI_Request* request) {
  ++counts.sends[tag];
  counts.send_bytes[tag] += static_cast<unsigned long>(count);
  return PMPI_Isend(buf, count, type, to, tag, comm, request);
}

int MPI_Iscatterv(const void* send, const int* send_counts, const int* displs, MPI_Datatype send_type, void* receive,
                  int receive_count, MPI_Datatype receive_type, int root, MPI_Comm comm, MPI_Request* request) {
  ++counts.scatters;
  int rank = 0;
  int size = 0;
  PMPI_Comm_rank(comm, &rank);
  PMPI_Comm_size(comm, &size);
  if (rank == root) counts.scatter_bytes += std::accumulate(send_counts, send_counts + size, 0UL);
  return PMPI_Iscatterv(send, send_counts, displs, send_type, receive, receive_count, receive_type, root, comm,
                        request);
}

int MPI_Igatherv(const void* send, int send_count, MPI_Datatype send_type, void* receive, const int* receive_counts,
                 const int* displs, MPI_Datatype receive_type, int root, MPI_Comm comm, MPI_Request* request) {
  ++counts.gathers;
  counts.gather_bytes += static_cast<unsigned long>(send_count);
  return PMPI_Igatherv(send, send_count, send_type, receive, receive_counts, displs, receive_type, root, comm, request);
}
}
