// Two passes of the engine over the chunks of a compressed copy: packing, and reading back.
#include "compress_job.hpp"

#include "h5score/base/error.hpp"
#include "h5score/base/hash.hpp"
#include "h5score/run/text.hpp"
#include "h5score/storage/compressed_copy.hpp"
#include "h5score/storage/stored_rows.hpp"

#include "clock.hpp"
#include "job_lanes.hpp"
#include "job_parts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>

namespace h5score::run {
namespace {

using base::Error;
using base::ExitCode;
using storage::CopyPlan;

// A limit that was enough for scoring must not end the run now.
constexpr u64 least_chunks_held = 16;

/// In front of a packed chunk.
struct PackedHead {
  u64 size = 0;
  u32 crc = 0;  ///< of the rows, unpacked
  u32 unused = 0;
};

// The chunks as the engine's blocks, weighed by their bytes.
sched::BlockPlan blocks_of(const CopyPlan& copy) {
  sched::BlockPlan plan;
  for (u64 i = 0, n = copy.chunks(); i < n; ++i)
    plan.boundaries.push_back(plan.boundaries.back() + copy.chunk(i).full_bytes());
  return plan;
}

std::string where_the_scores_are(const std::string& output) {
  return fmt::format("the scores are complete in {}: free some space and run again with --resume, or rename it",
                     storage::part_path(output));
}

class PackSource final : public BlockSource {
 public:
  PackSource(const CopyPlan& copy, const storage::StoredRows& rows) : copy_(copy), rows_(rows) {}
  [[nodiscard]] u64 payload_bound(u64 chunk) const override { return copy_.chunk(chunk).bytes(); }
  void fetch(u64 chunk, base::AlignedBuffer& payload, const Poll& poll) override {
    const auto c = copy_.chunk(chunk);
    rows_.read(c.column.column, c.rows, payload, poll);
  }

 private:
  const CopyPlan& copy_;
  const storage::StoredRows& rows_;
};

class PackScorer final : public BlockScorer {
 public:
  PackScorer(const CopyPlan& copy, u32 level) : copy_(copy), packer_(level) {}
  [[nodiscard]] u64 result_bytes(u64 chunk) const override {
    return sizeof(PackedHead) + packer_.bound(copy_.chunk(chunk).full_bytes());
  }
  void score(u64 chunk, base::ByteView payload, std::span<std::byte> results, PhaseTimes& /*phases*/,
             const Poll& /*poll*/) override {
    const auto body = results.subspan(sizeof(PackedHead));
    const PackedHead head{packer_.pack(payload, copy_.chunk(chunk), body), base::crc32(payload), 0};
    std::memcpy(results.data(), &head, sizeof head);
    std::fill(body.begin() + static_cast<std::ptrdiff_t>(head.size), body.end(), std::byte{});
  }

 private:
  const CopyPlan& copy_;
  storage::ChunkPacker packer_;
};

class PackSink final : public BlockSink {
 public:
  PackSink(const CopyPlan& copy, storage::CompressedCopy& file, std::string output)
      : copy_(copy), file_(file), output_(std::move(output)), crcs_(copy.chunks()) {}
  void write(u64 chunk, base::ByteView results, u32 /*crc*/, const Poll& /*poll*/) override {
    PackedHead head;
    std::memcpy(&head, results.data(), sizeof head);
    if (head.size > results.size() - sizeof head) throw Error(ExitCode::internal, "a packed chunk is too large");
    crcs_[chunk] = head.crc;
    try {
      file_.write(copy_.chunk(chunk), results.subspan(sizeof head, head.size));
    } catch (const Error& error) {
      throw PlacedError(error.code(), error.what(), {}, where_the_scores_are(output_));
    }
  }
  [[nodiscard]] const std::vector<u32>& crcs() const { return crcs_; }

 private:
  const CopyPlan& copy_;
  storage::CompressedCopy& file_;
  std::string output_;
  std::vector<u32> crcs_;
};

/// Chunks as they are stored.
class StoredSource final : public BlockSource {
 public:
  StoredSource(const storage::PosixFile& file, std::vector<storage::Extent> places)
      : file_(file), places_(std::move(places)) {}
  [[nodiscard]] u64 payload_bound(u64 chunk) const override { return places_[chunk].size; }
  void fetch(u64 chunk, base::AlignedBuffer& payload, const Poll& poll) override {
    payload.resize(places_[chunk].size);
    file_.read(payload.span(), places_[chunk].offset, poll);
  }

 private:
  const storage::PosixFile& file_;
  std::vector<storage::Extent> places_;
};

class ReadBackScorer final : public BlockScorer {
 public:
  explicit ReadBackScorer(const CopyPlan& copy) : copy_(copy) {}
  [[nodiscard]] u64 result_bytes(u64 /*chunk*/) const override { return sizeof(u32); }
  void score(u64 chunk, base::ByteView payload, std::span<std::byte> results, PhaseTimes& /*phases*/,
             const Poll& /*poll*/) override {
    const u32 crc = reader_.crc(payload, copy_.chunk(chunk));
    std::memcpy(results.data(), &crc, sizeof crc);
  }

 private:
  const CopyPlan& copy_;
  storage::ChunkReader reader_;
};

class ReadBackSink final : public BlockSink {
 public:
  ReadBackSink(const CopyPlan& copy, const storage::ScoreDescription& part, const std::vector<u32>& crcs)
      : copy_(copy), part_(part), crcs_(crcs) {}
  void write(u64 chunk, base::ByteView results, u32 /*crc*/, const Poll& /*poll*/) override {
    u32 crc = 0;
    std::memcpy(&crc, results.data(), sizeof crc);
    if (crc == crcs_[chunk]) return;
    const auto c = copy_.chunk(chunk);
    throw PlacedError(ExitCode::io,
                      fmt::format("{}, rows {}:{}: the compressed copy holds other values than were written",
                                  part_.columns[c.column.column].path, c.rows.begin, c.rows.end),
                      "the disk or the memory is not reliable", "the part file is complete: run again with --resume");
  }

 private:
  const CopyPlan& copy_;
  const storage::ScoreDescription& part_;
  const std::vector<u32>& crcs_;
};

// Where the copy may not fit: from some chunks of each column, how large it will be. Throws Error(cant_create).
void check_space(const CopyPlan& copy, const storage::StoredRows& rows, const CompressRoot& root, u32 level) {
  constexpr u64 looked_at = 16;
  constexpr double margin = 1.1;
  constexpr double metadata = 1 << 20;
  const auto available = storage::available_space(root.output);
  double raw = 0;
  const u64 chunks = copy.chunks();
  for (u64 i = 0; i < chunks; ++i) raw += static_cast<double>(copy.chunk(i).full_bytes());
  if (!available || static_cast<double>(*available) > raw * margin + metadata) return;
  storage::ChunkPacker packer(level);
  base::AlignedBuffer buffer;
  base::AlignedBuffer packed;
  double before = 0;
  double after = 0;
  for (u64 i = 0; i < std::min(looked_at, chunks); ++i) {
    const auto chunk = copy.chunk(i * chunks / std::min(looked_at, chunks));
    rows.read(chunk.column.column, chunk.rows, buffer);
    packed.resize(packer.bound(chunk.full_bytes()));
    before += static_cast<double>(chunk.full_bytes());
    after += static_cast<double>(packer.pack(buffer.view(), chunk, packed.span()));
  }
  const double needed = raw * after / std::max(before, 1.0) * margin + metadata;
  if (static_cast<double>(*available) >= needed) return;
  throw Error(
      ExitCode::cant_create, root.output + ": there is no space for the compressed copy",
      fmt::format("about {} needed, {} available", format_bytes(needed), format_bytes(static_cast<double>(*available))),
      where_the_scores_are(root.output));
}

// What a reader will see: the library's values of the first, a middle and the last block against the ledger.
void check_through_library(h5::Sandbox& name_node, const storage::ScoreDescription& part, const std::string& path) {
  if (part.blocks() == 0) return;
  const auto copy =
      base::from_bytes<storage::ScoreDescription>(name_node.call("read_scores", base::to_bytes(path), path));
  const storage::StoredRows rows(name_node, copy);
  base::AlignedBuffer buffer;
  for (const u64 block : {u64{0}, part.blocks() / 2, part.blocks() - 1})
    if (rows.crc({part.boundaries[block], part.boundaries[block + 1]}, buffer) !=
        storage::ledger_crc(part.ledger[block]))
      throw Error(ExitCode::io, fmt::format("{}: block {} of the compressed copy is not what was scored", path, block),
                  "the disk or the memory is not reliable", "run again with --resume, which checks every block");
}

template <class Scorer, class... Arguments>
EngineResult run_pass(comm::Communicator& comm, const CompressOptions& options, const CopyPlan& copy,
                      BlockSource* source, BlockSink* sink, const Arguments&... arguments) {
  const auto plan = blocks_of(copy);
  std::vector<u64> todo;
  u64 most = 0;
  for (u64 i = 0; i < plan.blocks(); ++i) {
    if (comm.root()) todo.push_back(i);
    most = std::max(most, plan.range(i).size());
  }
  EngineOptions engine = options.engine;
  engine.memory_per_rank = std::max(engine.memory_per_rank, least_chunks_held * most);
  const auto threads = plan_lanes({.threads = options.threads,
                                   .ranks = comm.size(),
                                   .blocks = plan.blocks(),
                                   .lane_bytes = 5 * most,
                                   .memory = engine.memory_per_rank});
  std::vector<std::unique_ptr<Scorer>> lanes;
  std::vector<BlockScorer*> pointers;
  for (u64 i = 0; i < threads.size(); ++i) {
    lanes.push_back(std::make_unique<Scorer>(copy, arguments...));
    pointers.push_back(lanes.back().get());
  }
  return run_blocks(comm, plan, todo, source, pointers, sink, engine);
}

}  // namespace

bool write_compressed(comm::Communicator& comm, const CompressOptions& options, CompressRoot* root) {
  const double start = now();
  CopyPlan copy;
  std::optional<storage::StoredRows> rows;
  std::unique_ptr<storage::CompressedCopy> file;
  receive(root_step(comm,
                    [&] {
                      const auto& part = root->file.description();
                      rows.emplace(root->name_node, part);
                      copy = storage::plan_copy(part);
                      check_space(copy, *rows, *root, options.level);
                      file = std::make_unique<storage::CompressedCopy>(root->output, part, root->spec, options.level);
                      return send(copy);
                    }),
          copy);

  std::optional<PackSource> source;
  std::optional<PackSink> sink;
  if (root != nullptr) {
    source.emplace(copy, *rows);
    sink.emplace(copy, *file, root->output);
  }
  if (run_pass<PackScorer>(comm, options, copy, source ? &*source : nullptr, sink ? &*sink : nullptr, options.level)
          .stopped)
    return false;

  std::vector<storage::Extent> places;
  root_step(comm, [&] {
    try {
      file->close(root->file.file());
    } catch (const Error& error) {
      throw Error(error.code(), error.what(), {}, where_the_scores_are(root->output));
    }
    places = file->map(copy);
    file->check_description();
    return base::Bytes{};
  });
  std::optional<StoredSource> stored;
  std::optional<ReadBackSink> checks;
  if (root != nullptr) {
    stored.emplace(file->file(), std::move(places));
    checks.emplace(copy, root->file.description(), sink->crcs());
  }
  if (run_pass<ReadBackScorer>(comm, options, copy, stored ? &*stored : nullptr, checks ? &*checks : nullptr).stopped)
    return false;

  root_step(comm, [&] {
    check_through_library(root->name_node, root->file.description(), file->file().path());
    const auto before = static_cast<double>(root->file.description().file_size);
    const auto after = static_cast<double>(file->file().status().st_size);
    root->file.finish_as(file->file());
    fmt::print("compressed: {} to {} (gzip {}) in {}\n", format_bytes(before), format_bytes(after), options.level,
               format_duration(now() - start));
    return base::Bytes{};
  });
  return true;
}

}  // namespace h5score::run
