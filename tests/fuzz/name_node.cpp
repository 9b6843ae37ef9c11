// Asks the name node for its CPU time after each file, and the system for that of one that died.
#include "name_node.hpp"

#include "h5score/base/archive.hpp"
#include "h5score/h5/library.hpp"

#include <sys/resource.h>

#include <stdexcept>

namespace h5score::fuzz {
namespace {

constexpr const char* cpu_function = "fuzz.cpu";
constexpr double most_cpu_seconds = 10;

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

double used_by(int who) {
  rusage usage{};
  ::getrusage(who, &usage);
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace

NameNode::NameNode(std::map<std::string, h5::Sandbox::Function> functions) : functions_(std::move(functions)) {
  h5::initialise();
  functions_[cpu_function] = [](base::ByteView) { return base::to_bytes(used_by(RUSAGE_SELF)); };
}

Outcome NameNode::use(const std::string& path, const std::function<void(h5::Sandbox&)>& use) {
  if (!sandbox_) {
    // Files of a few kilobytes: a step that takes a second is one that spins.
    sandbox_.emplace(functions_, h5::Sandbox::Limits{.cpu_per_step = std::chrono::seconds(1)});
    cpu_seconds_ = 0;
  }
  const double dead_before = used_by(RUSAGE_CHILDREN);
  const auto outcome = refusing(path, [&] { use(*sandbox_); });
  double used = 0;
  try {
    used = base::from_bytes<double>(sandbox_->call(cpu_function, {}, path)) - cpu_seconds_;
    cpu_seconds_ += used;
  } catch (const base::Error&) {
    sandbox_.reset();
    count_name_node_death();
    used = used_by(RUSAGE_CHILDREN) - dead_before - cpu_seconds_;
  }
  if (used > most_cpu_seconds) throw std::logic_error("the name node took " + std::to_string(used) + " s of CPU time");
  return outcome;
}

}  // namespace h5score::fuzz
