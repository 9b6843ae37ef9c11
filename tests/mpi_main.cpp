// main() of GoogleTest programs that run on several ranks: every rank runs the same tests; a failure on any rank is
// printed by rank 0 with its rank number, and every rank then returns 1.
//   --hang-rank N       rank N prints its process id and waits for a debugger (set `hang` to 0 there)
//   --piece-bytes N     messages longer than N bytes are split, to test splitting with small messages
#include "h5score/comm/mpi.hpp"
#include "h5score/run/run_or_abort.hpp"

#include "mpi_world.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>

namespace {

h5score::comm::Communicator* world = nullptr;

/// Keeps the text of this rank's failures.
class Failures final : public testing::EmptyTestEventListener {
 public:
  void OnTestPartResult(const testing::TestPartResult& result) override {
    if (!result.failed()) return;
    text_ += std::string(result.file_name() != nullptr ? result.file_name() : "?") + ":" +
             std::to_string(result.line_number()) + ": " + result.message() + "\n";
  }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

void wait_for_debugger(const h5score::comm::Communicator& comm) {
  volatile int hang = 1;
  std::fprintf(stderr, "rank %u is process %d on %s and waits for a debugger\n", comm.rank(),
               static_cast<int>(getpid()), comm.host().c_str());
  while (hang != 0) sleep(1);
}

int run_tests(h5score::comm::Communicator& comm) {
  auto& listeners = testing::UnitTest::GetInstance()->listeners();
  auto failures = std::make_unique<Failures>();
  const Failures& kept = *failures;
  if (!comm.root()) delete listeners.Release(listeners.default_result_printer());
  listeners.Append(failures.release());

  const int own = RUN_ALL_TESTS();
  const std::string& text = kept.text();
  const auto texts = comm.gather(std::as_bytes(std::span(text)));
  for (std::size_t rank = 1; rank < texts.size(); ++rank) {
    if (texts[rank].empty()) continue;
    const std::string other(reinterpret_cast<const char*>(texts[rank].data()), texts[rank].size());
    std::printf("failed on rank %zu:\n%s", rank, other.c_str());
  }
  std::fflush(stdout);
  return comm.all_max(own != 0 ? 1 : 0) != 0 ? 1 : 0;
}

}  // namespace

h5score::comm::Communicator& h5score::test::mpi_world() {
  return *world;
}

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  h5score::base::u64 piece = h5score::comm::MpiEnvironment::default_piece;
  long hang_rank = -1;
  for (int i = 1; i + 1 < argc; ++i) {
    if (argv[i] == std::string("--hang-rank")) hang_rank = std::stol(argv[i + 1]);
    if (argv[i] == std::string("--piece-bytes")) piece = std::stoull(argv[i + 1]);
  }
  h5score::comm::MpiEnvironment environment(h5score::comm::detect_launch(), piece);
  world = &environment.world();
  if (hang_rank == static_cast<long>(world->rank())) wait_for_debugger(*world);
  const int code = h5score::run::run_or_abort(*world, [] { return run_tests(*world); });
  environment.finalize();
  return code;
}
