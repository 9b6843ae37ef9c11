// A message beyond 2^31 bytes between two ranks, probed and received whole. Needs about 5 GB of memory.
#include "h5score/base/aligned_buffer.hpp"
#include "h5score/comm/communicator.hpp"

#include "mpi_world.hpp"

#include <gtest/gtest.h>

#include <cstring>

namespace h5score::test {
namespace {

using base::u64;

constexpr u64 size = (u64{1} << 31) + 12'345;

u64 word(u64 index) {
  return index * 0x9E3779B97F4A7C15U;
}

TEST(LargeMessage, ArrivesWhole) {
  comm::Communicator& comm = mpi_world();
  ASSERT_EQ(comm.size(), 2U);
  base::AlignedBuffer data(size);
  const auto wait = [&](comm::Request& request) {
    while (!request.test()) comm.progress();
  };
  if (comm.root()) {
    for (u64 i = 0; i < size / 8; ++i) {
      const u64 w = word(i);
      std::memcpy(data.data() + 8 * i, &w, 8);
    }
    data.data()[size - 1] = std::byte{42};
    wait(*comm.send(data.view(), 1, comm::Tag::payload));
    EXPECT_GE(comm.traffic().message_bytes, size);
  } else {
    std::optional<comm::Envelope> envelope;
    while (!envelope) envelope = comm.probe();
    ASSERT_EQ(envelope->bytes, size);
    EXPECT_EQ(envelope->tag, comm::Tag::payload);
    std::memset(data.data(), 0, size);
    wait(*comm.receive(data.span(), 0, comm::Tag::payload));
    u64 wrong = 0;
    for (u64 i = 0; i < size / 8; ++i) {
      u64 w = 0;
      std::memcpy(&w, data.data() + 8 * i, 8);
      wrong += w != word(i) ? 1U : 0U;
    }
    EXPECT_EQ(wrong, 0U);
    EXPECT_EQ(data.data()[size - 1], std::byte{42});
  }
}

}  // namespace
}  // namespace h5score::test
