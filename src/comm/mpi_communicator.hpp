// The Communicator over MPI. Private to comm; made by MpiEnvironment.
//
// A message longer than a piece travels as an announcement (its total size, tag + announcement_offset) followed by its
// pieces on a second communicator, where probe() does not see them. MPI keeps messages of one sender, tag and
// communicator in order, which pairs pieces with receives.
#pragma once

#include "h5score/comm/communicator.hpp"

#include "mpi_request.hpp"

#include <mpi.h>

namespace h5score::comm {

class MpiCommunicator final : public Communicator {
 public:
  explicit MpiCommunicator(u64 piece_bytes);
  void free();

  [[nodiscard]] u32 rank() const override { return rank_; }
  [[nodiscard]] u32 size() const override { return size_; }
  [[nodiscard]] std::string host() const override;
  [[nodiscard]] Traffic traffic() const override { return traffic_; }
  void barrier() override;
  void broadcast(base::Bytes& data) override;
  std::vector<base::Bytes> gather(base::ByteView data) override;
  u64 all_max(u64 value) override;
  std::unique_ptr<Request> send(base::ByteView data, u32 to, Tag tag) override;
  std::unique_ptr<Request> receive(std::span<std::byte> data, u32 from, Tag tag) override;
  std::optional<Envelope> probe() override;
  std::unique_ptr<Request> scatter(base::ByteView data, std::span<const u64> parts, std::span<std::byte> mine) override;
  std::unique_ptr<Request> gather(base::ByteView mine, std::span<std::byte> data, std::span<const u64> parts) override;
  void progress() override;
  [[noreturn]] void abort(int exit_code) override;

 private:
  static constexpr int announcement_offset = 16;
  std::unique_ptr<Pending> layout(std::span<const u64> parts, u64 total) const;
  /// Waits for a started collective, on rank 0 also for a failure message.
  void complete(std::unique_ptr<Pending> pending);
  void throw_arrived_failure();
  void count_collective(u64 bytes);

  MPI_Comm messages_ = MPI_COMM_NULL;
  MPI_Comm pieces_ = MPI_COMM_NULL;
  u32 rank_ = 0;
  u32 size_ = 1;
  u64 piece_;
  Traffic traffic_;
  std::vector<Envelope> announced_;  ///< announcements that probe() took and receive() has not asked for yet
};

}  // namespace h5score::comm
