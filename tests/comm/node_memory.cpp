// Memory shared by processes: found by its ticket only, and gone with the processes.
#include "h5score/comm/node_memory.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

namespace h5score::comm {
namespace {

constexpr u64 page = NodeMemory::page;

TEST(NodeMemory, PartsOfItAreSeenByAnotherProcess) {
  const auto memory = NodeMemory::create(8 * page);
  ASSERT_TRUE(memory);
  ASSERT_EQ(memory->span().size(), 8 * page);
  std::memcpy(memory->span().data() + 2 * page, "there", 6);
  const pid_t child = fork();
  if (child == 0) {
    const auto part = NodeMemory::attach(memory->ticket(), 2 * page, 3 * page);
    if (!part || part->span().size() != 3 * page || std::memcmp(part->span().data(), "there", 6) != 0) _exit(1);
    std::memcpy(part->span().data() + page, "back", 5);
    raise(SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status)) << "the child did not see the memory";
  EXPECT_EQ(std::memcmp(memory->span().data() + 3 * page, "back", 5), 0);
}

TEST(NodeMemory, AnotherFileOfTheSameNameIsNotTakenForIt) {
  const auto memory = NodeMemory::create(page);
  ASSERT_TRUE(memory);
  NodeMemoryTicket ticket = memory->ticket();
  EXPECT_TRUE(NodeMemory::attach(ticket, 0, page));
  ++ticket.token;
  EXPECT_FALSE(NodeMemory::attach(ticket, 0, page)) << "as of another host's process of the same number";
  ticket = memory->ticket();
  ++ticket.bytes;
  EXPECT_FALSE(NodeMemory::attach(ticket, 0, page));
  ticket.path = "/proc/self/exe";
  EXPECT_FALSE(NodeMemory::attach(ticket, 0, page));
  ticket.path = "/proc/self/fd/999999";
  EXPECT_FALSE(NodeMemory::attach(ticket, 0, page));
}

TEST(NodeMemory, IsGoneWithItsOwner) {
  NodeMemoryTicket ticket;
  {
    const auto memory = NodeMemory::create(page);
    ASSERT_TRUE(memory);
    ticket = memory->ticket();
  }
  EXPECT_FALSE(NodeMemory::attach(ticket, 0, page));
}

TEST(NodeMemory, MoreThanThereIsIsRefused) {
  const auto memory = NodeMemory::create(u64{1} << 60);
  if (memory) {
    EXPECT_FALSE(NodeMemory::attach(memory->ticket(), 0, u64{1} << 60));
  }
}

}  // namespace
}  // namespace h5score::comm
