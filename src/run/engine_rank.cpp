// Times, error context and buffers of one rank in the engine.
#include "engine_rank.hpp"

#include "h5score/base/error.hpp"
#include "h5score/base/hash.hpp"
#include "h5score/base/peak_memory.hpp"
#include "h5score/comm/failure.hpp"

#include <algorithm>
#include <new>
#include <utility>

namespace h5score::run {
namespace {

using base::Error;
using base::ExitCode;

// Seconds between pumps. With transfers pending well below the longest gap allowed, 250e-6; without, a new message may
// wait a little longer: whoever polls has work in hand, and on a crowded machine each look at MPI may yield the core.
constexpr double pump_interval_pending = 100e-6;
constexpr double pump_interval_quiet = 250e-6;

}  // namespace

Transfer::~Transfer() {
  if (!request_) return;
  [[maybe_unused]] const auto* leaked_request = request_.release();
  [[maybe_unused]] const auto* leaked_buffer = new (std::nothrow) base::AlignedBuffer(std::move(buffer));
}

bool Transfer::test() {
  if (request_ && request_->test()) request_.reset();
  return !request_;
}

Rank::Rank(comm::Communicator& communicator, const sched::BlockPlan& block_plan,
           const std::vector<BlockScorer*>& scorers, const EngineOptions& options)
    : comm(communicator),
      plan(block_plan),
      lanes(scorers),
      stop(communicator, options),
      clock(report.phases),
      traffic_before_(communicator.traffic()),
      pump_([] { return false; }),
      poll_([this] { poll_if_due(); }) {
  report.rank = comm.rank();
}

void Rank::poll_if_due() {
  if (clock.now() - last_pump_ < (pending_ ? pump_interval_pending : pump_interval_quiet)) return;
  try {
    pump();
  } catch (...) {
    poll_error_ = std::current_exception();
    throw;
  }
}

void Rank::pump() {
  const PhaseClock::Scope scope(clock, clock.idle() ? &PhaseTimes::idle : &PhaseTimes::transfer);
  if (pending_) report.longest_progress_gap = std::max(report.longest_progress_gap, clock.now() - last_pump_);
  pending_ = pump_();
  last_pump_ = clock.now();
}

template <class F>
void Rank::in_block(u64 block, F action) const {
  try {
    action();
  } catch (const PlacedError&) {
    throw;
  } catch (const Error& error) {
    if (poll_error_) std::rethrow_exception(poll_error_);
    throw error.in(block_text(plan, block));
  } catch (const std::exception& error) {
    if (poll_error_) std::rethrow_exception(poll_error_);
    throw Error(ExitCode::internal, error.what()).in(block_text(plan, block));
  }
}

void Rank::fetch(BlockSource& source, u64 block, base::AlignedBuffer& payload, std::size_t extra) {
  const PhaseClock::Scope scope(clock, &PhaseTimes::fetch);
  in_block(block, [&] {
    const u64 bound = source.payload_bound(block);
    payload.resize(bound + extra);
    const std::byte* const place = payload.data();
    source.fetch(block, payload, poll_);
    if (payload.size() > bound || payload.data() != place)
      throw Error(ExitCode::internal, "the payload has " + std::to_string(payload.size()) + " bytes",
                  std::to_string(bound) + " were announced");
  });
}

u32 Rank::score(u64 block, base::ByteView payload, std::span<std::byte> results) {
  const double before = report.phases.score;
  PhaseTimes spent;
  u32 crc = 0;
  {
    const PhaseClock::Scope scope(clock, &PhaseTimes::score);
    in_block(block, [&] {
      lanes.front()->score(block, payload, results, spent, poll_);
      crc = base::crc32(results);
    });
  }
  // The scorer's times contain its polls, ours do not.
  charge_scoring(report.phases, std::exchange(report.phases.score, before) - before, spent);
  ++report.blocks;
  report.rows += plan.range(block).size();
  report.payload_bytes += payload.size();
  return crc;
}

void Rank::write(BlockSink& sink, u64 block, base::ByteView results, u32 crc) {
  const PhaseClock::Scope scope(clock, &PhaseTimes::write);
  in_block(block, [&] { sink.write(block, results, crc, poll_); });
}

void Rank::finish_report(u64 buffer_bytes) {
  clock.to(&PhaseTimes::idle);
  const comm::Traffic traffic = comm.traffic();
  report.host = comm.host();
  report.messages = traffic.messages - traffic_before_.messages;
  report.message_bytes = traffic.message_bytes - traffic_before_.message_bytes;
  report.buffer_bytes = buffer_bytes;
  report.peak_memory_bytes = base::peak_memory_bytes();
}

void charge_scoring(PhaseTimes& phases, double seconds, const PhaseTimes& spent) {
  for (double PhaseTimes::*const phase : {&PhaseTimes::fetch, &PhaseTimes::decode, &PhaseTimes::write}) {
    const double part = std::clamp(spent.*phase, 0.0, seconds);
    phases.*phase += part;
    seconds -= part;
  }
  phases.score += seconds;
}

std::string block_text(const sched::BlockPlan& plan, u64 block) {
  const base::RowRange rows = plan.range(block);
  return "block " + std::to_string(block) + ", rows " + std::to_string(rows.begin) + ":" + std::to_string(rows.end);
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
