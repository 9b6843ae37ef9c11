// Times, error context and buffers of one rank in the engine.
#include "engine_rank.hpp"

#include "h5score/base/error.hpp"
#include "h5score/base/hash.hpp"
#include "h5score/base/narrow.hpp"
#include "h5score/comm/failure.hpp"

#include <sys/resource.h>

#include <algorithm>

namespace h5score::run {
namespace {

using base::Error;
using base::ExitCode;

constexpr double pump_interval = 50e-6;  ///< seconds; a fifth of the longest gap allowed

}  // namespace

Transfer::~Transfer() {
  if (!request_) return;
  [[maybe_unused]] const auto* leaked_request = request_.release();
  [[maybe_unused]] const auto* leaked_buffer = new base::AlignedBuffer(std::move(buffer));
}

bool Transfer::test() {
  if (request_ && request_->test()) request_.reset();
  return !request_;
}

Rank::Rank(comm::Communicator& communicator, const sched::BlockPlan& block_plan, BlockScorer& block_scorer)
    : comm(communicator),
      plan(block_plan),
      scorer_(block_scorer),
      traffic_before_(communicator.traffic()),
      start_(std::chrono::steady_clock::now()),
      pump_([] { return false; }),
      poll_([this] { poll_if_due(); }) {
  report.rank = comm.rank();
}

double Rank::now() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

void Rank::poll_if_due() {
  if (now() - last_pump_ >= pump_interval) pump();
}

void Rank::pump() {
  const double begin = now();
  if (pending_) report.longest_progress_gap = std::max(report.longest_progress_gap, begin - last_pump_);
  pending_ = pump_();
  last_pump_ = now();
  polled_ += last_pump_ - begin;
}

void Rank::charge(double PhaseTimes::*phase) {
  const double end = now();
  const double elapsed = end - marked_;
  const double polled = std::min(polled_, elapsed);
  report.phases.*phase += elapsed - polled;
  report.phases.transfer += polled;
  marked_ = end;
  polled_ = 0;
}

template <class F>
void Rank::in_block(u64 block, F action) const {
  const auto where = [&] {
    const base::RowRange rows = plan.range(block);
    return "block " + std::to_string(block) + ", rows " + std::to_string(rows.begin) + ":" + std::to_string(rows.end);
  };
  try {
    action();
  } catch (const Error& error) {
    throw error.in(where());
  } catch (const std::exception& error) {
    throw Error(ExitCode::internal, error.what()).in(where());
  }
}

void Rank::fetch(BlockSource& source, u64 block, base::AlignedBuffer& payload, std::size_t extra) {
  in_block(block, [&] {
    const u64 bound = source.payload_bound(block);
    payload.resize(bound + extra);
    const std::byte* const place = payload.data();
    source.fetch(block, payload, poll_);
    if (payload.size() > bound || payload.data() != place)
      throw Error(ExitCode::internal, "the payload has " + std::to_string(payload.size()) + " bytes",
                  std::to_string(bound) + " were announced");
  });
  charge(&PhaseTimes::fetch);
}

u32 Rank::score(u64 block, base::ByteView payload, std::span<std::byte> results) {
  charge(&PhaseTimes::transfer);
  PhaseTimes spent;
  u32 crc = 0;
  in_block(block, [&] {
    scorer_.score(block, payload, results, spent, poll_);
    crc = base::crc32(results);
  });
  // The scorer's own times contain its polls; what it did not count is scoring.
  const double end = now();
  const double elapsed = end - marked_;
  const double polled = std::min(polled_, elapsed);
  const double decode = std::clamp(spent.decode, 0.0, elapsed - polled);
  report.phases.decode += decode;
  report.phases.score += elapsed - polled - decode;
  report.phases.transfer += polled;
  marked_ = end;
  polled_ = 0;
  ++report.blocks;
  report.rows += plan.range(block).size();
  report.payload_bytes += payload.size();
  return crc;
}

void Rank::write(BlockSink& sink, u64 block, base::ByteView results, u32 crc) {
  charge(&PhaseTimes::transfer);
  in_block(block, [&] { sink.write(block, results, crc, poll_); });
  charge(&PhaseTimes::write);
}

void Rank::finish_report(u64 buffer_bytes) {
  charge(&PhaseTimes::idle);
  const comm::Traffic traffic = comm.traffic();
  report.host = comm.host();
  report.messages = traffic.messages - traffic_before_.messages;
  report.message_bytes = traffic.message_bytes - traffic_before_.message_bytes;
  report.buffer_bytes = buffer_bytes;
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) == 0) report.peak_memory_bytes = base::narrow<u64>(usage.ru_maxrss) * 1024;
}

void receive_failure(comm::Communicator& comm, const comm::Envelope& envelope) {
  if (envelope.tag != comm::Tag::failure)
    throw Error(ExitCode::internal, "rank 0 got a message that it did not expect",
                "from rank " + std::to_string(envelope.source));
  Transfer message;
  message.buffer.resize(envelope.bytes);
  message.start(comm.receive(message.buffer.span(), envelope.source, comm::Tag::failure));
  while (!message.test()) comm.progress();
  comm::throw_failure(envelope.source, message.buffer.view());
}

void check_arrived(u64 block, u32 rank, base::ByteView results, u32 crc) {
  const u32 found = base::crc32(results);
  if (found != crc)
    throw Error(
        ExitCode::io,
        "the results of block " + std::to_string(block) + " from rank " + std::to_string(rank) + " arrived damaged",
        "their CRC-32 is " + std::to_string(found) + " instead of " + std::to_string(crc));
}

}  // namespace h5score::run
