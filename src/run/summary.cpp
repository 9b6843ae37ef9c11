// The summary at the end of a run.
#include "h5score/run/summary.hpp"

#include "feature_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <numeric>
#include <set>

namespace h5score::run {
namespace {

using base::plural;

constexpr std::array phase_names{"fetch", "decode", "score", "transfer", "write", "idle"};
enum Phase : std::size_t { fetch, decode, score_, transfer, write_, idle };

std::array<double, 6> values(const PhaseTimes& p) {
  return {p.fetch, p.decode, p.score, p.transfer, p.write, p.idle};
}

double per(double amount, double seconds) {
  return seconds > 0 ? amount / seconds : 0;
}

std::string status_line(const RunReport& report) {
  std::string text = fmt::format("{} ok, {} missing, {} non-finite",
                                 format_count(report.rows - std::min(report.rows, report.rows_flagged)),
                                 format_count(report.rows_missing), format_count(report.rows_nonfinite));
  if (report.models.size() > 1) text += fmt::format(" (for any of {} models)", report.models.size());
  return text;
}

std::string place_line(const RunReport& report, const ScoreOptions& options) {
  std::set<std::string> hosts;
  for (const auto& rank : report.ranks) hosts.insert(rank.host);
  std::string where = hosts.size() == 1 ? *hosts.begin() : plural(hosts.size(), "host");
  std::string text = fmt::format("{} x {} on {}", plural(std::max<u64>(1, report.ranks.size()), "rank"),
                                 plural(report.threads, "thread"), where.empty() ? "1 host" : where);
  if (report.ranks.size() > 1) text += fmt::format(", {} schedule", to_string(options.schedule));
  if (report.ranks.size() > 1 && !report.io.empty()) text += fmt::format(", {} I/O", report.io);
  if (!report.isa.empty()) text += ", " + report.isa;
  return text;
}

std::string memory_line(const RunReport& report) {
  const auto most = std::max_element(report.ranks.begin(), report.ranks.end(), [](const auto& a, const auto& b) {
    return a.peak_memory_bytes < b.peak_memory_bytes;
  });
  if (most == report.ranks.end() || most->peak_memory_bytes == 0) return {};
  std::string text = format_bytes(static_cast<double>(most->peak_memory_bytes));
  if (report.ranks.size() > 1) text += fmt::format(" at most (rank {})", most->rank);
  return text + ", " + format_bytes(static_cast<double>(most->buffer_bytes)) + " of it buffers";
}

std::string headline(const RunReport& report) {
  const double loop = report.loop_seconds;
  std::string text;
  if (report.stopped) {
    const u64 done = report.rows_total == 0 ? report.rows : std::min(report.rows_total, report.rows);
    text = fmt::format("Stopped early: scored {} of {} rows", format_count(done), format_count(report.rows_total));
  } else {
    text = fmt::format("Scored {}", plural(report.rows, "row"));
  }
  return fmt::format("{} in {}: {}, {} read\n", text, format_duration(report.seconds),
                     format_rate(per(static_cast<double>(report.rows), loop), "rows"),
                     format_byte_rate(per(static_cast<double>(report.bytes_read), loop)));
}

std::string phase_table(const RunReport& report, const TextStyle& style) {
  using enum Table::Align;
  const bool several = report.ranks.size() > 1;
  Table table(several ? std::vector{left, right, right, right, right} : std::vector{left, right, right});
  table.add(several ? std::vector<std::string>{"seconds per rank", "min", "median", "max", "share"}
                    : std::vector<std::string>{"phase", "seconds", "share"});
  for (const auto& phase : phase_spread(report)) {
    const std::string share = fmt::format("{:.0f} %", phase.share * 100);
    const auto seconds = [](double s) { return fmt::format("{:.2f}", s); };
    if (several)
      table.add({phase.name, seconds(phase.least), seconds(phase.median), seconds(phase.most), share});
    else
      table.add({phase.name, seconds(phase.most), share});
  }
  return table.text(style);
}

}  // namespace

std::vector<PhaseSpread> phase_spread(const RunReport& report) {
  std::vector<PhaseSpread> spread(phase_names.size());
  double all = 0;
  for (std::size_t p = 0; p < spread.size(); ++p) {
    spread[p].name = phase_names[p];
    if (report.ranks.empty()) continue;
    std::vector<double> seconds;
    for (const auto& rank : report.ranks) seconds.push_back(values(rank.phases)[p]);
    std::sort(seconds.begin(), seconds.end());
    const std::size_t middle = seconds.size() / 2;
    spread[p].least = seconds.front();
    spread[p].median = seconds.size() % 2 == 1 ? seconds[middle] : (seconds[middle - 1] + seconds[middle]) / 2;
    spread[p].most = seconds.back();
    spread[p].share = std::accumulate(seconds.begin(), seconds.end(), 0.0);
    all += spread[p].share;
  }
  for (auto& phase : spread) phase.share = all > 0 ? phase.share / all : 0;
  return spread;
}

std::string bounded_by(const RunReport& report) {
  if (report.ranks.empty() || report.loop_seconds < 0.1) return {};
  const auto spread = phase_spread(report);
  const auto percent = [](double share) { return fmt::format("{:.0f} %", share * 100); };
  const bool several = report.ranks.size() > 1;

  // With scatter, ranks that wait for a root that never waits: the root's own work is the limit, not the sum over the
  // ranks.
  const auto root = values(report.ranks.front().phases);
  const double root_time = std::accumulate(root.begin(), root.end(), 0.0);
  const double root_service = per(root[fetch] + root[transfer] + root[write_], root_time);
  if (several && report.io != "direct" && spread[idle].share > 0.25 && root_service > 0.5) {
    std::size_t worst = fetch;
    for (const std::size_t p : {transfer, write_})
      if (root[p] > root[worst]) worst = p;
    static constexpr const char* work[] = {"reading", "", "", "sending and receiving", "writing"};
    return fmt::format("bounded by rank 0's {} ({} of its time, while the ranks waited {}); fewer ranks do as well",
                       work[worst], percent(per(root[worst], root_time)), percent(spread[idle].share));
  }
  if (several && spread[idle].share > 0.4)
    return fmt::format(
        "bounded by waiting ({} of the ranks' time, {} for {}); fewer ranks or a smaller --block-rows help",
        percent(spread[idle].share), plural(report.blocks, "block"), plural(report.ranks.size(), "rank"));

  std::array<std::size_t, idle> order{fetch, decode, score_, transfer, write_};
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return spread[a].share > spread[b].share; });
  const std::size_t worst = order[0];
  const std::size_t second = order[1];
  static constexpr const char* work[] = {"reading", "decoding", "scoring", "moving blocks between ranks", "writing"};
  static constexpr const char* advice[] = {"faster storage helps, more ranks do not", "more ranks or threads help",
                                           "more ranks or threads help", "fewer ranks do as well",
                                           "faster storage or a longer --sync-interval helps"};
  // Two that are nearly alike are both told: making one of them faster alone would help little.
  const bool both = spread[second].share > 0.75 * spread[worst].share;
  return fmt::format("bounded by {}{} ({}{} of the {} time); {}", work[worst],
                     both ? fmt::format(" and {}", work[second]) : "", percent(spread[worst].share),
                     both ? " and " + percent(spread[second].share) : "", several ? "ranks'" : "loop's", advice[worst]);
}

std::string resume_command(const ScoreOptions& options) {
  std::string command = options.command_line;
  static constexpr std::string_view overwrite = " --overwrite";
  std::error_code unreadable;
  const bool is_there = std::filesystem::exists(options.output, unreadable);  // then only it lets the run end
  if (const auto at = command.find(overwrite); at != std::string::npos && !is_there) {
    const auto end = at + overwrite.size();
    if (end == command.size() || command[end] == ' ') command.erase(at, overwrite.size());
  }
  return options.resume ? command : command + " --resume";
}

std::string format_summary(const RunReport& report, const ScoreOptions& options, const TextStyle& style) {
  std::string text = headline(report);
  std::vector<std::pair<std::string, std::string>> facts;
  facts.push_back({"results", options.output + (report.stopped ? ".part" : "")});
  facts.push_back({"status", status_line(report)});
  facts.push_back({"ran on", place_line(report, options)});
  if (report.resumed_blocks > 0)
    facts.push_back({"resumed", fmt::format("{} taken over, {} scored now", plural(report.resumed_blocks, "block"),
                                            format_count(report.blocks))});
  if (const std::string memory = memory_line(report); !memory.empty()) facts.push_back({"memory", memory});
  text += fact_lines(facts, style);
  if (!report.ranks.empty()) text += '\n' + phase_table(report, style);
  if (const std::string features = feature_warnings(report, style); !features.empty()) text += '\n' + features;
  if (const std::string bound = bounded_by(report); !bound.empty()) text += '\n' + wrap(bound, style.width) + '\n';
  return text;
}

void print_summary(const RunReport& report, const ScoreOptions& options) {
  std::fputs(format_summary(report, options, terminal_style(stdout)).c_str(), stdout);
  std::fflush(stdout);
}

}  // namespace h5score::run
