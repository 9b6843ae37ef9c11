// Collective operations of MpiCommunicator. Blocking ones are nonblocking ones plus a wait of our own, which yields the
// core and notices the failure of another rank.
#include "h5score/base/error.hpp"
#include "h5score/base/narrow.hpp"
#include "h5score/comm/backoff.hpp"
#include "h5score/comm/failure.hpp"

#include "mpi_check.hpp"
#include "mpi_communicator.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

namespace h5score::comm {

using base::narrow;

void MpiCommunicator::count_collective(u64 bytes) {
  ++traffic_.collectives;
  traffic_.collective_bytes += bytes;
}

void MpiCommunicator::throw_arrived_failure() {
  int waiting = 0;
  MPI_Status status;
  check(MPI_Iprobe(MPI_ANY_SOURCE, static_cast<int>(Tag::failure), messages_, &waiting, &status), "MPI_Iprobe");
  if (waiting == 0) return;
  int count = 0;
  check(MPI_Get_count(&status, MPI_BYTE, &count), "MPI_Get_count");
  base::Bytes message(narrow<std::size_t>(count));
  check(MPI_Recv(message.data(), count, MPI_BYTE, status.MPI_SOURCE, status.MPI_TAG, messages_, MPI_STATUS_IGNORE),
        "MPI_Recv", message.size(), narrow<u64>(status.MPI_SOURCE));
  throw_failure(narrow<u32>(status.MPI_SOURCE), message);
}

void MpiCommunicator::complete(std::unique_ptr<Pending> pending) {
  MpiRequest request(std::move(pending));
  Backoff backoff;
  while (!request.test()) {
    if (root()) throw_arrived_failure();
    backoff.pause();
  }
}

void MpiCommunicator::barrier() {
  auto pending = std::make_unique<Pending>();
  check(MPI_Ibarrier(messages_, &pending->requests.emplace_back()), "MPI_Ibarrier");
  count_collective(0);
  complete(std::move(pending));
}

void MpiCommunicator::broadcast(base::Bytes& data) {
  u64 total = data.size();
  const auto run = [&](void* part, u64 bytes) {
    auto pending = std::make_unique<Pending>();
    check(MPI_Ibcast(part, narrow<int>(bytes), MPI_BYTE, 0, messages_, &pending->requests.emplace_back()), "MPI_Ibcast",
          bytes, 0);
    count_collective(root() ? bytes : 0);
    complete(std::move(pending));
  };
  run(&total, sizeof total);
  data.resize(total);
  for (u64 offset = 0; offset < total; offset += piece_) run(data.data() + offset, std::min(piece_, total - offset));
}

std::vector<base::Bytes> MpiCommunicator::gather(base::ByteView data) {
  u64 mine = data.size();
  std::vector<u64> sizes(root() ? size_ : 0);
  auto pending = std::make_unique<Pending>();
  check(MPI_Igather(&mine, 1, MPI_UINT64_T, sizes.data(), 1, MPI_UINT64_T, 0, messages_,
                    &pending->requests.emplace_back()),
        "MPI_Igather");
  count_collective(sizeof mine);
  complete(std::move(pending));

  base::Bytes all(std::accumulate(sizes.begin(), sizes.end(), u64{0}));
  pending = layout(sizes, all.size());
  check(MPI_Igatherv(data.data(), narrow<int>(mine), MPI_BYTE, all.data(), pending->counts.data(),
                     pending->displacements.data(), MPI_BYTE, 0, messages_, &pending->requests.emplace_back()),
        "MPI_Igatherv", mine, 0);
  count_collective(mine);
  complete(std::move(pending));

  std::vector<base::Bytes> parts;
  auto next = all.begin();
  for (const u64 size : sizes) {
    const auto end = next + narrow<std::ptrdiff_t>(size);
    parts.emplace_back(next, end);
    next = end;
  }
  return parts;
}

u64 MpiCommunicator::all_max(u64 value) {
  u64 result = 0;
  auto pending = std::make_unique<Pending>();
  check(MPI_Iallreduce(&value, &result, 1, MPI_UINT64_T, MPI_MAX, messages_, &pending->requests.emplace_back()),
        "MPI_Iallreduce");
  count_collective(sizeof value);
  complete(std::move(pending));
  return result;
}

std::unique_ptr<Pending> MpiCommunicator::layout(std::span<const u64> parts, u64 total) const {
  auto pending = std::make_unique<Pending>();
  if (!root()) return pending;
  if (parts.size() != size_ || std::accumulate(parts.begin(), parts.end(), u64{0}) != total)
    throw base::Error(base::ExitCode::internal, "the parts of a scatter or gather do not match its " +
                                                    std::to_string(total) + " bytes and " + std::to_string(size_) +
                                                    " ranks");
  if (total > std::numeric_limits<int>::max())
    throw base::Error(base::ExitCode::internal,
                      "a scatter or gather of " + std::to_string(total) + " bytes was asked for",
                      "one collective moves less than 2^31");
  u64 offset = 0;
  for (const u64 part : parts) {
    pending->counts.push_back(narrow<int>(part));
    pending->displacements.push_back(narrow<int>(offset));
    offset += part;
  }
  return pending;
}

std::unique_ptr<Request> MpiCommunicator::scatter(base::ByteView data, std::span<const u64> parts,
                                                  std::span<std::byte> mine) {
  auto pending = layout(parts, data.size());
  check(MPI_Iscatterv(data.data(), pending->counts.data(), pending->displacements.data(), MPI_BYTE, mine.data(),
                      narrow<int>(mine.size()), MPI_BYTE, 0, messages_, &pending->requests.emplace_back()),
        "MPI_Iscatterv", mine.size(), 0);
  count_collective(root() ? data.size() : 0);
  return std::make_unique<MpiRequest>(std::move(pending));
}

std::unique_ptr<Request> MpiCommunicator::gather(base::ByteView mine, std::span<std::byte> data,
                                                 std::span<const u64> parts) {
  auto pending = layout(parts, data.size());
  check(MPI_Igatherv(mine.data(), narrow<int>(mine.size()), MPI_BYTE, data.data(), pending->counts.data(),
                     pending->displacements.data(), MPI_BYTE, 0, messages_, &pending->requests.emplace_back()),
        "MPI_Igatherv", mine.size(), 0);
  count_collective(mine.size());
  return std::make_unique<MpiRequest>(std::move(pending));
}

}  // namespace h5score::comm
