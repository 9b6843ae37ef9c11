// SerialCommunicator: collectives of one rank are copies; there is nobody to exchange messages with.
#include "h5score/comm/serial.hpp"

#include "h5score/base/error.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>

namespace h5score::comm {
namespace {

class Complete final : public Request {
 public:
  bool test() override { return true; }
};

[[noreturn]] void no_peer(const char* what, u32 peer) {
  throw base::Error(base::ExitCode::internal,
                    std::string("a serial run cannot ") + what + " rank " + std::to_string(peer));
}

std::unique_ptr<Request> copy(base::ByteView from, std::span<std::byte> to, std::span<const u64> parts) {
  if (parts.size() != 1 || parts[0] != from.size() || from.size() != to.size())
    throw base::Error(base::ExitCode::internal, "the parts of a serial scatter or gather do not match");
  std::copy(from.begin(), from.end(), to.begin());
  return std::make_unique<Complete>();
}

}  // namespace

std::unique_ptr<Request> SerialCommunicator::send(base::ByteView /*data*/, u32 to, Tag /*tag*/) {
  no_peer("send to", to);
}

std::unique_ptr<Request> SerialCommunicator::receive(std::span<std::byte> /*data*/, u32 from, Tag /*tag*/) {
  no_peer("receive from", from);
}

std::unique_ptr<Request> SerialCommunicator::scatter(base::ByteView data, std::span<const u64> parts,
                                                     std::span<std::byte> mine) {
  return copy(data, mine, parts);
}

std::unique_ptr<Request> SerialCommunicator::gather(base::ByteView mine, std::span<std::byte> data,
                                                    std::span<const u64> parts) {
  return copy(mine, data, parts);
}

void SerialCommunicator::abort(int exit_code) {
  std::fflush(nullptr);
  std::_Exit(exit_code);
}

std::string SerialCommunicator::host_name() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return "localhost";
  return name.data();
}

}  // namespace h5score::comm
