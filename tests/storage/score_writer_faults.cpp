// Ranks that write their own results when system calls fail and when the power goes.
#include "h5score/storage/score_writer.hpp"

#include "storage/faulty_calls.hpp"
#include "storage/score_writer_support.hpp"

#include <gmock/gmock.h>

#include <chrono>
#include <thread>

namespace h5score::storage::testing {
namespace {

using ::testing::HasSubstr;

class ScoreWriterFaults : public ScoreFileTest {
 protected:
  FaultyCalls calls_;
};

TEST_F(ScoreWriterFaults, ShortAndInterruptedCallsAreContinued) {
  const auto spec = example(3000, 999);
  auto file = create(spec);
  calls_.short_and_interrupted = true;
  ScoreWriter writer(file.places(), Ownership::pages, 30, "node18", &calls_);
  for (const u64 block : file.todo()) {
    const Message message = write_block(writer, spec, block);
    writer.sync();
    book(file, message);
  }
  file.finish();
  expect_complete(output_, spec);
}

TEST_F(ScoreWriterFaults, FailedWritesAreFinal) {
  const auto spec = example(300, 100);
  for (const int reason : {EIO, ENOSPC}) {
    ScoreFileOptions options;
    options.overwrite = true;
    auto file = create(spec, options);
    ScoreWriter writer(file.places(), Ownership::all, 30, "node18", &calls_);
    const u64 offset = read_scores(part()).column_extents[2].offset + 100 * 12;
    calls_.write_error = reason;
    calls_.writes_before_failure = 2;
    const auto message = error_of(ExitCode::io, [&] { write_block(writer, spec, 1); });
    EXPECT_THAT(message, HasSubstr(part() + ": writing at offset " + std::to_string(offset)));
    EXPECT_THAT(message, HasSubstr(base::errno_text(reason)));
    EXPECT_EQ(error_of(ExitCode::io, [&] { write_block(writer, spec, 0); }), message);
    EXPECT_EQ(error_of(ExitCode::io, [&] { writer.sync(); }), message);
    EXPECT_EQ(writer.synced(), 0U);
  }
}

TEST_F(ScoreWriterFaults, FailedSyncsAreFinal) {
  const auto spec = example(30'000, 10'000);
  auto file = create(spec);
  ScoreWriter writer(file.places(), Ownership::pages, 30, "node18", &calls_);
  write_block(writer, spec, 0);
  calls_.sync_error = EIO;
  const auto message = error_of(ExitCode::io, [&] { writer.sync(); });
  EXPECT_THAT(message, HasSubstr("syncing"));
  calls_.sync_error = 0;  // the kernel has forgotten: a second sync would succeed without the lost pages
  EXPECT_EQ(error_of(ExitCode::io, [&] { writer.sync(); }), message);
  EXPECT_EQ(error_of(ExitCode::io, [&] { write_block(writer, spec, 1); }), message);
  EXPECT_EQ(writer.synced(), 0U);
}

TEST_F(ScoreWriterFaults, FailedBackgroundSyncIsThrownByALaterCall) {
  const auto spec = example(100, 1);
  auto file = create(spec);
  calls_.sync_error = EIO;
  ScoreWriter writer(file.places(), Ownership::pages, 0, "node18", &calls_);
  const auto write_on = [&] {
    for (u64 block = 0;; block = (block + 1) % 100) {
      write_block(writer, spec, block);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  };
  EXPECT_THAT(error_of(ExitCode::io, write_on), HasSubstr("syncing"));
  EXPECT_EQ(writer.synced(), 0U);
}

TEST_F(ScoreWriterFaults, BackgroundSyncNeedsNoFurtherCall) {
  const auto spec = example(30'000, 10'000);
  auto file = create(spec);
  ScoreWriter never(file.places(), Ownership::pages, 1e300, "node18");
  write_block(never, spec, 0);
  EXPECT_EQ(never.synced(), 0U);
  never.sync();
  EXPECT_EQ(never.synced(), 1U);
  ScoreWriter often(file.places(), Ownership::pages, 0.01, "node18");
  for (u64 block = 0; block < 3; ++block) EXPECT_EQ(write_block(often, spec, block).number, block);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (often.synced() < 3 && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  EXPECT_EQ(often.synced(), 3U);
}

TEST_F(ScoreWriterFaults, OnTheRootsHostItsSyncIsEnough) {
  const auto spec = example(300, 100);
  auto file = create(spec);
  calls_.sync_error = EIO;  // is not called
  for (const auto ownership : {Ownership::all, Ownership::none}) {
    ScoreWriter writer(file.places(), ownership, 0, "node17", &calls_);
    write_block(writer, spec, 0);
    EXPECT_EQ(writer.synced(), 1U);
    writer.sync();
  }
}

/// Ranks on the root's host and on another one, each host with a page cache of its own.
struct Hosts {
  ForgetfulDisk root;
  ForgetfulDisk other;
};

// Writes some blocks; the root books them as soon as it may, or at once where it does not `wait`. Neither ends its run.
void write_some(const std::string& output, const ScoreFileSpec& spec, Hosts& hosts, bool wait, std::mt19937& random) {
  ScoreFileOptions options;
  options.calls = &hosts.root;
  options.overwrite = true;
  options.sync_interval = 0;
  auto file = ScoreFile::create(output, spec, facts(), options);
  ScoreWriter same_host(file.places(), Ownership::all, 0, "a", &hosts.root);
  ScoreWriter other_host(file.places(), Ownership::pages, wait ? 0.0005 : 30, "b", &hosts.other);
  auto blocks = file.todo();
  std::shuffle(blocks.begin(), blocks.end(), random);
  blocks.resize(blocks.size() / 2 + random() % (blocks.size() / 2));
  std::deque<Message> waiting;
  for (const u64 block : blocks) {
    if (random() % 3 == 0) {
      book(file, write_block(same_host, spec, block));
    } else {
      waiting.push_back(write_block(other_host, spec, block));
      write_rests(file, waiting.back());
    }
    if (random() % 4 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    for (; !waiting.empty() && (!wait || waiting.front().number < other_host.synced()); waiting.pop_front())
      file.written(waiting.front().block, waiting.front().crc);
  }
}

struct Outcome {
  u64 claimed = 0;
  u64 rejected = 0;
};

Outcome lose_power(const std::string& output, const ScoreFileSpec& spec, bool wait, unsigned seed) {
  std::mt19937 random(seed);
  Hosts hosts;
  write_some(output, spec, hosts, wait, random);
  hosts.root.lose_power(part_path(output), random);
  hosts.other.lose_power(part_path(output), random);
  ScoreFileOptions options;
  options.overwrite = true;
  const Outcome before{.claimed = read_scores(part_path(output)).blocks_done()};
  auto file = ScoreFile::resume(output, read_scores(part_path(output)), spec.identity, facts(), options);
  for (const u64 block : file.todo()) write_block(file, spec, block);
  const u64 rejected = file.blocks_rejected();
  file.finish();
  expect_complete(output, spec);
  return {before.claimed, rejected};
}

TEST_F(ScoreWriterFaults, LostPowerNeverLeavesAFalseClaim) {
  const auto spec = example(24'000, 601);
  u64 claimed = 0;
  for (unsigned seed = 0; seed < 10; ++seed) {
    const Outcome outcome = lose_power(output_, spec, true, seed);
    EXPECT_EQ(outcome.rejected, 0U) << "seed " << seed;
    claimed += outcome.claimed;
  }
  EXPECT_GT(claimed, 20U);
}

TEST_F(ScoreWriterFaults, BookingWithoutWaitingForOtherHostsIsFoundOut) {
  const auto spec = example(24'000, 601);
  u64 rejected = 0;
  for (unsigned seed = 0; seed < 5; ++seed) rejected += lose_power(output_, spec, false, seed).rejected;
  EXPECT_GT(rejected, 0U);
}

}  // namespace
}  // namespace h5score::storage::testing
