// Point-to-point messages and lifetime of MpiCommunicator.
#include "mpi_communicator.hpp"

#include "h5score/base/error.hpp"
#include "h5score/base/narrow.hpp"
#include "h5score/comm/serial.hpp"

#include "mpi_check.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace h5score::comm {
namespace {

using base::narrow;

MPI_Comm duplicate() {
  MPI_Comm copy = MPI_COMM_NULL;
  check(MPI_Comm_dup(MPI_COMM_WORLD, &copy), "MPI_Comm_dup");
  check(MPI_Comm_set_errhandler(copy, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  return copy;
}

}  // namespace

MpiCommunicator::MpiCommunicator(u64 piece_bytes) : messages_(duplicate()), pieces_(duplicate()), piece_(piece_bytes) {
  int rank = 0;
  int size = 0;
  check(MPI_Comm_rank(messages_, &rank), "MPI_Comm_rank");
  check(MPI_Comm_size(messages_, &size), "MPI_Comm_size");
  rank_ = narrow<u32>(rank);
  size_ = narrow<u32>(size);
}

void MpiCommunicator::free() {
  check(MPI_Comm_free(&messages_), "MPI_Comm_free");
  check(MPI_Comm_free(&pieces_), "MPI_Comm_free");
}

std::string MpiCommunicator::host() const {
  return SerialCommunicator::host_name();
}

std::unique_ptr<Request> MpiCommunicator::send(base::ByteView data, u32 to, Tag tag) {
  auto pending = std::make_unique<Pending>();
  const int peer = narrow<int>(to);
  const auto start = [&](const void* from, u64 bytes, int with_tag, MPI_Comm comm) {
    check(MPI_Isend(from, narrow<int>(bytes), MPI_BYTE, peer, with_tag, comm, &pending->requests.emplace_back()),
          "MPI_Isend", bytes, to);
    ++traffic_.messages;
    traffic_.message_bytes += bytes;
  };
  if (data.size() <= piece_) {
    start(data.data(), data.size(), static_cast<int>(tag), messages_);
  } else {
    pending->announced = data.size();
    start(&pending->announced, sizeof pending->announced, static_cast<int>(tag) + announcement_offset, messages_);
    for (u64 offset = 0; offset < data.size(); offset += piece_)
      start(data.data() + offset, std::min(piece_, data.size() - offset), static_cast<int>(tag), pieces_);
  }
  return std::make_unique<MpiRequest>(std::move(pending));
}

std::unique_ptr<Request> MpiCommunicator::receive(std::span<std::byte> data, u32 from, Tag tag) {
  auto pending = std::make_unique<Pending>();
  const int peer = narrow<int>(from);
  const auto start = [&](void* to, u64 bytes, int with_tag, MPI_Comm comm) {
    pending->expected.push_back(bytes);
    check(MPI_Irecv(to, narrow<int>(bytes), MPI_BYTE, peer, with_tag, comm, &pending->requests.emplace_back()),
          "MPI_Irecv", bytes, from);
  };
  if (data.size() <= piece_) {
    start(data.data(), data.size(), static_cast<int>(tag), messages_);
    return std::make_unique<MpiRequest>(std::move(pending));
  }
  const auto known = std::find_if(announced_.begin(), announced_.end(),
                                  [&](const Envelope& e) { return e.source == from && e.tag == tag; });
  if (known != announced_.end()) {
    pending->announced = known->bytes;
    announced_.erase(known);
  } else {
    start(&pending->announced, sizeof pending->announced, static_cast<int>(tag) + announcement_offset, messages_);
  }
  for (u64 offset = 0; offset < data.size(); offset += piece_)
    start(data.data() + offset, std::min(piece_, data.size() - offset), static_cast<int>(tag), pieces_);
  return std::make_unique<MpiRequest>(std::move(pending), data.size());
}

std::optional<Envelope> MpiCommunicator::probe() {
  if (!announced_.empty()) {
    progress();
    return announced_.front();
  }
  int waiting = 0;
  MPI_Status status;
  check(MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, messages_, &waiting, &status), "MPI_Iprobe");
  if (waiting == 0) return std::nullopt;
  int count = 0;
  check(MPI_Get_count(&status, MPI_BYTE, &count), "MPI_Get_count");
  Envelope envelope{narrow<u32>(status.MPI_SOURCE), static_cast<Tag>(status.MPI_TAG), narrow<u64>(count)};
  if (status.MPI_TAG >= announcement_offset) {
    envelope.tag = static_cast<Tag>(status.MPI_TAG - announcement_offset);
    check(MPI_Recv(&envelope.bytes, narrow<int>(sizeof envelope.bytes), MPI_BYTE, status.MPI_SOURCE, status.MPI_TAG,
                   messages_, MPI_STATUS_IGNORE),
          "MPI_Recv", sizeof envelope.bytes, envelope.source);
    announced_.push_back(envelope);
  }
  return envelope;
}

void MpiCommunicator::progress() {
  int waiting = 0;
  check(MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, messages_, &waiting, MPI_STATUS_IGNORE), "MPI_Iprobe");
}

void MpiCommunicator::abort(int exit_code) {
  std::fflush(nullptr);
  MPI_Abort(messages_, exit_code);
  std::_Exit(exit_code);
}

}  // namespace h5score::comm
