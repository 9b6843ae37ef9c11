// A program for tests and measurements from outside: runs made-up blocks through the engine under any launcher, fails
// where it is told to, and prints what the run took.
//   engine_probe --schedule S [--blocks N] [--payload BYTES] [--result BYTES] [--score-us N] [--memory BYTES]
//                [--lanes N] [--node-memory 0|1] [--touch 0|1] [--input FILE]
//                [--throw-rank R | --kill-rank R | --throw-fetch B | --throw-write B] [--at-block B] [--at-lane L]
#include "h5score/base/error.hpp"
#include "h5score/comm/launch.hpp"
#include "h5score/comm/mpi.hpp"
#include "h5score/comm/serial.hpp"
#include "h5score/run/engine.hpp"
#include "h5score/run/run_or_abort.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace h5score::test {
namespace {

using base::u32;
using base::u64;

class Arguments {
 public:
  Arguments(int argc, char** argv) {
    for (int i = 1; i + 1 < argc; i += 2) values_[argv[i]] = argv[i + 1];
  }
  [[nodiscard]] u64 number(const std::string& name, u64 otherwise) const {
    return values_.contains(name) ? std::stoull(values_.at(name)) : otherwise;
  }
  [[nodiscard]] std::string text(const std::string& name) const { return values_.at(name); }
  [[nodiscard]] bool has(const std::string& name) const { return values_.contains(name); }
  [[nodiscard]] bool is(const std::string& name, u64 value) const {
    return values_.contains(name) && number(name, 0) == value;
  }
  [[nodiscard]] run::Schedule schedule() const {
    const std::string name = values_.contains("--schedule") ? values_.at("--schedule") : "dynamic";
    for (const auto s : {run::Schedule::static_, run::Schedule::dynamic, run::Schedule::guided})
      if (name == run::to_string(s)) return s;
    throw base::Error(base::ExitCode::usage, "unknown schedule " + name);
  }

 private:
  std::map<std::string, std::string> values_;
};

[[noreturn]] void fail() {
  throw base::Error(base::ExitCode::data, "this was asked for");
}

/// Gives whatever the buffer holds, or with --input a file's bytes, again and again: measures the engine, not the
/// source.
class Source final : public run::BlockSource {
 public:
  explicit Source(const Arguments& a) : bytes_(a.number("--payload", 1 << 20)), arguments_(a) {
    if (!a.has("--input")) return;
    file_ = open(a.text("--input").c_str(), O_RDONLY | O_CLOEXEC);
    struct stat status {};
    if (file_ < 0 || fstat(file_, &status) != 0) throw base::Error(base::ExitCode::no_input, a.text("--input"));
    places_ = static_cast<u64>(status.st_size) / bytes_;
  }
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  ~Source() override {
    if (file_ >= 0) close(file_);
  }
  u64 payload_bound(u64) const override { return bytes_; }
  void fetch(u64 block, base::AlignedBuffer& payload, const run::Poll&) override {
    if (arguments_.is("--throw-fetch", block)) fail();
    payload.resize(bytes_);
    if (places_ == 0) return;
    if (pread(file_, payload.data(), bytes_, static_cast<off_t>(block % places_ * bytes_)) !=
        static_cast<ssize_t>(bytes_))
      throw base::Error(base::ExitCode::io, "a short read");
  }

 private:
  u64 bytes_;
  const Arguments& arguments_;
  int file_ = -1;
  u64 places_ = 0;
};

class Scorer final : public run::BlockScorer {
 public:
  Scorer(const Arguments& a, u32 rank, u64 lane)
      : bytes_(a.number("--result", 16)),
        busy_(a.number("--score-us", 0)),
        touch_(a.is("--touch", 1)),
        fails_(a.has("--throw-rank") || a.has("--kill-rank")),
        arguments_(a),
        rank_(rank),
        lane_(lane) {}
  u64 result_bytes(u64) const override { return bytes_; }
  void score(u64 block, base::ByteView payload, std::span<std::byte> results, run::PhaseTimes&,
             const run::Poll& poll) override {
    if (fails_ && block >= arguments_.number("--at-block", 0)) fail_or_wait(poll);
    if (busy_ > 0) {
      const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(busy_);
      while (std::chrono::steady_clock::now() < end) poll();
    }
    u64 sum = 1;
    if (touch_)
      for (u64 i = 0; i + sizeof sum <= payload.size(); i += sizeof sum) {
        u64 word = 0;
        std::memcpy(&word, payload.data() + i, sizeof word);
        sum += word;
      }
    std::memset(results.data(), static_cast<int>(sum & 127), results.size());
  }

 private:
  void fail_or_wait(const run::Poll& poll) {
    if (!arguments_.has("--at-lane") || arguments_.is("--at-lane", lane_)) {
      if (arguments_.is("--throw-rank", rank_)) {
        failed = true;
        fail();
      }
      if (arguments_.is("--kill-rank", rank_)) std::raise(SIGKILL);
    }
    // Lanes without polls are not told of a failure elsewhere: they end some time after it.
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (!failed && std::chrono::steady_clock::now() < end) {
      poll();
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
  }

  inline static std::atomic<bool> failed{false};  ///< a lane of this rank has
  u64 bytes_;
  u64 busy_;
  bool touch_;
  bool fails_;
  const Arguments& arguments_;
  u32 rank_;
  u64 lane_;
};

class Sink final : public run::BlockSink {
 public:
  explicit Sink(const Arguments& a) : arguments_(a) {}
  void write(u64 block, base::ByteView, u32, const run::Poll&) override {
    if (arguments_.is("--throw-write", block)) fail();
  }

 private:
  const Arguments& arguments_;
};

int run_blocks(comm::Communicator& comm, const Arguments& arguments) {
  const u64 blocks = arguments.number("--blocks", 100);
  sched::BlockPlan plan;
  std::vector<u64> todo;
  for (u64 b = 0; b < blocks; ++b) {
    todo.push_back(b);
    plan.boundaries.push_back(b + 1);
  }
  Source source(arguments);
  std::vector<std::unique_ptr<Scorer>> scorers;
  std::vector<run::BlockScorer*> lanes;
  for (u64 lane = 0; lane < arguments.number("--lanes", 1); ++lane)
    lanes.push_back(scorers.emplace_back(std::make_unique<Scorer>(arguments, comm.rank(), lane)).get());
  Sink sink(arguments);
  comm.barrier();
  const auto result = run::run_blocks(comm, plan, todo, &source, lanes, &sink,
                                      {arguments.schedule(),
                                       arguments.number("--memory", u64{1} << 30),
                                       arguments.number("--node-memory", 1) != 0,
                                       {},
                                       {}});
  if (!comm.root()) return 0;
  const double megabytes = static_cast<double>(blocks * arguments.number("--payload", 1 << 20)) * 1e-6;
  std::printf("%.4f s, %.0f blocks/s, %.0f MB/s\n", result.loop_seconds,
              static_cast<double>(blocks) / result.loop_seconds, megabytes / result.loop_seconds);
  for (const auto& r : result.ranks)
    std::printf("rank %lu: %lu blocks, gap %.2f ms, buffers %lu, fetch %.3f score %.3f transfer %.3f idle %.3f\n",
                r.rank, r.blocks, 1e3 * r.longest_progress_gap, r.buffer_bytes, r.phases.fetch, r.phases.score,
                r.phases.transfer, r.phases.idle);
  return 0;
}

int run(const Arguments& arguments) {
  const comm::Launch launch = comm::detect_launch();
  std::optional<comm::MpiEnvironment> mpi;
  comm::SerialCommunicator serial;
  if (launch.needs_mpi()) mpi.emplace(launch);
  comm::Communicator& comm = mpi ? mpi->world() : static_cast<comm::Communicator&>(serial);
  const int code = run::run_or_abort(comm, [&] { return run_blocks(comm, arguments); });
  if (mpi) mpi->finalize();
  return code;
}

}  // namespace
}  // namespace h5score::test

int main(int argc, char** argv) {
  try {
    return h5score::test::run(h5score::test::Arguments(argc, argv));
  } catch (const h5score::base::Error& error) {
    std::fprintf(stderr, "h5score: %s\n", error.what());
    return static_cast<int>(error.code());
  }
}
