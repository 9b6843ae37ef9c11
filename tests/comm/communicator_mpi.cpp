// MpiCommunicator over real ranks. Runs with the usual piece size and again with tiny ones (--piece-bytes), which sends
// every message longer than that in pieces.
#include "h5score/base/error.hpp"
#include "h5score/comm/failure.hpp"
#include "h5score/comm/mpi.hpp"

#include "mpi_world.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace h5score::test {
namespace {

using base::u32;
using base::u64;
using comm::Tag;

base::Bytes pattern(u64 size, u64 seed) {
  base::Bytes bytes(size);
  for (u64 i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>((i * 31 + seed * 7 + i / 251) & 255);
  return bytes;
}

void wait(comm::Request& request) {
  while (!request.test()) mpi_world().progress();
}

comm::Envelope wait_for_message() {
  for (;;)
    if (const auto envelope = mpi_world().probe()) return *envelope;
}

TEST(MpiCommunicator, KnowsItsPlace) {
  comm::Communicator& comm = mpi_world();
  EXPECT_LT(comm.rank(), comm.size());
  EXPECT_EQ(comm.root(), comm.rank() == 0);
  EXPECT_FALSE(comm.host().empty());
  EXPECT_FALSE(comm::MpiEnvironment::library_version().empty());
}

TEST(MpiCommunicator, ProbedMessagesOfAnySizeArriveInOrder) {
  comm::Communicator& comm = mpi_world();
  const std::vector<u64> sizes{0, 1, 7, 1000, 70'000, 3, 200'000};
  if (comm.root()) {
    std::vector<u64> next(comm.size(), 0);
    for (u64 n = 0; n < sizes.size() * (comm.size() - 1); ++n) {
      const auto envelope = wait_for_message();
      EXPECT_EQ(envelope.tag, Tag::result);
      u64& index = next.at(envelope.source);
      ASSERT_EQ(envelope.bytes, sizes.at(index));
      base::Bytes data(envelope.bytes);
      wait(*comm.receive(data, envelope.source, envelope.tag));
      EXPECT_EQ(data, pattern(sizes[index], envelope.source + index)) << "message " << index;
      ++index;
    }
  } else {
    std::vector<base::Bytes> data;
    std::vector<std::unique_ptr<comm::Request>> requests;
    for (u64 i = 0; i < sizes.size(); ++i) data.push_back(pattern(sizes[i], comm.rank() + i));
    for (const auto& bytes : data) requests.push_back(comm.send(bytes, 0, Tag::result));
    for (const auto& request : requests) wait(*request);
  }
  comm.barrier();
  EXPECT_EQ(comm.probe(), std::nullopt);
  comm.barrier();  // else another rank's next test might have sent already
}

TEST(MpiCommunicator, ReceivesPostedBeforehandNeedNoProbe) {
  comm::Communicator& comm = mpi_world();
  const u32 to = (comm.rank() + 1) % comm.size();
  const u32 from = (comm.rank() + comm.size() - 1) % comm.size();
  base::Bytes first(5000);
  base::Bytes second(12);
  const auto r1 = comm.receive(first, from, Tag::payload);
  const auto r2 = comm.receive(second, from, Tag::payload);
  const base::Bytes data1 = pattern(5000, comm.rank());
  const base::Bytes data2 = pattern(12, comm.rank());
  const auto s1 = comm.send(data1, to, Tag::payload);
  const auto s2 = comm.send(data2, to, Tag::payload);
  for (const auto* request : {&r1, &r2, &s1, &s2}) wait(**request);
  EXPECT_EQ(first, pattern(5000, from));
  EXPECT_EQ(second, pattern(12, from));
  EXPECT_TRUE(r1->test()) << "stays complete";
}

TEST(MpiCommunicator, AShorterMessageThanExpectedIsAnError) {
  comm::Communicator& comm = mpi_world();
  if (comm.size() < 2) return;  // nobody to send it
  const base::Bytes sent = pattern(10, 0);
  if (comm.rank() == 1) wait(*comm.send(sent, 0, Tag::control));
  if (comm.root()) {
    base::Bytes data(12);
    const auto request = comm.receive(data, 1, Tag::control);
    EXPECT_THROW(wait(*request), base::Error);
  }
  comm.barrier();
}

TEST(MpiCommunicator, ALongerMessageThanExpectedIsAnError) {
  comm::Communicator& comm = mpi_world();
  if (comm.size() < 2) return;  // nobody to send it
  const base::Bytes sent = pattern(10, 0);
  if (comm.rank() == 1) wait(*comm.send(sent, 0, Tag::control));
  if (comm.root()) {
    base::Bytes data(8);
    try {
      const auto request = comm.receive(data, 1, Tag::control);
      wait(*request);
      ADD_FAILURE() << "no error";
    } catch (const base::Error& error) {
      EXPECT_EQ(error.code(), base::ExitCode::io);
      EXPECT_THAT(error.what(), testing::HasSubstr("runcat"));  // MPI's own words: "truncated"
    }
  }
  comm.barrier();
}

TEST(MpiCommunicator, BroadcastReplacesEverybodysBytes) {
  for (const u64 size : {0U, 1U, 100'000U}) {
    base::Bytes data = mpi_world().root() ? pattern(size, 3) : pattern(17, 99);
    mpi_world().broadcast(data);
    EXPECT_EQ(data, pattern(size, 3));
  }
}

TEST(MpiCommunicator, GatherGivesTheRootEveryRanksBytes) {
  comm::Communicator& comm = mpi_world();
  const auto parts = comm.gather(pattern(comm.rank() * 1000, comm.rank()));
  ASSERT_EQ(parts.size(), comm.root() ? comm.size() : 0U);
  for (u64 r = 0; r < parts.size(); ++r) EXPECT_EQ(parts[r], pattern(r * 1000, r));
  EXPECT_EQ(comm.all_max(comm.rank() * 10), (comm.size() - 1) * 10U);
}

TEST(MpiCommunicator, ScatterAndGatherUnevenParts) {
  comm::Communicator& comm = mpi_world();
  std::vector<u64> parts(comm.size());
  for (u64 r = 0; r < parts.size(); ++r) parts[r] = r % 3 * 1000 + r % 2;
  const u64 total = comm.root() ? std::accumulate(parts.begin(), parts.end(), u64{0}) : 0;
  const base::Bytes all = pattern(total, 1);
  base::Bytes mine(parts[comm.rank()]);
  const auto none = std::span<const u64>();
  wait(*comm.scatter(all, comm.root() ? std::span<const u64>(parts) : none, mine));
  base::Bytes back(total);
  wait(*comm.gather(mine, back, comm.root() ? std::span<const u64>(parts) : none));
  EXPECT_EQ(back, all);
}

TEST(MpiCommunicator, CollectivesBeyondTwoGigabytesAreRefusedBeforeTheyStart) {
  comm::Communicator& comm = mpi_world();
  if (!comm.root()) return;
  // Nothing is read: the sizes alone are refused.
  std::vector<u64> parts(comm.size(), 0);
  parts[0] = u64{1} << 31;
  std::byte byte{0};
  const base::ByteView absurd(&byte, parts[0]);
  EXPECT_THROW(comm.scatter(absurd, parts, {}), base::Error);
  EXPECT_THROW(comm.gather({}, {&byte, parts[0]}, parts), base::Error);
  parts[0] = 5;
  EXPECT_THROW(comm.scatter({&byte, 1}, parts, {}), base::Error) << "the parts are not the sum";
}

TEST(MpiCommunicator, CountsWhatItSends) {
  comm::Communicator& comm = mpi_world();
  if (comm.size() < 2) return;  // nobody to send to
  const auto before = comm.traffic();
  base::Bytes data(100);
  const base::Bytes sent = pattern(100, 0);
  if (comm.root()) wait(*comm.send(sent, 1, Tag::control));
  if (comm.rank() == 1) wait(*comm.receive(data, 0, Tag::control));
  comm.barrier();
  const auto after = comm.traffic();
  EXPECT_GE(after.message_bytes - before.message_bytes, comm.root() ? 100U : 0U);
  EXPECT_EQ(after.messages > before.messages, comm.root());
  EXPECT_EQ(after.collectives - before.collectives, 1U);
}

TEST(MpiCommunicator, AFailureMessageEndsTheRootsBarrier) {
  comm::Communicator& comm = mpi_world();
  if (comm.size() < 2) return;  // nobody to fail
  std::byte noticed{0};
  if (comm.rank() == 1) {
    const base::Bytes failure = comm::encode_failure({base::ExitCode::data, "row 7 is bad"});
    wait(*comm.receive({&noticed, 1}, 0, Tag::control));  // else an earlier barrier of rank 0 might end by it
    wait(*comm.send(failure, 0, Tag::failure));
    wait(*comm.receive({&noticed, 1}, 0, Tag::control));
    comm.barrier();
  } else if (comm.root()) {
    wait(*comm.send({&noticed, 1}, 1, Tag::control));
    try {
      comm.barrier();
      ADD_FAILURE() << "no error";
    } catch (const base::Error& error) {
      EXPECT_EQ(error.code(), base::ExitCode::data);
      EXPECT_STREQ(error.what(), "rank 1: row 7 is bad");
    }
    wait(*comm.send({&noticed, 1}, 1, Tag::control));
  } else {
    comm.barrier();
  }
}

}  // namespace
}  // namespace h5score::test
