// A source, a scorer and a sink of made-up blocks for tests of the engine: payloads of uneven size, results that depend
// on every byte of the payload, and a record of what was written.
#pragma once

#include "h5score/base/hash.hpp"
#include "h5score/run/engine.hpp"

#include <functional>
#include <map>
#include <memory>
#include <vector>

namespace h5score::test {

using base::u32;
using base::u64;

inline sched::BlockPlan plan_of(u64 blocks, u64 rows_per_block = 10) {
  sched::BlockPlan plan;
  for (u64 b = 1; b <= blocks; ++b) plan.boundaries.push_back(b * rows_per_block);
  return plan;
}

inline std::vector<u64> all_blocks(const sched::BlockPlan& plan) {
  std::vector<u64> blocks(plan.blocks());
  for (u64 b = 0; b < blocks.size(); ++b) blocks[b] = b;
  return blocks;
}

struct BlockSizes {
  u64 payload = 1000;  ///< largest payload
  u64 result = 64;     ///< largest result
  u64 slack = 32;      ///< by which payload_bound exceeds the payload
  [[nodiscard]] u64 payload_of(u64 block) const { return payload - block * 7 % (payload / 2 + 1); }
  [[nodiscard]] u64 result_of(u64 block) const { return result - block * 3 % (result / 2 + 1); }
};

inline std::byte payload_byte(u64 block, u64 i) {
  return static_cast<std::byte>((block * 131 + i * 7) & 255);
}

class FakeSource final : public run::BlockSource {
 public:
  explicit FakeSource(BlockSizes sizes) : sizes_(sizes) {}
  u64 payload_bound(u64 block) const override { return sizes_.payload_of(block) + sizes_.slack; }
  void fetch(u64 block, base::AlignedBuffer& payload, const run::Poll& poll) override {
    if (on_fetch) on_fetch(block);
    payload.resize(sizes_.payload_of(block));
    for (u64 i = 0; i < payload.size(); ++i) payload.data()[i] = payload_byte(block, i);
    poll();
  }
  std::function<void(u64)> on_fetch;

 private:
  BlockSizes sizes_;
};

/// Results: the CRC of the payload, repeated with the block number.
inline void fill_results(u64 block, u32 crc, std::span<std::byte> results) {
  for (u64 i = 0; i < results.size(); ++i) results[i] = static_cast<std::byte>((crc >> (i % 4 * 8)) + block * i);
}

class FakeScorer final : public run::BlockScorer {
 public:
  explicit FakeScorer(BlockSizes sizes) : sizes_(sizes) {}
  u64 result_bytes(u64 block) const override { return sizes_.result_of(block); }
  void score(u64 block, base::ByteView payload, std::span<std::byte> results, run::PhaseTimes& phases,
             const run::Poll& poll) override {
    if (on_score) on_score(block, poll);
    fill_results(block, base::crc32(payload), results);
    phases.decode += 1e-9;
    ++scored;
  }
  std::function<void(u64, const run::Poll&)> on_score;
  u64 scored = 0;  ///< by this lane

 private:
  BlockSizes sizes_;
};

/// The lanes of one rank.
class FakeLanes {
 public:
  FakeLanes(BlockSizes sizes, u64 count, const std::function<void(u64, const run::Poll&)>& on_score = {}) {
    for (u64 i = 0; i < count; ++i) scorers_.push_back(std::make_unique<FakeScorer>(sizes));
    for (const auto& scorer : scorers_) {
      scorer->on_score = on_score;
      lanes.push_back(scorer.get());
    }
  }
  [[nodiscard]] u64 scored() const {
    u64 sum = 0;
    for (const auto& scorer : scorers_) sum += scorer->scored;
    return sum;
  }
  std::vector<run::BlockScorer*> lanes;

 private:
  std::vector<std::unique_ptr<FakeScorer>> scorers_;
};

class FakeSink final : public run::BlockSink {
 public:
  void write(u64 block, base::ByteView results, u32 crc, const run::Poll& poll) override {
    poll();
    crc_matches = crc_matches && crc == base::crc32(results);
    ++times[block];
    written[block].assign(results.begin(), results.end());
    if (on_write) on_write(block);
  }
  std::map<u64, base::Bytes> written;
  std::map<u64, u64> times;
  std::function<void(u64)> on_write;
  bool crc_matches = true;
};

/// What a correct run writes.
inline std::map<u64, base::Bytes> expected_results(const std::vector<u64>& todo, BlockSizes sizes) {
  std::map<u64, base::Bytes> expected;
  for (const u64 block : todo) {
    base::Bytes payload(sizes.payload_of(block));
    for (u64 i = 0; i < payload.size(); ++i) payload[i] = payload_byte(block, i);
    expected[block].resize(sizes.result_of(block));
    fill_results(block, base::crc32(payload), expected[block]);
  }
  return expected;
}

}  // namespace h5score::test
