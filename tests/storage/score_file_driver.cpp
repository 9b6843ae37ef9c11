// Writes an example score file from the command line, slowly if told, so that tests can kill it at any moment:
//   score_file_driver OUT ROWS BLOCK_ROWS SYNC_SECONDS DELAY_US [resume|overwrite|suspend|nolock]...
// Prints how many blocks were to be done and how many were rejected. Exit codes are those of h5score.
#include "h5score/base/error.hpp"

#include "storage/score_file_example.hpp"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <exception>
#include <set>
#include <thread>
#include <vector>

namespace {

using namespace h5score;
using namespace h5score::storage;

ScoreFile open(const std::string& output, const ScoreFileSpec& spec, const std::set<std::string>& flags,
               const ScoreFileOptions& options) {
  RunFacts run = testing::facts();
  run.start_ns = 0;
  run.pid = static_cast<base::u64>(::getpid());
  if (!flags.contains("resume")) return ScoreFile::create(output, spec, run, options);
  return ScoreFile::resume(output, read_scores(part_path(output)), spec.identity, run, options);
}

void write_scores(const std::vector<std::string>& args) {
  const std::string& output = args.at(1);
  const auto spec = testing::example(std::stoull(args.at(2)), std::stoull(args.at(3)));
  const std::set<std::string> flags(args.begin() + 6, args.end());
  ScoreFileOptions options;
  options.sync_interval = std::stod(args.at(4));
  options.overwrite = flags.contains("overwrite");
  if (flags.contains("nolock")) options.locking = FileLocking::off;
  options.warn = [](const std::string& text) { std::fprintf(stderr, "warning: %s\n", text.c_str()); };
  const std::chrono::microseconds delay(std::stol(args.at(5)));
  ScoreFile file = open(output, spec, flags, options);
  auto todo = file.todo();
  std::printf("todo %zu rejected %llu\n", todo.size(), static_cast<unsigned long long>(file.blocks_rejected()));
  std::fflush(stdout);
  if (flags.contains("suspend")) todo.resize(todo.size() / 2);
  for (const base::u64 block : todo) {
    testing::write_block(file, spec, block);
    if (delay.count() != 0) std::this_thread::sleep_for(delay);
  }
  if (flags.contains("suspend")) {
    file.suspend();
  } else {
    file.finish();
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    write_scores({argv, argv + argc});
    return 0;
  } catch (const base::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return static_cast<int>(error.code());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "unexpected: %s\n", error.what());
    return 1;
  }
}
