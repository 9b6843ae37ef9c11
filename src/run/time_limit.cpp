// Time limits of batch jobs.
#include "time_limit.hpp"

#include "h5score/run/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <string_view>

namespace h5score::run {
namespace {

constexpr const char* option = "--time-limit";
constexpr double longest_margin = 120;

std::optional<double> job_end() {
  const char* const value = std::getenv("SLURM_JOB_END_TIME");
  if (value == nullptr) return std::nullopt;
  const std::string_view text(value);
  long long seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return static_cast<double>(seconds);
}

}  // namespace

TimeLimit time_limit(std::optional<double> given) {
  if (given) return {*given, option};
  const auto end = job_end();
  if (!end) return {};
  const double left = *end - std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  if (left <= 0) return {};  // a job that Slurm lets run on
  const char* const job = std::getenv("SLURM_JOB_ID");
  return {left - std::min(longest_margin, left / 10),
          fmt::format("the end of Slurm job {}", job != nullptr ? job : "?")};
}

std::string time_limit_text(const TimeLimit& limit) {
  if (limit.seconds <= 0 || limit.reason == option) return {};
  return fmt::format("time limit: stops in {}, before {} ({} sets another time)\n", format_duration(limit.seconds),
                     limit.reason, option);
}

}  // namespace h5score::run
