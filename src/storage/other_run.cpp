// Judging a part file's last run.
#include "other_run.hpp"

#include "run_owner.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <ctime>

namespace h5score::storage {
namespace {

constexpr i64 second = 1'000'000'000;

std::string utc(i64 ns) {
  const std::time_t seconds = ns / second;
  std::tm fields{};
  char text[32] = "";
  if (::gmtime_r(&seconds, &fields) != nullptr) std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &fields);
  return text;
}

std::string describe(const RunFacts& run, i64 alive_ns, i64 age) {
  std::string text = "another run on host " + run.host + ", process " + std::to_string(run.pid);
  if (!run.job.empty()) text += ", job " + run.job;
  text += ", started " + utc(run.start_ns);
  if (alive_ns != 0) text += ", last sign of life " + std::to_string(std::max<i64>(age, 0) / second) + " s ago";
  return text;
}

bool is_gone(u64 pid) {
  return pid != 0 && ::kill(static_cast<pid_t>(pid), 0) != 0 && errno == ESRCH;
}

}  // namespace

OtherRun judge_other_run(const std::optional<ScoreDescription>& part, LockResult lock, const std::string& host) {
  const bool held = lock == LockResult::held_by_another;
  OtherRun other{.writes = held, .unlocked = false, .text = "another run"};
  if (!part || part->runs.empty()) return other;
  const RunFacts& run = part->runs.back();
  const i64 alive_ns = part->alive_ns.back();
  const i64 age = now_ns() - std::max({i64{0}, alive_ns, run.end_ns});  // a damaged file may say anything
  const bool dead = alive_ns != 0 && age >= dead_after_seconds * second;
  other.text = describe(run, alive_ns, age);
  other.unlocked = held && dead;
  const bool here = run.host == host && (lock == LockResult::locked || is_gone(run.pid));
  const bool over = alive_ns == 0 || here;
  other.writes = !dead && (held || !over);
  return other;
}

}  // namespace h5score::storage
