// Putting source, scorers and sink together.
#include "job_loop.hpp"

#include "h5score/base/archive.hpp"

#include "direct_io.hpp"
#include "job_input.hpp"
#include "job_output.hpp"
#include "job_scorer.hpp"
#include "page_cache_io.hpp"

#include <memory>
#include <optional>

namespace h5score::run {
namespace {

std::vector<u64> bindings_of(const JobSetup& setup) {
  std::vector<u64> bindings;
  for (const auto& m : setup.models) bindings.push_back(m.binding);
  return bindings;
}

/// What all lanes of a rank use.
struct Shared {
  explicit Shared(const LoopParts& parts)
      : decoder(parts.setup.format),
        rows(parts.backend.evaluators, bindings_of(parts.setup), parts.layout, parts.statistics) {}
  storage::Decoder decoder;
  RowScorer rows;
};

/// What a rank tells the root when its loop has ended.
struct DirectEnd {
  u64 synced = 0;        ///< ScoreWriter::synced()
  u64 buffer_bytes = 0;  ///< of its lanes
};
template <class A>
void archive(A& ar, DirectEnd& v) {
  ar(v.synced, v.buffer_bytes);
}

template <class Scorer>
std::vector<BlockScorer*> pointers(const std::vector<std::unique_ptr<Scorer>>& lanes) {
  std::vector<BlockScorer*> pointers;
  for (const auto& lane : lanes) pointers.push_back(lane.get());
  return pointers;
}

EngineResult run_lanes(const LoopParts& parts, const std::vector<BlockScorer*>& lanes, const std::vector<u64>* todo,
                       BlockSource* source, BlockSink* sink) {
  static const std::vector<u64> nothing;
  return run_blocks(parts.comm, parts.plan, todo != nullptr ? *todo : nothing, source, lanes, sink, parts.engine);
}

}  // namespace

EngineResult run_payloads(const LoopParts& parts, const std::vector<u64>* todo, BlockSource* source, BlockSink* sink) {
  const Shared shared(parts);
  std::vector<std::unique_ptr<JobScorer>> lanes;
  for (const u64 threads : parts.lanes)
    lanes.push_back(
        std::make_unique<JobScorer>(shared.decoder, shared.rows, parts.layout, parts.statistics, parts.plan, threads));
  return run_lanes(parts, pointers(lanes), todo, source, sink);
}

EngineResult run_scatter(const LoopParts& parts, RootParts* root) {
  if (root == nullptr) return run_payloads(parts, nullptr, nullptr, nullptr);
  InputSource source(root->input, parts.plan);
  ScoreSink sink(root->file, root->tally, parts.layout, parts.statistics, parts.plan);
  return run_payloads(parts, &root->todo, &source, &sink);
}

EngineResult run_page_cache(const LoopParts& parts, const std::vector<storage::FileIdentity>& files, RootParts* root) {
  const Shared shared(parts);
  std::vector<std::unique_ptr<PageCacheScorer>> lanes;
  for (const u64 threads : parts.lanes)
    lanes.push_back(std::make_unique<PageCacheScorer>(shared.decoder, shared.rows, files, parts.layout,
                                                      parts.statistics, parts.plan, threads));
  std::optional<PageCacheSource> source;
  std::optional<ScoreSink> sink;
  if (root != nullptr) {
    source.emplace(root->input, parts.plan, root->tally);
    sink.emplace(root->file, root->tally, parts.layout, parts.statistics, parts.plan);
  }
  auto result = run_lanes(parts, pointers(lanes), root != nullptr ? &root->todo : nullptr, source ? &*source : nullptr,
                          sink ? &*sink : nullptr);
  u64 read = 0;
  for (const auto& lane : lanes) read += lane->bytes_read();
  const auto all = parts.comm.gather(base::to_bytes(read));
  u64 total = 0;
  for (u64 r = 0; r < all.size(); ++r) {
    result.ranks[r].payload_bytes = base::from_bytes<u64>(all[r]);
    total += result.ranks[r].payload_bytes;
  }
  if (root != nullptr) root->tally.set_read(total);
  return result;
}

EngineResult run_direct(const LoopParts& parts, const DirectParts& direct, RootParts* root) {
  const Shared shared(parts);
  auto& comm = parts.comm;
  const DirectMessages messages(parts.layout, parts.statistics, parts.plan, direct.writing.least);
  storage::ScoreWriter writer(direct.places, direct.writing.mine, direct.sync_interval, comm.host());
  const DirectRank rank{.decoder = shared.decoder,
                        .files = direct.files,
                        .rows = shared.rows,
                        .layout = parts.layout,
                        .statistics = parts.statistics,
                        .plan = parts.plan,
                        .messages = messages,
                        .writer = writer,
                        .rank = comm.rank(),
                        .host = direct.host,
                        .leave_out_missing = direct.leave_out_missing};
  std::vector<std::unique_ptr<DirectScorer>> lanes;
  for (const u64 threads : parts.lanes) lanes.push_back(std::make_unique<DirectScorer>(rank, threads));
  std::optional<DirectSource> source;
  std::optional<DirectSink> sink;
  if (root != nullptr) {
    source.emplace(root->input, parts.plan);
    sink.emplace(root->file, root->tally, parts.plan, parts.layout.row_bytes, comm.size());
  }
  auto result = run_lanes(parts, pointers(lanes), root != nullptr ? &root->todo : nullptr, source ? &*source : nullptr,
                          sink ? &*sink : nullptr);
  writer.sync();
  DirectEnd end{.synced = writer.synced(), .buffer_bytes = 0};
  for (const auto& lane : lanes) end.buffer_bytes += lane->buffer_bytes();
  const auto ends = comm.gather(base::to_bytes(end));
  for (u64 r = 0; r < ends.size(); ++r) {
    end = base::from_bytes<DirectEnd>(ends[r]);
    sink->synced(r, end.synced);
    result.ranks[r].buffer_bytes += end.buffer_bytes;
    result.ranks[r].payload_bytes = sink->bytes_read()[r];
  }
  return result;
}

}  // namespace h5score::run
