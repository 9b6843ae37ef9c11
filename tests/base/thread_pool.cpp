// Every item once, exceptions, polling and reuse of the thread pool.
#include "h5score/base/thread_pool.hpp"

#include "h5score/base/error.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <thread>
#include <vector>

namespace h5score::base {
namespace {

const std::function<void()> nothing = [] {};

TEST(ThreadPool, DoesEveryItemOnceForAnyNumberOfThreads) {
  for (u64 threads = 1; threads <= 5; ++threads) {
    ThreadPool pool(threads);
    for (const u64 items : {u64{0}, u64{1}, u64{3}, u64{1000}}) {
      std::vector<std::atomic<int>> count(items);
      pool.run(
          items,
          [&](u64 item, u64 thread) {
            EXPECT_LT(thread, threads);
            ++count[item];
          },
          nothing);
      for (const auto& c : count) EXPECT_EQ(c, 1);
    }
  }
}

TEST(ThreadPool, RethrowsAndCanBeUsedAgain) {
  ThreadPool pool(3);
  EXPECT_THROW(pool.run(
                   100,
                   [](u64 item, u64) {
                     if (item == 7) throw std::runtime_error("seven");
                   },
                   nothing),
               std::runtime_error);
  std::atomic<int> done{0};
  pool.run(
      10, [&](u64, u64) { ++done; }, nothing);
  EXPECT_EQ(done, 10);
}

TEST(ThreadPool, StopsItsThreadsWhenPollThrows) {
  ThreadPool pool(3);
  std::atomic<bool> polled{false};
  const auto wait_for_poll = [&](u64, u64 thread) {
    while (thread != 0 && !polled) std::this_thread::yield();
  };
  const auto failing_poll = [&] {
    polled = true;
    throw std::runtime_error("poll");
  };
  EXPECT_THROW(pool.run(50, wait_for_poll, failing_poll), std::runtime_error);
  std::atomic<int> done{0};
  pool.run(
      10, [&](u64, u64) { ++done; }, nothing);
  EXPECT_EQ(done, 10);
}

TEST(ThreadPool, PollsOnTheCallingThreadWhileOthersWork) {
  ThreadPool pool(2);
  const auto caller = std::this_thread::get_id();
  std::atomic<int> polls{0};
  pool.run(
      2,
      [&](u64, u64 thread) {
        // The worker's item only ends when the caller has polled several times.
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
        if (thread == 1)
          while (polls < 5 && std::chrono::steady_clock::now() < end) std::this_thread::yield();
        if (thread == 0)
          std::this_thread::sleep_for(std::chrono::milliseconds(20));  // leaves the other item to the worker
      },
      [&] {
        EXPECT_EQ(std::this_thread::get_id(), caller);
        ++polls;
      });
  EXPECT_GE(polls, 5);  // the worker's item could only end after five polls
}

TEST(DefaultThreads, IsAtLeastOne) {
  EXPECT_GE(default_threads(1), 1U);
  EXPECT_EQ(default_threads(1000000), 1U);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // they need the address space that is limited here
TEST(ThreadPoolDeathTest, SaysSoWhereTheSystemRefusesSoManyThreads) {
  const auto start_too_many = [] {
    const rlimit limit{rlim_t{1} << 30, rlim_t{1} << 30};  // room for about a hundred stacks
    if (setrlimit(RLIMIT_AS, &limit) != 0) std::_Exit(1);
    try {
      const ThreadPool pool(2000);
    } catch (const Error& error) {
      std::fputs(error.what(), stderr);
      std::_Exit(static_cast<int>(error.code()));
    }
    std::_Exit(2);
  };
  EXPECT_EXIT(start_too_many(), testing::ExitedWithCode(64), "2000 threads cannot be started");
}
#endif

}  // namespace
}  // namespace h5score::base
