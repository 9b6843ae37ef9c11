// Runs a target over files, and over damaged copies of them: the corpus as an ordinary test, and the fault matrix's
// many thousands, with any compiler.
//   fuzz_TARGET [--mutations N] [--seed S] [--skip K] [--keep FILE] [--write-seeds FOLDER] [FILE|FOLDER...]
// Prints one line of JSON. The input of the moment goes to --keep (TARGET.fault) when a run fails, crashes or spins.
#include "mutation.hpp"
#include "target.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

namespace {

using h5score::base::Bytes;
using h5score::base::u64;
namespace fuzz = h5score::fuzz;

constexpr double most_cpu_seconds = 10;
constexpr u64 most_memory_bytes = u64{2} << 30;

struct Arguments {
  u64 mutations = 0;
  u64 skip = 0;
  h5score::base::u32 seed = 1;
  std::string keep;
  std::string seeds_folder;
  std::vector<std::string> paths;
};

Arguments parse(int argc, char** argv) {
  Arguments a;
  a.keep = std::filesystem::path(argv[0]).filename().string() + ".fault";
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (!word.starts_with("--")) {
      a.paths.push_back(word);
      continue;
    }
    if (i + 1 >= argc) throw std::invalid_argument(word + " has no value");
    const std::string value = argv[++i];
    if (word == "--mutations")
      a.mutations = std::stoull(value);
    else if (word == "--skip")
      a.skip = std::stoull(value);
    else if (word == "--seed")
      a.seed = static_cast<h5score::base::u32>(std::stoul(value));
    else if (word == "--write-seeds")
      a.seeds_folder = value;
    else if (word == "--keep")
      a.keep = value;
    else
      throw std::invalid_argument("unknown option " + word);
  }
  return a;
}

// What a handler needs when the process is about to die: plain memory, no allocation.
struct Moment {
  const std::byte* data = nullptr;
  std::size_t size = 0;
  char path[4096] = "";
};
Moment& moment() {
  static Moment m;
  return m;
}

void save_moment() {
  const int fd = ::open(moment().path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return;
  static_cast<void>(!::write(fd, moment().data, moment().size));
  ::close(fd);
}

void on_death(int number) {
  save_moment();
  ::signal(number, SIG_DFL);
  ::raise(number);
}

void guard(const std::string& keep) {
  std::strncpy(moment().path, keep.c_str(), sizeof moment().path - 1);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_set_death_callback(save_moment);
#else
  for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) ::signal(number, on_death);
  // Memory that is asked for without a bound shows as std::bad_alloc.
  const rlimit limit{most_memory_bytes * 2, most_memory_bytes * 2};
  ::setrlimit(RLIMIT_AS, &limit);
#endif
  ::signal(SIGPROF, on_death);
}

double cpu_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

std::vector<Bytes> read_all(const std::vector<std::string>& paths) {
  std::vector<std::filesystem::path> files;
  for (const auto& path : paths) {
    if (!std::filesystem::is_directory(path)) {
      files.emplace_back(path);
      continue;
    }
    const std::size_t before = files.size();
    for (const auto& entry : std::filesystem::directory_iterator(path)) files.push_back(entry.path());
    std::sort(files.begin() + static_cast<std::ptrdiff_t>(before), files.end());
  }
  std::vector<Bytes> all;
  for (const auto& file : files) {
    std::ifstream stream(file, std::ios::binary);
    if (!stream) throw std::runtime_error(file.string() + " cannot be read");
    const std::string content{std::istreambuf_iterator<char>(stream), {}};
    const auto bytes = std::as_bytes(std::span(content));
    all.emplace_back(bytes.begin(), bytes.end());
  }
  for (auto& seed : fuzz::seeds()) all.push_back(std::move(seed));
  if (all.empty()) throw std::runtime_error("there are no files");
  return all;
}

int write_files(const std::vector<Bytes>& files, const std::string& folder) {
  for (std::size_t i = 0; i < files.size(); ++i) {
    std::ofstream stream(std::filesystem::path(folder) / ("seed-" + std::to_string(i)), std::ios::binary);
    stream.write(reinterpret_cast<const char*>(files[i].data()), static_cast<std::streamsize>(files[i].size()));
    if (!stream.flush()) throw std::runtime_error(folder + " cannot be written");
  }
  return 0;
}

class Replay {
 public:
  void run(const Bytes& bytes) {
    moment().data = bytes.data();
    moment().size = bytes.size();
    const itimerval limit{{0, 0}, {static_cast<time_t>(most_cpu_seconds) * 3, 0}};
    ::setitimer(ITIMER_PROF, &limit, nullptr);
    const double begin = cpu_seconds();
    const auto outcome = fuzz::run(bytes);
    const double took = cpu_seconds() - begin;
    slowest_ = std::max(slowest_, took);
    if (took > most_cpu_seconds) throw std::logic_error("it took " + std::to_string(took) + " s of CPU time");
    ++inputs_;
    if (outcome == fuzz::Outcome::used) ++used_;
  }

  void print() const {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    std::printf(
        "{\"inputs\": %llu, \"used\": %llu, \"refused\": %llu, \"name_node_deaths\": %llu, \"slowest_cpu_s\": %.3f, "
        "\"peak_mib\": %ld}\n",
        static_cast<unsigned long long>(inputs_), static_cast<unsigned long long>(used_),
        static_cast<unsigned long long>(inputs_ - used_), static_cast<unsigned long long>(fuzz::name_node_deaths()),
        slowest_, usage.ru_maxrss / 1024);
  }

 private:
  u64 inputs_ = 0;
  u64 used_ = 0;
  double slowest_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  try {
    const Arguments arguments = parse(argc, argv);
    const auto files = read_all(arguments.paths);
    if (!arguments.seeds_folder.empty()) return write_files(files, arguments.seeds_folder);
    guard(arguments.keep);
    Replay replay;
    u64 at = 0;
    try {
      if (arguments.skip == 0)
        for (const auto& bytes : files) replay.run(bytes);
      // Each damage has a seed of its own, so that any of them can be repeated alone (--skip K --mutations 1).
      for (at = arguments.skip; at < arguments.skip + arguments.mutations; ++at) {
        fuzz::Mutator mutator(arguments.seed + static_cast<h5score::base::u32>(at) * 2654435761U);
        replay.run(mutator.damaged(files[at % files.size()], files[(at / files.size()) % files.size()]));
      }
    } catch (const std::exception& error) {
      save_moment();
      std::cerr << "fault: " << error.what() << " (mutation " << at << " of seed " << arguments.seed << "; see "
                << arguments.keep << ")\n";
      return 1;
    }
    replay.print();
    return 0;
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 64;
  }
}
