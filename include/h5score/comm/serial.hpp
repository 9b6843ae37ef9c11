// The serial twin of MpiCommunicator: one rank, no MPI. What a process uses that no launcher started.
#pragma once

#include "h5score/comm/communicator.hpp"

namespace h5score::comm {

class SerialCommunicator final : public Communicator {
 public:
  [[nodiscard]] u32 rank() const override { return 0; }
  [[nodiscard]] u32 size() const override { return 1; }
  [[nodiscard]] std::string host() const override { return host_name(); }
  [[nodiscard]] Traffic traffic() const override { return {}; }
  void barrier() override {}
  void broadcast(base::Bytes& /*data*/) override {}
  std::vector<base::Bytes> gather(base::ByteView data) override { return {base::Bytes(data.begin(), data.end())}; }
  u64 all_max(u64 value) override { return value; }
  /// There is no other rank: send() and receive() throw Error(internal).
  std::unique_ptr<Request> send(base::ByteView data, u32 to, Tag tag) override;
  std::unique_ptr<Request> receive(std::span<std::byte> data, u32 from, Tag tag) override;
  std::optional<Envelope> probe() override { return std::nullopt; }
  std::unique_ptr<Request> scatter(base::ByteView data, std::span<const u64> parts, std::span<std::byte> mine) override;
  std::unique_ptr<Request> gather(base::ByteView mine, std::span<std::byte> data, std::span<const u64> parts) override;
  void progress() override {}
  [[noreturn]] void abort(int exit_code) override;

  /// This machine's name, as reports show it.
  static std::string host_name();
};

}  // namespace h5score::comm
